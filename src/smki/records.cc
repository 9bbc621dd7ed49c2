#include "smki/records.h"

#include "base/fault.h"

namespace wattseal::smki {

Bytes row_key(BatchId batch, std::uint32_t row) {
  Bytes key;
  put_be(key, batch);
  put_be(key, row);
  return key;
}

BatchId batch_of(BytesView row_key) { return get_be(row_key.first(8)); }
std::uint32_t row_of(BytesView row_key) {
  return static_cast<std::uint32_t>(get_be(row_key.subspan(8, 4)));
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
