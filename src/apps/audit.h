// The audit of a store: the journal's chain, and what its facts must add up to. Reads only.
#pragma once
#include "storage/store.h"

namespace wattseal::apps {

struct AuditReport {
  storage::JournalHead head;
  std::uint64_t certificates_published = 0;  // each with its intent and its issue before it
  std::uint64_t requests_accepted = 0, requests_ended = 0;
  std::uint64_t requests_waiting() const { return requests_accepted - requests_ended; }
};
// Refuses journal-broken, audit-certificate (published without intent or issue, or twice),
// audit-request (ended without having been accepted, or more often). A critical request is accepted
// twice under one RequestID: to be transformed, then signed.
Result<AuditReport> audit(const storage::Reader& reader);

}  // namespace wattseal::apps
