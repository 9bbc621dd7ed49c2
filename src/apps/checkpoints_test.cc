// Audit on a copy: whatever is changed, removed, reordered or cut off in a copy of an embedded
// store is found, also when who did it computed the chain again.
#include "apps/checkpoints.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "apps/audit.h"
#include "base/fault.h"
#include "base/world.h"
#include "terms/facts.h"
#include "terms/tables.h"

namespace wattseal::apps {
namespace {

namespace fs = std::filesystem;
constexpr storage::Table kJournal{255, "journal"};

Bytes number(std::uint64_t value) {
  Bytes octets;
  put_be(octets, value);
  return octets;
}

class Copy : public ::testing::Test {
 protected:
  const fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-checkpoints-" + std::to_string(::getpid()));
  FixedClock clock_{UtcTime::parse_iso("2026-05-01T10:00:00Z").value()};
  const std::unique_ptr<Random> random_ = seeded_random(5);
  const World world_{clock_, *random_};
  const crypto::KeyHandle key_ =
      crypto::key_from_test_scalar(crypto::sha256(as_bytes("audit"))).value();
  const tlog::Verifier trusted_{std::string(kJournalOrigin), key_->public_point()};
  std::unique_ptr<storage::Store> store_;
  std::string outside_;

  // Facts 1 to 40, a checkpoint as fact 41, facts 42 to 60, a checkpoint outside over 61, fact 62.
  void SetUp() override {
    fs::remove_all(folder_);
    store_ = std::move(storage::open_rocksdb_store(folder_ / "original").value());
    JournalSigner signer(world_, *store_, key_, folder_ / "note");
    add(40);
    EXPECT_TRUE(signer.sign_when_due());
    add(19);
    signer.sign();
    std::ifstream in(folder_ / "note");
    outside_ = {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    store_.reset();
    fs::copy(folder_ / "original", folder_ / "copy");
    store_ = std::move(storage::open_rocksdb_store(folder_ / "copy").value());
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(folder_);
  }
  void add(int count) {
    for (int i = 0; i < count; ++i) {
      storage::Batch batch;
      batch.append(FactWriter(FactKind::endpoint_registered, clock_.now(), world_.new_trace())
                       .text(FactField::url, "http://example/" + std::to_string(i))
                       .bytes());
      ASSERT_TRUE(store_->commit(std::move(batch)).ok());
    }
  }
  Bytes row(std::uint64_t sequence) const { return *store_->get(kJournal, number(sequence)); }
  void put(std::uint64_t sequence, const std::optional<Bytes>& row) {
    storage::Batch batch;
    if (row)
      batch.put(kJournal, number(sequence), *row);
    else
      batch.erase(kJournal, number(sequence));
    ASSERT_TRUE(store_->commit(std::move(batch)).ok());
  }
  // Makes the chain hold again over whatever facts there are, as a thorough forger would.
  void rechain() {
    std::vector<Bytes> facts;
    store_->journal(1, [&](const storage::JournalEntry& entry) {
      facts.push_back(entry.fact);
      return true;
    });
    const std::uint64_t next = store_->journal_head().next;
    storage::Batch batch;
    for (std::uint64_t i = 1; i < next; ++i) batch.erase(kJournal, number(i));
    storage::JournalHead head;
    for (const Bytes& fact : facts) {
      head.chain = storage::chain_next(head.chain, head.next, fact);
      Bytes value = to_bytes(head.chain);
      append(value, fact);
      batch.put(kJournal, number(head.next++), value);
    }
    Bytes row = number(head.next);
    append(row, head.chain);
    ASSERT_TRUE(store_->commit(std::move(batch)).ok());
    forge_head(row);
  }
  // The store itself would write the head that it remembers.
  void forge_head(const Bytes& row) {
    store_.reset();
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, (folder_ / "copy").string(), &opened).ok());
    const std::unique_ptr<rocksdb::DB> raw(opened);
    const std::string key = std::string(1, '\0') + "head";
    ASSERT_TRUE(raw->Put({}, key, std::string(as_text(row))).ok());
    ASSERT_TRUE(raw->Close().ok());
    store_ = std::move(storage::open_rocksdb_store(folder_ / "copy").value());
  }
  std::string found() const {
    const Result<AuditReport> chain = audit(*store_);
    if (!chain.ok()) return explain_short(chain.refusal());
    const Result<CheckpointReport> signed_ones = check_checkpoints(*store_, trusted_, outside_);
    return signed_ones.ok() ? "all is well" : explain_short(signed_ones.refusal());
  }
  static std::string explain_short(const Refusal& refusal) {
    return std::string(refusal.rule.text()) + ": " + refusal.detail;
  }
};

TEST_F(Copy, IsWellWhenNothingWasChanged) {
  EXPECT_EQ(found(), "all is well");
  const CheckpointReport report = check_checkpoints(*store_, trusted_, outside_).value();
  EXPECT_EQ(report.checkpoints, 2u);
  EXPECT_EQ(report.covered, 60u);
  EXPECT_TRUE(report.key_given);
  EXPECT_FALSE(check_checkpoints(*store_, {}, outside_)->key_given);
}

TEST_F(Copy, ShowsAFlippedBitOfAnyFact) {
  for (const std::uint64_t sequence : {1u, 23u, 41u, 61u}) {
    const Bytes true_row = row(sequence);
    Bytes changed = true_row;
    changed.at(changed.size() - 1) ^= 1;
    put(sequence, changed);
    EXPECT_EQ(found(),
              "journal-broken: entry " + std::to_string(sequence) + " is missing or was changed");
    put(sequence, true_row);
  }
  EXPECT_EQ(found(), "all is well");
}

TEST_F(Copy, ShowsARemovedFactAndACutTail) {
  const Bytes middle = row(30);
  put(30, std::nullopt);
  EXPECT_EQ(found(), "journal-broken: entry 30 is missing or was changed");
  put(30, middle);
  put(61, std::nullopt);
  EXPECT_EQ(found(), "journal-broken: entry 61 is missing or was changed");
}

TEST_F(Copy, ShowsReorderedFacts) {
  const Bytes one = row(12), other = row(13);
  put(12, other);
  put(13, one);
  EXPECT_EQ(found(), "journal-broken: entry 12 is missing or was changed");
}

TEST_F(Copy, ShowsAChangeWhoseAuthorMadeTheChainHoldAgain) {
  Bytes changed = row(45);
  changed.at(changed.size() - 1) ^= 1;
  put(45, changed);
  rechain();
  EXPECT_EQ(found(), "audit-checkpoint: something from fact 41 to fact 60 is not what was signed");
}

TEST_F(Copy, ShowsARemovedOrReorderedFactUnderAChainThatHolds) {
  put(7, std::nullopt);
  rechain();
  EXPECT_EQ(found(), "audit-checkpoint: something from fact 1 to fact 40 is not what was signed");
}

TEST_F(Copy, ShowsATailThatWasCutCleanly) {
  for (std::uint64_t sequence = 55; sequence <= 61; ++sequence) put(sequence, std::nullopt);
  rechain();
  EXPECT_EQ(found(), "audit-truncated: facts 55 to 60 are missing");
}

TEST_F(Copy, BelievesNoOtherKey) {
  const tlog::Verifier other(
      std::string(kJournalOrigin),
      crypto::key_from_test_scalar(crypto::sha256(as_bytes("x"))).value()->public_point());
  EXPECT_EQ(check_checkpoints(*store_, other, outside_).refusal().rule, "tlog-signature"_rule);
}

TEST(JournalCheckpoints, AreWrittenOutsideAgainWhenThatFailed) {
  FixedClock clock{UtcTime::parse_iso("2026-05-01T10:00:00Z").value()};
  const std::unique_ptr<Random> random = seeded_random(5);
  const World world{clock, *random};
  const std::unique_ptr<storage::Store> store = storage::memory_store();
  const crypto::KeyHandle key =
      crypto::key_from_test_scalar(crypto::sha256(as_bytes("audit"))).value();
  const fs::path folder =
      fs::temp_directory_path() / ("wattseal-outside-" + std::to_string(::getpid()));
  JournalSigner signer(world, *store, key, folder / "note");
  EXPECT_THROW((void)signer.sign_when_due(), Fault) << "the folder is not there";
  fs::create_directories(folder);
  EXPECT_FALSE(signer.sign_when_due()) << "it was signed; only the file is made good";
  std::ifstream in(folder / "note");
  const std::string outside{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  EXPECT_EQ(check_checkpoints(*store, signer.verifier(), outside)->checkpoints, 1u);
  fs::remove_all(folder);
}

TEST(JournalCheckpoints, AreSignedWhenTheJournalGrewEnoughOrIsOld) {
  FixedClock clock{UtcTime::parse_iso("2026-05-01T10:00:00Z").value()};
  const std::unique_ptr<Random> random = seeded_random(5);
  const World world{clock, *random};
  const std::unique_ptr<storage::Store> store = storage::memory_store();
  const crypto::KeyHandle key =
      crypto::key_from_test_scalar(crypto::sha256(as_bytes("audit"))).value();
  JournalSigner signer(world, *store, key, {});
  EXPECT_TRUE(signer.sign_when_due()) << "the first";
  clock.advance(86'400);
  EXPECT_FALSE(signer.sign_when_due()) << "nothing happened but the checkpoint itself";
  const auto add = [&](std::size_t facts) {
    storage::Batch batch;
    for (std::size_t i = 0; i < facts; ++i) batch.append(as_bytes("fact"));
    ASSERT_TRUE(store->commit(std::move(batch)).ok());
  };
  add(1);
  EXPECT_TRUE(signer.sign_when_due()) << "the last is a day old";
  add(9'998);
  EXPECT_FALSE(signer.sign_when_due());
  add(1);
  EXPECT_TRUE(signer.sign_when_due()) << "10,000 with the checkpoint";
  add(1);
  clock.advance(-86'400);
  EXPECT_TRUE(signer.sign_when_due()) << "a clock that was set back must not hold it";
}

}  // namespace
}  // namespace wattseal::apps
