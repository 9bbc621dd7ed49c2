// recovery rehearse | estate
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/estate.h"
#include "apps/rehearsal.h"

namespace wattseal::apps {
namespace {

// "2%", "0.5%": in ten-thousandths; nothing when it is neither.
std::optional<unsigned> per_myriad(std::string text) {
  if (!text.empty() && text.back() == '%') text.pop_back();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 100))
    return std::nullopt;
  return static_cast<unsigned>(value * 100 + 0.5);
}

void add_estate(CLI::App& recovery, Context& context) {
  const std::shared_ptr<EstateOptions> options = std::make_shared<EstateOptions>();
  const std::shared_ptr<std::string> first =
      std::make_shared<std::string>("00-57-53-00-00-00-00-00");
  CLI::App* const command = recovery.add_subcommand(
      "estate", "Emulated premises in a process of their own, as a rehearsal starts it");
  command->add_option("--folder", options->folder, "Where the rehearsal finds it")->required();
  command->add_option("--premises", options->premises, "Premises, four devices each")
      ->check(CLI::Range(1, 100'000));
  command->add_option("--first", *first, "EUI-64 of the first device")->capture_default_str();
  command->add_option("--away-per-myriad", options->away_per_myriad,
                      "Devices that are away at first, of ten thousand");
  command->add_option("--away-seconds", options->away_seconds, "For how long");
  command->footer(examples({"wattseal recovery estate --folder rehearsal/estate --premises 100"}));
  command->callback([options, first, &context] {
    context.chosen = [options, first, &context] {
      const Result<Eui64> id = Eui64::parse(*first);
      if (!id.ok()) return refuse(context, id.refusal());
      options->first = *id;
      context.hold_end();
      serve_estate(context.world, *options, context.end_within);
      return kDone;
    };
  });
}

}  // namespace

void add_recovery_rehearse(CLI::App& recovery, Context& context) {
  add_estate(recovery, context);
  const std::shared_ptr<RehearsalOptions> options = std::make_shared<RehearsalOptions>();
  const std::shared_ptr<std::string> offline = std::make_shared<std::string>("2%");
  CLI::App* const command = recovery.add_subcommand(
      "rehearse",
      "Rehearse a recovery against an estate of emulated devices; goes on where it was");
  command->add_option("--folder", options->folder, "Of everything; empty at first")->required();
  command->add_option("--method", options->method, "method-2, method-3 or contingency")
      ->check(CLI::IsMember({"method-2", "method-3", "contingency"}))
      ->capture_default_str();
  command->add_option("--devices", options->devices, "Devices to recover")
      ->check(CLI::Range(1, 300'000))
      ->capture_default_str();
  command->add_option("--offline", *offline, "Share of the devices that are away at first")
      ->capture_default_str();
  command->add_option("--away", options->away_seconds, "For how many seconds")
      ->capture_default_str();
  command->add_option("--answer", options->answer_seconds, "Seconds that an answer is waited for")
      ->capture_default_str();
  command->add_option("--retry", options->retry_seconds, "Seconds until the next command")
      ->capture_default_str();
  command->add_option("--keys", options->keys, "Key store of the DCC: file or pkcs11")
      ->check(CLI::IsMember({"file", "pkcs11"}))
      ->capture_default_str();
  command->add_flag("--keep-estate", options->keep_estate, "Leave the devices running at the end");
  command->footer(examples(
      {"wattseal recovery rehearse --folder rehearsal --devices 20000 --offline 2%",
       "wattseal recovery rehearse --folder street --method contingency --devices 40 --json"}));
  command->callback([options, offline, &context] {
    context.chosen = [options, offline, &context] {
      const std::optional<unsigned> share = per_myriad(*offline);
      if (!share)
        return refuse(context, Refusal{"recovery-rehearsal"_rule,
                                       "'" + *offline + "' is no share such as 2%", "offline"});
      options->away_per_myriad = *share;
      options->program = std::filesystem::read_symlink("/proc/self/exe");
      const nlohmann::json report = rehearse(context.world, *options, context.json);
      if (context.json)
        print_json(report);
      else
        fmt::print("\nReport: {}\nPlot:   {}\n", (options->folder / "report.json").string(),
                   (options->folder / "plot.tsv").string());
      return kDone;
    };
  });
}

}  // namespace wattseal::apps
