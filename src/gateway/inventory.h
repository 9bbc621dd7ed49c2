// The Smart Metering Inventory: which devices and hubs exist, their status and who hangs on whom.
// It does not know who may see them (access) or what they are certified to be (products). Each
// change is a fact; what data/device_states.tsv does not list is refused. Durable when apply()
// returns; all events of one call or none. Threads: any. Rules: inventory-*. Source:
// spec/smki.md 9.1; H4-H6.
#pragma once
#include "base/world.h"
#include "storage/changes.h"
#include "terms/facts.h"
#include "terms/terms.h"

namespace wattseal::gateway {

struct Device {
  Eui64 id;
  DeviceType type = DeviceType::esme;
  DeviceStatus status = DeviceStatus::pending;
  std::optional<DeviceStatus> before_suspension;
  Eui64 hub;                // its CHF; a hub's own id for hubs
  std::string meter_point;  // meters only
  std::string model;
  std::string variant = "single";  // single, twin, polyphase; then " older" for an older generation
  UtcTime since;
  friend bool operator==(const Device&, const Device&) = default;
};

struct InventoryEvent {
  Eui64 device;
  std::string event;  // of data/device_states.tsv
  // For "pre-notified" only:
  DeviceType type = DeviceType::esme;
  Eui64 hub = {};
  std::string meter_point = {}, model = {}, variant = "single";
};

class Inventory {
 public:
  Inventory(const World& world, storage::Store& store);
  Result<Device> find(Eui64 device) const;  // refuses inventory-unknown-device
  std::vector<Device> on_hub(Eui64 hub) const;
  // Refuses inventory-transition, inventory-unknown-device, inventory-known-device.
  Status apply(const std::vector<InventoryEvent>& events, TraceId trace);
  // The same as a part of a batch that the caller commits: it fails as a whole when one of the
  // devices moved in the meantime.
  Status add(storage::Batch& batch, const std::vector<InventoryEvent>& events, TraceId trace) const;
  std::uint64_t count(DeviceStatus status) const;
  // What a device-status-changed fact did to the tables. Throws Fault when it could not happen.
  static void replay(storage::Changes& rows, const FactView& fact);

 private:
  const World& world_;
  storage::Store& store_;
};

}  // namespace wattseal::gateway
