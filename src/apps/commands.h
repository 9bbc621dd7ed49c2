// The commands of the program `wattseal`, one file each in commands/. Each adds its subcommand to
// the parser and says in one function what it does; what it returns is the exit code: 0 done, 1
// refused or found wanting, 2 used wrongly, 3 the machine failed.
#pragma once
#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "base/world.h"

namespace wattseal::apps {

inline constexpr int kDone = 0, kRefused = 1, kUsedWrongly = 2, kFailed = 3;

// What every command can use.
struct Context {
  const World& world;
  bool json = false;                   // --json: data as JSON on standard output
  std::function<void()> hold_end;      // a command that waits calls this before it makes threads
  std::function<void()> wait_for_end;  // until SIGINT or SIGTERM
  // Waits so long, or until SIGINT or SIGTERM: then it returns true.
  std::function<bool(std::chrono::seconds)> end_within;
  std::function<int()> chosen;  // set by the parser: what to run
};

void add_demo(CLI::App& app, Context& context);
void add_up(CLI::App& app, Context& context);
void add_smki(CLI::App& app, Context& context);
// Of `wattseal smki`: submit, batch; performance, maintenance.
void add_smki_batch(CLI::App& smki, Context& context);
void add_smki_service(CLI::App& smki, Context& context);
void add_smki_demand(CLI::App& smki, Context& context);  // smki demand …
void add_backup(CLI::App& app, Context& context);        // backup and restore
void add_handover(CLI::App& app, Context& context);
void add_authorities(CLI::App& smki, Context& context);  // under smki
void add_ceremony(CLI::App& app, Context& context);
void add_ra(CLI::App& app, Context& context);
void add_pma(CLI::App& app, Context& context);
void add_assurance(CLI::App& app, Context& context);
void add_repository(CLI::App& app, Context& context);
void add_gateway(CLI::App& app, Context& context);
void add_recovery(CLI::App& app, Context& context);
void add_recovery_rehearse(CLI::App& recovery, Context& context);  // recovery rehearse, estate
void add_gbcs(CLI::App& app, Context& context);
void add_duis(CLI::App& app, Context& context);
void add_duis_schema(CLI::App& duis, Context& context);  // of duis: validate, describe, new
void add_duis_serve(CLI::App& duis, Context& context);
void add_correlate(CLI::App& app, Context& context);  // at the top and of duis
void add_mmc(CLI::App& app, Context& context);
void add_utrn(CLI::App& app, Context& context);
void add_audit(CLI::App& app, Context& context);
void add_conformance(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context);

// A file that was named and cannot be read: the command is used wrongly.
struct UnreadableInput : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// Reads a file, or standard input for "-". Throws UnreadableInput when it cannot.
std::string read_input(const std::string& file);
void write_output(const std::string& file, std::string_view content);  // "-": standard output
// Certificates (PEM) of roots that the user trusts.
Result<std::vector<Bytes>> read_roots(const std::vector<std::string>& files);
// The embedded store below the folder of --data. Refuses apps-no-store.
Result<std::filesystem::path> store_folder(const std::string& data);
// Octets of a message given as raw octets, hexadecimal or base64 text.
Result<Bytes> read_octets(std::string_view content);
// Prints a refusal for people or as JSON; returns kRefused.
int refuse(const Context& context, const Refusal& refusal);
void print_json(const nlohmann::json& value);
// "Examples:" and its lines, for --help.
std::string examples(std::initializer_list<std::string_view> lines);

}  // namespace wattseal::apps
