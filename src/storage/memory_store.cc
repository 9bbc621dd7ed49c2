// The store in memory. Readers that walk hold the map as it was: a writer that finds it shared
// works on a copy.
#include <map>
#include <mutex>

#include "storage/flat.h"
#include "storage/group_commit.h"

namespace wattseal::storage {
namespace {

struct OctetOrder {
  using is_transparent = void;
  bool operator()(BytesView a, BytesView b) const {
    return std::ranges::lexicographical_compare(a, b);
  }
};
using Map = std::map<Bytes, Bytes, OctetOrder>;

std::optional<Bytes> get_from(const Map& map, BytesView key) {
  const Map::const_iterator found = map.find(key);
  if (found == map.end()) return std::nullopt;
  return found->second;
}
void scan_map(const Map& map, BytesView first, BytesView last, const RowVisitor& visit) {
  const Map::const_iterator end = last.empty() ? map.end() : map.lower_bound(last);
  for (Map::const_iterator row = map.lower_bound(first); row != end && row != map.end(); ++row) {
    if (!visit(row->first, row->second)) return;
  }
}
void scan_map_backwards(const Map& map, BytesView first, BytesView last, const RowVisitor& visit) {
  Map::const_iterator row = last.empty() ? map.end() : map.lower_bound(last);
  while (row != map.begin()) {
    --row;
    if (std::ranges::lexicographical_compare(BytesView(row->first), first) ||
        !visit(row->first, row->second))
      return;
  }
}

class MemorySnapshot final : public Flat<Reader> {
 public:
  explicit MemorySnapshot(std::shared_ptr<const Map> map) : map_(std::move(map)) {}

 protected:
  std::optional<Bytes> flat_get(BytesView key) const override { return get_from(*map_, key); }
  void flat_scan(BytesView first, BytesView last, const RowVisitor& visit) const override {
    scan_map(*map_, first, last, visit);
  }
  void flat_scan_backwards(BytesView first, BytesView last,
                           const RowVisitor& visit) const override {
    scan_map_backwards(*map_, first, last, visit);
  }

 private:
  const std::shared_ptr<const Map> map_;
};

class MemoryStore final : public Flat<Store> {
 public:
  Result<std::uint64_t> commit(Batch batch) override { return commits_.commit(std::move(batch)); }
  std::unique_ptr<Reader> snapshot() const override {
    return std::make_unique<MemorySnapshot>(current());
  }

 protected:
  std::optional<Bytes> flat_get(BytesView key) const override {
    const std::lock_guard lock(mutex_);
    return get_from(*map_, key);
  }
  void flat_scan(BytesView first, BytesView last, const RowVisitor& visit) const override {
    scan_map(*current(), first, last, visit);
  }
  void flat_scan_backwards(BytesView first, BytesView last,
                           const RowVisitor& visit) const override {
    scan_map_backwards(*current(), first, last, visit);
  }

 private:
  std::shared_ptr<const Map> current() const {
    const std::lock_guard lock(mutex_);
    return map_;
  }
  void write(const WriteSet& set) {
    const std::lock_guard lock(mutex_);
    if (map_.use_count() > 1) map_ = std::make_shared<Map>(*map_);
    for (const Batch::Change* change : set.changes) {
      Bytes key = flat_key(change->table, change->key);
      if (change->value)
        (*map_)[std::move(key)] = *change->value;
      else
        map_->erase(key);
    }
    for (const WriteSet::Entry& entry : set.entries) {
      Bytes key, value = to_bytes(entry.chain);
      put_be(key, entry.sequence);
      append(value, *entry.fact);
      (*map_)[flat_key(kJournalTable.id(), key)] = std::move(value);
    }
    (*map_)[flat_key(kOwnTable.id(), as_bytes("head"))] = encode_head(set.head);
  }

  mutable std::mutex mutex_;
  std::shared_ptr<Map> map_ = std::make_shared<Map>();
  GroupCommit commits_{GroupCommit::Target{
      [this](std::uint8_t table, BytesView key) { return flat_get(flat_key(table, key)); },
      [this](const WriteSet& set) { write(set); }, [this] { return journal_head(); }}};
};

}  // namespace

std::unique_ptr<Store> memory_store() { return std::make_unique<MemoryStore>(); }

}  // namespace wattseal::storage
