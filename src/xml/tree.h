// What a Document really holds: everything that its canonical form depends on (prefixes, order of
// declarations, processing instructions), flat and in document order, beside the plain values that
// everybody else reads. Two readers fill it: plain_reader.h for documents of the simple kind that
// programs write, libxml2 for all others. For parse.cc, c14n.cc and dsig.cc only.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace wattseal::xml {

// All texts are views of the document or of what Tree::decoded or libxml2's tree keep.
struct TreeAttribute {
  std::string_view prefix, name, uri, value;
  bool escapes = true;  // as Node::escapes
};
struct Declaration {
  std::string_view prefix, uri;
};

enum class NodeKind : std::uint8_t { element, text, comment, instruction };

// A node's descendants follow it; `end` is the index after the last of them.
struct Node {
  NodeKind kind = NodeKind::element;
  bool escapes = true;                // false: nothing in `content` is written as a reference
  std::uint32_t parent = 0, end = 0;  // a node beside the root has itself as parent
  std::uint32_t first_attribute = 0, attributes = 0, first_declaration = 0, declarations = 0;
  std::uint32_t child_elements = 0;
  std::string_view prefix, uri;  // of an element
  std::string_view name;         // of an element or instruction
  std::string_view content;      // of all but an element
};

struct Tree {
  std::vector<Node> nodes;
  std::vector<TreeAttribute> attributes;
  std::vector<Declaration> declarations;
  std::deque<std::string> decoded;
  std::uint32_t root = 0;  // index of the document element
};

}  // namespace wattseal::xml
