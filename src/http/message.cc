#include "http/message.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace wattseal::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_token_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
bool is_value_character(char c) {
  const unsigned char octet = static_cast<unsigned char>(c);
  return octet == '\t' || (octet >= 0x20 && octet != 0x7f);
}

struct Reason {
  int status;
  std::string_view phrase;
};
constexpr std::array kReasons{
    Reason{200, "OK"},
    Reason{201, "Created"},
    Reason{202, "Accepted"},
    Reason{204, "No Content"},
    Reason{206, "Partial Content"},
    Reason{301, "Moved Permanently"},
    Reason{302, "Found"},
    Reason{303, "See Other"},
    Reason{304, "Not Modified"},
    Reason{307, "Temporary Redirect"},
    Reason{308, "Permanent Redirect"},
    Reason{400, "Bad Request"},
    Reason{401, "Unauthorized"},
    Reason{403, "Forbidden"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{406, "Not Acceptable"},
    Reason{408, "Request Timeout"},
    Reason{409, "Conflict"},
    Reason{410, "Gone"},
    Reason{411, "Length Required"},
    Reason{412, "Precondition Failed"},
    Reason{413, "Content Too Large"},
    Reason{415, "Unsupported Media Type"},
    Reason{417, "Expectation Failed"},
    Reason{422, "Unprocessable Content"},
    Reason{429, "Too Many Requests"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{500, "Internal Server Error"},
    Reason{501, "Not Implemented"},
    Reason{502, "Bad Gateway"},
    Reason{503, "Service Unavailable"},
    Reason{504, "Gateway Timeout"},
    Reason{505, "HTTP Version Not Supported"},
};
static_assert(std::ranges::is_sorted(kReasons, {}, &Reason::status));

constexpr std::array<std::string_view, 12> kConnectionFields{"connection",
                                                             "content-length",
                                                             "date",
                                                             "expect",
                                                             "host",
                                                             "keep-alive",
                                                             "te",
                                                             "trailer",
                                                             "upgrade",
                                                             "x-trace-id",
                                                             "transfer-encoding",
                                                             "proxy-connection"};

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

const std::string* find_header(const std::vector<Header>& headers, std::string_view name) {
  const std::vector<Header>::const_iterator found = std::ranges::find_if(
      headers, [name](const Header& header) { return same_name(header.name, name); });
  return found == headers.end() ? nullptr : &found->value;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_character);
}

bool travels(const Header& header) {
  return is_token(header.name) && std::ranges::all_of(header.value, is_value_character);
}

bool belongs_to_connection(std::string_view name) {
  return std::ranges::any_of(kConnectionFields,
                             [name](std::string_view field) { return same_name(field, name); });
}

std::string_view reason_phrase(int status) {
  const auto* const found = std::ranges::lower_bound(kReasons, status, {}, &Reason::status);
  // The phrase may be empty, but the space before it may not. Source: RFC 9112 4.
  return found != kReasons.end() && found->status == status ? found->phrase : std::string_view();
}

std::string date_text(UtcTime now) {
  static constexpr const char* kDays[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const CivilTime civil = now.civil();
  const std::int64_t day =
      (now.start_of_day().unix_seconds() / 86400 % 7 + 7) % 7;  // day 0 was a Thursday
  char text[64];
  const int length =
      std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[day], civil.day,
                    kMonths[civil.month - 1], civil.year, civil.hour, civil.minute, civil.second);
  return {text, static_cast<std::size_t>(length)};
}

bool carries_body(int status) { return status != 204 && status != 304; }

const std::string* Request::header(std::string_view name) const {
  return find_header(headers, name);
}

const std::string* Request::query_value(std::string_view name) const {
  const std::vector<Header>::const_iterator found = std::ranges::find(query, name, &Header::name);
  return found == query.end() ? nullptr : &found->value;
}

}  // namespace wattseal::http
