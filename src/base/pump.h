// Pump: one background thread that repeats a step. It runs when woken or after an idle wait, again
// at once while the step says that there was work, and finishes the running step before stop()
// returns. The step owns its errors: a Fault that leaves it is logged and the step is tried again
// after the idle wait, so a full disk pauses a service instead of ending it.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace wattseal {

class Pump {
 public:
  // `step` returns true when it did something and should be called again at once.
  Pump(std::string name, std::function<bool()> step, std::chrono::milliseconds idle);
  ~Pump();  // stop()
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;
  void wake();
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wattseal
