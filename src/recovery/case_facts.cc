// What facts did to the tables of recovery, live and when the tables are made again; and what is
// read back from both.
#include <algorithm>

#include "base/fault.h"
#include "recovery/cases.h"
#include "terms/tables.h"

namespace wattseal::recovery {
namespace {

constexpr std::string_view kSignedText = "wattseal recovery step 1\n";
constexpr std::size_t kSignatureOctets = 64, kSignatureField = 2 + kSignatureOctets;

Bytes encode(const Progress& progress) {
  RecordWriter record;
  record.number(static_cast<unsigned>(progress.state))
      .number(progress.attempts)
      .number(progress.counter)
      .number(static_cast<std::uint64_t>(progress.since.unix_seconds()))
      .number(progress.due ? static_cast<std::uint64_t>(progress.due->unix_seconds()) : 0)
      .text(progress.detail);
  return record.bytes();
}

Progress decode_progress(Eui64 device, BytesView octets) {
  RecordReader record(octets);
  Progress progress;
  progress.device = device;
  progress.state = static_cast<DeviceState>(record.number());
  progress.attempts = record.number();
  progress.counter = record.number();
  progress.since = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  if (const std::uint64_t due = record.number(); due != 0)
    progress.due = UtcTime::from_unix_seconds(static_cast<std::int64_t>(due));
  progress.detail = record.text();
  return progress;
}

Bytes due_key(UtcTime due, CaseNumber number, Eui64 device) {
  Bytes key;
  put_be(key, static_cast<std::uint64_t>(due.unix_seconds()));
  put_be(key, number);
  put_be(key, device.number());
  return key;
}

Case must_find(const storage::Changes& rows, CaseNumber number) {
  const std::optional<Bytes> record = rows.get(tables::recovery_cases, case_key(number));
  if (!record) throw Fault("a fact names a recovery case that is not there");
  return Case::decode(number, *record);
}

// The row of a device, and its place among what is due.
void put_progress(storage::Changes& rows, CaseNumber number, const Progress& progress) {
  const Bytes key = device_key(number, progress.device);
  if (const std::optional<Bytes> before = rows.get(tables::recovery_devices, key)) {
    const Progress old = decode_progress(progress.device, *before);
    if (old.due) rows.erase(tables::recovery_due, due_key(*old.due, number, progress.device));
  }
  rows.put(tables::recovery_devices, key, encode(progress));
  if (progress.due)
    rows.put(tables::recovery_due, due_key(*progress.due, number, progress.device), {});
}

// Cells that are named take the place of what was known of them.
void merge_holdings(storage::Changes& rows, Eui64 device, BytesView changed) {
  const std::optional<Bytes> before = rows.get(tables::device_credentials, device.octets());
  Holdings all = before ? decode_holdings(*before) : Holdings();
  for (const auto& [slot, held] : decode_holdings(changed)) all[slot] = held;
  rows.put(tables::device_credentials, device.octets(), encode(all));
}

void take_choice(Case& one, const FactView& fact) {
  one.method = std::string(fact.text(FactField::recovery_method));
  one.beneficiary = fact.eui(FactField::supplier);
  if (const std::optional<BytesView> digest = fact.find(FactField::order_digest);
      digest && digest->size() == one.order.size())
    std::ranges::copy(*digest, one.order.begin());
}

std::vector<std::array<Octet, 8>> keys_of(const FactView& fact) {
  std::vector<std::array<Octet, 8>> keys;
  for (BytesView rest = fact.find(FactField::key_seen).value_or(BytesView()); rest.size() >= 8;
       rest = rest.subspan(8)) {
    std::array<Octet, 8> key{};
    std::ranges::copy(rest.first(8), key.begin());
    keys.push_back(key);
  }
  return keys;
}

void replay_step(storage::Changes& rows, const FactView& fact) {
  const CaseNumber number = fact.number(FactField::recovery_case);
  const std::string event(fact.text(FactField::event));
  Case one;
  if (event == "report") {
    one.number = number;
    one.compromise = std::string(fact.text(FactField::compromise));
    one.party = fact.eui(FactField::party);
    one.keys = keys_of(fact);
    one.opened = fact.at();
    one.trace = fact.trace();
  } else {
    one = must_find(rows, number);
  }
  one.state = std::string(fact.text(FactField::to_status));
  one.since = fact.at();
  one.takers[event] = fact.number(FactField::person);
  if (event == "choose") take_choice(one, fact);
  if (event == "revise") {
    one.method.clear();
    one.order = {};
    one.decision = one.act = 0;
  }
  if (event == "decide") one.decision = fact.number(FactField::pma_decision);
  if (event == "assemble") one.act = fact.number(FactField::act);
  if (event == "execute") one.executing_since = fact.at();
  rows.put(tables::recovery_cases, case_key(number), one.encode());
}

void replay_enlisted(storage::Changes& rows, const FactView& fact) {
  const CaseNumber number = fact.number(FactField::recovery_case);
  Case one = must_find(rows, number);
  const BytesView devices = fact.find(FactField::devices).value_or(BytesView());
  for (std::size_t at = 0; at + 8 <= devices.size(); at += 8) {
    Progress progress;
    progress.device = Eui64::from_number(get_be(devices.subspan(at, 8)));
    progress.since = fact.at();
    progress.due = fact.at();
    put_progress(rows, number, progress);
  }
  one.enlisted_through = fact.eui(FactField::device).value_or(one.enlisted_through);
  one.enlisted = fact.text(FactField::event) == "all";
  rows.put(tables::recovery_cases, case_key(number), one.encode());
}

void replay_moved(storage::Changes& rows, const FactView& fact) {
  const CaseNumber number = fact.number(FactField::recovery_case);
  const std::optional<Eui64> device = fact.eui(FactField::device);
  const std::optional<DeviceState> state = device_state(fact.text(FactField::to_status));
  if (!device || !state) throw Fault("the fact of a recovered device lacks a field");
  Progress progress;
  progress.device = *device;
  progress.state = *state;
  progress.attempts = fact.number(FactField::attempts);
  progress.counter = fact.number(FactField::counter);
  progress.since = fact.at();
  if (const std::uint64_t due = fact.number(FactField::due); due != 0)
    progress.due = UtcTime::from_unix_seconds(static_cast<std::int64_t>(due));
  progress.detail = std::string(fact.text(FactField::detail));
  put_progress(rows, number, progress);
  if (const std::optional<BytesView> cells = fact.find(FactField::credentials))
    merge_holdings(rows, *device, *cells);
}

void replay_note(storage::Changes& rows, const FactView& fact) {
  Bytes key = case_key(fact.number(FactField::recovery_case));
  put_be(key, fact.number(FactField::row));
  RecordWriter record;
  const std::optional<Eui64> party = fact.eui(FactField::party);
  record.text(fact.text(FactField::event))
      .octets(party ? to_bytes(party->octets()) : Bytes())
      .number(fact.number(FactField::pence))
      .text(fact.text(FactField::evidence))
      .number(fact.number(FactField::person))
      .number(static_cast<std::uint64_t>(fact.at().unix_seconds()));
  rows.put(tables::recovery_notes, key, record.bytes());
}

// One device, or several that hold the same.
void replay_known(storage::Changes& rows, const FactView& fact) {
  const BytesView cells = fact.find(FactField::credentials).value_or(BytesView());
  const BytesView devices = fact.find(FactField::devices).value_or(BytesView());
  for (std::size_t at = 0; at + 8 <= devices.size(); at += 8)
    merge_holdings(rows, Eui64::from_number(get_be(devices.subspan(at, 8))), cells);
}

crypto::Digest signed_digest(BytesView fact) {
  Bytes text = to_bytes(as_bytes(kSignedText));
  append(text, fact);
  return crypto::sha256(text);
}

bool verify_step(BytesView fact, const crypto::PublicPoint& key) {
  if (fact.size() <= kSignatureField) return false;
  crypto::Signature signature{};
  std::ranges::copy(fact.last(kSignatureOctets), signature.begin());
  return crypto::verify(key, signed_digest(fact.first(fact.size() - kSignatureField)), signature);
}

}  // namespace

void replay(storage::Changes& rows, const FactView& fact) {
  switch (fact.kind()) {
    case FactKind::recovery_stepped: return replay_step(rows, fact);
    case FactKind::recovery_ordered:
      return rows.put(tables::recovery_cases, order_key(fact.number(FactField::recovery_case)),
                      fact.find(FactField::recovery_order).value_or(BytesView()));
    case FactKind::recovery_devices_enlisted: return replay_enlisted(rows, fact);
    case FactKind::recovery_device_moved: return replay_moved(rows, fact);
    case FactKind::recovery_noted: return replay_note(rows, fact);
    case FactKind::device_credentials_known: return replay_known(rows, fact);
    default: throw Fault("it is no fact of recovery");
  }
}

Bytes sign_step(const FactWriter& fact, const crypto::PrivateKey& key) {
  FactWriter with = fact;
  with.octets(FactField::signature, key.sign(signed_digest(fact.bytes())));
  return with.bytes();
}

std::optional<Progress> find_progress(const storage::Reader& reader, CaseNumber number,
                                      Eui64 device) {
  const std::optional<Bytes> record =
      reader.get(tables::recovery_devices, device_key(number, device));
  return record ? std::optional(decode_progress(device, *record)) : std::nullopt;
}

void each_device(const storage::Reader& reader, CaseNumber number, Eui64 from,
                 const std::function<bool(const Progress&)>& visit) {
  reader.scan(tables::recovery_devices, device_key(number, from),
              storage::prefix_end(case_key(number)), [&](BytesView key, BytesView value) {
                return visit(decode_progress(Eui64::from_number(get_be(key.subspan(8))), value));
              });
}

Tally tally(const storage::Reader& reader, CaseNumber number) {
  Tally counted;
  each_device(reader, number, Eui64(), [&](const Progress& one) {
    switch (one.state) {
      case DeviceState::enlisted: ++counted.enlisted; break;
      case DeviceState::sent: ++counted.sent; break;
      case DeviceState::waiting: ++counted.waiting; break;
      case DeviceState::recovered: ++counted.recovered; break;
      case DeviceState::failed: ++counted.failed; break;
    }
    return true;
  });
  return counted;
}

std::vector<Note> notes(const storage::Reader& reader, CaseNumber number) {
  std::vector<Note> list;
  const Bytes prefix = case_key(number);
  reader.scan(tables::recovery_notes, prefix, storage::prefix_end(prefix),
              [&](BytesView key, BytesView value) {
                RecordReader record(value);
                Note note;
                note.number = number;
                note.index = get_be(key.subspan(8));
                note.kind = record.text();
                const BytesView party = record.octets();
                if (party.size() == 8) note.party = Eui64::from_number(get_be(party));
                note.pence = record.number();
                note.text = record.text();
                note.person = record.number();
                note.at = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
                list.push_back(std::move(note));
                return true;
              });
  return list;
}

Holdings holdings_of(const storage::Reader& reader, Eui64 device) {
  const std::optional<Bytes> record = reader.get(tables::device_credentials, device.octets());
  return record ? decode_holdings(*record) : Holdings();
}

std::vector<Step> steps(const storage::Reader& reader, CaseNumber number,
                        const std::optional<crypto::PublicPoint>& key) {
  std::vector<Step> list;
  std::optional<crypto::PublicPoint> believed = key;
  reader.journal(1, [&](const storage::JournalEntry& entry) {
    const Result<FactView> fact = FactView::read(entry.fact);
    if (!fact.ok() || fact->kind() != FactKind::recovery_stepped ||
        fact->number(FactField::recovery_case) != number)
      return true;
    if (!believed) {
      const std::optional<Bytes> point = from_hex(fact->text(FactField::credential));
      const Result<crypto::PublicPoint> parsed =
          crypto::parse_point(point ? BytesView(*point) : BytesView());
      if (parsed.ok()) believed = *parsed;
    }
    Step step;
    step.at = fact->at();
    step.event = std::string(fact->text(FactField::event));
    step.from = std::string(fact->text(FactField::from_status));
    step.to = std::string(fact->text(FactField::to_status));
    step.address = std::string(fact->text(FactField::address));
    step.evidence = std::string(fact->text(FactField::evidence));
    step.detail = std::string(fact->text(FactField::detail));
    step.person = fact->number(FactField::person);
    step.sequence = entry.sequence;
    step.signed_by_record_key = believed && verify_step(entry.fact, *believed);
    list.push_back(std::move(step));
    return true;
  });
  return list;
}

}  // namespace wattseal::recovery
