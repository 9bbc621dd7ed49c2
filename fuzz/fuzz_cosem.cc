// DLMS: values and APDUs are exact inverses of their octets.
#include "base/check.h"
#include "cosem/cosem.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView input(data, size);
  const Result<cosem::Value> value = cosem::decode(input);
  if (value.ok()) CHECK(equal(cosem::encode(*value), input));
  const Result<cosem::AccessRequest> request = cosem::decode_access_request(input);
  if (request.ok()) CHECK(equal(cosem::encode(*request), input));
  const Result<cosem::AccessResponse> response = cosem::decode_access_response(input);
  if (response.ok()) CHECK(equal(cosem::encode(*response), input));
  const Result<cosem::DataNotification> notification = cosem::decode_data_notification(input);
  if (notification.ok()) CHECK(equal(cosem::encode(*notification), input));
  const Result<cosem::DateTime> time = cosem::DateTime::decode(input);
  if (time.ok()) {
    CHECK(equal(time->encode(), input));
    const Result<cosem::DateTime> again = cosem::DateTime::parse(time->text());
    CHECK(again.ok() && *again == *time);
  }
  return 0;
}
