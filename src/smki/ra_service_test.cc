#include "smki/ra_service.h"

#include <gtest/gtest.h>

#include "smki/test_rig.h"
#include "terms/tables.h"

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
  Uploads uploads{world, *store};
  SubscriberService service{world, authority, repository, office, *store, uploads, [] {}, express};
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
  SubscriberService service{rig.world,  small,       rig.repository, rig.office,
                            *rig.store, rig.uploads, [] {},          rig.express};
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

json body(const http::Response& response) { return json::parse(response.body); }

TEST(Uploads, GoOnWhereTheyStoppedAlsoAfterARestart) {
  ServiceRig rig;
  const std::string file = rig.csv(40);
  const http::Response created =
      rig.send("POST", "/api/v1/uploads", json{{"size", file.size()}}.dump());
  ASSERT_EQ(created.status, 201) << created.body;
  const std::string path = "/api/v1/uploads/" + body(created)["upload"].dump();
  const auto piece = [&](std::size_t from, std::size_t count) {
    return rig.send("PATCH", path, file.substr(from, count),
                    {{"X-Subscriber", kMaker.text()}, {"Upload-Offset", std::to_string(from)}});
  };
  EXPECT_EQ(body(piece(0, 1000))["offset"], 1000);
  EXPECT_EQ(body(piece(0, 1000))["rule"], "upload-offset") << "sent twice";
  EXPECT_EQ(body(piece(2000, 10))["rule"], "upload-offset") << "a gap";
  Uploads again(rig.world, *rig.store);  // the service was restarted
  EXPECT_EQ(again.find(kMaker, 1)->received, 1000u);
  EXPECT_EQ(body(rig.send("GET", path))["offset"], 1000);
  EXPECT_EQ(rig.send("GET", path, "", {{"X-Subscriber", kSupplier.text()}}).status, 404);
  const std::string finish = json{{"sha256", to_hex(crypto::sha256(as_bytes(file)))}}.dump();
  EXPECT_EQ(body(rig.send("POST", path + "/finish", finish))["rule"], "upload-incomplete");
  EXPECT_EQ(body(rig.send("PATCH", path, file,
                          {{"X-Subscriber", kMaker.text()}, {"Upload-Offset", "1000"}}))["rule"],
            "upload-too-long");
  EXPECT_EQ(piece(1000, file.size() - 1000).status, 200);
  EXPECT_EQ(body(rig.send("POST", path + "/finish",
                          json{{"sha256", std::string(64, '0')}}.dump()))["rule"],
            "upload-digest");
  const http::Response done = rig.send("POST", path + "/finish", finish);
  ASSERT_EQ(done.status, 202) << done.body;
  EXPECT_EQ(body(done)["rows"], 40);
  EXPECT_EQ(body(rig.send("POST", path + "/finish", finish))["batch"], body(done)["batch"]);
  EXPECT_EQ(body(rig.send("POST", "/api/v1/batches", file))["batch"], body(done)["batch"])
      << "the same content at once is the same batch";
  EXPECT_EQ(body(piece(file.size(), 0))["rule"], "upload-finished");
  std::size_t kept = 0;
  rig.store->scan(tables::upload_pieces, {}, {}, [&](BytesView, BytesView) { return ++kept != 0; });
  EXPECT_EQ(kept, 0u);
}

TEST(Uploads, AreBoundedAndExpire) {
  ServiceRig rig;
  const auto create = [&](const json& what) {
    return body(rig.send("POST", "/api/v1/uploads", what.dump())).value("rule", "");
  };
  EXPECT_EQ(create({{"size", 0}}), "upload-form");
  EXPECT_EQ(create({{"size", -1}}), "upload-form");
  EXPECT_EQ(create({{"size", 1}, {"content_type", 7}}), "upload-form");
  EXPECT_EQ(create(json::array()), "upload-form");
  EXPECT_EQ(create({{"size", 64 * 1024 * 1024 + 1}}), "upload-too-long");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(create({{"size", 64 * 1024 * 1024}}), "");
  EXPECT_EQ(create({{"size", 1}}), "upload-quota") << "by octets";
  EXPECT_EQ(rig.send("DELETE", "/api/v1/uploads/1").status, 204);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(create({{"size", 10}}), "") << i;
  EXPECT_EQ(create({{"size", 1}}), "upload-quota") << "by number";
  EXPECT_EQ(rig.uploads.append(kMaker, 5, 0, Bytes(4))->received, 4u);
  rig.clock.advance(24 * 3600 - 1);
  EXPECT_EQ(rig.uploads.append(kMaker, 6, 0, Bytes(4))->received, 4u);
  EXPECT_EQ(rig.uploads.expire(), 0u);
  rig.clock.advance(1);
  EXPECT_EQ(rig.uploads.find(kMaker, 5).refusal().rule, "upload-unknown"_rule);
  EXPECT_EQ(rig.uploads.expire(), 7u);
  EXPECT_TRUE(rig.uploads.find(kMaker, 6).ok()) << "a piece keeps it";
  EXPECT_EQ(create({{"size", 1}}), "");
}

TEST(Results, AreOneFileThatCanBeFetchedInRanges) {
  ServiceRig rig;
  ASSERT_EQ(rig.send("POST", "/api/v1/batches", rig.csv(30) + "\"=1+1\xFF\"\n").status, 202);
  rig.settle();
  const std::string path = "/api/v1/batches/1/results?format=";
  const auto fetch = [&](const std::string& form, std::vector<http::Header> headers = {}) {
    headers.push_back({"X-Subscriber", kMaker.text()});
    return rig.send("GET", path + form, "", std::move(headers));
  };
  const http::Response whole = fetch("jsonl");
  ASSERT_EQ(whole.status, 200);
  EXPECT_EQ(std::ranges::count(whole.body, '\n'), 31);
  const std::string tag = whole.headers[0].value;
  std::string pieces;
  while (pieces.size() < whole.body.size()) {
    const http::Response part =
        fetch("jsonl", {{"Range", "bytes=" + std::to_string(pieces.size()) + "-" +
                                      std::to_string(pieces.size() + 999)},
                        {"If-Range", tag}});
    ASSERT_EQ(part.status, 206);
    pieces += part.body;
  }
  EXPECT_EQ(pieces, whole.body);
  EXPECT_EQ(fetch("jsonl", {{"Range", "bytes=-5"}}).body, whole.body.substr(whole.body.size() - 5));
  EXPECT_EQ(fetch("jsonl", {{"Range", "bytes=" + std::to_string(whole.body.size()) + "-"}}).status,
            416);
  EXPECT_EQ(fetch("jsonl", {{"Range", "bytes=0-1"}, {"If-Range", "\"other\""}}).status, 200);
  EXPECT_EQ(fetch("jsonl", {{"Range", "lines=1-2"}}).body, whole.body);
  EXPECT_EQ(fetch("jsonl", {{"If-None-Match", tag}}).status, 304);
  EXPECT_EQ(fetch("xml").status, 400);
  EXPECT_EQ(fetch("csv&from=z").status, 400);
  const std::string csv = fetch("csv").body;
  EXPECT_NE(csv.find("\n30,refused,,batch-row-text,\"'=1+1"), std::string::npos) << csv;
  EXPECT_EQ(std::ranges::count(fetch("csv&from=29").body, '\n'), 3);
}

TEST(Results, HandOverTheCertificates) {
  ServiceRig rig;
  ASSERT_EQ(rig.send("POST", "/api/v1/batches", rig.csv(3) + "?\n").status, 202);
  const std::string path = "/api/v1/batches/1/results?format=";
  EXPECT_EQ(rig.send("GET", path + "pem").body, "") << "nothing is published yet";
  rig.settle();
  const std::string pem = rig.send("GET", path + "pem").body;
  std::size_t certificates = 0;
  for (std::size_t at = 0; (at = pem.find("-----BEGIN CERTIFICATE-----", at)) != std::string::npos;
       ++at)
    ++certificates;
  EXPECT_EQ(certificates, 3u);
  EXPECT_EQ(
      x509::parse_certificate(x509::from_pem("CERTIFICATE", pem).value())->hardware_module->serial,
      to_bytes(kDevice.octets()));
  const std::string zip = rig.send("GET", path + "zip&from=1&max=1").body;
  EXPECT_TRUE(zip.starts_with("PK"));
  EXPECT_NE(zip.find("row-00001-"), std::string::npos);
  EXPECT_EQ(zip.find("row-00002-"), std::string::npos);
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
