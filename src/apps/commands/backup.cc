// backup | restore; handover export | import
#include "apps/backup.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/options.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  PlatformOptions options;
  std::string to, from;
  std::vector<std::string> roots;
  bool check = false;
  Given() { options.data = "wattseal-data"; }
};

void add_data(CLI::App& command, Given& given, const char* meaning) {
  command.add_option("--data", given.options.data, meaning)
      ->envname("WATTSEAL_DATA")
      ->capture_default_str();
}

json to_json(const BackupReport& report) {
  return {{"facts", report.facts},
          {"chain", to_hex(report.chain)},
          {"files", report.files},
          {"octets", report.octets}};
}

int print(const Context& context, const char* what, const Result<BackupReport>& report) {
  if (!report.ok()) return refuse(context, report.refusal());
  if (context.json)
    print_json(to_json(*report));
  else
    fmt::print("{}: {} facts, chain {}, {} files with {} octets\n", what, report->facts,
               to_hex(report->chain), report->files, report->octets);
  return kDone;
}

int back_up_now(const Context& context, const Given& given) {
  if (!std::filesystem::exists(given.options.data / "store"))
    return refuse(context, {"apps-no-store"_rule,
                            (given.options.data / "store").string() + " does not exist", "data"});
  const Result<std::unique_ptr<storage::Store>> store =
      storage::open_rocksdb_store(given.options.data / "store");
  if (!store.ok()) return refuse(context, store.refusal());
  return print(context, "backed up", back_up(context.world, **store, given.options.data, given.to));
}

int export_now(const Context& context, const Given& given) {
  const Result<std::unique_ptr<Platform>> platform = Platform::create(context.world, given.options);
  if (!platform.ok()) return refuse(context, platform.refusal());
  return print(context, "handed over", (*platform)->export_bundle(given.to));
}

int import_now(const Context& context, const Given& given) {
  const Result<std::vector<Bytes>> roots = read_roots(given.roots);
  if (!roots.ok()) return refuse(context, roots.refusal());
  const Result<BundleReport> report = check_bundle(given.from, *roots);
  if (!report.ok()) return refuse(context, report.refusal());
  if (!given.check) {
    const Result<BackupReport> restored = restore_backup(given.from, given.options.data);
    if (!restored.ok()) return refuse(context, restored.refusal());
  }
  if (context.json) {
    json out = to_json(report->backup);
    out.update({{"certificates", report->certificates},
                {"authorities", report->authorities},
                {"lists", report->lists},
                {"transcripts", report->transcripts},
                {"key_objects", report->key_objects},
                {"signers", report->signers},
                {"roots_given", report->roots_given},
                {"imported", !given.check}});
    print_json(out);
    return kDone;
  }
  fmt::print(
      "The bundle is whole: {} facts, {} certificates, {} authorities, {} lists, {} transcripts; "
      "signed by {}.\n",
      report->backup.facts, report->certificates, report->authorities, report->lists,
      report->transcripts, fmt::join(report->signers, " and "));
  fmt::print("Keys that the new provider must hold: {}\n", fmt::join(report->key_objects, ", "));
  if (!report->roots_given)
    fmt::print("The roots of the bundle itself were believed; give --root to be sure.\n");
  if (!given.check) fmt::print("Imported to {}\n", given.options.data.string());
  return kDone;
}

}  // namespace

void add_backup(CLI::App& app, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const backup = app.add_subcommand(
      "backup",
      "Copy store and encrypted keys to a new folder with a manifest; a running wattseal up does "
      "so by itself with --backups");
  add_data(*backup, *given, "Folder of the embedded store; nobody else may have it open");
  backup->add_option("--to", given->to, "Folder that is not there yet")->required();
  backup->footer(examples({"wattseal backup --data /var/lib/wattseal --to /mnt/backup/2026-05-01",
                           "wattseal up --data /var/lib/wattseal --backups /mnt/backup"}));
  backup->callback([given, &context] {
    context.chosen = [given, &context] { return back_up_now(context, *given); };
  });
  CLI::App* const restore = app.add_subcommand(
      "restore", "Check a backup, every digest and the journal's chain, and copy it back");
  add_data(*restore, *given, "Folder to restore to; it is not there yet");
  restore->add_option("--from", given->from, "The backup")->required();
  restore->add_flag("--check", given->check, "Check only");
  restore->footer(
      examples({"wattseal restore --from /mnt/backup/2026-05-01 --data /var/lib/wattseal",
                "wattseal restore --from /mnt/backup/2026-05-01 --check"}));
  restore->callback([given, &context] {
    context.chosen = [given, &context] {
      return given->check
                 ? print(context, "good", check_backup(given->from))
                 : print(context, "restored", restore_backup(given->from, given->options.data));
    };
  });
}

void add_handover(CLI::App& app, Context& context) {
  CLI::App* const handover =
      app.add_subcommand("handover", "Everything that a new provider of the SMKI needs");
  handover->require_subcommand(1);
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const out = handover->add_subcommand(
      "export", "Write the bundle, its manifest signed by the issuing authorities");
  add_platform_options(*out, given->options, false);
  out->add_option("--to", given->to, "Folder that is not there yet")->required();
  out->footer(examples({"wattseal handover export --data /var/lib/wattseal --to bundle"}));
  out->callback([given, &context] {
    context.chosen = [given, &context] { return export_now(context, *given); };
  });
  const std::shared_ptr<Given> into = std::make_shared<Given>();
  CLI::App* const in = handover->add_subcommand(
      "import", "Check that a bundle is whole and signed, and make a store of it");
  add_data(*in, *into, "Folder to import to; it is not there yet");
  in->add_option("bundle", into->from, "The bundle")->required();
  in->add_option("--root", into->roots, "Certificate (PEM) of a root that you trust");
  in->add_flag("--check", into->check, "Check only");
  handover->footer(examples({"wattseal handover export --data wattseal-data --to bundle",
                             "wattseal handover import bundle --check"}));
  in->footer(
      examples({"wattseal handover import bundle --check --root root-oca.pem --root "
                "root-dca.pem",
                "wattseal handover import bundle --data /var/lib/wattseal"}));
  in->callback([into, &context] {
    context.chosen = [into, &context] { return import_now(context, *into); };
  });
}

}  // namespace wattseal::apps
