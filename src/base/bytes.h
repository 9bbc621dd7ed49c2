// Octets: the one currency between the wire, the disk and the modules. Text forms (hex, base64) end
// here.
#pragma once
#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wattseal {

using Octet = std::uint8_t;
using Bytes = std::vector<Octet>;
using BytesView = std::span<const Octet>;

inline BytesView as_bytes(std::string_view text) {
  return {reinterpret_cast<const Octet*>(text.data()), text.size()};
}
inline std::string_view as_text(BytesView octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}
inline Bytes to_bytes(BytesView octets) { return {octets.begin(), octets.end()}; }
inline bool equal(BytesView a, BytesView b) { return std::ranges::equal(a, b); }
inline void append(Bytes& to, BytesView more) { to.insert(to.end(), more.begin(), more.end()); }

// Lower-case and upper-case hexadecimal without separators.
std::string to_hex(BytesView octets);
std::string to_hex_upper(BytesView octets);
// Accepts either case; nothing when the length is odd or a character is not hexadecimal. White
// space and dashes refused.
std::optional<Bytes> from_hex(std::string_view text);

// RFC 4648 section 4, padded, no line breaks.
std::string to_base64(BytesView octets);
// Skips white space (XML carries line breaks and &#13;); otherwise strict: padding required, no
// stray characters.
std::optional<Bytes> from_base64(std::string_view text);

// Big-endian integers: the order of every length, counter and code of the field except inside ZCL
// payloads.
template <typename T>
void put_be(Bytes& to, T value, std::size_t octets = sizeof(T)) {
  for (std::size_t i = octets; i-- > 0;)
    to.push_back(static_cast<Octet>(static_cast<std::uint64_t>(value) >> (8 * i)));
}
inline std::uint64_t get_be(BytesView octets) {
  std::uint64_t value = 0;
  for (const Octet octet : octets) value = value << 8 | octet;
  return value;
}

// True when equal, in time that depends on the length only: for MACs and anything derived from a
// secret.
bool equal_constant_time(BytesView a, BytesView b);

}  // namespace wattseal
