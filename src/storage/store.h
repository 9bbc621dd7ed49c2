// One door to durable state: keyed tables and one append-only, hash-chained journal, changed
// together by atomic batches. Implementations: memory (tests, simulation) and RocksDB (embedded
// default); the door is written so that PostgreSQL can stand behind it: a commit is one
// transaction, preconditions are unique constraints or conditional updates, scans are key ranges.
// Durable: commit() returns after the batch is on disk (memory: visible). Many waiting callers
// share one fsync (group commit). Visible: a batch is seen by readers only after it is durable, all
// of it at once. Threads: every member may be called from any thread. A second process cannot open
// the same embedded store. Errors: the refusal that a violated precondition names; Fault when the
// disk or database fails, after which the batch may or may not be there: callers re-read before
// they repeat. A store that failed to write is read as before and written again as soon as the disk
// takes it.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/crypto.h"

namespace wattseal::storage {

// Tables are named by a short constant; names are part of the on-disk format. All of them stand in
// terms/tables.h.
class Table {
 public:
  constexpr explicit Table(std::uint8_t id, const char* name) : id_(id), name_(name) {}
  constexpr std::uint8_t id() const { return id_; }
  constexpr std::string_view name() const { return name_; }

 private:
  std::uint8_t id_;
  std::string_view name_;
};

// A batch of changes. Preconditions are checked against the state at the moment the batch is
// applied.
class Batch {
 public:
  void put(Table table, BytesView key, BytesView value);
  void erase(Table table, BytesView key);
  // The key must not exist. On violation the whole batch is refused with `otherwise`.
  void require_absent(Table table, BytesView key, Refusal otherwise);
  // The key must hold exactly this value (compare-and-set).
  void require_value(Table table, BytesView key, BytesView value, Refusal otherwise);
  // Appends a fact to the journal; facts of a batch are consecutive and in order.
  void append(BytesView fact);
  // Everything of another batch, after what is here already. REQUIRES that the other one is
  // complete.
  void add(Batch other);
  // What follows from the batch's place in the journal: called when that is known and the
  // preconditions hold, before anything is written, to add changes and facts after those that are
  // there. `first` is the sequence of the batch's first fact. What the store shows then is
  // everything before the batch. Called by any thread, while commit() is waited for, under the lock
  // of all commits: must be short, may read the store, never commits. May throw Fault.
  using Completion = std::function<void(Batch& batch, std::uint64_t first)>;
  void complete_when_placed(Completion completion) { completion_ = std::move(completion); }
  const Completion& completion() const { return completion_; }
  bool empty() const {
    return changes_.empty() && preconditions_.empty() && facts_.empty() && !completion_;
  }

  struct Change {
    std::uint8_t table;
    Bytes key;
    std::optional<Bytes> value;  // nothing: erased
  };
  struct Precondition {
    std::uint8_t table;
    Bytes key;
    std::optional<Bytes> value;  // nothing: must be absent
    Refusal otherwise;
  };
  const std::vector<Change>& changes() const { return changes_; }
  const std::vector<Precondition>& preconditions() const { return preconditions_; }
  const std::vector<Bytes>& facts() const { return facts_; }

 private:
  std::vector<Change> changes_;
  std::vector<Precondition> preconditions_;
  std::vector<Bytes> facts_;
  Completion completion_;
};

struct JournalHead {
  std::uint64_t next = 1;  // sequence number the next fact will get; the first is 1
  crypto::Digest chain{};  // all zero before the first
  friend bool operator==(const JournalHead&, const JournalHead&) = default;
};
struct JournalEntry {
  std::uint64_t sequence = 0;
  crypto::Digest chain{};  // SHA-256(previous chain || sequence as 8 octets || fact)
  Bytes fact;
};
crypto::Digest chain_next(const crypto::Digest& previous, std::uint64_t sequence, BytesView fact);

// Return false to stop early.
using RowVisitor = std::function<bool(BytesView key, BytesView value)>;
using EntryVisitor = std::function<bool(const JournalEntry& entry)>;

class Reader {  // a consistent view
 public:
  virtual ~Reader() = default;
  virtual std::optional<Bytes> get(Table table, BytesView key) const = 0;
  // Keys in [first, last) in octet order; an empty `last` means the end of the table.
  virtual void scan(Table table, BytesView first, BytesView last,
                    const RowVisitor& visit) const = 0;
  // As scan, from the greatest key below `last` downwards to `first`.
  virtual void scan_backwards(Table table, BytesView first, BytesView last,
                              const RowVisitor& visit) const = 0;
  virtual void journal(std::uint64_t from, const EntryVisitor& visit) const = 0;
  virtual JournalHead journal_head() const = 0;
};

class Store : public Reader {
 public:
  // Returns the sequence number of the batch's first fact (0 when it has none).
  virtual Result<std::uint64_t> commit(Batch batch) = 0;
  virtual std::unique_ptr<Reader> snapshot() const = 0;
  // Writes what is durable at this moment to a new folder that open_rocksdb_store can open, while
  // others read and commit. Durable when it returns. A store in memory has nothing to copy: CHECKs.
  virtual void copy_to(const std::filesystem::path& folder) const = 0;
};

std::unique_ptr<Store> memory_store();
// Creates the folder when it is missing. Refuses store-in-use (another process has it),
// store-format (not ours or newer).
Result<std::unique_ptr<Store>> open_rocksdb_store(const std::filesystem::path& folder);

// The end of the range of keys that start with `prefix`.
Bytes prefix_end(BytesView prefix);

// Walks the whole journal and recomputes the chain. Refuses journal-broken with the first wrong
// sequence number.
Result<JournalHead> verify_journal(const Reader& reader);

}  // namespace wattseal::storage
