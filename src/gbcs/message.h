// The GBCS message envelope: general-ciphering (DD, a MAC) around general-signing (DF, grouping
// header, payload, signature). Octets and values only: no keys, no I/O. Octet layout:
// spec/gbcs-duis.md 1.2. What is signed and what is MACed: 1.7, 1.8. Limits: a message has at most
// 64 KiB. Errors: gbcs-truncated, gbcs-header, gbcs-length, gbcs-trailing, gbcs-too-large.
#pragma once
#include "base/bytes.h"
#include "base/result.h"
#include "base/types.h"
#include "crypto/crypto.h"

namespace wattseal::gbcs {

enum class Cra : Octet { command = 1, response = 2, alert = 3 };

class MessageCode {
 public:
  constexpr MessageCode() = default;
  constexpr explicit MessageCode(std::uint16_t number) : number_(number) {}
  constexpr std::uint16_t number() const { return number_; }
  std::string text() const;  // four upper-case hex digits
  friend constexpr auto operator<=>(MessageCode, MessageCode) = default;

 private:
  std::uint16_t number_ = 0;
};

using Mac = std::array<Octet, 12>;

// How the octets after the payload stand. A Pre-Command in the reference data ends right after its
// payload; DUIS proper adds one 00 octet: both are read, the second is written.
enum class SignatureField { missing, empty, present };

struct Message {
  Cra cra = Cra::command;
  OriginatorCounter counter;
  Eui64 originator, target;
  Bytes date_time;  // empty, or 12 octets of COSEM date-time (responses of some use cases)
  MessageCode code;
  std::optional<Eui64> supplementary_party;
  std::optional<OriginatorCounter> supplementary_counter;  // only with supplementary_party
  std::optional<OriginatorCounter>
      supplementary_originator_counter;  // only with supplementary_counter
  Bytes supplementary_certificate;       // DER, instead of the supplementary originator counter
  Bytes payload;
  SignatureField signature_field = SignatureField::empty;
  crypto::Signature signature{};  // meaningful when present
  std::optional<Mac> mac;         // with it the message starts with DD
  friend bool operator==(const Message&, const Message&) = default;
};

Bytes encode(const Message& message);
Result<Message> decode(BytesView octets);

// From the 09 after DF to the last payload octet: what ECDSA signs.
Bytes signed_octets(const Message& message);
// 11 0000000000 and everything from DF to the end of the signature field: what the GMAC
// authenticates.
Bytes maced_octets(const Message& message);

enum class PayloadKind { dlms_request, dlms_response, dlms_notification, gbz, asn1 };
// By the first octets (spec 2.1). Refuses gbcs-payload-unknown.
Result<PayloadKind> payload_kind(BytesView payload);

}  // namespace wattseal::gbcs
