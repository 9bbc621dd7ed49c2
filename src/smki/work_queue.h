// The order in which the certification authority takes chunks of authorised rows. Private to smki.
// Keys of ca_work only grow, so each is read once, in order, and waits in memory by subscriber;
// what is in memory is found again after a restart. Keys of order 0 are work that somebody does
// without the queue (express.h): it takes them at the start, and when they are added. One thread
// calls next(), any add().
#pragma once
#include <mutex>

#include "smki/fair_queue.h"
#include "smki/records.h"

namespace wattseal::smki {

class WorkQueue {
 public:
  // Takes up what is in the store.
  explicit WorkQueue(const storage::Reader& store);
  // The chunks whose turn it is, with their keys in ca_work: single requests of many subscribers,
  // at most `rows_max`, or one chunk of a batch; those before again while they are not done (their
  // step failed). Empty: nothing waits.
  std::vector<std::pair<Bytes, Work>> next(std::size_t rows_max);

  // Keys that are in the store, or are not any more.
  void add(const std::vector<Bytes>& keys);

 private:
  void look();
  void push(Bytes key);
  const storage::Reader& store_;
  std::mutex mutex_;
  std::vector<Bytes> added_;
  Bytes scanned_;  // keys below it are known
  std::vector<Bytes> in_hand_;
  FairQueue<Bytes> queue_{1};  // a turn of singles takes many of them
};

}  // namespace wattseal::smki
