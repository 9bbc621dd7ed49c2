// The store in memory. Readers that walk hold the version as it was: a writer that finds it read
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

// One state of all tables, and how many read it just now. Both are touched under the guard only,
// except that a reader walks the map of a version that no writer changes while it is read.
struct Version {
  Map map;
  std::size_t readers = 0;
};
using Guard = std::shared_ptr<std::mutex>;  // shared, because a snapshot may outlive its store

class Reading {
 public:
  Reading(Guard guard, const std::shared_ptr<Version>& current) : guard_(std::move(guard)) {
    const std::lock_guard lock(*guard_);
    version_ = current;
    ++version_->readers;
  }
  ~Reading() {
    const std::lock_guard lock(*guard_);
    --version_->readers;
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  const Map& map() const { return version_->map; }

 private:
  const Guard guard_;
  std::shared_ptr<Version> version_;
};

class MemorySnapshot final : public Flat<Reader> {
 public:
  MemorySnapshot(Guard guard, const std::shared_ptr<Version>& current)
      : reading_(std::move(guard), current) {}

 protected:
  std::optional<Bytes> flat_get(BytesView key) const override {
    return get_from(reading_.map(), key);
  }
  void flat_scan(BytesView first, BytesView last, const RowVisitor& visit) const override {
    scan_map(reading_.map(), first, last, visit);
  }
  void flat_scan_backwards(BytesView first, BytesView last,
                           const RowVisitor& visit) const override {
    scan_map_backwards(reading_.map(), first, last, visit);
  }

 private:
  const Reading reading_;
};

class MemoryStore final : public Flat<Store> {
 public:
  Result<std::uint64_t> commit(Batch batch) override { return commits_.commit(std::move(batch)); }
  void copy_to(const std::filesystem::path&) const override { UNREACHABLE(); }
  std::unique_ptr<Reader> snapshot() const override {
    return std::make_unique<MemorySnapshot>(guard_, version_);
  }

 protected:
  std::optional<Bytes> flat_get(BytesView key) const override {
    const std::lock_guard lock(*guard_);
    return get_from(version_->map, key);
  }
  void flat_scan(BytesView first, BytesView last, const RowVisitor& visit) const override {
    scan_map(Reading(guard_, version_).map(), first, last, visit);
  }
  void flat_scan_backwards(BytesView first, BytesView last,
                           const RowVisitor& visit) const override {
    scan_map_backwards(Reading(guard_, version_).map(), first, last, visit);
  }

 private:
  void write(const WriteSet& set) {
    const std::lock_guard lock(*guard_);
    if (version_->readers > 0) {
      const std::shared_ptr<Version> next = std::make_shared<Version>();
      next->map = version_->map;
      version_ = next;
    }
    Map& map = version_->map;
    for (const Batch::Change* change : set.changes) {
      Bytes key = flat_key(change->table, change->key);
      if (change->value)
        map[std::move(key)] = *change->value;
      else
        map.erase(key);
    }
    for (const WriteSet::Entry& entry : set.entries) {
      Bytes key, value = to_bytes(entry.chain);
      put_be(key, entry.sequence);
      append(value, *entry.fact);
      map[flat_key(kJournalTable.id(), key)] = std::move(value);
    }
    map[flat_key(kOwnTable.id(), as_bytes("head"))] = encode_head(set.head);
  }

  const Guard guard_ = std::make_shared<std::mutex>();
  std::shared_ptr<Version> version_ = std::make_shared<Version>();
  GroupCommit commits_{GroupCommit::Target{
      [this](std::uint8_t table, BytesView key) { return flat_get(flat_key(table, key)); },
      [this](const WriteSet& set) { write(set); }, [this] { return journal_head(); }}};
};

}  // namespace

std::unique_ptr<Store> memory_store() { return std::make_unique<MemoryStore>(); }

}  // namespace wattseal::storage
