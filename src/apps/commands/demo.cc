#include "apps/demo.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/options.h"
#include "base/fault.h"
#include "base/log.h"

namespace wattseal::apps {
namespace {

constexpr std::size_t kTopUpsToCompare = 50;

// A folder of its own that goes when the program does.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "wattseal-demo-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw Fault("cannot make a folder for the demo");
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

void add_platform_options(CLI::App& command, PlatformOptions& options, bool ports) {
  command.add_option("--data", options.data, "Folder of the embedded store and the keys")
      ->envname("WATTSEAL_DATA");
  command
      .add_option("--keys", options.key_store,
                  "Where private keys live: auto, pkcs11, file or memory")
      ->envname("WATTSEAL_KEYS")
      ->check(CLI::IsMember({"auto", "pkcs11", "file", "memory"}))
      ->capture_default_str();
  command.add_option("--passphrase", options.passphrase, "Passphrase of the key file")
      ->envname("WATTSEAL_PASSPHRASE");
  command.add_option("--pin", options.pin, "PIN of the PKCS#11 token")->envname("WATTSEAL_PIN");
  if (!ports) return;
  command
      .add_option("--backups", options.backups,
                  "Folder for a backup a day, made while everything runs")
      ->envname("WATTSEAL_BACKUPS");
  command
      .add_option("--checkpoint", options.checkpoint,
                  "File outside the data folder that gets the journal's newest signed checkpoint")
      ->envname("WATTSEAL_CHECKPOINT");
  command
      .add_option("--log-origin", options.log_origin,
                  "Name of the public certificate log and of its key, as host/path")
      ->envname("WATTSEAL_LOG_ORIGIN")
      ->capture_default_str();
  command
      .add_option("--demand-profile", options.demand_profile,
                  "Profile of data/demand_parameters.tsv, such as sec-current; default: what "
                  "stands")
      ->envname("WATTSEAL_DEMAND_PROFILE");
  command
      .add_option("--gateway-port", options.gateway_port, "Port of the gateway; 0: any free one")
      ->envname("WATTSEAL_GATEWAY_PORT")
      ->capture_default_str();
  command.add_option("--repository-port", options.repository_port, "Port of the repository")
      ->envname("WATTSEAL_REPOSITORY_PORT")
      ->capture_default_str();
  command.add_option("--smki-port", options.smki_port, "Port of the SMKI service")
      ->envname("WATTSEAL_SMKI_PORT")
      ->capture_default_str();
  command.add_option("--wan", options.wan_url, "Where commands to devices go")
      ->envname("WATTSEAL_WAN");
}

void add_demo(CLI::App& app, Context& context) {
  struct Given {
    DemoOptions options;
    bool logs = false;
    std::string misbehaviour;
  };
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command = app.add_subcommand(
      "demo", "The main job end to end, from an empty disk to a signed answer from a meter");
  command
      ->add_option("--meters", given->options.premises,
                   "Premises: four devices and eight certificates each")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--json", given->options.json, "Write the summary to this file, too");
  command->add_flag("--tour", given->options.tour,
                    "The longer tour: a tariff, a prepayment day, the supply disabled and armed, "
                    "anomalies held");
  command->add_flag("--stay", given->options.stay,
                    "Leave everything running and print the addresses");
  command
      ->add_option("--misbehave", given->misbehaviour,
                   "With --stay: how all devices are wrong once the tour is over, such as slow, "
                   "lossy, wrong-mac, storm, or settings such as lost=20,slow=5")
      ->needs("--stay");
  command
      ->add_option("--storm", given->options.storm.alerts,
                   "A power cut after the tour: so many outages of meters, while top-ups go on; "
                   "such as 100000")
      ->check(CLI::Range(1, 2'000'000));
  command
      ->add_option("--storm-rate", given->options.storm.per_second,
                   "Alerts a second that reach the gateway; 0: as fast as it takes them")
      ->check(CLI::Range(0.0, 1e6))
      ->needs("--storm");
  command
      ->add_option("--storm-tsv", given->options.storm_tsv,
                   "Write what came and was delivered, second by second, to this file")
      ->needs("--storm");
  command->add_flag("--quiet", given->options.quiet, "Print nothing when all is well");
  command->add_flag("--logs", given->logs, "Show the services' logs on standard error");
  add_platform_options(*command, given->options.platform, true);
  command->footer(examples({"wattseal demo", "wattseal demo --meters 50 --json summary.json",
                            "wattseal demo --meters 10 --tour",
                            "wattseal demo --meters 1000 --storm 100000 --storm-tsv storm.tsv",
                            "wattseal demo --meters 10 --stay",
                            "wattseal demo --meters 10 --stay --misbehave lossy,slow=5"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      log::set_level(given->logs ? log::Level::info : log::Level::off);
      const Result<emulators::Misbehaviour> wrong =
          emulators::parse_misbehaviour(given->misbehaviour);
      if (!wrong.ok()) return refuse(context, wrong.refusal());
      given->options.misbehaviour = *wrong;
      if (given->options.stay) context.hold_end();
      given->options.storm.top_ups = kTopUpsToCompare;
      const Scratch scratch;
      if (given->options.platform.data.empty()) given->options.platform.data = scratch.path();
      given->options.wait_for_end = context.wait_for_end;
      run_demo(context.world, given->options);
      return kDone;
    };
  });
}

}  // namespace wattseal::apps
