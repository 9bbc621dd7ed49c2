// From a device's message to the response its user receives; and what happens to those that get
// none.
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kRowsPerStep = 256;

// Alerts carry their code in the first two octets of a DLMS structure, a GBZ alert header or a DER
// sequence; the payload kind says where. It is for the DUIS envelope only; users parse the message
// themselves.
std::string alert_code(BytesView payload) {
  if (payload.size() >= 5 && payload[0] == 0x01 && payload[1] == 0x09)
    return to_hex_upper(payload.subspan(3, 2));
  // data-notification: 0F, long-invoke-id(4), date-time length, then structure, count,
  // long-unsigned.
  if (payload.size() >= 11 && payload[0] == 0x0F && payload[5] == 0 && payload[6] == 2 &&
      payload[8] == 18)
    return to_hex_upper(payload.subspan(9, 2));
  // SEQUENCE { INTEGER code, … } with a one-octet length; a code of 8000 and above has a sign
  // octet.
  if (payload.size() >= 7 && payload[0] == 0x30 && payload[2] == 0x02 && payload[3] == 3)
    return to_hex_upper(payload.subspan(5, 2));
  return "0000";
}

// The signature of a critical answer or alert must be the device's. Answers with a MAC are for
// their recipient to check.
Status check_device_signature(const smki::Repository& repository, const gbcs::Message& message) {
  if (message.signature_field != gbcs::SignatureField::present) return {};
  TRY_ASSIGN(const smki::PublishedCertificate published,
             repository.latest(message.originator, KeyUse::digital_signature, std::nullopt));
  TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(published.der));
  return gbcs::verify_signature(message, certificate.key);
}

}  // namespace

void Gateway::State::add_response(storage::Batch& batch, Eui64 to,
                                  const duis::ServiceResponse& response, TraceId trace) {
  const std::string document = signed_document(response);
  const std::string id =
      response.request_id ? response.request_id->text() : response.response_id->text();
  batch.put(tables::responses_out, order_key(next_response++),
            Outgoing{to, trace, to_bytes(as_bytes(document)), id}.encode());
}

Status Gateway::on_device_message(BytesView octets, TraceId trace) {
  const Result<gbcs::Message> message = gbcs::decode(octets);
  if (!message.ok()) return state_->disbelieve(octets, message.refusal(), trace);
  if (message->cra == gbcs::Cra::command)
    return state_->disbelieve(
        octets, {"gateway-device-command"_rule, "a device does not send commands to users"}, trace);
  const Status signature = check_device_signature(state_->repository, *message);
  if (!signature.ok()) return state_->disbelieve(octets, signature.refusal(), trace);
  return message->cra == gbcs::Cra::alert ? state_->on_alert(*message, octets, trace)
                                          : state_->on_answer(*message, octets, trace);
}

Status Gateway::State::disbelieve(BytesView octets, const Refusal& refusal, TraceId trace) {
  ++tally.disbelieved;
  storage::Batch batch;
  batch.append(FactWriter(FactKind::device_message_refused, world.now(), trace)
                   .text(FactField::rule, refusal.rule.text())
                   .octets(FactField::message_digest, crypto::sha256(octets))
                   .bytes());
  if (!store.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
  log::warning("device_message_refused",
               {{"trace", trace.text()}, {"rule", std::string(refusal.rule.text())}});
  return refusal;
}

Status Gateway::State::on_alert(const gbcs::Message& message, BytesView octets, TraceId trace) {
  duis::ServiceResponse response;
  response.response_id = duis::RequestId{message.originator, message.target, message.counter};
  response.response_code = "I0";
  response.at = world.now();
  response.alert_code = alert_code(message.payload);
  response.gbcs_payload = to_bytes(octets);
  storage::Batch batch;
  batch.append(FactWriter(FactKind::device_alerted, response.at, trace)
                   .eui(FactField::device, message.originator)
                   .eui(FactField::target, message.target)
                   .octets(FactField::alert_code, from_hex(response.alert_code).value_or(Bytes{}))
                   .number(FactField::counter, message.counter.number())
                   .bytes());
  add_response(batch, message.target, response, trace);
  TRY(store.commit(std::move(batch)));
  log::warning("device_alert", {{"trace", trace.text()},
                                {"device", message.originator.text()},
                                {"alert", response.alert_code}});
  return {};
}

Status Gateway::State::on_answer(const gbcs::Message& message, BytesView octets, TraceId trace) {
  const Bytes key = awaiting_key(message.originator, message.target, message.counter, message.code);
  const std::optional<Bytes> stored = store.get(tables::awaiting, key);
  const Refusal unexpected{"gateway-unexpected-answer"_rule,
                           "nobody waits for counter " + std::to_string(message.counter.number()) +
                               " of " + message.originator.text()};
  if (!stored) return disbelieve(octets, unexpected, trace);
  const Awaited awaited = Awaited::decode(*stored);
  const duis::RequestId id = request_id_of(awaited.request_key);
  const RequestRecord record =
      RequestRecord::decode(store.get(tables::requests, awaited.request_key).value());
  duis::ServiceResponse response;
  response.schema_version = record.schema_version;
  response.request_id = id;
  response.response_id = duis::RequestId{message.originator, message.target, message.counter};
  response.response_code = "I0";
  response.at = world.now();
  response.service_reference = record.service_reference;
  response.service_variant = record.service_variant;
  response.gbcs_payload = to_bytes(octets);
  storage::Batch batch;
  batch.require_value(tables::awaiting, key, *stored, unexpected);
  batch.erase(tables::awaiting, key);
  batch.append(FactWriter(FactKind::device_answered, response.at, awaited.trace)
                   .text(FactField::request_id, id.text())
                   .octets(FactField::message_digest, crypto::sha256(octets))
                   .bytes());
  batch.append(FactWriter(FactKind::request_ended, response.at, awaited.trace)
                   .text(FactField::request_id, id.text())
                   .text(FactField::response_code, "I0")
                   .bytes());
  add_response(batch, id.originator, response, awaited.trace);
  TRY(store.commit(std::move(batch)));
  ++tally.answered;
  log::info("device_answered", {{"trace", awaited.trace.text()}, {"request", id.text()}});
  return {};
}

bool Gateway::expire_requests() {
  State& state = *state_;
  const UtcTime now = state.world.now();
  if (now < state.next_expiry_look) return false;
  state.next_expiry_look = now.plus_seconds(1);
  std::vector<std::pair<Bytes, Bytes>> late;
  state.store.scan(tables::awaiting, {}, {}, [&](BytesView key, BytesView value) {
    if (Awaited::decode(value).deadline < now) late.emplace_back(to_bytes(key), to_bytes(value));
    return late.size() < kRowsPerStep;
  });
  for (const auto& [key, value] : late) {
    const Awaited awaited = Awaited::decode(value);
    const duis::RequestId id = request_id_of(awaited.request_key);
    const RequestRecord record =
        RequestRecord::decode(state.store.get(tables::requests, awaited.request_key).value());
    duis::ServiceResponse response;
    response.schema_version = record.schema_version;
    response.request_id = id;
    response.response_code = "E21";
    response.at = now;
    response.service_reference = record.service_reference;
    response.service_variant = record.service_variant;
    storage::Batch batch;
    batch.require_value(
        tables::awaiting, key, value,
        Refusal{"gateway-unexpected-answer"_rule, "the answer came at the last moment"});
    batch.erase(tables::awaiting, key);
    batch.append(FactWriter(FactKind::request_timed_out, now, awaited.trace)
                     .text(FactField::request_id, id.text())
                     .bytes());
    batch.append(FactWriter(FactKind::request_ended, now, awaited.trace)
                     .text(FactField::request_id, id.text())
                     .text(FactField::response_code, "E21")
                     .bytes());
    state.add_response(batch, id.originator, response, awaited.trace);
    if (state.store.commit(std::move(batch)).ok()) ++state.tally.timed_out;
  }
  return !late.empty();
}

}  // namespace wattseal::gateway
