// Services that the DCC answers from its inventory: who hangs where (8.2), a device leaves (8.3),
// is corrected (8.4), a hub comes or goes (8.14), a device is announced (12.2), the SM WAN's
// coverage (12.1). What may change is data/device_states.tsv. Source: spec/smki.md 9.1; DUIS
// schema 5.4 (X).
#include "gateway/coverage.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kDevicesMax = 17;  // DSPInventory
constexpr std::string_view kDecommissioned = "N8";

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

std::string path_of(const duis::ServiceRequest& request, std::string_view element) {
  return "/Request/Body/" + request.body.name + "/" + std::string(element);
}

// ESMEVariant begins with A for one element, B for two, C for three phases; the other letters are
// kept behind the word.
std::string variant_of(const std::string& letters) {
  if (letters.empty()) return {};
  const char* const word = letters[0] == 'B' ? "twin" : letters[0] == 'C' ? "polyphase" : "single";
  return std::string(word) + " " + letters;
}
std::string letters_of(const std::string& variant) {
  const std::size_t space = variant.find(' ');
  if (space != std::string::npos) return variant.substr(space + 1);
  return variant == "twin" ? "B" : variant == "polyphase" ? "C" : "A";
}

// An element that has a value.
void add_leaf(xml::Element& parent, std::string_view name, const std::string& value) {
  if (!value.empty()) parent.children.push_back(leaf(name, value));
}

xml::Element shown(const Device& device, const std::optional<Product>& product) {
  xml::Element out =
      node("Device",
           {leaf("DeviceID", device.id.text()), leaf("DeviceType", std::string(text(device.type))),
            leaf("DeviceStatus", std::string(text(device.status))),
            leaf("DeviceManufacturer", device.manufacturer), leaf("DeviceModel", device.model)});
  add_leaf(out, "SMETSCHTSVersion", device.technical_version);
  add_leaf(out, "DeviceFirmwareVersion", device.firmware_version);
  if (product) {
    if (!device.firmware_version.empty())
      add_leaf(out, "DeviceFirmwareVersionStatus", product->status);
    add_leaf(out, "CPLStatus", product->status);
  }
  if (device.status == DeviceStatus::commissioned)
    add_leaf(out, "DateCommissioned", device.since.iso().substr(0, 10) + "Z");
  add_leaf(out, "ImportMPxN", device.meter_point);
  if (device.type == DeviceType::esme) add_leaf(out, "ESMEVariant", letters_of(device.variant));
  add_leaf(out, "DeviceGBCSVersion", device.gbcs_version);
  return out;
}

}  // namespace

// Who is registered to supply the device, or the hub it hangs on; devices that hang nowhere yet are
// anyone's.
Status Gateway::State::check_supplies(const duis::ServiceRequest& request,
                                      const Device& device) const {
  std::vector<std::string> points;
  if (!device.meter_point.empty()) {
    points.push_back(device.meter_point);
  } else if (device.hub != Eui64()) {
    for (const Device& one : inventory.on_hub(device.hub)) {
      if (!one.meter_point.empty()) points.push_back(one.meter_point);
    }
  }
  if (points.empty()) return {};
  for (const std::string& id : points) {
    const Result<MeterPoint> point = registration.find(id);
    if (!point.ok() || point->effective_from > world.now()) continue;
    if (point->supplier == request.id.originator) return {};
  }
  return Refusal{"access-not-registered"_rule,
                 request.id.originator.text() + " does not supply " + device.id.text(),
                 path_of(request, "DeviceID")};
}

Result<Device> Gateway::State::named_device(const duis::ServiceRequest& request) const {
  TRY_ASSIGN(const Eui64 id, Eui64::parse(text_at(request.body, "DeviceID")));
  const Result<Device> device = inventory.find(id);
  if (!device.ok())
    return Refusal{"inventory-unknown-device"_rule, device.refusal().detail,
                   path_of(request, "DeviceID")};
  return device;
}

Result<duis::ServiceResponse> Gateway::State::read_inventory(const duis::ServiceRequest& request,
                                                             TraceId trace) {
  std::vector<Device> found;
  const auto add = [&found](const Device& device) {
    const bool known =
        std::ranges::any_of(found, [&](const Device& one) { return one.id == device.id; });
    // The schema has no word for it.
    if (!known && device.type != DeviceType::sapc && found.size() < kDevicesMax)
      found.push_back(device);
  };
  const auto add_hub = [&](const Device& device) {
    if (device.hub == Eui64()) return;
    for (const Device& one : inventory.on_hub(device.hub)) add(one);
  };
  if (request.body.child("DeviceID")) {
    const Result<Device> device = named_device(request);
    if (device.ok()) {
      add(*device);
      add_hub(*device);
    }
  } else if (const xml::Element* const point = request.body.child("MPxN")) {
    const std::vector<Device> there = inventory.at_point(point->trimmed());
    for (const Device& one : there) add(one);
    for (const Device& one : there) add_hub(one);
  }
  if (found.empty())
    return Refusal{"inventory-nothing-found"_rule, "no device",
                   "/Request/Body/" + request.body.name};
  xml::Element list = node("DSPInventory", {});
  for (const Device& one : found)
    list.children.push_back(
        shown(one, products.find(one.manufacturer, one.model, one.firmware_version)));
  TRY(accept_at_once({}, request, trace));
  duis::ServiceResponse response = answer_to(request, "I0");
  response.other = std::move(list);
  return response;
}

Result<duis::ServiceResponse> Gateway::State::move_device(const duis::ServiceRequest& request,
                                                          const std::vector<InventoryEvent>& events,
                                                          storage::Batch also, TraceId trace) {
  const Status moved = inventory.add(also, events, trace);
  if (!moved.ok())
    return Refusal{moved.refusal().rule, moved.refusal().detail, path_of(request, "DeviceID")};
  TRY(accept_at_once(std::move(also), request, trace));
  return answer_to(request, "I0");
}

// The network operator hears of meters that leave.
Result<duis::ServiceResponse> Gateway::State::decommission(const duis::ServiceRequest& request,
                                                           TraceId trace) {
  TRY_ASSIGN(const Device device, named_device(request));
  TRY(check_supplies(request, device));
  storage::Batch batch;
  const Result<MeterPoint> point = registration.find(device.meter_point);
  if (point.ok() && device.type != DeviceType::sapc) {
    const xml::Element left =
        node("MeterDecommissioningOrWithdrawal",
             {node("MeterDecommissionOrWithdrawal", {leaf("ImportMPxN", device.meter_point)})});
    add_dcc_alert(batch, point->network_operator, kDecommissioned,
                  node("DeviceStatusChangeEvent",
                       {leaf("DeviceID", device.id.text()), node("DeviceStatusChange", {left})}),
                  trace);
  }
  return move_device(request, {{device.id, "decommissioned"}}, std::move(batch), trace);
}

namespace {

// What 8.4 asks for as an event; of a hub or of another device.
Result<InventoryEvent> update_event(const duis::ServiceRequest& request, const Device& device) {
  const xml::Element& body = request.body;
  const bool hub = device.type == DeviceType::chf;
  const auto refused = [&](const char* element) {
    return Refusal{"inventory-update"_rule,
                   "the device is a " + std::string(text(device.type)) + " and " +
                       std::string(text(device.status)),
                   path_of(request, element)};
  };
  InventoryEvent event{device.id, "updated"};
  if (body.child("UpdateDeviceStatusExceptCH")) {
    if (hub) return refused("UpdateDeviceStatusExceptCH");
    event.event =
        text_at(body, "UpdateDeviceStatusExceptCH") == "Pending" ? "set-pending" : "set-installed";
  } else if (body.child("UpdateDeviceStatusCH")) {
    if (!hub) return refused("UpdateDeviceStatusCH");
    const std::string to = text_at(body, "UpdateDeviceStatusCH");
    event.event = to == "Commissioned" ? "set-commissioned"
                  : to == "Withdrawn"  ? "withdrawn"
                                       : "set-installed";
  } else if (body.child("DeleteDevice")) {
    event.event = "deleted";
  } else if (const xml::Element* const details = body.child("UpdateDeviceDetails")) {
    if (device.status != DeviceStatus::pending) return refused("UpdateDeviceDetails");
    event.manufacturer = text_at(*details, "DeviceManufacturer");
    event.model = text_at(*details, "DeviceModel");
    event.technical_version = text_at(*details, "SMETSCHTSVersion");
    event.firmware_version = text_at(*details, "FirmwareVersion");
    event.variant = variant_of(text_at(*details, "ESMEVariant"));
  } else {
    event.meter_point = text_at(*body.child("UpdateMPxN"), "ImportMPxN");
    if (event.meter_point.empty() ||
        (device.type != DeviceType::esme && device.type != DeviceType::gsme))
      return refused("UpdateMPxN");
  }
  return event;
}

}  // namespace

Result<duis::ServiceResponse> Gateway::State::update_inventory(const duis::ServiceRequest& request,
                                                               TraceId trace) {
  TRY_ASSIGN(const Device device, named_device(request));
  TRY(check_supplies(request, device));
  TRY_ASSIGN(InventoryEvent event, update_event(request, device));
  if (!event.meter_point.empty()) {
    const Result<MeterPoint> point = registration.find(event.meter_point);
    if (!point.ok() || point->supplier != request.id.originator)
      return Refusal{"access-not-registered"_rule, event.meter_point,
                     path_of(request, "UpdateMPxN/ImportMPxN")};
  }
  if (request.body.child("UpdateDeviceDetails")) {
    const auto said = [](const std::string& now, const std::string& before) {
      return now.empty() ? before : now;
    };
    const std::optional<Product> product = products.find(
        said(event.manufacturer, device.manufacturer), said(event.model, device.model),
        said(event.firmware_version, device.firmware_version));
    if (product) event.gbcs_version = product->gbcs_version;
  }
  return move_device(request, {event}, {}, trace);
}

// 12.2: what is not certified does not come in; of type 2 devices no firmware is listed.
Result<duis::ServiceResponse> Gateway::State::pre_notify(const duis::ServiceRequest& request,
                                                         TraceId trace) {
  const xml::Element& body = request.body;
  TRY_ASSIGN(const Eui64 id, Eui64::parse(text_at(body, "DeviceID")));
  InventoryEvent event{id, "pre-notified"};
  event.type = *device_type(text_at(body, "DeviceType"));  // the schema lists them
  event.manufacturer = text_at(body, "DeviceManufacturer");
  event.model = text_at(body, "DeviceModel");
  event.technical_version = text_at(body, "SMETSCHTSVersion");
  event.firmware_version = text_at(body, "FirmwareVersion");
  event.variant = variant_of(text_at(body, "ESMEVariant"));
  if (event.type == DeviceType::chf) event.hub = id;
  if (inventory.find(id).ok())
    return Refusal{"inventory-notified-twice"_rule, id.text(), path_of(request, "DeviceID")};
  if (event.type != DeviceType::ihd && event.type != DeviceType::cad) {
    const std::optional<Product> product =
        products.find(event.manufacturer, event.model, event.firmware_version);
    if (!product || !product->active() || product->type != event.type)
      return Refusal{"inventory-not-certified"_rule,
                     event.manufacturer + " " + event.model + " " + event.firmware_version,
                     path_of(request, "DeviceModel")};
    event.gbcs_version = product->gbcs_version;
  }
  std::vector<InventoryEvent> events{event};
  if (const std::string proxy = text_at(body, "AssociatedGPFDeviceID");
      !proxy.empty() && event.type == DeviceType::chf) {
    InventoryEvent second = event;
    TRY_ASSIGN(second.device, Eui64::parse(proxy));
    second.type = DeviceType::gpf;
    events.push_back(second);
  }
  return move_device(request, events, {}, trace);
}

// 8.14: the hub and, when it works, the gas proxy in it.
Result<duis::ServiceResponse> Gateway::State::move_hub(const duis::ServiceRequest& request,
                                                       TraceId trace) {
  TRY_ASSIGN(const Device hub, named_device(request));
  const std::string& variant = request.service_variant;
  if (hub.type != DeviceType::chf)
    return Refusal{"inventory-no-hub"_rule, "it is a " + std::string(text(hub.type)),
                   path_of(request, "DeviceID")};
  if (const xml::Element* const id = request.body.child("MPxN")) {
    const Result<MeterPoint> point = registration.find(id->trimmed());
    if (!point.ok() || point->supplier != request.id.originator)
      return Refusal{"inventory-hub-point"_rule, std::string(id->trimmed()),
                     path_of(request, "MPxN")};
  } else {
    TRY(check_supplies(request, hub));
  }
  const std::string event = variant == "8.14.1"   ? "connected-to-wan"
                            : variant == "8.14.2" ? "installed-without-wan"
                                                  : "returned";
  std::vector<InventoryEvent> events{{hub.id, event}};
  for (const Device& one : inventory.on_hub(hub.id)) {
    if (one.type != DeviceType::gpf || one.status != DeviceStatus::pending || variant != "8.14.1")
      continue;
    for (const char* step : {"added-to-device-log", "joined", "commission-succeeded"})
      events.push_back({one.id, step});
  }
  return move_device(request, events, {}, trace);
}

Result<duis::ServiceResponse> Gateway::State::wan_matrix(const duis::ServiceRequest& request,
                                                         TraceId trace) {
  const xml::Element* const address = request.body.child("PartialAddress");
  if (!address)
    return Refusal{"gateway-coverage-unknown"_rule, "no register of UPRNs is kept here",
                   path_of(request, "UPRN")};
  const std::string code = text_at(*address, "PostCode");
  const std::optional<Coverage> coverage = coverage_at(code);
  if (!coverage)
    return Refusal{"gateway-coverage-unknown"_rule, code,
                   path_of(request, "PartialAddress/PostCode")};
  xml::Element one =
      node("DSPWANMatrixResponse",
           {leaf("CSPRegion", std::string(coverage->region)), leaf("CSPRegionResponseCode", "I0"),
            leaf("CoverageAvailability", coverage->available ? "true" : "false"),
            leaf("WANTechnology", std::string(coverage->technology)),
            leaf("ConnectivityLikelihood", std::string(coverage->likelihood))});
  TRY(accept_at_once({}, request, trace));
  duis::ServiceResponse response = answer_to(request, "I0");
  xml::Element asked = request.body;
  asked.name = "Request";
  response.other = node("DSPWANMatrix", {std::move(asked), std::move(one)});
  return response;
}

}  // namespace wattseal::gateway
