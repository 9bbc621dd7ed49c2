#include "duis/schema.h"

#include <gtest/gtest.h>

#include "duis/duis.h"
#include "terms/terms.h"
#include "xml/dsig.h"

namespace wattseal::duis {
namespace {

// A type that some member of the schema has.
const ValueType& type_named(std::string_view name) {
  const auto find = [&](const Structure& structure, const auto& self) -> const ValueType* {
    for (const AttributeRow& attribute : structure.attributes) {
      if (attribute.value->name == name) return attribute.value;
    }
    if (structure.text && structure.text->name == name) return structure.text;
    for (const Member& member : structure.members) {
      if (member.value && member.value->name == name) return member.value;
      if (const ValueType* type = member.structure ? self(*member.structure, self) : nullptr)
        return type;
    }
    return nullptr;
  };
  for (const Structure* root : {&request_structure(), &response_structure()})
    if (const ValueType* const found = find(*root, find)) return *found;
  UNREACHABLE();
}

void each_value(const Structure& structure, const auto& act) {
  for (const AttributeRow& attribute : structure.attributes) act(*attribute.value);
  if (structure.text) act(*structure.text);
  for (const Member& member : structure.members) {
    if (member.value) act(*member.value);
    if (member.structure) each_value(*member.structure, act);
  }
}

TEST(DuisSchema, KnowsTheBodyOfEveryService) {
  EXPECT_EQ(service_requests().size(), 129u);
  for (const ServiceRequestRow& row : service_requests())
    EXPECT_NE(body_member(row.element), nullptr) << row.variant;
  EXPECT_NE(body_member("SignedPreCommand"), nullptr);
  EXPECT_EQ(body_member("NoSuchThing"), nullptr);
}

TEST(DuisSchema, EveryTypeDescribesItselfAndHasASample) {
  for (const Structure* root : {&request_structure(), &response_structure()}) {
    each_value(*root, [](const ValueType& type) {
      EXPECT_FALSE(describe(type).empty()) << type.name;
      EXPECT_TRUE(is_value(type, sample_value(type))) << type.name << ' ' << sample_value(type);
    });
  }
}

struct Case {
  std::string_view type, text;
  bool good;
};
TEST(DuisSchema, ValuesHaveTheirLexicalForms) {
  const Case cases[] = {
      {"date-time", "2020-01-01T00:00:00", true},
      {"date-time", "2020-01-01T00:00:00.1234567890123Z", true},
      {"date-time", " 2020-01-01T24:00:00Z ", true},
      {"date-time", "2020-01-01T24:00:01Z", false},
      {"date-time", "2021-02-29T00:00:00Z", false},
      {"date-time", "2000-02-29T00:00:00Z", true},
      {"date-time", "1900-02-29T00:00:00Z", false},
      {"date-time", "0000-01-01T00:00:00Z", false},
      {"date-time", "-0001-01-01T00:00:00Z", true},
      {"date-time", "02020-01-01T00:00:00Z", false},
      {"date-time", "2020-01-01T00:00:00.Z", false},
      {"date-time", "2020-01-01T00:00:00+14:00", true},
      {"date-time", "2020-01-01T00:00:00+14:01", false},
      {"date-time", "2020-01-01T00:00:00+1:00", false},
      {"date-time", "2020-01-01T00:00Z", false},
      {"date-time", "2020-01-01T00:00:00Zx", false},
      {"date", "2020-01-01+01:00", true},
      {"date", "2020-13-01", false},
      {"time", "24:00:00.0", true},
      {"time", "24:00:00.5", false},
      {"time", "12:00", false},
      {"int32", "+5", true},
      {"int32", "-2147483648", true},
      {"int32", "-2147483649", false},
      {"int32", "2147483648", false},
      {"int32", "99999999999999999999999999", false},
      {"int32", "", false},
      {"int32", "-", false},
      {"int32", " 5 ", true},
      {"int32", "5 5", false},
      {"uint32", "+5", false},
      {"uint32", "0000000000000000000000000005", true},
      {"uint32", "4294967296", false},
      {"conversion-factor", "1.000000", true},
      {"conversion-factor", "1.000001", false},
      {"conversion-factor", ".5", true},
      {"conversion-factor", "1.", true},
      {"conversion-factor", ".", false},
      {"conversion-factor", "-0.5", false},
      {"conversion-factor", "42949.67296", false},
      {"percentage", "0.99", false},
      {"percentage", "100", true},
      {"boolean", " 1 ", true},
      {"boolean", "TRUE", false},
      {"base64", "A A A A", true},
      {"base64", "AB==", false},
      {"base64", "AA= =", true},
      {"base64", "AA=A", false},
      {"base64", "AAA", false},
      {"base64", "====", false},
      {"base64", "", true},
      {"firmware-hash", "00", false},
      {"install-code", "00112233445", false},
      {"install-code", "0011223344aF", true},
      {"supplier-name", "", false},
      {"supplier-name", "Caf\xC3\xA9", false},
      {"season-name", "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\xA4\xC3\xB6\xC3\xBC\xC3\xA4\xC3\xB6", true},
      {"season-name", "123456789", false},
      {"utrn", "12345678901234567890", true},
      {"utrn", " 12345678901234567890", false},
      {"currency-units", "GBP ", false},
      {"remote-party-role", " ACB ", true},
      {"eui", "00-DB-12-34-56-78-90-aF", true},
      {"eui", "00-DB-12-34-56-78-90-aG", false},
      {"device-id-list", "00-DB-12-34-56-78-90-A0,00-DB-12-34-56-78-90-A1", true},
      {"device-id-list", "00-DB-12-34-56-78-90-A0,", false},
      {"request-id", "00-DB-12-34-56-78-90-A0:00-DB-12-34-56-78-90-A0:18446744073709551615", true},
      {"request-id", "00-DB-12-34-56-78-90-A0:00-DB-12-34-56-78-90-A0:18446744073709551616", false},
      {"request-id", "00-DB-12-34-56-78-90-A0:00-DB-12-34-56-78-90-A0:01", false},
      {"future-dated-alert-code", "8f66", true},
      {"future-dated-alert-code", "8F68", false},
      {"quarantine-event-ref", "-0099999999999999999999", true},
      {"quarantine-event-ref", "100000000000000000000", false},
      {"integer", "+123456789012345678901234567890", true},
      {"integer", "1.0", false},
  };
  for (const Case& c : cases)
    EXPECT_EQ(is_value(type_named(c.type), c.text), c.good) << c.type << " '" << c.text << "'";
}

std::string request(std::string_view service, std::string_view reference, std::string_view body,
                    std::string_view root = "schemaVersion=\"5.4\"") {
  return "<sr:Request xmlns:sr=\"http://www.dccinterface.co.uk/ServiceUserGateway\" " +
         std::string(root) +
         "><sr:Header><sr:RequestID>00-57-53-00-00-00-00-02:00-57-53-00-00-00-00-01:1</"
         "sr:RequestID>"
         "<sr:CommandVariant>4</sr:CommandVariant><sr:ServiceReference>" +
         std::string(reference) + "</sr:ServiceReference><sr:ServiceReferenceVariant>" +
         std::string(service) + "</sr:ServiceReferenceVariant></sr:Header><sr:Body>" +
         std::string(body) + "</sr:Body></sr:Request>";
}

std::string verdict(const std::string& text) {
  const Result<xml::Document> document = xml::parse(text);
  CHECK(document.ok());
  const Status status = check_schema(document->root());
  if (status.ok()) return "good";
  return std::string(status.refusal().rule.text()) + " " + status.refusal().field + " " +
         status.refusal().detail;
}

TEST(DuisSchema, RefusalsNameTheElementAndWhatWasExpected) {
  const std::string debt =
      "<sr:UpdateDebt><sr:TimeDebtRegister1>1</sr:TimeDebtRegister1>"
      "<sr:TimeDebtRegister2>1</sr:TimeDebtRegister2><sr:PaymentDebtRegister>1"
      "</sr:PaymentDebtRegister><sr:DebtRecoveryPerPayment>0</sr:DebtRecoveryPerPayment>";
  const std::string gas =
      "<sr:GasDebtRecovery1><sr:DebtRecoveryRate>1</sr:DebtRecoveryRate><sr:DebtRecoveryRatePeriod>"
      "DAILY</sr:DebtRecoveryRatePeriod></sr:GasDebtRecovery1>";
  std::string gas2 = gas;
  for (std::size_t at = 0; (at = gas2.find("Recovery1", at)) != std::string::npos;)
    gas2[at + 8] = '2';
  const std::string end = "</sr:UpdateDebt>";
  EXPECT_EQ(verdict(request("2.3", "2.3", debt + gas + gas2 + end)), "good");
  EXPECT_EQ(verdict(request("2.3", "2.3", debt + gas + end)),
            "duis-body /Request/Body/UpdateDebt/GasDebtRecovery2 the element is missing: it is "
            "expected here, but nothing follows");
  EXPECT_EQ(verdict(request("2.3", "2.3", debt + end)),
            "duis-body /Request/Body/UpdateDebt one of ElecDebtRecovery1, GasDebtRecovery1 is "
            "expected here, but nothing follows");
  EXPECT_EQ(verdict(request("2.3", "2.3", debt + gas + gas2 + gas2 + end)),
            "duis-body /Request/Body/UpdateDebt/GasDebtRecovery2[2] the element occurs more than "
            "once");
  EXPECT_EQ(verdict(request("7.12", "7.12",
                            "<sr:SetRandomisedOffsetLimit><sr:RandomisedOffsetLimit>1800"
                            "</sr:RandomisedOffsetLimit></sr:SetRandomisedOffsetLimit>")),
            "duis-value /Request/Body/SetRandomisedOffsetLimit/RandomisedOffsetLimit the value is "
            "not an integer from 0 to 1799");
  EXPECT_EQ(verdict(request("7.1", "7.1", "<sr:EnableSupply> </sr:EnableSupply>")),
            "duis-body /Request/Body/EnableSupply the element is empty, not even white space is in "
            "it");
  EXPECT_EQ(verdict(request("7.1", "7.1", "<sr:EnableSupply a='1'/>")),
            "duis-body /Request/Body/EnableSupply/@a the element has no such attribute");
  EXPECT_EQ(verdict(request("7.1", "7.1", "<EnableSupply/>")),
            "duis-namespace /Request/Body/EnableSupply the element is not of the DUIS namespace");
  EXPECT_EQ(
      verdict(request("7.8", "7.8",
                      "<sr:ResetAuxiliaryLoad><sr:ResetALCSHCALCS/></sr:ResetAuxiliaryLoad>")),
      "duis-body /Request/Body/ResetAuxiliaryLoad/ResetALCSHCALCS/@index the attribute is "
      "missing: an integer from 1 to 5");
  EXPECT_EQ(verdict(request("7.1", "7.2", "<sr:EnableSupply/>", "")),
            "duis-schema-version /Request/@schemaVersion the attribute is missing: a decimal "
            "number");
  EXPECT_EQ(verdict(request("7.99", "7.1", "<sr:EnableSupply/>")),
            "duis-service-reference /Request/Header/ServiceReferenceVariant the value is not a "
            "service reference variant");
}

// Of a request with this attribute: the version, or the rule that refuses it.
std::string version_read(const std::string& attribute) {
  const Result<xml::Document> document =
      xml::parse(request("7.1", "7.1", "<sr:EnableSupply/>", attribute));
  CHECK(document.ok());
  const Result<ServiceRequest> read = read_request(document->root());
  return read.ok() ? read->schema_version : std::string(read.refusal().rule.text());
}

TEST(DuisSchema, EveryVersionOfTheTableIsTakenAndNoOther) {
  ASSERT_EQ(schema_versions().size(), 5u);
  for (const SchemaVersion& version : schema_versions()) {
    const std::string attribute = "schemaVersion=\"" + std::string(version.number) + "\" ";
    EXPECT_EQ(verdict(request("7.1", "7.1", "<sr:EnableSupply/>", attribute)), "good");
    EXPECT_EQ(version_read(attribute), version.number);
  }
  for (const char* version : {"4.9", "5.5", "5.40", "05.4", "5", "+5.4", " 5.4"}) {
    const std::string attribute = "schemaVersion=\"" + std::string(version) + "\" ";
    EXPECT_EQ(version_read(attribute), "duis-schema-version") << version;
  }
}

TEST(DuisSchema, AnElementIsJudgedByTheVersionOfItsDocument) {
  ValueType text;
  text.name = "text";
  Member always{"Always", &text}, added{"Added", &text}, dropped{"Dropped", &text},
      one{"One", &text}, other{"Other", &text};
  added.from = 3;
  dropped.until = 1;
  one.choice = other.choice = 1;
  one.alternative = 1;
  other.alternative = 2;
  other.from = 4;
  Structure structure;
  structure.members = {always, added, dropped, one, other};
  const auto judged = [&](std::uint8_t version, std::initializer_list<const char*> names) {
    xml::Element element{std::string(kNamespace), "E", {}, {}, {}};
    for (const char* name : names)
      element.children.push_back({std::string(kNamespace), name, {}, "x", {}});
    const Status status = check_structure(element, structure, version);
    return status.ok() ? std::string("good")
                       : std::string(status.refusal().rule.text()) + " " + status.refusal().field +
                             " " + status.refusal().detail;
  };
  EXPECT_EQ(judged(0, {"Always", "Dropped", "One"}), "good");
  EXPECT_EQ(judged(2, {"Always", "One"}), "good");
  EXPECT_EQ(judged(3, {"Always", "Added", "One"}), "good");
  EXPECT_EQ(judged(4, {"Always", "Added", "Other"}), "good");
  EXPECT_EQ(judged(2, {"Always", "Added", "One"}),
            "duis-schema-version /E/Added schema version 5.2 does not have the element; the first "
            "that has it is 5.3");
  EXPECT_EQ(judged(3, {"Always", "Added", "Dropped", "One"}),
            "duis-schema-version /E/Dropped schema version 5.3 does not have the element; the last "
            "that has it is 5.1");
  EXPECT_EQ(judged(3, {"Always", "Added", "Other"}),
            "duis-schema-version /E/Other schema version 5.3 does not have the element; the first "
            "that has it is 5.4");
  EXPECT_EQ(judged(4, {"Always", "One"}).substr(0, 30), "duis-structure /E/Added the el");
  EXPECT_EQ(judged(3, {"Always", "Added"}),
            "duis-structure /E one of One is expected here, but nothing follows");
}

TEST(DuisSchema, AttributesOfOtherNamespacesAreRefusedButHints) {
  const std::string hint =
      "schemaVersion=\"5.4\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ";
  EXPECT_EQ(verdict(request("7.1", "7.1", "<sr:EnableSupply/>", hint + "xsi:schemaLocation='a b'")),
            "good");
  EXPECT_EQ(verdict(request("7.1", "7.1", "<sr:EnableSupply/>", hint + "xsi:nil='true'")),
            "duis-structure /Request the element has an attribute of another namespace");
  EXPECT_EQ(verdict(request("7.1", "7.1", "<sr:EnableSupply xml:lang='en'/>")),
            "duis-body /Request/Body/EnableSupply the element has an attribute of another "
            "namespace");
}

}  // namespace
}  // namespace wattseal::duis
