// What a URL carries, and facts and records of a damaged journal.
#include "base/check.h"
#include "base/fault.h"
#include "http/url.h"
#include "terms/facts.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView input(data, size);
  const std::string_view text = as_text(input);
  if (const std::optional<http::Target> target = http::parse_target(text)) {
    const std::optional<http::Target> again =
        http::parse_target(http::encode_target(target->path, target->query));
    CHECK(again && again->path == target->path && again->query.size() == target->query.size());
  }
  (void)http::parse_base_url(text).ok();
  (void)http::percent_decode(text, http::Plus::means_space);
  (void)UtcTime::parse_iso(text);
  (void)Eui64::parse(text).ok();
  (void)CertificateSerial::parse_hex(text).ok();
  const Result<FactView> fact = FactView::read(input);
  if (fact.ok()) (void)describe(*fact);
  try {
    RecordReader record(input);
    while (!record.empty()) (void)record.octets();
  } catch (const Fault&) {  // as documented
  }
  return 0;
}
