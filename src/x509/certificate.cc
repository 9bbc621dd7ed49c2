#include "base/check.h"
#include "x509/oids.h"
#include "x509/outline.h"

namespace wattseal::x509 {
namespace {

constexpr std::size_t kCertificateOctetsMax = 8192;
constexpr Octet kVersion3[] = {0x02, 0x01, 0x02};

void write_algorithm(asn1::Writer& writer, BytesView algorithm) {
  writer.constructed(asn1::kSequence, [&] { writer.oid(algorithm); });
}

Status read_validity(asn1::Reader& tbs, Certificate& out) {
  TRY_ASSIGN(asn1::Reader validity, tbs.enter(asn1::kSequence));
  TRY_ASSIGN(out.not_before, validity.time());
  TRY_ASSIGN(out.not_after, validity.time());
  TRY(validity.finish());
  if (out.not_after < out.not_before)
    return refuse("x509-structure"_rule, "the certificate ends before it begins", "validity");
  return {};
}

Status read_named(asn1::Reader& tbs, Name& name, Bytes& der) {
  asn1::Reader copy = tbs;
  TRY_ASSIGN(const asn1::Tlv whole, copy.expect(asn1::kSequence));
  der = to_bytes(whole.whole);
  TRY_ASSIGN(name, read_name(tbs));
  return {};
}

Status decode_extensions(Certificate& out) {
  const auto value_of = [&](BytesView oid_octets) -> const Bytes* {
    const Extension* const found = find_extension(out.extensions, oid_octets);
    return found ? &found->value : nullptr;
  };
  if (const Bytes* value = value_of(kKeyUsage)) {
    TRY_ASSIGN(out.usage, read_key_usage(*value));
  }
  if (const Bytes* value = value_of(kSubjectKeyId)) {
    TRY_ASSIGN(out.subject_key_id, read_octet_string(*value));
  }
  if (const Bytes* value = value_of(kAuthorityKeyId)) {
    TRY_ASSIGN(out.authority_key_id, read_authority_key_id(*value));
  }
  if (const Bytes* value = value_of(kCertificatePolicies)) {
    TRY_ASSIGN(out.policies, read_policies(*value));
  }
  if (const Bytes* value = value_of(kBasicConstraints)) {
    TRY_ASSIGN(out.constraints, read_constraints(*value));
  }
  if (const Bytes* value = value_of(kSubjectAltName)) {
    TRY_ASSIGN(out.hardware_module, read_hardware_module(*value));
  }
  return {};
}

Status read_tbs(BytesView octets, Certificate& out) {
  asn1::Reader outer(octets);
  TRY_ASSIGN(asn1::Reader tbs, outer.enter(asn1::kSequence));
  TRY_ASSIGN(const asn1::Tlv version, tbs.expect(asn1::context(0, true)));
  if (!equal(version.content, kVersion3))
    return refuse("x509-structure"_rule, "the certificate is not of version 3", "version");
  TRY_ASSIGN(const BytesView serial, tbs.positive_integer());
  TRY_ASSIGN(out.serial, CertificateSerial::from_octets(serial));
  TRY(expect_signature_algorithm(tbs));
  TRY(read_named(tbs, out.issuer, out.issuer_der));
  TRY(read_validity(tbs, out));
  TRY(read_named(tbs, out.subject, out.subject_der));
  TRY_ASSIGN(out.key, read_public_key(tbs));
  TRY_ASSIGN(asn1::Reader explicit_extensions, tbs.enter(asn1::context(3, true)));
  TRY(tbs.finish());
  TRY_ASSIGN(out.extensions, read_extensions(explicit_extensions));
  TRY(explicit_extensions.finish());
  return decode_extensions(out);
}

}  // namespace

Status expect_signature_algorithm(asn1::Reader& reader) {
  TRY_ASSIGN(asn1::Reader algorithm, reader.enter(asn1::kSequence));
  TRY_ASSIGN(const BytesView oid_octets, algorithm.oid());
  if (!equal(oid_octets, kEcdsaWithSha256) || !algorithm.empty()) {
    return refuse("x509-algorithm"_rule,
                  "the signature algorithm is " + oid::to_text(oid_octets) +
                      (algorithm.empty() ? "" : " with parameters"),
                  "signatureAlgorithm");
  }
  return {};
}
void write_signature_algorithm(asn1::Writer& writer) { write_algorithm(writer, kEcdsaWithSha256); }

Result<crypto::Signature> read_signature(asn1::Reader& reader) {
  TRY_ASSIGN(const BytesView bits, reader.bit_string(0));
  return crypto::signature_from_der(bits);
}
void write_signature(asn1::Writer& writer, const crypto::Signature& signature) {
  writer.bit_string(crypto::signature_to_der(signature), 0);
}

Result<crypto::PublicPoint> read_public_key(asn1::Reader& reader) {
  TRY_ASSIGN(asn1::Reader info, reader.enter(asn1::kSequence));
  TRY_ASSIGN(asn1::Reader algorithm, info.enter(asn1::kSequence));
  TRY_ASSIGN(const BytesView type, algorithm.oid());
  if (!equal(type, kEcPublicKey))
    return refuse("x509-key-algorithm"_rule, "the key is of algorithm " + oid::to_text(type),
                  "subjectPublicKeyInfo");
  if (algorithm.peek_tag() != asn1::kOid)
    return refuse("x509-key-algorithm"_rule, "the key's curve is not named",
                  "subjectPublicKeyInfo");
  TRY_ASSIGN(const BytesView curve, algorithm.oid());
  if (!equal(curve, kPrime256v1))
    return refuse("x509-key-algorithm"_rule, "the key's curve is " + oid::to_text(curve),
                  "subjectPublicKeyInfo");
  TRY(algorithm.finish());
  TRY_ASSIGN(const BytesView point, info.bit_string(0));
  TRY(info.finish());
  return crypto::parse_point(point);
}

void write_public_key(asn1::Writer& writer, const crypto::PublicPoint& key) {
  writer.constructed(asn1::kSequence, [&] {
    writer.constructed(asn1::kSequence, [&] {
      writer.oid(kEcPublicKey);
      writer.oid(kPrime256v1);
    });
    writer.bit_string(key, 0);
  });
}

Bytes encode_tbs(const TbsCertificate& tbs) {
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    writer.constructed(asn1::context(0, true), [&] { writer.raw(kVersion3); });
    writer.positive_integer(tbs.serial.octets());
    write_signature_algorithm(writer);
    writer.raw(encode_name(tbs.issuer));
    writer.constructed(asn1::kSequence, [&] {
      writer.x509_time(tbs.not_before);
      writer.x509_time(tbs.not_after);
    });
    writer.raw(encode_name(tbs.subject));
    write_public_key(writer, tbs.key);
    writer.constructed(asn1::context(3, true), [&] { write_extensions(writer, tbs.extensions); });
  });
  return writer.take();
}

Bytes assemble_certificate(BytesView tbs, const crypto::Signature& signature) {
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    writer.raw(tbs);
    write_signature_algorithm(writer);
    write_signature(writer, signature);
  });
  return writer.take();
}

Result<Certificate> parse_certificate(BytesView der) {
  if (der.size() > kCertificateOctetsMax)
    return refuse("x509-structure"_rule, "the certificate is larger than 8 KiB");
  Certificate out;
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

Result<Certificate> outline_of(BytesView der) {
  Certificate out;
  asn1::Reader reader(der);
  TRY_ASSIGN(asn1::Reader outer, reader.enter(asn1::kSequence));
  TRY_ASSIGN(asn1::Reader tbs, outer.enter(asn1::kSequence));
  TRY(tbs.expect(asn1::context(0, true)));  // version
  TRY(tbs.expect(asn1::kInteger));          // serial number
  TRY(tbs.expect(asn1::kSequence));         // algorithm
  TRY(tbs.expect(asn1::kSequence));         // issuer
  TRY(read_validity(tbs, out));
  TRY_ASSIGN(out.subject, read_name(tbs));
  TRY(tbs.expect(asn1::kSequence));  // key
  TRY_ASSIGN(asn1::Reader outer_extensions, tbs.enter(asn1::context(3, true)));
  TRY_ASSIGN(asn1::Reader extensions, outer_extensions.enter(asn1::kSequence));
  while (!extensions.empty()) {
    TRY_ASSIGN(asn1::Reader extension, extensions.enter(asn1::kSequence));
    TRY_ASSIGN(const BytesView id, extension.oid());
    const bool usage = equal(id, kKeyUsage);
    if (!usage && !equal(id, kSubjectAltName)) continue;
    if (extension.peek_tag() == asn1::kBoolean) TRY(extension.boolean());
    TRY_ASSIGN(const asn1::Tlv value, extension.expect(asn1::kOctetString));
    if (usage) {
      TRY_ASSIGN(out.usage, read_key_usage(value.content));
    } else {
      TRY_ASSIGN(out.hardware_module, read_hardware_module(value.content));
    }
  }
  return out;
}

Result<Certificate> parse_tbs(BytesView tbs) {
  Certificate out;
  out.tbs = to_bytes(tbs);
  TRY(read_tbs(out.tbs, out));
  return out;
}

Result<Certificate> parse_certificate_pem(std::string_view pem) {
  TRY_ASSIGN(const Bytes der, from_pem("CERTIFICATE", pem));
  return parse_certificate(der);
}

std::string to_pem(std::string_view label, BytesView der) {
  const std::string base64 = to_base64(der);
  std::string pem = "-----BEGIN " + std::string(label) + "-----\n";
  for (std::size_t at = 0; at < base64.size(); at += 64) pem += base64.substr(at, 64) + "\n";
  return pem + "-----END " + std::string(label) + "-----\n";
}

Result<Bytes> from_pem(std::string_view label, std::string_view pem) {
  const std::string begin = "-----BEGIN " + std::string(label) + "-----",
                    end = "-----END " + std::string(label) + "-----";
  const std::size_t from = pem.find(begin);
  const std::size_t to = from == std::string_view::npos ? from : pem.find(end, from);
  const Refusal malformed =
      refuse("pem-malformed"_rule, "there is no well formed block " + std::string(label));
  if (to == std::string_view::npos) return malformed;
  const std::optional<Bytes> der =
      from_base64(pem.substr(from + begin.size(), to - from - begin.size()));
  if (!der) return malformed;
  return *der;
}

bool signed_by(const Certificate& certificate, const crypto::PublicPoint& issuer_key) {
  return crypto::verify(issuer_key, crypto::sha256(certificate.tbs), certificate.signature);
}

std::array<Octet, 8> key_identifier(const crypto::PublicPoint& key) {
  const std::array<Octet, 20> hash = crypto::sha1(key);
  std::array<Octet, 8> id{};
  std::copy_n(hash.end() - 8, 8, id.begin());
  id[0] = static_cast<Octet>(0x40 | (id[0] & 0x0F));
  return id;
}

}  // namespace wattseal::x509
