// What a device remembers: logs that fill as time goes by. A log of events has what was written. A
// log of levels has the registers at the start of each period, a log of amounts what was added in
// each: both keep an entry only where something changed and make up the rest when they are read, so
// that a device nobody uses costs nothing. Times are seconds since 2000. Private to emulators.
#pragma once
#include <map>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"

namespace wattseal::emulators {

struct LogEntry {
  std::uint32_t time = 0;
  std::vector<std::int64_t> numbers;
  Bytes octets;
};

std::uint32_t device_time(UtcTime time);  // seconds since 2000; 0 before that

class History {
 public:
  explicit History(UtcTime installed) : installed_(device_time(installed)) {}

  // A log of events, or of dates on which somebody wrote registers down; at most 1,000 entries.
  void write(std::string_view log, LogEntry entry);
  // Before registers change at `now`: what they show stands for every period that began since the
  // last change.
  void level(std::string_view log, UtcTime now, std::uint32_t period,
             const std::vector<std::int64_t>& numbers);
  void amount(std::string_view log, UtcTime now, std::uint32_t period, std::int64_t added);
  void clear(std::string_view log) { logs_.erase(log); }

  // The last `capacity` entries from `from` up to `to`, oldest first. `now_shows` is what a log of
  // levels shows since the last change, or what a log of amounts has where nothing was added.
  std::vector<LogEntry> read(std::string_view log, std::uint32_t from, std::uint32_t to,
                             std::size_t capacity, UtcTime now,
                             const std::vector<std::int64_t>& now_shows) const;

 private:
  std::uint32_t installed_ = 0;
  std::map<std::string_view, std::vector<LogEntry>> logs_;  // names are literals or rows
};

}  // namespace wattseal::emulators
