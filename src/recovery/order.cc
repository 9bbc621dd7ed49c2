// What an order consists of: who is found in which cells, which certificates come instead, by which
// path devices believe them, and which key signs the commands.
#include <algorithm>

#include "asn1/der.h"
#include "recovery/recovery.h"
#include "terms/tables.h"
#include "x509/x509.h"

namespace wattseal::recovery {
namespace {

constexpr std::size_t kPathMax = 3, kCellsMax = 16, kKeyInfoPrefix = 26, kTagOctets = 16;
constexpr std::string_view kRecoveryKeys = "dcc.recovery.ds", kContingencyKeys = "contingency.";

Refusal bad_certificate(std::string detail) {
  return {"recovery-certificate"_rule, std::move(detail), "certificates"};
}

// ApexContingencyKey of a root: an algorithm with its nonce, then the sealed SubjectPublicKeyInfo.
Result<crypto::PublicPoint> unwrap(const x509::Certificate& root, BytesView envelope) {
  const Refusal refused{"recovery-envelope"_rule,
                        "it does not open the contingency key of the root that devices hold",
                        "envelope"};
  const auto extension = std::ranges::find(root.extensions, x509::oid::wrapped_apex_contingency_key,
                                           &x509::Extension::oid);
  crypto::Key128 key{};
  if (extension == root.extensions.end() || envelope.size() != key.size()) return refused;
  std::ranges::copy(envelope, key.begin());
  asn1::Reader outer(extension->value);
  TRY_ASSIGN(asn1::Reader parts, outer.enter(asn1::kSequence));
  TRY_ASSIGN(asn1::Reader algorithm, parts.enter(asn1::kSequence));
  TRY(algorithm.oid());
  TRY_ASSIGN(asn1::Reader parameters, algorithm.enter(asn1::kSequence));
  TRY_ASSIGN(const asn1::Tlv nonce, parameters.expect(asn1::kOctetString));
  crypto::Iv iv{};
  if (nonce.content.size() != iv.size()) return refused;
  std::ranges::copy(nonce.content, iv.begin());
  TRY_ASSIGN(const asn1::Tlv wrapped, parts.expect(asn1::kOctetString));
  const Result<Bytes> info = crypto::gcm_open(key, iv, {}, wrapped.content, kTagOctets);
  if (!info.ok() || info->size() <= kKeyInfoPrefix) return refused;
  return crypto::parse_point(BytesView(*info).subspan(kKeyInfoPrefix));
}

bool is_root(const smki::PublishedCertificate& one) { return one.profile == "root-oca"; }

}  // namespace

Recovery::Found Recovery::found(const Reach& reach) const {
  Found all;
  each_reached(
      [&](Eui64, const Holdings& holdings) {
        for (const auto& [slot, held] : holdings) {
          if (reach.covers(slot, held)) all[{slot, held.party}].insert(held.key);
        }
        return true;
      },
      Eui64());
  return all;
}

// The newest in use of a party for a cell; of a second key agreement key the one before it.
Result<Bytes> Recovery::certificate_for(const Slot& slot, Eui64 party, RemotePartyRole role) const {
  std::vector<Bytes> fitting;
  for (const smki::PublishedCertificate& one : parts_.repository.by_organisation(party)) {
    if (one.role == role && one.use == slot.use && one.status == smki::CertificateStatus::in_use)
      fitting.push_back(one.der);
  }
  if (fitting.empty())
    return bad_certificate("there is none of " + party.text() + " for " + text(slot));
  return slot.prepayment && fitting.size() > 1 ? fitting[1] : fitting[0];
}

Result<std::vector<Replacement>> Recovery::cells_of(const Case& one, const MethodRow& method,
                                                    const Choice& choice,
                                                    const Found& found) const {
  const bool by_broker = method.id == "method-2";
  const bool whole = method.id == "contingency" || method.id == "issuing-authority";
  std::vector<Replacement> cells;
  for (const auto& [place, keys] : found) {
    const auto& [slot, holder] = place;
    if (slot.role == RemotePartyRole::root && !method.contingency()) continue;
    Replacement cell{slot, whole ? std::optional(holder) : std::nullopt, {}};
    if (!whole && std::ranges::any_of(
                      cells, [&](const Replacement& other) { return other.slot == cell.slot; }))
      continue;
    const auto given = choice.certificates.find(slot);
    const RemotePartyRole role = by_broker ? RemotePartyRole::access_control_broker : slot.role;
    if (given != choice.certificates.end()) {
      TRY_ASSIGN(const smki::PublishedCertificate published,
                 parts_.repository.by_serial(given->second));
      cell.certificate = published.der;
    } else if (slot.role == RemotePartyRole::root) {
      for (const smki::PublishedCertificate& authority : parts_.repository.authorities()) {
        if (is_root(authority)) cell.certificate = authority.der;  // the newest is the last
      }
    } else {
      const Eui64 party = by_broker ? parts_.broker
                          : whole   ? holder
                                    : choice.beneficiary.value_or(one.party.value_or(holder));
      TRY_ASSIGN(cell.certificate, certificate_for(slot, party, role));
    }
    TRY_ASSIGN(const Installable read, read_installable(cell.certificate));
    if (read.role != role || (role != RemotePartyRole::root && read.use != slot.use))
      return bad_certificate("it is of role " + std::string(name(read.role)) + " and not for " +
                             text(slot));
    if (keys.contains(read.held.key))
      return bad_certificate("devices hold it already in " + text(slot) + ": " +
                             to_hex_upper(read.held.key));
    cells.push_back(std::move(cell));
  }
  return cells;
}

Result<std::vector<Bytes>> Recovery::path_of(const std::vector<Replacement>& cells,
                                             const Choice& choice) const {
  std::vector<Bytes> path;
  const auto put = [&](const Bytes& der) {
    if (std::ranges::find(path, der) == path.end()) path.push_back(der);
  };
  const std::vector<smki::PublishedCertificate> authorities = parts_.repository.authorities();
  for (const Replacement& cell : cells) {
    TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(cell.certificate));
    for (const smki::PublishedCertificate& one : authorities) {
      TRY_ASSIGN(const x509::Certificate authority, x509::parse_certificate(one.der));
      if (!is_root(one) && certificate.authority_key_id &&
          authority.subject_key_id == certificate.authority_key_id)
        put(one.der);
    }
  }
  for (const CertificateSerial& serial : choice.path) {
    TRY_ASSIGN(const smki::PublishedCertificate given, parts_.repository.by_serial(serial));
    put(given.der);
  }
  if (path.size() > kPathMax)
    return bad_certificate("the path has " + std::to_string(path.size()) + " certificates");
  return path;
}

Result<std::string> Recovery::label_of(const std::array<Octet, 8>& key) const {
  for (const std::string& label : parts_.keys.labels()) {
    if (!label.starts_with(kRecoveryKeys)) continue;
    TRY_ASSIGN(const crypto::KeyHandle handle, parts_.keys.find(label));
    if (x509::key_identifier(handle->public_point()) == key) return label;
  }
  return Refusal{"recovery-key"_rule,
                 "devices hold recovery key " + to_hex_upper(key) + ", which is not in the store",
                 "method"};
}

Result<Order> Recovery::order_of(const Case& one, const Choice& choice) const {
  const MethodRow& method = *find_method(choice.method);
  Order order;
  order.number = one.number;
  order.method = choice.method;
  order.originator = parts_.recovery;
  order.reach = reach_of(one);
  const Found reached = found(order.reach);
  if (reached.empty())
    return Refusal{"recovery-reach"_rule, "no device that is known holds what it is about", "case"};
  TRY_ASSIGN(order.cells, cells_of(one, method, choice, reached));
  if (order.cells.empty() || order.cells.size() > kCellsMax * 64)
    return bad_certificate(std::to_string(order.cells.size()) + " cells are meant");
  TRY_ASSIGN(order.path, path_of(order.cells, choice));
  if (method.contingency()) {
    order.key_label = kContingencyKeys;
    return order;
  }
  std::set<std::array<Octet, 8>> recovery_keys;
  each_reached(
      [&](Eui64, const Holdings& holdings) {
        const auto held = holdings.find({RemotePartyRole::recovery, KeyUse::digital_signature});
        if (held != holdings.end() && !order.for_device(holdings).empty())
          recovery_keys.insert(held->second.key);
        return true;
      },
      Eui64());
  if (recovery_keys.empty())
    return Refusal{"recovery-key"_rule, "nobody knows which recovery key the devices hold",
                   "method"};
  TRY_ASSIGN(order.key_label, label_of(*recovery_keys.begin()));
  return order;
}

// Which private key it is follows from what the envelope opens.
Result<crypto::KeyHandle> Recovery::contingency_key(const Order& order, BytesView envelope) const {
  const Found reached = found(order.reach);
  Status last =
      Refusal{"recovery-envelope"_rule, "the root of the devices is not published", "envelope"};
  for (const auto& [place, keys] : reached) {
    if (place.first.role != RemotePartyRole::root) continue;
    for (const smki::PublishedCertificate& authority : parts_.repository.authorities()) {
      TRY_ASSIGN(const x509::Certificate root, x509::parse_certificate(authority.der));
      if (!is_root(authority) || !root.subject_key_id ||
          std::ranges::none_of(keys, [&](const std::array<Octet, 8>& key) {
            return equal(key, *root.subject_key_id);
          }))
        continue;
      const Result<crypto::PublicPoint> point = unwrap(root, envelope);
      if (!point.ok()) {
        last = point.refusal();
        continue;
      }
      for (const std::string& label : parts_.keys.labels()) {
        if (!label.starts_with(kContingencyKeys)) continue;
        TRY_ASSIGN(const crypto::KeyHandle handle, parts_.keys.find(label));
        if (handle->public_point() == *point) return handle;
      }
      last = Refusal{"recovery-key"_rule, "the contingency key is not in the store", "envelope"};
    }
  }
  return last.refusal();
}

Result<crypto::KeyHandle> Recovery::signer_of(const Order& order, const MethodRow& method) const {
  if (!method.contingency()) return parts_.keys.find(order.key_label);
  Bytes envelope;
  {
    const std::lock_guard lock(mutex_);
    const auto given = envelopes_.find(order.number);
    if (given != envelopes_.end()) envelope = given->second;
  }
  return contingency_key(order, envelope);
}

// ---- how far it reaches

void Recovery::each_reached(const std::function<bool(Eui64, const Holdings&)>& visit,
                            Eui64 from) const {
  parts_.store.scan(tables::device_credentials, from.octets(), {},
                    [&](BytesView key, BytesView value) {
                      return visit(Eui64::from_number(get_be(key)), decode_holdings(value));
                    });
}

Reach Recovery::reach_of(const Case& one) const {
  Reach reach;
  reach.party = one.party;
  reach.keys = one.keys;
  if (one.compromise == "recovery-key" && one.method != "contingency")
    reach.role = RemotePartyRole::recovery;
  return reach;
}

Radius Recovery::radius(const Reach& reach) const {
  Order all;
  all.reach = reach;
  for (const auto& [place, keys] : found(reach))
    all.cells.push_back({place.first, place.second, {}});
  return radius(all);
}

Radius Recovery::radius(const Order& order) const {
  Radius radius;
  std::uint64_t known = 0, in_inventory = 0;
  each_reached(
      [&](Eui64 id, const Holdings& holdings) {
        const Result<gateway::Device> device = parts_.inventory.find(id);
        known += device.ok();
        const std::vector<Replacement> cells = order.for_device(holdings);
        if (cells.empty()) return true;
        ++radius.devices;
        for (const Replacement& cell : cells) ++radius.by_slot[text(cell.slot)];
        ++radius.by_type[device.ok() ? std::string(text(device->type)) : "unknown"];
        ++radius.by_status[device.ok() ? std::string(text(device->status)) : "unknown"];
        radius.away += !device.ok() || (device->status != DeviceStatus::commissioned &&
                                        device->status != DeviceStatus::recovery &&
                                        device->status != DeviceStatus::recovered);
        const auto supplier =
            holdings.find({RemotePartyRole::supplier, KeyUse::digital_signature, false});
        ++radius.by_supplier[supplier == holdings.end() ? "none" : supplier->second.party.text()];
        return true;
      },
      Eui64());
  parts_.store.scan(tables::devices, {}, {}, [&](BytesView, BytesView) {
    ++in_inventory;
    return true;
  });
  radius.unknown = in_inventory - std::min(in_inventory, known);
  radius.hours =
      static_cast<double>(radius.devices) / static_cast<double>(limit("recovery_devices_per_hour"));
  return radius;
}

}  // namespace wattseal::recovery
