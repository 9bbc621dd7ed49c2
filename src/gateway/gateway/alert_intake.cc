#include "gateway/gateway/alert_intake.h"

#include "base/fault.h"

namespace wattseal::gateway {

void AlertIntake::take(std::span<InboundAlert> alerts) {
  while (!alerts.empty()) {
    const std::size_t count = std::min(alerts.size(), group_max_);
    take_group(alerts.first(count));
    alerts = alerts.subspan(count);
  }
}

void AlertIntake::take_group(std::span<InboundAlert> alerts) {
  Waiting mine;
  mine.alerts = alerts;
  std::unique_lock lock(mutex_);
  // It leaves the queue before this function does.
  // cppcheck-suppress danglingLifetime
  queue_.push_back(&mine);
  mine.leads = !std::exchange(leading_, true);
  mine.changed.wait(lock, [&] { return mine.done || mine.leads; });
  if (!mine.done) {
    const std::vector<Waiting*> group = gather();
    lock.unlock();
    const std::string fault = lead(group);
    lock.lock();
    for (Waiting* const waiting : group) {
      waiting->fault = fault;
      waiting->done = true;
      if (waiting != &mine) waiting->changed.notify_one();
    }
  }
  lock.unlock();
  if (!mine.fault.empty()) throw Fault(mine.fault);
}

std::vector<AlertIntake::Waiting*> AlertIntake::gather() {
  std::vector<Waiting*> group;
  std::size_t count = 0;
  while (!queue_.empty() &&
         (group.empty() || count + queue_.front()->alerts.size() <= group_max_)) {
    group.push_back(queue_.front());
    count += queue_.front()->alerts.size();
    queue_.pop_front();
  }
  return group;
}

// Returns what failed. Who waits next leads as soon as this group has its turn at the disk.
std::string AlertIntake::lead(const std::vector<Waiting*>& group) {
  AlertGroup alerts;
  for (const Waiting* const waiting : group) {
    for (InboundAlert& alert : waiting->alerts) alerts.push_back(&alert);
  }
  std::string fault;
  const auto attempt = [&](const Step& step) {
    try {
      if (fault.empty()) step(alerts);
    } catch (const std::exception& failure) {
      fault = failure.what();
    }
  };
  attempt(verify_);
  const std::lock_guard turn(committing_);
  {
    const std::lock_guard lock(mutex_);
    leading_ = !queue_.empty();
    if (leading_) {
      queue_.front()->leads = true;
      queue_.front()->changed.notify_one();
    }
  }
  attempt(commit_);
  return fault;
}

}  // namespace wattseal::gateway
