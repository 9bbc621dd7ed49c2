#include <gtest/gtest.h>

#include "duis/duis.h"

namespace wattseal::duis {
namespace {

xml::Element leaf(std::string name, std::string text) {
  return {std::string(kNamespace), std::move(name), {}, std::move(text), {}};
}

Result<ServiceResponse> back(const ServiceResponse& response) {
  const Result<xml::Document> document = xml::parse(write(response));
  CHECK(document.ok());
  return read_response(document->root());
}

ServiceResponse alert() {
  ServiceResponse response;
  response.response_id = RequestId{Eui64::from_number(1), Eui64::from_number(2),
                                   OriginatorCounter(std::uint64_t{1} << 63)};
  response.response_code = "I0";
  response.at = UtcTime::from_unix_seconds(1'700'000'000);
  return response;
}

TEST(Alerts, OfTheDccComeBackAsTheyWereWritten) {
  ServiceResponse response = alert();
  response.dcc_alert_code = "N29";
  xml::Element quarantined = leaf("QuarantinedRequest", ""),
               breach = leaf("ADUserThresholdBreach", "");
  breach.children = {leaf("RequestID", response.response_id->text()),
                     leaf("QuarantineEventRef", "7")};
  quarantined.children = {breach};
  response.other = quarantined;
  const Result<ServiceResponse> read = back(response);
  ASSERT_TRUE(read.ok()) << read.refusal().detail << read.refusal().field;
  EXPECT_EQ(read->dcc_alert_code, "N29");
  EXPECT_EQ(read->other, quarantined);
  response.dcc_alert_code = "N32";
  EXPECT_FALSE(back(response).ok()) << "the schema has no such code";
}

TEST(Alerts, OfDevicesSayHowManyTheyStandFor) {
  ServiceResponse response = alert();
  response.alert_code = "8F3E";
  response.gbcs_payload = Bytes{1, 2, 3};
  response.throttled_sequence = 5;
  response.throttled_count = 4'000'000'000;
  const Result<ServiceResponse> read = back(response);
  ASSERT_TRUE(read.ok()) << read.refusal().detail << read.refusal().field;
  EXPECT_EQ(read->throttled_sequence, 5u);
  EXPECT_EQ(read->throttled_count, 4'000'000'000u);
}

TEST(Responses, OfSchedulesCarryTheirNumber) {
  ServiceResponse response = alert();
  response.service_reference = response.service_variant = "4.16";
  xml::Element scheduled = leaf("DSPScheduledMessage", "");
  scheduled.children = {leaf("GBCSPayload", "AQID"), leaf("DSPScheduleID", "12")};
  response.other = scheduled;
  const Result<ServiceResponse> read = back(response);
  ASSERT_TRUE(read.ok()) << read.refusal().detail << read.refusal().field;
  EXPECT_EQ(read->other, scheduled);
}

}  // namespace
}  // namespace wattseal::duis
