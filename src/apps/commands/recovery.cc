// recovery open | list | show | … : a recovery case over the gateway's address; recovery rehearse |
// estate are in recovery_rehearse.cc.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands/smki_client.h"
#include "apps/office_client.h"
#include "base/fault.h"
#include "recovery/report.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  SmkiAddress service;
  std::string person, evidence, party, compromise, method, beneficiary, kind, text, device, state,
      after, envelope, event;
  std::vector<std::string> certificates, cells, path, devices;
  std::uint64_t number = 0, decision = 0, act = 0, pence = 0;
};
using Shared = std::shared_ptr<Given>;

Result<json> ask(const Given& given, const std::string& method, const std::string& path,
                 const json& body = nullptr, std::vector<http::Header> query = {}) {
  http::Request request;
  request.method = method;
  request.path = "/api/v1/recovery/" + path;
  for (http::Header& one : query) {
    if (!one.value.empty()) request.query.push_back(std::move(one));
  }
  if (!given.person.empty()) request.headers.push_back({"X-Person", given.person});
  if (!body.is_null()) request.body = body.dump();
  return ask(given.service, request);
}

// "supplier/DS=0A1B…", each cell once.
Result<json> cells_json(const std::vector<std::string>& cells) {
  json object = json::object();
  for (const std::string& one : cells) {
    const std::size_t equals = one.find('=');
    if (equals == std::string::npos)
      return Refusal{"recovery-slot"_rule, "'" + one + "' is not CELL=SERIAL", "certificate"};
    object[one.substr(0, equals)] = one.substr(equals + 1);
  }
  return object;
}

// ---- for people

void print_case(const json& one) {
  fmt::print("case {}  {}  {}{}{}  since {}\n", one.at("case").dump(), one.value("state", ""),
             one.value("compromise", ""),
             one.contains("party") ? " of " + one.value("party", "") : "",
             one.contains("method") ? ", " + one.value("method", "") : "", one.value("since", ""));
  if (one.contains("order")) fmt::print("  order      {}\n", one.value("order", ""));
  if (one.contains("beneficiary")) fmt::print("  in favour of {}\n", one.value("beneficiary", ""));
}

void print_devices_of(const json& tally) {
  fmt::print("  devices    {} recovered, {} not, {} wait, {} sent, {} to come, of {}\n",
             tally.at("recovered").dump(), tally.at("failed").dump(), tally.at("waiting").dump(),
             tally.at("sent").dump(), tally.at("enlisted").dump(), tally.at("devices").dump());
}

void print_report(const json& report) {
  print_case(report);
  print_devices_of(report.at("devices"));
  if (report.value("waits_for_envelope", false))
    fmt::print("  waits for the contingency key's envelope\n");
  fmt::print("\n");
  for (const json& step : report.at("steps"))
    fmt::print("{}  {:<12} {:<14} person {:<4} {}  {}\n", step.value("at", ""),
               step.value("event", ""), step.value("to", ""), step.at("person").dump(),
               step.value("signed", false) ? "signed" : "NOT SIGNED", step.value("evidence", ""));
  if (!report.at("minutes").empty()) {
    fmt::print("\n{:>6} {:>9} {:>9} {:>10} {:>7}\n", "minute", "sent", "recovered", "unanswered",
               "failed");
    for (const json& minute : report.at("minutes"))
      fmt::print("{:>6} {:>9} {:>9} {:>10} {:>7}\n", minute.at("minute").dump(),
                 minute.at("sent").dump(), minute.at("recovered").dump(),
                 minute.at("unanswered").dump(), minute.at("failed").dump());
  }
  for (const auto& [attempts, devices] : report.at("recovered_by_attempts").items())
    fmt::print("{} devices took {} command{}\n", devices.dump(), attempts,
               attempts == "1" ? "" : "s");
  for (const json& one : report.at("not_recovered"))
    fmt::print("not recovered: {} {}\n", one.value("device", ""), one.value("detail", ""));
  for (const json& note : report.at("notes"))
    fmt::print("{}  {:<14} {} {} {}\n", note.value("at", ""), note.value("kind", ""),
               note.value("party", ""), note.contains("pence") ? note.at("pence").dump() + "p" : "",
               note.value("text", ""));
  const json& journal = report.at("journal");
  fmt::print("\njournal    facts {} to {} of {}, chain {}\n", journal.at("first").dump(),
             journal.at("last").dump(), journal.at("facts").dump(),
             journal.value("chain", "").substr(0, 16));
}

void print_radius(const json& radius) {
  fmt::print("{} devices are reached; {} of them are away; about {:.1f} hours\n",
             radius.at("devices").dump(), radius.at("away").dump(), radius.value("hours", 0.0));
  if (radius.value("unknown", 0) > 0)
    fmt::print("Nobody knows what {} other devices hold.\n", radius.at("unknown").dump());
  for (const auto& [title, member] :
       {std::pair{"cell", "by_slot"}, std::pair{"type", "by_type"},
        std::pair{"status", "by_status"}, std::pair{"supplier", "by_supplier"}}) {
    fmt::print("\n{:<32} {:>10}\n", title, "devices");
    for (const auto& [name, count] : radius.at(member).items())
      fmt::print("{:<32} {:>10}\n", name, count.dump());
  }
}

void print_tables(const json& tables) {
  fmt::print("Compromises\n");
  for (const json& row : tables.at("compromises"))
    fmt::print("  {:<20} {}\n", row.value("id", ""), row.value("meaning", ""));
  fmt::print("\nMethods\n");
  for (const json& row : tables.at("methods"))
    fmt::print("  {:<20} {} (for {}; by {}{}{})\n", row.value("id", ""), row.value("meaning", ""),
               row.value("compromises", ""), row.value("executor", ""),
               row.value("pma", false) ? ", PMA" : "",
               row.value("custodians", false) ? ", custodians" : "");
  fmt::print("\nSteps\n");
  for (const json& row : tables.at("steps"))
    fmt::print("  {:<12} from {:<42} to {:<14} by {}\n", row.value("event", ""),
               row.value("from", ""), row.value("to", ""), row.value("who", ""));
  fmt::print("\nNotes\n");
  for (const json& row : tables.at("notes"))
    fmt::print("  {:<20} {}\n", row.value("id", ""), row.value("meaning", ""));
}

template <typename Print>
int show(const Context& context, const Result<json>& answer, Print&& print) {
  if (!answer.ok()) return refuse(context, answer.refusal());
  if (context.json)
    print_json(*answer);
  else
    print(*answer);
  return kDone;
}

// ---- the commands

CLI::App* add_asking(CLI::App& recovery, const char* name, const char* what, const Shared& given) {
  CLI::App* const command = recovery.add_subcommand(name, what);
  given->service.url = "http://127.0.0.1:8079";
  add_address(*command, given->service, "gateway", "WATTSEAL_GATEWAY_URL");
  command->add_option("--person", given->person, "Number of the person who asks")
      ->envname("WATTSEAL_PERSON");
  return command;
}
void add_number(CLI::App& command, const Shared& given) {
  command.add_option("case", given->number, "Number of the case")->required();
}
void add_evidence(CLI::App& command, const Shared& given) {
  command.add_option("--evidence", given->evidence, "What it rests on")->required();
}
void run_with(CLI::App& command, Context& context, std::function<int()> run) {
  command.callback([&context, run = std::move(run)] { context.chosen = run; });
}
std::string of_case(const Given& given, const std::string& rest = {}) {
  return "cases/" + std::to_string(given.number) + (rest.empty() ? "" : "/" + rest);
}

void add_open(CLI::App& recovery, Context& context) {
  const Shared given = std::make_shared<Given>();
  CLI::App* const command =
      add_asking(recovery, "open", "Notify a compromise: opens a case", given);
  command->add_option("--compromise", given->compromise, "Row of data/recovery_compromises.tsv")
      ->required();
  command->add_option("--party", given->party, "Whose key it is, or which Supplier failed, EUI-64");
  command->add_option("--certificate", given->certificates,
                      "Serial of a certificate that is compromised; none: all of the Party's");
  add_evidence(*command, given);
  command->footer(
      examples({"wattseal recovery open --compromise failed-supplier --party EUI "
                "--evidence 'direction of the Authority' --person 3"}));
  run_with(*command, context, [given, &context] {
    json body{{"compromise", given->compromise},
              {"certificates", given->certificates},
              {"evidence", given->evidence}};
    if (!given->party.empty()) body["party"] = given->party;
    return show(context, ask(*given, "POST", "cases", body), print_case);
  });
}

void add_general_steps(CLI::App& recovery, Context& context) {
  for (const recovery::StepRow& row : recovery::step_rows()) {
    const std::string event(row.event);
    const bool is_special = event == "report" || event == "choose" || event == "decide" ||
                            event == "assemble" || event == "execute";
    if (is_special) continue;
    const Shared given = std::make_shared<Given>();
    CLI::App* const command =
        add_asking(recovery, event.c_str(), std::string(row.meaning).c_str(), given);
    add_number(*command, given);
    add_evidence(*command, given);
    command->footer(
        examples({"wattseal recovery " + event + " 1 --evidence 'as minuted' --person 4"}));
    run_with(*command, context, [given, event, &context] {
      return show(context,
                  ask(*given, "POST", of_case(*given, event), {{"evidence", given->evidence}}),
                  print_case);
    });
  }
}

void add_choose(CLI::App& recovery, Context& context) {
  const Shared given = std::make_shared<Given>();
  CLI::App* const command =
      add_asking(recovery, "choose", "Choose the method and fix the order", given);
  add_number(*command, given);
  command->add_option("--method", given->method, "Row of data/recovery_methods.tsv")->required();
  command->add_option("--beneficiary", given->beneficiary,
                      "Whose certificates come, such as the Supplier of Last Resort, EUI-64");
  command->add_option("--certificate", given->cells,
                      "CELL=SERIAL where the newest is not meant, such as supplier/DS=0A1B");
  command->add_option("--path", given->path, "Serial of a further certificate of the path");
  add_evidence(*command, given);
  command->footer(
      examples({"wattseal recovery choose 1 --method method-3 --beneficiary EUI "
                "--evidence 'no reply in two days' --person 1"}));
  run_with(*command, context, [given, &context] {
    const Result<json> cells = cells_json(given->cells);
    if (!cells.ok()) return refuse(context, cells.refusal());
    json body{{"method", given->method},
              {"certificates", *cells},
              {"path", given->path},
              {"evidence", given->evidence}};
    if (!given->beneficiary.empty()) body["beneficiary"] = given->beneficiary;
    return show(context, ask(*given, "POST", of_case(*given, "choose"), body), print_case);
  });
}

void add_permissions(CLI::App& recovery, Context& context) {
  const Shared deciding = std::make_shared<Given>();
  CLI::App* const decide =
      add_asking(recovery, "decide", "Record the PMA's decision on the use of the key", deciding);
  add_number(*decide, deciding);
  decide->add_option("--decision", deciding->decision, "Number of the decision")->required();
  decide->footer(examples({"wattseal recovery decide 1 --decision 7 --person 3"}));
  run_with(*decide, context, [deciding, &context] {
    return show(
        context,
        ask(*deciding, "POST", of_case(*deciding, "decide"), {{"decision", deciding->decision}}),
        print_case);
  });
  const Shared assembling = std::make_shared<Given>();
  CLI::App* const assemble =
      add_asking(recovery, "assemble", "Use the custodians' act order-recovery", assembling);
  add_number(*assemble, assembling);
  assemble->add_option("--act", assembling->act, "Number of the act")->required();
  assemble->footer(
      examples({"wattseal ra propose order-recovery case=1 order=DIGEST reason=… "
                "--person 1",
                "wattseal recovery assemble 1 --act 12 --person 3"}));
  run_with(*assemble, context, [assembling, &context] {
    return show(
        context,
        ask(*assembling, "POST", of_case(*assembling, "assemble"), {{"act", assembling->act}}),
        print_case);
  });
}

void add_execution(CLI::App& recovery, Context& context) {
  for (const bool again : {false, true}) {
    const Shared given = std::make_shared<Given>();
    const std::string event = again ? "envelope" : "execute";
    CLI::App* const command = add_asking(
        recovery, event.c_str(),
        again ? "Give the contingency key's envelope again, after a restart" : "Begin to execute",
        given);
    add_number(*command, given);
    CLI::Option* const file = command->add_option(
        "--envelope", given->envelope,
        "File with the 32 hexadecimal digits of the custodians' envelope; -: standard input");
    if (again)
      file->required();
    else
      add_evidence(*command, given);
    command->footer(examples({"wattseal recovery " + event + " 1 --envelope envelope.txt" +
                              (again ? "" : " --evidence 'all approvals'") + " --person 1"}));
    run_with(*command, context, [given, event, &context] {
      json body{{"evidence", given->evidence}};
      if (!given->envelope.empty()) {
        std::string text = read_input(given->envelope);
        std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
        body["envelope"] = text;
      }
      return show(context, ask(*given, "POST", of_case(*given, event), body), print_case);
    });
  }
}

void add_note(CLI::App& recovery, Context& context) {
  const Shared given = std::make_shared<Given>();
  CLI::App* const command = add_asking(
      recovery, "note", "Record a cost, its settlement, a dispute or what was shared", given);
  add_number(*command, given);
  command->add_option("--kind", given->kind, "Row of data/recovery_notes.tsv")->required();
  command->add_option("--party", given->party, "Whose, EUI-64; of costs");
  command->add_option("--pence", given->pence, "How much; of costs");
  command->add_option("--text", given->text, "What there is to say")->required();
  command->footer(
      examples({"wattseal recovery note 1 --kind cost-claimed --party EUI --pence "
                "125000 --text 'letters to customers' --person 3"}));
  run_with(*command, context, [given, &context] {
    json body{{"kind", given->kind}, {"text", given->text}};
    if (!given->party.empty()) body["party"] = given->party;
    if (given->pence > 0) body["pence"] = given->pence;
    return show(context, ask(*given, "POST", of_case(*given, "notes"), body),
                [](const json& note) { fmt::print("note {}\n", note.at("note").dump()); });
  });
}

void add_looks(CLI::App& recovery, Context& context) {
  const Shared listing = std::make_shared<Given>();
  CLI::App* const list = add_asking(recovery, "list", "Cases, newest first", listing);
  list->footer(examples({"wattseal recovery list --person 1"}));
  run_with(*list, context, [listing, &context] {
    return show(context, ask(*listing, "GET", "cases"), [](const json& answer) {
      for (const json& one : answer.at("cases")) {
        print_case(one);
        print_devices_of(one.at("devices"));
      }
    });
  });
  for (const char* name : {"status", "report"}) {
    const Shared given = std::make_shared<Given>();
    const bool whole = std::string_view(name) == "report";
    CLI::App* const command =
        add_asking(recovery, name, whole ? "Everything of one case" : "How far a case is", given);
    add_number(*command, given);
    command->footer(examples({"wattseal recovery " + std::string(name) + " 1 --person 1",
                              "wattseal recovery " + std::string(name) + " 1 --person 1 --json"}));
    run_with(*command, context, [given, whole, &context] {
      return show(context, ask(*given, "GET", of_case(*given)), [whole](const json& one) {
        if (whole) return print_report(one);
        print_case(one);
        print_devices_of(one.at("devices"));
      });
    });
  }
  const Shared reaching = std::make_shared<Given>();
  CLI::App* const radius =
      add_asking(recovery, "radius",
                 "Which devices a case or its order reaches, before it is given", reaching);
  add_number(*radius, reaching);
  radius->footer(examples({"wattseal recovery radius 1 --person 1"}));
  run_with(*radius, context, [reaching, &context] {
    return show(context, ask(*reaching, "GET", of_case(*reaching, "radius")), print_radius);
  });
  const Shared devices = std::make_shared<Given>();
  CLI::App* const progress =
      add_asking(recovery, "devices", "Devices of a case and how far each is", devices);
  add_number(*progress, devices);
  progress->add_option("--state", devices->state,
                       "Only enlisted, sent, waiting, recovered or failed ones");
  progress->add_option("--after", devices->after, "From the device after this one on, EUI-64");
  progress->footer(examples({"wattseal recovery devices 1 --state failed --person 1"}));
  run_with(*progress, context, [devices, &context] {
    return show(context,
                ask(*devices, "GET", of_case(*devices, "devices"), nullptr,
                    {{"state", devices->state}, {"after", devices->after}}),
                [](const json& answer) {
                  for (const json& one : answer.at("devices"))
                    fmt::print("{}  {:<10} {:>3} commands  {}  {}\n", one.value("device", ""),
                               one.value("state", ""), one.at("attempts").dump(),
                               one.value("since", ""), one.value("detail", ""));
                });
  });
}

void add_holdings(CLI::App& recovery, Context& context) {
  const Shared given = std::make_shared<Given>();
  CLI::App* const command = add_asking(
      recovery, "installed", "Record what devices were installed with, or read to hold", given);
  command->add_option("--device", given->devices, "EUI-64; several")->required();
  command->add_option("--certificate", given->cells, "CELL=SERIAL, such as supplier/DS=0A1B")
      ->required();
  command->footer(
      examples({"wattseal recovery installed --device EUI --device EUI --certificate "
                "supplier/DS=SERIAL --certificate root/DS=SERIAL --person 3"}));
  run_with(*command, context, [given, &context] {
    const Result<json> cells = cells_json(given->cells);
    if (!cells.ok()) return refuse(context, cells.refusal());
    return show(context,
                ask(*given, "POST", "holdings", {{"devices", given->devices}, {"cells", *cells}}),
                [](const json& answer) {
                  fmt::print("{} devices recorded\n", answer.at("devices").dump());
                });
  });
  const Shared asking = std::make_shared<Given>();
  CLI::App* const held = add_asking(recovery, "held", "What is known to stand in a device", asking);
  held->add_option("device", asking->device, "EUI-64")->required();
  held->footer(examples({"wattseal recovery held EUI --person 3"}));
  run_with(*held, context, [asking, &context] {
    return show(context, ask(*asking, "GET", "devices/" + asking->device), [](const json& answer) {
      for (const json& cell : answer.at("cells"))
        fmt::print("{:<28} {}  {}\n", cell.value("slot", ""), cell.value("party", ""),
                   cell.value("key", ""));
    });
  });
  CLI::App* const tables =
      recovery.add_subcommand("steps", "Compromises, methods, steps and kinds of notes");
  tables->footer(examples({"wattseal recovery steps", "wattseal recovery steps --json"}));
  run_with(*tables, context, [&context] {
    return show(context, Result<json>(recovery::tables_json()), print_tables);
  });
}

}  // namespace

void add_recovery(CLI::App& app, Context& context) {
  CLI::App* const recovery =
      app.add_subcommand("recovery", "Recover from the compromise of keys that devices trust");
  recovery->require_subcommand(1);
  add_open(*recovery, context);
  add_general_steps(*recovery, context);
  add_choose(*recovery, context);
  add_permissions(*recovery, context);
  add_execution(*recovery, context);
  add_note(*recovery, context);
  add_looks(*recovery, context);
  add_holdings(*recovery, context);
  add_recovery_rehearse(*recovery, context);
  recovery->footer(examples({"wattseal recovery steps", "wattseal recovery list --person 1",
                             "wattseal recovery rehearse --devices 1000 --folder rehearsal"}));
}

}  // namespace wattseal::apps
