#include "apps/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace wattseal::apps {
namespace {

constexpr std::int64_t kRedrawMicroseconds = 100'000;
constexpr std::size_t kBar = 30;

}  // namespace

Console::Console(const World& world, bool quiet)
    : world_(world),
      quiet_(quiet),
      terminal_(::isatty(STDOUT_FILENO) == 1),
      start_(world.clock.monotonic_microseconds()) {}

double Console::seconds_since_start() const {
  return static_cast<double>(world_.clock.monotonic_microseconds() - start_) / 1e6;
}

void Console::clear() {
  if (terminal_ && !quiet_) fmt::print("\r\033[K");
}

void Console::step(const std::string& name, const std::function<std::string()>& work) {
  running_ = name;
  lines_.clear();
  progress(0, 0);
  const std::int64_t start = world_.clock.monotonic_microseconds();
  const std::string outcome = work();
  const double seconds = static_cast<double>(world_.clock.monotonic_microseconds() - start) / 1e6;
  steps_.push_back({name, outcome, seconds});
  if (quiet_) return;
  clear();
  fmt::print("{:2}  {:<22}{:>8.2f} s   {}\n", steps_.size(), name, seconds, outcome);
  for (const std::string& text : lines_) fmt::print("{:38}{}\n", "", text);
  std::fflush(stdout);
}

void Console::progress(std::uint64_t done, std::uint64_t total) {
  const std::int64_t now = world_.clock.monotonic_microseconds();
  if (quiet_ || !terminal_ || (now - last_drawn_ < kRedrawMicroseconds && done != 0)) return;
  last_drawn_ = now;
  clear();
  if (total == 0) {
    fmt::print("{:2}  {} …", steps_.size() + 1, running_);
  } else {
    const std::size_t full =
        static_cast<std::size_t>(std::min<std::uint64_t>(kBar * done / total, kBar));
    fmt::print("{:2}  {:<22} [{}{}] {} of {}", steps_.size() + 1, running_, std::string(full, '='),
               std::string(kBar - full, ' '), with_thousands(done), with_thousands(total));
  }
  std::fflush(stdout);
}

void Console::line(const std::string& text) { lines_.push_back(text); }

std::string with_thousands(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string table(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::size_t left = 0, right = 0;
  for (const auto& [name, value] : rows) {
    left = std::max(left, name.size());
    right = std::max(right, value.size());
  }
  const std::string rule =
      "+" + std::string(left + 2, '-') + "+" + std::string(right + 2, '-') + "+\n";
  std::string out = rule;
  for (const auto& [name, value] : rows)
    out += fmt::format("| {:<{}} | {:>{}} |\n", name, left, value, right);
  return out + rule;
}

}  // namespace wattseal::apps
