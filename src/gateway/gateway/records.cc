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
  return request;
}

Bytes Awaited::encode() const {
  return RecordWriter()
      .octets(request_key)
      .number(static_cast<std::uint64_t>(deadline.unix_seconds()))
      .octets(trace.octets())
      .bytes();
}

Awaited Awaited::decode(BytesView octets) {
  RecordReader record(octets);
  Awaited awaited;
  awaited.request_key = to_bytes(record.octets());
  awaited.deadline = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  awaited.trace = TraceId(fixed<16>(record.octets()));
  return awaited;
}

Bytes Outgoing::encode() const {
  return RecordWriter()
      .octets(to.octets())
      .octets(trace.octets())
      .octets(content)
      .text(request_id)
      .bytes();
}

Outgoing Outgoing::decode(BytesView octets) {
  RecordReader record(octets);
  Outgoing outgoing;
  outgoing.to = Eui64::from_number(get_be(record.octets()));
  outgoing.trace = TraceId(fixed<16>(record.octets()));
  outgoing.content = to_bytes(record.octets());
  outgoing.request_id = record.text();
  return outgoing;
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

Bytes order_key(std::uint64_t order) {
  Bytes key;
  put_be(key, order);
  return key;
}

}  // namespace wattseal::gateway
