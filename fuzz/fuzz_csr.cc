// Signing requests as the registration authority meets them: structure, profile, possession. What
// is read has a subject of its profile, and a certificate of it can be built and read back.
#include "base/check.h"
#include "smki/profiles.h"

using namespace wattseal;

namespace {

void build(const x509::CertificationRequest& request, const smki::Asked& asked) {
  smki::ToBeSigned what;
  what.profile = asked.profile;
  what.serial = CertificateSerial::from_octets(Bytes(16, 0x41)).value();
  what.not_before = UtcTime::from_unix_seconds(1'800'000'000);
  what.subject = asked.subject;
  what.key = request.key;
  what.issuer = {{}, Bytes(8, 7)};
  const Result<x509::Certificate> tbs = x509::parse_tbs(smki::build_tbs(what));
  CHECK(tbs.ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<x509::CertificationRequest> request = x509::parse_request({data, size});
  if (!request.ok()) return 0;
  (void)x509::proves_possession(*request);
  const Result<smki::Asked> asked = smki::read_request(*request);
  if (!asked.ok()) return 0;
  CHECK(asked->profile != nullptr && !asked->profile->is_ca());
  CHECK(asked->subject.eui.has_value());
  CHECK(asked->subject.role.has_value() == (asked->profile->hierarchy == "organisation"));
  build(*request, *asked);
  return 0;
}
