// What the benchmarks share: timing, results, a street of premises on an embedded store.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "apps/platform.h"

namespace wattseal::bench {

struct Measured {
  std::string name;
  double value = 0;
  std::string unit;
  double limit = 0;  // what the machine could do, measured in the same run
  std::string limit_is, conditions;
};
using Results = std::vector<Measured>;

struct Bench {
  const World& world;
  std::filesystem::path folder;  // scratch, on the disk that is measured
  unsigned cores = 2;
  std::size_t certificates = 200'000;  // of repository_scale
  std::size_t alerts = 1'098'000;      // of alert_storm: a minute

  // Seconds that `work` takes.
  double seconds(const std::function<void()>& work) const;
  // Repeats `work(i)` on `threads` threads until `count` are done; returns how many a second.
  double rate(std::size_t count, unsigned threads,
              const std::function<void(std::size_t)>& work) const;
  // The same on this thread alone, by the time that the processor spent on it: what one core does,
  // however busy the machine is.
  double core_rate(std::size_t count, const std::function<void(std::size_t)>& work) const;
};

// Rates of one core: OpenSSL's ECDSA P-256 and the disk's fsync.
struct RawLimits {
  double signatures = 0, verifications = 0, syncs = 0;
};
RawLimits measure_raw_limits(const Bench& bench);

void issue_batch(const Bench& bench, Results& results);
void issue_batch_softhsm(const Bench& bench, Results& results);
void peers(const Bench& bench, Results& results);
void issue_single_https(const Bench& bench, Results& results);
void repository_lookup(const Bench& bench, Results& results);
void log_append(const Bench& bench, Results& results);
void gateway_noncritical(const Bench& bench, Results& results);
void gateway_critical(const Bench& bench, Results& results);
void crl_million(const Bench& bench, Results& results);
void repository_scale(const Bench& bench, Results& results);
void parse(const Bench& bench, Results& results);
void transform(const Bench& bench, Results& results);
void duis_verify(const Bench& bench, Results& results);
void duis_schema(const Bench& bench, Results& results);
void alert_storm(const Bench& bench, Results& results);

}  // namespace wattseal::bench
