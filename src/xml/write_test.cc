#include <gtest/gtest.h>

#include "base/world.h"
#include "tests/vectors.h"
#include "xml/xml.h"

namespace wattseal::xml {
namespace {

const std::string kDeclaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const std::string kReplacement = "\xEF\xBF\xBD";

Element named(const std::string& ns, const std::string& name, const std::string& text = "",
              std::vector<Element> children = {}) {
  return {.ns = ns, .name = name, .attributes = {}, .text = text, .children = std::move(children)};
}

TEST(Write, DeclaresNamespacesOnTheRootAndAddsNoWhiteSpace) {
  Element root =
      named("urn:s", "Request", "", {named("urn:s", "Header", "x"), named("urn:r", "Body")});
  root.attributes = {{"schemaVersion", "5.1"}};
  EXPECT_EQ(write(root, {{"sr", "urn:s"}, {"ra", "urn:r"}}),
            kDeclaration +
                "<sr:Request xmlns:sr=\"urn:s\" xmlns:ra=\"urn:r\" schemaVersion=\"5.1\">"
                "<sr:Header>x</sr:Header><ra:Body/></sr:Request>");
}

TEST(Write, EscapesMarkupInTextAndAttributes) {
  Element root = named("", "r", "<&>\"'\r\n\t");
  root.attributes = {{"a", "<&>\"'\r\n\t"}};
  EXPECT_EQ(write(root, {}), kDeclaration +
                                 "<r a=\"&lt;&amp;&gt;&quot;&apos;&#13;&#10;&#9;\">"
                                 "&lt;&amp;&gt;&quot;&apos;&#13;\n\t</r>");
  const Result<Document> read = parse(write(root, {}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->root(), root);
}

TEST(Write, ReplacesWhatXmlCannotCarry) {
  EXPECT_EQ(escape(std::string_view("a\0b", 3)), "a" + kReplacement + "b");
  EXPECT_EQ(escape("\x01\x1F\x7F"), kReplacement + kReplacement + "\x7F");
  EXPECT_EQ(escape("\xEF\xBF\xBE"),
            kReplacement + kReplacement + kReplacement);  // U+FFFE, an octet at a time
  EXPECT_EQ(escape("\xED\xA0\x80"), kReplacement + kReplacement + kReplacement);  // a surrogate
  EXPECT_EQ(escape("\xC0\xAF"), kReplacement + kReplacement);                     // an overlong '/'
  EXPECT_EQ(escape("\xE0\x80\xAF"), kReplacement + kReplacement + kReplacement);  // and longer
  EXPECT_EQ(escape("\xE2\x82"), kReplacement + kReplacement);                     // cut short
  EXPECT_EQ(escape("\xF4\x90\x80\x80"), kReplacement + kReplacement + kReplacement + kReplacement);
  EXPECT_EQ(escape("\xC2\xA3 \xE2\x82\xAC \xF0\x9F\x94\x8C"),
            "\xC2\xA3 \xE2\x82\xAC \xF0\x9F\x94\x8C");
}

TEST(Write, DeclaresUnlistedNamespacesWhereTheyOccur) {
  const Element root =
      named("urn:s", "R", "",
            {named("urn:x", "X", "", {named("urn:x", "Y"), named("", "Z")}), named("", "P")});
  EXPECT_EQ(
      write(root, {{"s", "urn:s"}}),
      kDeclaration + "<s:R xmlns:s=\"urn:s\"><X xmlns=\"urn:x\"><Y/><Z xmlns=\"\"/></X><P/></s:R>");
}

TEST(Write, KeepsNamespacesUnderAListedDefault) {
  const std::vector<Prefix> prefixes{{"", "urn:d"}, {"s", "urn:s"}};
  for (const char* ns :
       {"", "urn:d", "urn:s", "urn:other", "http://www.w3.org/XML/1998/namespace"}) {
    const Element inner =
        named(ns, "i", "", {named("", "j"), named("urn:d", "k"), named("urn:other", "l")});
    for (const char* outer : {"", "urn:d", "urn:s", "urn:other"}) {
      const Element root = named(outer, "r", "", {inner});
      const Result<Document> read = parse(write(root, prefixes));
      ASSERT_TRUE(read) << write(root, prefixes) << read.refusal().detail;
      EXPECT_EQ(read->root(), root) << write(root, prefixes);
    }
  }
}

class RandomElements {
 public:
  explicit RandomElements(std::uint64_t seed) : random_(seeded_random(seed)) {}

  Element element(int depth) {
    Element made = named(pick({"", "urn:a", "urn:b", "urn:c"}),
                         pick({"a", "b-1", "C.d", "_", "\xC3\xA9"}), text());
    for (std::size_t i = below(3); i-- > 0;)
      made.attributes.push_back({"x" + std::to_string(i), text()});
    for (std::size_t i = depth > 0 ? below(4) : 0; i-- > 0;)
      made.children.push_back(element(depth - 1));
    return made;
  }

 private:
  std::size_t below(std::size_t bound) {
    Octet octet = 0;
    random_->fill({&octet, 1});
    return octet % bound;
  }
  std::string pick(std::initializer_list<const char*> choices) {
    return choices.begin()[below(choices.size())];
  }
  std::string text() {
    std::string made;
    for (std::size_t i = below(6); i-- > 0;) {
      made += pick({" ", "\n", "\t", "\r", "<", "&", "]]>", "\"", "'", "word", "\xC2\xA3",
                    "\xE2\x82\xAC", "\x7F", "&amp;"});
    }
    return made;
  }

  std::unique_ptr<Random> random_;
};

TEST(Write, IsReadBackUnchanged) {
  RandomElements random(2026);
  for (int i = 0; i < 2000; ++i) {
    const Element root = random.element(4);
    for (const std::vector<Prefix>& prefixes :
         {std::vector<Prefix>{}, {{"p", "urn:a"}}, {{"", "urn:a"}, {"q", "urn:b"}}}) {
      const std::string text = write(root, prefixes);
      const Result<Document> read = parse(text);
      ASSERT_TRUE(read) << text << read.refusal().detail;
      ASSERT_EQ(read->root(), root) << text;
    }
  }
}

TEST(Write, KeepsEveryReferenceDocument) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const std::vector<Prefix> prefixes{{"sr", "http://www.dccinterface.co.uk/ServiceUserGateway"},
                                     {"ra", "http://www.dccinterface.co.uk/ResponseAndAlert"},
                                     {"ds", "http://www.w3.org/2000/09/xmldsig#"}};
  int documents = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "rtds")) {
    const std::string extension = entry.path().extension();
    if (extension != ".xml" && extension != ".XML") continue;
    const Result<Document> read = parse(test::read_text(entry.path()));
    if (!read && read.refusal().rule.text() == "xml-doctype") continue;
    ASSERT_TRUE(read) << entry.path() << read.refusal().detail;
    const Result<Document> again = parse(write(read->root(), prefixes));
    ASSERT_TRUE(again) << entry.path();
    EXPECT_EQ(again->root(), read->root()) << entry.path();
    ++documents;
  }
  EXPECT_GT(documents, 300);
}

}  // namespace
}  // namespace wattseal::xml
