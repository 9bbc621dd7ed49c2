// Serial numbers under generators that repeat themselves.
#include <gtest/gtest.h>

#include "base/fault.h"
#include "smki/authority.h"
#include "smki/serials.h"
#include "smki/test_rig.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

using test::kDevice;
using test::kMaker;
using test::Rig;

Eui64 device(std::uint64_t number) { return Eui64::from_number(kDevice.number() + number); }

// Gives each value `times` times; seeded anew it gives the same values again.
class Repeating final : public Random {
 public:
  Repeating(std::uint64_t seed, int times) : inner_(seeded_random(seed)), times_(times) {}
  void fill(std::span<Octet> octets) override {
    if (given_++ % times_ == 0) {
      last_.resize(octets.size());
      inner_->fill(last_);
    }
    for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = last_[i % last_.size()];
  }

 private:
  const std::unique_ptr<Random> inner_;
  const int times_;
  int given_ = 0;
  Bytes last_;
};

// A certification authority of its own, whose generator is rigged, on the store of the rig.
struct Rigged {
  Rigged(Rig& rig, Random& random)
      : world{rig.clock, random},
        ca(std::move(CertificationAuthority::open(world, *rig.store, *rig.keys, rig.workers,
                                                  Environment::test)
                         .value())) {}
  World world;
  std::unique_ptr<CertificationAuthority> ca;
};

std::vector<CertificateSerial> serials(const Rig& rig, BatchId batch) {
  std::vector<CertificateSerial> all;
  for (const RowResult& row : rig.authority.results(batch, 0, 1000)) all.push_back(*row.serial);
  return all;
}

BatchId decided(Rig& rig, std::uint64_t first, std::uint64_t rows) {
  std::vector<Bytes> requests;
  for (std::uint64_t i = 0; i < rows; ++i)
    requests.push_back(rig.device_request(device(first + i)));
  const BatchId batch = rig.authority.submit({kMaker, requests, rig.world.new_trace()}).value();
  while (rig.authority.decide(1024) > 0) {
  }
  return batch;
}

TEST(Serials, StayUniqueWhenTheGeneratorStartsOverAfterARestart) {
  Rig rig;
  const CertificateSerial first = new_serial(*seeded_random(99));
  std::set<CertificateSerial> seen;
  for (std::uint64_t run = 0; run < 4; ++run) {  // nothing is published in between
    const BatchId batch = decided(rig, 10 * run, 5);
    const std::unique_ptr<Random> again = seeded_random(99);
    Rigged rigged(rig, *again);
    while (rigged.ca->issue() > 0) {
    }
    const std::vector<CertificateSerial> taken = serials(rig, batch);
    ASSERT_EQ(taken.size(), 5u);
    for (const CertificateSerial& serial : taken) EXPECT_TRUE(seen.insert(serial).second);
  }
  EXPECT_TRUE(seen.contains(first)) << "the generator is not rigged";
  rig.settle();
  EXPECT_EQ(rig.repository.by_device(device(0)).size(), 1u);
  EXPECT_EQ(rig.repository.by_device(device(34)).size(), 1u);
}

TEST(Serials, StayUniqueBetweenBatchesInFlight) {
  Rig rig;
  std::vector<BatchId> batches;
  for (std::uint64_t i = 0; i < 6; ++i) batches.push_back(decided(rig, i, 1));  // single requests
  Repeating twice(7, 3);
  Rigged rigged(rig, twice);
  std::set<CertificateSerial> seen;
  while (rigged.ca->issue() > 0) {
  }
  for (const BatchId batch : batches) EXPECT_TRUE(seen.insert(serials(rig, batch).at(0)).second);
}

// Two writers that drew the same number before either of them committed.
TEST(Serials, AreTakenByTheCommitThatComesFirst) {
  const std::unique_ptr<storage::Store> store = storage::memory_store();
  const CertificateSerial serial = new_serial(*seeded_random(1));
  storage::Batch one, other;
  take_serial(one, serial);
  take_serial(other, serial);
  other.put(tables::meta, as_bytes("with-it"), {});
  EXPECT_FALSE(is_taken(*store, serial));
  ASSERT_TRUE(store->commit(std::move(one)).ok());
  EXPECT_TRUE(is_taken(*store, serial));
  const Result<std::uint64_t> second = store->commit(std::move(other));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.refusal().rule.text(), "ca-serial-taken");
  EXPECT_FALSE(store->get(tables::meta, as_bytes("with-it")));
}

// Numbers that were published before tables::serials was kept.
TEST(Serials, OfOldStoresAreKnownFromTheRepository) {
  const std::unique_ptr<storage::Store> store = storage::memory_store();
  const CertificateSerial serial = new_serial(*seeded_random(1));
  storage::Batch old, mine;
  old.put(tables::certificates, serial.octets(), {});
  ASSERT_TRUE(store->commit(std::move(old)).ok());
  take_serial(mine, serial);
  EXPECT_FALSE(store->commit(std::move(mine)).ok());
  EXPECT_NE(Serials(*seeded_random(1), *store, true).draw(), serial);
}

TEST(Serials, AreNotIssuedByAGeneratorThatIsStuck) {
  Rig rig;
  Repeating stuck(5, 1'000'000'000);
  Rigged rigged(rig, stuck);
  const BatchId first = decided(rig, 0, 1);
  EXPECT_EQ(rigged.ca->issue(), 1u);
  const BatchId second = decided(rig, 1, 1);
  const storage::JournalHead before = rig.store->journal_head();
  EXPECT_THROW((void)rigged.ca->issue(), Fault);
  EXPECT_EQ(rig.store->journal_head(), before) << "nothing is changed";
  rig.settle();  // with a generator that works
  EXPECT_NE(serials(rig, first), serials(rig, second));
}

}  // namespace
}  // namespace wattseal::smki
