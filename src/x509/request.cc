// PKCS#10 (RFC 2986), with exactly one attribute: extensionRequest (RFC 2985 5.4.2); and the same
// said by a CertReqMsg of RFC 4211, whose proof of possession is a signature.
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

// What an implicit tag hides: the same value as the SEQUENCE that it is.
Bytes as_sequence(const asn1::Tlv& tagged) {
  Bytes sequence = to_bytes(tagged.whole);
  sequence[0] = asn1::kSequence;
  return sequence;
}

// RFC 4211 5: subject, key and extensions are asked for; an issuer may be named and is not looked
// at; anything else is not the subscriber's to choose.
Status read_template(asn1::Reader fields, CertificationRequest& out) {
  bool has_key = false;
  int last = -1;
  while (!fields.empty()) {
    TRY_ASSIGN(const asn1::Tlv field, fields.any());
    const int number = field.tag - asn1::context(0, true);
    if (number <= last)
      return refuse("x509-request-template"_rule, "a field is out of its order", "certTemplate");
    last = number;
    asn1::Reader inner(field.content);
    if (number == 3) {  // issuer
      TRY(read_name(inner));
      TRY(inner.finish());
    } else if (number == 5) {
      TRY_ASSIGN(out.subject, read_name(inner));
      TRY(inner.finish());
    } else if (number == 6) {
      const Bytes sequence = as_sequence(field);
      asn1::Reader key(sequence);
      TRY_ASSIGN(out.key, read_public_key(key));
      has_key = true;
    } else if (number == 9) {
      const Bytes sequence = as_sequence(field);
      asn1::Reader extensions(sequence);
      TRY_ASSIGN(out.extensions, read_extensions(extensions));
    } else {
      return refuse("x509-request-template"_rule,
                    "field " + std::to_string(number) + " is not allowed", "certTemplate");
    }
  }
  if (has_key) return {};
  return refuse("x509-request-template"_rule, "there is no public key", "certTemplate/publicKey");
}

// After the CertRequest: POPOSigningKey without poposkInput, as subject or key are in the template.
Status read_crmf(asn1::Reader message, const asn1::Tlv& cert_request, CertificationRequest& out) {
  TRY_ASSIGN(asn1::Reader proof, message.enter(asn1::context(1, true)));
  TRY(message.finish());
  TRY(expect_signature_algorithm(proof));
  TRY_ASSIGN(out.signature, read_signature(proof));
  TRY(proof.finish());
  asn1::Reader request(cert_request.content);
  TRY(request.expect(asn1::kInteger));  // certReqId
  TRY_ASSIGN(const asn1::Reader fields, request.enter(asn1::kSequence));
  TRY(read_template(fields, out));
  if (!request.empty()) TRY(request.expect(asn1::kSequence));  // controls
  return request.finish();
}

Status read_pkcs10(asn1::Reader outer, const asn1::Tlv& whole, CertificationRequest& out) {
  TRY(expect_signature_algorithm(outer));
  TRY_ASSIGN(out.signature, read_signature(outer));
  TRY(outer.finish());
  asn1::Reader info(whole.content);
  TRY_ASSIGN(const std::uint64_t version, info.unsigned_integer());
  if (version != 0)
    return refuse("x509-structure"_rule, "the request is not of version 1", "version");
  TRY_ASSIGN(out.subject, read_name(info));
  TRY_ASSIGN(out.key, read_public_key(info));
  return read_attributes(info, out);
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
  out.der = to_bytes(der);
  out.info = to_bytes(whole.whole);
  if (outer.peek_tag() == asn1::context(1, true)) {
    TRY(read_crmf(outer, whole, out));
  } else {
    TRY(read_pkcs10(outer, whole, out));
  }
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
