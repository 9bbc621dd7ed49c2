#include "xml/dsig_profile.h"

#include <array>

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

bool is_signature_element(const xmlNode& node, std::string_view name) {
  return node.type == XML_ELEMENT_NODE && view(node.name) == name &&
         namespace_of(node) == kDsigNamespace;
}

bool is_blank(const xmlNode& node) {
  return node.type == XML_COMMENT_NODE ||
         (node.type == XML_TEXT_NODE && trim(view(node.content)).empty());
}

// Walks a Signature beside kShape. Comments and white space may stand between elements, never
// inside a value: programs differ in which part of a value around a comment they read.
class Reader {
 public:
  explicit Reader(SignatureParts& parts) : parts_(parts) {}

  Status read(const xmlNode& signature) {
    TRY(element(signature, 0));
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

  Status element(const xmlNode& node, int depth) {
    if (next_ == kShape.size()) {
      const RuleId rule = depth > 1 ? "dsig-key-info"_rule : "dsig-profile"_rule;
      return Refusal{rule, "The signature has an element more than the profile.", "Signature"};
    }
    const Row& row = kShape[next_];
    if (row.depth != depth || !is_signature_element(node, row.name))
      return refuse("is not in its place");
    TRY(attributes(node, row));
    if (row.name == "SignedInfo") parts_.signed_info = &node;
    if (row.content == Content::text) return value(node);
    ++next_;
    for (const xmlNode* child = node.children; child; child = child->next) {
      if (child->type == XML_ELEMENT_NODE)
        TRY(element(*child, depth + 1));
      else if (!is_blank(*child))
        return refuse("comes after text or a processing instruction");
    }
    return {};
  }

  Status attributes(const xmlNode& node, const Row& row) const {
    const xmlAttr* attribute = node.properties;
    if (row.attribute.empty()) return attribute ? Status(refuse("has an attribute")) : Status();
    const bool alone =
        attribute && !attribute->next && !attribute->ns && view(attribute->name) == row.attribute;
    if (!alone) return refuse("does not have exactly its one attribute");
    const xmlNode* text = attribute->children;
    if (text && text->next) return refuse("has a reference in its attribute");
    if ((text ? view(text->content) : std::string_view()) != row.value)
      return refuse("has an attribute value out of profile");
    return {};
  }

  Status value(const xmlNode& node) {
    const xmlNode* text = node.children;
    if (!text || text->next || text->type != XML_TEXT_NODE) return refuse("is not plain text");
    const std::string_view content = view(text->content);
    if (content.size() > kValueOctetsMax || trim(content).empty())
      return refuse("is empty or too long");
    *value_of(kShape[next_].name) = content;
    ++next_;
    return {};
  }

  std::string* value_of(std::string_view name) const {
    if (name == "DigestValue") return &parts_.digest_value;
    if (name == "SignatureValue") return &parts_.signature_value;
    if (name == "X509IssuerName") return &parts_.issuer_name;
    CHECK(name == "X509SerialNumber");
    return &parts_.serial;
  }

  SignatureParts& parts_;
  std::size_t next_ = 0;
};

// The next node in document order, or null after the last.
const xmlNode* following(const xmlNode* node) {
  if (node->type == XML_ELEMENT_NODE && node->children) return node->children;
  while (node && !node->next) node = node->parent;
  return node && node->type != XML_DOCUMENT_NODE ? node->next : nullptr;
}

const xmlNode* root_of(const xmlDoc& tree) {
  const xmlNode* node = tree.children;
  while (node && node->type != XML_ELEMENT_NODE) node = node->next;
  CHECK(node);
  return node;
}

}  // namespace

Result<const xmlNode*> find_signature(const xmlDoc& tree) {
  const xmlNode* root = root_of(tree);
  const xmlNode* found = nullptr;
  for (const xmlNode* node = root; node; node = following(node)) {
    if (!is_signature_element(*node, "Signature")) continue;
    if (found) return Refusal{"dsig-profile"_rule, "The document has more than one Signature."};
    found = node;
  }
  if (!found) return Refusal{"dsig-missing"_rule, "The document has no Signature."};
  bool last = found->parent == root;
  for (const xmlNode* after = found->next; after; after = after->next)
    last = last && is_blank(*after);
  if (!last)
    return Refusal{"dsig-profile"_rule,
                   "The Signature is not the last child of the document element."};
  return found;
}

Result<SignatureParts> read_signature(const xmlDoc& tree) {
  SignatureParts parts;
  TRY_ASSIGN(parts.signature, find_signature(tree));
  TRY(Reader(parts).read(*parts.signature));
  return parts;
}

}  // namespace wattseal::xml
