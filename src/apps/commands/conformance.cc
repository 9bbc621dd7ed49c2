// conformance rtds: our codecs and templates against the reference test data set, message by
// message.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/rtds.h"
#include "apps/rtds_devices.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

int print(const Context& context, const RtdsReport& report) {
  if (context.json) {
    json list = json::array();
    for (const RtdsRow& row : report.rows)
      list.push_back({{"name", row.name},
                      {"use_case", row.use_case},
                      {"check", row.check},
                      {"result", row.result},
                      {"detail", row.detail}});
    print_json({{"counts", report.counts()}, {"outcomes", list}});
  } else {
    for (const RtdsRow& row : report.rows) {
      if (row.result != "pass" && row.result != "skipped")
        fmt::print("{:<27} {:<18} {:<60} {}\n", row.result, row.check, row.name, row.detail);
    }
    for (const auto& [check, results] : report.counts()) {
      for (const auto& [result, count] : results)
        fmt::print("{:<18} {:<27} {:>5}\n", check, result, count);
    }
  }
  return report.differs() ? kRefused : kDone;
}

}  // namespace

void add_conformance(CLI::App& app, Context& context) {
  struct Given {
    std::string vectors, use_case;
    DissectorOptions dissector;
  };
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const conformance =
      app.add_subcommand("conformance", "Compare this program with reference data");
  conformance->require_subcommand(1);
  conformance->footer(examples({"wattseal conformance rtds --vectors ../vectors/rtds",
                                "wattseal conformance devices --vectors ../vectors/rtds"}));
  CLI::App* const rtds = conformance->add_subcommand(
      "rtds", "The reference test data set, every message and request, octet for octet");
  rtds->add_option("--vectors", given->vectors,
                   "The folder of the data set (it holds context.json), or its parent")
      ->envname("WATTSEAL_VECTORS")
      ->required();
  rtds->add_option("--use-case", given->use_case, "Only this use case");
  CLI::Option* const tshark = rtds->add_option(
      "--tshark", given->dissector.program,
      "Also ask this tshark what it reads in every message that this program encodes");
  rtds->add_option("--capture", given->dissector.capture,
                   "Keep those messages in this file (pcap, link type USER0)")
      ->needs(tshark);
  rtds->footer(
      "Every message is decoded and encoded again, its MAC and signature verified; every request "
      "is\n"
      "transformed and the whole pre-command and command compared: only the octets of a signature\n"
      "are taken over. 'unsupported' has no template, 'pair' lists what has no counterpart,\n"
      "'skipped' counts what a tshark that is not there was not asked. Exit code 1 on any\n"
      "difference.\n\n" +
      examples({"wattseal conformance rtds --vectors ../vectors/rtds",
                "wattseal conformance rtds --vectors ../vectors --use-case ECS17b",
                "wattseal conformance rtds --vectors ../vectors --tshark tshark --capture m.pcap",
                "wattseal conformance rtds --vectors ../vectors --json | jq .counts"}));
  rtds->callback([given, &context] {
    context.chosen = [given, &context] {
      const Result<RtdsReport> report =
          compare_rtds(given->vectors, given->use_case, given->dissector);
      return report.ok() ? print(context, *report) : refuse(context, report.refusal());
    };
  });
  CLI::App* const devices = conformance->add_subcommand(
      "devices", "Emulated devices execute every request of the reference test data set");
  devices
      ->add_option("--vectors", given->vectors,
                   "The folder of the data set (it holds context.json), or its parent")
      ->envname("WATTSEAL_VECTORS")
      ->required();
  devices->add_option("--use-case", given->use_case, "Only this use case");
  devices->footer(
      "Every request is transformed, protected with keys of a bench and executed by an emulated\n"
      "device of its type; the answer must have the structure of the reference response. Exit "
      "code\n"
      "1 on any difference.\n\n" +
      examples({"wattseal conformance devices --vectors ../vectors/rtds",
                "wattseal conformance devices --vectors ../vectors --use-case ECS24",
                "wattseal conformance devices --vectors ../vectors --json | jq .counts"}));
  devices->callback([given, &context] {
    context.chosen = [given, &context] {
      const Result<RtdsReport> report = compare_devices(given->vectors, given->use_case);
      return report.ok() ? print(context, *report) : refuse(context, report.refusal());
    };
  });
}

}  // namespace wattseal::apps
