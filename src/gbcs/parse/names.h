// Names for people, from data/: objects, attributes, response values, alert codes. Empty when there
// is no row. Private to gbcs.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace wattseal::gbcs {

std::string_view object_name(unsigned class_id, std::string_view object, unsigned member);
std::string_view response_value_name(std::string_view use_case, std::size_t index);  // index from 1
std::string_view alert_title(std::string_view code);

struct AttributeName {
  std::string_view name, kind;
};
AttributeName attribute_name(std::uint16_t cluster, std::uint16_t attribute);

// DLMS units by their enum: 30 -> "Wh". Source: IEC 62056-6-2 table 5.
std::string_view unit_name(std::int64_t unit);

}  // namespace wattseal::gbcs
