#include "emulators/account.h"

#include <algorithm>

namespace wattseal::emulators {

Account::Events Account::charge(std::int64_t amount, const AccountTerms& terms) {
  if (prepayment && emergency_active && emergency_left > 0) {
    const std::int64_t from_balance = std::clamp<std::int64_t>(balance, 0, amount);
    const std::int64_t from_emergency = std::min(amount - from_balance, emergency_left);
    emergency_left -= from_emergency;
    emergency_used += from_emergency;
    amount -= from_emergency;
  }
  balance -= amount;
  return judge(terms);
}

Account::Events Account::judge(const AccountTerms& terms) {
  Events events;
  if (!prepayment) return events;
  if (!low_told && credit() < terms.low_credit_threshold) {
    low_told = true;
    events.push_back("credit-low");
  }
  const bool has_credit =
      balance >= terms.disablement_threshold || (emergency_active && emergency_left > 0);
  if (!has_credit && supply == Supply::enabled && !terms.never_disable) {
    supply = Supply::disabled;
    events.push_back("credit-exhausted");
  } else if (has_credit && supply == Supply::disabled && !by_command) {
    supply = Supply::armed;  // the customer presses a button, so that nothing starts by itself
    events.push_back("supply-armed");
  }
  return events;
}

bool Account::may_take_top_up(std::int64_t amount, const AccountTerms& terms) const {
  return (terms.top_up_max == 0 || amount <= terms.top_up_max) &&
         (terms.balance_max == 0 || balance + amount <= terms.balance_max);
}

// In this order: the share for the payment debt, emergency credit that was used, accumulated debt,
// the balance.
Account::Events Account::top_up(std::int64_t amount, const AccountTerms& terms) {
  const std::int64_t share =
      std::min(payment_debt, amount * static_cast<std::int64_t>(terms.debt_share) / 10'000);
  payment_debt -= share;
  amount -= share;
  const std::int64_t used = std::min(emergency_used, amount);
  emergency_used -= used;
  emergency_left += used;
  amount -= used;
  if (emergency_used == 0 && used > 0) emergency_active = false, emergency_left = 0;
  const std::int64_t debt = std::min(accumulated_debt, amount);
  accumulated_debt -= debt;
  balance += amount - debt;
  Events events{"credit-added"};
  if (credit() >= terms.low_credit_threshold) low_told = false;
  for (const std::string_view event : judge(terms)) events.push_back(event);
  return events;
}

bool Account::activate_emergency(const AccountTerms& terms) {
  if (!prepayment || emergency_active || emergency_used > 0 || balance > terms.emergency_threshold)
    return false;
  emergency_active = true;
  emergency_left = terms.emergency_limit;
  judge(terms);
  return true;
}

Account::Events Account::adjust(std::int64_t amount, const AccountTerms& terms) {
  balance += amount;
  if (credit() >= terms.low_credit_threshold) low_told = false;
  return judge(terms);
}

// What cannot be paid now is owed later, as the specification of prepayment meters has it.
void Account::recover(std::size_t number, std::int64_t amount, const AccountTerms& terms) {
  amount = std::min(amount, time_debt[number]);
  time_debt[number] -= amount;
  const std::int64_t now =
      std::clamp<std::int64_t>(balance - terms.disablement_threshold, 0, amount);
  balance -= now;
  accumulated_debt += amount - now;
}

}  // namespace wattseal::emulators
