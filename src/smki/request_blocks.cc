#include "smki/request_blocks.h"

#include "base/fault.h"

namespace wattseal::smki {
namespace {

constexpr std::size_t kRowsPerBlock = 256, kNumber = 4;

Bytes first_key(BatchId id) { return row_key(id, 0); }
Bytes last_key(BatchId id) { return row_key(id + 1, 0); }

}  // namespace

void put_requests(storage::Batch& batch, BatchId id, std::span<const RequestView> rows) {
  while (!rows.empty()) {
    const std::span<const RequestView> block = rows.first(std::min(rows.size(), kRowsPerBlock));
    std::size_t octets = 0;
    for (const auto& [row, request] : block) octets += 2 * kNumber + request.size();
    Bytes value;
    value.reserve(octets);
    for (const auto& [row, request] : block) {
      put_be(value, row);
      put_be(value, static_cast<std::uint32_t>(request.size()));
      append(value, request);
    }
    batch.put(tables::request_blocks, row_key(id, block.front().first), value);
    rows = rows.subspan(block.size());
  }
}

bool read_block(BytesView block,
                const std::function<void(std::uint32_t row, BytesView request)>& visit) {
  while (!block.empty()) {
    if (block.size() < 2 * kNumber) return false;
    const std::uint32_t row = static_cast<std::uint32_t>(get_be(block.first(kNumber)));
    const std::uint64_t octets = get_be(block.subspan(kNumber, kNumber));
    block = block.subspan(2 * kNumber);
    if (octets > block.size()) return false;
    visit(row, block.first(octets));
    block = block.subspan(octets);
  }
  return true;
}

void WaitingRequests::decide(storage::Batch& batch, BatchId id) const {
  for (const Bytes& key : singles) batch.erase(tables::batch_requests, key);
  for (const Bytes& key : blocks) batch.erase(tables::request_blocks, key);
  put_requests(batch, id, std::vector<RequestView>(rest.begin(), rest.end()));
}

// Stores from before there were blocks have a row of batch_requests for each request that waits.
WaitingRequests waiting_requests(const storage::Reader& reader, BatchId id, std::size_t rows_max) {
  WaitingRequests waiting;
  reader.scan(tables::batch_requests, first_key(id), last_key(id),
              [&](BytesView key, BytesView request) {
                waiting.rows.emplace_back(row_of(key), to_bytes(request));
                waiting.singles.push_back(to_bytes(key));
                return waiting.rows.size() < rows_max;
              });
  if (waiting.rows.size() >= rows_max) return waiting;
  reader.scan(tables::request_blocks, first_key(id), last_key(id),
              [&](BytesView key, BytesView block) {
                const bool whole = read_block(block, [&](std::uint32_t row, BytesView request) {
                  std::vector<RequestRow>& into =
                      waiting.rows.size() < rows_max ? waiting.rows : waiting.rest;
                  into.emplace_back(row, to_bytes(request));
                });
                if (!whole) throw Fault("a row of request_blocks is damaged");
                waiting.blocks.push_back(to_bytes(key));
                return waiting.rows.size() < rows_max;
              });
  return waiting;
}

std::optional<std::uint32_t> first_waiting(const storage::Reader& reader, BatchId id) {
  std::optional<std::uint32_t> first;
  for (const storage::Table& table : {tables::batch_requests, tables::request_blocks})
    reader.scan(table, first_key(id), last_key(id), [&](BytesView key, BytesView) {
      first = std::min(first.value_or(row_of(key)), row_of(key));
      return false;
    });
  return first;
}

}  // namespace wattseal::smki
