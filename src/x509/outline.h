// What an index needs of a certificate that parse_certificate() has taken before. Thread-safe.
#pragma once
#include "x509/x509.h"

namespace wattseal::x509 {

// A certificate with its dates, subject, usage and hardware module, and nothing else: the rest is
// passed over, unread. A fifth of parse_certificate()'s time. Refuses der-*, x509-*.
Result<Certificate> outline_of(BytesView der);

}  // namespace wattseal::x509
