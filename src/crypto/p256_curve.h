// Whether two coordinates are a point of P-256. Works on public values only: its time may depend on
// them. Private to crypto.
#pragma once
#include "crypto/crypto.h"

namespace wattseal::crypto {

// Both coordinates are below p and y^2 = x^3 - 3x + b. Big-endian, 32 octets each.
bool is_on_p256(BytesView x, BytesView y);

}  // namespace wattseal::crypto
