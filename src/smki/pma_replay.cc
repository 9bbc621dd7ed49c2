// What facts of the SMKI PMA do to the tables; acts do the same by replaying what they append.
#include "base/fault.h"
#include "smki/governance.h"

namespace wattseal::smki {
namespace {

using storage::Changes;

[[noreturn]] void lacks(const FactView& fact) {
  throw Fault("a " + std::string(fact_kind_name(fact.kind())) + " fact lacks what it changes");
}
std::string text_of(const FactView& fact, FactField field) { return std::string(fact.text(field)); }

void seat(Changes& rows, const FactView& fact) {
  const Bytes key =
      seat_key(fact.text(FactField::seat), fact.text(FactField::roles) == "alternate");
  if (fact.text(FactField::event) == "left") return rows.erase(tables::pma_seats, key);
  SeatHolder holder;
  holder.person = fact.number(FactField::person);
  holder.name = text_of(fact, FactField::name_of_person);
  holder.organisation = text_of(fact, FactField::organisation);
  holder.since = fact.at();
  rows.put(tables::pma_seats, key, to_record(holder));
}

void affiliation(Changes& rows, const FactView& fact) {
  const std::string_view one = fact.text(FactField::organisation),
                         other = fact.text(FactField::subject);
  const Bytes key = affiliation_key(one, other);
  if (fact.text(FactField::event) == "ended") return rows.erase(tables::pma_affiliations, key);
  rows.put(tables::pma_affiliations, key,
           RecordWriter()
               .text(one)
               .text(other)
               .number(static_cast<std::uint64_t>(fact.at().unix_seconds()))
               .bytes());
}

void meeting(Changes& rows, const FactView& fact) {
  const std::uint64_t id = fact.number(FactField::meeting);
  const std::string_view event = fact.text(FactField::event);
  const std::optional<Bytes> before = rows.get(tables::pma_meetings, number_key(id));
  if (before.has_value() == (event == "called")) lacks(fact);
  Meeting meeting = before ? to_meeting(id, *before) : Meeting();
  if (event == "called") {
    meeting.called_at = fact.at();
    meeting.begins = UtcTime::from_unix_seconds(
        static_cast<std::int64_t>(fact.number(FactField::effective_from)));
    meeting.caller = fact.number(FactField::person);
    meeting.agenda = text_of(fact, FactField::detail);
  } else if (event == "attended") {
    const std::string seat = text_of(fact, FactField::seat);
    std::erase_if(meeting.present, [&](const Attendance& one) { return one.seat == seat; });
    meeting.present.push_back({seat, fact.number(FactField::person),
                               fact.text(FactField::roles) == "alternate", fact.at()});
  } else if (event == "invited") {
    meeting.invited.push_back({text_of(fact, FactField::name_of_person),
                               text_of(fact, FactField::organisation),
                               text_of(fact, FactField::detail)});
  } else {
    meeting.closed_at = fact.at();
  }
  rows.put(tables::pma_meetings, number_key(id), to_record(meeting));
}

void moved(Changes& rows, const FactView& fact) {
  Resolution resolution;
  resolution.id = fact.number(FactField::resolution);
  resolution.meeting = fact.number(FactField::meeting);
  resolution.kind = text_of(fact, FactField::event);
  resolution.subject = text_of(fact, FactField::subject);
  resolution.wording = text_of(fact, FactField::detail);
  resolution.concerns = text_of(fact, FactField::organisation);
  resolution.seat = text_of(fact, FactField::seat);
  resolution.mover = fact.number(FactField::person);
  resolution.moved_at = fact.at();
  std::string_view lines = fact.text(FactField::factors);
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    std::string_view line = lines.substr(0, end);
    lines = end == std::string_view::npos ? std::string_view{} : lines.substr(end + 1);
    Factor factor;
    const auto word = [&] {
      const std::size_t stop = line.find(' ');
      const std::string_view taken = line.substr(0, stop);
      line = stop == std::string_view::npos ? std::string_view{} : line.substr(stop + 1);
      return taken;
    };
    factor.name = std::string(word());
    factor.weight = static_cast<unsigned>(number_of(word()).value_or(0));
    factor.score = static_cast<unsigned>(number_of(word()).value_or(0));
    factor.finding = std::string(line);
    resolution.factors.push_back(std::move(factor));
  }
  rows.put(tables::pma_resolutions, number_key(resolution.id), to_record(resolution));
}

Resolution must_resolution(const Changes& rows, const FactView& fact) {
  const DecisionId id = fact.number(FactField::resolution);
  const std::optional<Bytes> record = rows.get(tables::pma_resolutions, number_key(id));
  if (!record) lacks(fact);
  return to_resolution(id, *record);
}

void vote(Changes& rows, const FactView& fact) {
  Resolution resolution = must_resolution(rows, fact);
  SeatVote vote;
  vote.seat = text_of(fact, FactField::seat);
  vote.person = fact.number(FactField::person);
  vote.reason = text_of(fact, FactField::detail);
  vote.at = fact.at();
  for (const Choice choice :
       {Choice::in_favour, Choice::against, Choice::abstain, Choice::conflict}) {
    if (text(choice) == fact.text(FactField::vote)) vote.choice = choice;
  }
  resolution.votes.push_back(std::move(vote));
  rows.put(tables::pma_resolutions, number_key(resolution.id), to_record(resolution));
}

// What the earlier decision did goes with it, unless a later one did the same again.
void rescind(Changes& rows, DecisionId earlier, DecisionId by) {
  const std::optional<Bytes> record = rows.get(tables::pma_resolutions, number_key(earlier));
  if (!record) throw Fault("a decision that does not exist was rescinded");
  Resolution resolution = to_resolution(earlier, *record);
  resolution.rescinded_by = by;
  rows.put(tables::pma_resolutions, number_key(earlier), to_record(resolution));
  const std::vector<std::string> parts = parts_of(resolution.subject);
  const auto erase = [&](storage::Table table, const Bytes& key) {
    const std::optional<Dated> dated = find_dated(rows, table, key);
    if (dated && dated->decision == earlier) rows.erase(table, key);
  };
  if (resolution.kind == "approve-document")
    erase(tables::document_set, approval_key(parts.at(1), number_of(parts.at(2)).value()));
  if (resolution.kind == "review-document") erase(tables::document_set, review_key(parts.at(1)));
  if (resolution.kind == "agree-assurance-provider")
    erase(tables::assurance, provider_key(parts.at(1)));
}

void decided(Changes& rows, const FactView& fact) {
  Resolution resolution = must_resolution(rows, fact);
  for (const Outcome outcome : {Outcome::carried, Outcome::lost, Outcome::withdrawn}) {
    if (text(outcome) == fact.text(FactField::decision)) resolution.outcome = outcome;
  }
  resolution.decided_at = fact.at();
  resolution.reasons = text_of(fact, FactField::detail);
  resolution.tally = text_of(fact, FactField::observed);
  rows.put(tables::pma_resolutions, number_key(resolution.id), to_record(resolution));
  if (resolution.outcome == Outcome::carried) replay_decision(rows, resolution, fact.at());
}

}  // namespace

void replay_pma(Changes& rows, const FactView& fact) {
  switch (fact.kind()) {
    case FactKind::pma_seat_changed: return seat(rows, fact);
    case FactKind::pma_affiliation_changed: return affiliation(rows, fact);
    case FactKind::pma_meeting_changed: return meeting(rows, fact);
    case FactKind::pma_resolution_moved: return moved(rows, fact);
    case FactKind::pma_vote_cast: return vote(rows, fact);
    case FactKind::pma_resolution_decided: return decided(rows, fact);
    default: UNREACHABLE();
  }
}

// The acts that move resolutions have checked the forms of their subjects.
void replay_decision(Changes& rows, const Resolution& resolution, UtcTime at) {
  const std::vector<std::string> parts = parts_of(resolution.subject);
  const Bytes dated = to_record(Dated{at, resolution.id, parts.at(1)});
  if (resolution.kind == "approve-document") {
    rows.put(tables::document_set, approval_key(parts.at(1), number_of(parts.at(2)).value()),
             dated);
  } else if (resolution.kind == "review-document") {
    rows.put(tables::document_set, review_key(parts.at(1)), dated);
  } else if (resolution.kind == "agree-assurance-provider") {
    rows.put(tables::assurance, provider_key(parts.at(1)), dated);
  } else if (resolution.kind == "rescind") {
    rescind(rows, number_of(parts.at(1)).value(), resolution.id);
  }
}

}  // namespace wattseal::smki
