#include "storage/reading.h"

#include <chrono>
#include <thread>

#include "storage/rocksdb_reads.h"

namespace wattseal::storage {
namespace {

class NoLog final : public rocksdb::Logger {  // RocksDB would write its log beside the data
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

class RocksdbReading final : public Flat<Store> {
 public:
  explicit RocksdbReading(std::shared_ptr<rocksdb::DB> db) : db_(std::move(db)) {}
  Result<std::uint64_t> commit(Batch) override { throw Fault("store: it was opened to be read"); }
  std::unique_ptr<Reader> snapshot() const override {
    return std::make_unique<RocksdbSnapshot>(db_);
  }
  void copy_to(const std::filesystem::path&) const override {
    throw Fault("store: it was opened to be read; its owner copies it");
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
  const std::shared_ptr<rocksdb::DB> db_;
};

}  // namespace

constexpr int kOpenAttempts = 20;
constexpr std::chrono::milliseconds kOpenPause{100};

Result<std::unique_ptr<Store>> open_rocksdb_store_to_read(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / "CURRENT"))
    return Refusal{"store-format"_rule, folder.filename().string() + " holds no store"};
  rocksdb::Options options;
  options.info_log = std::make_shared<NoLog>();
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.max_open_files = -1;  // all at once: the owner may remove one later
  rocksdb::DB* opened = nullptr;
  // The owner may be merging files: those that its list names are gone for a moment.
  rocksdb::Status status;
  for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
    status = rocksdb::DB::OpenForReadOnly(options, folder.string(), &opened);
    if (!status.IsCorruption() && !status.IsPathNotFound()) break;
    std::this_thread::sleep_for(kOpenPause);
  }
  must(status);
  std::shared_ptr<rocksdb::DB> db(opened);
  const std::optional<Bytes> format =
      get_from(*db, {}, flat_key(kOwnTable.id(), as_bytes("format")));
  if (!format || as_text(*format) != kFormat)
    return Refusal{"store-format"_rule, folder.filename().string() + " holds another store"};
  return std::unique_ptr<Store>(std::make_unique<RocksdbReading>(std::move(db)));
}

}  // namespace wattseal::storage
