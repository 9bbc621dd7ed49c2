#include "smki/ra_service.h"

#include <gtest/gtest.h>

#include "smki/test_rig.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;
using test::kDevice;
using test::kMaker;
using test::kSupplier;
using test::Rig;

// The service without a server: requests go straight to the router.
struct ServiceRig : Rig {
  http::Router router;
  SubscriberService service{world,
                            authority,
                            repository,
                            office,
                            *store,
                            [] {},
                            [this](BatchId) {
                              settle();
                              return true;
                            }};
  ServiceRig() { add_subscriber_routes(router, service); }
  http::Response send(const std::string& method, const std::string& path, std::string body = "",
                      std::vector<http::Header> headers = {{"X-Subscriber", kMaker.text()}}) {
    http::Request request;
    request.method = method;
    const std::size_t mark = path.find('?');
    request.path = path.substr(0, mark);
    for (std::size_t at = mark; at != std::string::npos;) {
      const std::size_t next = path.find('&', at + 1);
      const std::string pair =
          path.substr(at + 1, next == std::string::npos ? next : next - at - 1);
      request.query.push_back({pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1)});
      at = next;
    }
    request.body = std::move(body);
    request.headers = std::move(headers);
    return router(request);
  }
  std::string csv(std::size_t rows) {
    std::string text = "request\n";
    for (std::size_t i = 0; i < rows; ++i)
      text += to_base64(device_request(Eui64::from_number(kDevice.number() + i))) + "\n";
    return text;
  }
};

TEST(SubscriberService, TakesABatchInAnyFormAndTellsWhenItIsDue) {
  ServiceRig rig;
  const http::Response accepted = rig.send("POST", "/api/v1/batches", rig.csv(3) + "no base64!\n");
  ASSERT_EQ(accepted.status, 202) << accepted.body;
  const json receipt = json::parse(accepted.body);
  EXPECT_EQ(receipt["rows"], 4);
  EXPECT_EQ(receipt["refused"], 1);
  EXPECT_EQ(receipt["due"], "2026-05-02T07:00:00Z") << "08:00 of the next day by UK clocks";
  EXPECT_FALSE(receipt.contains("serves_from"));
  rig.settle();
  const std::string path = "/api/v1/batches/" + receipt["batch"].dump();
  const json status = json::parse(rig.send("GET", path).body);
  EXPECT_EQ(status["published"], 3);
  EXPECT_EQ(status["in_time"], true);
  const json rows = json::parse(rig.send("GET", path + "/results?from=2&max=9").body)["rows"];
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["state"], "published");
  EXPECT_EQ(rows[1]["refusal"]["rule"], "batch-row-text");
}

TEST(SubscriberService, SaysWhenItServesAgain) {
  ServiceRig rig;
  rig.clock.set(UtcTime::parse_iso("2026-05-01T20:30:00Z").value());
  const json receipt = json::parse(rig.send("POST", "/api/v1/batches", rig.csv(2)).body);
  EXPECT_EQ(receipt["outside_service"], "service window");
  EXPECT_EQ(receipt["serves_from"], "2026-05-02T07:00:00Z");
  EXPECT_EQ(receipt["due"], "2026-05-02T20:30:00Z");
  const json hours = json::parse(rig.send("GET", "/api/v1/maintenance", "", {}).body);
  EXPECT_EQ(hours["serves"], false);
}

TEST(SubscriberService, ShowsABatchToItsSubscriberAndTheRegistrationAuthorityOnly) {
  ServiceRig rig;
  const PersonId ada = rig.office.found({"Ada", "Ben"}, rig.world.new_trace())->front();
  ASSERT_EQ(rig.send("POST", "/api/v1/batches", rig.csv(2)).status, 202);
  const auto status = [&](std::vector<http::Header> headers) {
    return rig.send("GET", "/api/v1/batches/1", "", std::move(headers)).status;
  };
  EXPECT_EQ(status({{"X-Subscriber", kMaker.text()}}), 200);
  EXPECT_EQ(status({{"X-Subscriber", kSupplier.text()}}), 404);
  EXPECT_EQ(status({{"X-Person", std::to_string(ada)}}), 200);
  EXPECT_EQ(status({{"X-Person", "77"}}), 404);
  EXPECT_EQ(status({}), 401);
}

TEST(SubscriberService, ReportsItsPerformanceToTheRegistrationAuthority) {
  ServiceRig rig;
  const PersonId ada = rig.office.found({"Ada", "Ben"}, rig.world.new_trace())->front();
  ASSERT_EQ(rig.send("POST", "/api/v1/batches", rig.csv(3) + "?\n").status, 202);
  rig.settle();
  const std::vector<http::Header> person{{"X-Person", std::to_string(ada)}};
  const json report =
      json::parse(rig.send("GET", "/api/v1/performance?month=2026-05", "", person).body);
  EXPECT_EQ(report["batched"]["in_time"], 4);
  EXPECT_EQ(report["single"]["level_percent"], "no activity");
  EXPECT_EQ(report["cpm7"]["level_percent"], 100.0);
  EXPECT_EQ(rig.send("GET", "/api/v1/performance?month=2026-05").status, 401);
  EXPECT_EQ(rig.send("GET", "/api/v1/performance?month=May", "", person).status, 400);
}

TEST(SubscriberService, AnswersAFullQueueWithUseLimitAndWhenToRetry) {
  ServiceRig rig;
  RegistrationAuthority small(rig.world, *rig.store, rig.workers, {1, 5, 5, 5});
  SubscriberService service{rig.world,
                            small,
                            rig.repository,
                            rig.office,
                            *rig.store,
                            [] {},
                            [](BatchId) { return true; }};
  rig.router = {};
  add_subscriber_routes(rig.router, service);
  const auto refused = [&](std::size_t rows) {
    const http::Response response = rig.send("POST", "/api/v1/batches", rig.csv(rows));
    EXPECT_EQ(response.headers.size(), 1u);
    EXPECT_EQ(response.headers[0].name, "Retry-After");
    json body = json::parse(response.body);
    EXPECT_EQ(response.headers[0].value, body["retry_after_seconds"].dump());
    body["status"] = response.status;
    return body;
  };
  const json rows = refused(6);
  EXPECT_EQ(rows["status"], 429);
  EXPECT_EQ(rows["rule"], "ra-quota-rows");
  EXPECT_EQ(rows["quota"]["waiting_requests"], (json{{"used", 0}, {"limit", 5}}));
  const json rate = refused(1);
  EXPECT_EQ(rate["rule"], "ra-quota-rate");
  EXPECT_EQ(rate["retry_after_seconds"], 60);
  const json use = json::parse(rig.send("GET", "/api/v1/quota").body);
  EXPECT_EQ(use["submissions_this_minute"], (json{{"used", 1}, {"limit", 1}}));
}

TEST(SubscriberService, AnswersASingleRequestWithItsCertificateOrItsRefusal) {
  ServiceRig rig;
  const Bytes good = rig.device_request(kDevice);
  const http::Response issued =
      rig.send("POST", "/api/v1/requests", x509::to_pem("CERTIFICATE REQUEST", good));
  ASSERT_EQ(issued.status, 200) << issued.body;
  EXPECT_EQ(x509::parse_certificate(*from_base64(json::parse(issued.body).value("certificate", "")))
                ->usage,
            x509::key_usage::digital_signature);
  EXPECT_EQ(json::parse(rig.send("POST", "/api/v1/requests", rig.csv(2)).body)["rule"],
            "ra-service-bundle");
  EXPECT_EQ(json::parse(rig.send("POST", "/api/v1/requests", "request\n?\n").body)["rule"],
            "batch-row-text");
}

}  // namespace
}  // namespace wattseal::smki
