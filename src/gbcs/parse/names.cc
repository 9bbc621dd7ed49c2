#include "gbcs/parse/names.h"

#include <array>

#include "base/bytes.h"

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
  std::string_view code, title, source, in_force_from;
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

std::string hex16(std::uint16_t number) {
  Bytes octets;
  put_be(octets, number);
  return to_hex_upper(octets);
}

}  // namespace

std::string_view object_name(unsigned class_id, std::string_view object, unsigned member) {
  for (const ObjectRow& row : kObjects) {
    if (row.class_id == std::to_string(class_id) && row.object == object &&
        row.member == std::to_string(member))
      return row.name;
  }
  return {};
}

std::string_view response_value_name(std::string_view use_case, std::size_t index) {
  for (const ResponseRow& row : kResponses) {
    if (row.use_case == use_case && row.index == std::to_string(index)) return row.name;
  }
  return {};
}

std::string_view alert_title(std::string_view code) {
  for (const AlertRow& row : kAlerts) {
    if (row.code == code) return row.title;
  }
  return {};
}

AttributeName attribute_name(std::uint16_t cluster, std::uint16_t attribute) {
  for (const AttributeRow& row : kAttributes) {
    if (row.cluster == hex16(cluster) && row.attribute == hex16(attribute))
      return {row.name, row.kind};
  }
  return {};
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
