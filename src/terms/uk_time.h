// Clocks in the United Kingdom: UTC in winter, an hour ahead from the last Sunday of March 01:00
// UTC until the last Sunday of October 01:00 UTC. Source: The Summer Time Order 2002 (SI 2002/262),
// in force since 1996 in effect; for the field spec/smki.md 5.2 (edge cases). Pure; range: year
// 1996 on (before, winter time is given). Threads: any.
#pragma once
#include "base/time.h"

namespace wattseal {

bool uk_summer_time(UtcTime at);
CivilTime uk_civil(UtcTime at);
// The instant at which UK clocks show this hour of this day; day may run over the end of the month.
// Hour 3 to 23, which no change of the clocks repeats or skips.
UtcTime uk_instant(int year, int month, int day, int hour);

}  // namespace wattseal
