// smki performance | maintenance add | list | cancel
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/commands/smki_client.h"
#include "smki/performance.h"
#include "terms/terms.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

std::string percent(std::optional<unsigned> basis_points) {
  if (!basis_points) return "no activity";
  return fmt::format("{}.{:02} %", *basis_points / 100, *basis_points % 100);
}
std::string seconds_text(std::int64_t milliseconds) {
  return fmt::format("{}.{:03} s", milliseconds / 1000, milliseconds % 1000);
}

// ---- asking a service

// A running service and who asks it.
struct ServiceGiven {
  SmkiAddress address;
  std::string person;
};

// The answer's body; what is no answer is a refusal of the service, printed as it came.
std::optional<json> ask(const ServiceGiven& given, const char* method, const char* path,
                        const json& body) {
  Result<std::unique_ptr<http::Client>> client = apps::open(given.address);
  if (!client.ok()) {
    fmt::print(stderr, "{}\n", explain(client.refusal()));
    return {};
  }
  http::Request request;
  request.method = method;
  request.path = path;
  if (!given.person.empty()) request.headers.push_back({"X-Person", given.person});
  if (!body.is_null()) request.body = body.dump();
  const http::Response response = (*client)->send(request);
  json answer = json::parse(response.body, nullptr, false);
  if (response.status / 100 == 2 && answer.is_object()) return answer;
  fmt::print(stderr, "{}\n", answer.is_object() ? answer.dump(2) : response.body);
  return {};
}

// ---- performance

void print_delivery(const char* name, const smki::Delivery& delivery) {
  fmt::print("{:<10} {:>10} {:>10} {:>8} {:>12} {:>12} {:>8}  {}\n", name, delivery.received,
             delivery.in_time, delivery.late, delivery.unanswered_late, delivery.unanswered,
             delivery.held, percent(delivery.level_basis_points()));
}

void print_performance(const smki::Performance& report) {
  fmt::print("SMKI service in {} (until {})\n\n", report.month.text(), report.until.iso());
  fmt::print("{:<10} {:>10} {:>10} {:>8} {:>12} {:>12} {:>8}  {}\n", "requests", "received",
             "in time", "late", "overdue", "waiting", "held", "level");
  print_delivery("single", report.singles);
  print_delivery("batched", report.batched);
  print_delivery("all", report.all);
  fmt::print("\nCPM 7: {}, target {}, minimum {}; service credit {} of the month's charge\n",
             percent(report.all.level_basis_points()), percent(smki::cpm7_target()),
             percent(smki::cpm7_minimum()), percent(report.credit_basis_points));
  fmt::print("CPM 8: {} of {} requests to the repository in time, target {}, minimum {}\n",
             percent(report.repository.level_basis_points()), report.repository.received,
             percent(smki::cpm8_target()), percent(smki::cpm8_minimum()));
  fmt::print("Available in the service window: {}\n",
             percent(report.availability.level_basis_points()));
  if (!report.tail.empty()) fmt::print("\nThe final hundredth was answered within\n");
  for (const smki::AgePoint& point : report.tail)
    fmt::print("  {:>7.2f} %  {:>16}\n", point.share * 100, seconds_text(point.milliseconds));
  if (report.oldest)
    fmt::print("\nOldest unanswered: batch {} of {} requests, {} old, due {}\n",
               report.oldest->batch, report.oldest->rows,
               seconds_text(report.oldest->age_milliseconds), report.oldest->due.iso());
}

Result<std::unique_ptr<storage::Store>> open_store(const std::string& data) {
  TRY_ASSIGN(const std::filesystem::path folder, store_folder(data));
  return storage::open_rocksdb_store(folder);
}

struct PerformanceGiven {
  std::string data = "wattseal-data", month;
  ServiceGiven service;
};

int report_of_service(const PerformanceGiven& given, const smki::Month& month) {
  const std::optional<json> answer =
      ask(given.service, "GET", ("/api/v1/performance?month=" + month.text()).c_str(), nullptr);
  if (!answer) return kRefused;
  print_json(*answer);
  const auto below = [&](const char* measure) {
    const json& level = answer->at(measure).at("level_percent");
    return level.is_number() && level < answer->at(measure).at("minimum_percent");
  };
  return below("cpm7") || below("cpm8") ? kRefused : kDone;
}

int performance(const Context& context, const PerformanceGiven& given) {
  const UtcTime now = context.world.now();
  const CivilTime today = uk_civil(now);
  const Result<smki::Month> month = given.month.empty()
                                        ? Result<smki::Month>(smki::Month{today.year, today.month})
                                        : smki::Month::parse(given.month);
  if (!month.ok()) return refuse(context, month.refusal());
  if (!given.service.address.url.empty()) return report_of_service(given, *month);
  const Result<std::unique_ptr<storage::Store>> store = open_store(given.data);
  if (!store.ok()) return refuse(context, store.refusal());
  const smki::Performance report = smki::measure_performance(**store, *month, now);
  if (context.json)
    print_json(smki::to_json(report));
  else
    print_performance(report);
  const auto below = [](const smki::Delivery& delivery, unsigned minimum) {
    return delivery.level_basis_points().value_or(minimum) < minimum;
  };
  return below(report.all, smki::cpm7_minimum()) || below(report.repository, smki::cpm8_minimum())
             ? kRefused
             : kDone;
}

void add_performance(CLI::App& smki, Context& context) {
  const std::shared_ptr<PerformanceGiven> given = std::make_shared<PerformanceGiven>();
  CLI::App* const command =
      smki.add_subcommand("performance",
                          "Code Performance Measures 7 and 8, the tail, availability and service "
                          "credits of one month, from "
                          "the journal alone; exit code 1 below the minimum");
  command
      ->add_option("--data", given->data,
                   "Folder of the embedded store; nobody else may have it open")
      ->envname("WATTSEAL_DATA")
      ->capture_default_str();
  command->add_option("--month", given->month, "Month as yyyy-mm, by UK clocks; default: this one");
  command->add_option("--url", given->service.address.url,
                      "Ask this running SMKI service instead; the answer is JSON");
  command->add_option("--person", given->service.person,
                      "With --url: number of the person of the registration authority who asks");
  command->footer(examples({"wattseal smki performance --data wattseal-data --month 2026-05",
                            "wattseal smki performance --url http://127.0.0.1:8081 --person 1",
                            "wattseal smki performance --json"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] { return performance(context, *given); };
  });
}

// ---- maintenance

struct MaintenanceGiven {
  ServiceGiven service{{"http://127.0.0.1:8081", {}, {}, {}}, {}};
  std::string from, until, reason, number;
};

int propose(const Context& context, const MaintenanceGiven& given, const json& act) {
  const std::optional<json> answer = ask(given.service, "POST", "/api/v1/ra/acts", act);
  if (!answer) return kRefused;
  if (context.json)
    print_json(*answer);
  else
    fmt::print("act {} is {}\n", answer->at("act").dump(), answer->value("state", ""));
  return kDone;
}

int list(const Context& context, const MaintenanceGiven& given) {
  const std::optional<json> answer = ask(given.service, "GET", "/api/v1/maintenance", nullptr);
  if (!answer) return kRefused;
  if (context.json) {
    print_json(*answer);
    return kDone;
  }
  fmt::print("The service {}; window {}:00 to {}:00 UK local time\n",
             answer->at("serves").get<bool>() ? "serves now"
                                              : "serves from " + answer->value("serves_from", ""),
             answer->at("opens_hour").dump(), answer->at("closes_hour").dump());
  for (const json& one : answer->at("maintenance"))
    fmt::print("{:>6}  {} to {}  {}{}\n", one.at("maintenance").dump(), one.value("from", ""),
               one.value("until", ""), one.value("reason", ""),
               one.at("with_notice").get<bool>() ? "" : "  (short notice)");
  return kDone;
}

void add_person(CLI::App& command, MaintenanceGiven& given) {
  add_address(command, given.service.address);
  command.add_option("--person", given.service.person, "Number of the person who proposes")
      ->envname("WATTSEAL_PERSON");
}

void add_maintenance(CLI::App& smki, Context& context) {
  const std::shared_ptr<MaintenanceGiven> given = std::make_shared<MaintenanceGiven>();
  CLI::App* const maintenance = smki.add_subcommand(
      "maintenance", "The calendar of planned maintenance; meanwhile requests are queued");
  maintenance->require_subcommand(1);
  maintenance->footer(
      examples({"wattseal smki maintenance list",
                "wattseal smki maintenance add --person 1 --from "
                "2026-06-01T20:00:00Z --until 2026-06-01T23:00:00Z --reason disks"}));
  CLI::App* const add = maintenance->add_subcommand(
      "add", "Propose maintenance as an act of the registration authority; another approves it");
  add_person(*add, *given);
  add->add_option("--from", given->from, "Start, yyyy-mm-ddThh:mm:ssZ")->required();
  add->add_option("--until", given->until, "End, yyyy-mm-ddThh:mm:ssZ")->required();
  add->add_option("--reason", given->reason, "What for")->required();
  add->footer(
      examples({"wattseal smki maintenance add --person 1 --from 2026-06-01T20:00:00Z "
                "--until 2026-06-01T23:00:00Z --reason 'new disks'"}));
  add->callback([given, &context] {
    context.chosen = [given, &context] {
      return propose(
          context, *given,
          {{"kind", "plan-maintenance"},
           {"payload",
            {{"from", given->from}, {"until", given->until}, {"reason", given->reason}}}});
    };
  });
  CLI::App* const cancel = maintenance->add_subcommand("cancel", "Maintenance will not take place");
  add_person(*cancel, *given);
  cancel->add_option("number", given->number, "As maintenance list shows it")->required();
  cancel->add_option("--reason", given->reason, "Why")->required();
  cancel->footer(
      examples({"wattseal smki maintenance cancel 17 --person 1 --reason 'disks are late'"}));
  cancel->callback([given, &context] {
    context.chosen = [given, &context] {
      return propose(context, *given,
                     {{"kind", "cancel-maintenance"},
                      {"payload", {{"maintenance", given->number}, {"reason", given->reason}}}});
    };
  });
  CLI::App* const list_command =
      maintenance->add_subcommand("list", "Maintenance to come and whether the service serves now");
  add_address(*list_command, given->service.address);
  list_command->footer(
      examples({"wattseal smki maintenance list", "wattseal smki maintenance list --json"}));
  maintenance->footer(examples({"wattseal smki maintenance list"}));
  list_command->callback(
      [given, &context] { context.chosen = [given, &context] { return list(context, *given); }; });
}

}  // namespace

void add_smki_service(CLI::App& smki, Context& context) {
  add_performance(smki, context);
  add_maintenance(smki, context);
}

}  // namespace wattseal::apps
