// repository sftp-export | sftp-config | sftp-keys
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands/repository_parts.h"
#include "apps/sftp_export.h"
#include "apps/sftp_server.h"
#include "base/fault.h"
#include "smki/ra.h"
#include "storage/reading.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

// The store of a running platform, as it is at this moment.
Result<std::unique_ptr<storage::Store>> open_store(const std::string& data) {
  TRY_ASSIGN(const std::filesystem::path folder, store_folder(data));
  return storage::open_rocksdb_store_to_read(folder);
}

// ---- export

struct ExportGiven {
  std::string data = "wattseal-data", to;
  bool check = false, whole = false;
  unsigned follow = 0;  // seconds; 0: once
};

void print_report(const Context& context, const SftpReport& report, bool checked) {
  if (context.json) {
    print_json({{"tree", report.tree},
                {"made_now", report.made_now},
                {"files", report.files},
                {"written", report.written},
                {"certificates", report.certificates},
                {"documents", report.documents},
                {"up_to", report.up_to},
                {"published_at", report.published_at}});
  } else {
    fmt::print(
        "{}: {} files, {} certificates, {} documents, complete up to fact {}, published {}{}\n",
        report.tree, report.files, report.certificates, report.documents, report.up_to,
        report.published_at.empty() ? "never" : report.published_at,
        checked           ? "; every digest holds"
        : report.made_now ? fmt::format("; {} files written", report.written)
                          : "; nothing had changed");
  }
  std::fflush(stdout);
}

Result<SftpReport> export_once(const Context& context, const ExportGiven& given) {
  TRY_ASSIGN(const std::unique_ptr<storage::Store> store, open_store(given.data));
  SftpOptions options;
  options.whole = given.whole;
  return export_sftp(context.world, *store, given.to, options);
}

int run_export(const Context& context, const ExportGiven& given) {
  if (given.check) {
    const Result<SftpReport> report = check_sftp(given.to);
    if (!report.ok()) return refuse(context, report.refusal());
    print_report(context, *report, true);
    return kDone;
  }
  if (given.follow != 0) context.hold_end();
  for (;;) {
    try {
      const Result<SftpReport> report = export_once(context, given);
      if (!report.ok()) return refuse(context, report.refusal());
      if (given.follow == 0 || report->made_now) print_report(context, *report, false);
      if (given.follow == 0) return kDone;
    } catch (const Fault& fault) {  // a full disk, a file that the owner removed in that moment
      if (given.follow == 0) throw;
      fmt::print(stderr, "wattseal: {}; trying again\n", fault.what());
    }
    if (context.end_within(std::chrono::seconds(given.follow))) return kDone;
  }
}

void add_data(CLI::App& command, std::string& data) {
  command.add_option("--data", data, "Folder of the embedded store; its owner may run")
      ->envname("WATTSEAL_DATA")
      ->capture_default_str();
}

void add_export(CLI::App& repository, Context& context) {
  const std::shared_ptr<ExportGiven> given = std::make_shared<ExportGiven>();
  CLI::App* const command = repository.add_subcommand(
      "sftp-export", "Write what an SFTP server hands out: certificates, lists, documents");
  command->add_option("folder", given->to, "Root of the SFTP server")->required();
  add_data(*command, given->data);
  command->add_flag("--whole", given->whole, "Write every file again");
  command->add_flag("--check", given->check,
                    "Write nothing: read every file and compare it with the manifest");
  command->add_option("--follow", given->follow, "Do it again every so many seconds")
      ->check(CLI::Range(1, 86400));
  command->footer(examples(
      {"wattseal repository sftp-export /srv/wattseal-sftp --data /var/lib/wattseal",
       "wattseal repository sftp-export /srv/wattseal-sftp --data /var/lib/wattseal --follow 60",
       "wattseal repository sftp-export /srv/wattseal-sftp --check --json"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] { return run_export(context, *given); };
  });
}

// ---- the server

int print_config(const Context& context, const SftpServer& server) {
  const Result<std::string> text = sshd_config(server);
  if (!text.ok()) return refuse(context, text.refusal());
  fmt::print("{}", *text);
  return kDone;
}

void add_config(CLI::App& repository, Context& context) {
  const std::shared_ptr<SftpServer> server = std::make_shared<SftpServer>();
  CLI::App* const command = repository.add_subcommand(
      "sftp-config", "Print the sshd_config of an SFTP server for that folder");
  const auto add = [&](const char* option, std::string& value, const char* help) {
    command->add_option(option, value, help)->capture_default_str();
  };
  add("--root", server->root, "Folder of sftp-export; it and those above belong to root alone");
  add("--address", server->address, "Address to listen on");
  command->add_option("--port", server->port, "Port to listen on")->capture_default_str();
  add("--user", server->user, "Account that the parties log in as");
  add("--host-key", server->host_key, "Private host key");
  add("--authorized-keys", server->authorized_keys, "File that sftp-keys made");
  add("--pid-file", server->pid_file, "File that gets the server's process number");
  command->footer(
      examples({"wattseal repository sftp-config > /etc/wattseal/sshd_config",
                "wattseal repository sftp-config --address 192.0.2.7 --port 22 --root /srv/smki"}));
  command->callback([server, &context] {
    context.chosen = [server, &context] { return print_config(context, *server); };
  });
}

// ---- keys

struct KeysGiven {
  std::string data = "wattseal-data", file;
};

// A key lets in whom the register knows, nobody else.
Result<std::map<Eui64, std::string>> names_of(const Context& context, const std::string& data,
                                              const std::vector<SftpKey>& keys) {
  TRY_ASSIGN(const std::unique_ptr<storage::Store> store, open_store(data));
  Workers workers(1);
  const smki::RegistrationAuthority authority(context.world, *store, workers);
  std::map<Eui64, std::string> names;
  for (const SftpKey& key : keys) {
    const Result<smki::Party> party = authority.party(key.party);
    if (!party.ok())
      return Refusal{"sftp-key"_rule, key.party.text() + " is no registered party", "party"};
    names[key.party] = party->name;
  }
  return names;
}

int print_keys(const Context& context, const KeysGiven& given) {
  const Result<std::vector<SftpKey>> keys = read_sftp_keys(read_input(given.file));
  if (!keys.ok()) return refuse(context, keys.refusal());
  const Result<std::map<Eui64, std::string>> names = names_of(context, given.data, *keys);
  if (!names.ok()) return refuse(context, names.refusal());
  if (!context.json) {
    fmt::print("{}", authorized_keys(*keys, *names));
    return kDone;
  }
  json list = json::array();
  for (const SftpKey& key : *keys)
    list.push_back({{"party", key.party.text()},
                    {"name", names->at(key.party)},
                    {"type", key.type},
                    {"fingerprint", key.fingerprint}});
  print_json({{"keys", std::move(list)}});
  return kDone;
}

void add_keys(CLI::App& repository, Context& context) {
  const std::shared_ptr<KeysGiven> given = std::make_shared<KeysGiven>();
  CLI::App* const command = repository.add_subcommand(
      "sftp-keys", "Print the authorized_keys file of the parties' SSH keys");
  command
      ->add_option("file", given->file,
                   "Lines of EUI-64, type of key and key, as in a .pub file; - for standard input")
      ->required();
  add_data(*command, given->data);
  command->footer(
      examples({"wattseal repository sftp-keys parties.keys --data /var/lib/wattseal > "
                "/etc/wattseal/sftp_authorized_keys",
                "wattseal repository sftp-keys parties.keys --json   # whose key the log speaks "
                "of"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] { return print_keys(context, *given); };
  });
}

}  // namespace

void add_sftp(CLI::App& repository, Context& context) {
  add_export(repository, context);
  add_config(repository, context);
  add_keys(repository, context);
}

}  // namespace wattseal::apps
