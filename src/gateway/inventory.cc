#include "gateway/inventory.h"

#include <map>

#include "base/fault.h"
#include "terms/facts.h"
#include "terms/tables.h"

namespace wattseal::gateway {
namespace {

constexpr std::uint64_t kNoStatus = 255;

Bytes to_record(const Device& device) {
  RecordWriter record;
  record.number(static_cast<std::uint64_t>(device.type))
      .number(static_cast<std::uint64_t>(device.status))
      .number(device.before_suspension ? static_cast<std::uint64_t>(*device.before_suspension)
                                       : kNoStatus)
      .octets(device.hub.octets())
      .text(device.meter_point)
      .text(device.model)
      .text(device.variant)
      .number(static_cast<std::uint64_t>(device.since.unix_seconds()));
  return record.bytes();
}

Device from_record(Eui64 id, BytesView octets) {
  RecordReader record(octets);
  Device device;
  device.id = id;
  device.type = static_cast<DeviceType>(record.number());
  device.status = static_cast<DeviceStatus>(record.number());
  const std::uint64_t before = record.number();
  if (before != kNoStatus) device.before_suspension = static_cast<DeviceStatus>(before);
  device.hub = Eui64::from_number(get_be(record.octets()));
  device.meter_point = record.text();
  device.model = record.text();
  device.variant = record.text();
  device.since = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  return device;
}

// The device after the event, or why it cannot happen.
Result<Device> after(const std::optional<Device>& before, const InventoryEvent& event,
                     UtcTime now) {
  const bool notified = event.event == "pre-notified";
  if (notified && before)
    return Refusal{"inventory-known-device"_rule, event.device.text() + " is already notified"};
  if (!notified && !before)
    return Refusal{"inventory-unknown-device"_rule, event.device.text() + " was never notified"};
  const DeviceType type = before ? before->type : event.type;
  const std::optional<DeviceStatus> from = before ? std::optional(before->status) : std::nullopt;
  const DeviceTransition* row = find_transition(from, event.event, type == DeviceType::chf);
  if (row == nullptr) {
    return Refusal{"inventory-transition"_rule, event.event + " does not follow " +
                                                    std::string(from ? text(*from) : "no status") +
                                                    " for a device of type " +
                                                    std::string(text(type))};
  }
  Device device = before.value_or(Device{event.device,
                                         event.type,
                                         {},
                                         {},
                                         event.hub,
                                         event.meter_point,
                                         event.model,
                                         event.variant,
                                         now});
  if (row->to == DeviceStatus::suspended) device.before_suspension = from;
  device.status = row->to ? *row->to : device.before_suspension.value_or(DeviceStatus::pending);
  if (!row->to) device.before_suspension.reset();
  device.since = now;
  return device;
}

Bytes hub_key(Eui64 hub, Eui64 device) {
  Bytes key = to_bytes(hub.octets());
  append(key, device.octets());
  return key;
}

}  // namespace

Inventory::Inventory(const World& world, storage::Store& store) : world_(world), store_(store) {}

Result<Device> Inventory::find(Eui64 device) const {
  const std::optional<Bytes> record = store_.get(tables::devices, device.octets());
  if (!record)
    return Refusal{"inventory-unknown-device"_rule, device.text() + " is not in the inventory"};
  return from_record(device, *record);
}

std::vector<Device> Inventory::on_hub(Eui64 hub) const {
  std::vector<Device> devices;
  const std::array<Octet, 8> prefix = hub.octets();
  store_.scan(tables::hub_devices, prefix, storage::prefix_end(prefix),
              [&](BytesView key, BytesView) {
                const Result<Device> device = find(Eui64::from_number(get_be(key.subspan(8))));
                if (device.ok()) devices.push_back(*device);
                return true;
              });
  return devices;
}

Status Inventory::apply(const std::vector<InventoryEvent>& events, TraceId trace) {
  storage::Batch batch;
  TRY(add(batch, events, trace));
  TRY(store_.commit(std::move(batch)));
  return {};
}

Status Inventory::add(storage::Batch& batch, const std::vector<InventoryEvent>& events,
                      TraceId trace) const {
  const UtcTime now = world_.now();
  std::map<Eui64, Device> changed;  // a device may move several times in one call
  for (const InventoryEvent& event : events) {
    const std::array<Octet, 8> key = event.device.octets();
    const auto moved = changed.find(event.device);
    std::optional<Device> before;
    if (moved != changed.end()) {
      before = moved->second;
    } else if (const std::optional<Bytes> stored = store_.get(tables::devices, key)) {
      before = from_record(event.device, *stored);
      batch.require_value(
          tables::devices, key, *stored,
          Refusal{"inventory-transition"_rule, "the device moved at the same moment"});
    } else {
      batch.require_absent(
          tables::devices, key,
          Refusal{"inventory-known-device"_rule, event.device.text() + " is already notified"});
    }
    TRY_ASSIGN(const Device device, after(before, event, now));
    FactWriter fact(FactKind::device_status_changed, now, trace);
    fact.eui(FactField::device, device.id)
        .text(FactField::device_type, text(device.type))
        .text(FactField::event, event.event)
        .text(FactField::from_status, before ? text(before->status) : "none")
        .text(FactField::to_status, text(device.status));
    if (!before) {
      fact.eui(FactField::hub, device.hub)
          .text(FactField::model, device.model)
          .text(FactField::meter_point, device.meter_point)
          .text(FactField::device_variant, device.variant);
    }
    batch.append(fact.bytes());
    changed.insert_or_assign(device.id, device);
  }
  for (const auto& [id, device] : changed) {
    batch.put(tables::devices, id.octets(), to_record(device));
    batch.put(tables::hub_devices, hub_key(device.hub, id), {});
  }
  return {};
}

void Inventory::replay(storage::Changes& rows, const FactView& fact) {
  InventoryEvent event;
  const std::optional<Eui64> id = fact.eui(FactField::device);
  const std::optional<DeviceType> type = device_type(fact.text(FactField::device_type));
  if (!id || !type) throw Fault("a device's fact lacks a field");
  event.device = *id;
  event.event = std::string(fact.text(FactField::event));
  event.type = *type;
  event.hub = fact.eui(FactField::hub).value_or(Eui64());
  event.meter_point = std::string(fact.text(FactField::meter_point));
  event.model = std::string(fact.text(FactField::model));
  event.variant = std::string(fact.text(FactField::device_variant));
  std::optional<Device> before;
  if (const std::optional<Bytes> stored = rows.get(tables::devices, event.device.octets()))
    before = from_record(event.device, *stored);
  const Result<Device> device = after(before, event, fact.at());
  if (!device.ok()) throw Fault("a journalled event cannot happen: " + explain(device.refusal()));
  rows.put(tables::devices, event.device.octets(), to_record(*device));
  rows.put(tables::hub_devices, hub_key(device->hub, event.device), {});
}

std::uint64_t Inventory::count(DeviceStatus status) const {
  std::uint64_t count = 0;
  store_.scan(tables::devices, {}, {}, [&](BytesView key, BytesView value) {
    count += from_record(Eui64::from_number(get_be(key)), value).status == status;
    return true;
  });
  return count;
}

}  // namespace wattseal::gateway
