// A mirror against the real log, served in this process, and against one that lies.
#include "smki/mirror.h"

#include <gtest/gtest.h>

#include "base/fault.h"
#include "smki/test_rig.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

using test::kDevice, test::kMaker, test::kSupplier;

class Mirrors : public ::testing::Test {
 protected:
  test::Rig rig_;
  const crypto::KeyHandle key_ = rig_.key();
  LogSigner signer_{rig_.world, *rig_.store, "log.example", key_};
  http::Router router_;
  std::unique_ptr<storage::Store> copy_ = storage::memory_store();
  // What stands between the log and the mirror.
  std::function<void(const std::string& path, Bytes& body)> tamper_;
  std::vector<std::string> asked_;

  void SetUp() override { add_log_routes(router_, *rig_.store); }

  Result<Bytes> fetch(const http::Router& router, const std::string& path, std::uint64_t most) {
    asked_.push_back(path);
    http::Request request;
    request.method = "GET";
    request.path = path;
    const http::Response response = router(request);
    if (response.status != 200 || response.body.size() > most)
      return Refusal{"mirror-answer"_rule, path + " answered " + std::to_string(response.status)};
    Bytes body = to_bytes(as_bytes(response.body));
    if (tamper_) tamper_(path, body);
    return body;
  }
  Result<MirrorReport> sync() {
    TRY_ASSIGN(Mirror mirror, Mirror::open(rig_.world, *copy_, signer_.verifier()));
    return mirror.sync(
        [this](const std::string& path, std::uint64_t most) { return fetch(router_, path, most); });
  }
  std::string_view rule() {
    const Result<MirrorReport> report = sync();
    return report.ok() ? "synced" : report.refusal().rule.text();
  }
  void issue(std::size_t count, std::uint64_t from = 0) {
    std::vector<Bytes> requests;
    for (std::size_t i = 0; i < count; ++i)
      requests.push_back(rig_.device_request(Eui64::from_number(kDevice.number() + from + i)));
    ASSERT_TRUE(rig_.authority.submit({kMaker, requests, rig_.world.new_trace()}).ok());
    rig_.settle();
    signer_.sign();
  }
  // As an approved act would have it.
  void revoke(const CertificateSerial& serial) {
    storage::Batch batch;
    batch.put(tables::revocation_work, serial.octets(),
              RecordWriter().number(1).number(1).octets(Bytes(16, 0)).bytes());
    ASSERT_TRUE(rig_.store->commit(std::move(batch)).ok());
    rig_.settle();
    signer_.sign();
  }
};

TEST_F(Mirrors, HoldWhatTheRepositoryHolds) {
  issue(1100);  // more than one step
  const CertificateSerial serial = *rig_.outcome(kSupplier, rig_.organisation_request()).serial;
  revoke(serial);
  const MirrorReport report = sync().value();
  EXPECT_EQ(report.size, log_head(*rig_.store).size);
  EXPECT_EQ(report.root, log_head(*rig_.store).root);
  EXPECT_EQ(report.added, report.size);
  EXPECT_TRUE(Mirror::check(*copy_).ok());
  const Repository there(rig_.world, *copy_);
  EXPECT_EQ(there.count(), rig_.repository.count());
  EXPECT_EQ(there.authorities().size(), 4u);
  EXPECT_EQ(there.by_serial(serial)->status, CertificateStatus::revoked);
  for (std::uint64_t i = 0; i < 1100; i += 37) {
    const Eui64 device = Eui64::from_number(kDevice.number() + i);
    EXPECT_EQ(there.latest(device, KeyUse::digital_signature, std::nullopt)->der,
              rig_.repository.latest(device, KeyUse::digital_signature, std::nullopt)->der);
  }
  int lists = 0;
  rig_.store->scan(tables::crls, {}, {}, [&](BytesView key, BytesView list) {
    EXPECT_TRUE(equal(*copy_->get(tables::crls, key), list)) << "the same octets";
    return ++lists, true;
  });
  EXPECT_EQ(lists, 4);
}

TEST_F(Mirrors, FetchOnlyWhatIsNew) {
  issue(600);
  const std::uint64_t before = sync()->size;
  asked_.clear();
  EXPECT_EQ(sync()->added, 0u);
  EXPECT_EQ(asked_, std::vector<std::string>{"/log/checkpoint"});
  issue(5, 600);
  asked_.clear();
  EXPECT_EQ(sync()->added, 5u);
  EXPECT_EQ(log_head(*copy_).size, before + 5);
  const long bundles = std::ranges::count_if(
      asked_, [](const std::string& path) { return path.starts_with("/log/tile/entries/"); });
  EXPECT_EQ(bundles, 1);
  EXPECT_TRUE(Mirror::check(*copy_).ok());
}

TEST_F(Mirrors, GoOnWhereTheyStopped) {
  issue(1500);
  int bundles = 0;
  tamper_ = [&](const std::string& path, Bytes&) {
    if (path.starts_with("/log/tile/entries/") && ++bundles == 6) throw Fault("the line is cut");
  };
  EXPECT_THROW((void)sync(), Fault);
  EXPECT_EQ(log_head(*copy_).size, 1024u) << "one step was proved and kept";
  EXPECT_EQ(Mirror::report(*copy_).refusal().rule, "mirror-none"_rule) << "it is not complete";
  const MirrorReport report = sync().value();
  EXPECT_EQ(report.added, report.size - 1024);
  EXPECT_EQ(report.root, log_head(*rig_.store).root);
  EXPECT_TRUE(Mirror::check(*copy_).ok());
}

// Facts that were kept by a process that ended before it indexed them.
TEST_F(Mirrors, FinishWhatWasKeptButNotIndexed) {
  issue(10);
  const std::uint64_t size = sync()->size;
  issue(1, 10);
  std::optional<LogEntry> newest;
  rig_.store->journal(1, [&](const storage::JournalEntry& entry) {
    const std::optional<LogEntry> one = LogEntry::of(FactView::read(entry.fact).value());
    if (one) newest = one;
    return true;
  });
  storage::Batch kept;
  kept.append(newest->fact());
  ASSERT_TRUE(copy_->commit(std::move(kept)).ok());
  EXPECT_EQ(log_head(*copy_).size, size);
  EXPECT_EQ(sync()->added, 0u);
  EXPECT_EQ(log_head(*copy_).root, log_head(*rig_.store).root);
}

TEST_F(Mirrors, RefuseEveryChangedTileAndEntry) {
  issue(1300);
  for (const char* const what : {"/log/tile/0/", "/log/tile/1/", "/log/tile/entries/"}) {
    copy_ = storage::memory_store();
    tamper_ = [&](const std::string& path, Bytes& body) {
      if (path.starts_with(what)) body[body.size() - 7] ^= 1;
    };
    const std::string_view refused = rule();
    EXPECT_TRUE(refused == "mirror-entries" || refused == "log-entry") << what << refused;
    EXPECT_EQ(log_head(*copy_).size, 0u) << "nothing that was not proved is kept";
  }
  tamper_ = nullptr;
  EXPECT_EQ(rule(), "synced");
}

TEST_F(Mirrors, RefuseWhatIsCutOrHuge) {
  issue(1300);
  for (const char* const what : {"/log/tile/0/", "/log/tile/entries/", "/log/checkpoint"}) {
    tamper_ = [&](const std::string& path, Bytes& body) {
      if (path.starts_with(what)) body.pop_back();
    };
    EXPECT_NE(rule(), "synced") << what;
    tamper_ = [&](const std::string& path, Bytes& body) {
      if (path.starts_with(what)) body.resize(body.size() + 20'000'000);
    };
    EXPECT_NE(rule(), "synced") << what;
  }
  EXPECT_EQ(log_head(*copy_).size, 0u);
}

TEST_F(Mirrors, RefuseALogThatShrankOrForked) {
  issue(20);
  const std::string early = *signed_checkpoint(*rig_.store);
  issue(20, 20);
  ASSERT_TRUE(sync().ok());
  tamper_ = [&](const std::string& path, Bytes& body) {
    if (path == "/log/checkpoint") body = to_bytes(as_bytes(early));
  };
  EXPECT_EQ(rule(), "mirror-rollback");
  // The same key signs another history of the same and of a greater length.
  tamper_ = nullptr;
  test::Rig other;
  LogSigner forger(other.world, *other.store, "log.example", key_);
  http::Router forged;
  add_log_routes(forged, *other.store);
  const auto grow = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      other.outcome(kMaker, other.device_request(Eui64::from_number(kDevice.number() + 500 + i)));
    forger.sign();
  };
  const auto refused = [&] {
    Mirror mirror = Mirror::open(rig_.world, *copy_, signer_.verifier()).value();
    return mirror
        .sync(
            [&](const std::string& path, std::uint64_t most) { return fetch(forged, path, most); })
        .refusal()
        .rule;
  };
  grow(40);
  ASSERT_EQ(log_head(*other.store).size, log_head(*copy_).size);
  EXPECT_EQ(refused(), "mirror-fork"_rule);
  grow(7);
  EXPECT_EQ(refused(), "mirror-fork"_rule);
  EXPECT_EQ(rule(), "synced") << "the true log is still believed";
}

TEST_F(Mirrors, BelieveOneKeyForEver) {
  issue(3);
  ASSERT_TRUE(sync().ok());
  const tlog::Verifier other("log.example", rig_.key()->public_point());
  const Result<Mirror> opened = Mirror::open(rig_.world, *copy_, other);
  EXPECT_EQ(opened.refusal().rule, "mirror-other-log"_rule);
  EXPECT_EQ(Mirror::open(rig_.world, *rig_.store, other).refusal().rule, "mirror-other-log"_rule)
      << "a repository's own store is no place for a mirror";
  LogSigner thief(rig_.world, *rig_.store, "log.example", rig_.key());
  thief.sign();
  EXPECT_EQ(rule(), "tlog-signature");
  LogSigner renamed(rig_.world, *rig_.store, "other.example", key_);
  renamed.sign();
  EXPECT_EQ(rule(), "tlog-signature");
}

TEST_F(Mirrors, NoticeWhenTheCopyItselfRots) {
  issue(300);
  ASSERT_TRUE(sync().ok());
  ASSERT_TRUE(Mirror::check(*copy_).ok());
  constexpr storage::Table kJournal{255, "journal"};
  Bytes key;
  put_be(key, std::uint64_t{50});
  Bytes row = *copy_->get(kJournal, key);
  row.back() ^= 1;
  storage::Batch rot;
  rot.put(kJournal, key, row);
  ASSERT_TRUE(copy_->commit(std::move(rot)).ok());
  EXPECT_EQ(Mirror::check(*copy_).refusal().rule, "mirror-entries"_rule);
}

}  // namespace
}  // namespace wattseal::smki
