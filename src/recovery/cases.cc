#include "recovery/cases.h"

#include <algorithm>

#include "base/fault.h"
#include "terms/tables.h"

namespace wattseal::recovery {
namespace {

constexpr CompromiseRow kCompromises[] = {
#include "tables/recovery_compromises.inc"
};
constexpr MethodRow kMethods[] = {
#include "tables/recovery_methods.inc"
};
constexpr StepRow kSteps[] = {
#include "tables/recovery_steps.inc"
};
constexpr NoteKindRow kNoteKinds[] = {
#include "tables/recovery_notes.inc"
};

constexpr std::string_view kStateTexts[] = {"enlisted", "sent", "waiting", "recovered", "failed"};

bool listed(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t slash = list.find('/');
    if (list.substr(0, slash) == item) return true;
    list = slash == std::string_view::npos ? std::string_view{} : list.substr(slash + 1);
  }
  return false;
}

void write_eui(RecordWriter& record, const std::optional<Eui64>& eui) {
  record.octets(eui ? to_bytes(eui->octets()) : Bytes());
}
std::optional<Eui64> read_eui(RecordReader& record) {
  const BytesView octets = record.octets();
  return octets.size() == 8 ? std::optional(Eui64::from_number(get_be(octets))) : std::nullopt;
}
Bytes join(const std::vector<std::array<Octet, 8>>& keys) {
  Bytes out;
  for (const std::array<Octet, 8>& key : keys) append(out, key);
  return out;
}
UtcTime read_time(RecordReader& record) {
  return UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
}
std::uint64_t seconds(UtcTime time) { return static_cast<std::uint64_t>(time.unix_seconds()); }

bool applies(const StepRow& row, const Case* of) {
  const MethodRow* const method = of ? find_method(of->method) : nullptr;
  if (row.condition == "all") return true;
  if (!method) return false;
  if (row.condition == "pma") return method->needs_pma();
  if (row.condition == "custodians") return method->needs_custodians();
  return row.condition == "no-custodians" && !method->needs_custodians();
}

}  // namespace

std::span<const CompromiseRow> compromise_rows() { return kCompromises; }
std::span<const MethodRow> method_rows() { return kMethods; }
std::span<const StepRow> step_rows() { return kSteps; }
std::span<const NoteKindRow> note_kind_rows() { return kNoteKinds; }

unsigned MethodRow::mode() const {
  return static_cast<unsigned>(std::stoul(std::string(mode_text)));
}
bool MethodRow::serves(std::string_view compromise) const {
  return listed(compromises, compromise);
}
const MethodRow* find_method(std::string_view id) {
  const MethodRow* const found = std::ranges::find(kMethods, id, &MethodRow::id);
  return found == std::end(kMethods) ? nullptr : found;
}

bool Reach::covers(const Slot& slot, const Held& held) const {
  if (role && slot.role != *role) return false;
  if (party && held.party != *party) return false;
  return keys.empty() || std::ranges::find(keys, held.key) != keys.end();
}

Bytes Order::encode() const {
  RecordWriter record;
  record.number(number).text(method);
  write_eui(record, originator);
  record.text(key_label);
  write_eui(record, reach.party);
  record.octets(join(reach.keys)).number(reach.role ? 1 + static_cast<unsigned>(*reach.role) : 0);
  record.number(cells.size());
  for (const Replacement& one : cells) {
    record.text(text(one.slot));
    write_eui(record, one.instead_of);
    record.octets(one.certificate);
  }
  record.number(path.size());
  for (const Bytes& one : path) record.octets(one);
  return record.bytes();
}

std::vector<std::array<Octet, 8>> split_keys(BytesView octets) {
  std::vector<std::array<Octet, 8>> keys;
  for (; octets.size() >= 8; octets = octets.subspan(8)) {
    std::array<Octet, 8> key{};
    std::ranges::copy(octets.first(8), key.begin());
    keys.push_back(key);
  }
  return keys;
}

Order Order::decode(BytesView octets) {
  RecordReader record(octets);
  Order order;
  order.number = record.number();
  order.method = record.text();
  order.originator = read_eui(record).value_or(Eui64());
  order.key_label = record.text();
  order.reach.party = read_eui(record);
  order.reach.keys = split_keys(record.octets());
  if (const std::uint64_t role = record.number(); role != 0)
    order.reach.role = remote_party_role(static_cast<unsigned>(role - 1));
  for (std::uint64_t left = record.number(); left > 0; --left) {
    const Result<Slot> slot = parse_slot(record.text());
    if (!slot.ok()) throw Fault("a recovery order is damaged");
    const std::optional<Eui64> instead_of = read_eui(record);
    order.cells.push_back({*slot, instead_of, to_bytes(record.octets())});
  }
  for (std::uint64_t left = record.number(); left > 0; --left)
    order.path.push_back(to_bytes(record.octets()));
  return order;
}

crypto::Digest Order::digest() const { return crypto::sha256(encode()); }

// With the contingency key everything that the device has is replaced, and the root first, as the
// others must chain to it.
std::vector<Replacement> Order::for_device(const Holdings& holdings) const {
  std::vector<Replacement> out;
  for (const Replacement& one : cells) {
    const auto held = holdings.find(one.slot);
    if (held == holdings.end() || !reach.covers(one.slot, held->second)) continue;
    if (one.instead_of && *one.instead_of != held->second.party) continue;
    out.insert(one.slot.role == RemotePartyRole::root ? out.begin() : out.end(), one);
  }
  return out;
}

Bytes Case::encode() const {
  RecordWriter record;
  record.text(state).text(compromise);
  write_eui(record, party);
  write_eui(record, beneficiary);
  record.octets(join(keys)).text(method).octets(order).number(decision).number(act);
  record.number(seconds(opened)).number(seconds(since)).number(seconds(executing_since));
  record.octets(trace.octets()).number(enlisted ? 1 : 0);
  write_eui(record, enlisted_through);
  for (const auto& [event, person] : takers) record.text(event).number(person);
  return record.bytes();
}

Case Case::decode(CaseNumber number, BytesView octets) {
  RecordReader record(octets);
  Case one;
  one.number = number;
  one.state = record.text();
  one.compromise = record.text();
  one.party = read_eui(record);
  one.beneficiary = read_eui(record);
  one.keys = split_keys(record.octets());
  one.method = record.text();
  const BytesView digest = record.octets();
  if (digest.size() != one.order.size()) throw Fault("a recovery case is damaged");
  std::ranges::copy(digest, one.order.begin());
  one.decision = record.number();
  one.act = record.number();
  one.opened = read_time(record);
  one.since = read_time(record);
  one.executing_since = read_time(record);
  std::array<Octet, 16> trace{};
  const BytesView trace_octets = record.octets();
  if (trace_octets.size() != trace.size()) throw Fault("a recovery case is damaged");
  std::ranges::copy(trace_octets, trace.begin());
  one.trace = TraceId(trace);
  one.enlisted = record.number() == 1;
  one.enlisted_through = read_eui(record).value_or(Eui64());
  while (!record.empty()) {
    std::string event = record.text();
    one.takers[std::move(event)] = record.number();
  }
  return one;
}

bool Case::ended() const {
  return state == "closed" || state == "rejected" || state == "withdrawn";
}

Bytes case_key(CaseNumber number) {
  Bytes key;
  put_be(key, number);
  return key;
}
Bytes order_key(CaseNumber number) {
  Bytes key = case_key(number);
  key.push_back('o');
  return key;
}
Bytes device_key(CaseNumber number, Eui64 device) {
  Bytes key = case_key(number);
  put_be(key, device.number());
  return key;
}

std::vector<Case> cases(const storage::Reader& reader) {
  std::vector<Case> list;
  reader.scan_backwards(tables::recovery_cases, {}, {}, [&](BytesView key, BytesView value) {
    if (key.size() == 8) list.push_back(Case::decode(get_be(key), value));
    return true;
  });
  return list;
}

Result<Case> find_case(const storage::Reader& reader, CaseNumber number) {
  const std::optional<Bytes> record = reader.get(tables::recovery_cases, case_key(number));
  if (!record)
    return Refusal{"recovery-unknown"_rule, "there is no case " + std::to_string(number), "case"};
  return Case::decode(number, *record);
}

std::optional<Order> find_order(const storage::Reader& reader, CaseNumber number) {
  const std::optional<Bytes> record = reader.get(tables::recovery_cases, order_key(number));
  return record ? std::optional(Order::decode(*record)) : std::nullopt;
}

Result<const StepRow*> find_step(const Case* of, std::string_view event) {
  const std::string_view state = of ? std::string_view(of->state) : "none";
  for (const StepRow& row : kSteps) {
    if (row.event == event && listed(row.from, state) && applies(row, of)) return &row;
  }
  return Refusal{"recovery-step"_rule,
                 of ? "case " + std::to_string(of->number) + " is " + of->state +
                          (of->method.empty() ? "" : " by " + of->method)
                    : "'" + std::string(event) + "' does not open a case",
                 "event"};
}

Status check_taker(const StepRow& row, const Case* of, const smki::Office& office,
                   const smki::Actor& actor, UtcTime now) {
  TRY_ASSIGN(const smki::Person person, office.person(actor.person));
  if (!person.may_act(now))
    return Refusal{"office-person"_rule, "person " + std::to_string(actor.person) + " may not act",
                   "person"};
  if (!listed(row.who, person.role))
    return Refusal{"recovery-role"_rule, person.role + " is none of " + std::string(row.who),
                   "person"};
  if (!of || row.other == "-") return {};
  const auto taker = of->takers.find(std::string(row.other));
  if (taker == of->takers.end() || taker->second != actor.person) return {};
  return Refusal{"recovery-same-person"_rule,
                 "the same person took the step " + std::string(row.other), "person"};
}

std::string_view text(DeviceState state) { return kStateTexts[static_cast<unsigned>(state) - 1]; }
std::optional<DeviceState> device_state(std::string_view wanted) {
  const std::string_view* const found = std::ranges::find(kStateTexts, wanted);
  if (found == std::end(kStateTexts)) return std::nullopt;
  return static_cast<DeviceState>(1 + (found - std::begin(kStateTexts)));
}

}  // namespace wattseal::recovery
