// Who may read the registration office's records over HTTP, and how much of them.
#include "smki/office_service.h"

#include <gtest/gtest.h>

#include <set>

#include "smki/test_rig.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;
using test::kMaker;
using test::kSupplier;

// The office with people of its own, and an officer each of two parties; requests go straight to
// the router.
struct ServiceRig : test::Rig {
  OfficeService service{world, office, authority, *store, [] {}};
  http::Router router;
  PersonId ada, ben, cara, dan, olga, paul;

  ServiceRig() {
    add_office_routes(router, service);
    const std::vector<PersonId> managers = office.found({"Ada", "Ben"}, world.new_trace()).value();
    ada = managers[0];
    ben = managers[1];
    cara = appoint("appoint-ra-personnel", "Cara", std::nullopt, ada, ben);
    dan = appoint("appoint-ra-personnel", "Dan", std::nullopt, ada, ben);
    olga = officer("Sam", "Olga", kSupplier);
    paul = officer("Tess", "Paul", kMaker);
  }
  ActId act(std::string_view kind, const json& payload, PersonId by, PersonId approver) {
    const ActId id = office.propose(kind, payload, {by, "192.0.2.1"}, world.new_trace()).value();
    if (office.act(id)->state == ActState::open)
      CHECK(office.approve(id, {approver, "192.0.2.2"}, world.new_trace()).ok());
    return id;
  }
  PersonId appoint(std::string_view kind, const char* name, std::optional<Eui64> party, PersonId by,
                   PersonId approver) {
    json payload{{"name", name}, {"evidence", "passport"}, {"screened_on", "2026-04-01"}};
    if (party) payload["party"] = party->text();
    act(kind, payload, by, approver);
    return office.people().back().id;
  }
  PersonId officer(const char* sro, const char* aro, Eui64 party) {
    const PersonId nominator = appoint("appoint-sro", sro, party, cara, dan);
    return appoint("appoint-aro", aro, party, nominator, dan);
  }
  http::Response get(const std::string& path, PersonId person, Bytes certificate = {}) const {
    http::Request request;
    request.method = "GET";
    request.path = "/api/v1/ra/" + path;
    if (person != 0) request.headers.push_back({"X-Person", std::to_string(person)});
    request.client_certificate = std::move(certificate);
    return router(request);
  }
  json read(const std::string& path, PersonId person) const {
    const http::Response response = get(path, person);
    CHECK(response.status == 200);
    return json::parse(response.body);
  }
  std::string rule(const http::Response& response) const {
    return json::parse(response.body).value("rule", "");
  }
  template <typename T>
  std::set<T> all(const std::string& path, const char* list, const char* field, PersonId person) {
    std::set<T> found;
    const json answer = read(path, person);
    for (const json& row : answer[list]) found.insert(row[field].get<T>());
    return found;
  }
};

constexpr const char* kPaths[] = {"people", "parties", "acts", "acts/1", "activity"};

TEST(OfficeService, ReadsNothingToNobody) {
  const ServiceRig rig;
  for (const char* path : kPaths) {
    EXPECT_EQ(rig.get(path, 0).status, 401) << path;
    EXPECT_EQ(rig.rule(rig.get(path, 0)), "ra-person-missing") << path;
    EXPECT_EQ(rig.rule(rig.get(path, 99)), "office-person") << path;
    EXPECT_EQ(rig.get(path, 99).status, 403) << path;
    EXPECT_EQ(rig.rule(rig.get(path, 0, Bytes{1, 2, 3})), "office-credential") << path;
    EXPECT_EQ(rig.get(path, rig.cara).status, 200) << path;
  }
}

TEST(OfficeService, ReadsNothingToThoseWhoMayNotAct) {
  ServiceRig rig;
  ASSERT_EQ(rig.get("people", rig.olga).status, 200);
  rig.act("suspend-person", {{"person", std::to_string(rig.olga)}, {"reason", "left"}}, rig.ada,
          rig.ben);
  for (const char* path : kPaths)
    EXPECT_EQ(rig.rule(rig.get(path, rig.olga)), "office-person") << path;
  rig.clock.advance(std::int64_t{3} * 366 * 86'400);  // every screening has lapsed
  for (const char* path : kPaths)
    EXPECT_EQ(rig.rule(rig.get(path, rig.ada)), "office-person") << path;
}

TEST(OfficeService, ShowsTheRegistrationAuthorityEverything) {
  ServiceRig rig;
  EXPECT_EQ(rig.read("people", rig.cara)["people"].size(), 8u);
  EXPECT_EQ(rig.all<std::string>("parties", "parties", "party", rig.cara),
            (std::set<std::string>{kSupplier.text(), kMaker.text()}));
  EXPECT_EQ(rig.read("acts", rig.cara)["acts"].size(), 6u);
  EXPECT_EQ(rig.read("activity", rig.cara)["officers"].size(), 8u);
}

TEST(OfficeService, ShowsPeopleOfAPartyTheirPartyOnly) {
  ServiceRig rig;
  EXPECT_EQ(rig.all<std::string>("people", "people", "name", rig.olga),
            (std::set<std::string>{"Sam", "Olga"}));
  EXPECT_EQ(rig.all<std::string>("people", "people", "name", rig.paul),
            (std::set<std::string>{"Tess", "Paul"}));
  EXPECT_EQ(rig.all<std::string>("parties", "parties", "party", rig.olga),
            std::set<std::string>{kSupplier.text()});
  EXPECT_EQ(rig.all<std::string>("activity", "officers", "name", rig.paul),
            (std::set<std::string>{"Tess", "Paul"}));
  const std::set<ActId> hers = rig.all<ActId>("acts", "acts", "act", rig.olga),
                        his = rig.all<ActId>("acts", "acts", "act", rig.paul);
  EXPECT_EQ(hers.size(), 2u);
  EXPECT_EQ(his.size(), 2u);
  for (const ActId act : hers) {
    const std::string path = "acts/" + std::to_string(act);
    EXPECT_EQ(rig.get(path, rig.olga).status, 200);
    EXPECT_EQ(rig.rule(rig.get(path, rig.paul)), "office-act-unknown") << "as if there were none";
    EXPECT_FALSE(his.contains(act));
  }
  // An act about a person of the party, by its number.
  const ActId suspended =
      rig.act("suspend-person", {{"person", std::to_string(rig.paul)}, {"reason", "left"}}, rig.ada,
              rig.ben);
  rig.act("reinstate-person", {{"person", std::to_string(rig.paul)}, {"reason", "back"}}, rig.ada,
          rig.ben);
  EXPECT_TRUE(rig.all<ActId>("acts", "acts", "act", rig.paul).contains(suspended));
  EXPECT_FALSE(rig.all<ActId>("acts", "acts", "act", rig.olga).contains(suspended));
}

TEST(OfficeService, KnowsTheReaderByTheClientCertificate) {
  ServiceRig rig;
  const Bytes certificate{1, 2, 3, 4};
  rig.act("register-credential",
          {{"person", std::to_string(rig.olga)}, {"certificate", to_base64(certificate)}}, rig.cara,
          rig.dan);
  // The certificate says more than the header.
  const json people = json::parse(rig.get("people", rig.cara, certificate).body)["people"];
  EXPECT_EQ(people.size(), 2u);
}

// Every HTTP service asks identify_caller() for whom it acts.
TEST(OfficeService, TakesNobodyWhoLeftForTheirParty) {
  ServiceRig rig;
  const auto reasoned = [](PersonId person) {
    return json{{"person", std::to_string(person)}, {"reason", "left"}};
  };
  const auto register_credential = [&](PersonId person, const Bytes& certificate) {
    rig.act("register-credential",
            {{"person", std::to_string(person)}, {"certificate", to_base64(certificate)}}, rig.cara,
            rig.dan);
  };
  http::Request olgas, pauls, by_number;
  olgas.client_certificate = {1, 2, 3, 4};
  pauls.client_certificate = {5, 6, 7, 8};
  by_number.headers = {{"X-Person", std::to_string(rig.paul)}, {"X-Subscriber", kMaker.text()}};
  register_credential(rig.olga, olgas.client_certificate);
  register_credential(rig.paul, pauls.client_certificate);
  EXPECT_EQ(identify_caller(rig.office, pauls)->subscriber, kMaker);
  EXPECT_EQ(identify_caller(rig.office, by_number)->subscriber, kMaker);
  rig.act("suspend-person", reasoned(rig.olga), rig.ada, rig.ben);
  rig.act("remove-person", reasoned(rig.paul), rig.ada, rig.ben);
  for (const http::Request& request : {olgas, pauls, by_number})
    EXPECT_EQ(identify_caller(rig.office, request).refusal().rule, "office-person"_rule);
  rig.act("reinstate-person", {{"person", std::to_string(rig.olga)}, {"reason", "back"}}, rig.ada,
          rig.ben);
  EXPECT_EQ(identify_caller(rig.office, olgas)->subscriber, kSupplier);
  rig.clock.advance(std::int64_t{3} * 366 * 86'400);  // every screening has lapsed
  EXPECT_EQ(identify_caller(rig.office, olgas).refusal().rule, "office-person"_rule);
}

}  // namespace
}  // namespace wattseal::smki
