#include "smki/governance.h"

#include "base/fault.h"

namespace wattseal::smki {
namespace {

std::uint64_t stored(UtcTime time) { return static_cast<std::uint64_t>(time.unix_seconds()); }
UtcTime time_of(RecordReader& record) {
  return UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
}
// 0: nothing; else one more than the seconds.
std::uint64_t stored(const std::optional<UtcTime>& time) { return time ? stored(*time) + 1 : 0; }
std::optional<UtcTime> optional_time(RecordReader& record) {
  const std::uint64_t seconds = record.number();
  if (seconds == 0) return {};
  return UtcTime::from_unix_seconds(static_cast<std::int64_t>(seconds) - 1);
}

Bytes key_of(char part, std::string_view name) {
  Bytes key{static_cast<std::uint8_t>(part)};
  append(key, as_bytes(name));
  return key;
}

}  // namespace

std::string folded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out.push_back(blank ? ' ' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// ---- keys

Bytes number_key(std::uint64_t number) {
  Bytes key;
  put_be(key, number);
  return key;
}
Bytes seat_key(std::string_view seat, bool alternate) {
  Bytes key = to_bytes(as_bytes(seat));
  key.push_back(0);
  key.push_back(alternate ? 'a' : 'm');
  return key;
}
Bytes affiliation_key(std::string_view one, std::string_view other) {
  std::string first = folded(one), second = folded(other);
  if (second < first) std::swap(first, second);
  Bytes key = to_bytes(as_bytes(first));
  key.push_back(0);
  append(key, as_bytes(second));
  return key;
}
Bytes milestone_key(std::string_view milestone) { return key_of('m', milestone); }
Bytes deadline_key(std::string_view document) { return key_of('d', document); }
Bytes review_key(std::string_view document) { return key_of('r', document); }
Bytes approval_key(std::string_view document, std::uint64_t version) {
  Bytes key = key_of('v', document);
  key.push_back(0);
  put_be(key, version);
  return key;
}
Bytes provider_key(std::string_view provider) { return key_of('p', folded(provider)); }
Bytes assessor_key(PersonId assessor) {
  Bytes key{'s'};
  put_be(key, assessor);
  return key;
}
Bytes assessment_key(std::uint64_t assessment) {
  Bytes key{'a'};
  put_be(key, assessment);
  return key;
}
Bytes finding_key(std::uint64_t assessment, std::uint64_t finding) {
  Bytes key{'f'};
  put_be(key, assessment);
  put_be(key, finding);
  return key;
}

// ---- records

Bytes to_record(const SeatHolder& holder) {
  return RecordWriter()
      .number(holder.person)
      .text(holder.name)
      .text(holder.organisation)
      .number(stored(holder.since))
      .bytes();
}
SeatHolder to_seat_holder(BytesView key, BytesView record) {
  RecordReader fields(record);
  SeatHolder holder;
  holder.seat = std::string(as_text(key.first(key.size() - 2)));
  holder.alternate = key.back() == 'a';
  holder.person = fields.number();
  holder.name = fields.text();
  holder.organisation = fields.text();
  holder.since = time_of(fields);
  return holder;
}

Bytes to_record(const Meeting& meeting) {
  RecordWriter record;
  record.number(stored(meeting.called_at))
      .number(stored(meeting.begins))
      .number(stored(meeting.closed_at))
      .number(meeting.caller)
      .text(meeting.agenda)
      .number(meeting.present.size());
  for (const Attendance& one : meeting.present)
    record.text(one.seat).number(one.person).number(one.alternate).number(stored(one.at));
  for (const Invitation& one : meeting.invited)
    record.text(one.name).text(one.organisation).text(one.reason);
  return record.bytes();
}
Meeting to_meeting(std::uint64_t id, BytesView record) {
  RecordReader fields(record);
  Meeting meeting;
  meeting.id = id;
  meeting.called_at = time_of(fields);
  meeting.begins = time_of(fields);
  meeting.closed_at = optional_time(fields);
  meeting.caller = fields.number();
  meeting.agenda = fields.text();
  for (std::uint64_t left = fields.number(); left > 0; --left) {
    Attendance one;
    one.seat = fields.text();
    one.person = fields.number();
    one.alternate = fields.number() != 0;
    one.at = time_of(fields);
    meeting.present.push_back(std::move(one));
  }
  while (!fields.empty()) {
    Invitation one;
    one.name = fields.text();
    one.organisation = fields.text();
    one.reason = fields.text();
    meeting.invited.push_back(std::move(one));
  }
  return meeting;
}

Bytes to_record(const Resolution& resolution) {
  RecordWriter record;
  record.number(resolution.meeting)
      .text(resolution.kind)
      .text(resolution.subject)
      .text(resolution.wording)
      .text(resolution.concerns)
      .text(resolution.seat)
      .number(resolution.mover)
      .number(stored(resolution.moved_at))
      .number(static_cast<std::uint64_t>(resolution.outcome))
      .number(stored(resolution.decided_at))
      .text(resolution.reasons)
      .text(resolution.tally)
      .number(resolution.rescinded_by)
      .number(resolution.factors.size());
  for (const Factor& one : resolution.factors)
    record.text(one.name).number(one.weight).number(one.score).text(one.finding);
  for (const SeatVote& one : resolution.votes)
    record.text(one.seat)
        .number(one.person)
        .number(static_cast<std::uint64_t>(one.choice))
        .text(one.reason)
        .number(stored(one.at));
  return record.bytes();
}
Resolution to_resolution(DecisionId id, BytesView record) {
  RecordReader fields(record);
  Resolution resolution;
  resolution.id = id;
  resolution.meeting = fields.number();
  resolution.kind = fields.text();
  resolution.subject = fields.text();
  resolution.wording = fields.text();
  resolution.concerns = fields.text();
  resolution.seat = fields.text();
  resolution.mover = fields.number();
  resolution.moved_at = time_of(fields);
  resolution.outcome = static_cast<Outcome>(fields.number());
  resolution.decided_at = optional_time(fields);
  resolution.reasons = fields.text();
  resolution.tally = fields.text();
  resolution.rescinded_by = fields.number();
  for (std::uint64_t left = fields.number(); left > 0; --left) {
    Factor one;
    one.name = fields.text();
    one.weight = static_cast<unsigned>(fields.number());
    one.score = static_cast<unsigned>(fields.number());
    one.finding = fields.text();
    resolution.factors.push_back(std::move(one));
  }
  while (!fields.empty()) {
    SeatVote one;
    one.seat = fields.text();
    one.person = fields.number();
    one.choice = static_cast<Choice>(fields.number());
    one.reason = fields.text();
    one.at = time_of(fields);
    resolution.votes.push_back(std::move(one));
  }
  return resolution;
}

Bytes to_record(const Assessment& assessment) {
  return RecordWriter()
      .text(assessment.scope)
      .text(assessment.provider)
      .number(assessment.party.number())
      .number(stored(assessment.begins))
      .number(stored(assessment.due))
      .number(static_cast<std::uint64_t>(assessment.state))
      .number(stored(assessment.begun_at))
      .number(stored(assessment.reported_at))
      .number(stored(assessment.closed_at))
      .text(assessment.opinion)
      .text(assessment.statement)
      .bytes();
}
Assessment to_assessment(std::uint64_t id, BytesView record) {
  RecordReader fields(record);
  Assessment assessment;
  assessment.id = id;
  assessment.scope = fields.text();
  assessment.provider = fields.text();
  assessment.party = Eui64::from_number(fields.number());
  assessment.begins = time_of(fields);
  assessment.due = time_of(fields);
  assessment.state = static_cast<AssessmentState>(fields.number());
  assessment.begun_at = optional_time(fields);
  assessment.reported_at = optional_time(fields);
  assessment.closed_at = optional_time(fields);
  assessment.opinion = fields.text();
  assessment.statement = fields.text();
  return assessment;
}

Bytes to_record(const Finding& finding) {
  return RecordWriter()
      .text(finding.grade)
      .text(finding.requirement)
      .text(finding.statement)
      .text(finding.plan)
      .text(finding.evidence)
      .text(finding.verification)
      .number(static_cast<std::uint64_t>(finding.state))
      .number(stored(finding.found_at))
      .number(stored(finding.plan_due))
      .number(stored(finding.remedy_due))
      .number(stored(finding.complete_by))
      .text(finding.published)
      .number(finding.decision)
      .bytes();
}
Finding to_finding(BytesView key, BytesView record) {
  RecordReader fields(record);
  Finding finding;
  finding.assessment = get_be(key.subspan(1, 8));
  finding.id = get_be(key.last(8));
  finding.grade = fields.text();
  finding.requirement = fields.text();
  finding.statement = fields.text();
  finding.plan = fields.text();
  finding.evidence = fields.text();
  finding.verification = fields.text();
  finding.state = static_cast<FindingState>(fields.number());
  finding.found_at = time_of(fields);
  finding.plan_due = time_of(fields);
  finding.remedy_due = time_of(fields);
  finding.complete_by = optional_time(fields);
  finding.published = fields.text();
  finding.decision = fields.number();
  return finding;
}

Bytes to_record(const Dated& dated) {
  return RecordWriter().number(stored(dated.at)).number(dated.decision).text(dated.name).bytes();
}
Dated to_dated(BytesView record) {
  RecordReader fields(record);
  Dated dated;
  dated.at = time_of(fields);
  dated.decision = fields.number();
  dated.name = fields.text();
  return dated;
}

// ---- what the acts share

std::string particular(const nlohmann::json& payload, const char* field) {
  return payload.value(field, "");
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  if (text.empty() || text.size() > 18 || text.front() == '0') return {};
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return {};
    number = 10 * number + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

std::optional<UtcTime> day_of(std::string_view text) {
  if (text.size() != 10) return {};
  std::string iso(text);
  iso += "T00:00:00Z";
  return UtcTime::parse_iso(iso);
}

UtcTime months_later(UtcTime day, int months) {
  CivilTime civil = day.civil();
  const int index = civil.year * 12 + civil.month - 1 + months;
  civil.year = index / 12;
  civil.month = index % 12 + 1;
  std::optional<UtcTime> later = UtcTime::from_civil(civil);
  for (; !later; later = UtcTime::from_civil(civil)) --civil.day;
  return *later;
}

std::uint64_t next_number(const storage::Reader& reader, storage::Table table, BytesView prefix) {
  std::uint64_t next = 1;
  reader.scan_backwards(table, prefix, prefix.empty() ? Bytes() : storage::prefix_end(prefix),
                        [&](BytesView key, BytesView) {
                          next = get_be(key.last(8)) + 1;
                          return false;
                        });
  return next;
}

std::vector<std::string> parts_of(std::string_view subject) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t slash = subject.find('/');
    parts.emplace_back(subject.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    subject = subject.substr(slash + 1);
  }
}

// ---- facts

void put_governance(const ActScene& scene, storage::Batch& batch, std::span<const Bytes> facts) {
  const Refusal race{"office-race"_rule, "another act of governance came first"};
  storage::Changes rows(scene.reader);
  if (const std::optional<Bytes> count = rows.get(tables::meta, as_bytes(kGovernanceFacts)))
    batch.require_value(tables::meta, as_bytes(kGovernanceFacts), *count, race);
  else
    batch.require_absent(tables::meta, as_bytes(kGovernanceFacts), race);
  for (const Bytes& fact : facts) {
    replay_governance(rows, FactView::read(fact).value());
    batch.append(fact);
  }
  rows.take(batch);
}

void put_governance(const ActScene& scene, storage::Batch& batch, const Bytes& fact) {
  put_governance(scene, batch, std::span(&fact, 1));
}

void replay_governance(storage::Changes& rows, const FactView& fact) {
  switch (fact.kind()) {
    case FactKind::assurance_recorded: replay_assurance(rows, fact); break;
    case FactKind::document_set_changed: replay_document_set(rows, fact); break;
    default: replay_pma(rows, fact);
  }
  const std::optional<Bytes> count = rows.get(tables::meta, as_bytes(kGovernanceFacts));
  rows.put(tables::meta, as_bytes(kGovernanceFacts),
           encode_count((count ? RecordReader(*count).number() : 0) + 1));
}

}  // namespace wattseal::smki
