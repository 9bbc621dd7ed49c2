#include "apps/commands/governance.h"

#include <fmt/format.h>

namespace wattseal::apps {
namespace {

using nlohmann::json;

Result<OfficeClient> open(const GovernanceGiven& given) {
  http::ClientOptions options;
  if (!given.trusted.empty()) options.trusted_ca = given.trusted;
  if (!given.identity.empty()) options.identity = http::Tls{given.identity, given.key, {}};
  return OfficeClient::open(given.url, given.person, std::move(options));
}

std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    words.emplace_back(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return words;
}

using Particulars = std::map<std::string, std::string>;

int propose(const Context& context, const GovernanceGiven& given, std::string_view kind,
            const Particulars& particulars) {
  json payload = json::object();
  for (const auto& [field, value] : particulars) {
    if (!value.empty())
      payload[field] = value.starts_with('@') ? read_input(value.substr(1)) : value;
  }
  Result<OfficeClient> office = open(given);
  if (!office.ok()) return refuse(context, office.refusal());
  const Result<json> act = office->propose(std::string(kind), payload);
  if (!act.ok()) return refuse(context, act.refusal());
  if (context.json) {
    print_json(*act);
  } else {
    fmt::print(
        "act {} {}: {}{}\n", text_of(*act, "act"), text_of(*act, "kind"), text_of(*act, "state"),
        text_of(*act, "state") == "open"
            ? ", wattseal ra approve " + text_of(*act, "act") + " by " + text_of(*act, "needs")
            : "");
  }
  return kDone;
}

int list(const Context& context, const GovernanceGiven& given, const ListVerb& verb) {
  Result<OfficeClient> office = open(given);
  if (!office.ok()) return refuse(context, office.refusal());
  Result<json> answer = office->get(std::string(verb.path) +
                                    (verb.numbered ? "/" + std::to_string(given.number) : ""));
  if (!answer.ok()) return refuse(context, answer.refusal());
  if (!verb.list.empty() && given.overdue) {
    json& rows = (*answer)[std::string(verb.list)];
    json kept = json::array();
    for (json& row : rows) {
      if (row.value("overdue", false) || row.value("review_overdue", false))
        kept.push_back(std::move(row));
    }
    rows = std::move(kept);
  }
  if (context.json) {
    print_json(*answer);
  } else if (verb.list.empty()) {
    verb.print(*answer);
  } else {
    for (const json& row : (*answer)[std::string(verb.list)]) verb.print(row);
  }
  return kDone;
}

}  // namespace

std::string text_of(const json& row, const char* name) {
  const auto found = row.find(name);
  if (found == row.end() || found->is_null()) return "-";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

void add_governance_address(CLI::App& command, GovernanceGiven& given) {
  command.add_option("--url", given.url, "Address of the SMKI service")
      ->envname("WATTSEAL_SMKI_URL")
      ->capture_default_str();
  command
      .add_option("--person", given.person,
                  "Who acts or reads, by number; with a client certificate its person does")
      ->envname("WATTSEAL_PERSON");
  CLI::Option* const identity =
      command.add_option("--identity", given.identity, "Client certificate chain, PEM");
  command.add_option("--key", given.key, "Its private key, PEM")->needs(identity);
  command.add_option("--trusted", given.trusted, "Whom to trust as the service, PEM");
}

void add_act_verbs(CLI::App& app, Context& context, const SharedGovernance& given,
                   std::span<const ActVerb> verbs) {
  for (const ActVerb& verb : verbs) {
    const auto particulars = std::make_shared<Particulars>();
    CLI::App* const command = app.add_subcommand(std::string(verb.name), std::string(verb.what));
    const std::vector<std::string> fields = words_of(smki::act_fields(verb.act));
    for (const std::string& field : words_of(verb.positional))
      command->add_option(field, (*particulars)[field])->required();
    for (std::string field : fields) {
      const bool optional = field.back() == '?';
      if (optional) field.pop_back();
      if (particulars->contains(field)) continue;
      std::string name = "--" + field;
      std::ranges::replace(name, '_', '-');
      command->add_option(name, (*particulars)[field], "Text, or @FILE")->required(!optional);
    }
    command->footer(examples({verb.example}));
    command->callback([&context, given, particulars, act = verb.act] {
      context.chosen = [&context, given, particulars, act] {
        return propose(context, *given, act, *particulars);
      };
    });
  }
}

void add_list_verbs(CLI::App& app, Context& context, const SharedGovernance& given,
                    std::span<const ListVerb> verbs) {
  for (const ListVerb& verb : verbs) {
    CLI::App* const command = app.add_subcommand(std::string(verb.name), std::string(verb.what));
    if (verb.numbered) command->add_option("number", given->number)->required();
    if (verb.name == "documents" || verb.name == "schedule")
      command->add_flag("--overdue", given->overdue, "Only what is overdue");
    command->footer(examples({verb.example}));
    command->callback([&context, given, verb] {
      context.chosen = [&context, given, verb] { return list(context, *given, verb); };
    });
  }
}

}  // namespace wattseal::apps
