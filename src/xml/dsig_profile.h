// The shape of the one signature that is accepted. See dsig.h for the profile; here a Signature
// element is compared with it.
#pragma once
#include "base/result.h"
#include "xml/dsig.h"
#include "xml/tree.h"

namespace wattseal::xml {

// Indices and views into the document's tree. Only the shape is proven: nothing here is verified.
struct SignatureParts {
  std::uint32_t signature = 0, signed_info = 0;
  std::string_view digest_value, signature_value;  // base64, may hold white space
  std::string_view issuer_name, serial;            // as written
};

// The only Signature of the document, which is the last child element of its root. Refuses
// dsig-missing, dsig-profile.
Result<std::uint32_t> find_signature(const Tree& tree);
// Refuses dsig-missing, dsig-profile, dsig-key-info.
Result<SignatureParts> read_signature(const Tree& tree);

// Algorithm identifiers, for reading and writing alike.
inline constexpr std::string_view kExclusiveC14n = "http://www.w3.org/2001/10/xml-exc-c14n#";
inline constexpr std::string_view kEcdsaSha256 =
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
inline constexpr std::string_view kEnveloped =
    "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
inline constexpr std::string_view kSha256 = "http://www.w3.org/2001/04/xmlenc#sha256";

}  // namespace wattseal::xml
