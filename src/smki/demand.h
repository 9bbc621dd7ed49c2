// Demand for signing requests of Device Certificates, as its subscribers announce it. Under profile
// sec-2014 each Authorised Subscriber forecasts every quarter the coming eight months, single and
// batched requests; it may revise, every revision is kept, and a month is tested against the latest
// revision lodged before it began. Under sec-current there are no forecasts: a subscriber gives
// notice before a month that will be far above its own average. Numbers, days and thresholds are
// dated rows of data/demand_parameters.tsv. Source: L8; ¶45 to ¶49; spec/smki.md 5.2; D-01 to D-09.
// Months and days are those of UK clocks. Durable when a call returns. Threads: any. Rules:
// demand-*.
#pragma once
#include <map>

#include "smki/office.h"
#include "smki/performance.h"
#include "storage/changes.h"
#include "terms/facts.h"

namespace wattseal::smki {

struct DemandParameterRow {
  std::string_view profile, name, value, unit, meaning, source, in_force_from;
};
std::span<const DemandParameterRow> demand_parameter_rows();

// What applies at one moment.
class DemandRules {
 public:
  // Of this profile, or of the one that stands when it is empty. Refuses demand-profile when it is
  // unknown or not in force yet.
  static Result<DemandRules> at(std::string_view profile, UtcTime moment,
                                std::span<const DemandParameterRow> rows = demand_parameter_rows());
  const std::string& profile() const { return profile_; }
  bool by_forecast() const { return number("duty") == 1; }
  std::uint64_t number(std::string_view name) const;  // CHECKs that the profile has it
  const DemandParameterRow* row(std::string_view name) const;

 private:
  std::string profile_, day_;
  std::span<const DemandParameterRow> rows_;
};

struct RequestCount {
  std::uint64_t single = 0, batched = 0;
  std::uint64_t total() const { return single + batched; }
  RequestCount& operator+=(const RequestCount& more);
  friend bool operator==(const RequestCount&, const RequestCount&) = default;
};
struct MonthForecast {
  Month month;
  RequestCount requests;
  friend bool operator==(const MonthForecast&, const MonthForecast&) = default;
};

// A round of forecasts begins every lodging_interval_months.
struct DemandRound {
  Month begins;
  std::vector<Month> months;  // that a forecast of it covers
  UtcTime due;                // what is lodged later is marked, not refused
};
DemandRound demand_round(const DemandRules& rules, UtcTime now);

struct Forecast {
  Eui64 subscriber;
  Month round;
  std::uint32_t revision = 1;
  std::vector<MonthForecast> months;
  UtcTime lodged_at, due;
  PersonId person = 0;
  bool late() const { return lodged_at >= due; }
};
struct DemandNotice {
  Eui64 subscriber;
  Month month;
  std::uint32_t number = 1;
  std::uint64_t expected = 0;
  std::string reason;
  UtcTime given_at;
  PersonId person = 0;
};

class Demand {
 public:
  // `profile`: for a service of another profile than the one that stands.
  Demand(const World& world, storage::Store& store, std::string profile = {});

  // The same months again give the same revision. Refuses demand-profile, ra-unknown-subscriber,
  // demand-not-subscriber, ra-officer-required, demand-months, demand-number, demand-revisions,
  // demand-race.
  Result<Forecast> lodge(Eui64 subscriber, const std::vector<MonthForecast>& months,
                         const Actor& actor, TraceId trace);
  // Refuses as lodge(), and demand-notice-late.
  Result<DemandNotice> give_notice(Eui64 subscriber, const Month& month, std::uint64_t expected,
                                   std::string_view reason, const Actor& actor, TraceId trace);
  Result<DemandRules> rules() const;

  // What the facts of this module do to the tables.
  static void replay(storage::Changes& rows, const FactView& fact);

 private:
  Status check_subscriber(Eui64 subscriber, const Actor& actor, UtcTime now) const;
  const World& world_;
  storage::Store& store_;
  const std::string profile_;
};

// By subscriber, round and revision; of all subscribers without one.
std::vector<Forecast> forecasts(const storage::Reader& reader, std::optional<Eui64> subscriber);
std::vector<DemandNotice> notices(const storage::Reader& reader, std::optional<Eui64> subscriber);
// The latest forecast of a month that was lodged before it began.
struct ForecastInForce {
  RequestCount requests;
  const Forecast* from = nullptr;
};
std::optional<ForecastInForce> forecast_in_force(std::span<const Forecast> of_one_subscriber,
                                                 const Month& month);
// Whether a party may subscribe for Device Certificates at all.
bool forecasts_demand(const Party& party);

struct Withheld {
  ActId act = 0;
  UtcTime at;
  std::string reason;
};
// What the Panel decided not to publish of a month, by subscriber.
std::map<Eui64, Withheld> withheld_of(const storage::Reader& reader, const Month& month);

// Lines "2026-05 10 20" (tabs, commas or spaces; # begins a comment): month, single, batched.
// Refuses demand-input.
Result<std::vector<MonthForecast>> read_month_lines(std::string_view text);

}  // namespace wattseal::smki
