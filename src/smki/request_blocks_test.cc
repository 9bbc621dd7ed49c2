#include "smki/request_blocks.h"

#include <gtest/gtest.h>

#include "base/fault.h"
#include "smki/test_rig.h"

namespace wattseal::smki {
namespace {

using test::kDevice;
using test::kMaker;
using test::Rig;

constexpr BatchId kBatch = 7;

std::vector<RequestRow> some_rows(std::uint32_t count, std::uint32_t except) {
  std::vector<RequestRow> rows;
  for (std::uint32_t row = 0; row < count; ++row) {
    if (row != except) rows.emplace_back(row, Bytes(row % 5, static_cast<Octet>(row)));
  }
  return rows;
}
void must_commit(storage::Store& store, storage::Batch batch) {
  ASSERT_TRUE(store.commit(std::move(batch)).ok());
}
std::size_t rows_of(const storage::Reader& reader, storage::Table table) {
  std::size_t rows = 0;
  reader.scan(table, {}, {}, [&](BytesView, BytesView) { return ++rows != 0; });
  return rows;
}

TEST(RequestBlocks, AreTakenInAnyPartsAndEachRowOnce) {
  for (const std::size_t part : {1u, 100u, 255u, 256u, 257u, 700u, 5000u}) {
    const std::unique_ptr<storage::Store> store = storage::memory_store();
    const std::vector<RequestRow> rows = some_rows(700, 300);
    storage::Batch submitted;
    put_requests(submitted, kBatch, std::vector<RequestView>(rows.begin(), rows.end()));
    put_requests(submitted, kBatch + 1, std::vector<RequestView>{{0, rows[0].second}});
    must_commit(*store, std::move(submitted));
    EXPECT_LE(rows_of(*store, tables::request_blocks), 4u);
    std::vector<RequestRow> seen;
    for (;;) {
      const WaitingRequests next = waiting_requests(*store, kBatch, part);
      if (next.rows.empty()) break;
      EXPECT_LE(next.rows.size(), part);
      EXPECT_EQ(first_waiting(*store, kBatch), next.rows.front().first);
      seen.insert(seen.end(), next.rows.begin(), next.rows.end());
      storage::Batch decided;
      next.decide(decided, kBatch);
      must_commit(*store, std::move(decided));
    }
    EXPECT_EQ(seen, rows) << part;
    EXPECT_EQ(first_waiting(*store, kBatch), std::nullopt);
    EXPECT_EQ(rows_of(*store, tables::request_blocks), 1u) << "that of the other batch";
  }
}

TEST(RequestBlocks, DamageIsFoundAndNothingIsDecided) {
  Bytes block;
  for (const std::uint32_t number : {5u, 3u}) put_be(block, number);
  append(block, as_bytes("abc"));
  std::vector<RequestRow> rows;
  const auto read = [&](BytesView octets) {
    rows.clear();
    return read_block(octets, [&](std::uint32_t row, BytesView request) {
      rows.emplace_back(row, to_bytes(request));
    });
  };
  EXPECT_TRUE(read(block));
  EXPECT_EQ(rows, (std::vector<RequestRow>{{5, to_bytes(as_bytes("abc"))}}));
  for (std::size_t octets = 1; octets < block.size(); ++octets)
    EXPECT_FALSE(read(BytesView(block).first(octets))) << octets;
  Bytes longer = block;
  longer[4] = 0xFF;  // a length that no memory holds
  EXPECT_FALSE(read(longer));
  const std::unique_ptr<storage::Store> store = storage::memory_store();
  storage::Batch damaged;
  damaged.put(tables::request_blocks, row_key(kBatch, 5), longer);
  must_commit(*store, std::move(damaged));
  EXPECT_THROW((void)waiting_requests(*store, kBatch, 10), Fault);
}

// Rows go from waiting to decided in their order; one that was unreadable is refused throughout.
TEST(RequestBlocks, ResultsSayWhichRowsWait) {
  Rig rig;
  std::vector<Bytes> requests;
  for (std::uint64_t i = 0; i < 5; ++i)
    requests.push_back(rig.device_request(Eui64::from_number(kDevice.number() + i)));
  Submission submission{kMaker, requests, rig.world.new_trace()};
  submission.unreadable = {{3, Refusal{"csr-too-large"_rule, "on line 4"}}};
  const BatchId batch = rig.authority.submit(submission).value();
  const auto states = [&] {
    std::string all;
    for (const RowResult& one : rig.authority.results(batch, 0, 5)) all += text(one.state)[0];
    return all;
  };
  EXPECT_EQ(states(), "wwwrw");
  EXPECT_EQ(rig.authority.decide(2), 2u);
  EXPECT_EQ(states(), "aawrw");
  EXPECT_EQ(rig.authority.results(batch, 2, 1).at(0).state, RowState::waiting);
  RegistrationAuthority restarted(rig.world, *rig.store, rig.workers);
  EXPECT_EQ(restarted.decide(1), 1u);
  EXPECT_EQ(states(), "aaarw");
  EXPECT_EQ(restarted.decide(10), 1u);
  EXPECT_EQ(states(), "aaara");
  rig.settle();
  EXPECT_EQ(states(), "ppprp");
}

// What an earlier program stored, a row for each request, is decided too.
TEST(RequestBlocks, RowsOfAnEarlierProgramAreDecided) {
  Rig rig;
  std::vector<Bytes> requests;
  for (std::uint64_t i = 0; i < 3; ++i)
    requests.push_back(rig.device_request(Eui64::from_number(kDevice.number() + i)));
  const BatchId batch = rig.authority.submit({kMaker, requests, rig.world.new_trace()}).value();
  storage::Batch earlier;
  earlier.erase(tables::request_blocks, row_key(batch, 0));
  for (std::uint32_t row = 0; row < 3; ++row)
    earlier.put(tables::batch_requests, row_key(batch, row), requests[row]);
  must_commit(*rig.store, std::move(earlier));
  EXPECT_EQ(rig.authority.decide(2), 2u);
  EXPECT_EQ(rig.authority.results(batch, 2, 1).at(0).state, RowState::waiting);
  EXPECT_EQ(rows_of(*rig.store, tables::batch_requests), 1u);
  rig.settle();
  EXPECT_EQ(rig.authority.status(batch)->published, 3u);
  EXPECT_EQ(rows_of(*rig.store, tables::batch_requests), 0u);
}

}  // namespace
}  // namespace wattseal::smki
