// Acts of the SMKI PMA at its meetings: attendance, resolutions, votes, results.
#include "base/check.h"
#include "smki/governance.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

std::string get(const json& payload, const char* field) { return particular(payload, field); }

Result<SeatHolder> holder_of(const ActScene& scene, PersonId person) {
  std::optional<SeatHolder> holder = seat_held_by(scene.reader, person);
  if (!holder) return Refusal{"pma-not-holder"_rule, "person " + std::to_string(person), "person"};
  return *holder;
}

Result<Meeting> read_meeting(const ActScene& scene, const json& payload) {
  return find_meeting(scene.reader, number_of(get(payload, "meeting")).value_or(0));
}
Status check_open(const ActScene& scene, const Meeting& meeting) {
  if (!meeting.closed_at && scene.now >= meeting.begins) return {};
  return Refusal{"pma-meeting-time"_rule,
                 "meeting " + std::to_string(meeting.id) +
                     (meeting.closed_at ? " was closed " + meeting.closed_at->iso()
                                        : " begins " + meeting.begins.iso()),
                 "meeting"};
}

// Who sits at the meeting for his seat.
Result<SeatHolder> present(const ActScene& scene, const Meeting& meeting, PersonId person) {
  TRY_ASSIGN(const SeatHolder holder, holder_of(scene, person));
  const auto at = std::ranges::find(meeting.present, person, &Attendance::person);
  if (at == meeting.present.end() || at->seat != holder.seat)
    return Refusal{"pma-absent"_rule,
                   holder.name + " is not at meeting " + std::to_string(meeting.id), "person"};
  return holder;
}
Status check_chair(const ActScene& scene, const Meeting& meeting, const Person& person) {
  TRY_ASSIGN(const SeatHolder holder, present(scene, meeting, person.id));
  if (find_pma_seat(holder.seat)->casting()) return {};
  return Refusal{"pma-chair"_rule, person.name + " holds " + holder.seat, "person"};
}

// ---- meetings

FactWriter meeting_fact(const ActScene& scene, std::string_view event, std::uint64_t meeting,
                        const Act& act) {
  FactWriter fact(FactKind::pma_meeting_changed, scene.now, scene.trace);
  fact.text(FactField::event, event)
      .number(FactField::meeting, meeting)
      .number(FactField::person, act.proposer)
      .number(FactField::act, act.id);
  return fact;
}
void put(const ActScene& scene, storage::Batch& batch, const FactWriter& fact) {
  put_governance(scene, batch, fact.bytes());
}

// A meeting that cannot wait says why; it may begin at once.
Status check_call(const ActScene& scene, const json& payload, const Person&) {
  constexpr std::int64_t kHour = 3600;
  const std::optional<UtcTime> at = UtcTime::parse_iso(get(payload, "at"));
  const bool urgent = payload.contains("urgency");
  const std::uint64_t days = pma_parameter("meeting_notice_days", scene.now);
  const std::int64_t notice = urgent ? -kHour : static_cast<std::int64_t>(days) * 24 * kHour;
  if (at && *at - scene.now >= notice) return {};
  return Refusal{"pma-notice"_rule,
                 !at      ? "'" + get(payload, "at") + "' is no time as yyyy-mm-ddThh:mm:ssZ"
                 : urgent ? at->iso() + " is over"
                          : at->iso() + " is not " + std::to_string(days) + " days from now",
                 "at"};
}
void call(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  const std::uint64_t id = next_number(scene.reader, tables::pma_meetings, {});
  const std::string urgency = get(payload, "urgency");
  FactWriter fact = meeting_fact(scene, "called", id, act);
  fact.time(FactField::effective_from, UtcTime::parse_iso(get(payload, "at")).value())
      .text(FactField::detail,
            get(payload, "agenda") + (urgency.empty() ? "" : " (urgent: " + urgency + ")"));
  put(scene, batch, fact);
}

Status check_attend(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY_ASSIGN(const Meeting meeting, read_meeting(scene, payload));
  TRY(check_open(scene, meeting));
  TRY_ASSIGN(const SeatHolder holder, holder_of(scene, proposer.id));
  const auto at = std::ranges::find(meeting.present, holder.seat, &Attendance::seat);
  if (at != meeting.present.end() && (holder.alternate || at->person == proposer.id))
    return Refusal{"pma-present"_rule,
                   holder.seat + " is taken by person " + std::to_string(at->person), "person"};
  if (!holder.alternate) return {};
  const Bytes key = seat_key(holder.seat, false);
  const std::optional<Bytes> member = scene.reader.get(tables::pma_seats, key);
  if (!member) return Refusal{"pma-seat-vacant"_rule, holder.seat + " has no member", "person"};
  return check_independent(scene.reader, to_seat_holder(key, *member), holder.organisation);
}
void attend(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  const SeatHolder holder = holder_of(scene, act.proposer).value();
  FactWriter fact = meeting_fact(scene, "attended", read_meeting(scene, payload)->id, act);
  fact.text(FactField::seat, holder.seat)
      .text(FactField::roles, holder.alternate ? "alternate" : "member");
  put(scene, batch, fact);
}

// Inviting and closing are the chair's, who is there when it closes.
Status check_invite(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY_ASSIGN(const Meeting meeting, read_meeting(scene, payload));
  if (meeting.closed_at) return check_open(scene, meeting);
  TRY_ASSIGN(const SeatHolder holder, holder_of(scene, proposer.id));
  if (find_pma_seat(holder.seat)->casting()) return {};
  return Refusal{"pma-chair"_rule, proposer.name + " holds " + holder.seat, "person"};
}
void invite(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  FactWriter fact = meeting_fact(scene, "invited", read_meeting(scene, payload)->id, act);
  fact.text(FactField::name_of_person, get(payload, "name"))
      .text(FactField::organisation, get(payload, "organisation"))
      .text(FactField::detail, get(payload, "reason"));
  put(scene, batch, fact);
}

Status check_close_meeting(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY_ASSIGN(const Meeting meeting, read_meeting(scene, payload));
  TRY(check_open(scene, meeting));
  TRY(check_chair(scene, meeting, proposer));
  for (const Resolution& one : resolutions(scene.reader)) {
    if (one.meeting == meeting.id && one.outcome == Outcome::open)
      return Refusal{"pma-open-resolutions"_rule, "resolution " + std::to_string(one.id),
                     "meeting"};
  }
  return {};
}
void close_meeting(const ActScene& scene, storage::Batch& batch, const json& payload,
                   const Act& act) {
  put(scene, batch, meeting_fact(scene, "closed", read_meeting(scene, payload)->id, act));
}

// ---- resolutions

Status check_move(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY_ASSIGN(const Meeting meeting, read_meeting(scene, payload));
  TRY(check_open(scene, meeting));
  TRY(present(scene, meeting, proposer.id));
  const std::string kind = get(payload, "kind");
  const auto row = std::ranges::find(resolution_kinds(), kind, &ResolutionKindRow::id);
  if (row == resolution_kinds().end())
    return Refusal{"pma-resolution-kind"_rule, "'" + kind + "' is none", "kind"};
  TRY(check_subject(scene, *row, get(payload, "subject")));
  TRY_ASSIGN(const std::vector<Factor> factors, read_factors(kind, get(payload, "factors")));
  if (factors.empty() == (row->factors == "required"))
    return Refusal{"pma-factors"_rule, kind + " has none", "factors"};
  return {};
}
void move(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  const std::string kind = get(payload, "kind");
  FactWriter fact(FactKind::pma_resolution_moved, scene.now, scene.trace);
  fact.number(FactField::resolution, next_number(scene.reader, tables::pma_resolutions, {}))
      .number(FactField::meeting, read_meeting(scene, payload)->id)
      .text(FactField::event, kind)
      .text(FactField::subject, get(payload, "subject"))
      .text(FactField::detail, get(payload, "text"))
      .text(FactField::seat, holder_of(scene, act.proposer)->seat)
      .number(FactField::person, act.proposer)
      .number(FactField::act, act.id);
  if (payload.contains("concerns")) fact.text(FactField::organisation, get(payload, "concerns"));
  std::string lines;
  const std::vector<Factor> factors = read_factors(kind, get(payload, "factors")).value();
  for (const Factor& one : factors)
    lines += one.name + " " + std::to_string(one.weight) + " " + std::to_string(one.score) + " " +
             one.finding + "\n";
  if (!lines.empty()) fact.text(FactField::factors, lines);
  put(scene, batch, fact);
}

// A resolution that can still be voted on, and its meeting.
struct Before {
  Resolution resolution;
  Meeting meeting;
};
Result<Before> read_open(const ActScene& scene, const json& payload) {
  Before out;
  TRY_ASSIGN(out.resolution,
             find_resolution(scene.reader, number_of(get(payload, "resolution")).value_or(0)));
  if (out.resolution.outcome != Outcome::open)
    return Refusal{"pma-resolution-decided"_rule,
                   "it is " + std::string(text(out.resolution.outcome)), "resolution"};
  TRY_ASSIGN(out.meeting, find_meeting(scene.reader, out.resolution.meeting));
  TRY(check_open(scene, out.meeting));
  return out;
}

FactWriter vote_fact(const ActScene& scene, const json& payload, const Act& act,
                     std::string_view vote) {
  FactWriter fact(FactKind::pma_vote_cast, scene.now, scene.trace);
  fact.number(FactField::resolution, number_of(get(payload, "resolution")).value())
      .text(FactField::seat, holder_of(scene, act.proposer)->seat)
      .number(FactField::person, act.proposer)
      .text(FactField::vote, vote)
      .text(FactField::detail, get(payload, "reason"))
      .number(FactField::act, act.id);
  return fact;
}

Status check_conflict(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY_ASSIGN(const Before before, read_open(scene, payload));
  TRY_ASSIGN(const SeatHolder holder, holder_of(scene, proposer.id));
  const auto there = std::ranges::find(before.resolution.votes, holder.seat, &SeatVote::seat);
  if (there == before.resolution.votes.end()) return {};
  return Refusal{"pma-conflict-known"_rule,
                 holder.seat + ": " + std::string(text(there->choice)) + " at " + there->at.iso(),
                 "resolution"};
}
void declare_conflict(const ActScene& scene, storage::Batch& batch, const json& payload,
                      const Act& act) {
  put(scene, batch, vote_fact(scene, payload, act, text(Choice::conflict)));
}

std::optional<Choice> choice_of(const std::string& vote) {
  for (const Choice one : {Choice::in_favour, Choice::against, Choice::abstain}) {
    if (text(one) == vote) return one;
  }
  return {};
}
// The chair's vote decides between equal votes and does nothing else.
Status check_casting(const ActScene& scene, const Before& before, Choice choice) {
  if (choice == Choice::abstain)
    return Refusal{"pma-vote"_rule, "the chair casts for or against", "vote"};
  const Tally tally = tally_of(scene.reader, before.meeting, before.resolution, scene.now);
  if (tally.waiting == 0 && tally.equal()) return {};
  return Refusal{
      "pma-casting"_rule,
      tally.text() +
          (tally.waiting > 0 ? "; " + std::to_string(tally.waiting) + " have not voted" : ""),
      "vote"};
}
Status check_vote(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY_ASSIGN(const Before before, read_open(scene, payload));
  TRY_ASSIGN(const SeatHolder holder, holder_of(scene, proposer.id));
  const PmaSeatRow& row = *find_pma_seat(holder.seat);
  CHECK(row.votes());  // attendees do not propose this act
  const std::string conflict = conflict_of(scene.reader, before.resolution, holder.seat);
  if (!conflict.empty())
    return Refusal{"pma-conflict"_rule,
                   holder.name + " votes as " + (holder.alternate ? "alternate" : "member") +
                       " of " + holder.seat + "; " + conflict,
                   "person"};
  TRY(present(scene, before.meeting, proposer.id));
  const auto there = std::ranges::find(before.resolution.votes, holder.seat, &SeatVote::seat);
  if (there != before.resolution.votes.end())
    return Refusal{"pma-voted"_rule,
                   holder.seat + ": " + std::string(text(there->choice)) + " at " + there->at.iso(),
                   "resolution"};
  const std::optional<Choice> choice = choice_of(get(payload, "vote"));
  if (!choice) return Refusal{"pma-vote"_rule, "'" + get(payload, "vote") + "' is none", "vote"};
  if (row.casting()) TRY(check_casting(scene, before, *choice));
  return {};
}
void vote(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  put(scene, batch, vote_fact(scene, payload, act, get(payload, "vote")));
}

Status check_result(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY_ASSIGN(const Before before, read_open(scene, payload));
  TRY(check_chair(scene, before.meeting, proposer));
  const Tally tally = tally_of(scene.reader, before.meeting, before.resolution, scene.now);
  if (!tally.quorate()) return Refusal{"pma-quorum"_rule, tally.text(), "resolution"};
  if (tally.waiting > 0)
    return Refusal{"pma-waiting"_rule,
                   tally.text() + "; " + std::to_string(tally.waiting) + " have not voted",
                   "resolution"};
  // Where the chair has a conflict of interest, equal votes carry nothing.
  if (tally.equal() && !tally.casting &&
      conflict_of(scene.reader, before.resolution, holder_of(scene, proposer.id)->seat).empty())
    return Refusal{"pma-tie"_rule, tally.text(), "resolution"};
  if (!tally.carried()) return {};
  const auto row =
      std::ranges::find(resolution_kinds(), before.resolution.kind, &ResolutionKindRow::id);
  return check_subject(scene, *row, before.resolution.subject);  // it may have changed since
}
FactWriter decision_fact(const ActScene& scene, const Resolution& resolution, Outcome outcome,
                         std::string_view reasons, const Act& act) {
  FactWriter fact(FactKind::pma_resolution_decided, scene.now, scene.trace);
  fact.number(FactField::resolution, resolution.id)
      .text(FactField::decision, text(outcome))
      .text(FactField::event, resolution.kind)
      .text(FactField::subject, resolution.subject)
      .text(FactField::detail, reasons)
      .number(FactField::person, act.proposer)
      .number(FactField::act, act.id);
  return fact;
}
void declare_result(const ActScene& scene, storage::Batch& batch, const json& payload,
                    const Act& act) {
  const Before before = read_open(scene, payload).value();
  const Tally tally = tally_of(scene.reader, before.meeting, before.resolution, scene.now);
  FactWriter fact =
      decision_fact(scene, before.resolution, tally.carried() ? Outcome::carried : Outcome::lost,
                    get(payload, "reasons"), act);
  fact.text(FactField::observed, tally.text());
  put(scene, batch, fact);
}

Status check_withdraw(const ActScene& scene, const json& payload, const Person& proposer) {
  TRY_ASSIGN(const Before before, read_open(scene, payload));
  if (before.resolution.mover == proposer.id) return {};
  return check_chair(scene, before.meeting, proposer);
}
void withdraw(const ActScene& scene, storage::Batch& batch, const json& payload, const Act& act) {
  put(scene, batch,
      decision_fact(scene, read_open(scene, payload)->resolution, Outcome::withdrawn,
                    get(payload, "reason"), act));
}

constexpr ActHandler kHandlers[] = {
    {"call-pma-meeting", "at,agenda,urgency?", check_call, call},
    {"attend-pma-meeting", "meeting", check_attend, attend},
    {"invite-to-pma-meeting", "meeting,name,organisation,reason", check_invite, invite},
    {"close-pma-meeting", "meeting", check_close_meeting, close_meeting},
    {"move-resolution", "meeting,kind,subject,text,concerns?,factors?", check_move, move},
    {"declare-conflict", "resolution,reason", check_conflict, declare_conflict},
    {"cast-vote", "resolution,vote,reason?", check_vote, vote},
    {"close-resolution", "resolution,reasons", check_result, declare_result},
    {"withdraw-resolution", "resolution,reason", check_withdraw, withdraw},
};

}  // namespace

std::span<const ActHandler> pma_meeting_acts() { return kHandlers; }

}  // namespace wattseal::smki
