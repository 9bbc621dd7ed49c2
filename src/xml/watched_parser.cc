// Parsing hostile XML with libxml2. Its defaults are made for documents that one trusts, so
// everything that can cost more than the document's own length is cut off while the parse runs, by
// callbacks that stop the parser.
//
// A DOCTYPE is refused at its name, before its first declaration is read: no entity is ever
// defined, so none expands (billion laughs) and none is fetched (stack.md trap 29). Elements, depth
// and everything else that becomes a node are counted. libxml2 2.9 compares each attribute of an
// element with all before it and each prefix with all declarations in scope, and canonicalisation
// does both again for each element: both numbers are bounded, or 16 MiB would cost hours. And
// libxml2 goes on after an error, slowly, to find more of them: here its input ends at the first.
#include "xml/watched_parser.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <cstdio>
#include <cstring>

#include "base/fault.h"

namespace wattseal::xml {
namespace {

constexpr int kTextNodeOctetsMax = 4 * 1024 * 1024;  // see on_characters

enum class Verdict {
  none,
  doctype,
  encoding,
  depth,
  elements,
  nodes,
  attributes,
  namespaces,
  ampersand
};

// What the callbacks need; the parser carries a pointer to it. They run below C code, so they
// neither allocate nor throw.
struct Watch {
  const Limits& limits;
  std::string_view unread;
  Verdict verdict = Verdict::none;
  std::size_t elements = 0, nodes = 0, depth = 0, in_scope = 0;
  // Namespace declarations of each open element.
  std::array<std::uint8_t, kDepthMax> declared{};
  bool failed = false;
  int error_line = 0, error_code = 0;  // of the first error
  std::array<char, 160> error_message{};
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
         xmlStrcasecmp(encoding, BAD_CAST "US-ASCII") == 0 ||
         xmlStrcasecmp(encoding, BAD_CAST "ASCII") == 0;
}

// The first callback, right after the XML declaration. A declaration in another encoding has by
// then only chosen a converter.
void on_document(void* context) {
  xmlSAX2StartDocument(context);
  const xmlParserCtxt* parser = parser_of(context);
  const bool known =
      is_utf8(parser->encoding) && (!parser->input || is_utf8(parser->input->encoding));
  if (!known) stop(context, Verdict::encoding);
}

void on_doctype(void* context, const xmlChar*, const xmlChar*, const xmlChar*) {
  stop(context, Verdict::doctype);
}

// The limit that one more element would break.
Verdict broken_by(const Watch& watch, std::size_t namespaces, std::size_t attributes) {
  if (watch.depth >= std::min(watch.limits.depth, kDepthMax)) return Verdict::depth;
  if (watch.elements >= watch.limits.elements) return Verdict::elements;
  if (namespaces + attributes > kElementAttributesMax) return Verdict::attributes;
  if (watch.nodes + namespaces + attributes > watch.limits.elements) return Verdict::nodes;
  if (watch.in_scope + namespaces > kNamespacesInScopeMax) return Verdict::namespaces;
  return Verdict::none;
}

// libxml2 leaves an ampersand in a namespace URI half decoded ("&#38;"), so that the canonical form
// would be wrong. The field has none, so it is refused. `declarations` are pairs of prefix and URI.
bool has_ampersand(const xmlChar** declarations, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (view(declarations[2 * i + 1]).find('&') != std::string_view::npos) return true;
  }
  return false;
}

void on_element(void* context, const xmlChar* name, const xmlChar* prefix, const xmlChar* uri,
                int namespaces, const xmlChar** declarations, int attributes, int defaulted,
                const xmlChar** values) {
  Watch& watch = watch_of(context);
  const std::size_t declared = static_cast<std::size_t>(namespaces);
  const std::size_t others = static_cast<std::size_t>(attributes);
  const Verdict verdict = broken_by(watch, declared, others);
  if (verdict != Verdict::none) return stop(context, verdict);
  if (has_ampersand(declarations, declared)) return stop(context, Verdict::ampersand);
  ++watch.elements;
  watch.nodes += declared + others;
  watch.in_scope += declared;
  watch.declared[watch.depth++] = static_cast<std::uint8_t>(declared);
  xmlSAX2StartElementNs(context, name, prefix, uri, namespaces, declarations, attributes, defaulted,
                        values);
}

void on_element_end(void* context, const xmlChar* name, const xmlChar* prefix, const xmlChar* uri) {
  Watch& watch = watch_of(context);
  if (watch.depth > 0) watch.in_scope -= watch.declared[--watch.depth];
  xmlSAX2EndElementNs(context, name, prefix, uri);
}

// False, and the parse stops, when the document may hold no further comment or processing
// instruction.
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

// libxml2 refuses a text node over 10,000,000 octets unless XML_PARSE_HUGE takes away all its
// limits, but a firmware image in base64 is longer. So a long text becomes several neighbouring
// nodes, which mean the same. xmlAddChild would join them again.
void on_characters(void* context, const xmlChar* text, int octets) {
  xmlParserCtxt* parser = parser_of(context);
  xmlNode* last = parser->node ? parser->node->last : nullptr;
  if (!last || last->type != XML_TEXT_NODE || parser->nodelen < kTextNodeOctetsMax) {
    return xmlSAX2Characters(context, text, octets);
  }
  xmlNode* fresh = xmlNewDocTextLen(parser->myDoc, text, octets);
  if (!fresh) {
    watch_of(context).failed = true;
    watch_of(context).error_code = XML_ERR_NO_MEMORY;
    return;
  }
  fresh->parent = parser->node;
  fresh->prev = last;
  last->next = fresh;
  parser->node->last = fresh;
  parser->nodelen = octets;
  parser->nodemem = octets + 1;
}

// The parser takes the document in small pieces, so that it need not copy the whole. The end of
// input is the one way to make it give up from within an error: xmlStopParser would free the buffer
// under functions that still read it.
int read_on(void* context, char* to, int room) {
  Watch& watch = *static_cast<Watch*>(context);
  if (watch.failed || watch.verdict != Verdict::none) return 0;
  const std::size_t octets = watch.unread.copy(to, static_cast<std::size_t>(std::max(room, 0)));
  watch.unread.remove_prefix(octets);
  return static_cast<int>(octets);
}

void on_error(void* context, xmlError* error) {
  Watch& watch = watch_of(context);
  if (watch.failed || error->level < XML_ERR_ERROR) return;
  watch.failed = true;
  watch.error_line = error->line;
  watch.error_code = error->code;
  std::snprintf(watch.error_message.data(), watch.error_message.size(), "%s",
                error->message ? error->message : "");
}

void watch_over(xmlParserCtxt& parser, Watch& watch) {
  parser._private = &watch;
  xmlSAXHandler& sax = *parser.sax;
  sax.startDocument = on_document;
  sax.internalSubset = on_doctype;
  sax.startElementNs = on_element;
  sax.endElementNs = on_element_end;
  sax.characters = on_characters;
  sax.ignorableWhitespace =
      on_characters;  // the same function, else libxml2 guesses which white space matters
  sax.comment = on_comment;
  sax.processingInstruction = on_instruction;
  sax.serror = on_error;
}

struct ParserDeleter {
  void operator()(xmlParserCtxt* parser) const { xmlFreeParserCtxt(parser); }
};

// Every start tag lies between two '<' (a raw '<' is not allowed in an attribute value), so
// counting the quoted values there bounds the work on it before the parser begins its comparisons.
// Inside comments this may see tags that are none.
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
    case Verdict::encoding:
      return {"xml-malformed"_rule, "The document declares an encoding other than UTF-8."};
    case Verdict::depth:
      return {"xml-too-deep"_rule, "Elements are nested deeper than " +
                                       std::to_string(std::min(limits.depth, kDepthMax)) + "."};
    case Verdict::elements:
      return {"xml-too-many-elements"_rule,
              "The document has more than " + elements + " elements."};
    case Verdict::nodes:
      return {"xml-too-many-elements"_rule,
              "The document has more than " + elements +
                  " attributes, comments and processing instructions."};
    case Verdict::attributes:
      return {"xml-too-many-elements"_rule,
              "An element has more than " + std::to_string(kElementAttributesMax) + " attributes."};
    case Verdict::namespaces:
      return {"xml-too-many-elements"_rule, "More than " + std::to_string(kNamespacesInScopeMax) +
                                                " namespace declarations are in scope."};
    case Verdict::ampersand: return {"xml-malformed"_rule, "A namespace URI holds an ampersand."};
    case Verdict::none: break;
  }
  UNREACHABLE();
}

// libxml2's words quote the document, so they are cut short and anything but printable ASCII is
// replaced.
Refusal refuse_malformed(const Watch& watch) {
  if (watch.error_code == XML_ERR_NO_MEMORY) throw Fault("libxml2 is out of memory");
  std::string message(watch.failed ? trim(watch.error_message.data()) : "not well-formed");
  for (char& c : message) {
    if (c < ' ' || c > '~') c = '?';
  }
  return {"xml-malformed"_rule,
          "Line " + std::to_string(std::max(watch.error_line, 1)) + ": " + message + "."};
}

}  // namespace

Result<XmlDoc> parse_tree(std::string_view text, const Limits& limits) {
  static const bool ready = (xmlInitParser(), true);
  CHECK(ready);
  if (has_crowded_tag(text)) return refuse_limit(Verdict::attributes, limits);
  const std::unique_ptr<xmlParserCtxt, ParserDeleter> parser(xmlNewParserCtxt());
  if (!parser) throw Fault("libxml2 is out of memory");
  Watch watch{.limits = limits, .unread = text};
  watch_over(*parser, watch);
  constexpr int kOptions = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                           XML_PARSE_NOCDATA | XML_PARSE_COMPACT;
  XmlDoc tree(xmlCtxtReadIO(parser.get(), read_on, nullptr, &watch, nullptr, nullptr, kOptions));
  if (watch.verdict != Verdict::none) return refuse_limit(watch.verdict, limits);
  const bool well_formed =
      tree && parser->wellFormed && parser->nsWellFormed && !watch.failed && watch.unread.empty();
  if (!well_formed || !xmlDocGetRootElement(tree.get())) return refuse_malformed(watch);
  CHECK(!tree->intSubset && !tree->extSubset);
  return Result<XmlDoc>(std::move(tree));
}

}  // namespace wattseal::xml
