#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/office_client.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  std::string url = "http://127.0.0.1:8081", identity, key, trusted;
  smki::PersonId person = 0;
  std::string kind, state, reason;
  std::vector<std::string> particulars;
  smki::ActId act = 0;
  unsigned days = 30;
};

Result<OfficeClient> open(const Given& given) {
  http::ClientOptions options;
  if (!given.trusted.empty()) options.trusted_ca = given.trusted;
  if (!given.identity.empty()) options.identity = http::Tls{given.identity, given.key, {}};
  return OfficeClient::open(given.url, given.person, std::move(options));
}

std::string text_of(const json& row, const char* name) {
  const auto found = row.find(name);
  if (found == row.end()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

void print_act(const json& act) {
  fmt::print("act {:<5} {:<30} {:<9} by {} approved by {} needs {}  until {}\n",
             text_of(act, "act"), text_of(act, "kind"), text_of(act, "state"),
             text_of(act, "proposer"), text_of(act, "approvers"), text_of(act, "needs"),
             text_of(act, "lapses_at"));
  for (const auto& [field, value] : act["payload"].items())
    fmt::print("          {:<14} {}\n", field,
               value.is_string() ? value.get<std::string>().substr(0, 90) : value.dump());
}
void print_person(const json& person) {
  fmt::print("{:<5} {:<20} {:<14} {:<10} until {}  {}\n", text_of(person, "person"),
             text_of(person, "name"), text_of(person, "role"), text_of(person, "state"),
             text_of(person, "until"), text_of(person, "party"));
}
void print_party(const json& party) {
  fmt::print("{} {:<20} {:<18} device {} organisation {} tests {} dual control {}\n",
             text_of(party, "party"), text_of(party, "name"), text_of(party, "kind"),
             text_of(party, "device_subscriber"), text_of(party, "organisation_subscriber"),
             text_of(party, "entry_tests_passed"), text_of(party, "dual_control"));
}
void print_officer(const json& officer) {
  fmt::print(
      "{:<5} {:<20} {:<14} proposed {} approved {} rejected {} outside hours {} last {} {}\n",
      text_of(officer, "person"), text_of(officer, "name"), text_of(officer, "role"),
      text_of(officer, "proposed"), text_of(officer, "approved"), text_of(officer, "rejected"),
      text_of(officer, "outside_service_window"),
      officer.value("unused", true) ? "never" : text_of(officer, "last"),
      text_of(officer, "addresses"));
}

int show(const Context& context, const Result<json>& answer, const char* list,
         void (*print)(const json&)) {
  if (!answer.ok()) return refuse(context, answer.refusal());
  if (context.json) {
    print_json(*answer);
  } else if (list == nullptr) {
    print(*answer);
  } else {
    for (const json& row : (*answer)[list]) print(row);
  }
  return kDone;
}

// Particulars as FIELD=VALUE; "@file" reads the value from a file.
Result<json> read_particulars(const std::vector<std::string>& words) {
  json payload = json::object();
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      return Refusal{"office-payload"_rule, "'" + word + "' is not FIELD=VALUE", "payload"};
    const std::string value = word.substr(equals + 1);
    payload[word.substr(0, equals)] = value.starts_with('@') ? read_input(value.substr(1)) : value;
  }
  return payload;
}

int propose(const Context& context, const Given& given) {
  const Result<json> payload = read_particulars(given.particulars);
  if (!payload.ok()) return refuse(context, payload.refusal());
  Result<OfficeClient> office = open(given);
  if (!office.ok()) return refuse(context, office.refusal());
  return show(context, office->propose(given.kind, *payload), nullptr, print_act);
}
int decide(const Context& context, const Given& given, bool approve) {
  Result<OfficeClient> office = open(given);
  if (!office.ok()) return refuse(context, office.refusal());
  return show(context,
              approve ? office->approve(given.act) : office->reject(given.act, given.reason),
              nullptr, print_act);
}
int list(const Context& context, const Given& given, const std::string& path, const char* name,
         void (*print)(const json&)) {
  Result<OfficeClient> office = open(given);
  if (!office.ok()) return refuse(context, office.refusal());
  return show(context, office->get(path), name, print);
}

int kinds(const Context& context) {
  json all = json::array();
  for (const smki::ActRow& row : smki::act_rows()) {
    all.push_back({{"kind", row.id},
                   {"meaning", row.meaning},
                   {"proposers", row.proposers},
                   {"approvals", row.approvals_text},
                   {"fields", smki::act_fields(row.id)},
                   {"valid_hours", row.valid_hours},
                   {"source", row.source}});
  }
  if (context.json) {
    print_json({{"kinds", all}});
    return kDone;
  }
  for (const json& row : all)
    fmt::print("{:<31} {}\n{:31} proposed by {}, approved by {}; {}\n", text_of(row, "kind"),
               text_of(row, "meaning"), "", text_of(row, "proposers"), text_of(row, "approvals"),
               text_of(row, "fields"));
  return kDone;
}

void add_activity(CLI::App& ra, const std::shared_ptr<Given>& given, Context& context) {
  CLI::App* const activity =
      ra.add_subcommand("activity", "What each officer did, when and from where");
  activity->add_option("--days", given->days)->check(CLI::Range(1, 3660))->capture_default_str();
  activity->footer(examples({"wattseal ra activity --days 90 --person 3"}));
  activity->callback([given, &context] {
    context.chosen = [given, &context] {
      return list(context, *given, "activity?days=" + std::to_string(given->days), "officers",
                  print_officer);
    };
  });
}

}  // namespace

void add_ra(CLI::App& app, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const ra = app.add_subcommand(
      "ra", "The registration office: people, organisations, acts under dual control");
  ra->require_subcommand(1);
  ra->add_option("--url", given->url, "Address of the SMKI service")
      ->envname("WATTSEAL_SMKI_URL")
      ->capture_default_str();
  ra->add_option(
        "--person", given->person,
        "Who acts or reads, by number; with a client certificate its person does. Only kinds "
        "asks for nobody")
      ->envname("WATTSEAL_PERSON");
  CLI::Option* const identity =
      ra->add_option("--identity", given->identity, "Client certificate chain, PEM");
  ra->add_option("--key", given->key, "Its private key, PEM")->needs(identity);
  ra->add_option("--trusted", given->trusted, "Whom to trust as the service, PEM");
  const auto on = [&](CLI::App* command, std::string_view example, std::function<int()> run) {
    command->footer(examples({example}));
    command->callback([&context, run = std::move(run)] { context.chosen = run; });
  };
  on(ra->add_subcommand("kinds", "What can be proposed, by whom, and who must approve it"),
     "wattseal ra kinds --json", [&context] { return kinds(context); });
  on(ra->add_subcommand("people", "Who is appointed, and until when"),
     "wattseal ra people --person 3",
     [given, &context] { return list(context, *given, "people", "people", print_person); });
  on(ra->add_subcommand("parties", "Organisations and what they are authorised for"),
     "wattseal ra parties --person 3 --json",
     [given, &context] { return list(context, *given, "parties", "parties", print_party); });
  CLI::App* const acts = ra->add_subcommand("acts", "Acts, newest first");
  acts->add_option("--state", given->state)
      ->check(CLI::IsMember({"open", "done", "rejected", "lapsed"}));
  on(acts, "wattseal ra acts --state open --person 3 --json", [given, &context] {
    return list(context, *given, given->state.empty() ? "acts" : "acts?state=" + given->state,
                "acts", print_act);
  });
  CLI::App* const act = ra->add_subcommand("act", "One act");
  act->add_option("number", given->act)->required();
  on(act, "wattseal ra act 12 --person 3", [given, &context] {
    return list(context, *given, "acts/" + std::to_string(given->act), nullptr, print_act);
  });
  CLI::App* const proposal = ra->add_subcommand("propose", "Propose an act; see kinds");
  proposal->add_option("kind", given->kind)->required();
  proposal->add_option("particulars", given->particulars,
                       "FIELD=VALUE …; FIELD=@FILE takes the value from a file");
  on(proposal,
     "wattseal ra propose appoint-aro party=EUI name='Finn Webb' evidence='passport seen' "
     "screened_on=2026-04-01 --person 5",
     [given, &context] { return propose(context, *given); });
  CLI::App* const approval = ra->add_subcommand("approve", "Approve an act");
  approval->add_option("number", given->act)->required();
  on(approval, "wattseal ra approve 12 --person 4",
     [given, &context] { return decide(context, *given, true); });
  CLI::App* const rejection = ra->add_subcommand("reject", "Reject an act, or withdraw one's own");
  rejection->add_option("number", given->act)->required();
  rejection->add_option("--reason", given->reason)->required();
  on(rejection, "wattseal ra reject 12 --reason 'evidence is missing' --person 4",
     [given, &context] { return decide(context, *given, false); });
  add_activity(*ra, given, context);
  ra->footer(
      examples({"wattseal ra kinds", "wattseal ra people --person 1",
                "wattseal ra propose appoint-ra-personnel name='Cara Lind' "
                "evidence='passport seen' screened_on=2026-04-01 --person 1",
                "wattseal ra approve 1 --person 2",
                "wattseal ra propose revoke-certificate serial=4F01AA grounds=key-compromise "
                "--person 3",
                "wattseal ra acts --state open --person 3 --json",
                "wattseal ra activity --days 90 --person 3"}));
}

}  // namespace wattseal::apps
