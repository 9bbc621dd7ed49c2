// Journal facts: what happened, when, in which exchange. A fact is a kind and a list of tagged
// fields; kinds and fields are rows of data/fact_kinds.tsv and data/fact_fields.tsv, so that any
// tool can print any fact, now and in ten years. Octets: version(1)=1, kind(2), unix seconds(8),
// trace(16), then per field: tag(1), length(LEB128), value. Reading is strict; unknown tags are
// kept. Errors: fact-malformed.
#pragma once
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "base/types.h"

namespace wattseal {

enum class FactKind : std::uint16_t {
  authority_established = 1,
  party_registered = 2,
  batch_submitted = 3,
  row_refused = 4,
  row_authorised = 5,
  certificate_intended = 6,
  certificate_issued = 7,
  certificate_published = 8,
  batch_completed = 9,
  crl_issued = 10,
  revocation_authorised = 11,
  certificate_revoked = 12,
  act_proposed = 13,
  act_approved = 14,
  act_rejected = 15,
  act_done = 16,
  person_changed = 17,
  row_held = 18,
  registration_recorded = 20,
  device_status_changed = 21,
  endpoint_registered = 22,
  document_lodged = 23,
  document_withdrawn = 24,
  repository_accessed = 25,
  request_accepted = 30,
  request_refused = 31,
  pre_command_made = 32,
  command_intended = 33,
  command_sent = 34,
  device_answered = 35,
  device_alerted = 36,
  device_message_refused = 37,
  request_ended = 38,
  response_delivered = 39,
  request_timed_out = 40,
  command_handed_over = 41,
  request_deferred = 42,
  request_released = 43,
  schedule_created = 44,
  schedule_deleted = 45,
  schedule_run = 46,
  anomaly_file_lodged = 47,
  request_quarantined = 48,
  quarantine_noticed = 49,
  quarantine_decided = 50,
  response_expired = 51,
  local_command_expired = 56,
  cos_registration_recorded = 58,
  cos_command_signed = 59,
  product_listed = 62,
  firmware_moved = 63,
  alerts_consolidated = 53,
  alerts_delivered = 54,
  outage_reported = 55,
  journal_checkpoint_signed = 80,
  maintenance_planned = 60,
  maintenance_cancelled = 61,
  ceremony_held = 70,
  authority_succeeded = 71,
  demand_forecast_lodged = 90,
  demand_notice_given = 91,
  demand_report_withheld = 92,
  demand_report_released = 93,
  pma_seat_changed = 72,
  pma_affiliation_changed = 73,
  pma_meeting_changed = 74,
  pma_resolution_moved = 75,
  pma_vote_cast = 76,
  pma_resolution_decided = 77,
  assurance_recorded = 78,
  document_set_changed = 79,
  certificate_declined = 94,
  recovery_stepped = 64,
  recovery_ordered = 65,
  recovery_devices_enlisted = 66,
  recovery_device_moved = 67,
  recovery_noted = 68,
  device_credentials_known = 69,
};

enum class FactField : std::uint8_t {
  serial = 1,
  certificate = 2,  // DER
  profile = 3,      // row of certificate_profiles.tsv
  issuer_key_id = 4,
  tbs_digest = 5,
  not_before = 6,  // unix seconds
  batch = 7,
  row = 8,
  rule = 9,
  detail = 10,
  subscriber = 11,  // EUI-64
  count = 12,
  party = 13,  // EUI-64
  name = 14,
  roles = 15,
  range_first = 16,
  range_last = 17,
  crl_number = 18,
  reason = 20,
  requester = 21,
  key_label = 22,
  act = 23,
  act_kind = 24,
  person = 25,
  address = 26,
  payload = 27,  // JSON
  name_of_person = 28,
  credential = 29,  // SHA-256 of a client certificate, in hex
  device = 30,      // EUI-64
  device_type = 31,
  event = 32,
  from_status = 33,
  to_status = 34,
  hub = 35,
  meter_point = 36,
  supplier = 37,
  network_operator = 38,
  effective_from = 39,  // unix seconds
  model = 40,
  document_kind = 41,  // row of document_kinds.tsv; the document's name is in `name`
  document_version = 42,
  title = 43,
  version_label = 44,
  media_type = 45,
  content = 46,
  content_digest = 47,
  interface = 48,
  query = 49,
  request_id = 50,
  service_variant = 51,
  command_variant = 52,
  response_code = 53,
  use_case = 54,
  message_digest = 55,
  counter = 56,
  originator = 57,
  target = 58,
  message_code = 59,
  alert_code = 60,
  url = 61,
  attempts = 62,
  signer_serial = 63,
  batch_digest = 64,
  effective_until = 65,  // unix seconds
  signature = 66,        // r and s
  request_digests = 70,  // 16 octets each: SHA-256 of the request, its first half
  journal_size = 100,
  journal_chain = 101,
  note = 102,  // signed note
  due = 80,    // unix seconds
  refused = 81,
  held = 82,
  at_milliseconds = 83,  // since 1970
  maintenance = 84,
  user_roles = 103,
  device_variant = 104,
  export_supplier = 105,
  agent = 106,
  key_seen = 107,  // beginning of the digest of a public key
  preceding = 108,
  schedule = 109,
  service_document = 110,
  threshold = 111,
  observed = 112,
  quarantine = 113,
  decision = 114,
  seconds = 115,
  next_due = 116,
  user = 117,
  command_digest = 118,
  gbcs_version = 134,
  image_digest = 135,
  firmware_version = 136,
  manufacturer = 137,
  technical_version = 138,
  blocks = 139,
  consolidation = 125,
  alerts_held_back = 126,
  alerts = 127,  // device and counter of each, 16 octets
  alert_message = 128,
  outage_since = 129,  // unix seconds
  transcript_digest = 90,
  witnesses = 91,
  generation = 92,
  ceremony = 93,
  forecast_round = 140,  // month as yyyy-mm
  revision = 141,
  forecast = 142,  // "2026-05 10 20;…": month, single and batched requests
  month = 143,     // yyyy-mm
  expected = 144,
  seat = 155,
  organisation = 156,
  meeting = 157,
  resolution = 158,
  vote = 159,
  subject = 160,
  factors = 161,
  assessment = 162,
  finding = 163,
  milestone = 164,
  recovery_case = 145,
  compromise = 146,       // row of recovery_compromises.tsv
  recovery_method = 147,  // row of recovery_methods.tsv
  recovery_order = 148,
  order_digest = 149,
  pma_decision = 150,
  evidence = 151,
  devices = 152,      // EUI-64s
  credentials = 153,  // recovery/holdings.h
  pence = 154,
};

class FactWriter {
 public:
  FactWriter(FactKind kind, UtcTime at, TraceId trace);
  FactWriter& octets(FactField field, BytesView value);
  FactWriter& text(FactField field, std::string_view value) {
    return octets(field, as_bytes(value));
  }
  FactWriter& number(FactField field, std::uint64_t value);  // big-endian without leading zeros
  FactWriter& time(FactField field, UtcTime value) {
    return number(field, static_cast<std::uint64_t>(value.unix_seconds()));
  }
  FactWriter& eui(FactField field, Eui64 value) { return octets(field, value.octets()); }
  FactWriter& serial(CertificateSerial value) { return octets(FactField::serial, value.octets()); }
  const Bytes& bytes() const { return out_; }

 private:
  Bytes out_;
};

class FactView {  // points into the octets it was read from
 public:
  static Result<FactView> read(BytesView octets);
  FactKind kind() const { return kind_; }
  UtcTime at() const { return at_; }
  TraceId trace() const { return trace_; }
  std::optional<BytesView> find(FactField field) const;
  std::string_view text(FactField field) const;  // empty when absent
  std::uint64_t number(FactField field) const;   // 0 when absent
  std::optional<Eui64> eui(FactField field) const;
  std::optional<CertificateSerial> serial() const;
  const std::vector<std::pair<std::uint8_t, BytesView>>& fields() const { return fields_; }

 private:
  FactKind kind_{};
  UtcTime at_;
  TraceId trace_;
  std::vector<std::pair<std::uint8_t, BytesView>> fields_;
};

// Names and rendering from the tables. A field whose class is "secret" or "personal" is shown by
// its length only.
std::string_view fact_kind_name(FactKind kind);
struct FactFieldView {
  std::string name, value;  // value rendered by the field's type
};
std::vector<FactFieldView> describe(const FactView& fact);

// Small length-prefixed records for table values: the same field encoding without a header.
class RecordWriter {
 public:
  RecordWriter& octets(BytesView value);
  RecordWriter& text(std::string_view value) { return octets(as_bytes(value)); }
  RecordWriter& number(std::uint64_t value);
  const Bytes& bytes() const { return out_; }

 private:
  Bytes out_;
};
class RecordReader {  // CHECKs: what we wrote we can read; damaged storage throws Fault
 public:
  explicit RecordReader(BytesView octets) : rest_(octets) {}
  BytesView octets();
  std::string text() { return std::string(as_text(octets())); }
  std::uint64_t number();
  bool empty() const { return rest_.empty(); }

 private:
  BytesView rest_;
};

}  // namespace wattseal
