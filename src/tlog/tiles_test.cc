#include "tlog/tiles.h"

#include <gtest/gtest.h>

namespace wattseal::tlog {
namespace {

Hash leaf(std::uint64_t number) {
  Bytes entry;
  put_be(entry, number);
  return leaf_hash(entry);
}

// Tiles as a store keeps them.
struct Kept {
  Growth::Tiles tiles;
  std::uint64_t size = 0;
  TileReader reader() const {
    return [this](unsigned level, std::uint64_t index) { return tiles.at({level, index}); };
  }
  Hash grow(std::uint64_t count) {
    Growth growth(size, reader());
    for (std::uint64_t i = 0; i < count; ++i) growth.add(leaf(size + i));
    const Hash root = growth.root();
    for (const auto& [id, octets] : growth.changed()) tiles[id] = octets;
    size = growth.size();
    return root;
  }
};

TEST(Tiles, HaveOneAddressEach) {
  EXPECT_EQ(tile_path({0, 67, 256, false}), "tile/0/067");
  EXPECT_EQ(tile_path({1, 1'234'067, 5, false}), "tile/1/x001/x234/067.p/5");
  EXPECT_EQ(tile_path({0, 1000, 256, true}), "tile/entries/x001/000");
  for (const TileId& tile : {TileId{0, 0, 256, false}, TileId{3, 999, 1, false},
                             TileId{0, 123'456'789'012, 255, true}, TileId{63, 7, 9, false}})
    EXPECT_EQ(parse_tile_path(tile_path(tile)).value(), tile) << tile_path(tile);
  for (const std::string_view wrong : {"",
                                       "tile",
                                       "tile/",
                                       "tile/0",
                                       "tile/0/",
                                       "tile/0/67",
                                       "tile/0/0067",
                                       "tile/00/067",
                                       "tile/64/067",
                                       "tile/0/x067",
                                       "tile/0/x000/067",
                                       "tile/0/067/",
                                       "tile/0/067.p",
                                       "tile/0/067.p/",
                                       "tile/0/067.p/0",
                                       "tile/0/067.p/256",
                                       "tile/0/067.p/05",
                                       "tile/0/-67",
                                       "tile/0/+67",
                                       "tile/entry/067",
                                       "tile/0/x001/067.p/5/6",
                                       "tile/0/0a7",
                                       "/tile/0/067",
                                       "tile/0/x001/x001/x001/x001/x001/x001/001"})
    EXPECT_EQ(parse_tile_path(wrong).ok() ? std::string_view("read")
                                          : parse_tile_path(wrong).refusal().rule.text(),
              "tlog-path")
        << wrong;
}

TEST(Tiles, KnowTheirWidth) {
  EXPECT_EQ(tile_width(0, 0, 0), 0u);
  EXPECT_EQ(tile_width(0, 0, 1), 1u);
  EXPECT_EQ(tile_width(0, 0, 256), 256u);
  EXPECT_EQ(tile_width(0, 1, 256), 0u);
  EXPECT_EQ(tile_width(0, 1, 257), 1u);
  EXPECT_EQ(tile_width(1, 0, 255), 0u);
  EXPECT_EQ(tile_width(1, 0, 70'000), 256u);
  EXPECT_EQ(tile_width(1, 1, 70'000), 17u);
  EXPECT_EQ(tile_width(2, 0, 70'000), 1u);
  EXPECT_EQ(tile_width(63, 0, ~0ull), 0u);
}

// Batches of any size make the same tiles as one batch, and proofs come out of them.
TEST(Tiles, GrowTheSameInAnySteps) {
  Kept at_once, stepwise;
  const Hash root = at_once.grow(70'000);
  Hash last{};
  for (std::uint64_t step = 1; stepwise.size < 70'000; step = step * 5 % 3001 + 1)
    last = stepwise.grow(std::min(step, 70'000 - stepwise.size));
  EXPECT_EQ(last, root);
  EXPECT_EQ(stepwise.tiles, at_once.tiles);
  EXPECT_EQ(at_once.tiles.size(), 274u + 2u + 1u);
  const SubtreeReader read = subtrees_of(at_once.reader());
  for (const std::uint64_t index : {0u, 255u, 256u, 65'535u, 65'536u, 69'999u})
    EXPECT_TRUE(
        verify_inclusion(leaf(index), index, 70'000, inclusion_proof(index, 70'000, read), root)
            .ok())
        << index;
  for (const std::uint64_t older : {1u, 255u, 256u, 257u, 65'536u, 69'999u})
    EXPECT_TRUE(verify_consistency(older, tree_root(older, read), 70'000, root,
                                   consistency_proof(older, 70'000, read))
                    .ok())
        << older;
}

TEST(Tiles, BundleEntriesExactly) {
  Bytes bundle;
  const Bytes long_one(kEntryOctetsMax, 7);
  add_to_bundle(bundle, as_bytes("one"));
  add_to_bundle(bundle, {});
  add_to_bundle(bundle, long_one);
  const std::vector<BytesView> entries = read_bundle(bundle, 3).value();
  EXPECT_EQ(as_text(entries[0]), "one");
  EXPECT_TRUE(entries[1].empty());
  EXPECT_TRUE(equal(entries[2], long_one));
  EXPECT_FALSE(read_bundle(bundle, 2).ok()) << "octets follow";
  EXPECT_FALSE(read_bundle(bundle, 4).ok()) << "one is missing";
  EXPECT_FALSE(read_bundle(BytesView(bundle).first(bundle.size() - 1), 3).ok()) << "cut";
}

}  // namespace
}  // namespace wattseal::tlog
