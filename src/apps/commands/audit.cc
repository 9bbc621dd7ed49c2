// audit verify | show
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/audit.h"
#include "apps/commands.h"
#include "base/fault.h"
#include "storage/store.h"
#include "terms/facts.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  std::string data = "wattseal-data", kind, trace;
  std::uint64_t from = 1, most = 50;
};

void add_data(CLI::App& command, Given& given) {
  command
      .add_option("--data", given.data,
                  "Folder of the embedded store; nobody else may have it open")
      ->envname("WATTSEAL_DATA")
      ->capture_default_str();
}

Result<std::unique_ptr<storage::Store>> open(const Given& given) {
  const std::filesystem::path folder = std::filesystem::path(given.data) / "store";
  if (!std::filesystem::exists(folder))
    return Refusal{"apps-no-store"_rule, folder.string() + " does not exist"};
  return storage::open_rocksdb_store(folder);
}

int verify(const Context& context, const Given& given) {
  const Result<std::unique_ptr<storage::Store>> store = open(given);
  if (!store.ok()) return refuse(context, store.refusal());
  const Result<AuditReport> report = audit(**store);
  if (!report.ok()) return refuse(context, report.refusal());
  if (context.json) {
    print_json({{"entries", report->head.next - 1},
                {"chain", to_hex(report->head.chain)},
                {"certificates_published", report->certificates_published},
                {"requests_accepted", report->requests_accepted},
                {"requests_ended", report->requests_ended},
                {"requests_waiting", report->requests_waiting()}});
  } else {
    fmt::print(
        "The chain of {} facts holds; its head is {}.\n{} certificates were published, each after "
        "its intent and its issue.\n"
        "{} requests were accepted, {} ended once, {} wait.\n",
        report->head.next - 1, to_hex(report->head.chain), report->certificates_published,
        report->requests_accepted, report->requests_ended, report->requests_waiting());
  }
  return kDone;
}

int show(const Context& context, const Given& given) {
  const Result<std::unique_ptr<storage::Store>> store = open(given);
  if (!store.ok()) return refuse(context, store.refusal());
  std::uint64_t shown = 0;
  json list = json::array();
  (*store)->journal(given.from, [&](const storage::JournalEntry& entry) {
    const Result<FactView> fact = FactView::read(entry.fact);
    if (!fact.ok())
      throw Fault("entry " + std::to_string(entry.sequence) +
                  " is no fact; wattseal audit verify says more");
    if ((!given.kind.empty() && fact_kind_name(fact->kind()) != given.kind) ||
        (!given.trace.empty() && fact->trace().text() != given.trace))
      return true;
    json fields = json::object();
    std::string text;
    for (const FactFieldView& field : describe(*fact)) {
      fields[field.name] = field.value;
      text += " " + field.name + "=" + field.value;
    }
    if (context.json)
      list.push_back({{"sequence", entry.sequence},
                      {"at", fact->at().iso()},
                      {"kind", fact_kind_name(fact->kind())},
                      {"trace", fact->trace().text()},
                      {"fields", fields}});
    else
      fmt::print("{:>8}  {}  {:<24}{}\n", entry.sequence, fact->at().iso(),
                 fact_kind_name(fact->kind()), text.substr(0, 300));
    return ++shown < given.most;
  });
  if (context.json) print_json(list);
  return kDone;
}

}  // namespace

void add_audit(CLI::App& app, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const audit =
      app.add_subcommand("audit", "The journal: everything that ever happened, hash-chained");
  audit->require_subcommand(1);
  CLI::App* const verify_command =
      audit->add_subcommand("verify",
                            "Recompute the journal's chain; check that every certificate has its "
                            "intent and issue and that requests ended once");
  add_data(*verify_command, *given);
  verify_command->footer(examples({"wattseal audit verify --data wattseal-data"}));
  verify_command->callback([given, &context] {
    context.chosen = [given, &context] { return verify(context, *given); };
  });
  CLI::App* const show_command = audit->add_subcommand("show", "Print facts");
  add_data(*show_command, *given);
  show_command->add_option("--from", given->from, "First sequence number")->capture_default_str();
  show_command->add_option("--max", given->most, "Most facts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  show_command->add_option("--kind", given->kind, "Only this kind, such as certificate-issued");
  show_command->add_option("--trace", given->trace, "Only this exchange");
  show_command->footer(examples(
      {"wattseal audit show --max 20", "wattseal audit show --kind request-refused --json"}));
  show_command->callback(
      [given, &context] { context.chosen = [given, &context] { return show(context, *given); }; });
}

}  // namespace wattseal::apps
