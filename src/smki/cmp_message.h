// Messages of the Certificate Management Protocol (RFC 4210, RFC 9483) as octets: a strict decoder
// of what clients send (ir, cr, p10cr, kur, rr, certConf, pollReq) and an encoder of what they are
// answered. Exactly one request in a message. Refuses cmp-message, cmp-body, der-*. Pure.
// Threads: any.
#pragma once
#include "base/time.h"
#include "crypto/keys.h"
#include "x509/x509.h"

namespace wattseal::smki {

enum class CmpBody : Octet {
  ir = 0,
  ip = 1,
  cr = 2,
  cp = 3,
  p10cr = 4,
  kur = 7,
  kup = 8,
  rr = 11,
  rp = 12,
  pkiconf = 19,
  error = 23,
  cert_conf = 24,
  poll_req = 25,
  poll_rep = 26
};

struct CmpHeader {
  std::uint64_t version = 2;
  Bytes sender, recipient;  // GeneralNames, encoded
  std::optional<UtcTime> time;
  Bytes sender_key_id;
  Bytes transaction, sender_nonce, recipient_nonce;
  bool implicit_confirm = false;
};

struct CmpMessage {
  CmpHeader header;
  CmpBody body = CmpBody::error;
  std::int64_t request_id = 0;                  // certReqId
  Bytes request;                                // ir, cr, kur: CertReqMsg; p10cr: PKCS#10
  std::optional<CertificateSerial> old_serial;  // kur: of the control oldCertID
  CertificateSerial serial;                     // rr
  std::optional<unsigned> reason;               // rr: CRLReason
  Bytes certificate_hash;                       // certConf
  bool accepted = true;                         // certConf
  Bytes protected_part;                         // what the signature is over
  std::optional<crypto::Signature> signature;   // absent: unprotected
  std::vector<Bytes> extra_certificates;
};
Result<CmpMessage> decode_cmp(BytesView der);

// PKIStatus and PKIFailureInfo bits, RFC 4210 5.2.3.
enum class CmpStatus { accepted = 0, rejection = 2, waiting = 3, revocation_warning = 4 };
struct CmpStatusInfo {
  CmpStatus status = CmpStatus::accepted;
  std::string text = {};
  std::optional<unsigned> failure = {};
};

// Contents of bodies.
Bytes cmp_certificate_response(std::int64_t request_id, const CmpStatusInfo& status,
                               BytesView certificate, std::span<const Bytes> ca_certificates);
Bytes cmp_revocation_response(const CmpStatusInfo& status);
Bytes cmp_error(const CmpStatusInfo& status);
Bytes cmp_poll_response(std::int64_t request_id, std::uint64_t after_seconds);
Bytes cmp_confirmation();

// A whole message, signed with ECDSA on P-256 where there is a key.
Bytes encode_cmp(const CmpHeader& header, CmpBody body, BytesView content,
                 const crypto::PrivateKey* key, std::span<const Bytes> extra_certificates);
Bytes cmp_directory_name(const x509::Name& name);  // a GeneralName

}  // namespace wattseal::smki
