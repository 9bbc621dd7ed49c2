#include "smki/openapi.h"

#include <gtest/gtest.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "smki/ra_service.h"
#include "smki/test_rig.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

struct Routes {
  test::Rig rig;
  Uploads uploads{rig.world, *rig.store};
  SubscriberService service{rig.world,  rig.authority, rig.repository, rig.office,
                            *rig.store, uploads,       [] {},          rig.express};
  OfficeService office{rig.world, rig.office, rig.authority, *rig.store, [] {}};
  http::Router router;
  Routes() {
    add_subscriber_routes(router, service);
    add_office_routes(router, office);
    add_openapi_route(router);
  }
};

// "/api/v1/acts/{act}/approve" as the router knows it: the longest pattern for it.
std::string pattern_of(const std::string& path) {
  const std::size_t brace = path.find('{');
  return brace == std::string::npos ? path : path.substr(0, brace) + "*";
}

TEST(OpenApi, DocumentsEveryRouteAndNoOther) {
  Routes routes;
  std::set<std::pair<std::string, std::string>> served, documented;
  for (const auto& [method, pattern] : routes.router.routes()) served.emplace(method, pattern);
  const json document = openapi_document();
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      std::string upper = method;
      std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
      documented.emplace(upper, pattern_of(path));
      EXPECT_TRUE(operation["responses"].contains("default")) << path;
    }
  }
  EXPECT_EQ(served, documented);
}

TEST(OpenApi, NamesEveryPathParameterAndRefersToWhatIsThere) {
  const json document = openapi_document();
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      const auto braces = std::ranges::count(path, '{');
      const json parameters = operation.value("parameters", json::array());
      EXPECT_EQ(braces,
                std::ranges::count_if(
                    parameters,
                    [](const json& one) { return one["in"] == "path" && one["required"] == true; }))
          << path;
      for (const json& need : operation["security"]) {
        for (const auto& [name, scopes] : need.items())
          EXPECT_TRUE(document["components"]["securitySchemes"].contains(name)) << name;
      }
    }
  }
  EXPECT_TRUE(document["components"]["responses"].contains("Refusal"));
}

TEST(OpenApi, IsServed) {
  Routes routes;
  http::Request request;
  request.method = "GET";
  request.path = "/api/v1/openapi.json";
  EXPECT_EQ(json::parse(routes.router(request).body)["openapi"], "3.1.0");
}

}  // namespace
}  // namespace wattseal::smki
