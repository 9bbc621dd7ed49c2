#include <charconv>

#include "cosem/cosem.h"

namespace wattseal::cosem {

Refusal Reader::refuse(RuleId rule, std::string detail) const {
  return {rule, std::move(detail), "octet " + std::to_string(at_)};
}

Result<BytesView> Reader::take(std::size_t octets) {
  if (remaining() < octets)
    return refuse("cosem-truncated"_rule, std::to_string(octets) + " octets are needed, " +
                                              std::to_string(remaining()) + " are left");
  const BytesView taken = input_.subspan(at_, octets);
  at_ += octets;
  return taken;
}

Result<std::uint64_t> Reader::number(std::size_t octets) {
  TRY_ASSIGN(const BytesView taken, take(octets));
  return get_be(taken);
}

Result<std::size_t> Reader::length() {
  TRY_ASSIGN(const std::uint64_t first, number(1));
  if (first < 0x80) return static_cast<std::size_t>(first);
  const std::size_t octets = first & 0x7F;
  if (octets == 0 || octets > 4)
    return refuse("cosem-length"_rule, "a length has " + std::to_string(octets) + " octets");
  TRY_ASSIGN(const std::uint64_t length, number(octets));
  if (length < 0x80 || length >> (8 * (octets - 1)) == 0)
    return refuse("cosem-length"_rule, "a length is not in its shortest form");
  return static_cast<std::size_t>(length);
}

Status Reader::count_elements(std::size_t more) {
  if (more > kElementsMax - elements_)
    return refuse("cosem-too-many"_rule,
                  "there are more than " + std::to_string(kElementsMax) + " values");
  elements_ += more;
  return {};
}

Status Reader::finish() const {
  if (empty()) return {};
  return refuse("cosem-trailing"_rule, std::to_string(remaining()) + " octets follow the end");
}

Result<Obis> Obis::parse(std::string_view text) {
  const Refusal malformed{"cosem-obis"_rule, "'" + std::string(text.substr(0, 40)) +
                                                 "' is not of the form A-B:C.D.E.F"};
  constexpr std::string_view kSeparators = "-:...";
  Obis obis;
  for (std::size_t i = 0; i < 6; ++i) {
    unsigned value = 0;
    const std::from_chars_result read =
        std::from_chars(text.data(), text.data() + text.size(), value);
    const std::size_t digits = static_cast<std::size_t>(read.ptr - text.data());
    if (read.ec != std::errc() || value > 255 || (digits > 1 && text[0] == '0')) return malformed;
    obis.octets[i] = static_cast<Octet>(value);
    text.remove_prefix(digits);
    if (i == 5) break;
    if (text.empty() || text[0] != kSeparators[i]) return malformed;
    text.remove_prefix(1);
  }
  if (!text.empty()) return malformed;
  return obis;
}

std::string Obis::text() const {
  constexpr std::string_view kSeparators = "-:...";
  std::string text;
  for (std::size_t i = 0; i < 6; ++i) {
    text += std::to_string(octets[i]);
    if (i < 5) text += kSeparators[i];
  }
  return text;
}

}  // namespace wattseal::cosem
