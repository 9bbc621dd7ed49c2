// Finds published certificates by profile, role, date or order of publication. Private to smki.
// Made of postings: one row of certificate_postings holds those of one value within one block of
// kBlock journal sequences, so a batch of like certificates adds few rows, and the rows are the
// same however publication was cut into steps.
//   key    field(1) value block(8)        value    sequence modulo kBlock, 2 octets each, ascending
#pragma once
#include <functional>
#include <map>

#include "smki/repository.h"

namespace wattseal::smki {

// What one commit adds. Sequences only grow.
class IndexAppender {
 public:
  explicit IndexAppender(const storage::Reader& reader) : reader_(reader) {}
  void add(std::uint64_t sequence, std::string_view profile, UtcTime not_before, UtcTime not_after,
           std::optional<RemotePartyRole> role);
  void put(storage::Batch& batch) const;

 private:
  void add(std::uint64_t sequence, Bytes value);
  const storage::Reader& reader_;
  std::map<Bytes, Bytes> rows_;
};

// The part of the index that serves a query which names no EUI; what it does not say is filtered.
struct IndexRange {
  Bytes first, last;
};
IndexRange index_range(const CertificateQuery& query);

// In the order of the index, those behind the cursor `after` (empty: all). Cursors are made of
// field, value and sequence. Return false to stop.
void walk_index(const storage::Reader& reader, const IndexRange& range, BytesView after,
                const std::function<bool(BytesView cursor, std::uint64_t sequence)>& visit);

}  // namespace wattseal::smki
