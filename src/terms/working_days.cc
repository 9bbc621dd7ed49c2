#include "terms/working_days.h"

#include <iterator>

#include "base/check.h"
#include "terms/uk_time.h"

namespace wattseal {
namespace {

struct HolidayRow {
  std::string_view day, holiday, meaning, source, in_force_from;
};
constexpr HolidayRow kRows[] = {
#include "tables/bank_holidays.inc"
};

constexpr std::int64_t kDay = 86400;

UtcTime date(int year, int month, int day) {
  return UtcTime::from_civil({year, month, 1, 0, 0, 0}).value().plus_seconds((day - 1) * kDay);
}
// 0 is Sunday; 1 January 1970 was a Thursday.
int weekday(UtcTime at) { return static_cast<int>((at.unix_seconds() / kDay + 4) % 7); }

// The Gregorian computus of Meeus, Jones and Butcher.
UtcTime easter_sunday(int year) {
  const int a = year % 19, b = year / 100, c = year % 100;
  const int h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
  const int l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
  const int m = (a + 11 * h + 22 * l) / 451;
  return date(year, (h + l - 7 * m + 114) / 31, (h + l - 7 * m + 114) % 31 + 1);
}

// A holiday at the weekend is kept on the next weekday that is none: both days of Christmas.
bool kept_for_christmas(UtcTime at, int year) {
  const UtcTime christmas = date(year, 12, 25);
  const std::int64_t days = (at - christmas) / kDay;
  switch (weekday(christmas)) {
    case 5: return days == 0 || days == 3;  // Friday, and Monday for Saturday
    case 6: return days == 2 || days == 3;
    case 0: return days == 1 || days == 2;
    default: return days == 0 || days == 1;
  }
}
bool kept_for_new_year(int month, int day, int weekday_of) {
  return month == 1 && (day == 1 || ((day == 2 || day == 3) && weekday_of == 1));
}

bool by_rule(UtcTime at) {
  const CivilTime civil = at.civil();
  const int on = weekday(at);
  const std::int64_t from_easter = (at - easter_sunday(civil.year)) / kDay;
  if (from_easter == -2 || from_easter == 1) return true;
  if (on == 1 && civil.month == 5 && (civil.day <= 7 || civil.day > 24)) return true;
  if (on == 1 && civil.month == 8 && civil.day > 24) return true;
  return kept_for_new_year(civil.month, civil.day, on) || kept_for_christmas(at, civil.year);
}

bool is_working(UtcTime at) {
  if (weekday(at) == 0 || weekday(at) == 6) return false;
  const std::string day = at.iso().substr(0, 10);
  for (const HolidayRow& row : kRows) {
    if (row.day == day) return row.holiday != "yes";
  }
  return !by_rule(at);
}

}  // namespace

bool is_working_day(int year, int month, int day) { return is_working(date(year, month, day)); }

UtcTime working_day_ends(int year, int month, unsigned n) {
  UtcTime at = date(year, month, 1);
  for (unsigned left = n;; at = at.plus_seconds(kDay)) {
    CHECK(at.civil().month == month);
    if (is_working(at) && --left == 0) break;
  }
  const UtcTime shown = at.plus_seconds(kDay);
  return shown.plus_seconds(uk_summer_time(shown) ? -3600 : 0);
}

}  // namespace wattseal
