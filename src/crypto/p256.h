// P-256 with OpenSSL's low-level calls. Private to crypto.
#pragma once
#include "crypto/openssl.h"

#include "crypto/keys.h"

namespace wattseal::crypto {

class SoftwareKey final : public PrivateKey {
 public:
  static std::shared_ptr<const SoftwareKey> generate();
  static Result<std::shared_ptr<const SoftwareKey>> from_scalar(
      BytesView scalar);  // refuses key-malformed
  // For sealing into the key file; the caller cleanses it.
  std::array<Octet, 32> scalar() const;

  const PublicPoint& public_point() const override { return point_; }
  SharedSecret agree(const PublicPoint& peer) const override;

 private:
  Signature sign_unverified(const Digest& digest) const override;
  SoftwareKey(EcKey key, const PublicPoint& point) : key_(std::move(key)), point_(point) {}
  EcKey key_;
  PublicPoint point_;
};

}  // namespace wattseal::crypto
