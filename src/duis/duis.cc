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

Status check_kind(const xml::Element& root, std::string_view name) {
  if (root.name == name || root.ns != kNamespace) return {};  // the schema judges the namespace
  return Refusal{"duis-structure"_rule,
                 "the document element is " + root.name + ", not " + std::string(name),
                 "/" + root.name};
}

Result<std::string> schema_version(const xml::Element& root) {
  const std::string* version = root.attribute("schemaVersion");
  if (version == nullptr)
    return Refusal{"duis-schema-version"_rule, "the attribute is missing",
                   "/" + root.name + "/@schemaVersion"};
  if (!find_schema_version(*version)) {
    std::string known;
    for (const SchemaVersion& one : schema_versions()) known += " " + std::string(one.number);
    return Refusal{"duis-schema-version"_rule, "the version is none of" + known,
                   "/" + root.name + "/@schemaVersion"};
  }
  return *version;
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

Result<Bytes> read_base64(const xml::Element& child, const std::string& path) {
  std::optional<Bytes> octets = from_base64(child.text);
  if (!octets || octets->empty())
    return Refusal{"duis-value"_rule, "the value is not base64", path};
  if (octets->size() > limit("gbcs_octets_max"))
    return Refusal{"duis-value"_rule, std::to_string(octets->size()) + " octets", path};
  return std::move(*octets);
}

std::optional<std::uint32_t> count_of(const xml::Element* child) {
  if (child == nullptr) return std::nullopt;
  return static_cast<std::uint32_t>(std::stoul(std::string(child->trimmed())));
}

// The schema has seen that both are numbers of 32 bits.
void read_throttling(const xml::Element& message, ServiceResponse& response) {
  response.throttled_sequence = count_of(message.child("ThrottledAlertSequenceId"));
  response.throttled_count = count_of(message.child("ThrottledAlertCount"));
}

// The element inside sr:Body.
xml::Element message_of(const ServiceResponse& response) {
  const bool dcc_alert = !response.dcc_alert_code.empty(),
             device_alert = !response.alert_code.empty();
  xml::Element message = element(dcc_alert      ? "DCCAlertMessage"
                                 : device_alert ? "DeviceAlertMessage"
                                                : "ResponseMessage");
  if (dcc_alert) {
    message.children.push_back(element("DCCAlertCode", response.dcc_alert_code));
  } else if (device_alert) {
    message.children.push_back(element("AlertCode", response.alert_code));
  } else {
    message.children.push_back(element("ServiceReference", response.service_reference));
    message.children.push_back(element("ServiceReferenceVariant", response.service_variant));
  }
  if (response.throttled_sequence)
    message.children.push_back(
        element("ThrottledAlertSequenceId", std::to_string(*response.throttled_sequence)));
  if (response.throttled_count)
    message.children.push_back(
        element("ThrottledAlertCount", std::to_string(*response.throttled_count)));
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
  if (dcc_alert) {
    CHECK(response.other.has_value());
    message.children.push_back(element("DCCAlert"));
    message.children.back().children.push_back(*response.other);
  } else if (response.other) {
    message.children.push_back(*response.other);
  }
  return message;
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
  TRY(check_kind(document, "Request"));
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
  TRY(check_kind(document, "Response"));
  TRY(check_schema(document));
  ServiceResponse response;
  TRY_ASSIGN(response.schema_version, schema_version(document));
  const xml::Element& header = document.children[0];
  if (const xml::Element* id = header.child("RequestID")) {
    TRY_ASSIGN(response.request_id, RequestId::parse(id->trimmed()));
  }
  if (const xml::Element* id = header.child("ResponseID")) {
    TRY_ASSIGN(response.response_id, RequestId::parse(id->trimmed()));
  }
  response.response_code = header.child("ResponseCode")->text;
  const std::optional<UtcTime> time =
      UtcTime::parse_iso(header.child("ResponseDateTime")->trimmed());
  if (!time)
    return Refusal{"duis-value"_rule, "the value is no date and time in UTC",
                   "/Response/Header/ResponseDateTime"};
  response.at = *time;
  const xml::Element& message = document.children[1].children[0];
  const std::string path = "/Response/Body/" + message.name;
  if (message.name == "DeviceAlertMessage") {
    response.alert_code = std::string(message.child("AlertCode")->trimmed());
    read_throttling(message, response);
    TRY_ASSIGN(response.gbcs_payload,
               read_base64(*message.child("GBCSPayload"), path + "/GBCSPayload"));
    return response;
  }
  if (message.name == "DCCAlertMessage") {
    response.dcc_alert_code = std::string(message.child("DCCAlertCode")->trimmed());
    read_throttling(message, response);
    response.other = message.child("DCCAlert")->children.at(0);
    return response;
  }
  if (message.name != "ResponseMessage")
    return Refusal{"duis-structure"_rule, "this kind of message is not read here", path};
  response.service_reference = message.child("ServiceReference")->text;
  response.service_variant = message.child("ServiceReferenceVariant")->text;
  if (message.children.size() < 3) return response;
  const xml::Element& content = message.children[2];
  const auto payload = [&](const xml::Element& in) {
    return read_base64(*in.child("GBCSPayload"), path + "/" + in.name + "/GBCSPayload");
  };
  if (content.name == "GBCSPayload") {
    TRY_ASSIGN(response.gbcs_payload, read_base64(content, path + "/GBCSPayload"));
  } else if (content.name == "PreCommand") {
    TRY_ASSIGN(response.pre_command, payload(content));
  } else if (content.name == "LocalCommand") {
    TRY_ASSIGN(response.local_command, payload(content));
  } else {
    response.other = content;
  }
  return response;
}

xml::Element to_element(const ServiceResponse& response) {
  xml::Element header = element("Header");
  if (response.request_id)
    header.children.push_back(element("RequestID", response.request_id->text()));
  if (response.response_id)
    header.children.push_back(element("ResponseID", response.response_id->text()));
  header.children.push_back(element("ResponseCode", response.response_code));
  const std::string at = response.at.iso();
  header.children.push_back(element("ResponseDateTime", at.substr(0, at.size() - 1) + ".00Z"));
  xml::Element body = element("Body");
  body.children.push_back(message_of(response));
  xml::Element root = element("Response");
  root.attributes.push_back({"schemaVersion", response.schema_version});
  root.children.push_back(std::move(header));
  root.children.push_back(std::move(body));
  return root;
}

std::string write(const ServiceResponse& response) {
  return xml::write(to_element(response), kPrefixes);
}

const std::vector<xml::Prefix>& prefixes() { return kPrefixes; }

}  // namespace wattseal::duis
