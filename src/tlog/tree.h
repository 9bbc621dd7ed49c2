// Merkle trees as transparency logs build them: hashes of leaves and nodes, roots, and proofs that
// an entry is in a tree or that one tree is the beginning of another. Pure functions: where hashes
// are kept is the caller's business. It does not know what an entry means. Threads: any.
// Rules: tlog-proof. Sources: RFC 6962 2.1, RFC 9162 2.1 (the same tree, proofs spelled out).
#pragma once
#include <functional>

#include "crypto/crypto.h"

namespace wattseal::tlog {

using Hash = crypto::Digest;

// SHA-256(00 || entry) and SHA-256(01 || left || right): a leaf can never pass for a node.
Hash leaf_hash(BytesView entry);
Hash node_hash(const Hash& left, const Hash& right);

// The hash over the 2^level leaves from index * 2^level on; asked for complete subtrees only.
using SubtreeReader = std::function<Hash(unsigned level, std::uint64_t index)>;

// Root of the tree over the first `size` leaves; SHA-256 of nothing when it is empty.
Hash tree_root(std::uint64_t size, const SubtreeReader& read);

// REQUIRES index < size.
std::vector<Hash> inclusion_proof(std::uint64_t index, std::uint64_t size,
                                  const SubtreeReader& read);
// REQUIRES older <= newer. Empty when older is 0 or equal to newer.
std::vector<Hash> consistency_proof(std::uint64_t older, std::uint64_t newer,
                                    const SubtreeReader& read);

// Refuse tlog-proof; for any size, index and proof whatever.
Status verify_inclusion(const Hash& leaf, std::uint64_t index, std::uint64_t size,
                        const std::vector<Hash>& proof, const Hash& root);
Status verify_consistency(std::uint64_t older, const Hash& older_root, std::uint64_t newer,
                          const Hash& newer_root, const std::vector<Hash>& proof);

}  // namespace wattseal::tlog
