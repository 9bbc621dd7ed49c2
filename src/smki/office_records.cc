#include "smki/office_records.h"

#include "base/fault.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

struct RawAct {
  std::string_view id, meaning, proposers, approvals, valid_hours, source, in_force_from;
};
constexpr RawAct kRawActs[] = {
#include "tables/acts.inc"
};
struct RawPersonRole {
  std::string_view id, of, appointed_days, meaning, source, in_force_from;
};
constexpr RawPersonRole kRawPersonRoles[] = {
#include "tables/person_roles.inc"
};
struct RawGrounds {
  std::string_view id, reason, requesters, meaning, source, in_force_from;
};
constexpr RawGrounds kRawGrounds[] = {
#include "tables/revocation_grounds.inc"
};

template <typename To, typename From, std::size_t N, typename Make>
constexpr std::array<To, N> compile(const From (&raw)[N], Make make) {
  std::array<To, N> rows{};
  for (std::size_t i = 0; i < N; ++i) rows[i] = make(raw[i]);
  return rows;
}
constexpr auto kActs = compile<ActRow>(kRawActs, [](const RawAct& raw) {
  return ActRow{raw.id,
                raw.meaning,
                raw.proposers,
                raw.approvals,
                static_cast<int>(to_unsigned(raw.valid_hours)),
                raw.source};
});
constexpr auto kPersonRoles = compile<PersonRoleRow>(kRawPersonRoles, [](const RawPersonRole& raw) {
  return PersonRoleRow{raw.id, raw.of, static_cast<int>(to_unsigned(raw.appointed_days)),
                       raw.meaning};
});
constexpr auto kGrounds = compile<GroundsRow>(kRawGrounds, [](const RawGrounds& raw) {
  return GroundsRow{raw.id, to_unsigned(raw.reason), raw.requesters, raw.meaning};
});

template <typename Visit>
void each_part(std::string_view list, char separator, Visit&& visit) {
  while (!list.empty()) {
    const std::size_t end = list.find(separator);
    visit(list.substr(0, end));
    list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
  }
}

Bytes number_key(std::uint64_t number) {
  Bytes key;
  put_be(key, number);
  return key;
}

UtcTime time_of(RecordReader& record) {
  return UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
}
std::uint64_t stored(UtcTime time) { return static_cast<std::uint64_t>(time.unix_seconds()); }

}  // namespace

std::span<const ActRow> act_rows() { return kActs; }
std::span<const PersonRoleRow> person_roles() { return kPersonRoles; }
std::span<const GroundsRow> revocation_grounds() { return kGrounds; }

std::vector<ApprovalGroup> ActRow::approvals() const {
  std::vector<ApprovalGroup> groups;
  if (approvals_text == "-") return groups;
  each_part(approvals_text, ',', [&](std::string_view group) {
    const std::size_t colon = group.find(':');
    groups.push_back({group.substr(0, colon), to_unsigned(group.substr(colon + 1))});
  });
  return groups;
}

bool has_role(std::string_view slash_list, std::string_view role) {
  bool found = false;
  each_part(slash_list, '/', [&](std::string_view one) { found = found || one == role; });
  return found;
}

const ActRow* find_act_row(std::string_view kind) {
  const auto* const row = std::ranges::find(kActs, kind, &ActRow::id);
  return row == kActs.end() ? nullptr : row;
}

// ---- parties

Bytes to_record(const Party& party) {
  RecordWriter record;
  record.text(party.name).text(party.kind).text(role_codes(party));
  record.number(party.dual_control).number(party.entry_tests_passed);
  record.number(party.device_subscriber).number(party.organisation_subscriber);
  for (const EuiRange& range : party.allotted)
    record.octets(range.first.octets()).octets(range.last.octets());
  return record.bytes();
}

Party to_party(Eui64 id, BytesView octets) {
  RecordReader record(octets);
  Party party;
  party.id = id;
  party.name = record.text();
  party.kind = record.text();
  each_part(record.text(), '/', [&](std::string_view role) {
    if (const std::optional<UserRole> known = user_role(role)) party.user_roles.push_back(*known);
  });
  party.dual_control = record.number() != 0;
  party.entry_tests_passed = record.number() != 0;
  party.device_subscriber = record.number() != 0;
  party.organisation_subscriber = record.number() != 0;
  while (!record.empty()) {
    const Eui64 first = Eui64::from_number(get_be(record.octets()));
    party.allotted.push_back({first, Eui64::from_number(get_be(record.octets()))});
  }
  return party;
}

std::optional<Party> find_party(const storage::Reader& reader, Eui64 id) {
  const std::optional<Bytes> record = reader.get(tables::parties, id.octets());
  return record ? std::optional(to_party(id, *record)) : std::nullopt;
}

// ---- people

Bytes person_key(PersonId id) { return number_key(id); }

Bytes to_record(const Person& person) {
  RecordWriter record;
  record.text(person.name).text(person.role);
  record.octets(person.party ? to_bytes(person.party->octets()) : Bytes());
  record.number(static_cast<std::uint64_t>(person.state)).number(stored(person.appointed_until));
  record.text(person.credential);
  return record.bytes();
}

Person to_person(PersonId id, BytesView octets) {
  RecordReader record(octets);
  Person person;
  person.id = id;
  person.name = record.text();
  person.role = record.text();
  const BytesView party = record.octets();
  if (!party.empty()) person.party = Eui64::from_number(get_be(party));
  person.state = static_cast<PersonState>(record.number());
  person.appointed_until = time_of(record);
  person.credential = record.text();
  return person;
}

std::optional<Person> find_person(const storage::Reader& reader, PersonId id) {
  const std::optional<Bytes> record = reader.get(tables::people, person_key(id));
  return record ? std::optional(to_person(id, *record)) : std::nullopt;
}

std::vector<Person> all_people(const storage::Reader& reader) {
  std::vector<Person> people;
  reader.scan(tables::people, {}, {}, [&](BytesView key, BytesView value) {
    people.push_back(to_person(get_be(key), value));
    return true;
  });
  return people;
}

std::string_view belongs_to(const Person& person) {
  const auto row = std::ranges::find(kPersonRoles, person.role, &PersonRoleRow::id);
  return row == kPersonRoles.end() ? "party" : row->of;
}

std::string_view text(PersonState state) {
  constexpr std::string_view kTexts[] = {"appointed", "suspended", "removed"};
  return kTexts[static_cast<std::size_t>(state)];
}

// ---- acts

Bytes act_key(ActId id) { return number_key(id); }

Bytes to_record(const Act& act) {
  RecordWriter record;
  record.text(act.kind).text(act.payload).number(static_cast<std::uint64_t>(act.state));
  record.number(act.proposer).number(stored(act.proposed_at)).number(stored(act.lapses_at));
  record.text(act.reason);
  for (const PersonId approver : act.approvers) record.number(approver);
  return record.bytes();
}

Act to_act(ActId id, BytesView octets) {
  RecordReader record(octets);
  Act act;
  act.id = id;
  act.kind = record.text();
  act.payload = record.text();
  act.state = static_cast<ActState>(record.number());
  act.proposer = record.number();
  act.proposed_at = time_of(record);
  act.lapses_at = time_of(record);
  act.reason = record.text();
  while (!record.empty()) act.approvers.push_back(record.number());
  return act;
}

std::string_view text(ActState state) {
  constexpr std::string_view kTexts[] = {"open", "done", "rejected", "lapsed"};
  return kTexts[static_cast<std::size_t>(state)];
}

Numbers::Numbers(const storage::Reader& reader, std::string_view counter)
    : key_(to_bytes(as_bytes(counter))), stored_(reader.get(tables::meta, key_)) {
  first_ = next_ = stored_ ? RecordReader(*stored_).number() : 1;
}

void Numbers::put(storage::Batch& batch) const {
  if (next_ == first_) return;
  const Refusal race{"office-race"_rule, "somebody else drew a number at the same moment"};
  if (stored_) {
    batch.require_value(tables::meta, key_, *stored_, race);
  } else {
    batch.require_absent(tables::meta, key_, race);
  }
  batch.put(tables::meta, key_, encode_count(next_));
}

Act make_act(ActId id, const ActRow& row, const json& payload, PersonId proposer, UtcTime now) {
  Act act;
  act.id = id;
  act.kind = row.id;
  act.payload = payload.dump();
  act.proposer = proposer;
  act.proposed_at = now;
  act.lapses_at = now.plus_seconds(std::int64_t{row.valid_hours} * 3600);
  return act;
}

void add_act(storage::Batch& batch, const Act& act, const Actor& actor, TraceId trace) {
  batch.put(tables::acts, act_key(act.id), to_record(act));
  batch.append(FactWriter(FactKind::act_proposed, act.proposed_at, trace)
                   .number(FactField::act, act.id)
                   .text(FactField::act_kind, act.kind)
                   .number(FactField::person, actor.person)
                   .text(FactField::address, actor.address)
                   .text(FactField::payload, act.payload)
                   .bytes());
}

}  // namespace wattseal::smki
