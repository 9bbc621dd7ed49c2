// Requests that exceed what is usual are held, noticed, and released or deleted by people.
#include <nlohmann/json.hpp>

#include "apps/rebuild.h"
#include "tests/scenarios/rig.h"

namespace wattseal::scenarios {
namespace {

using nlohmann::json;

struct Api {
  const Network& net;
  std::string user;
  std::string person = "0";
  http::Response send(const std::string& method, const std::string& path,
                      const std::string& body = {}) const {
    http::Request request;
    request.method = method;
    request.path = path;
    if (!user.empty()) request.headers.push_back({"X-Subscriber", user});
    if (person != "0") request.headers.push_back({"X-Person", person});
    request.body = body;
    return http::Client::open(net.platform->gateway_url()).value()->send(request);
  }
  json get(const std::string& path) const { return json::parse(send("GET", path).body); }
  json decide(const json& body) const {
    return json::parse(send("POST", "/api/v1/anomalies/decide", body.dump()).body);
  }
};

TEST(Anomalies, AreHeldNoticedAndDecided) {
  Network net;
  apps::ServiceUser& user = *net.supplier;
  const Api api{net, user.profile().id.text()}, other{net, net.other->profile().id.text()};
  EXPECT_EQ(api.send("POST", "/api/v1/anomaly-file", "threshold,a").status, 400);
  EXPECT_EQ((Api{net, ""}.send("GET", "/api/v1/anomalies").status), 403);
  ASSERT_EQ(api.send("POST", "/api/v1/anomaly-file", "threshold,busy,IS,4.1.1,3600,2\n").status,
            200);
  std::vector<duis::RequestId> ids;
  for (int i = 0; i < 5; ++i) {
    const duis::ServiceRequest request = net.read(user);
    ids.push_back(request.id);
    ASSERT_EQ(user.post(request).value(), "I99");
  }
  ASSERT_TRUE(Network::soon([&] { return user.answered() == 2; }));
  ASSERT_TRUE(user.wait_for_notice(3, kPatience)) << "each held request is noticed";
  EXPECT_EQ(user.notices().front().dcc_alert_code, "N29");
  ASSERT_TRUE(Network::soon([&] {
    const json held = api.get("/api/v1/anomalies")["anomalies"];
    return held.size() == 3 && held.back().contains("noticed_at");
  }));
  const json held = api.get("/api/v1/anomalies")["anomalies"];
  EXPECT_EQ(held[0]["request"], ids[2].text());
  EXPECT_EQ(held[0]["threshold"], "busy");
  EXPECT_TRUE(other.get("/api/v1/anomalies")["anomalies"].empty());
  const std::string number = std::to_string(held[0]["number"].get<int>());
  EXPECT_EQ(other.send("GET", "/api/v1/anomalies/" + number).status, 404);
  EXPECT_NE(
      api.get("/api/v1/anomalies/" + number)["document"].get<std::string>().find(ids[2].text()),
      std::string::npos);
  const std::unique_ptr<storage::Store> made = storage::memory_store();
  net.next_fact();
  const Result<apps::RebuildReport> rebuilt =
      apps::rebuild(net.world, *net.platform->store().snapshot(), *made);
  ASSERT_TRUE(rebuilt.ok());
  EXPECT_TRUE(rebuilt->status().ok()) << rebuilt->status().refusal().detail;

  EXPECT_EQ(
      other.decide({{"decision", "release"}, {"numbers", {held[0]["number"]}}})["refused"].size(),
      1u);
  EXPECT_EQ(
      api.decide({{"decision", "release"}, {"numbers", {held[0]["number"]}}})["decided"].size(),
      1u);
  ASSERT_TRUE(Network::soon([&] { return user.answered() == 3; }));
  EXPECT_EQ(net.ends_of(ids[2]), 1);
  EXPECT_EQ(api.decide({{"decision", "delete"}, {"threshold", "busy"}})["decided"].size(), 2u);
  ASSERT_TRUE(Network::soon([&] { return user.answered() == 5; }));
  EXPECT_EQ(net.ends_of(ids[4]), 1);
  EXPECT_EQ(net.platform->gateway().counts().sent, 3u);
  EXPECT_TRUE(api.get("/api/v1/anomalies")["anomalies"].empty());
}

TEST(Anomalies, AreDecidedWhileTheirNoticeIsOnItsWay) {
  Network net;
  gateway::Gateway& gateway = net.platform->gateway();
  const Eui64 user = net.supplier->profile().id;
  ASSERT_TRUE(gateway.lodge_anomaly_file(user, "threshold,none,*,*,60,0\n", 0, {}).ok());
  constexpr std::size_t kMany = 40;
  for (std::size_t i = 0; i < kMany; ++i) {
    ASSERT_EQ(net.supplier->post(net.read(*net.supplier)).value(), "I99");
    const std::uint64_t number = gateway.quarantined(user, 0, 1).at(0).number;
    const auto decided =
        gateway.decide_quarantined(number, user, gateway::Gateway::Decision::remove, 0, {});
    ASSERT_TRUE(decided.ok()) << decided.refusal().detail;
  }
  EXPECT_TRUE(gateway.quarantined(user, 0, 1).empty());
  EXPECT_TRUE(Network::soon([&] { return net.supplier->answered() == kMany; }));
}

TEST(Anomalies, UnderDualControlTwoPeopleDecideTheSame) {
  Network net;
  gateway::Gateway& gateway = net.platform->gateway();
  const Eui64 user = net.supplier->profile().id;
  smki::Party party = net.platform->registration_authority().party(user).value();
  party.dual_control = true;
  ASSERT_TRUE(net.platform->registration_authority().register_party(party, {}).ok());
  ASSERT_TRUE(gateway.lodge_anomaly_file(user, "threshold,none,*,*,60,0\n", 0, {}).ok());
  const duis::ServiceRequest request = net.read(*net.supplier);
  ASSERT_EQ(net.supplier->post(request).value(), "I99");
  using enum gateway::Gateway::Decision;
  const std::uint64_t number = gateway.quarantined(user, 0, 10).at(0).number;
  const auto rule = [&](smki::PersonId person, gateway::Gateway::Decision decision) {
    const auto decided = gateway.decide_quarantined(number, user, decision, person, {});
    if (!decided.ok()) return std::string(decided.refusal().rule.text());
    return std::string(*decided == gateway::Gateway::Decided::done ? "done" : "waits");
  };
  ASSERT_TRUE(net.supplier->wait_for_notice(1, kPatience));
  net.next_fact();
  EXPECT_EQ(rule(0, release), "anomaly-second-person") << "nobody says who";
  EXPECT_EQ(rule(4, release), "waits");
  EXPECT_EQ(rule(4, release), "anomaly-second-person");
  EXPECT_EQ(rule(5, remove), "waits") << "another decision begins anew";
  EXPECT_EQ(rule(4, remove), "done");
  EXPECT_EQ(rule(4, remove), "anomaly-unknown");
  EXPECT_EQ(net.ends_of(request.id), 1);
  EXPECT_EQ(gateway.counts().sent, 0u);
  const Api stranger{net, user.text(), "77"};
  EXPECT_EQ(stranger.send("GET", "/api/v1/anomalies").status, 403);
}

TEST(Refusals, AreExplainedInJsonWithTheSignedDocumentInside) {
  Network net;
  http::Request request;
  request.method = "POST";
  request.path = "/api/v1/serviceS";
  request.headers = {{"Accept", "application/json"}, {"Content-Type", "application/xml"}};
  request.body = net.other->signed_document(net.read(*net.other));
  const std::unique_ptr<http::Client> client =
      std::move(http::Client::open(net.platform->gateway_url()).value());
  const json refused = json::parse(client->send(request).body);
  EXPECT_EQ(refused["rule"], "access-not-registered");
  EXPECT_EQ(refused["response_code"], "E4");
  EXPECT_EQ(refused["field"], "/Request/Header/RequestID");
  EXPECT_FALSE(refused["fix"].get<std::string>().empty());
  EXPECT_NE(refused["document"].get<std::string>().find("<sr:ResponseCode>E4<"), std::string::npos);
  const json code = json::parse(client->get("/api/v1/codes/E4").body);
  EXPECT_EQ(code["kind"], "response-code");
  EXPECT_EQ(client->get("/api/v1/codes/E7777").status, 404);
}

}  // namespace
}  // namespace wattseal::scenarios
