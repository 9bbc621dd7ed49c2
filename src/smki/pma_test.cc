#include "smki/pma.h"

#include "smki/governance_rig.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;
using test::GovernanceRig;

const char* const kAll[] = {"chair",          "large-supplier-1", "large-supplier-2",
                            "small-supplier", "networks",         "security-sub-committee"};
std::vector<std::string> all_of_them() { return {std::begin(kAll), std::end(kAll)}; }

constexpr const char* kFactors =
    "exposure 40 9 keys were copied from a workstation\n"
    "supply - 8 the holder could disconnect premises\n"
    "reach 20 6 12,000 devices in one region\n"
    "alternatives - 10 the subscriber has ceased to trade\n"
    "readiness 10 7 custodians can assemble in a day\n";

TEST(Pma, HasTheSeatsOfTheResponse) {
  unsigned ordinary = 0, casting = 0, none = 0;
  for (const PmaSeatRow& row : pma_seat_rows()) {
    ++(row.vote == "ordinary" ? ordinary : row.vote == "casting" ? casting : none);
    EXPECT_FALSE(row.appointed_by.empty());
  }
  EXPECT_EQ(ordinary, 6u);
  EXPECT_EQ(casting, 1u);
  EXPECT_EQ(none, 4u);
  EXPECT_TRUE(find_pma_seat("chair")->casting());
  EXPECT_EQ(find_pma_seat("minister"), nullptr);
}

TEST(Pma, FillsASeatOnceWithOnePersonAndEmptiesIt) {
  GovernanceRig rig;
  EXPECT_EQ(rig.fill("minister", "Max", "Oak"), "pma-seat");
  EXPECT_EQ(rig.fill("networks", "Ned", "Dale Networks"), "done");
  EXPECT_EQ(rig.fill("networks", "Nora", "Other Networks"), "pma-seat-filled");
  EXPECT_EQ(rig.fill("chair", "Ned", "Dale Networks"), "pma-two-seats");
  EXPECT_EQ(rig.name_alternate("networks", "Nils", "Glen Networks"), "done");
  EXPECT_EQ(rig.name_alternate("networks", "Nina", "Glen Networks"), "pma-seat-filled");
  const json leaves{{"seat", "networks"}, {"holder", "member"}, {"reason", "term ended"}};
  EXPECT_EQ(
      rig.act("end-pma-appointment", {{"seat", "chair"}, {"holder", "member"}, {"reason", "r"}},
              rig.holders["networks"]),
      "pma-seat-vacant");
  EXPECT_EQ(rig.act("end-pma-appointment", leaves, rig.cara), "done");
  EXPECT_FALSE(seat_held_by(*rig.store, rig.holders["networks"]));
  EXPECT_FALSE(seat_held_by(*rig.store, rig.holders["networks/alternate"]))
      << "the alternate goes with the member";
  EXPECT_FALSE(rig.office.person(rig.holders["networks"])->may_act(rig.clock.now()));
  rig.expect_replayed();
}

TEST(Pma, RefusesAnAlternateOfTheMembersOrganisationOrAnAffiliate) {
  GovernanceRig rig;
  rig.seat_all();
  EXPECT_EQ(rig.name_alternate("large-supplier-1", "Lou", "alder"), "pma-alternate-independence");
  EXPECT_EQ(rig.name_alternate("large-supplier-1", "Lou", test::kSupplier.text().c_str()),
            "pma-alternate-independence")
      << "the identity is the name of the same Party";
  EXPECT_EQ(rig.act("record-affiliation",
                    {{"organisation", "Alder"}, {"affiliate", "Alder Holdings"}, {"evidence", "e"}},
                    rig.cara),
            "done");
  EXPECT_EQ(
      rig.act(
          "record-affiliation",
          {{"organisation", "alder  holdings"}, {"affiliate", "Yew Metering"}, {"evidence", "e"}},
          rig.cara),
      "done");
  EXPECT_EQ(rig.name_alternate("large-supplier-1", "Lou", "Yew Metering"),
            "pma-alternate-independence")
      << "two steps apart";
  EXPECT_EQ(rig.act("record-affiliation",
                    {{"organisation", "Yew Metering"}, {"affiliate", "ALDER"}, {"evidence", "e"}},
                    rig.cara),
            "pma-affiliation");
  EXPECT_EQ(rig.name_alternate("large-supplier-1", "Lou", "Quince"), "done");
  EXPECT_EQ(rig.act("name-pma-alternate", GovernanceRig::holder("Kit", "Quince"),
                    rig.holders["large-supplier-1/alternate"]),
            "office-proposer");
  // An affiliation that is found later keeps the alternate from the seat.
  EXPECT_EQ(rig.act("record-affiliation",
                    {{"organisation", "Yew Metering"}, {"affiliate", "Quince"}, {"evidence", "e"}},
                    rig.cara),
            "done");
  rig.meet({"chair"});
  EXPECT_EQ(
      rig.act("attend-pma-meeting", {{"meeting", "1"}}, rig.holders["large-supplier-1/alternate"]),
      "pma-alternate-independence");
  EXPECT_EQ(rig.act("end-affiliation",
                    {{"organisation", "Quince"}, {"affiliate", "Yew Metering"}, {"evidence", "e"}},
                    rig.cara),
            "done");
  EXPECT_EQ(
      rig.act("attend-pma-meeting", {{"meeting", "1"}}, rig.holders["large-supplier-1/alternate"]),
      "done");
  rig.expect_replayed();
}

TEST(Pma, TakesNoSpecialistOfAPartyOrOfTheAssuranceProvider) {
  GovernanceRig rig;
  rig.seat_all();
  EXPECT_EQ(rig.fill("specialist", "Pia", "Alder"), "pma-specialist-independence");
  rig.meet(all_of_them());
  rig.carried("agree-assurance-provider", "provider/Linden Assurance");
  EXPECT_EQ(rig.fill("specialist", "Pia", "linden assurance"), "pma-specialist-independence");
  EXPECT_EQ(rig.fill("specialist", "Pia", "Hazel Cryptography"), "done");
  EXPECT_EQ(rig.move("agree-assurance-provider", "provider/Hazel Cryptography"),
            "assurance-independence");
}

TEST(Pma, MeetsAfterItsNoticeWithOnePersonASeat) {
  GovernanceRig rig;
  rig.seat_all();
  EXPECT_EQ(rig.name_alternate("networks", "Nils", "Glen Networks"), "done");
  const PersonId nils = rig.holders["networks/alternate"];
  EXPECT_EQ(
      rig.act("call-pma-meeting", {{"at", "2026-05-03T10:00:00Z"}, {"agenda", "a"}}, rig.cara),
      "pma-notice");
  EXPECT_EQ(rig.act("attend-pma-meeting", {{"meeting", "1"}}, nils), "pma-meeting-unknown");
  EXPECT_EQ(
      rig.act("call-pma-meeting", {{"at", "2026-05-08T10:00:00Z"}, {"agenda", "a"}}, rig.cara),
      "done");
  EXPECT_EQ(rig.act("attend-pma-meeting", {{"meeting", "1"}}, nils), "pma-meeting-time");
  rig.clock.set(UtcTime::parse_iso("2026-05-08T10:00:00Z").value());
  EXPECT_EQ(rig.act("attend-pma-meeting", {{"meeting", "1"}}, nils), "done");
  EXPECT_EQ(rig.act("attend-pma-meeting", {{"meeting", "1"}}, nils), "pma-present");
  EXPECT_EQ(rig.act("attend-pma-meeting", {{"meeting", "1"}}, rig.holders["networks"]), "done")
      << "the member takes the seat";
  EXPECT_EQ(rig.move("advise", "advice/keys", "networks/alternate"), "pma-absent");
  const json guest{
      {"meeting", "1"}, {"name", "Gwen"}, {"organisation", "GCHQ"}, {"reason", "risk"}};
  EXPECT_EQ(rig.act("invite-to-pma-meeting", guest, rig.holders["networks"]), "pma-chair");
  EXPECT_EQ(rig.act("invite-to-pma-meeting", guest, rig.holders["chair"]), "done");
  EXPECT_EQ(rig.act("close-pma-meeting", {{"meeting", "1"}}, rig.holders["chair"]), "pma-absent");
  EXPECT_EQ(rig.act("attend-pma-meeting", {{"meeting", "1"}}, rig.holders["chair"]), "done");
  EXPECT_EQ(rig.move("advise", "advice/keys"), "done");
  EXPECT_EQ(rig.act("close-pma-meeting", {{"meeting", "1"}}, rig.holders["chair"]),
            "pma-open-resolutions");
  EXPECT_EQ(rig.act("withdraw-resolution", {{"resolution", "1"}, {"reason", "r"}},
                    rig.holders["networks"]),
            "done");
  EXPECT_EQ(rig.act("close-pma-meeting", {{"meeting", "1"}}, rig.holders["chair"]), "done");
  EXPECT_EQ(rig.move("advise", "advice/keys"), "pma-meeting-time");
  EXPECT_EQ(find_meeting(*rig.store, 1)->invited.size(), 1u);
  rig.expect_replayed();
}

TEST(Pma, MeetsAtOnceWhereItSaysWhy) {
  GovernanceRig rig;
  json call{{"at", "2026-05-01T10:00:00Z"}, {"agenda", "a recovery"}};
  EXPECT_EQ(rig.act("call-pma-meeting", call, rig.cara), "pma-notice");
  call["urgency"] = "keys are in a stranger's hands";
  EXPECT_EQ(rig.act("call-pma-meeting", call, rig.cara), "done");
  EXPECT_EQ(find_meeting(*rig.store, 1)->agenda,
            "a recovery (urgent: keys are in a stranger's hands)");
  call["at"] = "2026-05-01T08:00:00Z";
  EXPECT_EQ(rig.act("call-pma-meeting", call, rig.cara), "pma-notice") << "over";
  rig.expect_replayed();
}

// The vote of docs/flows/governance.md: two for, two against, one seat in conflict of interest
// whose alternate may not vote either, and the casting vote.
TEST(Pma, DecidesByTheCastingVoteAndRefusesTheAlternateOfAConflictedSeat) {
  GovernanceRig rig;
  rig.seat_all();
  EXPECT_EQ(rig.name_alternate("large-supplier-1", "Lou", "Quince"), "done");
  rig.meet({"chair", "large-supplier-1/alternate", "large-supplier-2", "small-supplier", "networks",
            "security-sub-committee"});
  const json recovery{{"concerns", "Alder"}, {"factors", kFactors}};
  EXPECT_EQ(rig.move("use-recovery-key", "recovery-case/7", "networks", recovery), "done");
  EXPECT_EQ(rig.vote("1", "large-supplier-1/alternate", "against"), "pma-conflict");
  EXPECT_EQ(rig.vote("1", "chair", "for"), "pma-casting") << "nobody has voted yet";
  EXPECT_EQ(rig.vote("1", "large-supplier-2", "against"), "done");
  EXPECT_EQ(rig.vote("1", "small-supplier", "against"), "done");
  EXPECT_EQ(rig.vote("1", "networks", "for"), "done");
  EXPECT_EQ(rig.close("1"), "pma-waiting");
  EXPECT_EQ(rig.vote("1", "security-sub-committee", "for"), "done");
  EXPECT_EQ(rig.vote("1", "security-sub-committee", "against"), "pma-voted");
  EXPECT_EQ(rig.close("1"), "pma-tie");
  EXPECT_EQ(rig.vote("1", "chair", "abstain"), "pma-vote");
  EXPECT_EQ(
      approved_decision(*rig.store, 1, "use-recovery-key", "recovery-case/7").refusal().rule.text(),
      "pma-decision");
  EXPECT_EQ(rig.vote("1", "chair", "for"), "done");
  EXPECT_EQ(rig.close("1", "networks"), "pma-chair");
  EXPECT_EQ(rig.close("1"), "done");
  const Resolution decided = rig.resolution(1);
  EXPECT_EQ(decided.outcome, Outcome::carried);
  EXPECT_EQ(decided.tally,
            "for 2, against 2, abstained 0, in conflict 1, casting vote for; 5 seats of a quorum "
            "of 4");
  EXPECT_EQ(weighted_score(decided.factors), 100u * (360 + 200 + 120 + 150 + 70) / 110u);
  EXPECT_EQ(rig.close("1"), "pma-resolution-decided");
  // What others ask for: exactly this, of this kind, about this case.
  EXPECT_TRUE(
      approved_decision(*rig.store, 1, "use-recovery-key/use-contingency-key", "recovery-case/7")
          .ok());
  EXPECT_FALSE(approved_decision(*rig.store, 1, "use-contingency-key", "recovery-case/7").ok());
  EXPECT_FALSE(approved_decision(*rig.store, 1, "use-recovery-key", "recovery-case/8").ok());
  EXPECT_FALSE(approved_decision(*rig.store, 2, "use-recovery-key", "recovery-case/7").ok());
  rig.carried("rescind", "decision/1");
  EXPECT_FALSE(approved_decision(*rig.store, 1, "use-recovery-key", "recovery-case/7").ok());
  EXPECT_EQ(rig.move("rescind", "decision/1"), "pma-subject");
  rig.expect_replayed();
}

TEST(Pma, NeedsAQuorumWithoutThoseInConflict) {
  GovernanceRig rig;
  rig.seat_all();
  EXPECT_EQ(rig.fill("dcc", "Dora", "DCC Limited"), "done");
  rig.meet({"chair", "large-supplier-1", "networks", "small-supplier", "dcc"});
  EXPECT_EQ(rig.move("advise", "advice/keys"), "done");
  EXPECT_EQ(rig.act("declare-conflict", {{"resolution", "1"}, {"reason", "I wrote it"}},
                    rig.holders["small-supplier"]),
            "done");
  EXPECT_EQ(rig.act("declare-conflict", {{"resolution", "1"}, {"reason", "I wrote it"}},
                    rig.holders["small-supplier"]),
            "pma-conflict-known");
  EXPECT_EQ(rig.vote("1", "small-supplier", "for"), "pma-conflict");
  EXPECT_EQ(rig.vote("1", "dcc", "for"), "office-proposer") << "attendees have no vote";
  EXPECT_EQ(rig.vote("1", "large-supplier-2", "for"), "pma-absent");
  EXPECT_EQ(rig.vote("1", "networks", "for"), "done");
  EXPECT_EQ(rig.vote("1", "large-supplier-1", "perhaps"), "pma-vote");
  EXPECT_EQ(rig.vote("1", "large-supplier-1", "abstain"), "done");
  EXPECT_EQ(rig.close("1"), "pma-quorum");
  EXPECT_EQ(rig.act("attend-pma-meeting", {{"meeting", "1"}}, rig.holders["large-supplier-2"]),
            "done");
  EXPECT_EQ(rig.vote("1", "large-supplier-2", "against"), "done");
  EXPECT_EQ(rig.vote("1", "chair", "against"), "done");
  EXPECT_EQ(rig.close("1"), "done");
  EXPECT_EQ(rig.resolution(1).outcome, Outcome::lost);
  EXPECT_FALSE(approved_decision(*rig.store, 1, "advise", "advice/keys").ok());
  rig.expect_replayed();
}

TEST(Pma, WeighsEachFactorOnce) {
  EXPECT_EQ(read_factors("use-recovery-key", kFactors)->size(), 5u);
  EXPECT_EQ(read_factors("use-recovery-key", kFactors)->at(1).weight, 25u) << "the usual one";
  EXPECT_TRUE(read_factors("advise", "")->empty());
  for (const std::string& lines :
       {std::string("exposure 30 9 copied\n"), std::string(kFactors) + "reach 20 6 again\n",
        std::string(kFactors) + "weather 1 1 rain\n",
        "exposure 0 9 copied\n" + std::string(kFactors),
        "exposure 30 11 copied\n" + std::string(kFactors)}) {
    const auto read = read_factors("use-recovery-key", lines);
    ASSERT_FALSE(read.ok()) << lines;
    EXPECT_EQ(read.refusal().rule.text(), "pma-factors");
  }
  GovernanceRig rig;
  rig.seat_all();
  rig.meet(all_of_them());
  EXPECT_EQ(rig.move("use-contingency-key", "recovery-case/7"), "pma-factors");
  EXPECT_EQ(rig.move("advise", "advice/keys", "networks", {{"factors", "reach 1 1 none"}}),
            "pma-factors");
}

TEST(Pma, ResolvesOnlyAboutWhatIsThere) {
  GovernanceRig rig;
  rig.seat_all();
  rig.meet(all_of_them());
  EXPECT_EQ(rig.move("sing", "song/1"), "pma-resolution-kind");
  for (const char* subject : {"document/device-cps/1", "document/rapp/1", "document/poems/1",
                              "document/device-cps", "document/device-cps/01"})
    EXPECT_EQ(rig.move("approve-document", subject), "pma-subject") << subject;
  EXPECT_EQ(rig.move("set-document-deadline", "deadline/device-cps/2026-13-01"), "pma-subject");
  EXPECT_EQ(rig.move("set-document-deadline", "deadline/rapp/2026-12-01"), "pma-subject");
  EXPECT_EQ(rig.move("publish-remedial-plan", "finding/1/1"), "pma-subject");
  EXPECT_EQ(rig.move("propose-cost-recovery", "assessment/1"), "pma-subject");
  EXPECT_EQ(rig.move("rescind", "decision/1"), "pma-subject");
  EXPECT_EQ(rig.move("agree-assurance-provider", "provider/Elm"), "assurance-independence")
      << "a Party";
  EXPECT_TRUE(resolutions(*rig.store).empty());
}

}  // namespace
}  // namespace wattseal::smki
