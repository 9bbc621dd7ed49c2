// The SMKI service over HTTP on a store that stays: an upload goes on after a restart, and its
// results are fetched in ranges.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/platform.h"
#include "apps/street.h"
#include "smki/batch_file.h"

namespace wattseal {
namespace {

using nlohmann::json;

constexpr Eui64 kMaker = Eui64::from_number(0x9057530000050000),
                kFirst = Eui64::from_number(0x0057530000000000);

struct Service {
  std::unique_ptr<Clock> clock = system_clock();
  std::unique_ptr<Random> random = system_random();
  World world{*clock, *random};
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("wattseal-service-" + std::to_string(::getpid()));
  std::unique_ptr<apps::Platform> platform;
  std::unique_ptr<http::Client> client;

  Service() { start(); }
  ~Service() {
    platform.reset();
    std::filesystem::remove_all(folder);
  }
  void start() {
    client.reset();
    platform.reset();  // gives up the store
    apps::PlatformOptions options;
    options.data = folder;
    options.key_store = "file";
    platform = std::move(apps::Platform::create(world, options).value());
    CHECK(platform->run_ceremony().ok());
    CHECK(platform->start_smki().ok());
    CHECK(platform->registration_authority()
              .register_party({kMaker,
                               "Elm",
                               "manufacturer",
                               {},
                               {{kFirst, Eui64::from_number(kFirst.number() + 999)}}},
                              world.new_trace())
              .ok());
    client = std::move(http::Client::open(platform->smki_url()).value());
  }
  http::Response send(const std::string& method, const std::string& path, std::string body = "",
                      std::vector<http::Header> headers = {}) {
    http::Request request;
    request.method = method;
    request.path = path;
    request.body = std::move(body);
    request.headers = std::move(headers);
    request.headers.push_back({"X-Subscriber", kMaker.text()});
    return client->send(request);
  }
  json ask(const std::string& path) { return json::parse(send("GET", path).body); }
};

// Sixteen requests of two premises and one row that is none.
std::string batch_file(const World& world) {
  Workers workers;
  apps::Street street(world, workers, 2, kFirst);
  std::string csv = "request\n";
  for (const Bytes& request : street.make_requests()) csv += to_base64(request) + "\n";
  return csv + "no request\n";
}

TEST(SmkiService, AnUploadGoesOnAfterARestartAndItsResultsAreFetchedInRanges) {
  Service service;
  const std::string file = batch_file(service.world);
  const http::Response begun =
      service.send("POST", "/api/v1/uploads", json{{"size", file.size()}}.dump());
  ASSERT_EQ(begun.status, 201) << begun.body;
  const std::string upload = "/api/v1/uploads/" + json::parse(begun.body)["upload"].dump();
  ASSERT_EQ(service.send("PATCH", upload, file.substr(0, 1500), {{"Upload-Offset", "0"}}).status,
            200);
  service.start();
  const std::size_t offset = service.ask(upload)["offset"];
  ASSERT_EQ(offset, 1500u);
  ASSERT_EQ(
      service
          .send("PATCH", upload, file.substr(offset), {{"Upload-Offset", std::to_string(offset)}})
          .status,
      200);
  const http::Response done = service.send(
      "POST", upload + "/finish", json{{"sha256", to_hex(crypto::sha256(as_bytes(file)))}}.dump());
  ASSERT_EQ(done.status, 202) << done.body;
  const smki::BatchId id = json::parse(done.body)["batch"];
  ASSERT_TRUE(service.platform->wait_for(id, std::chrono::seconds(60)));
  const std::string batch = "/api/v1/batches/" + std::to_string(id);
  EXPECT_EQ(service.ask(batch)["published"], 16);
  EXPECT_EQ(service.ask(batch)["refused"], 1);

  const http::Response whole = service.send("GET", batch + "/results?format=pem");
  const http::Response part =
      service.send("GET", batch + "/results?format=pem", "", {{"Range", "bytes=100-199"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, whole.body.substr(100, 100));
  EXPECT_TRUE(x509::from_pem("CERTIFICATE", whole.body).ok());
  service.start();
  EXPECT_EQ(service.send("GET", batch + "/results?format=pem").body, whole.body)
      << "the same octets after a restart";
  EXPECT_EQ(json::parse(service.send("POST", "/api/v1/batches", file).body)["batch"], id)
      << "the same content is the same batch after a restart";
}

}  // namespace
}  // namespace wattseal
