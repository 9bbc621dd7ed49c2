// The keys that devices sign with, as the repository has them, kept so that a device which speaks
// again costs no look-up. What is kept holds until something is published. Private to gateway.
// Thread-safe.
#pragma once
#include <mutex>
#include <unordered_map>

#include "crypto/crypto.h"
#include "smki/repository.h"

namespace wattseal::gateway {

class DeviceKeys {
 public:
  DeviceKeys(const smki::Repository& repository, std::size_t most)
      : repository_(repository), most_(most) {}
  // Of the latest certificate. Refuses repository-not-found.
  Result<crypto::PublicPoint> signing(Eui64 device);

 private:
  const smki::Repository& repository_;
  const std::size_t most_;
  std::mutex mutex_;
  std::uint64_t published_ = 0;  // certificates, when what is kept was looked up
  std::unordered_map<Eui64, crypto::PublicPoint> known_;
};

}  // namespace wattseal::gateway
