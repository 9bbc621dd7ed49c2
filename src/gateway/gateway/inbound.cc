// From a device's message to the response its user receives; and what happens to those that get
// none.
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
// The signature of a critical answer or alert must be the device's. Answers with a MAC are for
// their recipient to check: users' for users, the broker's here.
Status Gateway::State::check_device(const gbcs::Message& message) {
  if (message.signature_field == gbcs::SignatureField::present) {
    TRY_ASSIGN(const smki::PublishedCertificate published,
               repository.latest(message.originator, KeyUse::digital_signature, std::nullopt));
    TRY_ASSIGN(const crypto::PublicPoint key, key_of(published));
    return gbcs::verify_signature(message, key);
  }
  if (message.target != identity.broker) return {};
  TRY_ASSIGN(const crypto::SharedSecret secret, broker_secret(message.originator));
  return gbcs::verify_mac(message, secret);
}

duis::ServiceResponse Gateway::State::answer_of(const gbcs::Message& message, BytesView octets,
                                                BytesView key, const RequestRecord& record,
                                                std::uint64_t schedule) const {
  const duis::RequestId id = request_id_of(key);
  duis::ServiceResponse response;
  response.schema_version = record.schema_version;
  // The user's own counter, also when the broker asked on its behalf with another.
  response.response_id = duis::RequestId{message.originator, id.originator, id.counter};
  response.response_code = "I0";
  response.at = world.now();
  response.service_reference = record.service_reference;
  response.service_variant = record.service_variant;
  const auto leaf = [](std::string name, std::string text) {
    return xml::Element{std::string(duis::kNamespace), std::move(name), {}, std::move(text), {}};
  };
  if (schedule == 0) {
    response.request_id = id;
    if (record.service_variant != kCustomerNumber) {
      response.gbcs_payload = to_bytes(octets);
      return response;
    }
    // The number stands on the meter; the user is told which.
    xml::Element number = leaf("CINMessage", {});
    number.children = {leaf("GBCSPayload", to_base64(octets)),
                       leaf("CustomerIdentificationNumber", record.note)};
    response.other = std::move(number);
    return response;
  }
  xml::Element scheduled = leaf("DSPScheduledMessage", {});
  scheduled.children = {leaf("GBCSPayload", to_base64(octets)),
                        leaf("DSPScheduleID", std::to_string(schedule))};
  response.other = std::move(scheduled);
  return response;
}

// Alerts of the DCC's own count in a sequence of their own, so that a receiver tells them apart.
void Gateway::State::add_dcc_alert(storage::Batch& batch, Eui64 to, std::string_view code,
                                   xml::Element content, TraceId trace, DccAlertExtra extra) {
  const DccAlertRow* const row = find_dcc_alert(code);
  CHECK(row != nullptr && row->type == content.name);
  duis::ServiceResponse alert;
  const std::uint64_t now = static_cast<std::uint64_t>(world.clock.now_milliseconds());
  alert.response_id =
      duis::RequestId{identity.broker, to, reserve_counter(identity.broker, now).value()};
  alert.response_code = "I0";
  alert.at = world.now();
  alert.dcc_alert_code = std::string(code);
  alert.other = std::move(content);
  alert.throttled_sequence = extra.throttled;
  add_response(batch, to, alert, trace, extra.quarantine);
}

void Gateway::State::add_response(storage::Batch& batch, Eui64 to,
                                  const duis::ServiceResponse& response, TraceId trace,
                                  std::uint64_t quarantine) {
  const std::string document = signed_document(response);
  const std::string id =
      response.request_id ? response.request_id->text() : response.response_id->text();
  response_room.add(to);
  batch.put(
      tables::responses_out, response_key(to, next_response++),
      Outgoing{to, trace, to_bytes(as_bytes(document)), id, quarantine, world.now()}.encode());
}

Status Gateway::State::on_other(const gbcs::Message& message, BytesView octets, TraceId trace) {
  if (message.cra == gbcs::Cra::command)
    return disbelieve(
        octets, {"gateway-device-command"_rule, "a device does not send commands to users"}, trace);
  const Status believed = check_device(message);
  if (!believed.ok()) return disbelieve(octets, believed.refusal(), trace);
  return on_answer(message, octets, trace);
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

Status Gateway::State::on_answer(const gbcs::Message& message, BytesView octets, TraceId trace) {
  const Bytes key = awaiting_key(message.originator, message.target, message.counter, message.code);
  const std::optional<Bytes> stored = store.get(tables::awaiting, key);
  const Refusal unexpected{"gateway-unexpected-answer"_rule,
                           "nobody waits for counter " + std::to_string(message.counter.number()) +
                               " of " + message.originator.text()};
  if (!stored) return disbelieve(octets, unexpected, trace);
  const Awaited awaited = Awaited::decode(*stored);
  if (awaited.request_key.empty()) return on_own_answer(message, octets, key, *stored, trace);
  const duis::RequestId id = request_id_of(awaited.request_key);
  const RequestRecord record =
      RequestRecord::decode(store.get(tables::requests, awaited.request_key).value());
  storage::Batch batch;
  batch.require_value(tables::awaiting, key, *stored, unexpected);
  erase_awaited(batch, tables::awaiting, key, awaited);
  // It was handed over as well.
  if (const std::optional<Bytes> handed = store.get(tables::local_commands, key)) {
    batch.require_value(tables::local_commands, key, *handed, unexpected);
    erase_awaited(batch, tables::local_commands, key, Awaited::decode(*handed));
  }
  batch.append(FactWriter(FactKind::device_answered, world.now(), awaited.trace)
                   .text(FactField::request_id, id.text())
                   .octets(FactField::message_digest, crypto::sha256(octets))
                   .bytes());
  add_end(batch, awaited.request_key, record, "I0", awaited.trace);
  add_response(batch, id.originator,
               answer_of(message, octets, awaited.request_key, record, awaited.schedule),
               awaited.trace);
  batch.add(effects_of(message, record, id, awaited.trace));
  if (own_commands) own_commands->seen(batch, message, awaited.trace);
  const Result<std::uint64_t> committed = store.commit(std::move(batch));
  if (!committed.ok()) {
    // The answer came twice at one moment, or what it changes was changed as it came.
    if (store.get(tables::awaiting, key) != stored) return committed.refusal();
    return on_answer(message, octets, trace);
  }
  ++tally.answered;
  log::info("device_answered", {{"trace", awaited.trace.text()}, {"request", id.text()}});
  release_followers(awaited.request_key);
  return {};
}

}  // namespace wattseal::gateway
