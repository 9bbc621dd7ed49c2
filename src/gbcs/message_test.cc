#include "gbcs/message.h"

#include "gbcs/reference_test.h"

namespace wattseal::gbcs {
namespace {

Bytes hex(std::string_view digits) { return from_hex(digits).value(); }

Message sample() {
  Message message;
  message.counter = OriginatorCounter(1001);
  message.originator = Eui64::from_number(0x1122334455667788);
  message.target = Eui64::from_number(0x99AABBCCDDEEFF00);
  message.code = MessageCode(0x004B);
  message.payload = hex("d9200003e9000102000100005e2c00010201120384");
  return message;
}

// df 09 cra counter(8) 08 originator 08 target 00 02 004b 15 payload 00
constexpr std::string_view kSample =
    "df090100000000000003e90811223344556677880899aabbccddeeff000002004b15d9200003e9000102000100005e"
    "2c0001020112038400";

std::string refused(BytesView octets) {
  const Result<Message> message = decode(octets);
  return message.ok() ? "accepted" : std::string(message.refusal().rule.text());
}

std::string refused_with(std::size_t place, Octet octet) {
  Bytes octets = hex(kSample);
  octets.at(place) = octet;
  return refused(octets);
}

TEST(MessageCode, PrintsFourUpperCaseDigits) {
  EXPECT_EQ(MessageCode(0x00CD).text(), "00CD");
  EXPECT_EQ(MessageCode(0xFFFF).text(), "FFFF");
}

TEST(Envelope, WritesTheDocumentedOctets) {
  EXPECT_EQ(to_hex(encode(sample())), kSample);
  EXPECT_EQ(decode(hex(kSample)).value(), sample());
}

TEST(Envelope, RoundTripsEveryReferenceMessage) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const std::vector<test::Reference> messages = test::reference_messages(folder);
  EXPECT_EQ(messages.size(), 914u);
  for (const test::Reference& reference : messages) {
    const Result<Message> message = decode(reference.octets);
    ASSERT_TRUE(message.ok()) << reference.name << ": " << message.refusal().detail;
    EXPECT_EQ(encode(*message), reference.octets) << reference.name;
    const bool precommand = reference.name.find("PRECOMMAND") != std::string::npos;
    EXPECT_EQ(message->signature_field == SignatureField::missing, precommand) << reference.name;
  }
}

TEST(Envelope, NamesThePayloadOfEveryReferenceMessage) {
  WATTSEAL_NEEDS_VECTORS(folder);
  std::map<PayloadKind, int> counts;
  for (const test::Reference& reference : test::reference_messages(folder)) {
    const Result<PayloadKind> kind = payload_kind(decode(reference.octets).value().payload);
    ASSERT_TRUE(kind.ok()) << reference.name;
    ++counts[*kind];
  }
  EXPECT_EQ(counts[PayloadKind::dlms_request], 281);
  EXPECT_EQ(counts[PayloadKind::dlms_response], 205);
  EXPECT_EQ(counts[PayloadKind::dlms_notification], 51);
  EXPECT_EQ(counts[PayloadKind::gbz], 231);
  EXPECT_EQ(counts[PayloadKind::asn1], 146);
}

TEST(Envelope, RefusesEveryPrefixOfAMessage) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const std::vector<test::Reference> messages = test::reference_messages(folder);
  for (std::size_t i = 0; i < messages.size(); i += 40) {
    const BytesView octets = messages[i].octets;
    int precommands = 0;
    for (std::size_t size = 0; size < octets.size(); ++size) {
      // Without its signature octet an unsigned message is a Pre-Command of the reference's form.
      const Result<Message> message = decode(octets.first(size));
      if (message.ok()) {
        EXPECT_EQ(message->signature_field, SignatureField::missing) << messages[i].name;
        ++precommands;
      }
    }
    EXPECT_LE(precommands, octets.front() == 0xDF ? 1 : 0) << messages[i].name;
  }
}

TEST(Envelope, DecodesNoFlippedMessageThatItWouldWriteDifferently) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const std::vector<test::Reference> messages = test::reference_messages(folder);
  std::mt19937 random(20240601);
  for (int i = 0; i < 40000; ++i) {
    Bytes octets = messages[random() % messages.size()].octets;
    octets[random() % octets.size()] ^= static_cast<Octet>(1u << random() % 8);
    const Result<Message> message = decode(octets);
    if (message.ok()) {
      EXPECT_EQ(encode(*message), octets);
    }
  }
}

TEST(Envelope, NeverCrashesOnNoise) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    Bytes octets(random() % 120);
    for (Octet& octet : octets) octet = static_cast<Octet>(random());
    if (!octets.empty()) octets[0] = random() % 2 ? 0xDD : 0xDF;
    const Result<Message> message = decode(octets);
    if (message.ok()) {
      EXPECT_EQ(encode(*message), octets);
    }
  }
}

TEST(Envelope, RoundTripsEveryFormOfOtherInformation) {
  Message message = sample();
  const std::size_t plain = encode(message).size();
  message.supplementary_party = Eui64::from_number(1);
  EXPECT_EQ(encode(message).size(), plain + 8);
  EXPECT_EQ(decode(encode(message)).value(), message);
  message.supplementary_counter = OriginatorCounter(2);
  EXPECT_EQ(encode(message).size(), plain + 16);
  EXPECT_EQ(decode(encode(message)).value(), message);
  Message certified = message;
  message.supplementary_originator_counter = OriginatorCounter(~0ull);
  EXPECT_EQ(encode(message).size(), plain + 24);
  EXPECT_EQ(decode(encode(message)).value(), message);
  for (const std::size_t size : {9u, 109u, 110u, 237u, 238u, 406u}) {
    certified.supplementary_certificate.assign(size, 0x30);
    EXPECT_EQ(decode(encode(certified)).value(), certified) << size;
  }
}

TEST(Envelope, RoundTripsEveryFormOfSignatureDateTimeAndMac) {
  for (const std::size_t payload : {0u, 1u, 127u, 128u, 255u, 256u, 65000u}) {
    for (const bool dated : {false, true}) {
      for (const SignatureField field :
           {SignatureField::missing, SignatureField::empty, SignatureField::present}) {
        Message message = sample();
        message.cra = dated ? Cra::response : Cra::alert;
        message.payload.assign(payload, 0xAB);
        message.signature_field = field;
        if (field == SignatureField::present) message.signature.fill(0x5A);
        if (dated) message.date_time.assign(12, 0xFF);
        EXPECT_EQ(decode(encode(message)).value(), message);
        if (field == SignatureField::missing) continue;
        message.mac.emplace().fill(0xC3);
        EXPECT_EQ(decode(encode(message)).value(), message);
      }
    }
  }
}

TEST(Envelope, SignsFromTheTransactionLengthToThePayload) {
  Message message = sample();
  const std::string whole(kSample);
  EXPECT_EQ(to_hex(signed_octets(message)), whole.substr(2, whole.size() - 4));
  EXPECT_EQ(to_hex(maced_octets(message)), "110000000000" + whole);
  message.signature_field = SignatureField::present;
  message.signature.fill(0x5A);
  EXPECT_EQ(to_hex(signed_octets(message)), whole.substr(2, whole.size() - 4));
  EXPECT_EQ(to_hex(maced_octets(message)),
            "110000000000" + whole.substr(0, whole.size() - 2) + "40" + to_hex(message.signature));
}

TEST(Envelope, RefusesHeaderOctetsThatDoNotExist) {
  EXPECT_EQ(refused_with(0, 0xDE), "gbcs-header");
  EXPECT_EQ(refused_with(1, 0x08), "gbcs-header");
  EXPECT_EQ(refused_with(2, 0x00), "gbcs-header");
  EXPECT_EQ(refused_with(2, 0x04), "gbcs-header");
  EXPECT_EQ(refused_with(11, 0x07), "gbcs-header");
  EXPECT_EQ(refused_with(20, 0x09), "gbcs-header");
  EXPECT_EQ(refused_with(29, 0x01), "gbcs-header");
  for (const Octet size : {0, 1, 3, 9, 11, 17, 19})
    EXPECT_EQ(refused_with(30, size), "gbcs-header") << int{size};
}

TEST(Envelope, RefusesOtherInformationBetweenItsForms) {
  for (const std::size_t size : {19u, 25u}) {
    Bytes octets = hex(kSample);
    octets[30] = static_cast<Octet>(size);
    octets.insert(octets.begin() + 33, size - 2, 0x11);
    EXPECT_EQ(refused(octets), "gbcs-header") << size;
  }
}

TEST(Envelope, RefusesLengthsInAnyOtherSpelling) {
  EXPECT_EQ(refused_with(33, 0x80), "gbcs-length");
  EXPECT_EQ(refused_with(33, 0x83), "gbcs-length");
  Bytes octets = hex(kSample);
  octets.insert(octets.begin() + 33, 0x81);
  EXPECT_EQ(refused(octets), "gbcs-length");
  octets = hex(kSample);
  octets.insert(octets.begin() + 33, {0x82, 0x00});
  EXPECT_EQ(refused(octets), "gbcs-length");
}

TEST(Envelope, RefusesASignatureOfAnotherLength) {
  for (const std::size_t size : {1u, 63u, 65u}) {
    Bytes octets = hex(kSample);
    octets.back() = static_cast<Octet>(size);
    octets.insert(octets.end(), size, 0x5A);
    EXPECT_EQ(refused(octets), "gbcs-length") << size;
  }
}

TEST(Envelope, RefusesTrailingOctets) {
  Bytes octets = hex(kSample);
  octets.push_back(0);
  EXPECT_EQ(refused(octets), "gbcs-trailing");
  Message message = sample();
  message.mac.emplace();
  octets = encode(message);
  octets.push_back(0);
  EXPECT_EQ(refused(octets), "gbcs-trailing");
}

TEST(Envelope, RefusesDamagedCipheringHeaders) {
  Message message = sample();
  message.mac.emplace();
  const Bytes good = encode(message);
  for (std::size_t place = 1; place < 13; ++place) {
    if (place == 7) continue;  // the length
    Bytes octets = good;
    octets[place] ^= 0x01;
    EXPECT_EQ(refused(octets), "gbcs-header") << place;
  }
  EXPECT_EQ(refused(BytesView(good).first(good.size() - 1)), "gbcs-truncated");
  EXPECT_EQ(refused(hex("dd00000000000005"
                        "1100000000")),
            "gbcs-truncated");
  EXPECT_EQ(refused(hex("dd00000000000011"
                        "1100000000"
                        "000000000000000000000000")),
            "gbcs-truncated");
}

TEST(Envelope, RefusesAMacWithoutASignatureField) {
  Message message = sample();
  message.mac.emplace();
  Bytes octets = encode(message);
  octets[7] = static_cast<Octet>(octets[7] - 1);
  octets.erase(octets.end() - 13);
  EXPECT_EQ(refused(octets), "gbcs-truncated");
}

TEST(Envelope, RefusesMoreThan64KiB) {
  EXPECT_EQ(refused(Bytes(65537, 0xDF)), "gbcs-too-large");
  EXPECT_EQ(refused(Bytes(65536, 0xDF)), "gbcs-header");
  Message message = sample();
  message.payload.assign(65536 - 37, 0xAB);
  EXPECT_EQ(encode(message).size(), 65536u);
  EXPECT_EQ(decode(encode(message)).value(), message);
}

TEST(Payload, IsKnownByItsFirstOctets) {
  EXPECT_EQ(payload_kind(hex("d9")).value(), PayloadKind::dlms_request);
  EXPECT_EQ(payload_kind(hex("da")).value(), PayloadKind::dlms_response);
  EXPECT_EQ(payload_kind(hex("0f")).value(), PayloadKind::dlms_notification);
  EXPECT_EQ(payload_kind(hex("0109")).value(), PayloadKind::gbz);
  for (const std::string_view start : {"30", "05", "02", "04"})
    EXPECT_EQ(payload_kind(hex(start)).value(), PayloadKind::asn1);
  for (const std::string_view start : {"", "01", "0108", "00", "31", "ff", "d8"}) {
    const Result<PayloadKind> kind = payload_kind(hex(start));
    ASSERT_FALSE(kind.ok()) << start;
    EXPECT_EQ(kind.refusal().rule.text(), "gbcs-payload-unknown");
  }
}

}  // namespace
}  // namespace wattseal::gbcs
