#include "smki/repository_routes.h"

#include <algorithm>

namespace wattseal::smki {
namespace {

constexpr RepositoryRoute kRoutes[] = {
#include "tables/repository_routes.inc"
};

}  // namespace

std::span<const RepositoryRoute> repository_routes() { return kRoutes; }

std::string route_pattern(std::string_view path) {
  const std::size_t brace = path.find('{');
  return std::string(path.substr(0, brace)) + (brace == std::string_view::npos ? "" : "*");
}

bool delivers(std::string_view interface, std::string_view query) {
  return std::ranges::none_of(kRoutes, [&](const RepositoryRoute& one) {
    return one.interface == interface && one.counted == query && one.auth != "none";
  });
}

const RepositoryRoute* find_repository_route(std::string_view method, std::string_view pattern) {
  const auto row = std::ranges::find_if(kRoutes, [&](const RepositoryRoute& one) {
    return one.method == method && route_pattern(one.path) == pattern;
  });
  return row == std::end(kRoutes) ? nullptr : row;
}

}  // namespace wattseal::smki
