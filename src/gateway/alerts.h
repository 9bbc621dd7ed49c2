// Alerts on their way to users: which are delivered each by itself and which the DCC consolidates,
// as rows of data/alert_thresholds.tsv, and what users can see of it. A consolidation begins when a
// device has sent one user more alerts of one code than its row allows in the row's time; from then
// on they are held back. The user is told at the beginning (DCC alert N34) and, when the time is
// over, gets the last one held back with the number of those it stands for. Nothing is lost: every
// alert is a fact, and those held back stay listed with their octets. Values and pure functions; no
// I/O. Source: spec/features.md G-10, G-16; DUIS schema 5.4 (ThrottledAlertSequenceId, -Count).
#pragma once
#include <span>

#include "base/bytes.h"
#include "base/time.h"
#include "base/types.h"

namespace wattseal::gateway {

struct AlertThreshold {
  std::string_view id;
  std::string_view codes;    // four hexadecimal digits, joined with '/'; "*": the rest
  bool consolidate = false;  // else each is delivered
  std::uint64_t alerts = 0;  // so many are delivered …
  std::int64_t seconds = 0;  // … from the first of them on, in so many seconds
  std::string_view why, source;
};
std::span<const AlertThreshold> alert_thresholds();
const AlertThreshold& alert_threshold(std::string_view code);

// What one consolidation is about.
struct Consolidation {
  std::uint64_t number = 0;  // ThrottledAlertSequenceId, its last 32 bits
  Eui64 user, device;
  std::string code;         // four hexadecimal digits
  std::string threshold;    // row of data/alert_thresholds.tsv
  UtcTime from, until;      // the row's time: held back since, and told at
  std::uint64_t count = 0;  // alerts held back
  OriginatorCounter last;   // of the last one held back
  std::optional<UtcTime> told;
  Bytes encode() const;
  static Consolidation decode(BytesView octets);  // throws Fault when it is no such record
};

struct HeldBackAlert {
  UtcTime at;
  OriginatorCounter counter;
  Bytes message;  // as the device sent it
};

// A communications hub lost its supply, as its WAN provider says.
struct Outage {
  Eui64 hub;
  UtcTime since;
};

// The lanes that alerts leave by: alerts of one device keep their order as they have one lane.
inline constexpr unsigned kAlertLanes = 4;

}  // namespace wattseal::gateway
