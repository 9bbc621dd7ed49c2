// Rows that were changed and not committed yet, over a reader: what is read sees them. For code
// that makes tables again from many facts and commits them in large steps. Values; one thread.
#pragma once
#include <map>

#include "storage/store.h"

namespace wattseal::storage {

class Changes {
 public:
  explicit Changes(const Reader& before) : before_(before) {}
  std::optional<Bytes> get(Table table, BytesView key) const {
    const auto found = rows_.find({table.id(), to_bytes(key)});
    return found == rows_.end() ? before_.get(table, key) : found->second.value;
  }
  void put(Table table, BytesView key, BytesView value) {
    rows_.insert_or_assign({table.id(), to_bytes(key)}, Row{table, to_bytes(value)});
  }
  void erase(Table table, BytesView key) {
    rows_.insert_or_assign({table.id(), to_bytes(key)}, Row{table, std::nullopt});
  }
  // Moves all changes into the batch.
  void take(Batch& batch) {
    for (const auto& [key, row] : rows_) {
      if (row.value)
        batch.put(row.table, key.second, *row.value);
      else
        batch.erase(row.table, key.second);
    }
    rows_.clear();
  }

 private:
  struct Row {
    Table table;
    std::optional<Bytes> value;  // nothing: erased
  };
  const Reader& before_;
  std::map<std::pair<std::uint8_t, Bytes>, Row> rows_;
};

}  // namespace wattseal::storage
