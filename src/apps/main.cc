// The program: reads the command line, runs one command, ends with its exit code.
#include <fmt/format.h>
#include <signal.h>

#include <cstdlib>
#include <system_error>

#include "apps/commands.h"
#include "base/fault.h"

namespace {

using namespace wattseal;
using namespace wattseal::apps;

sigset_t end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// From here on the two signals wait for wait_for_end(). Threads inherit the mask, so this comes
// before any is made.
void hold_end() {
  const sigset_t signals = end_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void wait_for_end() {
  const sigset_t signals = end_signals();
  int number = 0;
  sigwait(&signals, &number);
}

bool end_within(std::chrono::seconds time) {
  const sigset_t signals = end_signals();
  const timespec most{static_cast<std::time_t>(time.count()), 0};
  return sigtimedwait(&signals, nullptr, &most) > 0;
}

// The configuration file without what a variable says: a variable wins over the file, and the
// parser asks for variables only where nothing else gave a value.
class FileBelowVariables final : public CLI::ConfigTOML {
 public:
  explicit FileBelowVariables(CLI::App& app) : app_(app) {}
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> read = CLI::ConfigTOML::from_config(input);
    std::erase_if(read, [this](const CLI::ConfigItem& item) { return variable_says(item); });
    return read;
  }

 private:
  bool variable_says(const CLI::ConfigItem& item) const {
    const CLI::App* command = &app_;
    for (const std::string& parent : item.parents) {
      const std::vector<const CLI::App*> named = command->get_subcommands(
          [&parent](const CLI::App* one) { return one->get_name() == parent; });
      if (named.empty()) return false;
      command = named.front();
    }
    const CLI::Option* const option = command->get_option_no_throw("--" + item.name);
    return option != nullptr && !option->get_envname().empty() &&
           std::getenv(option->get_envname().c_str()) != nullptr;
  }
  CLI::App& app_;
};

int run(int count, char** words) {
  const std::unique_ptr<Clock> clock = system_clock();
  const std::unique_ptr<Random> random = system_random();
  const World world{*clock, *random};
  Context context{world, false, hold_end, wait_for_end, end_within, {}};

  CLI::App app(
      "Wattseal: the trust and messaging platform of Great Britain's smart metering, on one "
      "machine",
      "wattseal");
  app.set_version_flag("--version", std::string("wattseal ") + WATTSEAL_VERSION);
  app.set_config("--config", "",
                 "Configuration file (INI or TOML); flags and WATTSEAL_… variables win over it");
  app.config_formatter(std::make_shared<FileBelowVariables>(app));
  app.allow_config_extras(CLI::config_extras_mode::error);  // a key that nothing reads is a mistake
  app.add_flag("--json", context.json, "Print data and refusals as JSON");
  app.require_subcommand(1);
  app.fallthrough();
  for (const auto add : {add_demo,    add_up,        add_smki,   add_ceremony,    add_ra,
                         add_pma,     add_assurance, add_backup, add_handover,    add_repository,
                         add_gateway, add_recovery,  add_duis,   add_gbcs,        add_correlate,
                         add_mmc,     add_utrn,      add_audit,  add_conformance, add_completion})
    add(app, context);
  // Set last: commands would inherit it.
  app.footer(examples({"wattseal demo --meters 50", "wattseal up --data /var/lib/wattseal",
                       "wattseal gbcs parse message.hex --json", "wattseal demo --help"}));
  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    // The parser says only that a command is missing where one is misspelt.
    if (count > 1 && words[1][0] != '-' && app.get_subcommands().empty())
      fmt::print(stderr, "wattseal: there is no command '{}'\n", words[1]);
    return app.exit(error) == 0 ? kDone : kUsedWrongly;
  }
  try {
    return context.chosen();
  } catch (const Fault& fault) {
    fmt::print(stderr, "wattseal: {}\n", fault.what());
    return kFailed;
  } catch (const UnreadableInput& error) {
    fmt::print(stderr, "wattseal: {}\n", error.what());
    return kUsedWrongly;
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::broken_pipe) return kDone;  // the reader has had enough
    fmt::print(stderr, "wattseal: unexpected: {}\n", error.what());
    return kFailed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "wattseal: unexpected: {}\n", error.what());
    return kFailed;
  }
}

}  // namespace

int main(int count, char** words) {
  ::signal(SIGPIPE, SIG_IGN);
  return run(count, words);
}
