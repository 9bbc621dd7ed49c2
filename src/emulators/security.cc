// Commands in ASN.1: credentials, the device's own certificates, joins, firmware, clock. Source:
// spec/gbcs-duis.md 2.4; statuses spec/smki.md 6.3.
#include "emulators/state.h"
#include "x509/oids.h"

namespace wattseal::emulators {
namespace {

using gbcs::Message;

constexpr unsigned kDone = 0, kFailed = 1;
constexpr std::size_t kJoinedMax = 32;
constexpr std::string_view kHardwareType = "1.3.6.1.4.1.57530.1";  // the emulators' own

Refusal malformed(std::string detail) { return {"device-payload"_rule, std::move(detail)}; }

Bytes integer(unsigned status) {
  asn1::Writer writer;
  writer.unsigned_integer(status);
  return writer.take();
}

Result<KeyUse> read_usage(BytesView payload) {
  asn1::Reader outer(payload);
  TRY_ASSIGN(asn1::Reader parts, outer.enter(asn1::kSequence));
  TRY_ASSIGN(const asn1::Tlv bits, parts.expect(asn1::kBitString));
  TRY(parts.finish());
  TRY(outer.finish());
  if (bits.content.size() == 2 && bits.content[1] == 0x80) return KeyUse::digital_signature;
  if (bits.content.size() == 2 && bits.content[1] == 0x08) return KeyUse::key_agreement;
  return malformed("a key is for neither signing nor key agreement");
}

unsigned usage_of(KeyUse use) {
  return use == KeyUse::digital_signature ? x509::key_usage::digital_signature
                                          : x509::key_usage::key_agreement;
}

Result<Eui64> read_device(asn1::Reader& reader) {
  TRY_ASSIGN(const asn1::Tlv octets, reader.expect(asn1::kOctetString));
  return Eui64::from_octets(octets.content);
}

}  // namespace

// By message code. Source: spec/gbcs-duis.md 2.4.
std::optional<Result<Bytes>> EmulatedDevice::State::execute_security(const Message& command,
                                                                     const UseCaseRow& row) {
  if (row.payload.find("ASN.1") == std::string_view::npos) return std::nullopt;
  switch (command.code.number()) {
    case 0x0008:
    case 0x011B: return read_credentials(command);
    case 0x000A: return make_request(command.payload);
    case 0x000B: return take_certificate(command.payload);
    case 0x000C: return read_certificate(command.payload);
    case 0x000D:
    case 0x00AB:
    case 0x000E:
    case 0x00AF: return join(command.payload);
    case 0x000F:
    case 0x0010: return unjoin(command.payload);
    case 0x0012: return activate_firmware(command, false);
    case 0x0013: {
      asn1::Writer writer;
      writer.constructed(asn1::kSequence, [&] {
        writer.unsigned_integer(kDone);
        writer.constructed(asn1::kSequence, [&] {
          for (const Joined& one : meter.joined) {
            writer.constructed(asn1::kSequence, [&] {
              writer.primitive(asn1::kOctetString, one.device.octets());
              writer.unsigned_integer(one.type);
            });
          }
        });
      });
      return writer.take();
    }
    case 0x0129: {
      asn1::Writer writer;
      writer.constructed(asn1::kSequence, [&] {
        writer.primitive(asn1::kOctetString, meter.firmware);
        writer.unsigned_integer(kDone);
      });
      return writer.take();
    }
    case 0x007F: return set_clock(command.payload);
    case 0x008C: return restore_log(command.payload);
    default: return update_credentials(command);
  }
}

Result<Bytes> EmulatedDevice::State::update_credentials(const Message& command) {
  TrustStore changed = *trust;
  TRY_ASSIGN(TrustStore::Outcome outcome, changed.update(command, now(), false));
  // An update takes back what waits of its kind, whether it waits itself or not.
  std::erase_if(later, [&](const auto& one) { return one.second.code == command.code; });
  if (outcome.execute_at) {
    if (*outcome.execute_at < UtcTime::forever()) later.emplace_back(*outcome.execute_at, command);
    return std::move(outcome.payload);
  }
  trust = std::make_shared<const TrustStore>(std::move(changed));
  adopt(outcome);
  return std::move(outcome.payload);
}

// The same party's counter never goes back: a floor below what was seen would let old commands in
// again.
void EmulatedDevice::State::adopt(const TrustStore::Outcome& outcome) {
  for (const auto& [party, floor] : outcome.floors)
    last_counters[party] = std::max(last_counters[party], floor);
  if (outcome.prepayment_floor)
    meter.last_top_up = std::max(meter.last_top_up, *outcome.prepayment_floor);
}

// S{ S{ i role, b use } S{ i role* } }: the first is who asks.
Result<Bytes> EmulatedDevice::State::read_credentials(const Message& command) const {
  constexpr std::size_t kRolesMax = 16;
  asn1::Reader outer(command.payload);
  TRY_ASSIGN(asn1::Reader parts, outer.enter(asn1::kSequence));
  TRY(parts.expect(asn1::kSequence));
  TRY_ASSIGN(asn1::Reader roles, parts.enter(asn1::kSequence));
  TRY(parts.finish());
  TRY(outer.finish());
  asn1::Writer writer;
  std::vector<RemotePartyRole> wanted;
  while (!roles.empty()) {
    TRY_ASSIGN(const std::uint64_t code, roles.unsigned_integer());
    const std::optional<RemotePartyRole> role =
        remote_party_role(static_cast<unsigned>(std::min<std::uint64_t>(code, 0xFFFF)));
    if (!role || wanted.size() == kRolesMax)
      return malformed("there is no role " + std::to_string(code) + ", or too many are asked for");
    wanted.push_back(*role);
  }
  writer.constructed(asn1::kSequence, [&] {
    for (std::size_t i = 0; i < wanted.size(); ++i)
      trust->write_cells(writer, wanted[i], static_cast<unsigned>(i));
  });
  return writer.take();
}

// A new key pair, which is used from the moment its certificate comes.
Result<Bytes> EmulatedDevice::State::make_request(BytesView payload) {
  TRY_ASSIGN(const KeyUse use, read_usage(payload));
  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  TRY_ASSIGN(const crypto::KeyHandle made, crypto::generate_one(*keys, "new"));
  new_keys[use] = made;
  return x509::make_request(
      {},
      {x509::usage_extension(usage_of(use)),
       x509::hardware_module_extension(
           {x509::oid::from_text(std::string(kHardwareType)), to_bytes(identity.id.octets())})},
      *made);
}

Result<Bytes> EmulatedDevice::State::take_certificate(BytesView payload) {
  constexpr unsigned kInvalid = 1, kWrongDevice = 2, kWrongUse = 3, kNoKeyPair = 4, kWrongKey = 5;
  const Result<x509::Certificate> certificate = x509::parse_certificate(payload);
  if (!certificate.ok()) return integer(kInvalid);
  if (!certificate->hardware_module ||
      certificate->hardware_module->serial != to_bytes(identity.id.octets()))
    return integer(kWrongDevice);
  const std::optional<KeyUse> use = certificate->usage == x509::key_usage::digital_signature
                                        ? std::optional(KeyUse::digital_signature)
                                    : certificate->usage == x509::key_usage::key_agreement
                                        ? std::optional(KeyUse::key_agreement)
                                        : std::nullopt;
  if (!use) return integer(kWrongUse);
  const auto key = new_keys.find(*use);
  if (key == new_keys.end()) return integer(kNoKeyPair);
  if (key->second->public_point() != certificate->key) return integer(kWrongKey);
  (*use == KeyUse::digital_signature ? identity.signing : identity.agreement) = key->second;
  if (*use == KeyUse::key_agreement) secrets.clear();
  new_keys.erase(key);
  certificates[*use] = to_bytes(payload);
  return integer(kDone);
}

Result<Bytes> EmulatedDevice::State::read_certificate(BytesView payload) const {
  TRY_ASSIGN(const KeyUse use, read_usage(payload));
  const auto found = certificates.find(use);
  return found == certificates.end() ? integer(kFailed) : found->second;
}

// S{ i method, o other device, i type, C? }: with the certificate the two derive a key of their
// own.
Result<Bytes> EmulatedDevice::State::join(BytesView payload) {
  constexpr std::uint64_t kMethodMax = 3, kTypeMax = 6, kWithCertificate = 3;
  asn1::Reader outer(payload);
  TRY_ASSIGN(asn1::Reader parts, outer.enter(asn1::kSequence));
  TRY(outer.finish());
  TRY_ASSIGN(const std::uint64_t method, parts.unsigned_integer());
  TRY_ASSIGN(const Eui64 other, read_device(parts));
  TRY_ASSIGN(const std::uint64_t type, parts.unsigned_integer());
  if (method > kMethodMax || type > kTypeMax) return malformed("there is no such way of joining");
  if (!parts.empty()) {
    TRY_ASSIGN(const asn1::Tlv der, parts.expect(asn1::kSequence));
    const Result<x509::Certificate> certificate = x509::parse_certificate(der.whole);
    if (!certificate.ok() || certificate->usage != x509::key_usage::key_agreement)
      return integer(kFailed);
    secret_with(certificate->key);
    TRY(parts.finish());
  } else if (method == kWithCertificate && speaks_dlms()) {
    return integer(kFailed);
  }
  std::erase_if(meter.joined, [&](const Joined& one) { return one.device == other; });
  if (meter.joined.size() == kJoinedMax) return integer(kFailed);
  meter.joined.push_back({other, static_cast<unsigned>(type)});
  return integer(kDone);
}

Result<Bytes> EmulatedDevice::State::unjoin(BytesView payload) {
  asn1::Reader outer(payload);
  TRY_ASSIGN(const Eui64 other, read_device(outer));
  TRY(outer.finish());
  const std::size_t gone =
      std::erase_if(meter.joined, [&](const Joined& one) { return one.device == other; });
  return integer(gone > 0 ? kDone : kFailed);
}

// S{ t from, t to }: the device takes the hub's time when it lies between the two.
Result<Bytes> EmulatedDevice::State::set_clock(BytesView payload) {
  constexpr unsigned kReliable = 0, kUnreliable = 2;
  asn1::Reader outer(payload);
  TRY_ASSIGN(asn1::Reader parts, outer.enter(asn1::kSequence));
  TRY_ASSIGN(const UtcTime from, parts.time());
  TRY_ASSIGN(const UtcTime to, parts.time());
  TRY(parts.finish());
  TRY(outer.finish());
  const UtcTime hub = world.now();
  const bool taken = from <= hub && hub <= to && adjust_clock(hub);
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    writer.generalized_time(now());
    writer.unsigned_integer(taken ? kReliable : kUnreliable);
  });
  return writer.take();
}

// Where it took the time from, the hub, is right: the world's clock.
bool EmulatedDevice::State::adjust_clock(UtcTime) {
  clock_set = world.now();
  return true;
}

// S{ S{ S{ o device, i type }* } } comes back with a status for each.
Result<Bytes> EmulatedDevice::State::restore_log(BytesView payload) {
  asn1::Reader outer(payload);
  TRY_ASSIGN(asn1::Reader wrapped, outer.enter(asn1::kSequence));
  TRY_ASSIGN(asn1::Reader list, wrapped.enter(asn1::kSequence));
  TRY(wrapped.finish());
  TRY(outer.finish());
  std::vector<Joined> restored;
  while (!list.empty()) {
    TRY_ASSIGN(asn1::Reader one, list.enter(asn1::kSequence));
    TRY_ASSIGN(const Eui64 device, read_device(one));
    TRY_ASSIGN(const std::uint64_t type, one.unsigned_integer());
    TRY(one.finish());
    if (restored.size() == kJoinedMax) return malformed("the log has too many entries");
    restored.push_back({device, static_cast<unsigned>(std::min<std::uint64_t>(type, 255))});
  }
  meter.joined = restored;
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    writer.constructed(asn1::kSequence, [&] {
      for (const Joined& one : restored) {
        writer.constructed(asn1::kSequence, [&] {
          writer.constructed(asn1::kSequence, [&] {
            writer.primitive(asn1::kOctetString, one.device.octets());
            writer.unsigned_integer(one.type);
          });
          writer.unsigned_integer(kDone);
        });
      }
    });
  });
  return writer.take();
}

bool EmulatedDevice::State::install(const crypto::Digest& hash) {
  if (!image || image->hash != hash) return false;
  meter.firmware = image->version;
  image.reset();
  return true;
}

// S{ o hash, i counter, t? }: answered with S{ i status, o version }, or NULL when it is for later.
Result<Bytes> EmulatedDevice::State::activate_firmware(const Message& command, bool at_once) {
  constexpr unsigned kNoSuchImage = 2;
  asn1::Reader outer(command.payload);
  TRY_ASSIGN(asn1::Reader parts, outer.enter(asn1::kSequence));
  TRY(outer.finish());
  TRY_ASSIGN(const asn1::Tlv octets, parts.expect(asn1::kOctetString));
  TRY_ASSIGN(const std::uint64_t counter, parts.unsigned_integer());
  std::optional<UtcTime> at;
  if (!parts.empty()) {
    TRY_ASSIGN(at, parts.time());
  }
  TRY(parts.finish());
  crypto::Digest hash{};
  if (octets.content.size() != hash.size() || counter != command.counter.number())
    return malformed("the hash has not 32 octets, or the counter is not that of the header");
  std::ranges::copy(octets.content, hash.begin());
  asn1::Writer writer;
  if (!at_once) {
    std::erase_if(later, [&](const auto& one) { return one.second.code == command.code; });
    if (at && *at > now()) {
      if (*at < UtcTime::forever()) later.emplace_back(*at, command);
      writer.null();
      return writer.take();
    }
  }
  const bool done = install(hash);
  writer.constructed(asn1::kSequence, [&] {
    writer.unsigned_integer(done ? kDone : kNoSuchImage);
    writer.primitive(asn1::kOctetString, meter.firmware);
  });
  return writer.take();
}

}  // namespace wattseal::emulators
