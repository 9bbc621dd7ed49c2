// Change of supplier: the gaining supplier's credentials come onto the meter by the word of the
// change of supplier party, and of nobody else.
#include "apps/rebuild.h"
#include "tests/scenarios/rig.h"

namespace wattseal::scenarios {
namespace {

class ChangeOfSupplier : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { net_ = std::make_unique<Network>(); }
  static void TearDownTestSuite() { net_.reset(); }
  static Network& net() { return *net_; }

  static xml::Element base64(const char* name, BytesView der) { return leaf(name, to_base64(der)); }
  // By whom, with whose certificates, from when.
  static duis::ServiceRequest change(apps::ServiceUser& by, const apps::ServiceUser& whose,
                                     const std::string& point, const std::string& date = {}) {
    xml::Element certificates = leaf("SupplierReplacementCertificates");
    certificates.children = {
        base64("DigitalSigningCertificate", whose.certificate(KeyUse::digital_signature)),
        base64("KeyAgreementCertificate", whose.certificate(KeyUse::key_agreement)),
        base64("KeyAgreementTopUpCertificate", whose.certificate(KeyUse::key_agreement, true))};
    xml::Element path = leaf("CertificationPathCertificates");
    for (const smki::PublishedCertificate& one : net().platform->repository().authorities()) {
      if (one.profile == "issuing-oca") path.children.push_back(base64("Certificate", one.der));
    }
    std::vector<xml::Element> children;
    if (!date.empty()) children.push_back(leaf("ExecutionDateTime", date));
    children.insert(
        children.end(),
        {leaf("SupplierFloorSeqNumber", "1"), leaf("SupplierPrepaymentTopUpFloorSeqNumber", "1"),
         certificates, path, leaf("ApplyTimeBasedCPVChecks", "true"), leaf("ImportMPxN", point)});
    return by.request(net().home().esme, "6.23", 1, body_of(std::move(children)),
                      by.next_counter());
  }
  static std::string code(apps::ServiceUser& by, const duis::ServiceRequest& request) {
    return by.acknowledge(request).value().response_code;
  }

  static std::unique_ptr<Network> net_;
};
std::unique_ptr<Network> ChangeOfSupplier::net_;

// One long story: each part begins where the one before ended.
TEST_F(ChangeOfSupplier, GoesByTheViewOfTheCosPartyAndItsSignature) {
  Network& net = ChangeOfSupplier::net();
  apps::ServiceUser &losing = *net.supplier, &gaining = *net.other;
  const std::string point = net.home().mpan.text();
  EXPECT_EQ(code(gaining, change(gaining, gaining, point)), "E4") << "not registered anywhere";
  ASSERT_TRUE(net.platform->registration().record({net.supply(point, gaining)}, {}).ok());
  EXPECT_EQ(code(gaining, change(gaining, gaining, point)), "E062301")
      << "the CoS party has its own view";
  ASSERT_TRUE(net.platform->cos().record({net.supply(point, gaining)}, {}).ok());
  EXPECT_EQ(code(gaining, change(gaining, losing, point)), "E062303") << "another's certificates";
  EXPECT_EQ(code(gaining, change(gaining, gaining, net.home().mprn.text())), "E062302");

  const duis::ServiceRequest request = change(gaining, gaining, point);
  const apps::Exchange done = gaining.send(request, kPatience).value();
  ASSERT_EQ(done.acknowledgement, "I99") << done.rule;
  ASSERT_TRUE(done.parsed.has_value());
  EXPECT_TRUE(done.parsed->success);
  ASSERT_TRUE(done.response && done.response->gbcs_payload);
  const gbcs::Message answer = gbcs::decode(*done.response->gbcs_payload).value();
  EXPECT_EQ(answer.target, apps::DccParty::cos) << "the CoS party is the originator";
  EXPECT_EQ(answer.code.number(), 0x0107);

  ASSERT_TRUE(losing.wait_for_notice(1, kPatience));
  const duis::ServiceResponse told = losing.notices().front();
  EXPECT_EQ(told.dcc_alert_code, "N16");
  ASSERT_TRUE(told.other && told.other->child("DeviceChangeOfSupplier"));

  const apps::Exchange read = gaining.send(net.read(gaining), kPatience).value();
  ASSERT_TRUE(read.parsed.has_value()) << "the meter knows the new supplier";
  EXPECT_TRUE(read.parsed->success);
  EXPECT_EQ(code(losing, net.read(losing)), "E4") << "by registration";

  // Even if the gateway let it pass, the meter would not.
  ASSERT_TRUE(net.platform->registration().record({net.supply(point, losing)}, {}).ok());
  net.platform->gateway().set_device_response_timeout(std::chrono::seconds(2));
  const apps::Exchange old = losing.send(net.read(losing), kPatience).value();
  EXPECT_EQ(old.acknowledgement, "I99");
  ASSERT_TRUE(old.response.has_value());
  EXPECT_EQ(old.response->response_code, "E21") << "the meter does not know it any more";
  ASSERT_TRUE(net.platform->registration().record({net.supply(point, gaining)}, {}).ok());
}

TEST_F(ChangeOfSupplier, ItsCountersRiseAndItsFactsMakeItsTableAgain) {
  std::uint64_t last = 0, count = 0;
  net().platform->store().journal(1, [&](const storage::JournalEntry& entry) {
    const FactView fact = FactView::read(entry.fact).value();
    if (fact.kind() != FactKind::cos_command_signed) return true;
    EXPECT_GT(fact.number(FactField::counter), last);
    last = fact.number(FactField::counter);
    ++count;
    return true;
  });
  EXPECT_EQ(count, 1u) << "what was refused was not signed";
  const std::unique_ptr<storage::Store> again = storage::memory_store();
  EXPECT_TRUE(apps::rebuild(net().world, net().platform->store(), *again).value().status().ok());
}

TEST_F(ChangeOfSupplier, ADocumentThatTheSenderDidNotSignIsNotBelieved) {
  apps::ServiceUser& gaining = *net().other;
  const duis::ServiceRequest request = change(gaining, gaining, net().home().mpan.text());
  gateway::CosQuestion question{{}, DeviceType::esme, true, {}};
  const std::string own = gaining.signed_document(request);
  question.document = own;
  EXPECT_TRUE(net().platform->cos().change(question).ok());
  const std::string unsigned_one = duis::write(request);
  question.document = unsigned_one;
  EXPECT_EQ(net().platform->cos().change(question).refusal().rule.text(), "cos-signer");
  const std::string by_another = net().supplier->signed_document(request);
  question.document = by_another;
  EXPECT_EQ(net().platform->cos().change(question).refusal().rule.text(), "cos-signer");
  std::string changed = own;
  changed.replace(changed.find("<sr:SupplierFloorSeqNumber>1<"), 29,
                  "<sr:SupplierFloorSeqNumber>2<");
  question.document = changed;
  EXPECT_EQ(net().platform->cos().change(question).refusal().rule.text(), "cos-signer");
}

}  // namespace
}  // namespace wattseal::scenarios
