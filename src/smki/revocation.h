// The revocation list of one issuer: everything revoked under it, in serial order, ready to be
// signed again. Loaded once; a revocation merges into it instead of reading a million rows. Private
// to smki. Source: RFC 5280 5; spec/smki.md 1.11; ¶60. Not thread-safe.
#pragma once
#include "smki/authority.h"
#include "storage/changes.h"

namespace wattseal::smki {

// What is known of the latest list without reading it.
struct ListState {
  std::uint64_t number = 0, entries = 0;
  UtcTime this_update, next_update;
};
std::optional<ListState> list_state(const storage::Reader& reader, BytesView issuer_key_id);

class RevocationBook {
 public:
  RevocationBook(const storage::Reader& reader, const Authority& issuer);
  // Signs the list of everything revoked so far and `more`, and puts rows, list and facts into
  // `batch`. When the batch is committed, say so with committed(); otherwise the book stays as it
  // was. The batch fails with crl-number-race when another list took the number.
  // Returns the list.
  Bytes put_list(storage::Batch& batch, const storage::Reader& reader, const Authority& issuer,
                 const crypto::PrivateKey& key, const std::vector<x509::RevokedEntry>& more,
                 UtcTime now, TraceId trace);
  void committed() { entries_ = std::move(next_); }

 private:
  std::vector<x509::RevokedEntry> entries_, next_;  // in serial order
};

// What is known of the latest list, made again from its fact.
void replay_list_state(storage::Changes& rows, const FactView& fact);
// The list again from the facts alone, octet for octet: what verify compares with the stored one.
Result<Bytes> rebuild_list(const storage::Reader& reader, const Authority& issuer);

}  // namespace wattseal::smki
