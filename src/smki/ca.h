// The certification authorities: sign what the registration authority authorised, and revocation
// lists. Order of every issue: intent durable (serial and digest of the exact octets), sign exactly
// those octets, certificate durable, then the repository publishes. A crash between any two steps
// loses nothing and issues nothing twice: an intent found at start is signed again over the same
// octets. Listens to nothing; takes work from the store. Sources: Appendices A, B;
// spec/smki.md 1.10-1.12. Threads: one thread calls issue(), everything else from any.
// Rules: ca-not-established, ca-environment, ca-key-mismatch, ca-authority-revoked,
// ceremony-live-key-store.
#pragma once
#include <functional>
#include <span>

#include "base/parallel.h"
#include "base/world.h"
#include "smki/key_reuse.h"
#include "smki/profiles.h"
#include "storage/store.h"

namespace wattseal::smki {

struct Chunk;

class CertificationAuthority {
 public:
  // Finds the issuing authorities that a ceremony established and their keys.
  static Result<std::unique_ptr<CertificationAuthority>> open(
      const World& world, storage::Store& store, const crypto::KeyStore& keys, Workers& workers,
      Environment environment, std::span<const KeyReuseRow> key_reuse = key_reuse_rows());
  ~CertificationAuthority();

  // Issues one chunk of a batch, or single requests of many subscribers together (at most limit
  // issue_chunk_rows). Returns how many rows got their result; 0 when nothing waits.
  std::size_t issue();

  // The same for single requests that do not wait (express.h): adds the intents to a commit that
  // hands the work over, refusing rows in `refused` of their chunk, which then need an answer.
  void intend(storage::Batch& batch, std::span<Chunk* const> chunks);
  // Signs what was intended and has it made durable by `commit`, which no precondition can refuse.
  // After a Fault the keys of ca_work go to take_over(): issue() finishes what is stored.
  using Commit = std::function<Result<std::uint64_t>(storage::Batch batch)>;
  void finish(std::span<Chunk* const> chunks, const Commit& commit);
  void take_over(const std::vector<Bytes>& work_keys);

  // Revokes everything that the registration authority authorised (office.h, revoke-certificate)
  // with one new list an issuer, signed and published in the same commit. Returns how many.
  std::size_t revoke_authorised();
  // Signs a new CRL of each authority, former ones included, when the last one is older than limit
  // crl_interval_hours, or dated after now; returns whether it did.
  bool keep_revocation_list_current();

  struct State;

 private:
  explicit CertificationAuthority(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace wattseal::smki
