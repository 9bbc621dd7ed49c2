#include "emulators/trust.h"

#include "asn1/der.h"

namespace wattseal::emulators {
namespace {

// Status of one replacement. Source: spec/smki.md 6.3.
constexpr unsigned kSuccess = 0, kBadCertificate = 5, kTrustAnchorNotFound = 25;
constexpr unsigned kSupplierBySupplier = 2;
constexpr std::uint16_t kFirstUpdateCode =
    0x0102;  // replacement mode 2; codes and modes run parallel

// Who authorises which replacement mode; the others need the recovery or contingency key. Source:
// spec/smki.md 6.3.
std::optional<RemotePartyRole> role_of_mode(unsigned mode) {
  switch (mode) {
    case kSupplierBySupplier: return RemotePartyRole::supplier;
    case 3: return RemotePartyRole::network_operator;
    case 4: return RemotePartyRole::access_control_broker;
    case 5: return RemotePartyRole::wan_provider;
    case 6: return RemotePartyRole::transitional_cos;
    default: return std::nullopt;
  }
}

Refusal malformed(std::string detail) { return {"device-update"_rule, std::move(detail)}; }
Refusal bad_credential(std::string detail) {
  return {"device-credentials"_rule, std::move(detail)};
}

Result<std::uint64_t> integer_in(const asn1::Tlv& tlv) {
  if (tlv.content.empty() || tlv.content.size() > 9 || (tlv.content[0] & 0x80))
    return malformed("an integer is negative or too long");
  return get_be(tlv.content);
}

// 03 02 07 80 digital signature, 03 02 03 08 key agreement.
Result<KeyUse> read_use(asn1::Reader& reader) {
  TRY_ASSIGN(const asn1::Tlv bits, reader.expect(asn1::kBitString));
  if (bits.content.size() == 2 && bits.content[1] == 0x80) return KeyUse::digital_signature;
  if (bits.content.size() == 2 && bits.content[1] == 0x08) return KeyUse::key_agreement;
  return malformed("a cell is for neither signing nor key agreement");
}

Result<Cell> read_cell(asn1::Reader cell) {
  Cell out;
  TRY_ASSIGN(const std::uint64_t code, cell.unsigned_integer());
  const std::optional<RemotePartyRole> role =
      remote_party_role(static_cast<unsigned>(std::min<std::uint64_t>(code, 0xFFFF)));
  if (!role) return malformed("there is no role " + std::to_string(code));
  out.role = *role;
  TRY_ASSIGN(out.use, read_use(cell));
  if (!cell.empty()) {
    TRY_ASSIGN(const std::uint64_t usage, cell.unsigned_integer());
    out.prepayment = usage == 1;
  }
  TRY(cell.finish());
  return out;
}

void write_cell(asn1::Writer& writer, const Cell& cell) {
  writer.constructed(asn1::kSequence, [&] {
    writer.unsigned_integer(static_cast<unsigned>(cell.role));
    const bool signing = cell.use == KeyUse::digital_signature;
    writer.bit_string(Bytes{static_cast<Octet>(signing ? 0x80 : 0x08)}, signing ? 7 : 3);
    if (cell.prepayment) writer.unsigned_integer(1);
  });
}

}  // namespace

struct TrustStore::Update {
  unsigned mode = 0;
  bool without_times = false;
  Cell authoriser;
  OriginatorCounter counter;
  std::optional<OriginatorCounter> floor, prepayment_floor;
  Bytes special_floors;  // content of [5], copied into the answer
  struct Replacement {
    Bytes der;
    Cell cell;
  };
  std::vector<Replacement> replacements;
  std::vector<x509::Certificate> path;
  std::optional<UtcTime> execute_at;

  Status read_control(asn1::Reader control);
  Status read_replacements(asn1::Reader list);
  Status read_path(asn1::Reader list);
};

Result<Credential> read_credential(BytesView der) {
  TRY_ASSIGN(x509::Certificate certificate, x509::parse_certificate(der));
  Credential credential;
  bool has_party = false, has_role = false;
  for (const x509::NameAttribute& attribute : certificate.subject) {
    if (attribute.oid == x509::oid::unique_identifier) {
      TRY_ASSIGN(credential.party, Eui64::from_octets(attribute.value));
      has_party = true;
    } else if (attribute.oid == x509::oid::organizational_unit) {
      const std::optional<RemotePartyRole> role =
          remote_party_role_from_ou(as_text(attribute.value));
      has_role = role.has_value();
      credential.role = role.value_or(RemotePartyRole::other);
    }
  }
  if (!has_party || !has_role) return bad_credential("the subject names no party and role");
  const bool signing = certificate.usage == x509::key_usage::digital_signature;
  if (!signing && certificate.usage != x509::key_usage::key_agreement)
    return bad_credential("the key usage is not one of the two");
  credential.use = signing ? KeyUse::digital_signature : KeyUse::key_agreement;
  credential.certificate = std::move(certificate);
  return credential;
}

Result<TrustStore> TrustStore::make(const std::vector<Bytes>& anchors,
                                    const std::map<Cell, Bytes>& cells, UtcTime now) {
  TrustStore store;
  for (const Bytes& der : anchors) {
    TRY_ASSIGN(x509::Certificate certificate, x509::parse_certificate(der));
    store.anchors_.push_back(std::move(certificate));
  }
  if (store.anchors_.empty()) return bad_credential("the device has no root");
  for (const auto& [cell, der] : cells) {
    TRY_ASSIGN(Credential credential, read_credential(der));
    if (credential.role != cell.role || credential.use != cell.use)
      return bad_credential("a cell holds a certificate of role " +
                            std::string(name(credential.role)));
    TRY(store.chains(credential.certificate, {}, now, x509::TimeCheck::apply));
    store.cells_.emplace(cell, std::move(credential));
  }
  return store;
}

const Credential* TrustStore::find(const Cell& cell) const {
  const std::map<Cell, Credential>::const_iterator found = cells_.find(cell);
  return found == cells_.end() ? nullptr : &found->second;
}

std::optional<RemotePartyRole> TrustStore::role_of(Eui64 party) const {
  for (const auto& [cell, credential] : cells_) {
    if (credential.party == party) return cell.role;
  }
  return std::nullopt;
}

Result<Credential> TrustStore::check_travelling(BytesView der, UtcTime now) const {
  TRY_ASSIGN(Credential credential, read_credential(der));
  TRY(chains(credential.certificate, {}, now, x509::TimeCheck::apply));
  return credential;
}

// Issuers may be among the anchors or travel with the message; the last link is always an anchor.
Status TrustStore::chains(const x509::Certificate& certificate,
                          const std::vector<x509::Certificate>& path, UtcTime now,
                          x509::TimeCheck time) const {
  std::vector<x509::Certificate> chain{certificate};
  Status last = bad_credential("no anchor issued " + x509::name_text(certificate.subject));
  for (std::size_t links = 0; links <= path.size(); ++links) {
    for (const x509::Certificate& anchor : anchors_) {
      if (chain.back().issuer_der != anchor.subject_der) continue;
      last = x509::validate_path(chain, anchor, now, time);
      if (last.ok()) return last;
    }
    const auto next = std::ranges::find_if(path, [&](const x509::Certificate& one) {
      return one.subject_der == chain.back().issuer_der;
    });
    if (next == path.end()) break;
    chain.push_back(*next);
  }
  return last;
}

Status TrustStore::Update::read_control(asn1::Reader control) {
  TRY_ASSIGN(const std::uint64_t number, control.unsigned_integer());
  mode = static_cast<unsigned>(std::min<std::uint64_t>(number, 255));
  bool has_authoriser = false, has_counter = false;
  while (!control.empty()) {
    TRY_ASSIGN(const asn1::Tlv field, control.any());
    if (field.tag == asn1::context(1, false)) {
      TRY_ASSIGN(const std::uint64_t flag, integer_in(field));
      without_times = flag == 1;
    } else if (field.tag == asn1::context(2, true)) {
      TRY_ASSIGN(authoriser, read_cell(asn1::Reader(field.content)));
      has_authoriser = true;
    } else if (field.tag == asn1::context(3, false)) {
      TRY_ASSIGN(const std::uint64_t value, integer_in(field));
      counter = OriginatorCounter(value);
      has_counter = true;
    } else if (field.tag == asn1::context(4, false)) {
      TRY_ASSIGN(const std::uint64_t value, integer_in(field));
      floor = OriginatorCounter(value);
    } else if (field.tag == asn1::context(5, true)) {
      special_floors = to_bytes(field.content);
      asn1::Reader list(field.content);
      while (!list.empty()) {
        TRY_ASSIGN(asn1::Reader one, list.enter(asn1::kSequence));
        TRY_ASSIGN(const std::uint64_t usage, one.unsigned_integer());
        TRY_ASSIGN(const std::uint64_t value, one.unsigned_integer());
        if (usage == 0) prepayment_floor = OriginatorCounter(value);
      }
    } else {
      return malformed("the control part has a field that this device does not know");
    }
  }
  if (!has_authoriser || !has_counter)
    return malformed("the control part names no authoriser or counter");
  return {};
}

Status TrustStore::Update::read_replacements(asn1::Reader list) {
  while (!list.empty()) {
    TRY_ASSIGN(asn1::Reader one, list.enter(asn1::kSequence));
    TRY_ASSIGN(const asn1::Tlv certificate, one.expect(asn1::kSequence));
    TRY_ASSIGN(const asn1::Reader inner, one.enter(asn1::kSequence));
    TRY_ASSIGN(const Cell cell, read_cell(inner));
    replacements.push_back({to_bytes(certificate.whole), cell});
    if (replacements.size() > 16) return malformed("there are more than 16 replacements");
  }
  if (replacements.empty()) return malformed("nothing is replaced");
  return {};
}

Status TrustStore::Update::read_path(asn1::Reader list) {
  while (!list.empty()) {
    TRY_ASSIGN(const asn1::Tlv one, list.expect(asn1::kSequence));
    TRY_ASSIGN(x509::Certificate certificate, x509::parse_certificate(one.whole));
    path.push_back(std::move(certificate));
    if (path.size() > 3) return malformed("there are more than 3 path certificates");
  }
  return {};
}

Result<TrustStore::Update> TrustStore::read_update(BytesView payload) const {
  asn1::Reader outer(payload);
  TRY_ASSIGN(asn1::Reader parts, outer.enter(asn1::kSequence));
  TRY(outer.finish());
  Update update;
  TRY_ASSIGN(const asn1::Reader control, parts.enter(asn1::kSequence));
  TRY(update.read_control(control));
  TRY_ASSIGN(const asn1::Reader replacements, parts.enter(asn1::kSequence));
  TRY(update.read_replacements(replacements));
  TRY_ASSIGN(const asn1::Reader path, parts.enter(asn1::kSequence));
  TRY(update.read_path(path));
  if (!parts.empty()) {
    TRY_ASSIGN(update.execute_at, parts.time());
  }
  TRY(parts.finish());
  return update;
}

// One cell; returns the status.
unsigned TrustStore::replace(const Update& update, const Cell& cell, BytesView der, Eui64 sender,
                             UtcTime now) {
  const std::map<Cell, Credential>::iterator found = cells_.find(cell);
  if (found == cells_.end() || cell.role != update.authoriser.role) return kTrustAnchorNotFound;
  Result<Credential> credential = read_credential(der);
  if (!credential.ok() || credential->role != cell.role || credential->use != cell.use ||
      credential->party != sender)
    return kBadCertificate;
  const x509::TimeCheck time =
      update.without_times ? x509::TimeCheck::disapply : x509::TimeCheck::apply;
  if (!chains(credential->certificate, update.path, now, time).ok()) return kBadCertificate;
  found->second = std::move(*credential);
  return kSuccess;
}

Result<TrustStore::Outcome> TrustStore::update(const gbcs::Message& command, RemotePartyRole sender,
                                               UtcTime now, bool at_once) {
  TRY_ASSIGN(const Update update, read_update(command.payload));
  const unsigned expected_mode = command.code.number() - kFirstUpdateCode + kSupplierBySupplier;
  if (update.mode != expected_mode)
    return malformed("mode " + std::to_string(update.mode) + " does not belong to message code " +
                     command.code.text());
  if (role_of_mode(update.mode) != sender)
    return malformed("mode " + std::to_string(update.mode) + " is not for a " +
                     std::string(name(sender)));
  if (update.authoriser.role != sender || update.counter != command.counter)
    return malformed("the authoriser or the counter is not that of the header");
  Outcome outcome;
  asn1::Writer writer;
  if (update.execute_at && *update.execute_at > now && !at_once) {
    outcome.execute_at = update.execute_at;
    writer.constructed(asn1::kSequence, [&] { writer.null(); });
    outcome.payload = writer.take();
    return outcome;
  }
  asn1::Writer results;
  for (const Update::Replacement& replacement : update.replacements) {
    const Credential* const old = find(replacement.cell);
    const Eui64 old_party = old ? old->party : Eui64();
    const Bytes old_key = old ? old->certificate.subject_key_id.value_or(Bytes(8)) : Bytes(8);
    const unsigned status =
        replace(update, replacement.cell, replacement.der, command.originator, now);
    const Credential* const current = find(replacement.cell);
    results.constructed(asn1::kSequence, [&] {
      write_cell(results, replacement.cell);
      results.unsigned_integer(status, asn1::kEnumerated);
      results.primitive(asn1::kOctetString, old_party.octets());
      results.primitive(asn1::kOctetString, old_key);
      results.primitive(asn1::kOctetString, (current ? current->party : Eui64()).octets());
      results.primitive(
          asn1::kOctetString,
          current ? current->certificate.subject_key_id.value_or(Bytes(8)) : Bytes(8));
    });
  }
  if (update.floor) outcome.floors.emplace_back(command.originator, *update.floor);
  outcome.prepayment_floor = update.prepayment_floor;
  writer.constructed(asn1::kSequence, [&] {
    writer.null();
    writer.constructed(asn1::kSequence, [&] {
      writer.unsigned_integer(update.counter.number());
      writer.unsigned_integer(update.mode);
      writer.constructed(asn1::kSequence, [&] {
        if (!update.floor) return;
        writer.constructed(asn1::kSequence, [&] {
          writer.unsigned_integer(static_cast<unsigned>(update.authoriser.role));
          writer.unsigned_integer(update.floor->number());
          if (!update.special_floors.empty())
            writer.constructed(asn1::kSequence, [&] { writer.raw(update.special_floors); });
        });
      });
      writer.constructed(asn1::kSequence, [&] { writer.raw(results.bytes()); });
    });
  });
  outcome.payload = writer.take();
  return outcome;
}

}  // namespace wattseal::emulators
