// What a device said to a command that its user delivered locally: 8.13. Source:
// spec/gbcs-duis.md 3.2; DUIS schema 5.4 (X).
#include "gateway/gateway/state.h"

namespace wattseal::gateway {

Result<duis::ServiceResponse> Gateway::State::return_local_response(
    const duis::ServiceRequest& request, TraceId trace) {
  const std::string path = "/Request/Body/ReturnLocalCommandResponse/";
  const std::optional<Bytes> octets = from_base64(request.body.child("DeviceGBCSResponse")->text);
  const Result<gbcs::Message> message =
      octets ? gbcs::decode(*octets)
             : Result<gbcs::Message>(Refusal{"gateway-local-response"_rule, "it is no base64"});
  if (!message.ok() || message->cra != gbcs::Cra::response)
    return Refusal{"gateway-local-response"_rule,
                   message.ok() ? "it is no response" : message.refusal().detail,
                   path + "DeviceGBCSResponse"};
  const Status believed = check_device(*message);
  if (!believed.ok())
    return Refusal{"gateway-local-response"_rule, believed.refusal().detail,
                   path + "DeviceGBCSResponse"};
  const Bytes key =
      awaiting_key(message->originator, message->target, message->counter, message->code);
  const std::optional<Bytes> row = store.get(tables::local_commands, key);
  const Refusal unknown{
      "gateway-local-unknown"_rule,
      "counter " + std::to_string(message->counter.number()) + " of " + message->originator.text(),
      path + "DeviceGBCSResponse"};
  if (!row) return unknown;
  const Awaited handed = Awaited::decode(*row);
  const duis::RequestId original = request_id_of(handed.request_key);
  const xml::Element* const named = request.body.child("OriginalRequestID");
  if (original.originator != request.id.originator) return unknown;
  if (named) {
    const Result<duis::RequestId> id = duis::RequestId::parse(named->trimmed());
    if (!id.ok() || *id != original)
      return Refusal{"gateway-local-unknown"_rule, "it answers " + original.text(),
                     path + "OriginalRequestID"};
  }
  const RequestRecord record =
      RequestRecord::decode(store.get(tables::requests, handed.request_key).value());
  storage::Batch batch;
  batch.require_value(tables::local_commands, key, *row, unknown);
  erase_awaited(batch, tables::local_commands, key, handed);
  batch.append(FactWriter(FactKind::device_answered, world.now(), trace)
                   .text(FactField::request_id, original.text())
                   .octets(FactField::message_digest, crypto::sha256(*octets))
                   .bytes());
  // The same command was sent over the SM WAN too, and nothing has come back that way.
  const std::optional<Bytes> waiting = store.get(tables::awaiting, key);
  if (waiting) {
    batch.require_value(tables::awaiting, key, *waiting, unknown);
    erase_awaited(batch, tables::awaiting, key, Awaited::decode(*waiting));
    add_end(batch, handed.request_key, record, "I0", handed.trace);
  }
  add_response(batch, original.originator,
               answer_of(*message, *octets, handed.request_key, record, handed.schedule), trace);
  batch.add(effects_of(*message, record, original, trace));
  TRY(accept_at_once(std::move(batch), request, trace));
  if (waiting) release_followers(handed.request_key);
  return answer_to(request, "I0");
}

}  // namespace wattseal::gateway
