// Alerts that come at the same time share the work: their signatures are verified eight at a time
// and one commit makes them durable. The first caller leads a group of all that wait, and while its
// commit is on its way to the disk the next group is verified. Groups commit in the order in which
// they were gathered, so that what a device sent first is first. Private to gateway. Thread-safe.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "gbcs/message.h"

namespace wattseal::gateway {

struct InboundAlert {
  gbcs::Message message;
  BytesView octets;
  TraceId trace;
  std::optional<Refusal> refused = {};
};
using AlertGroup = std::vector<InboundAlert*>;

class AlertIntake {
 public:
  using Step = std::function<void(const AlertGroup&)>;
  // `verify` writes `refused`; `commit` makes the group durable.
  AlertIntake(Step verify, Step commit, std::size_t group_max)
      : verify_(std::move(verify)), commit_(std::move(commit)), group_max_(group_max) {}
  // Returns when all are durable or refused. Throws Fault when the disk failed: none is in then.
  void take(std::span<InboundAlert> alerts);
  // While no group commits.
  template <typename Work>
  auto between_groups(const Work& work) {
    const std::lock_guard lock(committing_);
    return work();
  }

 private:
  struct Waiting {
    std::span<InboundAlert> alerts;
    std::condition_variable changed;
    bool done = false, leads = false;
    std::string fault;
  };
  void take_group(std::span<InboundAlert> alerts);
  std::vector<Waiting*> gather();
  std::string lead(const std::vector<Waiting*>& group);

  const Step verify_, commit_;
  const std::size_t group_max_;
  std::mutex mutex_, committing_;
  std::deque<Waiting*> queue_;
  bool leading_ = false;
};

}  // namespace wattseal::gateway
