// Cryptographic primitives of the platform, all done by OpenSSL: SHA-2, P-256 signatures and
// agreement, AES-GCM, AES key wrap. It does not know what is signed or why. Values are raw octets:
// points 04||X||Y, signatures r||s, both big-endian. All functions are thread-safe (contexts are
// per thread) and throw Fault only when OpenSSL itself fails. Source: FIPS 186-4, NIST SP 800-56A
// (concatenation KDF), SP 800-38D, RFC 3394.
#pragma once
#include <initializer_list>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace wattseal::crypto {

using Digest = std::array<Octet, 32>;
using PublicPoint = std::array<Octet, 65>;
using Signature = std::array<Octet, 64>;
using SharedSecret = std::array<Octet, 32>;
using Key128 = std::array<Octet, 16>;
using Tag = std::array<Octet, 16>;
using Iv = std::array<Octet, 12>;

Digest sha256(BytesView octets);
Digest sha256(std::initializer_list<BytesView> parts);  // of the parts joined
std::array<Octet, 20> sha1(BytesView octets);           // for key identifiers only

// 65 octets, uncompressed, on the curve. Refuses key-malformed, key-not-on-curve.
Result<PublicPoint> parse_point(BytesView octets);

// False for any signature that does not verify, r or s out of range included.
bool verify(const PublicPoint& key, const Digest& digest, const Signature& signature);

// What verify() says of each claim; on processors with AVX-512 IFMA eight at a time and several
// times as fast.
struct Claim {
  PublicPoint key;
  Digest digest;
  Signature signature;
};
std::vector<char> verify_many(std::span<const Claim> claims);  // 0 or 1 a claim

// Ecdsa-Sig-Value DER. Reading is strict: refuses signature-malformed.
Bytes signature_to_der(const Signature& signature);
Result<Signature> signature_from_der(BytesView der);

Tag gmac(const Key128& key, const Iv& iv, BytesView authenticated);
// Ciphertext followed by the first `tag_octets` (12 or 16) of the tag.
Bytes gcm_seal(const Key128& key, const Iv& iv, BytesView authenticated, BytesView plain,
               std::size_t tag_octets);
// Refuses gcm-tag-mismatch; nothing of the plain text leaves then.
Result<Bytes> gcm_open(const Key128& key, const Iv& iv, BytesView authenticated, BytesView sealed,
                       std::size_t tag_octets);

// NIST SP 800-56A concatenation KDF with SHA-256, one round: the first 16 octets of
// SHA-256(00000001 || z || other_info).
Key128 concat_kdf(BytesView z, BytesView other_info);

// RFC 3394 with a 128-bit key; `plain` is a multiple of 8 octets, at least 16. Refuses
// key-unwrap-failed.
Bytes key_wrap(const Key128& key, BytesView plain);
Result<Bytes> key_unwrap(const Key128& key, BytesView wrapped);

}  // namespace wattseal::crypto
