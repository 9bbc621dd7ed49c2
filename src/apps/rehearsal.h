// A rehearsal of a recovery (V-10): an estate of emulated devices, a Supplier that failed or a root
// that is lost, and every step from the notice to the closed case, by people of a registration
// authority that a witnessed ceremony appointed. It may be killed at any moment and run again with
// the same folder: it goes on where it was, with the same devices. It says how long each part took,
// writes the report and figures to plot, and proves its journal. Throws Fault when something does
// not come out as it must. Source: L10.1; spec/smki.md 6; docs/flows/recovery.md.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "apps/console.h"
#include "base/result.h"

namespace wattseal::apps {

struct RehearsalOptions {
  std::filesystem::path folder;   // of everything; empty at first
  std::filesystem::path program;  // this one, to start the estate with
  std::string method = "method-3";
  std::size_t devices = 1000;      // of the failed Supplier, or of the street
  unsigned away_per_myriad = 200;  // of them are away for a time
  std::int64_t away_seconds = 60;
  std::int64_t answer_seconds = 10, retry_seconds = 15;
  std::string keys = "file";
  bool keep_estate = false;
};
// The report: what wattseal recovery report says, and "rehearsal": seconds of each part, the
// estate's own word on what it holds, the journal's proof.
nlohmann::json rehearse(const World& world, const RehearsalOptions& options, bool quiet);

}  // namespace wattseal::apps
