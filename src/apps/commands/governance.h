// What `wattseal pma` and `wattseal assurance` share: verbs that are acts of the registration
// office (data/acts.tsv), and lists that a service answers. Private to commands.
#pragma once
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/office_client.h"

namespace wattseal::apps {

struct GovernanceGiven {
  std::string url = "http://127.0.0.1:8081", identity, key, trusted;
  smki::PersonId person = 0;
  std::uint64_t number = 0;
  bool overdue = false;
};
using SharedGovernance = std::shared_ptr<GovernanceGiven>;
// --url, --person, --identity, --key and --trusted.
void add_governance_address(CLI::App& command, GovernanceGiven& given);
std::string text_of(const nlohmann::json& row, const char* name);

// A verb that proposes an act: particulars without a mark are positional, the others options
// --like-this; a value "@file" is read from the file. What may be absent is as act_fields() says.
struct ActVerb {
  std::string_view name, act, what;
  std::string_view positional;  // "resolution,vote"
  std::string_view example;
};
void add_act_verbs(CLI::App& app, Context& context, const SharedGovernance& given,
                   std::span<const ActVerb> verbs);

struct ListVerb {
  std::string_view name, path, what;
  std::string_view list;  // member of the answer; empty: the answer is one
  void (*print)(const nlohmann::json& row);
  std::string_view example;
  bool numbered = false;  // one of them, by its number
};
void add_list_verbs(CLI::App& app, Context& context, const SharedGovernance& given,
                    std::span<const ListVerb> verbs);

}  // namespace wattseal::apps
