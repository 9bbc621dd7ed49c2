// gbcs parse | use-cases; what keys do to messages is in gbcs_keys.cc, blocks in gbcs_blocks.cc,
// MMC in mmc.cc
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/commands/keys.h"
#include "gbcs/inferred.h"
#include "gbcs/parse.h"
#include "gbcs/template.h"
#include "terms/terms.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct ParseGiven {
  std::vector<std::string> files;
  KeySource key;
  std::string certificate_file;
};

int parse_one(const Context& context, const std::string& file, const gbcs::Opener& open,
              json& list) {
  const Result<Bytes> octets = read_octets(read_input(file));
  if (!octets.ok()) return refuse(context, octets.refusal());
  const Result<gbcs::Message> message = gbcs::decode(*octets);
  if (!message.ok()) return refuse(context, message.refusal());
  if (context.json) {
    Result<json> tree = gbcs::parse_tree(*message, open);
    if (!tree.ok()) return refuse(context, tree.refusal());
    list.push_back(std::move(*tree));
    return kDone;
  }
  const Result<gbcs::ParsedMessage> parsed = gbcs::parse_readable(*message, open);
  if (!parsed.ok()) return refuse(context, parsed.refusal());
  constexpr const char* kKinds[] = {"", "command", "response", "alert"};
  fmt::print("{} {} ({})\n  from {} to {}, counter {}, {}{}\n",
             kKinds[static_cast<std::size_t>(message->cra)], parsed->use_case, parsed->title,
             message->originator.text(), message->target.text(), message->counter.number(),
             message->signature_field == gbcs::SignatureField::present ? "signed" : "not signed",
             message->mac ? ", MAC" : ", no MAC");
  for (const gbcs::ParsedItem& item : parsed->items)
    fmt::print("  {:<36} {:<16} {}\n", item.name, item.result, item.value);
  return kDone;
}

void add_parse(CLI::App& gbcs, Context& context) {
  const std::shared_ptr<ParseGiven> given = std::make_shared<ParseGiven>();
  CLI::App* const command =
      gbcs.add_subcommand("parse", "Show messages: for people, or with --json the complete tree");
  command
      ->add_option("files", given->files,
                   "Messages as raw octets, hexadecimal or base64; - is standard input")
      ->required();
  add_opening_options(*command, given->key, given->certificate_file);
  command->footer(examples(
      {"wattseal gbcs parse response.hex", "wattseal gbcs parse *.HEX --json",
       "wattseal gbcs parse r.hex --test-key supplier-ka.key --certificate meter-ka.pem"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      int code = kDone;
      json list = json::array();
      const Result<gbcs::Opener> open = opener(context.world, given->key, given->certificate_file);
      if (!open.ok()) return refuse(context, open.refusal());
      for (const std::string& file : given->files)
        code = std::max(code, parse_one(context, file, *open, list));
      if (context.json && !list.empty()) print_json(list);
      return code;
    };
  });
}

int list_inferred(const Context& context) {
  json list = json::array();
  for (const gbcs::InferredValue& one : gbcs::inferred_values()) {
    list.push_back({{"use_case", one.use_case},
                    {"place", one.place},
                    {"value", one.value},
                    {"grounds", one.grounds},
                    {"certainty", one.certainty},
                    {"source", one.source}});
    if (!context.json)
      fmt::print("{} ({}): {}\n  {}\n  because: {}\n", one.use_case, one.certainty, one.place,
                 one.value, one.grounds);
  }
  if (context.json) print_json(list);
  return kDone;
}

void add_use_cases(CLI::App& gbcs, Context& context) {
  CLI::App* const command =
      gbcs.add_subcommand("use-cases", "List the use cases that Transform knows");
  const std::shared_ptr<bool> inferred = std::make_shared<bool>(false);
  command->add_flag("--inferred", *inferred,
                    "Instead: what templates say that no public message shows, and how sure it is");
  command->footer(examples({"wattseal gbcs use-cases", "wattseal gbcs use-cases --json",
                            "wattseal gbcs use-cases --inferred"}));
  command->callback([inferred, &context] {
    context.chosen = [inferred, &context] {
      if (*inferred) return list_inferred(context);
      json list = json::array();
      for (const gbcs::Template* one : gbcs::TemplateSet::built_in()->all()) {
        const gbcs::TemplateView& view = gbcs::view(*one);
        list.push_back({{"use_case", view.use_case},
                        {"service", view.service_reference_variant},
                        {"code", view.code.text()},
                        {"critical", view.critical},
                        {"element", view.element}});
        if (!context.json)
          fmt::print("{:<28} {:<8} {}  {}\n", view.use_case, view.service_reference_variant,
                     view.critical ? "critical    " : "non-critical", view.element);
      }
      if (context.json) print_json(list);
      return kDone;
    };
  });
}

}  // namespace

void add_gbcs(CLI::App& app, Context& context) {
  CLI::App* const gbcs = app.add_subcommand("gbcs", "Messages that devices execute and answer");
  gbcs->require_subcommand(1);
  add_parse(*gbcs, context);
  add_use_cases(*gbcs, context);
  add_gbcs_keys(*gbcs, context);
  add_gbcs_blocks(*gbcs, context);
  gbcs->footer(examples({"wattseal gbcs parse message.hex", "wattseal gbcs use-cases --json",
                         "wattseal gbcs verify response.hex --certificate meter-ds.pem"}));
}

}  // namespace wattseal::apps
