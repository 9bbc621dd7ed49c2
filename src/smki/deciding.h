// What the steps of the registration authority share: submit() stores, decide() decides what was
// stored, admit() and keep() do both for single requests (express.h). Private to smki.
#pragma once
#include <span>

#include "smki/intake.h"
#include "smki/key_reuse.h"
#include "smki/office_records.h"

namespace wattseal::smki {

// Refuses ra-officer-required.
Status check_officer(const storage::Reader& reader, const Party& party, PersonId id, UtcTime now);

struct Digests {
  crypto::Digest all{};
  Bytes halves;  // the first half of each request's digest
};
Digests digests_of(const std::vector<Bytes>& requests);

// A submission on its way to the store.
struct NewBatch {
  explicit NewBatch(const Submission& the_submission) : submission(the_submission) {}
  const Submission& submission;
  std::map<std::uint32_t, Refusal> refused;
  Digests digests;
  BatchId id = 0;
  UtcTime now;
  std::int64_t milliseconds = 0;
  UtcTime due;
  std::uint32_t decided = 0;  // rows that wait no more when it is stored
  bool express = false;       // judged already: it does not stand in open_batches
  std::uint32_t rows() const { return static_cast<std::uint32_t>(submission.requests.size()); }
  Bytes key() const;  // of submissions
};
// The batch but for its requests: its decisions, its refused rows, the facts. It is open as long as
// a row waits for its answer. Preconditions refuse ra-submission-race.
void put_batch(storage::Batch& batch, const NewBatch& made);

struct Decision {
  std::uint32_t row = 0;
  std::optional<Refusal> refusal;
  Asked asked;
  Bytes key;                 // of keys_seen
  crypto::Claim possession;  // still to be verified
};
// Everything that one request can be judged by on its own, but for the proof of possession, which
// costs more than all the rest together and is verified for many at once.
Result<Decision> judge(BytesView der, const Party& party, const storage::Reader& reader,
                       const KeyReusePolicy& key_reuse);
void check_possession(std::span<Decision* const> judged);
// Whether an authorised request waits until people have approved it.
bool needs_approval(const Party& party, const Asked& asked);

// Hands authorised rows to the certification authority.
void hand_over(storage::Batch& batch, const WorkKey& key, const std::vector<AuthorisedRow>& rows,
               TraceId trace, UtcTime now);

// A single request that is judged before it is stored.
struct Admission {
  explicit Admission(const Submission& the_submission) : made(the_submission) {}
  NewBatch made;
  std::optional<Refusal> turned_away;  // nothing is kept of it
  bool ordinary = false;  // must wait for people or for its turn: goes through submit()
  std::optional<Intake::Room> room;
  AuthorisedRow row;  // when it is neither of these and not refused in `made`
  bool kept() const { return !turned_away && !ordinary; }
  bool authorised() const { return kept() && made.refused.empty(); }
  // Orders of ca_work start at 1: only a restart, or a step that failed, brings this one to the
  // certification authority's queue.
  WorkKey work_key() const {
    return {0, Lane::single, made.submission.subscriber, made.id, row.row};
  }
};

}  // namespace wattseal::smki
