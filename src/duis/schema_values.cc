// Values as the schema's simple types have them. Source: W3C XML Schema part 2 (2004) for the
// lexical forms; data/duis_types.tsv for the rest.
#include "base/check.h"
#include "duis/duis.h"
#include "duis/schema.h"
#include "terms/terms.h"

namespace wattseal::duis {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_white(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string_view collapsed(std::string_view text) {
  while (!text.empty() && is_white(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_white(text.back())) text.remove_suffix(1);
  return text;
}

bool in_bounds(const ValueType& type, std::int64_t value) {
  return (!type.min || value >= *type.min) && (!type.max || value <= *type.max);
}
bool is_count(const ValueType& type, std::size_t count) {
  return in_bounds(type, static_cast<std::int64_t>(count));
}

// The digits of an integer or of a scaled decimal; nothing when they leave 64 bits.
std::optional<std::int64_t> magnitude(std::string_view digits, std::string_view more = {}) {
  constexpr std::int64_t kMost = INT64_MAX;
  std::int64_t value = 0;
  for (const std::string_view part : {digits, more}) {
    for (const char c : part) {
      const int digit = c - '0';
      if (value > (kMost - digit) / 10) return std::nullopt;
      value = value * 10 + digit;
    }
  }
  return value;
}

bool take_sign(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  return negative;
}

bool is_integer(const ValueType& type, std::string_view text) {
  const bool negative = type.kind == Kind::integer && take_sign(text);
  if (text.empty() || !std::ranges::all_of(text, is_digit)) return false;
  if (!type.min && !type.max) {
    while (text.starts_with('0')) text.remove_prefix(1);
    return type.digits < 0 || text.size() <= static_cast<std::size_t>(type.digits);
  }
  const std::optional<std::int64_t> value = magnitude(text);
  return value && in_bounds(type, negative ? -*value : *value);
}

bool is_decimal(const ValueType& type, std::string_view text) {
  const bool negative = take_sign(text);
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  std::string_view fraction = text.substr(std::min(point + 1, text.size()));
  if (whole.empty() && fraction.empty()) return false;
  if (!std::ranges::all_of(whole, is_digit) || !std::ranges::all_of(fraction, is_digit))
    return false;
  if (type.digits < 0) return true;
  while (fraction.ends_with('0')) fraction.remove_suffix(1);
  const std::size_t digits = static_cast<std::size_t>(type.digits);
  if (fraction.size() > digits) return false;
  const std::string padded = std::string(fraction) + std::string(digits - fraction.size(), '0');
  const std::optional<std::int64_t> value = magnitude(whole, padded);
  return value && in_bounds(type, negative ? -*value : *value);
}

// Reads a moment from left to right; the first part that does not fit makes it fail for good.
class Moment {
 public:
  explicit Moment(std::string_view text) : rest_(text) {}

  Moment& literal(char c) {
    if (!rest_.starts_with(c)) return fail();
    rest_.remove_prefix(1);
    return *this;
  }
  // A year has four digits or more, and no more of them than it needs. There is no year 0.
  Moment& date() {
    if (rest_.starts_with('-')) rest_.remove_prefix(1);
    std::size_t length = 0;
    while (length < rest_.size() && is_digit(rest_[length])) ++length;
    if (length < 4 || length > 12 || (length > 4 && rest_[0] == '0')) return fail();
    const std::int64_t year = *magnitude(rest_.substr(0, length));
    rest_.remove_prefix(length);
    const int month = literal('-').two_digits();
    const int day = literal('-').two_digits();
    if (!good_ || year == 0 || month < 1 || month > 12) return fail();
    constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const int last = month == 2 && leap ? 29 : kDays[month - 1];
    if (day < 1 || day > last) return fail();
    return *this;
  }
  Moment& time() {
    const int hour = two_digits();
    const int minute = literal(':').two_digits();
    const int second = literal(':').two_digits();
    bool past_the_second = false;
    if (rest_.starts_with('.')) {
      rest_.remove_prefix(1);
      if (rest_.empty() || !is_digit(rest_.front())) return fail();
      for (; !rest_.empty() && is_digit(rest_.front()); rest_.remove_prefix(1))
        past_the_second = past_the_second || rest_.front() != '0';
    }
    const bool end_of_day = hour == 24 && minute == 0 && second == 0 && !past_the_second;
    if (!end_of_day && (hour > 23 || minute > 59 || second > 59)) return fail();
    return *this;
  }
  bool zone_and_end() {
    if (rest_.starts_with('Z')) {
      rest_.remove_prefix(1);
    } else if (rest_.starts_with('+') || rest_.starts_with('-')) {
      rest_.remove_prefix(1);
      const int hours = two_digits();
      const int minutes = literal(':').two_digits();
      if (minutes > 59 || hours * 60 + minutes > 14 * 60) fail();
    }
    return good_ && rest_.empty();
  }

 private:
  Moment& fail() {
    good_ = false;
    return *this;
  }
  int two_digits() {
    if (rest_.size() < 2 || !is_digit(rest_[0]) || !is_digit(rest_[1])) {
      fail();
      return 0;
    }
    const int value = (rest_[0] - '0') * 10 + (rest_[1] - '0');
    rest_.remove_prefix(2);
    return value;
  }

  std::string_view rest_;
  bool good_ = true;
};

// White space may stand between the characters; the bits that the last one has too many are zero.
bool is_base64(const ValueType& type, std::string_view text) {
  std::size_t characters = 0, padding = 0;
  unsigned last = 0;
  for (const char c : text) {
    if (is_white(c)) continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    if (padding > 0) return false;
    if (c >= 'A' && c <= 'Z')
      last = static_cast<unsigned>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      last = static_cast<unsigned>(c - 'a') + 26;
    else if (is_digit(c))
      last = static_cast<unsigned>(c - '0') + 52;
    else if (c == '+' || c == '/')
      last = c == '+' ? 62 : 63;
    else
      return false;
    ++characters;
  }
  if ((characters + padding) % 4 != 0 || padding > 2 || (padding > 0 && characters < 2))
    return false;
  if ((padding == 1 && last % 4 != 0) || (padding == 2 && last % 16 != 0)) return false;
  return is_count(type, characters * 3 / 4);
}

// Octets are compared, so the case of a digit does not matter.
bool is_hex(const ValueType& type, std::string_view text) {
  if (text.size() % 2 != 0 || !std::ranges::all_of(text, is_hex_digit)) return false;
  if (type.values.empty()) return is_count(type, text.size() / 2);
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  return std::ranges::any_of(
      type.values, [&](std::string_view value) { return std::ranges::equal(value, text, same); });
}

bool is_eui(std::string_view text) {
  if (text.size() != 23) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 2 ? text[i] != '-' : !is_hex_digit(text[i])) return false;
  }
  return true;
}

bool is_eui_list(std::string_view text) {
  while (text.size() > 23 && text[23] == ',' && is_eui(text.substr(0, 23))) text.remove_prefix(24);
  return is_eui(text);
}

bool has_form(Form form, std::string_view text) {
  switch (form) {
    case Form::any: return true;
    case Form::digits: return std::ranges::all_of(text, is_digit);
    case Form::digits_spaces:
      return std::ranges::all_of(text, [](char c) { return is_digit(c) || c == ' '; });
    case Form::printable:
      return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
    case Form::eui: return is_eui(text);
    case Form::eui_list: return is_eui_list(text);
    case Form::request_id: return RequestId::parse(text).ok();
    case Form::service_reference:
      return std::ranges::any_of(
          service_requests(), [&](const ServiceRequestRow& row) { return row.reference == text; });
    case Form::service_variant: return find_service_request(text) != nullptr;
  }
  UNREACHABLE();
}

bool is_text(const ValueType& type, std::string_view text) {
  if (!type.values.empty()) return std::ranges::find(type.values, text) != type.values.end();
  const std::ptrdiff_t characters =
      type.min || type.max
          ? std::ranges::count_if(
                text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; })
          : 0;
  return is_count(type, static_cast<std::size_t>(characters)) && has_form(type.form, text);
}

std::string bounds(const ValueType& type, std::string_view unit) {
  const std::string least = type.min ? std::to_string(*type.min) : "0";
  if (type.min == type.max && type.min) return least + std::string(unit);
  if (!type.max) return "any number of" + std::string(unit);
  return least + " to " + std::to_string(*type.max) + std::string(unit);
}

std::string decimal_text(std::int64_t scaled, int digits) {
  std::string text = std::to_string(scaled);
  const std::size_t width = static_cast<std::size_t>(digits);
  if (text.size() <= width) text.insert(0, width + 1 - text.size(), '0');
  return text.insert(text.size() - width, ".");
}

std::string describe_values(const ValueType& type) {
  std::string list = "one of ";
  for (const std::string_view value : type.values) {
    if (value != type.values.front()) list += ", ";
    list += value;
  }
  return list;
}

std::string describe_text(const ValueType& type) {
  switch (type.form) {
    case Form::any:
      return type.max ? "a text of " + bounds(type, " characters") : std::string("a text");
    case Form::digits: return bounds(type, " decimal digits");
    case Form::digits_spaces: return bounds(type, " digits and spaces");
    case Form::printable: return bounds(type, " printable ASCII characters");
    case Form::eui: return "an EUI-64 as eight dash-separated hexadecimal pairs";
    case Form::eui_list:
      return "EUI-64s separated by commas" +
             (type.max ? ", " + bounds(type, " characters") : std::string());
    case Form::request_id: return "originator:target:counter, identities as dashed EUI-64";
    case Form::service_reference: return "a service reference";
    case Form::service_variant: return "a service reference variant";
  }
  UNREACHABLE();
}

std::string sample_text(const ValueType& type) {
  const std::size_t least = static_cast<std::size_t>(type.min.value_or(0));
  switch (type.form) {
    case Form::any:
    case Form::digits:
    case Form::digits_spaces: {
      std::string text = "1234567890123456789012345";
      return text.substr(0, std::max<std::size_t>(least, 1));
    }
    case Form::printable: return std::string(std::max<std::size_t>(least, 1), 'A');
    case Form::eui:
    case Form::eui_list: return "00-57-53-00-00-00-00-01";
    case Form::request_id: return "00-57-53-00-00-00-00-02:00-57-53-00-00-00-00-01:1000";
    case Form::service_reference: return std::string(service_requests().front().reference);
    case Form::service_variant: return std::string(service_requests().front().variant);
  }
  UNREACHABLE();
}

}  // namespace

bool is_value(const ValueType& type, std::string_view text) {
  switch (type.kind) {
    case Kind::string: return is_text(type, text);
    case Kind::token: return is_text(type, collapsed(text));
    case Kind::boolean:
      text = collapsed(text);
      return text == "true" || text == "false" || text == "1" || text == "0";
    case Kind::integer:
    case Kind::unsigned_integer: return is_integer(type, collapsed(text));
    case Kind::decimal: return is_decimal(type, collapsed(text));
    case Kind::date: return Moment(collapsed(text)).date().zone_and_end();
    case Kind::time: return Moment(collapsed(text)).time().zone_and_end();
    case Kind::date_time: return Moment(collapsed(text)).date().literal('T').time().zone_and_end();
    case Kind::base64: return is_base64(type, text);
    case Kind::hex: return is_hex(type, collapsed(text));
  }
  UNREACHABLE();
}

std::string describe(const ValueType& type) {
  if (!type.values.empty()) return describe_values(type);
  switch (type.kind) {
    case Kind::string:
    case Kind::token: return describe_text(type);
    case Kind::boolean: return "true or false";
    case Kind::integer:
    case Kind::unsigned_integer:
      if (type.min || type.max) return "an integer from " + bounds(type, "");
      if (type.digits < 0) return "an integer";
      return "an integer of at most " + std::to_string(type.digits) + " digits";
    case Kind::decimal:
      if (!type.min || !type.max) return "a decimal number";
      return "a decimal number from " + decimal_text(*type.min, type.digits) + " to " +
             decimal_text(*type.max, type.digits) + " with at most " + std::to_string(type.digits) +
             " fraction digits";
    case Kind::date: return "a date yyyy-mm-dd";
    case Kind::time: return "a time hh:mm:ss";
    case Kind::date_time: return "a date and time yyyy-mm-ddThh:mm:ss.ccZ";
    case Kind::base64:
      return type.max ? "base64 of " + bounds(type, " octets") : std::string("base64");
    case Kind::hex:
      return type.max ? "hexadecimal digits of " + bounds(type, " octets")
                      : std::string("hexadecimal digits");
  }
  UNREACHABLE();
}

std::string sample_value(const ValueType& type) {
  if (!type.values.empty()) return std::string(type.values.front());
  switch (type.kind) {
    case Kind::string:
    case Kind::token: return sample_text(type);
    case Kind::boolean: return "true";
    case Kind::integer:
    case Kind::unsigned_integer:
      return std::to_string(in_bounds(type, 1)          ? 1
                            : type.max && *type.max < 1 ? *type.max
                                                        : *type.min);
    case Kind::decimal: return type.min ? decimal_text(*type.min, type.digits) : "5.4";
    case Kind::date: return "2030-01-01";
    case Kind::time: return "00:00:00";
    case Kind::date_time: return "2030-01-01T00:00:00.00Z";
    case Kind::base64: return "MAA=";
    case Kind::hex:
      return std::string(
          2 * static_cast<std::size_t>(std::max<std::int64_t>(1, type.min.value_or(1))), '0');
  }
  UNREACHABLE();
}

}  // namespace wattseal::duis
