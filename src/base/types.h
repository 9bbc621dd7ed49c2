// Strong types of the field that every storey speaks. Each is built only by parse() or a named
// constructor: holding one is the proof that it is well formed.
#pragma once
#include <functional>

#include "base/bytes.h"
#include "base/result.h"

namespace wattseal {

// EUI-64: the identity of a device, a hub function or an organisation's role. Text form
// 90-B3-D5-1F-30-01-00-00.
class Eui64 {
 public:
  constexpr Eui64() = default;
  // Eight dash-separated hexadecimal pairs, either case. Refuses eui-malformed.
  static Result<Eui64> parse(std::string_view text);
  static Result<Eui64> from_octets(BytesView octets);  // exactly 8; refuses eui-malformed
  static constexpr Eui64 from_number(std::uint64_t number) { return Eui64(number); }
  constexpr std::uint64_t number() const { return number_; }
  std::array<Octet, 8> octets() const;
  std::string text() const;  // upper case with dashes
  std::string hex() const;   // 16 lower-case digits
  friend constexpr auto operator<=>(Eui64, Eui64) = default;

 private:
  constexpr explicit Eui64(std::uint64_t number) : number_(number) {}
  std::uint64_t number_ = 0;
};

// An inclusive range of EUI-64s, as allotted to a subscriber.
struct EuiRange {
  Eui64 first, last;
  constexpr bool contains(Eui64 eui) const { return first <= eui && eui <= last; }
  friend bool operator==(const EuiRange&, const EuiRange&) = default;
};

// Certificate serial number: a positive INTEGER of at most 16 octets, held as 16 octets big-endian.
// Repositories print it as 32 upper-case hex digits, XML signatures as decimal. Source: RFC
// 5280 4.1.2.2; spec 1.2.
class CertificateSerial {
 public:
  constexpr CertificateSerial() = default;
  static Result<CertificateSerial> from_octets(
      BytesView big_endian);  // 1..16 significant octets; refuses serial-malformed
  static Result<CertificateSerial> parse_hex(
      std::string_view text);  // 1..32 digits; refuses serial-malformed
  static Result<CertificateSerial> parse_decimal(
      std::string_view text);  // refuses serial-malformed
  const std::array<Octet, 16>& octets() const { return octets_; }
  std::string hex() const;      // 32 upper-case digits
  std::string decimal() const;  // no leading zeros
  friend auto operator<=>(const CertificateSerial&, const CertificateSerial&) = default;

 private:
  std::array<Octet, 16> octets_{};
};

// 64-bit originator counter: strictly increasing per originator and target. It has next(), not +.
class OriginatorCounter {
 public:
  constexpr OriginatorCounter() = default;
  constexpr explicit OriginatorCounter(std::uint64_t number) : number_(number) {}
  static Result<OriginatorCounter> parse(
      std::string_view decimal);  // 0..2^64-1, no leading zero; refuses counter-malformed
  constexpr std::uint64_t number() const { return number_; }
  constexpr OriginatorCounter next() const { return OriginatorCounter(number_ + 1); }
  friend constexpr auto operator<=>(OriginatorCounter, OriginatorCounter) = default;

 private:
  std::uint64_t number_ = 0;
};

// Electricity meter point: the 13-digit core with its check digit (sum of digit x prime, mod 11 mod
// 10).
class Mpan {
 public:
  static Result<Mpan> parse(std::string_view text);  // refuses mpan-malformed, mpan-check-digit
  static Mpan from_core(std::uint64_t first_twelve_digits);  // computes the check digit
  const std::string& text() const { return text_; }
  friend auto operator<=>(const Mpan&, const Mpan&) = default;

 private:
  std::string text_;
};

// Gas meter point: 10 digits, the last two a check number (sum of digit x weight 10..3, mod 11).
class Mprn {
 public:
  static Result<Mprn> parse(std::string_view text);  // refuses mprn-malformed, mprn-check-digit
  static Mprn from_core(std::uint64_t first_eight_digits);
  const std::string& text() const { return text_; }
  friend auto operator<=>(const Mprn&, const Mprn&) = default;

 private:
  std::string text_;
};

// Sixteen random octets that follow one exchange from the HTTP request to the device and back, in
// logs and facts.
class TraceId {
 public:
  constexpr TraceId() = default;
  explicit constexpr TraceId(std::array<Octet, 16> octets) : octets_(octets) {}
  static Result<TraceId> parse(std::string_view hex);  // 32 digits; refuses trace-malformed
  const std::array<Octet, 16>& octets() const { return octets_; }
  std::string text() const { return to_hex(octets_); }
  friend auto operator<=>(const TraceId&, const TraceId&) = default;

 private:
  std::array<Octet, 16> octets_{};
};

}  // namespace wattseal

template <>
struct std::hash<wattseal::Eui64> {
  std::size_t operator()(wattseal::Eui64 eui) const noexcept {
    return std::hash<std::uint64_t>{}(eui.number());
  }
};
