// Keys, records and acts of the SMKI PMA, its document set and assurance. What a fact does to the
// tables is written once, in replay_governance(): an act makes its facts and replays them, so that
// tables made again are the same. Private to smki.
#pragma once
#include "smki/assurance.h"
#include "smki/office_records.h"
#include "storage/changes.h"

namespace wattseal::smki {

// Adds facts and what they do to the batch, which fails with office-race when another act of
// governance came first.
void put_governance(const ActScene& scene, storage::Batch& batch, std::span<const Bytes> facts);
void put_governance(const ActScene& scene, storage::Batch& batch, const Bytes& fact);
void replay_governance(storage::Changes& rows, const FactView& fact);
// Counts the facts of governance; every commit of one requires the count before.
inline constexpr std::string_view kGovernanceFacts = "governance_facts";

// Parts of the replay.
void replay_pma(storage::Changes& rows, const FactView& fact);
void replay_assurance(storage::Changes& rows, const FactView& fact);
void replay_document_set(storage::Changes& rows, const FactView& fact);
// What a carried resolution does beside standing: approvals, providers, deadlines, rescissions.
void replay_decision(storage::Changes& rows, const Resolution& resolution, UtcTime at);

std::span<const ActHandler> pma_seat_acts();
std::span<const ActHandler> pma_meeting_acts();
std::span<const ActHandler> document_set_acts();
std::span<const ActHandler> assurance_acts();

// That an alternate's organisation is not the member's nor an affiliate. Refuses
// pma-alternate-independence.
Status check_independent(const storage::Reader& reader, const SeatHolder& member,
                         const std::string& organisation);

// That a resolution of this kind may be about it. Refuses pma-subject, assurance-independence.
Status check_subject(const ActScene& scene, const ResolutionKindRow& kind,
                     const std::string& subject);

// That an assurance provider is no Party, no affiliate of one and none of the SMKI Specialist's
// organisation. Refuses assurance-independence.
Status check_provider(const storage::Reader& reader, const std::string& provider);

// ---- keys and records

Bytes number_key(std::uint64_t number);
Bytes seat_key(std::string_view seat, bool alternate);
Bytes affiliation_key(std::string_view one, std::string_view other);  // in either order
Bytes milestone_key(std::string_view milestone);
Bytes deadline_key(std::string_view document);
Bytes approval_key(std::string_view document, std::uint64_t version);
Bytes review_key(std::string_view document);
Bytes provider_key(std::string_view provider);
Bytes assessor_key(PersonId assessor);  // -> provider
Bytes assessment_key(std::uint64_t assessment);
Bytes finding_key(std::uint64_t assessment, std::uint64_t finding);

Bytes to_record(const SeatHolder& holder);
SeatHolder to_seat_holder(BytesView key, BytesView record);
Bytes to_record(const Meeting& meeting);
Meeting to_meeting(std::uint64_t id, BytesView record);
Bytes to_record(const Resolution& resolution);
Resolution to_resolution(DecisionId id, BytesView record);
Bytes to_record(const Assessment& assessment);
Assessment to_assessment(std::uint64_t id, BytesView record);
Bytes to_record(const Finding& finding);
Finding to_finding(BytesView key, BytesView record);
// A day and the decision by which it is so, if one was needed; the name of what is dated.
struct Dated {
  UtcTime at;
  DecisionId decision = 0;
  std::string name = {};
};
Bytes to_record(const Dated& dated);
Dated to_dated(BytesView record);

// The record of a row, or of nothing.
template <typename Reader>
std::optional<Dated> find_dated(const Reader& reader, storage::Table table, BytesView key) {
  const std::optional<Bytes> record = reader.get(table, key);
  return record ? std::optional(to_dated(*record)) : std::nullopt;
}

// ---- small things that the acts share

// One spelling for texts that differ in case and blanks only.
std::string folded(std::string_view text);
std::string particular(const nlohmann::json& payload, const char* field);
// A whole number from 1 on; nothing when it is none.
std::optional<std::uint64_t> number_of(std::string_view text);
// The start of a day "yyyy-mm-dd".
std::optional<UtcTime> day_of(std::string_view text);
// The same day so many months later or earlier; the last of its month where there is none.
UtcTime months_later(UtcTime day, int months);
// The next number of a table whose keys are numbers, after an optional prefix octet.
std::uint64_t next_number(const storage::Reader& reader, storage::Table table, BytesView prefix);
// "document/rapp/3" -> {"document", "rapp", "3"}.
std::vector<std::string> parts_of(std::string_view subject);

}  // namespace wattseal::smki
