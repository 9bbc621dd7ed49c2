#include "gbcs/parse/names.h"

#include <charconv>
#include <map>
#include <tuple>

#include "base/check.h"

namespace wattseal::gbcs {
namespace {

struct ObjectRow {
  std::string_view class_id, object, member, name, source, in_force_from;
};
constexpr ObjectRow kObjects[] = {
#include "tables/cosem_objects.inc"
};
struct ResponseRow {
  std::string_view use_case, index, name, source, in_force_from;
};
constexpr ResponseRow kResponses[] = {
#include "tables/response_names.inc"
};
struct AlertRow {
  std::string_view code, title, severity, action, source, in_force_from;
};
constexpr AlertRow kAlerts[] = {
#include "tables/alert_codes.inc"
};
struct AttributeRow {
  std::string_view cluster, attribute, name, kind, source, in_force_from;
};
constexpr AttributeRow kAttributes[] = {
#include "tables/zcl_attributes.inc"
};

unsigned number_of(std::string_view digits, int base) {
  unsigned number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  CHECK(error == std::errc() && end == digits.data() + digits.size());
  return number;
}

// Each table once in order, as a message asks for many names.
using Objects = std::map<std::tuple<unsigned, unsigned, std::string_view>, std::string_view>;
const Objects& objects() {
  static const Objects all = [] {
    Objects made;
    for (const ObjectRow& row : kObjects)
      made.try_emplace({number_of(row.class_id, 10), number_of(row.member, 10), row.object},
                       row.name);
    return made;
  }();
  return all;
}

using Responses = std::map<std::pair<std::string_view, std::size_t>, std::string_view>;
const Responses& responses() {
  static const Responses all = [] {
    Responses made;
    for (const ResponseRow& row : kResponses)
      made.try_emplace({row.use_case, number_of(row.index, 10)}, row.name);
    return made;
  }();
  return all;
}

using Attributes = std::map<unsigned, AttributeName>;
const Attributes& attributes() {
  static const Attributes all = [] {
    Attributes made;
    for (const AttributeRow& row : kAttributes)
      made.try_emplace(number_of(row.cluster, 16) << 16 | number_of(row.attribute, 16),
                       AttributeName{row.name, row.kind});
    return made;
  }();
  return all;
}

template <typename Map, typename Key>
typename Map::mapped_type found_in(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? typename Map::mapped_type{} : found->second;
}

}  // namespace

std::string_view object_name(unsigned class_id, std::string_view object, unsigned member) {
  return found_in(objects(), std::tuple(class_id, member, object));
}

std::string_view response_value_name(std::string_view use_case, std::size_t index) {
  return found_in(responses(), std::pair(use_case, index));
}

std::string_view alert_title(std::string_view code) {
  for (const AlertRow& row : kAlerts) {
    if (row.code == code) return row.title;
  }
  return {};
}

AttributeName attribute_name(std::uint16_t cluster, std::uint16_t attribute) {
  return found_in(attributes(), static_cast<unsigned>(cluster) << 16 | attribute);
}

std::string_view unit_name(std::int64_t unit) {
  struct Unit {
    std::int64_t number;
    std::string_view name;
  };
  static constexpr Unit kUnits[] = {{13, "m3"},  {27, "W"},    {28, "VA"}, {29, "var"}, {30, "Wh"},
                                    {31, "VAh"}, {32, "varh"}, {33, "A"},  {35, "V"},   {44, "Hz"}};
  for (const Unit& row : kUnits) {
    if (row.number == unit) return row.name;
  }
  return {};
}

}  // namespace wattseal::gbcs
