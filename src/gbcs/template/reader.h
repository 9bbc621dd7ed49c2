// Payload octets -> what the request must have said. Two halves that share nothing with the writer:
//   Solver         inverts one expression for the value found in the payload
//   PayloadReader  walks the template along the octets; loops take as many items as match,
//   conditions are tried
// A value that cannot be inverted when it is met (it needs an element that is only known later) is
// kept and tried again at the end; what stays open then makes the use case not invertible for this
// payload.
#pragma once
#include <functional>

#include "gbcs/template/knowledge.h"
#include "gbcs/template/moment.h"

namespace wattseal::gbcs::gmt {

enum class Outcome : Octet { yes, no, open };

// Where an expression is read: the element that relative paths start from, as a path from the body
// ("" is the body).
struct Place {
  std::string path;
};

class Solver {
 public:
  Solver(const Template& use_case, const ReadContext& context)
      : use_case_(use_case), context_(context) {}

  // Whether `expr` can have had this value; what that says about the request is learnt. Never open:
  // what cannot be decided yet is kept for finish().
  bool is_integer(const Expr& expr, Integer value, const Place& place);
  bool is_octets(const Expr& expr, BytesView value, const Place& place);
  bool is_boolean(const Expr& expr, bool value, const Place& place);
  bool is_moment(const Expr& expr, const Moment& value, const Place& place);
  std::optional<Integer> known_integer(const Expr& expr, const Place& place);
  std::optional<Facts::Rows> known_rows(const std::string& fact);
  // How many octets the expression writes, when that does not depend on the request.
  std::optional<std::size_t> width(const Expr& expr, const Place& place);

  bool learn(ReadValue value) { return knowledge_.learn_value(std::move(value)); }
  bool learn_count(const std::string& path, std::size_t count);
  std::optional<Integer> known_count(const std::string& path) const;
  std::string join(const Place& place, const Path& path) const;
  void set(int slot, Integer value) { slots_[static_cast<std::size_t>(slot)] = value; }

  struct Mark {
    Knowledge::Mark knowledge;
    std::size_t pending;
  };
  Mark mark() const { return {knowledge_.mark(), pending_.size()}; }
  void roll_back(Mark to);

  // Settles what was kept. Refuses correlate-payload, template-not-invertible, or what the facts
  // refused on the way.
  Result<ReadBack> finish();
  const std::optional<Refusal>& fatal() const { return fatal_; }
  const Template& use_case() const { return use_case_; }
  const ReadContext& context() const { return context_; }

 private:
  struct Pending {
    std::function<Outcome()> solve;
    Slots slots;
    int line;
  };
  bool settle(std::function<Outcome()> solve, int line);

  Outcome solve_integer(const Expr& expr, Integer value, const Place& place);
  Outcome solve_text(const Expr& expr, const std::string& value, ReadForm form, const Place& place);
  Outcome solve_octets(const Expr& expr, BytesView value, const Place& place);
  Outcome solve_boolean(const Expr& expr, bool value, const Place& place);
  Outcome solve_equal(const Expr& expr, bool value, const Place& place);
  Outcome solve_moment(const Expr& expr, const Moment& value, const Place& place);
  Outcome solve_arithmetic(const Expr& expr, Integer value, const Place& place);
  Outcome solve_addition(const Expr& expr, Integer value, const Place& place);
  Outcome solve_multiplication(const Expr& expr, Integer value, const Place& place);
  Outcome solve_packed(const Expr& expr, Integer value, const Place& place);
  Outcome solve_seconds(const Expr& expr, Integer value, const Place& place);
  Outcome solve_cosem_date(const Expr& expr, BytesView value, const Place& place);
  Outcome solve_gas_date(const Expr& expr, BytesView value, const Place& place);
  Outcome solve_date_part(const std::string& choice, std::string_view name, int value, int any,
                          const std::string& any_element);
  Outcome solve_periods(const Expr& expr, Integer value, const Place& place);
  Outcome solve_one_of(const Expr& expr, bool value, const Place& place);
  Outcome solve_concatenation(std::vector<const Expr*> parts, BytesView value, const Place& place);
  // Tries the branches of `if` and the entries of `map` with `solve`.
  Outcome solve_alternatives(const Expr& expr, const Place& place,
                             const std::function<Outcome(const Expr&)>& solve);

  std::optional<std::string> known_text(const Expr& expr, const Place& place);
  std::optional<Bytes> known_octets(const Expr& expr, const Place& place);
  std::optional<bool> known_boolean(const Expr& expr, const Place& place);
  std::optional<Moment> known_moment(const Expr& expr, const Place& place);
  std::optional<std::string> known_cell(const Expr& expr);
  std::optional<Integer> known_packed(const Expr& expr, const Place& place);
  std::optional<Integer> known_arithmetic(const Expr& expr, const Place& place);
  const Expr* known_alternative(const Expr& expr, const Place& place);
  template <typename T>
  std::optional<T> asked(Result<T> answer);

  const Template& use_case_;
  const ReadContext& context_;
  Knowledge knowledge_;
  Slots slots_{};
  std::vector<Pending> pending_;
  std::optional<Refusal> fatal_;  // what the facts refused
};

// DLMS date-time. Day of week, deviation and status must be the undefined values: nothing else is
// ever written.
std::optional<Moment> moment_of_date_time(BytesView octets);

// The fields of one command that sets how a gas meter treats events: what it says of the elements
// below `path` is learnt. Commands come in order of their settings: `rank` is the last one's, 0
// before the first. False when the fields are not what the writer would make.
bool read_event_configuration(BytesView fields, const std::string& path, unsigned& rank,
                              Solver& solver);

// Reads one payload with one use case.
Result<ReadBack> read_back(const Template& use_case, BytesView payload, const ReadContext& context);

}  // namespace wattseal::gbcs::gmt
