// The program: reads the command line, runs one command, ends with its exit code.
#include <fmt/format.h>
#include <signal.h>

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
  app.add_flag("--json", context.json, "Print data and refusals as JSON");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(examples({"wattseal demo --meters 50", "wattseal up --data /var/lib/wattseal",
                       "wattseal gbcs parse message.hex --json", "wattseal demo --help"}));
  for (const auto add : {add_demo, add_up, add_smki, add_ra, add_repository, add_duis, add_gbcs,
                         add_utrn, add_audit, add_conformance, add_completion})
    add(app, context);
  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsedWrongly;
  }
  try {
    return context.chosen();
  } catch (const Fault& fault) {
    fmt::print(stderr, "wattseal: {}\n", fault.what());
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
