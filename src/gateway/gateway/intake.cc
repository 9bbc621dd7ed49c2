// From a user's document to an accepted request: verify, read, decide, transform, make durable,
// acknowledge.
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr std::string_view kXmlType = "application/xml";

Result<crypto::PublicPoint> key_of(const smki::PublishedCertificate& published) {
  TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(published.der));
  return certificate.key;
}

// The document names its signer by issuer and serial; the certificate comes from the repository,
// never from the document.
Result<smki::PublishedCertificate> verified_signer(const smki::Repository& repository,
                                                   Signers& signers,
                                                   const xml::Document& document) {
  TRY_ASSIGN(const xml::IssuerSerial claimed, xml::claimed_signer(document));
  const Result<smki::PublishedCertificate> signer =
      repository.by_issuer_serial(claimed.issuer_name, claimed.serial);
  if (!signer.ok()) {
    return Refusal{
        "gateway-unknown-signer"_rule,
        "no certificate of " + claimed.issuer_name + " with serial " + claimed.serial.decimal(),
        "/Request/Signature/KeyInfo"};
  }
  TRY_ASSIGN(const crypto::PublicPoint key, key_of(*signer));
  TRY(signers.verify(document, key));
  return *signer;
}

// A device's own meter point; for a hub function, any meter point on the hub that the user is
// registered to.
std::optional<MeterPoint> meter_point_of(const Registration& registration,
                                         const Inventory& inventory, const Device& device,
                                         Eui64 user) {
  std::vector<std::string> candidates;
  if (!device.meter_point.empty()) {
    candidates.push_back(device.meter_point);
  } else {
    for (const Device& sibling : inventory.on_hub(device.hub)) {
      if (!sibling.meter_point.empty()) candidates.push_back(sibling.meter_point);
    }
  }
  std::optional<MeterPoint> best;
  for (const std::string& id : candidates) {
    const Result<MeterPoint> point = registration.find(id);
    if (!point.ok()) continue;
    if (!best || point->supplier == user || point->network_operator == user) best = *point;
  }
  return best;
}

}  // namespace

Result<int> InventoryFacts::device_type_code(Eui64 device) const {
  const Result<Device> found = inventory_.find(device);
  if (!found.ok())
    return Refusal{"gbcs-fact-missing"_rule, "the type of " + device.text() + " is not known"};
  return gbcs_type_code(found->type);
}

Result<Bytes> InventoryFacts::key_agreement_certificate(Eui64 device) const {
  const Result<smki::PublishedCertificate> found =
      repository_.latest(device, KeyUse::key_agreement, std::nullopt);
  if (!found.ok())
    return Refusal{"gbcs-fact-missing"_rule,
                   "no key agreement certificate of " + device.text() + " is published"};
  return found->der;
}

// The inventory's variant: single, twin or polyphase, and "older" behind it for a device of the
// older generation.
Result<std::string> InventoryFacts::named(std::string_view name) const {
  const std::string variant = device_.variant.substr(0, device_.variant.find(' '));
  if (name == "variant") return variant;
  if (name == "generation")
    return std::string(device_.variant.ends_with(" older") ? "older" : "newer");
  if (name == "twin" || name == "polyphase") return std::string(variant == name ? "true" : "false");
  return Refusal{"gbcs-fact-missing"_rule,
                 "the inventory knows nothing of '" + std::string(name) + "'"};
}

// That of its newest digital signing certificate for messages that is in use.
Result<RemotePartyRole> InventoryFacts::role_of(Eui64 party) const {
  for (const smki::PublishedCertificate& certificate : repository_.by_organisation(party)) {
    if (certificate.use == KeyUse::digital_signature && certificate.role &&
        *certificate.role != RemotePartyRole::xml_sign &&
        certificate.status == smki::CertificateStatus::in_use)
      return *certificate.role;
  }
  return Refusal{"gbcs-fact-missing"_rule,
                 "no digital signing certificate of " + party.text() + " is in use"};
}

duis::ServiceResponse Gateway::State::answer_to(const duis::ServiceRequest& request,
                                                std::string code) const {
  duis::ServiceResponse response;
  response.schema_version = request.schema_version;
  response.request_id = request.id;
  response.response_code = std::move(code);
  response.at = world.now();
  response.service_reference = request.service_reference;
  response.service_variant = request.service_variant;
  return response;
}

std::string Gateway::State::signed_document(const duis::ServiceResponse& response) const {
  const Result<std::string> document =
      xml::sign(duis::write(response), identity.xml_signer, *identity.xml_signing);
  CHECK(document.ok());  // we wrote the document ourselves
  return *document;
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

// The request, its command and what waits for the answer become durable together; a RequestID is
// used once.
Status Gateway::State::accept(const duis::ServiceRequest& request, ServiceUrl url,
                              const gbcs::Message& message, const std::string& use_case,
                              TraceId trace, bool to_wan) {
  const UtcTime now = world.now();
  const bool transformed = url == ServiceUrl::transform;
  const Bytes octets = gbcs::encode(message);
  const Bytes key = request_key(request.id, url);
  const std::string id = request.id.text();
  RequestRecord record{request.service_reference,
                       request.service_variant,
                       request.schema_version,
                       use_case,
                       request.command_variant,
                       crypto::sha256(transformed ? gbcs::signed_octets(message) : octets)};
  storage::Batch batch;
  batch.require_absent(tables::requests, key,
                       Refusal{"gateway-replay"_rule, "RequestID " + id + " was used before",
                               "/Request/Header/RequestID"});
  batch.put(tables::requests, key, record.encode());
  batch.append(
      FactWriter(FactKind::request_accepted, now, trace)
          .text(FactField::request_id, id)
          .text(FactField::service_variant, request.service_variant)
          .number(FactField::command_variant, static_cast<std::uint64_t>(request.command_variant))
          .bytes());
  batch.append(
      FactWriter(transformed ? FactKind::pre_command_made : FactKind::command_intended, now, trace)
          .text(FactField::request_id, id)
          .text(FactField::use_case, use_case)
          .octets(FactField::message_digest, record.message_digest)
          .bytes());
  if (to_wan) {
    batch.put(tables::commands_out, order_key(next_command++),
              Outgoing{request.id.target, trace, octets, id}.encode());
    const Awaited awaited{key, now.plus_seconds(response_timeout_seconds), trace};
    batch.put(tables::awaiting,
              awaiting_key(message.target, message.originator, message.counter, message.code),
              awaited.encode());
  } else {
    // Its answer is the acknowledgement itself.
    batch.append(FactWriter(FactKind::request_ended, now, trace)
                     .text(FactField::request_id, id)
                     .text(FactField::response_code, "I0")
                     .bytes());
  }
  TRY(store.commit(std::move(batch)));
  return {};
}

Result<duis::ServiceResponse> Gateway::State::handle_transform(const duis::ServiceRequest& request,
                                                               const Device& device,
                                                               TraceId trace) {
  const InventoryFacts facts(inventory, repository, device);
  const Originator originator{request.id.originator, request.id.counter, std::nullopt, {}};
  TRY_ASSIGN(const Transformed made,
             transform(*templates, request, device.type, originator, facts, world.now()));
  TRY(accept(request, ServiceUrl::transform, made.message, gbcs::view(*made.use_case).use_case,
             trace, false));
  duis::ServiceResponse response = answer_to(request, "I0");
  response.pre_command = gbcs::encode(made.message);
  return response;
}

// The signed pre-command: it must be the one that was made for this RequestID, signed by a key of
// its originator.
Result<gbcs::Message> Gateway::State::signed_command(const duis::ServiceRequest& request) {
  const std::string path = "/Request/Body/SignedPreCommand/GBCSPayload";
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
    verified = gbcs::verify_signature(message, key);
    if (verified.ok()) return message;
  }
  return Refusal{"gateway-pre-command-signature"_rule, verified.refusal().detail, path};
}

Result<duis::ServiceResponse> Gateway::State::handle_send(const duis::ServiceRequest& request,
                                                          const Device& device, TraceId trace) {
  gbcs::Message message;
  std::string use_case;
  if (request.command_variant == 5) {
    TRY_ASSIGN(message, signed_command(request));
    const std::optional<Bytes> made =
        store.get(tables::requests, request_key(request.id, ServiceUrl::transform));
    use_case = RequestRecord::decode(made.value()).use_case;
  } else {
    const InventoryFacts facts(inventory, repository, device);
    const Originator originator{request.id.originator, request.id.counter, std::nullopt, {}};
    TRY_ASSIGN(Transformed made,
               transform(*templates, request, device.type, originator, facts, world.now()));
    message = std::move(made.message);
    use_case = gbcs::view(*made.use_case).use_case;
  }
  TRY_ASSIGN(const crypto::SharedSecret secret, broker_secret(device.id));
  gbcs::add_mac(message, secret);
  TRY(accept(request, ServiceUrl::send_command, message, use_case, trace, true));
  return answer_to(request, "I99");
}

Result<duis::ServiceResponse> Gateway::State::handle_local(const duis::ServiceRequest& request,
                                                           const Device& device, TraceId trace) {
  gbcs::Message message;
  std::string use_case = "signed pre-command";
  if (request.command_variant == 6) {
    TRY_ASSIGN(message, signed_command(request));
  } else {
    const InventoryFacts facts(inventory, repository, device);
    const Originator originator{request.id.originator, request.id.counter, std::nullopt, {}};
    TRY_ASSIGN(Transformed made,
               transform(*templates, request, device.type, originator, facts, world.now()));
    message = std::move(made.message);
    use_case = gbcs::view(*made.use_case).use_case;
  }
  TRY_ASSIGN(const crypto::SharedSecret secret, broker_secret(device.id));
  gbcs::add_mac(message, secret);
  TRY(accept(request, ServiceUrl::non_device, message, use_case, trace, false));
  duis::ServiceResponse response = answer_to(request, "I0");
  response.local_command = gbcs::encode(message);
  return response;
}

Result<duis::ServiceResponse> Gateway::State::handle(ServiceUrl url, const xml::Document& document,
                                                     TraceId trace,
                                                     std::optional<duis::ServiceRequest>& read) {
  TRY_ASSIGN(duis::ServiceRequest request, duis::read_request(document.root()));
  read = std::move(request);
  TRY_ASSIGN(const smki::PublishedCertificate signer,
             verified_signer(repository, signers, document));
  const Result<smki::Party> party = parties.party(read->id.originator);
  const Result<Device> device = inventory.find(read->id.target);
  const std::optional<MeterPoint> point =
      device.ok() ? meter_point_of(registration, inventory, *device, read->id.originator)
                  : std::nullopt;
  const AccessQuestion question{*read,
                                url,
                                signer,
                                party.ok() ? &*party : nullptr,
                                device.ok() ? &*device : nullptr,
                                point ? &*point : nullptr,
                                world.now()};
  TRY(decide(question));
  switch (read->command_variant) {
    case 1:
    case 5: return handle_send(*read, *device, trace);
    case 2:
    case 6: return handle_local(*read, *device, trace);
    case 4: return handle_transform(*read, *device, trace);
    default:
      return Refusal{"gateway-variant-not-offered"_rule,
                     "command variant " + std::to_string(read->command_variant),
                     "/Request/Header/CommandVariant"};
  }
}

void Gateway::State::journal_refusal(const Refusal& refusal,
                                     const std::optional<duis::ServiceRequest>& request,
                                     TraceId trace) {
  FactWriter fact(FactKind::request_refused, world.now(), trace);
  fact.text(FactField::rule, refusal.rule.text())
      .text(FactField::response_code, rule_row(refusal.rule).response_code);
  if (request)
    fact.text(FactField::request_id, request->id.text())
        .text(FactField::service_variant, request->service_variant);
  storage::Batch batch;
  batch.append(fact.bytes());
  if (!store.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
}

http::Response Gateway::serve(ServiceUrl url, const http::Request& http_request) {
  std::optional<duis::ServiceRequest> request;
  Result<xml::Document> document =
      xml::parse(http_request.body, {limit("request_octets_max"), 64, 200'000});
  Result<duis::ServiceResponse> response =
      document.ok() ? state_->handle(url, *document, http_request.trace, request)
                    : Result<duis::ServiceResponse>(document.refusal());
  if (response.ok()) {
    ++state_->tally.accepted;
    log::info("request_accepted", {{"trace", http_request.trace.text()},
                                   {"request", request->id.text()},
                                   {"service", request->service_variant}});
    return {200, std::string(kXmlType), state_->signed_document(*response), {}};
  }
  const Refusal& refusal = response.refusal();
  ++state_->tally.refused;
  state_->journal_refusal(refusal, request, http_request.trace);
  log::info("request_refused", {{"trace", http_request.trace.text()},
                                {"rule", std::string(refusal.rule.text())},
                                {"field", refusal.field}});
  std::vector<http::Header> why = {{"X-Wattseal-Rule", std::string(refusal.rule.text())}};
  if (!request) return {400, "text/plain; charset=utf-8", explain(refusal) + "\n", std::move(why)};
  const std::string_view code = rule_row(refusal.rule).response_code;
  duis::ServiceResponse answer =
      state_->answer_to(*request, std::string(code == "-" ? "E60" : code));
  return {200, std::string(kXmlType), state_->signed_document(answer), std::move(why)};
}

}  // namespace wattseal::gateway
