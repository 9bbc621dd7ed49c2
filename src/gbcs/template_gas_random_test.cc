// Requests drawn by chance from what the schema allows for gas meters: whatever is written is read
// back to its request, and with a changed bit it is not. A failure prints its request.
#include <functional>
#include <random>

#include "gbcs/gas_test.h"

namespace wattseal::gbcs::test {
namespace {

class Random {
 public:
  explicit Random(unsigned seed) : chance_(seed) {}
  int upto(int most) { return static_cast<int>(chance_() % static_cast<unsigned>(most + 1)); }
  int from(int least, int most) { return least + upto(most - least); }
  bool coin() { return upto(1) == 1; }

  static std::string tag(const std::string& name, const std::string& inside) {
    return "<" + name + ">" + inside + "</" + name + ">";
  }
  std::string number(const std::string& name, int least, int most) {
    return tag(name, std::to_string(from(least, most)));
  }
  std::string many(int least, int most, const std::function<std::string(int)>& one) {
    std::string all;
    for (int i = 1, last = from(least, most); i <= last; ++i) all += one(i);
    return all;
  }
  static std::string indexed(const std::string& name, int index, int value) {
    return "<" + name + " index='" + std::to_string(index) + "'>" + std::to_string(value) + "</" +
           name + ">";
  }
  std::string execution() {
    if (coin()) return "";
    return tag("ExecutionDateTime", coin() ? "3000-12-31T00:00:00.00Z" : "2031-05-06T07:08:09Z");
  }
  std::string date(const std::string& name) {
    const auto part = [&](const std::string& of, int least, int most, const std::string& any) {
      return tag("Gas" + of + "WithWildcards",
                 coin() ? "<" + any + "/>" : number("Specified" + of, least, most));
    };
    return tag(name, part("Year", 2014, 2099, "NonSpecifiedYear") +
                         part("Month", 1, 12, "NonSpecifiedMonth") +
                         part("DayOfMonth", 1, 31, "GasNonSpecifiedDayOfMonth") +
                         part("DayOfWeek", 1, 7, "NonSpecifiedDayOfWeek"));
  }
  // Weeks, seasons and special days; the names of the list of seasons differ.
  std::string calendar(const std::string& seasons, int days) {
    const auto week = [&](int) {
      std::string references;
      for (int day = 1; day <= 7; ++day)
        references += indexed("ReferencedDayName", day, from(1, days));
      return tag("WeekProfile", number("WeekName", 1, 2) + references);
    };
    const auto season = [&](int) {
      return tag("Season", date("SeasonStartDate") + number("ReferencedWeekName", 1, 2));
    };
    return tag("WeekProfiles", many(1, 2, week)) + tag(seasons, many(1, 3, season));
  }
  std::string special_days(int days) {
    return tag("SpecialDays", many(0, 20, [&](int) {
                 return tag("SpecialDay", date("Date") + number("ReferencedDayName", 1, days));
               }));
  }
  std::string prices(bool blocks) {
    const auto price = [&](const std::string& name) {
      return many(1, 4, [&](int i) { return indexed(name, i, upto(1'000'000)); });
    };
    return tag(
        "PriceElements",
        tag("GasPriceElements",
            tag("CurrencyUnits", coin() ? "GBP" : "ECB") + number("StandingCharge", 0, 1'000'000) +
                (blocks
                     ? tag("BlockTariff", price("BlockPrice") + number("NumberOfThresholds", 1, 3))
                     : tag("TOUTariff", price("TOUPrice")))));
  }
  std::string tariff() {
    const bool blocks = coin();
    const auto day = [&](int i) {
      return tag("DayProfile", tag("DayName", std::to_string(i)) +
                                   (blocks ? "<BlockTariff/>" : number("TOUTariffAction", 1, 4)));
    };
    const auto threshold = [&](int i) { return indexed("BlockThreshold", i, upto(9'000'000)); };
    return execution() +
           tag("GasTariffElements",
               tag("SwitchingTable", tag("DayProfiles", many(1, 4, day)) + calendar("Seasons", 4)) +
                   special_days(4) + tag("ThresholdMatrix", many(1, 3, threshold))) +
           prices(blocks);
  }
  std::string configuration() {
    const auto action = [&](int) {
      const int minutes = upto(24 * 60 - 1);
      char time[16];
      std::snprintf(time, sizeof time, "%02d:%02d:00%s", minutes / 60, minutes % 60,
                    coin() ? "Z" : ".00Z");
      return tag("TimeStartAction",
                 tag("StartTime", time) + tag("NonDisablementAction", coin() ? "START" : "STOP"));
    };
    const auto day = [&](int i) {
      return tag("GasNonDisablementDayProfile",
                 many(1, 3, action) + tag("GasDayName", std::to_string(i)));
    };
    return execution() +
           tag("UpdatePrepayConfigGas",
               number("DebtRecoveryRateCap", -1000, 1000) +
                   number("EmergencyCreditLimit", 0, 1000) +
                   number("EmergencyCreditThreshold", 0, 1000) +
                   number("LowCreditThreshold", 0, 1000) +
                   tag("GasNonDisablementCalendar", tag("DayProfiles", many(1, 5, day)) +
                                                        calendar("SeasonProfiles", 5) +
                                                        special_days(5)) +
                   number("MaxMeterBalance", 0, 1000) + number("MaxCreditThreshold", 0, 1000));
  }
  std::string alerts() {
    const auto setting = [&](int i) {
      char name[16];
      std::snprintf(name, sizeof name, "x81%02X", 3 * i);
      return event(name, coin() ? kOn : kOff, coin() ? kOn : kOff, coin() ? kOn : kOff,
                   coin() ? kOn : kOff);
    };
    return tag("GasSupplierAlertEventSettings", many(1, 44, setting));
  }

 private:
  std::mt19937 chance_;
};

TEST_F(Gas, ReadsBackWhateverTheSchemaAllows) {
  for (unsigned seed = 1; seed <= 150; ++seed) {
    Random random(seed);
    for (const Case& one : std::vector<Case>{
             {"GCS01a", "1.1.1", "UpdateImportTariffPrimaryElement", random.tariff(), {}},
             {"GCS01b",
              "1.2.1",
              "UpdatePricePrimaryElement",
              random.execution() + random.prices(random.coin()),
              {}},
             {"GCS05", "2.1", "UpdatePrepayConfiguration", random.configuration(), {}},
             {"GCS20", "6.22", "ConfigureAlertBehaviour", random.alerts(), {}}}) {
      std::string chosen;
      const Result<Bytes> written = write(one, &chosen);
      ASSERT_TRUE(written.ok()) << one.inside << " " << written.refusal().detail;
      EXPECT_EQ(chosen, one.use_case);
      const Status same = correlated(one, *written);
      ASSERT_TRUE(same.ok()) << one.use_case << " " << one.inside << "\n"
                             << same.refusal().detail << " " << same.refusal().field;
      Bytes changed = *written;
      changed[static_cast<std::size_t>(random.upto(static_cast<int>(changed.size()) - 1))] ^=
          static_cast<Octet>(1 << random.upto(7));
      EXPECT_FALSE(correlated(one, changed).ok()) << one.use_case << " " << one.inside;
    }
  }
}

}  // namespace
}  // namespace wattseal::gbcs::test
