// Certificates of anyone, as the linter and the repository meet them: any octets and any text with
// PEM blocks give findings, and each finding names a row.
#include "base/check.h"
#include "smki/lint.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView input(data, size);
  const Result<x509::Certificate> certificate = x509::parse_certificate(input);
  if (certificate.ok()) {
    const Result<smki::Identity> identity = smki::read_identity(*certificate);
    if (identity.ok()) CHECK(identity->subject.eui.has_value());
    (void)smki::lint_before_issue(certificate->tbs);
  } else {
    (void)smki::lint_before_issue(input);
  }
  smki::Linter linter(UtcTime::from_unix_seconds(1'800'000'000));
  linter.add("input", input);
  linter.add("again", input);
  for (const smki::Finding& finding : linter.findings()) CHECK(finding.lint != nullptr);
  return 0;
}
