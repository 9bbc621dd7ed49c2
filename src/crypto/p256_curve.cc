#include "crypto/p256_curve.h"

#include "base/check.h"

namespace wattseal::crypto {
namespace {

__extension__ using Wide = unsigned __int128;  // ISO C++ has none

// Numbers below p, the least significant limb first, times 2^256 (Montgomery's form).
using Limbs = std::array<std::uint64_t, 4>;
constexpr Limbs kP{0xFFFFFFFFFFFFFFFF, 0x00000000FFFFFFFF, 0, 0xFFFFFFFF00000001};
constexpr Limbs kRSquared{3, 0xFFFFFFFBFFFFFFFF, 0xFFFFFFFFFFFFFFFE, 0x00000004FFFFFFFD};
constexpr Limbs kB{0x3BCE3C3E27D2604B, 0x651D06B0CC53B0F6, 0xB3EBBD55769886BC, 0x5AC635D8AA3A93E7};

constexpr bool below_p(const Limbs& a) {
  for (std::size_t i = 4; i-- > 0;) {
    if (a[i] != kP[i]) return a[i] < kP[i];
  }
  return false;
}

constexpr Limbs minus_p(const Limbs& a) {  // modulo 2^256
  Limbs out{};
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const Wide difference = Wide{a[i]} - kP[i] - borrow;
    out[i] = static_cast<std::uint64_t>(difference);
    borrow = static_cast<std::uint64_t>(difference >> 64) & 1;
  }
  return out;
}

constexpr Limbs add(const Limbs& a, const Limbs& b) {
  Limbs out{};
  Wide carry = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    carry += Wide{a[i]} + b[i];
    out[i] = static_cast<std::uint64_t>(carry);
    carry >>= 64;
  }
  return carry != 0 || !below_p(out) ? minus_p(out) : out;
}

// a * b / 2^256. -1/p is 1 modulo 2^64, so each step's quotient is the lowest limb itself.
constexpr Limbs multiply(const Limbs& a, const Limbs& b) {
  std::array<std::uint64_t, 6> t{};
  for (std::size_t i = 0; i < 4; ++i) {
    Wide carry = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      carry += Wide{a[j]} * b[i] + t[j];
      t[j] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
    carry += t[4];
    t[4] = static_cast<std::uint64_t>(carry);
    t[5] = static_cast<std::uint64_t>(carry >> 64);
    const std::uint64_t quotient = t[0];
    carry = (Wide{quotient} * kP[0] + t[0]) >> 64;
    for (std::size_t j = 1; j < 4; ++j) {
      carry += Wide{quotient} * kP[j] + t[j];
      t[j - 1] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
    carry += t[4];
    t[3] = static_cast<std::uint64_t>(carry);
    t[4] = t[5] + static_cast<std::uint64_t>(carry >> 64);
  }
  const Limbs out{t[0], t[1], t[2], t[3]};
  return t[4] != 0 || !below_p(out) ? minus_p(out) : out;
}

constexpr Limbs kMontgomeryB = multiply(kB, kRSquared);

Limbs limbs_of(BytesView octets) {
  Limbs out{};
  for (std::size_t i = 0; i < 4; ++i) out[3 - i] = get_be(octets.subspan(8 * i, 8));
  return out;
}

}  // namespace

bool is_on_p256(BytesView x, BytesView y) {
  CHECK(x.size() == 32 && y.size() == 32);
  const Limbs plain_x = limbs_of(x), plain_y = limbs_of(y);
  if (!below_p(plain_x) || !below_p(plain_y)) return false;
  const Limbs mx = multiply(plain_x, kRSquared), my = multiply(plain_y, kRSquared);
  const Limbs left = add(multiply(my, my), add(mx, add(mx, mx)));  // y^2 + 3x
  const Limbs right = add(multiply(multiply(mx, mx), mx), kMontgomeryB);
  return left == right;
}

}  // namespace wattseal::crypto
