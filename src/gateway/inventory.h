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
  std::string meter_point;  // meters only: MPAN or MPRN
  std::string model;
  std::string variant = "single";  // single, twin, polyphase
  UtcTime since;
  std::string manufacturer;
  std::string firmware_version;   // as DUIS writes it; empty: not known
  std::string gbcs_version;       // "3.2"; empty: not known
  std::string technical_version;  // SMETS or CHTS; empty: not known
  // Which of two use cases for one request it has: those from limit gbcs_newer_from_major on, and
  // those of which nothing is known, have the newer one.
  bool older_generation() const;
  friend bool operator==(const Device&, const Device&) = default;
};

struct InventoryEvent {
  Eui64 device;
  std::string event;  // of data/device_states.tsv; or "updated": what is known of it changes
  // For "pre-notified", and for "updated" those that change:
  DeviceType type = DeviceType::esme;  // never changes
  Eui64 hub = {};
  std::string meter_point = {}, model = {}, variant = {};
  std::string manufacturer = {}, firmware_version = {}, gbcs_version = {}, technical_version = {};
};

class Inventory {
 public:
  Inventory(const World& world, storage::Store& store);
  Result<Device> find(Eui64 device) const;  // refuses inventory-unknown-device
  std::vector<Device> on_hub(Eui64 hub) const;
  std::vector<Device> at_point(std::string_view meter_point) const;
  // Refuses inventory-transition, inventory-unknown-device, inventory-known-device.
  Status apply(const std::vector<InventoryEvent>& events, TraceId trace);
  // The same, with the caller's batch: committing it refuses inventory-transition or
  // inventory-known-device when a device moved since.
  Status add(storage::Batch& batch, const std::vector<InventoryEvent>& events, TraceId trace) const;
  std::uint64_t count(DeviceStatus status) const;
  // What a device-status-changed fact did to the tables. Throws Fault when it could not happen.
  static void replay(storage::Changes& rows, const FactView& fact);

 private:
  const World& world_;
  storage::Store& store_;
};

}  // namespace wattseal::gateway
