#include "smki/openapi.h"

#include "smki/repository_routes.h"
#include "smki/service_json.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

struct RouteRow {
  std::string_view method, path, summary, auth, query, headers, request, statuses, response, source,
      in_force_from;
};
constexpr RouteRow kRoutes[] = {
#include "tables/smki_routes.inc"
};

template <typename Visit>
void each_word(std::string_view list, Visit&& visit) {
  if (list == "-") return;
  while (!list.empty()) {
    const std::size_t end = list.find(' ');
    visit(std::string(list.substr(0, end)));
    list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
  }
}

json parameter(const char* where, const std::string& name) {
  return {{"name", name},
          {"in", where},
          {"required", std::string_view(where) == "path"},
          {"schema", {{"type", "string"}}}};
}

template <typename Route>
json parameters(const Route& route) {
  json list = json::array();
  for (std::size_t at = 0; (at = route.path.find('{', at)) != std::string_view::npos; ++at) {
    const std::size_t end = route.path.find('}', at);
    list.push_back(parameter("path", std::string(route.path.substr(at + 1, end - at - 1))));
  }
  each_word(route.query,
            [&](const std::string& name) { list.push_back(parameter("query", name)); });
  each_word(route.headers,
            [&](const std::string& name) { list.push_back(parameter("header", name)); });
  return list;
}

json content(std::string_view types) {
  json out = json::object();
  each_word(types, [&](const std::string& type) {
    out[type] = {{"schema", {{"type", type == "application/json" ? "object" : "string"}}}};
  });
  return out;
}

template <typename Route>
json operation(const Route& route) {
  json out{{"summary", route.summary}, {"description", "Source: " + std::string(route.source)}};
  const json all = parameters(route);
  if (!all.empty()) out["parameters"] = all;
  if (route.request != "-")
    out["requestBody"] = {{"required", true}, {"content", content(route.request)}};
  each_word(route.statuses, [&](const std::string& status) {
    json answer{{"description", "Done"}};
    if (route.response != "-" && status != "304") answer["content"] = content(route.response);
    out["responses"][status] = std::move(answer);
  });
  out["responses"]["default"] = {{"$ref", "#/components/responses/Refusal"}};
  json security = json::array();
  if (route.auth != "none") {
    const char* const name = route.auth == "person" ? "person" : "subscriber";
    security = {{{"certificate", json::array()}}, {{name, json::array()}}};
  }
  out["security"] = security;
  return out;
}

json header_key(const char* header, const char* description) {
  return {{"type", "apiKey"}, {"in", "header"}, {"name", header}, {"description", description}};
}

json refusal_schema() {
  json properties = json::object();
  for (const char* const name : {"rule", "explanation", "found", "field", "fix", "trace"})
    properties[name] = {{"type", "string"}};
  properties["retry_after_seconds"] = {{"type", "integer"}};
  properties["quota"] = {{"type", "object"}};
  return {{"type", "object"}, {"required", {"rule", "explanation"}}, {"properties", properties}};
}

}  // namespace

namespace {

json info(ApiOf service) {
  if (service == ApiOf::smki)
    return {{"title", "SMKI service"},
            {"version", "1"},
            {"description",
             "Certificates for devices and organisations, and the registration authority's office. "
             "Who calls is told by the TLS client certificate; a loopback development service "
             "takes the headers X-Subscriber and X-Person."}};
  return {{"title", "SMKI repository"},
          {"version", "1"},
          {"description",
           "Certificates, revocation lists, documents and the public log. Reading is for everyone; "
           "who lodges documents is told by the TLS client certificate, on a loopback development "
           "service by the headers X-Subscriber and X-Person. Every answer states how complete it "
           "is: the header X-Complete, in JSON the member complete (#/components/schemas/"
           "Completeness)."}};
}

json completeness_schema() {
  const auto may_lack = [](const char* type) { return json{{"type", {type, "null"}}}; };
  return {{"type", "object"},
          {"properties",
           {{"up_to", {{"type", "integer"}}},
            {"published_at", may_lack("string")},
            {"checked_at", may_lack("string")},
            {"age_seconds", may_lack("integer")},
            {"issuing", {{"type", "string"}, {"enum", {"running", "paused", "stopped"}}}}}}};
}

template <typename Routes>
void add_paths(json& document, const Routes& routes) {
  for (const auto& route : routes) {
    std::string method(route.method);
    std::ranges::transform(method, method.begin(),
                           [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    document["paths"][std::string(route.path)][method] = operation(route);
  }
}

}  // namespace

json openapi_document(ApiOf service) {
  json document{
      {"openapi", "3.1.0"},
      {"info", info(service)},
      {"components",
       {{"schemas", {{"Refusal", refusal_schema()}}},
        {"responses",
         {{"Refusal",
           {{"description", "Refused: by which rule, what was found and how to mend it"},
            {"content",
             {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Refusal"}}}}}}}}}}},
        {"securitySchemes",
         {{"certificate", {{"type", "mutualTLS"}}},
          {"subscriber", header_key("X-Subscriber", "EUI-64; development only")},
          {"person", header_key("X-Person", "Number of a person; development only")}}}}}};
  if (service == ApiOf::smki) {
    add_paths(document, kRoutes);
  } else {
    document["components"]["schemas"]["Completeness"] = completeness_schema();
    add_paths(document, repository_routes());
  }
  return document;
}

void add_openapi_route(http::Router& router, ApiOf service) {
  router.on("GET", "/api/v1/openapi.json",
            [document = openapi_document(service)](const http::Request&) {
              return json_answer(200, document);
            });
}

}  // namespace wattseal::smki
