// Signed checkpoints of the journal: "so many facts, and this chain value after the last of them",
// signed by a key of its own and kept as a fact, in a table, and outside the store where the
// operator says. The chain alone shows a careless change; a checkpoint also shows one whose author
// computed the chain again, and facts cut off the end. Threads: one signs. Rules: audit-truncated,
// audit-checkpoint, tlog-*. Source: docs/adr/0010; K-16.
#pragma once
#include <filesystem>

#include "storage/store.h"
#include "tlog/note.h"

namespace wattseal::apps {

inline constexpr std::string_view kJournalOrigin = "wattseal.local/journal";
inline constexpr std::string_view kJournalKeyLabel = "audit.checkpoint";

class JournalSigner {
 public:
  // `outside`: a file that is replaced with each new checkpoint; empty: none.
  JournalSigner(const World& world, storage::Store& store, crypto::KeyHandle key,
                std::filesystem::path outside);
  // Signs when the journal grew by limit journal_checkpoint_facts since the last checkpoint, or
  // grew at all and that one is older than limit journal_checkpoint_minutes; returns whether it
  // did.
  // Writes the last one outside again when that failed, or was another process's.
  bool sign_when_due();
  // The signed note. Durable, inside and outside, when it returns.
  std::string sign();
  tlog::Verifier verifier() const { return {std::string(kJournalOrigin), key_->public_point()}; }

 private:
  void put_outside(const std::string& note);
  const World& world_;
  storage::Store& store_;
  const crypto::KeyHandle key_;
  const std::filesystem::path outside_;
  std::string written_;  // the note that stands outside, as far as we know
};

struct CheckpointReport {
  std::uint64_t checkpoints = 0;      // in the journal, all of them right
  std::uint64_t covered = 0;          // facts under the last signature, that outside included
  std::optional<tlog::Verifier> key;  // whom we believed; nothing: there are no checkpoints
  bool key_given = false;
};
// Compares a journal whose chain holds with every checkpoint in it and with the one from outside.
// Without `trusted` the key that the store names is believed, which proves nothing against somebody
// who could write the store. Refuses audit-truncated and audit-checkpoint with the sequences
// between which something was changed, tlog-* for what is no checkpoint by that key.
Result<CheckpointReport> check_checkpoints(const storage::Reader& reader,
                                           const std::optional<tlog::Verifier>& trusted,
                                           const std::optional<std::string>& outside);

}  // namespace wattseal::apps
