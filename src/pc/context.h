// What the C interface keeps between calls: keys, certificates, devices, and the shared secrets
// that follow from them. Thread-safe. Private to pc.
#pragma once
#include <map>
#include <mutex>
#include <shared_mutex>

#include "crypto/keys.h"
#include "gbcs/parse.h"
#include "gbcs/template.h"
#include "terms/terms.h"

namespace wattseal::pc {

enum class Use : Octet { signing, agreement, prepayment };

class Book final : public gbcs::Facts {
 public:
  Status add_key(Eui64 owner, bool prepayment, std::string_view pem);
  Status add_certificate(BytesView certificate);
  Status add_device(Eui64 device, std::string_view type);

  std::optional<crypto::PublicPoint> signer(Eui64 party) const;
  // Of two parties, with the private key of either. Refuses gbcs-no-key.
  Result<crypto::SharedSecret> secret(Eui64 one, Eui64 other) const;
  Result<crypto::SharedSecret> prepayment_secret(Eui64 supplier, Eui64 meter) const;
  // The secret of a message's MAC: the DCC's broker stands in for the originator of a command, and
  // is found by trying each organisation's certificate. Refuses gbcs-no-key.
  Result<crypto::SharedSecret> mac_secret(const gbcs::Message& message) const;
  gbcs::Opener opener() const;

  Result<int> device_type_code(Eui64 device) const override;
  Result<Bytes> key_agreement_certificate(Eui64 device) const override;
  Result<std::string> named(std::string_view name) const override;
  Result<RemotePartyRole> role_of(Eui64 party) const override;  // by its certificate

 private:
  Result<crypto::SharedSecret> agree(Eui64 owner, Use use, Eui64 peer) const;

  mutable std::shared_mutex mutex_;
  std::map<std::pair<Eui64, Use>, crypto::KeyHandle> keys_;
  std::map<std::pair<Eui64, Use>, crypto::PublicPoint> points_;
  std::map<Eui64, Bytes> agreement_certificates_;
  std::map<Eui64, DeviceType> devices_;
  std::map<Eui64, RemotePartyRole> roles_;
  mutable std::map<std::tuple<Eui64, Use, Eui64>, crypto::SharedSecret> secrets_;
};

}  // namespace wattseal::pc
