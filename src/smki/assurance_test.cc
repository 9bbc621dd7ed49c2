#include "smki/assurance.h"

#include "smki/governance_rig.h"
#include "smki/governance_service.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;
using test::GovernanceRig;
using test::kMaker;
using test::kSupplier;

constexpr Eui64 kDcc = Eui64::from_number(0x9057530000000000);

struct AssuranceRig : GovernanceRig {
  Documents documents{world, *store};
  PersonId assessor = 0, sro = 0;

  AssuranceRig() {
    CHECK(authority
              .register_party({kDcc, "DCC Limited", "dcc", {}, {{kDcc, kDcc}}}, world.new_trace())
              .ok());
    seat_all();
    meet({"chair", "large-supplier-2", "small-supplier", "networks", "security-sub-committee"});
  }
  void provide() {
    carried("agree-assurance-provider", "provider/Linden Assurance");
    assessor = appointed("appoint-assessor",
                         {{"name", "Asa"}, {"organisation", "Linden Assurance"}}, ada, ben);
    sro = appointed("appoint-sro", {{"name", "Olga"}, {"party", kSupplier.text()}}, cara, dan);
  }
  std::string plan(const char* scope, Eui64 party, const char* from = "2026-05-11") {
    return act("plan-assessment",
               {{"scope", scope},
                {"party", party.text()},
                {"provider", "linden assurance"},
                {"from", from}},
               cara);
  }
  std::string by_assessor(const char* kind, json payload) {
    payload["assessment"] = "1";
    return act(kind, payload, assessor);
  }
  DocumentReport document(const char* name) {
    for (DocumentReport& one : report_document_set(*store, clock.now())) {
      if (one.row->document == name) return one;
    }
    throw std::runtime_error(name);
  }
  void lodge(const char* kind, const char* label) {
    CHECK(documents
              .lodge({kind, "", "Document", label, "text/plain", std::nullopt,
                      to_bytes(as_bytes(label))},
                     {kDcc}, world.new_trace())
              .ok());
  }
};

TEST(DocumentSet, IsDueBeforeItsMilestoneAndApprovedByThePma) {
  AssuranceRig rig;
  for (const DocumentSetRow& row : document_set_rows())
    EXPECT_NE(std::ranges::find(document_kinds(), row.document, &DocumentKindRow::id),
              document_kinds().end())
        << row.document;
  EXPECT_EQ(rig.document("device-cps").standing, DocumentStanding::missing);
  EXPECT_FALSE(rig.document("device-cps").due) << "no milestone yet";
  const json milestone{{"milestone", "sit-start"}, {"date", "2026-08-31"}, {"evidence", "plan 7"}};
  EXPECT_EQ(rig.act("set-milestone",
                    {{"milestone", "moon"}, {"date", "2026-08-31"}, {"evidence", "e"}}, rig.cara),
            "document-set-milestone");
  EXPECT_EQ(rig.act("set-milestone", milestone, rig.cara), "done");
  EXPECT_EQ(rig.document("device-cps").due->iso(), "2026-06-01T00:00:00Z")
      << "three months: 31 May, to its end";
  EXPECT_EQ(rig.document("rapp").due->iso(), "2026-03-01T00:00:00Z") << "28 February has no 31st";
  EXPECT_TRUE(rig.document("rapp").overdue);
  EXPECT_FALSE(rig.document("device-cps").overdue);
  rig.lodge("rapp", "1.0");
  EXPECT_TRUE(rig.document("rapp").late);
  EXPECT_EQ(rig.document("rapp").standing, DocumentStanding::in_force);

  rig.lodge("device-cps", "1.0");
  EXPECT_EQ(rig.document("device-cps").standing, DocumentStanding::unapproved);
  const DecisionId decision = rig.carried("approve-document", "document/device-cps/1");
  const DocumentReport approved = rig.document("device-cps");
  EXPECT_EQ(approved.standing, DocumentStanding::in_force);
  EXPECT_EQ(approved.approvals.at(1), decision);
  EXPECT_EQ(approved.review_due->iso(), "2027-05-08T10:05:00Z");
  rig.lodge("device-cps", "1.1");
  EXPECT_EQ(rig.document("device-cps").standing, DocumentStanding::unapproved)
      << "what is in force is not what was approved";
  rig.carried("rescind", "decision/" + std::to_string(decision));
  EXPECT_TRUE(rig.document("device-cps").approvals.empty());
  rig.expect_replayed();
}

TEST(DocumentSet, IsReviewedByThePma) {
  AssuranceRig rig;
  rig.lodge("compliance-policy", "1.0");
  EXPECT_EQ(rig.document("compliance-policy").review_due->iso(), "2027-05-08T10:05:00Z");
  rig.clock.set(UtcTime::parse_iso("2027-05-08T10:05:00Z").value());
  EXPECT_TRUE(rig.document("compliance-policy").review_overdue);
  rig.carried("review-document", "document/compliance-policy/1");
  EXPECT_EQ(rig.document("compliance-policy").review_due->iso(), "2028-05-08T10:05:00Z");
  EXPECT_FALSE(rig.document("compliance-policy").review_overdue);
  rig.expect_replayed();
}

TEST(DocumentSet, HasLaterDeadlinesByThePmaOrTheSecretaryOfState) {
  AssuranceRig rig;
  const json rapp{{"document", "rapp"}, {"date", "2026-09-30"}, {"evidence", "direction"}};
  json cps{{"document", "device-cps"}, {"date", "2026-09-30"}, {"evidence", "minutes"}};
  EXPECT_EQ(rig.act("set-document-deadline", rapp, rig.cara), "done");
  EXPECT_EQ(rig.document("rapp").due->iso(), "2026-10-01T00:00:00Z");
  EXPECT_EQ(rig.act("set-document-deadline", cps, rig.cara), "document-set-deadline");
  const DecisionId decision =
      rig.carried("set-document-deadline", "deadline/device-cps/2026-09-30");
  cps["decision"] = std::to_string(decision);
  json other = cps;
  other["date"] = "2026-10-30";
  EXPECT_EQ(rig.act("set-document-deadline", other, rig.cara), "pma-decision");
  EXPECT_EQ(rig.act("set-document-deadline", cps, rig.cara), "done");
  EXPECT_EQ(rig.document("device-cps").due->iso(), "2026-10-01T00:00:00Z");
  rig.clock.set(UtcTime::parse_iso("2026-10-01T00:00:00Z").value());
  EXPECT_TRUE(rig.document("device-cps").overdue);
  EXPECT_EQ(rig.act("set-document-deadline",
                    {{"document", "compliance-policy"}, {"date", "2026-09-30"}, {"evidence", "e"}},
                    rig.cara),
            "document-set-deadline");
  rig.expect_replayed();
}

TEST(Assurance, IsByAnAgreedIndependentProvider) {
  AssuranceRig rig;
  EXPECT_EQ(rig.plan("subscriber", kSupplier), "assurance-provider");
  json person = GovernanceRig::holder("Asa", "Linden Assurance");
  EXPECT_EQ(rig.act("appoint-assessor", person, rig.ada, rig.ben), "assurance-provider");
  rig.provide();
  EXPECT_EQ(rig.plan("subscriber", kDcc), "assurance-scope");
  EXPECT_EQ(rig.plan("periodic", kSupplier), "assurance-scope");
  EXPECT_EQ(rig.plan("subscriber", kSupplier, "2026-05-01"), "assurance-date");
  EXPECT_EQ(rig.plan("subscriber", kSupplier), "done");
  // It is bought by an affiliate of a Party before it begins.
  const json bought{{"organisation", "Linden Assurance"}, {"affiliate", "Elm"}, {"evidence", "e"}};
  EXPECT_EQ(rig.act("record-affiliation", bought, rig.cara), "done");
  EXPECT_EQ(rig.by_assessor("begin-assessment", {}), "assurance-independence");
  EXPECT_EQ(rig.act("end-affiliation", bought, rig.cara), "done");
  EXPECT_EQ(rig.act("begin-assessment", {{"assessment", "1"}}, rig.sro), "office-proposer");
  EXPECT_EQ(rig.act("begin-assessment", {{"assessment", "9"}}, rig.assessor), "assurance-unknown");
  EXPECT_EQ(rig.by_assessor("begin-assessment", {}), "done");
  EXPECT_EQ(rig.by_assessor("begin-assessment", {}), "assurance-state");
  rig.carried("agree-assurance-provider", "provider/Maple Audit");
  const PersonId other = rig.appointed(
      "appoint-assessor", {{"name", "Max"}, {"organisation", "Maple Audit"}}, rig.ada, rig.ben);
  EXPECT_EQ(
      rig.act("record-finding",
              {{"assessment", "1"}, {"class", "minor"}, {"requirement", "r"}, {"statement", "s"}},
              other),
      "assurance-assessor");
}

TEST(Assurance, FollowsFindingsToTheirVerifiedRemedy) {
  AssuranceRig rig;
  rig.provide();
  EXPECT_EQ(rig.plan("subscriber", kSupplier), "done");
  EXPECT_EQ(rig.by_assessor("begin-assessment", {}), "done");
  json finding{{"class", "grave"}, {"requirement", "L3.18"}, {"statement", "keys are copied"}};
  EXPECT_EQ(rig.by_assessor("record-finding", finding), "assurance-class");
  finding["class"] = "major";
  EXPECT_EQ(rig.by_assessor("record-finding", finding), "done");
  const Finding found = find_finding(*rig.store, 1, 1).value();
  EXPECT_EQ(found.plan_due - rig.clock.now(), 14 * 86400);
  EXPECT_FALSE(found.overdue(found.plan_due.plus_seconds(-1)));
  EXPECT_TRUE(found.overdue(found.plan_due));
  EXPECT_EQ(rig.by_assessor("report-assessment", {{"opinion", "fine"}, {"statement", "s"}}),
            "assurance-class");
  EXPECT_EQ(rig.by_assessor("report-assessment", {{"opinion", "qualified"}, {"statement", "s"}}),
            "done");
  EXPECT_EQ(rig.by_assessor("close-assessment", {}), "assurance-state") << "not remedied";

  json plan{{"assessment", "1"},
            {"finding", "1"},
            {"text", "Olga moves the keys into modules"},
            {"complete_by", "2026-08-01"}};
  EXPECT_EQ(rig.act("lodge-remedial-plan", plan, rig.sro), "assurance-date") << "60 days at most";
  plan["complete_by"] = "2026-06-30";
  EXPECT_EQ(rig.act("lodge-remedial-plan", plan, rig.ada), "assurance-party")
      << "not the DCC's finding";
  EXPECT_EQ(rig.act("lodge-remedial-plan", plan, rig.sro), "done");
  const json which{{"assessment", "1"}, {"finding", "1"}};
  json verified = which, evidence = which;
  verified["statement"] = "seen in place";
  evidence["evidence"] = "acceptance record 4";
  EXPECT_EQ(rig.act("verify-remedy", verified, rig.assessor), "assurance-state");
  EXPECT_EQ(rig.act("complete-remedy", evidence, rig.sro), "done");
  EXPECT_EQ(rig.act("lodge-remedial-plan", plan, rig.sro), "assurance-state");
  EXPECT_EQ(rig.act("verify-remedy", verified, rig.assessor), "done");
  EXPECT_EQ(rig.by_assessor("close-assessment", {}), "done");
  EXPECT_EQ(find_assessment(*rig.store, 1)->state, AssessmentState::closed);
  rig.expect_replayed();
}

TEST(Assurance, PublishesAPlanOnlyAnonymisedAndOnlyByDecision) {
  AssuranceRig rig;
  rig.provide();
  EXPECT_EQ(rig.plan("subscriber", kSupplier), "done");
  EXPECT_EQ(rig.by_assessor("begin-assessment", {}), "done");
  EXPECT_EQ(rig.by_assessor("record-finding",
                            {{"class", "major"}, {"requirement", "r"}, {"statement", "s"}}),
            "done");
  EXPECT_EQ(
      rig.act("lodge-remedial-plan",
              {{"assessment", "1"}, {"finding", "1"}, {"text", "p"}, {"complete_by", "2026-06-30"}},
              rig.sro),
      "done");
  json publication{{"assessment", "1"},
                   {"finding", "1"},
                   {"decision", "1"},
                   {"text", "A subscriber moves its keys into modules by the end of June"}};
  EXPECT_EQ(rig.act("publish-remedial-plan", publication, rig.cara), "pma-decision");
  const DecisionId decision = rig.carried("publish-remedial-plan", "finding/1/1");
  publication["decision"] = std::to_string(decision);
  const std::string plain = publication["text"];
  std::string octets = kSupplier.text();
  std::erase(octets, '-');
  for (const std::string& telling : {std::string("ALDER moves"), "By " + kSupplier.text(),
                                     "By " + octets, std::string("olga does")}) {
    publication["text"] = telling;
    EXPECT_EQ(rig.act("publish-remedial-plan", publication, rig.cara), "assurance-not-anonymous")
        << telling;
  }
  EXPECT_TRUE(published_plans(*rig.store).empty());
  publication["text"] = plain;
  EXPECT_EQ(rig.act("publish-remedial-plan", publication, rig.cara), "done");
  ASSERT_EQ(published_plans(*rig.store).size(), 1u);

  const GovernanceService service{rig.world, *rig.store, rig.office};
  http::Router router;
  add_governance_routes(router, service);
  const auto get = [&](const char* path, PersonId person) {
    http::Request request;
    request.method = "GET";
    request.path = path;
    if (person != 0) request.headers.push_back({"X-Person", std::to_string(person)});
    return router(request);
  };
  const http::Response everyone = get("/api/v1/assurance/plans", 0);
  EXPECT_EQ(json::parse(everyone.body)["plans"][0],
            (json{{"class", "major"}, {"plan", plain}, {"decision", decision}}));
  EXPECT_EQ(everyone.body.find("Alder"), std::string::npos);
  EXPECT_EQ(get("/api/v1/assurance/assessments/1", 0).status, 401);
  EXPECT_EQ(get("/api/v1/assurance/assessments/1", rig.sro).status, 200);
  EXPECT_EQ(get("/api/v1/pma/resolutions", rig.sro).status, 403);
  EXPECT_EQ(get("/api/v1/pma/resolutions/1", rig.holders["networks"]).status, 200);
  EXPECT_EQ(get("/api/v1/pma/seats", rig.assessor).status, 200);
  const PersonId maker =
      rig.appointed("appoint-sro", {{"name", "Tess"}, {"party", kMaker.text()}}, rig.cara, rig.dan);
  EXPECT_EQ(get("/api/v1/assurance/assessments/1", maker).status, 404) << "another's";
  EXPECT_EQ(json::parse(get("/api/v1/assurance/assessments", maker).body)["assessments"].size(),
            0u);
  // What is no longer needed is no longer shown.
  rig.carried("rescind", "decision/" + std::to_string(decision));
  EXPECT_TRUE(published_plans(*rig.store).empty());
}

TEST(Assurance, IsScheduledByMilestonesAndIntervals) {
  AssuranceRig rig;
  rig.provide();
  EXPECT_EQ(
      rig.act("set-milestone",
              {{"milestone", "live-issue"}, {"date", "2026-06-01"}, {"evidence", "e"}}, rig.cara),
      "done");
  const auto of = [&](const char* scope, Eui64 party) {
    for (ScheduledAssessment& one : assurance_schedule(*rig.store, rig.clock.now())) {
      if (one.scope->id == scope && one.party == party) return one;
    }
    throw std::runtime_error(scope);
  };
  EXPECT_EQ(of("initial-stage-1", kDcc).due->iso(), "2026-06-01T00:00:00Z");
  EXPECT_EQ(of("periodic", kDcc).due->iso(), "2027-07-31T00:00:00Z") << "12 months and 60 days";
  EXPECT_FALSE(of("subscriber", kSupplier).overdue);
  EXPECT_EQ(rig.plan("initial-stage-1", kDcc), "done");
  EXPECT_EQ(of("initial-stage-1", kDcc).due->iso(), "2026-06-10T00:00:00Z") << "30 days";
  rig.clock.set(UtcTime::parse_iso("2026-06-10T00:00:00Z").value());
  EXPECT_TRUE(of("initial-stage-1", kDcc).overdue);
  EXPECT_EQ(rig.by_assessor("begin-assessment", {}), "done");
  EXPECT_EQ(rig.by_assessor("report-assessment", {{"opinion", "compliant"}, {"statement", "s"}}),
            "done");
  EXPECT_FALSE(of("initial-stage-1", kDcc).due) << "once is enough";
}

}  // namespace
}  // namespace wattseal::smki
