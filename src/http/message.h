// Message heads as text and the questions both sides ask about header fields. Beast parses; writing
// a head is a few appends, so it is done here, without its templates. Source: RFC 9110 5
// (fields), 6.6.1 (Date), 15 (status codes); RFC 9112 6 (framing).
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "http/http.h"

namespace wattseal::http {

constexpr std::string_view kTraceHeader = "X-Trace-Id";
constexpr std::size_t kHeadOctetsMax = 16 * 1024;

bool same_name(std::string_view a, std::string_view b);  // header names, any case
const std::string* find_header(const std::vector<Header>& headers, std::string_view name);
bool is_token(
    std::string_view text);  // RFC 9110 5.6.2: what a method or a field name may be made of

// True for a name and value that cannot end the line early: a caller's text must never forge a
// header or a second message.
bool travels(const Header& header);

// Fields that say how this one connection frames messages. Each side writes its own; those a caller
// hands over (as a relay would, with the message it received) are not sent.
bool belongs_to_connection(std::string_view name);

std::string_view reason_phrase(int status);
std::string date_text(UtcTime now);  // Sun, 06 Nov 1994 08:49:37 GMT

// 204 and 304 never carry a body. Source: RFC 9110 15.3.5 and 15.4.5.
bool carries_body(int status);

}  // namespace wattseal::http
