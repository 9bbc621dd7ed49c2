// What the quick reader takes, libxml2 reads the same; what is not plain it leaves.
#include "xml/plain_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/vectors.h"
#include "xml/watched_parser.h"

namespace wattseal::xml {
namespace {

bool takes(const std::string& text, const Limits& limits = {}) {
  Tree tree;
  return read_plain(text, limits, tree);
}

bool same(const Tree& ours, const Tree& theirs) {
  const auto node = [](const Node& a, const Node& b) {
    return a.kind == b.kind && a.parent == b.parent && a.end == b.end &&
           a.attributes == b.attributes && a.declarations == b.declarations &&
           a.child_elements == b.child_elements && a.prefix == b.prefix && a.uri == b.uri &&
           (a.kind != NodeKind::element || a.name == b.name) && a.content == b.content;
  };
  const auto attribute = [](const TreeAttribute& a, const TreeAttribute& b) {
    return a.prefix == b.prefix && a.name == b.name && a.uri == b.uri && a.value == b.value;
  };
  const auto declaration = [](const Declaration& a, const Declaration& b) {
    return a.prefix == b.prefix && a.uri == b.uri;
  };
  return ours.root == theirs.root && std::ranges::equal(ours.nodes, theirs.nodes, node) &&
         std::ranges::equal(ours.attributes, theirs.attributes, attribute) &&
         std::ranges::equal(ours.declarations, theirs.declarations, declaration);
}

// Whether it was taken; if so, it must be right.
bool judge(const std::string& text) {
  Tree tree;
  if (!read_plain(text, {}, tree)) return false;
  const Result<XmlDoc> theirs = parse_tree(text, {});
  EXPECT_TRUE(theirs.ok()) << text;
  if (theirs.ok()) {
    EXPECT_TRUE(same(tree, tree_of(**theirs))) << text;
  }
  return true;
}

const std::string kPlain =
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
    "<s:R xmlns:s=\"http://s.example/a_b#\" xmlns='urn:d:1' v='5.1' s:v=\"6\">\n  <s:H "
    "a=\"&lt;'&amp;\">x&amp;y&gt;]]</s:H><plain\txmlns=\"urn:p\" /><q>a > b</q\n><!-- c "
    "-->tail</s:R>\n";

TEST(PlainReader, ReadsWhatLibxml2Reads) {
  EXPECT_TRUE(judge(kPlain));
  for (const char* text : {"<a/>", " \n<a> </a> ", "<a><b/><c></c></a>", "<a b='\"' c=\"'>\"/>",
                           "<p:a xmlns:p='urn:q'><p:b p:c='1' c='2'/></p:a>",
                           "<a xmlns:p='urn:q'><p:a xmlns:p='urn:r'/><p:a/></a>",
                           "<?xml version=\"1.0\"?><a/>", "<a>&quot;&apos;&lt;&gt;&amp;</a>",
                           "<a>1<!-- <b>&x; - --><!---->2</a>", "<a xmlns='urn:x'><b c='d'/></a>"})
    EXPECT_TRUE(judge(text)) << text;
}

TEST(PlainReader, LeavesWhatIsNotPlain) {
  for (const char* text : {"",
                           "a",
                           "<a",
                           "<a>",
                           "<a></b>",
                           "<a></ab>",
                           "<ab></a>",
                           "<a/><b/>",
                           "<a/>x",
                           "<a b='1' b='2'/>",
                           "<a xmlns:p='urn:q' xmlns:r='urn:q' p:b='' r:b=''/>",
                           "<p:a/>",
                           "<a p:b=''/>",
                           "<a>&x;</a>",
                           "<a>&#65;</a>",
                           "<a>&amp</a>",
                           "<a>]]></a>",
                           "<a><![CDATA[x]]></a>",
                           "<!-- c --><a/>",
                           "<a><!-- - -- --></a>",
                           "<a><!-- c ---></a>",
                           "<a><!-- c --</a>",
                           "<a><!- c --></a>",
                           "<a><!--",
                           "<a><?p?></a>",
                           "<!DOCTYPE a><a/>",
                           "<a>\r\n</a>",
                           "<a b='\n'/>",
                           "<a b='\t'/>",
                           "<a b='<'/>",
                           "<a b=1/>",
                           "<a b/>",
                           "<a b='1'c='2'/>",
                           "<a b='1/>",
                           "<a xml:lang='en'/>",
                           "<a xmlns=''/>",
                           "<a xmlns:p=''/>",
                           "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
                           "<a xmlns:xmlns='urn:x'/>",
                           "<a xmlns='relative'/>",
                           "<a xmlns='http://[x'/>",
                           "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
                           "<a xmlns='urn:a&amp;b'/>",
                           "<a xmlns='urn:x' xmlns='urn:x'/>",
                           "<1a/>",
                           "<a:b:c/>",
                           "<:a/>",
                           "< a/>",
                           "<a / >",
                           "<a></ a>",
                           "<?xml version='1.0'?><a/>",
                           "<?xml version=\"1.1\"?><a/>",
                           "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>",
                           "\xEF\xBB\xBF<a/>",
                           "<a>\xC3\xA4</a>",
                           "<a>\x7F</a>",
                           "<a>\x01</a>",
                           "<a>12345678\x02</a>",
                           "<a>\x80</a>"})
    EXPECT_FALSE(takes(text)) << text;
  EXPECT_FALSE(takes(std::string("<a>\0</a>", 8)));
  EXPECT_FALSE(takes("<" + std::string(257, 'a') + "/>"));
}

TEST(PlainReader, LeavesWhatIsBeyondALimit) {
  EXPECT_TRUE(takes("<a><b/></a>", {.depth = 2, .elements = 2}));
  EXPECT_FALSE(takes("<a><b/></a>", {.depth = 1}));
  EXPECT_FALSE(takes("<a><b/></a>", {.elements = 1}));
  EXPECT_FALSE(takes("<a b='' c=''/>", {.elements = 1}));
  const auto many = [](const char* begin, const char* end, int count) {
    std::string text = "<a";
    for (int i = 0; i < count; ++i) text += begin + std::to_string(i) + end;
    return text + "/>";
  };
  EXPECT_TRUE(judge(many(" b", "=''", 64)));
  EXPECT_FALSE(takes(many(" b", "=''", 65)));
  EXPECT_TRUE(judge(many(" xmlns:p", "='urn:x'", 16)));
  EXPECT_FALSE(takes(many(" xmlns:p", "='urn:x'", 17)));
}

TEST(PlainReader, NoChangedOctetIsReadOtherwiseThanLibxml2Reads) {
  std::size_t taken = 0;
  for (std::size_t at = 0; at < kPlain.size(); ++at) {
    std::string text = kPlain;
    for (const char c : std::string("<>&;'\"=/:x #\n]?!\t\r\x7F\xC3"))
      text[at] = c, taken += judge(text);
    text = kPlain;
    taken += judge(text.erase(at, 1));
    taken += judge(kPlain.substr(0, at));
    text = kPlain;
    taken += judge(text.insert(at, 1, kPlain[at]));
  }
  EXPECT_GT(taken, 500u);
}

TEST(PlainReader, ReadsRandomPlainDocumentsAsLibxml2) {
  std::mt19937 chance(1837);
  const char* const kPieces[] = {"<",        ">",
                                 "/",        "</",
                                 "/>",       "a",
                                 "p:",       "b",
                                 " ",        "=",
                                 "'",        "\"",
                                 "&amp;",    "&",
                                 ";",        "xmlns",
                                 ":",        "urn:x",
                                 "http://x", "]]",
                                 "<a>",      "</a>",
                                 "<p:b>",    "</p:b>",
                                 " c='1'",   " xmlns:p='urn:y'",
                                 "\n",       "<?",
                                 "<!--",     "-->"};
  std::size_t taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text = chance() % 2 ? "<a>" : "<p:b xmlns:p='urn:q'>";
    const std::string end = text[1] == 'a' ? "</a>" : "</p:b>";
    for (std::size_t left = chance() % 10; left > 0; --left)
      text += kPieces[chance() % std::size(kPieces)];
    taken += judge(text + end);
  }
  EXPECT_GT(taken, 10'000u);
}

TEST(PlainReader, TakesTheReferenceRequests) {
  WATTSEAL_NEEDS_VECTORS(vectors);
  std::size_t taken = 0, all = 0;
  for (const char* folder :
       {"duis-templates-932e18d", "duis-templates-db1dd08", "xmldsig-samples"}) {
    for (const auto& entry : std::filesystem::directory_iterator(vectors / "rtds" / folder)) {
      ++all;
      taken += judge(test::read_text(entry.path()));
    }
  }
  EXPECT_GT(taken * 2, all);
}

}  // namespace
}  // namespace wattseal::xml
