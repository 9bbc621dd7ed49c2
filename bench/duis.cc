// Signed service requests as they come in: parsed, verified and held against the schema.
#include "base/fault.h"
#include "bench/bench.h"
#include "duis/compose.h"
#include "duis/schema.h"
#include "terms/terms.h"
#include "xml/dsig.h"

namespace wattseal::bench {
namespace {

struct Requests {
  crypto::KeyHandle key;
  crypto::PublicPoint signer{};
  std::vector<std::string> documents;  // the example of every service, signed
};

Requests make_requests() {
  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  const crypto::KeyHandle key = *crypto::generate_one(*keys, "k");
  const xml::IssuerSerial name{"CN=Bench,OU=07", *CertificateSerial::parse_decimal("4711")};
  Requests made{key, key->public_point(), {}};
  for (const ServiceRequestRow& row : service_requests())
    made.documents.push_back(
        *xml::sign(duis::write(duis::example_request(row.variant)), name, *key));
  return made;
}

void must(bool good) {
  if (!good) throw Fault("a request of our own is refused");
}

}  // namespace

void duis_verify(const Bench& bench, Results& results) {
  const Requests made = make_requests();
  const std::vector<std::string>& documents = made.documents;
  constexpr std::size_t kCount = 20'000;
  const crypto::Digest digest = crypto::sha256(as_bytes("limit"));
  const crypto::Signature signature = made.key->sign(digest);
  const double limit = bench.core_rate(
      kCount, [&](std::size_t) { must(crypto::verify(made.signer, digest, signature)); });
  const crypto::FrequentKey frequent(made.signer);
  const auto rate = [&](const auto& signer) {
    return bench.core_rate(kCount, [&](std::size_t i) {
      const Result<xml::Document> document = xml::parse(documents[i % documents.size()]);
      must(document.ok() && xml::verify_signature(*document, signer).ok() &&
           duis::read_request(document->root()).ok());
    });
  };
  const std::string what = "the example of every service, one core: parse, signature, schema; ";
  results.push_back({"duis_verify", rate(frequent), "documents/s", limit,
                     "ECDSA verification alone", what + "a signer who signs often"});
  results.push_back({"duis_verify_first", rate(made.signer), "documents/s", limit,
                     "ECDSA verification alone", what + "a signer seen for the first time"});
}

void duis_schema(const Bench& bench, Results& results) {
  const Requests made = make_requests();
  std::vector<xml::Document> documents;
  for (const std::string& text : made.documents) documents.push_back(xml::parse(text).value());
  constexpr std::size_t kCount = 400'000;
  const double limit = bench.rate(kCount / 10, 1, [&](std::size_t i) {
    must(xml::parse(made.documents[i % made.documents.size()]).ok());
  });
  const double rate = bench.rate(kCount, 1, [&](std::size_t i) {
    must(duis::check_schema(documents[i % documents.size()].root()).ok());
  });
  results.push_back({"duis_schema", rate, "documents/s", limit, "parsing the document",
                     "the example of every service, one core"});
}

}  // namespace wattseal::bench
