#include "smki/work_queue.h"

namespace wattseal::smki {

std::vector<std::pair<Bytes, Work>> WorkQueue::next(std::size_t rows_max) {
  store_.scan(tables::ca_work, scanned_, {}, [&](BytesView key, BytesView) {
    const WorkKey parts = WorkKey::read(key);
    queue_.push(parts.lane, parts.subscriber, to_bytes(key));
    scanned_ = to_bytes(key);
    scanned_.push_back(0);  // the next possible key
    return true;
  });
  std::vector<std::pair<Bytes, Work>> chunks;
  for (;;) {
    for (const Bytes& key : in_hand_) {
      if (const std::optional<Bytes> work = store_.get(tables::ca_work, key))
        chunks.emplace_back(key, decode_work(*work));
    }
    if (!chunks.empty()) return chunks;
    in_hand_.clear();
    const std::optional<Lane> lane = queue_.next_lane();
    if (!lane) return {};
    const std::size_t most = *lane == Lane::single ? rows_max : 1;
    while (in_hand_.size() < most && !queue_.empty(*lane)) in_hand_.push_back(queue_.take(*lane));
  }
}

}  // namespace wattseal::smki
