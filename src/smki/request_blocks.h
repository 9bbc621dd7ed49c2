// Requests of a batch that wait for their decision, many in one row: a batch of 50,000 is some 200
// rows of request_blocks. What waits stands in blocks, each request once, and what is decided in
// none: whoever decides a part of a block writes the rest as a block of its own. Rows are decided
// in their order. Private to smki.
//   key    batch id(8) first row(4)       value    for each row: row(4) length(4) PKCS#10
#pragma once
#include <functional>

#include "smki/records.h"

namespace wattseal::smki {

using RequestRow = std::pair<std::uint32_t, Bytes>;       // row, PKCS#10
using RequestView = std::pair<std::uint32_t, BytesView>;  // the same of somebody else's

// Rows in order, as blocks.
void put_requests(storage::Batch& batch, BatchId id, std::span<const RequestView> rows);

// False when the octets are no such block; rows before the damage were visited.
bool read_block(BytesView block,
                const std::function<void(std::uint32_t row, BytesView request)>& visit);

// The next requests that wait.
struct WaitingRequests {
  std::vector<RequestRow> rows;  // at most as many as were wanted; fewer: there are no more
  // The commit that decides them.
  void decide(storage::Batch& batch, BatchId id) const;

 private:
  friend WaitingRequests waiting_requests(const storage::Reader&, BatchId, std::size_t);
  std::vector<Bytes> blocks, singles;  // keys of what they stand in
  std::vector<RequestRow> rest;        // of the last block
};
WaitingRequests waiting_requests(const storage::Reader& reader, BatchId id, std::size_t rows_max);

// The first row that waits; nothing: none does.
std::optional<std::uint32_t> first_waiting(const storage::Reader& reader, BatchId id);

}  // namespace wattseal::smki
