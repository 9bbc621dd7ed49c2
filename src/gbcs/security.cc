// The key schedule of GBCS: one static ECDH secret per pair of parties, and from it one AES-128 key
// for each message and use. Because counter, direction and parties go into the derivation, the GCM
// nonce may stay the originator's identity and zeros: no key ever meets a second message. Source:
// spec/gbcs-duis.md 1.6 to 1.9.
#include "gbcs/security.h"

#include <openssl/crypto.h>

namespace wattseal::gbcs {
namespace {

// The object identifier of AES-128 key derivation, then the fixed length of the transaction id.
constexpr std::array<Octet, 7> kAlgorithm{0x60, 0x85, 0x74, 0x06, 0x08, 0x03, 0x00};
constexpr std::array<Octet, 5> kAuthenticatedEncrypted{0x31, 0, 0, 0, 0};
constexpr Octet kBlobAuthenticated = 0x31;
constexpr std::size_t kTagOctets = 12;

crypto::Iv nonce(Eui64 originator) {
  crypto::Iv iv{};
  std::ranges::copy(originator.octets(), iv.begin());
  return iv;
}

KeyPurpose purpose_of(Cra cra) {
  switch (cra) {
    case Cra::command: return KeyPurpose::command;
    case Cra::response: return KeyPurpose::response;
    case Cra::alert: return KeyPurpose::alert;
  }
  UNREACHABLE();
}

// A derived key that leaves no copy behind.
struct DerivedKey {
  crypto::Key128 octets;
  explicit DerivedKey(const crypto::Key128& key) : octets(key) {}
  ~DerivedKey() { OPENSSL_cleanse(octets.data(), octets.size()); }
  DerivedKey(const DerivedKey&) = delete;
  DerivedKey& operator=(const DerivedKey&) = delete;
};

}  // namespace

crypto::Digest signed_digest(const Message& message) {
  return crypto::sha256(signed_octets(message));
}

crypto::Key128 derive_key(const crypto::SharedSecret& secret, Eui64 originator, KeyPurpose purpose,
                          OriginatorCounter counter, Eui64 recipient) {
  Bytes info = to_bytes(kAlgorithm);
  append(info, originator.octets());
  info.push_back(0x09);
  info.push_back(static_cast<Octet>(purpose));
  put_be(info, counter.number());
  append(info, recipient.octets());
  return crypto::concat_kdf(secret, info);
}

Mac compute_mac(const Message& message, const crypto::SharedSecret& secret) {
  const DerivedKey key(derive_key(secret, message.originator, purpose_of(message.cra),
                                  message.counter, message.target));
  const crypto::Tag tag =
      crypto::gmac(key.octets, nonce(message.originator), maced_octets(message));
  Mac mac;
  std::copy_n(tag.begin(), mac.size(), mac.begin());
  return mac;
}

void add_mac(Message& message, const crypto::SharedSecret& secret) {
  if (message.signature_field == SignatureField::missing)
    message.signature_field = SignatureField::empty;
  message.mac = compute_mac(message, secret);
}

Status verify_mac(const Message& message, const crypto::SharedSecret& secret) {
  if (!message.mac) return Refusal{"gbcs-mac-missing"_rule, "the message carries no MAC", "mac"};
  if (equal_constant_time(compute_mac(message, secret), *message.mac)) return {};
  return Refusal{"gbcs-mac-mismatch"_rule,
                 "the MAC does not verify for originator " + message.originator.text(), "mac"};
}

void sign(Message& message, const crypto::PrivateKey& key) {
  message.signature = key.sign(signed_digest(message));
  message.signature_field = SignatureField::present;
}

Status verify_signature(const Message& message, const crypto::PublicPoint& signer) {
  if (message.signature_field != SignatureField::present) {
    return Refusal{"gbcs-signature-missing"_rule, "the message carries no signature", "signature"};
  }
  if (crypto::verify(signer, signed_digest(message), message.signature)) return {};
  return Refusal{"gbcs-signature-mismatch"_rule,
                 "the signature does not verify for originator " + message.originator.text(),
                 "signature"};
}

Bytes seal_attribute(const crypto::SharedSecret& secret, Eui64 originator,
                     OriginatorCounter counter, Eui64 recipient, BytesView plain) {
  const DerivedKey key(derive_key(secret, originator, KeyPurpose::attribute, counter, recipient));
  Bytes blob = to_bytes(kAuthenticatedEncrypted);
  append(blob, crypto::gcm_seal(key.octets, nonce(originator), BytesView(&kBlobAuthenticated, 1),
                                plain, kTagOctets));
  return blob;
}

Result<Bytes> open_attribute(const crypto::SharedSecret& secret, Eui64 originator,
                             OriginatorCounter counter, Eui64 recipient, BytesView blob) {
  const std::size_t header = kAuthenticatedEncrypted.size();
  if (blob.size() < header + kTagOctets) {
    return Refusal{"gbcs-blob-malformed"_rule, "only " + std::to_string(blob.size()) + " octets"};
  }
  if (!equal(blob.first(header), kAuthenticatedEncrypted)) {
    return Refusal{"gbcs-blob-malformed"_rule, "security header " + to_hex(blob.first(header))};
  }
  const DerivedKey key(derive_key(secret, originator, KeyPurpose::attribute, counter, recipient));
  return crypto::gcm_open(key.octets, nonce(originator), BytesView(&kBlobAuthenticated, 1),
                          blob.subspan(header), kTagOctets);
}

AttributeRecipient attribute_recipient(const Message& message) {
  return {message.supplementary_party.value_or(message.target),
          message.supplementary_originator_counter.value_or(message.counter)};
}

}  // namespace wattseal::gbcs
