// PKCS#10 (RFC 2986), with exactly one attribute: extensionRequest (RFC 2985 5.4.2).
#include "x509/oids.h"

namespace wattseal::x509 {
namespace {

constexpr std::size_t kRequestOctetsMax = 4096;

Status read_attributes(asn1::Reader& info, CertificationRequest& out) {
  TRY_ASSIGN(asn1::Reader attributes, info.enter(asn1::context(0, true)));
  TRY(info.finish());
  TRY_ASSIGN(asn1::Reader attribute, attributes.enter(asn1::kSequence));
  TRY_ASSIGN(const BytesView type, attribute.oid());
  if (!equal(type, kExtensionRequest))
    return refuse("x509-request-attribute"_rule,
                  "attribute " + oid::to_text(type) + " is not allowed", "attributes");
  if (!attributes.empty())
    return refuse("x509-request-attribute"_rule, "there is more than one attribute", "attributes");
  TRY_ASSIGN(asn1::Reader values, attribute.enter(asn1::kSet));
  TRY(attribute.finish());
  TRY_ASSIGN(out.extensions, read_extensions(values));
  return values.finish();
}

}  // namespace

Result<CertificationRequest> parse_request(BytesView der) {
  if (der.size() > kRequestOctetsMax)
    return refuse("x509-structure"_rule, "the request is larger than 4 KiB");
  CertificationRequest out;
  asn1::Reader reader(der);
  TRY_ASSIGN(asn1::Reader outer, reader.enter(asn1::kSequence));
  TRY(reader.finish());
  TRY_ASSIGN(const asn1::Tlv whole, outer.expect(asn1::kSequence));
  TRY(expect_signature_algorithm(outer));
  TRY_ASSIGN(out.signature, read_signature(outer));
  TRY(outer.finish());
  out.der = to_bytes(der);
  out.info = to_bytes(whole.whole);
  asn1::Reader info(whole.content);
  TRY_ASSIGN(const std::uint64_t version, info.unsigned_integer());
  if (version != 0)
    return refuse("x509-structure"_rule, "the request is not of version 1", "version");
  TRY_ASSIGN(out.subject, read_name(info));
  TRY_ASSIGN(out.key, read_public_key(info));
  TRY(read_attributes(info, out));
  if (const Extension* usage = find_extension(out.extensions, kKeyUsage)) {
    TRY_ASSIGN(out.usage, read_key_usage(usage->value));
  }
  if (const Extension* names = find_extension(out.extensions, kSubjectAltName)) {
    TRY_ASSIGN(out.hardware_module, read_hardware_module(names->value));
  }
  return out;
}

crypto::Claim possession_claim(const CertificationRequest& request) {
  return {request.key, crypto::sha256(request.info), request.signature};
}

bool proves_possession(const CertificationRequest& request) {
  return crypto::verify(request.key, crypto::sha256(request.info), request.signature);
}

Bytes make_request(const Name& subject, const std::vector<Extension>& extensions,
                   const crypto::PrivateKey& key) {
  asn1::Writer info;
  info.constructed(asn1::kSequence, [&] {
    info.unsigned_integer(0);
    info.raw(encode_name(subject));
    write_public_key(info, key.public_point());
    info.constructed(asn1::context(0, true), [&] {
      info.constructed(asn1::kSequence, [&] {
        info.oid(kExtensionRequest);
        info.constructed(asn1::kSet, [&] { write_extensions(info, extensions); });
      });
    });
  });
  return assemble_certificate(info.bytes(),
                              key.sign(crypto::sha256(info.bytes())));  // the same three parts
}

}  // namespace wattseal::x509
