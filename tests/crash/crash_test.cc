// SIGKILL at random moments while 20,000 requests are decided, issued and published, at least 50
// times. Afterwards the batch is complete, every good request has exactly one certificate, and each
// certificate has its intent, issue and publication in a journal whose chain holds.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>
#include <set>
#include <thread>

#include "smki/ca.h"
#include "smki/ceremony.h"
#include "smki/ra.h"
#include "smki/repository.h"
#include "terms/facts.h"

namespace wattseal {
namespace {

constexpr std::size_t kRows = 20'000, kRowsAtOnce = 256, kBadEvery = 1000;
constexpr int kKillsMin = 50;
constexpr Eui64 kMaker = Eui64::from_number(0x9057530000050000),
                kFirst = Eui64::from_number(0x0057530000000000);

// The same keys in every life of the process, at no cost.
class FixedKeys final : public crypto::KeyStore {
 public:
  std::string_view kind() const override { return "memory"; }
  Result<std::vector<crypto::KeyHandle>> generate(std::span<const std::string> labels) override {
    std::vector<crypto::KeyHandle> made;
    for (const std::string& label : labels) made.push_back(find(label).value());
    return made;
  }
  Result<crypto::KeyHandle> find(std::string_view label) const override {
    return crypto::key_from_test_scalar(crypto::sha256(as_bytes(label)));
  }
  std::vector<std::string> labels() const override { return {}; }
};

std::vector<Bytes> make_requests() {
  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  std::vector<Bytes> requests;
  for (std::size_t i = 0; i < kRows; ++i) {
    const crypto::KeyHandle key = crypto::generate_one(*keys, std::to_string(i)).value();
    const unsigned usage =
        i % 2 ? x509::key_usage::key_agreement : x509::key_usage::digital_signature;
    const Eui64 device = Eui64::from_number(kFirst.number() + i / 2);
    requests.push_back(
        x509::make_request({},
                           {x509::usage_extension(usage),
                            x509::hardware_module_extension(
                                {x509::oid::from_text("1.2.3.4"), to_bytes(device.octets())})},
                           *key));
    if (i % kBadEvery == kBadEvery - 1) requests.back().back() ^= 1;
  }
  return requests;
}

struct Smki {
  explicit Smki(const std::filesystem::path& folder)
      : store(storage::open_rocksdb_store(folder).value()) {
    CHECK(smki::run_ceremony(world, *store, keys, Environment::test).ok());
    ca = std::move(
        smki::CertificationAuthority::open(world, *store, keys, workers, Environment::test)
            .value());
    const Eui64 last = Eui64::from_number(kFirst.number() + kRows);
    if (!authority.party(kMaker).ok())
      CHECK(
          authority.register_party({kMaker, "Elm", "manufacturer", {}, {{kFirst, last}}}, {}).ok());
  }
  std::unique_ptr<Clock> clock = system_clock();
  std::unique_ptr<Random> random = system_random();
  World world{*clock, *random};
  std::unique_ptr<storage::Store> store;
  FixedKeys keys;
  Workers workers{2};
  smki::RegistrationAuthority authority{world, *store, workers};
  smki::Repository repository{world, *store};
  std::unique_ptr<smki::CertificationAuthority> ca;

  void work_to_the_end() {
    while (authority.decide(kRowsAtOnce) + ca->issue() + repository.publish() > 0) {
    }
  }
};

// One life: opens, submits (again), says that it is awake, works until it is killed or done.
[[noreturn]] void live(const std::filesystem::path& folder, const std::vector<Bytes>& requests,
                       int awake) {
  Smki smki(folder);
  CHECK(smki.authority.submit({kMaker, requests, {}}).ok());
  CHECK(::write(awake, "a", 1) == 1);
  smki.work_to_the_end();
  ::_exit(0);
}

struct Facts {
  std::map<CertificateSerial, int> intended, issued, published;
};
Facts count_facts(const storage::Store& store) {
  Facts facts;
  store.journal(1, [&](const storage::JournalEntry& entry) {
    const FactView fact = FactView::read(entry.fact).value();
    std::map<CertificateSerial, int>* const counted =
        fact.kind() == FactKind::certificate_intended    ? &facts.intended
        : fact.kind() == FactKind::certificate_issued    ? &facts.issued
        : fact.kind() == FactKind::certificate_published ? &facts.published
                                                         : nullptr;
    const std::optional<BytesView> serials = fact.find(FactField::serial);
    for (std::size_t at = 0; counted && serials && at + 16 <= serials->size(); at += 16)
      ++(*counted)[CertificateSerial::from_octets(serials->subspan(at, 16)).value()];
    return true;
  });
  return facts;
}

TEST(Crash, LosesAndDoublesNothingWhenKilledFiftyTimes) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer cannot follow a fork of a process with threads";
#endif
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("wattseal-crash-" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  const std::vector<Bytes> requests = make_requests();
  std::mt19937 random(20140612);
  int kills = 0, lives = 0;
  for (bool done = false; !done || kills < kKillsMin;) {
    ASSERT_LT(++lives, 400) << "it does not come to an end";
    int awake[2];
    ASSERT_EQ(::pipe(awake), 0);
    const pid_t child = ::fork();
    if (child == 0) live(folder, requests, awake[1]);
    ::close(awake[1]);
    // Most are killed at work; every fifth while it opens what the one before it left.
    char sign = 0;
    if (lives % 5 != 0 && ::read(awake[0], &sign, 1) < 0) FAIL() << "the pipe is broken";
    const unsigned patience =
        lives < 100 ? 60 : 60 + 8 * static_cast<unsigned>(lives - 100);  // for slow builds
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % patience));
    ::kill(child, SIGKILL);
    ::close(awake[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
      ASSERT_EQ(WTERMSIG(status), SIGKILL) << "a life ended by itself";
      ++kills;
    } else {
      ASSERT_EQ(WEXITSTATUS(status), 0);
      done = true;
    }
  }
  RecordProperty("kills", kills);
  std::printf("%d kills in %d lives\n", kills, lives);

  Smki smki(folder);
  const smki::BatchId batch = smki.authority.submit({kMaker, requests, {}}).value();
  smki.work_to_the_end();
  const smki::BatchStatus status = smki.authority.status(batch).value();
  EXPECT_TRUE(status.complete());
  EXPECT_EQ(status.refused, kRows / kBadEvery);
  EXPECT_EQ(status.published, kRows - kRows / kBadEvery);
  EXPECT_TRUE(storage::verify_journal(*smki.store).ok());
  const Facts facts = count_facts(*smki.store);
  std::set<CertificateSerial> serials;
  for (const smki::RowResult& row : smki.authority.results(batch, 0, kRows)) {
    const bool bad = row.row % kBadEvery == kBadEvery - 1;
    ASSERT_EQ(row.state, bad ? smki::RowState::refused : smki::RowState::published) << row.row;
    if (bad) continue;
    ASSERT_TRUE(serials.insert(*row.serial).second) << "row " << row.row;
    const smki::PublishedCertificate found = smki.repository.by_serial(*row.serial).value();
    ASSERT_EQ(found.eui->number(), kFirst.number() + row.row / 2) << row.row;
    ASSERT_EQ(facts.intended.at(*row.serial), 1);
    ASSERT_EQ(facts.issued.at(*row.serial), 1);
    ASSERT_EQ(facts.published.at(*row.serial), 1);
  }
  EXPECT_EQ(facts.issued.size(), facts.published.size()) << "nothing else was issued";
  EXPECT_EQ(facts.intended.size(), facts.issued.size()) << "no intent was left behind";
  EXPECT_EQ(smki.repository.count(), facts.published.size());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace wattseal
