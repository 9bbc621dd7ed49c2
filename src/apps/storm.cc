#include "apps/storm.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <unordered_map>

#include "base/fault.h"
#include "gateway/wan_service.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

constexpr std::int64_t kOutageSeconds = 240;
constexpr std::size_t kShards = 64, kPlotLines = 40, kOutagesPerDelivery = 1000;
constexpr std::chrono::milliseconds kLook{50};

double resident_megabytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * 4096 / 1e6;
}

// What each device sent and how much of it has come to its user.
class Ledger {
 public:
  void expect(Eui64 device, OriginatorCounter counter) {
    Shard& shard = shard_of(device);
    const std::lock_guard lock(shard.mutex);
    shard.devices[device].counters.push_back(counter.number());
  }
  void expect_reports(std::uint64_t count) { reports_expected_ = count; }

  void arrived(Eui64 device, OriginatorCounter counter, Eui64 user, Eui64 broker) {
    if (device == broker) return report_arrived(user, counter);
    Shard& shard = shard_of(device);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.devices.find(device);
    if (found == shard.devices.end()) {
      ++unknown;
      return;
    }
    Sent& sent = found->second;
    if (sent.next < sent.counters.size() && sent.counters[sent.next] == counter.number()) {
      ++sent.next;
      ++delivered;
      return;
    }
    const auto place = std::ranges::find(sent.counters, counter.number());
    if (place == sent.counters.end())
      ++unknown;
    else if (static_cast<std::size_t>(place - sent.counters.begin()) < sent.next)
      ++again;
    else
      ++out_of_order;
  }

  std::atomic<std::uint64_t> delivered{0}, again{0}, out_of_order{0}, unknown{0};

 private:
  void report_arrived(Eui64 user, OriginatorCounter counter) {
    const std::lock_guard lock(reports_mutex_);
    if (!reports_.insert({user, counter.number()}).second)
      ++again;
    else if (reports_.size() > reports_expected_)
      ++unknown;
    else
      ++delivered;
  }
  struct Sent {
    std::vector<std::uint64_t> counters;
    std::size_t next = 0;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<Eui64, Sent> devices;
  };
  Shard& shard_of(Eui64 device) { return shards_[(device.number() >> 2) % kShards]; }
  std::array<Shard, kShards> shards_;
  std::mutex reports_mutex_;
  std::set<std::pair<Eui64, std::uint64_t>> reports_;
  std::uint64_t reports_expected_ = 0;
};

// The ResponseID of a document, as text stands in it: no more is read of each.
std::optional<duis::RequestId> response_id(std::string_view document) {
  constexpr std::string_view kBegin = "<sr:ResponseID>";
  const std::size_t begin = document.find(kBegin);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t from = begin + kBegin.size(), end = document.find('<', from);
  const Result<duis::RequestId> id = duis::RequestId::parse(document.substr(from, end - from));
  return id.ok() ? std::optional(*id) : std::nullopt;
}

std::int64_t at_share(std::vector<std::int64_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  const std::size_t place =
      static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(place, 1, sorted.size()) - 1];
}

// Tops up again and again; what it took.
class TopUps {
 public:
  TopUps(TopUp top_up, std::chrono::milliseconds pause)
      : top_up_(std::move(top_up)), pause_(pause) {}
  void one() {
    const std::optional<std::int64_t> taken = top_up_();
    if (taken)
      microseconds_.push_back(*taken);
    else
      ++failed_;
    std::this_thread::sleep_for(pause_);
  }
  StormReport::Latencies result() {
    std::ranges::sort(microseconds_);
    return {microseconds_.size(), failed_, at_share(microseconds_, 0.5),
            at_share(microseconds_, 0.99)};
  }

 private:
  const TopUp top_up_;
  const std::chrono::milliseconds pause_;
  std::vector<std::int64_t> microseconds_;
  std::size_t failed_ = 0;
};

class Storm {
 public:
  Storm(const World& world, Street& street, const std::string& gateway_url,
        const StormOptions& options)
      : world_(world), street_(street), gateway_url_(gateway_url), options_(options) {}

  // The meters' alerts, made before the storm as a hub without WAN would hold them: one round of
  // all meters after the other.
  void make(Workers& workers) {
    const std::size_t meters = street_.premises().size(),
                      rounds = (options_.alerts + meters - 1) / meters;
    made_.resize(options_.senders);
    std::vector<std::vector<Bytes>> by_meter(meters);
    workers.parallel_for(meters, 16, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        for (std::size_t round = 0; round < rounds; ++round) {
          for (Bytes& alert : street_.lose_power(street_.premises()[i].esme, kOutageSeconds)) {
            const Result<gbcs::Message> message = gbcs::decode(alert);
            CHECK(message.ok());
            ledger_->expect(message->originator, message->counter);
            by_meter[i].push_back(std::move(alert));
          }
        }
      }
    });
    for (std::size_t round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < meters; ++i) {
        if (round >= by_meter[i].size()) continue;
        made_[i % options_.senders].push_back(std::move(by_meter[i][round]));
        ++report_.alerts;
      }
    }
    report_.outages = meters;
    report_.alerts += 2 * meters;  // supplier and network operator of each meter point
    ledger_->expect_reports(2 * meters);
  }

  void open(std::span<ServiceUser* const> users, Eui64 broker) {
    for (ServiceUser* const user : users)
      user->take_alerts(
          [ledger = ledger_, broker, id = user->profile().id](std::string_view document) {
            const std::optional<duis::RequestId> alert = response_id(document);
            if (alert)
              ledger->arrived(alert->originator, alert->counter, id, broker);
            else
              ++ledger->unknown;
          });
  }
  static void close(std::span<ServiceUser* const> users) {
    for (ServiceUser* const user : users) user->take_alerts({});
  }

  StormReport run(const TopUp& top_up) {
    TopUps before(top_up, options_.top_up_pause), during(top_up, options_.top_up_pause);
    for (std::size_t i = 0; i < options_.top_ups; ++i) before.one();
    report_.memory_before = report_.memory_most = resident_megabytes();
    start_ = world_.clock.monotonic_microseconds();
    std::vector<std::thread> senders;
    std::atomic<bool> over = false;
    std::thread topping_up([&] {
      while (options_.top_ups != 0 && !over) during.one();
    });
    report_outages();
    for (unsigned i = 0; i < options_.senders; ++i)
      senders.emplace_back([this, i] { send(made_[i]); });
    watch();
    over = true;
    for (std::thread& sender : senders) sender.join();
    topping_up.join();
    if (!fault_.empty()) throw Fault(fault_);
    report_.top_ups_before = before.result();
    report_.top_ups_during = during.result();
    report_.taken = taken_;
    report_.delivered = ledger_->delivered;
    report_.again = ledger_->again;
    report_.out_of_order = ledger_->out_of_order;
    report_.unknown = ledger_->unknown;
    return report_;
  }

 private:
  double seconds() const {
    return static_cast<double>(world_.clock.monotonic_microseconds() - start_) / 1e6;
  }
  std::uint64_t deliver(http::Client& client, const std::string& path, std::string_view type,
                        std::string body) const {
    const http::Response response = client.post(path, type, std::move(body));
    if (response.status != 200) throw Fault("the gateway answered " + response.body.substr(0, 300));
    return json::parse(response.body).at("taken").get<std::uint64_t>();
  }

  // Hubs say with their last gasp that the supply is gone.
  void report_outages() {
    const std::unique_ptr<http::Client> client =
        http::Client::open(gateway_url_, patient()).value();
    const std::string since = world_.now().iso();
    json outages = json::array();
    const auto send_them = [&] {
      if (outages.empty()) return;
      const std::uint64_t count =
          deliver(*client, "/wan/v1/outages", "application/json", outages.dump());
      sent_ += 2 * outages.size();
      taken_ += 2 * count;
      outages = json::array();
    };
    for (const Premises& one : street_.premises()) {
      outages.push_back({{"hub", one.chf.text()}, {"since", since}});
      if (outages.size() == kOutagesPerDelivery) send_them();
    }
    send_them();
  }

  static http::ClientOptions patient() {
    http::ClientOptions options;
    options.timeout = std::chrono::seconds(60);
    return options;
  }

  // Each sender has meters of its own, so that each meter's alerts leave in their order.
  void send(const std::vector<Bytes>& alerts) {
    try {
      const std::unique_ptr<http::Client> client =
          http::Client::open(gateway_url_, patient()).value();
      const double mine = options_.per_second / options_.senders;
      for (std::size_t first = 0; first < alerts.size(); first += options_.per_delivery) {
        const std::size_t count = std::min(options_.per_delivery, alerts.size() - first);
        if (mine > 0) {
          const double early = static_cast<double>(first) / mine - seconds();
          if (early > 0) std::this_thread::sleep_for(std::chrono::duration<double>(early));
        }
        sent_ += count;
        taken_ += deliver(*client, "/wan/v1/messages", gateway::kManyMessages,
                          gateway::join_messages(std::span(alerts).subspan(first, count)));
      }
    } catch (const std::exception& failure) {
      const std::lock_guard lock(fault_mutex_);
      fault_ = failure.what();
    }
  }

  bool failed() {
    const std::lock_guard lock(fault_mutex_);
    return !fault_.empty();
  }

  // Until everything has come to its user, or patience is over.
  void watch() {
    double next_slice = 1, last_taken = 0;
    while (!failed()) {
      std::this_thread::sleep_for(kLook);
      const double now = seconds();
      report_.memory_most = std::max(report_.memory_most, resident_megabytes());
      const bool all_taken = taken_ >= report_.alerts, all = ledger_->delivered >= report_.alerts;
      if (!all_taken || report_.seconds_taking == 0) report_.seconds_taking = last_taken = now;
      if (all) report_.seconds_delivering = now;
      if (now >= next_slice || all) {
        report_.slices.push_back({now, sent_, taken_, ledger_->delivered});
        next_slice = now + 1;
      }
      const double patience = static_cast<double>(options_.patience.count());
      if (all || now - last_taken > patience) break;
    }
    if (report_.seconds_delivering == 0) report_.seconds_delivering = seconds();
  }

  const World& world_;
  Street& street_;
  const std::string gateway_url_;
  const StormOptions options_;
  const std::shared_ptr<Ledger> ledger_ = std::make_shared<Ledger>();
  StormReport report_;
  std::vector<std::vector<Bytes>> made_;  // by sender
  std::int64_t start_ = 0;
  std::atomic<std::uint64_t> sent_{0}, taken_{0};
  std::mutex fault_mutex_;
  std::string fault_;
};

json to_json(const StormReport::Latencies& one) {
  return {{"count", one.count},
          {"failed", one.failed},
          {"p50_microseconds", one.p50},
          {"p99_microseconds", one.p99}};
}

}  // namespace

StormReport run_storm(const World& world, Workers& workers, Street& street,
                      const std::string& gateway_url, Eui64 broker,
                      std::span<ServiceUser* const> users, const StormOptions& options,
                      const TopUp& top_up) {
  Storm storm(world, street, gateway_url, options);
  storm.make(workers);
  storm.open(users, broker);
  StormReport report = storm.run(top_up);
  Storm::close(users);
  return report;
}

json to_json(const StormReport& report) {
  return {{"outages_of_hubs", report.outages},
          {"alerts", report.alerts},
          {"taken", report.taken},
          {"delivered", report.delivered},
          {"lost", report.lost()},
          {"delivered_again", report.again},
          {"out_of_order", report.out_of_order},
          {"unknown", report.unknown},
          {"seconds_taking", report.seconds_taking},
          {"seconds_delivering", report.seconds_delivering},
          {"memory_before_megabytes", report.memory_before},
          {"memory_most_megabytes", report.memory_most},
          {"top_ups_before", to_json(report.top_ups_before)},
          {"top_ups_during", to_json(report.top_ups_during)}};
}

void write_storm_tsv(const StormReport& report, const std::filesystem::path& file) {
  std::ofstream out(file);
  out << "seconds\tsent\ttaken\tdelivered\twaiting\n";
  for (const StormReport::Slice& slice : report.slices)
    out << fmt::format("{:.1f}\t{}\t{}\t{}\t{}\n", slice.seconds, slice.sent, slice.taken,
                       slice.delivered, slice.taken - std::min(slice.taken, slice.delivered));
  if (!out.good()) throw Fault("cannot write " + file.string());
}

std::vector<std::string> storm_plot(const StormReport& report) {
  constexpr std::uint64_t kWidth = 50;
  const std::uint64_t most = std::max<std::uint64_t>(1, report.alerts);
  const std::size_t step = report.slices.size() / kPlotLines + 1;
  std::vector<std::string> lines{fmt::format("{:>7} {:<{}} {:>10} {:>10}", "seconds",
                                             "# delivered   | come", kWidth + 1, "delivered",
                                             "waiting")};
  for (std::size_t i = 0; i < report.slices.size(); ++i) {
    if (i % step != 0 && i + 1 != report.slices.size()) continue;
    const StormReport::Slice& slice = report.slices[i];
    const auto place = [&](std::uint64_t count) {
      return static_cast<std::size_t>(std::min(count, most) * kWidth / most);
    };
    std::string bar(kWidth + 1, ' ');
    std::fill_n(bar.begin(), place(slice.delivered), '#');
    bar[place(slice.taken)] = '|';
    lines.push_back(fmt::format("{:>7.1f} {} {:>10} {:>10}", slice.seconds, bar, slice.delivered,
                                slice.taken - std::min(slice.taken, slice.delivered)));
  }
  return lines;
}

}  // namespace wattseal::apps
