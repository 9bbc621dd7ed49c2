// A token is a number of 57 bits (10 of the counter, 2 of unit class, 13 of value, 32 of MAC)
// shifted by a constant into the range of 19 decimal digits, and a Verhoeff check digit. Source:
// spec/gbcs-duis.md 6.
#include "gbcs/utrn.h"

#include <openssl/crypto.h>

#include "gbcs/security.h"

namespace wattseal::gbcs {
namespace {

constexpr std::uint64_t kBase = 7394156990786306048;  // 669D529B714A0000
constexpr std::size_t kDigits = 20;
constexpr unsigned kMaxValue = 8191, kCounterMask = 0x3FF, kCounterShift = 15, kUnitShift = 13;

// Verhoeff's scheme over the dihedral group of ten elements.
constexpr std::array<std::string_view, 8> kPermutation{"0123456789", "1576283094", "5803796142",
                                                       "8916043527", "9453126870", "4286573901",
                                                       "2793806415", "7046913258"};
constexpr std::array<std::string_view, 10> kProduct{
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210"};
constexpr std::string_view kInverse = "1267583094";
constexpr std::size_t kFirstColumn = 4;  // trap: the textbook starts with column 1

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

unsigned digit(char c) { return static_cast<unsigned>(c - '0'); }

std::uint32_t high_word(OriginatorCounter counter, UtrnUnit unit, unsigned value) {
  const std::uint32_t truncated = static_cast<std::uint32_t>(counter.number() >> 32) & kCounterMask;
  return truncated << kCounterShift | (unit == UtrnUnit::pounds ? 1u : 0u) << kUnitShift | value;
}

// The last four octets of the GMAC, unlike a message's MAC, which takes the first twelve.
std::uint32_t token_mac(const crypto::SharedSecret& secret, Eui64 supplier, Eui64 meter,
                        OriginatorCounter counter, std::uint32_t high) {
  Bytes authenticated{0x11, 0, 0, 0, 0, 0};
  append(authenticated, supplier.octets());
  append(authenticated, meter.octets());
  authenticated.push_back(0x01);
  put_be(authenticated, counter.number());
  put_be(authenticated, high);
  crypto::Iv iv{};
  std::ranges::copy(supplier.octets(), iv.begin());
  crypto::Key128 key = derive_key(secret, supplier, KeyPurpose::command, counter, meter);
  const crypto::Tag tag = crypto::gmac(key, iv, authenticated);
  OPENSSL_cleanse(key.data(), key.size());
  return static_cast<std::uint32_t>(get_be(BytesView(tag).last(4)));
}

// What the ten bits on the token mean to a meter that last used `last_used`: the next counter that
// ends so. Nothing when it was used already or the high word is exhausted.
std::optional<OriginatorCounter> rebuild_counter(OriginatorCounter last_used, unsigned truncated) {
  const std::uint64_t last = last_used.number() >> 32;
  std::uint64_t next = (last & ~std::uint64_t{kCounterMask}) | truncated;
  if (next == last) return std::nullopt;
  if (next < last) next += kCounterMask + 1;
  if (next > 0xFFFFFFFF) return std::nullopt;
  return OriginatorCounter(next << 32);
}

}  // namespace

char utrn_check_digit(std::string_view nineteen_digits) {
  CHECK(nineteen_digits.size() == kDigits - 1 && all_digits(nineteen_digits));
  unsigned product = 0;
  std::size_t column = kFirstColumn;
  for (const char c : nineteen_digits) {
    product = digit(kProduct[product][digit(kPermutation[column][digit(c)])]);
    column = (column + 1) % kPermutation.size();
  }
  return kInverse[product];
}

Result<std::string> make_utrn(const crypto::SharedSecret& secret, const UtrnRequest& request) {
  if ((request.counter.number() & 0xFFFFFFFF) != 0) {
    return Refusal{"utrn-counter"_rule, "counter " + std::to_string(request.counter.number()),
                   "counter"};
  }
  if (request.value > kMaxValue)
    return Refusal{"utrn-value"_rule, "value " + std::to_string(request.value), "value"};
  const std::uint32_t high = high_word(request.counter, request.unit, request.value);
  const std::uint32_t mac =
      token_mac(secret, request.supplier, request.meter, request.counter, high);
  std::string digits = std::to_string(kBase + (std::uint64_t{high} << 32 | mac));
  digits.push_back(utrn_check_digit(digits));
  return digits;
}

Result<UtrnFields> parse_utrn(std::string_view digits) {
  if (digits.size() != kDigits || !all_digits(digits)) {
    return Refusal{"utrn-format"_rule, std::to_string(digits.size()) + " characters"};
  }
  const std::string_view body = digits.substr(0, kDigits - 1);
  if (utrn_check_digit(body) != digits.back()) {
    return Refusal{"utrn-check-digit"_rule, "the last digit does not check the others"};
  }
  std::uint64_t number = 0;  // nineteen digits always fit
  for (const char c : body) number = number * 10 + digit(c);
  const std::uint64_t token = number - kBase;
  const std::uint64_t high = token >> 32;
  if (number < kBase || high >> (kCounterShift + 10) != 0) {
    return Refusal{"utrn-format"_rule, "the digits are outside the range of tokens"};
  }
  const unsigned unit_class = static_cast<unsigned>(high >> kUnitShift & 3);
  if (unit_class > 1)
    return Refusal{"utrn-value"_rule, "unit class " + std::to_string(unit_class), "unit"};
  UtrnFields fields;
  fields.truncated_counter = static_cast<unsigned>(high >> kCounterShift) & kCounterMask;
  fields.unit = unit_class == 1 ? UtrnUnit::pounds : UtrnUnit::pence;
  fields.value = static_cast<unsigned>(high) & kMaxValue;
  fields.mac = static_cast<std::uint32_t>(token);
  return fields;
}

Result<OriginatorCounter> verify_utrn(const crypto::SharedSecret& secret, Eui64 supplier,
                                      Eui64 meter, OriginatorCounter last_used,
                                      std::string_view digits) {
  TRY_ASSIGN(const UtrnFields fields, parse_utrn(digits));
  const std::optional<OriginatorCounter> counter =
      rebuild_counter(last_used, fields.truncated_counter);
  if (!counter)
    return Refusal{"utrn-counter"_rule, "the token's counter is not ahead of the meter's",
                   "counter"};
  Bytes wanted, found;
  put_be(wanted, token_mac(secret, supplier, meter, *counter,
                           high_word(*counter, fields.unit, fields.value)));
  put_be(found, fields.mac);
  if (equal_constant_time(wanted, found)) return *counter;
  return Refusal{"utrn-mac-mismatch"_rule, "the token was made with another key, counter or value",
                 "mac"};
}

}  // namespace wattseal::gbcs
