// Parsing hostile XML with libxml2. Its defaults are made for documents that one trusts, so everything that can cost more than
// the document's own length is cut off while the parse runs, by callbacks that stop the parser:
// - a DOCTYPE is refused at its name, before its first declaration is read: no entity is ever defined, so none expands
//   (billion laughs) and none is fetched (stack.md trap 29);
// - elements, depth and everything else that becomes a node are counted;
// - libxml2 2.9 compares each attribute of an element with all before it, each prefix with all declarations in scope, and
//   canonicalisation does both again for each element: both numbers are bounded here, or 16 MiB would cost hours.
#include "xml/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <cstring>

#include "base/fault.h"
#include "xml/native.h"

namespace wattseal::xml {
namespace {

constexpr std::size_t kElementAttributesMax = 64;   // namespace declarations included; the field needs about ten
constexpr std::size_t kNamespacesInScopeMax = 24;   // declarations on an element and all around it
constexpr std::size_t kDepthMax = 250;              // libxml2 itself stops at 256 without XML_PARSE_HUGE
constexpr int kTextNodeOctetsMax = 4 * 1024 * 1024; // see on_characters

enum class Verdict { none, doctype, encoding, depth, elements, nodes, attributes, namespaces };

// What the callbacks need; the parser carries a pointer to it. They run below C code, so they neither allocate nor throw.
struct Watch {
  const Limits& limits;
  Verdict verdict = Verdict::none;
  std::size_t elements = 0, nodes = 0, depth = 0, in_scope = 0;
  std::array<std::uint8_t, kDepthMax + 1> declared{};  // namespace declarations of each open element
};

xmlParserCtxt* parser_of(void* context) { return static_cast<xmlParserCtxt*>(context); }
Watch& watch_of(void* context) { return *static_cast<Watch*>(parser_of(context)->_private); }

void stop(void* context, Verdict verdict) {
  Watch& watch = watch_of(context);
  if (watch.verdict == Verdict::none) watch.verdict = verdict;
  xmlStopParser(parser_of(context));
}

bool is_utf8(const xmlChar* encoding) {
  return !encoding || xmlStrcasecmp(encoding, BAD_CAST "UTF-8") == 0 ||
         xmlStrcasecmp(encoding, BAD_CAST "US-ASCII") == 0 || xmlStrcasecmp(encoding, BAD_CAST "ASCII") == 0;
}

// The first callback, right after the XML declaration. A declaration in another encoding has by then only chosen a converter.
void on_document(void* context) {
  xmlSAX2StartDocument(context);
  const xmlParserCtxt* parser = parser_of(context);
  const bool known = is_utf8(parser->encoding) && (!parser->input || is_utf8(parser->input->encoding));
  if (!known) stop(context, Verdict::encoding);
}

void on_doctype(void* context, const xmlChar*, const xmlChar*, const xmlChar*) { stop(context, Verdict::doctype); }

// The limit that one more element would break.
Verdict broken_by(const Watch& watch, std::size_t namespaces, std::size_t attributes) {
  if (watch.depth >= std::min(watch.limits.depth, kDepthMax)) return Verdict::depth;
  if (watch.elements >= watch.limits.elements) return Verdict::elements;
  if (namespaces + attributes > kElementAttributesMax) return Verdict::attributes;
  if (watch.nodes + namespaces + attributes > watch.limits.elements) return Verdict::nodes;
  if (watch.in_scope + namespaces > kNamespacesInScopeMax) return Verdict::namespaces;
  return Verdict::none;
}

void on_element(void* context, const xmlChar* name, const xmlChar* prefix, const xmlChar* uri, int namespaces,
                const xmlChar** declarations, int attributes, int defaulted, const xmlChar** values) {
  Watch& watch = watch_of(context);
  const std::size_t declared = static_cast<std::size_t>(namespaces), others = static_cast<std::size_t>(attributes);
  const Verdict verdict = broken_by(watch, declared, others);
  if (verdict != Verdict::none) return stop(context, verdict);
  ++watch.elements;
  watch.nodes += declared + others;
  watch.in_scope += declared;
  watch.declared[watch.depth++] = static_cast<std::uint8_t>(declared);
  xmlSAX2StartElementNs(context, name, prefix, uri, namespaces, declarations, attributes, defaulted, values);
}

void on_element_end(void* context, const xmlChar* name, const xmlChar* prefix, const xmlChar* uri) {
  Watch& watch = watch_of(context);
  if (watch.depth > 0) watch.in_scope -= watch.declared[--watch.depth];
  xmlSAX2EndElementNs(context, name, prefix, uri);
}

// False, and the parse stops, when the document may hold no further comment or processing instruction.
bool counts_node(void* context) {
  Watch& watch = watch_of(context);
  if (++watch.nodes <= watch.limits.elements) return true;
  stop(context, Verdict::nodes);
  return false;
}

void on_comment(void* context, const xmlChar* text) {
  if (counts_node(context)) xmlSAX2Comment(context, text);
}

void on_instruction(void* context, const xmlChar* target, const xmlChar* data) {
  if (counts_node(context)) xmlSAX2ProcessingInstruction(context, target, data);
}

// libxml2 refuses a text node over 10,000,000 octets unless XML_PARSE_HUGE takes away all its limits, but a firmware image in
// base64 is longer. So a long text becomes several neighbouring nodes, which mean the same. xmlAddChild would join them again.
void on_characters(void* context, const xmlChar* text, int octets) {
  xmlParserCtxt* parser = parser_of(context);
  xmlNode* last = parser->node ? parser->node->last : nullptr;
  if (!last || last->type != XML_TEXT_NODE || parser->nodelen < kTextNodeOctetsMax) {
    return xmlSAX2Characters(context, text, octets);
  }
  xmlNode* fresh = xmlNewDocTextLen(parser->myDoc, text, octets);
  if (!fresh) return xmlStopParser(parser);
  fresh->parent = parser->node;
  fresh->prev = last;
  last->next = fresh;
  parser->node->last = fresh;
  parser->nodelen = octets;
  parser->nodemem = octets + 1;
}

void watch_over(xmlParserCtxt& parser, Watch& watch) {
  parser._private = &watch;
  xmlSAXHandler& sax = *parser.sax;
  sax.startDocument = on_document;
  sax.internalSubset = on_doctype;
  sax.startElementNs = on_element;
  sax.endElementNs = on_element_end;
  sax.characters = on_characters;
  sax.ignorableWhitespace = on_characters;  // the same function, else libxml2 guesses which white space matters
  sax.comment = on_comment;
  sax.processingInstruction = on_instruction;
}

struct ParserDeleter {
  void operator()(xmlParserCtxt* parser) const { xmlFreeParserCtxt(parser); }
};

// Every start tag lies between two '<' (a raw '<' is not allowed in an attribute value), so counting the quoted values there
// bounds the work on it before the parser begins its comparisons. Inside comments this may see tags that are none.
bool has_crowded_tag(std::string_view text) {
  std::size_t at = text.find('<');
  while (at != std::string_view::npos) {
    const std::size_t next = std::min(text.find('<', at + 1), text.size());
    const std::string_view tag = text.substr(at + 1, next - at - 1);
    std::size_t quoted = 0, i = 0;
    const bool opens = !tag.empty() && !std::strchr("/!?", tag.front());
    while (opens && (i = tag.find_first_of("\"'>", i)) != std::string_view::npos && tag[i] != '>') {
      if (++quoted > kElementAttributesMax) return true;
      i = tag.find(tag[i], i + 1);
      if (i == std::string_view::npos) break;
      ++i;
    }
    at = next < text.size() ? next : std::string_view::npos;
  }
  return false;
}

Refusal refuse_limit(Verdict verdict, const Limits& limits) {
  const std::string elements = std::to_string(limits.elements);
  switch (verdict) {
    case Verdict::doctype: return {"xml-doctype"_rule, "The document has a DOCTYPE."};
    case Verdict::encoding: return {"xml-malformed"_rule, "The document declares an encoding other than UTF-8."};
    case Verdict::depth:
      return {"xml-too-deep"_rule, "Elements are nested deeper than " + std::to_string(std::min(limits.depth, kDepthMax)) + "."};
    case Verdict::elements: return {"xml-too-many-elements"_rule, "The document has more than " + elements + " elements."};
    case Verdict::nodes:
      return {"xml-too-many-elements"_rule,
              "The document has more than " + elements + " attributes, comments and processing instructions."};
    case Verdict::attributes:
      return {"xml-too-many-elements"_rule,
              "An element has more than " + std::to_string(kElementAttributesMax) + " attributes."};
    case Verdict::namespaces:
      return {"xml-too-many-elements"_rule,
              "More than " + std::to_string(kNamespacesInScopeMax) + " namespace declarations are in scope."};
    case Verdict::none: break;
  }
  UNREACHABLE();
}

// libxml2's words quote the document, so they are cut short and anything but printable ASCII is replaced.
Refusal refuse_malformed(const xmlParserCtxt& parser) {
  const xmlError& error = parser.lastError;
  if (error.code == XML_ERR_NO_MEMORY) throw Fault("libxml2 is out of memory");
  constexpr std::size_t kMessageCharactersMax = 160;
  std::string message(trim(error.message ? error.message : "not well-formed").substr(0, kMessageCharactersMax));
  for (char& c : message) {
    if (c < ' ' || c > '~') c = '?';
  }
  return {"xml-malformed"_rule, "Line " + std::to_string(std::max(error.line, 1)) + ": " + message + "."};
}

// A NUL would end the text early for any C function, and all encodings but UTF-8 that libxml2 recognises by their first octets
// either hold one or do not begin like this.
std::optional<Refusal> refuse_octets(std::string_view text, const Limits& limits) {
  if (text.size() > limits.octets || text.size() > std::size_t{INT32_MAX}) {
    return Refusal{"xml-too-large"_rule, "The document has " + std::to_string(text.size()) + " octets; at most " +
                                             std::to_string(limits.octets) + " are read."};
  }
  if (text.find('\0') != std::string_view::npos) return Refusal{"xml-malformed"_rule, "The document holds a NUL octet."};
  std::string_view start = text;
  if (start.starts_with("\xEF\xBB\xBF")) start.remove_prefix(3);
  if (start.empty() || (start.front() != '<' && !is_space(start.front()))) {
    return Refusal{"xml-malformed"_rule, "The document does not begin with an element or declaration in UTF-8."};
  }
  if (has_crowded_tag(text)) return refuse_limit(Verdict::attributes, limits);
  return std::nullopt;
}

// Attributes in a namespace (xsi:schemaLocation, xml:lang) are left out: the field's schemas have none, and by its local name
// alone x:schemaVersion would pass for schemaVersion.
std::vector<Attribute> to_attributes(const xmlNode& node) {
  std::vector<Attribute> attributes;
  for (const xmlAttr* attribute = node.properties; attribute; attribute = attribute->next) {
    if (attribute->ns) continue;
    Attribute& added = attributes.emplace_back();
    added.name = view(attribute->name);
    for (const xmlNode* part = attribute->children; part; part = part->next) added.value += view(part->content);
  }
  return attributes;
}

// Recursion is bounded by kDepthMax.
void fill(Element& element, const xmlNode& node) {
  element.ns = namespace_of(node);
  element.name = view(node.name);
  element.attributes = to_attributes(node);
  std::size_t children = 0;
  for (const xmlNode* child = node.children; child; child = child->next) children += child->type == XML_ELEMENT_NODE;
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
  static const bool ready = (xmlInitParser(), true);
  CHECK(ready);
  if (std::optional<Refusal> refusal = refuse_octets(text, limits)) return *std::move(refusal);
  const std::unique_ptr<xmlParserCtxt, ParserDeleter> parser(xmlNewParserCtxt());
  if (!parser) throw Fault("libxml2 is out of memory");
  Watch watch{limits};
  watch_over(*parser, watch);
  constexpr int kOptions = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA | XML_PARSE_COMPACT;
  Tree tree(xmlCtxtReadMemory(parser.get(), text.data(), static_cast<int>(text.size()), nullptr, nullptr, kOptions));
  if (watch.verdict != Verdict::none) return refuse_limit(watch.verdict, limits);
  const bool whole = tree && parser->wellFormed && parser->nsWellFormed && parser->errNo != XML_ERR_USER_STOP;
  const xmlNode* root = whole ? xmlDocGetRootElement(tree.get()) : nullptr;
  if (!root || tree->intSubset || tree->extSubset) return refuse_malformed(*parser);
  auto native = std::make_unique<Document::Native>();
  fill(native->root, *root);
  native->tree = std::move(tree);
  return Document(std::move(native));
}

}  // namespace wattseal::xml
