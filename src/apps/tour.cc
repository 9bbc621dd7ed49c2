#include "apps/tour.h"

#include <fmt/format.h>

#include "apps/expect.h"
#include "duis/compose.h"

namespace wattseal::apps {
namespace {

constexpr std::chrono::milliseconds kPatience{15'000};
// Millipence, the unit of meters: a thousandth of a penny.
constexpr std::int64_t kNightPrice = 9'500, kDayPrice = 28'340;  // a kilowatt-hour
constexpr std::int64_t kDayStarts = 7;                           // o'clock, UTC
constexpr std::int64_t kEmergency = 500'000, kLowCredit = 200'000;

std::string pounds(std::int64_t millipence) {
  return fmt::format("{}£{:.2f}", millipence < 0 ? "-" : "",
                     static_cast<double>(std::abs(millipence)) / 100'000);
}

}  // namespace

void Tour::run() {
  console_.step("A tariff of two rates", [this] { return tariff(); });
  console_.step("A prepayment day", [this] { return prepayment(); });
  console_.step("Supply disabled, armed", [this] { return supply(); });
  console_.step("Anomalies held", [this] { return anomaly(); });
}

duis::ServiceRequest Tour::request(std::string_view variant, const Values& values,
                                   OriginatorCounter counter) {
  duis::Recipe recipe;
  recipe.service_variant = variant;
  recipe.id = {supplier_.profile().id, home_.esme, counter};
  recipe.fill = true;
  for (const auto& [key, value] : values) recipe.values.push_back({key, value});
  return must(duis::compose(recipe), "a request of " + std::string(variant));
}

Exchange Tour::send(std::string_view variant, const Values& values) {
  const Exchange exchange =
      must(supplier_.send(request(variant, values, supplier_.next_counter()), kPatience),
           std::string(variant));
  must(exchange.parsed && exchange.parsed->success,
       std::string(variant) + " done by the meter; it is " + exchange.acknowledgement + " " +
           exchange.rule);
  return exchange;
}

Exchange Tour::critical(std::string_view variant, const Values& values) {
  const duis::ServiceRequest made = request(variant, values, supplier_.next_counter());
  const Bytes pre_command = must(supplier_.transform(made), "Transform");
  must(supplier_.correlate(made, pre_command), "Correlate");
  const Exchange exchange =
      must(supplier_.sign_and_send(made, pre_command, kPatience), std::string(variant));
  must(exchange.parsed && exchange.parsed->success,
       std::string(variant) + " done by the meter; it is " + exchange.acknowledgement + " " +
           exchange.rule);
  return exchange;
}

// The next alert of this code; others may come between.
void Tour::await_alert(std::string_view code, const std::string& what) {
  const std::int64_t end = world_.clock.monotonic_microseconds() + 15'000'000;
  while (world_.clock.monotonic_microseconds() < end) {
    const std::vector<gbcs::ParsedMessage> alerts = supplier_.alerts();
    for (; alerts_seen_ < alerts.size(); ++alerts_seen_) {
      if (alerts[alerts_seen_].alert_code != code) continue;
      console_.line(fmt::format("alert {}  {}", code, what));
      ++alerts_seen_;
      return;
    }
    supplier_.wait_for_alert(alerts_seen_ + 1, std::chrono::milliseconds(500));
  }
  must(false, "alert " + std::string(code) + ": " + what);
}

std::string Tour::tariff() {
  const std::string times = "ElecTariffElements/SwitchingTable/DayProfiles/DayProfile/";
  const std::string prices = "PriceElements/ElectricityPriceElements/";
  critical("1.1.1",
           {{times + "ProfileSchedule[1]/StartTime", "00:00:00"},
            {times + "ProfileSchedule[1]/TOUTariffAction", "1"},
            {times + "ProfileSchedule[2]/StartTime", fmt::format("{:02}:00:00", kDayStarts)},
            {times + "ProfileSchedule[2]/TOUTariffAction", "2"},
            {prices + "StandingCharge", "30000"},
            {prices + "StandingChargeScale", "-5"},
            {prices + "PriceScale", "-5"},
            {prices + "TOUTariff/TOUPrice[1]", std::to_string(kNightPrice)},
            {prices + "TOUTariff/TOUPrice[2]", std::to_string(kDayPrice)}});
  const std::size_t items = send("4.11.1", {}).parsed->items.size();
  const auto price = [this] {
    return world_.now().civil().hour < kDayStarts ? kNightPrice : kDayPrice;
  };
  std::int64_t before = 0, expected = 0;
  do {  // the rate may change in between
    before = meter().balance_millipence;
    expected = price();
    street_.consume(home_.esme, 2000);
  } while (price() != expected);
  const std::int64_t charged = before - meter().balance_millipence;
  must(charged == 2 * expected, "2 kWh charged at the rate of this hour; it is " + pounds(charged));
  return fmt::format("nights {:.1f}p, days {:.2f}p a kWh; {} items read back, 2 kWh now cost {}",
                     kNightPrice / 1000.0, kDayPrice / 1000.0, items, pounds(charged));
}

std::string Tour::prepayment() {
  const std::string config = "UpdatePrepayConfigElectricity/";
  critical("2.1", {{config + "EmergencyCreditLimit", std::to_string(kEmergency)},
                   {config + "EmergencyCreditThreshold", std::to_string(kLowCredit)},
                   {config + "LowCreditThreshold", std::to_string(kLowCredit)},
                   {config + "MaxMeterBalance", "25000000"},
                   {config + "MaxCreditThreshold", "25000000"}});
  critical("1.6", {{"Prepayment/SuspendDebtDisabled", "false"},
                   {"Prepayment/SuspendDebtEmergency", "false"},
                   {"Prepayment/DisablementThreshold", "0"}});
  alerts_seen_ = supplier_.alerts().size();
  std::uint64_t kilowatt_hours = 0;
  const auto use_until = [&](const auto& reached) {
    for (int i = 0; i < 1000 && !reached(meter()); ++i, ++kilowatt_hours)
      street_.consume(home_.esme, 1000);
    must(reached(meter()), "the balance to fall; it is " + pounds(meter().balance_millipence));
  };
  using Display = emulators::EmulatedDevice::Display;
  use_until([](const Display& now) { return now.balance_millipence < kLowCredit; });
  await_alert("810D", "credit is low: " + pounds(meter().balance_millipence));
  must(street_.activate_emergency(home_.esme), "emergency credit");
  use_until([](const Display& now) { return now.supply != "enabled"; });
  await_alert("8F01", "credit and emergency credit are used up: the supply is off");
  const OriginatorCounter counter = supplier_.next_top_up_counter();
  const std::string code = supplier_.top_up_code(home_.esme, counter, 2000);
  must(street_.enter_top_up(home_.esme, code), "the code typed at the meter");
  await_alert("8F02", "£20.00 typed in as " + code + ": the supply is armed");
  must(!street_.enter_top_up(home_.esme, code).ok(), "the same code refused the second time");
  must(street_.press_enable(home_.esme) && meter().supply == "enabled", "supply, by the button");
  const std::int64_t balance = meter().balance_millipence;
  must(balance > 0 && balance < 2'000'000, "emergency credit paid back first");
  return fmt::format(
      "{} kWh; emergency credit paid back, {} left, and the button closed the supply",
      kilowatt_hours, pounds(balance));
}

std::string Tour::supply() {
  critical("7.2", {});
  must(meter().supply == "disabled", "the supply disabled; it is " + meter().supply);
  must(!street_.press_enable(home_.esme), "the button to do nothing yet");
  critical("7.3", {});
  must(meter().supply == "armed", "the supply armed; it is " + meter().supply);
  must(street_.press_enable(home_.esme) && meter().supply == "enabled", "supply, by the button");
  return "by signed commands; nothing closed until the customer pressed the button";
}

std::string Tour::anomaly() {
  gateway::Gateway& gateway = platform_.gateway();
  const Eui64 user = supplier_.profile().id;
  must(gateway.lodge_anomaly_file(user, "threshold,tour,IS,4.1.1,60,0\n", 0, world_.new_trace()),
       "thresholds");
  const std::size_t notices = supplier_.notices().size(), answers = supplier_.answered();
  for (int i = 0; i < 2; ++i) {
    const duis::ServiceRequest read = request("4.1.1", {}, supplier_.next_counter());
    must(must(supplier_.post(read), "a read") == "I99", "an accepted read");
  }
  must(supplier_.wait_for_notice(notices + 2, kPatience), "a notice of each held request");
  const std::vector<gateway::Quarantined> held = gateway.quarantined(user, 0, 10);
  must(held.size() == 2 && supplier_.answered() == answers, "both held, nothing sent");
  console_.line(fmt::format("held: {}, {}", held[0].request.text(), held[0].anomaly.observed));
  using enum gateway::Gateway::Decision;
  must(gateway.decide_quarantined(held[0].number, user, release, 0, world_.new_trace()),
       "the release");
  must(gateway.decide_quarantined(held[1].number, user, remove, 0, world_.new_trace()),
       "the deletion");
  for (int i = 0; i < 1500 && supplier_.answered() < answers + 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  must(supplier_.answered() == answers + 2, "an answer to the released and to the deleted one");
  must(gateway.lodge_anomaly_file(user, "", 0, world_.new_trace()), "no thresholds");
  return fmt::format("told at once ({}); one released and answered by the meter, one deleted",
                     supplier_.notices().back().dcc_alert_code);
}

}  // namespace wattseal::apps
