// When the SMKI service serves and when an answer is due. The service window is 08:00 to 20:00 by
// UK clocks; planned maintenance is announced in the journal. Nothing is rejected for the hour:
// what comes outside is queued and told when. Source: ¶50 (window, maintenance);
// spec/smki.md 3.2, 3.3, 5.1; K-09. Pure but for the reader. Threads: any.
#pragma once
#include "storage/store.h"
#include "terms/uk_time.h"

namespace wattseal::smki {

bool in_service_window(UtcTime at);                        // from opening on; at closing no more
UtcTime window_opens(UtcTime from);                        // `from` itself when it is in the window
std::int64_t window_seconds(UtcTime from, UtcTime until);  // of [from, until) in the window

struct Maintenance {
  std::uint64_t id = 0;
  UtcTime from, until;  // until excluded
  UtcTime announced;
  std::string reason;
  bool covers(UtcTime at) const { return from <= at && at < until; }
  bool with_notice() const;  // announced maintenance_notice_days before
};

// Maintenance that has not ended, by its start.
class Calendar {
 public:
  explicit Calendar(std::vector<Maintenance> planned) : planned_(std::move(planned)) {}
  static Calendar read(const storage::Reader& reader, UtcTime now);

  const std::vector<Maintenance>& planned() const { return planned_; }
  const Maintenance* maintenance_at(UtcTime at) const;
  bool serves(UtcTime at) const { return in_service_window(at) && !maintenance_at(at); }
  UtcTime serves_from(UtcTime from) const;  // the first moment from then on
  // A single request: single_target_seconds after receipt, or after the service next serves. A
  // batched one that came in the window: batch_target_hour of the next day; any other
  // batch_target_hours after receipt. An answer at that moment is in time.
  UtcTime due(UtcTime received, std::size_t rows) const;

 private:
  std::vector<Maintenance> planned_;
};

}  // namespace wattseal::smki
