// The published vectors of RFC 6962's trees, and every proof of every small tree.
#include "tlog/tree.h"

#include <gtest/gtest.h>

namespace wattseal::tlog {
namespace {

Hash hash(std::string_view hex) {
  Hash out{};
  std::ranges::copy(*from_hex(hex), out.begin());
  return out;
}

// A tree in memory, hashed level by level; an odd node at the end is not part of a full subtree.
struct Tree {
  std::vector<std::vector<Hash>> levels{1};
  void add(BytesView entry) {
    levels[0].push_back(leaf_hash(entry));
    for (std::size_t level = 0; levels[level].size() % 2 == 0; ++level) {
      if (levels.size() == level + 1) levels.emplace_back();
      const std::vector<Hash>& below = levels[level];
      levels[level + 1].push_back(node_hash(below[below.size() - 2], below.back()));
    }
  }
  SubtreeReader reader() const {
    return [this](unsigned level, std::uint64_t index) { return levels.at(level).at(index); };
  }
  Hash root(std::uint64_t size) const { return tree_root(size, reader()); }
};

Tree published() {
  Tree tree;
  for (const std::string_view leaf : {"", "00", "10", "2021", "3031", "40414243",
                                      "5051525354555657", "606162636465666768696a6b6c6d6e6f"})
    tree.add(*from_hex(leaf));
  return tree;
}

TEST(Tree, HasThePublishedRoots) {
  const Tree tree = published();
  const std::string_view roots[] = {
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  for (std::uint64_t size = 0; size <= 8; ++size)
    EXPECT_EQ(to_hex(tree.root(size)), roots[size]) << size;
}

TEST(Tree, HasThePublishedProofs) {
  const Tree tree = published();
  const std::vector<Hash> first{
      hash("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
      hash("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
      hash("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4")};
  EXPECT_EQ(inclusion_proof(0, 8, tree.reader()), first);
  EXPECT_EQ(consistency_proof(1, 8, tree.reader()), first);
  EXPECT_EQ(consistency_proof(6, 8, tree.reader()),
            (std::vector<Hash>{
                hash("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"),
                hash("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
                hash("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")}));
}

constexpr std::uint64_t kSizes = 131;
Tree large() {
  Tree tree;
  for (std::uint64_t i = 0; i < kSizes; ++i) {
    Bytes entry;
    put_be(entry, i);
    tree.add(entry);
  }
  return tree;
}

TEST(Tree, ProvesEveryEntryOfEverySizeAndNoOther) {
  const Tree tree = large();
  for (std::uint64_t size = 1; size <= kSizes; ++size) {
    const Hash root = tree.root(size);
    for (std::uint64_t index = 0; index < size; ++index) {
      const Hash leaf = tree.levels[0][index];
      std::vector<Hash> proof = inclusion_proof(index, size, tree.reader());
      ASSERT_TRUE(verify_inclusion(leaf, index, size, proof, root).ok()) << index << " " << size;
      EXPECT_FALSE(verify_inclusion(leaf, index + size, size, proof, root).ok());
      EXPECT_FALSE(verify_inclusion(node_hash(leaf, leaf), index, size, proof, root).ok());
      if (size > 1) {
        EXPECT_FALSE(verify_inclusion(leaf, (index + 1) % size, size, proof, root).ok());
      }
      proof.push_back(root);
      EXPECT_FALSE(verify_inclusion(leaf, index, size, proof, root).ok()) << "too long";
    }
  }
}

TEST(Tree, ProvesThatEverySizeBeginsEveryLarger) {
  const Tree tree = large();
  for (std::uint64_t newer = 0; newer <= kSizes; ++newer) {
    for (std::uint64_t older = 0; older <= newer; ++older) {
      const std::vector<Hash> proof = consistency_proof(older, newer, tree.reader());
      ASSERT_TRUE(verify_consistency(older, tree.root(older), newer, tree.root(newer), proof).ok())
          << older << " " << newer;
      if (older == 0 || older == newer) continue;
      EXPECT_FALSE(
          verify_consistency(older, tree.root(older - 1), newer, tree.root(newer), proof).ok());
      EXPECT_FALSE(
          verify_consistency(older, tree.root(older), newer, tree.root(newer - 1), proof).ok());
      std::vector<Hash> cut = proof;
      cut.pop_back();
      EXPECT_FALSE(verify_consistency(older, tree.root(older), newer, tree.root(newer), cut).ok());
    }
  }
}

TEST(Tree, RefusesEveryFlippedBit) {
  const Tree tree = large();
  constexpr std::uint64_t kSize = 107, kIndex = 70;
  const Hash root = tree.root(kSize), older = tree.root(kIndex);
  std::vector<Hash> inclusion = inclusion_proof(kIndex, kSize, tree.reader());
  std::vector<Hash> consistency = consistency_proof(kIndex, kSize, tree.reader());
  for (std::size_t bit = 0; bit < inclusion.size() * 256; ++bit) {
    inclusion[bit / 256][bit / 8 % 32] ^= static_cast<Octet>(1 << bit % 8);
    EXPECT_FALSE(verify_inclusion(tree.levels[0][kIndex], kIndex, kSize, inclusion, root).ok());
    inclusion[bit / 256][bit / 8 % 32] ^= static_cast<Octet>(1 << bit % 8);
  }
  for (std::size_t bit = 0; bit < consistency.size() * 256; ++bit) {
    consistency[bit / 256][bit / 8 % 32] ^= static_cast<Octet>(1 << bit % 8);
    EXPECT_FALSE(verify_consistency(kIndex, older, kSize, root, consistency).ok()) << bit;
    consistency[bit / 256][bit / 8 % 32] ^= static_cast<Octet>(1 << bit % 8);
  }
}

}  // namespace
}  // namespace wattseal::tlog
