#include <gtest/gtest.h>

#include "tests/vectors.h"
#include "xml/xml.h"

namespace wattseal::xml {
namespace {

std::string rule_of(std::string_view text, const Limits& limits = {}) {
  const Result<Document> document = parse(text, limits);
  return document ? "parsed" : std::string(document.refusal().rule.text());
}

std::string repeat(std::string_view part, std::size_t times) {
  std::string text;
  text.reserve(part.size() * times);
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

std::string nested(std::size_t depth) { return repeat("<a>", depth) + repeat("</a>", depth); }

// Small documents with everything in them that a parser can stumble over.
const std::string kVaried =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:R xmlns:s=\"urn:s\" v='5.1'><!-- c --><s:H "
    "a=\"&lt;&#x20AC;\">x&amp;y"
    "<![CDATA[<z>]]>\xE2\x82\xAC</s:H><?pi data?><plain xmlns=\"urn:p\"/>tail</s:R>";

TEST(Parse, ReadsNamespacesAttributesTextAndChildren) {
  const Result<Document> document = parse(kVaried);
  ASSERT_TRUE(document) << document.refusal().detail;
  const Element& root = document->root();
  EXPECT_EQ(root.ns, "urn:s");
  EXPECT_EQ(root.name, "R");
  EXPECT_EQ(root.text, "tail");
  ASSERT_TRUE(root.attribute("v"));
  EXPECT_EQ(*root.attribute("v"), "5.1");
  ASSERT_EQ(root.children.size(), 2u);
  EXPECT_EQ(*root.child("H")->attribute("a"), "<\xE2\x82\xAC");
  EXPECT_EQ(root.child("H")->text, "x&y<z>\xE2\x82\xAC");
  EXPECT_EQ(root.child("plain")->ns, "urn:p");
  EXPECT_EQ(root.child("absent"), nullptr);
  EXPECT_EQ(root.attribute("absent"), nullptr);
}

TEST(Parse, FindsChildrenByLocalNameInOrder) {
  const Result<Document> document = parse("<r><a>1</a><b/><a> 2\n</a></r>");
  ASSERT_TRUE(document);
  const std::vector<const Element*> found = document->root().all("a");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(document->root().child("a"), found[0]);
  EXPECT_EQ(found[1]->text, " 2\n");
  EXPECT_EQ(found[1]->trimmed(), "2");
}

TEST(Parse, JoinsTextAroundComments) {
  const Result<Document> document = parse("<r>12<!-- 9 -->34<?p 9?>56</r>");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root().text, "123456");
}

TEST(Parse, KeepsWhiteSpaceAsItStands) {
  const Result<Document> document = parse("<r>\n  <a> </a>\n</r>");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root().text, "\n  \n");
  EXPECT_EQ(document->root().child("a")->text, " ");
}

TEST(Parse, LeavesOutAttributesInANamespace) {
  const Result<Document> document = parse("<r xmlns:x='urn:x' x:v='evil' v='good' xml:lang='en'/>");
  ASSERT_TRUE(document);
  ASSERT_EQ(document->root().attributes.size(), 1u);
  EXPECT_EQ(*document->root().attribute("v"), "good");
}

TEST(Parse, RefusesADoctype) {
  EXPECT_EQ(rule_of("<!DOCTYPE r><r/>"), "xml-doctype");
  EXPECT_EQ(
      rule_of("<?xml version='1.0'?>\n<!-- c --><!DOCTYPE r SYSTEM 'http://127.0.0.1/x.dtd'><r/>"),
      "xml-doctype");
  EXPECT_EQ(rule_of("<!DOCTYPE r [ <!ENTITY e SYSTEM 'file:///etc/passwd'> ]><r>&e;</r>"),
            "xml-doctype");
  EXPECT_EQ(rule_of("<!DOCTYPE r [ <!ENTITY % e SYSTEM 'file:///etc/passwd'> %e; ]><r/>"),
            "xml-doctype");
}

TEST(Parse, StopsBeforeTheLaughsOfADoctype) {
  std::string laughs = "<!DOCTYPE l [<!ENTITY l0 \"ha\">";
  for (int i = 1; i < 12; ++i) {
    const std::string below = "&l" + std::to_string(i - 1) + ";";
    laughs += "<!ENTITY l" + std::to_string(i) + " \"" + repeat(below, 10) + "\">";
  }
  EXPECT_EQ(rule_of(laughs + "]><l>&l11;</l>"), "xml-doctype");
  // What follows the name is not even read: it would be malformed.
  EXPECT_EQ(rule_of("<!DOCTYPE r [ <<<<"), "xml-doctype");
}

TEST(Parse, KnowsOnlyTheFiveEntities) {
  const Result<Document> document = parse("<r>&amp;&lt;&gt;&quot;&apos;</r>");
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root().text, "&<>\"'");
  EXPECT_EQ(rule_of("<r>&nbsp;</r>"), "xml-malformed");
  EXPECT_EQ(rule_of("<r a='&e;'/>"), "xml-malformed");
}

TEST(Parse, RefusesMoreOctetsThanTheLimit) {
  const std::string text = "<r>12345</r>";
  EXPECT_EQ(rule_of(text, {.octets = text.size()}), "parsed");
  EXPECT_EQ(rule_of(text, {.octets = text.size() - 1}), "xml-too-large");
}

TEST(Parse, RefusesDeeperNestingThanTheLimit) {
  EXPECT_EQ(rule_of(nested(64)), "parsed");
  EXPECT_EQ(rule_of(nested(65)), "xml-too-deep");
  EXPECT_EQ(rule_of(nested(3), {.depth = 2}), "xml-too-deep");
  EXPECT_EQ(rule_of("<r><a><b/></a><a><b/></a></r>", {.depth = 3}), "parsed");
  EXPECT_EQ(rule_of(nested(250), {.depth = 10'000}), "parsed");
  EXPECT_EQ(rule_of(nested(251), {.depth = 10'000}), "xml-too-deep");
}

TEST(Parse, RefusesAHundredMegabytesOfNestingAtOnce) {
  const std::string text = repeat("<a>", 34'000'000);
  EXPECT_EQ(rule_of(text), "xml-too-large");
  EXPECT_EQ(rule_of(text.substr(0, 16'000'000)), "xml-too-deep");
}

TEST(Parse, RefusesMoreElementsThanTheLimit) {
  EXPECT_EQ(rule_of("<r>" + repeat("<a/>", 9) + "</r>", {.elements = 10}), "parsed");
  EXPECT_EQ(rule_of("<r>" + repeat("<a/>", 10) + "</r>", {.elements = 10}),
            "xml-too-many-elements");
  EXPECT_EQ(rule_of("<r>" + repeat("<a/>", 199'999) + "</r>"), "parsed");
  EXPECT_EQ(rule_of("<r>" + repeat("<a/>", 200'000) + "</r>"), "xml-too-many-elements");
}

TEST(Parse, CountsCommentsInstructionsAndAttributesToo) {
  EXPECT_EQ(rule_of("<r>" + repeat("<!---->", 10) + "</r>", {.elements = 10}), "parsed");
  EXPECT_EQ(rule_of("<r>" + repeat("<!---->", 11) + "</r>", {.elements = 10}),
            "xml-too-many-elements");
  EXPECT_EQ(rule_of("<r>" + repeat("<?p?>", 11) + "</r>", {.elements = 10}),
            "xml-too-many-elements");
  EXPECT_EQ(rule_of("<r>" + repeat("<a b=''/>", 9) + "</r>", {.elements = 10}), "parsed");
  EXPECT_EQ(rule_of("<r c='' d=''>" + repeat("<a b=''/>", 9) + "</r>", {.elements = 10}),
            "xml-too-many-elements");
}

std::string crowded(std::size_t attributes) {
  std::string tag = "<r";
  for (std::size_t i = 0; i < attributes; ++i) tag += " a" + std::to_string(i) + "='>'";
  return tag + "/>";
}

TEST(Parse, RefusesACrowdedStartTagBeforeComparingItsAttributes) {
  EXPECT_EQ(rule_of(crowded(64)), "parsed");
  EXPECT_EQ(rule_of(crowded(65)), "xml-too-many-elements");
  EXPECT_EQ(rule_of(crowded(1'000'000)), "xml-too-many-elements");
  EXPECT_EQ(rule_of("<r><!--" + crowded(60) + "--><b><![CDATA[ " + crowded(60) + "]]></b></r>"),
            "parsed");
  EXPECT_EQ(rule_of("<r>" + repeat("text='\"' ", 1000) + "</r>"), "parsed");
  EXPECT_EQ(rule_of("<r a='" + repeat("\"", 1000) + "'/>"), "parsed");
}

std::string declaring(std::size_t first, std::size_t count) {
  std::string tag = "<r";
  for (std::size_t i = first; i < first + count; ++i)
    tag += " xmlns:n" + std::to_string(i) + "='urn:n'";
  return tag + ">";
}

TEST(Parse, RefusesMoreNamespacesInScopeThanAnyoneNeeds) {
  EXPECT_EQ(rule_of(declaring(0, 16) + "</r>"), "parsed");
  EXPECT_EQ(rule_of(declaring(0, 17) + "</r>"), "xml-too-many-elements");
  EXPECT_EQ(rule_of(declaring(0, 12) + declaring(12, 5) + "</r></r>"), "xml-too-many-elements");
  const std::string siblings =
      declaring(0, 10) + "</r>" + declaring(10, 10) + "</r>" + declaring(20, 10) + "</r>";
  EXPECT_EQ(rule_of("<x>" + siblings + "</x>"), "parsed");
}

TEST(Parse, RefusesAnAmpersandInANamespace) {
  EXPECT_EQ(rule_of("<r xmlns='http://h/?a&amp;b'/>"), "xml-malformed");
  EXPECT_EQ(rule_of("<r xmlns:x='http://h/?a&#38;b'/>"), "xml-malformed");
  EXPECT_EQ(rule_of("<r a='http://h/?a&amp;b'/>"), "parsed");
}

TEST(Parse, ReadsAFirmwareImageInOneElement) {
  const std::string image =
      repeat("QUJDREVGR0hJSktM", 900'000);  // 14.4 MB: over libxml2's own bound for one text node
  const Result<Document> document = parse("<r><FirmwareImage>" + image + "</FirmwareImage></r>");
  ASSERT_TRUE(document) << document.refusal().detail;
  EXPECT_TRUE(document->root().child("FirmwareImage")->text == image);
}

TEST(Parse, ReadsOnlyUtf8) {
  EXPECT_EQ(rule_of("<?xml version='1.0' encoding='utf-8'?><r/>"), "parsed");
  EXPECT_EQ(rule_of("<?xml version='1.0' encoding='US-ASCII'?><r/>"), "parsed");
  EXPECT_EQ(rule_of("\xEF\xBB\xBF<r/>"), "parsed");
  for (const char* other :
       {"ISO-8859-1", "UTF-16", "UTF-7", "UCS-4", "EBCDIC-CP-US", "windows-1252", "nonsense"}) {
    EXPECT_EQ(rule_of("<?xml version='1.0' encoding='" + std::string(other) + "'?><r/>"),
              "xml-malformed")
        << other;
  }
  EXPECT_EQ(rule_of(std::string_view("\xFF\xFE<\0r\0/\0>\0", 10)), "xml-malformed");
  EXPECT_EQ(rule_of(std::string_view("\xFE\xFF\0<\0r\0/\0>", 10)), "xml-malformed");
  EXPECT_EQ(rule_of(std::string_view("<\0r\0/\0>\0", 8)), "xml-malformed");
  EXPECT_EQ(rule_of("\x4C\x6F\xA7\x94"), "xml-malformed");
  EXPECT_EQ(rule_of("+ADw-r/+AD4-"), "xml-malformed");
  EXPECT_EQ(rule_of("<r>\xC3\x28</r>"), "xml-malformed");
  EXPECT_EQ(rule_of("<r>\xED\xA0\x80</r>"), "xml-malformed");
}

TEST(Parse, RefusesNulAndControlCharacters) {
  EXPECT_EQ(rule_of(std::string_view("<r/>\0", 5)), "xml-malformed");
  EXPECT_EQ(rule_of(std::string_view("<r/>\0<evil/>", 12)), "xml-malformed");
  EXPECT_EQ(rule_of("<r>\x01</r>"), "xml-malformed");
  EXPECT_EQ(rule_of("<r>&#1;</r>"), "xml-malformed");
  EXPECT_EQ(rule_of("<r>&#0;</r>"), "xml-malformed");
}

TEST(Parse, RefusesWhatIsNotOneWellFormedDocument) {
  for (const char* text : {"",
                           " ",
                           "text",
                           "<",
                           "<r>",
                           "</r>",
                           "<r></s>",
                           "<r/><s/>",
                           "<r/>x",
                           "<r a=1/>",
                           "<r a='1' a='2'/>",
                           "<x:r/>",
                           "<r x:a=''/>",
                           "<r xmlns:x=''/>",
                           "<a:b:c xmlns:a='u'/>",
                           "<r>]]></r>",
                           "<r a='<'/>",
                           "<r xmlns:a='u' xmlns:b='u' a:x='' b:x=''/>",
                           "\xEF\xBB\xBF",
                           "<!-- -- --><r/>",
                           "<?xml?><r/>"}) {
    EXPECT_EQ(rule_of(text), "xml-malformed") << text;
  }
}

// The parser reads about 4,000 octets at a time: nothing may hide behind the end of a piece.
TEST(Parse, ReadsToTheLastOctetHoweverPiecesFall) {
  for (std::size_t pad = 3900; pad < 4100; ++pad) {
    const std::string spaces(pad, ' ');
    EXPECT_EQ(rule_of("<r/>" + spaces), "parsed");
    EXPECT_EQ(rule_of("<r/>" + spaces + "x"), "xml-malformed");
    EXPECT_EQ(rule_of("<r/><!--" + spaces + "-->"), "parsed");
    EXPECT_EQ(rule_of("<r/><!--" + spaces + "--><s/>"), "xml-malformed");
    EXPECT_EQ(rule_of("<r>" + spaces + "\xE2\x82\xAC</r>"), "parsed");
    EXPECT_EQ(rule_of("<r>" + spaces), "xml-malformed");
  }
}

TEST(Parse, SaysWhereTheDocumentIsMalformedWithoutPrinting) {
  testing::internal::CaptureStderr();
  const Result<Document> document = parse("<r>\n<a>\n</b>\n</r>");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.refusal().detail.substr(0, 7), "Line 3:");
  const Result<Document> foreign = parse("<r>\n&e;\n</\xC3\xA9>");
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.refusal().detail, "Line 2: Entity 'e' not defined.");
  for (const std::string& text :
       {"<r></" + repeat("\xC3\xA9", 10'000) + ">", std::string("<r></\xC3\xA9>")}) {
    const Result<Document> noisy = parse(text);
    ASSERT_FALSE(noisy);
    EXPECT_LT(noisy.refusal().detail.size(), 200u);
    for (const char c : noisy.refusal().detail) EXPECT_TRUE(c >= ' ' && c <= '~');
  }
}

TEST(Parse, StopsAtTheFirstError) {
  const std::string deep = repeat(" ", 20'000) + nested(70);
  EXPECT_EQ(rule_of("<r>" + deep + "</r>"), "xml-too-deep");
  EXPECT_EQ(rule_of("<x:r>" + deep + "</x:r>"), "xml-malformed");
}

TEST(Parse, NoPrefixOfADocumentParses) {
  for (std::size_t octets = 0; octets < kVaried.size(); ++octets) {
    EXPECT_EQ(rule_of(kVaried.substr(0, octets)), "xml-malformed") << octets;
  }
}

TEST(Parse, EveryChangedOctetParsesOrIsRefused) {
  const std::string_view replacements("\0\x01<>&'\"/!?[]-=:;# x\x80\xC3\xFF", 22);
  for (std::size_t at = 0; at < kVaried.size(); ++at) {
    for (const char octet : replacements) {
      std::string changed = kVaried;
      changed[at] = octet;
      const std::string rule = rule_of(changed);
      EXPECT_TRUE(rule == "parsed" || rule == "xml-malformed") << rule << ": " << changed;
    }
  }
}

TEST(Parse, RefusesTheExternalEntityOfTheReferenceTools) {
  WATTSEAL_NEEDS_VECTORS(folder);
  EXPECT_EQ(rule_of(test::read_text(folder / "rtds/xmldsig-samples/duis-xxe.xml")), "xml-doctype");
}

}  // namespace
}  // namespace wattseal::xml
