#include "base/pump.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/fault.h"
#include "base/log.h"

namespace wattseal {

struct Pump::State {
  std::string name;
  std::function<bool()> step;
  std::chrono::milliseconds idle;
  std::mutex mutex;
  std::condition_variable changed;
  bool woken = false, stopping = false;
  std::thread thread;

  bool step_once() {
    try {
      return step();
    } catch (const Fault& fault) {
      log::error("pump_fault", {{"pump", name}, {"fault", fault.what()}});
      return false;
    }
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      woken = false;
      lock.unlock();
      const bool more = step_once();
      lock.lock();
      if (!more) changed.wait_for(lock, idle, [&] { return woken || stopping; });
    }
  }
};

Pump::Pump(std::string name, std::function<bool()> step, std::chrono::milliseconds idle)
    : state_(std::make_unique<State>()) {
  state_->name = std::move(name);
  state_->step = std::move(step);
  state_->idle = idle;
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Pump::~Pump() { stop(); }

void Pump::wake() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->woken = true;
  }
  state_->changed.notify_all();
}

void Pump::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

}  // namespace wattseal
