// gbcs parse | use-cases, and utrn
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "gbcs/parse.h"
#include "gbcs/template.h"
#include "gbcs/utrn.h"
#include "terms/terms.h"
#include "x509/x509.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

Result<crypto::SharedSecret> shared_secret(const std::string& key_file,
                                           const std::string& certificate_file) {
  TRY_ASSIGN(const crypto::KeyHandle key, crypto::key_from_test_pem(read_input(key_file)));
  TRY_ASSIGN(const x509::Certificate certificate,
             x509::parse_certificate_pem(read_input(certificate_file)));
  return key->agree(certificate.key);
}

gbcs::Opener opener(const std::string& key_file, const std::string& certificate_file) {
  return [=](const gbcs::Message& message, BytesView blob) -> Result<Bytes> {
    if (key_file.empty() || certificate_file.empty())
      return Refusal{"gbcs-no-key"_rule, "neither --test-key nor --certificate is given"};
    TRY_ASSIGN(const crypto::SharedSecret secret, shared_secret(key_file, certificate_file));
    const gbcs::AttributeRecipient recipient = gbcs::attribute_recipient(message);
    return gbcs::open_attribute(secret, message.originator, recipient.counter, recipient.party,
                                blob);
  };
}

struct ParseGiven {
  std::vector<std::string> files;
  std::string key_file, certificate_file;
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
  command->add_option(
      "--test-key", given->key_file,
      "Private key (PEM, development only) of the party that encrypted attributes are for");
  command->add_option("--certificate", given->certificate_file,
                      "Key agreement certificate (PEM) of the device");
  command->footer(examples(
      {"wattseal gbcs parse response.hex", "wattseal gbcs parse *.HEX --json",
       "wattseal gbcs parse r.hex --test-key supplier-ka.key --certificate meter-ka.pem"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      int code = kDone;
      json list = json::array();
      const gbcs::Opener open = opener(given->key_file, given->certificate_file);
      for (const std::string& file : given->files)
        code = std::max(code, parse_one(context, file, open, list));
      if (context.json && !list.empty()) print_json(list);
      return code;
    };
  });
}

void add_use_cases(CLI::App& gbcs, Context& context) {
  CLI::App* const command =
      gbcs.add_subcommand("use-cases", "List the use cases that Transform knows");
  command->footer(examples({"wattseal gbcs use-cases", "wattseal gbcs use-cases --json"}));
  command->callback([&context] {
    context.chosen = [&context] {
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
  gbcs->footer(examples({"wattseal gbcs parse message.hex", "wattseal gbcs use-cases --json"}));
}

void add_utrn(CLI::App& app, Context& context) {
  const std::shared_ptr<std::string> digits = std::make_shared<std::string>();
  CLI::App* const command = app.add_subcommand(
      "utrn", "Check a prepayment code: its digits, value and truncated counter");
  command->add_option("digits", *digits, "The 20 digits")->required();
  command->footer(examples(
      {"wattseal utrn 73946144332040217315", "wattseal utrn 73946144332040217315 --json"}));
  command->callback([digits, &context] {
    context.chosen = [digits, &context] {
      const Result<gbcs::UtrnFields> fields = gbcs::parse_utrn(*digits);
      if (!fields.ok()) return refuse(context, fields.refusal());
      const std::string unit = fields->unit == gbcs::UtrnUnit::pence ? "pence" : "pounds";
      if (context.json)
        print_json({{"value", fields->value},
                    {"unit", unit},
                    {"truncated_counter", fields->truncated_counter},
                    {"mac", fmt::format("{:08X}", fields->mac)}});
      else
        fmt::print(
            "{} {}, counter ends in {}, MAC {:08X}; whether the MAC is right only the meter and "
            "its supplier can tell\n",
            fields->value, unit, fields->truncated_counter, fields->mac);
      return kDone;
    };
  });
}

}  // namespace wattseal::apps
