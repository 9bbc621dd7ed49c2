// OpenSSL keeps multiples of a group's generator and multiplies by table when it has them. A group
// whose generator is the signer's key so gives the second half of ECDSA's equation as fast as the
// first. All arithmetic of the curve stays OpenSSL's.
#include "crypto/openssl.h"

#include "crypto/frequent_key.h"

namespace wattseal::crypto {
namespace {

using EcGroup = std::unique_ptr<EC_GROUP, Freer<EC_GROUP_free>>;
using Context = std::unique_ptr<BN_CTX, Freer<BN_CTX_free>>;

// Per thread, so that verifying takes no lock and allocates little.
struct Scratch {
  Context context{BN_CTX_new()};
  BigNumber r{BN_new()}, s{BN_new()}, z{BN_new()}, u1{BN_new()}, u2{BN_new()}, x{BN_new()};
  EcPoint a{EC_POINT_new(p256())}, b{EC_POINT_new(p256())};
  Scratch() { openssl_must(context && r && s && z && u1 && u2 && x && a && b, "BN_new"); }
};

Scratch& scratch() {
  thread_local Scratch instance;
  return instance;
}

}  // namespace

struct FrequentKey::Multiples {
  EcGroup group{EC_GROUP_dup(p256())};
};

FrequentKey::FrequentKey(const PublicPoint& key) {
  auto made = std::make_unique<Multiples>();
  EC_GROUP* const group = made->group.get();
  openssl_must(group != nullptr, "EC_GROUP_dup");
  const EcPoint point(EC_POINT_new(group));
  openssl_must(point != nullptr, "EC_POINT_new");
  CHECK(EC_POINT_oct2point(group, point.get(), key.data(), key.size(), nullptr) == 1);
  openssl_must(EC_GROUP_set_generator(group, point.get(), EC_GROUP_get0_order(p256()),
                                      BN_value_one()) == 1 &&
                   EC_GROUP_precompute_mult(group, nullptr) == 1,
               "EC_GROUP_precompute_mult");
  multiples_ = std::move(made);
}

FrequentKey::~FrequentKey() = default;

// FIPS 186-4 6.4: (z/s)G + (r/s)Q has the x coordinate r modulo the order.
bool FrequentKey::verify(const Digest& digest, const Signature& signature) const {
  Scratch& t = scratch();
  BN_CTX* const context = t.context.get();
  const BIGNUM* const order = EC_GROUP_get0_order(p256());
  openssl_must(BN_bin2bn(signature.data(), 32, t.r.get()) != nullptr &&
                   BN_bin2bn(signature.data() + 32, 32, t.s.get()) != nullptr &&
                   BN_bin2bn(digest.data(), static_cast<int>(digest.size()), t.z.get()) != nullptr,
               "BN_bin2bn");
  const auto in_range = [order](const BigNumber& n) {
    return !BN_is_zero(n.get()) && BN_cmp(n.get(), order) < 0;
  };
  if (!in_range(t.r) || !in_range(t.s)) return false;
  openssl_must(BN_mod_inverse(t.s.get(), t.s.get(), order, context) != nullptr &&
                   BN_mod_mul(t.u1.get(), t.z.get(), t.s.get(), order, context) == 1 &&
                   BN_mod_mul(t.u2.get(), t.r.get(), t.s.get(), order, context) == 1,
               "BN_mod_mul");
  openssl_must(EC_POINT_mul(p256(), t.a.get(), t.u1.get(), nullptr, nullptr, context) == 1 &&
                   EC_POINT_mul(multiples_->group.get(), t.b.get(), t.u2.get(), nullptr, nullptr,
                                context) == 1 &&
                   EC_POINT_add(p256(), t.a.get(), t.a.get(), t.b.get(), context) == 1,
               "EC_POINT_mul");
  if (EC_POINT_is_at_infinity(p256(), t.a.get()) == 1) return false;
  openssl_must(
      EC_POINT_get_affine_coordinates(p256(), t.a.get(), t.x.get(), nullptr, context) == 1 &&
          BN_nnmod(t.x.get(), t.x.get(), order, context) == 1,
      "EC_POINT_get_affine_coordinates");
  return BN_cmp(t.x.get(), t.r.get()) == 0;
}

}  // namespace wattseal::crypto
