// A store over a store: whoever derives from it changes what it changes, and the rest goes below.
#pragma once
#include "storage/store.h"

namespace wattseal::storage {

class Forwarding : public Store {
 public:
  explicit Forwarding(Store& below) : below_(below) {}
  std::optional<Bytes> get(Table table, BytesView key) const override {
    return below_.get(table, key);
  }
  void scan(Table table, BytesView first, BytesView last, const RowVisitor& visit) const override {
    below_.scan(table, first, last, visit);
  }
  void scan_backwards(Table table, BytesView first, BytesView last,
                      const RowVisitor& visit) const override {
    below_.scan_backwards(table, first, last, visit);
  }
  void journal(std::uint64_t from, const EntryVisitor& visit) const override {
    below_.journal(from, visit);
  }
  JournalHead journal_head() const override { return below_.journal_head(); }
  std::unique_ptr<Reader> snapshot() const override { return below_.snapshot(); }
  void copy_to(const std::filesystem::path& folder) const override { below_.copy_to(folder); }
  Result<std::uint64_t> commit(Batch batch) override { return below_.commit(std::move(batch)); }

 protected:
  Store& below_;
};

}  // namespace wattseal::storage
