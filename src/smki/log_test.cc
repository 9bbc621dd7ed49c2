// The public log: what stands in it, that it grows with publication and never otherwise, and that
// what is served proves it.
#include "smki/log.h"

#include <gtest/gtest.h>

#include "smki/test_rig.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

using test::kDevice, test::kMaker, test::kSupplier;

class Log : public ::testing::Test {
 protected:
  test::Rig rig_;
  const crypto::KeyHandle key_ = rig_.key();
  LogSigner signer_{rig_.world, *rig_.store, "log.example", key_};
  http::Router router_;

  void SetUp() override { add_log_routes(router_, *rig_.store); }

  http::Response get(const std::string& path) const {
    http::Request request;
    request.method = "GET";
    request.path = path;
    return router_(request);
  }
  void issue(std::size_t count, std::uint64_t from = 0) {
    std::vector<Bytes> requests;
    for (std::size_t i = 0; i < count; ++i)
      requests.push_back(rig_.device_request(Eui64::from_number(kDevice.number() + from + i)));
    ASSERT_TRUE(rig_.authority.submit({kMaker, requests, rig_.world.new_trace()}).ok());
    rig_.settle();
  }
  tlog::Checkpoint checkpoint() const {
    const std::string text =
        tlog::open_note(get("/log/checkpoint").body, signer_.verifier()).value();
    return tlog::Checkpoint::parse(text).value();
  }
  // Every entry as it is served.
  std::vector<Bytes> served(std::uint64_t size) const {
    std::vector<Bytes> all;
    for (std::uint64_t index = 0; tlog::tile_width(0, index, size) > 0; ++index) {
      const unsigned width = tlog::tile_width(0, index, size);
      const http::Response response = get("/log/" + tlog::tile_path({0, index, width, true}));
      EXPECT_EQ(response.status, 200) << response.body;
      const Result<std::vector<BytesView>> entries =
          tlog::read_bundle(as_bytes(response.body), width);
      EXPECT_TRUE(entries.ok());
      if (!entries.ok()) return all;
      for (const BytesView entry : *entries) all.push_back(to_bytes(entry));
    }
    return all;
  }
};

TEST_F(Log, HoldsWhatTheJournalMadePublicInItsOrder) {
  issue(300);
  std::vector<Bytes> expected;
  std::map<LogEntry::Kind, int> kinds;
  rig_.store->journal(1, [&](const storage::JournalEntry& entry) {
    const FactView fact = FactView::read(entry.fact).value();
    if (const std::optional<LogEntry> logged = LogEntry::of(fact)) {
      expected.push_back(logged->encode());
      ++kinds[logged->kind];
    }
    return true;
  });
  EXPECT_EQ(kinds[LogEntry::Kind::certificate], 304) << "300 and the four authorities";
  EXPECT_EQ(kinds[LogEntry::Kind::list], 4) << "the ceremony signed one each";
  EXPECT_TRUE(signer_.sign());
  EXPECT_EQ(checkpoint().size, expected.size());
  EXPECT_EQ(served(expected.size()), expected);
  tlog::Growth again(0, {});
  for (const Bytes& entry : expected) again.add(tlog::leaf_hash(entry));
  EXPECT_EQ(checkpoint().root, again.root());
}

TEST_F(Log, ServesTilesThatProveEachEntry) {
  issue(300);
  signer_.sign();
  const tlog::Checkpoint now = checkpoint();
  const tlog::SubtreeReader read = tlog::subtrees_of([&](unsigned level, std::uint64_t index) {
    const unsigned width = tlog::tile_width(level, index, now.size);
    const http::Response tile = get("/log/" + tlog::tile_path({level, index, width, false}));
    EXPECT_EQ(tile.body.size(), width * 32);
    return to_bytes(as_bytes(tile.body));
  });
  const std::vector<Bytes> entries = served(now.size);
  for (std::uint64_t i = 0; i < now.size; ++i)
    EXPECT_TRUE(tlog::verify_inclusion(tlog::leaf_hash(entries[i]), i, now.size,
                                       tlog::inclusion_proof(i, now.size, read), now.root)
                    .ok());
}

TEST_F(Log, EntriesAreReadStrictlyAndMakeTheirFactAgain) {
  issue(1);
  rig_.outcome(kSupplier, rig_.organisation_request());
  std::vector<LogEntry> entries;
  rig_.store->journal(1, [&](const storage::JournalEntry& entry) {
    const std::optional<LogEntry> one = LogEntry::of(FactView::read(entry.fact).value());
    if (one) entries.push_back(*one);
    return true;
  });
  LogEntry revocation;
  revocation.kind = LogEntry::Kind::revocation;
  revocation.at = rig_.clock.now();
  revocation.issuer_key_id = Bytes(8, 3);
  revocation.serial = entries.front().serial;
  revocation.reason = 4;
  entries.push_back(revocation);
  for (const LogEntry& entry : entries) {
    const Bytes octets = entry.encode();
    EXPECT_EQ(LogEntry::read(octets).value(), entry);
    EXPECT_EQ(LogEntry::of(FactView::read(entry.fact()).value()), entry);
    for (std::size_t length = 0; length < octets.size(); ++length)
      EXPECT_FALSE(LogEntry::read(BytesView(octets).first(length)).ok()) << length;
    Bytes longer = octets;
    longer.push_back(0);
    EXPECT_FALSE(LogEntry::read(longer).ok());
    Bytes other_kind = octets;
    other_kind[1] = 9;
    EXPECT_EQ(LogEntry::read(other_kind).refusal().rule, "log-entry"_rule);
  }
}

TEST_F(Log, GrowsTheSameWhenAStorePublishedBeforeItHadALog) {
  issue(300);
  const LogHead before = log_head(*rig_.store);
  storage::Batch forget;
  for (const storage::Table table : {tables::log_tiles, tables::log_bundles, tables::log_state}) {
    rig_.store->scan(table, {}, {}, [&](BytesView key, BytesView) {
      forget.erase(table, key);
      return true;
    });
  }
  ASSERT_TRUE(rig_.store->commit(std::move(forget)).ok());
  issue(10, 300);
  Repository fresh(rig_.world, *rig_.store);
  EXPECT_EQ(fresh.publish(), 0u);
  const LogHead after = log_head(*rig_.store);
  EXPECT_EQ(after.size, before.size + 10);
  EXPECT_EQ(tlog::tree_root(before.size, tlog::subtrees_of(log_tiles(*rig_.store))), before.root);
}

TEST_F(Log, SignsWhenItGrewOrGrowsOldAndNotOtherwise) {
  EXPECT_EQ(get("/log/checkpoint").status, 404) << "nothing is signed yet";
  EXPECT_TRUE(signer_.sign());
  EXPECT_FALSE(signer_.sign());
  issue(1);
  EXPECT_TRUE(signer_.sign());
  const tlog::Checkpoint first = checkpoint();
  EXPECT_EQ(checkpoint_time(first), rig_.clock.now());
  rig_.clock.advance(599);
  EXPECT_FALSE(signer_.sign());
  rig_.clock.advance(1);
  EXPECT_TRUE(signer_.sign()) << "ten minutes old";
  EXPECT_EQ(checkpoint().root, first.root);
  rig_.clock.advance(-86'400);
  EXPECT_TRUE(signer_.sign()) << "a clock that was set back must not hold it";
  LogSigner successor(rig_.world, *rig_.store, "log.example", rig_.key());
  EXPECT_TRUE(successor.sign()) << "the stored note is another key's";
}

TEST_F(Log, AnswersOnlyForWhatIsThere) {
  issue(300);
  const std::uint64_t size = log_head(*rig_.store).size;
  ASSERT_EQ(size, 308u);
  EXPECT_EQ(get("/log/tile/0/000").status, 200);
  EXPECT_EQ(get("/log/tile/0/000").headers.front().value, "public, max-age=31536000, immutable");
  EXPECT_EQ(get("/log/tile/0/001.p/52").status, 200);
  EXPECT_EQ(get("/log/tile/0/001.p/7").body.size(), 7u * 32);
  EXPECT_EQ(get("/log/tile/1/000.p/1").status, 200);
  for (const char* path :
       {"/log/tile/0/001", "/log/tile/0/001.p/53", "/log/tile/1/000", "/log/tile/1/000.p/2",
        "/log/tile/2/000.p/1", "/log/tile/entries/001.p/53", "/log/tile/63/000",
        "/log/tile/0/x999/x999/x999/x999/x999/999", "/log/", "/log/tile/../checkpoint"})
    EXPECT_EQ(get(path).status, 404) << path;
  EXPECT_EQ(tlog::Verifier::parse(get("/log/key").body).value(), signer_.verifier());
}

}  // namespace
}  // namespace wattseal::smki
