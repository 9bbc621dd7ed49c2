// What a URL carries, taken apart and put together: request targets, percent escapes, query pairs,
// base URLs. Decoding is strict and never normalises: "//" and ".." stay as the sender wrote them,
// for whoever maps paths to judge. Source: RFC 3986 2.1 and 3.2, RFC 9112 3.2,
// application/x-www-form-urlencoded of the WHATWG URL standard for "+".
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/http.h"

namespace wattseal::http {

struct Target {
  std::string path;
  std::vector<Header> query;
};

enum class Plus { kept, means_space };

// Nothing when an escape is cut short, is not hexadecimal or yields NUL (which would end a C string
// early).
std::optional<std::string> percent_decode(std::string_view text, Plus plus);

// Origin form ("/path?query") and absolute form ("http://host/path"); nothing for anything else.
std::optional<Target> parse_target(std::string_view target);

// The inverse of parse_target for a decoded path and decoded pairs.
std::string encode_target(std::string_view path, const std::vector<Header>& query);

// Escapes only what may not stand in a request line; the escapes of the caller are kept.
std::string escape_unsafe(std::string_view target);

struct BaseUrl {
  std::string host;  // without the brackets of an IPv6 address
  std::uint16_t port = 0;
  bool secure = false;
  std::string authority() const;  // host:port as the Host header wants it
};

// "http[s]://host[:port][/]". Refuses http-malformed-url.
Result<BaseUrl> parse_base_url(std::string_view text);

}  // namespace wattseal::http
