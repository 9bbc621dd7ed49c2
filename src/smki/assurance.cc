#include "smki/assurance.h"

#include "smki/governance.h"

namespace wattseal::smki {
namespace {

constexpr AssessmentScopeRow kScopes[] = {
#include "tables/assessment_scopes.inc"
};
constexpr FindingClassRow kClasses[] = {
#include "tables/finding_classes.inc"
};
static_assert(std::ranges::all_of(kScopes, [](const AssessmentScopeRow& row) {
  return row.of == "dcc" || row.of == "subscriber";
}));
constexpr std::int64_t kDay = 86400;

std::vector<Finding> findings_under(const storage::Reader& reader, const Bytes& prefix) {
  std::vector<Finding> all;
  reader.scan(tables::assurance, prefix, storage::prefix_end(prefix),
              [&](BytesView key, BytesView record) {
                all.push_back(to_finding(key, record));
                return true;
              });
  return all;
}

bool under_way(const Assessment& assessment) {
  return assessment.state == AssessmentState::planned || assessment.state == AssessmentState::begun;
}

// When the next report of this scope is due.
std::optional<UtcTime> next_due(const storage::Reader& reader, const AssessmentScopeRow& scope,
                                const std::optional<Assessment>& last) {
  if (last && under_way(*last)) return last->due;
  if (scope.before != "-") return last ? std::nullopt : milestone(reader, scope.before);
  if (scope.months == "-") return {};
  const std::optional<UtcTime> since = last ? last->begun_at : milestone(reader, "live-issue");
  if (!since) return {};
  return months_later(*since, static_cast<int>(to_unsigned(scope.months)))
      .plus_seconds(kDay * static_cast<std::int64_t>(to_unsigned(scope.report_days)));
}

// Identities that stand in a text, with or without separators.
std::vector<std::pair<std::string, Eui64>> identities_in(std::string_view text) {
  std::vector<std::pair<std::string, Eui64>> found;
  const auto of_identity = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '-' ||
           c == ':';
  };
  for (std::size_t at = 0; at < text.size();) {
    if (!of_identity(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    std::string digits;
    for (; end < text.size() && of_identity(text[end]); ++end) {
      if (text[end] != '-' && text[end] != ':') digits.push_back(text[end]);
    }
    const std::optional<Bytes> octets = digits.size() == 16 ? from_hex(digits) : std::nullopt;
    if (octets) found.emplace_back(text.substr(at, end - at), Eui64::from_number(get_be(*octets)));
    at = end;
  }
  return found;
}

}  // namespace

std::span<const AssessmentScopeRow> assessment_scopes() { return kScopes; }
std::span<const FindingClassRow> finding_classes() { return kClasses; }

std::string_view text(AssessmentState state) {
  constexpr std::string_view kTexts[] = {"planned", "begun", "reported", "closed"};
  return kTexts[static_cast<std::size_t>(state)];
}
std::string_view text(FindingState state) {
  constexpr std::string_view kTexts[] = {"open", "planned", "completed", "verified"};
  return kTexts[static_cast<std::size_t>(state)];
}

bool Finding::overdue(UtcTime now) const {
  if (state == FindingState::open) return now >= plan_due;
  if (state == FindingState::planned) return now >= complete_by.value_or(remedy_due);
  return state == FindingState::completed && now >= remedy_due;
}

Result<Assessment> find_assessment(const storage::Reader& reader, std::uint64_t id) {
  const std::optional<Bytes> record = reader.get(tables::assurance, assessment_key(id));
  if (!record)
    return Refusal{"assurance-unknown"_rule, "assessment " + std::to_string(id), "assessment"};
  return to_assessment(id, *record);
}
std::vector<Assessment> assessments(const storage::Reader& reader) {
  std::vector<Assessment> all;
  const Bytes prefix{'a'};
  reader.scan_backwards(tables::assurance, prefix, storage::prefix_end(prefix),
                        [&](BytesView key, BytesView record) {
                          all.push_back(to_assessment(get_be(key.last(8)), record));
                          return true;
                        });
  return all;
}

Result<Finding> find_finding(const storage::Reader& reader, std::uint64_t assessment,
                             std::uint64_t finding) {
  const Bytes key = finding_key(assessment, finding);
  const std::optional<Bytes> record = reader.get(tables::assurance, key);
  if (!record)
    return Refusal{
        "assurance-unknown"_rule,
        "finding " + std::to_string(finding) + " of assessment " + std::to_string(assessment),
        "finding"};
  return to_finding(key, *record);
}
std::vector<Finding> findings_of(const storage::Reader& reader, std::uint64_t assessment) {
  return findings_under(reader, to_bytes(BytesView(finding_key(assessment, 0)).first(9)));
}

std::vector<Finding> published_plans(const storage::Reader& reader) {
  std::vector<Finding> plans;
  for (const Finding& one : findings_under(reader, Bytes{'f'})) {
    const std::string subject =
        "finding/" + std::to_string(one.assessment) + "/" + std::to_string(one.id);
    if (!one.published.empty() &&
        approved_decision(reader, one.decision, "publish-remedial-plan", subject).ok())
      plans.push_back(one);
  }
  return plans;
}

std::map<std::string, DecisionId> assurance_providers(const storage::Reader& reader) {
  std::map<std::string, DecisionId> providers;
  const Bytes prefix{'p'};
  reader.scan(tables::assurance, prefix, storage::prefix_end(prefix),
              [&](BytesView, BytesView record) {
                const Dated dated = to_dated(record);
                providers[dated.name] = dated.decision;
                return true;
              });
  return providers;
}

std::vector<ScheduledAssessment> assurance_schedule(const storage::Reader& reader, UtcTime now) {
  std::vector<Party> parties;
  reader.scan(tables::parties, {}, {}, [&](BytesView key, BytesView record) {
    parties.push_back(to_party(Eui64::from_number(get_be(key)), record));
    return true;
  });
  const std::vector<Assessment> newest_first = assessments(reader);
  std::vector<ScheduledAssessment> schedule;
  for (const AssessmentScopeRow& scope : kScopes) {
    if (scope.before == "-" && scope.months == "-") continue;  // for a cause only
    for (const Party& party : parties) {
      const bool subscribes = party.device_subscriber || party.organisation_subscriber;
      if (scope.of == "dcc" ? party.kind != "dcc" : party.kind == "dcc" || !subscribes) continue;
      ScheduledAssessment one{&scope, party.id, {}, {}, false};
      for (const Assessment& last : newest_first) {
        if (!one.last && last.scope == scope.id && last.party == party.id) one.last = last;
      }
      one.due = next_due(reader, scope, one.last);
      one.overdue = one.due && now >= *one.due;
      schedule.push_back(std::move(one));
    }
  }
  return schedule;
}

std::vector<std::string> naming_words(const storage::Reader& reader, const Party& party,
                                      std::string_view text) {
  std::vector<std::string> found;
  const std::string plain = folded(text);
  std::vector<std::string> names{party.name};
  for (const Person& person : all_people(reader)) {
    if (person.party == party.id) names.push_back(person.name);
  }
  for (const Affiliation& one : affiliations(reader)) {
    for (const auto& [own, other] :
         {std::pair(one.one, one.other), std::pair(one.other, one.one)}) {
      if (folded(own) == folded(party.name) || folded(own) == folded(party.id.text()))
        names.push_back(other);
    }
  }
  for (const std::string& name : names) {
    if (!name.empty() && plain.find(folded(name)) != std::string::npos) found.push_back(name);
  }
  for (const auto& [word, id] : identities_in(text)) {
    const Eui64 identity = id;
    if (identity == party.id || std::ranges::any_of(party.allotted, [&](const EuiRange& range) {
          return range.contains(identity);
        }))
      found.push_back(word);
  }
  return found;
}

}  // namespace wattseal::smki
