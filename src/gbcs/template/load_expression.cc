// Expressions and paths. Each operator is one row of a table with its arity and the function that
// understands its arguments.
#include <algorithm>

#include "gbcs/template/loader.h"

namespace wattseal::gbcs::gmt {
namespace {

constexpr std::size_t kAnyNumber = 10'000;

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '-';
  });
}

Expr made(Op op, Kind kind, const Sexpr& from) {
  Expr expr;
  expr.op = op;
  expr.kind = kind;
  expr.line = from.line;
  return expr;
}

Expr wrap(Op op, Kind kind, Expr inner) {
  Expr expr;
  expr.op = op;
  expr.kind = kind;
  expr.line = inner.line;
  expr.arguments.push_back(std::move(inner));
  return expr;
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::integer: return "a number";
    case Kind::text: return "text";
    case Kind::octets: return "octets";
    case Kind::boolean: return "a condition";
    case Kind::moment: return "a time";
  }
  return "nothing";
}

}  // namespace

// The operators. A struct so that its functions may use Scope's insides and stay in this file.
struct Forms {
  using Understand = Result<Expr> (*)(Scope&, const Sexpr&);
  struct Row {
    std::string_view name;
    std::size_t least, most;  // arguments
    Understand understand;
  };
  static const Row* find(std::string_view name);

  template <Op op, Kind kind, Kind argument>
  static Result<Expr> uniform(Scope& scope, const Sexpr& from) {
    Expr expr = made(op, kind, from);
    for (std::size_t i = 1; i < from.items.size(); ++i) {
      TRY_ASSIGN(Expr understood, scope.expression(from.items[i], argument));
      expr.arguments.push_back(std::move(understood));
    }
    return expr;
  }
  template <Op op, Kind kind>
  static Result<Expr> of_path(Scope& scope, const Sexpr& from) {
    Expr expr = made(op, kind, from);
    TRY_ASSIGN(expr.path, scope.path(from.items[1]));
    return expr;
  }
  // The argument itself, made to fit: (n E), (ascii E), (yes E).
  template <Kind kind>
  static Result<Expr> converted(Scope& scope, const Sexpr& from) {
    return scope.expression(from.items[1], kind);
  }
  // A literal number, then an expression: (be W E), (fixed N E).
  template <Op op, Kind kind, Kind argument, int low, int high>
  static Result<Expr> sized(Scope& scope, const Sexpr& from) {
    Expr expr = made(op, kind, from);
    TRY_ASSIGN(expr.number, scope.literal(from.items[1], low, high));
    TRY_ASSIGN(Expr understood, scope.expression(from.items[2], argument));
    expr.arguments.push_back(std::move(understood));
    return expr;
  }

  static Result<Expr> optional(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::value_of, Kind::text, from);
    TRY_ASSIGN(expr.path, scope.path(from.items[1]));
    const Sexpr& other = from.items[2];
    if (other.is_list() || other.is_symbol()) {
      return scope.refuse("template-type"_rule, other, "the default of opt must be a literal");
    }
    Expr literal = made(Op::text_literal, Kind::text, other);
    literal.text = other.is == Sexpr::Is::number ? std::to_string(other.number) : other.text;
    expr.arguments.push_back(std::move(literal));
    return expr;
  }
  static Result<Expr> attribute(Scope& scope, const Sexpr& from) {
    TRY_ASSIGN(Expr expr, (of_path<Op::attribute_of, Kind::text>(scope, from)));
    if (!from.items[2].is_symbol())
      return scope.refuse("template-syntax"_rule, from, "at needs the name of an attribute");
    expr.text = from.items[2].text;
    return expr;
  }
  // The column of the row that the innermost loop over rows of a fact stands at.
  static Result<Expr> column(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::fact_cell, Kind::text, from);
    TRY_ASSIGN(expr.number, scope.literal(from.items[1], 0, 15));
    const auto around = std::ranges::find_if(
        scope.variables_.rbegin(), scope.variables_.rend(),
        [](const Scope::Variable& variable) { return !variable.fact.empty(); });
    if (around == scope.variables_.rend())
      return scope.refuse("template-variable"_rule, from, "no loop over rows is around this");
    expr.text = around->fact;
    expr.bound = around->slot;
    return expr;
  }
  // (packed (BITS E)...): at most 32 bits.
  static Result<Expr> packed(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::packed, Kind::integer, from);
    std::size_t total = 0;
    for (std::size_t i = 1; i < from.items.size(); ++i) {
      const Sexpr& field = from.items[i];
      if (!field.is_list() || field.items.size() != 2)
        return scope.refuse("template-syntax"_rule, field, "a bit field must be (BITS VALUE)");
      TRY_ASSIGN(const std::int64_t bits, scope.literal(field.items[0], 1, 32));
      TRY_ASSIGN(Expr value, scope.expression(field.items[1], Kind::integer));
      total += static_cast<std::size_t>(bits);
      expr.octets.push_back(static_cast<Octet>(bits));
      expr.arguments.push_back(std::move(value));
    }
    if (total > 32)
      return scope.refuse("template-number"_rule, from, "the bit fields have more than 32 bits");
    return expr;
  }
  static Result<Expr> fact(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::fact, Kind::text, from);
    if (!from.items[1].is_symbol())
      return scope.refuse("template-syntax"_rule, from, "fact needs a name");
    expr.text = from.items[1].text;
    return expr;
  }
  static Result<Expr> decimal(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::decimal, Kind::integer, from);
    TRY_ASSIGN(Expr text, scope.expression(from.items[1], Kind::text));
    expr.arguments.push_back(std::move(text));
    TRY_ASSIGN(expr.number, scope.literal(from.items[2], 0, 12));
    return expr;
  }
  static Result<Expr> within(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::within, Kind::integer, from);
    TRY_ASSIGN(expr.number, scope.literal(from.items[1], INT64_MIN, INT64_MAX));
    TRY_ASSIGN(expr.bound, scope.literal(from.items[2], INT64_MIN, INT64_MAX));
    if (expr.number > expr.bound)
      return scope.refuse("template-number"_rule, from, "the range of within is empty");
    TRY_ASSIGN(Expr inner, scope.expression(from.items[3], Kind::integer));
    expr.arguments.push_back(std::move(inner));
    return expr;
  }
  static Result<Expr> seconds(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::seconds_since_2000, Kind::integer, from);
    TRY_ASSIGN(Expr moment, scope.expression(from.items[1], Kind::moment));
    expr.arguments.push_back(std::move(moment));
    expr.number = 0xFFFFFFFF;
    if (from.items.size() < 3) return expr;
    TRY_ASSIGN(expr.number, scope.literal(from.items[2], 0xFFFFFFF0, 0xFFFFFFFF));
    return expr;
  }
  // The end must be an element of the request: a count leaves it open within a period.
  static Result<Expr> periods(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::periods, Kind::integer, from);
    for (const std::size_t i : {1u, 2u}) {
      TRY_ASSIGN(Expr moment, scope.expression(from.items[i], Kind::moment));
      expr.arguments.push_back(std::move(moment));
    }
    const Expr& end = expr.arguments[1];
    if (end.op != Op::to_moment || end.arguments[0].op != Op::value_of ||
        !end.arguments[0].arguments.empty())
      return scope.refuse("template-type"_rule, from, "periods must end at an element (x PATH)");
    TRY_ASSIGN(expr.number, scope.literal(from.items[3], 1, 0xFFFFFFFF));
    return expr;
  }
  static Result<Expr> one_of(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::one_of, Kind::boolean, from);
    TRY_ASSIGN(Expr subject, scope.expression(from.items[1], Kind::text));
    expr.arguments.push_back(std::move(subject));
    for (std::size_t i = 2; i < from.items.size(); ++i) {
      TRY_ASSIGN(Expr text, map_key(scope, from.items[i], Kind::text));
      expr.arguments.push_back(std::move(text));
    }
    return expr;
  }
  static Result<Expr> add_seconds(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::add_seconds, Kind::moment, from);
    TRY_ASSIGN(Expr moment, scope.expression(from.items[1], Kind::moment));
    TRY_ASSIGN(Expr seconds, scope.expression(from.items[2], Kind::integer));
    expr.arguments = {std::move(moment), std::move(seconds)};
    return expr;
  }
  static Result<Expr> equal(Scope& scope, const Sexpr& from) {
    TRY_ASSIGN(Expr left, scope.expression(from.items[1]));
    TRY_ASSIGN(Expr right, scope.expression(from.items[2]));
    const bool numbers = left.kind == Kind::integer || right.kind == Kind::integer;
    TRY_ASSIGN(left,
               scope.fit(std::move(left), from.items[1], numbers ? Kind::integer : Kind::text));
    TRY_ASSIGN(right,
               scope.fit(std::move(right), from.items[2], numbers ? Kind::integer : Kind::text));
    Expr expr = made(Op::equal, Kind::boolean, from);
    expr.arguments = {std::move(left), std::move(right)};
    return expr;
  }
  static Result<Expr> choose(Scope& scope, const Sexpr& from) {
    TRY_ASSIGN(Expr condition, scope.expression(from.items[1], Kind::boolean));
    TRY_ASSIGN(Expr first, scope.expression(from.items[2]));
    TRY_ASSIGN(Expr second, scope.expression(from.items[3]));
    // Text beside another kind is converted, as it would be had the two been written in two
    // templates.
    const Kind kind =
        first.op == Op::nothing || first.kind == Kind::text ? second.kind : first.kind;
    TRY_ASSIGN(first, scope.fit(std::move(first), from.items[2], kind));
    TRY_ASSIGN(second, scope.fit(std::move(second), from.items[3], kind));
    Expr expr = made(Op::choose, kind, from);
    expr.arguments = {std::move(condition), std::move(first), std::move(second)};
    return expr;
  }
  static Result<Expr> map_key(Scope& scope, const Sexpr& from, Kind kind) {
    if (kind == Kind::integer) return scope.expression(from, Kind::integer);
    if (from.is_list())
      return scope.refuse("template-syntax"_rule, from,
                          "a word, a string or a number must stand here");
    Expr key = made(Op::text_literal, Kind::text, from);
    key.text = from.text;
    return key;
  }
  static Result<Expr> map(Scope& scope, const Sexpr& from) {
    TRY_ASSIGN(Expr subject, scope.expression(from.items[1]));
    if (subject.kind != Kind::text && subject.kind != Kind::integer) {
      return scope.refuse("template-type"_rule, from, "map looks up text or a number");
    }
    const Kind subject_kind = subject.kind;
    Expr expr = made(Op::map, Kind::integer, from);
    expr.arguments.push_back(std::move(subject));
    for (std::size_t i = 2; i < from.items.size(); ++i) {
      const Sexpr& entry = from.items[i];
      if (!entry.is_list() || entry.items.size() != 2) {
        return scope.refuse("template-syntax"_rule, entry, "an entry of map must be (KEY RESULT)");
      }
      TRY_ASSIGN(Expr key, map_key(scope, entry.items[0], subject_kind));
      TRY_ASSIGN(Expr result, scope.expression(entry.items[1]));
      if (i == 2) expr.kind = result.kind;
      TRY_ASSIGN(result, scope.fit(std::move(result), entry.items[1], expr.kind));
      expr.arguments.push_back(std::move(key));
      expr.arguments.push_back(std::move(result));
    }
    return expr;
  }
  static Result<Expr> hex(Scope& scope, const Sexpr& from) {
    TRY_ASSIGN(Expr text, scope.expression(from.items[1], Kind::text));
    if (text.op != Op::text_literal) return wrap(Op::from_hex, Kind::octets, std::move(text));
    const std::optional<Bytes> octets = from_hex(text.text);
    if (!octets)
      return scope.refuse("template-type"_rule, from, "\"" + text.text + "\" is not hexadecimal");
    Expr literal = made(Op::octets_literal, Kind::octets, from);
    literal.octets = *octets;
    return literal;
  }
  static Result<Expr> obis(Scope& scope, const Sexpr& from) {
    const std::optional<Bytes> octets = instance_octets(from.items[1].text, nullptr);
    if (from.items[1].is != Sexpr::Is::string || !octets) {
      return scope.refuse("template-instance"_rule, from,
                          "\"" + from.items[1].text + "\" is no instance A-B:C.D.E.F");
    }
    Expr literal = made(Op::octets_literal, Kind::octets, from);
    literal.octets = *octets;
    return literal;
  }
  static Result<Expr> computed_obis(Scope& scope, const Sexpr& from) {
    Expr expr = made(Op::instance, Kind::octets, from);
    expr.number = -1;
    const std::optional<Bytes> octets = instance_octets(from.items[1].text, &expr.number);
    if (from.items[1].is != Sexpr::Is::string || !octets || expr.number < 0) {
      return scope.refuse(
          "template-instance"_rule, from,
          "\"" + from.items[1].text + "\" is no instance A-B:C.D.E.F with one part %s");
    }
    expr.octets = *octets;
    TRY_ASSIGN(Expr part, scope.expression(from.items[2], Kind::integer));
    expr.arguments.push_back(std::move(part));
    return expr;
  }
};

const Forms::Row* Forms::find(std::string_view name) {
  static constexpr Row kRows[] = {
      {"x", 1, 1, of_path<Op::value_of, Kind::text>},
      {"opt", 2, 2, optional},
      {"at", 2, 2, attribute},
      {"has", 1, 1, of_path<Op::has, Kind::boolean>},
      {"count", 1, 1, of_path<Op::count, Kind::integer>},
      {"fact", 1, 1, fact},
      {"col", 1, 1, column},
      {"n", 1, 1, converted<Kind::integer>},
      {"ascii", 1, 1, converted<Kind::octets>},
      {"yes", 1, 1, converted<Kind::boolean>},
      {"dec", 2, 2, decimal},
      {"within", 3, 3, within},
      {"utc", 1, 2, seconds},
      {"minutes", 1, 1, uniform<Op::minutes_of_day, Kind::integer, Kind::text>},
      {"periods", 3, 3, periods},
      {"+", 2, kAnyNumber, uniform<Op::add, Kind::integer, Kind::integer>},
      {"-", 2, 2, uniform<Op::subtract, Kind::integer, Kind::integer>},
      {"*", 2, kAnyNumber, uniform<Op::multiply, Kind::integer, Kind::integer>},
      {"/", 2, 2, uniform<Op::divide, Kind::integer, Kind::integer>},
      {"mod", 2, 2, uniform<Op::modulo, Kind::integer, Kind::integer>},
      {"packed", 1, 32, packed},
      {"devtype", 1, 1, uniform<Op::device_type, Kind::integer, Kind::octets>},
      {"ka-cert", 1, 1, uniform<Op::key_agreement_certificate, Kind::octets, Kind::octets>},
      {"map", 2, kAnyNumber, map},
      {"if", 3, 3, choose},
      {"not", 1, 1, uniform<Op::negate, Kind::boolean, Kind::boolean>},
      {"eq", 2, 2, equal},
      {"in", 2, kAnyNumber, one_of},
      {"hex", 1, 1, hex},
      {"b64", 1, 1, uniform<Op::from_base64, Kind::octets, Kind::text>},
      {"cat", 1, kAnyNumber, uniform<Op::concatenate, Kind::octets, Kind::octets>},
      {"be", 2, 2, sized<Op::big_endian, Kind::octets, Kind::integer, 1, 8>},
      {"fixed", 2, 2, sized<Op::exactly, Kind::text, Kind::text, 1, 1000>},
      {"obis", 1, 1, obis},
      {"obisf", 2, 2, computed_obis},
      {"t12", 1, 1, uniform<Op::date_time, Kind::octets, Kind::moment>},
      {"cdate", 1, 1, of_path<Op::date, Kind::octets>},
      {"gdate", 1, 1, of_path<Op::gas_date, Kind::octets>},
      {"date5", 1, 1, uniform<Op::plain_date, Kind::octets, Kind::text>},
      {"time4", 1, 1, uniform<Op::time_of_day, Kind::octets, Kind::text>},
      {"addsec", 2, 2, add_seconds},
  };
  const Row* const row = std::ranges::find(kRows, name, &Row::name);
  return row == std::end(kRows) ? nullptr : row;
}

std::optional<Bytes> instance_octets(std::string_view text, Integer* computed) {
  static constexpr std::string_view kAfter = "-:...";
  Bytes octets;
  for (std::size_t part = 0; part < 6; ++part) {
    const std::size_t end = part < 5 ? text.find(kAfter[part]) : text.size();
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view digits = text.substr(0, end);
    int value = 0;
    if (computed != nullptr && *computed < 0 && digits == "%s") {
      *computed = static_cast<Integer>(part);
    } else {
      if (digits.empty() || digits.size() > 3) return std::nullopt;
      for (const char c : digits) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
      }
      if (value > 255) return std::nullopt;
    }
    octets.push_back(static_cast<Octet>(value));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return octets;
}

Refusal Scope::refuse(RuleId rule, const Sexpr& at, std::string why) const {
  return {rule, std::move(why), std::string(file_) + ":" + std::to_string(at.line)};
}

const Scope::Variable* Scope::find(std::string_view name) const {
  for (std::size_t i = variables_.size(); i-- > 0;) {
    if (variables_[i].name == name) return &variables_[i];
  }
  return nullptr;
}

Result<std::int64_t> Scope::literal(const Sexpr& from, std::int64_t low, std::int64_t high) const {
  if (from.is != Sexpr::Is::number)
    return refuse("template-syntax"_rule, from, "a literal number must stand here");
  if (from.number < low || from.number > high) {
    return refuse(
        "template-number"_rule, from,
        from.text + " is not from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return from.number;
}

// NAME, NAME{variable} (decimal) or NAME{variable:X} (two hexadecimal digits).
Status Scope::step_name(const Sexpr& from, std::string_view text, Step& step) const {
  if (text == "*") return {};
  const std::size_t brace = text.find('{');
  step.name = text.substr(0, brace);
  if (!is_name(step.name))
    return refuse("template-syntax"_rule, from, from.text + " is not a path");
  if (brace == std::string_view::npos) return {};
  std::string_view inside = text.substr(brace + 1);
  if (!inside.ends_with('}'))
    return refuse("template-syntax"_rule, from, from.text + " is not a path");
  inside.remove_suffix(1);
  step.name_hex = inside.ends_with(":X");
  if (step.name_hex) inside.remove_suffix(2);
  TRY_ASSIGN(step.name_slot, bound_slot(from, inside));
  return {};
}

Result<int> Scope::bound_slot(const Sexpr& from, std::string_view name) const {
  if (const Variable* const variable = find(name)) return variable->slot;
  return refuse("template-variable"_rule, from, "no loop around this binds " + std::string(name));
}

Result<Step> Scope::step(const Sexpr& from, std::string_view text) const {
  Step step;
  const std::size_t bracket = text.find('[');
  TRY(step_name(from, text.substr(0, bracket), step));
  if (bracket == std::string_view::npos) return step;
  const std::string_view predicate = text.substr(bracket);
  const std::size_t equals = predicate.find('=');
  if (!predicate.ends_with("]") || equals == std::string_view::npos) {
    return refuse(
        "template-syntax"_rule, from,
        "a predicate must be [@attribute=V], [Child=V] or [.=V], V a 'value' or a variable");
  }
  const std::string_view key = predicate.substr(1, equals - 1);
  step.by = key == "."             ? Step::By::text
            : key.starts_with('@') ? Step::By::attribute
                                   : Step::By::child;
  if (step.by != Step::By::text) step.key = key.substr(step.by == Step::By::attribute ? 1 : 0);
  const std::string_view value = predicate.substr(equals + 1, predicate.size() - equals - 2);
  const bool quoted = value.size() >= 2 && value.front() == '\'' && value.back() == '\'';
  const std::string_view inside = quoted ? value.substr(1, value.size() - 2) : value;
  if ((step.by != Step::By::text && !is_name(step.key)) || !is_name(inside))
    return refuse("template-syntax"_rule, from, from.text + " is not a path");
  if (quoted) {
    step.expected = inside;
    return step;
  }
  TRY_ASSIGN(step.slot, bound_slot(from, inside));
  return step;
}

Result<Path> Scope::path(const Sexpr& from) {
  if (!from.is_symbol()) return refuse("template-syntax"_rule, from, "a path must stand here");
  Path path;
  path.text = from.text;
  if (from.text == ".") return path;
  std::string_view rest = from.text;
  if (rest.starts_with('/')) {
    path.from_body = true;
    rest.remove_prefix(1);
  }
  for (std::size_t slash = 0; slash != std::string_view::npos;) {
    slash = rest.find('/');
    TRY_ASSIGN(Step next, step(from, rest.substr(0, slash)));
    path.steps.push_back(std::move(next));
    if (slash != std::string_view::npos) rest.remove_prefix(slash + 1);
  }
  return path;
}

Result<Expr> Scope::atom(const Sexpr& from) {
  if (from.is == Sexpr::Is::number) {
    Expr literal = made(Op::integer_literal, Kind::integer, from);
    literal.number = from.number;
    return literal;
  }
  if (from.is == Sexpr::Is::string) {
    Expr literal = made(Op::text_literal, Kind::text, from);
    literal.text = from.text;
    return literal;
  }
  if (from.text == "now") return made(Op::now, Kind::moment, from);
  if (from.text == "never") return made(Op::never, Kind::moment, from);
  if (from.text == "none") return made(Op::nothing, Kind::text, from);
  if (from.text == "counter") return made(Op::counter, Kind::integer, from);
  if (from.text == "orig") return made(Op::originator, Kind::octets, from);
  if (from.text == "target") return made(Op::target, Kind::octets, from);
  if (from.text == "exec") {
    uses_execution_time_ = true;
    return made(Op::execution, Kind::moment, from);
  }
  if (from.text == "true" || from.text == "false") {
    Expr literal = made(Op::boolean_literal, Kind::boolean, from);
    literal.number = from.text == "true" ? 1 : 0;
    return literal;
  }
  const Variable* const variable = find(from.text);
  if (variable == nullptr)
    return refuse("template-variable"_rule, from, "no loop around this binds " + from.text);
  Expr read = made(Op::variable, Kind::integer, from);
  read.number = variable->slot;
  return read;
}

Result<Expr> Scope::operation(const Sexpr& from) {
  const std::string_view name = from.head();
  if (name.empty())
    return refuse("template-syntax"_rule, from, "an expression must start with an operator");
  const Forms::Row* const row = Forms::find(name);
  if (row == nullptr)
    return refuse("template-operator"_rule, from, "there is no operator " + std::string(name));
  const std::size_t arguments = from.items.size() - 1;
  if (arguments < row->least || arguments > row->most) {
    return refuse("template-syntax"_rule, from,
                  std::string(name) + " does not take " + std::to_string(arguments) + " arguments");
  }
  return row->understand(*this, from);
}

Result<Expr> Scope::expression(const Sexpr& from) {
  return from.is_list() ? operation(from) : atom(from);
}

Result<Expr> Scope::expression(const Sexpr& from, Kind kind) {
  TRY_ASSIGN(Expr understood, expression(from));
  return fit(std::move(understood), from, kind);
}

Result<Expr> Scope::fit(Expr understood, const Sexpr& from, Kind kind) const {
  if (understood.op == Op::nothing) understood.kind = kind;
  if (understood.kind == kind) return understood;
  const bool literal = understood.op == Op::text_literal;
  if (understood.kind == Kind::text && kind == Kind::octets) {
    if (!literal) return wrap(Op::to_octets, kind, std::move(understood));
    understood.op = Op::octets_literal;
    understood.kind = kind;
    understood.octets = to_bytes(as_bytes(understood.text));
    return understood;
  }
  if (understood.kind == Kind::text && !literal) {
    const Op op = kind == Kind::integer   ? Op::to_integer
                  : kind == Kind::boolean ? Op::to_boolean
                                          : Op::to_moment;
    return wrap(op, kind, std::move(understood));
  }
  return refuse("template-type"_rule, from,
                std::string(kind_name(kind)) + " must stand here, not " +
                    std::string(kind_name(understood.kind)));
}

}  // namespace wattseal::gbcs::gmt
