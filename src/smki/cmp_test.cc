#include "smki/cmp.h"

#include <gtest/gtest.h>

#include "asn1/der.h"
#include "smki/service_json.h"
#include "smki/test_rig.h"
#include "terms/facts.h"

namespace wattseal::smki {
namespace {

using asn1::context;
using asn1::kSequence;
using test::kDevice;
using test::kMaker;
using test::kSupplier;

// A certificate of an officer, made as anyone would make one for himself.
Bytes self_signed(const crypto::PrivateKey& key, UtcTime now) {
  x509::TbsCertificate tbs;
  tbs.serial = CertificateSerial::parse_hex("07").value();
  tbs.issuer = tbs.subject = {{x509::oid::common_name, asn1::kUtf8String, to_bytes(as_bytes("O"))}};
  tbs.not_before = now.plus_seconds(-60);
  tbs.not_after = now.plus_seconds(86'400);
  tbs.key = key.public_point();
  tbs.extensions = {x509::usage_extension(x509::key_usage::digital_signature)};
  const Bytes octets = x509::encode_tbs(tbs);
  return x509::assemble_certificate(octets, key.sign(crypto::sha256(octets)));
}

// One CertReqMsg: certReqId, template with key and extensions, proof by signature.
Bytes crmf(const crypto::PrivateKey& key, Eui64 device,
           const crypto::PrivateKey* signer = nullptr) {
  // The parts of a template are those of PKCS#10 under other tags.
  const Bytes pkcs10 = x509::make_request(
      {}, {x509::usage_extension(x509::key_usage::digital_signature), test::Rig::module(device)},
      key);
  asn1::Reader outer(pkcs10);
  asn1::Reader info = outer.enter(kSequence).value().enter(kSequence).value();
  (void)info.any();
  (void)info.any();
  Bytes spki = to_bytes(info.any().value().whole);
  asn1::Reader attributes = info.enter(context(0, true)).value();
  asn1::Reader attribute = attributes.enter(kSequence).value();
  (void)attribute.oid();
  Bytes extensions = to_bytes(attribute.enter(asn1::kSet).value().any().value().whole);
  spki[0] = context(6, true);
  extensions[0] = context(9, true);
  asn1::Writer request, message;
  request.constructed(kSequence, [&] {
    request.unsigned_integer(0);
    request.constructed(kSequence, [&] {
      request.raw(spki);
      request.raw(extensions);
    });
  });
  message.constructed(kSequence, [&] {
    message.raw(request.bytes());
    message.constructed(context(1, true), [&] {
      message.constructed(kSequence,
                          [&] { message.oid(x509::oid::from_text("1.2.840.10045.4.3.2")); });
      message.bit_string(
          crypto::signature_to_der((signer ? *signer : key).sign(crypto::sha256(request.bytes()))),
          0);
    });
  });
  return message.take();
}

Bytes in_sequence(const Bytes& one) {
  asn1::Writer out;
  out.constructed(kSequence, [&] { out.raw(one); });
  return out.take();
}

// What an answer says, read without the decoder of requests.
struct Read {
  unsigned body = 99;
  std::int64_t status = -1;
  std::string text;
  std::optional<unsigned> failure;
  Bytes certificate, nonce;
};
void read_status(asn1::Reader status, Read& out) {
  out.status = static_cast<std::int64_t>(status.unsigned_integer().value());
  if (status.peek_tag() == kSequence)
    out.text = std::string(as_text(status.enter(kSequence).value().any().value().content));
  if (status.empty()) return;
  const BytesView bits = status.any().value().content;
  for (unsigned bit = 0; bit < 8 * (bits.size() - 1); ++bit) {
    if (bits[1 + bit / 8] >> (7 - bit % 8) & 1) out.failure = bit;
  }
}
Read read_answer(const std::string& body) {
  Read out;
  asn1::Reader outer(as_bytes(body));
  asn1::Reader message = outer.enter(kSequence).value();
  asn1::Reader header = message.enter(kSequence).value();
  while (!header.empty()) {
    const asn1::Tlv field = header.any().value();
    if (field.tag == context(5, true))
      out.nonce = to_bytes(asn1::Reader(field.content).any().value().content);
  }
  const asn1::Tlv content = message.any().value();
  out.body = content.tag - context(0, true);
  asn1::Reader body_reader(content.content);
  if (out.body == 19) return out;
  asn1::Reader sequence = body_reader.enter(kSequence).value();
  if (out.body == 23 || out.body == 12) {
    read_status(out.body == 23 ? sequence.enter(kSequence).value()
                               : sequence.enter(kSequence).value().enter(kSequence).value(),
                out);
    return out;
  }
  if (sequence.peek_tag() == context(1, true)) (void)sequence.any();
  asn1::Reader response = sequence.enter(kSequence).value().enter(kSequence).value();
  (void)response.any();
  if (out.body == 26) return out;
  read_status(response.enter(kSequence).value(), out);
  if (!response.empty())
    out.certificate = to_bytes(
        response.enter(kSequence).value().enter(context(0, true)).value().any().value().whole);
  return out;
}

struct CmpRig : test::Rig {
  Uploads uploads{world, *store};
  SubscriberService service{world, authority, repository, office, *store, uploads, [] {}, express};
  CmpSigner signer{key(), {}};
  CmpService cmp{service, office, nullptr, {}};
  http::Router router;
  crypto::KeyHandle officer = key(), stranger = key();
  Bytes credential = self_signed(*officer, clock.now());
  std::vector<PersonId> managers;
  std::uint8_t transactions = 0;

  CmpRig() {
    signer.certificate = self_signed(*signer.key, clock.now());
    cmp.signer = &signer;
    add_cmp_routes(router, cmp);
    managers = office.found({"Ada", "Ben"}, {}).value();
    appoint("appoint-sro", "Sue", managers[0], managers[1]);
    appoint("appoint-aro", "Oz", person("Sue"), managers[0]);
    act("register-credential",
        {{"person", std::to_string(person("Oz"))}, {"certificate", to_base64(credential)}},
        managers[0], managers[1]);
    settle();
  }
  void act(const char* kind, const nlohmann::json& payload, PersonId proposer, PersonId approver) {
    const Result<ActId> id = office.propose(kind, payload, {proposer, ""}, {});
    CHECK(id.ok() && office.approve(*id, {approver, ""}, {}).ok());
  }
  void appoint(const char* kind, const char* name, PersonId proposer, PersonId approver) {
    act(kind,
        {{"party", kMaker.text()},
         {"name", name},
         {"evidence", "letter"},
         {"screened_on", clock.now().iso().substr(0, 10)}},
        proposer, approver);
  }
  PersonId person(std::string_view name) const {
    for (const Person& one : office.people()) {
      if (one.name == name) return one.id;
    }
    UNREACHABLE();
  }

  CmpHeader header() {
    CmpHeader made;
    made.sender = made.recipient = cmp_directory_name({});
    made.time = clock.now();
    made.transaction = Bytes(16, ++transactions);
    made.sender_nonce = Bytes(16, 9);
    return made;
  }
  Read send(const CmpHeader& with, CmpBody body, const Bytes& content,
            const crypto::PrivateKey* by = nullptr, std::optional<Bytes> extra = {}) {
    http::Request request;
    request.method = "POST";
    request.path = "/.well-known/cmp";
    const Bytes first = extra.value_or(credential);
    request.body = std::string(
        as_text(encode_cmp(with, body, content, by ? by : officer.get(), std::span(&first, 1))));
    const http::Response response = router(request);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.status == 200 ? read_answer(response.body) : Read{};
  }
  Bytes confirmation(const Bytes& certificate, std::optional<int> status = {}) {
    asn1::Writer out;
    out.constructed(kSequence, [&] {
      out.constructed(kSequence, [&] {
        out.primitive(asn1::kOctetString, crypto::sha256(certificate));
        out.unsigned_integer(0);
        if (status) out.constructed(kSequence, [&] { out.integer(*status); });
      });
    });
    return out.take();
  }
  std::size_t facts(FactKind kind) const {
    std::size_t count = 0;
    store->journal(1, [&](const storage::JournalEntry& entry) {
      count += FactView::read(entry.fact).value().kind() == kind ? 1 : 0;
      return true;
    });
    return count;
  }
};

TEST(Cmp, IssuesAndIsConfirmed) {
  CmpRig rig;
  const CmpHeader first = rig.header();
  const Read answer = rig.send(first, CmpBody::ir, in_sequence(crmf(*rig.key(), kDevice)));
  ASSERT_EQ(answer.body, 1u);
  ASSERT_EQ(answer.status, 0) << answer.text;
  const x509::Certificate certificate = x509::parse_certificate(answer.certificate).value();
  EXPECT_TRUE(rig.repository.by_serial(certificate.serial).ok());
  CmpHeader second = first;
  second.recipient_nonce = Bytes(16, 1);
  EXPECT_EQ(rig.send(second, CmpBody::cert_conf, rig.confirmation(answer.certificate)).body, 23u)
      << "the nonce is not that of the answer";
  second.recipient_nonce = answer.nonce;
  EXPECT_EQ(rig.send(second, CmpBody::cert_conf, rig.confirmation(Bytes(3, 3))).failure, 4u);
  EXPECT_EQ(rig.send(second, CmpBody::cert_conf, rig.confirmation(answer.certificate)).body, 19u);
  EXPECT_EQ(rig.send(second, CmpBody::cert_conf, rig.confirmation(answer.certificate)).failure, 21u)
      << "the transaction is over";
}

TEST(Cmp, TakesThatACertificateIsNotAccepted) {
  CmpRig rig;
  CmpHeader header = rig.header();
  const Read answer = rig.send(header, CmpBody::cr, in_sequence(crmf(*rig.key(), kDevice)));
  ASSERT_EQ(answer.body, 3u);
  header.recipient_nonce = answer.nonce;
  EXPECT_EQ(rig.send(header, CmpBody::cert_conf, rig.confirmation(answer.certificate, 2)).body,
            19u);
  EXPECT_EQ(rig.repository.by_device(kDevice).size(), 1u);
  unsigned declined = 0;
  rig.store->journal(1, [&](const storage::JournalEntry& entry) {
    const FactView fact = FactView::read(entry.fact).value();
    if (fact.kind() != FactKind::certificate_declined) return true;
    ++declined;
    EXPECT_EQ(fact.serial(), x509::parse_certificate(answer.certificate)->serial);
    EXPECT_GT(fact.number(FactField::person), 0u);
    return true;
  });
  EXPECT_EQ(declined, 1u) << "the journal says that it is not used";
}

TEST(Cmp, BelievesOfficersOnly) {
  CmpRig rig;
  const Bytes content = in_sequence(crmf(*rig.key(), kDevice));
  const Bytes strange = self_signed(*rig.stranger, rig.clock.now());
  EXPECT_EQ(rig.send(rig.header(), CmpBody::ir, content, rig.stranger.get(), strange).failure, 20u);
  EXPECT_EQ(rig.send(rig.header(), CmpBody::ir, content, rig.stranger.get()).failure, 1u)
      << "another's certificate with one's own signature";
  CmpHeader old = rig.header();
  old.time = rig.clock.now().plus_seconds(
      -static_cast<std::int64_t>(limit("cmp_clock_tolerance_seconds") + 1));
  EXPECT_EQ(rig.send(old, CmpBody::ir, content).failure, 3u);
  EXPECT_EQ(rig.facts(FactKind::certificate_intended), rig.facts(FactKind::certificate_issued));
  EXPECT_TRUE(rig.repository.by_device(kDevice).empty());
  rig.act("remove-person", {{"person", std::to_string(rig.person("Oz"))}, {"reason", "left"}},
          rig.managers[0], rig.managers[1]);
  EXPECT_EQ(rig.send(rig.header(), CmpBody::ir, content).status, 2);
}

TEST(Cmp, RefusesByRule) {
  CmpRig rig;
  const crypto::KeyHandle key = rig.key();
  const auto refused = [&](const Bytes& content) {
    const Read answer = rig.send(rig.header(), CmpBody::ir, content);
    EXPECT_EQ(answer.status, 2);
    EXPECT_TRUE(answer.certificate.empty());
    return answer.text.substr(0, answer.text.find(':')) + " " +
           std::to_string(answer.failure.value_or(99));
  };
  EXPECT_EQ(refused(in_sequence(crmf(*key, kDevice, rig.stranger.get()))), "csr-possession 9");
  EXPECT_EQ(refused(in_sequence(crmf(*key, kSupplier))), "csr-eui-not-allotted 23");
  EXPECT_EQ(rig.send(rig.header(), CmpBody::ir, in_sequence(crmf(*key, kDevice))).status, 0);
  const Eui64 other = Eui64::from_number(kDevice.number() + 1);
  EXPECT_EQ(refused(in_sequence(crmf(*key, other))), "csr-key-seen 26");
  const Read nothing = rig.send(rig.header(), CmpBody::kur, in_sequence(crmf(*rig.key(), other)));
  EXPECT_EQ(nothing.body, 8u);
  EXPECT_EQ(nothing.failure, 4u);
}

TEST(Cmp, TakesPkcs10AndTheSameRequestAgain) {
  CmpRig rig;
  const Bytes request = rig.device_request(kDevice);
  CmpHeader header = rig.header();
  header.implicit_confirm = true;
  const Read first = rig.send(header, CmpBody::p10cr, request);
  EXPECT_EQ(first.body, 3u);
  EXPECT_EQ(first.status, 0) << first.text;
  EXPECT_EQ(rig.send(rig.header(), CmpBody::p10cr, request).certificate, first.certificate);
  EXPECT_TRUE(rig.cmp.transactions.open.size() == 1) << "of the one that is still to be confirmed";
}

TEST(Cmp, BoundsItsTransactions) {
  CmpRig rig;
  const Bytes request = rig.device_request(kDevice);
  for (int i = 0; i < 3; ++i) rig.send(rig.header(), CmpBody::p10cr, request);
  EXPECT_EQ(rig.cmp.transactions.open.size(), 3u);
  rig.clock.advance(60 * static_cast<std::int64_t>(limit("cmp_transaction_minutes")) + 1);
  rig.send(rig.header(), CmpBody::p10cr, request);
  EXPECT_EQ(rig.cmp.transactions.open.size(), 1u);
}

TEST(CmpMessages, NoPrefixAndNoChangedOctetIsBelieved) {
  CmpRig rig;
  const Bytes first = rig.credential;
  const Bytes message =
      encode_cmp(rig.header(), CmpBody::ir, in_sequence(crmf(*rig.key(), kDevice)),
                 rig.officer.get(), std::span(&first, 1));
  ASSERT_TRUE(decode_cmp(message).ok());
  for (std::size_t n = 0; n < message.size(); ++n)
    EXPECT_FALSE(decode_cmp(BytesView(message).first(n)).ok()) << n;
  const crypto::PublicPoint point = rig.officer->public_point();
  for (std::size_t n = 0; n < message.size(); ++n) {
    Bytes changed = message;
    changed[n] ^= 1;
    const Result<CmpMessage> read = decode_cmp(changed);
    if (!read.ok() || !read->signature) continue;
    const bool verifies =
        crypto::verify(point, crypto::sha256(read->protected_part), *read->signature);
    EXPECT_TRUE(!verifies || read->extra_certificates.front() != first) << n;
  }
}

TEST(CmpMessages, SayWhichFailureARuleIs) {
  EXPECT_EQ(cmp_failure("csr-possession"), 9u);
  EXPECT_EQ(cmp_failure("profile-usage"), 19u);
  EXPECT_EQ(cmp_failure("x509-structure"), 5u);
  EXPECT_EQ(cmp_failure("ra-officer-required"), 23u) << "403";
  EXPECT_EQ(cmp_failure("ra-queue-full"), 24u) << "503";
  EXPECT_EQ(cmp_failure("ra-batch-empty"), 2u) << "400";
}

}  // namespace
}  // namespace wattseal::smki
