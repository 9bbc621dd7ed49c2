// The machine fails: the disk is full, a record is torn, a block rots, a second process wants the
// same store, the clock steps back. What was acknowledged stays, nothing is silently wrong, and
// what failed for a while goes on by itself.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "apps/audit.h"
#include "apps/checkpoints.h"
#include "base/fault.h"
#include "smki/log.h"
#include "smki/test_rig.h"

namespace wattseal {
namespace {

namespace fs = std::filesystem;
constexpr storage::Table kTable{101, "a"};

Bytes number(std::uint64_t value) {
  Bytes octets;
  put_be(octets, value);
  return octets;
}

std::unique_ptr<storage::Store> open(const fs::path& folder) {
  return std::move(storage::open_rocksdb_store(folder).value());
}

// Batch i: one row, two facts.
void commit(storage::Store& store, std::uint64_t i, std::size_t row_octets = 700) {
  storage::Batch batch;
  batch.put(kTable, number(i), Bytes(row_octets, static_cast<Octet>(i)));
  batch.append(FactWriter(FactKind::endpoint_registered, UtcTime(), TraceId())
                   .number(FactField::count, i)
                   .bytes());
  batch.append(FactWriter(FactKind::response_delivered, UtcTime(), TraceId())
                   .number(FactField::count, i)
                   .bytes());
  CHECK(store.commit(std::move(batch)).ok());
}

// How many batches the store holds, from 1 on; stops the test when one is there by half.
std::uint64_t whole_batches(const storage::Store& store, std::size_t row_octets = 700) {
  const Result<storage::JournalHead> head = storage::verify_journal(store);
  EXPECT_TRUE(head.ok()) << head.refusal().detail;
  if (!head.ok()) return 0;
  const std::uint64_t batches = (head->next - 1) / 2;
  EXPECT_EQ(head->next % 2, 1u) << "half a batch";
  std::uint64_t rows = 0;
  store.scan(kTable, {}, {}, [&](BytesView key, BytesView value) {
    EXPECT_EQ(get_be(key), ++rows);
    EXPECT_TRUE(equal(value, Bytes(row_octets, static_cast<Octet>(rows))));
    return true;
  });
  EXPECT_EQ(rows, batches);
  return batches;
}

class Faults : public ::testing::Test {
 protected:
  const fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-faults-" + std::to_string(::getpid()));
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "the thread sanitizer cannot follow a fork of a process with threads";
#endif
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path newest(const fs::path& folder, const std::string& extension) const {
    fs::path found;
    for (const fs::directory_entry& file : fs::directory_iterator(folder)) {
      if (file.path().extension() == extension && fs::file_size(file.path()) > 0 &&
          file.path() > found)
        found = file.path();
    }
    return found;
  }
  fs::path copy_of(const fs::path& folder) const {
    const fs::path copy = folder_ / "copy";
    fs::remove_all(copy);
    fs::copy(folder, copy);
    return copy;
  }
  static void flip(const fs::path& file, std::uint64_t at) {
    std::fstream io(file, std::ios::binary | std::ios::in | std::ios::out);
    io.seekg(static_cast<std::streamoff>(at));
    const char octet = static_cast<char>(io.get() ^ 0x10);
    io.seekp(static_cast<std::streamoff>(at));
    io.put(octet);
  }
};

// In a child: commits until the disk refuses; when it stays full until room is made, three more
// times. Then goes on in the same process. Exit code 0: every step came out as it must.
int fill_the_disk(const fs::path& folder, int reports, const std::function<void()>& make_room) {
  const std::unique_ptr<storage::Store> store = open(folder);
  std::uint64_t i = 1;
  const auto try_commit = [&] {
    try {
      commit(*store, i, 20'000);
    } catch (const Fault&) {
      return false;
    }
    return ::write(reports, &i, sizeof i) == sizeof i && ++i != 0;
  };
  while (i < 5'000 && try_commit()) {
  }
  if (i == 5'000) return 10;  // it never filled up
  for (int again = 0; make_room && again < 3; ++again) {
    if (try_commit()) return 11;  // acknowledged on a full disk
  }
  if (make_room) make_room();
  // A write that failed may be there all the same: read again before repeating it, as all callers
  // do.
  const std::uint64_t enough = i + 50;
  for (int tries = 0; i < enough; ++tries) {
    if (tries == 2'000) return 12;  // it does not come back
    if (store->get(kTable, number(i))) ++i;
    if (!try_commit()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return 0;
}

std::uint64_t last_report(int reports) {
  std::uint64_t last = 0, value = 0;
  while (::read(reports, &value, sizeof value) == sizeof value) last = value;
  return last;
}

template <typename Child>
int run_child(const Child& child, std::uint64_t& acknowledged) {
  int ends[2];
  CHECK(::pipe(ends) == 0);
  const pid_t process = ::fork();
  if (process == 0) ::_exit(child(ends[1]));
  ::close(ends[1]);
  acknowledged = last_report(ends[0]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// Works everywhere: no file may grow beyond a limit. A new log file has room again.
TEST_F(Faults, AFileThatMayNotGrowLosesNothingAndIsLeftForAnother) {
  std::uint64_t acknowledged = 0;
  const int ended = run_child(
      [&](int reports) {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit files{6'000'000, 6'000'000};
        ::setrlimit(RLIMIT_FSIZE, &files);
        return fill_the_disk(folder_ / "store", reports, {});
      },
      acknowledged);
  EXPECT_EQ(ended, 0);
  EXPECT_GT(acknowledged, 200u);
  const std::unique_ptr<storage::Store> store = open(folder_ / "store");
  const std::uint64_t there = whole_batches(*store, 20'000);
  EXPECT_GE(there, acknowledged);
  commit(*store, there + 1, 20'000);
  EXPECT_EQ(whole_batches(*store, 20'000), there + 1);
}

TEST_F(Faults, AFullDiskRefusesLosesNothingAndGoesOnByItselfWhenThereIsRoom) {
  const fs::path disk = folder_ / "disk";
  fs::create_directories(disk);
  if (::mount("wattseal", disk.c_str(), "tmpfs", 0, "size=12m") != 0)
    GTEST_SKIP() << "no small disk may be mounted here; the test with a limit stands for it";
  std::ofstream(disk / "ballast") << std::string(6'000'000, 'x');
  std::uint64_t acknowledged = 0;
  const int ended = run_child(
      [&](int reports) {
        return fill_the_disk(disk / "store", reports, [&] { fs::remove(disk / "ballast"); });
      },
      acknowledged);
  const std::uint64_t there = ended == 0 ? whole_batches(*open(disk / "store"), 20'000) : 0;
  ::umount(disk.c_str());
  EXPECT_EQ(ended, 0);
  EXPECT_GT(acknowledged, 100u);
  EXPECT_GE(there, acknowledged);
}

// The last record of the log, cut at every octet: what came before it is whole.
TEST_F(Faults, ATornLastRecordTakesNothingElseWithIt) {
  std::uint64_t before = 0, after = 0;
  {
    const std::unique_ptr<storage::Store> store = open(folder_ / "store");
    for (std::uint64_t i = 1; i <= 20; ++i) commit(*store, i);
    before = fs::file_size(newest(folder_ / "store", ".log"));
    commit(*store, 21);
    after = fs::file_size(newest(folder_ / "store", ".log"));
  }
  ASSERT_GT(after, before + 700);
  for (std::uint64_t size = before; size < after; size += 1 + (size - before) / 9) {
    const fs::path copy = copy_of(folder_ / "store");
    fs::resize_file(newest(copy, ".log"), size);
    EXPECT_EQ(whole_batches(*open(copy)), 20u) << "cut at " << size - before;
  }
}

// A rotten octet among acknowledged records of the log. The store may refuse to open; when it
// opens, it holds whole batches up to the rot, and the checkpoint from outside shows what is
// missing.
TEST_F(Faults, ARottenRecordInTheLogIsNeverSilent) {
  const crypto::KeyHandle key =
      crypto::key_from_test_scalar(crypto::sha256(as_bytes("audit"))).value();
  const std::unique_ptr<Clock> clock = system_clock();
  const std::unique_ptr<Random> random = system_random();
  const World world{*clock, *random};
  std::string note;
  tlog::Verifier trusted(std::string(apps::kJournalOrigin), key->public_point());
  {
    const std::unique_ptr<storage::Store> store = open(folder_ / "store");
    for (std::uint64_t i = 1; i <= 40; ++i) commit(*store, i);
    note = apps::JournalSigner(world, *store, key, {}).sign();
  }
  const std::uint64_t size = fs::file_size(newest(folder_ / "store", ".log"));
  int refused = 0, shown = 0;
  for (std::uint64_t at = 100; at + 2'000 < size; at += size / 23) {
    const fs::path copy = copy_of(folder_ / "store");
    flip(newest(copy, ".log"), at);
    try {
      const std::unique_ptr<storage::Store> store = open(copy);
      const Result<apps::AuditReport> chain = apps::audit(*store);
      const bool found = !chain.ok() || !apps::check_checkpoints(*store, trusted, note).ok();
      EXPECT_TRUE(found) << "octet " << at;
      shown += found ? 1 : 0;
    } catch (const Fault& fault) {
      EXPECT_NE(std::string(fault.what()).find("Corruption"), std::string::npos) << fault.what();
      ++refused;
    }
  }
  EXPECT_GE(refused + shown, 20);
}

std::map<Bytes, Bytes> everything(const storage::Store& store) {
  std::map<Bytes, Bytes> rows;
  store.scan(kTable, {}, {}, [&](BytesView key, BytesView value) {
    rows[to_bytes(key)] = to_bytes(value);
    return true;
  });
  store.journal(1, [&](const storage::JournalEntry& entry) {
    rows[number(entry.sequence << 32)] = entry.fact;
    return true;
  });
  return rows;
}

TEST_F(Faults, ARottenBlockIsRefusedWithTheNameOfItsFile) {
  {
    const std::unique_ptr<storage::Store> store = open(folder_ / "store");
    for (std::uint64_t i = 1; i <= 300; ++i) commit(*store, i);
  }
  std::map<Bytes, Bytes> truth;
  { truth = everything(*open(folder_ / "store")); }  // opening moves the log into a table
  const fs::path table = newest(folder_ / "store", ".sst");
  ASSERT_FALSE(table.empty());
  const std::uint64_t size = fs::file_size(table);
  int refused = 0;
  for (std::uint64_t at = 10; at < size; at += size / 41) {
    const fs::path copy = copy_of(folder_ / "store");
    flip(copy / table.filename(), at);
    try {
      EXPECT_EQ(everything(*open(copy)), truth) << "octet " << at << " is silently wrong";
    } catch (const Fault& fault) {
      EXPECT_NE(std::string(fault.what()).find(table.filename().string()), std::string::npos)
          << fault.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 20) << "most octets of the file are data";
}

TEST_F(Faults, ASecondProcessIsRefusedAndTakesOverWhenTheFirstIsKilled) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t first = ::fork();
  if (first == 0) {
    const std::unique_ptr<storage::Store> store = open(folder_ / "store");
    commit(*store, 1);
    if (::write(ends[1], "x", 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char ready = 0;
  ASSERT_EQ(::read(ends[0], &ready, 1), 1);
  EXPECT_EQ(storage::open_rocksdb_store(folder_ / "store").refusal().rule, "store-in-use"_rule);
  ::kill(first, SIGKILL);
  ::waitpid(first, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_EQ(whole_batches(*open(folder_ / "store")), 1u);
}

TEST(Clocks, AClockThatStepsBackADayStopsNothing) {
  smki::test::Rig rig;
  const crypto::KeyHandle key = rig.key();
  smki::LogSigner log(rig.world, *rig.store, "log.example", key);
  apps::JournalSigner journal(rig.world, *rig.store, key, {});
  const auto issue = [&](std::uint64_t device) {
    return rig.rule_of(
        smki::test::kMaker,
        rig.device_request(Eui64::from_number(smki::test::kDevice.number() + device)));
  };
  EXPECT_EQ(issue(1), "published");
  EXPECT_TRUE(log.sign());
  EXPECT_TRUE(journal.sign_when_due());
  const auto list = [&] {
    const std::vector<smki::PublishedCertificate> all = rig.repository.authorities();
    const x509::Certificate issuer = x509::parse_certificate(all.at(1).der).value();
    return x509::parse_crl(rig.repository.revocation_list(*issuer.subject_key_id).value()).value();
  };
  const x509::Crl before = list();

  rig.clock.advance(-86'400);
  EXPECT_EQ(issue(2), "published");
  EXPECT_TRUE(rig.ca->keep_revocation_list_current()) << "a list from tomorrow is not kept";
  EXPECT_EQ(list().number, before.number + 1) << "numbers go on all the same";
  EXPECT_EQ(list().this_update, rig.clock.now());
  EXPECT_TRUE(log.sign());
  EXPECT_TRUE(journal.sign_when_due());
  EXPECT_TRUE(apps::audit(*rig.store).ok());
  EXPECT_EQ(apps::check_checkpoints(*rig.store, journal.verifier(), {})->checkpoints, 2u);
  EXPECT_EQ(rig.repository
                .latest(Eui64::from_number(smki::test::kDevice.number() + 2),
                        KeyUse::digital_signature, std::nullopt)
                ->status,
            smki::CertificateStatus::in_use);
}

}  // namespace
}  // namespace wattseal
