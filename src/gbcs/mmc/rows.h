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
  enum class Kind : Octet { item, each, slice, records, parent, counted };
  Kind kind = Kind::item;
  // item: at from 1. slice, records: octets, size 0 to the end. counted: records of size octets,
  // then a length octet and so many more.
  std::size_t at = 0, size = 0;
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
  bool demanded = false;  // the schema wants the element: without it the structure goes
};
// Rows of a use case ("ECS17b"), of an answer's element and language
// ("ReadNetworkDataRsp/dlms"), or of an alert ("8F66/gbz"); empty when there are none.
std::span<const MmcRow> mmc_rows(std::string_view key);
// Whether an element of this name may stand more than once.
bool mmc_repeats(std::string_view name);
// data/mmc_codes.tsv; nothing when the table has no such code.
std::optional<std::string_view> mmc_code(std::string_view table, std::string_view code);

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
  // The element at a path, if rows made it.
  bool has(const std::vector<Segment>& path, std::size_t length) const;
  xml::Element build() const;

 private:
  std::string name_, text_;
  std::vector<xml::Attribute> attributes_;
  std::vector<std::unique_ptr<Builder>> children_;
  std::map<std::pair<std::string, std::size_t>, Builder*> known_;
};

// Writes the value in the row's form into the element. nothing: the value says that the element is
// not there; refused: the form cannot hold the value. `failed` becomes true when the value is a
// status that means failure.
enum class Wrote : Octet { element, nothing, refused };
Wrote write_form(const MmcRow& row, const Found& found, const Answer& answer, Builder& element,
                 bool& failed);
// A number with its decimal point moved by `scale` digits.
std::string decimal_text(std::int64_t number, int scale);

}  // namespace wattseal::gbcs
