// Which use cases have templates, and what those make for which no public reference message exists:
// requests in the form of the DUIS schema, each of which must lead to its use case, read back to
// itself, and let no changed octet through. Expected octets are worked out from the mapping tables.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gbcs/inferred.h"
#include "gbcs/reference_test.h"
#include "gbcs/template.h"

namespace wattseal::gbcs {
namespace {

// A device and its user, by words: "polyphase", "older", "NetworkOperator", or "join=0" for the
// type of another device. Unsaid: a newer single one, a supplier, an ESME.
class Said final : public Facts {
 public:
  explicit Said(std::string words) : words_(" " + std::move(words) + " ") {}
  Result<int> device_type_code(Eui64) const override { return says("join=0") ? 0 : 1; }
  Result<Bytes> key_agreement_certificate(Eui64) const override {
    return from_hex("3003020105").value();
  }
  Result<std::string> named(std::string_view name) const override {
    if (name == "generation") return std::string(says("older") ? "older" : "newer");
    if (name == "variant")
      return std::string(says("polyphase") ? "polyphase" : says("twin") ? "twin" : "single");
    if (name == "twin") return std::string(says("twin") ? "true" : "false");
    return Refusal{"gbcs-fact-missing"_rule, std::string(name)};
  }
  Result<RemotePartyRole> role_of(Eui64) const override {
    return says("NetworkOperator") ? RemotePartyRole::network_operator : RemotePartyRole::supplier;
  }

 private:
  bool says(std::string_view word) const {
    return words_.find(" " + std::string(word) + " ") != std::string::npos;
  }
  std::string words_;
};

constexpr const char* kPeriod =
    "<ReadLogPeriod><StartDateTime>2014-12-20T00:00:00.00Z</StartDateTime>"
    "<EndDateTime>2014-12-31T09:00:00.00Z</EndDateTime></ReadLogPeriod>";
constexpr const char* kVoltages =
    "<RMSVoltageSettings><RMSExtremeOverVoltageMeasurementPeriod>1</"
    "RMSExtremeOverVoltageMeasurementPeriod>"
    "<RMSExtremeOverVoltageThreshold>2</RMSExtremeOverVoltageThreshold>"
    "<RMSExtremeUnderVoltageMeasurementPeriod>3</RMSExtremeUnderVoltageMeasurementPeriod>"
    "<RMSExtremeUnderVoltageThreshold>4</RMSExtremeUnderVoltageThreshold>"
    "<RMSVoltageSagMeasurementPeriod>5</RMSVoltageSagMeasurementPeriod>"
    "<RMSVoltageSagThreshold>6</RMSVoltageSagThreshold>"
    "<RMSVoltageSwellMeasurementPeriod>7</RMSVoltageSwellMeasurementPeriod>"
    "<RMSVoltageSwellThreshold>8</RMSVoltageSwellThreshold></RMSVoltageSettings>"
    "<PolyPhaseVoltageSettings><Phase>2</Phase><PhaseVoltageSettings>"
    "<AverageRMSOverVoltageThreshold>21</AverageRMSOverVoltageThreshold>"
    "<AverageRMSUnderVoltageThreshold>22</AverageRMSUnderVoltageThreshold>"
    "<AverageRMSVoltageMeasurementPeriod>23</AverageRMSVoltageMeasurementPeriod>"
    "</PhaseVoltageSettings></PolyPhaseVoltageSettings>"
    "<PolyPhaseVoltageSettings><Phase>1</Phase><PhaseVoltageSettings>"
    "<AverageRMSOverVoltageThreshold>11</AverageRMSOverVoltageThreshold>"
    "<AverageRMSUnderVoltageThreshold>12</AverageRMSUnderVoltageThreshold>"
    "<AverageRMSVoltageMeasurementPeriod>13</AverageRMSVoltageMeasurementPeriod>"
    "</PhaseVoltageSettings></PolyPhaseVoltageSettings>"
    "<PolyPhaseVoltageSettings><Phase>3</Phase><PhaseVoltageSettings>"
    "<AverageRMSOverVoltageThreshold>31</AverageRMSOverVoltageThreshold>"
    "<AverageRMSUnderVoltageThreshold>32</AverageRMSUnderVoltageThreshold>"
    "<AverageRMSVoltageMeasurementPeriod>33</AverageRMSVoltageMeasurementPeriod>"
    "</PhaseVoltageSettings></PolyPhaseVoltageSettings>";
constexpr const char* kPrices =
    "<PriceElements><ElectricityPriceElements><StandingCharge>7</StandingCharge>"
    "<StandingChargeScale>-3</StandingChargeScale><PriceScale>-5</PriceScale><HybridTariff>"
    "<BlockPrices index='1'><BlockPrice index='2'>12</BlockPrice></BlockPrices>"
    "<TOUPrice index='48'>-9</TOUPrice></HybridTariff></ElectricityPriceElements></PriceElements>";
constexpr const char* kCertificates =
    "<DigitalSigningCertificate>MAMCAQE=</DigitalSigningCertificate>"
    "<KeyAgreementCertificate>MAMCAQI=</KeyAgreementCertificate>";
constexpr const char* kPathAndChecks =
    "<CertificationPathCertificates><Certificate>MAMCAQQ=</Certificate></"
    "CertificationPathCertificates>"
    "<ApplyTimeBasedCPVChecks>false</ApplyTimeBasedCPVChecks>";

std::string in(const std::string& element, const std::string& inside) {
  return "<" + element + " xmlns=\"urn:test\">" + inside + "</" + element + ">";
}

// d9 20 counter 00: what every access request starts with for counter 1001.
const std::string kHead = "d9200003e900";

struct Case {
  std::string use_case, variant, device, facts, body, payload;
};

std::vector<Case> cases() {
  const std::string period = kPeriod;
  const std::string exec = "<ExecutionDateTime>2030-01-15T09:00:00.00Z</ExecutionDateTime>";
  const std::string at_once = "090c0000000000000000008000ff";
  return {
      {"CCS02", "8.11", "CHF", "",
       in("UpdateHANDeviceLog",
          "<DeviceID>00-DB-12-34-56-78-90-A0</DeviceID><RequestType>Remove</RequestType>"),
       kHead + "01"
               "03006800001e0300ff02"
               "01"
               "090800db1234567890a0"},
      {"DBCH01", "6.31", "CHF", "", in("ReadCHFSubGHzChannel", ""),
       kHead + "01"
               "01000100005e2c0a0202"
               "01"
               "00"},
      {"ECS01b", "1.2.1", "ESME", "", in("UpdatePricePrimaryElement", exec + kPrices), ""},
      {"ECS01d", "1.2.2", "ESME", "",
       in("UpdatePriceSecondaryElement",
          "<PriceElements><PriceScale>-5</PriceScale><ElectricityPriceElement "
          "index='1'>10</ElectricityPriceElement>"
          "<ElectricityPriceElement index='3'>30</ElectricityPriceElement></PriceElements>"),
       kHead +
           "02"
           "020071000013140"
           "5ff06"
           "02007100001314"
           "05ff07"
           "02"
           "0203"
           "0202"
           "0f03"
           "0ffb"
           "0203"
           "120003"
           "09060114010800ff"
           "0f02"
           "0104"
           "0202090101"
           "10000a"
           "0202090102"
           "100000"
           "0202090103"
           "10001e"
           "0202090104"
           "100000" +
           at_once},
      {"ECS03", "1.6", "ESME", "twin",
       in("UpdatePaymentMode",
          "<Prepayment><SuspendDebtDisabled>true</SuspendDebtDisabled>"
          "<SuspendDebtEmergency>false</SuspendDebtEmergency>"
          "<DisablementThreshold>-5</DisablementThreshold></Prepayment>"),
       ""},
      {"ECS03", "1.6", "ESME", "",
       in("UpdatePaymentMode", exec +
                                   "<Prepayment><SuspendDebtDisabled>false</SuspendDebtDisabled>"
                                   "<SuspendDebtEmergency>true</SuspendDebtEmergency>"
                                   "<DisablementThreshold>0</DisablementThreshold></Prepayment>"),
       ""},
      {"ECS04b", "1.5", "ESME", "",
       in("UpdateMeterBalance", "<PrepaymentMode><ResetMeterBalance/></PrepaymentMode>"),
       kHead + "03"
               "030070"
               "0000130a00ff"
               "02"
               "030070"
               "0000130a01ff"
               "02"
               "030070"
               "0000130a02ff"
               "02"
               "03"
               "0500000000"
               "0500000000"
               "0500000000"},
      {"ECS14", "3.5", "ESME", "", in("DisablePrivacyPIN", ""),
       kHead + "01"
               "020001"
               "00005e2c0301"
               "02"
               "01"
               "0900"},
      {"ECS15c", "3.3", "ESME", "",
       in("ClearEventLog", "<ESMEEventLogType>ALCS</ESMEEventLogType>"),
       kHead + "01"
               "030007"
               "0011636202ff"
               "01"
               "01"
               "0f00"},
      {"ECS17a", "4.2", "ESME", "", in("ReadInstantaneousExportRegisters", ""), ""},
      {"ECS17d", "4.1.2", "ESME", "", in("ReadInstantaneousImportTOUMatrices", ""), ""},
      {"ECS18b", "4.12.1", "ESME", "", in("ReadMaximumDemandImportRegisters", ""), ""},
      {"ECS20b", "4.4.2", "ESME", "", in("RetrieveCoMOrTariffTriggeredBillingDataLog", period), ""},
      {"ECS20d", "4.4.5", "ESME", "", in("RetrieveBillingDataLogPrepaymentCredits", period), ""},
      {"ECS22b", "4.8.1", "ESME", "", in("ReadActiveImportProfileData", period), ""},
      {"ECS22c", "4.8.2", "ESME", "", in("ReadReactiveImportProfileData", period), ""},
      {"ECS23b", "4.10", "ESME", "polyphase", in("ReadNetworkData", period), ""},
      {"ECS24b", "4.11.2", "ESME", "", in("ReadTariffSecondaryElement", ""), ""},
      {"ECS25a3", "6.22", "ESME", "",
       in("ConfigureAlertBehaviour",
          "<ElectricitySupplierLoggingSettings><SupplierESMECommon><x810D>Enable</x810D>"
          "</SupplierESMECommon><SupplierESMEPolyPhase><x81B7>Disable</x81B7></"
          "SupplierESMEPolyPhase>"
          "</ElectricitySupplierLoggingSettings>"),
       kHead +
           "01"
           "020001"
           "001e61620eff"
           "02"
           "01"
           "04820200" +
           std::string(18, '0') + "80" + std::string(40, '0') + "2000" + std::string(60, '0') +
           "2000"},
      {"ECS25b", "6.22", "ESME", "NetworkOperator",
       in("ConfigureAlertBehaviour",
          "<ElectricityNetworkOperatorAlerts><NetworkOperatorESMESinglePhase><x8002>Enable</x8002>"
          "</NetworkOperatorESMESinglePhase></ElectricityNetworkOperatorAlerts>"),
       kHead +
           "01"
           "020001"
           "002161620bff"
           "02"
           "01"
           "04820200" +
           std::string(62, '0') + "04" + std::string(62, '0') + "04"},
      {"ECS25r2", "6.2.10", "ESME", "NetworkOperator",
       in("ReadDeviceConfigurationEventAndAlertBehaviours", ""),
       kHead + "02"
               "010001"
               "002161620fff"
               "02"
               "010001"
               "0021616212ff"
               "02"
               "02"
               "0000"},
      {"ECS26f", "6.2.5", "ESME", "", in("ReadDeviceConfigurationInstantaneousPowerThresholds", ""),
       ""},
      {"ECS26k", "6.2.1", "ESME", "polyphase", in("ReadDeviceConfigurationVoltage", ""), ""},
      {"ECS26n", "6.2.4", "CHF", "", in("ReadDeviceConfigurationIdentityExcMPxN", ""), ""},
      {"ECS28b", "6.4.2", "ESME", "", in("UpdateDeviceConfigurationLoadLimitingCounterReset", ""),
       kHead + "01"
               "030003"
               "00005e2c2aff"
               "01"
               "01"
               "0f00"},
      {"ECS29b", "6.5", "ESME", "polyphase", in("UpdateDeviceConfigurationVoltage", kVoltages), ""},
      {"ECS29f", "6.27", "ESME", "polyphase",
       in("UpdateDeviceConfigurationRMSVoltageCounterReset", ""), ""},
      {"ECS34", "6.12", "ESME", "",
       in("UpdateDeviceConfigurationInstantaneousPowerThreshold",
          "<LowMediumPowerThreshold>500</LowMediumPowerThreshold>"
          "<MediumHighPowerThreshold>1500</MediumHighPowerThreshold>"),
       kHead + "01"
               "020015"
               "0000100000ff"
               "02"
               "01"
               "0102"
               "06000001f4"
               "06000005dc"},
      {"ECS35b", "6.13", "ESME", "",
       in("ReadEventOrSecurityLog", period + "<LogToRead>Security</LogToRead>"), ""},
      {"ECS35d", "6.13", "CHF", "",
       in("ReadEventOrSecurityLog", period + "<LogToRead>Security</LogToRead>"), ""},
      {"ECS35g", "6.13", "ESME", "",
       in("ReadEventOrSecurityLog", period + "<LogToRead>ALCSEvent</LogToRead>"), ""},
      {"ECS39b", "6.20.2", "ESME", "",
       in("SetDeviceConfigurationExportMPAN", "<ExportMPAN>1234567890123</ExportMPAN>"),
       kHead + "01"
               "020001"
               "0100000002ff"
               "02"
               "01"
               "090d31323334353637383930313233"},
      {"ECS40", "6.2.7", "ESME", "", in("ReadDeviceConfigurationMPxN", ""), ""},
      {"ECS43", "7.2", "ESME", "", in("DisableSupply", ""),
       kHead + "01"
               "030009"
               "00000a006aff"
               "01"
               "01"
               "120034"},
      {"ECS44", "7.3", "ESME", "", in("ArmSupply", ""),
       kHead + "01"
               "030009"
               "00000a006aff"
               "01"
               "01"
               "120036"},
      {"ECS45", "7.4", "ESME", "", in("ReadSupplyStatus", ""),
       kHead + "01"
               "010046"
               "000060030aff"
               "03"
               "01"
               "00"},
      {"ECS61e", "7.15", "SAPC", "", in("ReadAuxiliaryControllerOperationalData", ""), ""},
      {"ECS81", "6.25", "ESME", "",
       in("SetElectricitySupplyTamperState", "<SupplyTamperState>Locked</SupplyTamperState>"),
       kHead + "01"
               "020001"
               "00005e2c0004"
               "02"
               "01"
               "03ff"},
      {"ECS82", "4.18", "ESME", "", in("ReadMeterBalance", ""),
       kHead + "01"
               "010070"
               "0000130a00ff"
               "02"
               "01"
               "00"},
      {"CS02bNOByNO", "6.15.1", "ESME", "NetworkOperator",
       in("UpdateSecurityCredentialsKRP",
          exec +
              "<RemotePartyRole>NetworkOperator</RemotePartyRole>"
              "<RemotePartyFloorSeqNumber>5</RemotePartyFloorSeqNumber><ReplacementCertificates>"
              "<SupplierOrNetworkOperatorCertificates>" +
              kCertificates + "</SupplierOrNetworkOperatorCertificates></ReplacementCertificates>" +
              kPathAndChecks),
       "3052"
       "3016"
       "020103"
       "810101"
       "a207"
       "020103"
       "03020780"
       "830203e9"
       "840105"
       "3020"
       "300e"
       "3003020101"
       "3007"
       "020103"
       "03020780"
       "300e"
       "3003020102"
       "3007"
       "020103"
       "03020308"},
      {"CS02bSupplierByTransCoS", "6.23", "ESME", "",
       in("UpdateSecurityCredentialsCoS",
          "<SupplierFloorSeqNumber>5</SupplierFloorSeqNumber>"
          "<SupplierPrepaymentTopUpFloorSeqNumber>6</SupplierPrepaymentTopUpFloorSeqNumber>"
          "<SupplierReplacementCertificates>" +
              std::string(kCertificates) +
              "<KeyAgreementTopUpCertificate>MAMCAQM=</KeyAgreementTopUpCertificate>"
              "</SupplierReplacementCertificates>" +
              kPathAndChecks + "<ImportMPxN>1234567890123</ImportMPxN>"),
       ""},
      {"CS02e", "6.24.2", "ESME", "",
       in("RetrieveDeviceSecurityCredentialsDevice",
          "<CredentialType>Key Agreement</CredentialType>"),
       "3004"
       "03020308"},
      {"CS02fMAC", "6.24.1", "ESME", "",
       in("RetrieveDeviceSecurityCredentialsKRP",
          "<RemotePartyRole>Supplier</RemotePartyRole><RemotePartyRole>LoadController</"
          "RemotePartyRole>"),
       "3011"
       "3007"
       "020104"
       "03020308"
       "3006"
       "020102"
       "020108"},
      {"CS03CCritical", "8.7.1", "GSME", "",
       in("JoinServiceCritical", "<OtherDeviceID>00-DB-12-34-56-78-90-9A</OtherDeviceID>"),
       "3015"
       "020103"
       "040800db12345678909a"
       "020101"
       "3003020105"},
      {"CS04ACNonCritical", "8.8.2", "PPMID", "",
       in("UnjoinServiceNonCritical", "<OtherDeviceID>00-DB-12-34-56-78-90-9A</OtherDeviceID>"),
       "040800db12345678909a"},
      {"CS03CNonCritical", "8.7.2", "PPMID", "join=0",
       in("JoinServiceNonCritical", "<OtherDeviceID>00-DB-12-34-56-78-90-9A</OtherDeviceID>"),
       "3015"
       "020103"
       "040800db12345678909a"
       "020100"
       "3003020105"},
      {"ECS30a", "6.8", "ESME", "",
       in("UpdateDeviceConfigurationBillingCalendar",
          "<ElectricityBillingCalendar><BillingTime>00:30:00.00Z</BillingTime><Quarterly>"
          "<DayOfMonth>9</DayOfMonth><BillingPeriodStartMonth>11</BillingPeriodStartMonth></"
          "Quarterly>"
          "</ElectricityBillingCalendar>"),
       kHead + "01"
               "020016"
               "00000f0000ff"
               "04"
               "01"
               "0104"
               "0202"
               "0904001e0000"
               "0905ffff0b09ff"
               "0202"
               "0904001e0000"
               "0905ffff0209ff"
               "0202"
               "0904001e0000"
               "0905ffff0509ff"
               "0202"
               "0904001e0000"
               "0905ffff0809ff"},
      {"ECS30a", "6.8", "ESME", "",
       in("UpdateDeviceConfigurationBillingCalendar",
          "<ElectricityBillingCalendar><BillingTime>00:00:00.00Z</BillingTime><SixMonthly>"
          "<DayOfMonth>28</DayOfMonth><BillingPeriodStartMonth>8</BillingPeriodStartMonth></"
          "SixMonthly>"
          "</ElectricityBillingCalendar>"),
       kHead + "01"
               "020016"
               "00000f0000ff"
               "04"
               "01"
               "0102"
               "0202"
               "090400000000"
               "0905ffff081cff"
               "0202"
               "090400000000"
               "0905ffff021cff"},
      {"ECS30a", "6.8", "ESME", "",
       in("UpdateDeviceConfigurationBillingCalendar",
          "<ElectricityBillingCalendar><BillingTime>00:00:00.00Z</BillingTime><Weekly>3</Weekly>"
          "</ElectricityBillingCalendar>"),
       kHead + "01"
               "020016"
               "00000f0000ff"
               "04"
               "01"
               "0101"
               "0202"
               "090400000000"
               "0905ffffffff03"},
      {"ECS30", "6.8", "ESME", "older",
       in("UpdateDeviceConfigurationBillingCalendar",
          "<ElectricityBillingCalendar><BillingTime>00:00:00.00Z</BillingTime><Daily/>"
          "</ElectricityBillingCalendar>"),
       kHead + "01"
               "020016"
               "00000f0000ff"
               "04"
               "01"
               "0101"
               "0202"
               "090400000000"
               "0905ffffffffff"},
  };
}

class Coverage : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr Eui64 kUser = Eui64::from_number(0x90B3D51F30010000),
                         kDevice = Eui64::from_number(0x00DB1234567890A0);
  static inline const OriginatorCounter kCounter{1001};
  static inline const UtcTime kNow = UtcTime::parse_iso("2015-01-01T00:00:00Z").value();
};

TEST_P(Coverage, LeadsToItsUseCaseAndBack) {
  const Case& one = GetParam();
  const Said facts(one.facts);
  const xml::Document document = xml::parse(one.body).value();
  const TransformContext context{document.root(), kUser, kDevice, kCounter, kNow, facts, {}};
  const Result<const Template*> chosen =
      TemplateSet::built_in()->select(one.variant, one.device, context);
  ASSERT_TRUE(chosen.ok()) << chosen.refusal().rule.text() << " " << chosen.refusal().detail;
  EXPECT_EQ(view(**chosen).use_case, one.use_case);
  const Result<Bytes> payload = write_payload(**chosen, context);
  ASSERT_TRUE(payload.ok()) << payload.refusal().detail << " " << payload.refusal().field;
  const auto correlated = [&](BytesView octets) -> Status {
    TRY_ASSIGN(const ReadBack read,
               read_payload(**chosen, octets, {kUser, kDevice, kCounter, facts, {}}));
    return compare(read, document.root(), kNow, 0);
  };
  EXPECT_TRUE(to_hex(*payload).starts_with(one.payload)) << to_hex(*payload) << "\n" << one.payload;
  if (one.payload.starts_with("d9")) {
    EXPECT_EQ(to_hex(*payload), one.payload);
  }
  const Status same = correlated(*payload);
  EXPECT_TRUE(same.ok()) << same.refusal().detail << " at " << same.refusal().field;
  for (std::size_t i = 0; i < payload->size(); ++i) {
    for (const Octet bit : {0x01, 0x40}) {
      Bytes changed = *payload;
      changed[i] ^= bit;
      EXPECT_FALSE(correlated(changed).ok()) << "octet " << i << " of " << to_hex(*payload);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Requests, Coverage, ::testing::ValuesIn(cases()), [](const auto& request) {
  return request.param.use_case + "_" + std::to_string(request.index);
});

// Which charges are collected from which credits: spec/gbcs-duis.md 2.2, and what meters report.
TEST(Templates, SuspendDebtsByTheirCreditAndSupply) {
  const auto payload = [](bool disabled, bool emergency) {
    const std::string body = in(
        "UpdatePaymentMode",
        "<Prepayment><SuspendDebtDisabled>" + std::string(disabled ? "true" : "false") +
            "</SuspendDebtDisabled><SuspendDebtEmergency>" + (emergency ? "true" : "false") +
            "</SuspendDebtEmergency><DisablementThreshold>0</DisablementThreshold></Prepayment>");
    const xml::Document document = xml::parse(body).value();
    const Said facts("");
    const TransformContext context{document.root(),
                                   Eui64::from_number(1),
                                   Eui64::from_number(2),
                                   OriginatorCounter(1001),
                                   UtcTime(),
                                   facts,
                                   {}};
    return to_hex(write_payload(*TemplateSet::built_in()->find("ECS03"), context).value());
  };
  const auto pairs = [](const std::string& hex) {
    std::size_t count = 0;
    for (std::size_t at = hex.find("0203"
                                   "0906");
         at != std::string::npos; at = hex.find("0203"
                                                "0906",
                                                at + 1))
      ++count;
    return count;
  };
  EXPECT_EQ(pairs(payload(false, false)), 13u);
  EXPECT_EQ(pairs(payload(false, true)), 11u);
  const std::string debt_from_balance =
      "0906"
      "0000130a00ff"
      "0906"
      "0000131401ff"
      "0403";
  EXPECT_NE(payload(false, false).find(debt_from_balance + "c0"), std::string::npos);
  EXPECT_NE(payload(true, false).find(debt_from_balance + "40"), std::string::npos);
}

TEST(Templates, RefuseWhatIsNotKnownRatherThanGuess) {
  const auto rule = [](const std::string& variant, const std::string& device,
                       const std::string& body, const std::string& words) -> std::string {
    const xml::Document document = xml::parse(body).value();
    const Said facts(words);
    const TransformContext context{document.root(),
                                   Eui64::from_number(1),
                                   Eui64::from_number(2),
                                   OriginatorCounter(1001),
                                   UtcTime(),
                                   facts,
                                   {}};
    const Result<const Template*> chosen =
        TemplateSet::built_in()->select(variant, device, context);
    if (!chosen.ok()) return std::string(chosen.refusal().rule.text());
    const Result<Bytes> payload = write_payload(**chosen, context);
    return payload.ok() ? "accepted" : std::string(payload.refusal().rule.text());
  };
  // settings of three phases to a meter of one
  EXPECT_EQ(rule("6.5", "ESME", in("UpdateDeviceConfigurationVoltage", kVoltages), "single"),
            "gbcs-template-none");
  // a switch of the older generation at a newer device
  EXPECT_EQ(rule("7.8", "ESME", in("ResetAuxiliaryLoad", "<ResetALCSHCALCS index='1'/>"), ""),
            "gbcs-template-none");
  EXPECT_EQ(rule("7.8", "ESME", in("ResetAuxiliaryLoad", "<ResetALCSHCALCS index='1'/>"), "older"),
            "accepted");
  EXPECT_EQ(rule("7.8", "ESME", in("ResetAuxiliaryLoad", "<ResetALCSHCALCS index='6'/>"), "older"),
            "gbcs-value-range");
  // not longer than a month in the older generation
  const std::string yearly = in(
      "UpdateDeviceConfigurationBillingCalendar",
      "<ElectricityBillingCalendar><BillingTime>00:00:00Z</BillingTime><Yearly><DayOfMonth>1</"
      "DayOfMonth>"
      "<BillingPeriodStartMonth>1</BillingPeriodStartMonth></Yearly></ElectricityBillingCalendar>");
  EXPECT_EQ(rule("6.8", "ESME", yearly, "older"), "gbcs-value-range");
  EXPECT_EQ(rule("6.8", "ESME", yearly, ""), "accepted");
  EXPECT_EQ(
      rule("6.26", "ESME",
           in("UpdateDeviceConfigurationDailyResettingOfTariffBlockCounterMatrix",
              "<DailyTariffBlockCounterMatrixReset>false</DailyTariffBlockCounterMatrixReset>"),
           ""),
      "gbcs-template-none");
  // nobody but supplier and network operator has settings of alerts to read
  EXPECT_EQ(rule("6.18.2", "ESME", in("ResetMaximumDemandRegisters", ""), ""), "gbcs-value-range");
}

// Every use case of the tables that has a command, and what the tables say of it.
TEST(Templates, CoverEveryUseCaseThatHasACommand) {
  int covered = 0;
  for (const UseCaseRow& row : use_cases()) {
    if (row.payload.find("C:") == std::string_view::npos) continue;
    const Template* const use_case = TemplateSet::built_in()->find(row.use_case);
    if (use_case == nullptr) {
      ADD_FAILURE() << row.use_case << " has no template";
      continue;
    }
    const TemplateView& of = view(*use_case);
    ++covered;
    EXPECT_EQ(of.code, MessageCode{row.message_code}) << row.use_case;
    EXPECT_EQ(of.critical, row.protection_class == "critical") << row.use_case;
    if (row.protection_class != "mixed") {  // by broker or signer
      EXPECT_EQ(of.dcc_signed || !of.has_mac,
                row.protection_class == "dcc-signed" || row.protection_class == "signed, no MAC")
          << row.use_case;
    }
    if (row.variant != "NA") {
      EXPECT_EQ(of.service_reference_variant, row.variant) << row.use_case;
      EXPECT_EQ(of.element, row.element) << row.use_case;
    }
  }
  EXPECT_EQ(covered, 216);
}

// ----------------------------------------------------------------------------------------------------
// messages that no service request asks for: from the message to the body and back

xml::Element& child_at(xml::Element& parent, std::string step) {
  std::size_t position = 1;
  if (const std::size_t bracket = step.find('['); bracket != std::string::npos) {
    position = std::stoul(step.substr(bracket + 1));
    step.resize(bracket);
  }
  std::size_t seen = 0;
  for (xml::Element& child : parent.children) {
    if (child.name == step && ++seen == position) return child;
  }
  parent.children.push_back({parent.ns, step, {}, "", {}});
  return parent.children.back();
}

xml::Element body_of(const ReadBack& read, const std::string& name) {
  xml::Element body{"urn:test", name, {}, "", {}};
  const auto put = [&](const std::string& path, const std::string& text) {
    xml::Element* at = &body;
    for (std::size_t start = 0; start <= path.size();) {
      const std::size_t slash = std::min(path.find('/', start), path.size());
      at = &child_at(*at, path.substr(start, slash - start));
      start = slash + 1;
    }
    at->text = text;
  };
  for (const ReadValue& value : read.values) {
    if (!value.path.starts_with("count(")) put(value.path, value.value);
  }
  return body;
}

TEST(Templates, MakeTheMessagesOfTheDccFromBodiesOfItsOwn) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const Said facts("");
  int made = 0;
  for (const test::Reference& reference : test::reference_messages(folder)) {
    if (!reference.name.ends_with("_COMMAND_GBCS.HEX")) continue;
    const Template* const use_case =
        TemplateSet::built_in()->find(reference.name.substr(0, reference.name.find('_')));
    if (use_case == nullptr || !view(*use_case).service_reference_variant.empty()) continue;
    const Message message = decode(reference.octets).value();
    const ReadContext context{message.originator, message.target, message.counter, facts, {}};
    const Result<ReadBack> read = read_payload(*use_case, message.payload, context);
    ASSERT_TRUE(read.ok()) << reference.name << " " << read.refusal().detail;
    const xml::Element body = body_of(*read, view(*use_case).element);
    const UtcTime now;
    const TransformContext transform{
        body, message.originator, message.target, message.counter, now, facts, {}};
    const Result<Bytes> written = write_payload(*use_case, transform);
    ASSERT_TRUE(written.ok()) << reference.name << " " << written.refusal().detail;
    EXPECT_EQ(to_hex(*written), to_hex(message.payload)) << reference.name;
    EXPECT_TRUE(compare(*read, body, now, 0).ok()) << reference.name;
    EXPECT_EQ(view(*use_case).code.text(), message.code.text()) << reference.name;
    ++made;
  }
  EXPECT_EQ(made, 9);
}

TEST(Templates, WhatIsInferredNamesItsUseCaseItsGroundsAndHowSureItIs) {
  const auto set = TemplateSet::built_in();
  for (const InferredValue& one : inferred_values()) {
    EXPECT_TRUE(set->find(std::string(one.use_case))) << one.use_case;
    EXPECT_FALSE(one.place.empty() || one.value.empty() || one.grounds.empty()) << one.use_case;
    EXPECT_TRUE(one.certainty == "high" || one.certainty == "middle" || one.certainty == "low");
  }
  EXPECT_FALSE(inferred_values().empty());
}

}  // namespace
}  // namespace wattseal::gbcs
