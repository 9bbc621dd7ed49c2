// pma seats | affiliations | meetings | resolutions | resolution | documents, and the acts of the
// SMKI PMA
#include <fmt/format.h>

#include "apps/commands/governance.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

std::string holder_text(const json& holder) {
  if (holder.is_null()) return "vacant";
  return text_of(holder, "name") + " (" + text_of(holder, "organisation") + ", person " +
         text_of(holder, "person") + (holder.value("may_act", false) ? ")" : ", may not act)");
}
void print_seat(const json& seat) {
  fmt::print("{:<24} {:<9} {}\n", text_of(seat, "seat"), text_of(seat, "vote"),
             holder_text(seat["member"]));
  if (!seat["alternate"].is_null())
    fmt::print("{:<34} alternate {}\n", "", holder_text(seat["alternate"]));
}
void print_affiliation(const json& row) {
  fmt::print("{} and {} since {}\n", text_of(row, "organisation"), text_of(row, "affiliate"),
             text_of(row, "since"));
}
void print_meeting(const json& meeting) {
  fmt::print("meeting {:<4} {}  {}  {}\n", text_of(meeting, "meeting"), text_of(meeting, "begins"),
             meeting["closed_at"].is_null() ? "open" : "closed " + text_of(meeting, "closed_at"),
             text_of(meeting, "agenda"));
  for (const json& one : meeting["present"])
    fmt::print("  {:<24} person {} as {}\n", text_of(one, "seat"), text_of(one, "person"),
               text_of(one, "as"));
  for (const json& one : meeting["invited"])
    fmt::print("  invited                  {} of {}: {}\n", text_of(one, "name"),
               text_of(one, "organisation"), text_of(one, "reason"));
}
void print_resolution(const json& resolution) {
  fmt::print("resolution {:<4} {:<9} {} about {}\n  {}\n  {}\n", text_of(resolution, "resolution"),
             text_of(resolution, "outcome"), text_of(resolution, "kind"),
             text_of(resolution, "subject"), text_of(resolution, "text"),
             text_of(resolution, "tally"));
  for (const json& one : resolution["factors"])
    fmt::print("  factor {:<14} weight {:>3} score {:>2}  {}\n", text_of(one, "factor"),
               text_of(one, "weight"), text_of(one, "score"), text_of(one, "finding"));
  if (!resolution["score"].is_null())
    fmt::print("  weighted score {:.2f} of 10\n", resolution["score"].get<double>());
  for (const json& one : resolution["votes"])
    fmt::print("  {:<24} {:<9} {}\n", text_of(one, "seat"), text_of(one, "vote"),
               text_of(one, "reason"));
  for (const auto& [seat, why] : resolution["conflicts"].items())
    fmt::print("  {:<24} conflict  {}\n", seat, why.get<std::string>());
  if (resolution.value("reasons", "") != "")
    fmt::print("  reasons: {}\n", text_of(resolution, "reasons"));
  if (!resolution["rescinded_by"].is_null())
    fmt::print("  rescinded by decision {}\n", text_of(resolution, "rescinded_by"));
}
void print_document(const json& document) {
  fmt::print("{:<32} {:<11} due {:<21} {}{}{}\n", text_of(document, "document"),
             text_of(document, "standing"), text_of(document, "due"),
             document.value("overdue", false) ? "OVERDUE " : "",
             document.value("late", false) ? "met late " : "",
             document.value("review_overdue", false) ? "REVIEW OVERDUE" : "");
  for (const json& one : document["versions"])
    fmt::print("  version {:<3} {:<10} {:<11} from {}  {}\n", text_of(one, "version"),
               text_of(one, "label"), text_of(one, "state"), text_of(one, "effective_from"),
               one["decision"].is_null() ? "" : "decision " + text_of(one, "decision"));
}

constexpr ListVerb kLists[] = {
    {"seats", "/api/v1/pma/seats", "Who holds which seat, and alternates", "seats", print_seat,
     "wattseal pma seats --person 3"},
    {"affiliations", "/api/v1/pma/affiliations", "Which organisations are affiliates",
     "affiliations", print_affiliation, "wattseal pma affiliations --person 3 --json"},
    {"meetings", "/api/v1/pma/meetings", "Meetings, newest first, and who was present", "meetings",
     print_meeting, "wattseal pma meetings --person 3"},
    {"resolutions", "/api/v1/pma/resolutions", "Resolutions, newest first, with their votes",
     "resolutions", print_resolution, "wattseal pma resolutions --person 3 --json"},
    {"resolution", "/api/v1/pma/resolutions", "One resolution", "", print_resolution,
     "wattseal pma resolution 4 --person 3", true},
    {"documents", "/api/v1/pma/documents",
     "The SMKI Document Set: versions, approvals, deadlines, reviews", "documents", print_document,
     "wattseal pma documents --overdue"},
};

constexpr ActVerb kActs[] = {
    {"appoint", "appoint-pma-member", "Fill a seat; another person approves", "seat",
     "wattseal pma appoint networks --name 'Ned Hart' --organisation 'Dale Networks' --evidence "
     "'letter of 2 May' --screened-on 2026-04-01 --person 3"},
    {"alternate", "name-pma-alternate", "A member names an alternate; the office approves", "",
     "wattseal pma alternate --name 'Nils Orr' --organisation 'Glen Networks' --evidence 'letter' "
     "--screened-on 2026-04-01 --person 7"},
    {"leave", "end-pma-appointment", "A member or alternate leaves; the office approves",
     "seat,holder", "wattseal pma leave networks alternate --reason 'new employer' --person 7"},
    {"affiliate", "record-affiliation", "Two organisations are affiliates",
     "organisation,affiliate",
     "wattseal pma affiliate Alder 'Alder Holdings' --evidence 'company register' --person 3"},
    {"disaffiliate", "end-affiliation", "They are affiliates no longer", "organisation,affiliate",
     "wattseal pma disaffiliate Alder 'Alder Holdings' --evidence 'sale' --person 3"},
    {"call", "call-pma-meeting", "Call a meeting, in five days or at once where it says why", "at",
     "wattseal pma call 2026-06-08T10:00:00Z --agenda 'statements of practice' --person 3"},
    {"attend", "attend-pma-meeting", "Be present for one's seat", "meeting",
     "wattseal pma attend 1 --person 7"},
    {"invite", "invite-to-pma-meeting", "The chair invites somebody else", "meeting",
     "wattseal pma invite 1 --name 'Gwen Ash' --organisation Ofcom --reason 'spectrum' --person 5"},
    {"move", "move-resolution", "Move a resolution", "meeting,kind,subject",
     "wattseal pma move 1 approve-document document/device-cps/2 --text 'Version 1.1 is approved' "
     "--person 7"},
    {"conflict", "declare-conflict", "Declare a conflict of interest of one's seat", "resolution",
     "wattseal pma conflict 4 --reason 'my employer wrote it' --person 7"},
    {"vote", "cast-vote", "Vote for, against or abstain; the chair casts between equal votes",
     "resolution,vote", "wattseal pma vote 4 for --reason 'it meets the policy' --person 7"},
    {"result", "close-resolution", "The chair declares the result", "resolution",
     "wattseal pma result 4 --reasons 'the policy is met' --person 5"},
    {"withdraw", "withdraw-resolution", "Withdraw a resolution", "resolution",
     "wattseal pma withdraw 4 --reason 'to be written anew' --person 7"},
    {"close", "close-pma-meeting", "The chair closes the meeting", "meeting",
     "wattseal pma close 1 --person 5"},
    {"milestone", "set-milestone", "Set the day of a milestone; another person approves",
     "milestone,date",
     "wattseal pma milestone sit-start 2026-11-30 --evidence 'plan of 1 May' --person 3"},
    {"deadline", "set-document-deadline", "Set another day by which a document is due",
     "document,date",
     "wattseal pma deadline device-cps 2026-10-30 --decision 6 --evidence 'minutes' --person 3"},
};

}  // namespace

void add_pma(CLI::App& app, Context& context) {
  const SharedGovernance given = std::make_shared<GovernanceGiven>();
  CLI::App* const pma = app.add_subcommand(
      "pma", "The SMKI Policy Management Authority: seats, meetings, votes, the document set");
  pma->require_subcommand(1);
  add_governance_address(*pma, *given);
  add_list_verbs(*pma, context, given, kLists);
  add_act_verbs(*pma, context, given, kActs);
  pma->footer(examples({"wattseal pma seats --person 3", "wattseal pma documents --overdue",
                        "wattseal pma vote 4 for --person 7",
                        "wattseal pma resolution 4 --person 7 --json"}));
}

}  // namespace wattseal::apps
