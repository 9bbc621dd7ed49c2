// The registration authority decides who may have which certificate. It checks each signing request
// (structure, possession, profile, eligibility, key) and authorises it or refuses it by name; it
// never sees a CA key. A submission is durable when submit() returns and is decided row by row: a
// bad row harms no other. Restart-safe: decide() continues where it was. Sources: L3, RAPP, ¶50,
// ¶54, ¶93; spec/smki.md 1.10, 3.2, 4. Rules: csr-*, ra-* in data/rules/smki.tsv. Threads: submit,
// party, status and results from any thread; one thread calls decide().
#pragma once
#include "base/parallel.h"
#include "base/world.h"
#include "smki/profiles.h"
#include "storage/store.h"

namespace wattseal::smki {

struct Party {
  Eui64 id;  // the entity that submits
  std::string name;
  std::string kind;  // as in data/certificate_eligibility.tsv: "supplier", "network-operator",
                     // "agent", "dcc", "manufacturer"
  std::vector<UserRole> user_roles;
  std::vector<EuiRange>
      allotted;  // entities and devices it may subscribe for; organisations include their own id
};

using BatchId = std::uint64_t;

struct Submission {
  Eui64 subscriber;
  std::vector<Bytes>
      requests;  // PKCS#10 DER; 1 is a single request, 2 to limit batch_rows_max a batched one
  TraceId trace;
};

enum class RowState { waiting, authorised, refused, issued, published };
std::string_view text(RowState state);
struct RowResult {
  std::uint32_t row = 0;  // from 0
  RowState state = RowState::waiting;
  std::optional<CertificateSerial> serial;
  std::string rule, detail;  // when refused
};
struct BatchStatus {
  BatchId id = 0;
  Eui64 subscriber;
  std::uint32_t rows = 0, decided = 0, refused = 0, issued = 0, published = 0;
  bool complete() const { return refused + published == rows; }
};

class RegistrationAuthority {
 public:
  RegistrationAuthority(const World& world, storage::Store& store, Workers& workers);

  // Recorded by the registration authority's own act; replacing a party's record is allowed and
  // journalled.
  Status register_party(const Party& party, TraceId trace);
  Result<Party> party(Eui64 id) const;  // refuses ra-unknown-subscriber
  std::vector<Party> parties() const;

  // Refuses ra-unknown-subscriber, ra-batch-empty, ra-batch-too-large, csr-too-large; nothing is
  // kept then. The same requests from the same subscriber give the same batch again (safe to repeat
  // after a lost answer).
  Result<BatchId> submit(const Submission& submission);
  // Decides up to `rows_max` waiting rows in order of submission. Returns how many.
  std::size_t decide(std::size_t rows_max);

  Result<BatchStatus> status(BatchId batch) const;  // refuses ra-unknown-batch
  std::vector<RowResult> results(BatchId batch, std::uint32_t from, std::uint32_t rows_max) const;

 private:
  const World& world_;
  storage::Store& store_;
  Workers& workers_;
  Bytes cursor_;  // decide() starts looking here: rows before it are decided
};

}  // namespace wattseal::smki
