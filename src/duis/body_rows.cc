// A row says: in requests of this variant, below this parent path, this element has this type,
// occurs this often, and belongs to this choice (of the elements of one choice exactly one kind is
// there). Types: "" structure, empty, text:min:max, digits:n, int:min:max, boolean, enum:a|b|c,
// datetime, base64:max.
#include "duis/body_rows.h"

#include <charconv>
#include <map>
#include <set>

#include "base/time.h"
#include "duis/duis.h"

namespace wattseal::duis {
namespace {

struct BodyRow {
  std::string_view variant, parent, element, type, occurs, choice, source, in_force_from;
};
constexpr BodyRow kRows[] = {
#include "tables/duis_bodies.inc"
};

std::vector<const BodyRow*> rows_below(std::string_view variant, std::string_view parent) {
  std::vector<const BodyRow*> found;
  for (const BodyRow& row : kRows) {
    if (row.variant == variant && row.parent == parent) found.push_back(&row);
  }
  return found;
}

bool has_rows(std::string_view variant) {
  return std::ranges::any_of(kRows, [&](const BodyRow& row) { return row.variant == variant; });
}

// "a:b:c" without its first part.
std::string_view argument(std::string_view type, std::size_t index) {
  for (std::size_t i = 0; i <= index; ++i) {
    const std::size_t colon = type.find(':');
    if (colon == std::string_view::npos) return {};
    type = type.substr(colon + 1);
  }
  return type.substr(0, type.find(':'));
}

std::optional<std::int64_t> integer(std::string_view text) {
  if (text.starts_with('+')) text = text.substr(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool one_of(std::string_view list, std::string_view value) {
  while (!list.empty()) {
    const std::size_t bar = list.find('|');
    if (list.substr(0, bar) == value) return true;
    list = bar == std::string_view::npos ? std::string_view{} : list.substr(bar + 1);
  }
  return false;
}

// Whether a leaf's text is of the row's type. Source: spec/gbcs-duis.md 3.1 (X).
bool is_of_type(std::string_view type, const xml::Element& element) {
  const std::string_view value = element.trimmed();
  const std::string_view kind = type.substr(0, type.find(':'));
  if (kind == "empty") return value.empty();
  if (kind == "boolean") return value == "true" || value == "false" || value == "0" || value == "1";
  if (kind == "datetime") return UtcTime::parse_iso(value).has_value();
  if (kind == "enum") return one_of(argument(type, 0), value);
  if (kind == "counter") return OriginatorCounter::parse(value).ok();
  if (kind == "digits") {
    const bool digits = std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
    return digits && value.size() == static_cast<std::size_t>(integer(argument(type, 0)).value());
  }
  if (kind == "int") {
    const std::optional<std::int64_t> number = integer(value);
    return number && *number >= integer(argument(type, 0)).value() &&
           *number <= integer(argument(type, 1)).value();
  }
  if (kind == "base64") {
    const std::optional<Bytes> octets = from_base64(element.text);
    return octets && !octets->empty() &&
           octets->size() <= static_cast<std::size_t>(integer(argument(type, 0)).value());
  }
  CHECK(kind == "text");
  return value.size() >= static_cast<std::size_t>(integer(argument(type, 0)).value()) &&
         value.size() <= static_cast<std::size_t>(integer(argument(type, 1)).value());
}

Refusal bad(const char* what, const std::string& path) { return {"duis-body"_rule, what, path}; }

// The element's own children against the rows below `path`, then each child in turn.
Status check_children(std::string_view variant, const xml::Element& element,
                      const std::string& row_path, const std::string& shown_path) {
  const std::vector<const BodyRow*> rows = rows_below(variant, row_path.empty() ? "-" : row_path);
  std::map<std::string_view, std::size_t> seen;
  std::map<std::string_view, std::set<std::string_view>> chosen;
  std::size_t next_row = 0;
  for (const xml::Element& child : element.children) {
    const std::string path = shown_path + "/" + child.name;
    std::size_t at = next_row;
    while (at < rows.size() && rows[at]->element != child.name) ++at;
    if (at == rows.size()) return bad("the element is not allowed here", path);
    next_row = at;
    const BodyRow& row = *rows[at];
    ++seen[row.element];
    if (row.choice != "-") chosen[row.choice].insert(row.element);
    if (row.type == "-") {
      const std::string below =
          row_path.empty() ? std::string(row.element) : row_path + "/" + std::string(row.element);
      TRY(check_children(variant, child, below, path));
    } else if (!child.children.empty() || !is_of_type(row.type, child)) {
      return Refusal{"duis-value"_rule, "the value is not " + std::string(row.type), path};
    }
  }
  for (const BodyRow* row : rows) {
    const std::size_t count = seen[row->element];
    const bool may_repeat = row->occurs.ends_with("..n");
    if (count > 1 && !may_repeat)
      return bad("the element occurs more than once", shown_path + "/" + std::string(row->element));
    if (row->choice == "-" && count == 0 && !row->occurs.starts_with("0"))
      return bad("the element is missing", shown_path + "/" + std::string(row->element));
    // Elements of one choice share its name up to a dot: "fuel.1" and "fuel.2" are alternatives,
    // rows of "fuel.1" go together.
    if (row->choice != "-") {
      const std::string_view group = row->choice.substr(0, row->choice.find('.'));
      std::size_t alternatives = 0;
      for (const auto& [choice, names] : chosen)
        alternatives += choice.substr(0, choice.find('.')) == group;
      if (alternatives != 1)
        return bad("exactly one of the alternatives must be there",
                   shown_path + "/" + std::string(row->element));
      if (chosen.contains(row->choice) && count == 0)
        return bad("the element is missing", shown_path + "/" + std::string(row->element));
    }
  }
  return {};
}

Status check_namespace(const xml::Element& element, const std::string& path) {
  if (element.ns != kNamespace)
    return Refusal{"duis-namespace"_rule, "the element is not of the DUIS namespace", path};
  for (const xml::Element& child : element.children)
    TRY(check_namespace(child, path + "/" + child.name));
  return {};
}

}  // namespace

Status check_body(std::string_view service_variant, const xml::Element& body) {
  const std::string path = "/Request/Body/" + body.name;
  TRY(check_namespace(body, path));
  if (!has_rows(service_variant)) return {};
  return check_children(service_variant, body, "", path);
}

}  // namespace wattseal::duis
