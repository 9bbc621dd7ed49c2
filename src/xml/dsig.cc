// Verifying and making the one kind of XML signature. What is digested is the document without its
// Signature element; the digest stands in SignedInfo, and SignedInfo is what ECDSA signs.
#include "xml/dsig.h"

#include "xml/c14n.h"
#include "xml/dsig_profile.h"
#include "xml/native.h"

namespace wattseal::xml {
namespace {

constexpr std::string_view kDeclaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

Refusal refuse_no_canonical_form() {
  return {"dsig-profile"_rule, "The document has no canonical form (a relative namespace URI?)."};
}

template <std::size_t N>
std::optional<std::array<Octet, N>> decode_exactly(std::string_view base64) {
  const std::optional<Bytes> octets = from_base64(base64);
  if (!octets || octets->size() != N) return std::nullopt;
  std::array<Octet, N> exact{};
  std::ranges::copy(*octets, exact.begin());
  return exact;
}

std::string method(const std::string& name, std::string_view algorithm) {
  return "<ds:" + name + " Algorithm=\"" + std::string(algorithm) + "\"></ds:" + name + ">";
}

// SignedInfo, in which exclusive canonicalisation changes nothing but `declaration`: what is signed
// is the apex of its own small document and so declares the prefix; in the document Signature has
// done that.
std::string signed_info_element(const crypto::Digest& digest, const std::string& declaration) {
  return "<ds:SignedInfo" + declaration + ">" + method("CanonicalizationMethod", kExclusiveC14n) +
         method("SignatureMethod", kEcdsaSha256) + "<ds:Reference URI=\"\"><ds:Transforms>" +
         method("Transform", kEnveloped) + "</ds:Transforms>" + method("DigestMethod", kSha256) +
         "<ds:DigestValue>" + to_base64(digest) +
         "</ds:DigestValue></ds:Reference></ds:SignedInfo>";
}

std::string declaration_of_prefix() { return " xmlns:ds=\"" + std::string(kDsigNamespace) + "\""; }

// What is signed of a document whose digest is given.
crypto::Digest signed_info_digest(const crypto::Digest& digest) {
  return crypto::sha256(as_bytes(signed_info_element(digest, declaration_of_prefix())));
}

std::string signature_element(const crypto::Digest& digest, const IssuerSerial& signer,
                              const crypto::Signature& value) {
  const std::string declaration = declaration_of_prefix();
  return "<ds:Signature" + declaration + ">" + signed_info_element(digest, "") +
         "<ds:SignatureValue>" + to_base64(value) +
         "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>" +
         escape(signer.issuer_name) + "</ds:X509IssuerName><ds:X509SerialNumber>" +
         signer.serial.decimal() +
         "</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data></ds:KeyInfo></ds:Signature>";
}

// The canonical form with the Signature before its last end tag.
std::string with_signature(std::string content, const std::string& signature) {
  const std::size_t end_tag = content.rfind("</");
  CHECK(end_tag != std::string::npos);
  content.insert(end_tag, signature);
  return std::string(kDeclaration) + content;
}

// The Signature that sign() replaces, or kNothing. One that stands anywhere else would make the
// result fail the profile.
Result<std::uint32_t> replaced_signature(const Tree& tree) {
  const Result<std::uint32_t> found = find_signature(tree);
  if (!found && found.refusal().rule == "dsig-missing"_rule) return kNothing;
  return found;
}

// Then the root's end tag would not be the last in the canonical form.
bool has_instruction_after_root(const Tree& tree) {
  return std::any_of(tree.nodes.begin() + tree.nodes[tree.root].end, tree.nodes.end(),
                     [](const Node& node) { return node.kind == NodeKind::instruction; });
}

// `is_good` says whether a signature of a digest is the signer's.
template <typename IsGood>
Status verify_with(const Document& document, const IsGood& is_good) {
  const Tree& tree = document.native().tree;
  TRY_ASSIGN(const SignatureParts parts, read_signature(tree));
  const std::optional<std::string> content = canonical_without(tree, parts.signature);
  const std::optional<std::string> signed_info = canonical_exclusive(tree, parts.signed_info);
  if (!content || !signed_info) return refuse_no_canonical_form();
  const std::optional<crypto::Digest> stated = decode_exactly<32>(parts.digest_value);
  if (!stated || *stated != crypto::sha256(as_bytes(*content))) {
    return Refusal{"dsig-digest"_rule, "DigestValue is not the SHA-256 of the document.",
                   "Signature/SignedInfo"};
  }
  const std::optional<crypto::Signature> value = decode_exactly<64>(parts.signature_value);
  if (!value || !is_good(crypto::sha256(as_bytes(*signed_info)), *value)) {
    return Refusal{"dsig-signature"_rule, "SignatureValue does not verify with the signer's key.",
                   "Signature/SignatureValue"};
  }
  return {};
}

}  // namespace

Result<IssuerSerial> claimed_signer(const Document& document) {
  TRY_ASSIGN(const SignatureParts parts, read_signature(document.native().tree));
  const Result<CertificateSerial> serial = CertificateSerial::parse_decimal(trim(parts.serial));
  if (!serial)
    return Refusal{"dsig-key-info"_rule, "X509SerialNumber: " + serial.refusal().detail, "KeyInfo"};
  return IssuerSerial{std::string(trim(parts.issuer_name)), *serial};
}

Status verify_signature(const Document& document, const crypto::PublicPoint& signer) {
  return verify_with(document, [&](const crypto::Digest& digest, const crypto::Signature& value) {
    return crypto::verify(signer, digest, value);
  });
}
Status verify_signature(const Document& document, const crypto::FrequentKey& signer) {
  return verify_with(document, [&](const crypto::Digest& digest, const crypto::Signature& value) {
    return signer.verify(digest, value);
  });
}

// What leaves is the canonical form itself with the Signature before its last end tag: the octets
// that were digested are the octets that are sent. Comments are lost, which no signature covers
// anyway.
Result<std::string> sign(std::string_view document, const IssuerSerial& signer,
                         const crypto::PrivateKey& key) {
  CHECK(!trim(signer.issuer_name).empty());
  TRY_ASSIGN(const Document parsed, parse(document));
  const Tree& tree = parsed.native().tree;
  TRY_ASSIGN(const std::uint32_t replaced, replaced_signature(tree));
  if (has_instruction_after_root(tree)) {
    return Refusal{"dsig-profile"_rule, "A processing instruction follows the document element."};
  }
  std::optional<std::string> content = canonical_without(tree, replaced);
  if (!content) return refuse_no_canonical_form();
  const crypto::Digest digest = crypto::sha256(as_bytes(*content));
  return with_signature(std::move(*content),
                        signature_element(digest, signer, key.sign(signed_info_digest(digest))));
}

std::vector<std::string> sign_many(std::span<const Element> documents,
                                   const std::vector<Prefix>& prefixes, const IssuerSerial& signer,
                                   const crypto::PrivateKey& key) {
  CHECK(!trim(signer.issuer_name).empty());
  std::vector<std::string> contents;
  std::vector<crypto::Digest> digests, to_sign;
  for (const Element& document : documents) {
    contents.push_back(write_canonical(document, prefixes));
    digests.push_back(crypto::sha256(as_bytes(contents.back())));
    to_sign.push_back(signed_info_digest(digests.back()));
  }
  const std::vector<crypto::Signature> signatures = key.sign_many(to_sign);
  for (std::size_t i = 0; i < contents.size(); ++i)
    contents[i] = with_signature(std::move(contents[i]),
                                 signature_element(digests[i], signer, signatures[i]));
  return contents;
}

Result<std::string> without_signature(const Document& document) {
  const Tree& tree = document.native().tree;
  TRY_ASSIGN(const std::uint32_t signature, find_signature(tree));
  const std::optional<std::string> content = canonical_without(tree, signature);
  if (!content) return refuse_no_canonical_form();
  return std::string(kDeclaration) + *content;
}

}  // namespace wattseal::xml
