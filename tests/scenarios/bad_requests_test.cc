// Bad input over HTTP: each is answered with its rule, changes nothing but the journal of refusals,
// and reaches no meter.
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/fault.h"
#include "gbcs/security.h"
#include "tests/scenarios/rig.h"

namespace wattseal::scenarios {
namespace {

class BadRequests : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { network_ = std::make_unique<Network>(); }
  static void TearDownTestSuite() { network_.reset(); }
  static Network& net() { return *network_; }

  // The document is refused by this rule and nothing but that is journalled.
  static void refused(const std::string& document, const std::string& rule,
                      const std::string& path = "/api/v1/serviceS") {
    const std::uint64_t before = net().next_fact();
    const http::Response response = net().post(path, document);
    EXPECT_EQ(Network::rule_of(response), rule) << response.body.substr(0, 300);
    EXPECT_EQ(net().facts_since(before), std::vector{FactKind::request_refused});
  }
  static void refused(apps::ServiceUser& user, const duis::ServiceRequest& request,
                      const std::string& rule, const std::string& path = "/api/v1/serviceS") {
    refused(user.signed_document(request), rule, path);
  }

  static std::unique_ptr<Network> network_;
};
std::unique_ptr<Network> BadRequests::network_;

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  CHECK(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

TEST_F(BadRequests, AGoodOneIsAnswered) {
  const Result<apps::Exchange> exchange =
      net().supplier->send(net().read(*net().supplier), kPatience);
  ASSERT_TRUE(exchange.ok()) << exchange.refusal().detail;
  ASSERT_TRUE(exchange->parsed.has_value()) << exchange->acknowledgement << exchange->rule;
  EXPECT_EQ(exchange->parsed->use_case, "ECS17b");
}

TEST_F(BadRequests, AFrequentSignerIsJudgedLikeAnyOther) {
  const std::string sent = net().supplier->signed_document(net().read(*net().supplier));
  EXPECT_EQ(net().post("/api/v1/serviceS", sent).status, 200);
  for (std::uint64_t i = 0; i <= limit("frequent_signer_documents"); ++i)
    refused(sent, "gateway-replay");
  const std::string fresh = net().supplier->signed_document(net().read(*net().supplier));
  std::string spoilt = fresh;
  char& digit = spoilt[spoilt.find("SignatureValue>") + 15];
  digit = digit == 'A' ? 'B' : 'A';
  refused(spoilt, "dsig-signature");
  EXPECT_EQ(Network::rule_of(net().post("/api/v1/serviceS", fresh)), "");
}

TEST_F(BadRequests, HostileXmlIsRefusedUnread) {
  const std::string good = net().supplier->signed_document(net().read(*net().supplier));
  const std::size_t root = good.find("?>") + 2;
  refused(good.substr(0, root) + "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>" +
              good.substr(root),
          "xml-doctype");
  refused("<a", "xml-malformed");
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "<a>";
  refused(deep, "xml-too-deep");
  refused("", "xml-malformed");
}

// Kilobytes of memory that this process has needed at once since the last call with `anew`.
std::size_t memory_peak(bool anew = false) {
  if (anew) std::ofstream("/proc/self/clear_refs") << "5";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6));
  }
  return 0;
}

TEST_F(BadRequests, AHundredMegabytesAreNotTakenIn) {
  std::string huge;
  huge.reserve(101u << 20);
  while (huge.size() < 100u << 20) huge += "<a><b><c><d><e><f>";
  std::string outcome;
  const std::size_t before = memory_peak(true);
  ASSERT_GT(before, 0u);
  try {
    outcome = std::to_string(net().post("/api/v1/serviceS", huge).status);
  } catch (const Fault&) {
    outcome = "closed";  // the server may close before we have sent it all
  }
  EXPECT_TRUE(outcome == "413" || outcome == "closed") << outcome;
#ifndef __SANITIZE_THREAD__  // its shadow of what the client touches counts as memory of the
                             // process
  // The client copies the body once for its connection; the server takes in none of it.
  EXPECT_LT(memory_peak(), before + (100u << 10) + (24u << 10));
#endif
  EXPECT_EQ(net().post("/api/v1/serviceS", "<a/>").status, 400) << "and it goes on";
}

TEST_F(BadRequests, WrongNamespacesAndStructuresAreNamed) {
  const std::string good = duis::write(net().read(*net().supplier));
  refused(replaced(good, "http://www.dccinterface.co.uk/ServiceUserGateway",
                   "http://example.org/other"),
          "duis-namespace");
  const duis::ServiceRequest request = net().read(*net().supplier);
  refused(replaced(duis::write(request), "4.1.1<", "9.9.9<"), "duis-service-reference");
  refused(replaced(duis::write(request), request.id.text(), "nonsense"), "duis-request-id");
  duis::ServiceRequest extra = request;
  extra.body.children.push_back(leaf("Unforeseen", "1"));
  refused(*net().supplier, extra, "duis-body");
}

TEST_F(BadRequests, SignaturesMustBeTheOneThatCovers) {
  const duis::ServiceRequest request = net().read(*net().supplier);
  const std::string signed_one = net().supplier->signed_document(request);
  refused(duis::write(request), "dsig-missing");
  refused(replaced(signed_one, request.id.text(), net().read(*net().supplier).id.text()),
          "dsig-digest");
  // Wrapped: the signed document whole inside another one of the attacker's making, its signature
  // in place or moved up to where a signature is looked for.
  const duis::ServiceRequest other = net().read(*net().supplier);
  const std::string evil = duis::write(other);
  const std::string inner = signed_one.substr(signed_one.find("<sr:Request"));
  refused(evil.substr(0, evil.rfind("</sr:Request>")) + inner + "</sr:Request>", "duis-structure");
  const std::size_t own = inner.find("<ds:Signature"), own_end = inner.rfind("</sr:Request>");
  ASSERT_LT(own, own_end);
  refused(evil.substr(0, evil.rfind("</sr:Request>")) + inner.substr(0, own) + "</sr:Request>" +
              inner.substr(own, own_end - own) + "</sr:Request>",
          "duis-structure");
  // The attacker's document with the signature of the other one.
  refused(evil.substr(0, evil.rfind("</sr:Request>")) + inner.substr(own, own_end - own) +
              "</sr:Request>",
          "dsig-digest");
  // Two signatures.
  const std::size_t signature = signed_one.find("<", signed_one.find("</sr:Body>") + 1);
  const std::size_t end = signed_one.rfind("</sr:Request>");
  ASSERT_LT(signature, end);
  const std::string twice = signed_one.substr(0, end) +
                            signed_one.substr(signature, end - signature) + signed_one.substr(end);
  const http::Response wrapped = net().post("/api/v1/serviceS", twice);
  EXPECT_EQ(Network::rule_of(wrapped), "duis-structure");
  const std::size_t serial = signed_one.find("X509SerialNumber>") + 17;
  std::string stranger = signed_one;
  stranger[serial] = stranger[serial] == '1' ? '2' : '1';
  refused(stranger, "gateway-unknown-signer");
}

TEST_F(BadRequests, ReplaysAreRefused) {
  const duis::ServiceRequest request = net().read(*net().supplier);
  ASSERT_EQ(net().supplier->send(request, kPatience)->acknowledgement, "I99");
  refused(*net().supplier, request, "gateway-replay");
}

TEST_F(BadRequests, RolesRegistrationsAndDevicesAreChecked) {
  refused(*net().network, net().credit(*net().network), "access-role", "/api/v1/serviceT");
  refused(*net().other, net().read(*net().other), "access-not-registered");
  refused(*net().supplier,
          net().supplier->request(Eui64::from_number(7), "4.1.1", 1, {},
                                  net().supplier->next_counter()),
          "access-unknown-device");
  refused(
      *net().supplier,
      net().supplier->request(net().home().gsme, "4.1.1", 1, {}, net().supplier->next_counter()),
      "access-device-status");
  duis::ServiceRequest request = net().credit(*net().supplier);
  refused(*net().supplier, request, "access-service-url", "/api/v1/serviceS");
  request.command_variant = 1;
  refused(*net().supplier, request, "access-command-variant");
  duis::ServiceRequest foreign = net().read(*net().supplier);
  foreign.id.originator = net().other->profile().id;
  refused(*net().supplier, foreign, "access-originator");
}

TEST_F(BadRequests, RevokedSignersAreOut) {
  const smki::Repository& repository = net().platform->repository();
  const smki::PublishedCertificate signer =
      repository
          .latest(net().network->profile().id, KeyUse::digital_signature, RemotePartyRole::xml_sign)
          .value();
  smki::Office& office = net().platform->office();
  const std::vector<smki::PersonId> managers = office.found({"Ada", "Ben"}, {}).value();
  const smki::ActId act =
      office
          .propose("revoke-certificate",
                   {{"serial", signer.serial.hex()}, {"grounds", "key-compromise"}},
                   {managers[0], ""}, {})
          .value();
  ASSERT_EQ(office.approve(act, {managers[1], ""}, {}).value(), smki::ActState::done);
  net().platform->certification_authority().revoke_authorised();  // or its pump was first
  refused(*net().network, net().read(*net().network), "access-signer-revoked");
}

TEST_F(BadRequests, PreCommandsMustBeTheOnesThatWereMade) {
  const duis::ServiceRequest request = net().credit(*net().supplier);
  const Bytes pre_command = net().supplier->transform(request).value();
  const auto with = [&](const std::function<void(gbcs::Message&)>& change) {
    gbcs::Message message = gbcs::decode(pre_command).value();
    change(message);
    return net().supplier->signed_pre_command(request, gbcs::encode(message));
  };
  refused(with([](gbcs::Message& message) { message.payload[20] ^= 1; }),
          "gateway-pre-command-differs");
  refused(with([](gbcs::Message& message) { message.counter = message.counter.next(); }),
          "gateway-pre-command-header");
  const duis::ServiceRequest never = net().credit(*net().supplier);
  gbcs::Message moved = gbcs::decode(pre_command).value();
  moved.counter = never.id.counter;
  refused(net().supplier->signed_pre_command(never, gbcs::encode(moved)), "gateway-no-pre-command");
  gbcs::Message unsigned_one = gbcs::decode(pre_command).value();
  refused(*net().supplier, duis::with_signed_pre_command(request, 5, gbcs::encode(unsigned_one)),
          "gateway-pre-command-signature");
}

TEST_F(BadRequests, AMeterRefusesReplayedCountersAndForgedMacs) {
  const duis::ServiceRequest request = net().credit(*net().supplier);
  const Bytes pre_command = net().supplier->transform(request).value();
  ASSERT_TRUE(net().supplier->sign_and_send(request, pre_command, kPatience)->parsed->success);
  // The same command again, from somebody on the WAN: rebuilt with the broker's own MAC it is
  // refused by its counter.
  gbcs::Message forged = gbcs::decode(pre_command).value();
  forged.mac = gbcs::Mac{};
  forged.signature_field = gbcs::SignatureField::empty;
  const std::size_t alerts = net().supplier->alerts().size();
  const std::string path = "/wan/v1/devices/" + net().home().esme.hex();
  net().post(path, std::string(as_text(gbcs::encode(forged))), net().street->wan_url());
  EXPECT_EQ(net().street->security_log(net().home().esme).back().rule, "device-counter");
  forged.counter = net().supplier->next_counter();
  net().post(path, std::string(as_text(gbcs::encode(forged))), net().street->wan_url());
  EXPECT_EQ(net().street->security_log(net().home().esme).back().rule, "gbcs-mac-mismatch");
  ASSERT_TRUE(net().supplier->wait_for_alert(alerts + 1, kPatience));
  EXPECT_EQ(net().supplier->alerts().back().alert_code, "8F3E");
  net().post(path, "no message", net().street->wan_url());
  EXPECT_EQ(net().street->security_log(net().home().esme).back().rule.substr(0, 5), "gbcs-");
}

TEST_F(BadRequests, WhatDevicesDidNotSendIsDisbelieved) {
  const std::uint64_t before = net().next_fact();
  EXPECT_NE(net().post("/wan/v1/messages", "junk").status, 202);
  gbcs::Message invented;
  invented.cra = gbcs::Cra::response;
  invented.originator = net().home().esme;
  invented.target = net().supplier->profile().id;
  invented.code = gbcs::MessageCode(0x0027);
  invented.counter = OriginatorCounter(1);
  invented.payload = *from_hex("da2000000000000000");
  EXPECT_NE(net().post("/wan/v1/messages", std::string(as_text(gbcs::encode(invented)))).status,
            202);
  EXPECT_EQ(net().facts_since(before),
            (std::vector{FactKind::device_message_refused, FactKind::device_message_refused}));
}

TEST_F(BadRequests, RepositoryQueriesAreAnsweredByName) {
  const std::string base = net().platform->repository_url();
  const auto search = [&](const std::string& eui) {
    return net().post("/services/certificatesearch",
                      "<CertificateSearchRequest><CertificateSubjectAltName>" + eui +
                          "</CertificateSubjectAltName></CertificateSearchRequest>",
                      base);
  };
  EXPECT_EQ(search("nonsense").status, 401);
  EXPECT_EQ(search("00-00-00-00-00-00-00-01").status, 402);
  EXPECT_EQ(search(net().home().esme.text()).status, 200);
  EXPECT_EQ(net().post("/services/certificatesearch", "<!DOCTYPE a><a/>", base).status, 401);
  EXPECT_EQ(net().post("/services/certificatesearch", "<Other/>", base).status, 401);
  const std::unique_ptr<http::Client> client = std::move(http::Client::open(base).value());
  const http::Response malformed = client->get("/api/v1/certificates?device=zz");
  EXPECT_EQ(malformed.status, 400);
  EXPECT_EQ(nlohmann::json::parse(malformed.body)["rule"], "eui-malformed");
  EXPECT_EQ(client->get("/api/v1/certificates?device=00-00-00-00-00-00-00-01&latest=DS").status,
            404);
  EXPECT_EQ(client->get("/api/v1/certificates").status, 400);
}

TEST_F(BadRequests, SubmissionsToTheSmkiAreBounded) {
  const std::unique_ptr<http::Client> client =
      std::move(http::Client::open(net().platform->smki_url()).value());
  const auto submit = [&](const std::string& subscriber, std::string body) {
    http::Request request;
    request.method = "POST";
    request.path = "/api/v1/batches";
    if (!subscriber.empty()) request.headers = {{"X-Subscriber", subscriber}};
    request.body = std::move(body);
    return nlohmann::json::parse(client->send(request).body).value("rule", "");
  };
  const std::string block = x509::to_pem("CERTIFICATE REQUEST", Bytes(8, 1));
  std::string many;
  for (int i = 0; i < 50'001; ++i) many += block;
  EXPECT_EQ(submit("", block), "ra-subscriber-missing");
  EXPECT_EQ(submit("00-00-00-00-00-00-00-01", block), "ra-unknown-subscriber");
  EXPECT_EQ(submit("zz", block), "eui-malformed");
  EXPECT_EQ(submit(kMaker.text(), many), "ra-batch-too-large");
  EXPECT_EQ(submit(kMaker.text(), "no batch"), "batch-format");
  EXPECT_EQ(submit(kMaker.text(), "request\n"), "ra-batch-empty");
  EXPECT_EQ(submit(kMaker.text(), "-----BEGIN CERTIFICATE REQUEST-----\n!!"), "")
      << "a bad row does not refuse the batch";
}

}  // namespace
}  // namespace wattseal::scenarios
