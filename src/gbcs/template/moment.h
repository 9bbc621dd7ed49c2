// A point in time as templates speak of it: an instant, "now" (execute at once) or "never"
// (cancel).
#pragma once
#include "base/time.h"

namespace wattseal::gbcs::gmt {

struct Moment {
  enum class Is : unsigned char { instant, now_marker, never };
  Is is = Is::instant;
  UtcTime time;
  int hundredths = 0;  // -1: the encoding carries whole seconds only
};

// What a request writes to cancel: DUIS 3000-12-31T00:00:00.00Z.
inline const UtcTime kNever = UtcTime::from_unix_seconds(32535129600);
inline constexpr int kFirstYearPastUse = 3000;
// 2000-01-01T00:00:00Z, where ZigBee and DLMS log selectors start counting.
inline constexpr std::int64_t kZigbeeEpoch = 946684800;

}  // namespace wattseal::gbcs::gmt
