// What subscribers requested against what they announced, and what each may have when all ask for
// more than there is. Requests are counted from the journal by the UK month of their receipt:
// everything submitted but what became an Organisation Certificate. A month is tested on totals, in
// whole numbers: a subscriber is named at exactly over_percent and at exactly under_percent; a
// forecast of nothing is met by nothing and exceeded by anything; no forecast at all is `absent`,
// which is named. Source: L8; ¶45 to ¶49; spec/smki.md 5.2; D-02 to D-05, D-08, D-09. Rules:
// demand-*.
#pragma once
#include <mutex>
#include <nlohmann/json_fwd.hpp>

#include "smki/demand.h"

namespace wattseal::smki {

// Counts by month and subscriber. It remembers how far it has read. Threads: any.
class DemandCounts {
 public:
  // Reads what the journal gained, up to `last_fact` (0: all of it). A smaller one than before
  // CHECKs.
  void read(const storage::Reader& reader, std::uint64_t last_fact = 0);
  RequestCount of(const Month& month, Eui64 subscriber) const;
  std::map<Eui64, RequestCount> of(const Month& month) const;  // of those who asked
  std::uint64_t facts() const;                                 // how many were read

 private:
  mutable std::mutex mutex_;
  std::uint64_t next_ = 1;
  std::map<std::pair<int, Eui64>, RequestCount> counts_;  // by Month::index
};

enum class Verdict { within, over, under, absent, exceptional, announced, no_history };
std::string_view text(Verdict verdict);
// Of forecasts. Needs rules by forecast.
Verdict verdict_of(const DemandRules& rules, std::uint64_t actual,
                   std::optional<std::uint64_t> forecast);
// Beyond so much of the mean of `months` months of `sum` requests. Needs rules by notice.
bool is_exceptional(const DemandRules& rules, std::uint64_t actual, std::uint64_t sum,
                    unsigned months);

struct DemandRow {
  Eui64 subscriber;
  std::string name;
  RequestCount actual;
  std::optional<RequestCount> forecast;  // sec-2014
  std::uint32_t revision = 0;
  bool late = false;                // lodged after the round's deadline
  std::uint64_t history_total = 0;  // sec-current: of so many months before
  unsigned history_months = 0;
  std::optional<std::uint64_t> announced;  // by the latest notice given before the month's end
  Verdict verdict = Verdict::within;
  std::optional<Withheld> withheld;
  bool named() const;  // in the report to the Panel
  // Of forecast or own average, hundredths of a per cent rounded down; nothing to divide by: none.
  std::optional<std::uint64_t> basis_points() const;
};
struct DemandReport {
  Month month;
  DemandRules rules;
  UtcTime until;                  // the report's moment, or the month's end
  UtcTime due;                    // when it is published
  RequestCount actual, forecast;  // of all
  bool relief = false;            // the DCC is not held to its targets
  std::vector<DemandRow> rows;    // by subscriber: who must forecast, who did, who asked
};
// Refuses demand-profile.
Result<DemandReport> report_demand(const storage::Reader& reader, const DemandCounts& counts,
                                   std::string_view profile, const Month& month, UtcTime now);

// For whom a report is written. The Panel sees everything; a subscriber its own row and the
// aggregate; everyone the aggregate and the named whom the Panel does not withhold, without their
// numbers.
struct DemandAudience {
  bool panel = false;
  std::optional<Eui64> subscriber = {};
};
nlohmann::json to_json(const DemandReport& report, const DemandAudience& audience);

// A forecast from the subscriber's own history: the mean of the complete months before, rounded up,
// with the least and the greatest of them. Without history: nothing, for every month.
struct Prefill {
  DemandRound round;
  std::vector<Month> basis;
  RequestCount expected, least, greatest;
};
Result<Prefill> prefill_forecast(const DemandCounts& counts, const DemandRules& rules,
                                 Eui64 subscriber, UtcTime now);

// ---- excess demand

struct Claim {
  Eui64 subscriber;
  std::uint64_t asked = 0;
  std::uint64_t announced = 0;  // what it forecast; sec-current: its own average
};
struct Share {
  Eui64 subscriber;
  std::uint64_t within = 0;  // of what it announced
  std::uint64_t beyond = 0;
  std::uint64_t total() const { return within + beyond; }
};
// Divides `capacity`. First everyone has what it asked within what it announced; where that is too
// much already, in proportion to what was announced. What is left goes to those who ask for more,
// in equal parts, nobody more than it asked. A remainder of single requests goes by an order that
// each month draws anew (SHA-256 of month and EUI-64), so that nobody is always first. The same
// claims give the same shares. In the order of `claims`, whose subscribers are distinct and whose
// numbers are at most 10^12.
std::vector<Share> allocate_capacity(std::span<const Claim> claims, std::uint64_t capacity,
                                     const Month& month);

struct DemandAllocation {
  Month month;
  std::string profile;
  std::uint64_t capacity = 0, facts = 0;  // of the journal up to that fact: replays it
  std::vector<Claim> claims;
  std::vector<Share> shares;
};
// `capacity` 0: the row capacity_requests. Refuses demand-profile.
Result<DemandAllocation> allocate_demand(const storage::Reader& reader, const DemandCounts& counts,
                                         std::string_view profile, const Month& month,
                                         std::uint64_t capacity, UtcTime now);
nlohmann::json to_json(const DemandAllocation& allocation);

}  // namespace wattseal::smki
