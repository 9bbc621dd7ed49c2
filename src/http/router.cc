// Which handler a path belongs to. The best pattern is chosen by the path alone (exact, then
// longest prefix); only then is the method looked at, so that a wrong method on an exact path is
// 405 and never falls through to a broader pattern.
#include <algorithm>

#include "base/check.h"
#include "http/http.h"
#include "http/message.h"

namespace wattseal::http {
namespace {

bool is_prefix_pattern(std::string_view pattern) { return pattern.ends_with("/*"); }

bool matches(std::string_view pattern, std::string_view path) {
  if (!is_prefix_pattern(pattern)) return pattern == path;
  return path.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool beats(std::string_view a, std::string_view b) {
  if (is_prefix_pattern(a) != is_prefix_pattern(b)) return is_prefix_pattern(b);
  return a.size() > b.size();
}

}  // namespace

void Router::on(std::string method, std::string path, Handler handler) {
  CHECK(is_token(method));
  CHECK(path.starts_with('/'));
  CHECK(handler != nullptr);
  const std::size_t star = path.find('*');
  CHECK(star == std::string::npos || (star == path.size() - 1 && is_prefix_pattern(path)));
  CHECK(std::ranges::none_of(
      routes_, [&](const Route& route) { return route.method == method && route.path == path; }));
  routes_.push_back({std::move(method), std::move(path), std::move(handler)});
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const Route& route : routes_) all.emplace_back(route.method, route.path);
  return all;
}

void Router::wrap(const Wrapper& around) {
  for (Route& route : routes_) {
    route.handler = around(route.method, route.path, std::move(route.handler));
    CHECK(route.handler != nullptr);
  }
}

Response Router::operator()(const Request& request) const {
  std::string_view best;
  for (const Route& route : routes_) {
    if (matches(route.path, request.path) && (best.empty() || beats(route.path, best)))
      best = route.path;
  }
  if (best.empty()) return {.status = 404, .body = "There is nothing at this path.\n"};
  const Route* get = nullptr;
  std::string allowed;
  for (const Route& route : routes_) {
    if (route.path != best) continue;
    if (route.method == request.method) return route.handler(request);
    if (route.method == "GET") get = &route;
    allowed += (allowed.empty() ? "" : ", ") + route.method;
  }
  if (get && request.method == "HEAD") return get->handler(request);
  if (get) allowed += ", HEAD";
  return {.status = 405,
          .body = "This path does not know the method " + request.method + ".\n",
          .headers = {{"Allow", allowed}}};
}

}  // namespace wattseal::http
