#include "recovery/credentials.h"

#include <algorithm>

#include "asn1/der.h"
#include "base/fault.h"
#include "x509/x509.h"

namespace wattseal::recovery {
namespace {

constexpr std::size_t kHeldOctets = 19, kKeyOctets = 8;

// Source: spec/smki.md 6.3 (F).
struct StatusRow {
  unsigned status;
  std::string_view text;
  bool passing;
};
constexpr StatusRow kStatuses[] = {
    {0, "success", false},
    {5, "badCertificate", false},
    {10, "noTrustAnchor", false},
    {17, "insufficientMemory", true},
    {25, "trustAnchorNotFound", false},
    {30, "resourcesBusy", true},
};
const StatusRow* row_of(unsigned status) {
  const StatusRow* const found = std::ranges::find(kStatuses, status, &StatusRow::status);
  return found == std::end(kStatuses) ? nullptr : found;
}

Refusal bad_slot(std::string_view text) {
  return {"recovery-slot"_rule, "'" + std::string(text) + "' names no cell", "slot"};
}
Refusal bad_answer(std::string detail) { return {"recovery-answer"_rule, std::move(detail)}; }

constexpr RemotePartyRole kRoles[] = {RemotePartyRole::root,
                                      RemotePartyRole::recovery,
                                      RemotePartyRole::supplier,
                                      RemotePartyRole::network_operator,
                                      RemotePartyRole::wan_provider,
                                      RemotePartyRole::access_control_broker,
                                      RemotePartyRole::transitional_cos,
                                      RemotePartyRole::load_controller};

void write_slot(asn1::Writer& writer, const Slot& slot) {
  writer.unsigned_integer(static_cast<unsigned>(slot.role));
  if (slot.role == RemotePartyRole::root)
    writer.bit_string(Bytes{0x04}, 2);  // keyCertSign
  else if (slot.use == KeyUse::digital_signature)
    writer.bit_string(Bytes{0x80}, 7);
  else
    writer.bit_string(Bytes{0x08}, 3);
  if (slot.prepayment) writer.unsigned_integer(1);
}

void write_control(asn1::Writer& writer, const UpdateCommand& command) {
  writer.constructed(asn1::kSequence, [&] {
    writer.unsigned_integer(command.mode);
    if (!command.symmetric_key.empty())
      writer.primitive(asn1::context(0, false), command.symmetric_key);
    if (command.authoriser) {
      asn1::Writer slot;
      write_slot(slot, *command.authoriser);
      writer.primitive(asn1::context(2, true), slot.bytes());
    }
    writer.unsigned_integer(command.counter.number(), asn1::context(3, false));
  });
}

Result<Slot> read_slot(asn1::Reader reader) {
  Slot slot;
  TRY_ASSIGN(const std::uint64_t code, reader.unsigned_integer());
  const std::optional<RemotePartyRole> role =
      remote_party_role(static_cast<unsigned>(std::min<std::uint64_t>(code, 0xFFFF)));
  if (!role) return bad_answer("there is no role " + std::to_string(code));
  slot.role = *role;
  TRY_ASSIGN(const asn1::Tlv bits, reader.expect(asn1::kBitString));
  if (bits.content.size() != 2) return bad_answer("a key usage has not one octet");
  slot.use = bits.content[1] == 0x08 ? KeyUse::key_agreement : KeyUse::digital_signature;
  if (!reader.empty()) {
    TRY_ASSIGN(const std::uint64_t usage, reader.unsigned_integer());
    slot.prepayment = usage == 1;
  }
  TRY(reader.finish());
  return slot;
}

Result<Held> read_held(asn1::Reader& reader) {
  TRY_ASSIGN(const asn1::Tlv party, reader.expect(asn1::kOctetString));
  TRY_ASSIGN(const asn1::Tlv key, reader.expect(asn1::kOctetString));
  if (party.content.size() != 8 || key.content.size() != kKeyOctets)
    return bad_answer("a party or key identifier has not 8 octets");
  Held held;
  held.party = Eui64::from_number(get_be(party.content));
  std::ranges::copy(key.content, held.key.begin());
  return held;
}

Result<CellOutcome> read_cell(asn1::Reader reader) {
  CellOutcome cell;
  TRY_ASSIGN(asn1::Reader slot, reader.enter(asn1::kSequence));
  TRY_ASSIGN(cell.slot, read_slot(std::move(slot)));
  TRY_ASSIGN(const asn1::Tlv status, reader.expect(asn1::kEnumerated));
  if (status.content.size() != 1) return bad_answer("a status has not one octet");
  cell.status = status.content[0];
  TRY_ASSIGN(cell.before, read_held(reader));
  TRY_ASSIGN(cell.after, read_held(reader));
  TRY(reader.finish());
  return cell;
}

}  // namespace

std::string text(const Slot& slot) {
  return std::string(name(slot.role)) + "/" + std::string(wattseal::text(slot.use)) +
         (slot.prepayment ? "/prepayment" : "");
}

Result<Slot> parse_slot(std::string_view wanted) {
  for (const RemotePartyRole role : kRoles) {
    for (const KeyUse use : {KeyUse::digital_signature, KeyUse::key_agreement}) {
      for (const bool prepayment : {false, true}) {
        const Slot slot{role, use, prepayment};
        if (text(slot) == wanted) return slot;
      }
    }
  }
  return bad_slot(wanted);
}

Bytes encode(const Holdings& holdings) {
  Bytes out;
  for (const auto& [slot, held] : holdings) {
    out.push_back(static_cast<Octet>(slot.role));
    out.push_back(static_cast<Octet>(slot.use));
    out.push_back(slot.prepayment ? 1 : 0);
    put_be(out, held.party.number());
    append(out, held.key);
  }
  return out;
}

Holdings decode_holdings(BytesView octets) {
  if (octets.size() % kHeldOctets != 0) throw Fault("a record of cells is damaged");
  Holdings holdings;
  for (; !octets.empty(); octets = octets.subspan(kHeldOctets)) {
    const std::optional<RemotePartyRole> role = remote_party_role(octets[0]);
    if (!role || octets[1] < 1 || octets[1] > 2 || octets[2] > 1)
      throw Fault("a record of cells is damaged");
    Held held;
    held.party = Eui64::from_number(get_be(octets.subspan(3, 8)));
    std::ranges::copy(octets.subspan(11, kKeyOctets), held.key.begin());
    holdings[{*role, static_cast<KeyUse>(octets[1]), octets[2] == 1}] = held;
  }
  return holdings;
}

Result<Installable> read_installable(BytesView der) {
  TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(der));
  const auto refused = [](std::string detail) {
    return Refusal{"recovery-certificate"_rule, std::move(detail), "serial"};
  };
  Installable read;
  if (!certificate.subject_key_id || certificate.subject_key_id->size() != kKeyOctets)
    return refused("it has no key identifier of 8 octets");
  std::ranges::copy(*certificate.subject_key_id, read.held.key.begin());
  if (certificate.usage && *certificate.usage & x509::key_usage::key_cert_sign) {
    read.role = RemotePartyRole::root;
    return read;
  }
  bool has_party = false, has_role = false;
  for (const x509::NameAttribute& attribute : certificate.subject) {
    if (attribute.oid == x509::oid::unique_identifier) {
      TRY_ASSIGN(read.held.party, Eui64::from_octets(attribute.value));
      has_party = true;
    } else if (attribute.oid == x509::oid::organizational_unit) {
      const std::optional<RemotePartyRole> role =
          remote_party_role_from_ou(as_text(attribute.value));
      has_role = role.has_value();
      read.role = role.value_or(RemotePartyRole::other);
    }
  }
  if (!has_party || !has_role) return refused("its subject names no party and role");
  read.use = certificate.usage == x509::key_usage::key_agreement ? KeyUse::key_agreement
                                                                 : KeyUse::digital_signature;
  return read;
}

Bytes write_update(const UpdateCommand& command) {
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    write_control(writer, command);
    writer.constructed(asn1::kSequence, [&] {
      for (const Replacement& one : command.replacements) {
        writer.constructed(asn1::kSequence, [&] {
          writer.raw(one.certificate);
          writer.constructed(asn1::kSequence, [&] { write_slot(writer, one.slot); });
        });
      }
    });
    writer.constructed(asn1::kSequence, [&] {
      for (const Bytes& one : command.path) writer.raw(one);
    });
  });
  return writer.take();
}

// SEQUENCE { NULL, SEQUENCE { counter, mode, floors, SEQUENCE OF outcome } }
Result<UpdateOutcome> read_update_answer(BytesView payload) {
  asn1::Reader outer(payload);
  TRY_ASSIGN(asn1::Reader parts, outer.enter(asn1::kSequence));
  TRY(outer.finish());
  TRY(parts.expect(asn1::kNull));
  if (parts.empty()) return bad_answer("the command is kept for later");
  TRY_ASSIGN(asn1::Reader executed, parts.enter(asn1::kSequence));
  TRY(parts.finish());
  UpdateOutcome outcome;
  TRY_ASSIGN(const std::uint64_t counter, executed.unsigned_integer());
  outcome.counter = OriginatorCounter(counter);
  TRY_ASSIGN(const std::uint64_t mode, executed.unsigned_integer());
  outcome.mode = static_cast<unsigned>(std::min<std::uint64_t>(mode, 255));
  TRY(executed.expect(asn1::kSequence));  // floors
  TRY_ASSIGN(asn1::Reader list, executed.enter(asn1::kSequence));
  TRY(executed.finish());
  while (!list.empty()) {
    TRY_ASSIGN(asn1::Reader one, list.enter(asn1::kSequence));
    TRY_ASSIGN(CellOutcome cell, read_cell(std::move(one)));
    outcome.cells.push_back(std::move(cell));
  }
  return outcome;
}

bool is_update(std::uint16_t code) {
  return (code >= 0x0101 && code <= 0x0109) || code == 0x0125 || code == 0x0126;
}

std::string_view status_text(unsigned status) {
  const StatusRow* const row = row_of(status);
  return row ? row->text : "other";
}
bool is_passing(unsigned status) {
  const StatusRow* const row = row_of(status);
  return row && row->passing;
}

}  // namespace wattseal::recovery
