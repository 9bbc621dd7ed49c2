// Acts of assurance: assessments, findings, remedial plans, and what their facts do to the tables.
#include "base/fault.h"
#include "smki/governance.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr std::int64_t kDay = 86400;

std::string get(const json& payload, const char* field) { return particular(payload, field); }

UtcTime days_later(UtcTime from, std::string_view days) {
  return from.plus_seconds(kDay * static_cast<std::int64_t>(to_unsigned(days)));
}

template <typename Rows>
auto find_row(const Rows& rows, std::string_view id) {
  const auto found = std::ranges::find_if(rows, [&](const auto& row) { return row.id == id; });
  return found == rows.end() ? nullptr : &*found;
}

Result<Assessment> read_assessment(const ActScene& scene, const json& payload) {
  return find_assessment(scene.reader, number_of(get(payload, "assessment")).value_or(0));
}
Result<Finding> read_finding(const ActScene& scene, const json& payload) {
  TRY_ASSIGN(const Assessment assessment, read_assessment(scene, payload));
  return find_finding(scene.reader, assessment.id, number_of(get(payload, "finding")).value_or(0));
}
Refusal wrong_state(const std::string& what, std::string_view state) {
  return {"assurance-state"_rule, what + " is " + std::string(state), "assessment"};
}

FactWriter fact_of(const ActScene& scene, std::string_view event, const Act& act) {
  FactWriter fact(FactKind::assurance_recorded, scene.now, scene.trace);
  fact.text(FactField::event, event)
      .number(FactField::person, act.proposer)
      .number(FactField::act, act.id);
  return fact;
}
FactWriter fact_of(const ActScene& scene, std::string_view event, const json& payload,
                   const Act& act) {
  FactWriter fact = fact_of(scene, event, act);
  fact.number(FactField::assessment, number_of(get(payload, "assessment")).value());
  if (payload.contains("finding"))
    fact.number(FactField::finding, number_of(get(payload, "finding")).value());
  return fact;
}
void put(const ActScene& scene, storage::Batch& batch, const FactWriter& fact) {
  put_governance(scene, batch, fact.bytes());
}

Status check_agreed(const ActScene& scene, const std::string& provider, const char* field) {
  if (!scene.reader.get(tables::assurance, provider_key(provider)))
    return Refusal{"assurance-provider"_rule, provider + " was not agreed", field};
  return check_provider(scene.reader, provider);
}

// ---- who assesses what

Status check_assessor(const ActScene& scene, const json& payload, const Person&) {
  TRY(check_appointment(scene, payload, "assessor"));
  return check_agreed(scene, get(payload, "organisation"), "organisation");
}
void appoint_assessor(const ActScene& scene, storage::Batch& batch, const json& payload,
                      const Act& act) {
  const Person person = appoint_person(scene, batch, payload, "assessor");
  FactWriter fact(FactKind::assurance_recorded, scene.now, scene.trace);
  fact.text(FactField::event, "assessor")
      .number(FactField::person, person.id)
      .text(FactField::organisation, get(payload, "organisation"))
      .number(FactField::act, act.id);
  put(scene, batch, fact);
}

Result<UtcTime> read_begin(const ActScene& scene, const json& payload) {
  const std::optional<UtcTime> from = day_of(get(payload, "from"));
  if (from && *from >= scene.now.start_of_day()) return *from;
  return Refusal{
      "assurance-date"_rule,
      "'" + get(payload, "from") + "' is no day from " + scene.now.iso().substr(0, 10) + " on",
      "from"};
}
Status check_plan(const ActScene& scene, const json& payload, const Person&) {
  const AssessmentScopeRow* const scope = find_row(assessment_scopes(), get(payload, "scope"));
  const Result<Eui64> id = Eui64::parse(get(payload, "party"));
  const std::optional<Party> party = id.ok() ? find_party(scene.reader, *id) : std::nullopt;
  if (!scope || !party || (scope->of == "dcc") != (party->kind == "dcc"))
    return Refusal{"assurance-scope"_rule,
                   !scope   ? "'" + get(payload, "scope") + "' is no scope"
                   : !party ? get(payload, "party") + " is no registered party"
                            : party->name + " is a " + party->kind + ", the scope is of a " +
                                  std::string(scope->of),
                   scope ? "party" : "scope"};
  TRY(check_agreed(scene, get(payload, "provider"), "provider"));
  TRY(read_begin(scene, payload));
  return {};
}
void plan(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  const AssessmentScopeRow& scope = *find_row(assessment_scopes(), get(payload, "scope"));
  const UtcTime begins = read_begin(scene, payload).value();
  FactWriter fact = fact_of(scene, "planned", act);
  fact.number(FactField::assessment, next_number(scene.reader, tables::assurance, Bytes{'a'}))
      .text(FactField::roles, scope.id)
      .text(FactField::organisation, get(payload, "provider"))
      .eui(FactField::party, Eui64::parse(get(payload, "party")).value())
      .time(FactField::effective_from, begins)
      .time(FactField::due, days_later(begins, scope.report_days));
  put(scene, batch, fact);
}

// The assessment, if the person assesses for its provider and it stands at this step.
Result<Assessment> assessed_by(const ActScene& scene, const json& payload, const Person& person,
                               AssessmentState state) {
  TRY_ASSIGN(const Assessment assessment, read_assessment(scene, payload));
  const std::optional<Bytes> of = scene.reader.get(tables::assurance, assessor_key(person.id));
  if (!of || folded(to_dated(*of).name) != folded(assessment.provider))
    return Refusal{"assurance-assessor"_rule,
                   person.name + " does not assess for " + assessment.provider, "person"};
  if (assessment.state != state)
    return wrong_state("assessment " + std::to_string(assessment.id), text(assessment.state));
  return assessment;
}

Status check_begin(const ActScene& scene, const json& payload, const Person& person) {
  TRY_ASSIGN(const Assessment assessment,
             assessed_by(scene, payload, person, AssessmentState::planned));
  return check_agreed(scene, assessment.provider, "assessment");
}
void begin(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  put(scene, batch, fact_of(scene, "begun", payload, act));
}

Status check_found(const ActScene& scene, const json& payload, const Person& person) {
  TRY(assessed_by(scene, payload, person, AssessmentState::begun));
  if (find_row(finding_classes(), get(payload, "class"))) return {};
  return Refusal{"assurance-class"_rule, "'" + get(payload, "class") + "' is none", "class"};
}
void find(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  const FindingClassRow& row = *find_row(finding_classes(), get(payload, "class"));
  const std::uint64_t assessment = number_of(get(payload, "assessment")).value();
  const Bytes prefix = to_bytes(BytesView(finding_key(assessment, 0)).first(9));
  FactWriter fact = fact_of(scene, "found", payload, act);
  fact.number(FactField::finding, next_number(scene.reader, tables::assurance, prefix))
      .text(FactField::roles, row.id)
      .text(FactField::title, get(payload, "requirement"))
      .text(FactField::detail, get(payload, "statement"))
      .time(FactField::due, days_later(scene.now, row.plan_days))
      .time(FactField::effective_until, days_later(scene.now, row.remedy_days));
  put(scene, batch, fact);
}

Status check_report(const ActScene& scene, const json& payload, const Person& person) {
  TRY(assessed_by(scene, payload, person, AssessmentState::begun));
  const std::string opinion = get(payload, "opinion");
  if (opinion == "compliant" || opinion == "qualified" || opinion == "not-compliant") return {};
  return Refusal{"assurance-class"_rule, "'" + opinion + "' is no opinion", "opinion"};
}
void report(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  FactWriter fact = fact_of(scene, "reported", payload, act);
  fact.text(FactField::decision, get(payload, "opinion"))
      .text(FactField::detail, get(payload, "statement"));
  put(scene, batch, fact);
}

Status check_close(const ActScene& scene, const json& payload, const Person& person) {
  TRY_ASSIGN(const Assessment assessment,
             assessed_by(scene, payload, person, AssessmentState::reported));
  for (const Finding& one : findings_of(scene.reader, assessment.id)) {
    if (one.state != FindingState::verified)
      return wrong_state("finding " + std::to_string(one.id), text(one.state));
  }
  return {};
}
void close(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  put(scene, batch, fact_of(scene, "closed", payload, act));
}

// ---- remedies

// The finding, if the person speaks for who was assessed.
Result<Finding> remedied_by(const ActScene& scene, const json& payload, const Person& person) {
  TRY_ASSIGN(const Finding finding, read_finding(scene, payload));
  const Assessment assessment = read_assessment(scene, payload).value();
  const std::optional<Party> party = find_party(scene.reader, assessment.party);
  const bool own = party && (person.party ? *person.party == party->id : party->kind == "dcc");
  if (!own)
    return Refusal{"assurance-party"_rule,
                   person.name + " does not speak for " + assessment.party.text(), "person"};
  return finding;
}

Status check_remedial_plan(const ActScene& scene, const json& payload, const Person& person) {
  TRY_ASSIGN(const Finding finding, remedied_by(scene, payload, person));
  if (finding.state != FindingState::open && finding.state != FindingState::planned)
    return wrong_state("the finding", text(finding.state));
  const std::optional<UtcTime> day = day_of(get(payload, "complete_by"));
  if (day && *day >= scene.now.start_of_day() && *day <= finding.remedy_due) return {};
  return Refusal{"assurance-date"_rule,
                 "'" + get(payload, "complete_by") + "' is no day from " +
                     scene.now.iso().substr(0, 10) + " to " +
                     finding.remedy_due.iso().substr(0, 10),
                 "complete_by"};
}
void lodge_plan(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  FactWriter fact = fact_of(scene, "remedial-plan", payload, act);
  fact.text(FactField::detail, get(payload, "text"))
      .time(FactField::due, day_of(get(payload, "complete_by"))->plus_seconds(kDay));
  put(scene, batch, fact);
}

Status check_complete(const ActScene& scene, const json& payload, const Person& person) {
  TRY_ASSIGN(const Finding finding, remedied_by(scene, payload, person));
  if (finding.state == FindingState::planned) return {};
  return wrong_state("the finding", text(finding.state));
}
void complete(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  FactWriter fact = fact_of(scene, "completed", payload, act);
  fact.text(FactField::detail, get(payload, "evidence"));
  put(scene, batch, fact);
}

Status check_verify(const ActScene& scene, const json& payload, const Person& person) {
  TRY_ASSIGN(const Finding finding, read_finding(scene, payload));
  const Assessment assessment = read_assessment(scene, payload).value();
  TRY(assessed_by(scene, payload, person, assessment.state));
  if (finding.state == FindingState::completed) return {};
  return wrong_state("the finding", text(finding.state));
}
void verify(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  FactWriter fact = fact_of(scene, "verified", payload, act);
  fact.text(FactField::detail, get(payload, "statement"));
  put(scene, batch, fact);
}

// Others learn of a plan only where the PMA decided that security needs it, and never whose it is.
Status check_publish(const ActScene& scene, const json& payload, const Person&) {
  TRY_ASSIGN(const Finding finding, read_finding(scene, payload));
  TRY(approved_decision(
      scene.reader, number_of(get(payload, "decision")).value_or(0), "publish-remedial-plan",
      "finding/" + std::to_string(finding.assessment) + "/" + std::to_string(finding.id)));
  const Eui64 party = read_assessment(scene, payload)->party;
  const std::vector<std::string> words =
      naming_words(scene.reader, find_party(scene.reader, party).value(), get(payload, "text"));
  if (words.empty()) return {};
  return Refusal{"assurance-not-anonymous"_rule,
                 std::to_string(words.size()) + " words of it tell, the first is " +
                     std::to_string(words.front().size()) + " octets long",
                 "text"};
}
void publish(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  FactWriter fact = fact_of(scene, "published", payload, act);
  fact.text(FactField::detail, get(payload, "text"))
      .number(FactField::resolution, number_of(get(payload, "decision")).value());
  put(scene, batch, fact);
}

constexpr ActHandler kHandlers[] = {
    {"appoint-assessor", "name,organisation,evidence,screened_on", check_assessor,
     appoint_assessor},
    {"plan-assessment", "scope,party,provider,from", check_plan, plan},
    {"begin-assessment", "assessment", check_begin, begin},
    {"record-finding", "assessment,class,requirement,statement", check_found, find},
    {"report-assessment", "assessment,opinion,statement", check_report, report},
    {"close-assessment", "assessment", check_close, close},
    {"lodge-remedial-plan", "assessment,finding,text,complete_by", check_remedial_plan, lodge_plan},
    {"complete-remedy", "assessment,finding,evidence", check_complete, complete},
    {"verify-remedy", "assessment,finding,statement", check_verify, verify},
    {"publish-remedial-plan", "assessment,finding,decision,text", check_publish, publish},
};

// ---- what facts do

UtcTime time_of(const FactView& fact, FactField field) {
  return UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(field)));
}

void replay_planned(storage::Changes& rows, const FactView& fact) {
  Assessment assessment;
  assessment.scope = std::string(fact.text(FactField::roles));
  assessment.provider = std::string(fact.text(FactField::organisation));
  assessment.party = fact.eui(FactField::party).value_or(Eui64());
  assessment.begins = time_of(fact, FactField::effective_from);
  assessment.due = time_of(fact, FactField::due);
  rows.put(tables::assurance, assessment_key(fact.number(FactField::assessment)),
           to_record(assessment));
}

void replay_step(Assessment& assessment, const FactView& fact) {
  const std::string_view event = fact.text(FactField::event);
  if (event == "begun") {
    assessment.state = AssessmentState::begun;
    assessment.begun_at = fact.at();
  } else if (event == "reported") {
    assessment.state = AssessmentState::reported;
    assessment.reported_at = fact.at();
    assessment.opinion = std::string(fact.text(FactField::decision));
    assessment.statement = std::string(fact.text(FactField::detail));
  } else {
    assessment.state = AssessmentState::closed;
    assessment.closed_at = fact.at();
  }
}

void replay_step(Finding& finding, const FactView& fact) {
  const std::string_view event = fact.text(FactField::event);
  const std::string detail(fact.text(FactField::detail));
  if (event == "found") {
    finding.grade = std::string(fact.text(FactField::roles));
    finding.requirement = std::string(fact.text(FactField::title));
    finding.statement = detail;
    finding.found_at = fact.at();
    finding.plan_due = time_of(fact, FactField::due);
    finding.remedy_due = time_of(fact, FactField::effective_until);
  } else if (event == "remedial-plan") {
    finding.state = FindingState::planned;
    finding.plan = detail;
    finding.complete_by = time_of(fact, FactField::due);
  } else if (event == "completed") {
    finding.state = FindingState::completed;
    finding.evidence = detail;
  } else if (event == "verified") {
    finding.state = FindingState::verified;
    finding.verification = detail;
  } else {
    finding.published = detail;
    finding.decision = fact.number(FactField::resolution);
  }
}

}  // namespace

std::span<const ActHandler> assurance_acts() { return kHandlers; }

void replay_assurance(storage::Changes& rows, const FactView& fact) {
  const std::string_view event = fact.text(FactField::event);
  const std::uint64_t id = fact.number(FactField::assessment);
  if (event == "assessor")
    return rows.put(
        tables::assurance, assessor_key(fact.number(FactField::person)),
        to_record(Dated{fact.at(), 0, std::string(fact.text(FactField::organisation))}));
  if (event == "planned") return replay_planned(rows, fact);
  const bool of_finding = fact.find(FactField::finding).has_value();
  const Bytes key =
      of_finding ? finding_key(id, fact.number(FactField::finding)) : assessment_key(id);
  const std::optional<Bytes> before = rows.get(tables::assurance, key);
  if (before.has_value() == (event == "found"))
    throw Fault("an assurance_recorded fact lacks what it changes");
  if (of_finding) {
    Finding finding = before ? to_finding(key, *before) : Finding();
    replay_step(finding, fact);
    return rows.put(tables::assurance, key, to_record(finding));
  }
  Assessment assessment = to_assessment(id, *before);
  replay_step(assessment, fact);
  rows.put(tables::assurance, key, to_record(assessment));
}

}  // namespace wattseal::smki
