// Independent assurance of the SMKI service and its subscribers: assessments by a provider that the
// SMKI PMA agreed and that is independent of the Parties, their findings with deadlines by class,
// the remedial plans of who was assessed, and their remedy, verified by the assessor. A plan
// becomes known to others only anonymised, and only where the PMA decided that the overall security
// of the SMKI arrangements needs it. Each step is an act (data/acts.tsv) and a fact. Sources:
// L2; 3.2, ¶43; spec/smki.md 7; M-04. Threads: any. Rules: assurance-*.
#pragma once
#include "smki/document_set.h"

namespace wattseal::smki {

struct AssessmentScopeRow {
  std::string_view id, meaning, of, before, months, report_days, source, in_force_from;
};
std::span<const AssessmentScopeRow> assessment_scopes();
struct FindingClassRow {
  std::string_view id, meaning, plan_days, remedy_days, source, in_force_from;
};
std::span<const FindingClassRow> finding_classes();

enum class AssessmentState { planned, begun, reported, closed };
std::string_view text(AssessmentState state);
struct Assessment {
  std::uint64_t id = 0;
  std::string scope, provider;
  Eui64 party;  // who is assessed
  UtcTime begins, due;
  AssessmentState state = AssessmentState::planned;
  std::optional<UtcTime> begun_at, reported_at, closed_at;
  std::string opinion, statement;  // of the report
};

enum class FindingState { open, planned, completed, verified };
std::string_view text(FindingState state);
struct Finding {
  std::uint64_t assessment = 0, id = 0;
  std::string grade;  // row of data/finding_classes.tsv
  std::string requirement, statement, plan, evidence, verification;
  FindingState state = FindingState::open;
  UtcTime found_at, plan_due, remedy_due;
  std::optional<UtcTime> complete_by;  // as planned
  std::string published;               // anonymised plan
  DecisionId decision = 0;             // by which it is published
  bool overdue(UtcTime now) const;     // its plan or its remedy
};

Result<Assessment> find_assessment(const storage::Reader& reader, std::uint64_t id);
std::vector<Assessment> assessments(const storage::Reader& reader);  // newest first
Result<Finding> find_finding(const storage::Reader& reader, std::uint64_t assessment,
                             std::uint64_t finding);
std::vector<Finding> findings_of(const storage::Reader& reader, std::uint64_t assessment);
// What is published of remedial plans; nothing of who was assessed.
std::vector<Finding> published_plans(const storage::Reader& reader);
// Organisations that the PMA agreed as providers, with its decision.
std::map<std::string, DecisionId> assurance_providers(const storage::Reader& reader);

// What is to be assessed of the DCC and of every Authorised Subscriber, and what came of it.
struct ScheduledAssessment {
  const AssessmentScopeRow* scope = nullptr;
  Eui64 party;  // who is to be assessed
  std::optional<Assessment> last;
  std::optional<UtcTime> due;  // of the next one's report, or of the one under way
  bool overdue = false;
};
std::vector<ScheduledAssessment> assurance_schedule(const storage::Reader& reader, UtcTime now);

// Words of a text that tell who a party is: its name, identities, devices in its ranges, names of
// its people. Empty: it is anonymous.
std::vector<std::string> naming_words(const storage::Reader& reader, const Party& party,
                                      std::string_view text);

}  // namespace wattseal::smki
