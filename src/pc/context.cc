#include "pc/context.h"

#include "smki/profiles.h"

namespace wattseal::pc {

Status Book::add_key(Eui64 owner, bool prepayment, std::string_view pem) {
  TRY_ASSIGN(crypto::KeyHandle key, crypto::key_from_test_pem(pem));
  const std::unique_lock lock(mutex_);
  keys_[{owner, prepayment ? Use::prepayment : Use::agreement}] = std::move(key);
  secrets_.clear();
  return {};
}

Status Book::add_certificate(BytesView octets) {
  constexpr Octet kSequence = 0x30;  // DER begins so, PEM never
  const bool der = !octets.empty() && octets[0] == kSequence;
  TRY_ASSIGN(const x509::Certificate certificate,
             der ? x509::parse_certificate(octets) : x509::parse_certificate_pem(as_text(octets)));
  TRY_ASSIGN(const smki::Identity identity, smki::read_identity(certificate));
  if (!identity.subject.eui)
    return Refusal{"apps-input"_rule, "the certificate names nobody", "certificate"};
  const Eui64 owner = *identity.subject.eui;
  const bool signing = identity.use == KeyUse::digital_signature;
  const std::unique_lock lock(mutex_);
  points_[{owner, signing ? Use::signing : Use::agreement}] = certificate.key;
  if (!signing) agreement_certificates_[owner] = certificate.der;
  if (identity.subject.role) roles_[owner] = *identity.subject.role;
  secrets_.clear();
  return {};
}

Status Book::add_device(Eui64 device, std::string_view type) {
  const std::optional<DeviceType> known = wattseal::device_type(type);
  if (!known)
    return Refusal{"apps-input"_rule, "'" + std::string(type) + "' is no type of device", "type"};
  const std::unique_lock lock(mutex_);
  devices_[device] = *known;
  return {};
}

std::optional<crypto::PublicPoint> Book::signer(Eui64 party) const {
  const std::shared_lock lock(mutex_);
  const auto found = points_.find({party, Use::signing});
  return found == points_.end() ? std::nullopt : std::optional(found->second);
}

Result<crypto::SharedSecret> Book::agree(Eui64 owner, Use use, Eui64 peer) const {
  crypto::KeyHandle key;
  crypto::PublicPoint point{};
  {
    const std::shared_lock lock(mutex_);
    const auto known = secrets_.find({owner, use, peer});
    if (known != secrets_.end()) return known->second;
    const auto own = keys_.find({owner, use});
    const auto other = points_.find({peer, Use::agreement});
    if (own == keys_.end()) return Refusal{"gbcs-no-key"_rule, "no private key of " + owner.text()};
    if (other == points_.end())
      return Refusal{"gbcs-no-key"_rule, "no key agreement certificate of " + peer.text()};
    key = own->second;
    point = other->second;
  }
  const crypto::SharedSecret secret = key->agree(point);
  const std::unique_lock lock(mutex_);
  secrets_[{owner, use, peer}] = secret;
  return secret;
}

Result<crypto::SharedSecret> Book::secret(Eui64 one, Eui64 other) const {
  Result<crypto::SharedSecret> found = agree(one, Use::agreement, other);
  if (found.ok()) return found;
  const Result<crypto::SharedSecret> turned = agree(other, Use::agreement, one);
  return turned.ok() ? turned : found;
}

Result<crypto::SharedSecret> Book::prepayment_secret(Eui64 supplier, Eui64 meter) const {
  return agree(supplier, Use::prepayment, meter);
}

Result<crypto::SharedSecret> Book::mac_secret(const gbcs::Message& message) const {
  if (message.cra != gbcs::Cra::command) return secret(message.target, message.originator);
  std::vector<Eui64> parties;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [of, point] : points_) {
      if (of.second == Use::agreement) parties.push_back(of.first);
    }
  }
  for (const Eui64 party : parties) {
    Result<crypto::SharedSecret> found = secret(party, message.target);
    if (found.ok() && gbcs::verify_mac(message, *found).ok()) return found;
  }
  return secret(message.originator, message.target);
}

gbcs::Opener Book::opener() const {
  return [this](const gbcs::Message& message, BytesView blob) -> Result<Bytes> {
    const gbcs::AttributeRecipient recipient = gbcs::attribute_recipient(message);
    TRY_ASSIGN(const crypto::SharedSecret found, secret(recipient.party, message.originator));
    return gbcs::open_attribute(found, message.originator, recipient.counter, recipient.party,
                                blob);
  };
}

Result<int> Book::device_type_code(Eui64 device) const {
  const std::shared_lock lock(mutex_);
  const auto found = devices_.find(device);
  if (found == devices_.end())
    return Refusal{"gbcs-fact-missing"_rule, "the type of " + device.text() + " is not known"};
  return gbcs_type_code(found->second);
}

Result<Bytes> Book::key_agreement_certificate(Eui64 device) const {
  const std::shared_lock lock(mutex_);
  const auto found = agreement_certificates_.find(device);
  if (found == agreement_certificates_.end())
    return Refusal{"gbcs-fact-missing"_rule, "no certificate of " + device.text()};
  return found->second;
}

Result<std::string> Book::named(std::string_view name) const {
  if (name == "twin" || name == "polyphase") return std::string("false");
  if (name == "variant") return std::string("single");
  if (name == "generation") return std::string("newer");
  return Refusal{"gbcs-fact-missing"_rule, "nothing is known of '" + std::string(name) + "'"};
}

Result<RemotePartyRole> Book::role_of(Eui64 party) const {
  const std::shared_lock lock(mutex_);
  const auto found = roles_.find(party);
  if (found == roles_.end())
    return Refusal{"gbcs-fact-missing"_rule, "no certificate of " + party.text()};
  return found->second;
}

}  // namespace wattseal::pc
