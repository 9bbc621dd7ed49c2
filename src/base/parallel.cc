#include "base/parallel.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace wattseal {

struct Workers::State {
  using Work = std::function<void(std::size_t, std::size_t)>;

  std::vector<std::thread> threads;
  std::mutex turn;  // one parallel_for at a time
  std::mutex mutex;
  std::condition_variable start, done;
  std::uint64_t generation = 0;
  std::size_t busy = 0;
  bool stopping = false;
  const Work* work = nullptr;
  std::size_t count = 0, grain = 1;
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;

  void take_shares() {
    try {
      for (;;) {
        const std::size_t begin = next.fetch_add(grain);
        if (begin >= count) return;
        (*work)(begin, std::min(begin + grain, count));
      }
    } catch (...) {
      next.store(count);
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  }

  void serve() {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      start.wait(lock, [&] { return stopping || generation != seen; });
      if (stopping) return;
      seen = generation;
      lock.unlock();
      take_shares();
      lock.lock();
      if (--busy == 0) done.notify_all();
    }
  }
};

Workers::Workers(unsigned threads) : state_(std::make_unique<State>()) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  for (unsigned i = 1; i < threads; ++i)
    state_->threads.emplace_back([state = state_.get()] { state->serve(); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->start.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

unsigned Workers::count() const { return static_cast<unsigned>(state_->threads.size() + 1); }

void Workers::parallel_for(std::size_t count, std::size_t grain,
                           const std::function<void(std::size_t, std::size_t)>& work) {
  if (count <= grain) {  // nothing to share
    if (count != 0) work(0, count);
    return;
  }
  const std::lock_guard turn(state_->turn);
  {
    const std::lock_guard lock(state_->mutex);
    state_->work = &work;
    state_->count = count;
    state_->grain = std::max<std::size_t>(1, grain);
    state_->next.store(0);
    state_->busy = state_->threads.size();
    state_->failure = nullptr;
    ++state_->generation;
  }
  state_->start.notify_all();
  state_->take_shares();
  std::unique_lock lock(state_->mutex);
  state_->done.wait(lock, [&] { return state_->busy == 0; });
  if (state_->failure) std::rethrow_exception(state_->failure);
}

}  // namespace wattseal
