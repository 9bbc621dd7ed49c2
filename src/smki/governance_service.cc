#include "smki/governance_service.h"

#include "smki/governance.h"
#include "smki/service_json.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

json time_json(const std::optional<UtcTime>& time) { return time ? json(time->iso()) : json(); }

// Whose assessments the caller may read: of all without a party.
struct Audience {
  std::optional<Eui64> party;
};
Result<Audience> identify(const GovernanceService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_caller(service.office, request));
  if (caller.person == 0)
    return Refusal{"ra-person-missing"_rule, "nobody says who is asking", "X-Person"};
  TRY_ASSIGN(const Person person, service.office.person(caller.person));
  if (!person.may_act(service.world.now()))
    return Refusal{"office-person"_rule,
                   "person " + std::to_string(person.id) + " is " +
                       std::string(text(person.state)) + ", appointed until " +
                       person.appointed_until.iso(),
                   "person"};
  return Audience{belongs_to(person) == "party" ? person.party : std::nullopt};
}
Status identify_governor(const GovernanceService& service, const http::Request& request) {
  TRY_ASSIGN(const Audience audience, identify(service, request));
  if (!audience.party) return {};
  return Refusal{"governance-reader"_rule, "the person is of " + audience.party->text(), "person"};
}

// ---- the PMA

json to_json(const std::optional<SeatHolder>& holder, const Office& office, UtcTime now) {
  if (!holder) return json();
  const Result<Person> person = office.person(holder->person);
  return {{"person", holder->person},
          {"name", holder->name},
          {"organisation", holder->organisation},
          {"since", holder->since.iso()},
          {"until", person.ok() ? json(person->appointed_until.iso()) : json()},
          {"may_act", person.ok() && person->may_act(now)}};
}

json seats_json(const GovernanceService& service) {
  const UtcTime now = service.world.now();
  json list = json::array();
  for (const PmaSeat& seat : pma_seats(service.store))
    list.push_back({{"seat", seat.row->id},
                    {"title", seat.row->title},
                    {"vote", seat.row->vote},
                    {"appointed_by", seat.row->appointed_by},
                    {"member", to_json(seat.member, service.office, now)},
                    {"alternate", to_json(seat.alternate, service.office, now)}});
  return {{"seats", std::move(list)}};
}

json affiliations_json(const GovernanceService& service) {
  json list = json::array();
  for (const Affiliation& one : affiliations(service.store))
    list.push_back(
        {{"organisation", one.one}, {"affiliate", one.other}, {"since", one.since.iso()}});
  return {{"affiliations", std::move(list)}};
}

json to_json(const Meeting& meeting) {
  json present = json::array(), invited = json::array();
  for (const Attendance& one : meeting.present)
    present.push_back({{"seat", one.seat},
                       {"person", one.person},
                       {"as", one.alternate ? "alternate" : "member"},
                       {"at", one.at.iso()}});
  for (const Invitation& one : meeting.invited)
    invited.push_back(
        {{"name", one.name}, {"organisation", one.organisation}, {"reason", one.reason}});
  return {{"meeting", meeting.id},          {"called_at", meeting.called_at.iso()},
          {"begins", meeting.begins.iso()}, {"closed_at", time_json(meeting.closed_at)},
          {"caller", meeting.caller},       {"agenda", meeting.agenda},
          {"present", std::move(present)},  {"invited", std::move(invited)}};
}
json meetings_json(const GovernanceService& service) {
  json list = json::array();
  for (const Meeting& one : meetings(service.store)) list.push_back(to_json(one));
  return {{"meetings", std::move(list)}};
}

json votes_json(const Resolution& resolution) {
  json votes = json::array();
  for (const SeatVote& one : resolution.votes)
    votes.push_back({{"seat", one.seat},
                     {"person", one.person},
                     {"vote", text(one.choice)},
                     {"reason", one.reason},
                     {"at", one.at.iso()}});
  return votes;
}
json to_json(const GovernanceService& service, const Resolution& resolution) {
  json factors = json::array(), conflicts = json::object();
  for (const Factor& one : resolution.factors)
    factors.push_back({{"factor", one.name},
                       {"weight", one.weight},
                       {"score", one.score},
                       {"finding", one.finding}});
  for (const PmaSeatRow& row : pma_seat_rows()) {
    const std::string why = conflict_of(service.store, resolution, row.id);
    if (row.votes() && !why.empty()) conflicts[std::string(row.id)] = why;
  }
  const std::optional<unsigned> score = weighted_score(resolution.factors);
  const Result<Meeting> meeting = find_meeting(service.store, resolution.meeting);
  const bool open = resolution.outcome == Outcome::open && meeting.ok();
  return {{"resolution", resolution.id},
          {"meeting", resolution.meeting},
          {"kind", resolution.kind},
          {"subject", resolution.subject},
          {"text", resolution.wording},
          {"concerns", resolution.concerns},
          {"factors", std::move(factors)},
          {"score", score ? json(*score / 100.0) : json()},
          {"seat", resolution.seat},
          {"mover", resolution.mover},
          {"moved_at", resolution.moved_at.iso()},
          {"votes", votes_json(resolution)},
          {"conflicts", std::move(conflicts)},
          {"outcome", text(resolution.outcome)},
          {"decided_at", time_json(resolution.decided_at)},
          {"reasons", resolution.reasons},
          {"tally", open ? tally_of(service.store, *meeting, resolution, service.world.now()).text()
                         : resolution.tally},
          {"rescinded_by", resolution.rescinded_by == 0 ? json() : json(resolution.rescinded_by)}};
}
json resolutions_json(const GovernanceService& service) {
  json list = json::array();
  for (const Resolution& one : resolutions(service.store)) list.push_back(to_json(service, one));
  return {{"resolutions", std::move(list)}};
}

json documents_json(const GovernanceService& service) {
  json list = json::array();
  for (const DocumentReport& one : report_document_set(service.store, service.world.now())) {
    json versions = json::array();
    for (const DocumentVersion& version : one.versions) {
      const auto approval = one.approvals.find(version.version);
      versions.push_back(
          {{"version", version.version},
           {"label", version.label},
           {"state", text(version.state)},
           {"effective_from", version.effective_from.iso()},
           {"decision", approval == one.approvals.end() ? json() : json(approval->second)}});
    }
    list.push_back({{"document", one.row->document},
                    {"title", one.title},
                    {"approver", one.row->approver},
                    {"standing", text(one.standing)},
                    {"due", time_json(one.due)},
                    {"met", time_json(one.met)},
                    {"overdue", one.overdue},
                    {"late", one.late},
                    {"review_due", time_json(one.review_due)},
                    {"review_overdue", one.review_overdue},
                    {"versions", std::move(versions)}});
  }
  json dates = json::object();
  for (const MilestoneRow& row : milestone_rows())
    dates[std::string(row.id)] = time_json(milestone(service.store, row.id));
  return {{"documents", std::move(list)}, {"milestones", std::move(dates)}};
}

// ---- assurance

json to_json(const Finding& finding, UtcTime now) {
  return {{"finding", finding.id},
          {"class", finding.grade},
          {"requirement", finding.requirement},
          {"statement", finding.statement},
          {"state", text(finding.state)},
          {"found_at", finding.found_at.iso()},
          {"plan_due", finding.plan_due.iso()},
          {"remedy_due", finding.remedy_due.iso()},
          {"complete_by", time_json(finding.complete_by)},
          {"plan", finding.plan},
          {"evidence", finding.evidence},
          {"verification", finding.verification},
          {"overdue", finding.overdue(now)},
          {"decision", finding.decision == 0 ? json() : json(finding.decision)}};
}
json to_json(const GovernanceService& service, const Assessment& assessment) {
  json findings = json::array();
  for (const Finding& one : findings_of(service.store, assessment.id))
    findings.push_back(to_json(one, service.world.now()));
  return {{"assessment", assessment.id},
          {"scope", assessment.scope},
          {"party", assessment.party.text()},
          {"provider", assessment.provider},
          {"state", text(assessment.state)},
          {"begins", assessment.begins.iso()},
          {"due", assessment.due.iso()},
          {"begun_at", time_json(assessment.begun_at)},
          {"reported_at", time_json(assessment.reported_at)},
          {"closed_at", time_json(assessment.closed_at)},
          {"opinion", assessment.opinion},
          {"statement", assessment.statement},
          {"findings", std::move(findings)}};
}
json assessments_json(const GovernanceService& service, const Audience& audience) {
  json list = json::array(), providers = json::array();
  for (const Assessment& one : assessments(service.store)) {
    if (!audience.party || *audience.party == one.party) list.push_back(to_json(service, one));
  }
  for (const auto& [name, decision] : assurance_providers(service.store))
    providers.push_back({{"provider", name}, {"decision", decision}});
  return {{"assessments", std::move(list)}, {"providers", std::move(providers)}};
}
json schedule_json(const GovernanceService& service, const Audience& audience) {
  json list = json::array();
  for (const ScheduledAssessment& one : assurance_schedule(service.store, service.world.now())) {
    if (audience.party && *audience.party != one.party) continue;
    list.push_back({{"scope", one.scope->id},
                    {"meaning", one.scope->meaning},
                    {"party", one.party.text()},
                    {"last", one.last ? json(one.last->id) : json()},
                    {"state", one.last ? json(text(one.last->state)) : json()},
                    {"due", time_json(one.due)},
                    {"overdue", one.overdue}});
  }
  return {{"schedule", std::move(list)}};
}
// Nothing that leads to the assessment: not even its number.
json plans_json(const GovernanceService& service) {
  json list = json::array();
  for (const Finding& one : published_plans(service.store))
    list.push_back({{"class", one.grade}, {"plan", one.published}, {"decision", one.decision}});
  return {{"plans", std::move(list)}};
}

// The number at the end of a path.
std::uint64_t last_number(const http::Request& request) {
  return number_of(std::string_view(request.path).substr(request.path.rfind('/') + 1)).value_or(0);
}
Result<json> one_resolution(const GovernanceService& service, const http::Request& request) {
  TRY(identify_governor(service, request));
  TRY_ASSIGN(const Resolution found, find_resolution(service.store, last_number(request)));
  return to_json(service, found);
}
// Another party's assessment is as if there were none.
Result<json> one_assessment(const GovernanceService& service, const http::Request& request) {
  TRY_ASSIGN(const Audience audience, identify(service, request));
  const std::uint64_t id = last_number(request);
  TRY_ASSIGN(const Assessment found, find_assessment(service.store, id));
  if (audience.party && *audience.party != found.party)
    return Refusal{"assurance-unknown"_rule, "assessment " + std::to_string(id), "assessment"};
  return to_json(service, found);
}

template <json (*Make)(const GovernanceService&)>
Result<json> for_governors(const GovernanceService& service, const http::Request& request) {
  TRY(identify_governor(service, request));
  return Make(service);
}
template <json (*Make)(const GovernanceService&)>
Result<json> for_everyone(const GovernanceService& service, const http::Request&) {
  return Make(service);
}
template <json (*Make)(const GovernanceService&, const Audience&)>
Result<json> for_audience(const GovernanceService& service, const http::Request& request) {
  TRY_ASSIGN(const Audience audience, identify(service, request));
  return Make(service, audience);
}

}  // namespace

void add_governance_routes(http::Router& router, const GovernanceService& service) {
  using Handler = Result<json> (*)(const GovernanceService&, const http::Request&);
  const auto on = [&](const char* path, Handler handler) {
    router.on("GET", path, [&service, handler](const http::Request& request) {
      const Result<json> made = handler(service, request);
      return made.ok() ? json_answer(200, *made) : refuse(made.refusal(), request.trace);
    });
  };
  on("/api/v1/pma/seats", for_governors<seats_json>);
  on("/api/v1/pma/affiliations", for_governors<affiliations_json>);
  on("/api/v1/pma/meetings", for_governors<meetings_json>);
  on("/api/v1/pma/resolutions", for_governors<resolutions_json>);
  on("/api/v1/pma/resolutions/*", one_resolution);
  on("/api/v1/pma/documents", for_everyone<documents_json>);
  on("/api/v1/assurance/schedule", for_audience<schedule_json>);
  on("/api/v1/assurance/assessments", for_audience<assessments_json>);
  on("/api/v1/assurance/assessments/*", one_assessment);
  on("/api/v1/assurance/plans", for_everyone<plans_json>);
}

}  // namespace wattseal::smki
