// Parse: a device's message as a tree that people and programs can read, encrypted attributes
// included. Names and units come from data/cosem_objects.tsv, zcl_attributes.tsv, zcl_commands.tsv;
// what has no row is shown by its numbers. Never throws on any input.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "gbcs/message.h"
#include "gbcs/security.h"

namespace wattseal::gbcs {

// Decrypts one blob of this message, or says why not (no key at hand: gbcs-no-key).
using Opener = std::function<Result<Bytes>(const Message& message, BytesView blob)>;

struct ParsedItem {
  std::string name;    // "Active energy import" or "1:0-0:94.44.34.10:2"
  std::string result;  // "success" or the failure's name
  std::string value;   // rendered, units included; empty when there is none
};
struct ParsedMessage {
  std::string use_case, title;  // empty when the code is unknown
  bool success = true;          // every item succeeded
  std::vector<ParsedItem> items;
  std::string alert_code;  // four hex digits, alerts only
};

Result<ParsedMessage> parse_readable(const Message& message, const Opener& open);

// The complete tree in the shape of the reference decodes (vectors expected.jsonl): kind, header,
// body, components, blobs.
Result<nlohmann::json> parse_tree(const Message& message, const Opener& open);

}  // namespace wattseal::gbcs
