// ZigBee payloads: components and alerts are exact inverses of their octets; attribute records
// never do worse than refuse.
#include "base/check.h"
#include "zcl/zcl.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView input(data, size);
  const Result<std::vector<zcl::Component>> components = zcl::decode(input);
  if (components.ok()) {
    const Result<Bytes> again = zcl::encode(*components);
    CHECK(again.ok() && equal(*again, input));
  }
  const Result<zcl::Alert> alert = zcl::decode_alert(input);
  if (alert.ok()) CHECK(equal(zcl::encode(*alert), input));
  (void)zcl::decode_read(input).ok();
  (void)zcl::decode_read_response(input).ok();
  (void)zcl::decode_attributes(input).ok();
  (void)zcl::decode_write_response(input).ok();
  return 0;
}
