// Certificate revocation lists, version 2. Source: RFC 5280 5.
#include <algorithm>

#include "x509/oids.h"

namespace wattseal::x509 {
namespace {

void write_entries(asn1::Writer& writer, std::vector<RevokedEntry> entries) {
  if (entries.empty()) return;  // RFC 5280 5.1.2.6: an empty list is left out
  std::ranges::sort(entries, {}, &RevokedEntry::serial);
  writer.constructed(asn1::kSequence, [&] {
    for (const RevokedEntry& entry : entries) {
      writer.constructed(asn1::kSequence, [&] {
        writer.positive_integer(entry.serial.octets());
        writer.x509_time(entry.at);
        if (!entry.reason) return;
        asn1::Writer reason;
        reason.unsigned_integer(*entry.reason, asn1::kEnumerated);
        write_extensions(writer, {{to_bytes(kReasonCode), false, reason.take()}});
      });
    }
  });
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

Bytes make_crl(const TbsCrl& tbs, const crypto::PrivateKey& issuer) {
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
  return assemble_certificate(writer.bytes(),
                              issuer.sign(crypto::sha256(writer.bytes())));  // the same three parts
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
