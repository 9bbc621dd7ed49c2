// The SMKI Policy Management Authority: who holds which seat, who may stand in, and what it
// resolves. Seats with a vote have a member and may have an alternate, who is of no organisation
// that is the member's or an affiliate of it; the chair has a casting vote only. A resolution is
// moved at a meeting, voted on by seats that are present and have no conflict of interest, and
// declared by the chair; what is carried is a decision with the resolution's number, which other
// parts ask for. Everything is an act of a person (office.h; data/acts.tsv) and a journal fact; the
// tables follow from the facts. Sources: L1; 3.2, ¶42, ¶43; spec/smki.md 6.2, 7; M-01, M-02, V-05.
// Reads are of one reader's moment. Threads: any. Rules: pma-*.
#pragma once
#include "smki/office.h"

namespace wattseal::smki {

using DecisionId = std::uint64_t;  // number of a resolution

struct PmaSeatRow {
  std::string_view id, title, vote, appointed_by, source, in_force_from;
  bool votes() const { return vote != "none"; }
  bool casting() const { return vote == "casting"; }
};
std::span<const PmaSeatRow> pma_seat_rows();
const PmaSeatRow* find_pma_seat(std::string_view id);

struct ResolutionKindRow {
  std::string_view id, meaning, subject, factors, source, in_force_from;
};
std::span<const ResolutionKindRow> resolution_kinds();

struct PmaFactorRow {
  std::string_view kind, factor, weight, meaning, source, in_force_from;
};
std::span<const PmaFactorRow> pma_factor_rows();
// Of data/pma_parameters.tsv, the latest row in force; CHECKs that there is one.
std::uint64_t pma_parameter(std::string_view name, UtcTime at);

// Who holds a place in the PMA.
struct SeatHolder {
  std::string seat;
  bool alternate = false;
  PersonId person = 0;
  std::string name, organisation;  // EUI-64 of a Party, or a name
  UtcTime since;
};
struct PmaSeat {
  const PmaSeatRow* row = nullptr;
  std::optional<SeatHolder> member, alternate;
};
std::vector<PmaSeat> pma_seats(const storage::Reader& reader);  // in the order of the rows
std::optional<SeatHolder> seat_held_by(const storage::Reader& reader, PersonId person);

// Whether two organisations are one, or affiliates, however many steps apart. A name of a Party
// (whatever its case) means the Party.
bool affiliated(const storage::Reader& reader, std::string_view one, std::string_view other);
// A Party that is the organisation or an affiliate of it, where there is one.
std::optional<Eui64> affiliated_party(const storage::Reader& reader, std::string_view organisation);
struct Affiliation {
  std::string one, other;
  UtcTime since;
};
std::vector<Affiliation> affiliations(const storage::Reader& reader);

struct Attendance {
  std::string seat;
  PersonId person = 0;
  bool alternate = false;
  UtcTime at;
};
struct Invitation {
  std::string name, organisation, reason;
};
struct Meeting {
  std::uint64_t id = 0;
  UtcTime called_at, begins;
  std::optional<UtcTime> closed_at;
  PersonId caller = 0;
  std::string agenda;
  std::vector<Attendance> present;  // one of each seat at most
  std::vector<Invitation> invited;
};
Result<Meeting> find_meeting(const storage::Reader& reader, std::uint64_t id);
std::vector<Meeting> meetings(const storage::Reader& reader);  // newest first

// A factor as it was weighed.
struct Factor {
  std::string name;
  unsigned weight = 0, score = 0;  // 1 to 100; 0 (against) to 10 (for)
  std::string finding;
};
// Lines "exposure 30 9 keys were copied"; a weight "-" is the usual one. Refuses pma-factors unless
// each factor of the kind is there once.
Result<std::vector<Factor>> read_factors(std::string_view kind, std::string_view lines);
// Mean of the scores by weight, in hundredths; nothing without factors.
std::optional<unsigned> weighted_score(std::span<const Factor> factors);

enum class Choice { in_favour, against, abstain, conflict };
std::string_view text(Choice choice);  // "for", "against", "abstain", "conflict"
struct SeatVote {
  std::string seat;
  PersonId person = 0;
  Choice choice = Choice::abstain;
  std::string reason;
  UtcTime at;
};
enum class Outcome { open, carried, lost, withdrawn };
std::string_view text(Outcome outcome);
struct Resolution {
  DecisionId id = 0;
  std::uint64_t meeting = 0;
  std::string kind, subject, wording;
  std::string concerns;  // organisation whose people, and affiliates', have a conflict of interest
  std::vector<Factor> factors;
  std::string seat;  // that moved it
  PersonId mover = 0;
  UtcTime moved_at;
  std::vector<SeatVote> votes;  // in order; conflicts that were declared are among them
  Outcome outcome = Outcome::open;
  std::optional<UtcTime> decided_at;
  std::string reasons;          // of the decision
  std::string tally;            // as the chair declared it
  DecisionId rescinded_by = 0;  // a later decision, by which this one no longer stands
};
Result<Resolution> find_resolution(const storage::Reader& reader, DecisionId id);
std::vector<Resolution> resolutions(const storage::Reader& reader);  // newest first

// Why a seat has a conflict of interest in a resolution; empty: it has none. Declared, or the
// member's or the present person's organisation is or is an affiliate of what it concerns.
std::string conflict_of(const storage::Reader& reader, const Resolution& resolution,
                        std::string_view seat);
struct Tally {
  unsigned in_favour = 0, against = 0, abstained = 0;  // ordinary votes
  unsigned conflicted = 0, present = 0, waiting = 0;   // seats with a vote; waiting: ordinary ones
  std::uint64_t quorum = 0;
  std::optional<Choice> casting;
  bool quorate() const { return present >= quorum; }  // present: without those in conflict
  bool equal() const { return in_favour == against; }
  bool carried() const { return equal() ? casting == Choice::in_favour : in_favour > against; }
  std::string text() const;
};
Tally tally_of(const storage::Reader& reader, const Meeting& meeting, const Resolution& resolution,
               UtcTime now);

// The decision, if it was carried, is of one of the kinds (separated by /), is about exactly
// `subject` ("recovery-case/7") and was not rescinded. Refuses pma-decision.
Result<Resolution> approved_decision(const storage::Reader& reader, DecisionId decision,
                                     std::string_view kinds, std::string_view subject);

}  // namespace wattseal::smki
