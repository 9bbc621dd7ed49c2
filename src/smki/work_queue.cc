#include "smki/work_queue.h"

namespace wattseal::smki {

namespace {
constexpr std::uint64_t kFirstOrder = 1;
}

WorkQueue::WorkQueue(const storage::Reader& store) : store_(store) {
  look();
  Bytes first;
  put_be(first, kFirstOrder);
  scanned_ = std::max(scanned_, first);
}

void WorkQueue::add(const std::vector<Bytes>& keys) {
  const std::lock_guard lock(mutex_);
  added_.insert(added_.end(), keys.begin(), keys.end());
}

void WorkQueue::push(Bytes key) {
  const WorkKey parts = WorkKey::read(key);
  queue_.push(parts.lane, parts.subscriber, std::move(key));
}

void WorkQueue::look() {
  store_.scan(tables::ca_work, scanned_, {}, [&](BytesView key, BytesView) {
    push(to_bytes(key));
    scanned_ = to_bytes(key);
    scanned_.push_back(0);  // the next possible key
    return true;
  });
}

std::vector<std::pair<Bytes, Work>> WorkQueue::next(std::size_t rows_max) {
  look();
  {
    const std::lock_guard lock(mutex_);
    for (Bytes& key : added_) push(std::move(key));
    added_.clear();
  }
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
