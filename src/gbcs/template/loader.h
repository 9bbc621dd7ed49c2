// From the lists of a file to use cases. Everything that can be wrong with a template is found
// here: unknown words, arity, kinds that do not fit, numbers out of range for their place,
// malformed instances, variables that are not bound, clauses missing or repeated. What cannot be
// seen in one file (names and selectors used twice, same-as) is checked by link().
#pragma once
#include <map>

#include "gbcs/template/ast.h"
#include "gbcs/template/sexpr.h"

namespace wattseal::gbcs::gmt {

struct Loaded {
  Template use_case;
  std::string selectors;  // service variant, element and conditions as text: equal for two that
                          // could never be told apart
  std::string same_payload_as;  // empty when it has a payload of its own
};

Result<std::vector<Loaded>> load_file(std::string_view file, std::string_view text);
// Shares payloads of same-as and refuses template-duplicate, template-reference.
Status link(std::vector<Loaded>& use_cases);

// "Supplier", as service requests write it; empty for a role that no clause names.
std::string_view role_word(RemotePartyRole role);

// Families of payload items; a list of items holds one family only.
enum class Family : Octet {
  dlms_item,
  dlms_data,
  dlms_flag,
  protected_object,
  component,
  zcl_field,
  der_node
};

// Where the expressions and payloads of one use case are understood.
class Scope {
 public:
  explicit Scope(std::string_view file) : file_(file) {}
  Refusal refuse(RuleId rule, const Sexpr& at, std::string why) const;

  // An expression of any kind, or one made to fit `kind` (text is converted; nothing else is).
  Result<Expr> expression(const Sexpr& from);
  Result<Expr> expression(const Sexpr& from, Kind kind);
  Result<Path> path(const Sexpr& from);
  Result<std::vector<Node>> items(const std::vector<Sexpr>& lists, std::size_t first,
                                  Family family);
  // A literal number in a range, for places that are not computed.
  Result<std::int64_t> literal(const Sexpr& from, std::int64_t low, std::int64_t high) const;

  bool uses_execution_time() const { return uses_execution_time_; }

 private:
  friend struct Forms;
  friend struct Items;
  struct Variable {
    std::string name;
    int slot;
    std::string fact;  // whose rows it counts, else empty
  };
  Result<Step> step(const Sexpr& from, std::string_view text) const;
  Status step_name(const Sexpr& from, std::string_view text, Step& step) const;
  Result<int> bound_slot(const Sexpr& from, std::string_view name) const;
  Result<Expr> atom(const Sexpr& from);
  Result<Expr> operation(const Sexpr& from);
  Result<Expr> fit(Expr made, const Sexpr& from, Kind kind) const;
  Result<Node> item(const Sexpr& from, Family family);
  Result<Node> single(const Sexpr& from,
                      Family family);  // an item that stands for exactly one: no loop, no when
  Result<int> declare(const Sexpr& at, std::string name, std::string fact = {});
  const Variable* find(std::string_view name) const;

  std::string_view file_;
  std::vector<Variable> variables_;
  bool uses_execution_time_ = false;
};

// The six octets of "A-B:C.D.E.F". Each part is 0 to 255; with `computed`, one part may be %s and
// its position is stored there.
std::optional<Bytes> instance_octets(std::string_view text, Integer* computed);

}  // namespace wattseal::gbcs::gmt
