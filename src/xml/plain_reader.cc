#include "xml/plain_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "xml/native.h"

namespace wattseal::xml {
namespace {

constexpr std::size_t kNameOctetsMax = 256;
constexpr std::size_t kAttributeOctetsMax = 65'536;

constexpr std::uint8_t kNameStart = 1, kName = 2, kUri = 4;
constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = kNameStart | kName | kUri;
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] = kNameStart | kName | kUri;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] = kName | kUri;
  classes['_'] = kNameStart | kName | kUri;
  classes['-'] = classes['.'] = kName | kUri;
  return classes;
}();
bool is(std::uint8_t wanted, char c) { return kClasses[static_cast<unsigned char>(c)] & wanted; }

// Printable ASCII, tabs and line feeds; eight octets at a time where all are printable.
bool has_plain_octets(const std::string& text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kTops = 0x8080808080808080;
  const auto octet_is_plain = [](char c) {
    return (c >= ' ' && c <= '~') || c == '\n' || c == '\t';
  };
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + at, 8);
    // Below a space, or with the top bit, or DEL: a borrow can only show too many of them.
    const std::uint64_t suspects = (eight - kOnes * ' ') | eight | (eight + kOnes);
    if ((suspects & kTops) == 0) continue;
    if (!std::all_of(text.data() + at, text.data() + at + 8, octet_is_plain)) return false;
  }
  return std::all_of(text.data() + at, text.data() + text.size(), octet_is_plain);
}

// Absolute, and valid whoever looks at it.
bool is_plain_uri(std::string_view uri) {
  constexpr std::string_view kHttp = "http://", kUrn = "urn:";
  if (uri.starts_with(kHttp)) {
    uri.remove_prefix(kHttp.size());
    if (uri.empty() || !is(kNameStart, uri.front())) return false;
    if (uri.ends_with('#')) uri.remove_suffix(1);
    if (uri.find("w3.org/XML") != std::string_view::npos ||
        uri.find("w3.org/2000/xmlns") != std::string_view::npos)
      return false;  // those that are bound from the beginning
    return std::ranges::all_of(uri, [](char c) { return is(kUri, c) || c == '/'; });
  }
  if (!uri.starts_with(kUrn)) return false;
  uri.remove_prefix(kUrn.size());
  return !uri.empty() && is(kNameStart, uri.front()) &&
         std::ranges::all_of(uri, [](char c) { return is(kUri, c) || c == ':'; });
}

struct Open {
  std::uint32_t node;
  std::string_view tag;  // as it was opened and must be closed
  std::size_t in_scope;  // declarations around it
};

class Reader {
 public:
  Reader(const std::string& text, const Limits& limits, Tree& tree)
      : at_(text.data()), end_(text.data() + text.size()), limits_(limits), tree_(tree) {
    tree_.nodes.reserve(text.size() / 32 + 8);
    tree_.attributes.reserve(16);
    tree_.declarations.reserve(8);
    open_.reserve(16);
    scope_.reserve(kNamespacesInScopeMax);
  }

  bool read() {
    if (!declaration()) return false;
    skip_space();
    if (*at_ != '<' || !start_tag()) return false;
    while (!open_.empty()) {
      if (!text() || *at_ != '<') return false;
      const bool good = at_[1] == '/' ? end_tag() : at_[1] == '!' ? comment() : start_tag();
      if (!good) return false;
    }
    skip_space();
    return at_ == end_;
  }

 private:
  bool skip_space() {
    const char* const before = at_;
    while (is_space(*at_)) ++at_;
    return at_ != before;
  }

  bool literal(std::string_view words) {
    if (static_cast<std::size_t>(end_ - at_) < words.size() ||
        std::memcmp(at_, words.data(), words.size()) != 0)
      return false;
    at_ += words.size();
    return true;
  }

  // Only the usual spelling of it.
  bool declaration() {
    if (!literal("<?xml ")) return true;
    if (!literal("version=\"1.0\"")) return false;
    if (literal(" encoding=\"") && !(literal("UTF-8\"") || literal("utf-8\""))) return false;
    if (literal(" standalone=\"") && !(literal("no\"") || literal("yes\""))) return false;
    skip_space();
    return literal("?>");
  }

  bool name(std::string_view& found) {
    const char* const begin = at_;
    if (!is(kNameStart, *at_)) return false;
    while (is(kName, *at_)) ++at_;
    found = {begin, static_cast<std::size_t>(at_ - begin)};
    return found.size() <= kNameOctetsMax;
  }

  bool qualified_name(std::string_view& prefix, std::string_view& local) {
    if (!name(local)) return false;
    if (*at_ != ':') return true;
    ++at_;
    prefix = local;
    return name(local);
  }

  // The five entities; another reference is not plain.
  bool decode(std::string_view raw, std::string_view& decoded) {
    constexpr std::pair<std::string_view, char> kEntities[] = {
        {"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}};
    std::string& text = tree_.decoded.emplace_back();
    text.reserve(raw.size());
    for (std::size_t at = 0; at < raw.size();) {
      const std::size_t ampersand = std::min(raw.find('&', at), raw.size());
      text += raw.substr(at, ampersand - at);
      if (ampersand == raw.size()) break;
      at = ampersand + 1;
      const auto* const entity = std::ranges::find_if(
          kEntities, [&](const auto& one) { return raw.substr(at).starts_with(one.first); });
      if (entity == std::end(kEntities)) return false;
      text += entity->second;
      at += entity->first.size();
    }
    decoded = text;
    return true;
  }

  // Up to the next tag; nothing makes no node.
  bool text() {
    const char* const begin = at_;
    at_ = static_cast<const char*>(std::memchr(at_, '<', static_cast<std::size_t>(end_ - at_)));
    if (at_ == nullptr) return false;
    if (at_ == begin) return true;
    const std::string_view raw(begin, static_cast<std::size_t>(at_ - begin));
    Node& node = tree_.nodes.emplace_back();
    node.kind = NodeKind::text;
    node.parent = open_.back().node;
    node.end = static_cast<std::uint32_t>(tree_.nodes.size());
    const bool refers = raw.find('&') != std::string_view::npos;
    node.escapes = refers || raw.find('>') != std::string_view::npos;
    if (node.escapes && raw.find("]]>") != std::string_view::npos) return false;
    node.content = raw;
    return !refers || decode(raw, node.content);
  }

  // The first two hyphens that follow each other are its end.
  bool comment() {
    if (!literal("<!--") || ++others_ > limits_.elements) return false;
    const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
    const std::size_t hyphens = rest.find("--");
    if (hyphens == std::string_view::npos) return false;
    Node& node = tree_.nodes.emplace_back();
    node.kind = NodeKind::comment;
    node.parent = open_.back().node;
    node.end = static_cast<std::uint32_t>(tree_.nodes.size());
    node.content = rest.substr(0, hyphens);
    at_ += hyphens;
    return literal("-->");
  }

  bool attribute(Node& node) {
    TreeAttribute one;
    if (!qualified_name(one.prefix, one.name)) return false;
    skip_space();
    if (*at_++ != '=') return false;
    skip_space();
    const char quote = *at_;
    if (quote != '"' && quote != '\'') return false;
    const char* const begin = ++at_;
    bool refers = false, escapes = false;
    for (; *at_ != quote; ++at_) {
      if (*at_ == '<' || *at_ < ' ') return false;  // white space that is normalised, and the end
      refers = refers || *at_ == '&';
      escapes = escapes || *at_ == '"';
    }
    one.value = {begin, static_cast<std::size_t>(at_++ - begin)};
    if (one.value.size() > kAttributeOctetsMax) return false;
    if (one.prefix == "xmlns" || (one.prefix.empty() && one.name == "xmlns"))
      return declare(node, one);
    one.escapes = refers || escapes;
    if (refers && !decode(one.value, one.value)) return false;
    tree_.attributes.push_back(one);
    ++node.attributes;
    return true;
  }

  bool declare(Node& node, const TreeAttribute& one) {
    const Declaration made{one.prefix.empty() ? std::string_view() : one.name, one.value};
    if (made.prefix == "xml" || made.prefix == "xmlns" || !is_plain_uri(made.uri)) return false;
    const auto mine = std::span(tree_.declarations).subspan(node.first_declaration);
    if (std::ranges::find(mine, made.prefix, &Declaration::prefix) != mine.end()) return false;
    if (scope_.size() >= kNamespacesInScopeMax) return false;
    tree_.declarations.push_back(made);
    scope_.push_back(made);
    ++node.declarations;
    return true;
  }

  // The URI of a prefix. None and no default: no namespace. The prefix xml is not plain.
  bool resolve(std::string_view prefix, std::string_view& uri) const {
    for (std::size_t i = scope_.size(); i-- > 0;) {
      if (scope_[i].prefix != prefix) continue;
      uri = scope_[i].uri;
      return true;
    }
    return prefix.empty();
  }

  // After all declarations of the element are known. An attribute without prefix is in no
  // namespace.
  bool resolve_attributes(const Node& node) {
    const auto mine = std::span(tree_.attributes).subspan(node.first_attribute);
    for (TreeAttribute& one : mine) {
      if (!one.prefix.empty() && !resolve(one.prefix, one.uri)) return false;
      for (const TreeAttribute& before : mine) {
        if (&before == &one) break;
        if (before.name == one.name && before.uri == one.uri) return false;
      }
    }
    return true;
  }

  bool start_tag() {
    if (open_.size() >= std::min(limits_.depth, kDepthMax) || elements_++ >= limits_.elements)
      return false;
    const char* const begin = ++at_;
    Node node;
    const std::uint32_t index = static_cast<std::uint32_t>(tree_.nodes.size());
    const std::size_t in_scope = scope_.size();
    node.parent = open_.empty() ? index : open_.back().node;
    node.first_attribute = static_cast<std::uint32_t>(tree_.attributes.size());
    node.first_declaration = static_cast<std::uint32_t>(tree_.declarations.size());
    if (!qualified_name(node.prefix, node.name)) return false;
    const std::string_view tag(begin, static_cast<std::size_t>(at_ - begin));
    while (*at_ != '>' && *at_ != '/') {
      if (!skip_space()) return false;
      if (*at_ == '>' || *at_ == '/') break;
      if (node.attributes + node.declarations >= kElementAttributesMax || !attribute(node))
        return false;
    }
    others_ += node.attributes + node.declarations;
    if (others_ > limits_.elements || !resolve(node.prefix, node.uri) || !resolve_attributes(node))
      return false;
    if (open_.empty())
      tree_.root = index;
    else
      ++tree_.nodes[node.parent].child_elements;
    tree_.nodes.push_back(node);
    if (*at_ == '>') {
      ++at_;
      open_.push_back({index, tag, in_scope});
      return true;
    }
    tree_.nodes[index].end = index + 1;
    scope_.resize(in_scope);
    return literal("/>");
  }

  bool end_tag() {
    const Open& opened = open_.back();
    at_ += 2;
    if (!literal(opened.tag)) return false;
    skip_space();
    if (*at_++ != '>') return false;
    tree_.nodes[opened.node].end = static_cast<std::uint32_t>(tree_.nodes.size());
    scope_.resize(opened.in_scope);
    open_.pop_back();
    return true;
  }

  const char* at_;
  const char* const end_;
  const Limits& limits_;
  Tree& tree_;
  std::vector<Open> open_;
  std::vector<Declaration> scope_;
  std::size_t elements_ = 0, others_ = 0;
};

}  // namespace

bool read_plain(const std::string& text, const Limits& limits, Tree& tree) {
  return has_plain_octets(text) && Reader(text, limits, tree).read();
}

}  // namespace wattseal::xml
