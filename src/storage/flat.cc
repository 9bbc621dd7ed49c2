#include "storage/flat.h"

#include "base/check.h"

namespace wattseal::storage {
namespace {

struct Range {
  Bytes first, last;
};
Range range_of(Table table, BytesView first, BytesView last) {
  return {flat_key(table.id(), first), last.empty()
                                           ? flat_key(static_cast<std::uint8_t>(table.id() + 1), {})
                                           : flat_key(table.id(), last)};
}
RowVisitor without_table(const RowVisitor& visit) {
  return [&visit](BytesView key, BytesView value) { return visit(key.subspan(1), value); };
}

}  // namespace

Bytes flat_key(std::uint8_t table, BytesView key) {
  Bytes flat;
  flat.reserve(key.size() + 1);
  flat.push_back(table);
  append(flat, key);
  return flat;
}

Bytes encode_head(const JournalHead& head) {
  Bytes row;
  put_be(row, head.next);
  append(row, head.chain);
  return row;
}

JournalHead decode_head(const std::optional<Bytes>& row) {
  JournalHead head;
  if (!row) return head;
  CHECK(row->size() == 8 + head.chain.size());
  head.next = get_be(BytesView(*row).first(8));
  std::copy(row->begin() + 8, row->end(), head.chain.begin());
  return head;
}

template <typename Door>
void Flat<Door>::scan(Table table, BytesView first, BytesView last, const RowVisitor& visit) const {
  const Range range = range_of(table, first, last);
  flat_scan(range.first, range.last, without_table(visit));
}

template <typename Door>
void Flat<Door>::scan_backwards(Table table, BytesView first, BytesView last,
                                const RowVisitor& visit) const {
  const Range range = range_of(table, first, last);
  flat_scan_backwards(range.first, range.last, without_table(visit));
}

template <typename Door>
void Flat<Door>::journal(std::uint64_t from, const EntryVisitor& visit) const {
  Bytes first{kJournalTable.id()};
  put_be(first, from);
  flat_scan(first, {}, [&visit](BytesView key, BytesView value) {
    JournalEntry entry;
    CHECK(key.size() == 9 && value.size() >= entry.chain.size());
    entry.sequence = get_be(key.subspan(1));
    std::copy_n(value.begin(), entry.chain.size(), entry.chain.begin());
    entry.fact = to_bytes(value.subspan(entry.chain.size()));
    return visit(entry);
  });
}

template <typename Door>
JournalHead Flat<Door>::journal_head() const {
  return decode_head(this->get(kOwnTable, as_bytes("head")));
}

template class Flat<Reader>;
template class Flat<Store>;

crypto::Digest chain_next(const crypto::Digest& previous, std::uint64_t sequence, BytesView fact) {
  Bytes number;
  put_be(number, sequence);
  return crypto::sha256({previous, number, fact});
}

Bytes prefix_end(BytesView prefix) {
  Bytes end = to_bytes(prefix);
  while (!end.empty() && end.back() == 0xFF) end.pop_back();
  if (!end.empty()) ++end.back();
  return end;
}

Result<JournalHead> verify_journal(const Reader& reader) {
  JournalHead seen;
  std::optional<std::uint64_t> broken;
  reader.journal(1, [&](const JournalEntry& entry) {
    if (entry.sequence != seen.next ||
        entry.chain != chain_next(seen.chain, seen.next, entry.fact)) {
      broken = seen.next;
      return false;
    }
    seen = {seen.next + 1, entry.chain};
    return true;
  });
  if (!broken && seen != reader.journal_head()) broken = seen.next;
  if (broken)
    return Refusal{"journal-broken"_rule,
                   "entry " + std::to_string(*broken) + " is missing or was changed"};
  return seen;
}

void Batch::put(Table table, BytesView key, BytesView value) {
  changes_.push_back({table.id(), to_bytes(key), to_bytes(value)});
}
void Batch::erase(Table table, BytesView key) {
  changes_.push_back({table.id(), to_bytes(key), std::nullopt});
}
void Batch::require_absent(Table table, BytesView key, Refusal otherwise) {
  preconditions_.push_back({table.id(), to_bytes(key), std::nullopt, std::move(otherwise)});
}
void Batch::require_value(Table table, BytesView key, BytesView value, Refusal otherwise) {
  preconditions_.push_back({table.id(), to_bytes(key), to_bytes(value), std::move(otherwise)});
}
void Batch::append(BytesView fact) { facts_.push_back(to_bytes(fact)); }
void Batch::add(Batch other) {
  CHECK(!other.completion_);
  std::ranges::move(other.changes_, std::back_inserter(changes_));
  std::ranges::move(other.preconditions_, std::back_inserter(preconditions_));
  std::ranges::move(other.facts_, std::back_inserter(facts_));
}

}  // namespace wattseal::storage
