#include "smki/service_hours.h"

#include <gtest/gtest.h>

#include "smki/test_rig.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;
using test::kDevice;
using test::kMaker;
using test::Rig;

UtcTime at(std::string_view iso) { return UtcTime::parse_iso(iso).value(); }
const Calendar kNone({});

TEST(ServiceHours, AreThoseOfClocksInTheUnitedKingdom) {
  EXPECT_FALSE(in_service_window(at("2026-01-05T07:59:59Z")));
  EXPECT_TRUE(in_service_window(at("2026-01-05T08:00:00Z")));
  EXPECT_TRUE(in_service_window(at("2026-01-05T19:59:59Z")));
  EXPECT_FALSE(in_service_window(at("2026-01-05T20:00:00Z")));
  EXPECT_FALSE(in_service_window(at("2026-07-05T06:59:59Z")));
  EXPECT_TRUE(in_service_window(at("2026-07-05T07:00:00Z")));
  EXPECT_FALSE(in_service_window(at("2026-07-05T19:00:00Z")));
  EXPECT_EQ(window_opens(at("2026-10-24T19:30:00Z")), at("2026-10-25T08:00:00Z"))
      << "over the end of summer time";
  EXPECT_EQ(window_opens(at("2026-03-29T00:30:00Z")), at("2026-03-29T07:00:00Z"));
  EXPECT_EQ(window_opens(at("2026-07-05T12:00:00Z")), at("2026-07-05T12:00:00Z"));
  EXPECT_EQ(window_seconds(at("2026-03-28T00:00:00Z"), at("2026-03-31T00:00:00Z")), 3 * 12 * 3600);
  EXPECT_EQ(window_seconds(at("2026-01-05T19:00:00Z"), at("2026-01-06T09:00:00Z")), 2 * 3600);
}

TEST(ServiceHours, BatchesAreDueTheNextMorningOrInADay) {
  EXPECT_EQ(kNone.due(at("2026-01-05T08:00:00Z"), 2), at("2026-01-06T08:00:00Z"));
  EXPECT_EQ(kNone.due(at("2026-01-05T19:59:59Z"), 2), at("2026-01-06T08:00:00Z"));
  EXPECT_EQ(kNone.due(at("2026-01-05T20:00:00Z"), 2), at("2026-01-06T20:00:00Z"));
  EXPECT_EQ(kNone.due(at("2026-01-05T07:59:59Z"), 2), at("2026-01-06T07:59:59Z"));
  EXPECT_EQ(kNone.due(at("2026-10-24T12:00:00Z"), 2), at("2026-10-25T08:00:00Z"))
      << "received in summer time, due in winter time";
  EXPECT_EQ(kNone.due(at("2026-03-28T12:00:00Z"), 2), at("2026-03-29T07:00:00Z"));
  EXPECT_EQ(kNone.due(at("2026-12-31T12:00:00Z"), 50'000), at("2027-01-01T08:00:00Z"));
}

TEST(ServiceHours, SinglesAreDueInHalfAMinuteOfService) {
  EXPECT_EQ(kNone.due(at("2026-01-05T12:00:00Z"), 1), at("2026-01-05T12:00:30Z"));
  EXPECT_EQ(kNone.due(at("2026-01-05T21:00:00Z"), 1), at("2026-01-06T08:00:30Z"));
  const Calendar calendar({{1, at("2026-01-06T06:00:00Z"), at("2026-01-06T09:00:00Z"), {}, ""},
                           {2, at("2026-01-06T09:00:00Z"), at("2026-01-06T09:30:00Z"), {}, ""}});
  EXPECT_EQ(calendar.due(at("2026-01-05T21:00:00Z"), 1), at("2026-01-06T09:30:30Z"));
  EXPECT_TRUE(calendar.maintenance_at(at("2026-01-06T08:59:59Z")));
  EXPECT_FALSE(calendar.maintenance_at(at("2026-01-06T09:30:00Z")));
}

struct MaintenanceRig : Rig {
  std::vector<PersonId> managers = office.found({"Ada", "Ben"}, world.new_trace()).value();
  std::string act(const char* kind, const json& payload) {
    const Result<ActId> id = office.propose(kind, payload, {managers[0], ""}, world.new_trace());
    if (!id.ok()) return std::string(id.refusal().rule.text());
    if (office.act(*id)->state == ActState::done) return "done";
    const Result<ActState> state = office.approve(*id, {managers[1], ""}, world.new_trace());
    return state.ok() ? std::string(text(*state)) : std::string(state.refusal().rule.text());
  }
};

TEST(Maintenance, IsAnnouncedByTwoPeopleAndQueuesRequestsMeanwhile) {
  MaintenanceRig rig;  // 10:00 UTC, 11:00 by UK clocks
  EXPECT_EQ(rig.act("plan-maintenance", {{"from", "2026-05-01T12:00:00Z"},
                                         {"until", "2026-05-01T13:00:00Z"},
                                         {"reason", "new disks"}}),
            "done");
  const Calendar calendar = Calendar::read(*rig.store, rig.world.now());
  ASSERT_EQ(calendar.planned().size(), 1u);
  EXPECT_FALSE(calendar.planned()[0].with_notice());
  rig.clock.set(at("2026-05-01T12:00:00Z"));
  const BatchId batch =
      rig.authority.submit({kMaker, {rig.device_request(kDevice)}, rig.world.new_trace()}).value();
  EXPECT_EQ(rig.authority.decide(1024), 0u) << "queued, not rejected";
  EXPECT_EQ(rig.authority.status(batch)->due, at("2026-05-01T13:00:30Z"));
  rig.clock.set(at("2026-05-01T13:00:00Z"));
  rig.settle();
  EXPECT_TRUE(rig.authority.status(batch)->complete());
  EXPECT_TRUE(Calendar::read(*rig.store, rig.world.now()).planned().empty());
}

TEST(Maintenance, IsCancelledOrRefusedByName) {
  MaintenanceRig rig;
  const auto plan = [&](const char* from, const char* until) {
    return rig.act("plan-maintenance", {{"from", from}, {"until", until}, {"reason", "x"}});
  };
  EXPECT_EQ(plan("2026-06-01T12:00:00Z", "2026-06-01T12:00:00Z"), "maintenance-period");
  EXPECT_EQ(plan("2026-06-01T12:00:00Z", "2026-06-04T12:00:01Z"), "maintenance-period");
  EXPECT_EQ(plan("tomorrow", "2026-06-04T12:00:01Z"), "maintenance-period");
  EXPECT_EQ(plan("2026-05-01T09:00:00Z", "2026-05-01T10:00:00Z"), "maintenance-past");
  EXPECT_EQ(plan("2026-06-01T12:00:00Z", "2026-06-04T12:00:00Z"), "done");
  const Maintenance planned = Calendar::read(*rig.store, rig.world.now()).planned().at(0);
  EXPECT_TRUE(planned.with_notice());
  EXPECT_EQ(rig.act("cancel-maintenance", {{"maintenance", "999"}, {"reason", "x"}}),
            "maintenance-unknown");
  EXPECT_EQ(
      rig.act("cancel-maintenance", {{"maintenance", std::to_string(planned.id)}, {"reason", "x"}}),
      "done");
  EXPECT_TRUE(Calendar::read(*rig.store, rig.world.now()).planned().empty());
}

}  // namespace
}  // namespace wattseal::smki
