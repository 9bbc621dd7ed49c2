// Private keys as handles. No function returns a private key; who holds a handle may use the key
// and nothing else. Three stores behind one door: memory (tests), one encrypted file (development,
// demo, emulated devices) and PKCS#11 (SoftHSM2 in tests, any HSM in production). Only P-256.
// Threads: handles and stores may be used from any thread. Durable: a generated key is on disk or
// token when generate returns.
#pragma once
#include <filesystem>
#include <memory>

#include "base/world.h"
#include "crypto/crypto.h"

namespace wattseal::crypto {

class PrivateKey {
 public:
  virtual ~PrivateKey() = default;
  virtual const PublicPoint& public_point() const = 0;
  // Signatures are randomised and are verified before they leave. Throws Fault when the token
  // fails or what it returned does not verify.
  Signature sign(const Digest& digest) const;
  std::vector<Signature> sign_many(std::span<const Digest> digests) const;  // verified together
  // ECDH: the x co-ordinate. `peer` must come from parse_point (it is on the curve).
  virtual SharedSecret agree(const PublicPoint& peer) const = 0;

 private:
  virtual Signature sign_unverified(const Digest& digest) const = 0;
};
using KeyHandle = std::shared_ptr<const PrivateKey>;

class KeyStore {
 public:
  virtual ~KeyStore() = default;
  virtual std::string_view kind() const = 0;  // "memory", "file" or "pkcs11"
  // Labels are 1 to 64 characters of [A-Za-z0-9._-]. Refuses key-label-malformed, key-label-taken;
  // all or none.
  virtual Result<std::vector<KeyHandle>> generate(std::span<const std::string> labels) = 0;
  virtual Result<KeyHandle> find(std::string_view label) const = 0;  // refuses key-not-found
  virtual std::vector<std::string> labels() const = 0;               // sorted
};

Result<KeyHandle> generate_one(KeyStore& store, const std::string& label);
// The key of that label, made when it is not there yet.
Result<KeyHandle> find_or_generate(KeyStore& store, const std::string& label);

std::unique_ptr<KeyStore> memory_key_store();

// One file: a header with scrypt parameters and salt, then one AES-256-GCM sealed record a key
// (append, fsync). A torn last record is dropped at opening. Refuses key-store-passphrase (wrong),
// key-store-damaged. Mode 0600.
Result<std::unique_ptr<KeyStore>> open_file_key_store(const std::filesystem::path& file,
                                                      std::string_view passphrase, Random& random);

struct Pkcs11Options {
  std::filesystem::path module;  // such as /usr/lib/softhsm/libsofthsm2.so
  std::string token_label;
  std::string pin;
};
// Keys are CKA_SENSITIVE, not CKA_EXTRACTABLE. Sessions are pooled. While the token is away handles
// throw Fault; once it is back, removed or restarted, the same handles work again. Refuses
// pkcs11-module-missing, pkcs11-token-missing, pkcs11-pin-refused.
Result<std::unique_ptr<KeyStore>> open_pkcs11_key_store(const Pkcs11Options& options);
// For the demo and tests: a new SoftHSM2 token in `folder` (writes its configuration there and sets
// SOFTHSM2_CONF for this process). Refuses pkcs11-module-missing when SoftHSM2 is not installed.
Result<Pkcs11Options> create_softhsm_token(const std::filesystem::path& folder,
                                           const std::string& token_label, const std::string& pin);

// A key given as its 32 octets: for reference vectors only, never behind a store. Refuses
// key-malformed.
Result<KeyHandle> key_from_test_scalar(BytesView scalar);
// The same from an unencrypted PEM "PRIVATE KEY" or "EC PRIVATE KEY" file's text. Refuses
// key-malformed.
Result<KeyHandle> key_from_test_pem(std::string_view pem);

}  // namespace wattseal::crypto
