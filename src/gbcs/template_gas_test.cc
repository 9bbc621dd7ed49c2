// Use cases of gas meters against octets laid out by hand from the published layouts: also those of
// which the reference data has no example here. Each is selected by its request, written, read
// back, and with any one bit of its payload changed it is no longer the request's.
#include "gbcs/gas_test.h"

namespace wattseal::gbcs::test {
namespace {

const std::string kPeriod =
    "<ReadLogPeriod><StartDateTime>2024-02-01T00:00:00.00Z</StartDateTime>"
    "<EndDateTime>2024-04-01T00:00:00.00Z</EndDateTime></ReadLogPeriod>";  // 809b4d2d 80b59c2d
const std::string kOpenPeriod =
    "<ReadLogPeriod><StartDateTime>2024-02-01T00:00:00.00Z</StartDateTime>"
    "<EndDateTime>3000-12-31T00:00:00.00Z</EndDateTime></ReadLogPeriod>";

std::vector<Component> snapshots(unsigned first, unsigned second, int count,
                                 const std::string& until, const std::string& cause) {
  std::vector<Component> all;
  for (const unsigned cluster : {first, second}) {
    for (Octet i = 0; cluster != 0 && i < count; ++i)
      all.push_back({cluster, 0x01, static_cast<Octet>(cluster == 0x0705 ? 7 : 6),
                     "809b4d2d" + until + to_hex(Bytes{i}) + cause});
  }
  return all;
}

std::string prices(const std::string& tariff) {
  return "<PriceElements><GasPriceElements><CurrencyUnits>ECB</CurrencyUnits>"
         "<StandingCharge>258</StandingCharge>" +
         tariff + "</GasPriceElements></PriceElements>";
}
const std::string kBlocks =
    "<BlockTariff><BlockPrice index='1'>5</BlockPrice><BlockPrice index='2'>6</BlockPrice>"
    "<NumberOfThresholds>1</NumberOfThresholds></BlockTariff>";
const std::string kTimes =
    "<TOUTariff><TOUPrice index='1'>5</TOUPrice><TOUPrice index='2'>6</TOUPrice></TOUTariff>";

std::string prepayment(const char* emergency, const char* disabled) {
  return std::string("<Prepayment><SuspendDebtDisabled>") + disabled +
         "</SuspendDebtDisabled><SuspendDebtEmergency>" + emergency +
         "</SuspendDebtEmergency><DisablementThreshold>-2</DisablementThreshold></Prepayment>";
}

std::string flow(const std::string& rate, const char* depletion, const char* tamper) {
  return rate + "<SupplyDepletionState>" + depletion +
         "</SupplyDepletionState><SupplyTamperState>" + tamper +
         "</SupplyTamperState><StabilisationPeriod>60</StabilisationPeriod>"
         "<MeasurementPeriod>300</MeasurementPeriod>";
}

Case billing(const char* generation, const std::string& periodicity, const std::string& duration,
             const std::string& type) {
  return {std::string(generation) == "older" ? "GCS25" : "GCS25a",
          "6.8",
          "UpdateDeviceConfigurationBillingCalendar",
          "<GasBillingCalendar><BillingPeriodStart>2024-04-01T00:00:00.00Z</BillingPeriodStart>"
          "<Periodicity>" +
              periodicity + "</Periodicity></GasBillingCalendar>",
          {{0x0700, 0x09, 0x09, "0000000000d7732d80b59c2d" + duration + type + "00"},
           {0x0700, 0x09, 0x01, "0000000000d7732d80b59c2d" + duration + "02" + type + "0001"}},
          "GSME",
          generation};
}

std::vector<Case> reads() {
  return {{"GCS13c",
           "4.1.2",
           "ReadInstantaneousImportTOUMatrices",
           "",
           {{0x0702, 0, 0, "0203010300030001020104010601"}},
           "GPF"},
          {"GCS33", "7.4", "ReadSupplyStatus", "", {{0x0702, 0, 0, "05021400"}}},
          {"GCS46", "6.2.7", "ReadDeviceConfigurationMPxN", "", {{0x0702, 0, 0, "0703"}}, "GPF"},
          {"GCS20r",
           "6.2.10",
           "ReadDeviceConfigurationEventAndAlertBehaviours",
           "",
           {{0x0708, 0x09, 0x05, "ff81"}}},
          {"GCS21f",
           "4.11.1",
           "ReadTariffPrimaryElement",
           "",
           {{0x0700, 0, 0, "03020202000101010201150600040104020403041004200430044004160617060103"},
            {0x0707, 1, 1, "00000000ffffffff0100"},
            {0x0707, 1, 2, "00000000ffffffff0100"},
            {0x0707, 1, 3, "00000000ffffffff"},
            {0x0707, 1, 4, "00000000000000000000ffffffff"},
            {0x0700, 1, 0, "00"}}},
          {"GCS21k",
           "6.2.3",
           "ReadDeviceConfigurationBillingCalendar",
           "",
           {{0x0700, 1, 0x0B, "00000000ffffffff0100"}}},
          {"GCS21d",
           "6.2.3",
           "ReadDeviceConfigurationBillingCalendar",
           "",
           {{0x0700, 1, 0x0B, "00000000ffffffff0100"}},
           "GPF",
           "older"},
          {"GCS60",
           "4.18",
           "ReadMeterBalance",
           "",
           {{0x0702, 0, 0, "000a"}, {0x0705, 0, 0, "0100"}},
           "GSME",
           "older"},
          {"GCS15b", "4.4.2", "RetrieveCoMOrTariffTriggeredBillingDataLog", kPeriod,
           snapshots(0x0705, 0x0702, 12, "80b59c2d", "08600000")},
          {"GCS16b", "4.14", "ReadPrepaymentDailyReadLog", kOpenPeriod,
           snapshots(0x0705, 0, 31, "feffffff", "01000000"), "GPF"},
          {"GCS17",
           "4.8.1",
           "ReadActiveImportProfileData",
           kPeriod,  // 60 days and one sample
           {{0x0702, 1, 8, "0000809b4d2d00410b"}}},
          {"CS10b",
           "6.13",
           "ReadEventOrSecurityLog",
           kPeriod + "<LogToRead>Security</LogToRead>",
           {{0x0709, 1, 0, "040000809b4d2d80b59c2d000000"}}},
          {"CS10b",
           "6.13",
           "ReadEventOrSecurityLog",
           kPeriod + "<LogToRead>GSMESecurity</LogToRead>",
           {{0x0709, 1, 0, "070000809b4d2d80b59c2d000000"}},
           "GPF"},
          {"CS10a",
           "6.13",
           "ReadEventOrSecurityLog",
           kOpenPeriod + "<LogToRead>GSMEEvent</LogToRead>",
           {{0x0709, 1, 0, "160000809b4d2dfeffffff000000"}},
           "GPF"}};
}

std::vector<Case> settings() {
  return {
      {"GCS07",
       "3.1",
       "DisplayMessage",
       "<SupplierMessage>Hello</SupplierMessage>",
       {{0x0703, 0x09, 0, "00d7732d0000000000ffff0548656c6c6f"}}},
      {"GCS11", "3.5", "DisablePrivacyPIN", "", {{0x0708, 0x09, 2, "00d7732d0000000000000200"}}},
      {"GCS39",
       "7.3",
       "ArmSupply",
       "",
       {{0x0702, 1, 0x0B, "0000000000d7732d00000000000000000101"}}},
      {"GCS40b",
       "1.5",
       "UpdateMeterBalance",
       "<PrepaymentMode><ResetMeterBalance/></PrepaymentMode>",
       {{0x0705, 1, 5, "00d7732d000000000100000000"}}},
      {"GCS40d",
       "1.5",
       "UpdateMeterBalance",
       "<CreditMode><ResetMeterBalance/></CreditMode>",
       {{0x0705, 1, 5, "00d7732d000000000200000000"}}},
      {"GCS03",
       "1.6",
       "UpdatePaymentMode",
       prepayment("true", "true"),
       {{0x0705, 1, 6, "0000000000d7732d000000009704feffffff"}}},
      {"GCS03",
       "1.6",
       "UpdatePaymentMode",
       "<ExecutionDateTime>3000-12-31T00:00:00.00Z</ExecutionDateTime>" + prepayment("1", "0"),
       {{0x0705, 1, 6, "0000000000d7732dffffffff9700feffffff"}}},
      {"GCS03",
       "1.6",
       "UpdatePaymentMode",
       "<ExecutionDateTime>2024-04-01T00:00:00Z</ExecutionDateTime>" + prepayment("false", "true"),
       {{0x0705, 1, 6, "0000000000d7732d80b59c2d970cfeffffff"}}},
      {"GCS03",
       "1.6",
       "UpdatePaymentMode",
       prepayment("false", "false"),
       {{0x0705, 1, 6, "0000000000d7732d000000009708feffffff"}}},
      {"GCS24a",
       "6.7",
       "UpdateDeviceConfigurationGasFlow",
       flow("<UncontrolledGasFlowRateDecimal>6.5535</UncontrolledGasFlowRateDecimal>", "Locked",
            "Unchanged"),
       {{0x0702, 1, 0x0E, "0000000000d7732dffff01010010273c2c01"},
        {0x0702, 1, 0x0D, "00d7732d03000003"}}},
      {"GCS24",
       "6.7",
       "UpdateDeviceConfigurationGasFlow",
       flow("<UncontrolledGasFlowRate>7</UncontrolledGasFlowRate>", "Unchanged", "Locked"),
       {{0x0702, 1, 0x0E, "0000000000d7732d070001010001003c2c01"},
        {0x0702, 1, 0x0D, "00d7732d00030003"}},
       "GSME",
       "older"},
      billing("newer", "Daily", "010000", "21"),
      billing("newer", "Weekly", "010000", "22"),
      billing("newer", "Monthly", "010000", "23"),
      billing("newer", "Quarterly", "030000", "23"),
      billing("newer", "SixMonthly", "060000", "23"),
      billing("newer", "Yearly", "0c0000", "23"),
      billing("older", "Weekly", "010000", "22"),
      {"GCS01b",
       "1.2.1",
       "UpdatePricePrimaryElement",
       prices(kBlocks),
       {{0x0700, 0x09, 4, "0000000000d7732d01000000000000001000000100d2035002010000ff010000e80300"},
        {0x0700, 0x09, 5,
         "0000000000d7732d00000000010000000001000005000000"
         "0106000000"}}},
      {"GCS01b",
       "1.2.1",
       "UpdatePricePrimaryElement",
       "<ExecutionDateTime>3000-12-31T00:00:00.00Z</ExecutionDateTime>" + prices(kTimes),
       {{0x0700, 0x09, 4, "0000000000d7732d01000000ffffffff0000020000d2035002010000ff010000e80300"},
        {0x0700, 0x09, 5,
         "0000000000d7732dfeffffff01000000000101"
         "0105000000"
         "0206000000"}}},
      {"GCS20",
       "6.22",
       "ConfigureAlertBehaviour",
       "<GasSupplierAlertEventSettings>" + event("x810D", kOff, kOff, kOff, kOff) +
           event("x810E", kOff, kOff, kOn, kOff) + event("x8145", kOn, kOff, kOff, kOff) +
           event("x81C4", kOff, kOff, kOff, kOff) + event("x81C5", kOn, kOn, kOn, kOn) +
           "</GasSupplierAlertEventSettings>",
       {{0x0708, 0x09, 4, "00d7732d000000005b0001c581"},
        {0x0708, 0x09, 4,
         "00d7732d0000000008000145"
         "81"},
        {0x0708, 0x09, 4,
         "00d7732d0000000000000"
         "20d81c481"},
        {0x0708, 0x09, 4, "00d7732d000000000300010e81"}}}};
}

TEST_F(Gas, ReadsAreTheOctetsOfTheirLayoutAndReadBack) { judge(reads()); }
TEST_F(Gas, SettingsAreTheOctetsOfTheirLayoutAndReadBack) { judge(settings()); }

TEST_F(Gas, IsSelectedByDeviceAndGeneration) {
  const std::string element = "ReadEventOrSecurityLog";
  const auto log = [&](const char* name, const char* device) {
    return rule_of(
        {"", "6.13", element, kPeriod + "<LogToRead>" + name + "</LogToRead>", {}, device});
  };
  EXPECT_EQ(log("Event", "GSME"), "accepted");
  EXPECT_EQ(log("GSMEEvent", "GSME"), "gbcs-template-none");  // the copy is the hub's
  EXPECT_EQ(log("GSMEEvent", "GPF"), "accepted");
  EXPECT_EQ(log("PowerEvent", "GSME"), "gbcs-template-none");

  const std::string identity = "ReadDeviceConfigurationIdentityExcMPxN";
  EXPECT_EQ(rule_of({"", "6.2.4", identity, "", {}, "GPF", "older"}), "accepted");
  EXPECT_EQ(rule_of({"", "6.2.4", identity, "", {}, "GPF", "newer"}), "gbcs-template-none");
  EXPECT_EQ(rule_of({"", "6.2.4", identity, "", {}, "GSME", "unheard-of"}), "gbcs-template-none");

  EXPECT_EQ(rule_of({"", "3.3", "ClearEventLog", "", {}}), "accepted");
  EXPECT_EQ(rule_of({"", "3.3", "ClearEventLog", "<ESMEEventLogType>ALCS</ESMEEventLogType>", {}}),
            "gbcs-template-none");  // it speaks of an electricity meter

  const std::string rates = "UpdateDeviceConfigurationGasFlow";
  const std::string whole =
      flow("<UncontrolledGasFlowRate>7</UncontrolledGasFlowRate>", "Locked", "Locked");
  EXPECT_EQ(rule_of({"", "6.7", rates, whole, {}, "GSME", "newer"}), "gbcs-template-none");
  EXPECT_EQ(rule_of(billing("older", "Quarterly", "", "")), "gbcs-value-range");
}

TEST_F(Gas, RefusesWhatAFieldCannotSay) {
  EXPECT_EQ(rule_of({"", "2.2", "TopUpDevice", "<UTRN>7395006788710517860</UTRN>", {}}),
            "gbcs-value-range");
  const auto profile = [&](const char* from, const char* to) {
    return rule_of({"",
                    "4.8.1",
                    "ReadActiveImportProfileData",
                    std::string("<ReadLogPeriod><StartDateTime>") + from +
                        "</StartDateTime><EndDateTime>" + to + "</EndDateTime></ReadLogPeriod>",
                    {}});
  };
  EXPECT_EQ(profile("2024-02-01T00:00:00Z", "2024-02-01T00:00:00Z"), "accepted");
  EXPECT_EQ(profile("2024-02-01T00:00:01Z", "2024-02-01T00:00:00Z"), "gbcs-value-range");
  EXPECT_EQ(profile("2024-02-01T00:00:00Z", "3000-12-31T00:00:00Z"), "gbcs-value-range");
  EXPECT_EQ(profile("2020-02-01T00:00:00Z", "2024-02-01T00:00:00Z"), "gbcs-value-range");

  const auto events = [&](const std::string& inside) {
    return rule_of({"",
                    "6.22",
                    "ConfigureAlertBehaviour",
                    "<GasSupplierAlertEventSettings>" + inside + "</GasSupplierAlertEventSettings>",
                    {}});
  };
  const std::string good = event("x810D", kOn, kOff, kOn, kOff);
  EXPECT_EQ(events(good), "accepted");
  EXPECT_EQ(events(""), "gbcs-value-missing");
  EXPECT_EQ(events(good + good), "gbcs-value-range");
  EXPECT_EQ(events(event("x810d", kOn, kOff, kOn, kOff)), "gbcs-value-range");
  EXPECT_EQ(events(event("x81D", kOn, kOff, kOn, kOff)), "gbcs-value-range");
  EXPECT_EQ(events(event("x810D", kOn, "On", kOn, kOff)), "gbcs-value-range");
  EXPECT_EQ(events("<x810D><WANAlert>Enable</WANAlert></x810D>"), "gbcs-value-missing");
}

// A number of samples says of the end only in which period it lies.
TEST_F(Gas, CorrelatesAnEndWithinItsPeriod) {
  Case one = reads()[10];
  ASSERT_EQ(one.use_case, "GCS17");
  const Bytes payload = write(one).value();
  const auto ends = [&](const std::string& end) {
    Case other = one;
    other.inside.replace(other.inside.find("2024-04-01T00:00:00.00Z"), 23, end);
    return correlated(other, payload).ok();
  };
  EXPECT_TRUE(ends("2024-04-01T00:29:59.99Z"));
  EXPECT_FALSE(ends("2024-04-01T00:30:00.00Z"));
  EXPECT_FALSE(ends("2024-03-31T23:59:59.00Z"));
}

}  // namespace
}  // namespace wattseal::gbcs::test
