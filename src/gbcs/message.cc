// A message on the wire, outermost first (spec/gbcs-duis.md 1.2):
//   DD 000000000000 L 11 00000000 <signed part> <12 octets of MAC>     general-ciphering, absent
//   when there is no MAC DF 09 CRA counter  08 originator  08 target  L date-time  L
//   other-information  L payload  L signature   the signed part
// Every length has exactly one spelling, so that decoding and encoding are inverses and a signature
// cannot be kept while the octets around it are respelt.
#include "gbcs/message.h"

#include "gbcs/message/wire.h"

namespace wattseal::gbcs {
namespace {

constexpr std::size_t kMaxMessage = 65536;
constexpr std::size_t kMacOctets = 12, kSignatureOctets = 64, kDateTimeOctets = 12;
constexpr std::size_t kCounterEnd =
    18;  // other-information that ends after the supplementary counter
constexpr std::size_t kTwoCountersEnd = 26;  // and after the supplementary originator counter
constexpr Octet kGeneralSigning = 0xDF;
constexpr std::array<Octet, 7> kCipheringHeader{kGeneralCiphering, 0, 0, 0, 0, 0, 0};
constexpr std::array<Octet, 5> kAuthenticatedOnly{0x11, 0, 0, 0, 0};

Bytes other_information(const Message& message) {
  CHECK(!message.supplementary_counter || message.supplementary_party);
  CHECK(!message.supplementary_originator_counter || message.supplementary_counter);
  CHECK(message.supplementary_certificate.empty() ||
        (message.supplementary_counter && !message.supplementary_originator_counter &&
         message.supplementary_certificate.size() > sizeof(std::uint64_t)));
  Bytes other;
  put_be(other, message.code.number());
  if (message.supplementary_party) append(other, message.supplementary_party->octets());
  if (message.supplementary_counter) put_be(other, message.supplementary_counter->number());
  if (message.supplementary_originator_counter)
    put_be(other, message.supplementary_originator_counter->number());
  append(other, message.supplementary_certificate);
  return other;
}

Status read_other_information(BytesView octets, Message& message) {
  const std::size_t size = octets.size();
  const bool known = size == 2 || size == 10 || size == kCounterEnd || size >= kTwoCountersEnd;
  if (!known) {
    return Refusal{"gbcs-header"_rule, std::to_string(size) + " octets of other information",
                   "other-information"};
  }
  message.code = MessageCode(static_cast<std::uint16_t>(get_be(octets.first(2))));
  if (size == 2) return {};
  message.supplementary_party = Eui64::from_number(get_be(octets.subspan(2, 8)));
  if (size >= kCounterEnd)
    message.supplementary_counter = OriginatorCounter(get_be(octets.subspan(10, 8)));
  if (size == kTwoCountersEnd) {
    message.supplementary_originator_counter =
        OriginatorCounter(get_be(octets.subspan(kCounterEnd)));
  } else if (size > kTwoCountersEnd) {
    message.supplementary_certificate = to_bytes(octets.subspan(kCounterEnd));
  }
  return {};
}

void put_signed_part(Bytes& to, const Message& message) {
  to.push_back(kGeneralSigning);
  append(to, signed_octets(message));
  if (message.signature_field == SignatureField::empty) to.push_back(0);
  if (message.signature_field == SignatureField::present) put_counted(to, message.signature);
}

Status read_grouping_header(WireReader& reader, Message& message) {
  TRY(reader.expect(kGeneralSigning, "general-signing"));
  TRY(reader.expect(kTransactionOctets, "transaction-id"));
  TRY_ASSIGN(const std::uint64_t cra, reader.number(1, "cra"));
  if (cra < 1 || cra > 3)
    return Refusal{"gbcs-header"_rule, "CRA flag " + std::to_string(cra), "cra"};
  message.cra = static_cast<Cra>(cra);
  TRY_ASSIGN(const std::uint64_t counter, reader.number(8, "counter"));
  message.counter = OriginatorCounter(counter);
  TRY_ASSIGN(message.originator, read_title(reader, "originator"));
  TRY_ASSIGN(message.target, read_title(reader, "target"));
  TRY_ASSIGN(const BytesView date_time, reader.counted("date-time"));
  if (!date_time.empty() && date_time.size() != kDateTimeOctets) {
    return Refusal{"gbcs-header"_rule, std::to_string(date_time.size()) + " octets of date-time",
                   "date-time"};
  }
  message.date_time = to_bytes(date_time);
  TRY_ASSIGN(const BytesView other, reader.counted("other-information"));
  return read_other_information(other, message);
}

Status read_signature(WireReader& reader, Message& message) {
  if (reader.left() == 0 && !message.mac) {
    message.signature_field = SignatureField::missing;
    return {};
  }
  TRY_ASSIGN(const BytesView signature, reader.counted("signature"));
  if (signature.empty()) {
    message.signature_field = SignatureField::empty;
    return {};
  }
  if (signature.size() != kSignatureOctets) {
    return Refusal{"gbcs-length"_rule, std::to_string(signature.size()) + " octets of signature",
                   "signature"};
  }
  message.signature_field = SignatureField::present;
  std::ranges::copy(signature, message.signature.begin());
  return {};
}

Status read_signed_part(BytesView octets, Message& message) {
  WireReader reader(octets);
  TRY(read_grouping_header(reader, message));
  TRY_ASSIGN(const BytesView payload, reader.counted("payload"));
  message.payload = to_bytes(payload);
  TRY(read_signature(reader, message));
  if (reader.left() == 0) return {};
  return Refusal{"gbcs-trailing"_rule,
                 std::to_string(reader.left()) + " octets follow the message"};
}

// Takes header and MAC off; what is left is the signed part.
Result<BytesView> read_ciphering(BytesView octets, Message& message) {
  WireReader reader(octets);
  TRY(reader.expect(kCipheringHeader, "general-ciphering"));
  TRY_ASSIGN(const std::size_t length, reader.length("general-ciphering"));
  if (length < reader.left()) {
    return Refusal{"gbcs-trailing"_rule,
                   std::to_string(reader.left() - length) + " octets follow the MAC"};
  }
  TRY_ASSIGN(const BytesView content, reader.take(length, "general-ciphering"));
  WireReader inner(content);
  TRY(inner.expect(kAuthenticatedOnly, "security-header"));
  if (inner.left() < kMacOctets)
    return Refusal{"gbcs-truncated"_rule, "no room for the MAC", "mac"};
  TRY_ASSIGN(const BytesView signed_part, inner.take(inner.left() - kMacOctets, "general-signing"));
  message.mac.emplace();
  std::ranges::copy(content.last(kMacOctets), message.mac->begin());
  return signed_part;
}

}  // namespace

std::string MessageCode::text() const {
  Bytes octets;
  put_be(octets, number_);
  return to_hex_upper(octets);
}

Bytes signed_octets(const Message& message) {
  CHECK(message.date_time.empty() || message.date_time.size() == kDateTimeOctets);
  Bytes to{kTransactionOctets, static_cast<Octet>(message.cra)};
  put_be(to, message.counter.number());
  put_counted(to, message.originator.octets());
  put_counted(to, message.target.octets());
  put_counted(to, message.date_time);
  put_counted(to, other_information(message));
  put_counted(to, message.payload);
  return to;
}

Bytes maced_octets(const Message& message) {
  Bytes to{0x11, 0, 0, 0, 0, 0};
  put_signed_part(to, message);
  return to;
}

Bytes encode(const Message& message) {
  Bytes signed_part;
  put_signed_part(signed_part, message);
  if (!message.mac) return signed_part;
  // Without a signature field the MAC would be read as one.
  CHECK(message.signature_field != SignatureField::missing);
  Bytes to = to_bytes(kCipheringHeader);
  put_length(to, kAuthenticatedOnly.size() + signed_part.size() + kMacOctets);
  append(to, kAuthenticatedOnly);
  append(to, signed_part);
  append(to, *message.mac);
  return to;
}

Result<Message> decode(BytesView octets) {
  if (octets.size() > kMaxMessage) {
    return Refusal{"gbcs-too-large"_rule, std::to_string(octets.size()) + " octets"};
  }
  Message message;
  BytesView signed_part = octets;
  if (!octets.empty() && octets.front() == kGeneralCiphering) {
    TRY_ASSIGN(signed_part, read_ciphering(octets, message));
  }
  TRY(read_signed_part(signed_part, message));
  return message;
}

Result<PayloadKind> payload_kind(BytesView payload) {
  if (payload.empty())
    return Refusal{"gbcs-payload-unknown"_rule, "the payload is empty", "payload"};
  switch (payload.front()) {
    case 0xD9: return PayloadKind::dlms_request;
    case 0xDA: return PayloadKind::dlms_response;
    case 0x0F: return PayloadKind::dlms_notification;
    case 0x01:
      if (payload.size() > 1 && payload[1] == 0x09) return PayloadKind::gbz;
      break;
    case 0x02:
    case 0x04:
    case 0x05:
    case 0x30: return PayloadKind::asn1;
    default: break;
  }
  return Refusal{
      "gbcs-payload-unknown"_rule,
      "the payload starts with " + to_hex(payload.first(std::min<std::size_t>(2, payload.size()))),
      "payload"};
}

}  // namespace wattseal::gbcs
