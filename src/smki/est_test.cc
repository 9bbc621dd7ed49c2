#include "smki/est.h"

#include <gtest/gtest.h>

#include "asn1/der.h"
#include "smki/service_json.h"
#include "smki/test_rig.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;
using test::kDevice;
using test::kMaker;
using test::kSupplier;

struct EstRig : test::Rig {
  Uploads uploads{world, *store};
  SubscriberService service{world, authority, repository, office, *store, uploads, [] {}, express};
  http::Router router;
  EstRig() {
    settle();
    add_est_routes(router, service);
  }
  http::Response send(const std::string& method, const std::string& operation,
                      std::string body = "", Eui64 who = kMaker, PersonId person = 0) {
    http::Request request;
    request.method = method;
    request.path = "/.well-known/est/" + operation;
    request.body = std::move(body);
    if (person != 0)
      request.headers.push_back({"X-Person", std::to_string(person)});
    else
      request.headers.push_back({"X-Subscriber", who.text()});
    return router(request);
  }
};

// Certificates of a certs-only SignedData.
std::vector<x509::Certificate> certificates_of(const http::Response& response) {
  const Bytes der = from_base64(response.body).value();
  asn1::Reader outer(der);
  asn1::Reader content = outer.enter(asn1::kSequence).value();
  EXPECT_TRUE(outer.finish().ok());
  (void)content.oid();
  asn1::Reader wrapped = content.enter(asn1::context(0, true)).value();
  asn1::Reader data = wrapped.enter(asn1::kSequence).value();
  for (int skipped = 0; skipped < 3; ++skipped) (void)data.any();
  asn1::Reader list = data.enter(asn1::context(0, true)).value();
  std::vector<x509::Certificate> all;
  while (!list.empty()) all.push_back(x509::parse_certificate(list.any().value().whole).value());
  return all;
}

TEST(Est, GivesTheAuthoritiesOfEachHierarchy) {
  EstRig rig;
  EXPECT_EQ(certificates_of(rig.send("GET", "cacerts")).size(), 4u);
  const std::vector<x509::Certificate> device = certificates_of(rig.send("GET", "device/cacerts"));
  ASSERT_EQ(device.size(), 2u);
  EXPECT_NE(device[0].der, certificates_of(rig.send("GET", "organisation/cacerts"))[0].der);
  const http::Response answer = rig.send("GET", "cacerts");
  EXPECT_EQ(answer.headers.at(0).value, "base64");
  for (std::size_t at = 0; at < answer.body.size();) {
    const std::size_t end = answer.body.find('\n', at);
    EXPECT_LE(end - at, 64u);
    at = end + 1;
  }
}

TEST(Est, EnrolsAndReplaces) {
  EstRig rig;
  const Bytes first = rig.device_request(kDevice);
  const http::Response answer = rig.send("POST", "simpleenroll", to_base64(first));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const std::vector<x509::Certificate> one = certificates_of(answer);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].key, x509::parse_request(first)->key);
  EXPECT_EQ(rig.send("POST", "device/simpleenroll", std::string(as_text(first))).body, answer.body)
      << "DER as it is, and the same request is the same certificate";
  const Bytes second = rig.device_request(kDevice);
  ASSERT_EQ(rig.send("POST", "simplereenroll", to_base64(second)).status, 200);
  EXPECT_EQ(rig.repository.by_device(kDevice).size(), 2u);
  const Bytes other = rig.device_request(kDevice, x509::key_usage::key_agreement);
  EXPECT_EQ(json::parse(rig.send("POST", "simplereenroll", to_base64(other)).body)["rule"],
            "enrol-nothing-to-replace")
      << "another use is another certificate";
}

TEST(Est, AsksToComeAgainWhileARequestWaitsForPeople) {
  EstRig rig;
  Party guarded = rig.authority.party(kSupplier).value();
  guarded.dual_control = true;
  ASSERT_TRUE(rig.authority.register_party(guarded, {}).ok());
  const std::vector<PersonId> managers = rig.office.found({"Ada", "Ben"}, {}).value();
  const auto appoint = [&](const char* kind, const char* name, PersonId proposer) {
    const Result<ActId> act =
        rig.office.propose(kind,
                           {{"party", kSupplier.text()},
                            {"name", name},
                            {"evidence", "letter"},
                            {"screened_on", rig.clock.now().iso().substr(0, 10)}},
                           {proposer, ""}, {});
    CHECK(act.ok() && rig.office.approve(*act, {managers[1], ""}, {}).ok());
    return rig.office.people().back().id;
  };
  const PersonId officer = appoint("appoint-aro", "Oz", appoint("appoint-sro", "Sue", managers[0]));
  const std::string request = to_base64(rig.organisation_request());
  const http::Response waiting = rig.send("POST", "simpleenroll", request, kSupplier, officer);
  ASSERT_EQ(waiting.status, 202) << waiting.body;
  EXPECT_EQ(waiting.headers.at(0).name, "Retry-After");
  const std::vector<Act> acts = rig.office.acts(ActState::open);
  ASSERT_EQ(acts.size(), 1u);
  for (const PersonId one : managers)
    ASSERT_TRUE(rig.office.approve(acts[0].id, {one, ""}, {}).ok());
  EXPECT_EQ(rig.send("POST", "simpleenroll", request, kSupplier, officer).status, 200);
}

TEST(Est, RefusesByRule) {
  EstRig rig;
  const auto rule = [&](const std::string& operation, const Bytes& request, Eui64 who = kMaker) {
    const http::Response answer = rig.send("POST", operation, to_base64(request), who);
    return json::parse(answer.body).value("rule", "") + " " + std::to_string(answer.status);
  };
  const Bytes device = rig.device_request(kDevice);
  EXPECT_EQ(rule("organisation/simpleenroll", device), "est-hierarchy 400");
  EXPECT_EQ(rule("meters/simpleenroll", device), "est-path 404");
  EXPECT_EQ(rule("fullcmc", device), "est-path 404");
  EXPECT_EQ(rule("simpleenroll", device, kSupplier), "csr-eui-not-allotted 403");
  EXPECT_EQ(rule("simpleenroll", device, Eui64::from_number(3)), "ra-unknown-subscriber 403");
  EXPECT_EQ(rule("simpleenroll", {}), "est-body 400");
  EXPECT_EQ(rule("simpleenroll", Bytes{0x30, 0x00}), "der-truncated 400");
  EXPECT_TRUE(rig.repository.by_device(kDevice).empty());
}

}  // namespace
}  // namespace wattseal::smki
