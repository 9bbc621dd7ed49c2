// One contract, both stores.
#include "storage/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <thread>

#include <fstream>
#include <map>

#include "base/fault.h"
#include "storage/reading.h"

namespace wattseal::storage {
namespace {

namespace fs = std::filesystem;
constexpr Table kA{101, "a"}, kB{102, "b"};
const Refusal kTaken{"journal-broken"_rule, "taken"};  // any rule will do: callers choose it

BytesView b(std::string_view text) { return as_bytes(text); }
Bytes number(std::uint64_t value) {
  Bytes octets;
  put_be(octets, value);
  return octets;
}

class Stores : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("wattseal-store-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    open();
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(folder_);
  }
  void open() {
    store_.reset();
    store_ = GetParam() == "memory" ? memory_store() : open_rocksdb_store(folder_).value();
  }
  std::vector<std::string> keys(Table table, std::string_view first = "",
                                std::string_view last = "", bool backwards = false) const {
    std::vector<std::string> all;
    const RowVisitor visit = [&all](BytesView key, BytesView) {
      all.emplace_back(as_text(key));
      return true;
    };
    backwards ? store_->scan_backwards(table, b(first), b(last), visit)
              : store_->scan(table, b(first), b(last), visit);
    return all;
  }
  void put(Table table, std::string_view key, std::string_view value) {
    Batch batch;
    batch.put(table, b(key), b(value));
    ASSERT_TRUE(store_->commit(std::move(batch)).ok());
  }

  fs::path folder_;
  std::unique_ptr<Store> store_;
};
INSTANTIATE_TEST_SUITE_P(Both, Stores, ::testing::Values("memory", "rocksdb"),
                         [](const auto& test) { return test.param; });

TEST_P(Stores, KeepTablesApart) {
  put(kA, "k", "1");
  put(kB, "k", "2");
  EXPECT_EQ(as_text(*store_->get(kA, b("k"))), "1");
  EXPECT_EQ(as_text(*store_->get(kB, b("k"))), "2");
  EXPECT_FALSE(store_->get(kA, b("")).has_value());
  Batch batch;
  batch.erase(kA, b("k"));
  ASSERT_TRUE(store_->commit(std::move(batch)).ok());
  EXPECT_FALSE(store_->get(kA, b("k")).has_value());
  EXPECT_TRUE(store_->get(kB, b("k")).has_value());
}

TEST_P(Stores, ScanRangesInOctetOrderBothWays) {
  for (const std::string_view key : {"b", "a", "ab", "c", "\xff"}) put(kA, key, key);
  put(kB, "z", "z");
  using Keys = std::vector<std::string>;
  EXPECT_EQ(keys(kA), (Keys{"a", "ab", "b", "c", "\xff"}));
  EXPECT_EQ(keys(kA, "ab", "c"), (Keys{"ab", "b"}));
  EXPECT_EQ(keys(kA, "", "", true), (Keys{"\xff", "c", "b", "ab", "a"}));
  EXPECT_EQ(keys(kA, "ab", "c", true), (Keys{"b", "ab"}));
  EXPECT_EQ(keys(kA, "a", as_text(prefix_end(b("a")))), (Keys{"a", "ab"}));
  int seen = 0;
  store_->scan(kA, {}, {}, [&](BytesView, BytesView) { return ++seen < 2; });
  EXPECT_EQ(seen, 2);
}

TEST_P(Stores, RefuseABatchWholeWhenAPreconditionFails) {
  put(kA, "k", "1");
  Batch batch;
  batch.put(kA, b("other"), b("x"));
  batch.append(b("fact"));
  batch.require_absent(kA, b("k"), kTaken);
  EXPECT_EQ(store_->commit(batch).refusal().detail, "taken");
  EXPECT_FALSE(store_->get(kA, b("other")).has_value());
  EXPECT_EQ(store_->journal_head().next, 1u);
  Batch change;
  change.require_value(kA, b("k"), b("1"), kTaken);
  change.put(kA, b("k"), b("2"));
  EXPECT_TRUE(store_->commit(change).ok());
  EXPECT_FALSE(store_->commit(change).ok()) << "the value is no longer 1";
}

TEST_P(Stores, LetOneOfManyWinARace) {
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < 50; ++i) {
        Batch batch;
        batch.require_absent(kA, number(i), kTaken);
        batch.put(kA, number(i), b("x"));
        batch.append(number(i));
        won += store_->commit(std::move(batch)).ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 50);
  EXPECT_EQ(store_->journal_head().next, 51u);
  EXPECT_EQ(verify_journal(*store_)->next, 51u);
}

// What is completed sees everything before it, while many commit at the same moment.
TEST_P(Stores, CompleteABatchThatKnowsItsPlace) {
  constexpr std::uint64_t kEach = 40;
  std::atomic<int> strays = 0;
  const auto seen_before = [&](std::uint64_t first) {
    std::uint64_t last = 0;
    store_->journal(1, [&](const JournalEntry& entry) { return (last = entry.sequence) != 0; });
    if (last + 1 != first || store_->journal_head().next != first) ++strays;
  };
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        Batch batch;
        batch.append(b("own"));
        batch.put(kB, number(t * kEach + i), b("x"));
        if (t % 2 == 0) {
          batch.complete_when_placed([&](Batch& placed, std::uint64_t first) {
            seen_before(first);
            EXPECT_EQ(placed.facts().size(), 1u);
            placed.put(kA, number(first), b("here"));
            placed.append(b("more"));
          });
        }
        const std::uint64_t first = store_->commit(std::move(batch)).value();
        if (t % 2 == 0 && !store_->get(kA, number(first))) ++strays;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(strays, 0);
  EXPECT_EQ(store_->journal_head().next, 6 * kEach + 3 * kEach + 1);
  EXPECT_EQ(verify_journal(*store_)->next, store_->journal_head().next);
  store_->journal(1, [&](const JournalEntry& entry) {
    const bool completed = store_->get(kA, number(entry.sequence)).has_value();
    EXPECT_TRUE(!completed || as_text(entry.fact) == "own");
    return true;
  });
}

TEST_P(Stores, CompleteNoBatchThatIsRefusedAndNoneThatTheCompletionGivesUp) {
  put(kA, "k", "1");
  int called = 0;
  Batch refused;
  refused.require_absent(kA, b("k"), kTaken);
  refused.complete_when_placed([&](Batch&, std::uint64_t) { ++called; });
  EXPECT_FALSE(refused.empty());
  EXPECT_FALSE(store_->commit(refused).ok());
  EXPECT_EQ(called, 0);
  Batch failing;
  failing.put(kA, b("k"), b("2"));
  failing.append(b("fact"));
  failing.complete_when_placed([](Batch&, std::uint64_t) { throw Fault("it cannot be read"); });
  EXPECT_THROW((void)store_->commit(failing), Fault);
  EXPECT_EQ(as_text(store_->get(kA, b("k")).value()), "1");
  EXPECT_EQ(store_->journal_head().next, 1u);
  put(kA, "k", "3");
  EXPECT_EQ(as_text(store_->get(kA, b("k")).value()), "3");
}

TEST_P(Stores, ChainTheJournal) {
  Batch batch;
  batch.append(b("one"));
  batch.append(b("two"));
  EXPECT_EQ(store_->commit(std::move(batch)).value(), 1u);
  Batch more;
  more.append(b("three"));
  EXPECT_EQ(store_->commit(std::move(more)).value(), 3u);
  std::vector<std::string> facts;
  crypto::Digest chain{};
  store_->journal(2, [&](const JournalEntry& entry) {
    facts.emplace_back(as_text(entry.fact));
    chain = entry.chain;
    return true;
  });
  EXPECT_EQ(facts, (std::vector<std::string>{"two", "three"}));
  EXPECT_EQ(chain, chain_next(chain_next(chain_next({}, 1, b("one")), 2, b("two")), 3, b("three")));
  EXPECT_EQ(verify_journal(*store_).value(), store_->journal_head());
}

TEST_P(Stores, ShowAChangedOrMissingJournalEntry) {
  constexpr Table kJournal{255, "journal"};
  Batch batch;
  for (int i = 0; i < 5; ++i) batch.append(number(static_cast<std::uint64_t>(i)));
  ASSERT_TRUE(store_->commit(std::move(batch)).ok());
  const Bytes third = *store_->get(kJournal, number(3));
  Bytes changed = third;
  changed.back() ^= 1;
  put(kJournal, as_text(number(3)), as_text(changed));
  EXPECT_NE(verify_journal(*store_).refusal().detail.find("entry 3"), std::string::npos);
  put(kJournal, as_text(number(3)), as_text(third));
  EXPECT_TRUE(verify_journal(*store_).ok());
  Batch gone;
  gone.erase(kJournal, number(5));
  ASSERT_TRUE(store_->commit(std::move(gone)).ok());
  EXPECT_NE(verify_journal(*store_).refusal().detail.find("entry 5"), std::string::npos);
}

TEST_P(Stores, GiveSnapshotsThatStandStill) {
  put(kA, "k", "1");
  const std::unique_ptr<Reader> then = store_->snapshot();
  put(kA, "k", "2");
  put(kA, "l", "3");
  EXPECT_EQ(as_text(*then->get(kA, b("k"))), "1");
  EXPECT_FALSE(then->get(kA, b("l")).has_value());
  EXPECT_EQ(as_text(*store_->get(kA, b("k"))), "2");
}

TEST_P(Stores, MayBeChangedWhileTheyAreWalked) {
  for (std::uint64_t i = 0; i < 100; ++i) put(kA, as_text(number(i)), "x");
  int seen = 0;
  store_->scan(kA, {}, {}, [&](BytesView key, BytesView) {
    Batch batch;
    batch.erase(kA, key);
    EXPECT_TRUE(store_->commit(std::move(batch)).ok());
    return ++seen, true;
  });
  EXPECT_EQ(seen, 100);
  EXPECT_TRUE(keys(kA).empty());
}

class EmbeddedStore : public ::testing::Test {
 protected:
  fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-embedded-" + std::to_string(::getpid()));
  void SetUp() override { fs::remove_all(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
};

TEST_F(EmbeddedStore, IsTheSameAfterOpeningAgain) {
  JournalHead head;
  {
    const std::unique_ptr<Store> store = open_rocksdb_store(folder_).value();
    Batch batch;
    batch.put(kA, b("k"), b("v"));
    batch.append(b("fact"));
    ASSERT_TRUE(store->commit(std::move(batch)).ok());
    head = store->journal_head();
  }
  const std::unique_ptr<Store> store = open_rocksdb_store(folder_).value();
  EXPECT_EQ(as_text(*store->get(kA, b("k"))), "v");
  EXPECT_EQ(store->journal_head(), head);
}

TEST_F(EmbeddedStore, IsOpenOnceAndRefusesForeignFolders) {
  const std::unique_ptr<Store> store = open_rocksdb_store(folder_).value();
  EXPECT_EQ(open_rocksdb_store(folder_).refusal().rule, "store-in-use"_rule);
  fs::create_directories(folder_ / "other");
  std::ofstream(folder_ / "other" / "file") << "x";
  EXPECT_EQ(open_rocksdb_store(folder_ / "other").refusal().rule, "store-format"_rule);
}

std::map<std::string, std::uintmax_t> files_in(const fs::path& folder) {
  std::map<std::string, std::uintmax_t> files;
  for (const fs::directory_entry& file : fs::directory_iterator(folder))
    files[file.path().filename().string()] = file.file_size();
  return files;
}

TEST_F(EmbeddedStore, CanBeReadWhileItsOwnerWorksAndLeavesNoTrace) {
  EXPECT_EQ(open_rocksdb_store_to_read(folder_).refusal().rule, "store-format"_rule);
  const std::unique_ptr<Store> owner = open_rocksdb_store(folder_).value();
  const auto add = [&](std::string_view value) {
    Batch batch;
    batch.put(kA, b("k"), b(value));
    batch.append(b(value));
    ASSERT_TRUE(owner->commit(std::move(batch)).ok());
  };
  add("one");
  const std::map<std::string, std::uintmax_t> before = files_in(folder_);
  const std::unique_ptr<Store> then = open_rocksdb_store_to_read(folder_).value();
  EXPECT_EQ(files_in(folder_), before);
  add("two");
  EXPECT_EQ(as_text(*then->get(kA, b("k"))), "one");
  EXPECT_EQ(verify_journal(*then)->next, 2u);
  EXPECT_EQ(as_text(*then->snapshot()->get(kA, b("k"))), "one");
  EXPECT_THROW((void)then->commit({}), Fault);
  const std::unique_ptr<Store> now = open_rocksdb_store_to_read(folder_).value();
  EXPECT_EQ(as_text(*now->get(kA, b("k"))), "two");
  EXPECT_EQ(verify_journal(*now)->next, 3u);
}

// A child commits numbered batches and reports each one after commit() returned; the parent kills
// it at any moment. Whatever was reported must be there, every batch is there whole or not at all,
// and the chain holds.
TEST_F(EmbeddedStore, LosesNothingThatItAcknowledgedWhenTheProcessIsKilled) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer cannot follow a fork of a process with threads";
#endif
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 12; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const Result<std::unique_ptr<Store>> store = open_rocksdb_store(folder_);
      if (!store.ok()) ::_exit(2);
      for (std::uint64_t i = (*store)->journal_head().next / 2 + 1;; ++i) {
        Batch batch;
        batch.put(kA, number(i), number(i));
        batch.put(kB, number(i), Bytes(700, 1));
        batch.append(number(i));
        batch.append(number(i));
        if (!(*store)->commit(std::move(batch)).ok() ||
            ::write(pipe_ends[1], &i, sizeof i) != sizeof i)
          ::_exit(3);
      }
    }
    ::close(pipe_ends[1]);
    std::uint64_t last = 0;
    for (int reads = 0;
         reads < 20 + 17 * round && ::read(pipe_ends[0], &last, sizeof last) == sizeof last;
         ++reads)
      acknowledged = last;
    ::kill(child, SIGKILL);
    while (::read(pipe_ends[0], &last, sizeof last) == sizeof last) acknowledged = last;
    ::close(pipe_ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
    const std::unique_ptr<Store> store = open_rocksdb_store(folder_).value();
    const JournalHead head = verify_journal(*store).value();
    const std::uint64_t stored = (head.next - 1) / 2;
    EXPECT_EQ(head.next % 2, 1u) << "half a batch";
    EXPECT_GE(stored, acknowledged);
    EXPECT_LE(stored, acknowledged + 1);
    for (std::uint64_t i = 1; i <= stored; ++i)
      EXPECT_TRUE(store->get(kA, number(i)) && store->get(kB, number(i))) << i;
    EXPECT_FALSE(store->get(kA, number(stored + 1)) || store->get(kB, number(stored + 1)));
  }
  EXPECT_GT(acknowledged, 200u);
}

}  // namespace
}  // namespace wattseal::storage
