// Rows of data/mmc_elements.tsv, compiled once: where a value is, which element it becomes and in
// which form. Grammar: docs/formats/mmc.md. A row that cannot be understood is our bug (CHECK).
// Private to gbcs.
#pragma once
#include <functional>
#include <memory>
#include <span>

#include "gbcs/mmc/values.h"

namespace wattseal::gbcs {

struct Step {
  enum class Kind : Octet { item, each, slice, records, parent, counted, behind, bits };
  Kind kind = Kind::item;
  // item: at from 1. slice, records: octets, size 0 to the end. counted: records of size octets,
  // then a length octet and so many more. behind: what follows the text whose length octet is
  // there. bits: each bit that is set, the first one first.
  std::size_t at = 0, size = 0;
  bool exact = false;                    // the records must fill the octets
  std::optional<std::size_t> has_items;  // {n}: the list must have so many
};
struct Address {
  std::string head;
  std::optional<std::size_t> has_items;  // of the head itself
  std::vector<Step> steps;
};
struct Segment {
  std::string name;
  bool repeats = false;      // one element for each entry of the address
  std::size_t position = 0;  // from 1: which of several; 0: the only one
  std::string index = {};    // attribute that says which, or empty
};
struct MmcRow {
  Address from;
  std::vector<Segment> to;
  std::string form;
  std::vector<std::string> arguments;
  // The schema wants the element, or one of those marked so in its structure: without it the
  // structure goes.
  enum class Demand : Octet { none, element, one_of };
  Demand demand = Demand::none;
  // What the element holds, whole numbers; anything else is refused.
  struct Range {
    std::int64_t low = 0, high = 0;
  };
  std::optional<Range> range;
};
// Rows of a use case ("ECS17b"), of an answer's element and language
// ("ReadNetworkDataRsp/dlms"), or of an alert ("8F66/gbz"); empty when there are none.
std::span<const MmcRow> mmc_rows(std::string_view key);
// Whether an element of this name may stand more than once.
bool mmc_repeats(std::string_view name);
// data/mmc_codes.tsv; nothing when the table has no such code. The word "-" says that the schema
// has none for that code.
std::optional<std::string_view> mmc_code(std::string_view table, std::string_view code);
// A whole table, in the order of its rows.
struct MmcCode {
  std::string_view code, text;
};
std::span<const MmcCode> mmc_codes(std::string_view table);
// Why a value has no element, in words: table "reason". CHECKs that it is there.
std::string_view mmc_reason(std::string_view code);

// A value at an address: the entries that led there (from 0), and what stands after it.
struct Found {
  const Node* node = nullptr;
  const Node* next = nullptr;
  std::vector<std::size_t> entries;
};
// Calls `each` for every value at the address.
void find_values(const Answer& answer, const Address& address,
                 const std::function<void(const Found&)>& each);

// The element tree while rows fill it, in any order of entries.
class Builder {
 public:
  explicit Builder(std::string name) : name_(std::move(name)) {}
  Builder& child(const Segment& segment, std::size_t entry);
  Builder& child(std::string_view name) { return child(Segment{std::string(name)}, 0); }
  void set_text(std::string text) { text_ = std::move(text); }
  void set_attribute(std::string name, std::string value);
  void take(Builder&& other);  // its text, attributes and children
  // Whether each element at a path has a child of one of the names; true when there is none there.
  bool each_has(std::span<const Segment> path, std::span<const std::string> names) const;
  xml::Element build() const;
  bool empty() const { return children_.empty(); }

 private:
  std::string name_, text_;
  std::vector<xml::Attribute> attributes_;
  std::vector<std::unique_ptr<Builder>> children_;
  std::map<std::pair<std::string, std::size_t>, Builder*> known_;
};

// nothing: the value says that the element is not there; wordless: the schema has no word for it;
// refused: the form cannot hold the value.
enum class Wrote : Octet { element, nothing, wordless, refused };
// Beside the element: a status that means failure; what of the value the element cannot hold.
struct Aside {
  bool failed = false;
  std::string left;
};
// Writes the value in the row's form into the element.
Wrote write_form(const MmcRow& row, const Found& found, const Answer& answer, Builder& element,
                 Aside& aside);
// Forms of settings and calendars (settings.cc). Nothing: it is none of them.
std::optional<Wrote> write_setting(const MmcRow& row, const Node& node, Builder& element,
                                   Aside& aside);
// A choice between a number and "any": `part` holds SpecifiedYear or NonSpecifiedYear; false when
// the value is out of range.
struct DatePart {
  std::string_view part, name;  // element; Year
  std::size_t low = 0, high = 0, open = 0;
  std::string_view any = "NonSpecified";
};
bool put_part(Builder& date, const DatePart& part, std::size_t value);
// A number with its decimal point moved by `scale` digits.
std::string decimal_text(std::int64_t number, int scale);

}  // namespace wattseal::gbcs
