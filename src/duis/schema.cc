// From rows to linked structures, once. A row that fits nothing is our bug.
#include "duis/schema.h"

#include <charconv>
#include <map>

#include "base/check.h"

namespace wattseal::duis {
namespace {

struct TypeRow {
  std::string_view type, kind, min, max, digits, form, values, source, in_force_from;
};
constexpr TypeRow kTypeRows[] = {
#include "tables/duis_types.inc"
};
struct ElementRow {
  std::string_view structure, element, type, min, max, group, from, until, source, in_force_from;
};
constexpr ElementRow kElementRows[] = {
#include "tables/duis_elements.inc"
};

struct VersionRow {
  std::string_view version, certainty, reference, source, in_force_from;
};
constexpr VersionRow kVersionRows[] = {
#include "tables/duis_versions.inc"
};

constexpr std::string_view kKinds[] = {"string",    "token",   "boolean", "integer",
                                       "unsigned",  "decimal", "date",    "time",
                                       "date-time", "base64",  "hex"};
constexpr std::string_view kForms[] = {
    "-",        "digits",     "digits-spaces",     "printable",      "eui",
    "eui-list", "request-id", "service-reference", "service-variant"};

template <typename Enum, std::size_t N>
Enum named(const std::string_view (&names)[N], std::string_view cell) {
  const auto* const found = std::ranges::find(names, cell);
  CHECK(found != std::end(names));
  return static_cast<Enum>(found - std::begin(names));
}

template <typename Number>
Number number(std::string_view cell) {
  Number value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  CHECK(error == std::errc{} && end == cell.data() + cell.size());
  return value;
}

// Bounds of decimals are written with all their fraction digits, so dropping the point scales them.
std::optional<std::int64_t> bound(std::string_view cell) {
  if (cell == "-") return std::nullopt;
  std::string digits(cell);
  std::erase(digits, '.');
  return number<std::int64_t>(digits);
}

std::uint8_t version_place(std::string_view cell, std::uint8_t open) {
  if (cell == "-") return open;
  const std::optional<std::uint8_t> place = find_schema_version(cell);
  CHECK(place);
  return *place;
}

std::vector<std::string_view> parts(std::string_view cell) {
  std::vector<std::string_view> found;
  while (cell != "-") {
    const std::size_t bar = cell.find('|');
    found.push_back(cell.substr(0, bar));
    if (bar == std::string_view::npos) break;
    cell.remove_prefix(bar + 1);
  }
  return found;
}

class Schema {
 public:
  Schema() {
    for (const TypeRow& row : kTypeRows) {
      ValueType type{row.type,
                     named<Kind>(kKinds, row.kind),
                     bound(row.min),
                     bound(row.max),
                     row.digits == "-" ? -1 : number<int>(row.digits),
                     named<Form>(kForms, row.form),
                     parts(row.values)};
      CHECK(values_.emplace(row.type, std::move(type)).second);
    }
    structures_["empty"].name = "empty";
    for (const ElementRow& row : kElementRows) structures_[row.structure].name = row.structure;
    for (const ElementRow& row : kElementRows) add(row);
    for (const auto& [name, structure] : structures_) CHECK(!values_.contains(name));
    prove_finite(request(), 0);
    prove_finite(response(), 0);
  }

  const Structure& request() const { return structures_.at("request"); }
  const Structure& response() const { return structures_.at("response"); }
  const Structure& body() const { return structures_.at("body"); }

 private:
  void add(const ElementRow& row) {
    Structure& structure = structures_.at(row.structure);
    const auto value = values_.find(row.type);
    const ValueType* const type = value == values_.end() ? nullptr : &value->second;
    if (row.element.starts_with('@')) {
      CHECK(type && row.from == "-" && row.until == "-");
      structure.attributes.push_back({row.element.substr(1), type});
      return;
    }
    if (row.element == "text()") {
      CHECK(type && !structure.text);
      structure.text = type;
      return;
    }
    Member member{row.element, type};
    if (row.element == "ds:Signature") {
      CHECK(row.type == "signature");
      member.name.remove_prefix(3);
      member.is_signature = true;
    } else if (!type && row.type != "unjudged") {
      CHECK(structures_.contains(row.type));
      member.structure = &structures_.at(row.type);
    }
    member.min = number<std::size_t>(row.min);
    member.max = row.max == "-" ? SIZE_MAX : number<std::size_t>(row.max);
    CHECK(member.min <= member.max);
    member.from = version_place(row.from, 0);
    member.until = version_place(row.until, UINT8_MAX);
    CHECK(member.from <= member.until);
    const std::size_t dot = row.group.find('.');
    if (dot != std::string_view::npos) {
      std::string_view choice = row.group.substr(0, dot);
      member.choice_optional = choice.ends_with('?');
      if (member.choice_optional) choice.remove_suffix(1);
      member.choice = number<int>(choice);
      member.alternative = number<int>(row.group.substr(dot + 1));
    }
    structure.members.push_back(member);
  }

  static void prove_finite(const Structure& structure, int depth) {
    CHECK(depth < 16);
    CHECK(!structure.text || structure.members.empty());
    for (const Member& member : structure.members) {
      if (member.structure) prove_finite(*member.structure, depth + 1);
    }
  }

  // Nodes of a map stay where they are: members point at them.
  std::map<std::string_view, ValueType> values_;
  std::map<std::string_view, Structure> structures_;
};

const Schema& schema() {
  static const Schema compiled;
  return compiled;
}

}  // namespace

std::span<const SchemaVersion> schema_versions() {
  static const std::vector<SchemaVersion> versions = [] {
    std::vector<SchemaVersion> made;
    for (const VersionRow& row : kVersionRows) made.push_back({row.version, row.certainty});
    return made;
  }();
  return versions;
}

std::optional<std::uint8_t> find_schema_version(std::string_view number) {
  const auto* const row = std::ranges::find(kVersionRows, number, &VersionRow::version);
  if (row == std::end(kVersionRows)) return std::nullopt;
  return static_cast<std::uint8_t>(row - std::begin(kVersionRows));
}

const Structure& request_structure() { return schema().request(); }
const Structure& response_structure() { return schema().response(); }

const Member* body_member(std::string_view element) {
  for (const Member& member : schema().body().members) {
    if (member.name == element) return &member;
  }
  return nullptr;
}

}  // namespace wattseal::duis
