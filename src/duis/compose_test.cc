#include "duis/compose.h"

#include <gtest/gtest.h>

#include "duis/schema.h"
#include "terms/terms.h"

namespace wattseal::duis {
namespace {

Recipe recipe(std::string variant, std::vector<GivenValue> values) {
  Recipe made{std::move(variant),
              {Eui64::from_number(1), Eui64::from_number(2), OriginatorCounter(3)}};
  made.values = std::move(values);
  return made;
}

std::string body_of(const Recipe& made) {
  const Result<ServiceRequest> request = compose(made);
  if (!request.ok())
    return std::string(request.refusal().rule.text()) + " " + request.refusal().field + ": " +
           request.refusal().detail;
  const std::string text = write(*request);
  const std::size_t begin = text.find("<sr:Body>") + 9;
  return text.substr(begin, text.find("</sr:Body>") - begin);
}

TEST(Compose, EveryServiceHasAnExampleThatIsReadBack) {
  for (const ServiceRequestRow& row : service_requests()) {
    const ServiceRequest made = example_request(row.variant);
    const Result<xml::Document> document = xml::parse(write(made));
    ASSERT_TRUE(document.ok());
    const Result<ServiceRequest> read = read_request(document->root());
    ASSERT_TRUE(read.ok()) << row.variant << ' ' << read.refusal().detail;
    EXPECT_EQ(read->body, made.body);
    EXPECT_EQ(read->service_variant, row.variant);
    EXPECT_TRUE(row.allows_variant(read->command_variant));
  }
}

TEST(Compose, KeysMayBeShortWhereNothingElseEndsSo) {
  EXPECT_EQ(body_of(recipe("7.12", {{"RandomisedOffsetLimit", "900"}})),
            "<sr:SetRandomisedOffsetLimit><sr:RandomisedOffsetLimit>900</sr:RandomisedOffsetLimit>"
            "</sr:SetRandomisedOffsetLimit>");
  EXPECT_EQ(body_of(recipe("1.6", {{"Credit", ""}})),
            "<sr:UpdatePaymentMode><sr:Credit/></sr:UpdatePaymentMode>");
  EXPECT_EQ(body_of(recipe("1.6", {{"DisablementThreshold", "-5"},
                                   {"Prepayment/SuspendDebtDisabled", "true"},
                                   {"SuspendDebtEmergency", "0"}})),
            "<sr:UpdatePaymentMode><sr:Prepayment><sr:SuspendDebtDisabled>true"
            "</sr:SuspendDebtDisabled><sr:SuspendDebtEmergency>0</sr:SuspendDebtEmergency>"
            "<sr:DisablementThreshold>-5</sr:DisablementThreshold></sr:Prepayment>"
            "</sr:UpdatePaymentMode>");
  EXPECT_EQ(body_of(recipe("7.1", {})), "<sr:EnableSupply/>");
}

TEST(Compose, PositionsAndIndexes) {
  EXPECT_EQ(body_of(recipe("6.14.1", {{"ALCSHCALCSDescription[1]/SwitchDescription", "Heat"},
                                      {"ALCSHCALCSDescription[2]/SwitchDescription", "Water"},
                                      {"ALCSHCALCSDescription[2]/@index", "5"}})),
            "<sr:UpdateDeviceConfigurationALCDescriptions><sr:ALCSHCALCSDescription index=\"1\">"
            "<sr:SwitchDescription>Heat</sr:SwitchDescription></sr:ALCSHCALCSDescription>"
            "<sr:ALCSHCALCSDescription index=\"5\"><sr:SwitchDescription>Water"
            "</sr:SwitchDescription></sr:ALCSHCALCSDescription>"
            "</sr:UpdateDeviceConfigurationALCDescriptions>");
  // Which load is switched is never guessed.
  EXPECT_EQ(
      body_of(recipe("7.8", {})),
      "duis-incomplete ResetAuxiliaryLoad: also needed: ResetALCSHCALCS[1]/@index (an integer "
      "from 1 to 5)");
  EXPECT_EQ(body_of(recipe("7.8", {{"@index", "4"}})),
            "<sr:ResetAuxiliaryLoad><sr:ResetALCSHCALCS index=\"4\"/></sr:ResetAuxiliaryLoad>");
}

TEST(Compose, RefusesWhatDoesNotFit) {
  EXPECT_EQ(body_of(recipe("9.9", {})),
            "duis-service-reference : there is no service reference variant 9.9");
  EXPECT_EQ(body_of(recipe("7.12", {{"Limit", "900"}})),
            "duis-key Limit: the service has no such element; near it are RandomisedOffsetLimit");
  EXPECT_EQ(body_of(recipe("7.12", {{"Nonsense", "900"}})),
            "duis-key Nonsense: the service has RandomisedOffsetLimit");
  EXPECT_EQ(body_of(recipe("7.1", {{"Nonsense", ""}})),
            "duis-key Nonsense: the service's body is empty");
  EXPECT_EQ(body_of(recipe("7.12", {{"RandomisedOffsetLimit", "1800"}})),
            "duis-value RandomisedOffsetLimit[1]: the value is not an integer from 0 to 1799");
  EXPECT_EQ(body_of(recipe("7.12", {{"RandomisedOffsetLimit[2]", "1"}})),
            "duis-key RandomisedOffsetLimit: the element occurs at most 1 times");
  EXPECT_EQ(body_of(recipe("7.12", {{"RandomisedOffsetLimit[0]", "1"}})),
            "duis-key RandomisedOffsetLimit[0]: a position is written [1], [2], …");
  EXPECT_EQ(
      body_of(recipe("7.12", {{"RandomisedOffsetLimit", "1"}, {"RandomisedOffsetLimit", "2"}})),
      "duis-key RandomisedOffsetLimit: the key is given twice");
  EXPECT_EQ(body_of(recipe("2.3", {{"DebtRecoveryRate", "1"}})),
            "duis-key DebtRecoveryRate: the key fits ElecDebtRecovery1/DebtRecoveryRate, "
            "ElecDebtRecovery2/DebtRecoveryRate, GasDebtRecovery1/DebtRecoveryRate, "
            "GasDebtRecovery2/DebtRecoveryRate; write more of the path");
  EXPECT_EQ(body_of(recipe("1.6", {{"Credit", ""}, {"DisablementThreshold", "1"}})),
            "duis-key Prepayment: the key excludes Credit");
  EXPECT_EQ(body_of(recipe("1.6", {{"Credit", "yes"}})),
            "duis-value Credit[1]: the element takes no value of its own: write Credit[1]=");
  EXPECT_EQ(body_of(recipe("1.6", {})),
            "duis-incomplete UpdatePaymentMode: also needed: one of Credit, Prepayment");
  Recipe wrong = recipe("7.1", {});
  wrong.command_variant = 1;
  EXPECT_EQ(body_of(wrong), "duis-command-variant : 7.1 allows 4/5/6/7, not 1");
  wrong.command_variant = 5;
  wrong.values = {{"GBCSPayload", "3wkB"}};
  EXPECT_EQ(body_of(wrong),
            "<sr:SignedPreCommand><sr:GBCSPayload>3wkB</sr:GBCSPayload></sr:SignedPreCommand>");
}

}  // namespace
}  // namespace wattseal::duis
