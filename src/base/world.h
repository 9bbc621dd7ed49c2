// World: time and chance, handed down from main, so that one seed and one clock replay a whole
// network.
#pragma once
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/time.h"
#include "base/types.h"

namespace wattseal {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual UtcTime now() const = 0;  // thread-safe; may step backwards (it is the machine's clock)
  virtual std::int64_t now_milliseconds() const = 0;  // since 1970, for counters chosen by users
  virtual std::int64_t monotonic_microseconds() const = 0;  // never steps back; for durations only
};

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<Octet> octets) = 0;  // thread-safe; unpredictable in production
};

struct World {
  const Clock& clock;
  Random& random;

  UtcTime now() const { return clock.now(); }
  TraceId new_trace() const;
};

// The machine's own clock and the kernel's random generator.
std::unique_ptr<Clock> system_clock();
std::unique_ptr<Random> system_random();

// For tests and simulation: time stands until moved; octets follow from the seed.
class FixedClock final : public Clock {
 public:
  explicit FixedClock(UtcTime start) : now_(start) {}
  void set(UtcTime now) { now_ = now; }
  void advance(std::int64_t seconds) { now_ = now_.plus_seconds(seconds); }
  UtcTime now() const override { return now_; }
  std::int64_t now_milliseconds() const override { return now_.unix_seconds() * 1000; }
  std::int64_t monotonic_microseconds() const override { return now_.unix_seconds() * 1'000'000; }

 private:
  UtcTime now_;
};
std::unique_ptr<Random> seeded_random(std::uint64_t seed);

}  // namespace wattseal
