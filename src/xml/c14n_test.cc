// Our canonical form against libxml2's, octet by octet.
#include "xml/c14n.h"

#include <gtest/gtest.h>
#include <libxml/c14n.h>

#include <random>

#include "tests/vectors.h"
#include "xml/watched_parser.h"

namespace wattseal::xml {
namespace {

namespace fs = std::filesystem;

int is_visible(void* apexes, xmlNode* node, xmlNode* parent) {
  const auto& [omitted, apex] = *static_cast<std::pair<const xmlNode*, const xmlNode*>*>(apexes);
  bool below_apex = apex == nullptr || node == apex, below_omitted = node == omitted;
  for (const xmlNode* up = parent; up; up = up->parent) {
    below_apex = below_apex || up == apex;
    below_omitted = below_omitted || (omitted && up == omitted);
  }
  return below_apex && !below_omitted;
}

std::optional<std::string> judged(xmlDoc& tree, const xmlNode* omitted, const xmlNode* apex) {
  xmlSetStructuredErrorFunc(nullptr, [](void*, xmlError*) {});
  std::pair<const xmlNode*, const xmlNode*> apexes{omitted, apex};
  xmlOutputBuffer* const buffer = xmlAllocOutputBuffer(nullptr);
  const int result = xmlC14NExecute(
      &tree, is_visible, &apexes, apex ? XML_C14N_EXCLUSIVE_1_0 : XML_C14N_1_0, nullptr, 0, buffer);
  std::optional<std::string> text;
  if (result >= 0)
    text.emplace(reinterpret_cast<const char*>(xmlOutputBufferGetContent(buffer)),
                 xmlOutputBufferGetSize(buffer));
  xmlOutputBufferClose(buffer);
  return text;
}

// libxml2's elements in the order of ours.
std::vector<const xmlNode*> elements_of(const xmlDoc& tree) {
  std::vector<const xmlNode*> found;
  const auto walk = [&found](const xmlNode* node, const auto& self) -> void {
    for (; node; node = node->next) {
      if (node->type != XML_ELEMENT_NODE) continue;
      found.push_back(node);
      self(node->children, self);
    }
  };
  walk(tree.children, walk);
  return found;
}

// Of the whole document, of it without each of its elements, and of each element.
void compare(const std::string& text) {
  const Result<Document> document = parse(text);
  const Result<XmlDoc> theirs = parse_tree(text, {});
  ASSERT_EQ(document.ok(), theirs.ok()) << text;
  if (!document.ok()) return;
  const Tree& tree = document->native().tree;
  ASSERT_EQ(canonical_without(tree, kNothing), judged(**theirs, nullptr, nullptr)) << text;
  const std::vector<const xmlNode*> elements = elements_of(**theirs);
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < tree.nodes.size(); ++i) {
    if (tree.nodes[i].kind != NodeKind::element) continue;
    ASSERT_LT(next, elements.size()) << text;
    const xmlNode* const node = elements[next++];
    ASSERT_EQ(canonical_exclusive(tree, i), judged(**theirs, nullptr, node)) << text;
    if (i != tree.root) {
      ASSERT_EQ(canonical_without(tree, i), judged(**theirs, node, nullptr)) << text;
    }
  }
  ASSERT_EQ(next, elements.size()) << text;
}

TEST(C14n, IsWhatLibxml2Says) {
  for (const char* text :
       {"<a/>", "<?one two?><!-- c --><a/><?three?><!-- d -->", "<?a?><a>&#13;<?b c\td?></a>",
        "<a b='2' a='1' c=\"&quot;'&lt;&gt;&amp;&#9;&#10;&#13;\"> &lt;&gt;&amp;\"' x\r\ny </a>",
        "<a xmlns='u:1'><b xmlns=''><c xmlns='u:1'/></b><b xmlns='u:1'/></a>",
        "<p:a xmlns:p='u:1' xmlns:q='u:2' q:z='1' p:z='2' z='3'><q:b xmlns:q='u:2'/></p:a>",
        "<a xmlns:p='u:1'><p:b><p:b xmlns:p='u:2'><p:b xmlns:p='u:1'/></p:b></p:b></a>",
        "<a xmlns:z='u:9' xmlns:y='u:8' xmlns='u:7'><b y:k='1'/><z:b xml:lang='en'/></a>",
        "<a xmlns='u:1' xmlns:p='u:1'><p:b p:c='1' d='2'/></a>", "<a xmlns='relative'/>",
        "<a xmlns:p='relative'><b/></a>", "<a><b xmlns='http://[bad'/></a>",
        "<a><![CDATA[<x>&]]>t<!-- c -->u</a>", "<a xmlns=''><b xmlns=''/></a>",
        "<a>\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80</a>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:id='i'/>"})
    compare(text);
}

TEST(C14n, IsWhatLibxml2SaysOfRandomDocuments) {
  std::mt19937 chance(1914);
  const auto pick = [&chance](std::initializer_list<const char*> of) {
    return std::string(of.begin()[chance() % of.size()]);
  };
  const auto element = [&](int depth, const auto& self) -> std::string {
    const std::string name = pick({"a", "b", "p:a", "q:b"});
    std::string text = "<" + name;
    for (const char* prefix : {"xmlns", "xmlns:p", "xmlns:q"})
      if (depth == 0 || chance() % 4 == 0)
        text += " " + std::string(prefix) + "='" + pick({"u:1", "u:2", "u:3"}) + "'";
    for (const char* attribute : {"k", "p:k", "q:k", "j", "xml:lang"})
      if (chance() % 4 == 0)
        text += " " + std::string(attribute) + "='" + pick({"", "v", "&lt;", "&#10;x", "\t"}) + "'";
    text += ">";
    for (std::size_t i = chance() % 4; i > 0 && depth < 5; --i)
      text += pick({"", "t", "&amp;", "<!-- c -->", "<?i?>", "<?i d?>", "&#13;"}) +
              self(depth + 1, self);
    return text + pick({"", "x", "]]&gt;"}) + "</" + name + ">";
  };
  for (int i = 0; i < 2000; ++i) compare(element(0, element));
}

TEST(C14n, IsWhatLibxml2SaysOfReferenceRequests) {
  WATTSEAL_NEEDS_VECTORS(vectors);
  for (const char* folder : {"duis-templates-932e18d", "xmldsig-samples"}) {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(vectors / "rtds" / folder))
      if (++count % 8 == 0) compare(test::read_text(entry.path()));
  }
}

}  // namespace
}  // namespace wattseal::xml
