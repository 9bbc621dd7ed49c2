// gbcs split | join: long messages in blocks
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/commands/keys.h"
#include "gbcs/blocks.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct SplitGiven {
  std::string message;
  std::size_t octets = 0;
};

int run_split(const Context& context, const SplitGiven& given) {
  const Result<Bytes> message = read_octets(read_input(given.message));
  if (!message.ok()) return refuse(context, message.refusal());
  const Result<std::vector<Bytes>> blocks = gbcs::split(*message, given.octets);
  if (!blocks.ok()) return refuse(context, blocks.refusal());
  json list = json::array();
  for (const Bytes& block : *blocks) {
    list.push_back(to_hex_upper(block));
    if (!context.json) fmt::print("{}\n", to_hex_upper(block));
  }
  if (context.json) print_json(list);
  return kDone;
}

// Blocks are lines of one text or files of their own.
Result<std::vector<Bytes>> read_blocks(const std::vector<std::string>& files) {
  std::vector<Bytes> blocks;
  for (const std::string& file : files) {
    const std::string input = read_input(file);
    if (gbcs::is_block(as_bytes(input))) {
      blocks.push_back(to_bytes(as_bytes(input)));
      continue;
    }
    std::string_view text = input;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
      TRY_ASSIGN(Bytes block, read_octets(line));
      blocks.push_back(std::move(block));
    }
  }
  return blocks;
}

int run_join(const Context& context, const std::vector<std::string>& files) {
  const Result<std::vector<Bytes>> blocks = read_blocks(files);
  if (!blocks.ok()) return refuse(context, blocks.refusal());
  gbcs::Assembly assembly;
  std::optional<Bytes> whole;
  for (const Bytes& block : *blocks) {
    const Result<std::optional<Bytes>> taken = assembly.take(block);
    if (!taken.ok()) return refuse(context, taken.refusal());
    if (*taken) whole = **taken;
  }
  if (!whole) {
    std::string numbers;
    for (const std::uint16_t number : assembly.missing()) numbers += " " + std::to_string(number);
    return refuse(context,
                  Refusal{"gbcs-block-missing"_rule, "missing:" + numbers, "block-number"});
  }
  if (context.json)
    print_json({{"message", to_hex_upper(*whole)}});
  else
    fmt::print("{}\n", to_hex_upper(*whole));
  return kDone;
}

}  // namespace

void add_gbcs_blocks(CLI::App& gbcs, Context& context) {
  const std::shared_ptr<SplitGiven> given = std::make_shared<SplitGiven>();
  CLI::App* const split = gbcs.add_subcommand(
      "split", "The blocks in which a long message travels to or from a device, one a line");
  split->add_option("message", given->message, "Raw octets, hexadecimal or base64; - is input")
      ->required();
  split->add_option("--octets", given->octets,
                    "Of the message in a block; the most allowed if absent");
  split->footer(
      examples({"wattseal gbcs split command.hex", "wattseal gbcs split r.hex --octets 400"}));
  split->callback([given, &context] {
    context.chosen = [given, &context] { return run_split(context, *given); };
  });

  const std::shared_ptr<std::vector<std::string>> files =
      std::make_shared<std::vector<std::string>>();
  CLI::App* const join = gbcs.add_subcommand(
      "join", "The message of its blocks, in any order; says which are missing");
  join->add_option("blocks", *files,
                   "Blocks as files of raw octets, or lines of hexadecimal or base64")
      ->required();
  join->footer(examples(
      {"wattseal gbcs join blocks.txt", "wattseal gbcs split m.hex | wattseal gbcs join -"}));
  join->callback([files, &context] {
    context.chosen = [files, &context] { return run_join(context, *files); };
  });
}

}  // namespace wattseal::apps
