// data/repository_routes.tsv: what the repository serves, described once for its OpenAPI document,
// for the access records and for the router's test. Private to smki.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace wattseal::smki {

struct RepositoryRoute {
  std::string_view method, path, summary, auth, query, headers, request, statuses, response;
  std::string_view interface, counted;
  std::string_view source, in_force_from;
};
std::span<const RepositoryRoute> repository_routes();

// "/api/v1/documents/{name}/{version}" as a router knows it: "/api/v1/documents/*".
std::string route_pattern(std::string_view path);
// The first row that a router's pattern serves; null: none.
const RepositoryRoute* find_repository_route(std::string_view method, std::string_view pattern);

// Whether what is counted so was a request for something that is lodged, not a lodging.
bool delivers(std::string_view interface, std::string_view query);

}  // namespace wattseal::smki
