// From text to plain values: what can be refused by looking at the octets, then the guarded parse,
// then the copy.
#include "xml/watched_parser.h"

namespace wattseal::xml {
namespace {

// A NUL would end the text early for any C function, and all encodings but UTF-8 that libxml2
// recognises by their first octets either hold one or do not begin like this.
Status check_octets(std::string_view text, const Limits& limits) {
  if (text.size() > limits.octets || text.size() > std::size_t{INT32_MAX}) {
    return Refusal{"xml-too-large"_rule, "The document has " + std::to_string(text.size()) +
                                             " octets; at most " + std::to_string(limits.octets) +
                                             " are read."};
  }
  if (text.find('\0') != std::string_view::npos)
    return Refusal{"xml-malformed"_rule, "The document holds a NUL octet."};
  std::string_view start = text;
  if (start.starts_with("\xEF\xBB\xBF")) start.remove_prefix(3);
  if (start.empty() || (start.front() != '<' && !is_space(start.front()))) {
    return Refusal{"xml-malformed"_rule,
                   "The document does not begin with an element or declaration in UTF-8."};
  }
  return {};
}

constexpr std::string_view kInstanceNamespace = "http://www.w3.org/2001/XMLSchema-instance";

// Attributes in a namespace (xsi:schemaLocation, xml:lang) are left out: the field's schemas have
// none, and by its local name alone x:schemaVersion would pass for schemaVersion.
void fill_attributes(Element& element, const xmlNode& node) {
  for (const xmlAttr* attribute = node.properties; attribute; attribute = attribute->next) {
    if (attribute->ns) {
      const std::string_view name = view(attribute->name);
      const bool hint = view(attribute->ns->href) == kInstanceNamespace &&
                        (name == "schemaLocation" || name == "noNamespaceSchemaLocation");
      element.foreign_attribute = element.foreign_attribute || !hint;
      continue;
    }
    Attribute& added = element.attributes.emplace_back();
    added.name = view(attribute->name);
    for (const xmlNode* part = attribute->children; part; part = part->next)
      added.value += view(part->content);
  }
}

// Recursion is bounded by kDepthMax.
void fill(Element& element, const xmlNode& node) {
  element.ns = namespace_of(node);
  element.name = view(node.name);
  fill_attributes(element, node);
  std::size_t children = 0;
  for (const xmlNode* child = node.children; child; child = child->next)
    children += child->type == XML_ELEMENT_NODE;
  element.children.reserve(children);
  for (const xmlNode* child = node.children; child; child = child->next) {
    if (child->type == XML_ELEMENT_NODE) fill(element.children.emplace_back(), *child);
    if (child->type == XML_TEXT_NODE) element.text += view(child->content);
  }
}

}  // namespace

Document::Document(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;
const Element& Document::root() const { return native_->root; }

Result<Document> parse(std::string_view text, const Limits& limits) {
  TRY(check_octets(text, limits));
  auto native = std::make_unique<Document::Native>();
  TRY_ASSIGN(native->tree, parse_tree(text, limits));
  fill(native->root, *xmlDocGetRootElement(native->tree.get()));
  return Document(std::move(native));
}

}  // namespace wattseal::xml
