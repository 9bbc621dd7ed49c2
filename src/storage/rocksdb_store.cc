// The embedded store. RocksDB makes a batch durable in its log (one fsync) before any reader sees
// it; log files are recycled, which on this kind of disk saves a third of the fsync's time, and
// therefore a torn tail of the log is cut off at opening.
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>

#include "base/fault.h"
#include "storage/flat.h"
#include "storage/group_commit.h"

namespace wattseal::storage {
namespace {

constexpr std::string_view kFormat = "wattseal-store-1";

rocksdb::Slice slice(BytesView octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}
BytesView view(const rocksdb::Slice& slice) { return as_bytes({slice.data(), slice.size()}); }
void must(const rocksdb::Status& status) {
  if (!status.ok()) throw Fault("store: " + status.ToString());
}

std::optional<Bytes> get_from(rocksdb::DB& db, const rocksdb::ReadOptions& options, BytesView key) {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = db.Get(options, db.DefaultColumnFamily(), slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  must(status);
  return to_bytes(view(value));
}

void scan_from(rocksdb::DB& db, rocksdb::ReadOptions options, BytesView first, BytesView last,
               const RowVisitor& visit) {
  const rocksdb::Slice upper = slice(last);
  if (!last.empty()) options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> row(db.NewIterator(options));
  for (row->Seek(slice(first)); row->Valid(); row->Next()) {
    if (!visit(view(row->key()), view(row->value()))) return;
  }
  must(row->status());
}

void scan_backwards_from(rocksdb::DB& db, rocksdb::ReadOptions options, BytesView first,
                         BytesView last, const RowVisitor& visit) {
  const rocksdb::Slice lower = slice(first);
  if (!first.empty()) options.iterate_lower_bound = &lower;
  const std::unique_ptr<rocksdb::Iterator> row(db.NewIterator(options));
  if (last.empty())
    row->SeekToLast();
  else
    row->SeekForPrev(slice(last));
  if (!last.empty() && row->Valid() && equal(view(row->key()), last)) row->Prev();
  for (; row->Valid(); row->Prev()) {
    if (!visit(view(row->key()), view(row->value()))) return;
  }
  must(row->status());
}

class RocksdbSnapshot final : public Flat<Reader> {
 public:
  explicit RocksdbSnapshot(std::shared_ptr<rocksdb::DB> db) : db_(std::move(db)) {
    options_.snapshot = db_->GetSnapshot();
  }
  ~RocksdbSnapshot() override { db_->ReleaseSnapshot(options_.snapshot); }

 protected:
  std::optional<Bytes> flat_get(BytesView key) const override {
    return get_from(*db_, options_, key);
  }
  void flat_scan(BytesView first, BytesView last, const RowVisitor& visit) const override {
    scan_from(*db_, options_, first, last, visit);
  }
  void flat_scan_backwards(BytesView first, BytesView last,
                           const RowVisitor& visit) const override {
    scan_backwards_from(*db_, options_, first, last, visit);
  }

 private:
  const std::shared_ptr<rocksdb::DB> db_;
  rocksdb::ReadOptions options_;
};

class RocksdbStore final : public Flat<Store> {
 public:
  explicit RocksdbStore(std::shared_ptr<rocksdb::DB> db) : db_(std::move(db)) {}
  Result<std::uint64_t> commit(Batch batch) override { return commits_.commit(std::move(batch)); }
  std::unique_ptr<Reader> snapshot() const override {
    return std::make_unique<RocksdbSnapshot>(db_);
  }
  void copy_to(const std::filesystem::path& folder) const override {
    rocksdb::Checkpoint* made = nullptr;
    must(rocksdb::Checkpoint::Create(db_.get(), &made));
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    must(checkpoint->CreateCheckpoint(folder.string()));  // flushes, and syncs files and folder
  }

 protected:
  std::optional<Bytes> flat_get(BytesView key) const override { return get_from(*db_, {}, key); }
  void flat_scan(BytesView first, BytesView last, const RowVisitor& visit) const override {
    scan_from(*db_, {}, first, last, visit);
  }
  void flat_scan_backwards(BytesView first, BytesView last,
                           const RowVisitor& visit) const override {
    scan_backwards_from(*db_, {}, first, last, visit);
  }

 private:
  void write(const WriteSet& set) {
    rocksdb::WriteBatch batch;
    for (const Batch::Change* change : set.changes) {
      const Bytes key = flat_key(change->table, change->key);
      must(change->value ? batch.Put(slice(key), slice(*change->value)) : batch.Delete(slice(key)));
    }
    Bytes key, value;
    for (const WriteSet::Entry& entry : set.entries) {
      key.assign(1, kJournalTable.id());
      put_be(key, entry.sequence);
      value = to_bytes(entry.chain);
      append(value, *entry.fact);
      must(batch.Put(slice(key), slice(value)));
    }
    must(
        batch.Put(slice(flat_key(kOwnTable.id(), as_bytes("head"))), slice(encode_head(set.head))));
    rocksdb::WriteOptions options;
    options.sync = true;
    must(db_->Write(options, &batch));
  }
  // Called at the start and after a failed write: RocksDB then refuses writes until it is told to
  // go on.
  JournalHead head_on_disk() {
    must(db_->Resume());
    return journal_head();
  }

  const std::shared_ptr<rocksdb::DB> db_;
  GroupCommit commits_{GroupCommit::Target{
      [this](std::uint8_t table, BytesView key) { return flat_get(flat_key(table, key)); },
      [this](const WriteSet& set) { write(set); }, [this] { return head_on_disk(); }}};
};

rocksdb::Options options_for_the_embedded_store() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.recycle_log_file_num = 4;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.max_open_files = 512;
  options.keep_log_file_num = 2;
  options.write_buffer_size = 64u << 20;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = rocksdb::NewLRUCache(64u << 20);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

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
  return std::unique_ptr<Store>(std::make_unique<RocksdbStore>(std::move(db)));
}

}  // namespace wattseal::storage
