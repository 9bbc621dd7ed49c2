// utrn: check | make | verify prepayment codes
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/commands/keys.h"
#include "gbcs/utrn.h"
#include "terms/terms.h"

namespace wattseal::apps {
namespace {

struct UtrnGiven {
  std::string digits;  // empty: a code is to be made
  KeySource key;
  std::string certificate, supplier, meter, unit = "pence";
  std::uint64_t counter = 0, last_counter = 0;
  unsigned value = 0;
  bool make = false;
};

Result<crypto::SharedSecret> prepayment_secret(const World& world, const UtrnGiven& given) {
  TRY_ASSIGN(const crypto::KeyHandle key, read_key(world, given.key));
  TRY_ASSIGN(const x509::Certificate meter, read_certificate(given.certificate));
  TRY(must_be_for(meter, x509::key_usage::key_agreement, "--certificate"));
  return key->agree(meter.key);
}

int check(const Context& context, const UtrnGiven& given) {
  const Result<gbcs::UtrnFields> fields = gbcs::parse_utrn(given.digits);
  if (!fields.ok()) return refuse(context, fields.refusal());
  const std::string unit = fields->unit == gbcs::UtrnUnit::pence ? "pence" : "pounds";
  nlohmann::json shown{{"value", fields->value},
                       {"unit", unit},
                       {"truncated_counter", fields->truncated_counter},
                       {"mac", fmt::format("{:08X}", fields->mac)}};
  std::string judged = "whether the MAC is right only the meter and its supplier can tell";
  if (!given.key.empty()) {  // as the meter's keypad does
    const Result<OriginatorCounter> counter = [&]() -> Result<OriginatorCounter> {
      TRY_ASSIGN(const Eui64 supplier, Eui64::parse(given.supplier));
      TRY_ASSIGN(const Eui64 meter, Eui64::parse(given.meter));
      TRY_ASSIGN(const crypto::SharedSecret secret, prepayment_secret(context.world, given));
      return gbcs::verify_utrn(secret, supplier, meter, OriginatorCounter(given.last_counter),
                               given.digits);
    }();
    if (!counter.ok()) return refuse(context, counter.refusal());
    shown["counter"] = counter->number();
    judged = fmt::format("the meter accepts it as counter {}", counter->number());
  }
  if (context.json)
    print_json(shown);
  else
    fmt::print("{} {}, counter ends in {}, MAC {:08X}; {}\n", fields->value, unit,
               fields->truncated_counter, fields->mac, judged);
  return kDone;
}

int make(const Context& context, const UtrnGiven& given) {
  const Result<std::string> digits = [&]() -> Result<std::string> {
    gbcs::UtrnRequest request;
    TRY_ASSIGN(request.supplier, Eui64::parse(given.supplier));
    TRY_ASSIGN(request.meter, Eui64::parse(given.meter));
    request.counter = OriginatorCounter(given.counter);
    request.unit = given.unit == "pence" ? gbcs::UtrnUnit::pence : gbcs::UtrnUnit::pounds;
    request.value = given.value;
    TRY_ASSIGN(const crypto::SharedSecret secret, prepayment_secret(context.world, given));
    return gbcs::make_utrn(secret, request);
  }();
  if (!digits.ok()) return refuse(context, digits.refusal());
  if (context.json)
    print_json({{"utrn", *digits}});
  else
    fmt::print("{}\n", *digits);
  return kDone;
}

}  // namespace

void add_utrn(CLI::App& app, Context& context) {
  const std::shared_ptr<UtrnGiven> given = std::make_shared<UtrnGiven>();
  CLI::App* const command = app.add_subcommand(
      "utrn", "Check a prepayment code, as its meter would with the keys; or make one");
  command->add_option("digits", given->digits, "The 20 digits; none: a code is made");
  add_key_options(*command, given->key, "the supplier's prepayment key agreement key");
  command->add_option("--certificate", given->certificate,
                      "Key agreement certificate (PEM) of the meter");
  command->add_option("--supplier", given->supplier, "EUI-64 of the supplier");
  command->add_option("--meter", given->meter, "EUI-64 of the meter");
  command->add_option("--last-counter", given->last_counter,
                      "Counter of the last code that the meter accepted");
  command->add_option("--counter", given->counter, "Counter of a code to be made");
  command->add_option("--value", given->value, "Of a code to be made: 0 to 8191");
  command->add_option("--unit", given->unit, "pence or pounds")
      ->check(CLI::IsMember({"pence", "pounds"}))
      ->capture_default_str();
  command->footer(examples(
      {"wattseal utrn 73946144332040217315", "wattseal utrn 73946144332040217315 --json",
       "wattseal utrn --key pp.key --certificate meter-ka.pem --supplier 90-57-53-00-00-01-00-00 "
       "--meter 00-57-53-00-00-00-00-01 --counter 4294967296 --value 10 --unit pounds"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      return given->digits.empty() ? make(context, *given) : check(context, *given);
    };
  });
}

}  // namespace wattseal::apps
