#include "duis/duis.h"

#include "duis/schema.h"
#include "terms/terms.h"
#include "xml/dsig.h"

namespace wattseal::duis {
namespace {

constexpr std::string_view kSignedPreCommand = "SignedPreCommand";

xml::Element element(std::string name, std::string text = {}) {
  return {std::string(kNamespace), std::move(name), {}, std::move(text), {}};
}

Refusal structure(std::string detail, std::string path) {
  return {"duis-structure"_rule, std::move(detail), std::move(path)};
}

// Walks the children of an element in schema order: each expected name at most once, nothing else
// in between.
class Sequence {
 public:
  Sequence(const xml::Element& parent, std::string path)
      : parent_(parent), path_(std::move(path)) {}

  // The next child when it has this name.
  const xml::Element* optional(std::string_view name) {
    if (next_ == parent_.children.size()) return nullptr;
    const xml::Element& child = parent_.children[next_];
    if (child.ns != kNamespace || child.name != name) return nullptr;
    ++next_;
    return &child;
  }
  Result<const xml::Element*> required(std::string_view name) {
    if (const xml::Element* child = optional(name)) return child;
    if (next_ < parent_.children.size() && parent_.children[next_].name == name) {
      return Refusal{"duis-namespace"_rule, "the element is not of the DUIS namespace",
                     path_ + "/" + std::string(name)};
    }
    return structure("the element is missing or out of order", path_ + "/" + std::string(name));
  }
  Status finish() const {
    if (next_ == parent_.children.size()) return {};
    return structure("the element is not expected here",
                     path_ + "/" + parent_.children[next_].name);
  }

 private:
  const xml::Element& parent_;
  std::string path_;
  std::size_t next_ = 0;
};

Result<std::string> schema_version(const xml::Element& root) {
  const std::string* version = root.attribute("schemaVersion");
  if (version == nullptr)
    return Refusal{"duis-schema-version"_rule, "the attribute is missing",
                   "/" + root.name + "/@schemaVersion"};
  const bool form =
      version->size() >= 3 && version->size() <= 5 && (*version)[0] >= '1' &&
      (*version)[0] <= '5' && (*version)[1] == '.' &&
      std::ranges::all_of(version->substr(2), [](char c) { return c >= '0' && c <= '9'; });
  if (!form)
    return Refusal{"duis-schema-version"_rule, "the version is not from 1.0 to 5.x",
                   "/" + root.name + "/@schemaVersion"};
  return *version;
}

// Root, Header and Body; a ds:Signature may follow the body.
struct Parts {
  const xml::Element* header = nullptr;
  const xml::Element* body = nullptr;
};
Result<Parts> split(const xml::Element& root, std::string_view name) {
  if (root.ns != kNamespace)
    return Refusal{"duis-namespace"_rule, "the document element is of namespace '" + root.ns + "'",
                   "/"};
  const std::string path = "/" + std::string(name);
  if (root.name != name) return structure("the document element is " + root.name, path);
  if (root.children.size() < 2 || root.children.size() > 3)
    return structure("the document holds a header, a body and at most a signature", path);
  Parts parts{&root.children[0], &root.children[1]};
  if (parts.header->ns != kNamespace || parts.header->name != "Header")
    return structure("the header is missing", path + "/Header");
  if (parts.body->ns != kNamespace || parts.body->name != "Body")
    return structure("the body is missing", path + "/Body");
  if (root.children.size() == 3 &&
      (root.children[2].ns != xml::kDsigNamespace || root.children[2].name != "Signature")) {
    return structure("only a signature may follow the body", path + "/" + root.children[2].name);
  }
  return parts;
}

Result<int> read_command_variant(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  while (text.starts_with('0')) text.remove_prefix(1);
  if (text.size() == 1 && text[0] >= '1' && text[0] <= '8') return text[0] - '0';
  return Refusal{"duis-command-variant"_rule, "the command variant is not 1 to 8",
                 "/Request/Header/CommandVariant"};
}

Status check_service(const ServiceRequest& request) {
  const std::string path = "/Request/Header/ServiceReferenceVariant";
  const ServiceRequestRow* row = find_service_request(request.service_variant);
  CHECK(row);  // the schema has exactly the variants that have rows
  if (row->reference != request.service_reference) {
    return Refusal{
        "duis-service-reference"_rule,
        request.service_variant + " is not of service reference " + request.service_reference,
        path};
  }
  const bool signed_pre_command = request.command_variant >= 5 && request.command_variant <= 7;
  const std::string_view expected = signed_pre_command ? kSignedPreCommand : row->element;
  if (request.body.name != expected) {
    return Refusal{"duis-body"_rule, "the body of this service is " + std::string(expected),
                   "/Request/Body/" + request.body.name};
  }
  return {};
}

std::string_view trimmed(const xml::Element* child) { return child->trimmed(); }

Result<Bytes> read_base64(const xml::Element& child, const std::string& path) {
  std::optional<Bytes> octets = from_base64(child.text);
  if (!octets || octets->empty())
    return Refusal{"duis-value"_rule, "the value is not base64", path};
  if (octets->size() > limit("gbcs_octets_max"))
    return Refusal{"duis-value"_rule, std::to_string(octets->size()) + " octets", path};
  return std::move(*octets);
}

const std::vector<xml::Prefix> kPrefixes = {{"sr", std::string(kNamespace)}};

}  // namespace

Result<RequestId> RequestId::parse(std::string_view text) {
  const std::size_t first = text.find(':');
  const std::size_t second = first == std::string_view::npos ? first : text.find(':', first + 1);
  const Refusal refusal{"duis-request-id"_rule, "a RequestID is originator:target:counter"};
  if (second == std::string_view::npos) return refusal;
  const Result<Eui64> originator = Eui64::parse(text.substr(0, first));
  const Result<Eui64> target = Eui64::parse(text.substr(first + 1, second - first - 1));
  const Result<OriginatorCounter> counter = OriginatorCounter::parse(text.substr(second + 1));
  if (!originator.ok() || !target.ok() || !counter.ok()) return refusal;
  return RequestId{*originator, *target, *counter};
}

std::string RequestId::text() const {
  return originator.text() + ":" + target.text() + ":" + std::to_string(counter.number());
}

Bytes RequestId::key() const {
  Bytes key;
  put_be(key, originator.number());
  put_be(key, target.number());
  put_be(key, counter.number());
  return key;
}

Result<ServiceRequest> read_request(const xml::Element& document) {
  TRY(check_schema(document));
  ServiceRequest request;
  TRY_ASSIGN(request.schema_version, schema_version(document));
  const xml::Element& header = document.children[0];
  TRY_ASSIGN(request.id, RequestId::parse(header.child("RequestID")->trimmed()));
  if (const xml::Element* first = header.child("FirstInSequence"))
    request.first_in_sequence = first->trimmed() == "true" || first->trimmed() == "1";
  if (const xml::Element* preceding = header.child("PrecedingServiceRequestID")) {
    TRY_ASSIGN(request.preceding, RequestId::parse(preceding->trimmed()));
  }
  TRY_ASSIGN(request.command_variant,
             read_command_variant(header.child("CommandVariant")->trimmed()));
  request.service_reference = header.child("ServiceReference")->text;
  request.service_variant = header.child("ServiceReferenceVariant")->text;
  request.body = document.children[1].children[0];
  TRY(check_service(request));
  if (request.body.name == kSignedPreCommand) TRY(signed_pre_command(request));
  return request;
}

xml::Element to_element(const ServiceRequest& request) {
  xml::Element header = element("Header");
  header.children.push_back(element("RequestID", request.id.text()));
  if (request.first_in_sequence) header.children.push_back(element("FirstInSequence", "true"));
  if (request.preceding)
    header.children.push_back(element("PrecedingServiceRequestID", request.preceding->text()));
  header.children.push_back(element("CommandVariant", std::to_string(request.command_variant)));
  header.children.push_back(element("ServiceReference", request.service_reference));
  header.children.push_back(element("ServiceReferenceVariant", request.service_variant));
  xml::Element body = element("Body");
  body.children.push_back(request.body);
  xml::Element root = element("Request");
  root.attributes.push_back({"schemaVersion", request.schema_version});
  root.children = {std::move(header), std::move(body)};
  return root;
}

std::string write(const ServiceRequest& request) {
  return xml::write(to_element(request), kPrefixes);
}

Result<Bytes> signed_pre_command(const ServiceRequest& request) {
  const std::string path = "/Request/Body/SignedPreCommand";
  const xml::Element* payload = request.body.child("GBCSPayload");
  if (request.body.name != kSignedPreCommand || !payload)
    return Refusal{"duis-body"_rule, "the body is " + request.body.name, path};
  return read_base64(*payload, path + "/GBCSPayload");
}

ServiceRequest with_signed_pre_command(const ServiceRequest& original, int command_variant,
                                       BytesView message) {
  CHECK(command_variant >= 5 && command_variant <= 7);
  ServiceRequest request = original;
  request.command_variant = command_variant;
  request.body = element(std::string(kSignedPreCommand));
  request.body.children.push_back(element("GBCSPayload", to_base64(message)));
  return request;
}

Result<ServiceResponse> read_response(const xml::Element& document) {
  TRY_ASSIGN(const Parts parts, split(document, "Response"));
  ServiceResponse response;
  TRY_ASSIGN(response.schema_version, schema_version(document));
  Sequence header(*parts.header, "/Response/Header");
  if (const xml::Element* id = header.optional("RequestID")) {
    TRY_ASSIGN(response.request_id, RequestId::parse(trimmed(id)));
  }
  if (const xml::Element* id = header.optional("ResponseID")) {
    TRY_ASSIGN(response.response_id, RequestId::parse(trimmed(id)));
  }
  TRY_ASSIGN(const xml::Element* code, header.required("ResponseCode"));
  response.response_code = std::string(code->trimmed());
  TRY_ASSIGN(const xml::Element* at, header.required("ResponseDateTime"));
  const std::optional<UtcTime> time = UtcTime::parse_iso(at->trimmed());
  if (!time)
    return Refusal{"duis-value"_rule, "the value is no date and time",
                   "/Response/Header/ResponseDateTime"};
  response.at = *time;
  TRY(header.finish());
  if (parts.body->children.size() != 1)
    return structure("the body holds exactly one element", "/Response/Body");
  const xml::Element& message = parts.body->children[0];
  const std::string path = "/Response/Body/" + message.name;
  Sequence body(message, path);
  if (message.name == "DeviceAlertMessage") {
    TRY_ASSIGN(const xml::Element* alert, body.required("AlertCode"));
    response.alert_code = std::string(alert->trimmed());
    while (body.optional("ThrottledAlertSequenceId") || body.optional("ThrottledAlertCount"))
      continue;
    TRY_ASSIGN(const xml::Element* payload, body.required("GBCSPayload"));
    TRY_ASSIGN(response.gbcs_payload, read_base64(*payload, path + "/GBCSPayload"));
    TRY(body.finish());
    return response;
  }
  if (message.name != "ResponseMessage")
    return structure("this kind of message is not read here", path);
  TRY_ASSIGN(const xml::Element* reference, body.required("ServiceReference"));
  TRY_ASSIGN(const xml::Element* variant, body.required("ServiceReferenceVariant"));
  response.service_reference = std::string(reference->trimmed());
  response.service_variant = std::string(variant->trimmed());
  if (const xml::Element* payload = body.optional("GBCSPayload")) {
    TRY_ASSIGN(response.gbcs_payload, read_base64(*payload, path + "/GBCSPayload"));
  } else if (const xml::Element* pre_command = body.optional("PreCommand")) {
    const xml::Element* octets = pre_command->child("GBCSPayload");
    if (octets == nullptr)
      return structure("the element is missing", path + "/PreCommand/GBCSPayload");
    TRY_ASSIGN(response.pre_command, read_base64(*octets, path + "/PreCommand/GBCSPayload"));
  } else if (const xml::Element* local = body.optional("LocalCommand")) {
    const xml::Element* octets = local->child("GBCSPayload");
    if (octets == nullptr)
      return structure("the element is missing", path + "/LocalCommand/GBCSPayload");
    TRY_ASSIGN(response.local_command, read_base64(*octets, path + "/LocalCommand/GBCSPayload"));
  } else if (message.children.size() == 3) {
    response.other = message.children[2];
    return response;
  }
  TRY(body.finish());
  return response;
}

std::string write(const ServiceResponse& response) {
  xml::Element header = element("Header");
  if (response.request_id)
    header.children.push_back(element("RequestID", response.request_id->text()));
  if (response.response_id)
    header.children.push_back(element("ResponseID", response.response_id->text()));
  header.children.push_back(element("ResponseCode", response.response_code));
  const std::string at = response.at.iso();
  header.children.push_back(element("ResponseDateTime", at.substr(0, at.size() - 1) + ".00Z"));
  xml::Element message =
      element(response.alert_code.empty() ? "ResponseMessage" : "DeviceAlertMessage");
  if (response.alert_code.empty()) {
    message.children.push_back(element("ServiceReference", response.service_reference));
    message.children.push_back(element("ServiceReferenceVariant", response.service_variant));
  } else {
    message.children.push_back(element("AlertCode", response.alert_code));
  }
  if (response.gbcs_payload)
    message.children.push_back(element("GBCSPayload", to_base64(*response.gbcs_payload)));
  if (response.local_command) {
    message.children.push_back(element("LocalCommand"));
    message.children.back().children.push_back(
        element("GBCSPayload", to_base64(*response.local_command)));
  }
  if (response.pre_command) {
    message.children.push_back(element("PreCommand"));
    message.children.back().children.push_back(element("GBCSVersion", "1.0"));
    message.children.back().children.push_back(
        element("GBCSPayload", to_base64(*response.pre_command)));
  }
  if (response.other) message.children.push_back(*response.other);
  xml::Element body = element("Body");
  body.children.push_back(std::move(message));
  xml::Element root = element("Response");
  root.attributes.push_back({"schemaVersion", response.schema_version});
  root.children = {std::move(header), std::move(body)};
  return xml::write(root, kPrefixes);
}

}  // namespace wattseal::duis
