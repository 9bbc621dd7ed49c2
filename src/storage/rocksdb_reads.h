// Reading RocksDB as one ordered map, for the store and for who only reads one. Private to storage.
#pragma once
#include <rocksdb/db.h>

#include "base/fault.h"
#include "storage/flat.h"

namespace wattseal::storage {

inline constexpr std::string_view kFormat = "wattseal-store-1";

inline rocksdb::Slice slice(BytesView octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}
inline BytesView view(const rocksdb::Slice& slice) {
  return as_bytes({slice.data(), slice.size()});
}
inline void must(const rocksdb::Status& status) {
  if (!status.ok()) throw Fault("store: " + status.ToString());
}

inline std::optional<Bytes> get_from(rocksdb::DB& db, const rocksdb::ReadOptions& options,
                                     BytesView key) {
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = db.Get(options, db.DefaultColumnFamily(), slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  must(status);
  return to_bytes(view(value));
}

inline void scan_from(rocksdb::DB& db, rocksdb::ReadOptions options, BytesView first,
                      BytesView last, const RowVisitor& visit) {
  const rocksdb::Slice upper = slice(last);
  if (!last.empty()) options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> row(db.NewIterator(options));
  for (row->Seek(slice(first)); row->Valid(); row->Next()) {
    if (!visit(view(row->key()), view(row->value()))) return;
  }
  must(row->status());
}

inline void scan_backwards_from(rocksdb::DB& db, rocksdb::ReadOptions options, BytesView first,
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

}  // namespace wattseal::storage
