// Rows of data/emulated_objects.tsv and data/device_alerts.tsv. Private to emulators.
#pragma once
#include <span>
#include <string_view>

namespace wattseal::emulators {

struct ObjectRow {
  std::string_view kind, device_types, object, access, type, initial, behaviour, source,
      in_force_from;
  bool is_for(std::string_view wanted_kind, std::string_view device_type) const;
};
std::span<const ObjectRow> object_rows();

struct AlertRow {
  std::string_view rule, alert_code, critical, title, source, in_force_from;
};
const AlertRow* find_alert(std::string_view rule);  // null: no alert

}  // namespace wattseal::emulators
