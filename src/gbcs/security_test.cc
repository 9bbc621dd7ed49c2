#include "gbcs/security.h"

#include "gbcs/reference_test.h"
#include "zcl/zcl.h"

namespace wattseal::gbcs {
namespace {

Bytes hex(std::string_view digits) { return from_hex(digits).value(); }

constexpr Eui64 kOne = Eui64::from_number(0x1122334455667788),
                kOther = Eui64::from_number(0x99AABBCCDDEEFF00);
constexpr OriginatorCounter kCounter(1001);
// Computed with an independent implementation from the same inputs.
constexpr std::string_view kMaced =
    "dd000000000000491100000000df090100000000000003e90811223344556677880899aabbccddeeff000002004b15"
    "d9200003e9000102000100005e2c000102011203840087e9b8926d7bcb85cb1fdfce";
constexpr std::string_view kSealed = "3100000000a7c38b3b8dbd5fd0c09ad640796998a009ebe5bd44";

template <typename T>
std::string refused(const Result<T>& result) {
  return result.ok() ? "accepted" : std::string(result.refusal().rule.text());
}

TEST(KeyDerivation, FollowsPurposeCounterAndParties) {
  const crypto::SharedSecret secret = test::counting_secret();
  const auto key = [&](Eui64 from, KeyPurpose purpose, OriginatorCounter counter, Eui64 to) {
    return to_hex(derive_key(secret, from, purpose, counter, to));
  };
  EXPECT_EQ(key(kOne, KeyPurpose::command, kCounter, kOther), "31f98dc1473bb06db950d234ae27a6a0");
  EXPECT_EQ(key(kOne, KeyPurpose::response, kCounter, kOther), "6e76609d6abdfead1a7b01f753cc9f15");
  EXPECT_EQ(key(kOne, KeyPurpose::alert, kCounter, kOther), "71d931fabfa5b037f397f8c801c6134e");
  EXPECT_EQ(key(kOne, KeyPurpose::attribute, kCounter, kOther), "b948f628e137999b6b199921b2a9c049");
  EXPECT_NE(key(kOther, KeyPurpose::command, kCounter, kOne), "31f98dc1473bb06db950d234ae27a6a0");
  EXPECT_NE(key(kOne, KeyPurpose::command, kCounter.next(), kOther),
            "31f98dc1473bb06db950d234ae27a6a0");
}

TEST(Mac, IsTheOneOfAnIndependentImplementation) {
  const crypto::SharedSecret secret = test::counting_secret();
  Message message = decode(hex(kMaced)).value();
  EXPECT_TRUE(verify_mac(message, secret).ok());
  message.mac.reset();
  message.signature_field = SignatureField::missing;  // a Pre-Command of the reference's form
  add_mac(message, secret);
  EXPECT_EQ(to_hex(encode(message)), kMaced);
}

TEST(Mac, RefusesAnyChangeOfTheMessage) {
  const crypto::SharedSecret secret = test::counting_secret();
  for (std::size_t place = 0; place < kMaced.size() / 2; ++place) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes octets = hex(kMaced);
      octets[place] ^= static_cast<Octet>(1u << bit);
      const Result<Message> message = decode(octets);
      if (message.ok()) {
        EXPECT_EQ(refused(verify_mac(*message, secret)), "gbcs-mac-mismatch") << place;
      }
    }
  }
  crypto::SharedSecret wrong = secret;
  wrong[31] ^= 1;
  EXPECT_EQ(refused(verify_mac(decode(hex(kMaced)).value(), wrong)), "gbcs-mac-mismatch");
}

TEST(Mac, IsRefusedWhenMissing) {
  Message message = decode(hex(kMaced)).value();
  message.mac.reset();
  EXPECT_EQ(refused(verify_mac(message, test::counting_secret())), "gbcs-mac-missing");
}

TEST(Mac, VerifiesOnEveryReferenceMessageWhoseKeysArePublic) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  int verified = 0, remade = 0, without_key = 0;
  for (const test::Reference& reference : test::reference_messages(folder)) {
    Message message = decode(reference.octets).value();
    if (!message.mac) continue;
    const std::optional<crypto::SharedSecret> secret = keys.mac_secret(message);
    if (!secret) {
      ++without_key;
      continue;
    }
    const Status status = verify_mac(message, *secret);
    EXPECT_TRUE(status.ok()) << reference.name;
    verified += status.ok();
    message.mac.reset();
    add_mac(message, *secret);
    remade += encode(message) == reference.octets;
  }
  EXPECT_EQ(verified, 559);
  EXPECT_EQ(remade, 559);
  EXPECT_EQ(without_key, 4);  // between two devices
}

TEST(Signature, VerifiesOnEverySignedReferenceMessage) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  int verified = 0;
  for (const test::Reference& reference : test::reference_messages(folder)) {
    Message message = decode(reference.octets).value();
    if (message.signature_field != SignatureField::present) continue;
    const std::optional<crypto::PublicPoint> signer = keys.point(message.originator, "ds");
    ASSERT_TRUE(signer) << reference.name;
    EXPECT_TRUE(verify_signature(message, *signer).ok()) << reference.name;
    message.payload.back() ^= 1;
    EXPECT_EQ(refused(verify_signature(message, *signer)), "gbcs-signature-mismatch")
        << reference.name;
    ++verified;
  }
  EXPECT_EQ(verified, 359);
}

TEST(Signature, CoversAllButItselfAndTheMac) {
  const crypto::KeyHandle key = crypto::key_from_test_scalar(test::counting_secret()).value();
  Message message = decode(hex(kMaced)).value();
  EXPECT_EQ(refused(verify_signature(message, key->public_point())), "gbcs-signature-missing");
  sign(message, *key);
  EXPECT_TRUE(verify_signature(message, key->public_point()).ok());
  add_mac(message, test::counting_secret());
  const Message sent = decode(encode(message)).value();
  EXPECT_TRUE(verify_signature(sent, key->public_point()).ok());
  EXPECT_TRUE(verify_mac(sent, test::counting_secret()).ok());
  Message changed = sent;
  changed.counter = changed.counter.next();
  EXPECT_EQ(refused(verify_signature(changed, key->public_point())), "gbcs-signature-mismatch");
  changed = sent;
  changed.signature[63] ^= 1;
  EXPECT_EQ(refused(verify_signature(changed, key->public_point())), "gbcs-signature-mismatch");
}

// Every encrypted attribute of a message: a sealed GBZ component, or an octet-string of DLMS data
// that starts like a blob.
std::vector<Bytes> blobs(const Message& message) {
  std::vector<Bytes> found;
  if (payload_kind(message.payload).value() == PayloadKind::gbz) {
    std::vector<zcl::Component> components;
    if (message.cra != Cra::alert) {
      components = zcl::decode(message.payload).value();
    } else if (message.code == MessageCode(0x008B)) {
      components.push_back(
          zcl::decode_component(zcl::decode_alert(message.payload).value().rest).value());
    }
    for (const zcl::Component& component : components) {
      if (component.sealing) found.push_back(component.body);
    }
    return found;
  }
  const Bytes header = hex("3100000000");
  BytesView rest = message.payload;
  for (;;) {
    const auto match = std::ranges::search(rest, header);
    if (match.empty()) return found;
    const BytesView before(rest.begin(), match.begin());
    rest = BytesView(match.begin(), rest.end());
    std::size_t size = 0;
    if (before.size() > 1 && before[before.size() - 2] == 0x09) size = before.back();
    if (before.size() > 2 && before[before.size() - 3] == 0x09 && before[before.size() - 2] == 0x81)
      size = before.back();
    if (before.size() > 3 && before[before.size() - 4] == 0x09 && before[before.size() - 3] == 0x82)
      size = get_be(before.last(2));
    if (size > header.size() && size <= rest.size()) found.push_back(to_bytes(rest.first(size)));
    rest = rest.subspan(header.size());
  }
}

TEST(Attributes, OfTheReferenceMessagesOpenForTheirRecipients) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  int opened = 0;
  for (const test::Reference& reference : test::reference_messages(folder)) {
    const Message message = decode(reference.octets).value();
    for (const Bytes& blob : blobs(message)) {
      const AttributeRecipient recipient = attribute_recipient(message);
      const std::optional<crypto::SharedSecret> secret =
          keys.secret(recipient.party, message.originator);
      ASSERT_TRUE(secret) << reference.name;
      const Result<Bytes> plain =
          open_attribute(*secret, message.originator, recipient.counter, recipient.party, blob);
      ASSERT_TRUE(plain.ok()) << reference.name;
      EXPECT_EQ(
          seal_attribute(*secret, message.originator, recipient.counter, recipient.party, *plain),
          blob)
          << reference.name;
      ++opened;
    }
  }
  EXPECT_EQ(opened, 40);
}

TEST(Attributes, OfSealedReadResponsesAreAttributeRecords) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  int responses = 0;
  for (const test::Reference& reference : test::reference_messages(folder)) {
    const Message message = decode(reference.octets).value();
    if (message.cra != Cra::response || payload_kind(message.payload).value() != PayloadKind::gbz)
      continue;
    const AttributeRecipient recipient = attribute_recipient(message);
    const std::vector<zcl::Component> components = zcl::decode(message.payload).value();
    for (const zcl::Component& component : components) {
      if (!component.sealing || zcl::is_cluster_command(component)) continue;
      ASSERT_EQ(component.command, zcl::command::kReadAttributesResponse) << reference.name;
      const crypto::SharedSecret secret = keys.secret(recipient.party, message.originator).value();
      const Bytes plain = open_attribute(secret, message.originator, recipient.counter,
                                         recipient.party, component.body)
                              .value();
      const std::vector<zcl::ReadRecord> records = zcl::decode_read_response(plain).value();
      EXPECT_FALSE(records.empty());
      EXPECT_EQ(zcl::encode_read_response(records), plain) << reference.name;
      ++responses;
    }
  }
  EXPECT_EQ(responses, 11);
}

TEST(Attributes, AreSealedAsAnIndependentImplementationDoes) {
  const crypto::SharedSecret secret = test::counting_secret();
  const Bytes blob = seal_attribute(secret, kOne, kCounter, kOther, as_bytes("attribute"));
  EXPECT_EQ(to_hex(blob), kSealed);
  EXPECT_EQ(as_text(open_attribute(secret, kOne, kCounter, kOther, blob).value()), "attribute");
  EXPECT_TRUE(open_attribute(secret, kOne, kCounter, kOther,
                             seal_attribute(secret, kOne, kCounter, kOther, {}))
                  .value()
                  .empty());
}

TEST(Attributes, RefuseDamageOtherPartiesAndShortBlobs) {
  const crypto::SharedSecret secret = test::counting_secret();
  const Bytes blob = hex(kSealed);
  for (std::size_t place = 0; place < blob.size(); ++place) {
    Bytes changed = blob;
    changed[place] ^= 1;
    EXPECT_EQ(refused(open_attribute(secret, kOne, kCounter, kOther, changed)),
              place < 5 ? "gbcs-blob-malformed" : "gcm-tag-mismatch");
  }
  EXPECT_EQ(refused(open_attribute(secret, kOther, kCounter, kOne, blob)), "gcm-tag-mismatch");
  EXPECT_EQ(refused(open_attribute(secret, kOne, kCounter.next(), kOther, blob)),
            "gcm-tag-mismatch");
  for (std::size_t size = 0; size < 17; ++size) {
    EXPECT_EQ(refused(open_attribute(secret, kOne, kCounter, kOther, BytesView(blob).first(size))),
              "gbcs-blob-malformed");
  }
}

TEST(Attributes, AreForTheSupplementaryPartyWhenThereIsOne) {
  Message message = decode(hex(kMaced)).value();
  EXPECT_EQ(attribute_recipient(message).party, kOther);
  EXPECT_EQ(attribute_recipient(message).counter, kCounter);
  message.supplementary_party = Eui64::from_number(5);
  message.supplementary_counter = OriginatorCounter(6);
  EXPECT_EQ(attribute_recipient(message).party, Eui64::from_number(5));
  EXPECT_EQ(attribute_recipient(message).counter, kCounter);
  message.supplementary_originator_counter = OriginatorCounter(7);
  EXPECT_EQ(attribute_recipient(message).counter, OriginatorCounter(7));
}

}  // namespace
}  // namespace wattseal::gbcs
