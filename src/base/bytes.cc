#include "base/bytes.h"

#include "base/check.h"

namespace wattseal {
namespace {

std::string hex_with(BytesView octets, const char* digits) {
  std::string text;
  text.reserve(octets.size() * 2);
  for (const Octet octet : octets) {
    text.push_back(digits[octet >> 4]);
    text.push_back(digits[octet & 15]);
  }
  return text;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> base64_values() {
  std::array<std::int8_t, 256> values{};
  for (std::int8_t& value : values) value = -1;
  for (std::int8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(kBase64[i])] = i;
  return values;
}
constexpr std::array<std::int8_t, 256> kBase64Values = base64_values();

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

std::string to_hex(BytesView octets) { return hex_with(octets, "0123456789abcdef"); }
std::string to_hex_upper(BytesView octets) { return hex_with(octets, "0123456789ABCDEF"); }

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes octets;
  octets.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    octets.push_back(static_cast<Octet>(high << 4 | low));
  }
  return octets;
}

std::string to_base64(BytesView octets) {
  std::string text((octets.size() + 2) / 3 * 4, '=');
  char* to = text.data();
  for (std::size_t i = 0; i < octets.size(); i += 3, to += 4) {
    const std::size_t have = std::min<std::size_t>(3, octets.size() - i);
    std::uint32_t block = std::uint32_t{octets[i]} << 16;
    if (have > 1) block |= std::uint32_t{octets[i + 1]} << 8;
    if (have > 2) block |= octets[i + 2];
    for (std::size_t k = 0; k <= have; ++k) to[k] = kBase64[block >> (18 - 6 * k) & 63];
  }
  return text;
}

std::optional<Bytes> from_base64(std::string_view text) {
  Bytes octets;
  octets.reserve(text.size() / 4 * 3);
  std::uint32_t block = 0;
  int have = 0, padding = 0;
  for (const char c : text) {
    if (is_space(c)) continue;
    if (c == '=') {
      if (have < 2 || ++padding + have > 4) return std::nullopt;
      continue;
    }
    const int value = kBase64Values[static_cast<unsigned char>(c)];
    if (value < 0 || padding > 0) return std::nullopt;
    block = block << 6 | static_cast<std::uint32_t>(value);
    if (++have == 4) {
      put_be(octets, block, 3);
      block = 0;
      have = 0;
    }
  }
  if (have == 0 && padding == 0) return octets;
  if (have + padding != 4) return std::nullopt;
  if (have == 2) {
    if (block & 15)
      return std::nullopt;  // bits that the padding discards must be zero: one text per value
    octets.push_back(static_cast<Octet>(block >> 4));
  } else {
    if (block & 3) return std::nullopt;
    put_be(octets, block >> 2, 2);
  }
  return octets;
}

bool equal_constant_time(BytesView a, BytesView b) {
  if (a.size() != b.size()) return false;
  Octet difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference = static_cast<Octet>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

}  // namespace wattseal
