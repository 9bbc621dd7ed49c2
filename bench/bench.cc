#include "bench/bench.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/fault.h"
#include "base/log.h"

namespace wattseal::bench {

double Bench::seconds(const std::function<void()>& work) const {
  const std::int64_t start = world.clock.monotonic_microseconds();
  work();
  return static_cast<double>(world.clock.monotonic_microseconds() - start) / 1e6;
}

double Bench::rate(std::size_t count, unsigned threads,
                   const std::function<void(std::size_t)>& work) const {
  std::atomic<std::size_t> next = 0;
  const double taken = seconds([&] {
    std::vector<std::thread> all;
    for (unsigned t = 0; t < threads; ++t) {
      all.emplace_back([&] {
        for (std::size_t i = next++; i < count; i = next++) work(i);
      });
    }
    for (std::thread& one : all) one.join();
  });
  return static_cast<double>(count) / taken;
}

double Bench::core_rate(std::size_t count, const std::function<void(std::size_t)>& work) const {
  const auto spent = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double start = spent();
  for (std::size_t i = 0; i < count; ++i) work(i);
  return static_cast<double>(count) / (spent() - start);
}

RawLimits measure_raw_limits(const Bench& bench) {
  RawLimits limits;
  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  const Result<crypto::KeyHandle> key = crypto::generate_one(*keys, "k");
  const crypto::Digest digest = crypto::sha256(as_bytes("limit"));
  const crypto::Signature signature = (*key)->sign(digest);
  constexpr std::size_t kCount = 8000;
  limits.signatures = bench.rate(kCount, 1, [&](std::size_t) { (*key)->sign(digest); });
  limits.verifications = bench.rate(
      kCount, 1, [&](std::size_t) { crypto::verify((*key)->public_point(), digest, signature); });
  const int file = ::open((bench.folder / "sync").c_str(), O_RDWR | O_CREAT, 0600);
  const std::string block(4096, 'x');
  limits.syncs = bench.rate(300, 1, [&](std::size_t) {
    if (::pwrite(file, block.data(), block.size(), 0) != static_cast<ssize_t>(block.size()) ||
        ::fdatasync(file) != 0)
      throw Fault("the disk does not write");
  });
  ::close(file);
  return limits;
}

namespace {

struct Row {
  const char* name;
  void (*run)(const Bench&, Results&);
};
constexpr Row kRows[] = {{"issue_batch", issue_batch},
                         {"issue_batch_softhsm", issue_batch_softhsm},
                         {"issue_single_https", issue_single_https},
                         {"peers", peers},
                         {"repository_lookup", repository_lookup},
                         {"repository_scale", repository_scale},
                         {"crl_million", crl_million},
                         {"log_append", log_append},
                         {"gateway_noncritical", gateway_noncritical},
                         {"gateway_critical", gateway_critical},
                         {"parse", parse},
                         {"transform", transform},
                         {"duis_verify", duis_verify},
                         {"duis_schema", duis_schema},
                         {"alert_storm", alert_storm}};

nlohmann::json to_json(const Results& results) {
  nlohmann::json list = nlohmann::json::array();
  for (const Measured& one : results) {
    list.push_back({{"name", one.name},
                    {"value", one.value},
                    {"unit", one.unit},
                    {"limit", one.limit},
                    {"ratio", one.limit > 0 ? one.value / one.limit : 0},
                    {"limit_is", one.limit_is},
                    {"conditions", one.conditions}});
  }
  return list;
}

int run(int count, char** words) {
  log::set_level(log::Level::off);
  std::string only, json_file, data;
  CLI::App app(
      "Ratios of what the services do to what this machine could do, measured in the same run",
      "bench");
  app.add_option("--only", only, "Only this benchmark");
  app.add_option("--json", json_file, "Write the results to this file, too");
  app.add_option("--data", data, "Folder on the disk to be measured; default: a temporary one");
  std::size_t certificates = 200'000;
  app.add_option("--certificates", certificates, "Certificates of repository_scale")
      ->check(CLI::Range(10'000, 20'000'000))
      ->capture_default_str();
  std::size_t alerts = 1'098'000;
  app.add_option("--alerts", alerts, "Alerts of alert_storm; 18300 make a second")
      ->check(CLI::Range(100, 10'000'000))
      ->capture_default_str();
  CLI11_PARSE(app, count, words);
  const std::unique_ptr<Clock> clock = system_clock();
  const std::unique_ptr<Random> random = system_random();
  const World world{*clock, *random};
  const std::filesystem::path folder =
      (data.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(data)) /
      ("wattseal-bench-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const Bench bench{world, folder, std::max(1u, std::thread::hardware_concurrency()), certificates,
                    alerts};
  Results results;
  bool found = false;
  fmt::print("{:<22}{:>12} {:<16}{:>12} {:>7}  {}\n", "name", "value", "unit", "limit", "ratio",
             "the limit is");
  for (const Row& row : kRows) {
    if (!only.empty() && only != row.name) continue;
    found = true;
    const std::size_t before = results.size();
    row.run(bench, results);
    for (std::size_t i = before; i < results.size(); ++i) {
      const Measured& one = results[i];
      fmt::print("{:<22}{:>12.0f} {:<16}{:>12.0f} {:>7.2f}  {}\n", one.name, one.value, one.unit,
                 one.limit, one.limit > 0 ? one.value / one.limit : 0, one.limit_is);
    }
    std::fflush(stdout);
  }
  std::filesystem::remove_all(folder);
  if (!found) {
    fmt::print(stderr, "There is no benchmark {}.\n", only);
    return 2;
  }
  if (!json_file.empty()) std::ofstream(json_file) << to_json(results).dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace wattseal::bench

int main(int count, char** words) {
  try {
    return wattseal::bench::run(count, words);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return 3;
  }
}
