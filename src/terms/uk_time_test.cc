#include "terms/uk_time.h"

#include <gtest/gtest.h>

namespace wattseal {
namespace {

UtcTime at(const char* iso) { return UtcTime::parse_iso(iso).value(); }

TEST(UkTime, ChangesAtOneInTheMorningUtcOnTheLastSundays) {
  for (const auto& [spring, autumn] :
       {std::pair{"2014-03-30", "2014-10-26"}, std::pair{"2026-03-29", "2026-10-25"},
        std::pair{"2024-03-31", "2024-10-27"},  // on the 31st
        std::pair{"2027-03-28", "2027-10-31"}}) {
    const UtcTime begin = at((std::string(spring) + "T01:00:00Z").c_str());
    const UtcTime end = at((std::string(autumn) + "T01:00:00Z").c_str());
    EXPECT_FALSE(uk_summer_time(begin.plus_seconds(-1))) << spring;
    EXPECT_TRUE(uk_summer_time(begin)) << spring;
    EXPECT_TRUE(uk_summer_time(end.plus_seconds(-1))) << autumn;
    EXPECT_FALSE(uk_summer_time(end)) << autumn;
  }
}

TEST(UkTime, FindsTheInstantThatClocksShow) {
  EXPECT_EQ(uk_instant(2026, 1, 5, 8), at("2026-01-05T08:00:00Z"));
  EXPECT_EQ(uk_instant(2026, 7, 5, 8), at("2026-07-05T07:00:00Z"));
  EXPECT_EQ(uk_instant(2026, 3, 29, 8), at("2026-03-29T07:00:00Z"));
  EXPECT_EQ(uk_instant(2026, 10, 25, 8), at("2026-10-25T08:00:00Z"));
  EXPECT_EQ(uk_instant(2026, 12, 32, 8), at("2027-01-01T08:00:00Z"));
  EXPECT_EQ(uk_civil(at("2026-07-05T22:59:59Z")).hour, 23);
  EXPECT_EQ(uk_civil(at("2026-07-05T23:00:00Z")).day, 6);
}

}  // namespace
}  // namespace wattseal
