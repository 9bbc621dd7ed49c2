// Certificates, requests and lists: whatever parses is rebuilt to the same signed octets.
#include "base/check.h"
#include "x509/x509.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView input(data, size);
  const Result<x509::Certificate> certificate = x509::parse_certificate(input);
  if (certificate.ok()) {
    CHECK(equal(certificate->der, input));
    CHECK(equal(x509::assemble_certificate(certificate->tbs, certificate->signature), input));
    (void)x509::name_text(certificate->subject);
  }
  const Result<x509::CertificationRequest> request = x509::parse_request(input);
  if (request.ok()) {
    CHECK(equal(x509::assemble_certificate(request->info, request->signature), input));
    (void)x509::proves_possession(*request);
  }
  const Result<x509::Crl> crl = x509::parse_crl(input);
  if (crl.ok()) CHECK(equal(crl->der, input));
  return 0;
}
