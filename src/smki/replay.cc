#include "smki/replay.h"

#include "base/fault.h"
#include "smki/access_log.h"
#include "smki/authority.h"
#include "smki/demand.h"
#include "smki/documents.h"
#include "smki/governance.h"
#include "smki/office_records.h"
#include "smki/revocation.h"

namespace wattseal::smki {
namespace {

using storage::Changes;

[[noreturn]] void lacks(const FactView& fact) {
  throw Fault("a " + std::string(fact_kind_name(fact.kind())) + " fact lacks a field");
}
Eui64 must_eui(const FactView& fact, FactField field) {
  const std::optional<Eui64> eui = fact.eui(field);
  if (!eui) lacks(fact);
  return *eui;
}
UtcTime time_of(const FactView& fact, FactField field) {
  return UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(field)));
}

// A counter of meta that gives the next number: one more than the greatest drawn.
void drawn(Changes& rows, std::string_view counter, std::uint64_t number) {
  const std::optional<Bytes> stored = rows.get(tables::meta, as_bytes(counter));
  if (!stored || RecordReader(*stored).number() <= number)
    rows.put(tables::meta, as_bytes(counter), encode_count(number + 1));
}

bool has_word(std::string_view list, std::string_view word) {
  return (" " + std::string(list) + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

void party(Changes& rows, const FactView& fact) {
  Party party;
  party.id = must_eui(fact, FactField::party);
  party.name = std::string(fact.text(FactField::name));
  party.kind = std::string(fact.text(FactField::roles));
  const std::string_view standing = fact.text(FactField::event);
  party.dual_control = has_word(standing, "dual-control");
  party.entry_tests_passed = has_word(standing, "entry-tests-passed");
  party.device_subscriber = has_word(standing, "device-subscriber");
  party.organisation_subscriber = has_word(standing, "organisation-subscriber");
  std::string_view roles = fact.text(FactField::user_roles);
  while (!roles.empty()) {
    const std::size_t end = roles.find('/');
    if (const std::optional<UserRole> role = user_role(roles.substr(0, end)))
      party.user_roles.push_back(*role);
    roles = end == std::string_view::npos ? std::string_view() : roles.substr(end + 1);
  }
  std::optional<Eui64> first;
  for (const auto& [tag, value] : fact.fields()) {
    if (tag == static_cast<std::uint8_t>(FactField::range_first))
      first = Eui64::from_number(get_be(value));
    if (tag == static_cast<std::uint8_t>(FactField::range_last) && first)
      party.allotted.push_back({*first, Eui64::from_number(get_be(value))});
  }
  rows.put(tables::parties, party.id.octets(), to_record(party));
}

void person(Changes& rows, const FactView& fact) {
  Person person;
  person.id = fact.number(FactField::person);
  person.name = std::string(fact.text(FactField::name_of_person));
  person.role = std::string(fact.text(FactField::roles));
  person.party = fact.eui(FactField::party);
  for (const PersonState state :
       {PersonState::appointed, PersonState::suspended, PersonState::removed}) {
    if (text(state) == fact.text(FactField::to_status)) person.state = state;
  }
  person.appointed_until = time_of(fact, FactField::effective_until);
  person.credential = std::string(fact.text(FactField::credential));
  rows.put(tables::people, person_key(person.id), to_record(person));
  drawn(rows, "next_person", person.id);
}

void act(Changes& rows, const FactView& fact) {
  const ActId id = fact.number(FactField::act);
  const std::optional<Bytes> before = rows.get(tables::acts, act_key(id));
  if (!before) throw Fault("act " + std::to_string(id) + " was never proposed");
  Act act = to_act(id, *before);
  switch (fact.kind()) {
    case FactKind::act_approved: act.approvers.push_back(fact.number(FactField::person)); break;
    case FactKind::act_done: act.state = ActState::done; break;
    default: act.state = ActState::rejected; act.reason = std::string(fact.text(FactField::detail));
  }
  rows.put(tables::acts, act_key(id), to_record(act));
}

void proposed(Changes& rows, const FactView& fact) {
  const ActRow* const row = find_act_row(fact.text(FactField::act_kind));
  if (row == nullptr) throw Fault("an act is of a kind that no longer exists");
  Act act = make_act(fact.number(FactField::act), *row, nlohmann::json(),
                     fact.number(FactField::person), fact.at());
  act.payload = std::string(fact.text(FactField::payload));
  rows.put(tables::acts, act_key(act.id), to_record(act));
  drawn(rows, "next_act", act.id);
}

Bytes row_of_fact(const FactView& fact) {
  return row_key(fact.number(FactField::batch),
                 static_cast<std::uint32_t>(fact.number(FactField::row)));
}

void submitted(Changes& rows, const FactView& fact) {
  const BatchId id = fact.number(FactField::batch);
  Bytes key = to_bytes(must_eui(fact, FactField::subscriber).octets());
  append(key, fact.find(FactField::batch_digest).value_or(BytesView()));
  rows.put(tables::submissions, key, encode_count(id));
}

// The key was reserved by the intent; facts from before those named it have it in the certificate.
void issued(Changes& rows, const FactView& fact) {
  rows.put(tables::batch_rows, row_of_fact(fact), encode_issued(*fact.serial()));
  const Result<x509::Certificate> certificate =
      x509::parse_certificate(fact.find(FactField::certificate).value_or(BytesView()));
  if (!certificate.ok()) throw Fault("a journalled certificate does not parse");
  rows.put(tables::keys_seen, key_seen_key(certificate->key), {});
  const Bytes issuer = certificate->authority_key_id.value_or(Bytes());
  const std::optional<Bytes> count = rows.get(tables::issued_counts, issuer);
  rows.put(tables::issued_counts, issuer,
           encode_count((count ? RecordReader(*count).number() : 0) + 1));
}

void revoked(Changes& rows, const FactView& fact) {
  if (!fact.serial()) lacks(fact);
  Bytes key = to_bytes(fact.find(FactField::issuer_key_id).value_or(BytesView()));
  append(key, fact.serial()->octets());
  rows.erase(tables::revocation_work, fact.serial()->octets());
  rows.put(tables::revocations, key,
           RecordWriter()
               .number(static_cast<std::uint64_t>(fact.at().unix_seconds()))
               .number(fact.number(FactField::reason))
               .bytes());
}

void revocation_authorised(Changes& rows, const FactView& fact) {
  if (!fact.serial()) lacks(fact);
  rows.put(tables::revocation_work, fact.serial()->octets(),
           RecordWriter()
               .number(fact.number(FactField::reason))
               .number(fact.number(FactField::act))
               .octets(fact.trace().octets())
               .bytes());
}

void ceremony(Changes& rows, const FactView& fact) {
  const std::uint64_t number = fact.number(FactField::ceremony);
  Bytes key;
  put_be(key, number);
  rows.put(tables::ceremonies, key, as_bytes(fact.text(FactField::payload)));
  if (const ActId act = fact.number(FactField::act)) rows.put(tables::key_acts, act_key(act), key);
  drawn(rows, "next_ceremony", number);
}

void checkpoint(Changes& rows, const FactView& fact) {
  Bytes key;
  put_be(key, fact.number(FactField::journal_size));
  rows.put(tables::journal_checkpoints, key, as_bytes(fact.text(FactField::note)));
}

}  // namespace

// What has ended leaves the calendar when something is planned.
void Replay::maintenance(Changes& rows, const FactView& fact) {
  const auto key_of = [](std::uint64_t id) {
    Bytes key;
    put_be(key, id);
    return key;
  };
  const std::uint64_t id = fact.number(FactField::maintenance);
  const bool cancelled = fact.kind() == FactKind::maintenance_cancelled;
  std::erase_if(planned_, [&](const auto& one) {
    const bool leaves = cancelled ? one.first == id : one.second <= fact.at();
    if (leaves) rows.erase(tables::maintenance, key_of(one.first));
    return leaves;
  });
  if (cancelled) return;
  planned_[id] = time_of(fact, FactField::effective_until);
  rows.put(tables::maintenance, key_of(id),
           RecordWriter()
               .number(fact.number(FactField::effective_from))
               .number(fact.number(FactField::effective_until))
               .number(static_cast<std::uint64_t>(fact.at().unix_seconds()))
               .text(fact.text(FactField::detail))
               .bytes());
}

// Rows of batches on their way.
void Replay::see_row(Changes& rows, const FactView& fact) {
  switch (fact.kind()) {
    case FactKind::batch_submitted: submitted(rows, fact); return work_.submitted(rows, fact);
    case FactKind::row_refused:
      rows.put(tables::batch_rows, row_of_fact(fact),
               encode_refused(fact.text(FactField::rule), fact.text(FactField::detail)));
      return work_.refused(rows, fact);
    case FactKind::row_held:
      rows.put(tables::batch_rows, row_of_fact(fact), encode_held(fact.number(FactField::act)));
      return work_.held(fact);
    case FactKind::row_authorised:
      if (fact.find(FactField::act)) rows.erase(tables::batch_rows, row_of_fact(fact));
      return work_.authorised(rows, fact);
    case FactKind::certificate_intended:
      if (!fact.serial()) lacks(fact);
      rows.put(tables::serials, fact.serial()->octets(), {});
      if (const std::optional<BytesView> key = fact.find(FactField::key_seen))
        rows.put(tables::keys_seen, *key, {});
      if (fact.find(FactField::batch)) work_.intended(fact);
      return;
    case FactKind::certificate_issued: issued(rows, fact); return work_.issued(rows, fact);
    case FactKind::batch_completed: return work_.completed(rows, fact);
    default: UNREACHABLE();
  }
}

// An authority that another succeeds is kept as a former one.
void Replay::see_authority(Changes& rows, const FactView& fact) {
  if (!fact.serial() || !authorities_.contains(*fact.serial())) lacks(fact);
  const std::string_view profile = fact.text(FactField::profile);
  std::uint32_t& generation = generations_[std::string(profile)];
  if (const std::optional<Bytes> before = rows.get(tables::authorities, as_bytes(profile)))
    rows.put(tables::former_authorities, former_key(profile, generation), *before);
  ++generation;
  rows.put(tables::authorities, as_bytes(profile),
           encode_authority(authorities_.at(*fact.serial()), fact.text(FactField::key_label)));
}

void Replay::see(Changes& rows, const FactView& fact) {
  switch (fact.kind()) {
    case FactKind::party_registered: return party(rows, fact);
    case FactKind::person_changed: return person(rows, fact);
    case FactKind::act_proposed: return proposed(rows, fact);
    case FactKind::act_approved:
    case FactKind::act_rejected:
    case FactKind::act_done: return act(rows, fact);
    case FactKind::batch_submitted:
    case FactKind::row_refused:
    case FactKind::row_held:
    case FactKind::row_authorised:
    case FactKind::certificate_intended:
    case FactKind::batch_completed: return see_row(rows, fact);
    case FactKind::certificate_issued:
      if (!fact.serial()) lacks(fact);
      if (fact.find(FactField::batch)) return see_row(rows, fact);
      authorities_[*fact.serial()] =
          to_bytes(fact.find(FactField::certificate).value_or(BytesView()));
      return;
    case FactKind::authority_established: return see_authority(rows, fact);
    case FactKind::revocation_authorised: return revocation_authorised(rows, fact);
    case FactKind::certificate_revoked: return revoked(rows, fact);
    case FactKind::ceremony_held: return ceremony(rows, fact);
    case FactKind::crl_issued: return replay_list_state(rows, fact);
    case FactKind::maintenance_planned:
    case FactKind::maintenance_cancelled: return maintenance(rows, fact);
    case FactKind::document_lodged:
    case FactKind::document_withdrawn: return Documents::replay(rows, fact);
    case FactKind::repository_accessed: return AccessLog::replay(rows, fact);
    case FactKind::demand_forecast_lodged:
    case FactKind::demand_notice_given:
    case FactKind::demand_report_withheld:
    case FactKind::demand_report_released: return Demand::replay(rows, fact);
    case FactKind::pma_seat_changed:
    case FactKind::pma_affiliation_changed:
    case FactKind::pma_meeting_changed:
    case FactKind::pma_resolution_moved:
    case FactKind::pma_vote_cast:
    case FactKind::pma_resolution_decided:
    case FactKind::assurance_recorded:
    case FactKind::document_set_changed: return replay_governance(rows, fact);
    case FactKind::journal_checkpoint_signed: return checkpoint(rows, fact);
    default: return;
  }
}

Status Replay::lists(storage::Store& into) {
  for (const CertificateProfile& profile : certificate_profiles()) {
    if (!profile.is_ca()) continue;
    std::vector<Authority> issuers = former_authorities(into, profile.id);
    if (std::optional<Authority> current = find_authority(into, profile.id))
      issuers.push_back(std::move(*current));
    for (const Authority& issuer : issuers) {
      const Result<Bytes> list = rebuild_list(into, issuer);
      if (!list.ok() && list.refusal().rule == "repository-not-found"_rule) continue;
      TRY(list);
      storage::Batch batch;
      batch.put(tables::crls, issuer.certificate.subject_key_id.value(), *list);
      TRY(into.commit(std::move(batch)));
    }
  }
  return {};
}

}  // namespace wattseal::smki
