// From text to plain values: what can be refused by looking at the octets, then the quick reader or
// the guarded parse, then the copy.
#include "xml/dsig.h"
#include "xml/plain_reader.h"
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

class Filler {
 public:
  explicit Filler(const Tree& tree) : tree_(tree) {}

  // Recursion is bounded by kDepthMax.
  void fill(Element& element, const Node& node) {
    element.ns = node.uri;
    element.name = node.name;
    attributes(element, node);
    if (node.name == "Signature" && node.uri == kDsigNamespace) return;
    element.children.reserve(node.child_elements);
    const Node* const nodes = tree_.nodes.data();
    for (const Node* child = &node + 1; child != nodes + node.end; child = nodes + child->end) {
      if (child->kind == NodeKind::element) fill(element.children.emplace_back(), *child);
      if (child->kind == NodeKind::text) element.text += child->content;
    }
  }

 private:
  // Attributes in a namespace (xsi:schemaLocation, xml:lang) are left out: the field's schemas have
  // none, and by its local name alone x:schemaVersion would pass for schemaVersion.
  void attributes(Element& element, const Node& node) {
    for (std::uint32_t i = 0; i < node.attributes; ++i) {
      const TreeAttribute& one = tree_.attributes[node.first_attribute + i];
      if (one.uri.empty()) {
        element.attributes.push_back({std::string(one.name), std::string(one.value)});
        continue;
      }
      const bool hint = one.uri == kInstanceNamespace &&
                        (one.name == "schemaLocation" || one.name == "noNamespaceSchemaLocation");
      element.foreign_attribute = element.foreign_attribute || !hint;
    }
  }

  const Tree& tree_;
};

}  // namespace

Document::Document(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;
const Element& Document::root() const { return native_->root; }

Result<Document> parse(std::string_view text, const Limits& limits) {
  TRY(check_octets(text, limits));
  auto native = std::make_unique<Document::Native>();
  native->text = text;
  if (!read_plain(native->text, limits, native->tree)) {
    native->text.clear();
    TRY_ASSIGN(native->parsed, parse_tree(text, limits));
    native->tree = tree_of(*native->parsed);
  }
  Filler(native->tree).fill(native->root, native->tree.nodes[native->tree.root]);
  return Document(std::move(native));
}

}  // namespace wattseal::xml
