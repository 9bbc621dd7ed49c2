// What the tests of governance share: an office with people, a seated SMKI PMA and a meeting. Tests
// only.
#pragma once
#include <gtest/gtest.h>

#include <map>

#include "smki/governance.h"
#include "smki/replay.h"
#include "smki/test_rig.h"

namespace wattseal::smki::test {

struct GovernanceRig : Rig {
  PersonId ada, ben, cara, dan;
  std::map<std::string, PersonId> holders;  // by seat; the chair is "chair"

  GovernanceRig() {
    const std::vector<PersonId> managers = office.found({"Ada", "Ben"}, world.new_trace()).value();
    ada = managers[0];
    ben = managers[1];
    cara = appointed("appoint-ra-personnel", {{"name", "Cara"}}, ada, ben);
    dan = appointed("appoint-ra-personnel", {{"name", "Dan"}}, ada, ben);
  }
  Result<ActId> propose(std::string_view kind, const nlohmann::json& payload, PersonId by) {
    return office.propose(kind, payload, {by, "192.0.2.1"}, world.new_trace());
  }
  // Done, and approved where it must be: "done", or the rule that refused.
  std::string act(std::string_view kind, const nlohmann::json& payload, PersonId by,
                  PersonId approver = 0) {
    const Result<ActId> id = propose(kind, payload, by);
    if (!id.ok()) return std::string(id.refusal().rule.text());
    if (office.act(*id)->state == ActState::done) return "done";
    const Result<ActState> state =
        office.approve(*id, {approver == 0 ? dan : approver, "192.0.2.2"}, world.new_trace());
    return state.ok() ? std::string(text(*state)) : std::string(state.refusal().rule.text());
  }
  PersonId appointed(std::string_view kind, nlohmann::json payload, PersonId by,
                     PersonId approver) {
    payload["evidence"] = "letter of appointment";
    payload["screened_on"] = "2026-04-01";
    CHECK(act(kind, payload, by, approver) == "done");
    return office.people().back().id;
  }
  static nlohmann::json holder(const char* name, const char* organisation) {
    return {{"name", name},
            {"organisation", organisation},
            {"evidence", "letter"},
            {"screened_on", "2026-04-01"}};
  }
  std::string fill(const char* seat, const char* name, const char* organisation) {
    nlohmann::json payload = holder(name, organisation);
    payload["seat"] = seat;
    const std::string result = act("appoint-pma-member", payload, cara);
    if (result == "done") holders[seat] = office.people().back().id;
    return result;
  }
  // Every voting seat but the Technical Sub-Committee's.
  void seat_all() {
    CHECK(fill("chair", "Chris", "Chair Services") == "done");
    CHECK(fill("large-supplier-1", "Lara", "Alder") == "done");  // a Party
    CHECK(fill("large-supplier-2", "Leo", "Birch Energy") == "done");
    CHECK(fill("small-supplier", "Sue", "Cedar Energy") == "done");
    CHECK(fill("networks", "Ned", "Dale Networks") == "done");
    CHECK(fill("security-sub-committee", "Seth", "Fir Security") == "done");
  }
  std::string name_alternate(const char* seat, const char* name, const char* organisation) {
    const std::string result =
        act("name-pma-alternate", holder(name, organisation), holders.at(seat));
    if (result == "done") holders[std::string(seat) + "/alternate"] = office.people().back().id;
    return result;
  }
  // Called and begun; these attend.
  std::string meet(const std::vector<std::string>& who) {
    CHECK(act("call-pma-meeting", {{"at", "2026-05-08T10:00:00Z"}, {"agenda", "resolutions"}},
              cara) == "done");
    clock.set(UtcTime::parse_iso("2026-05-08T10:05:00Z").value());
    for (const std::string& one : who)
      CHECK(act("attend-pma-meeting", {{"meeting", "1"}}, holders.at(one)) == "done");
    return "1";
  }
  std::string move(const char* kind, const std::string& subject, const char* by = "networks",
                   nlohmann::json more = nlohmann::json::object()) {
    more.update({{"meeting", "1"}, {"kind", kind}, {"subject", subject}, {"text", "so resolved"}});
    return act("move-resolution", more, holders.at(by));
  }
  std::string vote(const char* resolution, const std::string& who, const char* vote) {
    return act("cast-vote", {{"resolution", resolution}, {"vote", vote}, {"reason", "weighed"}},
               holders.at(who));
  }
  std::string close(const char* resolution, const char* who = "chair") {
    return act("close-resolution", {{"resolution", resolution}, {"reasons", "as voted"}},
               holders.at(who));
  }
  Resolution resolution(DecisionId id) { return find_resolution(*store, id).value(); }
  // A resolution of a seated, present PMA that all vote for; its number.
  DecisionId carried(const char* kind, const std::string& subject,
                     nlohmann::json more = nlohmann::json::object()) {
    CHECK(move(kind, subject, "networks", std::move(more)) == "done");
    const DecisionId id = resolutions(*store).front().id;
    const std::string number = std::to_string(id);
    const Meeting meeting = find_meeting(*store, 1).value();
    for (const Attendance& one : meeting.present) {
      if (find_pma_seat(one.seat)->vote == "ordinary")
        CHECK(act("cast-vote", {{"resolution", number}, {"vote", "for"}}, one.person) == "done");
    }
    CHECK(close(number.c_str()) == "done");
    return id;
  }
  // Every table of governance made again from the journal is as it stands.
  void expect_replayed() {
    const std::unique_ptr<storage::Store> into = storage::memory_store();
    storage::Changes rows(*into);
    Replay replay;
    store->journal(1, [&](const storage::JournalEntry& entry) {
      replay.see(rows, FactView::read(entry.fact).value());
      return true;
    });
    storage::Batch batch;
    rows.take(batch);
    CHECK(into->commit(std::move(batch)).ok());
    for (const storage::Table table :
         {tables::pma_seats, tables::pma_affiliations, tables::pma_meetings,
          tables::pma_resolutions, tables::assurance, tables::document_set}) {
      const auto all = [&](const storage::Reader& reader) {
        std::map<Bytes, Bytes> found;
        reader.scan(table, {}, {}, [&](BytesView key, BytesView value) {
          found[to_bytes(key)] = to_bytes(value);
          return true;
        });
        return found;
      };
      EXPECT_EQ(all(*store), all(*into)) << table.name();
    }
    const auto count = [](const storage::Reader& reader) {
      return reader.get(tables::meta, as_bytes(kGovernanceFacts));
    };
    EXPECT_EQ(count(*store), count(*into));
  }
};

}  // namespace wattseal::smki::test
