// What a customer owes and has, and what that does to the supply: prepayment with emergency credit,
// debts recovered by time and by payment, top-ups; in credit mode a balance that only counts. All
// money in millipence. Pure: no clock, no objects. Private to emulators.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace wattseal::emulators {

enum class Supply : std::uint8_t { enabled, disabled, armed };

// What the meter's objects say at the moment.
struct AccountTerms {
  std::int64_t disablement_threshold = 0, low_credit_threshold = 0;
  std::int64_t emergency_limit = 0, emergency_threshold = 0;
  std::int64_t balance_max = 0, top_up_max = 0;  // 0: no bound
  unsigned debt_share = 0;                       // of a payment, in hundredths of a per cent
  bool never_disable = false;                    // a non-disablement period
};

class Account {
 public:
  // Each gives the events that alerts are raised for: credit-low, credit-exhausted, credit-added,
  // supply-armed; none is given twice for one cause.
  using Events = std::vector<std::string_view>;
  Events charge(std::int64_t amount, const AccountTerms& terms);  // for energy or a day
  Events top_up(std::int64_t amount, const AccountTerms& terms);
  // False when there is no reason for it: the balance is above the threshold, or it is in use.
  bool activate_emergency(const AccountTerms& terms);
  Events adjust(std::int64_t amount, const AccountTerms& terms);  // by the supplier
  void reset() { balance = emergency_left = accumulated_debt = 0, emergency_active = false; }
  void recover(std::size_t time_debt_number, std::int64_t amount, const AccountTerms& terms);
  Events judge(const AccountTerms& terms);  // thresholds or the mode have changed
  bool may_take_top_up(std::int64_t amount, const AccountTerms& terms) const;
  std::int64_t credit() const { return balance + (emergency_active ? emergency_left : 0); }

  bool prepayment = true;
  bool emergency_active = false;
  bool low_told = false;
  bool by_command = false;  // the supply was disabled by command: credit does not bring it back
  Supply supply = Supply::enabled;
  std::int64_t balance = 0, emergency_left = 0, emergency_used = 0, accumulated_debt = 0;
  std::array<std::int64_t, 2> time_debt{};
  std::int64_t payment_debt = 0;
};

}  // namespace wattseal::emulators
