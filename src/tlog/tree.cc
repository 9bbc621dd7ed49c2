#include "tlog/tree.h"

#include <bit>

#include "base/check.h"

namespace wattseal::tlog {
namespace {

// The greatest power of two below `count`: where a tree of more than one leaf is split.
std::uint64_t split(std::uint64_t count) { return std::bit_floor(count - 1); }

// Root over the leaves [first, end). The ranges that splitting makes start at a multiple of their
// size rounded up to a power of two, so complete ones are subtrees.
Hash range_root(std::uint64_t first, std::uint64_t end, const SubtreeReader& read) {
  const std::uint64_t count = end - first;
  if (std::has_single_bit(count)) {
    const unsigned level = static_cast<unsigned>(std::countr_zero(count));
    return read(level, first >> level);
  }
  const std::uint64_t middle = first + split(count);
  return node_hash(range_root(first, middle, read), range_root(middle, end, read));
}

void include(std::uint64_t index, std::uint64_t first, std::uint64_t end, const SubtreeReader& read,
             std::vector<Hash>& proof) {
  if (end - first == 1) return;
  const std::uint64_t middle = first + split(end - first);
  if (index < middle) {
    include(index, first, middle, read, proof);
    proof.push_back(range_root(middle, end, read));
  } else {
    include(index, middle, end, read, proof);
    proof.push_back(range_root(first, middle, read));
  }
}

// SUBPROOF of RFC 6962 2.1.2; `whole` is its last argument: the older tree is one that the verifier
// knows the root of.
void extend(std::uint64_t older, std::uint64_t first, std::uint64_t end, bool whole,
            const SubtreeReader& read, std::vector<Hash>& proof) {
  if (older == end) {
    if (!whole) proof.push_back(range_root(first, end, read));
    return;
  }
  const std::uint64_t middle = first + split(end - first);
  if (older <= middle) {
    extend(older, first, middle, whole, read, proof);
    proof.push_back(range_root(middle, end, read));
  } else {
    extend(older, middle, end, false, read, proof);
    proof.push_back(range_root(first, middle, read));
  }
}

Refusal wrong(std::string what) { return {"tlog-proof"_rule, std::move(what)}; }

}  // namespace

Hash leaf_hash(BytesView entry) {
  constexpr Octet kLeaf = 0;
  return crypto::sha256({BytesView(&kLeaf, 1), entry});
}

Hash node_hash(const Hash& left, const Hash& right) {
  std::array<Octet, 65> octets;
  octets[0] = 1;
  std::ranges::copy(left, octets.begin() + 1);
  std::ranges::copy(right, octets.begin() + 33);
  return crypto::sha256(octets);
}

Hash tree_root(std::uint64_t size, const SubtreeReader& read) {
  return size == 0 ? crypto::sha256(BytesView{}) : range_root(0, size, read);
}

std::vector<Hash> inclusion_proof(std::uint64_t index, std::uint64_t size,
                                  const SubtreeReader& read) {
  CHECK(index < size);
  std::vector<Hash> proof;
  include(index, 0, size, read, proof);
  return proof;
}

std::vector<Hash> consistency_proof(std::uint64_t older, std::uint64_t newer,
                                    const SubtreeReader& read) {
  CHECK(older <= newer);
  std::vector<Hash> proof;
  if (older != 0 && older != newer) extend(older, 0, newer, true, read, proof);
  return proof;
}

// Source: RFC 9162 2.1.3.2, whose names fn and sn are kept.
Status verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size,
                        const std::vector<Hash>& proof, const Hash& root) {
  if (index >= size) return wrong("the index is not below the size");
  std::uint64_t fn = index, sn = size - 1;
  Hash hash = leaf;
  for (const Hash& next : proof) {
    if (sn == 0) return wrong("the proof is too long");
    if ((fn & 1) || fn == sn) {
      hash = node_hash(next, hash);
      while (!(fn & 1) && fn != 0) fn >>= 1, sn >>= 1;
    } else {
      hash = node_hash(hash, next);
    }
    fn >>= 1, sn >>= 1;
  }
  if (sn != 0) return wrong("the proof is too short");
  if (hash != root) return wrong("the entry is not in the tree");
  return {};
}

// Source: RFC 9162 2.1.4.2, whose names fn, sn, fr and sr are kept.
Status verify_consistency(std::uint64_t older, const Hash& older_root, std::uint64_t newer,
                          const Hash& newer_root, const std::vector<Hash>& proof) {
  if (older > newer) return wrong("the older tree is the larger one");
  if (older == 0 || older == newer) {
    if (!proof.empty()) return wrong("the proof is too long");
    if (older == newer && older_root != newer_root)
      return wrong("two trees of one size have different roots");
    return {};
  }
  std::vector<Hash> path = proof;
  if (std::has_single_bit(older)) path.insert(path.begin(), older_root);
  if (path.empty()) return wrong("the proof is empty");
  std::uint64_t fn = older - 1, sn = newer - 1;
  while (fn & 1) fn >>= 1, sn >>= 1;
  Hash fr = path.front(), sr = path.front();
  for (std::size_t i = 1; i < path.size(); ++i) {
    if (sn == 0) return wrong("the proof is too long");
    if ((fn & 1) || fn == sn) {
      fr = node_hash(path[i], fr);
      sr = node_hash(path[i], sr);
      while (!(fn & 1) && fn != 0) fn >>= 1, sn >>= 1;
    } else {
      sr = node_hash(sr, path[i]);
    }
    fn >>= 1, sn >>= 1;
  }
  if (sn != 0) return wrong("the proof is too short");
  if (fr != older_root || sr != newer_root)
    return wrong("the older tree is no beginning of the newer one");
  return {};
}

}  // namespace wattseal::tlog
