#include "gateway/anomalies.h"

#include <gtest/gtest.h>

namespace wattseal::gateway {
namespace {

const Eui64 kUser = Eui64::from_number(7);
const ServiceRequestRow& row(std::string_view variant) { return *find_service_request(variant); }

std::string refused_at(std::string_view csv) {
  const Result<AnomalyFile> file = read_anomaly_file(csv);
  return file.ok() ? "" : file.refusal().field;
}

TEST(AnomalyFiles, AreReadWholeOrRefusedByLine) {
  const Result<AnomalyFile> file = read_anomaly_file(
      "# mine\n\nthreshold,busy,IS,4.1,3600,100\r\nlimit,price,1.1,Tariff/Price,0,10.5\n");
  ASSERT_TRUE(file.ok()) << file.refusal().detail;
  EXPECT_EQ(file->thresholds.size(), 1u);
  EXPECT_EQ(file->limits.size(), 1u);
  EXPECT_EQ(refused_at("threshold,a,IS,4.1,3600"), "line 1");
  EXPECT_EQ(refused_at("#\nbound,a,IS,4.1,3600,1"), "line 2");
  EXPECT_EQ(refused_at("threshold,a,XX,4.1,3600,1"), "line 1, role");
  EXPECT_EQ(refused_at("threshold,a,IS,4.99,3600,1"), "line 1, service");
  EXPECT_EQ(refused_at("threshold,a,IS,4.1,59,1"), "line 1, seconds");
  EXPECT_EQ(refused_at("threshold,a,IS,4.1,3600,-1"), "line 1, most");
  EXPECT_EQ(refused_at("threshold,a,*,*,60,1\nthreshold,a,*,*,60,1"), "line 2, id");
  EXPECT_EQ(refused_at("limit,a,1.1,,0,1"), "line 1, path");
  EXPECT_EQ(refused_at("limit,a,1.1,P,2,1"), "line 1, least");
  EXPECT_EQ(refused_at("limit,a,1.1,P,nan,1"), "line 1, least");
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "threshold,t" + std::to_string(i) + ",*,*,60,1\n";
  EXPECT_EQ(refused_at(many), "line 1001");
}

TEST(AnomalyCounts, SlideByMinutesAndCountWhatTheRowCovers) {
  const AnomalyFile file =
      read_anomaly_file("threshold,reads,IS,4.1,120,2\nthreshold,all,*,*,3600,5").value();
  AnomalyCounts counts;
  const auto send = [&](UserRole role, std::string_view variant, std::int64_t minute) {
    counts.add(kUser, role, variant, minute);
    const std::optional<Anomaly> found =
        counts.exceeded(file, Anomaly::Kind::user_threshold, kUser, role, row(variant), minute);
    return found ? found->row : "";
  };
  EXPECT_EQ(send(UserRole::import_supplier, "4.1.1", 100), "");
  EXPECT_EQ(send(UserRole::import_supplier, "4.1.2", 101), "");
  EXPECT_EQ(send(UserRole::import_supplier, "4.1.1", 101), "reads") << "another variant counts too";
  EXPECT_EQ(send(UserRole::import_supplier, "4.1.1", 103), "") << "two minutes later";
  EXPECT_EQ(send(UserRole::gas_supplier, "4.1.1", 103), "") << "the row is for another role";
  EXPECT_EQ(send(UserRole::gas_supplier, "6.2.4", 103), "all");
  EXPECT_EQ(send(UserRole::gas_supplier, "6.2.4", 170), "");
  counts.forget_before(1000);
  EXPECT_EQ(counts.add(kUser, UserRole::gas_supplier, "6.2.4", 170), 1u);
}

TEST(AttributeLimits, JudgeEveryElementAtTheirPath) {
  const AnomalyFile file = read_anomaly_file("limit,price,1.1.1,Prices/Price,0,10").value();
  duis::ServiceRequest request;
  request.service_variant = "1.1.1";
  const auto price = [](std::string value) { return xml::Element{"", "Price", {}, value, {}}; };
  request.body.children = {{"", "Prices", {}, "", {price("3"), price("10")}}};
  EXPECT_FALSE(exceeded_limit(file, request));
  request.body.children[0].children.push_back(price("10.01"));
  ASSERT_TRUE(exceeded_limit(file, request));
  EXPECT_EQ(exceeded_limit(file, request)->observed, "10.01 at Prices/Price");
  request.service_variant = "1.1.2";
  EXPECT_FALSE(exceeded_limit(file, request));
}

TEST(HeldRequests, ComeBackAsTheyWereStored) {
  Quarantined held;
  held.number = 9;
  held.request = {kUser, Eui64::from_number(8), OriginatorCounter(5)};
  held.service_variant = "4.1.1";
  held.anomaly = {Anomaly::Kind::attribute_limit, "price", "11 at P"};
  held.at = UtcTime::from_unix_seconds(1'700'000'000);
  held.noticed = held.at.plus_seconds(60);
  held.first_person = 3;
  held.first_decision = "release";
  const Quarantined back = Quarantined::decode(held.encode());
  EXPECT_EQ(back.encode(), held.encode());
  EXPECT_EQ(back.noticed, held.noticed);
  EXPECT_EQ(back.request, held.request);
}

TEST(StandingRows, AreUsable) { EXPECT_GE(standing_anomaly_rows().thresholds.size(), 5u); }

}  // namespace
}  // namespace wattseal::gateway
