#include "smki/records.h"

#include "base/fault.h"
#include "smki/documents.h"
#include "smki/office_records.h"

namespace wattseal::smki {

Bytes row_key(BatchId batch, std::uint32_t row) {
  Bytes key;
  put_be(key, batch);
  put_be(key, row);
  return key;
}

BatchId batch_of(BytesView row_key) { return get_be(row_key.last(12).first(8)); }
std::uint32_t row_of(BytesView row_key) {
  return static_cast<std::uint32_t>(get_be(row_key.last(4)));
}

Bytes WorkKey::octets() const {
  Bytes key;
  put_be(key, order);
  key.push_back(static_cast<Octet>(lane));
  put_be(key, subscriber.number());
  append(key, row_key(batch, first_row));
  return key;
}
WorkKey WorkKey::read(BytesView octets) {
  if (octets.size() != 29) throw Fault("a key of ca_work is damaged");
  return {get_be(octets.first(8)), octets[8] == 0 ? Lane::single : Lane::batched,
          Eui64::from_number(get_be(octets.subspan(9, 8))), batch_of(octets), row_of(octets)};
}

Bytes part_key(BatchId batch, char part) {
  Bytes key;
  put_be(key, batch);
  key.push_back(static_cast<Octet>(part));
  return key;
}

Bytes key_seen_key(const crypto::PublicPoint& key) {
  const crypto::Digest digest = crypto::sha256(key);
  return to_bytes(BytesView(digest).first(16));
}

Bytes Decisions::record() const {
  return RecordWriter()
      .octets(subscriber.octets())
      .octets(trace.octets())
      .number(rows)
      .number(decided)
      .number(refused)
      .number(person)
      .text(address)
      .number(static_cast<std::uint64_t>(received_milliseconds))
      .number(static_cast<std::uint64_t>(due.unix_seconds()))
      .bytes();
}

Decisions Decisions::read(BytesView octets) {
  RecordReader record(octets);
  Decisions decisions;
  decisions.subscriber = Eui64::from_number(get_be(record.octets()));
  std::array<Octet, 16> trace{};
  const BytesView stored = record.octets();
  if (stored.size() != trace.size()) throw Fault("a stored batch has no trace");
  std::ranges::copy(stored, trace.begin());
  decisions.trace = TraceId(trace);
  decisions.rows = static_cast<std::uint32_t>(record.number());
  decisions.decided = static_cast<std::uint32_t>(record.number());
  decisions.refused = static_cast<std::uint32_t>(record.number());
  decisions.person = record.number();
  decisions.address = record.text();
  if (record.empty()) return decisions;  // of before requests were timed
  decisions.received_milliseconds = static_cast<std::int64_t>(record.number());
  decisions.due = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  return decisions;
}

void refuse_row(storage::Batch& batch, BatchId id, std::uint32_t row, const Refusal& refusal,
                UtcTime now, TraceId trace) {
  batch.put(tables::batch_rows, row_key(id, row),
            encode_refused(refusal.rule.text(), refusal.detail));
  batch.append(FactWriter(FactKind::row_refused, now, trace)
                   .number(FactField::batch, id)
                   .number(FactField::row, row)
                   .text(FactField::rule, refusal.rule.text())
                   .text(FactField::detail, refusal.detail)
                   .bytes());
}

void refuse_held_row(const storage::Reader& reader, storage::Batch& batch, BytesView key,
                     const Refusal& refusal, UtcTime now, TraceId trace) {
  const Bytes decisions_key = part_key(batch_of(key), kDecisions);
  const std::optional<Bytes> record = reader.get(tables::batches, decisions_key);
  if (!record) throw Fault("a held request belongs to no batch");
  Decisions decisions = Decisions::read(*record);
  ++decisions.refused;
  batch.require_value(tables::batches, decisions_key, *record,
                      Refusal{"office-race"_rule, "the batch was changed at the same moment"});
  batch.put(tables::batches, decisions_key, decisions.record());
  batch.erase(tables::held_rows, key);
  refuse_row(batch, batch_of(key), row_of(key), refusal, now, trace);
}

Bytes encode_work(const std::vector<AuthorisedRow>& rows, TraceId trace) {
  RecordWriter record;
  record.octets(trace.octets());
  for (const AuthorisedRow& row : rows)
    record.number(row.row).text(row.profile).octets(row.request);
  return record.bytes();
}

Work decode_work(BytesView octets) {
  RecordReader record(octets);
  Work work;
  const BytesView trace = record.octets();
  if (trace.size() != 16) throw Fault("a stored work item has no trace");
  std::array<Octet, 16> fixed{};
  std::ranges::copy(trace, fixed.begin());
  work.trace = TraceId(fixed);
  while (!record.empty()) {
    AuthorisedRow row;
    row.row = static_cast<std::uint32_t>(record.number());
    row.profile = record.text();
    row.request = to_bytes(record.octets());
    work.rows.push_back(std::move(row));
  }
  return work;
}

Bytes encode_refused(std::string_view rule, std::string_view detail) {
  return RecordWriter()
      .number(static_cast<std::uint64_t>(RowState::refused))
      .text(rule)
      .text(detail)
      .bytes();
}

Bytes encode_held(ActId act) {
  return RecordWriter().number(static_cast<std::uint64_t>(RowState::held)).number(act).bytes();
}

bool known_party_kind(std::string_view kind) {
  return std::ranges::any_of(certificate_eligibility(),
                             [&](const EligibilityRow& row) { return row.party_kind == kind; }) ||
         std::ranges::any_of(document_kinds(), [&](const DocumentKindRow& row) {
           return has_role(row.lodgers, kind);
         });
}

std::string role_codes(const Party& party) {
  std::string codes;
  for (const UserRole role : party.user_roles)
    codes += (codes.empty() ? "" : "/") + std::string(code(role));
  return codes;
}

void add_party_fact(storage::Batch& batch, const Party& party, UtcTime now, TraceId trace) {
  FactWriter fact(FactKind::party_registered, now, trace);
  fact.eui(FactField::party, party.id)
      .text(FactField::name, party.name)
      .text(FactField::roles, party.kind)
      .text(FactField::user_roles, role_codes(party));
  std::string standing = party.dual_control ? "dual-control" : "standing";
  if (party.entry_tests_passed) standing += " entry-tests-passed";
  if (party.device_subscriber) standing += " device-subscriber";
  if (party.organisation_subscriber) standing += " organisation-subscriber";
  fact.text(FactField::event, standing);
  for (const EuiRange& range : party.allotted)
    fact.eui(FactField::range_first, range.first).eui(FactField::range_last, range.last);
  batch.append(fact.bytes());
}

Bytes encode_issued(const CertificateSerial& serial) {
  return RecordWriter()
      .number(static_cast<std::uint64_t>(RowState::issued))
      .octets(serial.octets())
      .bytes();
}

std::uint64_t read_count(const storage::Reader& reader, storage::Table table, BytesView key) {
  const std::optional<Bytes> record = reader.get(table, key);
  return record ? RecordReader(*record).number() : 0;
}

Bytes encode_count(std::uint64_t count) { return RecordWriter().number(count).bytes(); }

}  // namespace wattseal::smki
