// Object identifiers that X.509 and PKCS#10 are made of, in encoded form, and small reading
// helpers. Private to x509.
#pragma once
#include "x509/x509.h"

namespace wattseal::x509 {

inline constexpr std::array<Octet, 7> kEcPublicKey{0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
inline constexpr std::array<Octet, 8> kPrime256v1{0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
inline constexpr std::array<Octet, 8> kEcdsaWithSha256{0x2A, 0x86, 0x48, 0xCE,
                                                       0x3D, 0x04, 0x03, 0x02};
inline constexpr std::array<Octet, 9> kExtensionRequest{0x2A, 0x86, 0x48, 0x86, 0xF7,
                                                        0x0D, 0x01, 0x09, 0x0E};
// 2.5.29.n
inline constexpr std::array<Octet, 3> kSubjectKeyId{0x55, 0x1D, 14}, kKeyUsage{0x55, 0x1D, 15},
    kSubjectAltName{0x55, 0x1D, 17}, kBasicConstraints{0x55, 0x1D, 19}, kCrlNumber{0x55, 0x1D, 20},
    kReasonCode{0x55, 0x1D, 21}, kCertificatePolicies{0x55, 0x1D, 32},
    kAuthorityKeyId{0x55, 0x1D, 35};

inline Refusal refuse(RuleId rule, std::string detail, std::string field = {}) {
  return {rule, std::move(detail), std::move(field)};
}

Status expect_signature_algorithm(asn1::Reader& reader);  // ecdsa-with-SHA256 without parameters
void write_signature_algorithm(asn1::Writer& writer);
Result<crypto::Signature> read_signature(
    asn1::Reader& reader);  // BIT STRING around Ecdsa-Sig-Value
void write_signature(asn1::Writer& writer, const crypto::Signature& signature);
Result<crypto::PublicPoint> read_public_key(asn1::Reader& reader);  // SubjectPublicKeyInfo
void write_public_key(asn1::Writer& writer, const crypto::PublicPoint& key);
Result<Name> read_name(asn1::Reader& reader);

Result<std::vector<Extension>> read_extensions(
    asn1::Reader& reader);  // the SEQUENCE OF; refuses repeated ones
void write_extensions(asn1::Writer& writer, const std::vector<Extension>& extensions);
const Extension* find_extension(const std::vector<Extension>& extensions, BytesView oid);
Result<unsigned> read_key_usage(BytesView value);
Result<std::optional<HardwareModule>> read_hardware_module(BytesView value);
Result<BasicConstraints> read_constraints(BytesView value);
Result<std::optional<Bytes>> read_authority_key_id(BytesView value);
Result<std::vector<Bytes>> read_policies(BytesView value);
Result<Bytes> read_octet_string(BytesView value);

}  // namespace wattseal::x509
