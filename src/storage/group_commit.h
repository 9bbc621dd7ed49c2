// Group commit: callers queue their batches; the first one in becomes the leader, writes everything
// that waits with one durable write, wakes each of the others and hands leadership on. While a
// write is on its way to the disk the next group gathers. So one caller pays one fsync and a
// hundred callers pay one fsync together. A batch that has to be completed goes first in its group,
// and no group has two. Private to storage.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "storage/store.h"

namespace wattseal::storage {

// One durable write: the changes of all batches in order, the new journal entries, and the head
// after them.
struct WriteSet {
  std::vector<const Batch::Change*> changes;
  struct Entry {
    std::uint64_t sequence;
    crypto::Digest chain;
    const Bytes* fact;
  };
  std::vector<Entry> entries;
  JournalHead head;
};

class GroupCommit {
 public:
  struct Target {
    std::function<std::optional<Bytes>(std::uint8_t table, BytesView key)> read;
    std::function<void(const WriteSet&)> write;  // throws Fault
    std::function<JournalHead()> head;           // as it is on disk
  };
  explicit GroupCommit(Target target) : target_(std::move(target)) {}
  Result<std::uint64_t> commit(Batch batch);

 private:
  struct Waiting {
    Batch batch;
    std::condition_variable changed;
    bool done = false, leads = false;
    std::optional<Refusal> refused;
    std::uint64_t first_sequence = 0;
    std::string fault;  // not empty: the disk failed
  };
  void lead(std::vector<Waiting*>& group);
  std::vector<Waiting*> gather();

  const Target target_;
  std::mutex mutex_;
  std::deque<Waiting*> queue_;
  bool leading_ = false;
  std::optional<JournalHead> head_;  // nothing: read it again (start, or after a failed write)
};

}  // namespace wattseal::storage
