// Tables made again from the journal and compared with what the store holds: the proof that the
// journal is the truth and a table only its shadow, and the way back when a table is damaged. What
// cannot be made from facts (work under way, whose requests and messages the journal holds by
// digest only) is named, never passed over. Source: docs/adr/0012. Rules: journal-broken,
// audit-rebuild. Threads: one; nobody else may write the source.
#pragma once
#include "base/world.h"
#include "storage/store.h"

namespace wattseal::apps {

struct TableVerdict {
  enum class Kind { same, differs, not_derived };
  std::string table;
  Kind kind = Kind::same;
  std::uint64_t rows = 0;  // in the source
  std::string detail;      // the first row that differs, or why it is not derived
};

struct RebuildReport {
  storage::JournalHead head;
  std::vector<TableVerdict> tables;  // those that hold rows on either side
  Status status() const;             // refuses audit-rebuild, naming the tables that differ
};

// Fills `into`, which must be empty: the same journal, every table that follows from it, and a copy
// of those that do not. Throws Fault when a fact lacks what its kind has.
Result<RebuildReport> rebuild(const World& world, const storage::Reader& source,
                              storage::Store& into);

}  // namespace wattseal::apps
