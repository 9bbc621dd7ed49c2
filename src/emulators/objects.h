// What a type of device can be asked for, from rows of data/emulated_objects.tsv,
// data/emulated_activations.tsv and data/device_alerts.tsv. A model is made once and shared by all
// devices of its type; a device keeps only what differs. Private to emulators.
#pragma once
#include <map>
#include <span>

#include "cosem/cosem.h"
#include "emulators/device.h"
#include "zcl/zcl.h"

namespace wattseal::emulators {

// A COSEM attribute or method.
struct ObjectKey {
  std::uint16_t class_id = 0;
  cosem::Obis object;
  Octet member = 0;
  bool method = false;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};
ObjectKey attribute(std::string_view text);  // "111:0-0:19.0.0.255:2"

struct DlmsObject {
  bool writable = false, optional = false;  // optional: null or a u16, too
  std::string_view behaviour, argument;     // "log" and "daily-read:31"
  cosem::Value initial;
};
struct ZclAttribute {
  Octet type = 0;
  bool sealed = false, quiet = false;
  std::string_view behaviour, argument;
  zcl::Value initial;
};
struct ZclCommand {
  std::string_view behaviour, argument;
};
struct Activation {
  ObjectKey trigger, from, to;
};
using ZclKey = std::pair<std::uint16_t, std::uint16_t>;  // cluster, attribute
struct ZclCommandKey {
  std::uint16_t cluster = 0;
  Octet frame_control = 0, command = 0;  // only whether a cluster command and from which side
  friend auto operator<=>(const ZclCommandKey&, const ZclCommandKey&) = default;
};

struct Model {
  std::map<ObjectKey, DlmsObject> objects;
  std::map<ZclKey, ZclAttribute> attributes;
  std::map<ZclCommandKey, ZclCommand> commands;
  std::vector<Activation> activations;
};
const Model& model_of(DeviceType type, Variant variant);

unsigned number_of(std::string_view text, int base = 10);  // of a row: CHECKs that it is one
// The part before the first `at`, taken off the text.
std::string_view cut(std::string_view& text, char at);

struct AlertRow {
  std::string_view rule, alert_code, critical, title, source, in_force_from;
};
const AlertRow* find_alert(std::string_view rule);  // null: no alert

}  // namespace wattseal::emulators
