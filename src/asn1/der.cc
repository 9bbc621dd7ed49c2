#include "asn1/der.h"

#include <cstdio>

#include "base/check.h"

namespace wattseal::asn1 {
namespace {

Refusal refuse(RuleId rule, std::string detail) { return {rule, std::move(detail)}; }

std::string tag_text(Octet tag) {
  char text[8];
  std::snprintf(text, sizeof text, "%02X", tag);
  return text;
}

// Digits of a time's text; -1 when one of them is no digit.
int number_at(std::string_view text, std::size_t at, std::size_t digits) {
  int number = 0;
  for (const char c : text.substr(at, digits)) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return number;
}

}  // namespace

std::optional<Octet> Reader::peek_tag() const {
  if (rest_.empty()) return std::nullopt;
  return rest_[0];
}

Result<Tlv> Reader::any() {
  if (rest_.size() < 2)
    return refuse("der-truncated"_rule, "the octets end inside a tag or length");
  const Octet tag = rest_[0];
  if ((tag & 0x1F) == 0x1F) return refuse("der-tag"_rule, "tag numbers above 30 are not used here");
  std::size_t head = 2, length = rest_[1];
  if (length >= 0x80) {
    const std::size_t octets = length & 0x7F;
    if (octets == 0 || octets > 4)
      return refuse("der-length"_rule, "the length is indefinite or longer than 4 octets");
    if (rest_.size() < 2 + octets)
      return refuse("der-truncated"_rule, "the octets end inside a length");
    length = static_cast<std::size_t>(get_be(rest_.subspan(2, octets)));
    head += octets;
    const bool minimal = length >= 0x80 && rest_[2] != 0;
    if (!minimal && lengths_ == Lengths::minimal)
      return refuse("der-length"_rule, "the length is not in its shortest form");
  }
  if (rest_.size() - head < length) {
    return refuse("der-truncated"_rule, "tag " + tag_text(tag) + " claims " +
                                            std::to_string(length) + " octets, " +
                                            std::to_string(rest_.size() - head) + " are left");
  }
  const Tlv tlv{tag, rest_.subspan(head, length), rest_.first(head + length)};
  rest_ = rest_.subspan(head + length);
  return tlv;
}

Result<Tlv> Reader::expect(Octet tag) {
  const std::optional<Octet> found = peek_tag();
  if (!found) return refuse("der-truncated"_rule, "tag " + tag_text(tag) + " is missing");
  if (*found != tag)
    return refuse("der-tag"_rule,
                  "tag " + tag_text(*found) + " stands where " + tag_text(tag) + " belongs");
  return any();
}

Result<Reader> Reader::enter(Octet tag) {
  TRY_ASSIGN(const Tlv tlv, expect(tag));
  return Reader(tlv.content, lengths_);
}

Result<BytesView> Reader::oid() {
  TRY_ASSIGN(const Tlv tlv, expect(kOid));
  if (tlv.content.empty() || (tlv.content.back() & 0x80))
    return refuse("der-value"_rule, "an object identifier ends inside an arc");
  bool first_of_arc = true;
  for (const Octet octet : tlv.content) {
    if (first_of_arc && octet == 0x80)
      return refuse("der-value"_rule, "an object identifier's arc is padded");
    first_of_arc = (octet & 0x80) == 0;
  }
  return tlv.content;
}

Result<BytesView> Reader::positive_integer() {
  TRY_ASSIGN(const Tlv tlv, expect(kInteger));
  BytesView content = tlv.content;
  if (content.empty() || (content[0] & 0x80))
    return refuse("der-value"_rule, "an integer is empty or negative");
  if (content[0] == 0 && content.size() > 1) {
    if (!(content[1] & 0x80))
      return refuse("der-value"_rule, "an integer is not in its shortest form");
    content = content.subspan(1);
  }
  return content;
}

Result<std::uint64_t> Reader::unsigned_integer() {
  TRY_ASSIGN(const BytesView octets, positive_integer());
  if (octets.size() > 8) return refuse("der-value"_rule, "an integer is larger than 64 bits");
  return get_be(octets);
}

Result<bool> Reader::boolean() {
  TRY_ASSIGN(const Tlv tlv, expect(kBoolean));
  if (tlv.content.size() != 1 || (tlv.content[0] != 0 && tlv.content[0] != 0xFF))
    return refuse("der-value"_rule, "a boolean is neither 00 nor FF");
  return tlv.content[0] == 0xFF;
}

Result<BytesView> Reader::bit_string(unsigned unused_bits) {
  TRY_ASSIGN(const Tlv tlv, expect(kBitString));
  if (tlv.content.empty() || tlv.content[0] != unused_bits)
    return refuse("der-value"_rule, "a bit string has another number of unused bits");
  const BytesView octets = tlv.content.subspan(1);
  if (unused_bits > 0 && (octets.empty() || (octets.back() & ((1u << unused_bits) - 1))))
    return refuse("der-value"_rule, "unused bits of a bit string are set");
  return octets;
}

Result<UtcTime> Reader::time() {
  TRY_ASSIGN(const Tlv tlv, any());
  const std::string_view text = as_text(tlv.content);
  if (tlv.tag != kUtcTime && tlv.tag != kGeneralizedTime)
    return refuse("der-tag"_rule, "a time has tag " + tag_text(tlv.tag));
  const std::size_t year_digits = tlv.tag == kUtcTime ? 2 : 4;
  if (text.size() != year_digits + 11 || text.back() != 'Z')
    return refuse("der-value"_rule, "a time is not in whole seconds UTC");
  CivilTime civil;
  civil.year = number_at(text, 0, year_digits);
  if (tlv.tag == kUtcTime && civil.year >= 0)
    civil.year += civil.year < 50 ? 2000 : 1900;  // RFC 5280 4.1.2.5.1
  civil.month = number_at(text, year_digits, 2);
  civil.day = number_at(text, year_digits + 2, 2);
  civil.hour = number_at(text, year_digits + 4, 2);
  civil.minute = number_at(text, year_digits + 6, 2);
  civil.second = number_at(text, year_digits + 8, 2);
  const std::optional<UtcTime> time = UtcTime::from_civil(civil);
  if (!time) return refuse("der-value"_rule, "a time is no date of the calendar");
  return *time;
}

Status Reader::finish() const {
  if (rest_.empty()) return {};
  return refuse("der-trailing"_rule,
                std::to_string(rest_.size()) + " octets follow the end of the value");
}

void Writer::primitive(Octet tag, BytesView content) {
  const std::size_t start = begin(tag);
  append(out_, content);
  end(start);
}

std::size_t Writer::begin(Octet tag) {
  out_.push_back(tag);
  return out_.size();
}

// Lengths stand before contents whose length is only known now; contents are small, so they are
// moved.
void Writer::end(std::size_t start) {
  const std::size_t length = out_.size() - start;
  CHECK(length < 1u << 30);
  Octet head[5];
  std::size_t octets = 0;
  if (length < 0x80) {
    head[octets++] = static_cast<Octet>(length);
  } else {
    std::size_t needed = 1;
    while (length >> (8 * needed)) ++needed;
    head[octets++] = static_cast<Octet>(0x80 | needed);
    while (needed-- > 0) head[octets++] = static_cast<Octet>(length >> (8 * needed));
  }
  out_.insert(out_.begin() + static_cast<std::ptrdiff_t>(start), head, head + octets);
}

void Writer::integer(std::int64_t value) {
  std::size_t octets = 8;
  while (octets > 1) {  // drop a leading octet that only repeats the sign
    const std::int64_t shorter = value >> (8 * (octets - 1) - 1);
    if (shorter != 0 && shorter != -1) break;
    --octets;
  }
  Bytes content;
  put_be(content, value, octets);
  primitive(kInteger, content);
}

void Writer::positive_integer(BytesView big_endian, Octet tag) {
  while (big_endian.size() > 1 && big_endian[0] == 0) big_endian = big_endian.subspan(1);
  Bytes content;
  if (big_endian.empty() || (big_endian[0] & 0x80)) content.push_back(0);
  append(content, big_endian);
  primitive(tag, content);
}

void Writer::unsigned_integer(std::uint64_t value, Octet tag) {
  Bytes content;
  put_be(content, value);
  positive_integer(content, tag);
}

void Writer::boolean(bool value) {
  const Octet content = value ? 0xFF : 0x00;
  primitive(kBoolean, {&content, 1});
}

void Writer::bit_string(BytesView octets, unsigned unused_bits) {
  CHECK(unused_bits < 8);
  const std::size_t start = begin(kBitString);
  out_.push_back(static_cast<Octet>(unused_bits));
  append(out_, octets);
  end(start);
}

namespace {

// YYMMDDhhmmssZ. Lists have millions of them, so the digits are not printed by a format.
std::array<char, 13> short_time(const CivilTime& c) {
  std::array<char, 13> text{};
  std::size_t at = 0;
  for (const int pair : {c.year % 100, c.month, c.day, c.hour, c.minute, c.second}) {
    text[at++] = static_cast<char>('0' + pair / 10);
    text[at++] = static_cast<char>('0' + pair % 10);
  }
  text[at] = 'Z';
  return text;
}

}  // namespace

void Writer::x509_time(UtcTime time) {
  const CivilTime c = time.civil();
  if (c.year < 1950 || c.year >= 2050) return generalized_time(time);
  const std::array<char, 13> content = short_time(c);
  text(kUtcTime, {content.data(), content.size()});
}

void Writer::generalized_time(UtcTime time) {
  const CivilTime c = time.civil();
  const std::array<char, 13> rest = short_time(c);
  const int century = c.year / 100;
  std::string content{static_cast<char>('0' + century / 10), static_cast<char>('0' + century % 10)};
  content.append(rest.data(), rest.size());
  text(kGeneralizedTime, content);
}

}  // namespace wattseal::asn1
