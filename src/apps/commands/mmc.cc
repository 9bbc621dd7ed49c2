// mmc: answers of devices as documents of the user's systems
#include "gbcs/mmc.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/commands/keys.h"
#include "terms/terms.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct MmcGiven {
  std::string message, service, certificate, out = "-";
  KeySource key;
  bool report = false;
};

json list_of(const std::vector<gbcs::MmcUnmapped>& values) {
  json list = json::array();
  for (const gbcs::MmcUnmapped& one : values)
    list.push_back({{"where", one.where}, {"rule", one.rule.text()}, {"detail", one.detail}});
  return list;
}

json report_of(const gbcs::Mmc& mmc) {
  return {{"use_case", mmc.use_case},
          {"success", mmc.success},
          {"values", mmc.values},
          {"mapped", mmc.mapped},
          {"placeless", mmc.placeless},
          {"unmapped", list_of(mmc.unmapped)},
          {"without_element", list_of(mmc.without_element)}};
}

Result<gbcs::Mmc> make(const World& world, const MmcGiven& given) {
  if (!given.service.empty() && !find_service_request(given.service))
    return Refusal{"duis-service-reference"_rule, "there is no service " + given.service,
                   "--service"};
  TRY_ASSIGN(const Bytes octets, read_octets(read_input(given.message)));
  TRY_ASSIGN(const gbcs::Message message, gbcs::decode(octets));
  TRY_ASSIGN(const gbcs::Opener open, opener(world, given.key, given.certificate));
  return gbcs::to_mmc(message, open, given.service);
}

int run(const Context& context, const MmcGiven& given) {
  const Result<gbcs::Mmc> mmc = make(context.world, given);
  if (!mmc.ok()) return refuse(context, mmc.refusal());
  if (given.report) {
    const json report = report_of(*mmc);
    if (context.json) {
      print_json(report);
      return kDone;
    }
    fmt::print("{}: {} of {} values are in the document, {} have no element in the schema\n",
               mmc->use_case.empty() ? "alert" : mmc->use_case, mmc->mapped, mmc->values,
               mmc->placeless);
    for (const std::vector<gbcs::MmcUnmapped>* const list : {&mmc->unmapped, &mmc->without_element})
      for (const gbcs::MmcUnmapped& one : *list)
        fmt::print("  {:<24} {} {}\n", one.where, one.rule.text(), one.detail);
    return kDone;
  }
  if (context.json)
    print_json(json_of(*mmc));
  else
    write_output(given.out, gbcs::write(*mmc) + "\n");
  return kDone;
}

}  // namespace

void add_mmc(CLI::App& app, Context& context) {
  const std::shared_ptr<MmcGiven> given = std::make_shared<MmcGiven>();
  CLI::App* const command = app.add_subcommand(
      "mmc", "An answer or alert of a device as an MMC document: XML, or JSON with --json");
  command->add_option("message", given->message, "Raw octets, hexadecimal or base64; - is input")
      ->required();
  add_opening_options(*command, given->key, given->certificate);
  command->add_option("--service", given->service,
                      "Service reference variant of the DUIS response that carried the message");
  command->add_flag("--report", given->report,
                    "Instead of the document: which values it carries, which not, and why");
  command->add_option("--out", given->out, "Where the document goes")->capture_default_str();
  command->footer(examples({"wattseal mmc response.hex", "wattseal mmc response.hex --json",
                            "wattseal mmc response.hex --service 6.15.1 --report",
                            "wattseal mmc response.hex --key my-ka.key --certificate "
                            "meter-ka.pem --out response.xml"}));
  command->callback(
      [given, &context] { context.chosen = [given, &context] { return run(context, *given); }; });
}

}  // namespace wattseal::apps
