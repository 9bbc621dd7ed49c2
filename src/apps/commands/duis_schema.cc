// duis validate | describe | new
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/official_schema.h"
#include "duis/compose.h"
#include "duis/manual.h"
#include "terms/terms.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

json verdict_json(const Status& status) {
  if (status.ok()) return {{"valid", true}};
  const Refusal& refusal = status.refusal();
  const RuleRow& row = rule_row(refusal.rule);
  return {{"valid", false},          {"rule", refusal.rule.text()},    {"field", refusal.field},
          {"found", refusal.detail}, {"explanation", row.explanation}, {"fix", row.fix}};
}

struct ValidateGiven {
  std::vector<std::string> files;
  std::string xsd;
};

bool validate_one(const Context& context, const std::string& file, const xml::Xsd* official,
                  json& list) {
  const Result<xml::Document> document = xml::parse(read_input(file));
  const Verdict verdict = document.ok() ? judge(*document, official)
                                        : Verdict{document.refusal(), std::nullopt, std::nullopt};
  if (context.json) {
    json shown = verdict_json(verdict.own);
    shown["file"] = file;
    if (verdict.official) {
      shown["official"] = verdict_json(*verdict.official);
      shown["agree"] = verdict.agree();
    }
    list.push_back(std::move(shown));
    return verdict.good();
  }
  fmt::print("{}: {}\n", file, verdict.own.ok() ? "valid" : explain(verdict.own.refusal()));
  if (verdict.official)
    fmt::print("  official schema: {}\n",
               verdict.official->ok() ? "valid" : verdict.official->refusal().detail);
  if (!verdict.agree()) fmt::print("  the two schemas disagree\n");
  return verdict.good();
}

int validate(const Context& context, const ValidateGiven& given) {
  std::optional<xml::Xsd> official;
  if (!given.xsd.empty()) {
    Result<xml::Xsd> compiled = official_schema(given.xsd);
    if (!compiled.ok()) return refuse(context, compiled.refusal());
    official = std::move(compiled).value();
  }
  bool good = true;
  json list = json::array();
  for (const std::string& file : given.files)
    good = validate_one(context, file, official ? &*official : nullptr, list) && good;
  if (context.json) print_json(list);
  return good ? kDone : kRefused;
}

void add_validate(CLI::App& duis, Context& context) {
  const std::shared_ptr<ValidateGiven> given = std::make_shared<ValidateGiven>();
  CLI::App* const command = duis.add_subcommand(
      "validate", "Check documents against our schema rows, and against the official schemas too");
  command->add_option("files", given->files, "Documents; - is standard input")->required();
  command->add_option("--xsd", given->xsd, "Folder with the official schemas (*.xsd)");
  command->footer(examples({"wattseal duis validate request.xml",
                            "wattseal duis validate requests/*.xml --xsd schemas --json"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] { return validate(context, *given); };
  });
}

json description_json(const ServiceRequestRow& row) {
  json body = json::array();
  for (const duis::ManualLine& line : duis::manual_lines(row.variant))
    body.push_back({{"path", line.path},
                    {"occurs", line.occurs},
                    {"choice", line.choice},
                    {"value", line.value},
                    {"same_as", line.same_as}});
  json uses = json::array();
  for (const UseCaseRow& use_case : use_cases()) {
    if (use_case.variant != row.variant) continue;
    uses.push_back({{"use_case", use_case.use_case},
                    {"title", use_case.title},
                    {"device_types", use_case.device_types},
                    {"message_code", fmt::format("{:04X}", use_case.message_code)}});
  }
  return {{"variant", row.variant},
          {"reference", row.reference},
          {"name", row.name},
          {"element", row.element},
          {"critical", row.critical},
          {"command_variants", row.command_variants},
          {"eligible_roles", row.eligible_roles},
          {"on_demand", row.on_demand},
          {"future_dated", row.future_dated},
          {"dcc_scheduled", row.dcc_scheduled},
          {"non_device", row.non_device},
          {"response_element", row.response_element},
          {"use_cases", uses},
          {"body", body},
          {"example", duis::manual_example(row.variant)}};
}

struct DescribeGiven {
  std::string variant, out;
  bool all = false;
};

int describe(const Context& context, const DescribeGiven& given) {
  if (given.all) {
    const std::filesystem::path folder = given.out;
    std::filesystem::create_directories(folder);
    write_output((folder / "README.md").string(), duis::manual_index());
    for (const ServiceRequestRow& row : service_requests())
      write_output((folder / (std::string(row.variant) + ".md")).string(),
                   duis::manual_page(row.variant));
    return kDone;
  }
  if (given.variant.empty()) {
    json list = json::array();
    for (const ServiceRequestRow& row : service_requests()) {
      if (context.json)
        list.push_back({{"variant", row.variant}, {"name", row.name}, {"element", row.element}});
      else
        fmt::print("{:<8} {}\n", row.variant, row.name);
    }
    if (context.json) print_json(list);
    return kDone;
  }
  const ServiceRequestRow* const row = find_service_request(given.variant);
  if (!row)
    return refuse(context, {"duis-service-reference"_rule,
                            "there is no service reference variant " + given.variant});
  if (context.json)
    print_json(description_json(*row));
  else
    fmt::print("{}", duis::manual_page(row->variant));
  return kDone;
}

void add_describe(CLI::App& duis, Context& context) {
  const std::shared_ptr<DescribeGiven> given = std::make_shared<DescribeGiven>();
  CLI::App* const command = duis.add_subcommand(
      "describe", "The manual page of a service request; without one, the list of them");
  command->add_option("variant", given->variant, "Service reference variant, such as 1.1.1");
  CLI::Option* const all = command->add_flag("--all", given->all, "Write every page into --out");
  CLI::Option* const out = command->add_option("--out", given->out, "Folder for --all");
  all->needs(out);
  out->needs(all);
  command->footer(examples({"wattseal duis describe 1.1.1", "wattseal duis describe 2.3 --json",
                            "wattseal duis describe --all --out docs/duis"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] { return describe(context, *given); };
  });
}

struct NewGiven {
  std::string variant, originator, target, preceding, schema_version = "5.4", out = "-";
  std::vector<std::string> values;
  std::optional<std::uint64_t> counter;
  int command_variant = 0;
  bool first_in_sequence = false, example = false;
};

Result<duis::ServiceRequest> compose(const Context& context, const NewGiven& given) {
  duis::Recipe recipe{given.variant, {}};
  const bool sample = given.example && given.originator.empty() && given.target.empty();
  if (sample) {
    recipe.id = duis::example_id();
  } else {
    if (given.originator.empty() || given.target.empty())
      return Refusal{"duis-incomplete"_rule, "give --originator and --target"};
    TRY_ASSIGN(recipe.id.originator, Eui64::parse(given.originator));
    TRY_ASSIGN(recipe.id.target, Eui64::parse(given.target));
    recipe.id.counter =
        OriginatorCounter(static_cast<std::uint64_t>(context.world.clock.now_milliseconds()));
  }
  if (given.counter) recipe.id.counter = OriginatorCounter(*given.counter);
  recipe.command_variant = given.command_variant;
  recipe.schema_version = given.schema_version;
  recipe.first_in_sequence = given.first_in_sequence;
  if (!given.preceding.empty()) {
    TRY_ASSIGN(recipe.preceding, duis::RequestId::parse(given.preceding));
  }
  for (const std::string& pair : given.values) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0)
      return Refusal{"duis-key"_rule, "'" + pair + "' is not of the form key=value"};
    recipe.values.push_back({pair.substr(0, equals), pair.substr(equals + 1)});
  }
  recipe.fill = given.example;
  return duis::compose(recipe);
}

void add_new(CLI::App& duis, Context& context) {
  const std::shared_ptr<NewGiven> given = std::make_shared<NewGiven>();
  CLI::App* const command = duis.add_subcommand(
      "new", "Make a service request from keys and values; duis describe names the keys");
  command->add_option("variant", given->variant, "Service reference variant")->required();
  command->add_option("values", given->values,
                      "key=value; a key is an element's path, its last steps where they suffice");
  command->add_option("--originator", given->originator, "Your EUI-64");
  command->add_option("--target", given->target, "EUI-64 of the device, or of the DCC");
  command->add_option("--counter", given->counter,
                      "Originator counter; without: milliseconds since 1970");
  command->add_option("--command-variant", given->command_variant,
                      "1 to 8; without: the first that the service allows");
  command->add_option("--schema-version", given->schema_version, "schemaVersion of the document")
      ->capture_default_str();
  command->add_flag("--first-in-sequence", given->first_in_sequence,
                    "The first of a sequence of requests");
  command->add_option("--preceding", given->preceding,
                      "RequestID of the request before it in a sequence");
  command->add_flag("--example", given->example, "Fill in sample values for what is not given");
  command->add_option("--out", given->out, "Where the document goes")->capture_default_str();
  command->footer(examples(
      {"wattseal duis new 7.12 RandomisedOffsetLimit=900 --originator 90-57-53-00-00-01-00-00 "
       "--target 00-57-53-00-00-00-00-01 --out request.xml",
       "wattseal duis new 1.6 Credit= --originator 90-57-53-00-00-01-00-00 --target "
       "00-57-53-00-00-00-00-01",
       "wattseal duis new 1.1.1 --example"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      const Result<duis::ServiceRequest> request = compose(context, *given);
      if (!request.ok()) return refuse(context, request.refusal());
      if (context.json)
        print_json({{"request_id", request->id.text()}, {"document", duis::write(*request)}});
      else
        write_output(given->out, duis::write(*request) + "\n");
      return kDone;
    };
  });
}

}  // namespace

void add_duis_schema(CLI::App& duis, Context& context) {
  add_validate(duis, context);
  add_describe(duis, context);
  add_new(duis, context);
}

}  // namespace wattseal::apps
