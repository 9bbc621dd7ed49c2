// Revocation lists: what parses is consistent with itself.
#include "base/check.h"
#include "x509/x509.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<x509::Crl> crl = x509::parse_crl({data, size});
  if (!crl.ok()) return 0;
  CHECK(equal(crl->der, BytesView(data, size)));
  for (std::size_t i = 0; i < crl->entries.size(); ++i) {
    CHECK(i == 0 || crl->entries[i - 1].serial <= crl->entries[i].serial);
    CHECK(crl->revokes(crl->entries[i].serial));
  }
  (void)x509::signed_by(*crl, {});
  return 0;
}
