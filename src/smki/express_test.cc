#include "smki/express.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "base/fault.h"
#include "base/log.h"
#include "smki/records.h"
#include "smki/test_rig.h"
#include "storage/forwarding.h"

namespace wattseal::smki {
namespace {

using test::kDevice;
using test::kMaker;
using test::kSupplier;
using test::Rig;

// Fails at one commit, before or after it is stored.
class FailingStore final : public storage::Forwarding {
 public:
  using Forwarding::Forwarding;
  int commits_left = -1;  // until the one that fails; negative: none does
  bool stores_it = false;
  Result<std::uint64_t> commit(storage::Batch batch) override {
    const bool fails = commits_left == 0;
    if (commits_left >= 0) --commits_left;
    if (!fails) return Forwarding::commit(std::move(batch));
    if (stores_it) CHECK(Forwarding::commit(std::move(batch)).ok());
    throw Fault("the disk failed");
  }
};

struct ExpressRig : Rig {
  std::size_t of_the_ceremony = 0;
  ExpressRig() {
    express.open(*ca);
    of_the_ceremony = count(FactKind::certificate_intended);
  }
  Result<SingleAnswer> ask(const Bytes& request, Eui64 subscriber = kMaker) {
    return express.request({subscriber, {request}, world.new_trace()});
  }
  std::vector<FactKind> kinds_since(std::uint64_t first) const {
    std::vector<FactKind> kinds;
    store->journal(first, [&](const storage::JournalEntry& entry) {
      kinds.push_back(FactView::read(entry.fact)->kind());
      return true;
    });
    return kinds;
  }
  std::size_t intended() const { return count(FactKind::certificate_intended) - of_the_ceremony; }
  std::size_t count(FactKind kind) const {
    const std::vector<FactKind> all = kinds_since(1);
    return static_cast<std::size_t>(std::ranges::count(all, kind));
  }
};

TEST(ExpressLane, AnswersWithTheCertificateAndTheFactsOfTheOrdinaryWay) {
  ExpressRig rig;
  const std::uint64_t before = rig.store->journal_head().next;
  const SingleAnswer answer = rig.ask(rig.device_request(kDevice)).value();
  ASSERT_EQ(answer.state, RowState::published);
  EXPECT_EQ(rig.repository.by_serial(answer.serial)->der, answer.certificate);
  const std::vector<FactKind> express = rig.kinds_since(before);
  const std::uint64_t middle = rig.store->journal_head().next;
  EXPECT_EQ(rig.rule_of(kMaker, rig.device_request(kDevice)), "published");
  EXPECT_EQ(express, rig.kinds_since(middle));
  const BatchStatus status = rig.authority.status(answer.batch).value();
  EXPECT_TRUE(status.complete());
  EXPECT_TRUE(status.answered_milliseconds.has_value());
  for (const storage::Table& work : {tables::ca_work, tables::intents, tables::open_batches})
    rig.store->scan(work, {}, {}, [&](BytesView, BytesView) {
      ADD_FAILURE() << work.name() << " is not empty";
      return false;
    });
}

// A batch that was issued and waits to be published is published before the one who asks is
// answered.
TEST(ExpressLane, WhatWasIssuedBeforeIsPublishedBefore) {
  ExpressRig rig;
  std::vector<Bytes> requests;
  for (std::uint64_t i = 1; i < 4; ++i)
    requests.push_back(rig.device_request(Eui64::from_number(kDevice.number() + i)));
  const BatchId batch =
      rig.authority.submit({kMaker, std::move(requests), rig.world.new_trace()}).value();
  ASSERT_EQ(rig.authority.decide(10) + rig.ca->issue(), 6u);
  ASSERT_EQ(rig.authority.status(batch)->published, 0u);
  const SingleAnswer answer = rig.ask(rig.device_request(kDevice)).value();
  ASSERT_EQ(answer.state, RowState::published);
  EXPECT_EQ(rig.authority.status(batch)->published, 3u);
  EXPECT_EQ(rig.repository.completeness().up_to + 3, rig.store->journal_head().next)
      << "all but the facts of the answer and of the publication";
}

TEST(ExpressLane, TheSameRequestAgainIsTheSameCertificate) {
  ExpressRig rig;
  const Bytes request = rig.device_request(kDevice);
  const SingleAnswer first = rig.ask(request).value(), again = rig.ask(request).value();
  EXPECT_EQ(again.batch, first.batch);
  EXPECT_EQ(again.serial, first.serial);
  EXPECT_EQ(again.certificate, first.certificate);
  EXPECT_EQ(rig.intended(), 1u);
}

TEST(ExpressLane, KeepsARefusalWithItsAnswer) {
  ExpressRig rig;
  Bytes broken = rig.device_request(kDevice);
  broken.back() ^= 1;
  const SingleAnswer answer = rig.ask(broken).value();
  EXPECT_EQ(answer.state, RowState::refused);
  EXPECT_EQ(answer.rule, "csr-possession");
  const RowResult kept = rig.authority.results(answer.batch, 0, 1).front();
  EXPECT_EQ(kept.rule, answer.rule);
  EXPECT_EQ(kept.detail, answer.detail);
  EXPECT_TRUE(rig.authority.status(answer.batch)->answered_milliseconds.has_value());
  EXPECT_EQ(rig.ask(rig.organisation_request(), kMaker)->rule, "csr-eui-not-allotted");
  EXPECT_EQ(rig.ask(to_bytes(as_bytes("no request")))->state, RowState::refused);
  EXPECT_EQ(rig.ask(Bytes(limit("csr_octets_max") + 1))->rule, "csr-too-large");
  const Bytes request = rig.device_request(kDevice);
  const x509::CertificationRequest parsed = x509::parse_request(request).value();
  ASSERT_EQ(rig.ask(request)->state, RowState::published);
  EXPECT_TRUE(rig.store->get(tables::keys_seen, key_seen_key(parsed.key)).has_value());
}

TEST(ExpressLane, TurnsAwayAsSubmitDoes) {
  ExpressRig rig;
  EXPECT_EQ(rig.ask(rig.device_request(kDevice), kDevice).refusal().rule.text(),
            "ra-unknown-subscriber");
  RegistrationAuthority small(rig.world, *rig.store, rig.workers, {1, 5, 5, 5});
  ExpressLane lane(rig.world, *rig.store, small, rig.repository,
                   {[] {}, [](BatchId) { return false; }});
  lane.open(*rig.ca);
  const std::uint64_t before = rig.store->journal_head().next;
  EXPECT_TRUE(lane.request({kMaker, {rig.device_request(kDevice)}, {}}).ok());
  const std::uint64_t after = rig.store->journal_head().next;
  EXPECT_GT(after, before);
  EXPECT_EQ(lane.request({kMaker, {rig.device_request(kDevice)}, {}}).refusal().rule.text(),
            "ra-quota-rate");
  EXPECT_EQ(rig.store->journal_head().next, after) << "nothing is kept";
}

TEST(ExpressLane, WhatMustWaitGoesTheOrdinaryWay) {
  ExpressRig rig;
  Party supplier = rig.authority.party(kSupplier).value();
  supplier.dual_control = true;
  ASSERT_TRUE(rig.authority.register_party(supplier, {}).ok());
  EXPECT_EQ(rig.ask(rig.organisation_request(), kSupplier).refusal().rule.text(),
            "ra-officer-required");
  ExpressLane closed(rig.world, *rig.store, rig.authority, rig.repository,
                     {[] {}, [](BatchId) { return false; }});
  const SingleAnswer waiting =
      closed.request({kMaker, {rig.device_request(kDevice)}, rig.world.new_trace()}).value();
  EXPECT_EQ(waiting.state, RowState::waiting);
  rig.settle();
  EXPECT_TRUE(rig.authority.status(waiting.batch)->complete());
}

TEST(ExpressLane, ServesManyAtOnceAndIssuesNothingTwice) {
  ExpressRig rig;
  constexpr std::size_t kThreads = 8, kEach = 25;
  std::vector<std::vector<Bytes>> requests(kThreads);
  for (std::size_t t = 0; t < kThreads; ++t) {
    for (std::size_t i = 0; i < kEach; ++i)
      requests[t].push_back(
          rig.device_request(Eui64::from_number(kDevice.number() + t * kEach + i)));
  }
  requests[1][3] = requests[0][3];  // the same one from two threads
  std::vector<SingleAnswer> answers(kThreads * kEach);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < kEach; ++i) {
        const Result<SingleAnswer> answer = rig.express.request({kMaker, {requests[t][i]}, {}});
        if (answer.ok()) answers[t * kEach + i] = *answer;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  rig.settle();
  std::set<CertificateSerial> serials;
  for (const SingleAnswer& answer : answers) {
    const RowResult result = rig.authority.results(answer.batch, 0, 1).at(0);
    ASSERT_EQ(result.state, RowState::published);
    serials.insert(*result.serial);
  }
  EXPECT_EQ(serials.size(), kThreads * kEach - 1);
  EXPECT_EQ(rig.intended(), kThreads * kEach - 1);
  EXPECT_TRUE(storage::verify_journal(*rig.store).ok());
}

// Whichever commit fails, and whether or not the disk had it, the request ends with one
// certificate, and the one who asked gets it by asking again.
TEST(ExpressLane, LosesNothingWhenTheDiskFails) {
  log::set_level(log::Level::off);
  for (int failing = 0; failing < 2; ++failing) {
    for (const bool stores_it : {false, true}) {
      ExpressRig rig;
      FailingStore store(*rig.store);
      RegistrationAuthority authority(rig.world, store, rig.workers);
      Repository repository(rig.world, store);
      const std::unique_ptr<CertificationAuthority> ca = std::move(
          CertificationAuthority::open(rig.world, store, *rig.keys, rig.workers, Environment::test)
              .value());
      const auto settle = [&] {
        while (authority.decide(1024) + ca->issue() + repository.publish() +
                   authority.note_answered() >
               0) {
        }
        return true;
      };
      ExpressLane lane(rig.world, store, authority, repository,
                       {[] {}, [&](BatchId) { return settle(); }});
      lane.open(*ca);
      const Submission submission{kMaker, {rig.device_request(kDevice)}, rig.world.new_trace()};
      store.commits_left = failing;
      store.stores_it = stores_it;
      try {
        EXPECT_EQ(lane.request(submission)->state, RowState::published) << failing;
        EXPECT_NE(failing, 0) << "nobody can know whether the request is stored";
      } catch (const Fault&) {
        EXPECT_EQ(failing, 0);
      }
      store.commits_left = -1;
      const SingleAnswer answer = lane.request(submission).value();
      EXPECT_EQ(answer.state, RowState::published) << failing << stores_it;
      settle();
      EXPECT_EQ(rig.intended(), 1u);
      EXPECT_EQ(rig.count(FactKind::batch_completed), 1u);
      EXPECT_EQ(repository.by_device(kDevice).size(), 1u);
    }
  }
  log::set_level(log::Level::info);
}

// A process that dies between the intent and the certificate.
TEST(ExpressLane, ANewAuthorityFinishesWhatACrashLeft) {
  log::set_level(log::Level::off);
  ExpressRig rig;
  FailingStore store(*rig.store);
  {
    const std::unique_ptr<CertificationAuthority> ca = std::move(
        CertificationAuthority::open(rig.world, store, *rig.keys, rig.workers, Environment::test)
            .value());
    Repository repository(rig.world, store);
    ExpressLane lane(rig.world, store, rig.authority, repository,
                     {[] {}, [](BatchId) { return false; }});
    lane.open(*ca);
    store.commits_left = 1;
    EXPECT_EQ(lane.request({kMaker, {rig.device_request(kDevice)}, {}})->state, RowState::waiting);
  }
  log::set_level(log::Level::info);
  EXPECT_EQ(rig.ca->issue(), 0u) << "a running authority leaves the work of others alone";
  rig.ca = std::move(
      CertificationAuthority::open(rig.world, *rig.store, *rig.keys, rig.workers, Environment::test)
          .value());
  EXPECT_EQ(rig.ca->issue(), 1u);
  rig.settle();
  EXPECT_EQ(rig.repository.by_device(kDevice).size(), 1u);
  EXPECT_EQ(rig.intended(), 1u);
}

}  // namespace
}  // namespace wattseal::smki
