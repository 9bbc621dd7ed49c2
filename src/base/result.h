// Result<T>: a value, or a Refusal that the field foresees. A refusal names the rule (a row of
// data/rules/*.tsv, where its response code, explanation and fix stand), the offending field and
// what was found there. It never carries a secret.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace wattseal {

// The id of a rule row. Write it as a literal, "csr-wrong-curve"_rule: tools/tidy proves that each
// literal has a row.
class RuleId {
 public:
  constexpr explicit RuleId(const char* id) : id_(id) {}
  constexpr std::string_view text() const { return id_; }
  friend constexpr bool operator==(RuleId a, RuleId b) { return a.text() == b.text(); }

 private:
  std::string_view id_;  // literals only: it must outlive every refusal
};
constexpr RuleId operator""_rule(const char* id, std::size_t) { return RuleId(id); }

struct Refusal {
  RuleId rule;
  std::string detail;  // what was found, in one sentence, for an engineer
  std::string field =
      {};  // where: an XPath, a TLV path, a column; empty when the whole input is meant
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Refusal refusal) : state_(std::in_place_index<1>, std::move(refusal)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  const T& value() const& {
    CHECK(ok());
    return std::get<0>(state_);
  }
  T& value() & {
    CHECK(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::get<0>(std::move(state_));
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }
  const Refusal& refusal() const {
    CHECK(!ok());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Refusal> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Refusal refusal) : refusal_(std::move(refusal)) {}
  bool ok() const { return !refusal_; }
  explicit operator bool() const { return ok(); }
  const Refusal& refusal() const {
    CHECK(!ok());
    return *refusal_;
  }

 private:
  std::optional<Refusal> refusal_;
};
using Status = Result<void>;

}  // namespace wattseal

// TRY(status_expression); passes a refusal on. TRY_ASSIGN(const T name, result_expression); also
// names the value.
#define WATTSEAL_JOIN_(a, b) a##b
#define WATTSEAL_JOIN(a, b) WATTSEAL_JOIN_(a, b)
#define TRY(expression)                                  \
  do {                                                   \
    auto&& try_status_ = (expression);                   \
    if (!try_status_.ok()) return try_status_.refusal(); \
  } while (false)
#define TRY_ASSIGN(declaration, expression) \
  TRY_ASSIGN_(declaration, expression, WATTSEAL_JOIN(try_result_, __LINE__))
#define TRY_ASSIGN_(declaration, expression, result) \
  auto result = (expression);                        \
  if (!result.ok()) return result.refusal();         \
  declaration = std::move(result).value()
