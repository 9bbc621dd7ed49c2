// Metrics as OpenMetrics and Prometheus scrapers read them: one family for
// HTTP, and gauges that are asked at scrape time. Thread-safe.
#pragma once
#include <functional>

#include "http/http.h"

namespace wattseal::apps {

class Metrics {
 public:
  explicit Metrics(const World& world);
  ~Metrics();
  // Asked at each scrape; `name` ends in _total for counters.
  void observe(const std::string& name, const std::string& help, std::function<double()> value);
  // The handler with its requests counted and timed under the label `service`.
  http::Handler timed(const std::string& service, http::Handler handler);
  // GET /metrics: OpenMetrics 1.0, or the older text form for who accepts only that.
  http::Response scrape(const http::Request& request) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wattseal::apps
