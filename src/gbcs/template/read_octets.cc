// Inverting expressions of octets: fixed layouts (dates, times, instances), text in octets, and
// concatenations, which can be taken apart when at most one part has no fixed width.
#include "gbcs/template/reader.h"

namespace wattseal::gbcs::gmt {
namespace {

Outcome outcome(bool yes) { return yes ? Outcome::yes : Outcome::no; }

std::string two_digits(unsigned value) {
  return {static_cast<char>('0' + value / 10 % 10), static_cast<char>('0' + value % 10)};
}

std::optional<std::string> time_text(BytesView octets) {
  if (octets.size() != 4 || octets[0] > 23 || octets[1] > 59 || octets[2] > 59 || octets[3] > 99)
    return std::nullopt;
  return two_digits(octets[0]) + ":" + two_digits(octets[1]) + ":" + two_digits(octets[2]) + "." +
         two_digits(octets[3]) + "Z";
}

// yyyy-mm-ddZ, the year 65535 for any.
std::optional<std::string> date_text(BytesView octets) {
  if (octets.size() != 5 || octets[4] != 0xFF) return std::nullopt;
  const unsigned year = static_cast<unsigned>(octets[0] << 8 | octets[1]);
  if (octets[2] < 1 || octets[2] > 12 || octets[3] < 1 || octets[3] > 31) return std::nullopt;
  if (year != 0xFFFF && year >= static_cast<unsigned>(kFirstYearPastUse)) return std::nullopt;
  const std::string digits =
      year == 0xFFFF ? "65535" : two_digits(year / 100) + two_digits(year % 100);
  return digits + "-" + two_digits(octets[2]) + "-" + two_digits(octets[3]) + "Z";
}

}  // namespace

std::optional<Moment> moment_of_date_time(BytesView octets) {
  if (octets.size() != 12 || octets[9] != 0x80 || octets[10] != 0x00 || octets[11] != 0xFF)
    return std::nullopt;
  const BytesView date = octets.first(9);
  if (std::ranges::all_of(date, [](Octet o) { return o == 0x00; }))
    return Moment{Moment::Is::now_marker, {}, 0};
  if (std::ranges::all_of(date, [](Octet o) { return o == 0xFF; }))
    return Moment{Moment::Is::never, {}, 0};
  if (octets[4] != 0xFF || octets[8] > 99) return std::nullopt;
  const CivilTime civil{
      octets[0] << 8 | octets[1], octets[2], octets[3], octets[5], octets[6], octets[7]};
  const std::optional<UtcTime> time = UtcTime::from_civil(civil);
  if (!time || civil.year >= kFirstYearPastUse) return std::nullopt;
  return Moment{Moment::Is::instant, *time, octets[8]};
}

// A choice element of a date: either its Specified… child has the number, or its NonSpecified…
// child is there.
Outcome Solver::solve_date_part(const std::string& choice, std::string_view name, int value,
                                int any, const std::string& any_element) {
  const std::string part(name);
  if (value == any) {
    return outcome(knowledge_.learn_presence(choice + "/" + any_element, true) &&
                   knowledge_.learn_presence(choice + "/Specified" + part, false));
  }
  return outcome(knowledge_.learn_value(
      {choice + "/Specified" + part, std::to_string(value), ReadForm::number}));
}

Outcome Solver::solve_cosem_date(const Expr& expr, BytesView value, const Place& place) {
  if (value.size() != 5) return Outcome::no;
  const std::string date = join(place, expr.path);
  const int year = value[0] << 8 | value[1];
  const auto part = [&](const std::string& name, int found, int any) {
    return solve_date_part(date + "/" + name, name, found, any, "NonSpecified" + name);
  };
  if (part("Year", year, 0xFFFF) != Outcome::yes) return Outcome::no;
  if (part("Month", value[2], 0xFF) != Outcome::yes) return Outcome::no;
  if (value[3] == 0xFE || value[3] == 0xFD) {
    const std::string which = value[3] == 0xFE ? "/LastDayOfMonth" : "/SecondLastDayOfMonth";
    if (!knowledge_.learn_presence(date + "/DayOfMonth" + which, true)) return Outcome::no;
  } else if (part("DayOfMonth", value[3], 0xFF) != Outcome::yes) {
    return Outcome::no;
  }
  return part("DayOfWeek", value[4], 0xFF);
}

Outcome Solver::solve_gas_date(const Expr& expr, BytesView value, const Place& place) {
  struct Part {
    std::string_view name, any;
  };
  static constexpr Part kParts[] = {{"Year", "NonSpecifiedYear"},
                                    {"Month", "NonSpecifiedMonth"},
                                    {"DayOfMonth", "GasNonSpecifiedDayOfMonth"},
                                    {"DayOfWeek", "NonSpecifiedDayOfWeek"}};
  if (value.size() != 4) return Outcome::no;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string choice =
        join(place, expr.path) + "/Gas" + std::string(kParts[i].name) + "WithWildcards";
    const int since = i == 0 ? 1900 : 0;
    if (solve_date_part(choice, kParts[i].name, value[i] + since, 0xFF + since,
                        std::string(kParts[i].any)) != Outcome::yes)
      return Outcome::no;
  }
  return Outcome::yes;
}

std::optional<std::size_t> Solver::width(const Expr& expr, const Place& place) {
  switch (expr.op) {
    case Op::octets_literal: return expr.octets.size();
    case Op::originator:
    case Op::target: return 8;
    case Op::big_endian: return static_cast<std::size_t>(expr.number);
    case Op::instance: return 6;
    case Op::date_time: return 12;
    case Op::date:
    case Op::plain_date: return 5;
    case Op::gas_date:
    case Op::time_of_day: return 4;
    case Op::to_octets:
      if (expr.arguments[0].op == Op::exactly)
        return static_cast<std::size_t>(expr.arguments[0].number);
      break;
    case Op::concatenate: {
      std::size_t total = 0;
      for (const Expr& part : expr.arguments) {
        const std::optional<std::size_t> octets = width(part, place);
        if (!octets) return std::nullopt;
        total += *octets;
      }
      return total;
    }
    case Op::map:
    case Op::choose: {  // as wide as all its results
      const bool choice = expr.op == Op::choose;
      const std::optional<std::size_t> first = width(expr.arguments[choice ? 1 : 2], place);
      bool same = first.has_value();
      for (std::size_t i = choice ? 2 : 4; same && i < expr.arguments.size(); i += choice ? 1 : 2)
        same = width(expr.arguments[i], place) == first;
      if (same) return first;
      break;
    }
    default: break;
  }
  const std::optional<Bytes> known = known_octets(expr, place);
  return known ? std::optional<std::size_t>(known->size()) : std::nullopt;
}

Outcome Solver::solve_concatenation(std::vector<const Expr*> parts, BytesView value,
                                    const Place& place) {
  while (!parts.empty() && parts.front()->op != Op::choose) {
    const Expr& part = *parts.front();
    parts.erase(parts.begin());
    std::optional<std::size_t> octets = width(part, place);
    if (!octets) {
      std::size_t rest = 0;
      for (const Expr* const other : parts) {
        const std::optional<std::size_t> fixed = width(*other, place);
        if (!fixed) return Outcome::open;
        rest += *fixed;
      }
      if (rest > value.size()) return Outcome::no;
      octets = value.size() - rest;
    }
    if (*octets > value.size()) return Outcome::no;
    const Outcome result = solve_octets(part, value.first(*octets), place);
    if (result != Outcome::yes) return result;
    value = value.subspan(*octets);
  }
  if (parts.empty()) return outcome(value.empty());
  const Expr& choice = *parts.front();
  return solve_alternatives(choice, place, [&](const Expr& branch) {
    std::vector<const Expr*> with_branch = parts;
    with_branch.front() = &branch;
    return solve_concatenation(std::move(with_branch), value, place);
  });
}

Outcome Solver::solve_octets(const Expr& expr, BytesView value, const Place& place) {
  switch (expr.op) {
    case Op::nothing: return Outcome::no;
    case Op::plain_date: {
      const std::optional<std::string> text = date_text(value);
      return text ? solve_text(expr.arguments[0], *text, ReadForm::date, place) : Outcome::no;
    }
    case Op::octets_literal: return outcome(equal(expr.octets, value));
    case Op::originator: return outcome(equal(context_.originator.octets(), value));
    case Op::target: return outcome(equal(context_.target.octets(), value));
    case Op::to_octets:
      return solve_text(expr.arguments[0], std::string(as_text(value)), ReadForm::text, place);
    case Op::from_hex: return solve_text(expr.arguments[0], to_hex(value), ReadForm::hex, place);
    case Op::from_base64:
      return solve_text(expr.arguments[0], to_base64(value), ReadForm::base64, place);
    case Op::concatenate: {
      std::vector<const Expr*> parts;
      for (const Expr& part : expr.arguments) parts.push_back(&part);
      return solve_concatenation(std::move(parts), value, place);
    }
    case Op::big_endian:
      if (value.size() != static_cast<std::size_t>(expr.number)) return Outcome::no;
      return solve_integer(expr.arguments[0], Integer(get_be(value)), place);
    case Op::instance: {
      if (value.size() != expr.octets.size()) return Outcome::no;
      const std::size_t computed = static_cast<std::size_t>(expr.number);
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (i != computed && value[i] != expr.octets[i]) return Outcome::no;
      }
      return solve_integer(expr.arguments[0], value[computed], place);
    }
    case Op::date_time: {
      const std::optional<Moment> moment = moment_of_date_time(value);
      return moment ? solve_moment(expr.arguments[0], *moment, place) : Outcome::no;
    }
    case Op::time_of_day: {
      const std::optional<std::string> text = time_text(value);
      return text ? solve_text(expr.arguments[0], *text, ReadForm::time_of_day, place)
                  : Outcome::no;
    }
    case Op::date: return solve_cosem_date(expr, value, place);
    case Op::gas_date: return solve_gas_date(expr, value, place);
    case Op::key_agreement_certificate: {
      const std::optional<Bytes> certificate = known_octets(expr, place);
      return certificate ? outcome(equal(*certificate, value))
             : fatal_    ? Outcome::no
                         : Outcome::open;
    }
    case Op::map:
    case Op::choose:
      return solve_alternatives(
          expr, place, [&](const Expr& branch) { return solve_octets(branch, value, place); });
    default: UNREACHABLE();
  }
}

// Only what the solver asks for: facts about devices, and constants.
std::optional<Bytes> Solver::known_octets(const Expr& expr, const Place& place) {
  switch (expr.op) {
    case Op::octets_literal: return expr.octets;
    case Op::originator: return to_bytes(context_.originator.octets());
    case Op::target: return to_bytes(context_.target.octets());
    case Op::from_hex: {
      std::optional<std::string> text = known_text(expr.arguments[0], place);
      if (!text) return std::nullopt;
      std::erase(*text, '-');
      return from_hex(*text);
    }
    case Op::to_octets: {
      const std::optional<std::string> text = known_text(expr.arguments[0], place);
      return text ? std::optional<Bytes>(to_bytes(as_bytes(*text))) : std::nullopt;
    }
    case Op::key_agreement_certificate: {
      const std::optional<Bytes> id = known_octets(expr.arguments[0], place);
      const Result<Eui64> device = Eui64::from_octets(id ? BytesView(*id) : BytesView());
      if (!device.ok()) return std::nullopt;
      Result<Bytes> certificate = context_.facts.key_agreement_certificate(*device);
      if (certificate.ok()) return *certificate;
      if (!fatal_) fatal_ = certificate.refusal();
      return std::nullopt;
    }
    case Op::map:
    case Op::choose: {
      const Expr* const branch = known_alternative(expr, place);
      return branch == nullptr ? std::nullopt : known_octets(*branch, place);
    }
    default: return std::nullopt;
  }
}

}  // namespace wattseal::gbcs::gmt
