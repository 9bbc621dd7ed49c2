// DUIS: the XML language of users. Service Requests, Service Responses and alerts as values, and
// their one XML form. What they may hold is in schema.h; who may do what is gateway/access.
// No I/O, no keys: signatures are xml/dsig's. Schema versions are those of data/duis_versions.tsv
// and echoed. Source: spec/gbcs-duis.md 3. Errors (rule -> response code in data/rules/duis.tsv):
// duis-namespace, duis-structure, duis-request-id, duis-service-reference, duis-command-variant,
// duis-body, duis-value, duis-schema-version; xml-* from parsing.
#pragma once
#include "base/time.h"
#include "base/types.h"
#include "xml/xml.h"

namespace wattseal::duis {

inline constexpr std::string_view kNamespace = "http://www.dccinterface.co.uk/ServiceUserGateway";

// originator:target:counter. For a response, originator is the device (or the DCC) and target the
// user.
struct RequestId {
  Eui64 originator, target;
  OriginatorCounter counter;
  static Result<RequestId> parse(std::string_view text);  // refuses duis-request-id
  std::string text() const;                               // upper case
  Bytes key() const;                                      // 24 octets, for tables
  friend auto operator<=>(const RequestId&, const RequestId&) = default;
};

struct ServiceRequest {
  std::string schema_version;
  RequestId id;
  bool first_in_sequence = false;
  std::optional<RequestId> preceding;
  int command_variant = 0;        // 1..8
  std::string service_reference;  // "4.1"
  std::string service_variant;    // "4.1.1"
  xml::Element body;              // the one element inside sr:Body
};
// Checks the whole document against the schema (schema.h), then what binds fields together: that
// reference and variant belong together, that the command variant is a user's (1 to 8), that the
// body element is the one of the variant (or SignedPreCommand for command variants 5 to 7).
Result<ServiceRequest> read_request(const xml::Element& document);
xml::Element to_element(const ServiceRequest& request);
std::string write(const ServiceRequest& request);  // unsigned document

// Command variants 5 to 7: the signed pre-command's octets.
Result<Bytes> signed_pre_command(const ServiceRequest& request);  // refuses duis-body, duis-value
// The request that carries a signed pre-command for the same RequestID.
ServiceRequest with_signed_pre_command(const ServiceRequest& original, int command_variant,
                                       BytesView message);

// A service response, an acknowledgement or an alert.
struct ServiceResponse {
  std::string schema_version = "5.1";
  std::optional<RequestId> request_id;   // absent for alerts
  std::optional<RequestId> response_id;  // absent for acknowledgements
  std::string response_code;             // "I0", "I99", "E4"
  UtcTime at;
  std::string service_reference, service_variant;  // empty for alerts
  // At most one of these; none is an acknowledgement.
  std::optional<Bytes> gbcs_payload;
  std::optional<Bytes> pre_command;
  std::optional<Bytes> local_command;
  std::optional<xml::Element> other;  // any other child of ResponseMessage, such as DSPInventory;
                                      // of DCC alerts the one child of DCCAlert
  std::string alert_code;             // device alerts: hex, with gbcs_payload
  std::string dcc_alert_code;         // DCC alerts: row of data/dcc_alerts.tsv, with other
  // Alerts that stand for several: which consolidation, how many.
  std::optional<std::uint32_t> throttled_sequence, throttled_count;
};
// Checks the whole document against the schema, then reads it; a DCC alert and a SMETS1 message are
// not read here (duis-structure).
Result<ServiceResponse> read_response(const xml::Element& document);
std::string write(const ServiceResponse& response);  // unsigned document
// The same as a value, for those who sign many at once; with prefixes() it is written alike.
xml::Element to_element(const ServiceResponse& response);
const std::vector<xml::Prefix>& prefixes();

}  // namespace wattseal::duis
