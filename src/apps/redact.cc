#include "apps/redact.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct PayloadFieldRow {
  std::string_view field, show, meaning, source, in_force_from;
};
constexpr PayloadFieldRow kPayloadFields[] = {
#include "tables/payload_fields.inc"
};
static_assert(std::ranges::all_of(kPayloadFields, [](const PayloadFieldRow& row) {
  return row.show == "shown" || row.show == "withheld";
}));

// A payload that is no object of texts is none of an act: its length says enough.
std::string without_people(std::string_view payload) {
  const json whole = json::parse(payload, nullptr, false);
  const bool of_an_act = whole.is_object() && std::ranges::all_of(whole, [](const json& value) {
                           return value.is_string();
                         });
  if (!of_an_act) return "(" + std::to_string(payload.size()) + " octets)";
  json shown = json::object();
  for (const auto& [field, value] : whole.items())
    shown[field] = is_shown(field) ? value : json("(withheld)");
  return shown.dump();
}

std::string person_of(const FactView& fact) {
  return "person " + std::to_string(fact.number(FactField::person));
}

}  // namespace

bool is_shown(std::string_view payload_field) {
  const auto* const row = std::ranges::find(kPayloadFields, payload_field, &PayloadFieldRow::field);
  return row != std::end(kPayloadFields) && row->show == "shown";
}

std::vector<FactFieldView> describe(const FactView& fact, People people) {
  std::vector<FactFieldView> views = wattseal::describe(fact);
  for (std::size_t i = 0; i < views.size(); ++i) {
    const auto& [tag, value] = fact.fields()[i];
    const FactField field = static_cast<FactField>(tag);
    const bool personal = field == FactField::payload || field == FactField::name_of_person ||
                          field == FactField::witnesses || field == FactField::meter_point;
    if (!personal) continue;
    if (people == People::shown)
      views[i].value = std::string(as_text(value));
    else if (field == FactField::payload)
      views[i].value = without_people(as_text(value));
    else if (field == FactField::name_of_person)
      views[i].value = person_of(fact);
  }
  return views;
}

}  // namespace wattseal::apps
