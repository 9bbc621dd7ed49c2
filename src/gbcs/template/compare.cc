// Whether a request says exactly what was read back from a payload. Reads the request with code of
// its own: paths as the reader writes them, and for each form what makes two texts equal. Every
// leaf and every attribute of the request must be explained by something read, by presence, or by
// the use case's declaration that it is not carried.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "gbcs/template.h"

namespace wattseal::gbcs {
namespace {

using xml::Element;

// One step of a path as the reader writes it: NAME, *, then [n], [@attribute='value'],
// [Child='value'] or [.='value'] in any number.
struct Predicate {
  enum class By { position, attribute, child, text };
  By by = By::position;
  std::string key, value;  // name of the attribute or child
  std::size_t position = 0;
};
struct PathStep {
  std::string name;
  std::vector<Predicate> predicates;
};

std::optional<std::size_t> number_of(std::string_view digits) {
  if (digits.empty() || digits.size() > 9) return std::nullopt;
  std::size_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::size_t>(c - '0');
  }
  return value;
}

std::string_view without_leading_zeros(std::string_view digits) {
  while (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
  return digits;
}

std::optional<Predicate> parse_predicate(std::string_view inside) {
  Predicate predicate;
  const std::size_t equals = inside.find("='");
  if (equals == std::string_view::npos) {
    const std::optional<std::size_t> position = number_of(inside);
    if (!position || *position == 0) return std::nullopt;
    predicate.position = *position;
    return predicate;
  }
  if (!inside.ends_with('\'') || inside.size() < equals + 3) return std::nullopt;
  const bool attribute = inside.starts_with('@');
  predicate.key = inside.substr(attribute ? 1 : 0, equals - (attribute ? 1 : 0));
  predicate.by = attribute              ? Predicate::By::attribute
                 : predicate.key == "." ? Predicate::By::text
                                        : Predicate::By::child;
  predicate.value = inside.substr(equals + 2, inside.size() - equals - 3);
  return predicate;
}

std::optional<std::vector<PathStep>> parse_path(std::string_view path) {
  std::vector<PathStep> steps;
  if (path == "." || path.empty()) return steps;
  while (true) {
    const std::size_t slash = path.find('/');
    std::string_view text = path.substr(0, slash);
    PathStep step;
    step.name = text.substr(0, text.find('['));
    text.remove_prefix(step.name.size());
    while (!text.empty()) {
      const std::size_t end = text.find(']');
      if (text[0] != '[' || end == std::string_view::npos) return std::nullopt;
      const std::optional<Predicate> predicate = parse_predicate(text.substr(1, end - 1));
      if (!predicate) return std::nullopt;
      step.predicates.push_back(*predicate);
      text.remove_prefix(end + 1);
    }
    steps.push_back(std::move(step));
    if (slash == std::string_view::npos) return steps;
    path.remove_prefix(slash + 1);
  }
}

// -------------------------------------------------------------------------------------------------------------
// equal values

// Sign, digits before the point without leading zeros, digits after it. Nothing when the text is no
// number.
struct Decimal {
  bool negative = false;
  std::string whole, fraction;
};
std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal decimal;
  decimal.negative = text.starts_with('-');
  if (decimal.negative || text.starts_with('+')) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  decimal.whole = without_leading_zeros(text.substr(0, point));
  if (point != std::string_view::npos) decimal.fraction = text.substr(point + 1);
  const std::string digits = decimal.whole + decimal.fraction;
  if (digits.empty() || digits.size() > 60 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  if (decimal.whole.empty()) decimal.whole = "0";
  return decimal;
}

bool same_number(std::string_view read, std::string_view written) {
  const std::optional<Decimal> a = parse_decimal(read);
  const std::optional<Decimal> b = parse_decimal(written);
  if (!a || !b || written.find('.') != std::string_view::npos) return false;
  return a->whole == b->whole && (a->negative == b->negative || a->whole == "0");
}

// The written number rounded, halves away from zero, to as many digits as were read.
bool same_decimal(std::string_view read, std::string_view written) {
  const std::optional<Decimal> a = parse_decimal(read);
  std::optional<Decimal> b = parse_decimal(written);
  if (!a || !b) return false;
  const std::size_t digits = a->fraction.size();
  const bool up = b->fraction.size() > digits && b->fraction[digits] >= '5';
  b->fraction.resize(digits, '0');
  std::string rounded = b->whole + b->fraction;
  if (up) {
    std::size_t at = rounded.size();
    while (at > 0 && rounded[at - 1] == '9') rounded[--at] = '0';
    if (at == 0) {
      rounded.insert(0, 1, '1');
    } else {
      ++rounded[at - 1];
    }
  }
  const std::string read_digits = a->whole + a->fraction;
  const std::string_view left = without_leading_zeros(read_digits);
  const std::string_view right = without_leading_zeros(rounded);
  return left == right && (a->negative == b->negative || left == "0");
}

// Hundredths of a second that a time states: further digits do not count.
int hundredths(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos) return 0;
  int value = 0;
  for (std::size_t i = point + 1; i < point + 3; ++i) {
    const bool digit = i < text.size() && text[i] >= '0' && text[i] <= '9';
    value = value * 10 + (digit ? text[i] - '0' : 0);
    if (!digit) return value * (i == point + 1 ? 10 : 1);
  }
  return value;
}

bool same_instant(std::string_view read, std::string_view written) {
  const std::optional<UtcTime> a = UtcTime::parse_iso(read);
  const std::optional<UtcTime> b = UtcTime::parse_iso(written);
  if (!a || !b || *a != *b) return false;
  const bool hundredths_read = read.find('.') != std::string_view::npos;
  return !hundredths_read || hundredths(read) == hundredths(written);
}

bool within_span(std::string_view read, std::string_view written) {
  const std::size_t slash = read.find('/');
  if (slash == std::string_view::npos) return false;
  const std::optional<UtcTime> first = UtcTime::parse_iso(read.substr(0, slash));
  const std::optional<UtcTime> last = UtcTime::parse_iso(read.substr(slash + 1));
  const std::optional<UtcTime> time = UtcTime::parse_iso(written);
  return first && last && time && *first <= *time && *time <= *last;
}

bool same_time_of_day(std::string_view read, std::string_view written) {
  if (written.ends_with('Z')) written.remove_suffix(1);
  if (written.size() < 8 || written.substr(0, 8) != read.substr(0, 8)) return false;
  const std::string_view fraction = written.substr(8);
  if (!fraction.empty() && (fraction[0] != '.' || fraction.find_first_not_of("0123456789", 1) !=
                                                      std::string_view::npos)) {
    return false;
  }
  return hundredths(read) == hundredths(written);
}

// The time zone of a date is left out or UTC.
bool same_date(std::string_view read, std::string_view written) {
  for (std::string_view* const date : {&read, &written}) {
    if (date->ends_with('Z')) date->remove_suffix(1);
  }
  return read == written;
}

bool same_hex(std::string_view read, std::string_view written) {
  std::string digits(written);
  std::erase(digits, '-');
  const std::optional<Bytes> octets = from_hex(digits);
  return octets && to_hex(*octets) == read;
}

bool same_base64(std::string_view read, std::string_view written) {
  const std::optional<Bytes> a = from_base64(read);
  const std::optional<Bytes> b = from_base64(written);
  return a && b && *a == *b;
}

bool same(ReadForm form, std::string_view read, std::string_view written) {
  switch (form) {
    case ReadForm::text: return read == written;
    case ReadForm::number: return same_number(read, written);
    case ReadForm::decimal: return same_decimal(read, written);
    case ReadForm::boolean:
      return (read == "true") == (written == "true" || written == "1") &&
             (written == "true" || written == "false" || written == "1" || written == "0");
    case ReadForm::hex: return same_hex(read, written);
    case ReadForm::base64: return same_base64(read, written);
    case ReadForm::date_time: return same_instant(read, written);
    case ReadForm::date_time_span: return within_span(read, written);
    case ReadForm::time_of_day: return same_time_of_day(read, written);
    case ReadForm::date: return same_date(read, written);
  }
  UNREACHABLE();
}

// ------------------------------------------------------------------------------------------------------------------
// request

std::string shortened(std::string_view text) {
  return text.size() <= 60 ? "\"" + std::string(text) + "\""
                           : "\"" + std::string(text.substr(0, 60)) + "…\"";
}

class Comparison {
 public:
  Comparison(const ReadBack& read, const Element& body) : read_(read), body_(body) {}

  Status run(UtcTime now, std::int64_t tolerance) {
    for (const ReadValue& value : read_.values) TRY(value_is(value));
    for (const std::string& path : read_.present) {
      const std::vector<const Element*> found = resolve(path);
      if (found.empty())
        return Refusal{"correlate-missing"_rule,
                       "the payload says that the request has this element", path};
      explained_.insert(found.front());
    }
    for (const std::string& path : read_.absent) {
      if (!resolve(path).empty()) {
        return Refusal{"correlate-unexplained"_rule,
                       "the payload says that the request does not have this element", path};
      }
      for (std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
           slash = path.rfind('/', slash - 1))
        explain_empty(path.substr(0, slash));
    }
    for (const std::string& path : read_.unused) {
      for (const Element* const element : resolve(path)) explain_all(*element);
    }
    TRY(all_explained(body_, "", 1, true));
    return clock_is(now, tolerance);
  }

 private:
  // Positions count within all that the path reached so far, as a loop does.
  std::vector<const Element*> resolve(std::string_view path) {
    const std::optional<std::vector<PathStep>> steps = parse_path(path);
    CHECK(steps);  // only the reader writes these paths
    std::vector<const Element*> found{&body_};
    for (const PathStep& step : *steps) {
      std::vector<const Element*> next;
      for (const Element* const parent : found) {
        for (const Element& child : parent->children) {
          if (step.name == "*" || child.name == step.name) next.push_back(&child);
        }
      }
      for (const Predicate& predicate : step.predicates) next = keep(std::move(next), predicate);
      found = std::move(next);
    }
    return found;
  }

  std::vector<const Element*> keep(std::vector<const Element*> elements,
                                   const Predicate& predicate) {
    if (predicate.by == Predicate::By::position) {
      if (predicate.position > elements.size()) return {};
      return {elements[predicate.position - 1]};
    }
    std::erase_if(elements, [&](const Element* element) {
      const std::optional<std::string_view> value = text_of(*element, predicate);
      return !value || without_leading_zeros(*value) != without_leading_zeros(predicate.value);
    });
    for (const Element* const element : elements) {
      if (predicate.by == Predicate::By::attribute)
        explained_attributes_.insert(element->attribute(predicate.key));
      if (predicate.by == Predicate::By::child) explained_.insert(element->child(predicate.key));
    }
    return elements;
  }

  static std::optional<std::string_view> text_of(const Element& element,
                                                 const Predicate& predicate) {
    if (predicate.by == Predicate::By::text) return element.trimmed();
    if (predicate.by == Predicate::By::child) {
      const Element* const child = element.child(predicate.key);
      return child == nullptr ? std::nullopt : std::optional(child->trimmed());
    }
    const std::string* const value = element.attribute(predicate.key);
    return value == nullptr ? std::nullopt : std::optional<std::string_view>(*value);
  }

  Status value_is(const ReadValue& value) {
    if (value.path.starts_with("count(") && value.path.ends_with(")")) {
      const std::string path = value.path.substr(6, value.path.size() - 7);
      const std::string count = std::to_string(resolve(path).size());
      if (count == "0" && path.find('/') != std::string::npos)
        explain_empty(path.substr(0, path.rfind('/')));
      if (count == value.value) return {};
      return Refusal{"correlate-value"_rule,
                     "the payload has " + value.value + " of these, the request " + count, path};
    }
    if (const std::size_t at = value.path.rfind('@');
        at != std::string::npos && value.path.find(']', at) == std::string::npos) {
      return attribute_is(value, value.path.substr(0, at == 0 ? 0 : at - 1),
                          value.path.substr(at + 1));
    }
    const std::vector<const Element*> found = resolve(value.path);
    if (found.empty()) {
      if (value.may_be_absent) return {};
      return Refusal{"correlate-missing"_rule,
                     "the payload says " + shortened(value.value) + ", the request nothing",
                     value.path};
    }
    explained_.insert(found.front());
    return text_is(value, found.front()->trimmed());
  }

  Status attribute_is(const ReadValue& value, const std::string& element_path,
                      const std::string& name) {
    const std::vector<const Element*> found = resolve(element_path);
    const std::string* const written = found.empty() ? nullptr : found.front()->attribute(name);
    if (written == nullptr) {
      return Refusal{"correlate-missing"_rule,
                     "the payload says " + shortened(value.value) + ", the request nothing",
                     value.path};
    }
    explained_attributes_.insert(written);
    const Element& element = *found.front();
    if (element.children.empty() && element.trimmed().empty()) explained_.insert(&element);
    return text_is(value, *written);
  }

  static Status text_is(const ReadValue& value, std::string_view written) {
    if (same(value.form, value.value, written)) return {};
    return Refusal{
        "correlate-value"_rule,
        "the payload says " + shortened(value.value) + ", the request " + shortened(written),
        value.path};
  }

  // A container whose elements are all known not to be there says nothing itself.
  void explain_empty(const std::string& container) {
    for (const Element* const element : resolve(container)) {
      if (element->children.empty() && element->trimmed().empty()) explained_.insert(element);
    }
  }

  void explain_all(const Element& element) {
    explained_.insert(&element);
    for (const xml::Attribute& attribute : element.attributes)
      explained_attributes_.insert(&attribute.value);
    for (const Element& child : element.children) explain_all(child);
  }

  // An index that nothing read must be the element's position: the payload carries the order only.
  Status all_explained(const Element& element, const std::string& path, std::size_t position,
                       bool is_body) {
    for (const xml::Attribute& attribute : element.attributes) {
      if (explained_attributes_.contains(&attribute.value)) continue;
      if (attribute.name == "index" &&
          without_leading_zeros(attribute.value) == std::to_string(position))
        continue;
      return Refusal{"correlate-unexplained"_rule,
                     "the request says " + shortened(attribute.value) + ", the payload nothing",
                     path + "/@" + attribute.name};
    }
    const bool is_leaf = element.children.empty();
    if (!is_body && (is_leaf || !element.trimmed().empty()) && !explained_.contains(&element)) {
      return Refusal{"correlate-unexplained"_rule,
                     "the request says " + shortened(element.trimmed()) + ", the payload nothing",
                     path};
    }
    if (is_body && !element.trimmed().empty() && !explained_.contains(&element)) {
      return Refusal{"correlate-unexplained"_rule,
                     "the request has text that the payload does not carry", "."};
    }
    std::unordered_map<std::string_view, std::size_t> positions;
    for (const Element& child : element.children) {
      const std::size_t child_position = ++positions[child.name];
      const std::string child_path = (path.empty() ? "" : path + "/") + child.name;
      TRY(all_explained(child, child_path, child_position, false));
    }
    return {};
  }

  Status clock_is(UtcTime now, std::int64_t tolerance) const {
    for (const std::string& iso : read_.clock_windows) {
      const std::optional<UtcTime> time = UtcTime::parse_iso(iso);
      CHECK(time);
      const std::int64_t difference = *time - now;
      if (difference >= -tolerance && difference <= tolerance) continue;
      return Refusal{"correlate-clock"_rule,
                     "the command was made at " + iso + " by its own clock, it is " + now.iso() +
                         " here, and " + std::to_string(tolerance) + " s are allowed"};
    }
    return {};
  }

  const ReadBack& read_;
  const Element& body_;
  std::unordered_set<const Element*> explained_;
  std::unordered_set<const std::string*> explained_attributes_;
};

}  // namespace

Status compare(const ReadBack& read, const xml::Element& body, UtcTime now,
               std::int64_t clock_tolerance_seconds) {
  return Comparison(read, body).run(now, clock_tolerance_seconds);
}

}  // namespace wattseal::gbcs
