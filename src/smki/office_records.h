// How people and acts are stored, and what every kind of act checks and does. Private to smki.
#pragma once
#include <nlohmann/json.hpp>

#include "smki/office.h"
#include "smki/records.h"

namespace wattseal::smki {

Bytes to_record(const Party& party);
Party to_party(Eui64 id, BytesView octets);
std::optional<Party> find_party(const storage::Reader& reader, Eui64 id);

Bytes person_key(PersonId id);
Bytes to_record(const Person& person);
Person to_person(PersonId id, BytesView octets);
std::optional<Person> find_person(const storage::Reader& reader, PersonId id);
std::vector<Person> all_people(const storage::Reader& reader);

Bytes act_key(ActId id);
Bytes to_record(const Act& act);
Act to_act(ActId id, BytesView octets);
const ActRow* find_act_row(std::string_view kind);
bool has_role(std::string_view slash_list, std::string_view role);

// Draws numbers of a named counter of `meta` for one batch; the batch fails when somebody else drew
// at the same moment (refusal office-race: repeat).
class Numbers {
 public:
  Numbers(const storage::Reader& reader, std::string_view counter);
  std::uint64_t draw() { return next_++; }
  void put(storage::Batch& batch) const;

 private:
  Bytes key_;
  std::optional<Bytes> stored_;
  std::uint64_t first_, next_;
};

// Puts a new open act and its fact into the batch.
void add_act(storage::Batch& batch, const Act& act, const Actor& actor, TraceId trace);
Act make_act(ActId id, const ActRow& row, const nlohmann::json& payload, PersonId proposer,
             UtcTime now);

struct ActScene {
  const storage::Reader& reader;
  UtcTime now;
  TraceId trace;
};
// One kind of act. `check` is asked at the proposal (with its proposer) and again before the act
// takes effect.
struct ActHandler {
  std::string_view kind;
  std::string_view fields;  // "party,name,roles?": those and no others, texts of 1 to 400 octets
  Status (*check)(const ActScene& scene, const nlohmann::json& payload, const Person& proposer);
  void (*apply)(const ActScene& scene, storage::Batch& batch, const nlohmann::json& payload,
                const Act& act);
  // What a rejection undoes; null: nothing.
  void (*reject)(const ActScene& scene, storage::Batch& batch, const nlohmann::json& payload,
                 std::string_view reason) = nullptr;
};
const ActHandler& act_handler(std::string_view kind);
Status check_fields(const ActHandler& handler, const nlohmann::json& payload);

// A person as changed, with the fact of it.
void put_person(const ActScene& scene, storage::Batch& batch, const Person& person,
                std::string_view event);

// A person of this role, as an appointment makes one: name, screened_on and perhaps party of the
// payload. The row and the fact are in the batch.
Status check_appointment(const ActScene& scene, const nlohmann::json& payload,
                         std::string_view role);
Person appoint_person(const ActScene& scene, storage::Batch& batch, const nlohmann::json& payload,
                      std::string_view role);

// Puts the first people into the batch, which fails when somebody else did so first. Refuses
// office-founded when there are people.
Result<std::vector<PersonId>> put_founders(const ActScene& scene, storage::Batch& batch,
                                           const std::vector<Founder>& founders);

// The act for one held Organisation Certificate request; see RegistrationAuthority::decide.
inline constexpr std::string_view kIssueAct = "issue-organisation-certificate";
nlohmann::json issue_payload(BatchId batch, std::uint32_t row, const Asked& asked);

}  // namespace wattseal::smki
