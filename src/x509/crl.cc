// Certificate revocation lists, version 2. Source: RFC 5280 5.
#include <algorithm>

#include "x509/oids.h"

namespace wattseal::x509 {
namespace {

// A list may have a million entries: they are written without a writer, and a time is encoded again
// only when it differs from the one before.
void write_entries(asn1::Writer& writer, const std::vector<RevokedEntry>& entries) {
  if (entries.empty()) return;  // RFC 5280 5.1.2.6: an empty list is left out
  if (!std::ranges::is_sorted(entries, {}, &RevokedEntry::serial)) {
    std::vector<RevokedEntry> sorted = entries;
    std::ranges::sort(sorted, {}, &RevokedEntry::serial);
    return write_entries(writer, sorted);
  }
  constexpr std::array<Octet, 13> kReason{0x30, 0x0C, 0x30, 0x0A, 0x06, 0x03, 0x55,
                                          0x1D, 0x15, 0x04, 0x03, 0x0A, 0x01};
  Bytes list, time;
  list.reserve(entries.size() * 50);
  std::optional<UtcTime> encoded;
  for (const RevokedEntry& entry : entries) {
    if (encoded != entry.at) {
      asn1::Writer one;
      one.x509_time(entry.at);
      time = one.take();
      encoded = entry.at;
    }
    const std::array<Octet, 16>& serial = entry.serial.octets();
    const auto first =
        std::find_if(serial.begin(), serial.end() - 1, [](Octet octet) { return octet != 0; });
    const bool sign = *first & 0x80;
    const std::size_t digits = static_cast<std::size_t>(serial.end() - first) + (sign ? 1 : 0);
    const std::size_t reason = entry.reason ? kReason.size() + 1 : 0;
    list.push_back(0x30);
    list.push_back(static_cast<Octet>(2 + digits + time.size() + reason));  // below 128
    list.push_back(asn1::kInteger);
    list.push_back(static_cast<Octet>(digits));
    if (sign) list.push_back(0);
    list.insert(list.end(), first, serial.end());
    append(list, time);
    if (!entry.reason) continue;
    append(list, kReason);
    list.push_back(static_cast<Octet>(*entry.reason));
  }
  writer.primitive(asn1::kSequence, list);
}

Result<RevokedEntry> read_entry(asn1::Reader& list) {
  TRY_ASSIGN(asn1::Reader one, list.enter(asn1::kSequence));
  RevokedEntry entry;
  TRY_ASSIGN(const BytesView serial, one.positive_integer());
  TRY_ASSIGN(entry.serial, CertificateSerial::from_octets(serial));
  TRY_ASSIGN(entry.at, one.time());
  if (!one.empty()) {
    TRY_ASSIGN(const std::vector<Extension> extensions, read_extensions(one));
    TRY(one.finish());
    if (const Extension* reason = find_extension(extensions, kReasonCode)) {
      asn1::Reader value(reason->value);
      TRY_ASSIGN(const asn1::Tlv code, value.expect(asn1::kEnumerated));
      if (code.content.size() != 1 || code.content[0] > 10)
        return refuse("x509-extension"_rule, "the reason is none of RFC 5280", "reasonCode");
      entry.reason = code.content[0];
    }
  }
  return entry;
}

Status read_crl_extensions(asn1::Reader& tbs, Crl& out) {
  TRY_ASSIGN(asn1::Reader explicit_extensions, tbs.enter(asn1::context(0, true)));
  TRY_ASSIGN(const std::vector<Extension> extensions, read_extensions(explicit_extensions));
  TRY(explicit_extensions.finish());
  for (const Extension& extension : extensions) {
    if (equal(extension.oid, kAuthorityKeyId)) {
      TRY_ASSIGN(out.authority_key_id, read_authority_key_id(extension.value));
    } else if (equal(extension.oid, kCrlNumber)) {
      asn1::Reader value(extension.value);
      TRY_ASSIGN(out.number, value.unsigned_integer());
      TRY(value.finish());
    } else if (extension.critical) {
      return refuse("x509-extension"_rule, "a critical extension is not understood",
                    oid::to_text(extension.oid));
    }
  }
  return {};
}

Status read_tbs(BytesView octets, Crl& out) {
  asn1::Reader outer(octets);
  TRY_ASSIGN(asn1::Reader tbs, outer.enter(asn1::kSequence));
  TRY_ASSIGN(const std::uint64_t version, tbs.unsigned_integer());
  if (version != 1) return refuse("x509-structure"_rule, "the list is not of version 2", "version");
  TRY(expect_signature_algorithm(tbs));
  TRY_ASSIGN(const asn1::Tlv issuer, tbs.expect(asn1::kSequence));
  out.issuer_der = to_bytes(issuer.whole);
  TRY_ASSIGN(out.this_update, tbs.time());
  TRY_ASSIGN(out.next_update, tbs.time());
  if (tbs.peek_tag() == asn1::kSequence) {
    TRY_ASSIGN(asn1::Reader list, tbs.enter(asn1::kSequence));
    while (!list.empty()) {
      TRY_ASSIGN(RevokedEntry entry, read_entry(list));
      out.entries.push_back(std::move(entry));
    }
    std::ranges::sort(out.entries, {}, &RevokedEntry::serial);
  }
  TRY(read_crl_extensions(tbs, out));
  return tbs.finish();
}

}  // namespace

Bytes encode_tbs_crl(const TbsCrl& tbs) {
  asn1::Writer number, writer;
  number.unsigned_integer(tbs.number);
  writer.constructed(asn1::kSequence, [&] {
    writer.unsigned_integer(1);
    write_signature_algorithm(writer);
    writer.raw(encode_name(tbs.issuer));
    writer.x509_time(tbs.this_update);
    writer.x509_time(tbs.next_update);
    write_entries(writer, tbs.entries);
    writer.constructed(asn1::context(0, true), [&] {
      write_extensions(writer, {authority_key_id_extension(tbs.authority_key_id),
                                {to_bytes(kCrlNumber), false, number.take()}});
    });
  });
  return writer.take();
}

Bytes make_crl(const TbsCrl& tbs, const crypto::PrivateKey& issuer) {
  const Bytes octets = encode_tbs_crl(tbs);
  return assemble_certificate(octets, issuer.sign(crypto::sha256(octets)));  // the same three parts
}

bool Crl::revokes(const CertificateSerial& wanted) const {
  return std::ranges::binary_search(entries, wanted, {}, &RevokedEntry::serial);
}

Result<Crl> parse_crl(BytesView der) {
  Crl out;
  asn1::Reader reader(der);
  TRY_ASSIGN(asn1::Reader outer, reader.enter(asn1::kSequence));
  TRY(reader.finish());
  TRY_ASSIGN(const asn1::Tlv tbs, outer.expect(asn1::kSequence));
  TRY(expect_signature_algorithm(outer));
  TRY_ASSIGN(out.signature, read_signature(outer));
  TRY(outer.finish());
  out.der = to_bytes(der);
  out.tbs = to_bytes(tbs.whole);
  TRY(read_tbs(out.tbs, out));
  return out;
}

bool signed_by(const Crl& crl, const crypto::PublicPoint& issuer_key) {
  return crypto::verify(issuer_key, crypto::sha256(crl.tbs), crl.signature);
}

}  // namespace wattseal::x509
