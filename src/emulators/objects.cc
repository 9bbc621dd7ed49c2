#include "emulators/objects.h"

#include <charconv>

#include "emulators/value_text.h"

namespace wattseal::emulators {
namespace {

struct ObjectRow {
  std::string_view kind, device_types, object, access, type, initial, behaviour, source,
      in_force_from;
};
struct ActivationRow {
  std::string_view trigger, from, to, source, in_force_from;
};
constexpr ObjectRow kObjects[] = {
#include "tables/emulated_objects.inc"
};
constexpr ActivationRow kActivations[] = {
#include "tables/emulated_activations.inc"
};
constexpr AlertRow kAlerts[] = {
#include "tables/device_alerts.inc"
};
constexpr std::string_view kVariants[] = {"single", "twin", "polyphase"};

bool is_for(const ObjectRow& row, std::string_view type, Variant variant) {
  for (std::string_view list = row.device_types; !list.empty();) {
    std::string_view wanted = cut(list, '/');
    const std::string_view wanted_type = cut(wanted, '.');
    if (wanted_type == type &&
        (wanted.empty() || wanted == kVariants[static_cast<std::size_t>(variant)]))
      return true;
  }
  return false;
}

ObjectKey object_key(std::string_view text, bool method) {
  const std::size_t last = text.rfind(':');
  ObjectKey key;
  key.member = static_cast<Octet>(number_of(text.substr(last + 1)));
  text = text.substr(0, last);
  key.class_id = static_cast<std::uint16_t>(number_of(cut(text, ':')));
  key.object = cosem::Obis::parse(text).value();
  key.method = method;
  return key;
}

zcl::Value initial_of(const ObjectRow& row, Octet type) {
  if (zcl::is_string(type)) {
    const std::string_view text = row.initial == "-" ? std::string_view() : row.initial;
    return zcl::string_value(type, as_bytes(text)).value();
  }
  std::int64_t number = 0;
  std::from_chars(row.initial.data(), row.initial.data() + row.initial.size(), number);
  return zcl::number_value(type, number).value();
}

void add(Model& model, const ObjectRow& row) {
  std::string_view argument = row.behaviour;
  const std::string_view behaviour = cut(argument, ':');
  if (row.kind == "dlms") {
    model.objects[object_key(row.object, row.access == "x")] = {row.access.starts_with("rw"),
                                                                row.access == "rwo", behaviour,
                                                                argument, parse_value(row.initial)};
    return;
  }
  std::string_view rest = row.object;
  const std::uint16_t cluster = static_cast<std::uint16_t>(number_of(cut(rest, ':'), 16));
  if (row.kind == "zcl") {
    const Octet type = static_cast<Octet>(number_of(row.type, 16));
    const bool sealed = row.access.find('s') != std::string_view::npos,
               quiet = row.access.find('d') != std::string_view::npos;
    model.attributes[{cluster, static_cast<std::uint16_t>(number_of(rest, 16))}] = {
        type, sealed, quiet, behaviour, argument, initial_of(row, type)};
    return;
  }
  CHECK(row.kind == "command");
  const Octet frame_control = static_cast<Octet>(number_of(cut(rest, ':'), 16));
  model.commands[{cluster, frame_control, static_cast<Octet>(number_of(rest, 16))}] = {behaviour,
                                                                                       argument};
}

Model make_model(std::string_view type, Variant variant) {
  Model model;
  for (const ObjectRow& row : kObjects) {
    if (is_for(row, type, variant)) add(model, row);
  }
  for (const ActivationRow& row : kActivations) {
    const ObjectKey trigger = attribute(row.trigger);
    ObjectKey method = trigger;
    method.method = true;
    const bool by_method =
        !model.objects.contains(trigger) || (trigger.class_id == 113 && trigger.member == 2);
    model.activations.push_back(
        {by_method ? method : trigger, attribute(row.from), attribute(row.to)});
  }
  return model;
}

}  // namespace

unsigned number_of(std::string_view text, int base) {
  unsigned number = 0;
  const std::from_chars_result read =
      std::from_chars(text.data(), text.data() + text.size(), number, base);
  CHECK(read.ec == std::errc() && read.ptr == text.data() + text.size());
  return number;
}

std::string_view cut(std::string_view& text, char at) {
  const std::size_t end = text.find(at);
  const std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return part;
}

ObjectKey attribute(std::string_view text) { return object_key(text, false); }

const Model& model_of(DeviceType type, Variant variant) {
  static const std::map<std::pair<std::string_view, Variant>, Model> models = [] {
    std::map<std::pair<std::string_view, Variant>, Model> made;
    for (const std::string_view name : {"ESME", "GSME", "GPF", "CHF", "PPMID"}) {
      for (const Variant one : {Variant::single, Variant::twin, Variant::polyphase})
        made.emplace(std::pair(name, one), make_model(name, one));
    }
    return made;
  }();
  // What stands alone for an auxiliary controller is asked as a meter is; a type without rows of
  // its own has what a prepayment interface has: nothing but its security commands.
  const std::string_view name = type == DeviceType::sapc ? "ESME" : text(type);
  const auto found = models.find({name, variant});
  return found == models.end() ? models.at({"PPMID", Variant::single}) : found->second;
}

const AlertRow* find_alert(std::string_view rule) {
  for (const AlertRow& row : kAlerts) {
    if (row.rule == rule) return &row;
  }
  return nullptr;
}

}  // namespace wattseal::emulators
