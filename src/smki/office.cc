#include "smki/office.h"

#include <map>
#include <set>

#include "base/fault.h"
#include "smki/office_records.h"
#include "smki/service_hours.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr std::size_t kActsListed = 1000;

Refusal race() { return {"office-race"_rule, "the act was changed at the same moment"}; }
bool lost_race(const Status& status) {
  return !status.ok() && status.refusal().rule == "office-race"_rule;
}

// Somebody whose appointment and screening stand.
Result<Person> acting(const storage::Reader& reader, PersonId id, UtcTime now) {
  std::optional<Person> person = find_person(reader, id);
  const std::string who = "person " + std::to_string(id);
  if (!person) return Refusal{"office-person"_rule, who + " is unknown", "person"};
  if (person->state != PersonState::appointed)
    return Refusal{"office-person"_rule, who + " is " + std::string(text(person->state)), "person"};
  if (now >= person->appointed_until)
    return Refusal{"office-person"_rule,
                   who + "'s appointment ended on " + person->appointed_until.iso(), "person"};
  return *person;
}

// People are told apart by their names too: one human with two appointments is still one.
bool same_human(const Person& a, const Person& b) { return a.id == b.id || a.name == b.name; }

bool concerns(const json& payload, const Person& person) {
  return payload.value("person", "") == std::to_string(person.id) ||
         payload.value("name", "") == person.name;
}

// Whether these people together satisfy every group. Groups are of different roles, and each
// person has one role, so counting is enough.
bool satisfied(const ActRow& row, const std::vector<Person>& approvers) {
  for (const ApprovalGroup& group : row.approvals()) {
    const auto count = std::ranges::count_if(
        approvers, [&](const Person& person) { return has_role(group.roles, person.role); });
    if (static_cast<unsigned>(count) < group.people) return false;
  }
  return true;
}
bool may_approve(const ActRow& row, const Person& person, const std::vector<Person>& before) {
  for (const ApprovalGroup& group : row.approvals()) {
    if (!has_role(group.roles, person.role)) continue;
    const auto count = std::ranges::count_if(
        before, [&](const Person& one) { return has_role(group.roles, one.role); });
    if (static_cast<unsigned>(count) < group.people) return true;
  }
  return false;
}

void put_effect(const ActScene& scene, storage::Batch& batch, Act& act) {
  act.state = ActState::done;
  act_handler(act.kind).apply(scene, batch, json::parse(act.payload), act);
  batch.append(FactWriter(FactKind::act_done, scene.now, scene.trace)
                   .number(FactField::act, act.id)
                   .text(FactField::act_kind, act.kind)
                   .bytes());
}

FactWriter act_fact(FactKind kind, const ActScene& scene, ActId act, const Actor& actor) {
  FactWriter fact(kind, scene.now, scene.trace);
  fact.number(FactField::act, act)
      .number(FactField::person, actor.person)
      .text(FactField::address, actor.address);
  return fact;
}

}  // namespace

Office::Office(const World& world, storage::Store& store) : world_(world), store_(store) {}

Result<std::vector<PersonId>> put_founders(const ActScene& scene, storage::Batch& batch,
                                           const std::vector<Founder>& founders) {
  if (!all_people(scene.reader).empty())
    return Refusal{"office-founded"_rule, "there are people already", "managers"};
  Numbers numbers(scene.reader, "next_person");
  std::vector<PersonId> ids;
  for (const Founder& founder : founders) {
    const auto row = std::ranges::find(person_roles(), founder.role, &PersonRoleRow::id);
    CHECK(row != person_roles().end());
    Person person;
    person.id = numbers.draw();
    person.name = founder.name;
    person.role = row->id;
    person.appointed_until = scene.now.plus_seconds(std::int64_t{row->appointed_days} * 86400);
    put_person(scene, batch, person, "founded");
    ids.push_back(person.id);
  }
  numbers.put(batch);
  return ids;
}

Result<std::vector<PersonId>> Office::found(const std::vector<std::string>& managers,
                                            TraceId trace) {
  if (std::set<std::string>(managers.begin(), managers.end()).size() < 2)
    return Refusal{"office-managers"_rule, "fewer than two managers are named", "managers"};
  std::vector<Founder> founders;
  for (const std::string& name : managers) founders.push_back({name, "ra-manager"});
  storage::Batch batch;
  TRY_ASSIGN(std::vector<PersonId> ids,
             put_founders({store_, world_.now(), trace}, batch, founders));
  if (!store_.commit(std::move(batch)).ok())
    return Refusal{"office-founded"_rule, "there are people already", "managers"};
  return ids;
}

Result<ActId> Office::propose(std::string_view kind, const json& payload, const Actor& actor,
                              TraceId trace) {
  const ActRow* const row = find_act_row(kind);
  if (!row || kind == kIssueAct)
    return Refusal{"office-act-unknown"_rule,
                   "'" + std::string(kind) + "' is nothing that one proposes", "kind"};
  const ActHandler& handler = act_handler(kind);
  for (;;) {
    const std::unique_ptr<storage::Reader> view = store_.snapshot();
    const ActScene scene{*view, world_.now(), trace};
    TRY_ASSIGN(const Person proposer, acting(*view, actor.person, scene.now));
    if (!has_role(row->proposers, proposer.role)) {
      return Refusal{
          "office-proposer"_rule,
          proposer.name + " is " + proposer.role + "; it takes " + std::string(row->proposers),
          "person"};
    }
    TRY(check_fields(handler, payload));
    if (concerns(payload, proposer))
      return Refusal{"office-self"_rule, proposer.name + " proposes what concerns himself",
                     "person"};
    TRY(handler.check(scene, payload, proposer));
    storage::Batch batch;
    Numbers numbers(*view, "next_act");
    Act act = make_act(numbers.draw(), *row, payload, proposer.id, scene.now);
    numbers.put(batch);
    add_act(batch, act, actor, trace);
    if (row->approvals().empty()) {
      put_effect(scene, batch, act);
      batch.put(tables::acts, act_key(act.id), to_record(act));
    }
    const Result<std::uint64_t> committed = store_.commit(std::move(batch));
    if (committed.ok()) return act.id;
    if (!lost_race(committed.refusal())) return committed.refusal();
  }
}

namespace {

// An act that can still be decided, and everyone who has approved it so far.
struct OpenAct {
  Act act;
  Bytes record;
  const ActRow* row = nullptr;
  std::vector<Person> approvers;
  Person proposer;
};
Result<OpenAct> open_act(const storage::Reader& reader, ActId id, UtcTime now) {
  OpenAct open;
  const std::optional<Bytes> record = reader.get(tables::acts, act_key(id));
  const std::string which = "act " + std::to_string(id);
  if (!record) return Refusal{"office-act-unknown"_rule, "there is no " + which, "act"};
  open.record = *record;
  open.act = to_act(id, *record);
  if (open.act.state != ActState::open)
    return Refusal{"office-act-closed"_rule, which + " is " + std::string(text(open.act.state)),
                   "act"};
  if (now >= open.act.lapses_at)
    return Refusal{"office-act-closed"_rule, which + " lapsed on " + open.act.lapses_at.iso(),
                   "act"};
  open.row = find_act_row(open.act.kind);
  CHECK(open.row != nullptr);
  for (const PersonId approver : open.act.approvers) {
    const Result<Person> person = acting(reader, approver, now);
    if (person.ok()) open.approvers.push_back(*person);  // who was suspended since does not count
  }
  const std::optional<Person> proposer = find_person(reader, open.act.proposer);
  if (proposer) open.proposer = *proposer;
  return open;
}

Status check_approver(const OpenAct& open, const Person& person) {
  const auto same = [&](const Person& other) { return same_human(person, other); };
  if (same(open.proposer) || concerns(json::parse(open.act.payload), person))
    return Refusal{"office-self"_rule, person.name + " proposed it, or it concerns " + person.name,
                   "person"};
  if (std::ranges::any_of(open.approvers, same))
    return Refusal{"office-twice"_rule, person.name + " has approved it already", "person"};
  if (!may_approve(*open.row, person, open.approvers))
    return Refusal{
        "office-approver"_rule,
        person.name + " is " + person.role + "; it takes " + std::string(open.row->approvals_text),
        "person"};
  return {};
}

}  // namespace

Result<ActState> Office::approve(ActId id, const Actor& actor, TraceId trace) {
  for (;;) {
    const std::unique_ptr<storage::Reader> view = store_.snapshot();
    const ActScene scene{*view, world_.now(), trace};
    TRY_ASSIGN(const Person person, acting(*view, actor.person, scene.now));
    TRY_ASSIGN(OpenAct open, open_act(*view, id, scene.now));
    TRY(check_approver(open, person));
    open.act.approvers.push_back(person.id);
    open.approvers.push_back(person);
    storage::Batch batch;
    batch.append(act_fact(FactKind::act_approved, scene, id, actor).bytes());
    if (satisfied(*open.row, open.approvers)) {
      // The world may have changed since the proposal.
      TRY(act_handler(open.act.kind).check(scene, json::parse(open.act.payload), open.proposer));
      put_effect(scene, batch, open.act);
    }
    batch.require_value(tables::acts, act_key(id), open.record, race());
    batch.put(tables::acts, act_key(id), to_record(open.act));
    const Result<std::uint64_t> committed = store_.commit(std::move(batch));
    if (committed.ok()) return open.act.state;
    if (!lost_race(committed.refusal())) return committed.refusal();
  }
}

Status Office::reject(ActId id, std::string_view reason, const Actor& actor, TraceId trace) {
  if (reason.empty() || reason.size() > 400)
    return Refusal{"office-payload"_rule, "a rejection has a reason of 1 to 400 octets", "reason"};
  for (;;) {
    const std::unique_ptr<storage::Reader> view = store_.snapshot();
    const ActScene scene{*view, world_.now(), trace};
    TRY_ASSIGN(const Person person, acting(*view, actor.person, scene.now));
    TRY_ASSIGN(OpenAct open, open_act(*view, id, scene.now));
    // The proposer may withdraw; everyone else must be one who could approve.
    if (person.id != open.act.proposer) TRY(check_approver(open, person));
    open.act.state = ActState::rejected;
    open.act.reason = reason;
    storage::Batch batch;
    const ActHandler& handler = act_handler(open.act.kind);
    if (handler.reject) handler.reject(scene, batch, json::parse(open.act.payload), reason);
    batch.append(
        act_fact(FactKind::act_rejected, scene, id, actor).text(FactField::detail, reason).bytes());
    batch.require_value(tables::acts, act_key(id), open.record, race());
    batch.put(tables::acts, act_key(id), to_record(open.act));
    const Result<std::uint64_t> committed = store_.commit(std::move(batch));
    if (committed.ok()) return {};
    if (!lost_race(committed.refusal())) return committed.refusal();
  }
}

namespace {
Act as_seen(Act act, UtcTime now) {
  if (act.state == ActState::open && now >= act.lapses_at) act.state = ActState::lapsed;
  return act;
}
}  // namespace

Result<Act> Office::act(ActId id) const {
  const std::optional<Bytes> record = store_.get(tables::acts, act_key(id));
  if (!record)
    return Refusal{"office-act-unknown"_rule, "there is no act " + std::to_string(id), "act"};
  return as_seen(to_act(id, *record), world_.now());
}

std::vector<Act> Office::acts(std::optional<ActState> state) const {
  std::vector<Act> acts;
  const UtcTime now = world_.now();
  store_.scan_backwards(tables::acts, {}, {}, [&](BytesView key, BytesView value) {
    Act act = as_seen(to_act(get_be(key), value), now);
    if (!state || act.state == *state) acts.push_back(std::move(act));
    return acts.size() < kActsListed;
  });
  return acts;
}

Result<Person> Office::person(PersonId id) const {
  std::optional<Person> person = find_person(store_, id);
  if (!person)
    return Refusal{"office-person"_rule, "person " + std::to_string(id) + " is unknown", "person"};
  return *person;
}

Result<Person> Office::person_by_credential(BytesView certificate) const {
  const std::string credential = to_hex(crypto::sha256(certificate));
  for (const Person& person : all_people(store_)) {
    if (person.credential != credential) continue;
    if (person.may_act(world_.now())) return person;
    return Refusal{"office-person"_rule,
                   person.role + " " + std::to_string(person.id) + " is " +
                       std::string(text(person.state)) + ", appointed until " +
                       person.appointed_until.iso(),
                   "client certificate"};
  }
  return Refusal{"office-credential"_rule, "the client certificate is nobody's credential",
                 "client certificate"};
}

std::vector<Person> Office::people() const { return all_people(store_); }

std::vector<Activity> officer_activity(const storage::Reader& reader, UtcTime from, UtcTime to) {
  std::map<PersonId, Activity> by_person;
  for (const Person& person : all_people(reader)) by_person[person.id].person = person.id;
  reader.journal(1, [&](const storage::JournalEntry& entry) {
    const Result<FactView> fact = FactView::read(entry.fact);
    if (!fact.ok() || fact->at() < from || fact->at() >= to) return true;
    std::uint64_t Activity::*count = nullptr;
    if (fact->kind() == FactKind::act_proposed) count = &Activity::proposed;
    if (fact->kind() == FactKind::act_approved) count = &Activity::approved;
    if (fact->kind() == FactKind::act_rejected) count = &Activity::rejected;
    if (!count) return true;
    Activity& activity = by_person[fact->number(FactField::person)];
    activity.person = fact->number(FactField::person);
    ++(activity.*count);
    if (!in_service_window(fact->at())) ++activity.outside_service_window;
    activity.last = fact->at();
    const std::string address(fact->text(FactField::address));
    if (!address.empty() &&
        std::ranges::find(activity.addresses, address) == activity.addresses.end())
      activity.addresses.push_back(address);
    return true;
  });
  std::vector<Activity> all;
  for (auto& [id, activity] : by_person) all.push_back(std::move(activity));
  return all;
}

}  // namespace wattseal::smki
