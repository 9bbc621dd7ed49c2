// What a recovery case was, as data: steps with their signatures, how far the order reached, how
// each minute of the run went, retries, what did not recover, costs, and what of the journal proves
// it. Read-only; one reader's moment. Source: V-04, V-10, V-12; L10.1 (periodic testing).
#pragma once
#include <nlohmann/json.hpp>

#include "recovery/recovery.h"

namespace wattseal::recovery {

struct Minute {
  std::uint64_t minute = 0;  // since the order began to be executed, or other span of time
  std::uint64_t sent = 0, recovered = 0, unanswered = 0, failed = 0;
};
struct RunReport {
  std::vector<Minute> minutes;                         // those in which anything happened
  std::map<std::uint64_t, std::uint64_t> by_attempts;  // recovered devices by commands they took
  std::uint64_t commands = 0;
  std::optional<UtcTime> began, last_recovered;
  std::uint64_t first_fact = 0, last_fact = 0;  // of the case, in the journal
};
RunReport read_run(const storage::Reader& reader, const Case& one, std::int64_t span_seconds = 60);

nlohmann::json to_json(const Case& one);
nlohmann::json to_json(const Tally& tally);
nlohmann::json to_json(const Radius& radius);
nlohmann::json to_json(const Progress& progress);
nlohmann::json to_json(const Note& note);
nlohmann::json to_json(const Holdings& holdings);
nlohmann::json to_json(const Order& order);
// Everything of one case. `journal` is what the caller knows of the journal's proof.
nlohmann::json report_json(const storage::Reader& reader, const Case& one,
                           const std::optional<crypto::PublicPoint>& record_key);
// Compromises, methods, steps and kinds of notes, as the tables have them.
nlohmann::json tables_json();

}  // namespace wattseal::recovery
