// The tables of SMKI made again from the facts of the journal. Facts come one by one, in order.
// Indexes and log are made by the repository's own code, lists at the end. Source: docs/adr/0012.
// Throws Fault when a fact lacks what its kind has. Threads: one.
#pragma once
#include "storage/changes.h"
#include "terms/facts.h"

namespace wattseal::smki {

class Replay {
 public:
  void see(storage::Changes& rows, const FactView& fact);
  // After the last fact: the newest list of each authority, octet for octet. Refuses log-entry.
  static Status lists(storage::Store& into);

 private:
  void maintenance(storage::Changes& rows, const FactView& fact);
  std::map<std::uint64_t, UtcTime> planned_;        // maintenance in the calendar -> its end
  std::map<CertificateSerial, Bytes> authorities_;  // certificates of authorities to be established
};

}  // namespace wattseal::smki
