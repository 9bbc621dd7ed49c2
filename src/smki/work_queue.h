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
  // The next chunk; the one before again while it is not done (its step failed).
  std::optional<std::pair<Bytes, Work>> next();

 private:
  const storage::Reader& store_;
  Bytes scanned_;  // keys below it are known
  Bytes in_hand_;
  FairQueue<Bytes> queue_{256};  // a single is a chunk of its own
};

}  // namespace wattseal::smki
