// The registration authority decides who may have which certificate. It checks each signing request
// (structure, possession, profile, eligibility, key) and authorises it or refuses it by name; it
// never sees a CA key. A submission is durable when submit() returns and is decided row by row: a
// bad row harms no other. Restart-safe: decide() continues where it was. Sources: L3, RAPP, ¶50,
// ¶54, ¶93; spec/smki.md 1.10, 3.2, 4. Rules: csr-*, ra-* in data/rules/smki.tsv. Threads: submit,
// party, status and results from any thread; one thread calls decide().
#pragma once
#include <memory>
#include <span>

#include "base/parallel.h"
#include "base/world.h"
#include "smki/key_reuse.h"
#include "smki/profiles.h"
#include "storage/store.h"

namespace wattseal::smki {

using PersonId = std::uint64_t;  // 0: nobody
using ActId = std::uint64_t;

struct Party {
  Eui64 id;  // the entity that submits
  std::string name;
  std::string kind;  // as in data/certificate_eligibility.tsv: "supplier", "network-operator",
                     // "agent", "dcc", "manufacturer"; or data/document_kinds.tsv
  std::vector<UserRole> user_roles;
  std::vector<EuiRange>
      allotted;  // entities and devices it may subscribe for; organisations include their own id
  // Its requests come from its officers and its Organisation Certificates wait for approval
  // (office.h). Parties that the platform registers for itself do without.
  bool dual_control = false;
  bool entry_tests_passed = true;                                 // L7
  bool device_subscriber = true, organisation_subscriber = true;  // Authorised Subscriber for
};

using BatchId = std::uint64_t;

struct RowRefusal {
  std::uint32_t row = 0;
  Refusal refusal;
};

struct Submission {
  Eui64 subscriber;
  std::vector<Bytes>
      requests;  // PKCS#10 DER; 1 is a single request, 2 to limit batch_rows_max a batched one
  TraceId trace;
  PersonId person = 0;  // the officer who submits; needed where the party is under dual control
  std::string address = {};  // where from
  std::vector<RowRefusal> unreadable =
      {};  // rows that are refused already, in order (batch_file.h)
};

enum class RowState { waiting, authorised, refused, issued, published, held };
std::string_view text(RowState state);
struct RowResult {
  std::uint32_t row = 0;  // from 0
  RowState state = RowState::waiting;
  std::optional<CertificateSerial> serial;
  std::string rule, detail;  // when refused
  ActId act = 0;             // when held: the act that waits for approval
};
struct BatchStatus {
  BatchId id = 0;
  Eui64 subscriber;
  std::uint32_t rows = 0, decided = 0, refused = 0, issued = 0, published = 0;
  std::uint32_t held = 0;                                  // wait for people
  std::int64_t received_milliseconds = 0;                  // since 1970
  std::optional<std::int64_t> answered_milliseconds = {};  // when every row had its answer
  UtcTime due;                                             // target response time
  bool complete() const { return refused + published == rows; }
  bool settled() const { return refused + published + held == rows; }
};

// What one subscriber may fill of the queue; all of them together. Source: D-06; ¶47 gives none.
struct IntakeLimits {
  std::uint64_t submissions_per_minute, waiting_rows_subscriber, waiting_submissions, waiting_rows;
};
IntakeLimits standing_intake_limits();  // of data/limits.tsv
struct QuotaUse {
  IntakeLimits limits;
  std::uint64_t rows = 0, submissions = 0, this_minute = 0;  // the subscriber's, waiting
  std::uint64_t rows_of_all = 0;
  unsigned seconds_to_next_minute = 0;
};

class Intake;
struct Admission;

class RegistrationAuthority {
 public:
  RegistrationAuthority(const World& world, storage::Store& store, Workers& workers,
                        IntakeLimits limits = standing_intake_limits(),
                        std::span<const KeyReuseRow> key_reuse = key_reuse_rows());
  ~RegistrationAuthority();

  // Recorded by the registration authority's own act; replacing a party's record is allowed and
  // journalled.
  Status register_party(const Party& party, TraceId trace);
  Result<Party> party(Eui64 id) const;  // refuses ra-unknown-subscriber
  std::vector<Party> parties() const;

  // Refuses ra-unknown-subscriber, ra-officer-required, ra-batch-empty, ra-batch-too-large,
  // ra-quota-rate, ra-quota-rows, ra-queue-full; nothing is kept then. A row that is too long
  // (csr-too-large) or unreadable is refused and harms no other. The same requests from the same
  // subscriber give the same batch again (safe to repeat after a lost answer).
  Result<BatchId> submit(const Submission& submission);
  QuotaUse quota(Eui64 subscriber) const;
  // Decides up to `rows_max` waiting rows: single requests of all subscribers, or a part of one
  // batch; subscribers take turns. Returns how many; 0 during planned maintenance.
  std::size_t decide(std::size_t rows_max);
  // Journals batch_completed for every batch whose rows all have an answer. Returns how many.
  std::size_t note_answered();
  // Single requests that need neither people nor a turn (express.h), judged before they are stored:
  // says of each whether it is authorised, refused, turned away (as submit() would) or ordinary,
  // for submit(). Stores nothing; keep() adds one that is authorised or refused to a commit, with
  // its facts. Any thread.
  void admit(std::span<Admission* const> all);
  void keep(storage::Batch& batch, const Admission& one);
  // Refuses the held rows whose approval lapsed. Returns how many.
  std::size_t lapse_held();

  Result<BatchStatus> status(BatchId batch) const;  // refuses ra-unknown-batch
  std::vector<RowResult> results(BatchId batch, std::uint32_t from, std::uint32_t rows_max) const;

 private:
  const World& world_;
  storage::Store& store_;
  Workers& workers_;
  std::unique_ptr<Intake> intake_;
  std::span<const KeyReuseRow> key_reuse_;
};

}  // namespace wattseal::smki
