// How well the SMKI service kept its promises in one calendar month, from the journal alone: Code
// Performance Measure 7 (certificates delivered within their target response time), the tail (the
// oldest unanswered request and the ages of the slowest hundredth), Code Performance Measure 8
// (what is lodged in the repository delivered within its target, as access_log.h counts it),
// availability in the service window and the service credit that follows. Months and windows are
// those of UK clocks. Counted are requests (rows), by the month of their receipt; the answer of a
// batched request is that of its batch. Rows that wait for people (data/acts.tsv) are counted
// apart: the wait is not the service's. Every division is by what is there: a month without
// requests has no level. Source: spec/smki.md 5.1; ¶50; K-09 to K-11. Rules: performance-month.
// Threads: any.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "base/types.h"
#include "smki/service_hours.h"

namespace wattseal::smki {

struct Month {
  int year = 0, month = 0;
  static Result<Month> parse(std::string_view text);  // "2026-05"; refuses performance-month
  static Month of(UtcTime at);                        // by UK clocks
  static Month from_index(int index) { return {index / 12, index % 12 + 1}; }
  int index() const { return year * 12 + month - 1; }  // of the months since year 0
  Month plus(int months) const { return from_index(index() + months); }
  friend auto operator<=>(const Month&, const Month&) = default;
  UtcTime begins() const;  // midnight by UK clocks
  UtcTime ends() const;
  std::string text() const;
};

// Requests of one kind by how they were answered.
struct Delivery {
  std::uint64_t received = 0, in_time = 0, late = 0;
  std::uint64_t unanswered_late = 0;  // due already
  std::uint64_t unanswered = 0;       // not due yet: in no level
  std::uint64_t held = 0;             // waited for people: in no level
  std::uint64_t measured() const { return in_time + late + unanswered_late; }
  // In hundredths of a per cent, rounded down; nothing without activity.
  std::optional<unsigned> level_basis_points() const;
};

struct AgePoint {
  double share = 0;               // of the answered requests, from the fastest: 0.99 …
  std::int64_t milliseconds = 0;  // answered within
};
struct Unanswered {
  std::uint64_t batch = 0, rows = 0;
  std::optional<Eui64> subscriber;
  std::int64_t age_milliseconds = 0;
  UtcTime due;
};

struct CreditRow {
  std::string_view measure, meaning;
  unsigned below_basis_points = 0, credit_basis_points = 0;
};
std::span<const CreditRow> service_credits();  // data/service_credits.tsv
// Of the month's charge for the service. Nothing is owed at the target exactly.
unsigned credit_basis_points(std::string_view measure, std::optional<unsigned> level_basis_points);

struct Availability {
  std::int64_t window_seconds = 0;        // of service windows in the month so far
  std::int64_t maintenance_seconds = 0;   // of them, in maintenance with notice: promised to nobody
  std::int64_t short_notice_seconds = 0;  // of them, in maintenance without notice: unavailable
  std::optional<unsigned> level_basis_points() const;
};

struct Performance {
  Month month;
  UtcTime until;  // the report's moment, or the month's end
  Delivery singles, batched, all;
  Delivery repository;         // requests for what is lodged there
  std::vector<AgePoint> tail;  // the slowest hundredth of the answered
  std::optional<Unanswered> oldest;
  Availability availability;
  unsigned credit_basis_points = 0;
};
unsigned cpm7_target();  // basis points
unsigned cpm7_minimum();
unsigned cpm8_target();
unsigned cpm8_minimum();
nlohmann::json to_json(const Performance& report);
Performance measure_performance(const storage::Reader& journal, const Month& month, UtcTime now);

}  // namespace wattseal::smki
