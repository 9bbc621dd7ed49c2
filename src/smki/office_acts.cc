// What each kind of act checks and does. All of it is pure but for the reader and the batch.
#include "base/check.h"
#include "smki/authority.h"
#include "smki/demand_acts.h"
#include "smki/governance.h"
#include "smki/maintenance.h"
#include "smki/office_records.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

std::string get(const json& payload, const char* field) { return payload.value(field, ""); }

Refusal bad_field(const char* field, std::string detail) {
  return {"office-payload"_rule, std::move(detail), field};
}

Result<Eui64> read_eui(const json& payload, const char* field) {
  const Result<Eui64> eui = Eui64::parse(get(payload, field));
  if (!eui.ok()) return bad_field(field, eui.refusal().detail);
  return eui;
}

Result<Party> read_party(const ActScene& scene, const json& payload) {
  TRY_ASSIGN(const Eui64 id, read_eui(payload, "party"));
  std::optional<Party> party = find_party(scene.reader, id);
  if (!party) return bad_field("party", id.text() + " is no registered party");
  return *party;
}

Result<Person> read_person(const ActScene& scene, const json& payload) {
  const std::string text = get(payload, "person");
  const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
  const std::optional<Person> person =
      digits && text.size() < 10 ? find_person(scene.reader, std::stoull(text)) : std::nullopt;
  if (!person) return bad_field("person", "'" + text + "' is nobody's number");
  return *person;
}

// A change of a party: compare-and-set on the record, with its fact.
void put_party(const ActScene& scene, storage::Batch& batch, const Party& before,
               const Party& after) {
  batch.require_value(tables::parties, after.id.octets(), to_record(before),
                      Refusal{"office-race"_rule, "the party was changed at the same moment"});
  batch.put(tables::parties, after.id.octets(), to_record(after));
  add_party_fact(batch, after, scene.now, scene.trace);
}

}  // namespace

void put_person(const ActScene& scene, storage::Batch& batch, const Person& person,
                std::string_view event) {
  batch.put(tables::people, person_key(person.id), to_record(person));
  FactWriter fact(FactKind::person_changed, scene.now, scene.trace);
  fact.number(FactField::person, person.id)
      .text(FactField::event, event)
      .text(FactField::name_of_person, person.name)
      .text(FactField::roles, person.role)
      .text(FactField::to_status, text(person.state))
      .time(FactField::effective_until, person.appointed_until);
  if (person.party) fact.eui(FactField::party, *person.party);
  if (!person.credential.empty()) fact.text(FactField::credential, person.credential);
  batch.append(fact.bytes());
}

namespace {

// ---- organisations

Result<std::vector<UserRole>> read_user_roles(std::string_view list) {
  std::vector<UserRole> roles;
  while (!list.empty()) {
    const std::size_t slash = list.find('/');
    const std::optional<UserRole> role = user_role(list.substr(0, slash));
    if (!role) return bad_field("roles", "'" + std::string(list.substr(0, slash)) + "' is no role");
    roles.push_back(*role);
    list = slash == std::string_view::npos ? std::string_view{} : list.substr(slash + 1);
  }
  return roles;
}

Result<Eui64> range_taken(const storage::Reader& reader, const EuiRange& wanted, Eui64 except) {
  Result<Eui64> taken = Refusal{"office-range-taken"_rule, ""};
  reader.scan(tables::parties, {}, {}, [&](BytesView key, BytesView value) {
    const Party party = to_party(Eui64::from_number(get_be(key)), value);
    for (const EuiRange& range : party.allotted) {
      if (party.id != except && range.first <= wanted.last && wanted.first <= range.last)
        taken = party.id;
    }
    return !taken.ok();
  });
  return taken;
}
Status check_free(const storage::Reader& reader, const EuiRange& wanted, Eui64 party) {
  const Result<Eui64> taken = range_taken(reader, wanted, party);
  if (!taken.ok()) return {};
  return Refusal{
      "office-range-taken"_rule,
      wanted.first.text() + " to " + wanted.last.text() + " meets a range of " + taken->text(),
      "first"};
}

Status check_admit(const ActScene& scene, const json& payload, const Person&) {
  TRY_ASSIGN(const Eui64 id, read_eui(payload, "party"));
  if (find_party(scene.reader, id)) return bad_field("party", id.text() + " is a party already");
  if (!known_party_kind(get(payload, "kind")))
    return bad_field("kind", "'" + get(payload, "kind") + "' is no kind of party");
  TRY(read_user_roles(get(payload, "roles")));
  return check_free(scene.reader, {id, id}, id);
}
void admit(const ActScene& scene, storage::Batch& batch, const json& payload, const Act&) {
  Party party;
  party.id = Eui64::parse(get(payload, "party")).value();
  party.name = get(payload, "name");
  party.kind = get(payload, "kind");
  party.user_roles = read_user_roles(get(payload, "roles")).value();
  party.allotted = {{party.id, party.id}};
  party.dual_control = true;
  party.entry_tests_passed = party.device_subscriber = party.organisation_subscriber = false;
  batch.require_absent(tables::parties, party.id.octets(),
                       Refusal{"office-race"_rule, "the party was admitted at the same moment"});
  batch.put(tables::parties, party.id.octets(), to_record(party));
  add_party_fact(batch, party, scene.now, scene.trace);
}

Result<EuiRange> read_range(const json& payload) {
  EuiRange range;
  TRY_ASSIGN(range.first, read_eui(payload, "first"));
  TRY_ASSIGN(range.last, read_eui(payload, "last"));
  if (range.last < range.first) return bad_field("last", "the range ends before it starts");
  return range;
}
Status check_allot(const ActScene& scene, const json& payload, const Person&) {
  TRY_ASSIGN(const Party party, read_party(scene, payload));
  TRY_ASSIGN(const EuiRange range, read_range(payload));
  return check_free(scene.reader, range, party.id);
}

// Acts that change one field of a party.
template <typename Change>
void change_party(const ActScene& scene, storage::Batch& batch, const json& payload,
                  Change&& change) {
  const Party before = read_party(scene, payload).value();
  Party after = before;
  change(after);
  put_party(scene, batch, before, after);
}
Status check_party(const ActScene& scene, const json& payload, const Person&) {
  TRY(read_party(scene, payload));
  return {};
}
void allot(const ActScene& scene, storage::Batch& batch, const json& payload, const Act&) {
  change_party(scene, batch, payload,
               [&](Party& party) { party.allotted.push_back(read_range(payload).value()); });
}
void pass_tests(const ActScene& scene, storage::Batch& batch, const json& payload, const Act&) {
  change_party(scene, batch, payload, [](Party& party) { party.entry_tests_passed = true; });
}

Status check_authorise(const ActScene& scene, const json& payload, const Person&) {
  TRY_ASSIGN(const Party party, read_party(scene, payload));
  const std::string policy = get(payload, "policy");
  if (policy != "device" && policy != "organisation")
    return bad_field("policy", "'" + policy + "' is neither device nor organisation");
  if (!party.entry_tests_passed)
    return Refusal{"office-entry-tests"_rule, party.id.text() + " has not passed them", "party"};
  const std::vector<Person> people = all_people(scene.reader);
  const bool officer = std::ranges::any_of(people, [&](const Person& person) {
    return person.party == party.id && person.role == "aro" && person.may_act(scene.now);
  });
  if (!officer)
    return Refusal{"office-no-officer"_rule, party.id.text() + " has no officer", "party"};
  return {};
}
void authorise(const ActScene& scene, storage::Batch& batch, const json& payload, const Act&) {
  change_party(scene, batch, payload, [&](Party& party) {
    (get(payload, "policy") == "device" ? party.device_subscriber : party.organisation_subscriber) =
        true;
  });
}
void suspend_subscriber(const ActScene& scene, storage::Batch& batch, const json& payload,
                        const Act&) {
  change_party(scene, batch, payload, [](Party& party) {
    party.device_subscriber = party.organisation_subscriber = false;
  });
}

// ---- people

const PersonRoleRow& role_row(std::string_view role) {
  const auto row = std::ranges::find(person_roles(), role, &PersonRoleRow::id);
  CHECK(row != person_roles().end());
  return *row;
}

Result<UtcTime> read_screening(const ActScene& scene, const json& payload, std::string_view role) {
  const std::string date = get(payload, "screened_on");
  const std::optional<UtcTime> at = UtcTime::parse_iso(date + "T00:00:00Z");
  if (!at) return bad_field("screened_on", "'" + date + "' is no date as yyyy-mm-dd");
  if (*at > scene.now) return bad_field("screened_on", date + " is still to come");
  const UtcTime until = at->plus_seconds(std::int64_t{role_row(role).appointed_days} * 86400);
  if (until <= scene.now) return bad_field("screened_on", "a screening of " + date + " has lapsed");
  return until;
}

template <const char* Role>
Status check_appoint(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY(read_screening(scene, payload, Role));
  if (role_row(Role).of != "party") return {};
  TRY_ASSIGN(const Party party, read_party(scene, payload));
  if (proposer.party && proposer.party != party.id)
    return Refusal{"office-party"_rule, proposer.name + " belongs to another party", "party"};
  return {};
}
template <const char* Role>
void appoint(const ActScene& scene, storage::Batch& batch, const json& payload, const Act&) {
  appoint_person(scene, batch, payload, Role);
}
constexpr char kSro[] = "sro", kAro[] = "aro", kManager[] = "ra-manager",
               kPersonnel[] = "ra-personnel", kCustodian[] = "key-custodian";

Status check_person(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY_ASSIGN(const Person person, read_person(scene, payload));
  if (person.state == PersonState::removed)
    return bad_field("person", person.name + " was removed; appoint again");
  if (proposer.party && proposer.party != person.party)
    return Refusal{"office-party"_rule, proposer.name + " belongs to another party", "person"};
  return {};
}
// Two managers must remain, or nobody could ever be appointed again.
Status check_leaving(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY(check_person(scene, payload, proposer));
  TRY_ASSIGN(const Person leaving, read_person(scene, payload));
  if (leaving.role != kManager) return {};
  const auto remaining = std::ranges::count_if(all_people(scene.reader), [&](const Person& one) {
    return one.id != leaving.id && one.role == kManager && one.may_act(scene.now);
  });
  if (remaining >= 2) return {};
  return Refusal{"office-managers"_rule, "fewer than two managers would remain", "person"};
}
Status check_renew(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY(check_person(scene, payload, proposer));
  TRY(read_screening(scene, payload, read_person(scene, payload)->role));
  return {};
}
void renew(const ActScene& scene, storage::Batch& batch, const json& payload, const Act&) {
  Person person = read_person(scene, payload).value();
  person.appointed_until = read_screening(scene, payload, person.role).value();
  put_person(scene, batch, person, "screened");
}

template <PersonState State>
void set_state(const ActScene& scene, storage::Batch& batch, const json& payload, const Act&) {
  Person person = read_person(scene, payload).value();
  person.state = State;
  put_person(scene, batch, person, text(State));
}

std::string credential_of(const json& payload) {
  const std::string given = get(payload, "certificate");
  const Result<Bytes> pem = x509::from_pem("CERTIFICATE", given);
  const std::optional<Bytes> der = pem.ok() ? std::optional(*pem) : from_base64(given);
  return der && !der->empty() ? to_hex(crypto::sha256(*der)) : "";
}
Status check_credential(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY(check_person(scene, payload, proposer));
  const std::string credential = credential_of(payload);
  if (credential.empty()) return bad_field("certificate", "it is neither PEM nor base64");
  for (const Person& person : all_people(scene.reader)) {
    if (person.credential == credential && std::to_string(person.id) != get(payload, "person"))
      return bad_field("certificate",
                       "it is the credential of person " + std::to_string(person.id));
  }
  return {};
}
void set_credential(const ActScene& scene, storage::Batch& batch, const json& payload, const Act&) {
  Person person = read_person(scene, payload).value();
  person.credential = credential_of(payload);
  put_person(scene, batch, person, "credential");
}

// ---- certificates

Result<Bytes> held_key(const json& payload) {
  const std::uint64_t batch = std::stoull(get(payload, "batch"));
  return row_key(batch, static_cast<std::uint32_t>(std::stoul(get(payload, "row"))));
}
Status check_issue(const ActScene& scene, const json& payload, const Person&) {
  TRY_ASSIGN(const Bytes key, held_key(payload));
  if (!scene.reader.get(tables::held_rows, key))
    return bad_field("row", "no request is held there; submit a signing request instead");
  return {};
}
// Hands the held request to the certification authority.
void issue(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  const Bytes key = held_key(payload).value();
  const Bytes work = scene.reader.get(tables::held_rows, key).value();
  batch.erase(tables::held_rows, key);
  batch.erase(tables::batch_rows, key);
  const std::optional<Bytes> decisions =
      scene.reader.get(tables::batches, part_key(batch_of(key), kDecisions));
  CHECK(decisions.has_value());  // a held row belongs to a batch
  Numbers orders(scene.reader, kWorkOrder);
  const WorkKey work_key{orders.draw(), Lane::single, Decisions::read(*decisions).subscriber,
                         batch_of(key), row_of(key)};
  orders.put(batch);
  batch.put(tables::ca_work, work_key.octets(), work);
  batch.append(FactWriter(FactKind::row_authorised, scene.now, scene.trace)
                   .number(FactField::batch, batch_of(key))
                   .number(FactField::row, row_of(key))
                   .number(FactField::count, 1)
                   .octets(FactField::batch_digest, crypto::sha256(work))
                   .number(FactField::act, act.id)
                   .bytes());
}
void refuse_issue(const ActScene& scene, storage::Batch& batch, const json& payload,
                  std::string_view reason) {
  const Bytes key = held_key(payload).value();
  refuse_held_row(scene.reader, batch, key,
                  Refusal{"csr-rejected"_rule, std::string(reason), "subject"}, scene.now,
                  scene.trace);
}

Status check_revoke(const ActScene& scene, const json& payload, const Person& proposer) {
  const std::string grounds = get(payload, "grounds");
  const auto row = std::ranges::find(revocation_grounds(), grounds, &GroundsRow::id);
  if (row == revocation_grounds().end())
    return bad_field("grounds", "'" + grounds + "' is not in data/revocation_grounds.tsv");
  const Result<CertificateSerial> serial = CertificateSerial::parse_hex(get(payload, "serial"));
  if (!serial.ok()) return bad_field("serial", serial.refusal().detail);
  TRY_ASSIGN(const Revocable certificate, find_revocable(scene.reader, *serial));
  if (!has_role(row->requesters, proposer.party ? "subscriber" : "ra"))
    return bad_field("grounds", grounds + " is not for a subscriber to give");
  if (!proposer.party) return {};
  const std::optional<Party> party = find_party(scene.reader, *proposer.party);
  const bool own =
      party && certificate.eui && std::ranges::any_of(party->allotted, [&](const EuiRange& range) {
        return range.contains(*certificate.eui);
      });
  if (!own)
    return Refusal{"office-party"_rule, "the certificate is another subscriber's", "serial"};
  return {};
}
void authorise_revocation(const ActScene& scene, storage::Batch& batch, const json& payload,
                          const Act& act) {
  const CertificateSerial serial = CertificateSerial::parse_hex(get(payload, "serial")).value();
  const auto row =
      std::ranges::find(revocation_grounds(), get(payload, "grounds"), &GroundsRow::id);
  batch.put(tables::revocation_work, serial.octets(),
            RecordWriter().number(row->reason).number(act.id).octets(scene.trace.octets()).bytes());
  batch.append(FactWriter(FactKind::revocation_authorised, scene.now, scene.trace)
                   .serial(serial)
                   .number(FactField::reason, row->reason)
                   .text(FactField::event, row->id)
                   .number(FactField::act, act.id)
                   .bytes());
}

// ---- keys of authorities: the act itself is the permission, which a ceremony uses up

// A root's own certificate is on nobody's list.
Status check_authority_revocation(const ActScene& scene, const json& payload) {
  const std::string grounds = get(payload, "grounds");
  if (std::ranges::find(revocation_grounds(), grounds, &GroundsRow::id) ==
      revocation_grounds().end())
    return bad_field("grounds", "'" + grounds + "' is not in data/revocation_grounds.tsv");
  const Result<CertificateSerial> serial = CertificateSerial::parse_hex(get(payload, "serial"));
  if (!serial.ok()) return bad_field("serial", serial.refusal().detail);
  for (const CertificateProfile& profile : certificate_profiles()) {
    if (!profile.is_ca() || profile.issuer == profile.id) continue;
    std::vector<Authority> all = former_authorities(scene.reader, profile.id);
    if (std::optional<Authority> current = find_authority(scene.reader, profile.id))
      all.push_back(std::move(*current));
    for (const Authority& one : all) {
      if (one.certificate.serial != *serial) continue;
      if (is_revoked(scene.reader, one.certificate))
        return Refusal{"revoke-already"_rule, serial->hex() + " is on the list", "serial"};
      return {};
    }
  }
  return bad_field("serial", "it is the certificate of no issuing authority");
}

// What the order is, and whether the case is at this step, recovery judges when the act is used.
Status check_recovery_order(const ActScene&, const json& payload, const Person&) {
  const std::string number = get(payload, "case");
  if (number.empty() || number.size() > 18 || number[0] == '0' ||
      number.find_first_not_of("0123456789") != std::string::npos)
    return bad_field("case", "it is no number");
  const std::optional<Bytes> digest = from_hex(get(payload, "order"));
  if (!digest || digest->size() != 32) return bad_field("order", "it is no SHA-256");
  return {};
}

Status check_key_act(const ActScene& scene, const json& payload, const Person&) {
  const std::string purpose = get(payload, "purpose");
  if (purpose == "renew-lists") return {};
  if (purpose == "revoke-authority") return check_authority_revocation(scene, payload);
  if (purpose == "establish-root") {
    if (get(payload, "profile") == "root-oca") return {};
    return bad_field("profile", "'" + get(payload, "profile") + "' is not root-oca");
  }
  if (purpose != "establish-authority")
    return bad_field("purpose", "'" + purpose +
                                    "' is none of renew-lists, revoke-authority, "
                                    "establish-authority and establish-root");
  const CertificateProfile* const profile = find_certificate_profile(get(payload, "profile"));
  if (!profile || !profile->is_ca() || profile->issuer == profile->id)
    return bad_field("profile", "'" + get(payload, "profile") +
                                    "' is no issuing authority: issuing-oca or issuing-dca");
  return {};
}
void permit(const ActScene&, storage::Batch&, const json&, const Act&) {}

constexpr ActHandler kHandlers[] = {
    {"admit-organisation", "party,name,kind,roles?,evidence", check_admit, admit},
    {"allot-range", "party,first,last", check_allot, allot},
    {"record-entry-tests", "party,evidence", check_party, pass_tests},
    {"authorise-subscriber", "party,policy", check_authorise, authorise},
    {"suspend-subscriber", "party,reason", check_party, suspend_subscriber},
    {"appoint-sro", "party,name,evidence,screened_on", check_appoint<kSro>, appoint<kSro>},
    {"appoint-aro", "party,name,evidence,screened_on", check_appoint<kAro>, appoint<kAro>},
    {"appoint-ra-personnel", "name,evidence,screened_on", check_appoint<kPersonnel>,
     appoint<kPersonnel>},
    {"appoint-ra-manager", "name,evidence,screened_on", check_appoint<kManager>, appoint<kManager>},
    {"appoint-key-custodian", "name,evidence,screened_on", check_appoint<kCustodian>,
     appoint<kCustodian>},
    {"renew-screening", "person,evidence,screened_on", check_renew, renew},
    {"register-credential", "person,certificate", check_credential, set_credential},
    {"suspend-person", "person,reason", check_leaving, set_state<PersonState::suspended>},
    {"reinstate-person", "person,reason", check_person, set_state<PersonState::appointed>},
    {"remove-person", "person,reason", check_leaving, set_state<PersonState::removed>},
    {kIssueAct, "batch,row,profile,subject", check_issue, issue, refuse_issue},
    {"revoke-certificate", "serial,grounds,statement?", check_revoke, authorise_revocation},
    {"plan-maintenance", "from,until,reason", check_maintenance, plan_maintenance},
    {"cancel-maintenance", "maintenance,reason", check_cancel, cancel_maintenance},
    {"withhold-demand-report", "party,month,reason", check_withhold, withhold_report},
    {"release-demand-report", "party,month,reason", check_release, release_report},
    {"authority-key-act", "purpose,serial?,grounds?,profile?", check_key_act, permit},
    {"order-recovery", "case,order,reason", check_recovery_order, permit},
};

}  // namespace

Status check_appointment(const ActScene& scene, const json& payload, std::string_view role) {
  TRY(read_screening(scene, payload, role));
  return {};
}
Person appoint_person(const ActScene& scene, storage::Batch& batch, const json& payload,
                      std::string_view role) {
  Numbers numbers(scene.reader, "next_person");
  Person person;
  person.id = numbers.draw();
  person.name = get(payload, "name");
  person.role = role;
  if (payload.contains("party")) person.party = Eui64::parse(get(payload, "party")).value();
  person.appointed_until = read_screening(scene, payload, role).value();
  numbers.put(batch);
  put_person(scene, batch, person, "appointed");
  return person;
}

// A test proves that rows and handlers are the same.
const ActHandler& act_handler(std::string_view kind) {
  for (const std::span<const ActHandler> handlers :
       {std::span<const ActHandler>(kHandlers), pma_seat_acts(), pma_meeting_acts(),
        document_set_acts(), assurance_acts()}) {
    const auto handler = std::ranges::find(handlers, kind, &ActHandler::kind);
    if (handler != handlers.end()) return *handler;
  }
  UNREACHABLE();
}

std::string_view act_fields(std::string_view kind) { return act_handler(kind).fields; }

namespace {
std::size_t most_octets(std::string_view field) {
  if (field == "certificate") return 12'000;
  return field == "text" || field == "factors" ? 4'000 : 400;
}
}  // namespace

Status check_fields(const ActHandler& handler, const json& payload) {
  if (!payload.is_object()) return bad_field("payload", "it is no JSON object");
  std::string_view rest = handler.fields;
  std::size_t known = 0;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    std::string field(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    const bool optional = field.back() == '?';
    if (optional) field.pop_back();
    const auto found = payload.find(field);
    if (found == payload.end() && optional) continue;
    if (found == payload.end()) return Refusal{"office-payload"_rule, "it is missing", field};
    ++known;
    const std::size_t most = most_octets(field);
    if (!found->is_string() || found->get_ref<const std::string&>().empty() ||
        found->get_ref<const std::string&>().size() > most)
      return Refusal{"office-payload"_rule,
                     "it is no text of 1 to " + std::to_string(most) + " octets", field};
  }
  if (payload.size() != known)
    return Refusal{"office-payload"_rule,
                   "the act has the fields " + std::string(handler.fields) + " and no others",
                   "payload"};
  return {};
}

json issue_payload(BatchId batch, std::uint32_t row, const Asked& asked) {
  return {{"batch", std::to_string(batch)},
          {"row", std::to_string(row)},
          {"profile", asked.profile->id},
          {"subject", asked.subject.eui->text() + " as " + ou_text(*asked.subject.role)}};
}

}  // namespace wattseal::smki
