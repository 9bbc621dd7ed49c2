// The whole demo, then every table that follows from its journal made again and compared; then each
// of those tables damaged in one row, which must be found by name.
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>

#include "apps/demo.h"
#include "apps/platform.h"
#include "apps/rebuild.h"
#include "base/log.h"
#include "smki/demand.h"
#include "smki/documents.h"
#include "smki/repository.h"
#include "storage/reading.h"
#include "terms/tables.h"

namespace wattseal {
namespace {

class Rebuild : public ::testing::Test {
 protected:
  static std::filesystem::path folder() {
    return std::filesystem::temp_directory_path() /
           ("wattseal-rebuild-" + std::to_string(::getpid()));
  }
  static void SetUpTestSuite() {
    log::set_level(log::Level::off);
    std::filesystem::remove_all(folder());
    apps::DemoOptions options;
    options.premises = 3;
    options.quiet = true;
    options.platform.data = folder();
    options.platform.key_store = "file";
    (void)apps::run_demo(world(), options);
    lodge_documents();
    lodge_forecast();
    log::set_level(log::Level::info);
  }
  static void lodge_documents() {
    const std::unique_ptr<storage::Store> store =
        std::move(storage::open_rocksdb_store(folder() / "store").value());
    smki::Documents documents(world(), *store);
    const smki::Lodger dcc{apps::DccParty::party};
    for (const char* label : {"1.0", "1.1"}) {
      const smki::Lodging rapp{
          "rapp", "", "RAPP", label, "text/plain", std::nullopt, to_bytes(as_bytes(label))};
      ASSERT_TRUE(documents.lodge(rapp, dcc, world().new_trace()).ok());
    }
    ASSERT_TRUE(documents.withdraw("rapp", 1, "wrong file", dcc, world().new_trace()).ok());
  }
  static void lodge_forecast() {
    const std::unique_ptr<storage::Store> store =
        std::move(storage::open_rocksdb_store(folder() / "store").value());
    smki::Demand demand(world(), *store);
    std::vector<smki::MonthForecast> months;
    for (const smki::Month& month :
         smki::demand_round(demand.rules().value(), world().now()).months)
      months.push_back({month, {1, 2}});
    ASSERT_TRUE(demand.lodge(apps::DccParty::party, months, {}, world().new_trace()).ok());
    smki::Demand current(world(), *store, "sec-current");
    ASSERT_TRUE(current
                    .give_notice(apps::DccParty::party, months.front().month, 9, "a trial", {},
                                 world().new_trace())
                    .ok());
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder()); }
  static const World& world() {
    static const std::unique_ptr<Clock> clock = system_clock();
    static const std::unique_ptr<Random> random = system_random();
    static const World world{*clock, *random};
    return world;
  }

  std::unique_ptr<storage::Store> source_ =
      std::move(storage::open_rocksdb_store(folder() / "store").value());

  apps::RebuildReport again() const {
    const std::unique_ptr<storage::Store> into = storage::memory_store();
    return apps::rebuild(world(), *source_, *into).value();
  }
};

TEST_F(Rebuild, MakesEveryDerivedTableAsItIs) {
  const apps::RebuildReport report = again();
  EXPECT_TRUE(report.status().ok()) << report.status().refusal().detail;
  std::map<std::string, std::uint64_t> same, not_derived;
  for (const apps::TableVerdict& verdict : report.tables) {
    (verdict.kind == apps::TableVerdict::Kind::same ? same : not_derived)[verdict.table] =
        verdict.rows;
    if (verdict.kind == apps::TableVerdict::Kind::not_derived) {
      EXPECT_FALSE(verdict.detail.empty()) << verdict.table;
    }
  }
  for (const char* table : {"parties",
                            "people",
                            "acts",
                            "submissions",
                            "batch_rows",
                            "authorities",
                            "batches",
                            "issued_counts",
                            "keys_seen",
                            "serials",
                            "revocations",
                            "crls",
                            "certificates",
                            "by_subject",
                            "certificate_postings",
                            "documents",
                            "document_contents",
                            "repository_access",
                            "demand_forecasts",
                            "demand_notices",
                            "meter_points",
                            "devices",
                            "hub_devices",
                            "user_endpoints",
                            "log_tiles",
                            "log_bundles",
                            "journal_checkpoints",
                            "meta"})
    EXPECT_GT(same[table], 0u) << table;
  EXPECT_GT(not_derived["requests"], 0u);
  EXPECT_GT(not_derived["meta, other values"], 0u);
}

TEST_F(Rebuild, FindsADamagedMissingOrAddedRowOfAnyOfThem) {
  using Table = storage::Table;
  for (const Table& table : {tables::parties,
                             tables::people,
                             tables::acts,
                             tables::submissions,
                             tables::batch_rows,
                             tables::authorities,
                             tables::keys_seen,
                             tables::batches,
                             tables::issued_counts,
                             tables::serials,
                             tables::revocations,
                             tables::crls,
                             tables::certificates,
                             tables::by_subject,
                             tables::certificate_postings,
                             tables::documents,
                             tables::document_contents,
                             tables::meter_points,
                             tables::devices,
                             tables::hub_devices,
                             tables::user_endpoints,
                             tables::log_tiles,
                             tables::log_bundles,
                             tables::journal_checkpoints}) {
    Bytes key, value;
    source_->scan(table, Bytes{0}, {}, [&](BytesView first_key, BytesView first_value) {
      key = to_bytes(first_key);
      value = to_bytes(first_value);
      return false;
    });
    const auto put = [&](const Bytes& row_key, const std::optional<Bytes>& row) {
      storage::Batch batch;
      if (row)
        batch.put(table, row_key, *row);
      else
        batch.erase(table, row_key);
      ASSERT_TRUE(source_->commit(std::move(batch)).ok());
    };
    const auto found = [&](const char* how) {
      const Status status = again().status();
      EXPECT_TRUE(!status.ok() &&
                  status.refusal().detail.starts_with(std::string(table.name()) + ": row "))
          << table.name() << " " << how;
    };
    Bytes other = value, new_key = key;
    other.push_back(1);
    new_key.push_back(1);
    // Some tables are read while others are made again; whole tables must still be readable.
    if (table.id() != tables::log_tiles.id() && table.id() != tables::log_bundles.id()) {
      put(key, other);
      found("changed");
    }
    put(key, std::nullopt);
    found("removed");
    put(key, value);
    put(new_key, value);
    found("added");
    put(new_key, std::nullopt);
  }
  EXPECT_TRUE(again().status().ok()) << "all is as it was";
}

// The source stays open for its owner: a backup of a running store.
TEST_F(Rebuild, MakesAStoreOutOfARunningOneThatServesAndGoesOn) {
  const std::unique_ptr<storage::Store> running =
      std::move(storage::open_rocksdb_store_to_read(folder() / "store").value());
  const std::filesystem::path mended = folder() / "mended";
  std::unique_ptr<storage::Store> into = std::move(storage::open_rocksdb_store(mended).value());
  ASSERT_TRUE(apps::rebuild(world(), *running, *into)->status().ok());
  EXPECT_EQ(into->journal_head(), source_->journal_head());
  for (unsigned id = 1; id < 255; ++id) {
    const storage::Table table(static_cast<std::uint8_t>(id), "");
    source_->scan(table, {}, {}, [&](BytesView key, BytesView value) {
      const std::optional<Bytes> there = into->get(table, key);
      EXPECT_TRUE(there && equal(*there, value)) << id << " " << to_hex(key);
      return true;
    });
  }
  into.reset();
  into = std::move(storage::open_rocksdb_store(mended).value());
  smki::Repository repository(world(), *into);
  EXPECT_EQ(repository.publish(), 0u) << "nothing is published twice";
  EXPECT_EQ(repository.count(), smki::Repository(world(), *source_).count());
}

}  // namespace
}  // namespace wattseal
