// assurance schedule | assessments | assessment | plans, and the acts of assessors and assessed
#include <fmt/format.h>

#include "apps/commands/governance.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

void print_scheduled(const json& row) {
  fmt::print("{:<16} {} due {:<21} {}{}\n", text_of(row, "scope"), text_of(row, "party"),
             text_of(row, "due"), row.value("overdue", false) ? "OVERDUE " : "",
             row["last"].is_null()
                 ? "none yet"
                 : "assessment " + text_of(row, "last") + " " + text_of(row, "state"));
}
void print_assessment(const json& row) {
  fmt::print("assessment {:<4} {:<16} of {} by {}: {}, begins {}, due {}{}\n",
             text_of(row, "assessment"), text_of(row, "scope"), text_of(row, "party"),
             text_of(row, "provider"), text_of(row, "state"), text_of(row, "begins"),
             text_of(row, "due"),
             row.value("opinion", "") == "" ? "" : ", opinion " + text_of(row, "opinion"));
  for (const json& one : row["findings"])
    fmt::print("  finding {:<3} {:<11} {:<9} {} plan due {} remedy due {}{}\n    {}\n",
               text_of(one, "finding"), text_of(one, "class"), text_of(one, "state"),
               text_of(one, "requirement"), text_of(one, "plan_due"), text_of(one, "remedy_due"),
               one.value("overdue", false) ? " OVERDUE" : "", text_of(one, "statement"));
}
void print_plan(const json& row) {
  fmt::print("{:<11} decision {:<4} {}\n", text_of(row, "class"), text_of(row, "decision"),
             text_of(row, "plan"));
}

constexpr ListVerb kLists[] = {
    {"schedule", "/api/v1/assurance/schedule", "Which assessments are due", "schedule",
     print_scheduled, "wattseal assurance schedule --overdue --person 3"},
    {"assessments", "/api/v1/assurance/assessments", "Assessments and their findings",
     "assessments", print_assessment, "wattseal assurance assessments --person 3 --json"},
    {"assessment", "/api/v1/assurance/assessments", "One assessment", "", print_assessment,
     "wattseal assurance assessment 2 --person 3", true},
    {"plans", "/api/v1/assurance/plans", "Remedial plans that are published, anonymised", "plans",
     print_plan, "wattseal assurance plans"},
};

constexpr ActVerb kActs[] = {
    {"assessor", "appoint-assessor", "Appoint an assessor of an agreed provider", "",
     "wattseal assurance assessor --name 'Asa Lund' --organisation 'Linden Assurance' --evidence "
     "'contract' --screened-on 2026-04-01 --person 1"},
    {"plan", "plan-assessment", "Plan an assessment; another person approves", "scope,party",
     "wattseal assurance plan periodic EUI --provider 'Linden Assurance' --from 2026-06-01 "
     "--person 3"},
    {"begin", "begin-assessment", "An assessor begins", "assessment",
     "wattseal assurance begin 2 --person 9"},
    {"find", "record-finding", "An assessor records a finding", "assessment,class",
     "wattseal assurance find 2 minor --requirement 'CPS 5.4' --statement 'logs are kept 6 years' "
     "--person 9"},
    {"report", "report-assessment", "An assessor reports: compliant, qualified or not-compliant",
     "assessment,opinion",
     "wattseal assurance report 2 qualified --statement 'report of 3 July' --person 9"},
    {"remedy", "lodge-remedial-plan", "Who was assessed says how and by when", "assessment,finding",
     "wattseal assurance remedy 2 1 --text @plan.txt --complete-by 2026-08-01 --person 12"},
    {"complete", "complete-remedy", "Who was assessed says that it is remedied",
     "assessment,finding", "wattseal assurance complete 2 1 --evidence 'change 881' --person 12"},
    {"verify", "verify-remedy", "An assessor confirms the remedy", "assessment,finding",
     "wattseal assurance verify 2 1 --statement 'seen' --person 9"},
    {"close", "close-assessment", "An assessor closes the assessment", "assessment",
     "wattseal assurance close 2 --person 9"},
    {"publish", "publish-remedial-plan", "Publish an anonymised plan, as the PMA decided",
     "assessment,finding",
     "wattseal assurance publish 2 1 --decision 5 --text @anonymised.txt --person 3"},
};

}  // namespace

void add_assurance(CLI::App& app, Context& context) {
  const SharedGovernance given = std::make_shared<GovernanceGiven>();
  CLI::App* const assurance = app.add_subcommand(
      "assurance", "Assurance of the SMKI: assessments, findings, remedial plans");
  assurance->require_subcommand(1);
  add_governance_address(*assurance, *given);
  add_list_verbs(*assurance, context, given, kLists);
  add_act_verbs(*assurance, context, given, kActs);
  assurance->footer(
      examples({"wattseal assurance schedule --person 3",
                "wattseal assurance assessment 2 --person 3 --json", "wattseal assurance plans"}));
}

}  // namespace wattseal::apps
