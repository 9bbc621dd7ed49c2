#include "gateway/alerts.h"

#include <gtest/gtest.h>

#include <set>

#include "gateway/wan_service.h"
#include "terms/terms.h"

namespace wattseal::gateway {
namespace {

TEST(AlertThresholds, OutagesAreAlwaysDeliveredAndUnknownCodesConsolidated) {
  for (const char* code : {"8F35", "8F36", "8F66", "8F01", "8F0A"})
    EXPECT_FALSE(alert_threshold(code).consolidate) << code;
  for (const char* code : {"8F3F", "0000", "", "8F3", "/"}) {
    EXPECT_EQ(alert_threshold(code).id, "other") << code;
    EXPECT_TRUE(alert_threshold(code).consolidate) << code;
  }
  EXPECT_EQ(alert_threshold("8F3E").id, "access-attempts");
}

TEST(AlertThresholds, EveryRowHasItsFiguresAndEachCodeOneRow) {
  std::set<std::string> codes;
  for (const AlertThreshold& one : alert_thresholds()) {
    EXPECT_EQ(one.consolidate, one.alerts > 0 && one.seconds > 0) << one.id;
    for (std::size_t at = 0; one.codes != "*" && at < one.codes.size(); at += 5) {
      EXPECT_TRUE(from_hex(one.codes.substr(at, 4)).has_value()) << one.codes;
      EXPECT_TRUE(codes.insert(std::string(one.codes.substr(at, 4))).second) << one.codes;
    }
  }
}

TEST(AlertRecords, AConsolidationIsReadBackAsItWasWritten) {
  Consolidation one;
  one.number = 7;
  one.user = Eui64::from_number(1);
  one.device = Eui64::from_number(2);
  one.code = "8F3E";
  one.threshold = "access-attempts";
  one.from = UtcTime::from_unix_seconds(1'700'000'000);
  one.until = one.from.plus_seconds(600);
  one.count = 12;
  one.last = OriginatorCounter(99);
  EXPECT_EQ(Consolidation::decode(one.encode()).encode(), one.encode());
  EXPECT_FALSE(Consolidation::decode(one.encode()).told);
  one.told = one.until;
  EXPECT_EQ(Consolidation::decode(one.encode()).told, one.until);
}

TEST(ManyMessages, AreSplitAsTheyWereJoined) {
  const std::vector<Bytes> messages{{1, 2, 3}, {4}, Bytes(300, 5)};
  const std::string body = join_messages(messages);
  const std::vector<BytesView> back = split_messages(body).value();
  ASSERT_EQ(back.size(), messages.size());
  for (std::size_t i = 0; i < back.size(); ++i) EXPECT_TRUE(equal(back[i], messages[i]));
  EXPECT_TRUE(split_messages("").value().empty());
}

TEST(ManyMessages, WhatIsCutOffOrEmptyIsRefusedWithItsPlace) {
  const std::string body = join_messages(std::vector<Bytes>{{1, 2, 3}, {4}});
  for (std::size_t size = 1; size < body.size(); ++size) {
    if (size == 7) continue;  // the first message is whole
    const auto split = split_messages(std::string_view(body).substr(0, size));
    ASSERT_FALSE(split.ok()) << size;
    EXPECT_EQ(split.refusal().rule, "wan-messages"_rule);
    EXPECT_EQ(split.refusal().field, size < 7 ? "body/0" : "body/1");
  }
  EXPECT_FALSE(split_messages(std::string(4, '\0')).ok());
  const std::vector<Bytes> many(limit("wan_messages_max") + 1, Bytes{1});
  EXPECT_FALSE(split_messages(join_messages(many)).ok());
}

}  // namespace
}  // namespace wattseal::gateway
