// The demo's longer tour: a supplier's and a customer's day at one premises, through the interfaces
// of the platform and the buttons of the meter. A tariff with two rates; prepayment with emergency
// credit and a code typed at the meter; the supply disabled, armed and closed by hand; a request
// that anomaly detection holds, released, and one deleted. Each step throws Fault when it does not
// come out as foreseen. Threads: one.
#pragma once
#include "apps/console.h"
#include "apps/platform.h"
#include "apps/service_user.h"
#include "apps/street.h"

namespace wattseal::apps {

class Tour {
 public:
  // The supplier is the one registered for the premises, and the meter holds its newest keys.
  Tour(const World& world, Platform& platform, Street& street, ServiceUser& supplier,
       const Premises& home, Console& console)
      : world_(world),
        platform_(platform),
        street_(street),
        supplier_(supplier),
        home_(home),
        console_(console) {}
  void run();

 private:
  using Values = std::vector<std::pair<std::string, std::string>>;
  // A request made by the schema's own encoder from what matters; the rest are sample values.
  duis::ServiceRequest request(std::string_view variant, const Values& values,
                               OriginatorCounter counter);
  Exchange send(std::string_view variant, const Values& values);  // not critical
  Exchange critical(std::string_view variant, const Values& values);
  emulators::EmulatedDevice::Display meter() const { return street_.display(home_.esme); }
  void await_alert(std::string_view code, const std::string& what);

  std::string tariff();
  std::string prepayment();
  std::string supply();
  std::string anomaly();

  const World& world_;
  Platform& platform_;
  Street& street_;
  ServiceUser& supplier_;
  const Premises& home_;
  Console& console_;
  std::size_t alerts_seen_ = 0;
};

}  // namespace wattseal::apps
