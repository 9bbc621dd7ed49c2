// What a Document really holds: libxml2's tree, which canonicalisation needs (prefixes, order of
// declarations, processing instructions), beside the plain values that everybody else reads. For
// parse.cc and dsig.cc only.
#pragma once
#include <libxml/tree.h>

#include <memory>

#include "xml/xml.h"

namespace wattseal::xml {

struct TreeDeleter {
  void operator()(xmlDoc* tree) const { xmlFreeDoc(tree); }
};
using Tree = std::unique_ptr<xmlDoc, TreeDeleter>;

struct Document::Native {
  Tree tree;
  Element root;
};

// libxml2's texts are NUL-terminated UTF-8 in unsigned char, and null when empty.
inline std::string_view view(const xmlChar* text) {
  return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}
inline std::string_view namespace_of(const xmlNode& node) {
  return node.ns ? view(node.ns->href) : std::string_view();
}
inline bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
std::string_view trim(std::string_view text);

}  // namespace wattseal::xml
