#include "smki/demand.h"

#include <gtest/gtest.h>

#include "smki/demand_service.h"
#include "smki/replay.h"
#include "smki/test_rig.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;
using test::kDevice;
using test::kMaker;
using test::kSupplier;

UtcTime at(std::string_view iso) { return UtcTime::parse_iso(iso).value(); }
Month month(std::string_view text) { return Month::parse(text).value(); }

struct DemandRig : test::Rig {
  Demand demand{world, *store};
  DemandService service{world, *store, demand, office};
  Demand current{world, *store, "sec-current"};
  DemandService current_service{world, *store, current, office, "sec-current"};
  http::Router router;
  DemandRig() { add_demand_routes(router, service); }

  std::vector<MonthForecast> same(std::uint64_t single, std::uint64_t batched) const {
    std::vector<MonthForecast> months;
    for (const Month& one : demand_round(demand.rules().value(), world.now()).months)
      months.push_back({one, {single, batched}});
    return months;
  }
  Result<Forecast> lodge(std::uint64_t single, std::uint64_t batched, Eui64 who = kMaker) {
    return demand.lodge(who, same(single, batched), {}, {});
  }
  // A batch that the subscriber sent at this moment, as its facts tell it.
  void requested(std::string_view when, std::uint64_t rows, Eui64 who = kMaker) {
    storage::Batch batch;
    batch.append(FactWriter(FactKind::batch_submitted, at(when), {})
                     .eui(FactField::subscriber, who)
                     .number(FactField::count, rows)
                     .number(FactField::at_milliseconds,
                             static_cast<std::uint64_t>(at(when).unix_seconds()) * 1000)
                     .bytes());
    CHECK(store->commit(std::move(batch)).ok());
  }
  DemandReport report(std::string_view of, std::string_view profile = "") {
    DemandCounts counts;
    counts.read(*store);
    return report_demand(*store, counts, profile, month(of), clock.now()).value();
  }
  DemandRow row(std::string_view of, Eui64 who = kMaker, std::string_view profile = "") {
    for (const DemandRow& one : report(of, profile).rows) {
      if (one.subscriber == who) return one;
    }
    ADD_FAILURE() << "no row";
    return {};
  }
  json ask(const std::string& path, std::vector<http::Header> headers = {},
           std::vector<http::Header> query = {}, const std::string& body = "") {
    http::Request request;
    request.method = body.empty() ? "GET" : "POST";
    request.path = path;
    request.query = std::move(query);
    request.headers = std::move(headers);
    request.body = body;
    const http::Response response = router(request);
    json answer = json::parse(response.body);
    answer["status"] = response.status;
    return answer;
  }
};

template <typename T>
std::string rule(const Result<T>& result) {
  return result.ok() ? "" : std::string(result.refusal().rule.text());
}

TEST(DemandRounds, AreOfQuartersAndDueOnAWorkingDay) {
  const DemandRules rules = DemandRules::at("sec-2014", at("2026-05-01T00:00:00Z")).value();
  const DemandRound round = demand_round(rules, at("2026-06-30T22:59:59Z"));
  EXPECT_EQ(round.begins, month("2026-04"));
  EXPECT_EQ(round.months.front(), month("2026-05"));
  EXPECT_EQ(round.months.back(), month("2026-12"));
  EXPECT_EQ(round.months.size(), 8u);
  EXPECT_EQ(round.due.iso(), "2026-04-23T23:00:00Z");
  EXPECT_EQ(demand_round(rules, at("2026-06-30T23:00:00Z")).begins, month("2026-07"))
      << "UK clocks show July";
}

TEST(DemandParameters, KeepTheirHistory) {
  constexpr DemandParameterRow kRows[] = {
      {"-", "standing", "sec-2014", "", "", "", "2014-06-12"},
      {"sec-2014", "duty", "1", "", "", "", "2014-06-12"},
      {"sec-2014", "over_percent", "110", "", "", "", "2014-06-12"},
      {"sec-2014", "over_percent", "115", "", "", "", "2016-01-01"},
      {"-", "standing", "sec-current", "", "", "", "2022-06-30"},
      {"sec-current", "duty", "2", "", "", "", "2022-06-30"}};
  const auto over = [&](const char* when) {
    return DemandRules::at("sec-2014", at(when), kRows)->number("over_percent");
  };
  EXPECT_EQ(over("2015-12-31T23:59:59Z"), 110u);
  EXPECT_EQ(over("2016-01-01T00:00:00Z"), 115u);
  EXPECT_TRUE(DemandRules::at("", at("2020-01-01T00:00:00Z"), kRows)->by_forecast());
  EXPECT_FALSE(DemandRules::at("", at("2022-06-30T00:00:00Z"), kRows)->by_forecast());
  EXPECT_EQ(rule(DemandRules::at("sec-current", at("2022-06-29T00:00:00Z"), kRows)),
            "demand-profile");
  EXPECT_EQ(rule(DemandRules::at("sec-2015", at("2022-06-29T00:00:00Z"), kRows)), "demand-profile");
}

TEST(Forecasts, AreLodgedRevisedAndKept) {
  DemandRig rig;
  ASSERT_EQ(rig.lodge(10, 200)->revision, 1u);
  EXPECT_TRUE(rig.lodge(10, 200)->late()) << "the round of April was due on the 23rd";
  EXPECT_EQ(rig.lodge(10, 200)->revision, 1u) << "the same again is no revision";
  EXPECT_EQ(rig.lodge(11, 200)->revision, 2u);
  EXPECT_EQ(rig.lodge(10, 200)->revision, 3u) << "back to the first is one";
  EXPECT_EQ(forecasts(*rig.store, kMaker).size(), 3u);
  EXPECT_TRUE(forecasts(*rig.store, kSupplier).empty());
  rig.clock.set(at("2026-07-01T09:00:00Z"));
  const Forecast next = rig.lodge(10, 200).value();
  EXPECT_EQ(next.revision, 1u);
  EXPECT_EQ(next.round, month("2026-07"));
  EXPECT_FALSE(next.late());
}

TEST(Forecasts, AreRefusedByNameAndChangeNothing) {
  DemandRig rig;
  EXPECT_EQ(rule(rig.lodge(1, 1, Eui64::from_number(7))), "ra-unknown-subscriber");
  std::vector<MonthForecast> months = rig.same(1, 1);
  months.pop_back();
  EXPECT_EQ(rule(rig.demand.lodge(kMaker, months, {}, {})), "demand-months");
  months = rig.same(1, 1);
  std::swap(months[0], months[1]);
  EXPECT_EQ(rule(rig.demand.lodge(kMaker, months, {}, {})), "demand-months");
  EXPECT_EQ(rule(rig.lodge(limit("demand_requests_max") + 1, 0)), "demand-number");
  EXPECT_EQ(rule(rig.current.lodge(kMaker, rig.same(1, 1), {}, {})), "demand-profile");
  const Eui64 grid = Eui64::from_number(0x9057530000090000);
  ASSERT_TRUE(
      rig.authority.register_party({grid, "Ash", "network-operator", {}, {{grid, grid}}}, TraceId())
          .ok());
  EXPECT_EQ(rule(rig.lodge(1, 1, grid)), "demand-not-subscriber");
  Party guarded = rig.authority.party(kMaker).value();
  guarded.dual_control = true;
  ASSERT_TRUE(rig.authority.register_party(guarded, TraceId()).ok());
  EXPECT_EQ(rule(rig.lodge(1, 1)), "ra-officer-required");
  EXPECT_TRUE(forecasts(*rig.store, {}).empty());
}

TEST(Forecasts, EndTheirRevisionsSomewhere) {
  DemandRig rig;
  for (std::uint64_t i = 0; i < limit("demand_revisions_max"); ++i)
    ASSERT_TRUE(rig.lodge(i, 0).ok()) << i;
  EXPECT_EQ(rule(rig.lodge(1, 1)), "demand-revisions");
}

TEST(MonthLines, AreReadInAnySeparators) {
  const std::vector<MonthForecast> read =
      read_month_lines("# month single batched\n2026-06 1 2\n\n2026-07,3,4 # more\n").value();
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[1], (MonthForecast{month("2026-07"), {3, 4}}));
  for (const char* wrong : {"2026-06 1", "2026-06 1 -2", "2026-6 1 2", "2026-06 1 2 3", "x"})
    EXPECT_EQ(read_month_lines(wrong).refusal().rule, "demand-input"_rule) << wrong;
}

TEST(Verdicts, NameASubscriberAtExactly110And90PerCent) {
  const DemandRules rules = DemandRules::at("sec-2014", at("2026-05-01T00:00:00Z")).value();
  EXPECT_EQ(verdict_of(rules, 1100, 1000), Verdict::over) << "exactly 110.0 %";
  EXPECT_EQ(verdict_of(rules, 1099, 1000), Verdict::within);
  EXPECT_EQ(verdict_of(rules, 901, 1000), Verdict::within);
  EXPECT_EQ(verdict_of(rules, 900, 1000), Verdict::under) << "exactly 90.0 %";
  EXPECT_EQ(verdict_of(rules, 0, 1000), Verdict::under);
  EXPECT_EQ(verdict_of(rules, 0, 0), Verdict::within);
  EXPECT_EQ(verdict_of(rules, 1, 0), Verdict::over) << "an infinite part of nothing";
  EXPECT_EQ(verdict_of(rules, 5, std::nullopt), Verdict::absent);
  EXPECT_EQ(verdict_of(rules, 0, std::nullopt), Verdict::absent);
  EXPECT_EQ(verdict_of(rules, 100'000'000'000, 100'000'000), Verdict::over);
}

TEST(DemandReports, TestAMonthAgainstTheLatestForecastLodgedBeforeItBegan) {
  DemandRig rig;
  rig.clock.set(at("2026-05-31T22:59:59Z"));
  ASSERT_TRUE(rig.lodge(0, 100).ok());
  rig.clock.advance(1);  // midnight by UK clocks: June has begun
  ASSERT_TRUE(rig.lodge(0, 500).ok());
  rig.requested("2026-06-15T10:00:00Z", 110);
  rig.requested("2026-07-15T10:00:00Z", 500);
  rig.clock.set(at("2026-08-01T00:00:00Z"));
  EXPECT_EQ(rig.row("2026-06").forecast, (RequestCount{0, 100}));
  EXPECT_EQ(rig.row("2026-06").revision, 1u);
  EXPECT_EQ(rig.row("2026-06").verdict, Verdict::over);
  EXPECT_EQ(rig.row("2026-06").basis_points(), 11'000u);
  EXPECT_EQ(rig.row("2026-07").revision, 2u);
  EXPECT_EQ(rig.row("2026-07").verdict, Verdict::within);
  EXPECT_EQ(rig.row("2026-05").verdict, Verdict::absent) << "it had begun when May was forecast";
  EXPECT_EQ(rig.row("2026-06", kSupplier).verdict, Verdict::absent);
}

TEST(DemandReports, CountByTheMonthOfReceiptOnUkClocks) {
  DemandRig rig;
  for (const char* when : {"2026-05-31T22:59:59Z", "2026-05-31T23:00:00Z", "2026-06-30T22:59:59Z",
                           "2026-06-30T23:00:00Z"})
    rig.requested(when, 1);
  rig.requested("2026-03-28T23:30:00Z", 2);
  rig.requested("2026-03-29T01:30:00Z", 3);  // the clocks have changed within the month
  EXPECT_EQ(rig.row("2026-06").actual, (RequestCount{2, 0}));
  EXPECT_EQ(rig.row("2026-03").actual, (RequestCount{0, 5}));
}

TEST(DemandReports, RelieveTheDccAboveThePercentageOfAllForecastsOnly) {
  DemandRig rig;
  ASSERT_TRUE(rig.lodge(0, 600).ok());
  ASSERT_TRUE(rig.lodge(0, 400, kSupplier).ok());
  rig.requested("2026-06-10T10:00:00Z", 1000);
  rig.requested("2026-06-10T10:00:00Z", 100, kSupplier);
  EXPECT_EQ(rig.report("2026-06").forecast.total(), 1000u);
  EXPECT_FALSE(rig.report("2026-06").relief) << "exactly 110.0 %";
  rig.requested("2026-06-10T10:00:00Z", 1, kSupplier);
  EXPECT_TRUE(rig.report("2026-06").relief);
  EXPECT_FALSE(rig.report("2026-08").relief);
}

TEST(DemandReports, LeaveOutWhatBecameAnOrganisationCertificate) {
  DemandRig rig;
  ASSERT_EQ(rig.rule_of(kSupplier, rig.organisation_request()), "published");
  ASSERT_EQ(rig.rule_of(kMaker, rig.device_request(kDevice)), "published");
  EXPECT_EQ(rig.row("2026-05", kSupplier).actual.total(), 0u);
  EXPECT_EQ(rig.row("2026-05").actual, (RequestCount{1, 0}));
}

TEST(DemandReports, ReadTheJournalOnce) {
  DemandRig rig;
  DemandCounts counts;
  rig.requested("2026-06-10T10:00:00Z", 5);
  counts.read(*rig.store);
  counts.read(*rig.store);
  EXPECT_EQ(counts.of(month("2026-06"), kMaker).batched, 5u);
  const std::uint64_t before = counts.facts();
  rig.requested("2026-06-10T10:00:00Z", 7);
  counts.read(*rig.store);
  EXPECT_EQ(counts.of(month("2026-06"), kMaker).batched, 12u);
  EXPECT_EQ(counts.facts(), before + 1);
  DemandCounts prefix;
  prefix.read(*rig.store, before);
  EXPECT_EQ(prefix.of(month("2026-06")).at(kMaker).batched, 5u);
}

TEST(DemandReports, ShowThePanelAllASubscriberItsOwnAndEveryoneWhatIsPublished) {
  DemandRig rig;
  const std::vector<PersonId> managers = rig.office.found({"Ada", "Ben"}, {}).value();
  const std::vector<http::Header> ada{{"X-Person", std::to_string(managers[0])}};
  ASSERT_TRUE(rig.lodge(0, 100).ok());
  ASSERT_TRUE(rig.lodge(0, 100, kSupplier).ok());
  rig.requested("2026-06-10T10:00:00Z", 111);
  rig.requested("2026-06-10T10:00:00Z", 100, kSupplier);
  rig.clock.set(at("2026-07-14T22:59:59Z"));
  const std::vector<http::Header> june{{"month", "2026-06"}};
  const char* const path = "/api/v1/demand/report";
  EXPECT_EQ(rig.ask(path, {}, june)["rule"], "demand-unpublished");
  rig.clock.advance(1);  // the tenth Working Day has ended
  json open = rig.ask(path, {}, june);
  ASSERT_EQ(open["subscribers"].size(), 1u) << open;
  EXPECT_EQ(open["subscribers"][0]["name"], "Elm");
  EXPECT_EQ(open["subscribers"][0]["percent"], 111.0);
  EXPECT_FALSE(open["subscribers"][0].contains("actual")) << "numbers may be sensitive";
  EXPECT_EQ(rig.ask(path, ada, june)["subscribers"].size(), 2u);
  const json own = rig.ask(path, {{"X-Subscriber", kSupplier.text()}}, june);
  ASSERT_EQ(own["subscribers"].size(), 1u);
  EXPECT_EQ(own["subscribers"][0]["actual"]["batched"], 100);

  const auto act = [&](const char* kind) {
    const Result<ActId> id = rig.office.propose(
        kind,
        {{"party", kMaker.text()}, {"month", "2026-06"}, {"reason", "a storm closed its works"}},
        {managers[0], ""}, {});
    if (!id.ok()) return rule(id);
    return rule(rig.office.approve(*id, {managers[1], ""}, {}));
  };
  EXPECT_EQ(act("release-demand-report"), "demand-withheld");
  EXPECT_EQ(act("withhold-demand-report"), "");
  EXPECT_EQ(act("withhold-demand-report"), "demand-withheld");
  open = rig.ask(path, {}, june);
  EXPECT_TRUE(open["subscribers"].empty());
  EXPECT_EQ(open["withheld"], 1);
  EXPECT_EQ(rig.ask(path, ada, june)["subscribers"][1]["withheld"]["reason"],
            "a storm closed its works");
  EXPECT_EQ(act("release-demand-report"), "");
  EXPECT_EQ(rig.ask(path, {}, june)["subscribers"].size(), 1u);
}

TEST(Prefill, IsTheMeanOfTheCompleteMonthsWithItsInterval) {
  DemandRig rig;
  rig.requested("2025-12-10T10:00:00Z", 100);
  rig.requested("2026-02-10T10:00:00Z", 201);
  rig.requested("2026-05-01T09:00:00Z", 900);  // of a month that is not complete
  const json made = rig.ask("/api/v1/demand/prefill", {{"X-Subscriber", kMaker.text()}});
  EXPECT_EQ(made["basis"], (json{"2025-12", "2026-01", "2026-02", "2026-03", "2026-04"}));
  EXPECT_EQ(made["months"].size(), 8u);
  EXPECT_EQ(made["months"][0]["batched"], 61);
  EXPECT_EQ(made["months"][0]["batched_interval"], (json{0, 201}));
  const json none = rig.ask("/api/v1/demand/prefill", {{"X-Subscriber", kSupplier.text()}});
  EXPECT_TRUE(none["basis"].empty());
  EXPECT_EQ(none["months"][7]["batched"], 0);
}

TEST(DemandHttp, TakesTheForecastThatItPrefilled) {
  DemandRig rig;
  const std::vector<http::Header> maker{{"X-Subscriber", kMaker.text()}};
  json months = json::array();
  const json filled = rig.ask("/api/v1/demand/prefill", maker);
  for (const json& one : filled["months"])
    months.push_back({{"month", one["month"]}, {"single", one["single"]}, {"batched", 7}});
  const char* const path = "/api/v1/demand/forecasts";
  const json lodged = rig.ask(path, maker, {}, json{{"months", months}}.dump());
  EXPECT_EQ(lodged["status"], 201) << lodged;
  EXPECT_EQ(lodged["revision"], 1);
  EXPECT_EQ(rig.ask(path, maker)["forecasts"].size(), 1u);
  EXPECT_TRUE(rig.ask(path, {{"X-Subscriber", kSupplier.text()}})["forecasts"].empty());
  EXPECT_EQ(rig.ask(path)["rule"], "ra-subscriber-missing");
  EXPECT_EQ(rig.ask(path, {}, {}, "{}")["rule"], "ra-subscriber-missing");
  EXPECT_EQ(rig.ask(path, maker, {}, "[]")["rule"], "ra-service-json");
  months[0]["single"] = -1;
  const json refused = rig.ask(path, maker, {}, json{{"months", months}}.dump());
  EXPECT_EQ(refused["rule"], "demand-number");
  EXPECT_EQ(refused["field"], "months/0/single");
  EXPECT_EQ(rig.ask("/api/v1/demand/notices", maker, {},
                    R"({"month":"2026-06","expected":5,"reason":"x"})")["rule"],
            "demand-profile");
  EXPECT_EQ(rig.ask("/api/v1/demand/parameters")["standing"], "sec-2014");
}

TEST(Notices, ReplaceForecastsUnderTheCurrentCode) {
  DemandRig rig;
  rig.requested("2026-03-10T10:00:00Z", 100);
  rig.requested("2026-05-10T10:00:00Z", 200);
  rig.requested("2026-06-10T10:00:00Z", 150);
  const auto verdict = [&](const char* of) { return rig.row(of, kMaker, "sec-current").verdict; };
  EXPECT_EQ(verdict("2026-03"), Verdict::no_history);
  EXPECT_EQ(verdict("2026-06"), Verdict::within) << "exactly 150 % of 100, 0 and 200 in the mean";
  rig.requested("2026-06-10T10:00:00Z", 1);
  EXPECT_EQ(verdict("2026-06"), Verdict::exceptional);
  EXPECT_EQ(rule(rig.current.give_notice(kMaker, month("2026-04"), 5, "x", {}, {})),
            "demand-notice-late");
  EXPECT_EQ(rule(rig.current.give_notice(kMaker, month("2026-06"), 5, "", {}, {})), "demand-input");
  ASSERT_TRUE(rig.current.give_notice(kMaker, month("2026-06"), 151, "a roll-out", {}, {}).ok());
  EXPECT_EQ(rig.current.give_notice(kMaker, month("2026-06"), 160, "more", {}, {})->number, 2u);
  EXPECT_EQ(verdict("2026-06"), Verdict::announced);
  const json report = to_json(rig.report("2026-06", "sec-current"), {true, {}});
  EXPECT_FALSE(report.contains("relief"));
  EXPECT_EQ(report["subscribers"][1]["announced"], 160) << report;
}

TEST(Demand, FollowsFromItsFacts) {
  DemandRig rig;
  const std::vector<PersonId> managers = rig.office.found({"Ada", "Ben"}, {}).value();
  ASSERT_TRUE(rig.lodge(1, 2).ok());
  ASSERT_TRUE(rig.lodge(3, 2).ok());
  ASSERT_TRUE(rig.current.give_notice(kMaker, month("2026-06"), 151, "a roll-out", {}, {}).ok());
  for (const char* of : {"2026-06", "2026-07"}) {
    const Result<ActId> id = rig.office.propose(
        "withhold-demand-report", {{"party", kMaker.text()}, {"month", of}, {"reason", "storm"}},
        {managers[0], ""}, {});
    ASSERT_TRUE(id.ok() && rig.office.approve(*id, {managers[1], ""}, {}).ok());
  }
  const Result<ActId> id = rig.office.propose(
      "release-demand-report", {{"party", kMaker.text()}, {"month", "2026-06"}, {"reason", "none"}},
      {managers[0], ""}, {});
  ASSERT_TRUE(id.ok() && rig.office.approve(*id, {managers[1], ""}, {}).ok());
  const std::unique_ptr<storage::Store> into = storage::memory_store();
  storage::Changes rows(*into);
  Replay replay;
  rig.store->journal(1, [&](const storage::JournalEntry& entry) {
    replay.see(rows, FactView::read(entry.fact).value());
    return true;
  });
  storage::Batch batch;
  rows.take(batch);
  ASSERT_TRUE(into->commit(std::move(batch)).ok());
  for (const auto& [table, count] : {std::pair{tables::demand_forecasts, 2u},
                                     {tables::demand_notices, 1u},
                                     {tables::demand_withheld, 1u}}) {
    std::map<Bytes, Bytes> there, here;
    for (const auto& [reader, all] : {std::pair{rig.store.get(), &there}, {into.get(), &here}})
      reader->scan(table, {}, {}, [all = all](BytesView key, BytesView value) {
        (*all)[to_bytes(key)] = to_bytes(value);
        return true;
      });
    EXPECT_EQ(there, here);
    EXPECT_EQ(here.size(), count);
  }
}

}  // namespace
}  // namespace wattseal::smki
