// XML signatures in the one profile the field uses, and no other: enveloped, one Reference URI=""
// with the enveloped-signature transform alone, SHA-256, ecdsa-sha256 (r||s), exclusive C14N for
// SignedInfo, KeyInfo/X509Data/X509IssuerSerial; the Signature is the last child of the document
// element and the only one anywhere (so nothing can be wrapped). Errors: dsig-missing, dsig-profile
// (algorithm, transform, position, count), dsig-digest, dsig-signature, dsig-key-info. Source:
// spec/gbcs-duis.md 3.7; W3C xmldsig-core; stack.md trap 30 (the Reference is digested with
// inclusive C14N 1.0).
#pragma once
#include "base/types.h"
#include "crypto/frequent_key.h"
#include "crypto/keys.h"
#include "xml/xml.h"

namespace wattseal::xml {

inline constexpr std::string_view kDsigNamespace = "http://www.w3.org/2000/09/xmldsig#";

struct IssuerSerial {
  std::string issuer_name;  // RFC 4514 text such as "CN=Z1,OU=07"
  CertificateSerial serial;
  friend bool operator==(const IssuerSerial&, const IssuerSerial&) = default;
};

// Checks the profile and says whose certificate to fetch; nothing is verified yet.
Result<IssuerSerial> claimed_signer(const Document& document);
// Digest and signature over the exact document.
Status verify_signature(const Document& document, const crypto::PublicPoint& signer);
Status verify_signature(const Document& document, const crypto::FrequentKey& signer);
// The document with a signature appended as last child; an existing signature is replaced.
Result<std::string> sign(std::string_view document, const IssuerSerial& signer,
                         const crypto::PrivateKey& key);
// Documents that are written and signed together, which costs a third of signing each: what sign()
// makes of write(), but for the signatures' chance. No document holds a Signature.
std::vector<std::string> sign_many(std::span<const Element> documents,
                                   const std::vector<Prefix>& prefixes, const IssuerSerial& signer,
                                   const crypto::PrivateKey& key);
// The document as it was digested: its canonical form, without the signature. Refuses dsig-missing,
// dsig-profile.
Result<std::string> without_signature(const Document& document);

}  // namespace wattseal::xml
