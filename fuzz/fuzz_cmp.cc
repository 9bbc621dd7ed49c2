// CMP messages: what decodes is consistent with itself, and its request is looked at as the
// registration authority would.
#include "base/check.h"
#include "smki/cmp_message.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView octets(data, size);
  const Result<smki::CmpMessage> message = smki::decode_cmp(octets);
  if (!message.ok()) return 0;
  CHECK(!message->header.transaction.empty() && !message->header.sender_nonce.empty());
  CHECK(message->protected_part.size() <= size + 4);
  CHECK(message->extra_certificates.size() <= 16);
  const Result<x509::CertificationRequest> request = x509::parse_request(message->request);
  if (request.ok()) {
    CHECK(equal(request->der, message->request));
    (void)x509::proves_possession(*request);
  }
  for (const Bytes& one : message->extra_certificates) (void)x509::parse_certificate(one);
  return 0;
}
