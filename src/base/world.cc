#include "base/world.h"

#include <sys/random.h>

#include <chrono>
#include <mutex>
#include <random>

#include "base/fault.h"

namespace wattseal {
namespace {

class SystemClock final : public Clock {
 public:
  UtcTime now() const override { return UtcTime::from_unix_seconds(now_milliseconds() / 1000); }
  std::int64_t now_milliseconds() const override {
    const std::chrono::system_clock::duration since =
        std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
  }
  std::int64_t monotonic_microseconds() const override {
    const std::chrono::steady_clock::duration since =
        std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
  }
};

class SystemRandom final : public Random {
 public:
  void fill(std::span<Octet> octets) override {
    while (!octets.empty()) {
      const ssize_t got = ::getrandom(octets.data(), octets.size(), 0);
      if (got < 0) throw Fault("the kernel gives no random octets");
      octets = octets.subspan(static_cast<std::size_t>(got));
    }
  }
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<Octet> octets) override {
    const std::lock_guard lock(mutex_);
    for (Octet& octet : octets) octet = static_cast<Octet>(engine_() >> 56);
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace

TraceId World::new_trace() const {
  std::array<Octet, 16> octets{};
  random.fill(octets);
  return TraceId(octets);
}

std::unique_ptr<Clock> system_clock() { return std::make_unique<SystemClock>(); }
std::unique_ptr<Random> system_random() { return std::make_unique<SystemRandom>(); }
std::unique_ptr<Random> seeded_random(std::uint64_t seed) {
  return std::make_unique<SeededRandom>(seed);
}

}  // namespace wattseal
