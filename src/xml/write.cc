// Writing XML from plain values. Content may come from users, so a character that XML 1.0 cannot
// carry (most controls, broken UTF-8, U+FFFE) becomes U+FFFD, the replacement character, instead of
// a document that nobody can read.
#include "xml/native.h"

namespace wattseal::xml {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kXmlNamespace =
    "http://www.w3.org/XML/1998/namespace";  // its prefix needs no declaration

enum class Place { text, attribute, canonical_text, canonical_attribute };

// Octets of the well-formed UTF-8 sequence at `at` whose character XML 1.0 allows; 0 when there is
// none. Source: XML 1.0 production 2 (Char); Unicode 3.9 table 3-7.
std::size_t character_octets(std::string_view text, std::size_t at) {
  const Octet first = static_cast<Octet>(text[at]);
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  const std::size_t octets = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + octets > text.size()) return 0;
  std::uint32_t character = first & (0xFFu >> (octets + 1));
  for (std::size_t i = 1; i < octets; ++i) {
    const Octet next = static_cast<Octet>(text[at + i]);
    if ((next & 0xC0) != 0x80) return 0;
    character = character << 6 | (next & 0x3F);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
  const bool allowed = character >= kLeast[octets] && character <= 0x10FFFF &&
                       character != 0xFFFE && character != 0xFFFF;
  return allowed && !surrogate ? octets : 0;
}

// The reference that must stand for a character. A reader turns a raw carriage return into a line
// feed, and in an attribute any white space into a space: there they are written as references to
// survive.
std::string_view reference(char c, Place place) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&apos;";
    case '\r': return "&#13;";
    case '\n': return place == Place::attribute ? "&#10;" : "";
    case '\t': return place == Place::attribute ? "&#9;" : "";
    default: return "";
  }
}

// What Canonical XML 1.0 writes instead (2.3, text and attribute nodes).
std::string_view canonical_reference(char c, Place place) {
  const bool attribute = place == Place::canonical_attribute;
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return attribute ? "" : "&gt;";
    case '"': return attribute ? "&quot;" : "";
    case '\r': return "&#xD;";
    case '\n': return attribute ? "&#xA;" : "";
    case '\t': return attribute ? "&#x9;" : "";
    default: return "";
  }
}

void append_escaped(std::string& to, std::string_view text, Place place) {
  for (std::size_t at = 0; at < text.size();) {
    const bool canonical = place == Place::canonical_text || place == Place::canonical_attribute;
    const std::string_view instead =
        canonical ? canonical_reference(text[at], place) : reference(text[at], place);
    const std::size_t octets = character_octets(text, at);
    if (!instead.empty())
      to += instead;
    else if (octets == 0)
      to += kReplacement;
    else
      to += text.substr(at, octets);
    at += std::max<std::size_t>(octets, 1);
  }
}

// Names come from our code or from a parse, never from text: anything else is our bug. Only what
// could break out is checked.
bool is_name(std::string_view name) {
  if (name.empty() || name.front() == '-' || name.front() == '.' ||
      (name.front() >= '0' && name.front() <= '9'))
    return false;
  return std::ranges::all_of(name, [](char c) {
    const bool letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
    return letter || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

enum class Form { plain, canonical };

class Writer {
 public:
  Writer(std::string& out, const std::vector<Prefix>& prefixes, Form form = Form::plain)
      : out_(out), prefixes_(prefixes), form_(form) {}

  // The root takes the listed default namespace only when it is in it; else those who are in it
  // declare it themselves.
  void root(const Element& element) {
    std::string_view default_ns =
        prefix_of(element.ns).empty() ? std::string_view(element.ns) : listed_default();
    std::string declarations;
    if (!default_ns.empty()) append_declaration(declarations, "", default_ns);
    std::vector<Prefix> in_order = prefixes_;
    if (form_ == Form::canonical) std::ranges::sort(in_order, {}, &Prefix::prefix);
    for (const Prefix& prefix : in_order) {
      CHECK(!prefix.ns.empty());
      CHECK(prefix.prefix.empty() || is_name(prefix.prefix));
      if (!prefix.prefix.empty()) append_declaration(declarations, prefix.prefix, prefix.ns);
    }
    this->element(element, default_ns, declarations);
  }

 private:
  Place text_place() const {
    return form_ == Form::canonical ? Place::canonical_text : Place::text;
  }
  Place attribute_place() const {
    return form_ == Form::canonical ? Place::canonical_attribute : Place::attribute;
  }

  void append_declaration(std::string& to, std::string_view prefix, std::string_view ns) const {
    to += prefix.empty() ? " xmlns" : " xmlns:";
    to += prefix;
    to += "=\"";
    append_escaped(to, ns, attribute_place());
    to += '"';
  }

  std::string_view listed_default() const {
    for (const Prefix& prefix : prefixes_) {
      if (prefix.prefix.empty()) return prefix.ns;
    }
    return "";
  }

  std::string_view prefix_of(std::string_view ns) const {
    if (ns == kXmlNamespace) return "xml";
    for (const Prefix& prefix : prefixes_) {
      if (prefix.ns == ns && !prefix.prefix.empty()) return prefix.prefix;
    }
    return "";
  }

  // An element without prefix is in the default namespace; where that differs from the one around
  // it, it is declared here.
  void element(const Element& element, std::string_view default_ns, std::string_view declarations) {
    CHECK(is_name(element.name));
    const std::string_view prefix = prefix_of(element.ns);
    std::string name(prefix);
    if (!prefix.empty()) name += ':';
    name += element.name;
    out_ += '<';
    out_ += name;
    if (prefix.empty() && element.ns != default_ns) {
      append_declaration(out_, "", element.ns);
      default_ns = element.ns;
    }
    out_ += declarations;
    std::vector<Attribute> in_order;
    if (form_ == Form::canonical && element.attributes.size() > 1) {
      in_order = element.attributes;
      std::ranges::sort(in_order, {}, &Attribute::name);
    }
    for (const Attribute& attribute : in_order.empty() ? element.attributes : in_order)
      append_attribute(attribute);
    if (form_ == Form::plain && element.text.empty() && element.children.empty()) {
      out_ += "/>";
      return;
    }
    out_ += '>';
    append_escaped(out_, element.text, text_place());
    for (const Element& child : element.children) this->element(child, default_ns, "");
    out_ += "</";
    out_ += name;
    out_ += '>';
  }

  void append_attribute(const Attribute& attribute) {
    CHECK(is_name(attribute.name));
    out_ += ' ';
    out_ += attribute.name;
    out_ += "=\"";
    append_escaped(out_, attribute.value, attribute_place());
    out_ += '"';
  }

  std::string& out_;
  const std::vector<Prefix>& prefixes_;
  const Form form_;
};

}  // namespace

std::string escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  append_escaped(escaped, text, Place::text);
  return escaped;
}

std::string write(const Element& root, const std::vector<Prefix>& prefixes) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  Writer(out, prefixes).root(root);
  return out;
}

std::string write_canonical(const Element& root, const std::vector<Prefix>& prefixes) {
  std::string out;
  Writer(out, prefixes, Form::canonical).root(root);
  return out;
}

}  // namespace wattseal::xml
