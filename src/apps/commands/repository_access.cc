// repository access
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands/repository_parts.h"
#include "apps/office_client.h"
#include "base/fault.h"
#include "smki/access_log.h"
#include "storage/reading.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  std::string data = "wattseal-data", party, from, to, person;
  SmkiAddress service;
};

Result<json> of_service(const Given& given) {
  TRY_ASSIGN(const std::unique_ptr<http::Client> client, open(given.service));
  http::Request request;
  request.method = "GET";
  request.path = "/api/v1/repository/access";
  for (const auto& [name, value] : {std::pair{"party", &given.party},
                                    std::pair{"from", &given.from}, std::pair{"to", &given.to}}) {
    if (!value->empty()) request.query.push_back({name, *value});
  }
  if (!given.person.empty()) request.headers.push_back({"X-Person", given.person});
  const http::Response response = client->send(request);
  if (response.status != 200) return read_refusal(response);
  json report = json::parse(response.body, nullptr, false);
  if (!report.is_object() || !report.contains("access"))
    throw Fault("the service's answer is no report");
  return report;
}

Result<json> of_store(const World& world, const Given& given) {
  TRY_ASSIGN(const smki::AccessQuery query,
             smki::read_access_query(given.party, given.from, given.to, world.now()));
  TRY_ASSIGN(const std::filesystem::path folder, store_folder(given.data));
  TRY_ASSIGN(const std::unique_ptr<storage::Store> store,
             storage::open_rocksdb_store_to_read(folder));
  return smki::to_json(smki::repository_access(*store, query), query);
}

int run(const Context& context, const Given& given) {
  const Result<json> report =
      given.service.url.empty() ? of_store(context.world, given) : of_service(given);
  if (!report.ok()) return refuse(context, report.refusal());
  if (context.json) {
    print_json(*report);
    return kDone;
  }
  fmt::print("{} to {}\n{:<24} {:<20} {:<9} {:<13} {:>12} {:>12} {:>8}  {}\n",
             report->value("from", ""), report->value("to", ""), "party", "name", "interface",
             "query", "answered", "refused", "late", "last hour");
  for (const json& row : report->at("access"))
    fmt::print("{:<24} {:<20} {:<9} {:<13} {:>12} {:>12}  {}\n", row.value("party", "nobody known"),
               row.value("name", ""), row.value("interface", ""), row.value("query", ""),
               row.value("answered", std::uint64_t{0}), row.value("refused", std::uint64_t{0}),
               row.value("last", ""));
  return kDone;
}

}  // namespace

void add_access(CLI::App& repository, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command = repository.add_subcommand(
      "access", "Who asked what of the repository, from the records in the journal");
  command->add_option("--data", given->data, "Folder of the embedded store; its owner may run")
      ->envname("WATTSEAL_DATA")
      ->capture_default_str();
  command->add_option("--party", given->party, "Only of this party, EUI-64");
  command->add_option("--from", given->from,
                      "First hour, yyyy-mm-dd or ISO time; default: thirty days before the end");
  command->add_option("--to", given->to, "End, excluded; default: now");
  command->add_option("--url", given->service.url, "Ask this running SMKI service instead");
  CLI::Option* const identity = command->add_option("--identity", given->service.identity,
                                                    "With --url: client certificate chain, PEM");
  command->add_option("--key", given->service.key, "Its private key, PEM")->needs(identity);
  command->add_option("--trusted", given->service.trusted, "Whom to trust as the service, PEM");
  command->add_option("--person", given->person,
                      "With --url: number of the person of the registration authority who asks");
  command->footer(
      examples({"wattseal repository access --data /var/lib/wattseal",
                "wattseal repository access --party 90-57-53-00-00-01-00-00 --from 2026-05-01 --to "
                "2026-06-01 --json",
                "wattseal repository access --url http://127.0.0.1:8081 --person 1"}));
  command->callback(
      [given, &context] { context.chosen = [given, &context] { return run(context, *given); }; });
}

}  // namespace wattseal::apps
