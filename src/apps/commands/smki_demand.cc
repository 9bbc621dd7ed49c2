// smki demand prefill | lodge | forecasts | notice | notices | report | plot | allocate |
// parameters
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands/demand_plot.h"
#include "apps/commands/smki_client.h"
#include "apps/office_client.h"
#include "base/fault.h"
#include "smki/demand_service.h"
#include "storage/reading.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  SmkiAddress service;
  std::string data = "wattseal-data", subscriber, person, profile;
  std::string month, from, to, file = "-", reason, plot;
  std::uint64_t capacity = 0, facts = 0, expected = 0;
  bool published = false;
};
using Shared = std::shared_ptr<Given>;

// ---- where the figures come from: a running service or a store

Result<json> ask(const Given& given, const std::string& method, const std::string& path,
                 std::vector<http::Header> query, const json& body = nullptr) {
  http::Request request;
  request.method = method;
  request.path = "/api/v1/demand/" + path;
  for (http::Header& one : query) {
    if (!one.value.empty()) request.query.push_back(std::move(one));
  }
  if (!given.person.empty()) request.headers.push_back({"X-Person", given.person});
  if (!given.subscriber.empty()) request.headers.push_back({"X-Subscriber", given.subscriber});
  if (!body.is_null()) request.body = body.dump();
  return ask(given.service, request);
}

Result<std::unique_ptr<storage::Store>> open_store(const Given& given) {
  TRY_ASSIGN(const std::filesystem::path folder, store_folder(given.data));
  return storage::open_rocksdb_store_to_read(folder);
}
Result<std::optional<Eui64>> subscriber_of(const Given& given) {
  if (given.subscriber.empty()) return std::optional<Eui64>();
  TRY_ASSIGN(const Eui64 subscriber, Eui64::parse(given.subscriber));
  return std::optional(subscriber);
}

Result<smki::Month> month_or_last(const Context& context, const std::string& text) {
  if (text.empty()) return smki::Month::of(context.world.now()).plus(-1);
  return smki::Month::parse(text);
}

Result<json> report_json(const Context& context, const Given& given) {
  TRY_ASSIGN(const smki::Month month, month_or_last(context, given.month));
  if (!given.service.url.empty()) return ask(given, "GET", "report", {{"month", month.text()}});
  TRY_ASSIGN(const std::unique_ptr<storage::Store> store, open_store(given));
  TRY_ASSIGN(const std::optional<Eui64> subscriber, subscriber_of(given));
  smki::DemandCounts counts;
  counts.read(*store);
  TRY_ASSIGN(const smki::DemandReport report,
             smki::report_demand(*store, counts, given.profile, month, context.world.now()));
  return to_json(report, smki::DemandAudience{!given.published && !subscriber, subscriber});
}

Result<json> allocation_json(const Context& context, const Given& given) {
  TRY_ASSIGN(const smki::Month month, month_or_last(context, given.month));
  if (!given.service.url.empty())
    return ask(given, "GET", "allocation",
               {{"month", month.text()},
                {"capacity", given.capacity ? std::to_string(given.capacity) : ""},
                {"facts", given.facts ? std::to_string(given.facts) : ""}});
  TRY_ASSIGN(const std::unique_ptr<storage::Store> store, open_store(given));
  smki::DemandCounts counts;
  counts.read(*store, given.facts);
  TRY_ASSIGN(const smki::DemandAllocation made,
             smki::allocate_demand(*store, counts, given.profile, month, given.capacity,
                                   context.world.now()));
  return to_json(made);
}

Result<json> list_json(const Given& given, const char* what) {
  if (!given.service.url.empty())
    return ask(given, "GET", what, {{"subscriber", given.person.empty() ? "" : given.subscriber}});
  TRY_ASSIGN(const std::unique_ptr<storage::Store> store, open_store(given));
  TRY_ASSIGN(const std::optional<Eui64> subscriber, subscriber_of(given));
  json list = json::array();
  if (std::string_view(what) == "forecasts") {
    for (const smki::Forecast& one : smki::forecasts(*store, subscriber))
      list.push_back(to_json(one));
  } else {
    for (const smki::DemandNotice& one : smki::notices(*store, subscriber))
      list.push_back(to_json(one));
  }
  return json{{what, std::move(list)}};
}

// ---- for people

std::string percent_of(const json& object) {
  const json& value = object.at("percent");
  return value.is_null() ? "-" : fmt::format("{:.2f} %", value.get<double>());
}
std::string total_of(const json& object, const char* name) {
  return object.contains(name) ? object.at(name).at("total").dump() : "-";
}

void print_report(const json& report) {
  fmt::print("Requests of {} against {} (profile {}, until {})\n\n", report.value("month", ""),
             report.contains("forecast") ? "forecasts" : "the subscribers' own averages",
             report.value("profile", ""), report.value("until", ""));
  fmt::print("{:<24} {:<20} {:>12} {:>12} {:>12}  {}\n", "subscriber", "name", "actual", "forecast",
             "percent", "verdict");
  for (const json& row : report.at("subscribers"))
    fmt::print(
        "{:<24} {:<20} {:>12} {:>12} {:>12}  {}{}{}\n", row.value("subscriber", ""),
        row.value("name", ""), total_of(row, "actual"), total_of(row, "forecast"), percent_of(row),
        row.value("verdict", ""), row.value("late", false) ? ", late" : "",
        row.contains("withheld") ? ", withheld by act " + row["withheld"]["act"].dump() : "");
  fmt::print("{:<24} {:<20} {:>12} {:>12} {:>12}\n", "all", "", total_of(report, "actual"),
             total_of(report, "forecast"), report.contains("percent") ? percent_of(report) : "-");
  if (report.value("relief", false))
    fmt::print(
        "\nAll requests exceed all forecasts so far that the DCC is not held to its targets.\n");
  if (report.value("withheld", 0) > 0)
    fmt::print("\n{} named subscribers are withheld from publication.\n",
               report["withheld"].dump());
  fmt::print("\nPublished from {}.\n", report.value("published_from", ""));
}

void print_allocation(const json& allocation) {
  fmt::print("Capacity of {} in {}, asked {}, given {} (profile {}, journal up to fact {})\n\n",
             allocation["capacity"].dump(), allocation.value("month", ""),
             allocation["asked"].dump(), allocation["given"].dump(),
             allocation.value("profile", ""), allocation["facts"].dump());
  fmt::print("{:<24} {:>12} {:>12} {:>12} {:>12} {:>12}\n", "subscriber", "asked", "announced",
             "within", "beyond", "unserved");
  for (const json& row : allocation.at("shares"))
    fmt::print("{:<24} {:>12} {:>12} {:>12} {:>12} {:>12}\n", row.value("subscriber", ""),
               row["asked"].dump(), row["announced"].dump(), row["within"].dump(),
               row["beyond"].dump(), row["unserved"].dump());
}

// The lines that lodge reads.
void print_prefill(const json& prefill) {
  std::string basis;
  for (const json& month : prefill.at("basis"))
    basis += (basis.empty() ? "" : ", ") + month.get<std::string>();
  fmt::print("# Round of {}, due {}; the mean of {}\n# month  single  batched\n",
             prefill.value("round", ""), prefill.value("due", ""),
             basis.empty() ? "nothing: no complete month has requests" : basis);
  for (const json& one : prefill.at("months"))
    fmt::print("{} {:>8} {:>8}  # {} to {}, {} to {}\n", one.value("month", ""),
               one["single"].dump(), one["batched"].dump(), one["single_interval"][0].dump(),
               one["single_interval"][1].dump(), one["batched_interval"][0].dump(),
               one["batched_interval"][1].dump());
}

void print_forecast(const json& forecast) {
  fmt::print("{} round {} revision {} of {}{}\n", forecast.value("subscriber", ""),
             forecast.value("round", ""), forecast["revision"].dump(),
             forecast.value("lodged_at", ""), forecast.value("late", false) ? ", late" : "");
  for (const json& one : forecast.at("months"))
    fmt::print("  {} {:>10} single {:>10} batched\n", one.value("month", ""), one["single"].dump(),
               one["batched"].dump());
}
void print_notice(const json& notice) {
  fmt::print("{} {} notice {} of {}: {} requests, {}\n", notice.value("subscriber", ""),
             notice.value("month", ""), notice["number"].dump(), notice.value("given_at", ""),
             notice["expected"].dump(), notice.value("reason", ""));
}
void print_parameters(const json& answer) {
  fmt::print("{} stands\n\n", answer["standing"].get<std::string>());
  for (const json& row : answer.at("parameters"))
    fmt::print("{:<12} {:<24} {:>10} {:<20} from {}  {}\n", row.value("profile", ""),
               row.value("name", ""), row.value("value", ""), row.value("unit", ""),
               row.value("in_force_from", ""), row.value("source", ""));
}

template <typename Print>
int show(const Context& context, const Result<json>& answer, Print&& print) {
  if (!answer.ok()) return refuse(context, answer.refusal());
  if (context.json)
    print_json(*answer);
  else
    print(*answer);
  return kDone;
}

// ---- the plot

PlotPoint point_of(const json& report, const std::string& subscriber) {
  PlotPoint point{report.value("month", ""), 0, {}};
  const auto take = [&](const json& from) {
    point.actual = from.at("actual").at("total");
    if (from.contains("forecast")) point.forecast = from.at("forecast").at("total");
  };
  if (subscriber.empty()) take(report);
  for (const json& row : report.at("subscribers")) {
    if (row.value("subscriber", "") == subscriber && row.contains("actual")) take(row);
  }
  return point;
}

int plot(const Context& context, Given given) {
  const smki::Month current = smki::Month::of(context.world.now());
  const Result<smki::Month> from =
      given.from.empty() ? Result<smki::Month>(current.plus(-11)) : smki::Month::parse(given.from);
  const Result<smki::Month> to =
      given.to.empty() ? Result<smki::Month>(current) : smki::Month::parse(given.to);
  if (!from.ok()) return refuse(context, from.refusal());
  if (!to.ok()) return refuse(context, to.refusal());
  if (*to < *from || to->index() - from->index() >= 120)
    return refuse(context, Refusal{"demand-input"_rule, "it is no time of 1 to 120 months", "to"});
  std::vector<PlotPoint> points;
  json list = json::array();
  for (smki::Month month = *from; month <= *to; month = month.plus(1)) {
    given.month = month.text();
    const Result<json> report = report_json(context, given);
    if (!report.ok()) return refuse(context, report.refusal());
    points.push_back(point_of(*report, given.subscriber));
    list.push_back({{"month", points.back().month},
                    {"actual", points.back().actual},
                    {"forecast", points.back().forecast ? json(*points.back().forecast) : json()}});
  }
  if (!given.plot.empty())
    write_output(given.plot, given.plot.ends_with(".svg") ? plot_svg(points) : plot_tsv(points));
  if (context.json)
    print_json({{"points", list}});
  else if (given.plot != "-")
    fmt::print("{}", plot_text(points));
  return kDone;
}

// ---- what subscribers do

Result<json> lodge(const Given& given) {
  TRY_ASSIGN(const std::vector<smki::MonthForecast> months,
             smki::read_month_lines(read_input(given.file)));
  json list = json::array();
  for (const smki::MonthForecast& one : months)
    list.push_back({{"month", one.month.text()},
                    {"single", one.requests.single},
                    {"batched", one.requests.batched}});
  return ask(given, "POST", "forecasts", {}, {{"months", std::move(list)}});
}

// ---- the commands

void add_who(CLI::App& command, Given& given) {
  command.add_option("--subscriber", given.subscriber, "Whose, EUI-64")
      ->envname("WATTSEAL_SUBSCRIBER");
  command.add_option("--person", given.person, "Number of the person who asks")
      ->envname("WATTSEAL_PERSON");
}
// Of those that need a service.
CLI::App* add_asking(CLI::App& demand, const char* name, const char* what, const Shared& given) {
  CLI::App* const command = demand.add_subcommand(name, what);
  given->service.url = "http://127.0.0.1:8081";
  add_address(*command, given->service);
  add_who(*command, *given);
  return command;
}
// Of those that read a store, or ask a service where --url is given.
CLI::App* add_reading(CLI::App& demand, const char* name, const char* what, const Shared& given) {
  CLI::App* const command = demand.add_subcommand(name, what);
  command->add_option("--data", given->data, "Folder of the embedded store; its owner may run")
      ->envname("WATTSEAL_DATA")
      ->capture_default_str();
  command->add_option("--url", given->service.url, "Ask this running SMKI service instead");
  CLI::Option* const identity = command->add_option("--identity", given->service.identity,
                                                    "With --url: client certificate chain, PEM");
  command->add_option("--key", given->service.key, "Its private key, PEM")->needs(identity);
  command->add_option("--trusted", given->service.trusted, "Whom to trust as the service, PEM");
  add_who(*command, *given);
  return command;
}
void run_with(CLI::App& command, Context& context, std::function<int()> run) {
  command.callback([&context, run = std::move(run)] { context.chosen = run; });
}

void add_subscribers_part(CLI::App& demand, Context& context) {
  const Shared given = std::make_shared<Given>();
  CLI::App* const fill =
      add_asking(demand, "prefill",
                 "A forecast of the coming months from the subscriber's own history", given);
  fill->footer(examples({"wattseal smki demand prefill --subscriber EUI > forecast.txt"}));
  run_with(*fill, context, [given, &context] {
    return show(context, ask(*given, "GET", "prefill", {}), print_prefill);
  });
  const Shared lodging = std::make_shared<Given>();
  CLI::App* const lodge_command = add_asking(
      demand, "lodge", "Lodge or revise the forecast of this round; lines as prefill prints them",
      lodging);
  lodge_command->add_option("file", lodging->file, "File of lines 'yyyy-mm single batched'")
      ->capture_default_str();
  lodge_command->footer(examples(
      {"wattseal smki demand lodge forecast.txt --subscriber EUI",
       "wattseal smki demand prefill --person 7 | wattseal smki demand lodge --person 7"}));
  run_with(*lodge_command, context,
           [lodging, &context] { return show(context, lodge(*lodging), print_forecast); });
  const Shared noticing = std::make_shared<Given>();
  CLI::App* const notice = add_asking(
      demand, "notice", "Announce exceptional demand for a month (profile sec-current)", noticing);
  notice->add_option("--month", noticing->month, "Month, yyyy-mm")->required();
  notice->add_option("--expected", noticing->expected, "Requests expected in it")->required();
  notice->add_option("--reason", noticing->reason, "Why")->required();
  notice->footer(
      examples({"wattseal smki demand notice --subscriber EUI --month 2026-09 --expected 90000 "
                "--reason 'roll-out in the north'"}));
  run_with(*notice, context, [noticing, &context] {
    return show(context,
                ask(*noticing, "POST", "notices", {},
                    {{"month", noticing->month},
                     {"expected", noticing->expected},
                     {"reason", noticing->reason}}),
                print_notice);
  });
}

void add_lists(CLI::App& demand, Context& context) {
  const Shared given = std::make_shared<Given>();
  CLI::App* const lodged =
      add_reading(demand, "forecasts", "Forecasts that were lodged, every revision", given);
  lodged->footer(examples({"wattseal smki demand forecasts --data /var/lib/wattseal --json"}));
  run_with(*lodged, context, [given, &context] {
    return show(context, list_json(*given, "forecasts"), [](const json& answer) {
      for (const json& one : answer.at("forecasts")) print_forecast(one);
    });
  });
  const Shared noticed = std::make_shared<Given>();
  CLI::App* const list = add_reading(demand, "notices", "Notices of exceptional demand", noticed);
  list->footer(examples({"wattseal smki demand notices --subscriber EUI"}));
  run_with(*list, context, [noticed, &context] {
    return show(context, list_json(*noticed, "notices"), [](const json& answer) {
      for (const json& one : answer.at("notices")) print_notice(one);
    });
  });
  const Shared parameters = std::make_shared<Given>();
  CLI::App* const rows =
      demand.add_subcommand("parameters", "Thresholds, months and days, with their history");
  rows->add_option("--profile", parameters->profile, "Only of this profile of the Code");
  rows->footer(examples({"wattseal smki demand parameters --profile sec-2014"}));
  run_with(*rows, context, [parameters, &context] {
    return show(context, smki::demand_parameters_json(parameters->profile, context.world.now()),
                print_parameters);
  });
}

void add_reports(CLI::App& demand, Context& context) {
  const Shared given = std::make_shared<Given>();
  CLI::App* const report = add_reading(
      demand, "report", "Requests of one month against forecasts, as the Panel gets it", given);
  report->add_option("--month", given->month, "Month, yyyy-mm; default: the last one");
  report->add_option("--profile", given->profile, "With --data: profile of the Code");
  report->add_flag("--published", given->published, "With --data: as everyone gets it");
  report->footer(examples({"wattseal smki demand report --data /var/lib/wattseal --month 2026-06",
                           "wattseal smki demand report --month 2026-06 --published --json",
                           "wattseal smki demand report --url http://127.0.0.1:8081 --person 1"}));
  run_with(*report, context,
           [given, &context] { return show(context, report_json(context, *given), print_report); });
  const Shared plotting = std::make_shared<Given>();
  CLI::App* const plot_command =
      add_reading(demand, "plot", "Requests against forecasts, month by month", plotting);
  plot_command->add_option("--from", plotting->from, "First month; default: eleven months ago");
  plot_command->add_option("--to", plotting->to, "Last month; default: this one");
  plot_command->add_option("--profile", plotting->profile, "With --data: profile of the Code");
  plot_command->add_option("--plot", plotting->plot,
                           "Also write the points to FILE: a picture where it ends in .svg, else "
                           "rows separated by tabs; - prints the rows only");
  plot_command->footer(
      examples({"wattseal smki demand plot --data /var/lib/wattseal --subscriber EUI",
                "wattseal smki demand plot --from 2026-01 --to 2026-12 --plot demand.svg",
                "wattseal smki demand plot --from 2026-01 --to 2026-12 --json"}));
  run_with(*plot_command, context, [plotting, &context] { return plot(context, *plotting); });
  const Shared sharing = std::make_shared<Given>();
  CLI::App* const allocate =
      add_reading(demand, "allocate",
                  "What each subscriber may have of a capacity that does not suffice", sharing);
  allocate->add_option("--month", sharing->month, "Month, yyyy-mm; default: the last one");
  allocate->add_option("--capacity", sharing->capacity,
                       "Requests that can be served; default: the row capacity_requests");
  allocate->add_option("--facts", sharing->facts,
                       "Only of the first so many facts of the journal: replays an allocation");
  allocate->add_option("--profile", sharing->profile, "With --data: profile of the Code");
  allocate->footer(
      examples({"wattseal smki demand allocate --month 2026-06 --capacity 100000",
                "wattseal smki demand allocate --month 2026-06 --capacity 100000 --facts 81234 "
                "--json"}));
  run_with(*allocate, context, [sharing, &context] {
    return show(context, allocation_json(context, *sharing), print_allocation);
  });
}

}  // namespace

void add_smki_demand(CLI::App& smki, Context& context) {
  CLI::App* const demand = smki.add_subcommand(
      "demand", "Forecasts of signing requests, what came of them, and excess demand");
  demand->require_subcommand(1);
  add_subscribers_part(*demand, context);
  add_lists(*demand, context);
  add_reports(*demand, context);
  demand->footer(examples({"wattseal smki demand prefill --subscriber EUI > forecast.txt",
                           "wattseal smki demand lodge forecast.txt --subscriber EUI",
                           "wattseal smki demand report --month 2026-06",
                           "wattseal smki demand plot --subscriber EUI"}));
}

}  // namespace wattseal::apps
