// What a device's answer means for the DCC's own records: a device log changed, a device joined or
// was commissioned, firmware is active, a supplier lost a device. An answer counts when every item
// in it succeeded. Source: spec/smki.md 9.1; spec/gbcs-duis.md 3.6.
#include "base/log.h"
#include "gateway/gateway/state.h"
#include "gbcs/mmc.h"

namespace wattseal::gateway {
namespace {

constexpr char kSeparator = '|';
constexpr std::string_view kLogUpdated = "N13", kLogNotUpdated = "N14", kSupplierChanged = "N16",
                           kVersionMismatch = "N20";

xml::Element leaf(std::string_view name, std::string text) {
  return {std::string(duis::kNamespace), std::string(name), {}, std::move(text), {}};
}
xml::Element node(std::string_view name, std::vector<xml::Element> children) {
  return {std::string(duis::kNamespace), std::string(name), {}, {}, std::move(children)};
}

std::string text_at(const xml::Element& parent, std::string_view name) {
  const xml::Element* const child = parent.child(name);
  return child ? std::string(child->trimmed()) : std::string();
}

std::vector<std::string> parts_of(std::string_view note) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = note.find(kSeparator);
    parts.emplace_back(note.substr(0, end));
    if (end == std::string_view::npos) return parts;
    note.remove_prefix(end + 1);
  }
}

// As a user's system would read it; what is sealed is for users alone.
std::optional<gbcs::Mmc> read_answer(const gbcs::Message& message, std::string_view variant) {
  Result<gbcs::Mmc> mmc = gbcs::to_mmc(
      message,
      [](const gbcs::Message&, BytesView) -> Result<Bytes> {
        return Refusal{"gbcs-no-key"_rule, "the DCC does not read what is for its users"};
      },
      variant);
  return mmc.ok() ? std::optional(std::move(*mmc)) : std::nullopt;
}

// Anywhere below.
const xml::Element* find_below(const xml::Element& element, std::string_view name) {
  if (element.name == name) return &element;
  for (const xml::Element& child : element.children) {
    if (const xml::Element* const found = find_below(child, name)) return found;
  }
  return nullptr;
}

// Whether the event can follow; what cannot happen is no effect.
bool can(const Device& device, std::string_view event) {
  return find_transition(device.status, event, device.type == DeviceType::chf) != nullptr;
}

std::string hub_log_note(const xml::Element& body) {
  const xml::Element* const added = body.child("AddDeviceToCHFWhitelist");
  return text_at(body, "RequestType") + kSeparator + text_at(body, "DeviceID") + kSeparator +
         (added ? text_at(*added, "ImportMPxN") : "");
}

}  // namespace

std::string note_of(const duis::ServiceRequest& request) {
  if (request.service_variant == "8.11") return hub_log_note(request.body);
  if (request.service_reference == "8.7") return text_at(request.body, "OtherDeviceID");
  if (request.service_variant == "11.3") return text_at(request.body, "FirmwareHash");
  return {};
}

namespace {

// 8.11: the device is in the log of the hub, or is not any more.
std::vector<InventoryEvent> hub_log_events(const Inventory& inventory, Eui64 hub,
                                           const std::string& note) {
  const std::vector<std::string> parts = parts_of(note);
  if (parts.size() != 3) return {};
  const Result<Eui64> id = Eui64::parse(parts[1]);
  if (!id.ok()) return {};
  const Result<Device> device = inventory.find(*id);
  if (!device.ok()) return {};
  const std::string event = parts[0] == "Add" ? "added-to-device-log" : "removed-from-device-log";
  std::vector<InventoryEvent> events;
  if (can(*device, event)) events.push_back({*id, event});
  if (parts[0] != "Add") return events;
  InventoryEvent known{*id, "updated"};
  known.hub = hub;
  known.meter_point = parts[2];
  events.push_back(known);
  return events;
}

// The event for each of them that it can follow.
std::vector<InventoryEvent> events_for(const Inventory& inventory, std::initializer_list<Eui64> ids,
                                       const std::string& event) {
  std::vector<InventoryEvent> events;
  for (const Eui64 id : ids) {
    const Result<Device> device = inventory.find(id);
    if (device.ok() && can(*device, event)) events.push_back({id, event});
  }
  return events;
}

}  // namespace

// The supplier that lost the device is told.
void Gateway::State::add_supplier_changed(storage::Batch& batch, const Device& device,
                                          const std::string& losing, TraceId trace) {
  const Result<Eui64> party = Eui64::parse(losing);
  std::string point = device.meter_point;
  if (point.empty()) {
    for (const Device& one : inventory.on_hub(device.hub)) {
      if (one.type == DeviceType::gsme) point = one.meter_point;
    }
  }
  if (!party.ok() || point.empty() || device.type == DeviceType::sapc) return;
  add_dcc_alert(batch, *party, kSupplierChanged,
                node("ChangeOfSupplier", {node("DeviceChangeOfSupplier",
                                               {leaf("DeviceID", device.id.text()),
                                                leaf("DeviceType", std::string(text(device.type))),
                                                node("MPxNs", {leaf("ImportMPxN", point)})})}),
                trace);
}

// What a device says of its firmware goes before what the inventory thought (pain 3 of
// spec/features.md: an answer that was lost does not leave it wrong for ever).
void Gateway::State::add_firmware_read(storage::Batch& batch, const std::string& read,
                                       const Device& device, Eui64 asker, bool expected,
                                       TraceId trace) {
  if (read.empty() || read == device.firmware_version) return;
  InventoryEvent event{device.id, "updated"};
  event.firmware_version = read;
  if (!inventory.add(batch, {event}, trace).ok()) return;
  if (expected || device.firmware_version.empty() || device.type == DeviceType::sapc) return;
  add_dcc_alert(
      batch, asker, kVersionMismatch,
      node("FirmwareVersionMismatch",
           {leaf("DeviceID", device.id.text()), leaf("DeviceType", std::string(text(device.type))),
            leaf("FirmwareVersionSMI", device.firmware_version),
            leaf("FirmwareVersionDevice", read)}),
      trace);
}

storage::Batch Gateway::State::effects_of(const gbcs::Message& message, const RequestRecord& record,
                                          const duis::RequestId& id, TraceId trace) {
  storage::Batch batch;
  const std::string& variant = record.service_variant;
  const std::optional<gbcs::Mmc> answer = read_answer(message, variant);
  const bool done = answer && answer->success;
  const Result<Device> device = inventory.find(id.target);
  std::vector<InventoryEvent> events;
  if (variant == "8.11") {
    if (done) events = hub_log_events(inventory, id.target, record.note);
    add_dcc_alert(
        batch, id.originator, done ? kLogUpdated : kLogNotUpdated,
        node("UpdateHANDeviceLogResult", {leaf("UpdateHANDeviceLogServiceRequestID", id.text())}),
        trace);
  }
  if (!done || !device.ok()) return batch;
  if (record.service_reference == "8.7") {
    const Result<Eui64> other = Eui64::parse(record.note);
    if (other.ok()) events = events_for(inventory, {id.target, *other}, "joined");
  } else if (variant == "8.1.1") {
    events = events_for(inventory, {id.target}, "commission-succeeded");
  } else if (variant == "6.23") {
    add_supplier_changed(batch, *device, record.note, trace);
  } else if (variant == "11.2" || variant == "11.3") {
    const xml::Element* const version = find_below(answer->document, "FirmwareVersion");
    add_firmware_read(batch, version ? std::string(version->trimmed()) : std::string(), *device,
                      id.originator, variant == "11.3", trace);
  }
  storage::Batch moved;
  const Status added = inventory.add(moved, events, trace);
  if (added.ok())
    batch.add(std::move(moved));
  else
    log::warning("no_effect",
                 {{"trace", trace.text()}, {"rule", std::string(added.refusal().rule.text())}});
  return batch;
}

}  // namespace wattseal::gateway
