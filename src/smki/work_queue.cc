#include "smki/work_queue.h"

namespace wattseal::smki {

std::optional<std::pair<Bytes, Work>> WorkQueue::next() {
  store_.scan(tables::ca_work, scanned_, {}, [&](BytesView key, BytesView) {
    const WorkKey parts = WorkKey::read(key);
    queue_.push(parts.lane, parts.subscriber, to_bytes(key));
    scanned_ = to_bytes(key);
    scanned_.push_back(0);  // the next possible key
    return true;
  });
  for (;;) {
    if (in_hand_.empty()) {
      const std::optional<Lane> lane = queue_.next_lane();
      if (!lane) return {};
      in_hand_ = queue_.take(*lane);
    }
    if (const std::optional<Bytes> work = store_.get(tables::ca_work, in_hand_))
      return std::pair(in_hand_, decode_work(*work));
    in_hand_.clear();
  }
}

}  // namespace wattseal::smki
