#include "smki/cmp_message.h"

#include "asn1/der.h"

namespace wattseal::smki {
namespace {

using asn1::context;
using asn1::kSequence;

constexpr std::size_t kMessageOctetsMax = 65'536, kExtraMax = 16, kNonceMax = 64;
const Bytes kEcdsaWithSha256 = x509::oid::from_text("1.2.840.10045.4.3.2"),
            kImplicitConfirm = x509::oid::from_text("1.3.6.1.5.5.7.4.13"),
            kOldCertId = x509::oid::from_text("1.3.6.1.5.5.7.5.1.5"),
            kReasonCode = x509::oid::from_text("2.5.29.21");

Refusal malformed(std::string detail, std::string field) {
  return {"cmp-message"_rule, std::move(detail), std::move(field)};
}

// An INTEGER of at most eight octets, in its one encoding.
Result<std::int64_t> read_integer(asn1::Reader& reader) {
  TRY_ASSIGN(const asn1::Tlv value, reader.expect(asn1::kInteger));
  const BytesView octets = value.content;
  const bool padded = octets.size() > 1 && (octets[0] == 0 || octets[0] == 0xFF) &&
                      (octets[0] >> 7) == (octets[1] >> 7);
  if (octets.empty() || octets.size() > 8 || padded)
    return malformed("an integer is not in its one form, or too large", "INTEGER");
  std::uint64_t number = octets[0] >= 0x80 ? ~std::uint64_t{0} : 0;
  for (const Octet octet : octets) number = number << 8 | octet;
  return static_cast<std::int64_t>(number);
}

Result<Bytes> read_octets(asn1::Reader& reader) {
  TRY_ASSIGN(const asn1::Tlv value, reader.expect(asn1::kOctetString));
  if (value.content.size() > kNonceMax)
    return malformed(std::to_string(value.content.size()) + " octets", "header");
  return to_bytes(value.content);
}

// ---- header

Result<bool> find_implicit_confirm(asn1::Reader list) {
  bool found = false;
  while (!list.empty()) {
    TRY_ASSIGN(asn1::Reader one, list.enter(kSequence));
    TRY_ASSIGN(const BytesView type, one.oid());
    if (!one.empty()) TRY(one.any());
    TRY(one.finish());
    found = found || equal(type, kImplicitConfirm);
  }
  return found;
}

Status read_header_field(unsigned number, asn1::Reader& field, CmpHeader& header,
                         bool& known_algorithm) {
  switch (number) {
    case 0: {
      TRY_ASSIGN(header.time, field.time());
      break;
    }
    case 1: {
      TRY_ASSIGN(asn1::Reader algorithm, field.enter(kSequence));
      TRY_ASSIGN(const BytesView oid, algorithm.oid());
      known_algorithm = equal(oid, kEcdsaWithSha256) && algorithm.empty();
      break;
    }
    case 2: {
      TRY_ASSIGN(header.sender_key_id, read_octets(field));
      break;
    }
    case 4: {
      TRY_ASSIGN(header.transaction, read_octets(field));
      break;
    }
    case 5: {
      TRY_ASSIGN(header.sender_nonce, read_octets(field));
      break;
    }
    case 6: {
      TRY_ASSIGN(header.recipient_nonce, read_octets(field));
      break;
    }
    case 8: {
      TRY_ASSIGN(const asn1::Reader list, field.enter(kSequence));
      TRY_ASSIGN(header.implicit_confirm, find_implicit_confirm(list));
      break;
    }
    default: {  // recipKID, freeText: nothing that we act upon
      TRY(field.any());
      break;
    }
  }
  return field.finish();
}

Status read_header(asn1::Reader reader, CmpHeader& header, bool& known_algorithm) {
  TRY_ASSIGN(const std::int64_t version, read_integer(reader));
  if (version != 2 && version != 3)
    return Refusal{"cmp-version"_rule, "pvno " + std::to_string(version), "pvno"};
  header.version = static_cast<std::uint64_t>(version);
  TRY_ASSIGN(const asn1::Tlv sender, reader.any());
  TRY_ASSIGN(const asn1::Tlv recipient, reader.any());
  header.sender = to_bytes(sender.whole);
  header.recipient = to_bytes(recipient.whole);
  int last = -1;
  while (!reader.empty()) {
    TRY_ASSIGN(const asn1::Tlv field, reader.any());
    const int number = field.tag - context(0, true);
    if (number <= last || number > 8) return malformed("a field is out of its order", "header");
    last = number;
    asn1::Reader inner(field.content);
    TRY(read_header_field(static_cast<unsigned>(number), inner, header, known_algorithm));
  }
  if (header.transaction.empty()) return malformed("there is no transactionID", "transactionID");
  if (header.sender_nonce.empty()) return malformed("there is no senderNonce", "senderNonce");
  return {};
}

// ---- bodies

// CertRequest: certReqId, certTemplate, controls. The rest is x509::parse_request's.
Status read_crmf_parts(const asn1::Tlv& message, CmpMessage& out) {
  asn1::Reader parts(message.content);
  TRY_ASSIGN(asn1::Reader request, parts.enter(kSequence));
  TRY_ASSIGN(out.request_id, read_integer(request));
  TRY(request.expect(kSequence));
  if (request.empty()) return {};
  TRY_ASSIGN(asn1::Reader controls, request.enter(kSequence));
  while (!controls.empty()) {
    TRY_ASSIGN(asn1::Reader control, controls.enter(kSequence));
    TRY_ASSIGN(const BytesView type, control.oid());
    if (!equal(type, kOldCertId)) return malformed("a control is not oldCertID", "controls");
    TRY_ASSIGN(asn1::Reader id, control.enter(kSequence));
    TRY(id.any());  // issuer
    TRY_ASSIGN(const BytesView serial, id.positive_integer());
    TRY_ASSIGN(out.old_serial, CertificateSerial::from_octets(serial));
    TRY(id.finish());
    TRY(control.finish());
  }
  return request.finish();
}

Status read_requests(asn1::Reader content, CmpMessage& out) {
  TRY_ASSIGN(asn1::Reader messages, content.enter(kSequence));
  TRY_ASSIGN(const asn1::Tlv one, messages.expect(kSequence));
  TRY(messages.finish());
  out.request = to_bytes(one.whole);
  return read_crmf_parts(one, out);
}

Status read_pkcs10(asn1::Reader content, CmpMessage& out) {
  TRY_ASSIGN(const asn1::Tlv one, content.expect(kSequence));
  out.request = to_bytes(one.whole);
  out.request_id = -1;
  return {};
}

Status read_reason(asn1::Reader extensions, CmpMessage& out) {
  while (!extensions.empty()) {
    TRY_ASSIGN(asn1::Reader one, extensions.enter(kSequence));
    TRY_ASSIGN(const BytesView type, one.oid());
    if (one.peek_tag() == asn1::kBoolean) TRY(one.boolean());
    TRY_ASSIGN(const asn1::Tlv value, one.expect(asn1::kOctetString));
    TRY(one.finish());
    if (!equal(type, kReasonCode)) continue;
    asn1::Reader reason(value.content);
    TRY_ASSIGN(const asn1::Tlv code, reason.expect(asn1::kEnumerated));
    TRY(reason.finish());
    if (code.content.size() != 1) return malformed("it is no CRLReason", "crlEntryDetails");
    out.reason = code.content[0];
  }
  return {};
}

Status read_revocation(asn1::Reader content, CmpMessage& out) {
  TRY_ASSIGN(asn1::Reader list, content.enter(kSequence));
  TRY_ASSIGN(asn1::Reader details, list.enter(kSequence));
  TRY(list.finish());
  TRY_ASSIGN(asn1::Reader fields, details.enter(kSequence));
  bool found = false;
  while (!fields.empty()) {
    TRY_ASSIGN(const asn1::Tlv field, fields.any());
    if (field.tag != context(1, false)) continue;
    if (field.content.empty() || field.content[0] >= 0x80)
      return malformed("it is no positive number", "serialNumber");
    const BytesView digits = field.content.subspan(field.content[0] == 0 ? 1 : 0);
    TRY_ASSIGN(out.serial, CertificateSerial::from_octets(digits));
    found = true;
  }
  if (!found) return malformed("there is no serial number", "certDetails");
  if (details.empty()) return {};
  TRY_ASSIGN(const asn1::Reader extensions, details.enter(kSequence));
  TRY(read_reason(extensions, out));
  return details.finish();
}

Status read_confirmation(asn1::Reader content, CmpMessage& out) {
  TRY_ASSIGN(asn1::Reader list, content.enter(kSequence));
  out.accepted = !list.empty();  // RFC 4210 5.3.18: none is accepted
  if (list.empty()) return {};
  TRY_ASSIGN(asn1::Reader one, list.enter(kSequence));
  TRY(list.finish());
  TRY_ASSIGN(out.certificate_hash, read_octets(one));
  TRY_ASSIGN(out.request_id, read_integer(one));
  if (one.peek_tag() == kSequence) {
    TRY_ASSIGN(asn1::Reader status, one.enter(kSequence));
    TRY_ASSIGN(const std::int64_t number, read_integer(status));
    out.accepted = number == 0 || number == 1;
  }
  if (!one.empty()) TRY(one.expect(context(0, true)));  // hashAlg
  return one.finish();
}

Status read_poll(asn1::Reader content, CmpMessage& out) {
  TRY_ASSIGN(asn1::Reader list, content.enter(kSequence));
  TRY_ASSIGN(asn1::Reader one, list.enter(kSequence));
  TRY(list.finish());
  TRY_ASSIGN(out.request_id, read_integer(one));
  return one.finish();
}

Status read_body(const asn1::Tlv& body, CmpMessage& out) {
  const asn1::Reader content(body.content);
  const unsigned number = static_cast<unsigned>(body.tag) - context(0, true);
  out.body = static_cast<CmpBody>(number);
  switch (out.body) {
    case CmpBody::ir:
    case CmpBody::cr:
    case CmpBody::kur: return read_requests(content, out);
    case CmpBody::p10cr: return read_pkcs10(content, out);
    case CmpBody::rr: return read_revocation(content, out);
    case CmpBody::cert_conf: return read_confirmation(content, out);
    case CmpBody::poll_req: return read_poll(content, out);
    default: return Refusal{"cmp-body"_rule, "body " + std::to_string(number), "body"};
  }
}

}  // namespace

Result<CmpMessage> decode_cmp(BytesView der) {
  if (der.size() > kMessageOctetsMax) return malformed("it is longer than 64 KiB", "");
  CmpMessage out;
  asn1::Reader reader(der);
  TRY_ASSIGN(asn1::Reader message, reader.enter(kSequence));
  TRY(reader.finish());
  TRY_ASSIGN(const asn1::Tlv header, message.expect(kSequence));
  TRY_ASSIGN(const asn1::Tlv body, message.any());
  bool known_algorithm = false;
  TRY(read_header(asn1::Reader(header.content), out.header, known_algorithm));
  if (body.tag < context(0, true) || body.tag > context(30, true))
    return malformed("it is no body", "body");
  TRY(read_body(body, out));
  if (message.peek_tag() == context(0, true)) {
    TRY_ASSIGN(asn1::Reader protection, message.enter(context(0, true)));
    if (!known_algorithm)
      return Refusal{"cmp-protection"_rule, "it is not ecdsa-with-SHA256", "protectionAlg"};
    TRY_ASSIGN(const BytesView octets, protection.bit_string(0));
    TRY_ASSIGN(out.signature, crypto::signature_from_der(octets));
    TRY(protection.finish());
  }
  if (message.peek_tag() == context(1, true)) {
    TRY_ASSIGN(asn1::Reader tagged, message.enter(context(1, true)));
    TRY_ASSIGN(asn1::Reader list, tagged.enter(kSequence));
    TRY(tagged.finish());
    while (!list.empty()) {
      TRY_ASSIGN(const asn1::Tlv one, list.expect(kSequence));
      if (out.extra_certificates.size() == kExtraMax)
        return malformed("there are more than 16", "extraCerts");
      out.extra_certificates.push_back(to_bytes(one.whole));
    }
  }
  TRY(message.finish());
  asn1::Writer part;
  part.constructed(kSequence, [&] {
    part.raw(header.whole);
    part.raw(body.whole);
  });
  out.protected_part = part.take();
  return out;
}

// ---- answers

namespace {

void write_status(asn1::Writer& out, const CmpStatusInfo& status) {
  out.constructed(kSequence, [&] {
    out.integer(static_cast<std::int64_t>(status.status));
    if (!status.text.empty())
      out.constructed(kSequence, [&] { out.text(asn1::kUtf8String, status.text); });
    if (!status.failure) return;
    // A named bit list: bit n from the left, without trailing zeros.
    Bytes bits(*status.failure / 8 + 1, 0);
    bits.back() = static_cast<Octet>(0x80u >> (*status.failure % 8));
    out.bit_string(bits, 7 - *status.failure % 8);
  });
}

void write_algorithm(asn1::Writer& out) {
  out.constructed(kSequence, [&] { out.oid(kEcdsaWithSha256); });
}

void write_header(asn1::Writer& out, const CmpHeader& header, bool protected_by_key) {
  const auto octets = [&](unsigned number, const Bytes& value) {
    if (value.empty()) return;
    out.constructed(context(number, true), [&] { out.primitive(asn1::kOctetString, value); });
  };
  out.constructed(kSequence, [&] {
    out.unsigned_integer(header.version);
    out.raw(header.sender);
    out.raw(header.recipient);
    if (header.time) out.constructed(context(0, true), [&] { out.generalized_time(*header.time); });
    if (protected_by_key) out.constructed(context(1, true), [&] { write_algorithm(out); });
    octets(2, header.sender_key_id);
    octets(4, header.transaction);
    octets(5, header.sender_nonce);
    octets(6, header.recipient_nonce);
    if (header.implicit_confirm)
      out.constructed(context(8, true), [&] {
        out.constructed(kSequence, [&] {
          out.constructed(kSequence, [&] {
            out.oid(kImplicitConfirm);
            out.null();
          });
        });
      });
  });
}

}  // namespace

Bytes cmp_certificate_response(std::int64_t request_id, const CmpStatusInfo& status,
                               BytesView certificate, std::span<const Bytes> ca_certificates) {
  asn1::Writer out;
  out.constructed(kSequence, [&] {
    if (!ca_certificates.empty())
      out.constructed(context(1, true), [&] {
        out.constructed(kSequence, [&] {
          for (const Bytes& one : ca_certificates) out.raw(one);
        });
      });
    out.constructed(kSequence, [&] {
      out.constructed(kSequence, [&] {
        out.integer(request_id);
        write_status(out, status);
        if (certificate.empty()) return;
        out.constructed(kSequence,
                        [&] { out.constructed(context(0, true), [&] { out.raw(certificate); }); });
      });
    });
  });
  return out.take();
}

Bytes cmp_revocation_response(const CmpStatusInfo& status) {
  asn1::Writer out;
  out.constructed(kSequence,
                  [&] { out.constructed(kSequence, [&] { write_status(out, status); }); });
  return out.take();
}
Bytes cmp_error(const CmpStatusInfo& status) {
  asn1::Writer out;
  out.constructed(kSequence, [&] { write_status(out, status); });
  return out.take();
}
Bytes cmp_poll_response(std::int64_t request_id, std::uint64_t after_seconds) {
  asn1::Writer out;
  out.constructed(kSequence, [&] {
    out.constructed(kSequence, [&] {
      out.integer(request_id);
      out.unsigned_integer(after_seconds);
    });
  });
  return out.take();
}
Bytes cmp_confirmation() {
  asn1::Writer out;
  out.null();
  return out.take();
}

Bytes cmp_directory_name(const x509::Name& name) {
  asn1::Writer out;
  out.constructed(context(4, true), [&] { out.raw(x509::encode_name(name)); });
  return out.take();
}

Bytes encode_cmp(const CmpHeader& header, CmpBody body, BytesView content,
                 const crypto::PrivateKey* key, std::span<const Bytes> extra_certificates) {
  asn1::Writer parts, part, out;
  write_header(parts, header, key != nullptr);
  parts.constructed(context(static_cast<unsigned>(body), true), [&] { parts.raw(content); });
  part.constructed(kSequence, [&] { part.raw(parts.bytes()); });
  out.constructed(kSequence, [&] {
    out.raw(parts.bytes());
    if (key)
      out.constructed(context(0, true), [&] {
        const crypto::Signature made = key->sign(crypto::sha256(part.bytes()));
        out.bit_string(crypto::signature_to_der(made), 0);
      });
    if (extra_certificates.empty()) return;
    out.constructed(context(1, true), [&] {
      out.constructed(kSequence, [&] {
        for (const Bytes& one : extra_certificates) out.raw(one);
      });
    });
  });
  return out.take();
}

}  // namespace wattseal::smki
