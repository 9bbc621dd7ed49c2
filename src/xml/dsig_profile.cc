#include "xml/dsig_profile.h"

#include <array>

#include "xml/native.h"

namespace wattseal::xml {
namespace {

enum class Content { elements, text };

// The elements of a Signature in document order. An element has exactly the attribute named here
// (none when empty) and exactly the child elements that follow it one level deeper. Source:
// spec/gbcs-duis.md 3.7.
struct Row {
  int depth;
  std::string_view name, attribute, value;
  Content content;
};
constexpr std::array<Row, 15> kShape{{
    {0, "Signature", "", "", Content::elements},
    {1, "SignedInfo", "", "", Content::elements},
    {2, "CanonicalizationMethod", "Algorithm", kExclusiveC14n, Content::elements},
    {2, "SignatureMethod", "Algorithm", kEcdsaSha256, Content::elements},
    {2, "Reference", "URI", "", Content::elements},
    {3, "Transforms", "", "", Content::elements},
    {4, "Transform", "Algorithm", kEnveloped, Content::elements},
    {3, "DigestMethod", "Algorithm", kSha256, Content::elements},
    {3, "DigestValue", "", "", Content::text},
    {1, "SignatureValue", "", "", Content::text},
    {1, "KeyInfo", "", "", Content::elements},
    {2, "X509Data", "", "", Content::elements},
    {3, "X509IssuerSerial", "", "", Content::elements},
    {4, "X509IssuerName", "", "", Content::text},
    {4, "X509SerialNumber", "", "", Content::text},
}};
constexpr std::size_t kKeyInfoRow = 10;
constexpr std::size_t kValueOctetsMax = 1024;  // of a digest, signature, name or serial as written

bool is_signature_element(const Node& node, std::string_view name) {
  return node.kind == NodeKind::element && node.name == name && node.uri == kDsigNamespace;
}

bool is_blank(const Node& node) {
  return node.kind == NodeKind::comment ||
         (node.kind == NodeKind::text && trim(node.content).empty());
}

// Walks a Signature beside kShape. Comments and white space may stand between elements, never
// inside a value: programs differ in which part of a value around a comment they read.
class Reader {
 public:
  Reader(const Tree& tree, SignatureParts& parts) : tree_(tree), parts_(parts) {}

  Status read() {
    TRY(element(parts_.signature, 0));
    if (next_ < kShape.size()) return refuse("is missing");
    return {};
  }

 private:
  // The refusal speaks of the row that was expected here.
  Refusal refuse(std::string_view why) const {
    const std::size_t row = std::min(next_, kShape.size() - 1);
    const RuleId rule = row >= kKeyInfoRow ? "dsig-key-info"_rule : "dsig-profile"_rule;
    return {rule,
            "In the signature, " + std::string(kShape[row].name) + " " + std::string(why) + ".",
            "Signature"};
  }

  Status element(std::uint32_t index, int depth) {
    const Node& node = tree_.nodes[index];
    if (next_ == kShape.size()) {
      const RuleId rule = depth > 1 ? "dsig-key-info"_rule : "dsig-profile"_rule;
      return Refusal{rule, "The signature has an element more than the profile.", "Signature"};
    }
    const Row& row = kShape[next_];
    if (row.depth != depth || !is_signature_element(node, row.name))
      return refuse("is not in its place");
    TRY(attributes(node, row));
    if (row.name == "SignedInfo") parts_.signed_info = index;
    if (row.content == Content::text) return value(index);
    ++next_;
    for (std::uint32_t i = index + 1; i < node.end; i = tree_.nodes[i].end) {
      if (tree_.nodes[i].kind == NodeKind::element)
        TRY(element(i, depth + 1));
      else if (!is_blank(tree_.nodes[i]))
        return refuse("comes after text or a processing instruction");
    }
    return {};
  }

  Status attributes(const Node& node, const Row& row) const {
    if (row.attribute.empty())
      return node.attributes > 0 ? Status(refuse("has an attribute")) : Status();
    const TreeAttribute* const attribute =
        node.attributes == 1 ? &tree_.attributes[node.first_attribute] : nullptr;
    if (!attribute || !attribute->uri.empty() || attribute->name != row.attribute)
      return refuse("does not have exactly its one attribute");
    if (attribute->value != row.value) return refuse("has an attribute value out of profile");
    return {};
  }

  Status value(std::uint32_t index) {
    const bool single = tree_.nodes[index].end == index + 2;
    if (!single || tree_.nodes[index + 1].kind != NodeKind::text)
      return refuse("is not plain text");
    const std::string_view content = tree_.nodes[index + 1].content;
    if (content.size() > kValueOctetsMax || trim(content).empty())
      return refuse("is empty or too long");
    *value_of(kShape[next_].name) = content;
    ++next_;
    return {};
  }

  std::string_view* value_of(std::string_view name) const {
    if (name == "DigestValue") return &parts_.digest_value;
    if (name == "SignatureValue") return &parts_.signature_value;
    if (name == "X509IssuerName") return &parts_.issuer_name;
    CHECK(name == "X509SerialNumber");
    return &parts_.serial;
  }

  const Tree& tree_;
  SignatureParts& parts_;
  std::size_t next_ = 0;
};

}  // namespace

Result<std::uint32_t> find_signature(const Tree& tree) {
  std::optional<std::uint32_t> found;
  for (std::uint32_t i = tree.root; i < tree.nodes[tree.root].end; ++i) {
    if (!is_signature_element(tree.nodes[i], "Signature")) continue;
    if (found) return Refusal{"dsig-profile"_rule, "The document has more than one Signature."};
    found = i;
  }
  if (!found) return Refusal{"dsig-missing"_rule, "The document has no Signature."};
  const Node& signature = tree.nodes[*found];
  bool last = *found != tree.root && signature.parent == tree.root;
  for (std::uint32_t i = signature.end; i < tree.nodes[tree.root].end; ++i)
    last = last && is_blank(tree.nodes[i]);
  if (!last)
    return Refusal{"dsig-profile"_rule,
                   "The Signature is not the last child of the document element."};
  return *found;
}

Result<SignatureParts> read_signature(const Tree& tree) {
  SignatureParts parts;
  TRY_ASSIGN(parts.signature, find_signature(tree));
  TRY(Reader(tree, parts).read());
  return parts;
}

}  // namespace wattseal::xml
