#include "storage/group_commit.h"

#include <unordered_map>

#include "base/fault.h"
#include "storage/flat.h"

namespace wattseal::storage {
namespace {

constexpr std::size_t kGroupChangesMax =
    20'000;  // bounds the time of one write and the memory it takes

// What the batches of a group have changed before they are on disk.
class Overlay {
 public:
  void add(const Batch& batch) {
    for (const Batch::Change& change : batch.changes())
      rows_[{change.table, as_text(change.key)}] = &change.value;
  }
  const std::optional<Bytes>* find(std::uint8_t table, BytesView key) const {
    if (rows_.empty()) return nullptr;
    const auto found = rows_.find({table, as_text(key)});
    return found == rows_.end() ? nullptr : found->second;
  }

 private:
  using Place = std::pair<std::uint8_t, std::string_view>;  // table and key
  struct Hash {
    std::size_t operator()(const Place& place) const {
      return std::hash<std::string_view>()(place.second) + place.first;
    }
  };
  std::unordered_map<Place, const std::optional<Bytes>*, Hash> rows_;
};

}  // namespace

Result<std::uint64_t> GroupCommit::commit(Batch batch) {
  Waiting mine;
  mine.batch = std::move(batch);
  std::unique_lock lock(mutex_);
  // It leaves the queue before this function does.
  // cppcheck-suppress danglingLifetime
  queue_.push_back(&mine);
  mine.leads = !std::exchange(leading_, true);
  mine.changed.wait(lock, [&] { return mine.done || mine.leads; });
  if (!mine.done) {
    std::vector<Waiting*> group = gather();
    lock.unlock();
    lead(group);
    lock.lock();
    for (Waiting* waiting : group) {
      waiting->done = true;
      if (waiting != &mine) waiting->changed.notify_one();
    }
    leading_ = !queue_.empty();
    if (leading_) {
      queue_.front()->leads = true;
      queue_.front()->changed.notify_one();
    }
  }
  lock.unlock();
  if (!mine.fault.empty()) throw Fault(mine.fault);
  if (mine.refused) return *mine.refused;
  return mine.first_sequence;
}

std::vector<GroupCommit::Waiting*> GroupCommit::gather() {
  std::vector<Waiting*> group;
  std::size_t changes = 0;
  bool completes = false;
  while (!queue_.empty() && (group.empty() || changes < kGroupChangesMax)) {
    Waiting* const next = queue_.front();
    const bool to_complete = static_cast<bool>(next->batch.completion());
    if (to_complete && completes) break;
    completes = completes || to_complete;
    // Before the others, so that the store shows everything before it.
    group.insert(to_complete ? group.begin() : group.end(), next);
    changes += next->batch.changes().size() + next->batch.facts().size();
    queue_.pop_front();
  }
  return group;
}

// Only one thread is here at a time.
void GroupCommit::lead(std::vector<Waiting*>& group) {
  try {
    if (!head_) head_ = target_.head();
    WriteSet set;
    set.head = *head_;
    Overlay overlay;
    bool writes = false;
    for (Waiting* waiting : group) {
      Batch& batch = waiting->batch;
      for (const Batch::Precondition& required : batch.preconditions()) {
        const std::optional<Bytes>* const changed = overlay.find(required.table, required.key);
        if ((changed ? *changed : target_.read(required.table, required.key)) == required.value)
          continue;
        waiting->refused = required.otherwise;
        break;
      }
      if (waiting->refused) continue;
      if (batch.completion()) batch.completion()(batch, set.head.next);
      for (const Batch::Change& change : batch.changes()) set.changes.push_back(&change);
      if (!batch.facts().empty()) waiting->first_sequence = set.head.next;
      for (const Bytes& fact : batch.facts()) {
        set.head.chain = chain_next(set.head.chain, set.head.next, fact);
        set.entries.push_back({set.head.next++, set.head.chain, &fact});
      }
      writes = writes || !batch.changes().empty() || !batch.facts().empty();
      if (waiting != group.back()) overlay.add(batch);
    }
    if (writes) target_.write(set);
    head_ = set.head;
  } catch (const std::exception& failure) {
    head_.reset();
    for (Waiting* waiting : group) {
      if (!waiting->refused) waiting->fault = failure.what();
    }
  }
}

}  // namespace wattseal::storage
