// A power cut, rehearsed: many emulated meters lose their supply and say so when it is back, while
// a supplier goes on topping meters up. Every alert is accounted for: made, taken by the gateway,
// delivered to its user once, in the order in which its device made it. The same code is the demo's
// step, the benchmark alert_storm and a test. Threads: run() uses some of its own. Errors: Fault
// when the gateway cannot be reached.
#pragma once
#include <atomic>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "apps/service_user.h"
#include "apps/street.h"

namespace wattseal::apps {

struct StormOptions {
  std::size_t alerts = 0;         // outages of meters; rounded up to the same number for each
  double per_second = 0;          // pace at which alerts reach the gateway; 0: as fast as they can
  std::size_t per_delivery = 128; // messages that the WAN provider brings together
  unsigned senders = 4;           // connections of the WAN provider
  std::size_t top_ups = 0;        // before the storm, to compare with; during it they go on
  std::chrono::milliseconds top_up_pause{100};
  std::chrono::seconds patience{120};  // for the last delivery, after the last alert was taken
};

struct StormReport {
  std::uint64_t outages = 0;       // hubs that lost supply, each told to two users
  std::uint64_t alerts = 0;        // made, reports of hubs counted for each user
  std::uint64_t taken = 0;         // by the gateway
  std::uint64_t delivered = 0;     // for the first time
  std::uint64_t again = 0;         // delivered once more
  std::uint64_t out_of_order = 0;  // after a later one of the same device
  std::uint64_t unknown = 0;       // not of this storm
  double seconds_taking = 0, seconds_delivering = 0;  // from the first alert on
  double memory_before = 0, memory_most = 0;          // MB that the process holds
  struct Slice {                                      // since the start, at its end
    double seconds = 0;
    std::uint64_t sent = 0, taken = 0, delivered = 0;
  };
  std::vector<Slice> slices;  // of a second
  struct Latencies {          // microseconds of top-ups, from request to verified answer
    std::size_t count = 0, failed = 0;
    std::int64_t p50 = 0, p99 = 0;
  };
  Latencies top_ups_before, top_ups_during;
  std::uint64_t lost() const { return alerts - delivered; }
};

// One top-up, from the request to the verified answer: microseconds, or nothing when it failed.
using TopUp = std::function<std::optional<std::int64_t>()>;

// The users whose alerts these are. Their endpoints are given to the storm while it lasts.
StormReport run_storm(const World& world, Workers& workers, Street& street,
                      const std::string& gateway_url, Eui64 broker,
                      std::span<ServiceUser* const> users, const StormOptions& options,
                      const TopUp& top_up);

nlohmann::json to_json(const StormReport& report);
// One row a second: seconds, sent, taken, delivered, waiting.
void write_storm_tsv(const StormReport& report, const std::filesystem::path& file);
// One line a second: '#' what was delivered, '|' what had come until then.
std::vector<std::string> storm_plot(const StormReport& report);

}  // namespace wattseal::apps
