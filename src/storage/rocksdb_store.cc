// The embedded store. RocksDB makes a batch durable in its log (one fsync) before any reader sees
// it; log files are recycled, which on this kind of disk saves a third of the fsync's time, and
// therefore a torn tail of the log is cut off at opening.
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>

#include <mutex>

#include "base/fault.h"
#include "storage/flat.h"
#include "storage/group_commit.h"
#include "storage/rocksdb_reads.h"

namespace wattseal::storage {
namespace {

rocksdb::Options options_for_the_embedded_store() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.recycle_log_file_num = 4;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.max_bgerror_resume_count = 0;  // after a failed write it is opened again, see Database
  options.max_open_files = 512;
  options.keep_log_file_num = 2;
  options.write_buffer_size = 64u << 20;
  // Most look-ups ask for what is not there: a key that was never certified, a number never used.
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = 0.02;
  // Keys of one table often come in their order: each table remembers where its last one went.
  options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = rocksdb::NewLRUCache(64u << 20);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// Of a batch as RocksDB keeps it, a little more than it takes.
std::size_t octets_of(const WriteSet& set) {
  constexpr std::size_t kOfARow = 16;
  std::size_t octets = 1024;
  for (const Batch::Change* const change : set.changes)
    octets += kOfARow + change->key.size() + (change->value ? change->value->size() : 0);
  for (const WriteSet::Entry& entry : set.entries)
    octets += kOfARow + 9 + entry.chain.size() + entry.fact->size();
  return octets;
}

// The open database. A database that failed to write once must not be written again (its log writer
// stops the process), so the next commit closes it and opens what is on disk. Until then it is read
// as before; so a full disk stops writers only, and only while it is full.
class Database {
 public:
  Database(std::filesystem::path folder, std::shared_ptr<rocksdb::DB> db)
      : folder_(std::move(folder)), db_(std::move(db)) {}

  std::shared_ptr<rocksdb::DB> get() const {
    const std::lock_guard lock(mutex_);
    if (!db_) throw Fault("store: it could not be opened again after a failed write");
    return db_;
  }
  void failed() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
  }
  void mend() {
    const std::lock_guard lock(mutex_);
    if (!failed_) return;
    if (db_ && db_.use_count() > 1)
      throw Fault("store: after a failed write it waits for its readers to end");
    if (std::filesystem::space(folder_).available < needed())
      throw Fault("store: the disk is full");
    db_.reset();
    rocksdb::DB* opened = nullptr;
    must(rocksdb::DB::Open(options_for_the_embedded_store(), folder_.string(), &opened));
    db_.reset(opened);
    failed_ = false;
  }

 private:
  // Opening writes what the logs hold into a table.
  std::uintmax_t needed() const {
    std::uintmax_t octets = 1u << 20;
    for (const std::filesystem::directory_entry& file :
         std::filesystem::directory_iterator(folder_)) {
      if (file.path().extension() == ".log") octets += file.file_size();
    }
    return octets;
  }

  const std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::shared_ptr<rocksdb::DB> db_;
  bool failed_ = false;
};

class RocksdbStore final : public Flat<Store> {
 public:
  RocksdbStore(std::filesystem::path folder, std::shared_ptr<rocksdb::DB> db)
      : database_(std::move(folder), std::move(db)) {}
  Result<std::uint64_t> commit(Batch batch) override { return commits_.commit(std::move(batch)); }
  std::unique_ptr<Reader> snapshot() const override {
    return std::make_unique<RocksdbSnapshot>(database_.get());
  }
  void copy_to(const std::filesystem::path& folder) const override {
    const std::shared_ptr<rocksdb::DB> db = database_.get();
    rocksdb::Checkpoint* made = nullptr;
    must(rocksdb::Checkpoint::Create(db.get(), &made));
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    must(checkpoint->CreateCheckpoint(folder.string()));  // flushes, and syncs files and folder
  }

 protected:
  std::optional<Bytes> flat_get(BytesView key) const override {
    return get_from(*database_.get(), {}, key);
  }
  void flat_scan(BytesView first, BytesView last, const RowVisitor& visit) const override {
    scan_from(*database_.get(), {}, first, last, visit);
  }
  void flat_scan_backwards(BytesView first, BytesView last,
                           const RowVisitor& visit) const override {
    scan_backwards_from(*database_.get(), {}, first, last, visit);
  }

 private:
  void write(const WriteSet& set) {
    rocksdb::WriteBatch batch(octets_of(set));
    // In the order of their keys the memory table finds each place near the one before. Changes of
    // one key keep their order.
    std::vector<const Batch::Change*> changes = set.changes;
    std::ranges::stable_sort(changes, [](const Batch::Change* a, const Batch::Change* b) {
      return std::tie(a->table, a->key) < std::tie(b->table, b->key);
    });
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const Batch::Change* const change = changes[i];
      // Of several changes of one key only the last is seen by anybody.
      if (i + 1 < changes.size() && changes[i + 1]->table == change->table &&
          changes[i + 1]->key == change->key)
        continue;
      const rocksdb::Slice place[] = {slice({&change->table, 1}), slice(change->key)};
      if (change->value) {
        const rocksdb::Slice value = slice(*change->value);
        must(batch.Put({place, 2}, {&value, 1}));
      } else {
        must(batch.Delete({place, 2}));
      }
    }
    Bytes key;
    for (const WriteSet::Entry& entry : set.entries) {
      key.assign(1, kJournalTable.id());
      put_be(key, entry.sequence);
      const rocksdb::Slice place = slice(key), value[] = {slice(entry.chain), slice(*entry.fact)};
      must(batch.Put({&place, 1}, {value, 2}));
    }
    must(
        batch.Put(slice(flat_key(kOwnTable.id(), as_bytes("head"))), slice(encode_head(set.head))));
    rocksdb::WriteOptions options;
    options.sync = true;
    const rocksdb::Status status = database_.get()->Write(options, &batch);
    if (!status.ok()) database_.failed();
    must(status);
  }
  // Called at the start and after a failed write.
  JournalHead head_on_disk() {
    database_.mend();
    return journal_head();
  }

  Database database_;
  GroupCommit commits_{GroupCommit::Target{
      [this](std::uint8_t table, BytesView key) { return flat_get(flat_key(table, key)); },
      [this](const WriteSet& set) { write(set); }, [this] { return head_on_disk(); }}};
};

}  // namespace

Result<std::unique_ptr<Store>> open_rocksdb_store(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const bool other_content =
      !std::filesystem::is_empty(folder) && !std::filesystem::exists(folder / "CURRENT");
  if (other_content)
    return Refusal{"store-format"_rule,
                   folder.filename().string() + " holds something else than a store"};
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(options_for_the_embedded_store(), folder.string(), &opened);
  if (status.IsIOError() && status.ToString().find("lock") != std::string::npos) {
    return Refusal{"store-in-use"_rule,
                   "another process has the store " + folder.filename().string() + " open"};
  }
  must(status);
  std::shared_ptr<rocksdb::DB> db(opened);
  const Bytes format_key = flat_key(kOwnTable.id(), as_bytes("format"));
  const std::optional<Bytes> format = get_from(*db, {}, format_key);
  if (format && as_text(*format) != kFormat)
    return Refusal{"store-format"_rule, "the store has format " + std::string(as_text(*format)) +
                                            ", this program reads " + std::string(kFormat)};
  if (!format) {
    const std::unique_ptr<rocksdb::Iterator> any(db->NewIterator({}));
    any->SeekToFirst();
    if (any->Valid())
      return Refusal{"store-format"_rule, "the folder holds another program's database"};
    rocksdb::WriteOptions sync;
    sync.sync = true;
    must(db->Put(sync, slice(format_key), slice(as_bytes(kFormat))));
  }
  return std::unique_ptr<Store>(std::make_unique<RocksdbStore>(folder, std::move(db)));
}

}  // namespace wattseal::storage
