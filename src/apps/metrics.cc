#include "apps/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace wattseal::apps {

struct Metrics::State {
  explicit State(const World& the_world) : world(the_world) {}
  const World& world;
  prometheus::Registry registry;
  prometheus::Family<prometheus::Histogram>& seconds =
      prometheus::BuildHistogram()
          .Name("wattseal_http_request_seconds")
          .Help("Time from the whole request to the whole answer")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter()
          .Name("wattseal_http_requests_total")
          .Help("Requests answered, by service and status")
          .Register(registry);
  struct Asked {
    std::string name, help;
    std::function<double()> value;
  };
  std::vector<Asked> asked;
};

Metrics::Metrics(const World& world) : state_(std::make_unique<State>(world)) {}
Metrics::~Metrics() = default;

void Metrics::observe(const std::string& name, const std::string& help,
                      std::function<double()> value) {
  state_->asked.push_back({name, help, std::move(value)});
}

http::Handler Metrics::timed(const std::string& service, http::Handler handler) {
  prometheus::Histogram& seconds = state_->seconds.Add(
      {{"service", service}},
      prometheus::Histogram::BucketBoundaries{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                              0.25, 0.5, 1, 2.5, 5});
  return [this, service, &seconds, handler = std::move(handler)](const http::Request& request) {
    const std::int64_t start = state_->world.clock.monotonic_microseconds();
    http::Response response = handler(request);
    seconds.Observe(static_cast<double>(state_->world.clock.monotonic_microseconds() - start) /
                    1e6);
    state_->requests.Add({{"service", service}, {"status", std::to_string(response.status)}})
        .Increment();
    return response;
  };
}

namespace {

// The counters' family names without _total, and an end that proves the answer whole.
std::string open_metrics(const std::string& text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) {
      const std::size_t space = line.find(' ', 7);
      if (space != std::string::npos && line.substr(0, space).ends_with("_total"))
        line.erase(space - 6, 6);
    }
    out += line + "\n";
  }
  return out + "# EOF\n";
}

}  // namespace

http::Response Metrics::scrape(const http::Request& request) const {
  std::vector<prometheus::MetricFamily> families = state_->registry.Collect();
  for (const State::Asked& one : state_->asked) {
    prometheus::MetricFamily family;
    family.name = one.name;
    family.help = one.help;
    prometheus::ClientMetric metric;
    if (one.name.ends_with("_total")) {
      family.type = prometheus::MetricType::Counter;
      metric.counter.value = one.value();
    } else {
      family.type = prometheus::MetricType::Gauge;
      metric.gauge.value = one.value();
    }
    family.metric.push_back(metric);
    families.push_back(std::move(family));
  }
  const std::string text = prometheus::TextSerializer().Serialize(families);
  // Who accepts only the older form gets it.
  const std::string* const accepts = request.header("Accept");
  const bool older = accepts && accepts->find("openmetrics") == std::string::npos &&
                     accepts->find("*/*") == std::string::npos;
  return {.status = 200,
          .content_type = older ? "text/plain; version=0.0.4; charset=utf-8"
                                : "application/openmetrics-text; version=1.0.0; charset=utf-8",
          .body = older ? text : open_metrics(text)};
}

}  // namespace wattseal::apps
