// The HTTP signing service: the interface that clients of the public signing tool call.
//   POST /sign   {"message": base64 of a document, "preserveCounter": false} -> 200 {"message"}
//   POST /verify {"message"} -> 200 {"message": base64 of the document without its signature}
// 400 {"error", "rule", "field"} for what is no JSON, no base64, no XML, against the schema, or not
// signed by somebody known; 405 for other methods. Unless the counter is preserved, the RequestID
// gets milliseconds since 1970, each greater than the last one given. The key is the originator's:
// its XML signing key (role 135) where there is one, else any for signatures. Development only:
// keys are read from files. Thread-safe. See docs/formats/signing_service.md.
#pragma once
#include <atomic>
#include <filesystem>

#include "base/world.h"
#include "crypto/keys.h"
#include "http/http.h"
#include "x509/x509.h"
#include "xml/xsd.h"

namespace wattseal::apps {

// A private key in a file, PEM or PKCS#8 DER, development only. Refuses key-malformed.
Result<crypto::KeyHandle> read_test_key(const std::string& file);

class SigningService {
 public:
  // keys: folders with NAME.key and its certificate NAME.pem; every *.pem there and in `trusted` is
  // a certificate whose signatures verify. A file that is neither is passed over, and so is a
  // certificate that belongs to no key beside it. Refuses apps-key-pair when there is no pair.
  static Result<std::unique_ptr<SigningService>> load(const World& world,
                                                      const std::vector<std::string>& keys,
                                                      const std::vector<std::string>& trusted,
                                                      std::optional<xml::Xsd> official);

  Result<std::string> sign(const std::string& document, bool preserve_counter);
  Result<std::string> verify(const std::string& document) const;
  http::Response handle(const http::Request& request);  // routes as above

  std::size_t signers() const { return signers_.size(); }
  std::size_t certificates() const { return certificates_.size(); }

 private:
  struct Signer {
    Eui64 party;
    crypto::KeyHandle key;
    x509::Certificate certificate;
    bool for_documents;
  };
  explicit SigningService(const World& world, std::optional<xml::Xsd> official)
      : world_(world), official_(std::move(official)) {}
  void read_folder(const std::filesystem::path& folder, bool with_keys);
  Status check(const xml::Document& document) const;
  std::uint64_t next_counter();

  const World& world_;
  std::optional<xml::Xsd> official_;
  std::vector<Signer> signers_;
  std::vector<x509::Certificate> certificates_;
  std::atomic<std::uint64_t> last_counter_ = 0;
  http::Router router_;
};

}  // namespace wattseal::apps
