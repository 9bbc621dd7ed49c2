// Documents: parsing, the signature profile, service requests and responses. What is read as a
// request is written and read again.
#include "base/check.h"
#include "duis/duis.h"
#include "xml/dsig.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<xml::Document> document = xml::parse(as_text({data, size}), {65'536, 32, 2'000});
  if (!document.ok()) return 0;
  (void)xml::claimed_signer(*document).ok();
  (void)duis::read_response(document->root()).ok();
  const Result<duis::ServiceRequest> request = duis::read_request(document->root());
  if (!request.ok()) return 0;
  const Result<xml::Document> again = xml::parse(duis::write(*request));
  CHECK(again.ok());
  const Result<duis::ServiceRequest> reread = duis::read_request(again->root());
  CHECK(reread.ok());
  CHECK(reread->id == request->id && reread->body == request->body);
  return 0;
}
