// What stands behind a Document, and words of libxml2's. For the files of this module only.
#pragma once
#include <libxml/tree.h>

#include <memory>

#include "xml/tree.h"
#include "xml/xml.h"

namespace wattseal::xml {

struct XmlDocDeleter {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};
using XmlDoc = std::unique_ptr<xmlDoc, XmlDocDeleter>;

struct Document::Native {
  std::string text;  // what `tree` views, unless libxml2 read it:
  XmlDoc parsed;     // null when plain_reader did
  Tree tree;
  Element root;
};

// Of an element and of an open tag with it, as deep as libxml2 goes: it stops at 256.
inline constexpr std::size_t kDepthMax = 250;
// Of one element, namespace declarations included; the field needs about ten.
inline constexpr std::size_t kElementAttributesMax = 64;
inline constexpr std::size_t kNamespacesInScopeMax = 16;  // on an element and all around it

// libxml2's texts are NUL-terminated UTF-8 in unsigned char, and null when empty.
inline std::string_view view(const xmlChar* text) {
  return text ? std::string_view(reinterpret_cast<const char*>(text)) : std::string_view();
}
inline bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
std::string_view trim(std::string_view text);

}  // namespace wattseal::xml
