// A recovery as people take it and devices see it: in one process step by step, and as rehearsals
// that are killed.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/platform.h"
#include "apps/rebuild.h"
#include "apps/street.h"
#include "base/log.h"
#include "recovery/report.h"
#include "tests/shell.h"
#include "x509/x509.h"

namespace wattseal {
namespace {

using nlohmann::json;
using recovery::Case;
using recovery::Slot;
using enum RemotePartyRole;

constexpr Eui64 kFailed = Eui64::from_number(0x9057530000010000),
                kLastResort = Eui64::from_number(0x9057530000020000),
                kMaker = Eui64::from_number(0x9057530000050000),
                kFirst = Eui64::from_number(0x0057530000000000);
constexpr KeyUse kSign = KeyUse::digital_signature, kAgree = KeyUse::key_agreement;

class Decisions final : public recovery::PmaDecisions {
 public:
  Result<recovery::PmaDecision> approved(recovery::DecisionId id, std::string_view kind,
                                         std::string_view subject) const override {
    if (id == 7 && kind == "use-recovery-key" && subject == "recovery-case/1")
      return recovery::PmaDecision{
          7, "exposure 40 x 9", "large 1 for, networks against, chair for", {}};
    return Refusal{"recovery-decision"_rule, "it was not carried", "decision"};
  }
};

// A DCC with people, a failed Supplier and one of last resort, and a street of the former's.
struct Scene {
  std::unique_ptr<Clock> clock = system_clock();
  std::unique_ptr<Random> random = system_random();
  World world{*clock, *random};
  Decisions decisions;
  std::unique_ptr<apps::Platform> platform;
  std::unique_ptr<apps::Street> street;
  std::map<std::string, smki::Actor> people;
  std::atomic<int> lost = 0;  // commands that are still to be lost

  Scene() {
    log::set_level(log::Level::off);
    apps::PlatformOptions options;
    options.decisions = &decisions;
    options.recovery_pace.answer = std::chrono::seconds(1);
    options.recovery_pace.retry = std::chrono::seconds(1);
    platform = std::move(apps::Platform::create(world, options).value());
    CHECK(platform
              ->hold_founding({{"M1", "ra-manager"},
                               {"M2", "ra-manager"},
                               {"P1", "ra-personnel"},
                               {"P2", "ra-personnel"},
                               {"C1", "key-custodian"},
                               {"C2", "key-custodian"},
                               {"C3", "key-custodian"},
                               {"C4", "key-custodian"},
                               {"C5", "key-custodian"}},
                              {"W1"})
              .ok());
    for (const smki::Person& person : platform->office().people())
      people[person.name] = {person.id, "here"};
    CHECK(platform->start_smki().ok() && platform->start_gateway().ok());
    for (const auto& [id, name] : {std::pair{kFailed, "Alder"}, std::pair{kLastResort, "Birch"}})
      admit(id, name);
    build_street();
  }
  ~Scene() {
    street->stop();
    platform->stop();
    log::set_level(log::Level::info);
  }

  void admit(Eui64 id, const std::string& name) {
    CHECK(platform->registration_authority()
              .register_party({id, name, "supplier", {UserRole::import_supplier}, {{id, id}}}, {})
              .ok());
    const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
    for (const KeyUse use : {kSign, kAgree}) {
      const crypto::KeyHandle key = crypto::generate_one(*keys, std::string(text(use))).value();
      CHECK(platform->obtain(id, apps::organisation_request(id, supplier, use, *key)).ok());
    }
  }
  Bytes certificate(Eui64 id, KeyUse use, RemotePartyRole role) const {
    return platform->repository().latest(id, use, role).value().der;
  }
  void build_street() {
    CHECK(platform->registration_authority()
              .register_party({kMaker,
                               "Elm",
                               "manufacturer",
                               {},
                               {{kFirst, Eui64::from_number(kFirst.number() + 99)}}},
                              {})
              .ok());
    street = std::make_unique<apps::Street>(world, platform->workers(), 2, kFirst);
    const smki::BatchId batch =
        platform->registration_authority().submit({kMaker, street->make_requests(), {}}).value();
    platform->wake();
    CHECK(platform->wait_for(batch, std::chrono::seconds(20)));
    std::vector<Bytes> anchors;
    for (const smki::PublishedCertificate& one : platform->repository().authorities()) {
      if (one.profile.ends_with("-oca")) anchors.push_back(one.der);
    }
    std::map<Slot, Bytes> hub{
        {{RemotePartyRole::recovery, kSign},
         certificate(apps::DccParty::recovery, kSign, RemotePartyRole::recovery)},
        {{access_control_broker, kAgree},
         certificate(apps::DccParty::broker, kAgree, access_control_broker)}};
    std::map<Slot, Bytes> meter = hub;
    meter[{supplier, kSign}] = certificate(kFailed, kSign, supplier);
    meter[{supplier, kAgree}] = certificate(kFailed, kAgree, supplier);
    std::map<emulators::Cell, Bytes> hub_cells, meter_cells;
    recovery::Holdings holdings;
    for (const auto& [slot, der] : hub) hub_cells[{slot.role, slot.use, slot.prepayment}] = der;
    for (const auto& [slot, der] : meter) {
      meter_cells[{slot.role, slot.use, slot.prepayment}] = der;
      holdings[slot] = recovery::read_installable(der).value().held;
    }
    CHECK(street->install(anchors, meter_cells, hub_cells).ok());
    street->set_away([this](Eui64) { return lost.fetch_sub(1) > 0; });
    street->connect(platform->gateway_url());
    platform->set_wan_url(street->wan_url());
    std::vector<Eui64> meters;
    for (const apps::Premises& one : street->premises()) {
      std::vector<gateway::InventoryEvent> events{
          {one.chf, "pre-notified", DeviceType::chf, one.chf, "", "CH-1"},
          {one.chf, "connected-to-wan"}};
      for (const auto& [id, type] :
           {std::pair{one.esme, DeviceType::esme}, std::pair{one.gsme, DeviceType::gsme},
            std::pair{one.gpf, DeviceType::gpf}}) {
        events.push_back({id, "pre-notified", type, one.chf, "", "EM-1"});
        for (const char* event : {"added-to-device-log", "joined", "commission-succeeded"})
          events.push_back({id, event});
        meters.push_back(id);
      }
      CHECK(platform->inventory().apply(events, {}).ok());
    }
    CHECK(platform->recovery().know(meters, holdings, {}).ok());
  }

  Result<Case> step(const std::string& event, const std::string& who) {
    return platform->recovery().step(1, event, "evidence of " + event, people.at(who), {});
  }
  smki::ActId order_act(const std::string& digest, int custodians) {
    const smki::ActId act =
        platform->office()
            .propose("order-recovery", {{"case", "1"}, {"order", digest}, {"reason", "decided"}},
                     people.at("M1"), {})
            .value();
    for (const char* who : {"M2", "P1", "C1", "C2", "C3"}) {
      if (who[0] == 'C' && custodians-- <= 0) break;
      CHECK(platform->office().approve(act, people.at(who), {}).ok());
    }
    return act;
  }
  Case to_executing() {
    recovery::Recovery& recovery = platform->recovery();
    recovery::Notice notice{"failed-supplier", kFailed, {}, "the Authority's direction"};
    CHECK(recovery.report(notice, people.at("P1"), {}).ok());
    CHECK(step("confirm", "P2").ok());
    recovery::Choice choice;
    choice.method = "method-3";
    choice.beneficiary = kLastResort;
    choice.evidence = "no reply";
    const Case chosen = recovery.choose(1, choice, people.at("P1"), {}).value();
    CHECK(recovery.decide(1, 7, people.at("P1"), {}).ok());
    CHECK(recovery.assemble(1, order_act(to_hex(chosen.order), 3), people.at("P1"), {}).ok());
    return recovery.execute(1, "all is there", {}, people.at("M1"), {}).value();
  }
  bool settled() {
    for (int i = 0; i < 600; ++i) {
      const recovery::Tally tally = recovery::tally(platform->store(), 1);
      if (recovery::find_case(platform->store(), 1)->enlisted && tally.pending() == 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }
};

template <typename T>
std::string rule(const Result<T>& result) {
  return result.ok() ? "none" : std::string(result.refusal().rule.text());
}

TEST(Recovery, TakesEveryStepByTheRightPeopleInTheRightOrder) {
  Scene scene;
  recovery::Recovery& recovery = scene.platform->recovery();
  const auto& people = scene.people;
  recovery::Notice notice{"failed-supplier", {}, {}, "x"};
  EXPECT_EQ(rule(recovery.report(notice, people.at("P1"), {})), "recovery-notice");
  notice.party = kFailed;
  EXPECT_EQ(rule(recovery.report(notice, people.at("C1"), {})), "recovery-role");
  ASSERT_TRUE(recovery.report(notice, people.at("P1"), {}).ok());
  EXPECT_EQ(rule(scene.step("confirm", "P1")), "recovery-same-person");
  EXPECT_EQ(rule(scene.step("verify", "P2")), "recovery-step");
  EXPECT_EQ(scene.step("acknowledge", "P1")->state, "reported");
  EXPECT_EQ(scene.step("confirm", "P2")->state, "confirmed");
  EXPECT_EQ(
      recovery.radius(recovery.reach_of(*recovery::find_case(scene.platform->store(), 1))).devices,
      6u);
  recovery::Choice choice;
  choice.method = "contingency";
  choice.evidence = "x";
  EXPECT_EQ(rule(recovery.choose(1, choice, people.at("P1"), {})), "recovery-method");
  choice.method = "method-3";
  choice.beneficiary = kFailed;
  EXPECT_EQ(rule(recovery.choose(1, choice, people.at("P1"), {})), "recovery-certificate")
      << "devices hold these already";
  choice.beneficiary = kLastResort;
  const Case chosen = recovery.choose(1, choice, people.at("P1"), {}).value();
  EXPECT_EQ(rule(recovery.execute(1, "x", {}, people.at("M1"), {})), "recovery-step");
  EXPECT_EQ(rule(recovery.decide(1, 8, people.at("P1"), {})), "recovery-decision");
  ASSERT_TRUE(recovery.decide(1, 7, people.at("P1"), {}).ok());
  EXPECT_EQ(
      rule(recovery.assemble(1, scene.order_act(to_hex(chosen.order), 2), people.at("P1"), {})),
      "recovery-act")
      << "a custodian is missing";
  EXPECT_EQ(
      rule(recovery.assemble(1, scene.order_act(std::string(64, '0'), 3), people.at("P1"), {})),
      "recovery-act")
      << "another order was approved";
  EXPECT_EQ(scene.step("revise", "M2")->state, "confirmed");
  EXPECT_EQ(scene.step("withdraw", "M2")->state, "withdrawn");
  EXPECT_EQ(rule(scene.step("confirm", "P2")), "recovery-step") << "it has ended";
  EXPECT_EQ(recovery::tally(scene.platform->store(), 1).total(), 0u);
}

TEST(Recovery, PutsTheLastResortsCertificatesOnEveryDevice) {
  Scene scene;
  scene.lost = 2;  // two commands are lost, and sent again
  scene.to_executing();
  ASSERT_TRUE(scene.settled());
  const storage::Store& store = scene.platform->store();
  EXPECT_EQ(recovery::tally(store, 1).recovered, 6u);
  EXPECT_EQ(scene.platform->inventory().count(DeviceStatus::recovered), 6u);
  for (const apps::Premises& one : scene.street->premises()) {
    for (const Eui64 id : {one.esme, one.gsme, one.gpf}) {
      for (const auto& held : scene.street->credentials(id)) {
        if (held.cell.role == supplier) EXPECT_EQ(held.party, kLastResort) << id.text();
        if (held.cell.role == access_control_broker) EXPECT_EQ(held.party, apps::DccParty::broker);
      }
      EXPECT_EQ(recovery::holdings_of(store, id).at(Slot{supplier, kSign}).party, kLastResort);
    }
  }
  ASSERT_EQ(scene.step("verify", "P1")->state, "verifying");
  EXPECT_EQ(rule(scene.step("close", "P1")), "recovery-role");
  ASSERT_EQ(scene.step("close", "M2")->state, "closed");
  EXPECT_EQ(scene.platform->inventory().count(DeviceStatus::commissioned), 8u);

  const json report = recovery::report_json(store, *recovery::find_case(store, 1),
                                            scene.platform->recovery().record_key());
  EXPECT_EQ(report["commands"], 8);
  EXPECT_EQ(report["recovered_by_attempts"]["1"].get<int>() +
                report["recovered_by_attempts"].value("2", 0) +
                report["recovered_by_attempts"].value("3", 0),
            6);
  for (const json& step : report["steps"]) EXPECT_TRUE(step["signed"]) << step;
  EXPECT_NE(report["steps"][3]["evidence"].get<std::string>().find("chair for"), std::string::npos);

  // The tables follow from the facts.
  scene.street->stop();
  scene.platform->stop();
  const std::unique_ptr<storage::Store> again = storage::memory_store();
  const Result<apps::RebuildReport> rebuilt = apps::rebuild(scene.world, store, *again);
  ASSERT_TRUE(rebuilt.ok());
  EXPECT_TRUE(rebuilt->status().ok()) << rebuilt->status().refusal().detail;
  EXPECT_EQ(recovery::tally(*again, 1).recovered, 6u);
}

TEST(Recovery, StepsAreOnlyBelievedWithTheirSignature) {
  Scene scene;
  scene.to_executing();
  ASSERT_TRUE(scene.settled());
  const crypto::PublicPoint key = scene.platform->recovery().record_key();
  const std::unique_ptr<storage::Store> copy = storage::memory_store();
  storage::Batch batch;
  scene.platform->store().journal(1, [&](const storage::JournalEntry& entry) {
    Bytes fact = entry.fact;
    const FactView view = FactView::read(entry.fact).value();
    if (view.kind() == FactKind::recovery_stepped && view.text(FactField::event) == "confirm") {
      const std::string was = "evidence of confirm";
      const auto at = std::search(fact.begin(), fact.end(), was.begin(), was.end());
      if (at == fact.end()) return false;
      *at = 'E';
    }
    batch.append(fact);
    return true;
  });
  ASSERT_TRUE(copy->commit(std::move(batch)).ok());
  for (const recovery::Step& step : recovery::steps(*copy, 1, key))
    EXPECT_EQ(step.signed_by_record_key, step.event != "confirm") << step.event;
}

TEST(Recovery, CostsAreSettledForNoMoreThanWasClaimed) {
  Scene scene;
  recovery::Recovery& recovery = scene.platform->recovery();
  const auto& people = scene.people;
  ASSERT_TRUE(recovery.report({"failed-supplier", kFailed, {}, "x"}, people.at("P1"), {}).ok());
  recovery::Note note{1, 0, "cost-claimed", kLastResort, 1000, "letters", 0, {}};
  ASSERT_TRUE(recovery.note(note, people.at("P1"), {}).ok());
  note.kind = "cost-accepted";
  EXPECT_EQ(rule(recovery.note(note, people.at("P1"), {})), "recovery-role");
  note.pence = 1001;
  EXPECT_EQ(rule(recovery.note(note, people.at("M1"), {})), "recovery-note");
  note.pence = 600;
  ASSERT_TRUE(recovery.note(note, people.at("M1"), {}).ok());
  note.kind = "cost-refused";
  EXPECT_EQ(rule(recovery.note(note, people.at("M1"), {})), "recovery-note");
  note.pence = 400;
  ASSERT_TRUE(recovery.note(note, people.at("M1"), {}).ok());
  EXPECT_EQ(rule(recovery.note({1, 0, "dispute", {}, 5, "x", 0, {}}, people.at("P1"), {})),
            "recovery-note");
  EXPECT_TRUE(recovery.note({1, 0, "dispute", {}, 0, "too late", 0, {}}, people.at("P1"), {}).ok());
  EXPECT_EQ(recovery::notes(scene.platform->store(), 1).size(), 4u);
}

// ---- rehearsals, as commands

// Without it the estate of a rehearsal ends, too.
struct Scratch {
  explicit Scratch(const std::string& name)
      : folder(std::filesystem::temp_directory_path() /
               ("wattseal-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(folder);
  }
  ~Scratch() { std::filesystem::remove_all(folder); }
  const std::filesystem::path folder;
};
json read_report(const std::filesystem::path& folder) {
  std::ifstream in(folder / "report.json");
  return json::parse(in, nullptr, false);
}
std::string command(const std::filesystem::path& folder, const std::string& more) {
  return std::string(WATTSEAL_PROGRAM) + " recovery rehearse --folder " + folder.string() + " " +
         more;
}

TEST(Rehearsal, GoesOnWhereItWasKilled) {
  const Scratch scratch("rehearsal");
  const std::filesystem::path& folder = scratch.folder;
  const std::string run =
      command(folder, "--devices 60 --offline 10% --away 6 --answer 2 --retry 2");
  // While the estate is installed, while commands leave, while devices are away.
  int killed = 0;
  for (const char* seconds : {"2", "4", "5"}) {
    const test::Ran ran = test::shell("timeout -s KILL " + std::string(seconds) + " " + run);
    killed += ran.code == 137;
  }
  const test::Ran last = test::shell(run);
  ASSERT_EQ(last.code, 0) << last.out;
  EXPECT_GE(killed, 1) << "nothing was left to kill";
  const json report = read_report(folder);
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(report["state"], "closed");
  EXPECT_EQ(report["devices"]["recovered"], 60);
  EXPECT_EQ(report["devices"]["failed"], 0);
  for (const json& step : report["steps"]) EXPECT_TRUE(step["signed"]);
  // Nothing of the other Supplier's nine meters changed: two keys of each of its cells' kind.
  EXPECT_EQ(report["rehearsal"]["held"]["supplier/DS"].size(), 2u);
  const test::Ran proof = test::shell(std::string(WATTSEAL_PROGRAM) + " audit verify --data " +
                                      (folder / "dcc").string() + " --checkpoint " +
                                      (folder / "journal.checkpoint").string());
  EXPECT_EQ(proof.code, 0) << proof.out;
}

TEST(Rehearsal, ByContingencyChangesTheRootOfAStreet) {
  const Scratch scratch("street");
  const std::filesystem::path& folder = scratch.folder;
  const test::Ran ran = test::shell(
      command(folder, "--method contingency --devices 8 --offline 0 --answer 5 --retry 2"));
  ASSERT_EQ(ran.code, 0) << ran.out;
  const json report = read_report(folder);
  EXPECT_EQ(report["devices"]["recovered"], 8);
  const json& roots = report["rehearsal"]["held"]["root/DS"];
  ASSERT_EQ(roots.size(), 1u) << "every device has the same root";
  EXPECT_EQ(roots.begin().value(), 8);
}

TEST(Rehearsal, ByTheBrokerHoldsTheCellsForTheOwner) {
  const Scratch scratch("broker");
  const std::filesystem::path& folder = scratch.folder;
  const test::Ran ran = test::shell(
      command(folder, "--method method-2 --devices 6 --offline 0 --answer 5 --retry 2 --json"));
  ASSERT_EQ(ran.code, 0) << ran.out;
  EXPECT_EQ(read_report(folder)["devices"]["recovered"], 6);
}

}  // namespace
}  // namespace wattseal
