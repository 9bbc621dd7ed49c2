// audit verify | checkpoint | rebuild | show
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/audit.h"
#include "apps/checkpoints.h"
#include "apps/commands.h"
#include "apps/options.h"
#include "apps/rebuild.h"
#include "apps/redact.h"
#include "base/check.h"
#include "base/fault.h"
#include "storage/reading.h"
#include "terms/facts.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  std::string data = "wattseal-data", kind, trace, checkpoint, key, to;
  bool compare = false, with_people = false;
  std::uint64_t from = 1, most = 50;
};

void add_data(CLI::App& command, Given& given) {
  command
      .add_option("--data", given.data,
                  "Folder of the embedded store; it is only read, and may be in use")
      ->envname("WATTSEAL_DATA")
      ->capture_default_str();
}

Result<std::unique_ptr<storage::Store>> open(const Given& given) {
  TRY_ASSIGN(const std::filesystem::path folder, store_folder(given.data));
  return storage::open_rocksdb_store_to_read(folder);
}

// The checkpoints in the journal and the one from outside, by the key that is given or named.
Result<CheckpointReport> compare(const Given& given, const storage::Reader& store) {
  std::optional<tlog::Verifier> trusted;
  std::optional<std::string> outside;
  if (!given.key.empty()) {
    const bool file = std::filesystem::exists(given.key);
    TRY_ASSIGN(trusted, tlog::Verifier::parse(file ? read_input(given.key) : given.key));
  }
  if (!given.checkpoint.empty()) outside = read_input(given.checkpoint);
  return check_checkpoints(store, trusted, outside);
}

void print_checkpoints(const CheckpointReport& report, std::uint64_t facts) {
  if (!report.key) {
    fmt::print(
        "No checkpoint was ever signed: a change whose author computed the chain again would "
        "not be seen.\n");
    return;
  }
  fmt::print("{} signed checkpoints agree; {} facts are under the last, {} after it.\n",
             report.checkpoints, report.covered, facts - report.covered);
  if (!report.key_given)
    fmt::print(
        "They were checked with the key that the store itself names; --key makes that proof:"
        "\n{}\n",
        report.key->text());
}

int verify(const Context& context, const Given& given) {
  const Result<std::unique_ptr<storage::Store>> store = open(given);
  if (!store.ok()) return refuse(context, store.refusal());
  const Result<AuditReport> report = audit(**store);
  if (!report.ok()) return refuse(context, report.refusal());
  const Result<CheckpointReport> checkpoints = compare(given, **store);
  if (!checkpoints.ok()) return refuse(context, checkpoints.refusal());
  if (context.json) {
    print_json({{"entries", report->head.next - 1},
                {"chain", to_hex(report->head.chain)},
                {"checkpoints", checkpoints->checkpoints},
                {"entries_signed", checkpoints->covered},
                {"key", checkpoints->key ? json(checkpoints->key->text()) : json()},
                {"key_given", checkpoints->key_given},
                {"certificates_published", report->certificates_published},
                {"requests_accepted", report->requests_accepted},
                {"requests_ended", report->requests_ended},
                {"requests_waiting", report->requests_waiting()}});
    return kDone;
  }
  fmt::print(
      "The chain of {} facts holds; its head is {}.\n{} certificates were published, each after "
      "its intent and its issue.\n"
      "{} requests were accepted, {} ended once, {} wait.\n",
      report->head.next - 1, to_hex(report->head.chain), report->certificates_published,
      report->requests_accepted, report->requests_ended, report->requests_waiting());
  print_checkpoints(*checkpoints, report->head.next - 1);
  return kDone;
}

int checkpoint(const Context& context, const PlatformOptions& options, const std::string& key_to) {
  const Result<std::unique_ptr<Platform>> platform = Platform::create(context.world, options);
  if (!platform.ok()) return refuse(context, platform.refusal());
  const Result<JournalSigner*> signer = (*platform)->journal_signer();
  if (!signer.ok()) return refuse(context, signer.refusal());
  const std::string note = (*signer)->sign(), key = (*signer)->verifier().text();
  if (!key_to.empty()) write_output(key_to, key + "\n");
  if (context.json)
    print_json({{"note", note}, {"key", key}});
  else
    fmt::print("{}\nVerifier key: {}\n", note, key);
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
    for (const FactFieldView& field :
         describe(*fact, given.with_people ? People::shown : People::withheld)) {
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

std::string_view text(TableVerdict::Kind kind) {
  switch (kind) {
    case TableVerdict::Kind::same: return "same";
    case TableVerdict::Kind::differs: return "DIFFERS";
    case TableVerdict::Kind::not_derived: return "not derived";
  }
  UNREACHABLE();
}

int rebuild_tables(const Context& context, const Given& given) {
  const Result<std::unique_ptr<storage::Store>> source = open(given);
  if (!source.ok()) return refuse(context, source.refusal());
  std::unique_ptr<storage::Store> into = storage::memory_store();
  if (!given.to.empty()) {
    const std::filesystem::path folder = std::filesystem::path(given.to) / "store";
    if (std::filesystem::exists(folder))
      return refuse(context, {"store-format"_rule, folder.string() + " is there already", "to"});
    std::filesystem::create_directories(given.to);
    Result<std::unique_ptr<storage::Store>> opened = storage::open_rocksdb_store(folder);
    if (!opened.ok()) return refuse(context, opened.refusal());
    into = std::move(*opened);
  }
  const Result<RebuildReport> report = rebuild(context.world, **source, *into);
  if (!report.ok()) return refuse(context, report.refusal());
  json list = json::array();
  for (const TableVerdict& verdict : report->tables) {
    list.push_back({{"table", verdict.table},
                    {"verdict", text(verdict.kind)},
                    {"rows", verdict.rows},
                    {"detail", verdict.detail}});
    if (!context.json)
      fmt::print("{:<22}{:<13}{:>9}  {}\n", verdict.table, text(verdict.kind), verdict.rows,
                 verdict.detail);
  }
  const Status status = report->status();
  if (context.json) {
    print_json({{"facts", report->head.next - 1}, {"same", status.ok()}, {"tables", list}});
    return status.ok() ? kDone : kRefused;
  }
  if (!status.ok()) return refuse(context, status.refusal());
  fmt::print("Every table that follows from the {} facts is what they say.\n",
             report->head.next - 1);
  return kDone;
}

void add_rebuild(CLI::App& audit, Context& context, const std::shared_ptr<Given>& given) {
  CLI::App* const command = audit.add_subcommand(
      "rebuild", "Make every table that follows from the journal again and compare it");
  add_data(*command, *given);
  CLI::Option* const compare_only =
      command->add_flag("--compare", given->compare, "Compare only, in memory (the default)");
  command
      ->add_option("--to", given->to,
                   "Folder for a new store: the journal, the tables made from it, and a copy of "
                   "those that are not")
      ->excludes(compare_only);
  command->footer(examples({"wattseal audit rebuild --data wattseal-data",
                            "wattseal audit rebuild --data damaged --to mended",
                            "wattseal audit rebuild --data running --to backup"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] { return rebuild_tables(context, *given); };
  });
}

void add_checkpoint(CLI::App& audit, Context& context) {
  struct Wanted {
    PlatformOptions options;
    std::string key_to;
  };
  const std::shared_ptr<Wanted> wanted = std::make_shared<Wanted>();
  wanted->options.data = "wattseal-data";
  CLI::App* const command = audit.add_subcommand(
      "checkpoint", "Sign a checkpoint of the journal as it is now, and print it and its key");
  add_platform_options(*command, wanted->options, false);
  command->add_option("--to", wanted->options.checkpoint, "File that gets the checkpoint, too");
  command->add_option("--key-to", wanted->key_to, "File that gets the verifier key");
  command->footer(examples(
      {"wattseal audit checkpoint --data wattseal-data --to journal.note --key-to journal.key"}));
  command->callback([wanted, &context] {
    context.chosen = [wanted, &context] {
      return checkpoint(context, wanted->options, wanted->key_to);
    };
  });
}

}  // namespace

void add_audit(CLI::App& app, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const audit =
      app.add_subcommand("audit", "The journal: everything that ever happened, hash-chained");
  audit->require_subcommand(1);
  CLI::App* const verify_command =
      audit->add_subcommand("verify",
                            "Recompute the journal's chain and compare it with the signed "
                            "checkpoints; check that every certificate has its intent and issue "
                            "and that requests ended once");
  add_data(*verify_command, *given);
  verify_command
      ->add_option("--checkpoint", given->checkpoint,
                   "File with a signed checkpoint that was kept outside the store")
      ->check(CLI::ExistingFile);
  verify_command->add_option("--key", given->key,
                             "Verifier key of the checkpoints, or a file with it");
  verify_command->footer(
      examples({"wattseal audit verify --data wattseal-data",
                "wattseal audit verify --data copy --checkpoint journal.note --key journal.key"}));
  verify_command->callback([given, &context] {
    context.chosen = [given, &context] { return verify(context, *given); };
  });
  add_checkpoint(*audit, context);
  add_rebuild(*audit, context, given);
  CLI::App* const show_command = audit->add_subcommand("show", "Print facts");
  add_data(*show_command, *given);
  show_command->add_option("--from", given->from, "First sequence number")->capture_default_str();
  show_command->add_option("--max", given->most, "Most facts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  show_command->add_option("--kind", given->kind, "Only this kind, such as certificate_issued");
  show_command->add_option("--trace", given->trace, "Only this exchange");
  show_command->add_flag("--with-people", given->with_people,
                         "Show names of people and other personal particulars, too");
  show_command->footer(
      examples({"wattseal audit show --max 20", "wattseal audit show --kind request_refused --json",
                "wattseal audit show --kind act_proposed --with-people"}));
  show_command->callback(
      [given, &context] { context.chosen = [given, &context] { return show(context, *given); }; });
  audit->footer(examples({"wattseal audit verify --data wattseal-data",
                          "wattseal audit show --kind certificate_revoked --json"}));
}

}  // namespace wattseal::apps
