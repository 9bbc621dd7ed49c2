// What stands in service requests and responses: elements, attributes, their order, how often and
// with which values, compiled once from data/duis_elements.tsv and data/duis_types.tsv. From the
// same rows come the verdict (check_schema), the encoder (compose.h) and the manual pages
// (manual.h). What binds fields together, such as the body that belongs to a service, is duis.h's.
// All functions are pure and thread-safe. Source: DUIS schema 5.4 (X); spec/gbcs-duis.md 3.1.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "xml/xml.h"

namespace wattseal::duis {

enum class Kind : std::uint8_t {
  string,
  token,
  boolean,
  integer,
  unsigned_integer,
  decimal,
  date,
  time,
  date_time,
  base64,
  hex
};
// What the characters of a string or token are.
enum class Form : std::uint8_t {
  any,
  digits,
  digits_spaces,
  printable,  // ASCII from space to ~
  eui,
  eui_list,  // separated by commas
  request_id,
  service_reference,
  service_variant
};

struct ValueType {
  std::string_view name;
  Kind kind = Kind::string;
  // Inclusive. Integers: the value, absent for both or none; decimals: the value times 10^digits;
  // string and token: how many characters; base64 and hex: how many octets.
  std::optional<std::int64_t> min, max;
  int digits = -1;  // most digits of a decimal's fraction or of an integer without bounds; -1: any
  Form form = Form::any;
  std::vector<std::string_view> values;  // when not empty, the only ones
};

// A version of the schema that documents may be of.
struct SchemaVersion {
  std::string_view number;     // "5.4"
  std::string_view certainty;  // of its rows, see data/duis_versions.tsv
};
std::span<const SchemaVersion> schema_versions();  // oldest first
// Its place among them; nothing for a number that is written otherwise or unknown.
std::optional<std::uint8_t> find_schema_version(std::string_view number);

struct Structure;
struct AttributeRow {
  std::string_view name;
  const ValueType* value;
};  // every attribute of the schema is required
struct Member {
  std::string_view name;
  const ValueType* value = nullptr;      // exactly one of the two is set;
  const Structure* structure = nullptr;  // neither for what is not judged here
  std::size_t min = 1, max = 1;
  int choice = 0, alternative = 0;  // 0: in no choice. Members of one choice are neighbours.
  bool choice_optional = false;     // none of the alternatives may be there, too
  bool is_signature = false;        // in the namespace of XML-DSig
  std::uint8_t from = 0, until = UINT8_MAX;  // places of the first and last version that have it
  bool is_in(std::uint8_t version) const { return version >= from && version <= until; }
};
struct Structure {
  std::string_view name;
  const ValueType* text = nullptr;  // a value beside attributes; then there are no members
  std::vector<AttributeRow> attributes;
  std::vector<Member> members;  // in document order
};

// Of the document elements Request and Response. No structure stands inside itself, so walking down
// ends.
const Structure& request_structure();
const Structure& response_structure();
// The member of sr:Body, or null. `element` is a service's body element or SignedPreCommand.
const Member* body_member(std::string_view element);

// Whether a text, as it stands in the document, is a value of the type. Linear in its length.
bool is_value(const ValueType& type, std::string_view text);
// "an integer from 0 to 1799", "one of HOURLY, DAILY"
std::string describe(const ValueType& type);
// A value of the type that tells no lies about the world; the same each time.
std::string sample_value(const ValueType& type);

// The whole document, a Request or a Response, against the rows of its version (of the newest where
// the number is unknown: read_request refuses that); its signature (xml/dsig judges
// that) and what SMETS1 messages hold excepted. Time linear in the document. Refuses with the
// offending element's XPath: duis-namespace, duis-structure (envelope), duis-body (below the body's
// element), duis-value, duis-request-id, duis-command-variant, duis-service-reference,
// duis-schema-version (also for what its version does not have).
Status check_schema(const xml::Element& document);
// The same of one element that stands alone, against any structure.
Status check_structure(const xml::Element& element, const Structure& structure,
                       std::uint8_t version);

}  // namespace wattseal::duis
