// Field elements are five limbs of 52 bits, one register a limb, one signature a 64-bit lane, in
// Montgomery form with R = 2^260. Sums are not reduced at once: the type Fe<B> says that a value is
// below B times p, and the compiler refuses a product that could overflow. This file includes no
// header of the standard library but the integers', for everything in it is compiled for a
// processor that not every machine has.
#include "crypto/p256_lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace wattseal::crypto::lanes {
namespace {

using u64 = std::uint64_t;
using V = __m512i;

constexpr u64 kMask = (u64{1} << 52) - 1;
// p = 2^256 - 2^224 + 2^192 + 2^96 - 1, limb by limb.
constexpr u64 kP[5] = {0xfffffffffffff, 0x00fffffffffff, 0, 0x1000000000, 0xffffffff0000};
constexpr u64 kN[5] = {0x9cac2fc632551, 0xada7179e84f3b, 0xfffffffbce6fa, 0x0000fffffffff,
                       0xffffffff0000};
constexpr u64 kMinusInverseN = 0x1c8aaee00bc4f;  // -1/n mod 2^52

[[gnu::always_inline]] inline V set(u64 value) {
  return _mm512_set1_epi64(static_cast<long long>(value));
}
[[gnu::always_inline]] inline V add(V a, V b) { return _mm512_add_epi64(a, b); }
[[gnu::always_inline]] inline V sub(V a, V b) { return _mm512_sub_epi64(a, b); }
[[gnu::always_inline]] inline V low(V a) { return _mm512_and_si512(a, set(kMask)); }
[[gnu::always_inline]] inline V lo(V sum, V a, V b) { return _mm512_madd52lo_epu64(sum, a, b); }
[[gnu::always_inline]] inline V hi(V sum, V a, V b) { return _mm512_madd52hi_epu64(sum, a, b); }

// Below B times p (or n), limbs below 2^52.
template <int B>
struct Fe {
  V l[5];
};

// Carries between limbs; the value is not negative, limbs may be.
[[gnu::always_inline]] inline void carry(V l[5]) {
  for (int i = 0; i < 4; ++i) {
    l[i + 1] = add(l[i + 1], _mm512_srai_epi64(l[i], 52));
    l[i] = low(l[i]);
  }
}

[[gnu::always_inline]] inline void product(V t[10], const V a[5], const V b[5]) {
  for (int i = 0; i < 10; ++i) t[i] = _mm512_setzero_si512();
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 5; ++j) {
      t[i + j] = lo(t[i + j], a[i], b[j]);
      t[i + j + 1] = hi(t[i + j + 1], a[i], b[j]);
    }
  }
}

[[gnu::always_inline]] inline void square(V t[10], const V a[5]) {
  for (int i = 0; i < 10; ++i) t[i] = _mm512_setzero_si512();
  for (int i = 0; i < 5; ++i) {
    for (int j = i + 1; j < 5; ++j) {
      t[i + j] = lo(t[i + j], a[i], a[j]);
      t[i + j + 1] = hi(t[i + j + 1], a[i], a[j]);
    }
  }
  for (int i = 0; i < 10; ++i) t[i] = add(t[i], t[i]);
  for (int i = 0; i < 5; ++i) {
    t[2 * i] = lo(t[2 * i], a[i], a[i]);
    t[2 * i + 1] = hi(t[2 * i + 1], a[i], a[i]);
  }
}

// t / R mod p. The lowest limb of p is 2^52 - 1, so the factor that clears a limb is the limb
// itself and adding it 2^52 - 1 times clears the limb and adds it to the next.
[[gnu::always_inline]] inline void reduce_p(V t[10]) {
  for (int i = 0; i < 5; ++i) {
    const V k = low(t[i]);
    t[i + 1] = add(add(t[i + 1], _mm512_srli_epi64(t[i], 52)), k);
    t[i + 1] = lo(t[i + 1], k, set(kP[1]));
    t[i + 2] = hi(t[i + 2], k, set(kP[1]));
    t[i + 3] = lo(t[i + 3], k, set(kP[3]));
    t[i + 4] = hi(t[i + 4], k, set(kP[3]));
    t[i + 4] = lo(t[i + 4], k, set(kP[4]));
    t[i + 5] = hi(t[i + 5], k, set(kP[4]));
  }
  carry(t + 5);
}

[[gnu::always_inline]] inline void reduce_n(V t[10]) {
  for (int i = 0; i < 5; ++i) {
    const V k = lo(_mm512_setzero_si512(), t[i], set(kMinusInverseN));
    for (int j = 0; j < 5; ++j) {
      t[i + j] = lo(t[i + j], k, set(kN[j]));
      t[i + j + 1] = hi(t[i + j + 1], k, set(kN[j]));
    }
    t[i + 1] = add(t[i + 1], _mm512_srli_epi64(t[i], 52));
  }
  carry(t + 5);
}

// (A p)(B p) / 2^260 + p < (A B / 16 + 1) p; factors must fit 260 bits.
constexpr int product_bound(int a, int b) { return (a * b + 15) / 16 + 1; }

template <int A, int B>
[[gnu::always_inline]] inline Fe<product_bound(A, B)> mul(const Fe<A>& a, const Fe<B>& b) {
  static_assert(A <= 16 && B <= 16);
  V t[10];
  product(t, a.l, b.l);
  reduce_p(t);
  return {{t[5], t[6], t[7], t[8], t[9]}};
}
template <int A>
[[gnu::always_inline]] inline Fe<product_bound(A, A)> sqr(const Fe<A>& a) {
  static_assert(A <= 16);
  V t[10];
  square(t, a.l);
  reduce_p(t);
  return {{t[5], t[6], t[7], t[8], t[9]}};
}
template <int A, int B>
[[gnu::always_inline]] inline Fe<A + B> sum(const Fe<A>& a, const Fe<B>& b) {
  Fe<A + B> r;
  for (int i = 0; i < 5; ++i) r.l[i] = add(a.l[i], b.l[i]);
  carry(r.l);
  return r;
}
// a - b + B p.
template <int A, int B>
[[gnu::always_inline]] inline Fe<A + B> difference(const Fe<A>& a, const Fe<B>& b) {
  Fe<A + B> r;
  for (int i = 0; i < 5; ++i) r.l[i] = add(sub(a.l[i], b.l[i]), set(B * kP[i]));
  carry(r.l);
  return r;
}
template <int K, int A>
[[gnu::always_inline]] inline Fe<K * A> times(const Fe<A>& a) {
  Fe<K * A> r;
  for (int i = 0; i < 5; ++i) {
    r.l[i] = a.l[i];
    for (int k = 1; k < K; ++k) r.l[i] = add(r.l[i], a.l[i]);
  }
  carry(r.l);
  return r;
}
// What is above bit 256 is folded back: 2^256 = 2^224 - 2^192 - 2^96 + 1 mod p.
template <int A>
[[gnu::always_inline]] inline Fe<2> reduced(const Fe<A>& a) {
  static_assert(A < 4096);  // then the result is below 2^256 + 2^236, which is below 2 p
  Fe<2> r;
  for (int i = 0; i < 5; ++i) r.l[i] = a.l[i];
  const V q = _mm512_srli_epi64(r.l[4], 48);
  r.l[4] = _mm512_and_si512(r.l[4], set((u64{1} << 48) - 1));
  r.l[0] = add(r.l[0], q);
  r.l[1] = sub(r.l[1], _mm512_slli_epi64(q, 44));
  r.l[3] = sub(r.l[3], _mm512_slli_epi64(q, 36));
  r.l[4] = add(r.l[4], _mm512_slli_epi64(q, 16));
  carry(r.l);
  return r;
}

inline __mmask8 is_zero(const Fe<2>& a) {  // 0 or p
  __mmask8 zero = 0xFF, p = 0xFF;
  for (int i = 0; i < 5; ++i) {
    zero &= _mm512_cmpeq_epi64_mask(a.l[i], _mm512_setzero_si512());
    p &= _mm512_cmpeq_epi64_mask(a.l[i], set(kP[i]));
  }
  return zero | p;
}
template <int A>
[[gnu::always_inline]] inline Fe<A> select(__mmask8 mask, const Fe<A>& yes, const Fe<A>& no) {
  Fe<A> r;
  for (int i = 0; i < 5; ++i) r.l[i] = _mm512_mask_blend_epi64(mask, no.l[i], yes.l[i]);
  return r;
}
inline Fe<1> constant(const u64 limbs[5]) {
  Fe<1> r;
  for (int i = 0; i < 5; ++i) r.l[i] = set(limbs[i]);
  return r;
}

// 2^520 mod p and mod n; 2^260 mod p and mod n; b 2^260 mod p.
constexpr u64 kSquareP[5] = {0x0000000000300, 0xffffffff00000, 0xffffefffffffb, 0xfdfffffffffff,
                             0x0000004ffffff};
constexpr u64 kSquareN[5] = {0x5cc0dea6dc3ba, 0x192a067d8a084, 0xbec59615571bb, 0x1fc245b2392b6,
                             0xe12d9559d956};
constexpr u64 kOneP[5] = {0x0000000000010, 0xf000000000000, 0xfffffffffffff, 0xffeffffffffff,
                          0x00000000fffff};
constexpr u64 kOneN[5] = {0x353d039cdaaf0, 0x258e8617b0c46, 0x0000004319055, 0xfff0000000000,
                          0x00000000fffff};
constexpr u64 kB[5] = {0xdf6229c4bddfd, 0xca8843090d89c, 0x212ed6acf005c, 0x83415a220abf7,
                       0xc30061dd4874};

struct Jacobian {
  Fe<2> x, y, z;
};
struct Affine {
  Fe<2> x, y;
};

// The curve has a = -3.
[[gnu::noinline]] void double_point(Jacobian& point) {
  const Fe<2> delta = sqr(point.z), gamma = sqr(point.y), beta = mul(point.x, gamma);
  const Fe<6> alpha = times<3>(mul(difference(point.x, delta), sum(point.x, delta)));
  const Fe<2> x = reduced(difference(sqr(alpha), times<8>(beta)));
  point.z = mul(sum(point.y, point.y), point.z);
  const Fe<4> gamma8 = times<2>(sqr(sum(gamma, gamma)));
  point.y = reduced(difference(mul(alpha, difference(times<4>(beta), x)), gamma8));
  point.x = x;
}

// Adds `other` where its lane of `digit` is not zero. Equal or opposite points give z = 0, which
// stays; lanes of `none` hold nothing yet.
[[gnu::noinline]] void add_point(Jacobian& point, const Jacobian& other, __mmask8 skip,
                                 __mmask8& none) {
  const Fe<2> z1z1 = sqr(point.z), z2z2 = sqr(other.z);
  const Fe<2> u1 = mul(point.x, z2z2), u2 = mul(other.x, z1z1);
  const Fe<2> s1 = mul(point.y, mul(other.z, z2z2)), s2 = mul(other.y, mul(point.z, z1z1));
  const Fe<4> h = difference(u2, u1), r = difference(s2, s1);
  const Fe<2> hh = sqr(h), hhh = mul(h, hh), v = mul(u1, hh);
  const Fe<2> x = reduced(difference(difference(sqr(r), hhh), times<2>(v)));
  const Fe<2> y = reduced(difference(mul(r, difference(v, x)), mul(s1, hhh)));
  const Fe<2> z = mul(h, mul(point.z, other.z));
  const __mmask8 sums = ~(skip | none), copies = none & ~skip;
  point.x = select(copies, other.x, select(sums, x, point.x));
  point.y = select(copies, other.y, select(sums, y, point.y));
  point.z = select(copies, other.z, select(sums, z, point.z));
  none &= skip;
}

[[gnu::noinline]] void add_affine(Jacobian& point, const Affine& other, __mmask8 skip,
                                  __mmask8& none) {
  const Fe<2> z1z1 = sqr(point.z), u2 = mul(other.x, z1z1);
  const Fe<2> s2 = mul(other.y, mul(point.z, z1z1));
  const Fe<4> h = difference(u2, point.x), r = difference(s2, point.y);
  const Fe<2> hh = sqr(h), hhh = mul(h, hh), v = mul(point.x, hh);
  const Fe<2> x = reduced(difference(difference(sqr(r), hhh), times<2>(v)));
  const Fe<2> y = reduced(difference(mul(r, difference(v, x)), mul(point.y, hhh)));
  const Fe<2> z = mul(h, point.z);
  const __mmask8 sums = ~(skip | none), copies = none & ~skip;
  const Fe<1> exactly_one = constant(kOneP);
  Fe<2> one;
  for (int i = 0; i < 5; ++i) one.l[i] = exactly_one.l[i];
  point.x = select(copies, other.x, select(sums, x, point.x));
  point.y = select(copies, other.y, select(sums, y, point.y));
  point.z = select(copies, one, select(sums, z, point.z));
  none &= skip;
}

// ---- numbers modulo n

struct Scalar {  // below 2 n
  V l[5];
};
[[gnu::noinline]] Scalar mul_n(const Scalar& a, const Scalar& b) {
  V t[10];
  product(t, a.l, b.l);
  reduce_n(t);
  return {{t[5], t[6], t[7], t[8], t[9]}};
}
[[gnu::noinline]] Scalar sqr_n(const Scalar& a) {
  V t[10];
  square(t, a.l);
  reduce_n(t);
  return {{t[5], t[6], t[7], t[8], t[9]}};
}
Scalar constant_n(const u64 limbs[5]) {
  const Fe<1> value = constant(limbs);
  return {{value.l[0], value.l[1], value.l[2], value.l[3], value.l[4]}};
}

// 1/a R from a R, by Fermat: the power n - 2, four bits at a time.
Scalar inverse_n(const Scalar& a) {
  constexpr u64 kExponent[4] = {0xf3b9cac2fc63254f, 0xbce6faada7179e84, 0xffffffffffffffff,
                                0xffffffff00000000};
  Scalar powers[16];
  powers[0] = constant_n(kOneN);
  for (int i = 1; i < 16; ++i) powers[i] = mul_n(powers[i - 1], a);
  Scalar result = powers[15];
  for (int nibble = 62; nibble >= 0; --nibble) {
    for (int i = 0; i < 4; ++i) result = sqr_n(result);
    const unsigned digit = (kExponent[nibble / 16] >> (4 * (nibble % 16))) & 15;
    if (digit != 0) result = mul_n(result, powers[digit]);
  }
  return result;
}

// ---- octets and limbs

struct Number {  // four 64-bit words, the lowest first
  u64 w[4];
};
Number read_number(const unsigned char* octets) {
  Number number;
  for (int i = 0; i < 4; ++i) {
    u64 word;
    __builtin_memcpy(&word, octets + 24 - 8 * i, 8);
    number.w[i] = __builtin_bswap64(word);
  }
  return number;
}
bool less(const Number& a, const Number& b) {
  for (int i = 3; i >= 0; --i) {
    if (a.w[i] != b.w[i]) return a.w[i] < b.w[i];
  }
  return false;
}
bool zero(const Number& a) { return (a.w[0] | a.w[1] | a.w[2] | a.w[3]) == 0; }
constexpr Number kWordsP = {{0xffffffffffffffff, 0x00000000ffffffff, 0, 0xffffffff00000001}};
constexpr Number kWordsN = {
    {0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000}};
constexpr Number kWordsPMinusN = {{0x0c46353d039cdaae, 0x4319055358e8617b, 0, 0}};

struct alignas(64) Rows {
  u64 limb[5][8];
  void put(int lane, const Number& n) {
    limb[0][lane] = n.w[0] & kMask;
    limb[1][lane] = (n.w[0] >> 52 | n.w[1] << 12) & kMask;
    limb[2][lane] = (n.w[1] >> 40 | n.w[2] << 24) & kMask;
    limb[3][lane] = (n.w[2] >> 28 | n.w[3] << 36) & kMask;
    limb[4][lane] = n.w[3] >> 16;
  }
  V row(int i) const { return _mm512_load_si512(limb[i]); }
  template <typename T>
  T as() const {
    return {{row(0), row(1), row(2), row(3), row(4)}};
  }
};

// ---- windows of five bits with a sign

constexpr int kWindows = 52, kMultiples = 16;

struct Digit {
  V index;  // from 0: multiple minus one
  __mmask8 negative, none;
};
// The digit of window i of a number below 2^259: -16 to 16.
Digit digit_of(const V number[5], int window) {
  const int bit = 5 * window - 1;
  V six;
  if (bit < 0) {
    six = _mm512_slli_epi64(number[0], 1);
  } else {
    const int limb = bit / 52, shift = bit % 52;
    six = _mm512_srli_epi64(number[limb], static_cast<unsigned>(shift));
    if (shift > 46 && limb < 4)
      six = _mm512_or_si512(six,
                            _mm512_slli_epi64(number[limb + 1], static_cast<unsigned>(52 - shift)));
  }
  six = _mm512_and_si512(six, set(63));
  const __mmask8 negative = _mm512_cmpgt_epu64_mask(six, set(31));
  six = _mm512_mask_sub_epi64(six, negative, set(63), six);
  const V digit = add(_mm512_srli_epi64(six, 1), _mm512_and_si512(six, set(1)));
  const __mmask8 none = _mm512_cmpeq_epi64_mask(digit, _mm512_setzero_si512());
  return {
      _mm512_mask_sub_epi64(_mm512_setzero_si512(), static_cast<__mmask8>(~none), digit, set(1)),
      negative, none};
}

Fe<2> negated(const Fe<2>& y, __mmask8 where) {
  Fe<2> zero_value;
  for (int i = 0; i < 5; ++i) zero_value.l[i] = _mm512_setzero_si512();
  const Fe<2> minus = reduced(difference(zero_value, y));
  return select(where, minus, y);
}

V gather(V index, const u64* base) {
  return _mm512_i64gather_epi64(index, reinterpret_cast<const long long*>(base), 8);
}

// Multiples 1 to 16 of each lane's own point.
struct alignas(64) OwnTable {
  u64 entry[kMultiples][15][8];

  void put(int multiple, const Jacobian& point) {
    for (int i = 0; i < 5; ++i) {
      _mm512_store_si512(entry[multiple][i], point.x.l[i]);
      _mm512_store_si512(entry[multiple][5 + i], point.y.l[i]);
      _mm512_store_si512(entry[multiple][10 + i], point.z.l[i]);
    }
  }
  void fill(const Jacobian& point) {
    Jacobian multiple[kMultiples + 1];
    multiple[1] = point;
    __mmask8 none = 0;
    for (int i = 2; i <= kMultiples; ++i) {
      multiple[i] = multiple[i % 2 == 0 ? i / 2 : i - 1];
      if (i % 2 == 0)
        double_point(multiple[i]);
      else
        add_point(multiple[i], point, 0, none);
    }
    for (int i = 1; i <= kMultiples; ++i) put(i - 1, multiple[i]);
  }
  Jacobian get(const Digit& digit) const {
    const V lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    const V at = add(_mm512_mullo_epi64(digit.index, set(15 * 8)), lane);
    Jacobian point;
    for (int i = 0; i < 5; ++i) {
      point.x.l[i] = gather(at, entry[0][i]);
      point.y.l[i] = gather(at, entry[0][5 + i]);
      point.z.l[i] = gather(at, entry[0][10 + i]);
    }
    point.y = negated(point.y, digit.negative);
    return point;
  }
};

// Multiples 1 to 16 of the generator, in Montgomery form.
alignas(64) u64 generator_table[kMultiples][10];

Affine generator_multiple(const Digit& digit) {
  const V at = _mm512_mullo_epi64(digit.index, set(10));
  Affine point;
  for (int i = 0; i < 5; ++i) {
    point.x.l[i] = gather(at, &generator_table[0][i]);
    point.y.l[i] = gather(at, &generator_table[0][5 + i]);
  }
  point.y = negated(point.y, digit.negative);
  return point;
}

Fe<2> to_montgomery(const Rows& rows) { return mul(rows.as<Fe<2>>(), constant(kSquareP)); }

// y^2 = x^3 - 3 x + b
__mmask8 on_curve(const Fe<2>& x, const Fe<2>& y) {
  const Fe<2> cube = mul(sqr(x), x);
  const Fe<3> right = sum(cube, constant(kB));
  return is_zero(reduced(difference(sum(sqr(y), times<3>(x)), right)));
}

}  // namespace

bool available() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512ifma");
}

void set_generator_multiples(const unsigned char* points) {
  for (int first = 0; first < kMultiples; first += 8) {
    Rows x, y;
    for (int lane = 0; lane < 8; ++lane) {
      x.put(lane, read_number(points + 64 * (first + lane)));
      y.put(lane, read_number(points + 64 * (first + lane) + 32));
    }
    Rows mx, my;
    const Fe<2> fx = to_montgomery(x), fy = to_montgomery(y);
    for (int i = 0; i < 5; ++i) {
      _mm512_store_si512(mx.limb[i], fx.l[i]);
      _mm512_store_si512(my.limb[i], fy.l[i]);
    }
    for (int lane = 0; lane < 8; ++lane) {
      for (int i = 0; i < 5; ++i) {
        generator_table[first + lane][i] = mx.limb[i][lane];
        generator_table[first + lane][5 + i] = my.limb[i][lane];
      }
    }
  }
}

Verdict verify8(const Claim claims[8]) {
  Rows x, y, e, r, s, r_plus_n;
  __mmask8 in_range = 0, second = 0;
  for (int lane = 0; lane < 8; ++lane) {
    const Claim& claim = claims[lane];
    Number numbers[4] = {read_number(claim.point), read_number(claim.point + 32),
                         read_number(claim.signature), read_number(claim.signature + 32)};
    const bool good = less(numbers[0], kWordsP) && less(numbers[1], kWordsP) && !zero(numbers[2]) &&
                      less(numbers[2], kWordsN) && !zero(numbers[3]) && less(numbers[3], kWordsN);
    if (good)
      in_range |= static_cast<__mmask8>(1u << lane);
    else
      for (Number& number : numbers) number = {{1, 0, 0, 0}};
    x.put(lane, numbers[0]);
    y.put(lane, numbers[1]);
    r.put(lane, numbers[2]);
    s.put(lane, numbers[3]);
    e.put(lane, read_number(claim.digest));
    // The x co-ordinate of R may be r + n as well where that is below p.
    Number sum = numbers[2];
    if (less(numbers[2], kWordsPMinusN)) {
      second |= static_cast<__mmask8>(1u << lane);
      u64 carried = 0;
      for (int i = 0; i < 4; ++i) {
        const u64 with_carry = sum.w[i] + carried;
        carried = with_carry < carried ? 1 : 0;
        sum.w[i] = with_carry + kWordsN.w[i];
        if (sum.w[i] < with_carry) carried = 1;
      }
    }
    r_plus_n.put(lane, sum);
  }

  Jacobian key;
  key.x = to_montgomery(x);
  key.y = to_montgomery(y);
  const Fe<1> exactly_one = constant(kOneP);
  for (int i = 0; i < 5; ++i) key.z.l[i] = exactly_one.l[i];
  const __mmask8 curve = on_curve(key.x, key.y);

  // u1 = e / s and u2 = r / s: a factor R of the inverse undoes the division of the product.
  const Scalar inverse = inverse_n(mul_n(s.as<Scalar>(), constant_n(kSquareN)));
  const Scalar u1 = mul_n(e.as<Scalar>(), inverse), u2 = mul_n(r.as<Scalar>(), inverse);

  OwnTable table;
  table.fill(key);
  Jacobian sum = key;
  __mmask8 none = 0xFF;
  for (int window = kWindows - 1; window >= 0; --window) {
    if (none != 0xFF) {
      for (int i = 0; i < 5; ++i) double_point(sum);
    }
    const Digit own = digit_of(u2.l, window);
    add_point(sum, table.get(own), own.none, none);
    const Digit generator = digit_of(u1.l, window);
    add_affine(sum, generator_multiple(generator), generator.none, none);
  }

  const Fe<2> zz = sqr(sum.z);
  const auto same_x = [&](const Rows& wanted) {
    return is_zero(reduced(difference(mul(to_montgomery(wanted), zz), sum.x)));
  };
  const __mmask8 equal = static_cast<__mmask8>(same_x(r) | (same_x(r_plus_n) & second));
  const __mmask8 candidates = in_range & curve;
  const __mmask8 lost = static_cast<__mmask8>(none | is_zero(sum.z));
  return {static_cast<unsigned char>(equal & candidates & ~lost),
          static_cast<unsigned char>(candidates & lost)};
}

}  // namespace wattseal::crypto::lanes

#else

namespace wattseal::crypto::lanes {
bool available() { return false; }
void set_generator_multiples(const unsigned char*) {}
Verdict verify8(const Claim[8]) { return {0, 0xFF}; }
}  // namespace wattseal::crypto::lanes

#endif
