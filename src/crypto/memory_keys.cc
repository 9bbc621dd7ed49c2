#include "crypto/p256.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <map>
#include <mutex>

#include "crypto/labels.h"

namespace wattseal::crypto {
namespace {

class MemoryKeyStore final : public KeyStore {
 public:
  std::string_view kind() const override { return "memory"; }

  Result<std::vector<KeyHandle>> generate(std::span<const std::string> labels) override {
    const std::lock_guard lock(mutex_);
    TRY(check_labels(labels, [this](const std::string& label) { return keys_.contains(label); }));
    std::vector<KeyHandle> made;
    for (const std::string& label : labels) made.push_back(keys_[label] = SoftwareKey::generate());
    return made;
  }

  Result<KeyHandle> find(std::string_view label) const override {
    const std::lock_guard lock(mutex_);
    const std::map<std::string, KeyHandle, std::less<>>::const_iterator found = keys_.find(label);
    if (found == keys_.end()) return no_such_key(label);
    return found->second;
  }

  std::vector<std::string> labels() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> all;
    for (const auto& [label, key] : keys_) all.push_back(label);
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, KeyHandle, std::less<>> keys_;
};

}  // namespace

namespace {
constexpr const char* kWrongSignature =
    "a key made a signature that does not verify under its own public key";
}

Signature PrivateKey::sign(const Digest& digest) const {
  const Signature signature = sign_unverified(digest);
  if (!verify(public_point(), digest, signature)) throw Fault(kWrongSignature);
  return signature;
}

std::vector<Signature> PrivateKey::sign_many(std::span<const Digest> digests) const {
  std::vector<Claim> claims;
  std::vector<Signature> signatures;
  for (const Digest& digest : digests) {
    signatures.push_back(sign_unverified(digest));
    claims.push_back({public_point(), digest, signatures.back()});
  }
  if (!std::ranges::all_of(verify_many(claims), [](char valid) { return valid == 1; }))
    throw Fault(kWrongSignature);
  return signatures;
}

std::unique_ptr<KeyStore> memory_key_store() { return std::make_unique<MemoryKeyStore>(); }

Result<KeyHandle> generate_one(KeyStore& store, const std::string& label) {
  TRY_ASSIGN(std::vector<KeyHandle> made, store.generate({&label, 1}));
  return made.front();
}

Result<KeyHandle> find_or_generate(KeyStore& store, const std::string& label) {
  Result<KeyHandle> found = store.find(label);
  if (found.ok() || found.refusal().rule != "key-not-found"_rule) return found;
  return generate_one(store, label);
}

Result<KeyHandle> key_from_test_scalar(BytesView scalar) {
  TRY_ASSIGN(const KeyHandle key, SoftwareKey::from_scalar(scalar));
  return key;
}

Result<KeyHandle> key_from_test_pem(std::string_view pem) {
  const Refusal malformed{"key-malformed"_rule,
                          "the text is no unencrypted P-256 private key in PEM"};
  const std::unique_ptr<BIO, Freer<BIO_free_all>> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  openssl_must(bio != nullptr, "BIO_new_mem_buf");
  const std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  const EC_KEY* const ec = key ? EVP_PKEY_get0_EC_KEY(key.get()) : nullptr;
  Bytes scalar(32);
  if (!ec || BN_bn2binpad(EC_KEY_get0_private_key(ec), scalar.data(), 32) != 32) {
    ERR_clear_error();
    return malformed;
  }
  return key_from_test_scalar(scalar);
}

}  // namespace wattseal::crypto
