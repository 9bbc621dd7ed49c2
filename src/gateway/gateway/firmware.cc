// Firmware on its way: 11.1 and 11.4 take an image for many devices, the DCC compares its hash with
// the Certified Products List, then the WAN carries it in blocks. What a device makes of it comes
// as its own alert; activating is 11.3, a command like any other. Source: spec/smki.md 9.4 (¶132);
// DUIS schema 5.4 (X).
#include "base/fault.h"
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr Octet kTransfer = 't', kImage = 'i';
constexpr std::string_view kDelivered = "N22", kNotDelivered = "N19";
constexpr std::size_t kTransfersPerStep = 16, kBlocksPerStep = 8;

xml::Element leaf(std::string_view name, std::string text) {
  return {std::string(duis::kNamespace), std::string(name), {}, std::move(text), {}};
}
xml::Element node(std::string_view name, std::vector<xml::Element> children) {
  return {std::string(duis::kNamespace), std::string(name), {}, {}, std::move(children)};
}

struct Transfer {
  std::string request_id, version;
  Bytes image;  // SHA-256
  std::uint64_t offset = 0, total = 0, attempts = 0;
  UtcTime next_try;
  TraceId trace;

  Bytes encode() const {
    return RecordWriter()
        .text(request_id)
        .text(version)
        .octets(image)
        .number(offset)
        .number(total)
        .number(attempts)
        .number(static_cast<std::uint64_t>(next_try.unix_seconds()))
        .octets(trace.octets())
        .bytes();
  }
  static Transfer decode(BytesView octets) {
    RecordReader record(octets);
    Transfer transfer;
    transfer.request_id = record.text();
    transfer.version = record.text();
    transfer.image = to_bytes(record.octets());
    transfer.offset = record.number();
    transfer.total = record.number();
    transfer.attempts = record.number();
    transfer.next_try = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
    const BytesView trace = record.octets();
    std::array<Octet, 16> id{};
    if (trace.size() != id.size() || transfer.image.size() != 32)
      throw Fault("a stored transfer has a field of the wrong length");
    std::ranges::copy(trace, id.begin());
    transfer.trace = TraceId(id);
    return transfer;
  }
};

Bytes transfer_key(Eui64 device) {
  Bytes key{kTransfer};
  append(key, device.octets());
  return key;
}
Bytes image_key(BytesView digest) {
  Bytes key{kImage};
  append(key, digest);
  return key;
}

std::vector<std::string> listed_ids(const duis::ServiceRequest& request) {
  std::vector<std::string> ids;
  std::string_view rest = request.body.child("DeviceIDList")->trimmed();
  while (true) {
    const std::size_t comma = rest.find(',');
    std::string_view one = rest.substr(0, comma);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    ids.emplace_back(one);
    if (comma == std::string_view::npos) return ids;
    rest.remove_prefix(comma + 1);
  }
}

// Devices of a request that the image does not go to, by why.
struct LeftOut {
  std::string invalid, not_commissioned, not_applicable, in_progress;
  bool any() const {
    return !(invalid.empty() && not_commissioned.empty() && not_applicable.empty() &&
             in_progress.empty());
  }
  static void add(std::string& list, const std::string& id) {
    if (!list.empty()) list += ",";
    list += id;
  }
  xml::Element shown(std::string_view name) const {
    xml::Element out = node(name, {});
    for (const auto& [element, list] :
         {std::pair{"InvalidDeviceIDList", &invalid},
          std::pair{"NotCommissionedDeviceIDList", &not_commissioned},
          std::pair{"NotApplicableFirmwareDeviceIDList", &not_applicable},
          std::pair{"OtherRequestInProgressList", &in_progress}})
      if (!list->empty()) out.children.push_back(leaf(element, *list));
    return out;
  }
};

bool takes(std::string_view variant, DeviceType type) {
  if (variant == "11.4") return type == DeviceType::ppmid;
  return type == DeviceType::esme || type == DeviceType::gsme || type == DeviceType::hcalcs;
}

Bytes moved_fact(std::string_view event, Eui64 device, const Transfer& transfer, UtcTime now) {
  return FactWriter(FactKind(63) /*firmware_moved*/, now, transfer.trace)
      .text(FactField::event, event)
      .eui(FactField::device, device)
      .text(FactField::request_id, transfer.request_id)
      .octets(FactField(135) /*image_digest*/, transfer.image)
      .text(FactField(136) /*firmware_version*/, transfer.version)
      .number(FactField(139) /*blocks*/, (transfer.offset + limit("firmware_block_octets") - 1) /
                                             limit("firmware_block_octets"))
      .bytes();
}

}  // namespace

Result<duis::ServiceResponse> Gateway::State::distribute_firmware(
    const duis::ServiceRequest& request, TraceId trace) {
  const std::string path = "/Request/Body/" + request.body.name + "/";
  const std::optional<Bytes> image = from_base64(request.body.child("FirmwareImage")->trimmed());
  if (!image || image->empty())
    return Refusal{"firmware-image"_rule, "it is empty or no base64", path + "FirmwareImage"};
  const crypto::Digest digest = crypto::sha256(*image);
  const std::string version(request.body.child("FirmwareVersion")->trimmed());
  const bool ppmid = request.service_variant == "11.4";
  const std::lock_guard lock(firmware_mutex);
  LeftOut left;
  bool certified = false;
  std::size_t going = 0;
  storage::Batch batch;
  for (const std::string& text : listed_ids(request)) {
    const Result<Eui64> id = Eui64::parse(text);
    const Result<Device> device = id.ok() ? inventory.find(*id) : Result<Device>(id.refusal());
    if (!device.ok() || !check_supplies(request, *device).ok()) {
      LeftOut::add(left.invalid, text);
      continue;
    }
    if (device->status != DeviceStatus::commissioned) {
      LeftOut::add(left.not_commissioned, text);
      continue;
    }
    // The hash is made again here, whatever the user believes it to be (¶132).
    const std::optional<Product> product =
        products.find(device->manufacturer, device->model, version);
    const bool listed = product && product->active() && product->image_digest == digest;
    certified = certified || listed;
    if (!listed || !takes(request.service_variant, device->type)) {
      LeftOut::add(left.not_applicable, text);
      continue;
    }
    const Bytes key = transfer_key(*id);
    if (store.get(storage::Table(78, "firmware"), key)) {
      LeftOut::add(left.in_progress, text);
      continue;
    }
    const Transfer transfer{request.id.text(), version, to_bytes(digest), 0,
                            image->size(),     0,       world.now(),      trace};
    batch.require_absent(
        storage::Table(78, "firmware"), key,
        Refusal{"firmware-no-device"_rule, text + " was given another image at the same moment",
                path + "DeviceIDList"});
    batch.put(storage::Table(78, "firmware"), key, transfer.encode());
    batch.append(moved_fact("asked", *id, transfer, world.now()));
    ++going;
  }
  if (going == 0 && !certified && !left.not_applicable.empty())
    return Refusal{ppmid ? "firmware-ppmid-not-certified"_rule : "firmware-not-certified"_rule,
                   "SHA-256 " + to_hex(digest), path + "FirmwareImage"};
  if (going == 0)
    return Refusal{ppmid ? "firmware-no-ppmid"_rule : "firmware-no-device"_rule,
                   std::to_string(listed_ids(request).size()) + " devices are named",
                   path + "DeviceIDList"};
  batch.put(storage::Table(78, "firmware"), image_key(digest), *image);
  TRY(accept_at_once(std::move(batch), request, trace));
  duis::ServiceResponse response =
      answer_to(request, left.any() ? (ppmid ? "W110401" : "W110101") : "I0");
  if (left.any())
    response.other =
        left.shown(ppmid ? "DSPUpdatePPMIDFirmwareWarning" : "DSPUpdateFirmwareWarning");
  return response;
}

// Some blocks to one device, and what became durable with them; returns whether any went out.
bool Gateway::State::send_blocks(Eui64 device, const Bytes& row, storage::Batch& batch) {
  Transfer transfer = Transfer::decode(row);
  const UtcTime now = world.now();
  if (now < transfer.next_try) return false;
  const Bytes key = transfer_key(device);
  const std::optional<Bytes> image =
      store.get(storage::Table(78, "firmware"), image_key(transfer.image));
  if (!image) throw Fault("an image on its way is not in the store");
  const std::uint64_t block = limit("firmware_block_octets");
  try {
    for (std::size_t i = 0; i < kBlocksPerStep && transfer.offset < transfer.total; ++i) {
      const BytesView octets = BytesView(*image).subspan(
          transfer.offset, std::min(block, transfer.total - transfer.offset));
      firmware_send(device,
                    {transfer.image, transfer.version, transfer.offset, transfer.total, octets},
                    transfer.trace);
      transfer.offset += octets.size();
    }
    transfer.attempts = 0;
  } catch (const Fault& fault) {
    ++transfer.attempts;
    transfer.next_try = now.plus_seconds(static_cast<std::int64_t>(std::min<std::uint64_t>(
        std::uint64_t{1} << std::min<std::uint64_t>(transfer.attempts, 9), 300)));
    log::warning("firmware_delayed", {{"trace", transfer.trace.text()}, {"why", fault.what()}});
  }
  batch.require_value(storage::Table(78, "firmware"), key, row,
                      Refusal{"firmware-no-device"_rule, "the transfer moved meanwhile"});
  const bool done = transfer.offset == transfer.total,
             failed = !done && transfer.attempts >= limit("firmware_attempts_max");
  if (!done && !failed) {
    batch.put(storage::Table(78, "firmware"), key, transfer.encode());
    return transfer.attempts == 0;
  }
  batch.erase(storage::Table(78, "firmware"), key);
  batch.append(moved_fact(done ? "delivered" : "failed", device, transfer, now));
  add_firmware_end(batch, device, transfer.request_id, transfer.version, done, transfer.trace);
  return true;
}

void Gateway::State::add_firmware_end(storage::Batch& batch, Eui64 device,
                                      const std::string& request_id, const std::string& version,
                                      bool delivered, TraceId trace) {
  const Result<duis::RequestId> id = duis::RequestId::parse(request_id);
  if (!id.ok()) throw Fault("a stored transfer has no request");
  const Result<Device> known = inventory.find(device);
  const Eui64 hub = known.ok() ? known->hub : Eui64();
  const std::string iso = world.now().iso();
  if (delivered)
    add_dcc_alert(
        batch, id->originator, kDelivered,
        node("CSPFirmwareDeliveryStatus",
             {leaf("UpdateFirmwareRequestID", request_id), leaf("CommsHubDeviceID", hub.text()),
              leaf("TargetDeviceID", device.text()), leaf("FirmwareVersion", version),
              leaf("TimeStamp", iso.substr(0, iso.size() - 1) + ".00Z"),
              leaf("CommsHubTransferStatus", "Success")}),
        trace);
  else
    add_dcc_alert(batch, id->originator, kNotDelivered,
                  node("FirmwareDistributionFailure", {leaf("UpdateFirmwareRequestID", request_id),
                                                       leaf("MeterIDs", device.text())}),
                  trace);
}

// Devices take turns; images that nobody waits for any more are forgotten.
bool Gateway::State::advance_firmware() {
  if (!firmware_send) return false;
  std::vector<std::pair<Eui64, Bytes>> rows;
  const Bytes first{kTransfer}, end = storage::prefix_end(first);
  const auto take = [&](const Bytes& from, const Bytes& until) {
    store.scan(storage::Table(78, "firmware"), from, until, [&](BytesView key, BytesView value) {
      rows.emplace_back(Eui64::from_number(get_be(key.subspan(1))), to_bytes(value));
      return rows.size() < kTransfersPerStep;
    });
  };
  Bytes after = transfer_key(last_firmware);
  after.push_back(0);
  take(after, end);
  if (rows.size() < kTransfersPerStep) take(first, after);
  if (rows.empty()) return forget_images();
  bool any = false;
  storage::Batch batch;
  for (const auto& [device, row] : rows) any = send_blocks(device, row, batch) || any;
  last_firmware = rows.back().first;
  if (!batch.empty() && !store.commit(std::move(batch)).ok()) return true;
  return any;
}

bool Gateway::State::forget_images() {
  const std::lock_guard lock(firmware_mutex);
  const Bytes transfers{kTransfer}, images{kImage};
  bool waits = false;
  store.scan(storage::Table(78, "firmware"), transfers, storage::prefix_end(transfers),
             [&](BytesView, BytesView) {
               waits = true;
               return false;
             });
  storage::Batch batch;
  store.scan(storage::Table(78, "firmware"), images, storage::prefix_end(images),
             [&](BytesView key, BytesView) {
               batch.erase(storage::Table(78, "firmware"), key);
               return true;
             });
  return !waits && !batch.empty() && store.commit(std::move(batch)).ok();
}

}  // namespace wattseal::gateway
