#include "smki/demand_report.h"

#include <nlohmann/json.hpp>

#include "smki/office_records.h"
#include "terms/terms.h"
#include "terms/working_days.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

// The month of a submission, from when its fact says that it came.
Month month_of_receipt(std::uint64_t milliseconds) {
  return Month::of(UtcTime::from_unix_seconds(static_cast<std::int64_t>(milliseconds / 1000)));
}

bool is_organisation(const FactView& fact) {
  const CertificateProfile* const profile = find_certificate_profile(fact.text(FactField::profile));
  return profile != nullptr && profile->hierarchy == "organisation";
}

struct History {
  std::uint64_t total = 0;
  unsigned months = 0;
};
// Of complete months before, from the first of them with a request on.
History history_of(const DemandCounts& counts, const DemandRules& rules, const Month& month,
                   Eui64 subscriber) {
  History history;
  for (int back = static_cast<int>(rules.number("history_months")); back >= 1; --back) {
    const std::uint64_t then = counts.of(month.plus(-back), subscriber).total();
    if (then == 0 && history.months == 0) continue;
    history.total += then;
    ++history.months;
  }
  return history;
}

}  // namespace

// ---- counting

void DemandCounts::read(const storage::Reader& reader, std::uint64_t last_fact) {
  const std::lock_guard lock(mutex_);
  CHECK(last_fact == 0 || last_fact + 1 >= next_);
  reader.journal(next_, [&](const storage::JournalEntry& entry) {
    if (last_fact != 0 && entry.sequence > last_fact) return false;
    next_ = entry.sequence + 1;
    const Result<FactView> fact = FactView::read(entry.fact);
    if (!fact.ok()) return true;
    if (fact->kind() == FactKind::batch_submitted) {
      const std::optional<Eui64> subscriber = fact->eui(FactField::subscriber);
      if (!subscriber) return true;
      const std::uint64_t rows = fact->number(FactField::count);
      const Month month = month_of_receipt(fact->number(FactField::at_milliseconds));
      RequestCount& count = counts_[{month.index(), *subscriber}];
      (rows == 1 ? count.single : count.batched) += rows;
    }
    if (fact->kind() == FactKind::certificate_issued && fact->find(FactField::batch) &&
        is_organisation(*fact)) {
      const std::optional<Bytes> record =
          reader.get(tables::batches, part_key(fact->number(FactField::batch), kDecisions));
      if (!record) return true;
      const Decisions decisions = Decisions::read(*record);
      const Month month =
          month_of_receipt(static_cast<std::uint64_t>(decisions.received_milliseconds));
      RequestCount& count = counts_[{month.index(), decisions.subscriber}];
      std::uint64_t& kind = decisions.rows == 1 ? count.single : count.batched;
      kind -= std::min<std::uint64_t>(kind, 1);
    }
    return true;
  });
}

RequestCount DemandCounts::of(const Month& month, Eui64 subscriber) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find({month.index(), subscriber});
  return found == counts_.end() ? RequestCount{} : found->second;
}
std::map<Eui64, RequestCount> DemandCounts::of(const Month& month) const {
  const std::lock_guard lock(mutex_);
  std::map<Eui64, RequestCount> all;
  for (auto at = counts_.lower_bound({month.index(), Eui64()});
       at != counts_.end() && at->first.first == month.index(); ++at) {
    if (at->second.total() > 0) all.emplace(at->first.second, at->second);
  }
  return all;
}
std::uint64_t DemandCounts::facts() const {
  const std::lock_guard lock(mutex_);
  return next_ - 1;
}

// ---- verdicts

std::string_view text(Verdict verdict) {
  constexpr std::string_view kTexts[] = {"within",      "over",      "under",     "absent",
                                         "exceptional", "announced", "no-history"};
  return kTexts[static_cast<std::size_t>(verdict)];
}

Verdict verdict_of(const DemandRules& rules, std::uint64_t actual,
                   std::optional<std::uint64_t> forecast) {
  if (!forecast) return Verdict::absent;
  if (*forecast == 0) return actual == 0 ? Verdict::within : Verdict::over;
  if (actual * 100 >= *forecast * rules.number("over_percent")) return Verdict::over;
  if (actual * 100 <= *forecast * rules.number("under_percent")) return Verdict::under;
  return Verdict::within;
}

bool is_exceptional(const DemandRules& rules, std::uint64_t actual, std::uint64_t sum,
                    unsigned months) {
  return months > 0 && actual * months * 100 > sum * rules.number("exceptional_percent");
}

bool DemandRow::named() const {
  return verdict == Verdict::over || verdict == Verdict::under || verdict == Verdict::absent ||
         verdict == Verdict::exceptional;
}

std::optional<std::uint64_t> DemandRow::basis_points() const {
  const std::uint64_t whole = forecast ? forecast->total() : history_total;
  if (whole == 0) return {};
  return actual.total() * 10'000 * (forecast ? 1 : history_months) / whole;
}

// ---- the report

namespace {

void judge_by_forecast(DemandRow& row, const DemandRules& rules, const std::vector<Forecast>& all,
                       const Month& month) {
  if (const std::optional<ForecastInForce> found = forecast_in_force(all, month)) {
    row.forecast = found->requests;
    row.revision = found->from->revision;
    row.late = found->from->late();
  }
  row.verdict = verdict_of(rules, row.actual.total(),
                           row.forecast ? std::optional(row.forecast->total()) : std::nullopt);
}

void judge_by_history(DemandRow& row, const DemandRules& rules, const DemandCounts& counts,
                      const std::vector<DemandNotice>& given, const Month& month) {
  const History history = history_of(counts, rules, month, row.subscriber);
  row.history_total = history.total;
  row.history_months = history.months;
  for (const DemandNotice& notice : given) {
    if (notice.month == month) row.announced = notice.expected;
  }
  if (history.months == 0)
    row.verdict = Verdict::no_history;
  else if (is_exceptional(rules, row.actual.total(), history.total, history.months))
    row.verdict = row.announced ? Verdict::announced : Verdict::exceptional;
}

}  // namespace

Result<DemandReport> report_demand(const storage::Reader& reader, const DemandCounts& counts,
                                   std::string_view profile, const Month& month, UtcTime now) {
  DemandReport report;
  report.month = month;
  TRY_ASSIGN(report.rules, DemandRules::at(profile, month.begins()));
  report.until = std::min(now, month.ends());
  const Month next = month.plus(1);
  report.due = working_day_ends(next.year, next.month,
                                static_cast<unsigned>(report.rules.number("report_working_day")));
  std::map<Eui64, RequestCount> asked = counts.of(month);
  std::map<Eui64, std::vector<Forecast>> lodged;
  for (Forecast& one : forecasts(reader, {})) lodged[one.subscriber].push_back(std::move(one));
  std::map<Eui64, DemandRow> rows;
  reader.scan(tables::parties, {}, {}, [&](BytesView key, BytesView value) {
    const Party party = to_party(Eui64::from_number(get_be(key)), value);
    if (!forecasts_demand(party) && !asked.contains(party.id) && !lodged.contains(party.id))
      return true;
    rows[party.id].name = party.name;
    return true;
  });
  for (const auto& [id, count] : asked) rows[id].actual = count;
  const std::map<Eui64, Withheld> withheld = withheld_of(reader, month);
  for (auto& [id, row] : rows) {
    row.subscriber = id;
    if (report.rules.by_forecast())
      judge_by_forecast(row, report.rules, lodged[id], month);
    else
      judge_by_history(row, report.rules, counts, notices(reader, id), month);
    if (const auto found = withheld.find(id); found != withheld.end()) row.withheld = found->second;
    report.actual += row.actual;
    if (row.forecast) report.forecast += *row.forecast;
    report.rows.push_back(row);
  }
  report.relief =
      report.rules.by_forecast() &&
      report.actual.total() * 100 > report.forecast.total() * report.rules.number("relief_percent");
  return report;
}

Result<Prefill> prefill_forecast(const DemandCounts& counts, const DemandRules& rules,
                                 Eui64 subscriber, UtcTime now) {
  if (!rules.by_forecast())
    return Refusal{"demand-profile"_rule, rules.profile() + " has no forecasts", "profile"};
  Prefill out;
  out.round = demand_round(rules, now);
  RequestCount sum;
  const Month current = Month::of(now);
  for (int back = static_cast<int>(rules.number("history_months")); back >= 1; --back) {
    const RequestCount then = counts.of(current.plus(-back), subscriber);
    if (then.total() == 0 && out.basis.empty()) continue;
    if (out.basis.empty()) out.least = then;
    out.basis.push_back(current.plus(-back));
    sum += then;
    out.least = {std::min(out.least.single, then.single),
                 std::min(out.least.batched, then.batched)};
    out.greatest = {std::max(out.greatest.single, then.single),
                    std::max(out.greatest.batched, then.batched)};
  }
  if (const std::uint64_t months = out.basis.size(); months > 0)
    out.expected = {(sum.single + months - 1) / months, (sum.batched + months - 1) / months};
  return out;
}

// ---- as JSON

namespace {

json to_json(const RequestCount& count) {
  return {{"single", count.single}, {"batched", count.batched}, {"total", count.total()}};
}

json row_json(const DemandRow& row, bool numbers) {
  json out{{"subscriber", row.subscriber.text()},
           {"name", row.name},
           {"verdict", text(row.verdict)},
           {"named", row.named()}};
  const std::optional<std::uint64_t> share = row.basis_points();
  out["percent"] = share ? json(static_cast<double>(*share) / 100.0) : json();
  if (!numbers) return out;
  out["actual"] = to_json(row.actual);
  if (row.forecast) {
    out["forecast"] = to_json(*row.forecast);
    out["revision"] = row.revision;
    out["late"] = row.late;
  }
  if (row.history_months > 0)
    out["average"] = static_cast<double>(row.history_total) / row.history_months;
  if (row.announced) out["announced"] = *row.announced;
  return out;
}

}  // namespace

json to_json(const DemandReport& report, const DemandAudience& audience) {
  json rows = json::array();
  std::size_t withheld = 0;
  for (const DemandRow& row : report.rows) {
    const bool own = audience.subscriber == row.subscriber;
    if (row.withheld && row.named()) ++withheld;
    if (!audience.panel && !own && (audience.subscriber || !row.named() || row.withheld)) continue;
    json one = row_json(row, audience.panel || own);
    if (row.withheld && (audience.panel || own))
      one["withheld"] = {{"act", row.withheld->act},
                         {"at", row.withheld->at.iso()},
                         {"reason", row.withheld->reason}};
    rows.push_back(std::move(one));
  }
  json out{{"month", report.month.text()},     {"profile", report.rules.profile()},
           {"until", report.until.iso()},      {"published_from", report.due.iso()},
           {"actual", to_json(report.actual)}, {"withheld", withheld},
           {"subscribers", std::move(rows)}};
  if (!report.rules.by_forecast()) {
    out["exceptional_percent"] = report.rules.number("exceptional_percent");
    return out;
  }
  out["forecast"] = to_json(report.forecast);
  const std::uint64_t whole = report.forecast.total();
  out["percent"] = whole == 0
                       ? json()
                       : json(static_cast<double>(report.actual.total() * 10'000 / whole) / 100.0);
  out["relief"] = report.relief;
  out["over_percent"] = report.rules.number("over_percent");
  out["under_percent"] = report.rules.number("under_percent");
  return out;
}

}  // namespace wattseal::smki
