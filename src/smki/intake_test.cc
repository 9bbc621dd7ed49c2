#include "smki/intake.h"

#include <gtest/gtest.h>

#include "smki/test_rig.h"

namespace wattseal::smki {
namespace {

using test::kDevice;
using test::kMaker;
using test::Rig;

constexpr Eui64 kSmall = Eui64::from_number(0x9057530000070000),
                kSmallDevice = Eui64::from_number(kDevice.number() + 500'000);

// A second maker beside the rig's, and a registration authority with its own limits.
struct TwoMakers : Rig {
  RegistrationAuthority ra;
  std::uint64_t made = 0;

  explicit TwoMakers(IntakeLimits limits = standing_intake_limits())
      : ra(world, *store, workers, limits) {
    const Eui64 last = Eui64::from_number(kSmallDevice.number() + 99'999);
    CHECK(ra.register_party({kSmall, "Yew", "manufacturer", {}, {{kSmallDevice, last}}},
                            world.new_trace())
              .ok());
  }
  std::vector<Bytes> requests(Eui64 who, std::size_t count) {
    const Eui64 first = who == kMaker ? kDevice : kSmallDevice;
    std::vector<Bytes> all;
    for (std::size_t i = 0; i < count; ++i)
      all.push_back(device_request(Eui64::from_number(first.number() + made++)));
    return all;
  }
  Result<BatchId> submit(Eui64 who, std::size_t count) {
    return ra.submit({who, requests(who, count), world.new_trace()});
  }
  std::string rule(Eui64 who, std::size_t count) {
    const Result<BatchId> batch = submit(who, count);
    return batch.ok() ? "" : std::string(batch.refusal().rule.text());
  }
  void finish() {
    while (ra.decide(1024) + ca->issue() + repository.publish() + ra.note_answered() > 0) {
    }
  }
};

TEST(FairQueue, TakesTurnsBetweenSubscribersAndLanes) {
  FairQueue<int> queue(2);
  const Eui64 a = Eui64::from_number(1), b = Eui64::from_number(2), c = Eui64::from_number(3);
  for (int i = 0; i < 4; ++i) queue.push(Lane::batched, a, 10 + i);
  queue.push(Lane::batched, b, 20);
  queue.push(Lane::batched, c, 30);
  std::vector<int> order;
  while (const std::optional<Lane> lane = queue.next_lane()) order.push_back(queue.take(*lane));
  EXPECT_EQ(order, (std::vector{10, 20, 30, 11, 12, 13}));
  for (int i = 0; i < 5; ++i) queue.push(Lane::single, a, i);
  for (int i = 0; i < 2; ++i) queue.push(Lane::batched, b, 20 + i);
  order.clear();
  while (const std::optional<Lane> lane = queue.next_lane()) order.push_back(queue.take(*lane));
  EXPECT_EQ(order, (std::vector{0, 1, 20, 2, 3, 21, 4}))
      << "singles go first and shut batches out never";
}

TEST(Intake, AFloodOfOneSubscriberDelaysAnotherByOneTurnOnly) {
  TwoMakers rig;
  std::vector<BatchId> flood;
  for (int i = 0; i < 3; ++i) flood.push_back(rig.submit(kMaker, 60).value());
  ASSERT_GT(rig.ra.decide(20), 0u);
  const BatchId small = rig.submit(kSmall, 20).value();
  const BatchId single = rig.submit(kSmall, 1).value();
  // One turn for the single, at most one of the flood, one for the small batch.
  for (int turn = 0; turn < 3; ++turn) ASSERT_GT(rig.ra.decide(20), 0u);
  EXPECT_EQ(rig.ra.status(small)->decided, 20u);
  EXPECT_EQ(rig.ra.status(single)->decided, 1u);
  EXPECT_LT(rig.ra.status(flood[0])->decided, 60u);
  // Now everything is decided; the authority too lets the small one go before the flood's rest.
  while (rig.ra.decide(20) > 0) {
  }
  for (int turn = 0; turn < 4; ++turn) ASSERT_GT(rig.ca->issue(), 0u);
  EXPECT_EQ(rig.ra.status(single)->issued, 1u);
  EXPECT_EQ(rig.ra.status(small)->issued, 20u);
  EXPECT_EQ(rig.ra.status(flood[2])->issued, 0u);
  rig.finish();
  for (const BatchId batch : flood) EXPECT_TRUE(rig.ra.status(batch)->complete());
}

TEST(Intake, BoundsWhatOneSubscriberAndAllMayLetWait) {
  TwoMakers rig({1000, 30, 3, 50});
  EXPECT_EQ(rig.rule(kMaker, 31), "ra-quota-rows");
  EXPECT_EQ(rig.rule(kMaker, 30), "");
  EXPECT_EQ(rig.rule(kMaker, 1), "ra-quota-rows");
  EXPECT_EQ(rig.rule(kSmall, 21), "ra-queue-full");
  EXPECT_EQ(rig.rule(kSmall, 2), "") << "another's flood takes no room of one's own";
  EXPECT_EQ(rig.rule(kSmall, 2), "");
  EXPECT_EQ(rig.rule(kSmall, 2), "");
  EXPECT_EQ(rig.rule(kSmall, 2), "ra-quota-rows") << "three submissions wait";
  EXPECT_EQ(rig.ra.quota(kMaker).rows, 30u);
  EXPECT_EQ(rig.ra.quota(kSmall).submissions, 3u);
  EXPECT_EQ(rig.ra.quota(kSmall).rows_of_all, 36u);
  rig.finish();
  EXPECT_EQ(rig.ra.quota(kMaker).rows, 0u);
  EXPECT_EQ(rig.ra.quota(kSmall).rows_of_all, 0u);
  EXPECT_EQ(rig.rule(kMaker, 30), "");
}

TEST(Intake, ARefusedRepeatTakesNoRoomAndARepeatIsAnsweredWithoutRoom) {
  TwoMakers rig({1000, 10, 10, 10});
  const std::vector<Bytes> requests = rig.requests(kMaker, 10);
  const BatchId batch = rig.ra.submit({kMaker, requests, rig.world.new_trace()}).value();
  EXPECT_EQ(rig.ra.submit({kMaker, requests, rig.world.new_trace()}).value(), batch);
  EXPECT_EQ(rig.rule(kMaker, 1), "ra-quota-rows");
  EXPECT_EQ(rig.ra.quota(kMaker).rows, 10u);
}

TEST(Intake, CountsSubmissionsByTheMinute) {
  TwoMakers rig({3, 1000, 1000, 1000});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(rig.rule(kMaker, 1), "");
  EXPECT_EQ(rig.rule(kMaker, 1), "ra-quota-rate");
  EXPECT_EQ(rig.rule(kSmall, 1), "");
  EXPECT_EQ(rig.ra.quota(kMaker).this_minute, 3u);
  rig.clock.advance(rig.ra.quota(kMaker).seconds_to_next_minute - 1);
  EXPECT_EQ(rig.rule(kMaker, 1), "ra-quota-rate");
  rig.clock.advance(1);
  EXPECT_EQ(rig.rule(kMaker, 1), "");
}

TEST(Intake, FindsWhatWaitsAfterARestart) {
  TwoMakers rig;
  const BatchId first = rig.submit(kMaker, 50).value();
  ASSERT_EQ(rig.ra.decide(20), 20u);
  RegistrationAuthority again(rig.world, *rig.store, rig.workers);
  EXPECT_EQ(again.quota(kMaker).rows, 50u);
  while (again.decide(20) + rig.ca->issue() + rig.repository.publish() + again.note_answered() >
         0) {
  }
  EXPECT_TRUE(again.status(first)->complete());
  EXPECT_EQ(again.status(first)->published, 50u);
  EXPECT_EQ(again.quota(kMaker).rows, 0u);
}

TEST(Intake, JournalsWhenEveryRowHasItsAnswer) {
  TwoMakers rig;
  const BatchId batch = rig.submit(kMaker, 2).value();
  rig.clock.advance(7);
  rig.finish();
  std::vector<std::string> seen;
  rig.store->journal(1, [&](const storage::JournalEntry& entry) {
    const FactView fact = FactView::read(entry.fact).value();
    const bool submitted = fact.kind() == FactKind::batch_submitted;
    if (!submitted && fact.kind() != FactKind::batch_completed) return true;
    EXPECT_EQ(fact.number(FactField::batch), batch);
    EXPECT_EQ(fact.number(FactField::count), 2u);
    seen.push_back(fact.at().iso() + (submitted ? " submitted" : " completed"));
    EXPECT_EQ(fact.number(FactField::at_milliseconds),
              static_cast<std::uint64_t>(fact.at().unix_seconds()) * 1000);
    return true;
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"2026-05-01T10:00:00Z submitted",
                                            "2026-05-01T10:00:07Z completed"}));
  EXPECT_EQ(
      *rig.ra.status(batch)->answered_milliseconds - rig.ra.status(batch)->received_milliseconds,
      7000);
}

}  // namespace
}  // namespace wattseal::smki
