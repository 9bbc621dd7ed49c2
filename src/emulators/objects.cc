#include "emulators/objects.h"

namespace wattseal::emulators {
namespace {

constexpr ObjectRow kObjects[] = {
#include "tables/emulated_objects.inc"
};
constexpr AlertRow kAlerts[] = {
#include "tables/device_alerts.inc"
};

}  // namespace

bool ObjectRow::is_for(std::string_view wanted_kind, std::string_view device_type) const {
  if (kind != wanted_kind) return false;
  for (std::string_view list = device_types; !list.empty();) {
    const std::size_t slash = list.find('/');
    if (list.substr(0, slash) == device_type) return true;
    list = slash == std::string_view::npos ? std::string_view() : list.substr(slash + 1);
  }
  return false;
}

std::span<const ObjectRow> object_rows() { return kObjects; }

const AlertRow* find_alert(std::string_view rule) {
  for (const AlertRow& row : kAlerts) {
    if (row.rule == rule) return &row;
  }
  return nullptr;
}

}  // namespace wattseal::emulators
