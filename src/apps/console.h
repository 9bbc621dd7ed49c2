// What a person watches: numbered steps with their times, a progress bar while one runs, a table at
// the end. On a terminal the bar moves; elsewhere only finished steps are printed. One thread at a
// time.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/world.h"

namespace wattseal::apps {

struct StepRecord {
  std::string name, outcome;
  double seconds = 0;
};

class Console {
 public:
  Console(const World& world, bool quiet);
  // Runs `work`, prints the step with its time and what `work` says of it.
  void step(const std::string& name, const std::function<std::string()>& work);
  void progress(std::uint64_t done, std::uint64_t total);  // within a step
  void line(const std::string& text);                      // below the running step's name
  const std::vector<StepRecord>& steps() const { return steps_; }
  double seconds_since_start() const;

 private:
  void clear();
  const World& world_;
  const bool quiet_, terminal_;
  const std::int64_t start_;
  std::int64_t last_drawn_ = 0;
  std::string running_;
  std::vector<std::string> lines_;
  std::vector<StepRecord> steps_;
};

// Two columns, aligned.
std::string table(const std::vector<std::pair<std::string, std::string>>& rows);
std::string with_thousands(std::uint64_t number);

}  // namespace wattseal::apps
