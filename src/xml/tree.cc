// From libxml2's tree to ours.
#include "xml/watched_parser.h"

namespace wattseal::xml {
namespace {

class Copier {
 public:
  // Recursion is bounded by kDepthMax. Only the kinds of nodes that Tree has are ever parsed: there
  // is no DTD, so no reference stays one.
  void nodes(const xmlNode* first, std::uint32_t parent, bool beside_root) {
    for (const xmlNode* one = first; one; one = one->next) {
      const std::uint32_t index = static_cast<std::uint32_t>(tree_.nodes.size());
      Node node;
      node.parent = beside_root ? index : parent;
      node.end = index + 1;
      switch (one->type) {
        case XML_ELEMENT_NODE: break;
        case XML_TEXT_NODE: node.kind = NodeKind::text; break;
        case XML_COMMENT_NODE: node.kind = NodeKind::comment; break;
        case XML_PI_NODE: node.kind = NodeKind::instruction; break;
        default: UNREACHABLE();
      }
      node.name = view(one->name);
      if (node.kind != NodeKind::element) {
        node.content = view(one->content);
        tree_.nodes.push_back(node);
        continue;
      }
      if (one->ns) {
        node.prefix = view(one->ns->prefix);
        node.uri = view(one->ns->href);
      }
      if (beside_root)
        tree_.root = index;
      else
        ++tree_.nodes[parent].child_elements;
      declarations(*one, node);
      attributes(*one, node);
      tree_.nodes.push_back(node);
      nodes(one->children, index, false);
      tree_.nodes[index].end = static_cast<std::uint32_t>(tree_.nodes.size());
    }
  }

  Tree take() { return std::move(tree_); }

 private:
  void declarations(const xmlNode& from, Node& node) {
    node.first_declaration = static_cast<std::uint32_t>(tree_.declarations.size());
    for (const xmlNs* ns = from.nsDef; ns; ns = ns->next, ++node.declarations)
      tree_.declarations.push_back({view(ns->prefix), view(ns->href)});
  }

  void attributes(const xmlNode& from, Node& node) {
    node.first_attribute = static_cast<std::uint32_t>(tree_.attributes.size());
    for (const xmlAttr* one = from.properties; one; one = one->next, ++node.attributes) {
      TreeAttribute& made = tree_.attributes.emplace_back();
      made.name = view(one->name);
      if (one->ns) {
        made.prefix = view(one->ns->prefix);
        made.uri = view(one->ns->href);
      }
      const xmlNode* const first = one->children;
      if (first && !first->next) {
        made.value = view(first->content);
      } else if (first) {
        std::string& joined = tree_.decoded.emplace_back();
        for (const xmlNode* part = first; part; part = part->next) joined += view(part->content);
        made.value = joined;
      }
    }
  }

  Tree tree_;
};

}  // namespace

Tree tree_of(const xmlDoc& document) {
  Copier copier;
  copier.nodes(document.children, 0, true);
  return copier.take();
}

}  // namespace wattseal::xml
