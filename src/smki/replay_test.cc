// Facts that the demo does not make; the rest is shown by the tests of the whole.
#include "smki/replay.h"

#include <gtest/gtest.h>

#include "smki/test_rig.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

std::map<Bytes, Bytes> rows_of(const storage::Reader& reader, storage::Table table) {
  std::map<Bytes, Bytes> rows;
  reader.scan(table, {}, {}, [&](BytesView key, BytesView value) {
    rows[to_bytes(key)] = to_bytes(value);
    return true;
  });
  return rows;
}

TEST(Replay, KeepsTheMaintenanceCalendarAsPeopleDo) {
  test::Rig rig;
  const std::vector<PersonId> managers = rig.office.found({"Ada", "Ben"}, {}).value();
  const auto act = [&](const char* kind, const nlohmann::json& payload) {
    const Result<ActId> id = rig.office.propose(kind, payload, {managers[0], ""}, {});
    CHECK(id.ok());
    if (rig.office.act(*id)->state == ActState::open)
      CHECK(rig.office.approve(*id, {managers[1], ""}, {}).ok());
    return *id;
  };
  const auto plan = [&](const char* from, const char* until) {
    return act("plan-maintenance", {{"from", from}, {"until", until}, {"reason", "a new disk"}});
  };
  plan("2026-05-02T20:00:00Z", "2026-05-02T22:00:00Z");
  const ActId second = plan("2026-05-03T20:00:00Z", "2026-05-03T22:00:00Z");
  act("cancel-maintenance", {{"maintenance", std::to_string(second)}, {"reason", "not needed"}});
  rig.clock.advance(3 * 86'400);
  plan("2026-05-09T20:00:00Z", "2026-05-09T22:00:00Z");  // the first has ended and leaves

  const std::unique_ptr<storage::Store> into = storage::memory_store();
  storage::Changes changes(*into);
  Replay replay;
  rig.store->journal(1, [&](const storage::JournalEntry& entry) {
    replay.see(changes, FactView::read(entry.fact).value());
    return true;
  });
  storage::Batch batch;
  changes.take(batch);
  ASSERT_TRUE(into->commit(std::move(batch)).ok());
  EXPECT_EQ(rows_of(*into, tables::maintenance), rows_of(*rig.store, tables::maintenance));
  EXPECT_EQ(rows_of(*into, tables::maintenance).size(), 1u);
  EXPECT_EQ(rows_of(*into, tables::acts), rows_of(*rig.store, tables::acts));
  EXPECT_EQ(rows_of(*into, tables::people), rows_of(*rig.store, tables::people));
}

}  // namespace
}  // namespace wattseal::smki
