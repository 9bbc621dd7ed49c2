// The one file that calls OpenSSL's low-level EC functions. They are marked deprecated, but the
// provider interface costs 140 us to load a public key and serialises threads on its fetch locks,
// against 1 us and no lock here (measured; OpenSSL 3.0).

#include "crypto/p256.h"

#include "crypto/p256_curve.h"
#include "crypto/p256_lanes.h"

#include <openssl/crypto.h>
#include <openssl/ecdh.h>
#include <openssl/objects.h>

namespace wattseal::crypto {
namespace {

// Contexts are per thread, so that verifying takes no lock and allocates nothing.
struct Verifier {
  EcKey key = new_p256_key();
  EcdsaSignature signature{ECDSA_SIG_new()};
};

Verifier& verifier() {
  thread_local Verifier instance;
  return instance;
}

PublicPoint point_of(const EC_KEY* key) {
  PublicPoint point{};
  const std::size_t length =
      EC_POINT_point2oct(p256(), EC_KEY_get0_public_key(key), POINT_CONVERSION_UNCOMPRESSED,
                         point.data(), point.size(), nullptr);
  openssl_must(length == point.size(), "EC_POINT_point2oct");
  return point;
}

}  // namespace

const EC_GROUP* p256() {
  static const EC_GROUP* const group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  openssl_must(group != nullptr, "EC_GROUP_new_by_curve_name");
  return group;
}

EcKey new_p256_key() {
  EcKey key(EC_KEY_new());
  openssl_must(key != nullptr && EC_KEY_set_group(key.get(), p256()) == 1, "EC_KEY_set_group");
  return key;
}

Result<PublicPoint> parse_point(BytesView octets) {
  if (octets.size() != 65 || octets[0] != 0x04)
    return Refusal{"key-malformed"_rule, "a public key is 65 octets that start with 04"};
  if (!is_on_p256(octets.subspan(1, 32), octets.last(32)))
    return Refusal{"key-not-on-curve"_rule, "the public key is no point of P-256"};
  PublicPoint point{};
  std::ranges::copy(octets, point.begin());
  return point;
}

bool verify(const PublicPoint& key, const Digest& digest, const Signature& signature) {
  Verifier& v = verifier();
  if (EC_KEY_oct2key(v.key.get(), key.data(), key.size(), nullptr) != 1) return false;
  BIGNUM* r = BN_bin2bn(signature.data(), 32, nullptr);
  BIGNUM* s = BN_bin2bn(signature.data() + 32, 32, nullptr);
  openssl_must(r != nullptr && s != nullptr && ECDSA_SIG_set0(v.signature.get(), r, s) == 1,
               "ECDSA_SIG_set0");
  // 1 valid, 0 invalid, -1 for values out of range: a hostile signature is no failure of the
  // machine.
  return ECDSA_do_verify(digest.data(), static_cast<int>(digest.size()), v.signature.get(),
                         v.key.get()) == 1;
}

namespace {

// The lanes' own constants, once a process.
bool lanes_ready() {
  static const bool ready = [] {
    if (!lanes::available()) return false;
    std::array<Octet, 16 * 64> octets{};
    const EcPoint point(EC_POINT_new(p256()));
    const BigNumber number(BN_new());
    openssl_must(point != nullptr && number != nullptr, "EC_POINT_new");
    for (unsigned multiple = 1; multiple <= 16; ++multiple) {
      PublicPoint encoded{};
      openssl_must(
          BN_set_word(number.get(), multiple) == 1 &&
              EC_POINT_mul(p256(), point.get(), number.get(), nullptr, nullptr, nullptr) == 1 &&
              EC_POINT_point2oct(p256(), point.get(), POINT_CONVERSION_UNCOMPRESSED, encoded.data(),
                                 encoded.size(), nullptr) == 65,
          "EC_POINT_mul");
      std::copy(encoded.begin() + 1, encoded.end(), octets.begin() + 64 * (multiple - 1));
    }
    lanes::set_generator_multiples(octets.data());
    return true;
  }();
  return ready;
}

}  // namespace

std::vector<char> verify_many(std::span<const Claim> claims) {
  constexpr std::size_t kLanes = 8, kWorthIt = 3;  // fewer are as fast one by one
  std::vector<char> valid(claims.size());
  const auto one_by_one = [&](std::size_t i) {
    valid[i] = verify(claims[i].key, claims[i].digest, claims[i].signature);
  };
  for (std::size_t first = 0; first < claims.size(); first += kLanes) {
    const std::size_t count = std::min(kLanes, claims.size() - first);
    if (count < kWorthIt || !lanes_ready()) {
      for (std::size_t i = 0; i < count; ++i) one_by_one(first + i);
      continue;
    }
    std::array<lanes::Claim, kLanes> eight;
    std::uint8_t uncompressed = 0;
    for (std::size_t i = 0; i < kLanes; ++i) {
      const Claim& claim = claims[first + std::min(i, count - 1)];
      eight[i] = {claim.key.data() + 1, claim.digest.data(), claim.signature.data()};
      if (claim.key[0] == 0x04) uncompressed |= static_cast<std::uint8_t>(1u << i);
    }
    const lanes::Verdict verdict = lanes::verify8(eight.data());
    for (std::size_t i = 0; i < count; ++i) {
      if (verdict.undecided >> i & 1)
        one_by_one(first + i);
      else
        valid[first + i] = verdict.valid & uncompressed & 1u << i ? 1 : 0;
    }
  }
  return valid;
}

std::shared_ptr<const SoftwareKey> SoftwareKey::generate() {
  EcKey key = new_p256_key();
  openssl_must(EC_KEY_generate_key(key.get()) == 1, "EC_KEY_generate_key");
  const PublicPoint point = point_of(key.get());
  return std::shared_ptr<const SoftwareKey>(new SoftwareKey(std::move(key), point));
}

Result<std::shared_ptr<const SoftwareKey>> SoftwareKey::from_scalar(BytesView scalar) {
  const Refusal malformed{"key-malformed"_rule, "the private key is no scalar of P-256"};
  if (scalar.size() != 32) return malformed;
  const BigNumber number(BN_bin2bn(scalar.data(), 32, nullptr));
  openssl_must(number != nullptr, "BN_bin2bn");
  if (BN_is_zero(number.get()) || BN_cmp(number.get(), EC_GROUP_get0_order(p256())) >= 0)
    return malformed;
  EcKey key = new_p256_key();
  const EcPoint point(EC_POINT_new(p256()));
  openssl_must(point != nullptr &&
                   EC_POINT_mul(p256(), point.get(), number.get(), nullptr, nullptr, nullptr) == 1,
               "EC_POINT_mul");
  openssl_must(EC_KEY_set_private_key(key.get(), number.get()) == 1 &&
                   EC_KEY_set_public_key(key.get(), point.get()) == 1,
               "EC_KEY_set_private_key");
  const PublicPoint octets = point_of(key.get());
  return std::shared_ptr<const SoftwareKey>(new SoftwareKey(std::move(key), octets));
}

std::array<Octet, 32> SoftwareKey::scalar() const {
  std::array<Octet, 32> scalar{};
  openssl_must(BN_bn2binpad(EC_KEY_get0_private_key(key_.get()), scalar.data(), 32) == 32,
               "BN_bn2binpad");
  return scalar;
}

Signature SoftwareKey::sign_unverified(const Digest& digest) const {
  const EcdsaSignature made(
      ECDSA_do_sign(digest.data(), static_cast<int>(digest.size()), key_.get()));
  openssl_must(made != nullptr, "ECDSA_do_sign");
  const BIGNUM *r = nullptr, *s = nullptr;
  ECDSA_SIG_get0(made.get(), &r, &s);
  Signature signature{};
  openssl_must(BN_bn2binpad(r, signature.data(), 32) == 32 &&
                   BN_bn2binpad(s, signature.data() + 32, 32) == 32,
               "BN_bn2binpad");
  return signature;
}

SharedSecret SoftwareKey::agree(const PublicPoint& peer) const {
  const EcPoint point(EC_POINT_new(p256()));
  openssl_must(point != nullptr, "EC_POINT_new");
  CHECK(EC_POINT_oct2point(p256(), point.get(), peer.data(), peer.size(), nullptr) ==
        1);  // it came from parse_point
  SharedSecret secret{};
  const int length =
      ECDH_compute_key(secret.data(), secret.size(), point.get(), key_.get(), nullptr);
  openssl_must(length == static_cast<int>(secret.size()), "ECDH_compute_key");
  return secret;
}

}  // namespace wattseal::crypto
