// X.509 as RFC 5280 and RFC 5759 restrict it to P-256: certificates, PKCS#10 requests, revocation
// lists, path validation. No term of the GB industry appears here. Everything parsed keeps its
// exact octets; decoding is strict DER. Errors: der-*, x509-* (structure, algorithm, extension),
// key-*. Nothing here reads a clock. Thread-safe.
#pragma once
#include <memory>

#include "asn1/der.h"
#include "base/time.h"
#include "base/types.h"
#include "crypto/keys.h"

namespace wattseal::x509 {

// One attribute per RDN, in order. `oid` is the encoded content. BIT STRING values are held without
// the unused-bits octet.
struct NameAttribute {
  Bytes oid;
  Octet tag = 0;
  Bytes value;
  friend bool operator==(const NameAttribute&, const NameAttribute&) = default;
};
using Name = std::vector<NameAttribute>;

namespace oid {  // encoded contents
extern const Bytes common_name, organizational_unit,
    unique_identifier;                            // 2.5.4.3, 2.5.4.11, 2.5.4.45
extern const Bytes hardware_module_name;          // 1.3.6.1.5.5.7.8.4
extern const Bytes wrapped_apex_contingency_key;  // 1.3.6.1.5.5.7.1.20
Bytes from_text(std::string_view dotted);         // CHECKs that it is well formed
std::string to_text(BytesView encoded);
}  // namespace oid

Bytes encode_name(const Name& name);  // the whole SEQUENCE
// RFC 4514 text, last RDN first: "CN=Z1,OU=07".
std::string name_text(const Name& name);
// Compares as RFC 4514 readers write it: spaces after commas ignored, attribute names in any case.
bool same_name_text(std::string_view a, std::string_view b);

namespace key_usage {  // bit n of RFC 5280 4.2.1.3 is 1 << n
inline constexpr unsigned digital_signature = 1u << 0, key_agreement = 1u << 4,
                          key_cert_sign = 1u << 5, crl_sign = 1u << 6;
}

struct BasicConstraints {
  bool ca = false;
  std::optional<unsigned> path_length;
  friend bool operator==(const BasicConstraints&, const BasicConstraints&) = default;
};

struct HardwareModule {  // subjectAltName otherName hardwareModuleName, RFC 4108
  Bytes type_oid;
  Bytes serial;
  friend bool operator==(const HardwareModule&, const HardwareModule&) = default;
};

struct Extension {
  Bytes oid;
  bool critical = false;
  Bytes value;  // inside the OCTET STRING
};

// What is to be signed, field by field; encode_tbs() gives the one DER encoding, extensions in the
// order given.
struct TbsCertificate {
  CertificateSerial serial;
  Name issuer;
  UtcTime not_before, not_after;
  Name subject;
  crypto::PublicPoint key{};
  std::vector<Extension> extensions;
};
Bytes encode_tbs(const TbsCertificate& tbs);
Bytes assemble_certificate(BytesView tbs, const crypto::Signature& signature);

struct Certificate {
  Bytes der;
  Bytes tbs;  // exact signed octets
  crypto::Signature signature{};
  CertificateSerial serial;
  Name issuer, subject;
  Bytes issuer_der, subject_der;
  UtcTime not_before, not_after;
  crypto::PublicPoint key{};
  std::vector<Extension> extensions;  // in order
  // Decoded from the extensions; absent where the extension is.
  std::optional<unsigned> usage;
  std::optional<Bytes> subject_key_id, authority_key_id;
  std::vector<Bytes> policies;
  std::optional<BasicConstraints> constraints;
  std::optional<HardwareModule> hardware_module;
};
Result<Certificate> parse_certificate(BytesView der);  // at most 8 KiB; refuses trailing octets
// Octets that are still to be signed: the same, with neither `der` nor a signature.
Result<Certificate> parse_tbs(BytesView tbs);
Result<Certificate> parse_certificate_pem(std::string_view pem);
std::string to_pem(std::string_view label, BytesView der);
Result<Bytes> from_pem(std::string_view label, std::string_view pem);  // refuses pem-malformed
// The signature alone; names, dates and extensions are validate_path's.
bool signed_by(const Certificate& certificate, const crypto::PublicPoint& issuer_key);

// RFC 5280 4.2.1.2 method 2: 0100 and the low 60 bits of SHA-1 of the point.
std::array<Octet, 8> key_identifier(const crypto::PublicPoint& key);

// Ready-made extensions in DER.
Extension usage_extension(unsigned usage);
Extension constraints_extension(const BasicConstraints& constraints);
Extension subject_key_id_extension(BytesView id);
Extension authority_key_id_extension(BytesView id);
Extension policy_extension(BytesView policy_oid, bool critical);
Extension hardware_module_extension(const HardwareModule& module);

struct CertificationRequest {
  Bytes der;
  Bytes info;  // exact signed octets
  crypto::Signature signature{};
  Name subject;
  crypto::PublicPoint key{};
  std::vector<Extension> extensions;  // of the one extensionRequest attribute
  std::optional<unsigned> usage;
  std::optional<HardwareModule> hardware_module;
};
// 4 KiB at most: PKCS#10 with exactly the attribute extensionRequest, or a CertReqMsg (RFC 4211).
Result<CertificationRequest> parse_request(BytesView der);
bool proves_possession(const CertificationRequest& request);
crypto::Claim possession_claim(const CertificationRequest& request);  // the same for verify_many
Bytes make_request(const Name& subject, const std::vector<Extension>& extensions,
                   const crypto::PrivateKey& key);

struct RevokedEntry {
  CertificateSerial serial;
  UtcTime at;
  std::optional<unsigned> reason;  // CRLReason
};
struct TbsCrl {
  Name issuer;
  UtcTime this_update, next_update;
  std::vector<RevokedEntry> entries;  // any order; encoded in serial order
  Bytes authority_key_id;
  std::uint64_t number = 0;
};
Bytes encode_tbs_crl(const TbsCrl& tbs);  // to be signed and given to assemble_certificate()
Bytes make_crl(const TbsCrl& tbs, const crypto::PrivateKey& issuer);
struct Crl {
  Bytes der, tbs, issuer_der;
  crypto::Signature signature{};
  UtcTime this_update, next_update;
  std::vector<RevokedEntry> entries;  // sorted by serial
  std::optional<Bytes> authority_key_id;
  std::uint64_t number = 0;
  bool revokes(const CertificateSerial& serial) const;  // binary search
};
Result<Crl> parse_crl(BytesView der);
bool signed_by(const Crl& crl, const crypto::PublicPoint& issuer_key);

enum class TimeCheck { apply, disapply };
// Leaf first, each signed by the next, the last one signed by `anchor` (which may be self-signed).
// Demands on every issuer: name bytes equal, AKI = SKI where both are, cA and keyCertSign, path
// length; on every certificate: no unknown critical extension, dates at `now` unless disapplied.
// Source: RFC 5280 6.1.
Status validate_path(std::span<const Certificate> chain, const Certificate& anchor, UtcTime now,
                     TimeCheck time = TimeCheck::apply);

}  // namespace wattseal::x509
