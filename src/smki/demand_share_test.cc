#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "smki/demand_report.h"

namespace wattseal::smki {
namespace {

const Month kJune{2026, 6};
Eui64 who(std::uint64_t number) { return Eui64::from_number(number); }

std::vector<std::uint64_t> totals(const std::vector<Claim>& claims, std::uint64_t capacity) {
  std::vector<std::uint64_t> out;
  for (const Share& share : allocate_capacity(claims, capacity, kJune))
    out.push_back(share.total());
  return out;
}
using Totals = std::vector<std::uint64_t>;

TEST(Allocation, GivesEveryoneEverythingWhereThereIsEnough) {
  EXPECT_EQ(totals({{who(1), 10, 0}, {who(2), 90, 90}}, 100), (Totals{10, 90}));
  EXPECT_TRUE(allocate_capacity({}, 100, kJune).empty());
}

TEST(Allocation, ServesWhatWasAnnouncedBeforeWhatWasNot) {
  EXPECT_EQ(totals({{who(1), 1000, 100}, {who(2), 100, 100}}, 200), (Totals{100, 100}));
  EXPECT_EQ(totals({{who(1), 1000, 100}, {who(2), 100, 100}}, 250), (Totals{150, 100}));
  EXPECT_EQ(totals({{who(1), 1000, 0}, {who(2), 100, 100}}, 90), (Totals{0, 90}));
}

TEST(Allocation, DividesTooLittleInProportionToWhatWasAnnounced) {
  EXPECT_EQ(totals({{who(1), 300, 300}, {who(2), 100, 100}}, 200), (Totals{150, 50}));
  // The second needs less than its part; what it leaves is the others'.
  EXPECT_EQ(totals({{who(1), 300, 300}, {who(2), 10, 100}, {who(3), 300, 300}}, 210),
            (Totals{100, 10, 100}));
}

TEST(Allocation, DividesTheRestEquallyAmongThoseWhoAskForMore) {
  EXPECT_EQ(totals({{who(1), 1000, 0}, {who(2), 30, 0}, {who(3), 5000, 0}}, 230),
            (Totals{100, 30, 100}));
}

TEST(Allocation, LetsNobodyAlwaysBeFirst) {
  const std::vector<Claim> claims{{who(1), 10, 0}, {who(2), 10, 0}, {who(3), 10, 0}};
  std::map<std::uint64_t, int> first;
  for (int month = 0; month < 300; ++month) {
    for (const Share& share : allocate_capacity(claims, 1, kJune.plus(month)))
      first[share.subscriber.number()] += static_cast<int>(share.total());
  }
  for (const auto& [subscriber, times] : first) EXPECT_NEAR(times, 100, 35) << subscriber;
}

TEST(Allocation, HoldsItsPromisesForAnyClaims) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<Claim> claims;
    std::uint64_t asked = 0;
    const std::uint64_t scale = round % 3 == 0 ? 1'000'000'000'000 : round % 3 == 1 ? 12 : 1000;
    for (std::uint64_t i = 0, n = random() % 8; i < n; ++i) {
      claims.push_back({who(i + 1), random() % scale, random() % 2 ? random() % scale : 0});
      asked += claims.back().asked;
    }
    const std::uint64_t capacity = random() % (2 * scale);
    const std::vector<Share> shares = allocate_capacity(claims, capacity, kJune);
    std::uint64_t given = 0;
    bool cut_within = false, any_beyond = false;
    for (std::size_t i = 0; i < claims.size(); ++i) {
      given += shares[i].total();
      ASSERT_LE(shares[i].total(), claims[i].asked);
      ASSERT_LE(shares[i].within, claims[i].announced);
      cut_within |= shares[i].within < std::min(claims[i].asked, claims[i].announced);
      any_beyond |= shares[i].beyond > 0;
    }
    ASSERT_EQ(given, std::min(asked, capacity)) << "nothing is left over and nothing is invented";
    ASSERT_FALSE(cut_within && any_beyond) << "what was announced goes before what was not";
    // Another order of the same claims gives everyone the same.
    std::vector<Claim> turned(claims.rbegin(), claims.rend());
    const std::vector<Share> again = allocate_capacity(turned, capacity, kJune);
    for (std::size_t i = 0; i < claims.size(); ++i) {
      ASSERT_EQ(again[claims.size() - 1 - i].within, shares[i].within);
      ASSERT_EQ(again[claims.size() - 1 - i].beyond, shares[i].beyond);
    }
  }
}

}  // namespace
}  // namespace wattseal::smki
