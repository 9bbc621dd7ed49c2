// Both stores are one ordered map of octets underneath. Keys: one octet for the table, then the
// key. Table 0 holds the store's own rows ("format", "head"), table 255 the journal: sequence
// number (8 octets, big-endian) -> chain (32 octets) || fact. Private to storage.
#pragma once
#include "storage/store.h"

namespace wattseal::storage {

inline constexpr Table kOwnTable{0, "store"};
inline constexpr Table kJournalTable{255, "journal"};

Bytes flat_key(std::uint8_t table, BytesView key);
Bytes encode_head(const JournalHead& head);
JournalHead decode_head(const std::optional<Bytes>& row);  // nothing: an empty journal

// Reads tables and journal out of a flat map. `Door` is Reader or Store.
template <typename Door>
class Flat : public Door {
 public:
  std::optional<Bytes> get(Table table, BytesView key) const override {
    return flat_get(flat_key(table.id(), key));
  }
  void scan(Table table, BytesView first, BytesView last, const RowVisitor& visit) const override;
  void scan_backwards(Table table, BytesView first, BytesView last,
                      const RowVisitor& visit) const override;
  void journal(std::uint64_t from, const EntryVisitor& visit) const override;
  JournalHead journal_head() const override;

 protected:
  virtual std::optional<Bytes> flat_get(BytesView key) const = 0;
  // [first, last), keys as stored, table octet included.
  virtual void flat_scan(BytesView first, BytesView last, const RowVisitor& visit) const = 0;
  virtual void flat_scan_backwards(BytesView first, BytesView last,
                                   const RowVisitor& visit) const = 0;
};

extern template class Flat<Reader>;
extern template class Flat<Store>;

}  // namespace wattseal::storage
