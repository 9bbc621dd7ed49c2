// Inverting expressions. For every operator: which values of its arguments lead to this result.
// Arithmetic is inverted when all arguments but one are known; of a condition the first branch that
// contradicts nothing wins, of a map the only key that does.
#include "gbcs/template/reader.h"

namespace wattseal::gbcs::gmt {
namespace {

std::string decimal_text(Integer value) {
  const bool negative = value < 0;
  std::string reversed;
  do {
    const int digit = static_cast<int>(value % 10);
    reversed.push_back(static_cast<char>('0' + (digit < 0 ? -digit : digit)));
    value /= 10;
  } while (value != 0);
  if (negative) reversed.push_back('-');
  return {reversed.rbegin(), reversed.rend()};
}

// With a point before the last `digits` digits: 102264 by 5 is 1.02264.
std::string scaled_text(Integer value, std::size_t digits) {
  std::string text = decimal_text(value < 0 ? -value : value);
  if (digits > 0) {
    if (text.size() <= digits) text.insert(0, digits + 1 - text.size(), '0');
    text.insert(text.size() - digits, 1, '.');
  }
  return value < 0 ? "-" + text : text;
}

std::optional<Integer> integer_of(const std::string& text) {
  if (text.empty() || text.size() > 30) return std::nullopt;
  Integer value = 0;
  for (std::size_t i = text[0] == '-' || text[0] == '+' ? 1 : 0; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return text[0] == '-' ? -value : value;
}

// As a request writes it; without hundredths when the encoding had none.
std::string moment_text(const Moment& moment) {
  std::string text = (moment.is == Moment::Is::never ? kNever : moment.time).iso();
  if (moment.hundredths < 0) return text;
  text.pop_back();
  return text + "." + std::to_string(moment.hundredths / 10) +
         std::to_string(moment.hundredths % 10) + "Z";
}

// As the reader writes hexadecimal: lower case, no dashes.
std::string plain_hex(std::string digits) {
  std::erase(digits, '-');
  for (char& c : digits) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  return digits;
}

bool same_text(ReadForm form, const std::string& a, const std::string& b) {
  if (form == ReadForm::hex) return plain_hex(a) == plain_hex(b);
  return form == ReadForm::number ? integer_of(a) == integer_of(b) : a == b;
}

std::string hex_octet(Integer value) {
  const Octet octet = static_cast<Octet>(value);
  std::string digits = to_hex(BytesView(&octet, 1));
  for (char& c : digits) c = c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
  return digits;
}

Outcome outcome(bool yes) { return yes ? Outcome::yes : Outcome::no; }

}  // namespace

void Solver::roll_back(Mark to) {
  knowledge_.roll_back(to.knowledge);
  pending_.resize(to.pending);
}

bool Solver::settle(std::function<Outcome()> solve, int line) {
  const Mark before = mark();
  const Outcome result = solve();
  if (result == Outcome::open) {
    roll_back(before);
    pending_.push_back({std::move(solve), slots_, line});
  }
  return result != Outcome::no && !fatal_;
}

bool Solver::is_integer(const Expr& expr, Integer value, const Place& place) {
  return settle([this, &expr, value, place] { return solve_integer(expr, value, place); },
                expr.line);
}
bool Solver::is_octets(const Expr& expr, BytesView value, const Place& place) {
  return settle([this, &expr, value, place] { return solve_octets(expr, value, place); },
                expr.line);
}
bool Solver::is_boolean(const Expr& expr, bool value, const Place& place) {
  return settle([this, &expr, value, place] { return solve_boolean(expr, value, place); },
                expr.line);
}
bool Solver::is_moment(const Expr& expr, const Moment& value, const Place& place) {
  return settle([this, &expr, value, place] { return solve_moment(expr, value, place); },
                expr.line);
}

Result<ReadBack> Solver::finish() {
  for (bool progress = true; progress && !pending_.empty();) {
    progress = false;
    std::vector<Pending> again = std::move(pending_);
    pending_.clear();
    for (Pending& pending : again) {
      slots_ = pending.slots;
      const Knowledge::Mark before = knowledge_.mark();
      const Outcome result = pending.solve();
      if (fatal_) return *fatal_;
      if (result == Outcome::no) {
        return Refusal{"correlate-payload"_rule,
                       "a value contradicts what the rest of the payload says of the request",
                       use_case_.file + ":" + std::to_string(pending.line)};
      }
      progress = progress || result == Outcome::yes;
      if (result == Outcome::yes) continue;
      knowledge_.roll_back(before);
      pending_.push_back(std::move(pending));
    }
  }
  if (!pending_.empty()) {
    return Refusal{"template-not-invertible"_rule,
                   "what the request said cannot be told from the payload",
                   use_case_.file + ":" + std::to_string(pending_.front().line)};
  }
  return knowledge_.take();
}

std::string Solver::join(const Place& place, const Path& path) const {
  std::string joined = path.from_body ? std::string() : place.path;
  for (const Step& step : path.steps) {
    if (!joined.empty()) joined += '/';
    joined += step.name.empty() ? "*" : step.name;
    if (step.name_slot >= 0) {
      const Integer value = slots_[static_cast<std::size_t>(step.name_slot)];
      joined += step.name_hex ? hex_octet(value) : decimal_text(value);
    }
    if (step.by == Step::By::nothing) continue;
    const std::string value =
        step.slot < 0 ? step.expected : decimal_text(slots_[static_cast<std::size_t>(step.slot)]);
    joined += step.by == Step::By::text ? "[." : step.by == Step::By::child ? "[" : "[@";
    joined += step.key + "='" + value + "']";
  }
  return joined.empty() ? "." : joined;
}

bool Solver::learn_count(const std::string& path, std::size_t count) {
  return knowledge_.learn_value({"count(" + path + ")", std::to_string(count), ReadForm::number});
}

std::optional<Integer> Solver::known_count(const std::string& path) const {
  const std::optional<std::string> count = knowledge_.value("count(" + path + ")");
  return count ? integer_of(*count) : std::nullopt;
}

template <typename T>
std::optional<T> Solver::asked(Result<T> answer) {
  if (answer.ok()) return std::move(answer).value();
  if (!fatal_) fatal_ = answer.refusal();
  return std::nullopt;
}

// ------------------------------------------------------------------------------------------------------------
// alternatives

Outcome Solver::solve_alternatives(const Expr& expr, const Place& place,
                                   const std::function<Outcome(const Expr&)>& solve) {
  const auto assume = [&](std::size_t alternative) {
    if (expr.op == Op::choose) return solve_boolean(expr.arguments[0], alternative == 0, place);
    const Expr& key = expr.arguments[1 + 2 * alternative];
    if (key.kind == Kind::text)
      return solve_text(expr.arguments[0], key.text, ReadForm::text, place);
    const std::optional<Integer> number = known_integer(key, place);
    return number ? solve_integer(expr.arguments[0], *number, place) : Outcome::open;
  };
  const bool choice = expr.op == Op::choose;
  const std::size_t alternatives = choice ? 2 : (expr.arguments.size() - 1) / 2;
  const auto tried = [&](std::size_t alternative) {
    const Outcome result = assume(alternative);
    if (result != Outcome::yes) return result;
    return solve(expr.arguments[choice ? 1 + alternative : 2 + 2 * alternative]);
  };
  Outcome best = Outcome::no;
  std::optional<std::size_t> only;
  for (std::size_t i = 0; i < alternatives; ++i) {
    const Knowledge::Mark before = knowledge_.mark();
    const Outcome result = tried(i);
    if (result == Outcome::yes && choice) return result;
    knowledge_.roll_back(before);
    if (result == Outcome::no) continue;
    // Keys with the same result: which of them the request said, other values must tell.
    const bool several = only || best == Outcome::open || result == Outcome::open;
    best = several ? Outcome::open : Outcome::yes;
    only = i;
  }
  return best == Outcome::yes ? tried(*only) : best;
}

const Expr* Solver::known_alternative(const Expr& expr, const Place& place) {
  if (expr.op == Op::choose) {
    const std::optional<bool> condition = known_boolean(expr.arguments[0], place);
    return condition ? &expr.arguments[*condition ? 1 : 2] : nullptr;
  }
  const Expr& subject = expr.arguments[0];
  const std::optional<std::string> text =
      subject.kind == Kind::text ? known_text(subject, place) : std::nullopt;
  const std::optional<Integer> number =
      subject.kind == Kind::integer ? known_integer(subject, place) : std::nullopt;
  for (std::size_t i = 1; i < expr.arguments.size(); i += 2) {
    const Expr& key = expr.arguments[i];
    if (text && key.text == *text) return &expr.arguments[i + 1];
    if (number && known_integer(key, place) == number) return &expr.arguments[i + 1];
  }
  return nullptr;
}

// --------------------------------------------------------------------------------------------------------------------
// text

Outcome Solver::solve_text(const Expr& expr, const std::string& value, ReadForm form,
                           const Place& place) {
  switch (expr.op) {
    case Op::text_literal: return outcome(same_text(form, expr.text, value));
    case Op::value_of: {
      const bool is_default =
          !expr.arguments.empty() && same_text(form, expr.arguments[0].text, value);
      const std::string path = join(place, expr.path);
      if (is_default && knowledge_.presence(path) == false) return Outcome::yes;
      return outcome(knowledge_.learn_value({path, value, form, is_default}));
    }
    case Op::attribute_of: {
      const std::string path = join(place, expr.path);
      return outcome(
          knowledge_.learn_value({(path == "." ? "" : path + "/") + "@" + expr.text, value, form}));
    }
    case Op::nothing: return Outcome::no;
    case Op::fact:
    case Op::fact_cell: {
      const std::optional<std::string> fact = known_text(expr, place);
      return outcome(fact && same_text(form, *fact, value));
    }
    case Op::exactly:
      if (form == ReadForm::text && value.size() != static_cast<std::size_t>(expr.number))
        return Outcome::no;
      return solve_text(expr.arguments[0], value, form, place);
    case Op::map:
    case Op::choose:
      return solve_alternatives(
          expr, place, [&](const Expr& branch) { return solve_text(branch, value, form, place); });
    default: UNREACHABLE();
  }
}

std::optional<std::string> Solver::known_cell(const Expr& expr) {
  const std::optional<Facts::Rows> rows = known_rows(expr.text);
  if (!rows) return std::nullopt;
  const auto row = static_cast<std::size_t>(slots_[static_cast<std::size_t>(expr.bound)]);
  const auto column = static_cast<std::size_t>(expr.number);
  if (row < rows->size() && column < (*rows)[row].size()) return (*rows)[row][column];
  if (!fatal_) {
    fatal_ = Refusal{"gbcs-fact-missing"_rule,
                     expr.text + " has no column " + decimal_text(expr.number)};
  }
  return std::nullopt;
}

std::optional<Facts::Rows> Solver::known_rows(const std::string& fact) {
  return asked(context_.facts.rows(fact));
}

std::optional<std::string> Solver::known_text(const Expr& expr, const Place& place) {
  switch (expr.op) {
    case Op::text_literal: return expr.text;
    case Op::nothing: return std::nullopt;
    case Op::fact: return asked(context_.facts.named(expr.text));
    case Op::fact_cell: return known_cell(expr);
    case Op::exactly: return known_text(expr.arguments[0], place);
    case Op::attribute_of: {
      const std::string path = join(place, expr.path);
      return knowledge_.value((path == "." ? "" : path + "/") + "@" + expr.text);
    }
    case Op::value_of: {
      const std::string path = join(place, expr.path);
      if (const std::optional<std::string> value = knowledge_.value(path)) return value;
      if (!expr.arguments.empty() && knowledge_.presence(path) == false)
        return expr.arguments[0].text;
      return std::nullopt;
    }
    default: {
      const Expr* const branch = known_alternative(expr, place);
      return branch == nullptr ? std::nullopt : known_text(*branch, place);
    }
  }
}

// -----------------------------------------------------------------------------------------------------------------
// numbers

Outcome Solver::solve_addition(const Expr& expr, Integer value, const Place& place) {
  const Expr* unknown = nullptr;
  for (std::size_t i = 0; i < expr.arguments.size(); ++i) {
    const bool subtracted = expr.op == Op::subtract && i == 1;
    if (const std::optional<Integer> known = known_integer(expr.arguments[i], place)) {
      value = subtracted ? value + *known : value - *known;
    } else if (unknown != nullptr) {
      return Outcome::open;
    } else {
      unknown = &expr.arguments[i];
    }
  }
  if (unknown == nullptr) return outcome(value == 0);
  const bool negated = expr.op == Op::subtract && unknown == &expr.arguments[1];
  return solve_integer(*unknown, negated ? -value : value, place);
}

Outcome Solver::solve_multiplication(const Expr& expr, Integer value, const Place& place) {
  const Expr* unknown = nullptr;
  for (const Expr& argument : expr.arguments) {
    if (const std::optional<Integer> known = known_integer(argument, place)) {
      if (*known == 0) return value == 0 ? Outcome::open : Outcome::no;
      if (value % *known != 0) return Outcome::no;
      value /= *known;
    } else if (unknown != nullptr) {
      return Outcome::open;
    } else {
      unknown = &argument;
    }
  }
  return unknown == nullptr ? outcome(value == 1) : solve_integer(*unknown, value, place);
}

Outcome Solver::solve_arithmetic(const Expr& expr, Integer value, const Place& place) {
  if (const std::optional<Integer> known = known_integer(expr, place))
    return outcome(*known == value);
  switch (expr.op) {
    case Op::add:
    case Op::subtract: return solve_addition(expr, value, place);
    case Op::multiply: return solve_multiplication(expr, value, place);
    default: return Outcome::open;  // quotient and remainder leave the other open
  }
}

// 0 is "now" where an execution time stands, else the first second of 2000.
Outcome Solver::solve_seconds(const Expr& expr, Integer value, const Place& place) {
  if (value < 0 || value > 0xFFFFFFFF) return Outcome::no;
  Moment moment{Moment::Is::instant,
                UtcTime::from_unix_seconds(kZigbeeEpoch + static_cast<std::int64_t>(value)), -1};
  if (value == expr.number) {
    moment.is = Moment::Is::never;
  } else if (value >= 0xFFFFFFF0) {
    return Outcome::no;
  } else if (value == 0 && expr.arguments[0].op == Op::execution) {
    moment.is = Moment::Is::now_marker;
  }
  return solve_moment(expr.arguments[0], moment, place);
}

// A count leaves the end open within the last period.
Outcome Solver::solve_periods(const Expr& expr, Integer value, const Place& place) {
  if (value < 1 || value > 0xFFFFFFFF) return Outcome::no;
  const std::optional<Moment> start = known_moment(expr.arguments[0], place);
  if (!start) return fatal_ ? Outcome::no : Outcome::open;
  if (start->is != Moment::Is::instant) return Outcome::no;
  const auto after = [&](Integer seconds) {
    return start->time.plus_seconds(static_cast<std::int64_t>(seconds)).iso();
  };
  return outcome(knowledge_.learn_value(
      {join(place, expr.arguments[1].arguments[0].path),
       after((value - 1) * expr.number) + "/" + after(value * expr.number - 1),
       ReadForm::date_time_span}));
}

// Every bit belongs to one field, so each is read on its own.
Outcome Solver::solve_packed(const Expr& expr, Integer value, const Place& place) {
  if (value < 0) return Outcome::no;
  Outcome all = Outcome::yes;
  for (std::size_t i = expr.arguments.size(); i-- > 0;) {
    const Integer field = value & ((Integer(1) << expr.octets[i]) - 1);
    value >>= expr.octets[i];
    const Outcome one = solve_integer(expr.arguments[i], field, place);
    if (one == Outcome::no) return Outcome::no;
    if (one == Outcome::open) all = Outcome::open;
  }
  return value == 0 ? all : Outcome::no;
}

std::optional<Integer> Solver::known_packed(const Expr& expr, const Place& place) {
  Integer all = 0;
  for (std::size_t i = 0; i < expr.arguments.size(); ++i) {
    const std::optional<Integer> field = known_integer(expr.arguments[i], place);
    if (!field || *field < 0 || *field >> expr.octets[i] != 0) return std::nullopt;
    all = all << expr.octets[i] | *field;
  }
  return all;
}

Outcome Solver::solve_integer(const Expr& expr, Integer value, const Place& place) {
  switch (expr.op) {
    case Op::nothing: return Outcome::no;
    case Op::packed: return solve_packed(expr, value, place);
    case Op::integer_literal:
    case Op::variable:
    case Op::counter: return outcome(known_integer(expr, place) == value);
    case Op::count:
      return outcome(value >= 0 && value <= 0xFFFF &&
                     learn_count(join(place, expr.path), static_cast<std::size_t>(value)));
    case Op::to_integer:
      return solve_text(expr.arguments[0], decimal_text(value), ReadForm::number, place);
    case Op::decimal:
      return solve_text(expr.arguments[0],
                        scaled_text(value, static_cast<std::size_t>(expr.number)),
                        ReadForm::decimal, place);
    case Op::within:
      if (value < expr.number || value > expr.bound) return Outcome::no;
      return solve_integer(expr.arguments[0], value, place);
    case Op::seconds_since_2000: return solve_seconds(expr, value, place);
    case Op::minutes_of_day: {
      if (value < 0 || value >= 24 * 60) return Outcome::no;
      const std::string hours = decimal_text(value / 60 + 100),
                        minutes = decimal_text(value % 60 + 100);
      return solve_text(expr.arguments[0], hours.substr(1) + ":" + minutes.substr(1) + ":00.00Z",
                        ReadForm::time_of_day, place);
    }
    case Op::periods: return solve_periods(expr, value, place);
    case Op::device_type: {
      const std::optional<Integer> type = known_integer(expr, place);
      return type ? outcome(*type == value) : fatal_ ? Outcome::no : Outcome::open;
    }
    case Op::map:
    case Op::choose:
      return solve_alternatives(
          expr, place, [&](const Expr& branch) { return solve_integer(branch, value, place); });
    default: return solve_arithmetic(expr, value, place);
  }
}

std::optional<Integer> Solver::known_arithmetic(const Expr& expr, const Place& place) {
  std::optional<Integer> value = known_integer(expr.arguments[0], place);
  for (std::size_t i = 1; value && i < expr.arguments.size(); ++i) {
    const std::optional<Integer> next = known_integer(expr.arguments[i], place);
    if (!next) return std::nullopt;
    constexpr Integer kBound = Integer(1) << 62;
    if (*value > kBound || *value < -kBound || *next > kBound || *next < -kBound)
      return std::nullopt;
    switch (expr.op) {
      case Op::add: *value += *next; break;
      case Op::subtract: *value -= *next; break;
      case Op::multiply: *value *= *next; break;
      case Op::modulo:
        if (*next <= 0 || *value < 0) return std::nullopt;
        *value %= *next;
        break;
      default:
        if (*next == 0) return std::nullopt;
        *value /= *next;
    }
  }
  return value;
}

std::optional<Integer> Solver::known_integer(const Expr& expr, const Place& place) {
  switch (expr.op) {
    case Op::nothing: return std::nullopt;
    case Op::packed: return known_packed(expr, place);
    case Op::integer_literal: return expr.number;
    case Op::variable: return slots_[static_cast<std::size_t>(expr.number)];
    case Op::counter: return Integer(context_.counter.number());
    case Op::count: return known_count(join(place, expr.path));
    case Op::within: return known_integer(expr.arguments[0], place);
    case Op::to_integer: {
      const std::optional<std::string> text = known_text(expr.arguments[0], place);
      return text ? integer_of(*text) : std::nullopt;
    }
    case Op::device_type: {
      const std::optional<Bytes> id = known_octets(expr.arguments[0], place);
      if (!id) return std::nullopt;
      const std::optional<Eui64> device = asked(Eui64::from_octets(*id));
      const std::optional<int> type =
          device ? asked(context_.facts.device_type_code(*device)) : std::nullopt;
      return type ? std::optional<Integer>(*type) : std::nullopt;
    }
    case Op::decimal:
    case Op::minutes_of_day:
    case Op::periods:
    case Op::seconds_since_2000: return std::nullopt;  // always met by inverting them
    case Op::map:
    case Op::choose: {
      const Expr* const branch = known_alternative(expr, place);
      return branch == nullptr ? std::nullopt : known_integer(*branch, place);
    }
    default: return known_arithmetic(expr, place);
  }
}

// --------------------------------------------------------------------------------------------------------------
// conditions

Outcome Solver::solve_equal(const Expr& expr, bool value, const Place& place) {
  const Expr& left = expr.arguments[0];
  const Expr& right = expr.arguments[1];
  if (const std::optional<bool> known = known_boolean(expr, place)) return outcome(*known == value);
  if (!value) return Outcome::open;  // what it is not does not say what it is
  for (const auto& [known_side, other_side] :
       {std::pair(&left, &right), std::pair(&right, &left)}) {
    if (left.kind == Kind::integer) {
      if (const std::optional<Integer> known = known_integer(*known_side, place))
        return solve_integer(*other_side, *known, place);
    } else if (const std::optional<std::string> known = known_text(*known_side, place)) {
      return solve_text(*other_side, *known, ReadForm::text, place);
    }
  }
  return fatal_ ? Outcome::no : Outcome::open;
}

// That a text is one of several does not say which, so it waits until the text is known.
Outcome Solver::solve_one_of(const Expr& expr, bool value, const Place& place) {
  const std::optional<bool> known = known_boolean(expr, place);
  return known ? outcome(*known == value) : fatal_ ? Outcome::no : Outcome::open;
}

Outcome Solver::solve_boolean(const Expr& expr, bool value, const Place& place) {
  switch (expr.op) {
    case Op::nothing: return Outcome::no;
    case Op::boolean_literal: return outcome((expr.number != 0) == value);
    case Op::has: return outcome(knowledge_.learn_presence(join(place, expr.path), value));
    case Op::negate: return solve_boolean(expr.arguments[0], !value, place);
    case Op::to_boolean:
      return solve_text(expr.arguments[0], value ? "true" : "false", ReadForm::boolean, place);
    case Op::equal: return solve_equal(expr, value, place);
    case Op::one_of: return solve_one_of(expr, value, place);
    case Op::map:
    case Op::choose:
      return solve_alternatives(
          expr, place, [&](const Expr& branch) { return solve_boolean(branch, value, place); });
    default: UNREACHABLE();
  }
}

std::optional<bool> Solver::known_boolean(const Expr& expr, const Place& place) {
  switch (expr.op) {
    case Op::nothing: return std::nullopt;
    case Op::boolean_literal: return expr.number != 0;
    case Op::has: return knowledge_.presence(join(place, expr.path));
    case Op::negate: {
      const std::optional<bool> value = known_boolean(expr.arguments[0], place);
      return value ? std::optional<bool>(!*value) : std::nullopt;
    }
    case Op::to_boolean: {
      const std::optional<std::string> text = known_text(expr.arguments[0], place);
      if (!text) return std::nullopt;
      return *text == "true" || *text == "1";
    }
    case Op::equal: {
      if (expr.arguments[0].kind == Kind::integer) {
        const std::optional<Integer> left = known_integer(expr.arguments[0], place);
        const std::optional<Integer> right = known_integer(expr.arguments[1], place);
        return left && right ? std::optional<bool>(*left == *right) : std::nullopt;
      }
      const std::optional<std::string> left = known_text(expr.arguments[0], place);
      const std::optional<std::string> right = known_text(expr.arguments[1], place);
      return left && right ? std::optional<bool>(*left == *right) : std::nullopt;
    }
    case Op::one_of: {
      const std::optional<std::string> text = known_text(expr.arguments[0], place);
      if (!text) return std::nullopt;
      return std::any_of(expr.arguments.begin() + 1, expr.arguments.end(),
                         [&](const Expr& one) { return one.text == *text; });
    }
    default: {
      const Expr* const branch = known_alternative(expr, place);
      return branch == nullptr ? std::nullopt : known_boolean(*branch, place);
    }
  }
}

// -------------------------------------------------------------------------------------------------------------------
// times

Outcome Solver::solve_moment(const Expr& expr, const Moment& value, const Place& place) {
  switch (expr.op) {
    case Op::nothing: return Outcome::no;
    case Op::now:
      if (value.is != Moment::Is::instant) return Outcome::no;
      knowledge_.learn_clock(value.time.iso());
      return Outcome::yes;
    case Op::never: return outcome(value.is == Moment::Is::never);
    case Op::execution:
      if (value.is == Moment::Is::now_marker)
        return outcome(knowledge_.learn_presence("ExecutionDateTime", false));
      return outcome(
          knowledge_.learn_value({"ExecutionDateTime", moment_text(value), ReadForm::date_time}));
    case Op::to_moment:
      if (value.is == Moment::Is::now_marker) return Outcome::no;
      return solve_text(expr.arguments[0], moment_text(value), ReadForm::date_time, place);
    case Op::add_seconds: {
      if (value.is != Moment::Is::instant) return Outcome::no;
      if (const std::optional<Moment> start = known_moment(expr.arguments[0], place)) {
        const bool both_exact = start->hundredths >= 0 && value.hundredths >= 0;
        if (start->is != Moment::Is::instant ||
            (both_exact && start->hundredths != value.hundredths))
          return Outcome::no;
        return solve_integer(expr.arguments[1], value.time - start->time, place);
      }
      const std::optional<Integer> seconds = known_integer(expr.arguments[1], place);
      if (!seconds || *seconds > INT32_MAX || *seconds < INT32_MIN) return Outcome::open;
      Moment start = value;
      start.time = start.time.plus_seconds(-static_cast<std::int64_t>(*seconds));
      return solve_moment(expr.arguments[0], start, place);
    }
    case Op::map:
    case Op::choose:
      return solve_alternatives(
          expr, place, [&](const Expr& branch) { return solve_moment(branch, value, place); });
    default: UNREACHABLE();
  }
}

std::optional<Moment> Solver::known_moment(const Expr& expr, const Place& place) {
  if (expr.op != Op::to_moment) return std::nullopt;
  const std::optional<std::string> text = known_text(expr.arguments[0], place);
  const std::optional<UtcTime> time = text ? UtcTime::parse_iso(*text) : std::nullopt;
  if (!time) return std::nullopt;
  Moment moment{*time == kNever ? Moment::Is::never : Moment::Is::instant, *time, -1};
  if (const std::size_t point = text->find('.');
      point != std::string::npos && text->size() > point + 2) {
    moment.hundredths = ((*text)[point + 1] - '0') * 10 + ((*text)[point + 2] - '0');
  }
  return moment;
}

}  // namespace wattseal::gbcs::gmt
