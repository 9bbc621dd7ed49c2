// A local copy of the public log and of the repository that follows from it ("locally held copies",
// ¶53): fetches what is new, believes nothing that the signed checkpoint does not prove, keeps it
// in a store of its own, and answers look-ups from there when the repository cannot be reached. The
// copy is itself a repository: its journal holds the public facts, its tables are made from them by
// the same code. Every step is one atomic batch; a sync that is cut short goes on where it stopped.
// Source: features; C2SP tlog-tiles. Threads: one. Rules: mirror-answer,
// mirror-rollback, mirror-fork, mirror-entries, mirror-other-log, mirror-none, log-entry, tlog-*.
#pragma once
#include "smki/log.h"
#include "smki/repository.h"

namespace wattseal::smki {

// Gets "/log/…" from the repository: the body of a 200 answer of at most so many octets. Refuses
// mirror-answer; throws Fault when nobody answers.
using Fetch = std::function<Result<Bytes>(const std::string& path, std::uint64_t octets_max)>;

struct MirrorReport {
  std::uint64_t size = 0, added = 0;
  tlog::Hash root{};
  UtcTime signed_at, fetched_at;
};

class Mirror {
 public:
  // `trusted` signs the checkpoints of the log; a store mirrors one log for ever. Refuses
  // mirror-other-log.
  static Result<Mirror> open(const World& world, storage::Store& store,
                             const tlog::Verifier& trusted);
  // Whose log the store mirrors. Refuses mirror-none.
  static Result<tlog::Verifier> key_of(const storage::Reader& store);
  // Brings the copy to the newest checkpoint and proves it: afterwards the copy's own tree has the
  // size and root that the log signed. What was proved before a refusal or Fault is kept.
  Result<MirrorReport> sync(const Fetch& fetch);
  // As of the last complete sync. Refuses mirror-none.
  static Result<MirrorReport> report(const storage::Reader& store);
  // Reads every entry of the copy again and compares tree and checkpoint. Refuses mirror-entries.
  static Result<MirrorReport> check(const storage::Reader& store);

 private:
  Mirror(const World& world, storage::Store& store, const tlog::Verifier& trusted);
  Result<tlog::Checkpoint> newest(const Fetch& fetch, std::string& note) const;
  Status not_less_than_kept(const tlog::Checkpoint& newest) const;
  Status take_lists() const;

  const World* world_;
  storage::Store* store_;
  tlog::Verifier trusted_;
  Repository repository_;
};

}  // namespace wattseal::smki
