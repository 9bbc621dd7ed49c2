#include "smki/pma.h"

#include <set>

#include "base/fault.h"
#include "smki/governance.h"

namespace wattseal::smki {
namespace {

constexpr PmaSeatRow kSeats[] = {
#include "tables/pma_seats.inc"
};
constexpr ResolutionKindRow kKinds[] = {
#include "tables/resolution_kinds.inc"
};
constexpr PmaFactorRow kFactors[] = {
#include "tables/pma_factors.inc"
};
struct ParameterRow {
  std::string_view name, value, unit, meaning, source, in_force_from;
};
constexpr ParameterRow kParameters[] = {
#include "tables/pma_parameters.inc"
};
static_assert(std::ranges::all_of(kSeats, [](const PmaSeatRow& row) {
  return row.vote == "ordinary" || row.vote == "casting" || row.vote == "none";
}));
static_assert(std::ranges::count(kSeats, "casting", &PmaSeatRow::vote) == 1);
constexpr unsigned kWeightMost = 100, kScoreMost = 10;

// A Party's identity for its name or its identity; else the name, however it is written.
std::string canonical(const storage::Reader& reader, std::string_view organisation) {
  if (const Result<Eui64> id = Eui64::parse(organisation); id.ok()) return id->text();
  const std::string name = folded(organisation);
  std::string found = name;
  reader.scan(tables::parties, {}, {}, [&](BytesView key, BytesView record) {
    const Party party = to_party(Eui64::from_number(get_be(key)), record);
    if (folded(party.name) == name) found = party.id.text();
    return found == name;
  });
  return found;
}

// The organisation and everyone that is affiliated with it.
std::set<std::string> group_of(const storage::Reader& reader, std::string_view organisation) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const Affiliation& one : affiliations(reader))
    pairs.emplace_back(canonical(reader, one.one), canonical(reader, one.other));
  std::set<std::string> group{canonical(reader, organisation)};
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [one, other] : pairs) {
      if (group.contains(one) != group.contains(other)) {
        group.insert(one);
        group.insert(other);
        grown = true;
      }
    }
  }
  return group;
}

// "large-supplier-1 exposure 30 …": words of a line, the last one to its end.
std::vector<std::string> words_of(std::string_view line, std::size_t most) {
  std::vector<std::string> words;
  while (words.size() < most) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) break;
    line = line.substr(begin);
    if (words.size() + 1 == most) {
      words.emplace_back(line.substr(0, line.find_last_not_of(" \t\r") + 1));
      break;
    }
    const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    words.emplace_back(line.substr(0, end));
    line = line.substr(end);
  }
  return words;
}

Result<Factor> read_factor(std::string_view kind, std::string_view line) {
  const std::vector<std::string> words = words_of(line, 4);
  const auto* const row = std::ranges::find_if(kFactors, [&](const PmaFactorRow& one) {
    return one.kind == kind && !words.empty() && one.factor == words[0];
  });
  if (row == std::end(kFactors))
    return Refusal{"pma-factors"_rule, "'" + std::string(line.substr(0, 60)) + "' names none",
                   "factors"};
  const auto number = [](std::string_view text) -> std::optional<std::uint64_t> {
    return text == "0" ? std::optional<std::uint64_t>(0) : number_of(text);
  };
  const std::optional<std::uint64_t> weight =
      words.size() < 4 ? std::nullopt : number(words[1] == "-" ? row->weight : words[1]);
  const std::optional<std::uint64_t> score = words.size() < 4 ? std::nullopt : number(words[2]);
  if (!weight || *weight == 0 || *weight > kWeightMost || !score || *score > kScoreMost)
    return Refusal{"pma-factors"_rule,
                   words[0] + " has no weight from 1 to 100, score from 0 to 10 and finding",
                   "factors"};
  return Factor{words[0], static_cast<unsigned>(*weight), static_cast<unsigned>(*score), words[3]};
}

}  // namespace

std::span<const PmaSeatRow> pma_seat_rows() { return kSeats; }
std::span<const ResolutionKindRow> resolution_kinds() { return kKinds; }
std::span<const PmaFactorRow> pma_factor_rows() { return kFactors; }

const PmaSeatRow* find_pma_seat(std::string_view id) {
  const auto* const row = std::ranges::find(kSeats, id, &PmaSeatRow::id);
  return row == std::end(kSeats) ? nullptr : row;
}

std::uint64_t pma_parameter(std::string_view name, UtcTime at) {
  const std::string day = at.iso().substr(0, 10);
  const ParameterRow* best = nullptr;
  for (const ParameterRow& row : kParameters) {
    if (row.name == name && row.in_force_from <= day &&
        (best == nullptr || row.in_force_from > best->in_force_from))
      best = &row;
  }
  CHECK(best != nullptr);
  return number_of(best->value).value();
}

// ---- seats and organisations

std::vector<PmaSeat> pma_seats(const storage::Reader& reader) {
  std::vector<PmaSeat> seats;
  for (const PmaSeatRow& row : kSeats) {
    PmaSeat seat{&row, {}, {}};
    for (const bool alternate : {false, true}) {
      const Bytes key = seat_key(row.id, alternate);
      if (const std::optional<Bytes> record = reader.get(tables::pma_seats, key))
        (alternate ? seat.alternate : seat.member) = to_seat_holder(key, *record);
    }
    seats.push_back(std::move(seat));
  }
  return seats;
}

std::optional<SeatHolder> seat_held_by(const storage::Reader& reader, PersonId person) {
  for (const PmaSeat& seat : pma_seats(reader)) {
    if (seat.member && seat.member->person == person) return seat.member;
    if (seat.alternate && seat.alternate->person == person) return seat.alternate;
  }
  return {};
}

std::vector<Affiliation> affiliations(const storage::Reader& reader) {
  std::vector<Affiliation> all;
  reader.scan(tables::pma_affiliations, {}, {}, [&](BytesView, BytesView record) {
    RecordReader fields(record);
    Affiliation one;
    one.one = fields.text();
    one.other = fields.text();
    one.since = UtcTime::from_unix_seconds(static_cast<std::int64_t>(fields.number()));
    all.push_back(std::move(one));
    return true;
  });
  return all;
}

bool affiliated(const storage::Reader& reader, std::string_view one, std::string_view other) {
  return group_of(reader, one).contains(canonical(reader, other));
}

std::optional<Eui64> affiliated_party(const storage::Reader& reader,
                                      std::string_view organisation) {
  for (const std::string& one : group_of(reader, organisation)) {
    const Result<Eui64> id = Eui64::parse(one);
    if (id.ok() && find_party(reader, *id)) return *id;
  }
  return {};
}

// ---- meetings and resolutions

Result<Meeting> find_meeting(const storage::Reader& reader, std::uint64_t id) {
  const std::optional<Bytes> record = reader.get(tables::pma_meetings, number_key(id));
  if (!record)
    return Refusal{"pma-meeting-unknown"_rule, "meeting " + std::to_string(id), "meeting"};
  return to_meeting(id, *record);
}
std::vector<Meeting> meetings(const storage::Reader& reader) {
  std::vector<Meeting> all;
  reader.scan_backwards(tables::pma_meetings, {}, {}, [&](BytesView key, BytesView record) {
    all.push_back(to_meeting(get_be(key), record));
    return true;
  });
  return all;
}

Result<Resolution> find_resolution(const storage::Reader& reader, DecisionId id) {
  const std::optional<Bytes> record = reader.get(tables::pma_resolutions, number_key(id));
  if (!record)
    return Refusal{"pma-resolution-unknown"_rule, "resolution " + std::to_string(id), "resolution"};
  return to_resolution(id, *record);
}
std::vector<Resolution> resolutions(const storage::Reader& reader) {
  std::vector<Resolution> all;
  reader.scan_backwards(tables::pma_resolutions, {}, {}, [&](BytesView key, BytesView record) {
    all.push_back(to_resolution(get_be(key), record));
    return true;
  });
  return all;
}

Result<std::vector<Factor>> read_factors(std::string_view kind, std::string_view lines) {
  std::vector<Factor> factors;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines = end == std::string_view::npos ? std::string_view{} : lines.substr(end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    TRY_ASSIGN(Factor factor, read_factor(kind, line));
    if (std::ranges::find(factors, factor.name, &Factor::name) != factors.end())
      return Refusal{"pma-factors"_rule, factor.name + " is weighed twice", "factors"};
    factors.push_back(std::move(factor));
  }
  for (const PmaFactorRow& row : kFactors) {
    if (row.kind == kind && std::ranges::find(factors, row.factor, &Factor::name) == factors.end())
      return Refusal{"pma-factors"_rule, std::string(row.factor) + " is not weighed", "factors"};
  }
  return factors;
}

std::optional<unsigned> weighted_score(std::span<const Factor> factors) {
  unsigned weights = 0, sum = 0;
  for (const Factor& one : factors) {
    weights += one.weight;
    sum += one.weight * one.score;
  }
  if (weights == 0) return {};
  return 100 * sum / weights;
}

std::string_view text(Choice choice) {
  constexpr std::string_view kTexts[] = {"for", "against", "abstain", "conflict"};
  return kTexts[static_cast<std::size_t>(choice)];
}
std::string_view text(Outcome outcome) {
  constexpr std::string_view kTexts[] = {"open", "carried", "lost", "withdrawn"};
  return kTexts[static_cast<std::size_t>(outcome)];
}

// The people of the seat, at the meeting and by appointment.
std::string conflict_of(const storage::Reader& reader, const Resolution& resolution,
                        std::string_view seat) {
  for (const SeatVote& vote : resolution.votes) {
    if (vote.seat == seat && vote.choice == Choice::conflict) return "declared: " + vote.reason;
  }
  if (resolution.concerns.empty()) return {};
  for (const bool alternate : {false, true}) {
    const Bytes key = seat_key(seat, alternate);
    const std::optional<Bytes> record = reader.get(tables::pma_seats, key);
    if (!record) continue;
    const SeatHolder holder = to_seat_holder(key, *record);
    // An alternate who is not there has no part in the vote.
    const Result<Meeting> meeting = find_meeting(reader, resolution.meeting);
    const bool there =
        meeting.ok() && std::ranges::find(meeting->present, holder.person, &Attendance::person) !=
                            meeting->present.end();
    if ((!alternate || there) && affiliated(reader, holder.organisation, resolution.concerns))
      return holder.name + " is of " + holder.organisation + ", which is or is an affiliate of " +
             resolution.concerns;
  }
  return {};
}

Tally tally_of(const storage::Reader& reader, const Meeting& meeting, const Resolution& resolution,
               UtcTime now) {
  Tally tally;
  tally.quorum = pma_parameter("quorum_voting", now);
  for (const PmaSeatRow& row : kSeats) {
    const auto at = std::ranges::find(meeting.present, row.id, &Attendance::seat);
    if (!row.votes() || at == meeting.present.end()) continue;
    const std::optional<Person> person = find_person(reader, at->person);
    if (!person || !person->may_act(now) || seat_held_by(reader, at->person) == std::nullopt)
      continue;
    if (!conflict_of(reader, resolution, row.id).empty()) {
      ++tally.conflicted;
      continue;
    }
    ++tally.present;
    const auto vote = std::ranges::find(resolution.votes, row.id, &SeatVote::seat);
    const bool voted = vote != resolution.votes.end();
    if (row.casting()) {
      if (voted) tally.casting = vote->choice;
    } else if (!voted) {
      ++tally.waiting;
    } else {
      ++(vote->choice == Choice::in_favour ? tally.in_favour
         : vote->choice == Choice::against ? tally.against
                                           : tally.abstained);
    }
  }
  return tally;
}

std::string Tally::text() const {
  return "for " + std::to_string(in_favour) + ", against " + std::to_string(against) +
         ", abstained " + std::to_string(abstained) + ", in conflict " +
         std::to_string(conflicted) +
         (casting ? ", casting vote " + std::string(smki::text(*casting)) : "") + "; " +
         std::to_string(present) + " seats of a quorum of " + std::to_string(quorum);
}

Result<Resolution> approved_decision(const storage::Reader& reader, DecisionId decision,
                                     std::string_view kinds, std::string_view subject) {
  const auto refused = [&](const std::string& why) {
    return Refusal{"pma-decision"_rule, "decision " + std::to_string(decision) + " " + why,
                   "decision"};
  };
  const Result<Resolution> found = find_resolution(reader, decision);
  if (!found.ok()) return refused("does not exist");
  if (found->outcome != Outcome::carried) return refused("is " + std::string(text(found->outcome)));
  if (found->rescinded_by != 0)
    return refused("was rescinded by decision " + std::to_string(found->rescinded_by));
  if (!has_role(kinds, found->kind))
    return refused("is of the kind " + found->kind + ", it takes " + std::string(kinds));
  if (found->subject != subject)
    return refused("is about " + found->subject + ", not " + std::string(subject));
  return *found;
}

}  // namespace wattseal::smki
