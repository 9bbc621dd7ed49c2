// MMC documents of settings, calendars and schedules, from answers of our own making.
#include <gtest/gtest.h>

#include "cosem/cosem.h"
#include "gbcs/gas_test.h"
#include "gbcs/mmc.h"
#include "gbcs/reference_test.h"
#include "xml/xsd.h"

namespace wattseal::gbcs {
namespace {

using cosem::Value;
using xml::Element;

Message answer(unsigned code, Bytes payload) {
  Message message;
  message.cra = Cra::response;
  message.originator = Eui64::from_number(1);
  message.target = Eui64::from_number(2);
  message.counter = OriginatorCounter(7);
  message.code = MessageCode(static_cast<std::uint16_t>(code));
  message.payload = std::move(payload);
  return message;
}

Message read(unsigned code, const std::vector<Value>& values) {
  cosem::AccessResponse response;
  for (const Value& value : values)
    response.items.push_back({cosem::Operation::get, cosem::kSuccess, value});
  return answer(code, cosem::encode(response));
}

Message published(unsigned code, const std::vector<test::Component>& components) {
  return answer(code, from_hex(test::payload_of(components)).value());
}

// The document, valid where the official schema is at hand.
Mmc document(const Message& message, std::string_view service = {}) {
  Mmc mmc = to_mmc(message, test::no_key, service).value();
  const std::optional<std::filesystem::path> folder = wattseal::test::vectors();
  if (!folder) return mmc;
  static const xml::Xsd schema = [&folder] {
    const std::filesystem::path schemas = *folder / "rtds" / "duis-xsd-and-xmldsig-keys";
    std::vector<xml::SchemaFile> files;
    for (const char* name : {"MMC Schema V5.4.xsd", "xmldsig-core-schema.xsd"})
      files.push_back({name, wattseal::test::read_text(schemas / name)});
    return xml::Xsd::compile(files).value();
  }();
  const Status valid = schema.check(xml::parse(write(mmc)).value());
  EXPECT_TRUE(valid.ok()) << valid.refusal().detail << "\n" << write(mmc);
  return mmc;
}

// Names and texts of an element in one line: A(B=text C).
std::string line(const Element& element) {
  std::string text = element.name;
  for (const xml::Attribute& attribute : element.attributes)
    text += "@" + attribute.name + "=" + attribute.value;
  if (!element.text.empty()) text += "=" + element.text;
  if (element.children.empty()) return text;
  text += "(";
  for (const Element& child : element.children) text += line(child) + " ";
  text.back() = ')';
  return text;
}

const Element& at(const Mmc& mmc, std::initializer_list<std::string_view> path) {
  const Element* here = mmc.document.child("Body")->child("ResponseMessage")->child("SMETSData");
  for (const std::string_view name : path) {
    here = here == nullptr ? nullptr : here->child(name);
    EXPECT_TRUE(here) << name << "\n" << write(mmc);
  }
  static const Element kNone;
  return here == nullptr ? kNone : *here;
}

// 256 bits, counted from the last.
Value event_bits(const std::vector<std::size_t>& set) {
  std::string bits(256, '0');
  for (const std::size_t bit : set) bits[255 - bit] = '1';
  return Value::bits(bits);
}

TEST(MmcSettings, EventsOfASupplier) {
  const Mmc mmc = document(read(
      0x00EE, {event_bits({0x0D, 0xC6}), event_bits({0xB7}), event_bits({}), event_bits({0})}));
  const auto settings = [&mmc](std::string_view name) -> const Element& {
    return at(mmc, {"ReadDeviceConfigurationEventAndAlertBehavioursRsp",
                    "ElectricitySupplierAlertEventSettings", name});
  };
  const Element& wan = settings("ElectricitySupplierWANAlertSettings");
  ASSERT_EQ(wan.children.size(), 1u);
  ASSERT_EQ(wan.children[0].children.size(), 42u);
  EXPECT_EQ(line(wan.children[0].children[0]), "x810D=Enable");
  EXPECT_EQ(line(wan.children[0].children[1]), "x810E=Disable");
  EXPECT_EQ(line(wan.children[0].children[41]), "x81C6=Enable");
  const Element& han = settings("ElectricitySupplierHANAlertSettings");
  ASSERT_EQ(han.children.size(), 2u);
  EXPECT_EQ(line(han.children[1]), "SupplierESMEPolyPhase(x81B7=Enable)");
  // a bit without an element is not lost silently
  ASSERT_EQ(mmc.unmapped.size(), 1u);
  EXPECT_EQ(mmc.unmapped[0].where, "ElectricitySupplierLoggingSettings");
  EXPECT_EQ(mmc.unmapped[0].rule, "mmc-value"_rule);
  EXPECT_EQ(mmc.unmapped[0].detail, "no element for bit 0");
  EXPECT_EQ(mmc.mapped, 4u);
}

TEST(MmcSettings, EventsOfANetworkOperatorAreOfOneKindOfMeter) {
  const auto sections = [](const std::vector<std::size_t>& bits) {
    const Mmc mmc = document(read(0x00EF, {event_bits(bits), event_bits({})}));
    std::string names;
    for (const Element& one : at(mmc, {"ReadDeviceConfigurationEventAndAlertBehavioursRsp",
                                       "ElectricityNetworkOperatorAlertEventSettings"})
                                  .children[0]
                                  .children)
      names += one.name + " ";
    return names;
  };
  EXPECT_EQ(sections({0x14}), "NetworkOperatorESMECommon ");
  EXPECT_EQ(sections({0x02}), "NetworkOperatorESMECommon NetworkOperatorESMESinglePhase ");
  EXPECT_EQ(sections({0x13}), "NetworkOperatorESMECommon NetworkOperatorESMEPolyPhase ");
  const Mmc both = document(read(0x00EF, {event_bits({0x02, 0x13}), event_bits({})}));
  ASSERT_EQ(both.unmapped.size(), 2u);
  EXPECT_EQ(both.unmapped[0].rule, "mmc-value"_rule);
  EXPECT_EQ(both.unmapped[1].where, "list/*");
}

TEST(MmcSettings, EventsOfAGasMeter) {
  const Mmc mmc = document(
      published(0x00F1, {{0x0708, 0x19, 4, "0002ab815b0d8108"}, {0x0708, 0x19, 4, "0102018040"}}));
  EXPECT_EQ(line(at(mmc, {"ReadDeviceConfigurationEventAndAlertBehavioursRsp",
                          "GasSupplierAlertEventSettings"})),
            "GasSupplierAlertEventSettings("
            "x810D(WANAlert=Enable HANAlert=Disable EventLog=Disable Alarm=Disable) "
            "x81AB(WANAlert=Enable HANAlert=Enable EventLog=Enable Alarm=Enable))");
  ASSERT_EQ(mmc.unmapped.size(), 1u);
  EXPECT_EQ(mmc.unmapped[0].detail, "no element for event 8001");
  // a report that ends inside an event
  const Mmc cut = document(published(0x00F1, {{0x0708, 0x19, 4, "0001ab81"}}));
  EXPECT_EQ(cut.mapped, 0u);
  EXPECT_EQ(cut.unmapped[0].rule, "mmc-value"_rule);
}

const std::string kHead = "00000000d7732d00d7732d00";  // provider, issued, calendar

TEST(MmcSettings, CalendarInWhichGasIsNotCutOff) {
  // special days with and without the time from which they count
  for (const std::string& start : {std::string(), std::string("00d7732d")}) {
    const Mmc mmc = document(published(
        0x00B5, {{0x0707, 0x19, 1, kHead + "0102000103" + "e00101" + "380400"},
                 {0x0707, 0x19, 2, kHead + "0201020304050101"},
                 {0x0707, 0x19, 3, kHead + "0001" + "ff0c19ff01" + "7c0101ff02"},
                 {0x0707, 0x19, 4, kHead + start + "03020001" + "ff0c19ff04" + "7cffff0301"}}));
    const Element& calendar =
        at(mmc, {"ReadPrepaymentConfigurationRsp", "Gas", "NonDisablementCalendar"});
    EXPECT_EQ(
        line(*calendar.child("DayProfiles")),
        "DayProfiles(GasNonDisablementDayProfile("
        "TimeStartAction@index=1(StartTime=08:00:00Z NonDisablementAction=START) "
        "TimeStartAction@index=2(StartTime=18:00:00Z NonDisablementAction=STOP) GasDayName=1))");
    EXPECT_EQ(line(*calendar.child("WeekProfiles")),
              "WeekProfiles(WeekProfile(WeekName=2 ReferencedDayName@index=1=1 "
              "ReferencedDayName@index=2=2 ReferencedDayName@index=3=3 ReferencedDayName@index=4=4 "
              "ReferencedDayName@index=5=5 ReferencedDayName@index=6=1 "
              "ReferencedDayName@index=7=1))");
    const Element& seasons = *calendar.child("SeasonProfiles");
    ASSERT_EQ(seasons.children.size(), 2u);
    EXPECT_EQ(line(seasons.children[0]),
              "Season(SeasonStartDate(GasYearWithWildcards(NonSpecifiedYear) "
              "GasMonthWithWildcards(SpecifiedMonth=12) "
              "GasDayOfMonthWithWildcards(SpecifiedDayOfMonth=25) "
              "GasDayOfWeekWithWildcards(NonSpecifiedDayOfWeek)) ReferencedWeekName=1)");
    const Element& days = *calendar.child("SpecialDays");
    ASSERT_EQ(days.children.size(), 2u);
    EXPECT_EQ(line(days.children[1]),
              "SpecialDay(Date(GasYearWithWildcards(SpecifiedYear=2024) "
              "GasMonthWithWildcards(NonSpecifiedMonth) "
              "GasDayOfMonthWithWildcards(GasNonSpecifiedDayOfMonth) "
              "GasDayOfWeekWithWildcards(SpecifiedDayOfWeek=3)) ReferencedDayName=1)");
    EXPECT_TRUE(mmc.unmapped.empty()) << mmc.unmapped[0].where;
  }
}

TEST(MmcSettings, TariffOfAGasMeter) {
  // currency 826, trailing digits 5; a price with a label of three characters
  const Mmc mmc = document(
      published(0x009F, {{0x0700, 0x18, 1,
                          "16060021"
                          "3a03"
                          "17060018"
                          "50"},
                         {0x0700, 0x19, 0,
                          "00000000"
                          "03414243"
                          "00d7732d"
                          "00d7732d"
                          "01"
                          "3a03"
                          "50"
                          "00"
                          "00d7732d"
                          "ffff"
                          "39300000"
                          "00"},
                         {0x0707, 0x19, 1, kHead + "0101000100" + "000002"},
                         {0x0707, 0x19, 1, kHead + "0201000100" + "000000"},
                         {0x0707, 0x19, 4, kHead + "00d7732d" + "00010001" + "ff0c19ff02"}}));
  EXPECT_EQ(line(at(mmc, {"ReadTariffPrimaryElementRsp", "Gas"})),
            "Gas(PrimaryActiveTariffPrice=12345 PrimaryActiveTariffPriceScale=-5 "
            "CurrencyUnitsLabel=GBP TariffSwitchingTable(DayProfiles("
            "DayProfile(DayName=1 TOUTariffAction=2) DayProfile(DayName=2 BlockTariff))) "
            "TariffSwitchingTableSpecialDays(SpecialDay(Date("
            "GasYearWithWildcards(NonSpecifiedYear) GasMonthWithWildcards(SpecifiedMonth=12) "
            "GasDayOfMonthWithWildcards(SpecifiedDayOfMonth=25) "
            "GasDayOfWeekWithWildcards(NonSpecifiedDayOfWeek)) ReferencedDay=2)))");
  EXPECT_TRUE(mmc.unmapped.empty()) << mmc.unmapped[0].where;
  ASSERT_EQ(mmc.without_element.size(), 1u);
  EXPECT_EQ(mmc.without_element[0].where, "0700.0617");
  EXPECT_EQ(mmc.without_element[0].detail, "The MMC schema has no element for it.");
}

Value schedule(std::uint16_t script, std::string_view special_days) {
  const Bytes any = from_hex("ffffffffff").value();
  return Value::structure(
      {Value::u16(1), Value::boolean(true), Value::octets(from_hex("00000a0067ff").value()),
       Value::u16(script), Value::octets(from_hex("091e0000").value()), Value::u16(0xFFFF),
       Value::bits("1000001"), Value::bits(special_days), Value::octets(any), Value::octets(any)});
}

TEST(MmcSettings, SchedulesOfControllers) {
  std::vector<Value> values(5, Value::visible("Boiler"));
  values.push_back(Value::array({}));
  values.push_back(Value::array({schedule(0x1180, "000"), schedule(0x25E4, "101")}));
  const Mmc mmc = document(read(0x011C, values));
  const std::vector<const Element*> all =
      at(mmc, {"ReadAuxiliaryControllerConfigurationDataRsp"}).all("AuxiliaryControllerSchedule");
  ASSERT_EQ(all.size(), 2u);
  const std::string when =
      "DaysOfWeekApplicability(DayOfWeekApplicability(DayOfWeekID=Monday) "
      "DayOfWeekApplicability(DayOfWeekID=Sunday)) AuxiliaryControllerSchedulePeriodAndTime("
      "SwitchTime=09:30:00Z ";
  EXPECT_EQ(line(*all[0]).find("AuxiliaryControllerSchedule("
                               "AuxiliaryControllerAction@auxiliaryControllerN=1("
                               "CommandedStateLevel=0) " +
                               when),
            0u)
      << line(*all[0]);
  EXPECT_EQ(line(*all[1]).find("AuxiliaryControllerSchedule("
                               "AuxiliaryControllerAction@auxiliaryControllerN=5("
                               "CommandedStateLevel=100 InputFromControlledLoad) "
                               "SpecialDaysApplicability@identifier=1 "
                               "SpecialDaysApplicability@identifier=3 " +
                               when),
            0u)
      << line(*all[1]);
}

TEST(MmcSettings, ASchedulesActionThatTheSchemaCannotHold) {
  std::vector<Value> values(5, Value::visible("Boiler"));
  values.push_back(Value::array({}));
  // of the second the bit before the level is open
  values.push_back(Value::array({schedule(0x1180, "000"), schedule(0x1165, "000")}));
  const Mmc mmc = document(read(0x011C, values));
  ASSERT_GE(mmc.unmapped.size(), 2u);
  EXPECT_EQ(mmc.unmapped[0].where, "AuxiliaryControllerAction");
  EXPECT_EQ(mmc.unmapped[0].rule, "mmc-value"_rule);
  EXPECT_EQ(mmc.unmapped[1].where, "ReadAuxiliaryControllerConfigurationDataRsp");
  EXPECT_EQ(mmc.unmapped[1].rule, "mmc-incomplete"_rule);
  EXPECT_EQ(mmc.mapped, 0u);
}

TEST(MmcSettings, AnswersOfNoServiceSaySo) {
  const Mmc mmc = document(answer(0x0106, from_hex("30030a0100").value()));
  EXPECT_EQ(mmc.use_case, "CS02bTransCoSByTransCoS");
  ASSERT_EQ(mmc.unmapped.size(), 1u);
  EXPECT_EQ(mmc.unmapped[0].rule, "mmc-no-service"_rule);
  EXPECT_EQ(mmc.values, 1u);
  EXPECT_EQ(mmc.placeless, 1u);
}

TEST(MmcSettings, WarningsOfMeters) {
  Message alert = answer(0x00F2, from_hex("010900"
                                          "81a0"
                                          "2d73d700"
                                          "0005")
                                     .value());
  alert.cra = Cra::alert;
  const Mmc mmc = document(alert);
  EXPECT_EQ(line(*mmc.document.child("Body")
                      ->child("DeviceAlertMessage")
                      ->child("DeviceAlertContent")
                      ->child("Payload")),
            "Payload(SmartMeterIntegrityIssueWarningDeviceAlert("
            "Warning=Error Unexpected Hardware Reset))");
}

TEST(MmcSettings, AValueWhoseScalerWasNotSentTakesThatOfTheTables) {
  cosem::AccessResponse response;
  response.items = {{cosem::Operation::get, 0, Value::null()},
                    {cosem::Operation::get, 0, Value::u32(4775)},
                    {cosem::Operation::get, 1, Value::null()},
                    {cosem::Operation::get, 250, Value::null()}};
  const Mmc mmc = document(answer(0x002B, cosem::encode(response)), "4.12.2");
  EXPECT_EQ(line(*at(mmc, {"ReadMaximumDemandExportRegistersRsp", "MaxDemandActiveEnergyExport"})
                      .child("Value")),
            "Value=4775");
  EXPECT_FALSE(mmc.success);
}

}  // namespace
}  // namespace wattseal::gbcs
