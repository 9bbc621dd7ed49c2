#include "gateway/gateway/device_keys.h"

#include "x509/x509.h"

namespace wattseal::gateway {

Result<crypto::PublicPoint> DeviceKeys::signing(Eui64 device) {
  // Before the look-up: what is published meanwhile makes the next caller look again.
  const std::uint64_t published = repository_.count();
  {
    const std::lock_guard lock(mutex_);
    if (published != published_) known_.clear();
    published_ = published;
    const auto found = known_.find(device);
    if (found != known_.end()) return found->second;
  }
  TRY_ASSIGN(const smki::PublishedCertificate latest,
             repository_.latest(device, KeyUse::digital_signature, std::nullopt));
  TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(latest.der));
  const std::lock_guard lock(mutex_);
  if (published == published_) {
    if (known_.size() >= most_) known_.clear();
    known_.emplace(device, certificate.key);
  }
  return certificate.key;
}

}  // namespace wattseal::gateway
