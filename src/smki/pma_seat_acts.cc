// Acts about the seats of the SMKI PMA: who is appointed, who may stand in, who is an affiliate.
#include "smki/governance.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

std::string get(const json& payload, const char* field) { return particular(payload, field); }

// Nobody holds two places; one human is told by the name.
Status check_one_seat(const ActScene& scene, const std::string& name) {
  for (const PmaSeat& seat : pma_seats(scene.reader)) {
    for (const std::optional<SeatHolder>& holder : {seat.member, seat.alternate}) {
      if (holder && holder->name == name)
        return Refusal{"pma-two-seats"_rule, name + " has a place in " + holder->seat, "name"};
    }
  }
  return {};
}

Status check_free(const ActScene& scene, std::string_view seat, bool alternate) {
  const Bytes key = seat_key(seat, alternate);
  const std::optional<Bytes> record = scene.reader.get(tables::pma_seats, key);
  if (!record) return {};
  return Refusal{"pma-seat-filled"_rule,
                 to_seat_holder(key, *record).name + " holds " + std::string(seat), "seat"};
}

// Independent of every Party, the DCC among them, and of who assures the SMKI.
Status check_specialist(const ActScene& scene, const std::string& organisation) {
  if (const std::optional<Eui64> party = affiliated_party(scene.reader, organisation))
    return Refusal{"pma-specialist-independence"_rule,
                   organisation + " is or is an affiliate of the Party " + party->text(),
                   "organisation"};
  for (const auto& [provider, decision] : assurance_providers(scene.reader)) {
    if (affiliated(scene.reader, organisation, provider))
      return Refusal{"pma-specialist-independence"_rule,
                     organisation + " is or is an affiliate of the assurance provider " + provider,
                     "organisation"};
  }
  return {};
}

std::string_view role_of(const PmaSeatRow& row) {
  return row.votes() ? "pma-member" : "pma-attendee";
}

Bytes seat_fact(const ActScene& scene, std::string_view event, const SeatHolder& holder,
                const Act& act) {
  return FactWriter(FactKind::pma_seat_changed, scene.now, scene.trace)
      .text(FactField::event, event)
      .text(FactField::seat, holder.seat)
      .text(FactField::roles, holder.alternate ? "alternate" : "member")
      .number(FactField::person, holder.person)
      .text(FactField::name_of_person, holder.name)
      .text(FactField::organisation, holder.organisation)
      .number(FactField::act, act.id)
      .bytes();
}

Result<const PmaSeatRow*> read_seat(const json& payload) {
  const PmaSeatRow* const row = find_pma_seat(get(payload, "seat"));
  if (!row) return Refusal{"pma-seat"_rule, "'" + get(payload, "seat") + "' is none", "seat"};
  return row;
}

Status check_member(const ActScene& scene, const json& payload, const Person&) {
  TRY_ASSIGN(const PmaSeatRow* const row, read_seat(payload));
  TRY(check_appointment(scene, payload, role_of(*row)));
  TRY(check_free(scene, row->id, false));
  TRY(check_one_seat(scene, get(payload, "name")));
  if (row->id == "specialist") TRY(check_specialist(scene, get(payload, "organisation")));
  return {};
}
void appoint_member(const ActScene& scene, storage::Batch& batch, const json& payload,
                    const Act& act) {
  const PmaSeatRow& row = *read_seat(payload).value();
  const Person person = appoint_person(scene, batch, payload, role_of(row));
  const SeatHolder holder{std::string(row.id),          false,    person.id, person.name,
                          get(payload, "organisation"), scene.now};
  put_governance(scene, batch, seat_fact(scene, "appointed", holder, act));
}

Status check_alternate(const ActScene& scene, const json& payload, const Person& proposer) {
  const std::optional<SeatHolder> member = seat_held_by(scene.reader, proposer.id);
  if (!member || member->alternate)
    return Refusal{"pma-not-holder"_rule, proposer.name + " is no member", "person"};
  TRY(check_appointment(scene, payload, "pma-alternate"));
  TRY(check_free(scene, member->seat, true));
  TRY(check_one_seat(scene, get(payload, "name")));
  return check_independent(scene.reader, *member, get(payload, "organisation"));
}
void name_alternate(const ActScene& scene, storage::Batch& batch, const json& payload,
                    const Act& act) {
  const SeatHolder member = seat_held_by(scene.reader, act.proposer).value();
  const Person person = appoint_person(scene, batch, payload, "pma-alternate");
  const SeatHolder holder{member.seat, true, person.id, person.name, get(payload, "organisation"),
                          scene.now};
  put_governance(scene, batch, seat_fact(scene, "appointed", holder, act));
}

Result<SeatHolder> read_holder(const ActScene& scene, const json& payload) {
  TRY_ASSIGN(const PmaSeatRow* const row, read_seat(payload));
  const std::string which = get(payload, "holder");
  if (which != "member" && which != "alternate")
    return Refusal{"pma-seat"_rule, "'" + which + "' is neither member nor alternate", "holder"};
  const Bytes key = seat_key(row->id, which == "alternate");
  const std::optional<Bytes> record = scene.reader.get(tables::pma_seats, key);
  if (!record)
    return Refusal{"pma-seat-vacant"_rule, std::string(row->id) + " has no " + which, "seat"};
  return to_seat_holder(key, *record);
}
// A member ends its own appointment, or its alternate's.
Status check_leaves(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY_ASSIGN(const SeatHolder holder, read_holder(scene, payload));
  if (proposer.role != "pma-member") return {};
  const std::optional<SeatHolder> own = seat_held_by(scene.reader, proposer.id);
  if (own && own->seat == holder.seat) return {};
  return Refusal{"pma-not-holder"_rule, proposer.name + " does not hold " + holder.seat, "seat"};
}
// The alternate goes with the member who named it.
void leave(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  const SeatHolder leaving = read_holder(scene, payload).value();
  std::vector<SeatHolder> all{leaving};
  const Bytes key = seat_key(leaving.seat, true);
  const std::optional<Bytes> alternate = scene.reader.get(tables::pma_seats, key);
  if (!leaving.alternate && alternate) all.push_back(to_seat_holder(key, *alternate));
  std::vector<Bytes> facts;
  for (const SeatHolder& holder : all) {
    facts.push_back(seat_fact(scene, "left", holder, act));
    std::optional<Person> person = find_person(scene.reader, holder.person);
    if (!person || person->state == PersonState::removed) continue;
    person->state = PersonState::removed;
    put_person(scene, batch, *person, text(PersonState::removed));
  }
  put_governance(scene, batch, facts);
}

// ---- affiliates

std::optional<Affiliation> find_affiliation(const ActScene& scene, const std::string& one,
                                            const std::string& other) {
  for (const Affiliation& there : affiliations(scene.reader)) {
    if (equal(affiliation_key(there.one, there.other), affiliation_key(one, other))) return there;
  }
  return {};
}
Status check_affiliation(const ActScene& scene, const json& payload, const Person&) {
  const std::string one = get(payload, "organisation"), other = get(payload, "affiliate");
  if (affiliated(scene.reader, one, other))
    return Refusal{"pma-affiliation"_rule, one + " and " + other + " are affiliates or the same",
                   "affiliate"};
  return {};
}
Status check_affiliation_ends(const ActScene& scene, const json& payload, const Person&) {
  const std::string one = get(payload, "organisation"), other = get(payload, "affiliate");
  if (find_affiliation(scene, one, other)) return {};
  return Refusal{"pma-affiliation"_rule,
                 one + " and " + other + " are not recorded as affiliates of each other",
                 "affiliate"};
}
Bytes affiliation_fact(const ActScene& scene, std::string_view event, const Affiliation& of,
                       const Act& act) {
  return FactWriter(FactKind::pma_affiliation_changed, scene.now, scene.trace)
      .text(FactField::event, event)
      .text(FactField::organisation, of.one)
      .text(FactField::subject, of.other)
      .number(FactField::act, act.id)
      .bytes();
}
void affiliate(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  const Affiliation made{get(payload, "organisation"), get(payload, "affiliate"), scene.now};
  put_governance(scene, batch, affiliation_fact(scene, "recorded", made, act));
}
void end_affiliation(const ActScene& scene, storage::Batch& batch, const json& payload,
                     const Act& act) {
  const Affiliation there =
      find_affiliation(scene, get(payload, "organisation"), get(payload, "affiliate")).value();
  put_governance(scene, batch, affiliation_fact(scene, "ended", there, act));
}

constexpr ActHandler kHandlers[] = {
    {"appoint-pma-member", "seat,name,organisation,evidence,screened_on", check_member,
     appoint_member},
    {"name-pma-alternate", "name,organisation,evidence,screened_on", check_alternate,
     name_alternate},
    {"end-pma-appointment", "seat,holder,reason", check_leaves, leave},
    {"record-affiliation", "organisation,affiliate,evidence", check_affiliation, affiliate},
    {"end-affiliation", "organisation,affiliate,evidence", check_affiliation_ends, end_affiliation},
};

}  // namespace

std::span<const ActHandler> pma_seat_acts() { return kHandlers; }

Status check_independent(const storage::Reader& reader, const SeatHolder& member,
                         const std::string& organisation) {
  if (!affiliated(reader, member.organisation, organisation)) return {};
  return Refusal{"pma-alternate-independence"_rule,
                 organisation + " is or is an affiliate of " + member.organisation + ", of which " +
                     member.name + " is, who holds " + member.seat,
                 "organisation"};
}

}  // namespace wattseal::smki
