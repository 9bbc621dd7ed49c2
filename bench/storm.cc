// A power cut: alerts of a million meters in a minute, absorbed and delivered while top-ups go on.
#include "apps/demo.h"
#include "base/fault.h"
#include "bench/bench.h"
#include "gbcs/security.h"

#include <nlohmann/json.hpp>

namespace wattseal::bench {
namespace {

constexpr double kAlertsPerSecond = 18'300;  // spec/features.md 2.3: 1.1 million in a minute
constexpr std::size_t kPremises = 1000, kTopUps = 200;

// What cryptography alone allows: the device's signature verified, the document's made and
// verified.
double crypto_limit(const Bench& bench) {
  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  const crypto::KeyHandle key = crypto::generate_one(*keys, "k").value();
  const std::vector<crypto::Digest> digests(256, crypto::sha256(as_bytes("alert")));
  const std::vector<crypto::Signature> signatures = key->sign_many(digests);
  std::vector<crypto::Claim> claims;
  for (std::size_t i = 0; i < digests.size(); ++i)
    claims.push_back({key->public_point(), digests[i], signatures[i]});
  const double rounds = bench.core_rate(20, [&](std::size_t) {
    if (crypto::verify_many(claims).front() != 1) throw Fault("a good signature does not verify");
    key->sign_many(digests);
  });
  return bench.cores * rounds * static_cast<double>(digests.size());
}

}  // namespace

void alert_storm(const Bench& bench, Results& results) {
  const double limit = crypto_limit(bench);
  apps::DemoOptions options;
  options.premises = kPremises;
  options.platform.data = bench.folder / "storm";
  options.platform.key_store = "file";
  options.quiet = true;
  options.storm.alerts = bench.alerts;
  options.storm.per_second = kAlertsPerSecond;
  options.storm.top_ups = kTopUps;
  const nlohmann::json storm = apps::run_demo(bench.world, options).at("storm");
  const double alerts = storm.at("alerts").get<double>();
  const std::string conditions = std::to_string(bench.alerts) +
                                 " alerts at 18,300 a second, users on loopback in the same "
                                 "process; lost " +
                                 std::to_string(storm.at("lost").get<std::uint64_t>()) +
                                 ", out of order " +
                                 std::to_string(storm.at("out_of_order").get<std::uint64_t>()) +
                                 "; all of it: " + storm.dump();
  results.push_back(
      {"alert_storm", alerts / storm.at("seconds_delivering").get<double>(), "alerts/s", limit,
       "two ECDSA verifications and one signature each, eight at a time, all cores", conditions});
  results.push_back({"storm_top_up_p99", storm.at("top_ups_during").at("p99_microseconds"), "us",
                     storm.at("top_ups_before").at("p99_microseconds"), "the same without a storm",
                     conditions});
  results.push_back({"storm_memory",
                     storm.at("memory_most_megabytes").get<double>() -
                         storm.at("memory_before_megabytes").get<double>(),
                     "MB more at most", 0, "", conditions});
}

}  // namespace wattseal::bench
