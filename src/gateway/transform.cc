#include "gateway/transform.h"

#include <algorithm>
#include <span>

#include "x509/x509.h"

namespace wattseal::gateway {
namespace {

Refusal differs(const char* rule_detail, std::string path) {
  return {"correlate-header"_rule, rule_detail, std::move(path)};
}

// The grouping header must be what the request says and nothing more. Source:
// spec/gbcs-duis.md 4.2.
Status compare_header(const gbcs::Message& message, const duis::RequestId& id) {
  if (message.cra != gbcs::Cra::command) return differs("it is no command", "cra");
  if (message.originator != id.originator)
    return differs("the originator is another", "originator");
  if (message.target != id.target) return differs("the target is another", "target");
  if (message.counter != id.counter) return differs("the counter is another", "counter");
  if (!message.date_time.empty()) return differs("a command carries no time", "date-time");
  if (message.supplementary_party || message.supplementary_counter ||
      !message.supplementary_certificate.empty()) {
    return differs("a pre-command has no supplementary party", "other-information");
  }
  if (message.signature_field == gbcs::SignatureField::present || message.mac)
    return differs("it is signed or MACed already", "signature");
  return {};
}

// Whether the device, as far as it is known, has another use case for this request.
Status check_device(const gbcs::TemplateView& view, const gbcs::Facts& facts) {
  const auto is_other = [&](std::string_view name, const auto& allowed) {
    const Result<std::string> known = facts.named(name);
    return known.ok() && std::ranges::find(allowed, *known) == std::end(allowed);
  };
  const std::string* const generation = &view.generation;
  const bool other_generation =
      !generation->empty() && is_other("generation", std::span(generation, 1));
  if (!other_generation && (view.variants.empty() || !is_other("variant", view.variants)))
    return {};
  return Refusal{"correlate-code"_rule, view.use_case + " is for other devices than this one",
                 "message code"};
}

// A party that the device does not know sends the certificate along that the device encrypts for.
// Source: spec/gbcs-duis.md 5.3.
Result<Bytes> certificate_sent_along(const xml::Element& body) {
  constexpr std::string_view kElement = "KAPublicSecurityCredentials";
  const std::string path = "/Request/Body/" + body.name + "/" + std::string(kElement);
  const xml::Element* const sent = body.child(kElement);
  if (!sent)
    return Refusal{"gbcs-value-missing"_rule,
                   "the device does not know the user whom it is to encrypt for", path};
  std::optional<Bytes> der = from_base64(sent->text);
  if (!der || !x509::parse_certificate(*der).ok())
    return Refusal{"gbcs-value-range"_rule, "the value is no certificate", path};
  return std::move(*der);
}

}  // namespace

Result<Transformed> transform(const gbcs::TemplateSet& templates,
                              const duis::ServiceRequest& request, DeviceType type,
                              const Originator& originator, const gbcs::Facts& facts, UtcTime now) {
  const gbcs::TransformContext context{request.body,           originator.id, request.id.target,
                                       originator.counter,     now,           facts,
                                       originator.on_behalf_of};
  Transformed out;
  TRY_ASSIGN(out.use_case, templates.select(request.service_variant, text(type), context));
  if (gbcs::view(*out.use_case).dcc_signed && originator.id == request.id.originator) {
    return Refusal{"gateway-dcc-originator"_rule,
                   gbcs::view(*out.use_case).use_case + " is not sent for " + originator.id.text(),
                   "/Request/Header/RequestID"};
  }
  TRY_ASSIGN(out.message.payload, gbcs::write_payload(*out.use_case, context));
  out.message.cra = gbcs::Cra::command;
  out.message.counter = originator.counter;
  out.message.originator = originator.id;
  out.message.target = request.id.target;
  out.message.code = gbcs::view(*out.use_case).code;
  if (originator.on_behalf_of) {
    out.message.supplementary_party = originator.on_behalf_of;
    out.message.supplementary_counter = originator.on_behalf_counter;
    if (gbcs::view(*out.use_case).encrypted) {
      TRY_ASSIGN(out.message.supplementary_certificate, certificate_sent_along(request.body));
    }
  }
  if (gbcs::encode(out.message).size() > limit("gbcs_octets_max")) {
    return Refusal{"gateway-command-too-long"_rule,
                   std::to_string(out.message.payload.size()) + " octets of payload",
                   "/Request/Body"};
  }
  return out;
}

Result<Correlation> correlate(const gbcs::TemplateSet& templates,
                              const duis::ServiceRequest& request, BytesView pre_command,
                              const gbcs::Facts& facts, UtcTime now) {
  TRY_ASSIGN(const gbcs::Message message, gbcs::decode(pre_command));
  TRY(compare_header(message, request.id));
  const gbcs::ReadContext context{message.originator, message.target, message.counter, facts};
  std::optional<Refusal> first_refusal;
  for (const gbcs::Template* use_case : templates.by_code(message.code)) {
    const gbcs::TemplateView& view = gbcs::view(*use_case);
    if (view.service_reference_variant != request.service_variant ||
        view.element != request.body.name)
      continue;
    const Status fits = check_device(view, facts);
    const Result<gbcs::ReadBack> read =
        fits.ok() ? gbcs::read_payload(*use_case, message.payload, context)
                  : Result<gbcs::ReadBack>(fits.refusal());
    const Status same =
        read.ok()
            ? gbcs::compare(*read, request.body, now,
                            static_cast<std::int64_t>(limit("correlate_clock_tolerance_seconds")))
            : Status(read.refusal());
    if (same.ok()) return Correlation{view.use_case, read->values.size(), read->clock_windows};
    if (!first_refusal) first_refusal = same.refusal();
  }
  if (first_refusal) return *first_refusal;
  return Refusal{
      "correlate-code"_rule,
      "message code " + message.code.text() + " does not serve " + request.service_variant,
      "message code"};
}

}  // namespace wattseal::gateway
