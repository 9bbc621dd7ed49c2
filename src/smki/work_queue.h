// The order in which the certification authority takes chunks of authorised rows. Private to smki.
// Keys of ca_work only grow, so each is read once, in order, and waits in memory by subscriber;
// what is in memory is found again after a restart. One thread.
#pragma once
#include "smki/fair_queue.h"
#include "smki/records.h"

namespace wattseal::smki {

class WorkQueue {
 public:
  explicit WorkQueue(const storage::Reader& store) : store_(store) {}
  // The chunks whose turn it is, with their keys in ca_work: single requests of many subscribers,
  // at most `rows_max`, or one chunk of a batch; those before again while they are not done (their
  // step failed). Empty: nothing waits.
  std::vector<std::pair<Bytes, Work>> next(std::size_t rows_max);

 private:
  const storage::Reader& store_;
  Bytes scanned_;  // keys below it are known
  std::vector<Bytes> in_hand_;
  FairQueue<Bytes> queue_{1};  // a turn of singles takes many of them
};

}  // namespace wattseal::smki
