#include "terms/uk_time.h"

#include "base/check.h"

namespace wattseal {
namespace {

constexpr std::int64_t kDay = 86400, kHour = 3600;

// 01:00 UTC on the last Sunday of a month of 31 days.
UtcTime last_sunday(int year, int month) {
  const UtcTime last = UtcTime::from_civil({year, month, 31, 1, 0, 0}).value();
  const std::int64_t days = last.unix_seconds() / kDay;  // 1 January 1970 was a Thursday
  return last.plus_seconds(-((days + 4) % 7) * kDay);
}

}  // namespace

bool uk_summer_time(UtcTime at) {
  const int year = at.civil().year;
  return year >= 1996 && at >= last_sunday(year, 3) && at < last_sunday(year, 10);
}

CivilTime uk_civil(UtcTime at) { return at.plus_seconds(uk_summer_time(at) ? kHour : 0).civil(); }

UtcTime uk_instant(int year, int month, int day, int hour) {
  CHECK(hour >= 3 && hour <= 23);
  const UtcTime shown =
      UtcTime::from_civil({year, month, 1, hour, 0, 0}).value().plus_seconds((day - 1) * kDay);
  return shown.plus_seconds(uk_summer_time(shown) ? -kHour : 0);
}

}  // namespace wattseal
