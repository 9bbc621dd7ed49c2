#include <algorithm>
#include <charconv>
#include <limits>

#include "gbcs/template/writer.h"

namespace wattseal::gbcs::gmt {
namespace {

constexpr Integer kLargest = Integer(1) << 100;  // products stay far below 2^127
constexpr std::size_t kDigitsMax = 20;           // 2^64-1 has twenty

std::string number_text(Integer value) {
  if (value < 0) return "-" + number_text(-value);
  if (value >= 10)
    return number_text(value / 10) + static_cast<char>('0' + static_cast<int>(value % 10));
  return std::string(1, static_cast<char>('0' + static_cast<int>(value)));
}

// Two upper-case hexadecimal digits of the low octet.
std::string hex_octet(Integer value) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto octet = static_cast<std::size_t>(value) & 0xFF;
  return {kDigits[octet >> 4], kDigits[octet & 0xF]};
}

std::optional<Integer> parse_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  while (text.size() > 1 && text[0] == '0') text.remove_prefix(1);
  if (text.empty() || text.size() > kDigitsMax) return std::nullopt;
  Integer value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return negative ? -value : value;
}

// "40.05" by 1 digit is 401: halves round away from zero.
std::optional<Integer> scale(std::string_view text, int digits) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  std::string all(text.substr(0, point));
  const std::string_view fraction =
      point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (all.empty() && fraction.empty()) return std::nullopt;
  for (const char c : fraction) {
    if (c < '0' || c > '9') return std::nullopt;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(digits); ++i)
    all += i < fraction.size() ? fraction[i] : '0';
  if (all.empty()) all = "0";
  std::optional<Integer> value = all[0] == '-' || all[0] == '+' ? std::nullopt : parse_integer(all);
  if (!value) return std::nullopt;
  if (fraction.size() > static_cast<std::size_t>(digits) &&
      fraction[static_cast<std::size_t>(digits)] >= '5')
    ++*value;
  return negative ? -*value : *value;
}

std::optional<Moment> parse_moment(std::string_view text) {
  const std::optional<UtcTime> time = UtcTime::parse_iso(text);
  if (!time) return std::nullopt;
  Moment moment{Moment::Is::instant, *time, 0};
  if (const std::size_t point = text.find('.'); point != std::string_view::npos) {
    const auto digit = [&](std::size_t at) {
      return text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : 0;
    };
    moment.hundredths = digit(point + 1) * 10;
    if (text[point + 1] >= '0' && text[point + 1] <= '9') moment.hundredths += digit(point + 2);
  }
  if (*time == kNever && moment.hundredths == 0) moment.is = Moment::Is::never;
  return moment;
}

const Path* first_path(const Expr& expr) {
  if (!expr.path.text.empty()) return &expr.path;
  for (const Expr& argument : expr.arguments) {
    if (const Path* const path = first_path(argument)) return path;
  }
  return nullptr;
}

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 60)) + "\""; }

}  // namespace

Refusal Evaluator::refuse(RuleId rule, int line, std::string field, std::string why) const {
  return {rule,
          std::move(why) + " (" + use_case_.view.use_case + ", " + use_case_.file + ":" +
              std::to_string(line) + ")",
          std::move(field)};
}

Refusal Evaluator::range(const Expr& expr, std::string why) const {
  const Path* const path = first_path(expr);
  const std::string field = expr.op == Op::execution ? "ExecutionDateTime"
                            : path != nullptr        ? path->text
                                                     : "";
  return refuse("gbcs-value-range"_rule, expr.line, field, std::move(why));
}

std::string Evaluator::name_of(const Step& step) const {
  if (step.name_slot < 0) return step.name;
  const Integer value = slots_[static_cast<std::size_t>(step.name_slot)];
  return step.name + (step.name_hex ? hex_octet(value) : number_text(value));
}

bool Evaluator::satisfies(const Step& step, const xml::Element& element) const {
  if (!step.name.empty() && element.name != name_of(step)) return false;
  std::string_view value;
  switch (step.by) {
    case Step::By::nothing: return true;
    case Step::By::text: value = element.trimmed(); break;
    case Step::By::attribute: {
      const std::string* const attribute = element.attribute(step.key);
      if (attribute == nullptr) return false;
      value = *attribute;
      break;
    }
    case Step::By::child: {
      const xml::Element* const child = element.child(step.key);
      if (child == nullptr) return false;
      value = child->trimmed();
      break;
    }
  }
  return step.slot < 0 ? value == step.expected
                       : parse_integer(value) == slots_[static_cast<std::size_t>(step.slot)];
}

void Evaluator::collect(const Path& path, std::size_t depth, const xml::Element& here,
                        std::size_t most, std::vector<const xml::Element*>& found) const {
  if (depth == path.steps.size()) {
    found.push_back(&here);
    return;
  }
  for (const xml::Element& child : here.children) {
    if (satisfies(path.steps[depth], child)) collect(path, depth + 1, child, most, found);
    if (found.size() >= most) return;
  }
}

std::vector<const xml::Element*> Evaluator::all(const Path& path, const xml::Element& here) const {
  std::vector<const xml::Element*> found;
  collect(path, 0, path.from_body ? context_.body : here, std::numeric_limits<std::size_t>::max(),
          found);
  return found;
}

const xml::Element* Evaluator::first(const Path& path, const xml::Element& here) const {
  const bool picks = std::ranges::any_of(
      path.steps, [](const Step& step) { return step.by != Step::By::nothing; });
  std::vector<const xml::Element*> found;
  collect(path, 0, path.from_body ? context_.body : here, picks ? 2 : 1, found);
  if (found.size() > 1 && repeated_.empty()) repeated_ = path.text;
  return found.empty() ? nullptr : found.front();
}

Status Evaluator::no_repeats() const {
  if (repeated_.empty()) return {};
  return Refusal{"gbcs-value-repeated"_rule, "the request has it more than once", repeated_};
}

Result<const Expr*> Evaluator::mapped(const Expr& expr, const xml::Element& here) const {
  const Expr& subject = expr.arguments[0];
  const bool number = subject.kind == Kind::integer;
  Integer wanted_number = 0;
  std::string wanted_text;
  if (number) {
    TRY_ASSIGN(wanted_number, integer(subject, here));
  } else {
    TRY_ASSIGN(wanted_text, text(subject, here));
  }
  for (std::size_t i = 1; i < expr.arguments.size(); i += 2) {
    const Expr& key = expr.arguments[i];
    if (!number && key.text == wanted_text) return &expr.arguments[i + 1];
    if (!number) continue;
    TRY_ASSIGN(const Integer value, integer(key, here));
    if (value == wanted_number) return &expr.arguments[i + 1];
  }
  return range(expr, "the template knows no value for " +
                         quoted(number ? number_text(wanted_number) : wanted_text));
}

Result<const Expr*> Evaluator::chosen(const Expr& expr, const xml::Element& here) const {
  TRY_ASSIGN(const bool condition, boolean(expr.arguments[0], here));
  return &expr.arguments[condition ? 1 : 2];
}

Result<std::string> Evaluator::text(const Expr& expr, const xml::Element& here) const {
  switch (expr.op) {
    case Op::text_literal: return expr.text;
    case Op::value_of: {
      if (const xml::Element* const element = first(expr.path, here))
        return std::string(element->trimmed());
      if (!expr.arguments.empty()) return expr.arguments[0].text;
      return refuse("gbcs-value-missing"_rule, expr.line, expr.path.text,
                    "the request does not have this element");
    }
    case Op::attribute_of: {
      const xml::Element* const element = first(expr.path, here);
      const std::string* const value = element == nullptr ? nullptr : element->attribute(expr.text);
      if (value != nullptr) return *value;
      return refuse("gbcs-value-missing"_rule, expr.line, expr.path.text + "/@" + expr.text,
                    "the request does not have this attribute");
    }
    case Op::nothing: return impossible(expr);
    case Op::fact: return context_.facts.named(expr.text);
    case Op::fact_cell: {
      TRY_ASSIGN(const Facts::Rows rows, context_.facts.rows(expr.text));
      const auto row = static_cast<std::size_t>(slots_[static_cast<std::size_t>(expr.bound)]);
      const auto column = static_cast<std::size_t>(expr.number);
      if (row < rows.size() && column < rows[row].size()) return rows[row][column];
      return Refusal{"gbcs-fact-missing"_rule,
                     expr.text + " has no column " + number_text(expr.number)};
    }
    case Op::exactly: {
      TRY_ASSIGN(std::string value, text(expr.arguments[0], here));
      if (value.size() == static_cast<std::size_t>(expr.number)) return value;
      return range(expr,
                   quoted(value) + " does not have " + number_text(expr.number) + " characters");
    }
    case Op::map: {
      TRY_ASSIGN(const Expr* const result, mapped(expr, here));
      return text(*result, here);
    }
    case Op::choose: {
      TRY_ASSIGN(const Expr* const branch, chosen(expr, here));
      return text(*branch, here);
    }
    default: UNREACHABLE();
  }
}

Result<Integer> Evaluator::fold(const Expr& expr, const xml::Element& here) const {
  TRY_ASSIGN(Integer value, integer(expr.arguments[0], here));
  for (std::size_t i = 1; i < expr.arguments.size(); ++i) {
    TRY_ASSIGN(const Integer next, integer(expr.arguments[i], here));
    switch (expr.op) {
      case Op::add: value += next; break;
      case Op::subtract: value -= next; break;
      case Op::multiply: {
        Integer product = 0;
        if (__builtin_mul_overflow(value, next, &product))
          return range(expr, "the product is out of range");
        value = product;
        break;
      }
      case Op::divide:
        if (next == 0) return range(expr, "division by zero");
        value /= next;
        break;
      case Op::modulo:
        if (next <= 0 || value < 0) return range(expr, "no remainder of numbers below zero");
        value %= next;
        break;
      default: UNREACHABLE();
    }
    if (value > kLargest || value < -kLargest) return range(expr, "the number is out of range");
  }
  return value;
}

Result<Integer> Evaluator::packed(const Expr& expr, const xml::Element& here) const {
  Integer all = 0;
  for (std::size_t i = 0; i < expr.arguments.size(); ++i) {
    TRY_ASSIGN(const Integer field, integer(expr.arguments[i], here));
    if (field < 0 || field >> expr.octets[i] != 0) {
      return range(expr.arguments[i],
                   number_text(field) + " does not fit " + number_text(expr.octets[i]) + " bits");
    }
    all = all << expr.octets[i] | field;
  }
  return all;
}

Refusal Evaluator::impossible(const Expr& expr) const {
  return range(expr, "the request says nothing that can stand here");
}

Result<Integer> Evaluator::integer(const Expr& expr, const xml::Element& here) const {
  switch (expr.op) {
    case Op::nothing: return impossible(expr);
    case Op::packed: return packed(expr, here);
    case Op::integer_literal: return expr.number;
    case Op::variable: return slots_[static_cast<std::size_t>(expr.number)];
    case Op::counter: return Integer(context_.counter.number());
    case Op::count: return Integer(all(expr.path, here).size());
    case Op::to_integer:
    case Op::decimal: {
      TRY_ASSIGN(const std::string written, text(expr.arguments[0], here));
      const std::optional<Integer> value = expr.op == Op::decimal
                                               ? scale(written, static_cast<int>(expr.number))
                                               : parse_integer(written);
      if (!value) return range(expr, quoted(written) + " is not a number");
      return *value;
    }
    case Op::within: {
      TRY_ASSIGN(const Integer value, integer(expr.arguments[0], here));
      if (value >= expr.number && value <= expr.bound) return value;
      return range(expr, number_text(value) + " is not from " + number_text(expr.number) + " to " +
                             number_text(expr.bound));
    }
    case Op::seconds_since_2000: {
      TRY_ASSIGN(const Moment when, moment(expr.arguments[0], here));
      if (when.is == Moment::Is::now_marker) return Integer(0);
      if (when.is == Moment::Is::never) return expr.number;
      const std::int64_t seconds = when.time.unix_seconds() - kZigbeeEpoch;
      if (seconds >= 0 && seconds < 0xFFFFFFF0) return Integer(seconds);
      return range(expr, when.time.iso() + " cannot be written as 32-bit seconds since 2000");
    }
    case Op::minutes_of_day: return minutes(expr, here);
    case Op::periods: return periods(expr, here);
    case Op::device_type: {
      TRY_ASSIGN(const Bytes id, octets(expr.arguments[0], here));
      const Result<Eui64> device = Eui64::from_octets(id);
      if (!device.ok()) return range(expr, "a device has an EUI-64 of 8 octets");
      TRY_ASSIGN(const int type, context_.facts.device_type_code(*device));
      return Integer(type);
    }
    case Op::map: {
      TRY_ASSIGN(const Expr* const result, mapped(expr, here));
      return integer(*result, here);
    }
    case Op::choose: {
      TRY_ASSIGN(const Expr* const branch, chosen(expr, here));
      return integer(*branch, here);
    }
    default: return fold(expr, here);
  }
}

Result<bool> Evaluator::boolean(const Expr& expr, const xml::Element& here) const {
  switch (expr.op) {
    case Op::nothing: return impossible(expr);
    case Op::boolean_literal: return expr.number != 0;
    case Op::has: return first(expr.path, here) != nullptr;
    case Op::negate: {
      TRY_ASSIGN(const bool value, boolean(expr.arguments[0], here));
      return !value;
    }
    case Op::to_boolean: {
      TRY_ASSIGN(const std::string value, text(expr.arguments[0], here));
      if (value == "true" || value == "1") return true;
      if (value == "false" || value == "0") return false;
      return range(expr, quoted(value) + " is neither true nor false");
    }
    case Op::equal: {
      if (expr.arguments[0].kind == Kind::integer) {
        TRY_ASSIGN(const Integer left, integer(expr.arguments[0], here));
        TRY_ASSIGN(const Integer right, integer(expr.arguments[1], here));
        return left == right;
      }
      TRY_ASSIGN(const std::string left, text(expr.arguments[0], here));
      TRY_ASSIGN(const std::string right, text(expr.arguments[1], here));
      return left == right;
    }
    case Op::one_of: {
      TRY_ASSIGN(const std::string value, text(expr.arguments[0], here));
      return std::any_of(expr.arguments.begin() + 1, expr.arguments.end(),
                         [&](const Expr& one) { return one.text == value; });
    }
    case Op::map: {
      TRY_ASSIGN(const Expr* const result, mapped(expr, here));
      return boolean(*result, here);
    }
    case Op::choose: {
      TRY_ASSIGN(const Expr* const branch, chosen(expr, here));
      return boolean(*branch, here);
    }
    default: UNREACHABLE();
  }
}

Result<Moment> Evaluator::moment(const Expr& expr, const xml::Element& here) const {
  switch (expr.op) {
    case Op::nothing: return impossible(expr);
    case Op::now: return Moment{Moment::Is::instant, context_.now, 0};
    case Op::never: return Moment{Moment::Is::never, kNever, 0};
    case Op::execution: {
      const xml::Element* const element = context_.body.child("ExecutionDateTime");
      if (element == nullptr) return Moment{Moment::Is::now_marker, {}, 0};
      const std::optional<Moment> when = parse_moment(element->trimmed());
      if (!when) return range(expr, quoted(element->trimmed()) + " is not a date and time in UTC");
      return *when;
    }
    case Op::to_moment: {
      TRY_ASSIGN(const std::string written, text(expr.arguments[0], here));
      const std::optional<Moment> when = parse_moment(written);
      if (!when) return range(expr, quoted(written) + " is not a date and time in UTC");
      return *when;
    }
    case Op::add_seconds: {
      TRY_ASSIGN(Moment when, moment(expr.arguments[0], here));
      TRY_ASSIGN(const Integer seconds, integer(expr.arguments[1], here));
      constexpr Integer kCentury = 3'200'000'000;
      if (when.is != Moment::Is::instant || seconds > kCentury || seconds < -kCentury) {
        return range(expr, "no time can be computed from this one");
      }
      when.time = when.time.plus_seconds(static_cast<std::int64_t>(seconds));
      return when;
    }
    case Op::map: {
      TRY_ASSIGN(const Expr* const result, mapped(expr, here));
      return moment(*result, here);
    }
    case Op::choose: {
      TRY_ASSIGN(const Expr* const branch, chosen(expr, here));
      return moment(*branch, here);
    }
    default: UNREACHABLE();
  }
}

namespace {

// DLMS date-time: day of week, deviation and clock status are never said. Nine 00 mean now, nine FF
// never.
std::optional<Bytes> cosem_date_time(const Moment& when) {
  Bytes out;
  if (when.is == Moment::Is::instant) {
    const CivilTime civil = when.time.civil();
    if (civil.year < 1 || civil.year >= kFirstYearPastUse) return std::nullopt;
    put_be(out, static_cast<std::uint16_t>(civil.year));
    for (const int part :
         {civil.month, civil.day, 0xFF, civil.hour, civil.minute, civil.second, when.hundredths}) {
      out.push_back(static_cast<Octet>(part));
    }
  } else {
    out.assign(9, when.is == Moment::Is::never ? 0xFF : 0x00);
  }
  append(out, Bytes{0x80, 0x00, 0xFF});
  return out;
}

// hh:mm:ss[.hh][Z]
std::optional<Bytes> time_octets(std::string_view text) {
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (text.size() < 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  std::string digits{text[0], text[1], text[3], text[4], text[6], text[7]};
  std::string_view fraction = text.substr(8);
  if (!fraction.empty() && (fraction[0] != '.' || fraction.size() < 2)) return std::nullopt;
  if (!fraction.empty()) fraction.remove_prefix(1);
  digits += fraction.empty() ? '0' : fraction[0];
  digits += fraction.size() < 2 ? '0' : fraction[1];
  if (digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  if (fraction.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  Bytes out;
  for (std::size_t i = 0; i < 8; i += 2)
    out.push_back(static_cast<Octet>((digits[i] - '0') * 10 + (digits[i + 1] - '0')));
  if (out[0] > 23 || out[1] > 59 || out[2] > 59) return std::nullopt;
  return out;
}

// yyyy-mm-dd[Z], the year 65535 meaning any; the day of the week is not said.
std::optional<Bytes> plain_date(std::string_view text) {
  if (text.ends_with('Z')) text.remove_suffix(1);
  const std::size_t dash = text.find('-');
  if (dash < 4 || dash > 5 || text.size() != dash + 6 || text[dash + 3] != '-') return std::nullopt;
  const auto number = [](std::string_view digits) {
    return digits.find_first_not_of("0123456789") == std::string_view::npos ? parse_integer(digits)
                                                                            : std::nullopt;
  };
  const std::optional<Integer> year = number(text.substr(0, dash));
  const std::optional<Integer> month = number(text.substr(dash + 1, 2));
  const std::optional<Integer> day = number(text.substr(dash + 4, 2));
  if (!year || !month || !day || *month < 1 || *month > 12 || *day < 1 || *day > 31)
    return std::nullopt;
  if (*year != 0xFFFF && *year >= kFirstYearPastUse) return std::nullopt;
  Bytes out;
  put_be(out, static_cast<std::uint64_t>(*year), 2);
  for (const Integer part : {*month, *day, Integer(0xFF)}) out.push_back(static_cast<Octet>(part));
  return out;
}

struct DatePart {
  std::string_view name;
  int least, most;
  std::string_view any, any_in_gas_date;  // the elements that leave it open
};
constexpr DatePart kDateParts[] = {
    {"Year", 1900, 2999, "NonSpecifiedYear", "NonSpecifiedYear"},
    {"Month", 1, 12, "NonSpecifiedMonth", "NonSpecifiedMonth"},
    {"DayOfMonth", 1, 31, "NonSpecifiedDayOfMonth", "GasNonSpecifiedDayOfMonth"},
    {"DayOfWeek", 1, 7, "NonSpecifiedDayOfWeek", "NonSpecifiedDayOfWeek"}};

// What one of the choice elements of a date says: a number, or -1 for any. Nothing when it says
// neither, or out of range.
std::optional<int> date_part(const xml::Element& choice, const DatePart& part,
                             std::string_view any) {
  if (choice.child(any) != nullptr) return -1;
  const xml::Element* const specified = choice.child("Specified" + std::string(part.name));
  if (specified == nullptr) return std::nullopt;
  const std::optional<Integer> value = parse_integer(specified->trimmed());
  if (!value || *value < part.least || *value > part.most) return std::nullopt;
  return static_cast<int>(*value);
}

}  // namespace

// COSEM writes the last day of a month as FE and the one before as FD (IEC 62056-6-2, date).
Result<Bytes> Evaluator::cosem_date(const Expr& expr, const xml::Element& here) const {
  const xml::Element* const date = first(expr.path, here);
  if (date == nullptr)
    return refuse("gbcs-value-missing"_rule, expr.line, expr.path.text,
                  "the request does not have this date");
  Bytes out;
  for (const DatePart& part : kDateParts) {
    const xml::Element* const choice = date->child(part.name);
    if (choice == nullptr) return range(expr, "the date has no " + std::string(part.name));
    if (choice->child("LastDayOfMonth") != nullptr) {
      out.push_back(0xFE);
    } else if (choice->child("SecondLastDayOfMonth") != nullptr) {
      out.push_back(0xFD);
    } else {
      const std::optional<int> value = date_part(*choice, part, part.any);
      if (!value)
        return range(expr, "the date's " + std::string(part.name) + " is not well formed");
      put_be(out, static_cast<std::uint64_t>(*value), part.name == "Year" ? 2 : 1);
    }
  }
  return out;
}

Result<Bytes> Evaluator::gas_date(const Expr& expr, const xml::Element& here) const {
  const xml::Element* const date = first(expr.path, here);
  if (date == nullptr)
    return refuse("gbcs-value-missing"_rule, expr.line, expr.path.text,
                  "the request does not have this date");
  Bytes out;
  for (const DatePart& part : kDateParts) {
    const xml::Element* const choice =
        date->child("Gas" + std::string(part.name) + "WithWildcards");
    if (choice == nullptr) return range(expr, "the date has no " + std::string(part.name));
    const std::optional<int> value = date_part(*choice, part, part.any_in_gas_date);
    const int since = part.name == "Year" ? 1900 : 0;
    if (!value || *value - since > 0xFE)
      return range(expr, "the date's " + std::string(part.name) + " is not well formed");
    out.push_back(*value < 0 ? 0xFF : static_cast<Octet>(*value - since));
  }
  return out;
}

Result<Integer> Evaluator::minutes(const Expr& expr, const xml::Element& here) const {
  TRY_ASSIGN(const std::string value, text(expr.arguments[0], here));
  const std::optional<Bytes> time = time_octets(value);
  if (!time || (*time)[2] != 0 || (*time)[3] != 0)
    return range(expr, quoted(value) + " is not a time of day in whole minutes");
  return Integer((*time)[0]) * 60 + (*time)[1];
}

Result<Integer> Evaluator::periods(const Expr& expr, const xml::Element& here) const {
  TRY_ASSIGN(const Moment start, moment(expr.arguments[0], here));
  TRY_ASSIGN(const Moment end, moment(expr.arguments[1], here));
  if (start.is != Moment::Is::instant || end.is != Moment::Is::instant)
    return range(expr, "a period has a start and an end");
  if (end.time < start.time)
    return range(expr, "the period ends at " + end.time.iso() + ", before it starts");
  return Integer(end.time - start.time) / expr.number + 1;
}

Result<Bytes> Evaluator::big_endian(const Expr& expr, const xml::Element& here) const {
  TRY_ASSIGN(const Integer value, integer(expr.arguments[0], here));
  if (value < 0 || value >> (8 * static_cast<int>(expr.number)) != 0) {
    return range(expr,
                 number_text(value) + " does not fit " + number_text(expr.number) + " octets");
  }
  Bytes out;
  put_be(out, static_cast<std::uint64_t>(value), static_cast<std::size_t>(expr.number));
  return out;
}

Result<Bytes> Evaluator::decoded(const Expr& expr, const xml::Element& here) const {
  TRY_ASSIGN(std::string value, text(expr.arguments[0], here));
  const bool hex = expr.op == Op::from_hex;
  if (hex) std::erase(value, '-');
  std::optional<Bytes> octets = hex ? from_hex(value) : from_base64(value);
  if (octets) return std::move(*octets);
  return range(expr, quoted(value) + (hex ? " is not hexadecimal" : " is not base64"));
}

Result<Bytes> Evaluator::octets(const Expr& expr, const xml::Element& here) const {
  switch (expr.op) {
    case Op::nothing: return impossible(expr);
    case Op::plain_date: {
      TRY_ASSIGN(const std::string value, text(expr.arguments[0], here));
      const std::optional<Bytes> out = plain_date(value);
      if (!out) return range(expr, quoted(value) + " is not a date");
      return *out;
    }
    case Op::octets_literal: return expr.octets;
    case Op::originator: return to_bytes(context_.originator.octets());
    case Op::target: return to_bytes(context_.target.octets());
    case Op::to_octets: {
      TRY_ASSIGN(const std::string value, text(expr.arguments[0], here));
      return to_bytes(as_bytes(value));
    }
    case Op::from_hex:
    case Op::from_base64: return decoded(expr, here);
    case Op::concatenate: {
      Bytes out;
      for (const Expr& argument : expr.arguments) {
        TRY_ASSIGN(const Bytes part, octets(argument, here));
        append(out, part);
      }
      return out;
    }
    case Op::big_endian: return big_endian(expr, here);
    case Op::instance: {
      TRY_ASSIGN(const Integer value, integer(expr.arguments[0], here));
      if (value < 0 || value > 255)
        return range(expr, number_text(value) + " cannot be part of an instance");
      Bytes out = expr.octets;
      out[static_cast<std::size_t>(expr.number)] = static_cast<Octet>(value);
      return out;
    }
    case Op::date_time: {
      TRY_ASSIGN(const Moment when, moment(expr.arguments[0], here));
      const std::optional<Bytes> out = cosem_date_time(when);
      if (!out) return range(expr, when.time.iso() + " is too late a date");
      return *out;
    }
    case Op::time_of_day: {
      TRY_ASSIGN(const std::string value, text(expr.arguments[0], here));
      const std::optional<Bytes> out = time_octets(value);
      if (!out) return range(expr, quoted(value) + " is not a time of day");
      return *out;
    }
    case Op::date: return cosem_date(expr, here);
    case Op::gas_date: return gas_date(expr, here);
    case Op::key_agreement_certificate: {
      TRY_ASSIGN(const Bytes id, octets(expr.arguments[0], here));
      const Result<Eui64> device = Eui64::from_octets(id);
      if (!device.ok()) return range(expr, "a device has an EUI-64 of 8 octets");
      return context_.facts.key_agreement_certificate(*device);
    }
    case Op::map: {
      TRY_ASSIGN(const Expr* const result, mapped(expr, here));
      return octets(*result, here);
    }
    case Op::choose: {
      TRY_ASSIGN(const Expr* const branch, chosen(expr, here));
      return octets(*branch, here);
    }
    default: UNREACHABLE();
  }
}

}  // namespace wattseal::gbcs::gmt
