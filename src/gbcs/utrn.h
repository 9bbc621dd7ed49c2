// UTRN: the 20-digit prepayment token that a customer types on a meter or that TopUpDevice carries.
// Source: spec/gbcs-duis.md 6. Errors: utrn-format, utrn-check-digit, utrn-value, utrn-counter,
// utrn-mac-mismatch.
#pragma once
#include "base/types.h"
#include "crypto/crypto.h"

namespace wattseal::gbcs {

enum class UtrnUnit { pence, pounds };

struct UtrnRequest {
  Eui64 supplier, meter;
  OriginatorCounter counter;  // low 32 bits zero; refuses utrn-counter otherwise
  UtrnUnit unit = UtrnUnit::pence;
  unsigned value = 0;  // 0..8191; refuses utrn-value otherwise
};
// `secret`: the supplier's prepayment key agreement key with the meter's.
Result<std::string> make_utrn(const crypto::SharedSecret& secret, const UtrnRequest& request);

struct UtrnFields {
  unsigned truncated_counter = 0;  // low 10 bits of the counter's high word
  UtrnUnit unit = UtrnUnit::pence;
  unsigned value = 0;
  std::uint32_t mac = 0;
};
// Format and check digit only.
Result<UtrnFields> parse_utrn(std::string_view digits);
char utrn_check_digit(std::string_view nineteen_digits);

// What a meter does with typed digits: rebuilds the counter from its last one, checks the MAC.
// Returns the counter used.
Result<OriginatorCounter> verify_utrn(const crypto::SharedSecret& secret, Eui64 supplier,
                                      Eui64 meter, OriginatorCounter last_used,
                                      std::string_view digits);

}  // namespace wattseal::gbcs
