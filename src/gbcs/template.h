// GBCS messages as data. A template (data/gbcs/*.gmt, grammar in docs/formats/templates.md) says
// for one use case which service request it serves and what its payload is made of. One engine
// reads it in both directions:
//   write_payload()  service request body -> payload octets (the DCC's Transform)
//   read_payload()   payload octets -> what the request must have said (the user's Correlate). It
//   shares no code with the
//                    writer: it decodes with the cosem, zcl and asn1 readers and inverts the
//                    template's expressions.
// A template that cannot be understood is refused at load with file, line and reason, never at run
// time. Thread-safe. Errors: template-*.  gbcs-template-none (no use case fits),
// gbcs-template-ambiguous, gbcs-value-missing, gbcs-value-range, gbcs-value-repeated (the request
// lists a numbered or named thing twice that the payload carries once), correlate-* from
// read_payload and compare.
#pragma once
#include <map>
#include <memory>

#include "base/time.h"
#include "gbcs/message.h"
#include "terms/terms.h"
#include "xml/xml.h"

namespace wattseal::gbcs {

// What a transformation needs beyond the request: the inventory's knowledge, asked through one
// interface.
class Facts {
 public:
  virtual ~Facts() = default;
  // The type code of another device (0 GSME 1 ESME 2 CHF 3 GPF 4 HCALCS 5 PPMID 6 type 2). Refuses
  // gbcs-fact-missing.
  virtual Result<int> device_type_code(Eui64 device) const = 0;
  virtual Result<Bytes> key_agreement_certificate(Eui64 device) const = 0;  // DER
  // Named facts as text ("true"/"false" for yes and no): "cin", "twin", "generation" ("older" or
  // "newer": which of two use cases for the same request the device has), "variant" ("single",
  // "twin" or "polyphase"). Refuses gbcs-fact-missing.
  virtual Result<std::string> named(std::string_view name) const = 0;
  // In which role a party takes part. Refuses gbcs-fact-missing, as all do by default.
  virtual Result<RemotePartyRole> role_of(Eui64 party) const;
  // Facts that are tables, rows of texts: "chf-log" and "gpf-log", the devices that a log is
  // restored with (EUI-64, hash of the link key; EUI-64, type). Refuses gbcs-fact-missing, as all
  // do by default.
  using Rows = std::vector<std::vector<std::string>>;
  virtual Result<Rows> rows(std::string_view name) const;
};

struct TransformContext {
  const xml::Element& body;   // the one element inside sr:Body
  Eui64 originator, target;   // of the GBCS message
  OriginatorCounter counter;  // of the GBCS message
  UtcTime now;
  const Facts& facts;
  std::optional<Eui64>
      protected_for;  // unknown remote party that the device encrypts for; default originator
};

// One use case; opaque but for what callers select by.
class Template;

struct TemplateView {  // what a template says of itself
  std::string use_case;
  MessageCode code;
  std::string service_reference_variant;  // "4.1.1"
  std::string element;                    // DUIS body element
  std::vector<std::string> device_types;  // "ESME", …
  std::string generation;                 // "older" or "newer"; empty serves both
  std::vector<std::string> variants;      // "single", "twin", "polyphase"; none: all
  std::vector<std::string> roles;         // of the user: "Supplier", "NetworkOperator"; none: any
  bool critical = false;
  bool dcc_signed = false;  // a party of the DCC is the originator and signs, not the user
  bool has_mac = true;  // the access control broker adds one; not to what a party of recovery sends
  bool encrypted = false;
  PayloadKind kind = PayloadKind::dlms_request;
};
const TemplateView& view(const Template& use_case);

class TemplateSet {
 public:
  struct Source {
    std::string file, text;
  };
  static Result<std::shared_ptr<const TemplateSet>> load(const std::vector<Source>& sources);
  static std::shared_ptr<const TemplateSet> built_in();  // compiled from data/gbcs

  // The one template for this service request on this type of device, predicates on the body and
  // facts included.
  Result<const Template*> select(std::string_view service_reference_variant,
                                 std::string_view device_type,
                                 const TransformContext& context) const;
  const Template* find(std::string_view use_case) const;  // null when there is none
  std::vector<const Template*> by_code(MessageCode code) const;
  std::vector<const Template*> all() const;  // in order of loading

  ~TemplateSet();
  TemplateSet(const TemplateSet&) = delete;
  TemplateSet& operator=(const TemplateSet&) = delete;
  struct State;

 private:
  explicit TemplateSet(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

Result<Bytes> write_payload(const Template& use_case, const TransformContext& context);

// How a value is written in a request, and so when two texts say the same.
enum class ReadForm {
  text,
  number,
  decimal,
  boolean,
  hex,
  base64,
  date_time,
  date_time_span,  // first/last instant, one of those between
  time_of_day,
  date
};

// One value that the payload carries, traced back to the request.
struct ReadValue {
  // Relative to the body element: "ReadLogPeriod/StartDateTime", "Thresholds[2]/@index",
  // "*/TOUPrice[@index='3']", "DayOfWeekID[.='Monday']", "Settings[Phase='2']/Limit"; "." is the
  // body element itself and "count(Season)" a number of elements.
  std::string path;
  std::string value;  // as the request would have written it, canonical
  ReadForm form = ReadForm::text;
  bool may_be_absent = false;  // the value is what an absent element means
};
struct ReadBack {
  std::vector<ReadValue> values;     // what the request must say
  std::vector<std::string> present;  // elements that must be there (a variant that only exists)
  std::vector<std::string> absent;   // and that must not
  std::vector<std::string>
      clock_windows;                // times the DCC's clock chose, ISO, for the caller to judge
  std::vector<std::string> unused;  // elements of the request that the use case does not carry
};
struct ReadContext {
  Eui64 originator, target;
  OriginatorCounter counter;
  const Facts& facts;
  std::optional<Eui64> protected_for = {};  // as in TransformContext
};
Result<ReadBack> read_payload(const Template& use_case, BytesView payload,
                              const ReadContext& context);

// Whether a request body says exactly what was read back: every value equal, every value element of
// the body accounted for, presence as read, DCC clock values within `clock_tolerance_seconds` of
// `now`. Refuses correlate-value, correlate-missing, correlate-unexplained, correlate-clock with
// path and both values.
Status compare(const ReadBack& read, const xml::Element& body, UtcTime now,
               std::int64_t clock_tolerance_seconds = 3600);

}  // namespace wattseal::gbcs
