#include "smki/openapi.h"

#include <gtest/gtest.h>

#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "smki/cmp.h"
#include "smki/demand_service.h"
#include "smki/document_service.h"
#include "smki/est.h"
#include "smki/governance_service.h"
#include "smki/log.h"
#include "smki/ra_service.h"
#include "smki/repository_routes.h"
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
  Demand demand{rig.world, *rig.store};
  DemandService forecasting{rig.world, *rig.store, demand, rig.office};
  const GovernanceService governance{rig.world, *rig.store, rig.office};
  CmpService cmp{service, rig.office, nullptr, {}};
  Documents documents{rig.world, *rig.store};
  DocumentService library{documents, rig.office};
  http::Router smki, repository;
  Routes() {
    add_subscriber_routes(smki, service);
    add_office_routes(smki, office);
    add_demand_routes(smki, forecasting);
    add_governance_routes(smki, governance);
    add_est_routes(smki, service);
    add_cmp_routes(smki, cmp);
    add_openapi_route(smki, ApiOf::smki);
    add_repository_routes(repository, rig.repository);
    add_document_routes(repository, library);
    add_log_routes(repository, *rig.store);
    add_openapi_route(repository, ApiOf::repository);
  }
  const http::Router& of(ApiOf service_asked) const {
    return service_asked == ApiOf::smki ? smki : repository;
  }
};

class OpenApi : public ::testing::TestWithParam<ApiOf> {};
INSTANTIATE_TEST_SUITE_P(Services, OpenApi, ::testing::Values(ApiOf::smki, ApiOf::repository));

TEST_P(OpenApi, DocumentsEveryRouteAndNoOther) {
  Routes routes;
  std::set<std::pair<std::string, std::string>> served, documented;
  for (const auto& [method, pattern] : routes.of(GetParam()).routes())
    served.emplace(method, pattern);
  const json document = openapi_document(GetParam());
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      std::string upper = method;
      std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
      documented.emplace(upper, route_pattern(path));
      EXPECT_TRUE(operation["responses"].contains("default")) << path;
    }
  }
  EXPECT_EQ(served, documented);
}

TEST_P(OpenApi, NamesEveryPathParameterAndRefersToWhatIsThere) {
  const json document = openapi_document(GetParam());
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

TEST_P(OpenApi, IsServed) {
  Routes routes;
  http::Request request;
  request.method = "GET";
  request.path = "/api/v1/openapi.json";
  EXPECT_EQ(json::parse(routes.of(GetParam())(request).body)["openapi"], "3.1.0");
}

// A filter that the search takes and the document does not name, or the other way round, is found.
TEST(RepositoryOpenApi, NamesTheFiltersThatTheSearchTakes) {
  Routes routes;
  const json document = openapi_document(ApiOf::repository);
  for (const json& one : document["paths"]["/api/v1/search"]["get"]["parameters"]) {
    http::Request request;
    request.method = "GET";
    request.path = "/api/v1/search";
    request.query.push_back({one["name"], "?"});
    const json answer = json::parse(routes.repository(request).body);
    EXPECT_NE(answer.value("found", ""), "a search has no such filter") << one["name"];
  }
}

}  // namespace
}  // namespace wattseal::smki
