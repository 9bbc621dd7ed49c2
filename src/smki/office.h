// The registration office: people, organisations and what it takes to change them. Every act is
// proposed by one person, approved by others as data/acts.tsv demands, and takes effect with the
// last approval in one atomic commit: nobody approves what he proposed or what concerns himself,
// nobody counts twice, nobody whose appointment or screening lapsed counts at all. Proposals,
// approvals, rejections and effects are journal facts. Source: L3; RAPP; spec/smki.md 4; K-06 to
// K-08, K-19. Durable when a call returns. Threads: any. Rules: office-*.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "smki/ra.h"

namespace wattseal::smki {

struct PersonRoleRow {
  std::string_view id, of;  // of: "party", "ra" or "pma"
  int appointed_days;
  std::string_view meaning;
};
struct ApprovalGroup {
  std::string_view roles;  // "ra-personnel/ra-manager"
  unsigned people = 0;
};
struct ActRow {
  std::string_view id, meaning, proposers;
  std::vector<ApprovalGroup> approvals() const;  // empty: takes effect at once
  std::string_view approvals_text;
  int valid_hours;
  std::string_view source;
};
std::span<const ActRow> act_rows();
// The particulars that an act of this kind takes: "party,name,roles?", ? where it may be absent.
std::string_view act_fields(std::string_view kind);
std::span<const PersonRoleRow> person_roles();

struct GroundsRow {
  std::string_view id;
  unsigned reason;
  std::string_view requesters, meaning;
};
std::span<const GroundsRow> revocation_grounds();

enum class PersonState { appointed, suspended, removed };
std::string_view text(PersonState state);
struct Person {
  PersonId id = 0;
  std::string name, role;      // role: of data/person_roles.tsv
  std::optional<Eui64> party;  // whose officer; absent: the registration authority's or PMA's own
  PersonState state = PersonState::appointed;
  UtcTime appointed_until;  // screening and appointment lapse together
  std::string credential;   // SHA-256 of the client certificate in hex; empty: none yet
  bool may_act(UtcTime now) const {
    return state == PersonState::appointed && now < appointed_until;
  }
};
// What the person's role is of: "party", "ra" or "pma".
std::string_view belongs_to(const Person& person);

enum class ActState { open, done, rejected, lapsed };
std::string_view text(ActState state);
struct Act {
  ActId id = 0;
  std::string kind;
  std::string payload;  // JSON object, as proposed
  ActState state = ActState::open;
  PersonId proposer = 0;
  std::vector<PersonId> approvers;
  UtcTime proposed_at, lapses_at;
  std::string reason;  // of a rejection
};

// Who does something, and from where.
struct Actor {
  PersonId person = 0;
  std::string address;
};

// A person recorded at a founding ceremony, before there is anybody who could appoint.
struct Founder {
  std::string name, role;  // role: of the registration authority, in data/person_roles.tsv
};

class Office {
 public:
  Office(const World& world, storage::Store& store);

  // The first people: at least two managers, recorded at the ceremony. Refuses office-founded when
  // there are people.
  Result<std::vector<PersonId>> found(const std::vector<std::string>& managers, TraceId trace);

  // Refuses office-act-unknown, office-person, office-proposer, office-payload and what the act
  // itself refuses; an act that needs no approval is done when it returns.
  Result<ActId> propose(std::string_view kind, const nlohmann::json& payload, const Actor& actor,
                        TraceId trace);
  // Returns the state after it. Refuses office-act-unknown, office-act-closed, office-approver,
  // office-self, office-twice; what the act has become impossible for in the meantime.
  Result<ActState> approve(ActId act, const Actor& actor, TraceId trace);
  Status reject(ActId act, std::string_view reason, const Actor& actor, TraceId trace);

  Result<Act> act(ActId id) const;
  std::vector<Act> acts(std::optional<ActState> state) const;  // newest first, at most 1,000
  Result<Person> person(PersonId id) const;
  // Who shows this client certificate and may act now. Refuses office-credential, office-person.
  Result<Person> person_by_credential(BytesView certificate) const;
  std::vector<Person> people() const;

 private:
  const World& world_;
  storage::Store& store_;
};

// What each person did, from the journal alone. Source: K-19.
struct Activity {
  PersonId person = 0;
  std::uint64_t proposed = 0, approved = 0, rejected = 0, outside_service_window = 0;
  std::optional<UtcTime> last;
  std::vector<std::string> addresses;  // in order of first use
};
std::vector<Activity> officer_activity(const storage::Reader& reader, UtcTime from, UtcTime to);

}  // namespace wattseal::smki
