#include "smki/demand.h"

#include <charconv>

#include "base/fault.h"
#include "smki/deciding.h"
#include "smki/demand_records.h"
#include "terms/terms.h"
#include "terms/working_days.h"

namespace wattseal::smki {
namespace {

constexpr DemandParameterRow kRows[] = {
#include "tables/demand_parameters.inc"
};

Month month_of(BytesView octets) { return Month::from_index(static_cast<int>(get_be(octets))); }

std::optional<std::uint64_t> read_decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

Status check_number(std::uint64_t number, const std::string& field) {
  const std::uint64_t most = limit("demand_requests_max");
  if (number <= most) return {};
  return Refusal{"demand-number"_rule,
                 std::to_string(number) + " is more than " + std::to_string(most), field};
}

std::string text_of(const std::vector<MonthForecast>& months) {
  std::string text;
  for (const MonthForecast& one : months)
    text += (text.empty() ? "" : ";") + one.month.text() + " " +
            std::to_string(one.requests.single) + " " + std::to_string(one.requests.batched);
  return text;
}

Forecast to_forecast(BytesView key, BytesView value) {
  Forecast forecast;
  forecast.subscriber = Eui64::from_number(get_be(key.first(8)));
  forecast.round = month_of(key.subspan(8, 4));
  forecast.revision = static_cast<std::uint32_t>(get_be(key.subspan(12, 4)));
  RecordReader record(value);
  forecast.lodged_at = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  forecast.due = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  forecast.person = record.number();
  while (!record.empty()) {
    MonthForecast one;
    one.month = Month::from_index(static_cast<int>(record.number()));
    one.requests.single = record.number();
    one.requests.batched = record.number();
    forecast.months.push_back(one);
  }
  return forecast;
}

DemandNotice to_notice(BytesView key, BytesView value) {
  DemandNotice notice;
  notice.subscriber = Eui64::from_number(get_be(key.first(8)));
  notice.month = month_of(key.subspan(8, 4));
  notice.number = static_cast<std::uint32_t>(get_be(key.subspan(12, 4)));
  RecordReader record(value);
  notice.given_at = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  notice.person = record.number();
  notice.expected = record.number();
  notice.reason = record.text();
  return notice;
}

template <typename One, typename Read>
std::vector<One> all_of(const storage::Reader& reader, storage::Table table, BytesView prefix,
                        Read&& read) {
  std::vector<One> list;
  reader.scan(table, prefix, storage::prefix_end(prefix), [&](BytesView key, BytesView value) {
    list.push_back(read(key, value));
    return true;
  });
  return list;
}
Bytes prefix_of(std::optional<Eui64> subscriber) {
  return subscriber ? to_bytes(subscriber->octets()) : Bytes();
}

Month must_month(const FactView& fact, FactField field) {
  const Result<Month> month = Month::parse(fact.text(field));
  if (!month.ok())
    throw Fault("a " + std::string(fact_kind_name(fact.kind())) + " fact lacks its month");
  return *month;
}

}  // namespace

RequestCount& RequestCount::operator+=(const RequestCount& more) {
  single += more.single;
  batched += more.batched;
  return *this;
}

// ---- parameters

std::span<const DemandParameterRow> demand_parameter_rows() { return kRows; }

const DemandParameterRow* DemandRules::row(std::string_view name) const {
  const DemandParameterRow* best = nullptr;
  for (const DemandParameterRow& one : rows_) {
    if (one.profile == profile_ && one.name == name && one.in_force_from <= day_ &&
        (best == nullptr || one.in_force_from > best->in_force_from))
      best = &one;
  }
  return best;
}

Result<DemandRules> DemandRules::at(std::string_view profile, UtcTime moment,
                                    std::span<const DemandParameterRow> rows) {
  DemandRules rules;
  rules.rows_ = rows;
  rules.day_ = moment.iso().substr(0, 10);
  rules.profile_ = "-";
  const DemandParameterRow* const standing = rules.row("standing");
  rules.profile_ = !profile.empty() ? profile : standing ? standing->value : "none";
  if (!rules.row("duty"))
    return Refusal{"demand-profile"_rule,
                   "'" + rules.profile_ + "' has no rows in force on " + rules.day_, "profile"};
  return rules;
}

std::uint64_t DemandRules::number(std::string_view name) const {
  const DemandParameterRow* const found = row(name);
  CHECK(found != nullptr);
  return read_decimal(found->value).value();
}

DemandRound demand_round(const DemandRules& rules, UtcTime now) {
  const Month current = Month::of(now);
  const int interval = static_cast<int>(rules.number("lodging_interval_months"));
  DemandRound round;
  round.begins = current.plus(-((current.month - 1) % interval));
  for (int i = 1; i <= static_cast<int>(rules.number("forecast_months")); ++i)
    round.months.push_back(round.begins.plus(i));
  round.due = working_day_ends(round.begins.year, round.begins.month,
                               static_cast<unsigned>(rules.number("lodging_working_day")));
  return round;
}

// ---- keys and records

Bytes demand_month_octets(const Month& month) {
  Bytes octets;
  put_be(octets, static_cast<std::uint32_t>(month.index()));
  return octets;
}
Bytes forecast_key(Eui64 subscriber, const Month& round, std::uint32_t revision) {
  Bytes key = to_bytes(subscriber.octets());
  append(key, demand_month_octets(round));
  put_be(key, revision);
  return key;
}
Bytes notice_key(Eui64 subscriber, const Month& month, std::uint32_t number) {
  return forecast_key(subscriber, month, number);
}
Bytes withheld_key(const Month& month, Eui64 subscriber) {
  Bytes key = demand_month_octets(month);
  append(key, subscriber.octets());
  return key;
}

Bytes to_record(const Forecast& forecast) {
  RecordWriter record;
  record.number(static_cast<std::uint64_t>(forecast.lodged_at.unix_seconds()))
      .number(static_cast<std::uint64_t>(forecast.due.unix_seconds()))
      .number(forecast.person);
  for (const MonthForecast& one : forecast.months)
    record.number(static_cast<std::uint64_t>(one.month.index()))
        .number(one.requests.single)
        .number(one.requests.batched);
  return record.bytes();
}
Bytes to_record(const DemandNotice& notice) {
  return RecordWriter()
      .number(static_cast<std::uint64_t>(notice.given_at.unix_seconds()))
      .number(notice.person)
      .number(notice.expected)
      .text(notice.reason)
      .bytes();
}
Bytes to_record(const Withheld& withheld) {
  return RecordWriter()
      .number(withheld.act)
      .number(static_cast<std::uint64_t>(withheld.at.unix_seconds()))
      .text(withheld.reason)
      .bytes();
}

std::vector<Forecast> forecasts(const storage::Reader& reader, std::optional<Eui64> subscriber) {
  return all_of<Forecast>(reader, tables::demand_forecasts, prefix_of(subscriber), to_forecast);
}
std::vector<DemandNotice> notices(const storage::Reader& reader, std::optional<Eui64> subscriber) {
  return all_of<DemandNotice>(reader, tables::demand_notices, prefix_of(subscriber), to_notice);
}

std::optional<ForecastInForce> forecast_in_force(std::span<const Forecast> of_one_subscriber,
                                                 const Month& month) {
  std::optional<ForecastInForce> found;
  for (const Forecast& forecast : of_one_subscriber) {  // in the order of rounds and revisions
    if (forecast.lodged_at >= month.begins()) continue;
    for (const MonthForecast& one : forecast.months) {
      if (one.month == month) found = {one.requests, &forecast};
    }
  }
  return found;
}

bool forecasts_demand(const Party& party) {
  return party.device_subscriber &&
         std::ranges::any_of(certificate_eligibility(), [&](const EligibilityRow& row) {
           return row.party_kind == party.kind && row.remote_party_role == "-";
         });
}

std::map<Eui64, Withheld> withheld_of(const storage::Reader& reader, const Month& month) {
  std::map<Eui64, Withheld> all;
  const Bytes prefix = demand_month_octets(month);
  reader.scan(tables::demand_withheld, prefix, storage::prefix_end(prefix),
              [&](BytesView key, BytesView value) {
                RecordReader record(value);
                Withheld one;
                one.act = record.number();
                one.at = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
                one.reason = record.text();
                all.emplace(Eui64::from_number(get_be(key.subspan(4))), std::move(one));
                return true;
              });
  return all;
}

Result<std::vector<MonthForecast>> read_month_lines(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r,;";
  std::vector<MonthForecast> months;
  for (unsigned line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    std::string_view rest = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    rest = rest.substr(0, rest.find('#'));
    std::vector<std::string_view> words;
    for (std::size_t at = 0; (at = rest.find_first_not_of(kBlanks, at)) != std::string::npos;) {
      const std::size_t stop = std::min(rest.find_first_of(kBlanks, at), rest.size());
      words.push_back(rest.substr(at, stop - at));
      at = stop;
    }
    if (words.empty()) continue;
    const Result<Month> month = Month::parse(words[0]);
    const std::optional<std::uint64_t> single =
        words.size() == 3 ? read_decimal(words[1]) : std::nullopt;
    const std::optional<std::uint64_t> batched =
        words.size() == 3 ? read_decimal(words[2]) : std::nullopt;
    if (!month.ok() || !single || !batched)
      return Refusal{"demand-input"_rule, "it is not a month and two numbers",
                     "line " + std::to_string(line)};
    months.push_back({*month, {*single, *batched}});
  }
  return months;
}

// ---- what subscribers do

Demand::Demand(const World& world, storage::Store& store, std::string profile)
    : world_(world), store_(store), profile_(std::move(profile)) {}

Result<DemandRules> Demand::rules() const { return DemandRules::at(profile_, world_.now()); }

Status Demand::check_subscriber(Eui64 subscriber, const Actor& actor, UtcTime now) const {
  const std::optional<Party> party = find_party(store_, subscriber);
  if (!party)
    return Refusal{"ra-unknown-subscriber"_rule, subscriber.text() + " is not registered",
                   "subscriber"};
  if (!forecasts_demand(*party))
    return Refusal{"demand-not-subscriber"_rule, "a party of kind " + party->kind, "subscriber"};
  return check_officer(store_, *party, actor.person, now);
}

Result<Forecast> Demand::lodge(Eui64 subscriber, const std::vector<MonthForecast>& months,
                               const Actor& actor, TraceId trace) {
  const UtcTime now = world_.now();
  TRY_ASSIGN(const DemandRules applies, DemandRules::at(profile_, now));
  if (!applies.by_forecast())
    return Refusal{"demand-profile"_rule, applies.profile() + " has no forecasts", "profile"};
  TRY(check_subscriber(subscriber, actor, now));
  const DemandRound round = demand_round(applies, now);
  std::vector<Month> given;
  for (const MonthForecast& one : months) given.push_back(one.month);
  if (given != round.months)
    return Refusal{"demand-months"_rule,
                   "the round of " + round.begins.text() + " has " + round.months.front().text() +
                       " to " + round.months.back().text(),
                   "months"};
  for (const MonthForecast& one : months) {
    TRY(check_number(one.requests.single, one.month.text() + "/single"));
    TRY(check_number(one.requests.batched, one.month.text() + "/batched"));
  }
  Forecast made{subscriber, round.begins, 1, months, now, round.due, actor.person};
  const std::vector<Forecast> all = forecasts(store_, subscriber);
  if (!all.empty() && all.back().round == round.begins) {
    if (all.back().months == months) return all.back();
    made.revision = all.back().revision + 1;
  }
  if (made.revision > limit("demand_revisions_max"))
    return Refusal{"demand-revisions"_rule,
                   "revision " + std::to_string(made.revision) + " of " + round.begins.text(),
                   "months"};
  const Bytes key = forecast_key(subscriber, made.round, made.revision);
  storage::Batch batch;
  batch.require_absent(tables::demand_forecasts, key,
                       Refusal{"demand-race"_rule, "revision " + std::to_string(made.revision)});
  batch.put(tables::demand_forecasts, key, to_record(made));
  batch.append(FactWriter(FactKind::demand_forecast_lodged, now, trace)
                   .eui(FactField::subscriber, subscriber)
                   .text(FactField::forecast_round, made.round.text())
                   .number(FactField::revision, made.revision)
                   .text(FactField::forecast, text_of(months))
                   .time(FactField::due, made.due)
                   .number(FactField::person, actor.person)
                   .text(FactField::address, actor.address)
                   .bytes());
  TRY(store_.commit(std::move(batch)));
  return made;
}

Result<DemandNotice> Demand::give_notice(Eui64 subscriber, const Month& month,
                                         std::uint64_t expected, std::string_view reason,
                                         const Actor& actor, TraceId trace) {
  const UtcTime now = world_.now();
  TRY_ASSIGN(const DemandRules applies, DemandRules::at(profile_, now));
  if (applies.by_forecast())
    return Refusal{"demand-profile"_rule, applies.profile() + " has no notices", "profile"};
  TRY(check_subscriber(subscriber, actor, now));
  TRY(check_number(expected, "expected"));
  if (reason.empty() || reason.size() > 400)
    return Refusal{"demand-input"_rule, "it is no text of 1 to 400 octets", "reason"};
  if (now >= month.ends())
    return Refusal{"demand-notice-late"_rule, month.text() + " has ended", "month"};
  DemandNotice made{subscriber, month, 1, expected, std::string(reason), now, actor.person};
  for (const DemandNotice& earlier : notices(store_, subscriber)) {
    if (earlier.month == month) made.number = earlier.number + 1;
  }
  if (made.number > limit("demand_revisions_max"))
    return Refusal{"demand-revisions"_rule, "notice " + std::to_string(made.number), "month"};
  const Bytes key = notice_key(subscriber, month, made.number);
  storage::Batch batch;
  batch.require_absent(tables::demand_notices, key,
                       Refusal{"demand-race"_rule, "notice " + std::to_string(made.number)});
  batch.put(tables::demand_notices, key, to_record(made));
  batch.append(FactWriter(FactKind::demand_notice_given, now, trace)
                   .eui(FactField::subscriber, subscriber)
                   .text(FactField::month, month.text())
                   .number(FactField::revision, made.number)
                   .number(FactField::expected, expected)
                   .text(FactField::detail, reason)
                   .number(FactField::person, actor.person)
                   .text(FactField::address, actor.address)
                   .bytes());
  TRY(store_.commit(std::move(batch)));
  return made;
}

void Demand::replay(storage::Changes& rows, const FactView& fact) {
  const std::optional<Eui64> subscriber =
      fact.eui(fact.kind() == FactKind::demand_forecast_lodged ||
                       fact.kind() == FactKind::demand_notice_given
                   ? FactField::subscriber
                   : FactField::party);
  if (!subscriber) throw Fault("a fact of demand lacks its subscriber");
  const std::uint32_t revision = static_cast<std::uint32_t>(fact.number(FactField::revision));
  switch (fact.kind()) {
    case FactKind::demand_forecast_lodged: {
      Forecast made{*subscriber,
                    must_month(fact, FactField::forecast_round),
                    revision,
                    {},
                    fact.at(),
                    {},
                    fact.number(FactField::person)};
      made.due = UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(FactField::due)));
      std::string lines(fact.text(FactField::forecast));
      std::ranges::replace(lines, ';', '\n');
      Result<std::vector<MonthForecast>> months = read_month_lines(lines);
      if (!months.ok()) throw Fault("a forecast in the journal does not read");
      made.months = std::move(*months);
      return rows.put(tables::demand_forecasts, forecast_key(*subscriber, made.round, revision),
                      to_record(made));
    }
    case FactKind::demand_notice_given: {
      const DemandNotice made{*subscriber,
                              must_month(fact, FactField::month),
                              revision,
                              fact.number(FactField::expected),
                              std::string(fact.text(FactField::detail)),
                              fact.at(),
                              fact.number(FactField::person)};
      return rows.put(tables::demand_notices, notice_key(*subscriber, made.month, revision),
                      to_record(made));
    }
    case FactKind::demand_report_withheld:
      return rows.put(tables::demand_withheld,
                      withheld_key(must_month(fact, FactField::month), *subscriber),
                      to_record(Withheld{fact.number(FactField::act), fact.at(),
                                         std::string(fact.text(FactField::detail))}));
    case FactKind::demand_report_released:
      return rows.erase(tables::demand_withheld,
                        withheld_key(must_month(fact, FactField::month), *subscriber));
    default: UNREACHABLE();
  }
}

}  // namespace wattseal::smki
