#include "emulators/trust.h"

#include "asn1/der.h"

namespace wattseal::emulators {
namespace {

// Status of one replacement. Source: spec/smki.md 6.3.
constexpr unsigned kSuccess = 0, kBadCertificate = 5, kTrustAnchorNotFound = 25;
constexpr unsigned kAnyByRecovery = 8, kAnyByContingency = 9;
constexpr std::size_t kIvOctets = 12, kTagOctets = 16, kKeyInfoPrefix = 26;

// Replacement modes: the message code, who authorises (nobody has the contingency key in a cell),
// and whose cells change; nothing: any but the root's. Source: spec/smki.md 6.3, spec/gbcs-duis.md
// 2.4.
struct Mode {
  unsigned number;
  std::uint16_t code;
  std::optional<RemotePartyRole> authoriser, cells;
};
using enum RemotePartyRole;
constexpr Mode kModes[] = {{2, 0x0102, supplier, supplier},
                           {3, 0x0103, network_operator, network_operator},
                           {4, 0x0104, access_control_broker, access_control_broker},
                           {5, 0x0105, wan_provider, wan_provider},
                           {6, 0x0106, transitional_cos, transitional_cos},
                           {7, 0x0107, transitional_cos, supplier},
                           {kAnyByRecovery, 0x0108, recovery, std::nullopt},
                           {kAnyByContingency, 0x0109, std::nullopt, std::nullopt},
                           {10, 0x0125, load_controller, load_controller},
                           {11, 0x0126, supplier, load_controller}};

const Mode* mode_of(std::uint16_t code) {
  const Mode* const found = std::ranges::find(kModes, code, &Mode::code);
  return found == std::end(kModes) ? nullptr : found;
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
  if (bits.content.size() == 2 && bits.content[1] == 0x04)
    return KeyUse::digital_signature;  // root
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

void write_use(asn1::Writer& writer, const Cell& cell) {
  const bool signing = cell.use == KeyUse::digital_signature;
  if (cell.role == RemotePartyRole::root) return writer.bit_string(Bytes{0x04}, 2);
  writer.bit_string(Bytes{static_cast<Octet>(signing ? 0x80 : 0x08)}, signing ? 7 : 3);
}

void write_cell(asn1::Writer& writer, const Cell& cell) {
  writer.constructed(asn1::kSequence, [&] {
    writer.unsigned_integer(static_cast<unsigned>(cell.role));
    write_use(writer, cell);
    if (cell.prepayment) writer.unsigned_integer(1);
  });
}

}  // namespace

struct TrustStore::Update {
  unsigned mode = 0;
  bool without_times = false;
  std::optional<Cell> authoriser;
  Bytes symmetric_key;  // contingency only
  OriginatorCounter counter;
  std::optional<OriginatorCounter> floor, prepayment_floor;
  Bytes special_floors;  // content of [5], copied into the answer
  Bytes other_floors;    // content of [6], copied too
  std::vector<std::pair<RemotePartyRole, OriginatorCounter>> others;
  struct Replacement {
    Bytes der;
    Cell cell;
  };
  std::vector<Replacement> replacements;
  std::vector<x509::Certificate> path;
  std::optional<UtcTime> execute_at;

  Status read_control(asn1::Reader control);
  Status read_others(BytesView content);
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
  if (certificate.usage && *certificate.usage & x509::key_usage::key_cert_sign) {
    credential.role = RemotePartyRole::root;  // the one cell for it; its party is eight zeros
    credential.certificate = std::move(certificate);
    return credential;
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
    const bool is_root = certificate.subject_der == certificate.issuer_der;
    store.anchors_.insert(is_root ? store.anchors_.begin() : store.anchors_.end(),
                          std::move(certificate));
  }
  if (store.anchors_.empty()) return bad_credential("the device has no root");
  for (const auto& [cell, der] : cells) {
    TRY_ASSIGN(Credential credential, read_credential(der));
    // Until a party takes its cells over, the broker's certificates may stand in them.
    const bool held = credential.role == RemotePartyRole::access_control_broker;
    if ((credential.role != cell.role && !held) || credential.use != cell.use)
      return bad_credential("a cell holds a certificate of role " +
                            std::string(name(credential.role)));
    TRY(store.chains(credential.certificate, {}, now, x509::TimeCheck::apply));
    store.cells_.emplace(cell, std::make_shared<const Credential>(std::move(credential)));
  }
  return store;
}

const Credential* TrustStore::find(const Cell& cell) const {
  const auto found = cells_.find(cell);
  return found == cells_.end() ? nullptr : found->second.get();
}

std::vector<RemotePartyRole> TrustStore::roles_of(Eui64 party) const {
  std::vector<RemotePartyRole> roles;
  for (const auto& [cell, credential] : cells_) {
    if (credential->party == party && std::ranges::find(roles, cell.role) == roles.end())
      roles.push_back(cell.role);
  }
  return roles;
}

std::vector<Cell> TrustStore::cells_of(RemotePartyRole role) const {
  std::vector<Cell> cells;
  for (const auto& [cell, credential] : cells_) {
    if (cell.role == role) cells.push_back(cell);
  }
  return cells;
}

std::vector<EmulatedDevice::HeldCredential> TrustStore::held() const {
  const auto key_of = [](const x509::Certificate& certificate) {
    return certificate.subject_key_id.value_or(Bytes(8));
  };
  std::vector<EmulatedDevice::HeldCredential> all{
      {{RemotePartyRole::root, KeyUse::digital_signature, false}, {}, key_of(anchors_[0])}};
  for (const auto& [cell, credential] : cells_)
    all.push_back({cell, credential->party, key_of(credential->certificate)});
  return all;
}

std::optional<RemotePartyRole> TrustStore::authoriser_of(std::uint16_t code) {
  const Mode* const mode = mode_of(code);
  return mode ? mode->authoriser : std::nullopt;
}

// The root carries the key encrypted; the command brings what opens it. As spec/smki.md has the
// extension: an algorithm, then the sealed SubjectPublicKeyInfo.
Result<crypto::PublicPoint> TrustStore::contingency_key(BytesView payload) const {
  TRY_ASSIGN(const Update update, read_update(payload));
  const Refusal refused{"gbcs-signature-mismatch"_rule, "the root's contingency key does not open",
                        "signature"};
  const auto extension = std::ranges::find(
      anchors_[0].extensions, x509::oid::wrapped_apex_contingency_key, &x509::Extension::oid);
  if (extension == anchors_[0].extensions.end() || update.symmetric_key.size() != 16)
    return refused;
  asn1::Reader outer(extension->value);
  TRY_ASSIGN(asn1::Reader parts, outer.enter(asn1::kSequence));
  TRY_ASSIGN(asn1::Reader algorithm, parts.enter(asn1::kSequence));
  TRY(algorithm.oid());
  crypto::Iv iv{};
  if (!algorithm.empty()) {
    TRY_ASSIGN(asn1::Reader parameters, algorithm.enter(asn1::kSequence));
    TRY_ASSIGN(const asn1::Tlv nonce, parameters.expect(asn1::kOctetString));
    if (nonce.content.size() != kIvOctets) return refused;
    std::ranges::copy(nonce.content, iv.begin());
  }
  TRY_ASSIGN(const asn1::Tlv wrapped, parts.expect(asn1::kOctetString));
  crypto::Key128 key{};
  std::ranges::copy(update.symmetric_key, key.begin());
  const Result<Bytes> info = crypto::gcm_open(key, iv, {}, wrapped.content, kTagOctets);
  if (!info.ok() || info->size() <= kKeyInfoPrefix) return refused;
  return crypto::parse_point(BytesView(*info).subspan(kKeyInfoPrefix));
}

// S{ S{ i role, e status, i index?, S{ S{ b use, i cellUsage?, o party, o key }* } }* }
void TrustStore::write_cells(asn1::Writer& writer, RemotePartyRole role, unsigned index) const {
  constexpr unsigned kNotFound = 0x19;
  const std::vector<Cell> cells = cells_of(role);
  writer.constructed(asn1::kSequence, [&] {
    writer.unsigned_integer(static_cast<unsigned>(role));
    writer.unsigned_integer(cells.empty() ? kNotFound : kSuccess, asn1::kEnumerated);
    if (cells.empty()) return;
    writer.unsigned_integer(index);
    writer.constructed(asn1::kSequence, [&] {
      for (const Cell& cell : cells) {
        const Credential& held = *find(cell);
        writer.constructed(asn1::kSequence, [&] {
          write_use(writer, cell);
          if (cell.prepayment) writer.unsigned_integer(1);
          writer.primitive(asn1::kOctetString, held.party.octets());
          writer.primitive(asn1::kOctetString, held.certificate.subject_key_id.value_or(Bytes(8)));
        });
      }
    });
  });
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
  bool has_counter = false;
  while (!control.empty()) {
    TRY_ASSIGN(const asn1::Tlv field, control.any());
    if (field.tag == asn1::context(1, false)) {
      TRY_ASSIGN(const std::uint64_t flag, integer_in(field));
      without_times = flag == 1;
    } else if (field.tag == asn1::context(2, true)) {
      TRY_ASSIGN(authoriser, read_cell(asn1::Reader(field.content)));
    } else if (field.tag == asn1::context(0, false)) {
      symmetric_key = to_bytes(field.content);
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
    } else if (field.tag == asn1::context(6, true)) {
      TRY(read_others(field.content));
    } else {
      return malformed("the control part has a field that this device does not know");
    }
  }
  if (!has_counter) return malformed("the control part names no counter");
  return {};
}

Status TrustStore::Update::read_others(BytesView content) {
  other_floors = to_bytes(content);
  asn1::Reader list(content);
  while (!list.empty()) {
    TRY_ASSIGN(asn1::Reader one, list.enter(asn1::kSequence));
    TRY_ASSIGN(const std::uint64_t code, one.unsigned_integer());
    TRY_ASSIGN(const std::uint64_t value, one.unsigned_integer());
    const std::optional<RemotePartyRole> role =
        remote_party_role(static_cast<unsigned>(std::min<std::uint64_t>(code, 0xFFFF)));
    if (!role) return malformed("there is no role " + std::to_string(code));
    others.emplace_back(*role, OriginatorCounter(value));
  }
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

// The root is replaced by one that signs itself; what it issues comes with the path.
unsigned TrustStore::replace_root(const Update& update, Credential credential) {
  if (credential.role != RemotePartyRole::root ||
      !x509::signed_by(credential.certificate, credential.certificate.key))
    return kBadCertificate;
  anchors_.assign(1, std::move(credential.certificate));
  anchors_.insert(anchors_.end(), update.path.begin(), update.path.end());
  return kSuccess;
}

// One cell; returns the status.
unsigned TrustStore::replace(const Update& update, const Cell& cell, BytesView der, Eui64 sender,
                             UtcTime now) {
  const Mode* const mode = std::ranges::find(kModes, update.mode, &Mode::number);
  const bool any = !mode->cells;
  if (mode->cells && cell.role != *mode->cells) return kTrustAnchorNotFound;
  Result<Credential> credential = read_credential(der);
  if (cell.role == RemotePartyRole::root) {
    if (update.mode != kAnyByContingency) return kTrustAnchorNotFound;
    return credential.ok() ? replace_root(update, std::move(*credential)) : kBadCertificate;
  }
  const auto found = cells_.find(cell);
  if (found == cells_.end()) return kTrustAnchorNotFound;
  if (!credential.ok() || credential->use != cell.use) return kBadCertificate;
  // The broker may come to hold another's cell until that party takes it over again.
  const bool for_broker = any && credential->role == RemotePartyRole::access_control_broker;
  if (credential->role != cell.role && !for_broker) return kBadCertificate;
  // A party changes its own credentials; another's only when the mode says so, or while the broker
  // holds the cell.
  const bool own =
      credential->party == sender || found->second->role == RemotePartyRole::access_control_broker;
  if (!own && !any && mode->cells == mode->authoriser) return kBadCertificate;
  const x509::TimeCheck time =
      update.without_times ? x509::TimeCheck::disapply : x509::TimeCheck::apply;
  if (!chains(credential->certificate, update.path, now, time).ok()) return kBadCertificate;
  found->second = std::make_shared<const Credential>(std::move(*credential));
  return kSuccess;
}

void TrustStore::write_floors(asn1::Writer& writer, const Update& update,
                              RemotePartyRole role) const {
  writer.constructed(asn1::kSequence, [&] {
    if (update.floor) {
      writer.constructed(asn1::kSequence, [&] {
        writer.unsigned_integer(static_cast<unsigned>(role));
        writer.unsigned_integer(update.floor->number());
        if (!update.special_floors.empty())
          writer.constructed(asn1::kSequence, [&] { writer.raw(update.special_floors); });
      });
    }
    writer.raw(update.other_floors);
  });
}

Result<TrustStore::Outcome> TrustStore::update(const gbcs::Message& command, UtcTime now,
                                               bool at_once) {
  TRY_ASSIGN(const Update update, read_update(command.payload));
  const Mode* const mode = mode_of(command.code.number());
  if (!mode || update.mode != mode->number)
    return malformed("mode " + std::to_string(update.mode) + " does not belong to message code " +
                     command.code.text());
  const RemotePartyRole authoriser = mode->authoriser.value_or(RemotePartyRole::root);
  if ((mode->authoriser && update.authoriser && update.authoriser->role != authoriser) ||
      update.counter != command.counter)
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
    const auto place = [&]() -> std::pair<Eui64, Bytes> {
      const Credential* const held = find(replacement.cell);
      const x509::Certificate* const certificate = replacement.cell.role == RemotePartyRole::root
                                                       ? &anchors_[0]
                                                   : held ? &held->certificate
                                                          : nullptr;
      return {held ? held->party : Eui64(),
              certificate ? certificate->subject_key_id.value_or(Bytes(8)) : Bytes(8)};
    };
    const auto [old_party, old_key] = place();
    const unsigned status =
        replace(update, replacement.cell, replacement.der, command.originator, now);
    const auto [party, key] = place();
    results.constructed(asn1::kSequence, [&] {
      write_cell(results, replacement.cell);
      results.unsigned_integer(status, asn1::kEnumerated);
      results.primitive(asn1::kOctetString, old_party.octets());
      results.primitive(asn1::kOctetString, old_key);
      results.primitive(asn1::kOctetString, party.octets());
      results.primitive(asn1::kOctetString, key);
    });
  }
  if (update.floor) outcome.floors.emplace_back(command.originator, *update.floor);
  for (const auto& [role, floor] : update.others) {
    for (const Cell& cell : cells_of(role)) outcome.floors.emplace_back(find(cell)->party, floor);
  }
  outcome.prepayment_floor = update.prepayment_floor;
  writer.constructed(asn1::kSequence, [&] {
    writer.null();
    writer.constructed(asn1::kSequence, [&] {
      writer.unsigned_integer(update.counter.number());
      writer.unsigned_integer(update.mode);
      write_floors(writer, update, authoriser);
      writer.constructed(asn1::kSequence, [&] { writer.raw(results.bytes()); });
    });
  });
  outcome.payload = writer.take();
  return outcome;
}

Result<Anchors> check_anchors(const std::vector<Bytes>& anchors, const std::map<Cell, Bytes>& cells,
                              UtcTime now) {
  TRY_ASSIGN(TrustStore store, TrustStore::make(anchors, cells, now));
  return Anchors(std::make_shared<const TrustStore>(std::move(store)));
}

}  // namespace wattseal::emulators
