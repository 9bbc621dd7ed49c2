#include "base/fault.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

template <std::size_t N>
std::array<Octet, N> fixed(BytesView octets) {
  if (octets.size() != N) throw Fault("a stored gateway record has a field of the wrong length");
  std::array<Octet, N> out{};
  std::ranges::copy(octets, out.begin());
  return out;
}

}  // namespace

Bytes RequestRecord::encode() const {
  return RecordWriter()
      .text(service_reference)
      .text(service_variant)
      .text(schema_version)
      .text(use_case)
      .number(static_cast<std::uint64_t>(command_variant))
      .octets(message_digest)
      .text(outcome)
      .text(note)
      .bytes();
}

RequestRecord RequestRecord::decode(BytesView octets) {
  RecordReader record(octets);
  RequestRecord request;
  request.service_reference = record.text();
  request.service_variant = record.text();
  request.schema_version = record.text();
  request.use_case = record.text();
  request.command_variant = static_cast<int>(record.number());
  request.message_digest = fixed<32>(record.octets());
  if (!record.empty()) request.outcome = record.text();
  if (!record.empty()) request.note = record.text();
  return request;
}

Bytes Awaited::encode() const {
  return RecordWriter()
      .octets(request_key)
      .number(static_cast<std::uint64_t>(deadline.unix_seconds()))
      .octets(trace.octets())
      .text(late_code)
      .number(schedule)
      .bytes();
}

Awaited Awaited::decode(BytesView octets) {
  RecordReader record(octets);
  Awaited awaited;
  awaited.request_key = to_bytes(record.octets());
  awaited.deadline = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  awaited.trace = TraceId(fixed<16>(record.octets()));
  awaited.late_code = record.empty() ? "E21" : record.text();
  if (!record.empty()) awaited.schedule = record.number();
  return awaited;
}

Bytes Outgoing::encode() const {
  return RecordWriter()
      .octets(to.octets())
      .octets(trace.octets())
      .octets(content)
      .text(request_id)
      .number(quarantine)
      .number(static_cast<std::uint64_t>(since.unix_seconds()))
      .bytes();
}

Outgoing Outgoing::decode(BytesView octets) {
  RecordReader record(octets);
  Outgoing outgoing;
  outgoing.to = Eui64::from_number(get_be(record.octets()));
  outgoing.trace = TraceId(fixed<16>(record.octets()));
  outgoing.content = to_bytes(record.octets());
  outgoing.request_id = record.text();
  if (record.empty()) return outgoing;
  outgoing.quarantine = record.number();
  outgoing.since = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  return outgoing;
}

Bytes Deferred::encode() const {
  return RecordWriter()
      .number(static_cast<std::uint64_t>(why))
      .number(static_cast<std::uint64_t>(due.unix_seconds()))
      .octets(predecessor)
      .number(static_cast<std::uint64_t>(url))
      .octets(trace.octets())
      .text(document)
      .bytes();
}

Deferred Deferred::decode(BytesView octets) {
  RecordReader record(octets);
  Deferred deferred;
  deferred.why = static_cast<Why>(record.number());
  deferred.due = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  deferred.predecessor = to_bytes(record.octets());
  deferred.url = static_cast<ServiceUrl>(record.number());
  deferred.trace = TraceId(fixed<16>(record.octets()));
  deferred.document = record.text();
  return deferred;
}

Bytes Schedule::encode() const {
  RecordWriter record;
  record.number(id).octets(user.octets()).octets(device.octets());
  record.number(static_cast<std::uint64_t>(frequency));
  for (const UtcTime time : {first, last, next})
    record.number(static_cast<std::uint64_t>(time.unix_seconds()));
  return record.text(schema_version).text(variant).text(details).bytes();
}

Schedule Schedule::decode(BytesView octets) {
  RecordReader record(octets);
  Schedule schedule;
  schedule.id = record.number();
  schedule.user = Eui64::from_number(get_be(record.octets()));
  schedule.device = Eui64::from_number(get_be(record.octets()));
  schedule.frequency = static_cast<Frequency>(record.number());
  for (UtcTime* const time : {&schedule.first, &schedule.last, &schedule.next})
    *time = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  schedule.schema_version = record.text();
  schedule.variant = record.text();
  schedule.details = record.text();
  return schedule;
}

Bytes schedule_key(Eui64 user, Eui64 device, std::uint64_t id) {
  Bytes key;
  put_be(key, user.number());
  put_be(key, device.number());
  put_be(key, id);
  return key;
}

Bytes request_key(const duis::RequestId& id, ServiceUrl url) {
  Bytes key = id.key();
  // A critical request comes twice under one RequestID: to be transformed, then signed. Each may
  // come once.
  key.push_back(url == ServiceUrl::transform ? 'T' : 'S');
  return key;
}

duis::RequestId request_id_of(BytesView key) {
  if (key.size() != 25) throw Fault("a stored request key has the wrong length");
  return {Eui64::from_number(get_be(key.first(8))), Eui64::from_number(get_be(key.subspan(8, 8))),
          OriginatorCounter(get_be(key.subspan(16, 8)))};
}

Bytes awaiting_key(Eui64 device, Eui64 originator, OriginatorCounter counter,
                   gbcs::MessageCode code) {
  Bytes key;
  put_be(key, device.number());
  put_be(key, originator.number());
  put_be(key, counter.number());
  put_be(key, code.number());
  return key;
}

namespace {
Bytes awaited_due_key(storage::Table table, BytesView key, const Awaited& awaited) {
  Bytes due;
  put_be(due, static_cast<std::uint64_t>(awaited.deadline.unix_seconds()));
  due.push_back(table.id());
  append(due, key);
  return due;
}
}  // namespace

void put_awaited(storage::Batch& batch, storage::Table table, BytesView key,
                 const Awaited& awaited) {
  batch.put(table, key, awaited.encode());
  batch.put(tables::awaiting_due, awaited_due_key(table, key, awaited), {});
}

void erase_awaited(storage::Batch& batch, storage::Table table, BytesView key,
                   const Awaited& awaited) {
  batch.erase(table, key);
  batch.erase(tables::awaiting_due, awaited_due_key(table, key, awaited));
}

}  // namespace wattseal::gateway
