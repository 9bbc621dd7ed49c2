#include "smki/performance.h"

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "smki/records.h"
#include "smki/repository_routes.h"
#include "terms/facts.h"
#include "terms/terms.h"

namespace wattseal::smki {
namespace {

struct RawCredit {
  std::string_view measure, below, credit, meaning, source, in_force_from;
};
constexpr RawCredit kRawCredits[] = {
#include "tables/service_credits.inc"
};
constexpr auto kCredits = [] {
  std::array<CreditRow, std::size(kRawCredits)> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = {kRawCredits[i].measure, kRawCredits[i].meaning, to_unsigned(kRawCredits[i].below),
               to_unsigned(kRawCredits[i].credit)};
  return rows;
}();

constexpr unsigned kWhole = 10'000;

std::optional<unsigned> level(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return {};
  return static_cast<unsigned>(part * kWhole / whole);
}

UtcTime midnight(int year, int month) {
  const UtcTime shown = UtcTime::from_civil({year, month, 1, 0, 0, 0}).value();
  return shown.plus_seconds(uk_summer_time(shown) ? -3600 : 0);  // the clocks change at 01:00
}

// A submission as its two facts tell it.
struct Request {
  std::uint64_t batch = 0, rows = 0, held = 0;
  std::optional<Eui64> subscriber;
  std::int64_t received = 0;  // milliseconds since 1970
  std::optional<std::int64_t> answered;
  UtcTime due;
  bool in_time(std::int64_t at) const { return at <= due.unix_seconds() * 1000; }
};

struct Found {
  std::map<std::uint64_t, Request> requests;  // received in the month, by batch
  std::map<std::uint64_t, Maintenance> maintenance;
  Delivery repository;
};

void take_submission(const FactView& fact, const Month& month, Found& found) {
  if (fact.at() < month.begins() || fact.at() >= month.ends() || !fact.find(FactField::due)) return;
  Request request;
  request.batch = fact.number(FactField::batch);
  request.rows = fact.number(FactField::count);
  request.subscriber = fact.eui(FactField::subscriber);
  request.received = static_cast<std::int64_t>(fact.number(FactField::at_milliseconds));
  request.due = UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(FactField::due)));
  found.requests.emplace(request.batch, request);
}

void take_completion(const FactView& fact, std::int64_t until, Found& found) {
  const auto request = found.requests.find(fact.number(FactField::batch));
  const std::int64_t at = static_cast<std::int64_t>(fact.number(FactField::at_milliseconds));
  if (request == found.requests.end() || at > until) return;
  request->second.answered = at;
  request->second.held = fact.number(FactField::held);
}

void take_maintenance(const FactView& fact, Found& found) {
  const auto time = [&](FactField field) {
    return UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(field)));
  };
  Maintenance one;
  one.id = fact.number(FactField::maintenance);
  one.from = time(FactField::effective_from);
  one.until = time(FactField::effective_until);
  one.announced = fact.at();
  found.maintenance[one.id] = one;
}

// What was cancelled after it began took place until then.
void take_cancellation(const FactView& fact, Found& found) {
  const auto one = found.maintenance.find(fact.number(FactField::maintenance));
  if (one == found.maintenance.end()) return;
  one->second.until = std::min(one->second.until, fact.at());
  if (one->second.until <= one->second.from) found.maintenance.erase(one);
}

// Counts of one hour; months begin at whole hours.
void take_access(const FactView& fact, const Month& month, Found& found) {
  const UtcTime hour =
      UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(FactField::effective_from)));
  if (hour < month.begins() || hour >= month.ends() ||
      !delivers(fact.text(FactField::interface), fact.text(FactField::query)))
    return;
  const std::uint64_t requests = fact.number(FactField::count) + fact.number(FactField::refused);
  found.repository.received += requests;
  (fact.find(FactField::event) ? found.repository.late : found.repository.in_time) += requests;
}

Found read_journal(const storage::Reader& journal, const Month& month, UtcTime now) {
  Found found;
  journal.journal(1, [&](const storage::JournalEntry& entry) {
    const Result<FactView> fact = FactView::read(entry.fact);
    if (!fact.ok()) return true;
    if (fact->kind() == FactKind::batch_submitted) take_submission(*fact, month, found);
    if (fact->kind() == FactKind::batch_completed)
      take_completion(*fact, (now.unix_seconds() + 1) * 1000 - 1, found);
    if (fact->kind() == FactKind::repository_accessed) take_access(*fact, month, found);
    if (fact->kind() == FactKind::maintenance_planned) take_maintenance(*fact, found);
    if (fact->kind() == FactKind::maintenance_cancelled) take_cancellation(*fact, found);
    return true;
  });
  return found;
}

void count(Delivery& delivery, const Request& request, UtcTime now) {
  delivery.received += request.rows;
  delivery.held += request.held;
  const std::uint64_t rows = request.rows - std::min(request.held, request.rows);
  if (request.answered)
    (request.in_time(*request.answered) ? delivery.in_time : delivery.late) += rows;
  else
    (now > request.due ? delivery.unanswered_late : delivery.unanswered) += rows;
}

// The age by which each share of the answered requests had its answer.
std::vector<AgePoint> tail_of(std::vector<std::pair<std::int64_t, std::uint64_t>> ages) {
  std::ranges::sort(ages);
  std::uint64_t total = 0;
  for (const auto& [age, rows] : ages) total += rows;
  std::vector<AgePoint> points;
  for (const unsigned share :
       {9900u, 9910u, 9920u, 9930u, 9940u, 9950u, 9960u, 9970u, 9980u, 9990u, 9999u, kWhole}) {
    const std::uint64_t wanted = (total * share + kWhole - 1) / kWhole;
    std::uint64_t passed = 0;
    for (const auto& [age, rows] : ages) {
      passed += rows;
      if (passed < wanted) continue;
      points.push_back({static_cast<double>(share) / kWhole, age});
      break;
    }
  }
  return points;
}

Availability availability_of(const Found& found, UtcTime from, UtcTime until) {
  Availability out;
  if (until <= from) return out;
  out.window_seconds = window_seconds(from, until);
  // Overlapping maintenance counts once; where the notices differ, the better one.
  std::vector<Maintenance> all;
  for (const auto& [id, one] : found.maintenance) all.push_back(one);
  std::vector<UtcTime> edges{from, until};
  for (const Maintenance& one : all) {
    for (const UtcTime edge : {one.from, one.until}) {
      if (from < edge && edge < until) edges.push_back(edge);
    }
  }
  std::ranges::sort(edges);
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    bool any = false, with_notice = false;
    for (const Maintenance& one : all) {
      if (!one.covers(edges[i])) continue;
      any = true;
      with_notice = with_notice || one.with_notice();
    }
    if (any)
      (with_notice ? out.maintenance_seconds : out.short_notice_seconds) +=
          window_seconds(edges[i], edges[i + 1]);
  }
  return out;
}

}  // namespace

Result<Month> Month::parse(std::string_view text) {
  Month month;
  const auto read = [&](std::size_t at, std::size_t digits, int& value) {
    const char* const end = text.data() + at + digits;
    return std::from_chars(text.data() + at, end, value).ptr == end && value > 0;
  };
  if (text.size() != 7 || text[4] != '-' || !read(0, 4, month.year) || !read(5, 2, month.month) ||
      month.year < 1996 || month.month > 12)
    return Refusal{"performance-month"_rule, "'" + std::string(text.substr(0, 20)) + "'", "month"};
  return month;
}
Month Month::of(UtcTime at) {
  const CivilTime civil = uk_civil(at);
  return {civil.year, civil.month};
}
UtcTime Month::begins() const { return midnight(year, month); }
UtcTime Month::ends() const {
  return month == 12 ? midnight(year + 1, 1) : midnight(year, month + 1);
}
std::string Month::text() const {
  return std::to_string(year) + (month < 10 ? "-0" : "-") + std::to_string(month);
}

std::optional<unsigned> Delivery::level_basis_points() const { return level(in_time, measured()); }

std::optional<unsigned> Availability::level_basis_points() const {
  const std::int64_t promised = window_seconds - maintenance_seconds;
  return level(static_cast<std::uint64_t>(promised - short_notice_seconds),
               static_cast<std::uint64_t>(promised));
}

std::span<const CreditRow> service_credits() { return kCredits; }

unsigned credit_basis_points(std::string_view measure, std::optional<unsigned> level_basis_points) {
  unsigned credit = 0;
  for (const CreditRow& row : kCredits) {
    if (row.measure == measure && level_basis_points &&
        *level_basis_points < row.below_basis_points)
      credit = std::max(credit, row.credit_basis_points);
  }
  return credit;
}

unsigned cpm7_target() { return static_cast<unsigned>(limit("cpm7_target_percent")) * 100; }
unsigned cpm7_minimum() { return static_cast<unsigned>(limit("cpm7_minimum_percent")) * 100; }
unsigned cpm8_target() { return static_cast<unsigned>(limit("cpm8_target_percent")) * 100; }
unsigned cpm8_minimum() { return static_cast<unsigned>(limit("cpm8_minimum_percent")) * 100; }

Performance measure_performance(const storage::Reader& journal, const Month& month, UtcTime now) {
  Performance out;
  out.month = month;
  out.until = std::min(now, month.ends());
  const Found found = read_journal(journal, month, now);
  std::vector<std::pair<std::int64_t, std::uint64_t>> ages;
  const Request* oldest = nullptr;
  for (const auto& [id, request] : found.requests) {
    count(request.rows == 1 ? out.singles : out.batched, request, now);
    count(out.all, request, now);
    if (request.answered)
      ages.emplace_back(*request.answered - request.received, request.rows);
    else if (!oldest || request.received < oldest->received)
      oldest = &request;
  }
  out.tail = tail_of(std::move(ages));
  if (oldest)
    out.oldest = Unanswered{oldest->batch, oldest->rows, oldest->subscriber,
                            now.unix_seconds() * 1000 - oldest->received, oldest->due};
  out.repository = found.repository;
  out.availability = availability_of(found, month.begins(), out.until);
  out.credit_basis_points = credit_basis_points("cpm7", out.all.level_basis_points());
  return out;
}

namespace {

using nlohmann::json;

json level_json(std::optional<unsigned> basis_points) {
  return basis_points ? json(*basis_points / 100.0) : json("no activity");
}
json to_json(const Delivery& delivery) {
  return {{"received", delivery.received},
          {"in_time", delivery.in_time},
          {"late", delivery.late},
          {"overdue", delivery.unanswered_late},
          {"waiting", delivery.unanswered},
          {"held", delivery.held},
          {"level_percent", level_json(delivery.level_basis_points())}};
}

}  // namespace

json to_json(const Performance& report) {
  json tail = json::array();
  for (const AgePoint& point : report.tail)
    tail.push_back({{"share", point.share}, {"milliseconds", point.milliseconds}});
  json out{{"month", report.month.text()},
           {"until", report.until.iso()},
           {"single", to_json(report.singles)},
           {"batched", to_json(report.batched)},
           {"all", to_json(report.all)},
           {"cpm7",
            {{"level_percent", level_json(report.all.level_basis_points())},
             {"target_percent", cpm7_target() / 100.0},
             {"minimum_percent", cpm7_minimum() / 100.0}}},
           {"repository", to_json(report.repository)},
           {"cpm8",
            {{"level_percent", level_json(report.repository.level_basis_points())},
             {"target_percent", cpm8_target() / 100.0},
             {"minimum_percent", cpm8_minimum() / 100.0}}},
           {"service_credit_percent", report.credit_basis_points / 100.0},
           {"tail", tail},
           {"availability",
            {{"level_percent", level_json(report.availability.level_basis_points())},
             {"window_seconds", report.availability.window_seconds},
             {"maintenance_seconds", report.availability.maintenance_seconds},
             {"short_notice_seconds", report.availability.short_notice_seconds}}}};
  if (report.oldest) {
    out["oldest_unanswered"] = {{"batch", report.oldest->batch},
                                {"requests", report.oldest->rows},
                                {"age_milliseconds", report.oldest->age_milliseconds},
                                {"due", report.oldest->due.iso()}};
    if (report.oldest->subscriber)
      out["oldest_unanswered"]["subscriber"] = report.oldest->subscriber->text();
  }
  return out;
}

}  // namespace wattseal::smki
