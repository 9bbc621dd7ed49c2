#include "gateway/inventory.h"

#include <map>

#include "base/fault.h"
#include "terms/facts.h"
#include "terms/tables.h"

namespace wattseal::gateway {
namespace {

constexpr std::uint64_t kNoStatus = 255;
constexpr std::string_view kUpdated = "updated";

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
      .number(static_cast<std::uint64_t>(device.since.unix_seconds()))
      .text(device.manufacturer)
      .text(device.firmware_version)
      .text(device.gbcs_version)
      .text(device.technical_version);
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
  if (record.empty()) return device;  // of an older store
  for (std::string* const text : {&device.manufacturer, &device.firmware_version,
                                  &device.gbcs_version, &device.technical_version})
    *text = record.text();
  return device;
}

// What an event says of a device goes over what was known.
void learn(Device& device, const InventoryEvent& event) {
  if (event.hub != Eui64()) device.hub = event.hub;
  for (const auto& [known, said] :
       {std::pair{&device.meter_point, &event.meter_point}, std::pair{&device.model, &event.model},
        std::pair{&device.variant, &event.variant},
        std::pair{&device.manufacturer, &event.manufacturer},
        std::pair{&device.firmware_version, &event.firmware_version},
        std::pair{&device.gbcs_version, &event.gbcs_version},
        std::pair{&device.technical_version, &event.technical_version}})
    if (!said->empty()) *known = *said;
}

// The device after the event, nothing when it leaves, or why it cannot happen.
Result<std::optional<Device>> after(const std::optional<Device>& before,
                                    const InventoryEvent& event, UtcTime now) {
  const bool notified = event.event == "pre-notified";
  if (notified && before)
    return Refusal{"inventory-known-device"_rule, event.device.text() + " is already notified"};
  if (!notified && !before)
    return Refusal{"inventory-unknown-device"_rule, event.device.text() + " was never notified"};
  Device device = before.value_or(Device{});
  if (event.event == kUpdated) {
    learn(device, event);
    return std::optional(device);
  }
  const DeviceType type = before ? before->type : event.type;
  const std::optional<DeviceStatus> from = before ? std::optional(before->status) : std::nullopt;
  const DeviceTransition* row = find_transition(from, event.event, type == DeviceType::chf);
  if (row == nullptr) {
    return Refusal{"inventory-transition"_rule, event.event + " does not follow " +
                                                    std::string(from ? text(*from) : "no status") +
                                                    " for a device of type " +
                                                    std::string(text(type))};
  }
  // Only a suspended device has a status to go back to; another without a new one leaves.
  if (!row->to && from != DeviceStatus::suspended) return std::optional<Device>();
  if (notified) {
    device.id = event.device;
    device.type = event.type;
    learn(device, event);
  }
  if (row->to == DeviceStatus::suspended) device.before_suspension = from;
  device.status = row->to ? *row->to : device.before_suspension.value_or(DeviceStatus::pending);
  if (!row->to) device.before_suspension.reset();
  device.since = now;
  return std::optional(device);
}

Bytes hub_key(Eui64 hub, Eui64 device) {
  Bytes key = to_bytes(hub.octets());
  append(key, device.octets());
  return key;
}

Bytes point_key(std::string_view point, Eui64 device) {
  Bytes key = to_bytes(as_bytes(point));
  key.push_back(0);
  append(key, device.octets());
  return key;
}

// Its rows, and those that lead to it. Any place that takes rows: a batch, or the changes of a
// rebuilding.
template <typename Rows>
void put_rows(Rows& rows, const Device& device) {
  rows.put(tables::devices, device.id.octets(), to_record(device));
  if (device.hub != Eui64()) rows.put(tables::hub_devices, hub_key(device.hub, device.id), {});
  if (!device.meter_point.empty())
    rows.put(tables::point_devices, point_key(device.meter_point, device.id), {});
}
template <typename Rows>
void replace_rows(Rows& rows, const std::optional<Device>& before,
                  const std::optional<Device>& after) {
  if (before && (!after || after->hub != before->hub))
    rows.erase(tables::hub_devices, hub_key(before->hub, before->id));
  if (before && (!after || after->meter_point != before->meter_point) &&
      !before->meter_point.empty())
    rows.erase(tables::point_devices, point_key(before->meter_point, before->id));
  if (after)
    put_rows(rows, *after);
  else if (before)
    rows.erase(tables::devices, before->id.octets());
}

Bytes fact_of(const std::optional<Device>& before, const std::optional<Device>& device,
              const InventoryEvent& event, UtcTime now, TraceId trace) {
  FactWriter fact(FactKind::device_status_changed, now, trace);
  fact.eui(FactField::device, event.device)
      .text(FactField::device_type, text(before ? before->type : event.type))
      .text(FactField::event, event.event)
      .text(FactField::from_status, before ? text(before->status) : "none")
      .text(FactField::to_status, device ? text(device->status) : "none");
  if (before && event.event != kUpdated) return fact.bytes();
  if (event.hub != Eui64()) fact.eui(FactField::hub, event.hub);
  for (const auto& [field, said] :
       {std::pair{FactField::model, &event.model},
        std::pair{FactField::meter_point, &event.meter_point},
        std::pair{FactField::device_variant, &event.variant},
        std::pair{FactField::manufacturer, &event.manufacturer},
        std::pair{FactField::firmware_version, &event.firmware_version},
        std::pair{FactField::gbcs_version, &event.gbcs_version},
        std::pair{FactField::technical_version, &event.technical_version}})
    if (!said->empty()) fact.text(field, *said);
  return fact.bytes();
}

}  // namespace

bool Device::older_generation() const {
  std::uint64_t major = 0;
  for (const char c : gbcs_version) {
    if (c < '0' || c > '9') break;
    major = major * 10 + static_cast<unsigned>(c - '0');
  }
  return !gbcs_version.empty() && major < limit("gbcs_newer_from_major");
}

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

std::vector<Device> Inventory::at_point(std::string_view meter_point) const {
  std::vector<Device> devices;
  Bytes prefix = to_bytes(as_bytes(meter_point));
  prefix.push_back(0);
  store_.scan(
      tables::point_devices, prefix, storage::prefix_end(prefix), [&](BytesView key, BytesView) {
        const Result<Device> device = find(Eui64::from_number(get_be(key.subspan(prefix.size()))));
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
  struct Change {
    std::optional<Device> stored, after;
  };
  std::map<Eui64, Change> changes;  // a device may move several times in one call
  for (const InventoryEvent& event : events) {
    const std::array<Octet, 8> key = event.device.octets();
    const auto [found, is_new] = changes.try_emplace(event.device);
    Change& change = found->second;
    if (is_new) {
      if (const std::optional<Bytes> stored = store_.get(tables::devices, key)) {
        change.stored = change.after = from_record(event.device, *stored);
        batch.require_value(
            tables::devices, key, *stored,
            Refusal{"inventory-transition"_rule, "the device moved at the same moment"});
      } else {
        batch.require_absent(
            tables::devices, key,
            Refusal{"inventory-known-device"_rule, event.device.text() + " is already notified"});
      }
    }
    TRY_ASSIGN(const std::optional<Device> device, after(change.after, event, now));
    batch.append(fact_of(change.after, device, event, now, trace));
    change.after = device;
  }
  for (const auto& [id, change] : changes) replace_rows(batch, change.stored, change.after);
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
  for (const auto& [field, said] :
       {std::pair{FactField::model, &event.model},
        std::pair{FactField::meter_point, &event.meter_point},
        std::pair{FactField::device_variant, &event.variant},
        std::pair{FactField::manufacturer, &event.manufacturer},
        std::pair{FactField::firmware_version, &event.firmware_version},
        std::pair{FactField::gbcs_version, &event.gbcs_version},
        std::pair{FactField::technical_version, &event.technical_version}})
    *said = std::string(fact.text(field));
  std::optional<Device> before;
  if (const std::optional<Bytes> stored = rows.get(tables::devices, event.device.octets()))
    before = from_record(event.device, *stored);
  const Result<std::optional<Device>> device = after(before, event, fact.at());
  if (!device.ok()) throw Fault("a journalled event cannot happen: " + explain(device.refusal()));
  replace_rows(rows, before, *device);
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
