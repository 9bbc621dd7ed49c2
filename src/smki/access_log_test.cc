#include "smki/access_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "base/fault.h"
#include "smki/office_records.h"
#include "smki/replay.h"
#include "smki/repository_routes.h"
#include "smki/test_rig.h"
#include "storage/forwarding.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

using test::kMaker;
using test::kSupplier;

// A store whose disk can be away: commits fail, before or after they took place.
class Unsteady final : public storage::Forwarding {
 public:
  using Forwarding::Forwarding;
  enum class Disk { good, fails, fails_afterwards } disk = Disk::good;
  Result<std::uint64_t> commit(storage::Batch batch) override {
    if (disk == Disk::fails) throw Fault("the disk is away");
    Result<std::uint64_t> committed = Forwarding::commit(std::move(batch));
    if (disk == Disk::fails_afterwards) throw Fault("the disk went away");
    return committed;
  }
};

struct Watched : test::Rig {
  Unsteady disk{*store};
  AccessLog log{world, disk, office};
  http::Router router;

  Watched() {
    settle();
    add_repository_routes(router, repository);
    log.watch(router);
  }
  http::Response get(const std::string& path, std::vector<http::Header> query = {},
                     std::optional<Eui64> who = {}) {
    http::Request request;
    request.method = "GET";
    request.path = path;
    request.query = std::move(query);
    if (who) request.headers.push_back({"X-Subscriber", who->text()});
    return router(request);
  }
  // "party interface query answered refused; …"
  std::string report(std::string_view from = "", std::optional<Eui64> party = {}) const {
    const AccessQuery query =
        read_access_query(party ? party->text() : "", std::string(from), "", world.now()).value();
    std::string text;
    for (const AccessCount& one : repository_access(*store, query))
      text += (one.party ? one.name : "nobody") + " " + one.interface + " " + one.query + " " +
              std::to_string(one.answered) + " " + std::to_string(one.refused) + "; ";
    return text;
  }
};

TEST(AccessLog, CountsByPartyInterfaceAndKindOfQuery) {
  Watched watched;
  for (int i = 0; i < 3; ++i) watched.get("/api/v1/authorities", {}, kMaker);
  watched.get("/api/v1/certificates/00", {}, kSupplier);
  watched.get("/api/v1/certificates", {{"device", test::kDevice.text()}}, kSupplier);
  watched.get("/api/v1/certificates", {{"device", "x"}, {"latest", "DS"}}, kSupplier);
  watched.get("/api/v1/certificates");
  watched.get("/api/v1/search", {}, Eui64::from_number(77));  // no party
  http::Request xml;
  xml.method = "POST";
  xml.path = "/services/certificatesearch";
  watched.router(xml);
  EXPECT_EQ(watched.report(), "") << "nothing is journalled yet";
  EXPECT_EQ(watched.log.flush(), 7u);
  EXPECT_EQ(watched.report(),
            "nobody json other 0 1; nobody json search 1 0; nobody xml search 0 1; "
            "Alder json device 1 0; Alder json latest 0 1; Alder json serial 0 1; "
            "Elm json authorities 3 0; ");
  EXPECT_EQ(watched.report("", kMaker), "Elm json authorities 3 0; ");
  EXPECT_EQ(watched.log.flush(), 0u);
}

TEST(AccessLog, AddsUpWithinTheHourAndKeepsHoursApart) {
  Watched watched;
  watched.get("/api/v1/authorities");
  watched.log.flush();
  watched.get("/api/v1/authorities");
  watched.clock.advance(3600);
  watched.get("/api/v1/authorities");
  EXPECT_EQ(watched.log.flush(), 2u);
  EXPECT_EQ(watched.report(), "nobody json authorities 3 0; ");
  EXPECT_EQ(watched.report("2026-05-01T11:00:00Z"), "nobody json authorities 1 0; ");
  watched.clock.advance(-7200);  // a clock that steps back loses nothing
  watched.get("/api/v1/authorities");
  watched.log.flush();
  watched.clock.advance(7200);
  EXPECT_EQ(watched.report(), "nobody json authorities 4 0; ");
}

TEST(AccessLog, LosesAndDoublesNothingWhenTheDiskIsAway) {
  Watched watched;
  watched.get("/api/v1/authorities");
  watched.disk.disk = Unsteady::Disk::fails;
  EXPECT_THROW(watched.log.flush(), Fault);
  watched.get("/api/v1/authorities");
  watched.disk.disk = Unsteady::Disk::fails_afterwards;
  EXPECT_THROW(watched.log.flush(), Fault) << "the first chunk took place all the same";
  watched.disk.disk = Unsteady::Disk::good;
  watched.log.flush();
  EXPECT_EQ(watched.report(), "nobody json authorities 2 0; ");
}

TEST(AccessLog, KnowsPartiesByTheirClientCertificates) {
  Watched watched;
  http::Request request;
  request.method = "GET";
  request.path = "/api/v1/authorities";
  request.client_certificate = {1, 2, 3};
  request.headers.push_back({"X-Subscriber", kMaker.text()});
  watched.router(request);
  watched.log.flush();
  EXPECT_EQ(watched.report(), "nobody json authorities 1 0; ")
      << "a header says nothing where there is a certificate, and this one is nobody's";
}

TEST(AccessLog, IsBoundedWhoeverAsks) {
  Watched watched;
  const std::size_t most = limit("access_counters_max") / 16;  // of one thread
  storage::Batch parties;
  const auto party = [](std::size_t i) { return Eui64::from_number(0x1000 + i); };
  for (std::size_t i = 0; i < most + 50; ++i)
    parties.put(tables::parties, party(i).octets(), to_record({party(i), "P", "supplier", {}, {}}));
  ASSERT_TRUE(watched.store->commit(std::move(parties)).ok());
  for (std::size_t i = 0; i < most + 50; ++i) watched.get("/api/v1/authorities", {}, party(i));
  EXPECT_EQ(watched.log.flush(), most + 1);
  const AccessQuery all = read_access_query("", "", "", watched.world.now()).value();
  EXPECT_EQ(repository_access(*watched.store, all).front().answered, 50u) << "counted as nobody";
}

TEST(AccessLog, CountsFromManyThreads) {
  Watched watched;
  Workers threads(4);
  threads.parallel_for(4000, 10, [&](std::size_t begin, std::size_t end) {
    for (; begin < end; ++begin) watched.get("/api/v1/authorities", {}, kMaker);
  });
  watched.log.flush();
  EXPECT_EQ(watched.report(), "Elm json authorities 4000 0; ");
}

// Source: ¶64: three seconds.
TEST(AccessLog, CountsWhatIsAnsweredAfterTheTargetApart) {
  Watched watched;
  http::Router slow;
  std::int64_t takes = 0;
  slow.on("GET", "/api/v1/search", [&](const http::Request&) {
    watched.clock.advance(takes);
    return http::Response{};
  });
  watched.log.watch(slow);
  http::Request request;
  request.method = "GET";
  request.path = "/api/v1/search";
  for (takes = 0; takes < 6; ++takes) slow(request);  // 4 and 5 seconds are late
  EXPECT_EQ(watched.log.flush(), 2u);
  const std::vector<AccessCount> counts =
      repository_access(*watched.store, read_access_query("", "", "", watched.world.now()).value());
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts[0].answered, 6u);
  EXPECT_EQ(counts[0].late, 2u);
}

TEST(AccessLog, FollowsFromItsFacts) {
  Watched watched;
  watched.get("/api/v1/authorities", {}, kMaker);
  watched.log.flush();
  watched.get("/api/v1/authorities", {}, kMaker);
  watched.get("/api/v1/search");
  watched.log.flush();
  const std::unique_ptr<storage::Store> into = storage::memory_store();
  storage::Changes rows(*into);
  Replay replay;
  watched.store->journal(1, [&](const storage::JournalEntry& entry) {
    replay.see(rows, FactView::read(entry.fact).value());
    return true;
  });
  std::size_t count = 0;
  watched.store->scan(tables::repository_access, {}, {}, [&](BytesView key, BytesView value) {
    const std::optional<Bytes> there = rows.get(tables::repository_access, key);
    EXPECT_TRUE(there && equal(*there, value));
    ++count;
    return true;
  });
  EXPECT_EQ(count, 2u);
}

TEST(AccessLog, RefusesAReportThatCannotBeMade) {
  const UtcTime now = UtcTime::parse_iso("2026-05-01T10:00:00Z").value();
  const auto field = [&](const char* party, const char* from, const char* to) {
    const Result<AccessQuery> query = read_access_query(party, from, to, now);
    return query.ok() ? "" : query.refusal().field;
  };
  EXPECT_EQ(field("", "2026-04-01", "2026-05-01"), "");
  EXPECT_EQ(field("Alder", "", ""), "party");
  EXPECT_EQ(field("", "April", ""), "from");
  EXPECT_EQ(field("", "", "2026-13-01"), "to");
  EXPECT_EQ(field("", "2026-05-01", "2026-05-01"), "from");
}

}  // namespace
}  // namespace wattseal::smki
