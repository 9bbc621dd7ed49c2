// From a judged request to its command: who the originator is, with which counter, signed or not,
// with the broker's MAC; and what becomes durable with it. What waits first is deferral.cc's.
#include "base/log.h"
#include "gateway/gateway/state.h"
#include "terms/broker.h"

namespace wattseal::gateway {
namespace {

constexpr std::int64_t kHourSeconds = 3600;
constexpr std::string_view kPreCommandPath = "/Request/Body/SignedPreCommand/GBCSPayload";

bool over_wan(int command_variant) {
  return command_variant == 1 || command_variant == 3 || command_variant == 5 ||
         command_variant == 7;
}
bool to_user(int command_variant) {
  return command_variant == 2 || command_variant == 3 || command_variant == 6 ||
         command_variant == 7;
}
bool carries_pre_command(int command_variant) {
  return command_variant >= 5 && command_variant <= 7;
}

// Four digits, as the meter shows them.
std::string customer_number(Random& random) {
  std::array<Octet, 8> octets{};
  random.fill(octets);
  const std::string digits = std::to_string(get_be(octets) % 10'000);
  return std::string(4 - digits.size(), '0') + digits;
}

// What a held request was held for is not the device's business: it acts when it hears.
duis::ServiceRequest without_date(duis::ServiceRequest request) {
  if (is_held_until_dated(request))
    std::erase_if(request.body.children,
                  [](const xml::Element& child) { return child.name == "ExecutionDateTime"; });
  return request;
}

}  // namespace

Result<crypto::PublicPoint> key_of(const smki::PublishedCertificate& published) {
  TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(published.der));
  return certificate.key;
}

Result<crypto::SharedSecret> Gateway::State::broker_secret(Eui64 device) {
  TRY_ASSIGN(const smki::PublishedCertificate published,
             repository.latest(device, KeyUse::key_agreement, std::nullopt));
  {
    const std::lock_guard lock(secrets_mutex);
    const auto known = secrets.find(device);
    if (known != secrets.end() && known->second.first == published.serial)
      return known->second.second;
  }
  TRY_ASSIGN(const crypto::PublicPoint key, key_of(published));
  const crypto::SharedSecret secret = identity.broker_key_agreement->agree(key);
  const std::lock_guard lock(secrets_mutex);
  if (secrets.size() >= limit("broker_secrets_cached_max")) secrets.clear();
  secrets.insert_or_assign(device, std::pair(published.serial, secret));
  return secret;
}

// One sequence an originator serves all its targets: so it rises for each of them. A block is
// durable before the first of it is used; what a dead process had left of its block is never used.
Result<OriginatorCounter> Gateway::State::reserve_counter(Eui64 originator,
                                                          std::uint64_t at_least) {
  const std::lock_guard lock(counters_mutex);
  Reserved& mine = counters[originator];
  mine.next = std::max(mine.next, at_least);
  if (mine.next >= mine.end) {
    Bytes key, value;
    put_be(key, originator.number());
    put_be(key, std::uint64_t{0});
    const std::optional<Bytes> before = store.get(tables::counters, key);
    if (before) mine.next = std::max(mine.next, get_be(*before));
    mine.end = mine.next + limit("counter_block");
    put_be(value, mine.end);
    storage::Batch batch;
    batch.put(tables::counters, key, value);
    TRY(store.commit(std::move(batch)));
  }
  return OriginatorCounter(mine.next++);
}

void Gateway::State::add_acceptance(storage::Batch& batch, const duis::ServiceRequest& request,
                                    ServiceUrl url, const RequestRecord& record,
                                    TraceId trace) const {
  const Bytes key = request_key(request.id, url);
  batch.require_absent(
      tables::requests, key,
      Refusal{"gateway-replay"_rule, "RequestID " + request.id.text() + " was used before",
              "/Request/Header/RequestID"});
  batch.put(tables::requests, key, record.encode());
  batch.append(
      FactWriter(FactKind::request_accepted, world.now(), trace)
          .text(FactField::request_id, request.id.text())
          .text(FactField::service_variant, request.service_variant)
          .number(FactField::command_variant, static_cast<std::uint64_t>(request.command_variant))
          .bytes());
}

void Gateway::State::add_end(storage::Batch& batch, BytesView key, RequestRecord record,
                             std::string_view code, TraceId trace) const {
  record.outcome = std::string(code);
  batch.put(tables::requests, key, record.encode());
  batch.append(FactWriter(FactKind::request_ended, world.now(), trace)
                   .text(FactField::request_id, request_id_of(key).text())
                   .text(FactField::response_code, code)
                   .bytes());
}

RequestRecord record_of(const duis::ServiceRequest& request, std::string use_case,
                        crypto::Digest digest) {
  return {request.service_reference,
          request.service_variant,
          request.schema_version,
          std::move(use_case),
          request.command_variant,
          digest,
          {},
          {}};
}

bool is_change_of_supplier(const duis::ServiceRequest& request) {
  return request.service_variant == "6.23";
}

Result<duis::ServiceResponse> Gateway::State::handle_transform(const duis::ServiceRequest& request,
                                                               const Device& device,
                                                               TraceId trace) {
  const InventoryFacts facts(inventory, repository, device);
  const Originator originator{request.id.originator, request.id.counter, std::nullopt, {}};
  TRY_ASSIGN(const Transformed made,
             transform(*templates, request, device.type, originator, facts, world.now()));
  RequestRecord record = record_of(request, gbcs::view(*made.use_case).use_case,
                                   crypto::sha256(gbcs::signed_octets(made.message)));
  record.note = note_of(request);  // the signed pre-command does not say it
  storage::Batch batch;
  add_acceptance(batch, request, ServiceUrl::transform, record, trace);
  batch.append(FactWriter(FactKind::pre_command_made, world.now(), trace)
                   .text(FactField::request_id, request.id.text())
                   .text(FactField::use_case, record.use_case)
                   .octets(FactField::message_digest, record.message_digest)
                   .bytes());
  // Its answer is the acknowledgement itself.
  add_end(batch, request_key(request.id, ServiceUrl::transform), record, "I0", trace);
  TRY(store.commit(std::move(batch)));
  duis::ServiceResponse response = answer_to(request, "I0");
  response.pre_command = gbcs::encode(made.message);
  return response;
}

// The signed pre-command: it must be the one that was made for this RequestID, signed by a key of
// its originator.
Result<gbcs::Message> Gateway::State::signed_command(const duis::ServiceRequest& request) {
  const std::string path(kPreCommandPath);
  TRY_ASSIGN(const Bytes octets, duis::signed_pre_command(request));
  TRY_ASSIGN(const gbcs::Message message, gbcs::decode(octets));
  if (message.originator != request.id.originator || message.target != request.id.target ||
      message.counter != request.id.counter) {
    return Refusal{"gateway-pre-command-header"_rule,
                   "the header differs from RequestID " + request.id.text(), path};
  }
  const std::optional<Bytes> made =
      store.get(tables::requests, request_key(request.id, ServiceUrl::transform));
  if (!made)
    return Refusal{"gateway-no-pre-command"_rule,
                   "nothing was transformed under RequestID " + request.id.text(), path};
  if (RequestRecord::decode(*made).message_digest != crypto::sha256(gbcs::signed_octets(message))) {
    return Refusal{"gateway-pre-command-differs"_rule, "its octets are not those that were made",
                   path};
  }
  Status verified = Refusal{
      "gateway-pre-command-signature"_rule,
      "no digital signing certificate of " + request.id.originator.text() + " is in use", path};
  for (const smki::PublishedCertificate& certificate :
       repository.by_organisation(request.id.originator)) {
    if (certificate.use != KeyUse::digital_signature ||
        certificate.status != smki::CertificateStatus::in_use)
      continue;
    if (certificate.role == RemotePartyRole::xml_sign)
      continue;  // it signs documents, not messages
    TRY_ASSIGN(const crypto::PublicPoint key, key_of(certificate));
    verified = signers.verify(message, key);
    if (verified.ok()) return message;
  }
  return Refusal{"gateway-pre-command-signature"_rule, verified.refusal().detail, path};
}

// What the user's party signs; else who the device listens to: its user, or the broker for users
// that it does not know and for what only the broker may ask. Source: spec/gbcs-duis.md 5.3.
Result<Command> Gateway::State::transformed_command(const Order& order, bool trial) {
  const bool number = order.request.service_variant == kCustomerNumber;
  const std::string chosen = number ? customer_number(world.random) : std::string();
  const InventoryFacts facts(inventory, repository, order.device, chosen);
  const duis::ServiceRequest request = without_date(order.request);
  const auto make = [&](const Originator& originator) {
    return transform(*templates, request, order.device.type, originator, facts, world.now());
  };
  const bool unknown = !known_to_devices(order.role);
  Transformed made;
  if (!unknown) {
    TRY_ASSIGN(made, make({order.request.id.originator, order.request.id.counter, {}, {}}));
  }
  const Brokerage rule =
      unknown ? Brokerage{true, true} : brokerage(gbcs::view(*made.use_case).use_case);
  if (rule.by_broker || gbcs::view(*made.use_case).dcc_signed) {
    Originator broker{identity.broker, OriginatorCounter(), std::nullopt, {}};
    if (rule.for_unknown) {
      broker.on_behalf_of = order.request.id.originator;
      broker.on_behalf_counter = order.request.id.counter;
    }
    if (!trial) {
      TRY_ASSIGN(broker.counter,
                 reserve_counter(identity.broker,
                                 static_cast<std::uint64_t>(world.clock.now_milliseconds())));
    }
    TRY_ASSIGN(made, make(broker));
  }
  const bool dcc_signed = gbcs::view(*made.use_case).dcc_signed;
  if (dcc_signed && !trial) gbcs::sign(made.message, *identity.broker_signing);
  return Command{std::move(made.message), gbcs::view(*made.use_case).use_case,
                 number ? chosen : note_of(order.request)};
}

// The CoS party signs it; the broker adds its MAC as to any other.
Result<Command> Gateway::State::cos_command(const Order& order, bool trial) {
  if (!cos_change)
    return Refusal{"gateway-service-not-offered"_rule, order.request.service_variant,
                   "/Request/Header/ServiceReferenceVariant"};
  const std::string point(order.request.body.child("ImportMPxN")->trimmed());
  const std::vector<Device> there = inventory.on_hub(order.device.hub);
  const bool at_point = order.device.meter_point == point,
             behind = order.device.meter_point.empty() &&
                      std::ranges::any_of(
                          there, [&](const Device&one) { return one.meter_point == point; });
  if (!at_point && !behind)
    return Refusal{"gateway-cos-meter-point"_rule, point,
                   "/Request/Body/UpdateSecurityCredentialsCoS/ImportMPxN"};
  TRY_ASSIGN(const CosAnswer answer,
             cos_change({order.document, order.device.type, trial, order.trace}));
  Command command{{}, "CS02bSupplierByTransCoS", answer.losing ? answer.losing->text() : ""};
  if (trial) return command;
  TRY_ASSIGN(command.message, gbcs::decode(answer.command));
  return command;
}

Result<Command> Gateway::State::make_command(const Order& order, bool trial) {
  Command command;
  if (carries_pre_command(order.request.command_variant)) {
    TRY_ASSIGN(command.message, signed_command(order.request));
    const std::optional<Bytes> made =
        store.get(tables::requests, request_key(order.request.id, ServiceUrl::transform));
    const RequestRecord record = RequestRecord::decode(made.value());
    command.use_case = record.use_case;
    command.note = record.note;
  } else if (is_change_of_supplier(order.request)) {
    TRY_ASSIGN(command, cos_command(order, trial));
  } else {
    TRY_ASSIGN(command, transformed_command(order, trial));
  }
  TRY_ASSIGN(const crypto::SharedSecret secret, broker_secret(order.device.id));
  if (!trial) gbcs::add_mac(command.message, secret);
  return command;
}

Result<Command> Gateway::State::add_command(storage::Batch& batch, const Order& order) {
  TRY_ASSIGN(Command command, make_command(order, false));
  const gbcs::Message& message = command.message;
  const Bytes octets = gbcs::encode(message), key = request_key(order.request.id, order.url),
              waiting =
                  awaiting_key(message.target, message.originator, message.counter, message.code);
  const std::string id = order.request.id.text();
  const UtcTime now = world.now();
  RequestRecord record = record_of(order.request, command.use_case, crypto::sha256(octets));
  record.note = command.note;
  batch.put(tables::requests, key, record.encode());
  batch.append(FactWriter(FactKind::command_intended, now, order.trace)
                   .text(FactField::request_id, id)
                   .text(FactField::use_case, command.use_case)
                   .octets(FactField::message_digest, record.message_digest)
                   .bytes());
  const bool dated = order.schedule != 0 || is_held_until_dated(order.request);
  const std::int64_t wait =
      dated ? static_cast<std::int64_t>(limit("future_dated_response_timeout_seconds"))
            : response_timeout_seconds.load();
  const Awaited awaited{key, now.plus_seconds(wait), order.trace, dated ? "E30" : "E21",
                        order.schedule};
  if (over_wan(order.request.command_variant)) {
    const Octet priority = priority_of(*find_service_request(order.request.service_variant), dated);
    batch.put(tables::commands_out,
              command_key(priority, order.request.id.originator, next_command++),
              Outgoing{order.device.id, order.trace, octets, id, 0, now}.encode());
    put_awaited(batch, tables::awaiting, waiting, awaited);
    command_room.add(order.request.id.originator);
  }
  if (to_user(order.request.command_variant)) {
    Awaited handed = awaited;
    handed.deadline =
        now.plus_seconds(static_cast<std::int64_t>(limit("local_command_hours")) * kHourSeconds);
    put_awaited(batch, tables::local_commands, waiting, handed);
    batch.append(FactWriter(FactKind::command_handed_over, now, order.trace)
                     .text(FactField::request_id, id)
                     .octets(FactField::command_digest, record.message_digest)
                     .bytes());
    // What the device says to it comes with a request of its own, 8.13.
    if (!over_wan(order.request.command_variant)) add_end(batch, key, record, "I0", order.trace);
  }
  return command;
}

Result<duis::ServiceResponse> Gateway::State::handle_command(const Order& order) {
  const duis::ServiceRequest& request = order.request;
  if ((request.first_in_sequence || request.preceding) && !over_wan(request.command_variant))
    return Refusal{"gateway-sequence-variant"_rule,
                   "command variant " + std::to_string(request.command_variant),
                   "/Request/Header/CommandVariant"};
  if (request.first_in_sequence && request.preceding)
    return Refusal{"gateway-sequence-both"_rule, "both elements are there",
                   "/Request/Header/PrecedingServiceRequestID"};
  if (is_cancellation(request)) return cancel_dated(order);
  TRY_ASSIGN(const std::optional<Wait> wait, wait_of(request, std::nullopt));
  const std::optional<Anomaly> anomaly = judge_anomaly(order);
  if (anomaly) {
    TRY(make_command(order, true));
    return defer(order, Deferred::Why::quarantined, UtcTime::forever(), std::nullopt, anomaly);
  }
  if (wait) {
    TRY(make_command(order, true));  // what cannot be made is refused now, not then
    return defer(order, wait->why, wait->due, wait->predecessor, std::nullopt);
  }
  storage::Batch batch;
  add_acceptance(batch, request, order.url, record_of(request, {}, {}), order.trace);
  TRY_ASSIGN(const Command command, add_command(batch, order));
  add_counts(batch, order);
  TRY(store.commit(std::move(batch)));
  duis::ServiceResponse response =
      answer_to(request, over_wan(request.command_variant) ? "I99" : "I0");
  if (to_user(request.command_variant)) response.local_command = gbcs::encode(command.message);
  return response;
}

}  // namespace wattseal::gateway
