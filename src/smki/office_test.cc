#include "smki/office.h"

#include <gtest/gtest.h>

#include "smki/office_records.h"
#include "smki/office_service.h"
#include "smki/test_rig.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;
using test::kSupplier;
using test::Rig;

constexpr Eui64 kRowan = Eui64::from_number(0x9057530000090000),
                kRowanDevice = Eui64::from_number(0x0057530000F00000);

// Two managers and two personnel of the registration authority; Rowan is not known yet.
struct OfficeRig : Rig {
  PersonId ada, ben, cara, dan;

  OfficeRig() {
    const std::vector<PersonId> managers = office.found({"Ada", "Ben"}, world.new_trace()).value();
    ada = managers[0];
    ben = managers[1];
    cara = appointed("appoint-ra-personnel", {{"name", "Cara"}}, ada, ben);
    dan = appointed("appoint-ra-personnel", {{"name", "Dan"}}, ada, ben);
  }
  std::string rule(const Result<ActId>& result) {
    return result.ok() ? "" : std::string(result.refusal().rule.text());
  }
  Result<ActId> propose(std::string_view kind, const json& payload, PersonId by) {
    return office.propose(kind, payload, {by, "192.0.2.1"}, world.new_trace());
  }
  std::string approve(ActId act, PersonId by) {
    const Result<ActState> state = office.approve(act, {by, "192.0.2.2"}, world.new_trace());
    return state.ok() ? std::string(text(*state)) : std::string(state.refusal().rule.text());
  }
  // Proposed and approved; the result of the approval.
  std::string act(std::string_view kind, const json& payload, PersonId by, PersonId approver) {
    const Result<ActId> id = propose(kind, payload, by);
    return id.ok() ? approve(*id, approver) : rule(id);
  }
  PersonId appointed(std::string_view kind, json payload, PersonId by, PersonId approver) {
    payload["evidence"] = "passport seen, screening BS 7858";
    payload["screened_on"] = "2026-04-01";
    CHECK(act(kind, payload, by, approver) == "done");
    return office.people().back().id;
  }
  void admit_rowan() {
    CHECK(act("admit-organisation",
              {{"party", kRowan.text()},
               {"name", "Rowan"},
               {"kind", "supplier"},
               {"roles", "IS/GS"},
               {"evidence", "company register 0123"}},
              cara, dan) == "done");
  }
  // Rowan with officers, tested and authorised for both policies. Returns its officer.
  PersonId authorised_rowan() {
    admit_rowan();
    const json party{{"party", kRowan.text()}};
    json sro = party, aro = party, tests = party, policy = party;
    sro["name"] = "Eve";
    aro["name"] = "Finn";
    tests["evidence"] = "exit report 7";
    const PersonId eve = appointed("appoint-sro", sro, cara, dan);
    const PersonId finn = appointed("appoint-aro", aro, eve, dan);
    CHECK(act("record-entry-tests", tests, cara, dan) == "done");
    for (const char* name : {"device", "organisation"}) {
      policy["policy"] = name;
      CHECK(act("authorise-subscriber", policy, cara, dan) == "done");
    }
    return finn;
  }
  Result<BatchId> submit(PersonId officer, const Bytes& request) {
    return authority.submit({kRowan, {request}, world.new_trace(), officer, "192.0.2.3"});
  }
  RowResult row(BatchId batch) { return authority.results(batch, 0, 1).at(0); }
};

TEST(Office, NeedsTwoDifferentPeopleOfTheRightRolesForEveryAct) {
  OfficeRig rig;
  const json payload{{"name", "Gil"}, {"evidence", "e"}, {"screened_on", "2026-04-01"}};
  EXPECT_EQ(rig.rule(rig.propose("appoint-ra-personnel", payload, rig.cara)), "office-proposer");
  EXPECT_EQ(rig.rule(rig.propose("appoint-ra-personnel", payload, 99)), "office-person");
  const ActId act = rig.propose("appoint-ra-personnel", payload, rig.ada).value();
  EXPECT_EQ(rig.approve(act, rig.ada), "office-self") << "nominator is not approver";
  EXPECT_EQ(rig.approve(act, rig.cara), "office-approver") << "personnel do not appoint";
  EXPECT_EQ(rig.office.people().size(), 4u);
  EXPECT_EQ(rig.approve(act, rig.ben), "done");
  EXPECT_EQ(rig.office.people().back().name, "Gil");
  EXPECT_EQ(rig.approve(act, rig.ben), "office-act-closed");
  EXPECT_EQ(rig.approve(77, rig.ben), "office-act-unknown");
  // Nominee is not nominator, and one human with two numbers is one.
  json self = payload;
  self["name"] = "Ada";
  EXPECT_EQ(rig.rule(rig.propose("appoint-key-custodian", self, rig.ada)), "office-self");
  const ActId about_ben = [&] {
    json ben = payload;
    ben["name"] = "Ben";
    return rig.propose("appoint-key-custodian", ben, rig.ada).value();
  }();
  EXPECT_EQ(rig.approve(about_ben, rig.ben), "office-self") << "it concerns him";
}

TEST(Office, RefusesParticularsThatAreNotRight) {
  OfficeRig rig;
  const json good{{"name", "Gil"}, {"evidence", "e"}, {"screened_on", "2026-04-01"}};
  const auto with = [&](const char* field, const json& value) {
    json changed = good;
    if (value.is_null())
      changed.erase(field);
    else
      changed[field] = value;
    const Result<ActId> result = rig.propose("appoint-ra-personnel", changed, rig.ada);
    return result.ok() ? ""
                       : std::string(result.refusal().rule.text()) + " " + result.refusal().field;
  };
  const std::uint64_t facts = rig.store->journal_head().next;
  EXPECT_EQ(with("evidence", nullptr), "office-payload evidence");
  EXPECT_EQ(with("evidence", ""), "office-payload evidence");
  EXPECT_EQ(with("evidence", 7), "office-payload evidence");
  EXPECT_EQ(with("evidence", std::string(401, 'x')), "office-payload evidence");
  EXPECT_EQ(with("party", "x"), "office-payload payload");
  EXPECT_EQ(with("screened_on", "yesterday"), "office-payload screened_on");
  EXPECT_EQ(with("screened_on", "2026-06-01"), "office-payload screened_on");
  EXPECT_EQ(with("screened_on", "2024-04-01"), "office-payload screened_on") << "lapsed";
  EXPECT_EQ(rig.rule(rig.propose("appoint-ra-personnel", json::array(), rig.ada)),
            "office-payload");
  EXPECT_EQ(rig.rule(rig.propose("fly", good, rig.ada)), "office-act-unknown");
  EXPECT_EQ(rig.rule(rig.propose(kIssueAct, good, rig.ada)), "office-act-unknown")
      << "only a signing request proposes it";
  EXPECT_EQ(rig.store->journal_head().next, facts) << "a refused proposal leaves nothing";
}

TEST(Office, AdmitsAnOrganisationStepByStep) {
  OfficeRig rig;
  const json party{{"party", kRowan.text()}};
  json policy = party, tests = party, range = party;
  policy["policy"] = "device";
  tests["evidence"] = "report";
  range["first"] = kRowanDevice.text();
  range["last"] = Eui64::from_number(kRowanDevice.number() + 99).text();
  EXPECT_EQ(rig.act("record-entry-tests", tests, rig.cara, rig.dan), "office-payload")
      << "not a party yet";
  rig.admit_rowan();
  EXPECT_EQ(rig.act("authorise-subscriber", policy, rig.cara, rig.dan), "office-entry-tests");
  EXPECT_EQ(rig.act("record-entry-tests", tests, rig.cara, rig.dan), "done");
  EXPECT_EQ(rig.act("authorise-subscriber", policy, rig.cara, rig.dan), "office-no-officer");
  EXPECT_EQ(rig.submit(0, rig.device_request(kRowanDevice)).refusal().rule,
            "ra-officer-required"_rule);
  json sro = party, aro = party;
  sro["name"] = "Eve";
  aro["name"] = "Finn";
  const PersonId eve = rig.appointed("appoint-sro", sro, rig.cara, rig.dan);
  const PersonId finn = rig.appointed("appoint-aro", aro, eve, rig.cara);
  json other = aro;
  other["party"] = kSupplier.text();
  other["evidence"] = "e";
  other["screened_on"] = "2026-04-01";
  EXPECT_EQ(rig.act("appoint-aro", other, eve, rig.cara), "office-party");
  // Not authorised yet: the request is refused by name.
  const BatchId early = rig.submit(finn, rig.device_request(kRowanDevice)).value();
  rig.settle();
  EXPECT_EQ(rig.row(early).rule, "csr-not-authorised-subscriber");
  EXPECT_EQ(rig.act("authorise-subscriber", policy, rig.cara, rig.dan), "done");
  const BatchId outside = rig.submit(finn, rig.device_request(kRowanDevice)).value();
  rig.settle();
  EXPECT_EQ(rig.row(outside).rule, "csr-eui-not-allotted");
  json taken = range;
  taken["last"] = test::kDevice.text();
  taken["first"] = test::kDevice.text();
  EXPECT_EQ(rig.act("allot-range", taken, rig.cara, rig.dan), "office-range-taken");
  EXPECT_EQ(rig.act("allot-range", range, rig.cara, rig.dan), "done");
  const BatchId good = rig.submit(finn, rig.device_request(kRowanDevice)).value();
  rig.settle();
  EXPECT_EQ(rig.row(good).state, RowState::published) << rig.row(good).rule;
  json suspended = party;
  suspended["reason"] = "breach";
  EXPECT_TRUE(rig.propose("suspend-subscriber", suspended, rig.cara).ok()) << "takes one person";
  const BatchId late =
      rig.submit(finn, rig.device_request(Eui64::from_number(kRowanDevice.number() + 1))).value();
  rig.settle();
  EXPECT_EQ(rig.row(late).rule, "csr-not-authorised-subscriber");
}

TEST(Office, HoldsOrganisationCertificatesUntilTwoPeopleApprove) {
  OfficeRig rig;
  const PersonId finn = rig.authorised_rowan();
  const BatchId batch = rig.submit(finn, rig.organisation_request(kRowan)).value();
  rig.settle();
  ASSERT_EQ(rig.row(batch).state, RowState::held);
  EXPECT_TRUE(rig.authority.status(batch)->settled());
  EXPECT_FALSE(rig.authority.status(batch)->complete());
  const ActId act = rig.row(batch).act;
  EXPECT_EQ(rig.approve(act, finn), "office-self") << "submitter is not approver";
  EXPECT_EQ(rig.approve(act, rig.cara), "open");
  EXPECT_EQ(rig.approve(act, rig.cara), "office-twice");
  rig.settle();
  EXPECT_EQ(rig.row(batch).state, RowState::held) << "one is not enough";
  EXPECT_EQ(rig.approve(act, rig.dan), "done");
  rig.settle();
  EXPECT_EQ(rig.row(batch).state, RowState::published);
  EXPECT_TRUE(rig.authority.status(batch)->complete());
}

TEST(Office, RejectsAndLapsesHeldRequestsByName) {
  OfficeRig rig;
  const PersonId finn = rig.authorised_rowan();
  const BatchId rejected = rig.submit(finn, rig.organisation_request(kRowan)).value();
  const BatchId lapsed = rig.submit(finn, rig.organisation_request(kRowan)).value();
  rig.settle();
  EXPECT_TRUE(
      rig.office
          .reject(rig.row(rejected).act, "wrong common name", {rig.cara, ""}, rig.world.new_trace())
          .ok());
  EXPECT_EQ(rig.row(rejected).rule, "csr-rejected");
  EXPECT_EQ(rig.row(rejected).detail, "wrong common name");
  EXPECT_TRUE(rig.authority.status(rejected)->complete());
  EXPECT_EQ(rig.approve(rig.row(lapsed).act, rig.cara), "open");
  const ActId act = rig.row(lapsed).act;
  rig.clock.advance(336 * 3600);
  EXPECT_EQ(rig.approve(act, rig.dan), "office-act-closed");
  EXPECT_EQ(rig.authority.lapse_held(), 1u);
  EXPECT_EQ(rig.authority.lapse_held(), 0u);
  EXPECT_EQ(rig.row(lapsed).rule, "csr-approval-lapsed");
  EXPECT_EQ(rig.office.act(act)->state, ActState::lapsed);
}

TEST(Office, DoesNotCountPeopleWhoseStandingEnded) {
  OfficeRig rig;
  const PersonId finn = rig.authorised_rowan();
  const BatchId batch = rig.submit(finn, rig.organisation_request(kRowan)).value();
  rig.settle();
  const ActId act = rig.row(batch).act;
  EXPECT_EQ(rig.approve(act, rig.cara), "open");
  const json cara{{"person", std::to_string(rig.cara)}, {"reason", "left"}};
  EXPECT_TRUE(rig.propose("suspend-person", cara, rig.ada).ok());
  EXPECT_EQ(rig.office.person(rig.cara)->state, PersonState::suspended);
  EXPECT_EQ(rig.approve(act, rig.cara), "office-person");
  EXPECT_EQ(rig.approve(act, rig.dan), "open") << "the suspended approval does not count";
  EXPECT_EQ(rig.approve(act, rig.ben), "done");
  EXPECT_EQ(rig.act("reinstate-person", cara, rig.ada, rig.ben), "done");
  // A screening lapses by itself and is renewed.
  rig.clock.advance(720LL * 86400);
  EXPECT_EQ(rig.rule(rig.propose("suspend-person", cara, rig.dan)), "office-person");
  const json renewal{
      {"person", std::to_string(rig.cara)}, {"evidence", "BS 7858"}, {"screened_on", "2028-04-01"}};
  EXPECT_EQ(rig.act("renew-screening", renewal, rig.ada, rig.ben), "done");
  EXPECT_TRUE(rig.office.person(rig.cara)->may_act(rig.world.now()));
  // An officer of one party does not touch another's people; managers cannot all leave.
  const json ben{{"person", std::to_string(rig.ben)}, {"reason", "x"}};
  EXPECT_EQ(rig.rule(rig.propose("remove-person", ben, rig.cara)), "office-managers");
}

TEST(Office, LetsAnOfficerRevokeHisOwnOnly) {
  OfficeRig rig;
  const PersonId finn = rig.authorised_rowan();
  const BatchId batch = rig.submit(finn, rig.organisation_request(kRowan)).value();
  rig.settle();
  EXPECT_EQ(rig.approve(rig.row(batch).act, rig.cara), "open");
  EXPECT_EQ(rig.approve(rig.row(batch).act, rig.dan), "done");
  rig.settle();
  const CertificateSerial own = *rig.row(batch).serial;
  const CertificateSerial others = *rig.outcome(kSupplier, rig.organisation_request()).serial;
  const auto revoke = [&](const CertificateSerial& serial, const char* grounds) {
    return rig.propose("revoke-certificate", {{"serial", serial.hex()}, {"grounds", grounds}},
                       finn);
  };
  EXPECT_EQ(rig.rule(revoke(others, "key-compromise")), "office-party");
  EXPECT_EQ(rig.rule(revoke(own, "breach")), "office-payload") << "not for a subscriber to say";
  const ActId act = revoke(own, "key-compromise").value();
  rig.settle();
  EXPECT_EQ(rig.repository.by_serial(own)->status, CertificateStatus::in_use);
  EXPECT_EQ(rig.approve(act, rig.cara), "done");
  rig.settle();
  EXPECT_EQ(rig.repository.by_serial(own)->status, CertificateStatus::revoked);
}

TEST(Office, IsFoundedOnceByTwoManagers) {
  Rig rig;
  EXPECT_EQ(rig.office.found({"Ada"}, {}).refusal().rule, "office-managers"_rule);
  EXPECT_EQ(rig.office.found({"Ada", "Ada"}, {}).refusal().rule, "office-managers"_rule);
  EXPECT_TRUE(rig.office.found({"Ada", "Ben"}, {}).ok());
  EXPECT_EQ(rig.office.found({"Cara", "Dan"}, {}).refusal().rule, "office-founded"_rule);
}

TEST(Office, RecognisesAClientCertificate) {
  OfficeRig rig;
  rig.settle();
  const Bytes certificate = rig.repository.authorities().front().der;  // any will do
  EXPECT_EQ(rig.office.person_by_credential(certificate).refusal().rule, "office-credential"_rule);
  const json payload{{"person", std::to_string(rig.cara)},
                     {"certificate", x509::to_pem("CERTIFICATE", certificate)}};
  EXPECT_EQ(rig.act("register-credential", payload, rig.ada, rig.ben), "done");
  EXPECT_EQ(rig.office.person_by_credential(certificate)->id, rig.cara);
  json twice = payload;
  twice["person"] = std::to_string(rig.dan);
  EXPECT_EQ(rig.act("register-credential", twice, rig.ada, rig.ben), "office-payload");
  http::Request request;
  request.client_certificate = certificate;
  request.headers = {{"X-Person", std::to_string(rig.ada)}};
  EXPECT_EQ(identify_caller(rig.office, request)->person, rig.cara) << "a header does not outweigh";
}

TEST(OfficerActivity, TellsWhatEachDidFromWhere) {
  OfficeRig rig;
  rig.admit_rowan();
  const UtcTime from = rig.world.now().plus_seconds(-1);
  rig.clock.advance(12 * 3600);  // 22:00
  const json reason{{"party", kRowan.text()}, {"reason", "r"}};
  EXPECT_TRUE(rig.propose("suspend-subscriber", reason, rig.cara).ok());
  const std::vector<Activity> all =
      officer_activity(*rig.store, from, rig.world.now().plus_seconds(1));
  ASSERT_EQ(all.size(), 4u);
  const auto of = [&](PersonId id) { return *std::ranges::find(all, id, &Activity::person); };
  EXPECT_EQ(of(rig.ada).proposed, 2u);
  EXPECT_EQ(of(rig.ben).approved, 2u);
  EXPECT_EQ(of(rig.cara).proposed, 2u);
  EXPECT_EQ(of(rig.cara).outside_service_window, 1u);
  EXPECT_EQ(of(rig.dan).approved, 1u);
  EXPECT_EQ(of(rig.dan).addresses, std::vector<std::string>{"192.0.2.2"});
  const std::vector<Activity> later = officer_activity(*rig.store, rig.world.now().plus_seconds(10),
                                                       rig.world.now().plus_seconds(20));
  EXPECT_FALSE(later.front().last.has_value()) << "unused";
}

TEST(Acts, HaveAHandlerEachAndRolesThatExist) {
  for (const ActRow& row : act_rows()) {
    EXPECT_EQ(act_handler(row.id).kind, row.id);
    for (const ApprovalGroup& group : row.approvals()) {
      EXPECT_GT(group.people, 0u) << row.id;
      const bool known = std::ranges::any_of(person_roles(), [&](const PersonRoleRow& role) {
        return has_role(group.roles, role.id);
      });
      EXPECT_TRUE(known) << row.id;
    }
  }
}

}  // namespace
}  // namespace wattseal::smki
