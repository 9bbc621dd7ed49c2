// Documents: parsing, the signature profile, service requests and responses. What is read as a
// request is written and read again; what is signed verifies; what the quick reader takes, libxml2
// reads the same.
#include "base/check.h"
#include "duis/duis.h"
#include "xml/c14n.h"
#include "xml/dsig.h"
#include "xml/plain_reader.h"
#include "xml/watched_parser.h"

using namespace wattseal;

namespace {

void sign_and_verify(std::string_view text) {
  static const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  static const crypto::KeyHandle key = crypto::generate_one(*keys, "k").value();
  const Result<std::string> made =
      xml::sign(text, {"CN=Fuzz", CertificateSerial::parse_decimal("1").value()}, *key);
  if (!made.ok()) return;
  const Result<xml::Document> document = xml::parse(*made);
  CHECK(document.ok());
  CHECK(xml::verify_signature(*document, key->public_point()).ok());
  const Result<std::string> bare = xml::without_signature(*document);
  CHECK(bare.ok() && xml::parse(*bare).ok());
}

void read_both_ways(const std::string& text, const xml::Limits& limits) {
  xml::Tree plain;
  if (!xml::read_plain(text, limits, plain)) return;
  const Result<xml::XmlDoc> parsed = xml::parse_tree(text, limits);
  CHECK(parsed.ok());
  const xml::Tree other = xml::tree_of(**parsed);
  CHECK(plain.nodes.size() == other.nodes.size() && plain.root == other.root);
  CHECK(xml::canonical_without(plain, xml::kNothing) ==
        xml::canonical_without(other, xml::kNothing));
  CHECK(xml::canonical_exclusive(plain, plain.root) == xml::canonical_exclusive(other, other.root));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr xml::Limits kLimits{65'536, 32, 2'000};
  if (size <= kLimits.octets) read_both_ways(std::string(as_text({data, size})), kLimits);
  const Result<xml::Document> document = xml::parse(as_text({data, size}), kLimits);
  if (!document.ok()) return 0;
  (void)xml::claimed_signer(*document).ok();
  sign_and_verify(as_text({data, size}));
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
