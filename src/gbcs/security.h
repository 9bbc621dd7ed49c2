// What keys do to a GBCS message: derive, MAC, sign, encrypt attributes, and check each of these.
// Key derivation: spec 1.6. A shared secret is the ECDH of two key agreement keys; callers cache it
// per pair. Thread-safe; no state. Errors: gbcs-mac-mismatch, gbcs-mac-missing,
// gbcs-signature-mismatch, gbcs-signature-missing, gbcs-blob-malformed, gcm-tag-mismatch.
#pragma once
#include "crypto/keys.h"
#include "gbcs/message.h"

namespace wattseal::gbcs {

// The octet F of the key derivation: which use the key has.
enum class KeyPurpose : Octet { command = 1, response = 2, alert = 3, attribute = 4 };

crypto::Key128 derive_key(const crypto::SharedSecret& secret, Eui64 originator, KeyPurpose purpose,
                          OriginatorCounter counter, Eui64 recipient);

// MAC over a message as it stands; the recipient in the derivation is the business target.
Mac compute_mac(const Message& message, const crypto::SharedSecret& secret);
void add_mac(Message& message, const crypto::SharedSecret& secret);
Status verify_mac(const Message& message, const crypto::SharedSecret& secret);

void sign(Message& message, const crypto::PrivateKey& key);
crypto::Digest signed_digest(const Message& message);  // of what is signed: SHA-256
Status verify_signature(const Message& message, const crypto::PublicPoint& signer);

// 31 00000000 || ciphertext || tag(12). `recipient` and `counter`: spec 1.6, rows with F = 04.
Bytes seal_attribute(const crypto::SharedSecret& secret, Eui64 originator,
                     OriginatorCounter counter, Eui64 recipient, BytesView plain);
Result<Bytes> open_attribute(const crypto::SharedSecret& secret, Eui64 originator,
                             OriginatorCounter counter, Eui64 recipient, BytesView blob);

// Who can read the encrypted attributes of a message, and with which counter.
struct AttributeRecipient {
  Eui64 party;
  OriginatorCounter counter;
};
AttributeRecipient attribute_recipient(const Message& message);

}  // namespace wattseal::gbcs
