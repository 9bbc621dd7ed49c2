// From a user's document to an accepted request: verify, read, decide, transform, make durable,
// acknowledge.
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "gateway/gateway/state.h"
#include "gateway/service.h"

namespace wattseal::gateway {
namespace {

constexpr std::string_view kXmlType = "application/xml";

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
// registered to; for one that nothing hangs on yet, the meter point that a request brings (8.11).
std::optional<MeterPoint> meter_point_of(const Registration& registration,
                                         const Inventory& inventory, const Device& device,
                                         const duis::ServiceRequest& request) {
  const Eui64 user = request.id.originator;
  std::vector<std::string> candidates;
  if (!device.meter_point.empty()) {
    candidates.push_back(device.meter_point);
  } else {
    for (const Device& sibling : inventory.on_hub(device.hub)) {
      if (!sibling.meter_point.empty()) candidates.push_back(sibling.meter_point);
    }
  }
  const xml::Element* const added = request.body.child("AddDeviceToCHFWhitelist");
  const xml::Element* const brought = added ? added->child("ImportMPxN") : nullptr;
  if (candidates.empty() && brought) candidates.emplace_back(brought->trimmed());
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

Result<std::string> InventoryFacts::named(std::string_view name) const {
  const std::string variant = device_.variant.substr(0, device_.variant.find(' '));
  if (name == "variant") return variant;
  if (name == "generation") return std::string(device_.older_generation() ? "older" : "newer");
  if (name == "cin" && !number_.empty()) return number_;
  if (name == "twin" || name == "polyphase") return std::string(variant == name ? "true" : "false");
  return Refusal{"gbcs-fact-missing"_rule,
                 "the inventory knows nothing of '" + std::string(name) + "'"};
}

// What hung on the old proxy hangs on the hub still.
Result<gbcs::Facts::Rows> InventoryFacts::rows(std::string_view name) const {
  if (name != "gpf-log") return gbcs::Facts::rows(name);
  Rows log;
  for (const Device& one : inventory_.on_hub(device_.hub)) {
    const bool live = one.status != DeviceStatus::pending &&
                      one.status != DeviceStatus::decommissioned &&
                      one.status != DeviceStatus::withdrawn;
    if (live && (one.type == DeviceType::gsme || one.type == DeviceType::ppmid ||
                 one.type == DeviceType::ihd || one.type == DeviceType::cad))
      log.push_back({one.id.text(), std::to_string(gbcs_type_code(one.type))});
  }
  return log;
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

Result<duis::ServiceResponse> Gateway::State::handle(ServiceUrl url, const xml::Document& document,
                                                     std::string_view octets, TraceId trace,
                                                     std::optional<duis::ServiceRequest>& read) {
  TRY_ASSIGN(duis::ServiceRequest request, duis::read_request(document.root()));
  read = std::move(request);
  TRY_ASSIGN(const smki::PublishedCertificate signer,
             verified_signer(repository, signers, document));
  const Result<smki::Party> party = parties.party(read->id.originator);
  const Result<Device> device = inventory.find(read->id.target);
  const std::optional<MeterPoint> point =
      device.ok() ? meter_point_of(registration, inventory, *device, *read) : std::nullopt;
  const AccessQuestion question{*read,
                                url,
                                &signer,
                                party.ok() ? &*party : nullptr,
                                device.ok() ? &*device : nullptr,
                                point ? &*point : nullptr,
                                world.now()};
  TRY_ASSIGN(const UserRole role, decide(question));
  if (read->id.counter.number() >= kReservedCounters)
    return Refusal{"gateway-counter-reserved"_rule,
                   "counter " + std::to_string(read->id.counter.number()),
                   "/Request/Header/RequestID"};
  if (read->command_variant != 4) TRY(room_in_queues(*read));
  switch (read->command_variant) {
    case 4: return handle_transform(*read, *device, trace);
    case 8: return handle_non_device(*read, trace);
    default: return handle_command({*read, url, *device, role, trace, 0, octets});
  }
}

Result<UserRole> Gateway::State::judge_again(const duis::ServiceRequest& request, ServiceUrl url,
                                             const Device& device) const {
  const Result<smki::Party> party = parties.party(request.id.originator);
  const std::optional<MeterPoint> point = meter_point_of(registration, inventory, device, request);
  return decide({request, url, nullptr, party.ok() ? &*party : nullptr, &device,
                 point ? &*point : nullptr, world.now()});
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
      document.ok() ? state_->handle(url, *document, http_request.body, http_request.trace, request)
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
  if (std::ranges::all_of(refusal.field, [](char c) { return c > ' ' && c <= '~'; }) &&
      !refusal.field.empty())
    why.push_back({"X-Wattseal-Field", refusal.field});
  std::string answer;
  if (request) {
    const std::string_view code = rule_row(refusal.rule).response_code;
    answer = state_->signed_document(
        state_->answer_to(*request, std::string(code == "-" ? "E60" : code)));
  }
  const std::string* const accept = http_request.header("Accept");
  if (accept && accept->find("application/json") != std::string::npos) {
    nlohmann::json body = refusal_json(refusal, http_request.trace);
    if (request) body["document"] = answer;
    return {request ? 200 : 400, "application/json",
            body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
            std::move(why)};
  }
  if (!request) return {400, "text/plain; charset=utf-8", explain(refusal) + "\n", std::move(why)};
  return {200, std::string(kXmlType), answer, std::move(why)};
}

}  // namespace wattseal::gateway
