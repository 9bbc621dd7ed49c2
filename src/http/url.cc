#include "http/url.h"

#include <algorithm>
#include <charconv>

namespace wattseal::http {
namespace {

constexpr std::size_t kHostOctetsMax = 253;  // RFC 1035 2.3.4, in text form
constexpr std::uint16_t kPlainPort = 80, kSecurePort = 443;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_unreserved(char c) {
  return is_digit(c) || is_letter(c) || c == '-' || c == '.' || c == '_' || c == '~';
}
// What may stand unescaped in a path. Source: RFC 3986 3.3 (pchar and "/").
bool is_path_character(char c) {
  return is_unreserved(c) || std::string_view("/:@!$&'()*+,;=").find(c) != std::string_view::npos;
}
bool is_target_character(char c) { return c > 0x20 && c < 0x7f && c != '#'; }

std::optional<int> hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

void append_escape(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const unsigned octet = static_cast<unsigned char>(c);
  out.push_back('%');
  out.push_back(kDigits[octet >> 4]);
  out.push_back(kDigits[octet & 15]);
}

template <typename Keeps>
std::string escape_unless(std::string_view text, Keeps keeps) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (keeps(c)) {
      out.push_back(c);
    } else {
      append_escape(out, c);
    }
  }
  return out;
}

std::optional<std::vector<Header>> parse_query(std::string_view text) {
  std::vector<Header> pairs;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = percent_decode(pair.substr(0, equals), Plus::means_space);
    std::optional<std::string> value =
        percent_decode(pair.substr(std::min(equals + 1, pair.size())), Plus::means_space);
    if (!name || !value) return std::nullopt;
    pairs.push_back({std::move(*name), std::move(*value)});
  }
  return pairs;
}

// Leaves the origin form; a server must accept the absolute one too. Source: RFC 9112 3.2.2.
std::optional<std::string_view> origin_form(std::string_view target) {
  if (target.starts_with('/')) return target;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const std::size_t path = target.find('/', scheme.size());
    if (path == std::string_view::npos || path == scheme.size()) return std::nullopt;
    return target.substr(path);
  }
  return std::nullopt;
}

Refusal malformed_url(std::string detail) {
  return {.rule = "http-malformed-url"_rule, .detail = std::move(detail)};
}

Result<std::uint16_t> parse_port(std::string_view digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const std::from_chars_result read = std::from_chars(digits.data(), end, port);
  if (read.ec != std::errc() || read.ptr != end || port == 0) {
    return malformed_url("The port is not a number from 1 to 65535.");
  }
  return port;
}

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= kHostOctetsMax && std::ranges::all_of(host, [](char c) {
    return is_digit(c) || is_letter(c) || c == '-' || c == '.';
  });
}
bool is_ipv6_text(std::string_view host) {
  return host.size() >= 2 && host.size() <= 45 && host.find(':') != std::string_view::npos &&
         std::ranges::all_of(host, [](char c) { return hex_digit(c) || c == ':' || c == '.'; });
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i] == '+' && plus == Plus::means_space ? ' ' : text[i]);
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const std::optional<int> high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (!high || !low || (*high == 0 && *low == 0)) return std::nullopt;
    out.push_back(static_cast<char>(*high << 4 | *low));
    i += 2;
  }
  return out;
}

std::optional<Target> parse_target(std::string_view target) {
  if (!std::ranges::all_of(target, is_target_character)) return std::nullopt;
  const std::optional<std::string_view> origin = origin_form(target);
  if (!origin) return std::nullopt;
  const std::size_t question = std::min(origin->find('?'), origin->size());
  std::optional<std::string> path = percent_decode(origin->substr(0, question), Plus::kept);
  std::optional<std::vector<Header>> query =
      parse_query(origin->substr(std::min(question + 1, origin->size())));
  if (!path || !query) return std::nullopt;
  return Target{std::move(*path), std::move(*query)};
}

std::string encode_target(std::string_view path, const std::vector<Header>& query) {
  std::string out = escape_unless(path, is_path_character);
  char separator = '?';
  for (const Header& pair : query) {
    out.push_back(separator);
    out += escape_unless(pair.name, is_unreserved);
    out.push_back('=');
    out += escape_unless(pair.value, is_unreserved);
    separator = '&';
  }
  return out;
}

std::string escape_unsafe(std::string_view target) {
  return escape_unless(target, is_target_character);
}

std::string BaseUrl::authority() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<BaseUrl> parse_base_url(std::string_view text) {
  BaseUrl url;
  if (text.starts_with("https://")) {
    url.secure = true;
  } else if (!text.starts_with("http://")) {
    return malformed_url("The URL starts neither with http:// nor with https://.");
  }
  text.remove_prefix(url.secure ? 8 : 7);
  if (text.ends_with('/')) text.remove_suffix(1);
  url.port = url.secure ? kSecurePort : kPlainPort;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ipv6_text(text.substr(1, close - 1))) {
      return malformed_url("The brackets hold no IPv6 address.");
    }
    url.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    if (!is_host(text.substr(0, colon))) return malformed_url("The host is no name or address.");
    url.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (rest.empty()) return url;
  if (rest.front() != ':') return malformed_url("Octets follow the host that are no port.");
  TRY_ASSIGN(url.port, parse_port(rest.substr(1)));
  return url;
}

}  // namespace wattseal::http
