// The main job, end to end, through the same code and interfaces that a production deployment uses:
// ceremony, parties, devices, repository, enrolment, reads, a top-up, critical commands, credential
// update, refusals, audit.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "apps/platform.h"
#include "apps/storm.h"
#include "emulators/misbehaviour.h"

namespace wattseal::apps {

struct DemoOptions {
  std::size_t premises = 1000;  // 1 to 100,000
  PlatformOptions platform;
  StormOptions storm;               // with alerts: a step after the tour
  std::filesystem::path storm_tsv;  // its plot data; empty: nowhere
  std::filesystem::path json;       // where the summary is written; empty: nowhere
  bool tour = false;                // a day at the first premises, too: see tour.h
  bool stay = false;                // leave everything running until interrupted
  bool quiet = false;
  emulators::Misbehaviour misbehaviour = {};  // of all devices, once the tour is over; with stay
  std::function<void()> wait_for_end;  // blocks until the program is asked to end; used with stay
};
// Returns the summary. Throws Fault when a step does not come out as it must, naming it.
nlohmann::json run_demo(const World& world, const DemoOptions& options);

}  // namespace wattseal::apps
