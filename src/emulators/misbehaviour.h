// How a device can be wrong, as data: rows of data/emulated_misbehaviours.tsv name one or more of
// these. Everything is drawn from the device's own world, so that one seed repeats it. Refuses
// emulator-misbehaviour.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace wattseal::emulators {

struct Misbehaviour {
  unsigned lost_per_cent = 0;       // answers that never leave though the command was executed
  unsigned deaf_per_cent = 0;       // commands that are not heard at all
  unsigned slow_seconds = 0;        // answers wait so long
  unsigned wrong_mac_per_cent = 0;  // answers whose MAC or signature is wrong
  unsigned stale_per_cent = 0;      // answers that name the counter before the command's
  unsigned twice_per_cent = 0;      // answers that are sent twice
  int drift_per_million = 0;        // the clock gains, or loses, so much
  unsigned storm_alerts = 0;        // at every tick so many alerts leave
};

struct MisbehaviourRow {
  std::string_view name, settings, title, source, in_force_from;
};
std::span<const MisbehaviourRow> misbehaviours();

// "silent", "slow", … (a row's name), or settings of one's own: "lost=20,slow=5". Several are
// joined with commas; what is named later wins.
Result<Misbehaviour> parse_misbehaviour(std::string_view text);

}  // namespace wattseal::emulators
