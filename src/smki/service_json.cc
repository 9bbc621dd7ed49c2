#include "smki/service_json.h"

#include <charconv>

namespace wattseal::smki {

nlohmann::json refusal_body(std::string_view rule, std::string_view detail, std::string_view field,
                            TraceId trace) {
  const RuleRow* row = find_rule(rule);
  return {{"rule", rule},
          {"explanation", row ? row->explanation : ""},
          {"found", detail},
          {"field", field},
          {"fix", row ? row->fix : ""},
          {"trace", trace.text()}};
}

http::Response refuse(const Refusal& refusal, TraceId trace) {
  return json_answer(rule_row(refusal.rule).http_status,
                     refusal_body(refusal.rule.text(), refusal.detail, refusal.field, trace));
}

std::optional<std::uint64_t> read_number(std::string_view decimal) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(decimal.data(), decimal.data() + decimal.size(), value);
  return error == std::errc{} && end == decimal.data() + decimal.size() && !decimal.empty()
             ? std::optional(value)
             : std::nullopt;
}

}  // namespace wattseal::smki
