// The tables of SMKI made again from the facts of the journal. Facts come one by one, in order.
// Indexes and log are made by the repository's own code, lists at the end. Work under way needs the
// source's contents, which facts hold the digests of (replay_work.h). Source: docs/adr/0012.
// Throws Fault when a fact lacks what its kind has. Threads: one.
#pragma once
#include "smki/replay_work.h"
#include "storage/changes.h"
#include "terms/facts.h"

namespace wattseal::smki {

class Replay {
 public:
  void see(storage::Changes& rows, const FactView& fact);
  // After the last fact: the work that is under way. Returns what cannot be made again.
  std::vector<LostRow> finish(storage::Changes& rows, const storage::Reader& source) const {
    return work_.finish(rows, source);
  }
  // After the last fact: the newest list of each authority, octet for octet. Refuses log-entry.
  static Status lists(storage::Store& into);

 private:
  void see_row(storage::Changes& rows, const FactView& fact);
  void see_authority(storage::Changes& rows, const FactView& fact);
  void maintenance(storage::Changes& rows, const FactView& fact);
  std::map<std::uint64_t, UtcTime> planned_;        // maintenance in the calendar -> its end
  std::map<CertificateSerial, Bytes> authorities_;  // certificates of authorities to be established
  std::map<std::string, std::uint32_t> generations_;  // of each profile
  ReplayWork work_;
};

}  // namespace wattseal::smki
