#include "emulators/history.h"

#include <algorithm>

#include "base/check.h"
#include "zcl/zcl.h"

namespace wattseal::emulators {
namespace {

constexpr std::size_t kEntriesMax = 1000, kPeriodsMax = 4400;
constexpr std::uint32_t kDay = 86'400, kHalfHour = 1800, kHour = 3600;

enum class Kind { levels, amounts };
struct Series {
  std::string_view log;
  Kind kind;
  std::uint32_t period;
};
// The others are logs of events.
constexpr Series kSeries[] = {{"daily-read", Kind::levels, kDay},
                              {"daily-prepay", Kind::levels, kDay},
                              {"daily-export", Kind::levels, kDay},
                              {"daily-use", Kind::amounts, kDay},
                              {"half-hour", Kind::amounts, kHalfHour},
                              {"half-hour-export", Kind::amounts, kHalfHour},
                              {"half-hour-reactive", Kind::amounts, kHalfHour},
                              {"voltage", Kind::amounts, kHour}};

std::uint32_t start_of(std::uint32_t time, std::uint32_t period) { return time - time % period; }

}  // namespace

std::uint32_t device_time(UtcTime time) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(time.unix_seconds() - zcl::kEpoch2000, 0, zcl::kNever - 1));
}

void History::write(std::string_view log, LogEntry entry) {
  std::vector<LogEntry>& entries = logs_[log];
  if (entries.size() == kEntriesMax) entries.erase(entries.begin());
  entries.push_back(std::move(entry));
}

void History::level(std::string_view log, UtcTime now, std::uint32_t period,
                    const std::vector<std::int64_t>& numbers) {
  const std::uint32_t start = start_of(device_time(now), period);
  std::vector<LogEntry>& entries = logs_[log];
  if (entries.empty() || entries.back().time < start) write(log, {start, numbers, {}});
}

void History::amount(std::string_view log, UtcTime now, std::uint32_t period, std::int64_t added) {
  const std::uint32_t start = start_of(device_time(now), period);
  std::vector<LogEntry>& entries = logs_[log];
  if (!entries.empty() && entries.back().time == start) {
    entries.back().numbers[0] += added;
    return;
  }
  if (entries.size() == kPeriodsMax) entries.erase(entries.begin());
  entries.push_back({start, {added}, {}});
}

std::vector<LogEntry> History::read(std::string_view log, std::uint32_t from, std::uint32_t to,
                                    std::size_t capacity, UtcTime now,
                                    const std::vector<std::int64_t>& now_shows) const {
  static const std::vector<LogEntry> nothing;
  const auto found = logs_.find(log);
  const std::vector<LogEntry>& kept = found == logs_.end() ? nothing : found->second;
  std::vector<LogEntry> out;
  const auto* const series = std::ranges::find(kSeries, log, &Series::log);
  if (series == std::end(kSeries)) {
    for (const LogEntry& entry : kept) {
      if (entry.time >= from && entry.time <= to) out.push_back(entry);
    }
    if (out.size() > capacity)
      out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(capacity));
    return out;
  }
  // Backwards from the last period that has begun, or that is over.
  const std::uint32_t period = series->period;
  std::uint32_t end = std::min(to, device_time(now));
  if (series->kind == Kind::amounts && end >= period)
    end = std::min(end, device_time(now) - period);
  const std::uint32_t first = std::max(from, installed_);
  for (std::uint32_t at = start_of(end, period);
       at >= first && at > 0 && out.size() < std::min(capacity, kPeriodsMax); at -= period) {
    const auto entry = std::ranges::lower_bound(kept, at, {}, &LogEntry::time);
    const bool has = entry != kept.end() && (series->kind == Kind::levels || entry->time == at);
    out.push_back({at, has ? entry->numbers : now_shows, {}});
    if (at < period) break;
  }
  std::ranges::reverse(out);
  return out;
}

}  // namespace wattseal::emulators
