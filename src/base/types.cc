#include "base/types.h"

#include <charconv>

namespace wattseal {
namespace {

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Long division of a 128-bit big-endian number by ten, in place; returns the remainder.
int divide_by_ten(std::array<Octet, 16>& number) {
  int rest = 0;
  for (Octet& octet : number) {
    const int value = rest << 8 | octet;
    octet = static_cast<Octet>(value / 10);
    rest = value % 10;
  }
  return rest;
}

// number = number * 10 + digit; false on overflow of 128 bits.
bool times_ten_plus(std::array<Octet, 16>& number, int digit) {
  int carry = digit;
  for (std::size_t i = number.size(); i-- > 0;) {
    const int value = number[i] * 10 + carry;
    number[i] = static_cast<Octet>(value & 255);
    carry = value >> 8;
  }
  return carry == 0;
}

// Source: MPAN core check digit, public description of the Electricity Supply "bottom line";
// recalled (R-hi).
int mpan_check(std::string_view twelve) {
  constexpr int kPrimes[12] = {3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43};
  int sum = 0;
  for (std::size_t i = 0; i < 12; ++i) sum += (twelve[i] - '0') * kPrimes[i];
  return sum % 11 % 10;
}

// Source: MPRN check digits, recalled (R-md).
int mprn_check(std::string_view eight) {
  int sum = 0;
  for (std::size_t i = 0; i < 8; ++i) sum += (eight[i] - '0') * static_cast<int>(10 - i);
  return sum % 11;
}

std::string digits(std::uint64_t number, std::size_t width) {
  std::string text = std::to_string(number);
  CHECK(text.size() <= width);
  return std::string(width - text.size(), '0') + text;
}

}  // namespace

Result<Eui64> Eui64::parse(std::string_view text) {
  if (text.size() != 23)
    return Refusal{"eui-malformed"_rule, "an EUI-64 is eight dash-separated hexadecimal pairs"};
  std::string packed;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 != 2) {
      packed.push_back(text[i]);
    } else if (text[i] != '-') {
      return Refusal{"eui-malformed"_rule, "a dash is missing between two pairs of an EUI-64"};
    }
  }
  const std::optional<Bytes> octets = from_hex(packed);
  if (!octets)
    return Refusal{"eui-malformed"_rule, "an EUI-64 holds a character that is not hexadecimal"};
  return from_octets(*octets);
}

Result<Eui64> Eui64::from_octets(BytesView octets) {
  if (octets.size() != 8) return Refusal{"eui-malformed"_rule, "an EUI-64 has eight octets"};
  return Eui64(get_be(octets));
}

std::array<Octet, 8> Eui64::octets() const {
  std::array<Octet, 8> octets{};
  for (std::size_t i = 0; i < 8; ++i) octets[i] = static_cast<Octet>(number_ >> (56 - 8 * i));
  return octets;
}

std::string Eui64::text() const {
  const std::string packed = to_hex_upper(octets());
  std::string text;
  for (std::size_t i = 0; i < packed.size(); i += 2) {
    if (i != 0) text.push_back('-');
    text.append(packed, i, 2);
  }
  return text;
}

std::string Eui64::hex() const { return to_hex(octets()); }

Result<CertificateSerial> CertificateSerial::from_octets(BytesView big_endian) {
  while (!big_endian.empty() && big_endian.front() == 0) big_endian = big_endian.subspan(1);
  if (big_endian.empty() || big_endian.size() > 16) {
    return Refusal{"serial-malformed"_rule,
                   "a serial number is positive and has at most 16 octets"};
  }
  CertificateSerial serial;
  std::ranges::copy(big_endian,
                    serial.octets_.end() - static_cast<std::ptrdiff_t>(big_endian.size()));
  return serial;
}

Result<CertificateSerial> CertificateSerial::parse_hex(std::string_view text) {
  if (text.empty() || text.size() > 32)
    return Refusal{"serial-malformed"_rule, "a serial number has 1 to 32 hexadecimal digits"};
  const std::optional<Bytes> octets =
      from_hex(text.size() % 2 ? "0" + std::string(text) : std::string(text));
  if (!octets)
    return Refusal{"serial-malformed"_rule,
                   "a serial number holds a character that is not hexadecimal"};
  return from_octets(*octets);
}

Result<CertificateSerial> CertificateSerial::parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > 39 || !all_digits(text)) {
    return Refusal{"serial-malformed"_rule, "a decimal serial number has 1 to 39 digits"};
  }
  CertificateSerial serial;
  for (const char c : text) {
    if (!times_ten_plus(serial.octets_, c - '0')) {
      return Refusal{"serial-malformed"_rule, "a serial number has at most 16 octets"};
    }
  }
  return from_octets(serial.octets_);
}

std::string CertificateSerial::hex() const { return to_hex_upper(octets_); }

std::string CertificateSerial::decimal() const {
  std::array<Octet, 16> rest = octets_;
  std::string text;
  while (std::ranges::any_of(rest, [](Octet o) { return o != 0; }))
    text.push_back(static_cast<char>('0' + divide_by_ten(rest)));
  std::ranges::reverse(text);
  return text.empty() ? "0" : text;
}

Result<OriginatorCounter> OriginatorCounter::parse(std::string_view decimal) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(decimal.data(), decimal.data() + decimal.size(), number);
  const bool canonical = decimal.size() == 1 || (!decimal.empty() && decimal.front() != '0');
  if (decimal.empty() || error != std::errc{} || end != decimal.data() + decimal.size() ||
      !canonical) {
    return Refusal{"counter-malformed"_rule,
                   "a counter is decimal, 0 to 2^64-1, without leading zeros"};
  }
  return OriginatorCounter(number);
}

Result<Mpan> Mpan::parse(std::string_view text) {
  if (text.size() != 13 || !all_digits(text))
    return Refusal{"mpan-malformed"_rule, "an MPAN core has 13 digits"};
  if (mpan_check(text) != text[12] - '0')
    return Refusal{"mpan-check-digit"_rule, "the last digit does not check the first twelve"};
  Mpan mpan;
  mpan.text_ = std::string(text);
  return mpan;
}

Mpan Mpan::from_core(std::uint64_t first_twelve_digits) {
  Mpan mpan;
  mpan.text_ = digits(first_twelve_digits, 12);
  mpan.text_.push_back(static_cast<char>('0' + mpan_check(mpan.text_)));
  return mpan;
}

Result<Mprn> Mprn::parse(std::string_view text) {
  if (text.size() != 10 || !all_digits(text))
    return Refusal{"mprn-malformed"_rule, "an MPRN has 10 digits"};
  const int check = (text[8] - '0') * 10 + (text[9] - '0');
  if (mprn_check(text) != check)
    return Refusal{"mprn-check-digit"_rule, "the last two digits do not check the first eight"};
  Mprn mprn;
  mprn.text_ = std::string(text);
  return mprn;
}

Mprn Mprn::from_core(std::uint64_t first_eight_digits) {
  Mprn mprn;
  mprn.text_ = digits(first_eight_digits, 8);
  mprn.text_ += digits(static_cast<std::uint64_t>(mprn_check(mprn.text_)), 2);
  return mprn;
}

Result<TraceId> TraceId::parse(std::string_view hex) {
  const std::optional<Bytes> octets = from_hex(hex);
  if (!octets || octets->size() != 16)
    return Refusal{"trace-malformed"_rule, "a trace id has 32 hexadecimal digits"};
  std::array<Octet, 16> fixed{};
  std::ranges::copy(*octets, fixed.begin());
  return TraceId(fixed);
}

}  // namespace wattseal
