// The only place that makes threads for computing. parallel_for splits [0, count) over the workers
// and returns when all are done; the calling thread works too. A Fault thrown by one item is thrown
// again here after all have stopped.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>

namespace wattseal {

class Workers {
 public:
  explicit Workers(unsigned threads = 0);  // 0: as many as the machine has cores
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  unsigned count() const;
  // `work(begin, end)` is called with disjoint half-open ranges of at most `grain` items.
  void parallel_for(std::size_t count, std::size_t grain,
                    const std::function<void(std::size_t, std::size_t)>& work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wattseal
