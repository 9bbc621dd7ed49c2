// P-256 signatures verified eight at a time in AVX-512 IFMA registers. For public data only: time
// depends on the values. What it cannot decide (the formulas meet equal or opposite points) it
// says, and the caller asks OpenSSL. Private to crypto. Threads: any. Source: FIPS 186-4 6.4;
// Hankerson, Menezes, Vanstone, Guide to Elliptic Curve Cryptography, 3.2 and 4.4.
#pragma once
#include <cstdint>

namespace wattseal::crypto::lanes {

// One signature: pointers to 64 octets (X || Y), 32 octets and 64 octets (r || s), big-endian.
struct Claim {
  const unsigned char* point;
  const unsigned char* digest;
  const unsigned char* signature;
};
struct Verdict {
  unsigned char valid = 0;      // bit i: claim i verifies
  unsigned char undecided = 0;  // bit i: ask somebody else
};

bool available();  // the processor has what it takes
// X and Y of 1 to 16 times the generator, each 32 octets big-endian, in order; called once before.
void set_generator_multiples(const unsigned char* points);
Verdict verify8(const Claim claims[8]);  // only where available()

}  // namespace wattseal::crypto::lanes
