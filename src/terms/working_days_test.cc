#include "terms/working_days.h"

#include <gtest/gtest.h>

namespace wattseal {
namespace {

int working_days_of(int year) {
  int days = 0;
  for (UtcTime at = UtcTime::from_civil({year, 1, 1, 0, 0, 0}).value(); at.civil().year == year;
       at = at.plus_seconds(86400))
    days += is_working_day(year, at.civil().month, at.civil().day) ? 1 : 0;
  return days;
}

TEST(WorkingDays, LeaveOutTheBankHolidaysOfEnglandAndWales) {
  for (const auto& [year, month, day] : {std::tuple{2014, 1, 1},
                                         {2014, 4, 18},
                                         {2014, 4, 21},
                                         {2014, 5, 5},
                                         {2014, 5, 26},
                                         {2014, 8, 25},
                                         {2014, 12, 25},
                                         {2014, 12, 26},
                                         {2026, 4, 3},
                                         {2026, 4, 6},
                                         {2026, 5, 25},
                                         {2026, 8, 31}})
    EXPECT_FALSE(is_working_day(year, month, day)) << year << "-" << month << "-" << day;
  for (const auto& [year, month, day] : {std::tuple{2014, 1, 2},
                                         {2014, 4, 17},
                                         {2014, 4, 22},
                                         {2014, 5, 12},
                                         {2014, 8, 18},
                                         {2014, 12, 24},
                                         {2014, 12, 29}})
    EXPECT_TRUE(is_working_day(year, month, day)) << year << "-" << month << "-" << day;
}

TEST(WorkingDays, KeepHolidaysOfTheWeekendOnTheNextDays) {
  EXPECT_FALSE(is_working_day(2020, 12, 28)) << "Boxing Day was a Saturday";
  EXPECT_TRUE(is_working_day(2020, 12, 29));
  EXPECT_FALSE(is_working_day(2021, 12, 27)) << "Christmas Day was a Saturday";
  EXPECT_FALSE(is_working_day(2021, 12, 28));
  EXPECT_TRUE(is_working_day(2021, 12, 29));
  EXPECT_FALSE(is_working_day(2022, 12, 26)) << "Christmas Day was a Sunday";
  EXPECT_FALSE(is_working_day(2022, 12, 27));
  EXPECT_FALSE(is_working_day(2022, 1, 3)) << "New Year's Day was a Saturday";
  EXPECT_FALSE(is_working_day(2023, 1, 2)) << "New Year's Day was a Sunday";
  EXPECT_TRUE(is_working_day(2023, 1, 3));
}

TEST(WorkingDays, KnowWhatWasProclaimedOtherwise) {
  EXPECT_TRUE(is_working_day(2020, 5, 4));
  EXPECT_FALSE(is_working_day(2020, 5, 8));
  EXPECT_EQ(working_days_of(2014), 253);
  EXPECT_EQ(working_days_of(2022), 250) << "ten bank holidays";
}

TEST(WorkingDays, EndAtMidnightByUkClocks) {
  // Good Friday and Easter Monday of 2026 are in April's first week.
  EXPECT_EQ(working_day_ends(2026, 4, 15).iso(), "2026-04-23T23:00:00Z");
  EXPECT_EQ(working_day_ends(2026, 1, 15).iso(), "2026-01-23T00:00:00Z");
  EXPECT_EQ(working_day_ends(2026, 1, 1).iso(), "2026-01-03T00:00:00Z");
}

}  // namespace
}  // namespace wattseal
