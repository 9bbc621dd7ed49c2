#include "gateway/gateway/queues.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "terms/tables.h"

namespace wattseal::gateway {
namespace {

Eui64 user(std::uint64_t number) { return Eui64::from_number(number); }

std::map<std::uint64_t, int> served(const std::vector<QueueRow>& rows) {
  std::map<std::uint64_t, int> counts;
  for (const QueueRow& row : rows) ++counts[get_be(BytesView(row.key).first(8))];
  return counts;
}

TEST(Queues, UsersTakeTurnsHoweverMuchOneHas) {
  const std::unique_ptr<storage::Store> store = storage::memory_store();
  storage::Batch batch;
  for (std::uint64_t i = 1; i <= 1000; ++i)
    batch.put(tables::responses_out, response_key(user(1), i), {});
  for (std::uint64_t i = 1001; i <= 1003; ++i)
    batch.put(tables::responses_out, response_key(user(2), i), {});
  batch.put(tables::responses_out, response_key(user(3), 1004), {});
  ASSERT_TRUE(store->commit(std::move(batch)).ok());
  Eui64 last;
  const auto nobody = [](Eui64) { return false; };
  const auto take = [&](std::size_t most) {
    return served(fair_rows(*store, tables::responses_out, {}, most, last, nobody));
  };
  EXPECT_EQ(take(9), (std::map<std::uint64_t, int>{{1, 3}, {2, 3}, {3, 1}}));
  EXPECT_EQ(last, user(3));
  EXPECT_EQ(take(1), (std::map<std::uint64_t, int>{{1, 1}}));
  EXPECT_EQ(take(1), (std::map<std::uint64_t, int>{{2, 1}})) << "where it stopped";
  const std::vector<QueueRow> rest = fair_rows(*store, tables::responses_out, {}, 2000, last,
                                               [](Eui64 one) { return one == user(1); });
  EXPECT_EQ(served(rest), (std::map<std::uint64_t, int>{{2, 3}, {3, 1}}));
  EXPECT_EQ(next_order(*store, tables::responses_out, 8), 1005u);
}

TEST(Queues, RoomIsCountedWhenItIsUnknownAndWhenItSeemsFull) {
  Room room;
  int counted = 0;
  std::uint64_t there = 3;
  const auto is_full = [&](std::int64_t second) {
    return room.is_full(user(1), 5, UtcTime::from_unix_seconds(second), [&] {
      ++counted;
      return there;
    });
  };
  EXPECT_FALSE(is_full(1));
  room.add(user(1), 1);
  EXPECT_FALSE(is_full(1));
  EXPECT_EQ(counted, 1);
  room.add(user(1), 1);
  EXPECT_TRUE(is_full(1)) << "five, and counted in this second";
  EXPECT_EQ(counted, 1);
  EXPECT_FALSE(is_full(2)) << "two went on without a word";
  EXPECT_EQ(counted, 2);
  there = 5;
  room.add(user(1), 2);
  EXPECT_TRUE(is_full(3));
  room.remove(user(1), 1);
  EXPECT_FALSE(is_full(3));
  EXPECT_FALSE(room.is_full(user(2), 5, UtcTime(), [] { return 0; }));
}

TEST(Queues, EveryServiceHasAClassAndTheSharesAreAWhole) {
  std::uint64_t whole = 0;
  for (const PriorityClass& one : priority_classes()) whole += one.share;
  EXPECT_EQ(whole, 100u);
  const auto class_of = [](std::string_view variant, bool scheduled) {
    return priority_classes()[priority_of(*find_service_request(variant), scheduled)].id;
  };
  EXPECT_EQ(class_of("2.2", false), "safety-and-top-up");
  EXPECT_EQ(class_of("7.2", false), "safety-and-top-up");
  EXPECT_EQ(class_of("8.7.1", false), "install-visit");
  EXPECT_EQ(class_of("4.1.1", false), "on-demand");
  EXPECT_EQ(class_of("4.1.1", true), "scheduled-bulk");
}

}  // namespace
}  // namespace wattseal::gateway
