// wattseal gateway: held requests, alerts held back, thresholds, certified products, what codes mean.
#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/office_client.h"
#include "gateway/service.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  std::string url = "http://127.0.0.1:8079", user, identity, key, trusted;
  std::uint64_t person = 0;
  std::vector<std::uint64_t> numbers;
  std::string threshold, file, code;
};

Result<http::Response> send(const Given& given, const std::string& method, const std::string& path,
                            const std::string& type, const std::string& body) {
  http::ClientOptions options;
  if (!given.trusted.empty()) options.trusted_ca = given.trusted;
  if (!given.identity.empty()) options.identity = http::Tls{given.identity, given.key, {}};
  TRY_ASSIGN(const std::unique_ptr<http::Client> client,
             http::Client::open(given.url, std::move(options)));
  http::Request request;
  request.method = method;
  request.path = path;
  if (!given.user.empty()) request.headers.push_back({"X-Subscriber", given.user});
  if (given.person != 0) request.headers.push_back({"X-Person", std::to_string(given.person)});
  if (!body.empty()) request.headers.push_back({"Content-Type", type});
  request.body = body;
  http::Response response = client->send(request);
  if (response.status / 100 != 2) return read_refusal(response);
  return response;
}

void print_held(const json& held) {
  fmt::print("{:<6} {:<6} {} {} {}: {}\n", held.value("number", 0), held.value("service", ""),
             held.value("at", ""), held.value("request", ""), held.value("threshold", ""),
             held.value("observed", ""));
}

int show(const Context& context, const Given& given, const std::string& path) {
  const Result<http::Response> answer = send(given, "GET", path, "", "");
  if (!answer.ok()) return refuse(context, answer.refusal());
  const json body = json::parse(answer->body);
  if (context.json) {
    print_json(body);
  } else if (body.contains("anomalies")) {
    for (const json& held : body["anomalies"]) print_held(held);
  } else {
    print_held(body);
    fmt::print("{}\n", body.value("document", ""));
  }
  return kDone;
}

void print_consolidation(const json& one) {
  fmt::print("{:<6} {} {} {:<5} {} to {} {} held back{}\n", one.value("number", 0),
             one.value("user", ""), one.value("device", ""), one.value("code", ""),
             one.value("from", ""), one.value("until", ""), one.value("held_back", 0),
             one.contains("told_at") ? "" : ", not yet told");
}

int show_alerts(const Context& context, const Given& given, const std::string& path) {
  const Result<http::Response> answer = send(given, "GET", path, "", "");
  if (!answer.ok()) return refuse(context, answer.refusal());
  const json body = json::parse(answer->body);
  if (context.json) {
    print_json(body);
    return kDone;
  }
  if (body.contains("consolidations")) {
    for (const json& one : body["consolidations"]) print_consolidation(one);
    return kDone;
  }
  if (body.contains("thresholds")) {
    for (const json& one : body["thresholds"]) {
      const std::string treatment =
          one.contains("alerts") ? fmt::format("{} in {} s, then as one", one.value("alerts", 0),
                                               one.value("seconds", 0))
                                 : "each is delivered";
      fmt::print("{:<16} {:<26} {}. {}\n", one.value("id", ""), treatment, one.value("codes", ""),
                 one.value("why", ""));
    }
    return kDone;
  }
  print_consolidation(body);
  for (const json& one : body["alerts"])
    fmt::print("  {} {} {}\n", one.value("at", ""), one.value("counter", std::uint64_t{0}),
               one.value("message", ""));
  return kDone;
}

int decide(const Context& context, const Given& given, const std::string& decision) {
  json body{{"decision", decision}};
  if (given.threshold.empty())
    body["numbers"] = given.numbers;
  else
    body["threshold"] = given.threshold;
  const Result<http::Response> answer =
      send(given, "POST", "/api/v1/anomalies/decide", "application/json", body.dump());
  if (!answer.ok()) return refuse(context, answer.refusal());
  const json done = json::parse(answer->body);
  if (context.json) {
    print_json(done);
  } else {
    fmt::print("{}: {}, waits for a second person: {}, refused: {}\n",
               decision == "release" ? "released" : "deleted", done["decided"].size(),
               done["waits_for_second"].size(), done["refused"].size());
    for (const json& one : done["refused"])
      fmt::print("  {} {}: {} {}\n", one.value("number", 0), one.value("rule", ""),
                 one.value("explanation", ""), one.value("fix", ""));
  }
  return done["refused"].empty() ? kDone : kRefused;
}

int lodge(const Context& context, const Given& given) {
  const std::string csv = read_input(given.file);
  const Result<gateway::AnomalyFile> file = gateway::read_anomaly_file(csv);
  if (!file.ok()) return refuse(context, file.refusal());
  const Result<http::Response> answer =
      send(given, "POST", "/api/v1/anomaly-file", "text/csv", csv);
  if (!answer.ok()) return refuse(context, answer.refusal());
  if (context.json)
    print_json(json::parse(answer->body));
  else
    fmt::print("{} thresholds, {} limits\n", file->thresholds.size(), file->limits.size());
  return kDone;
}

int explain_code(const Context& context, const Given& given) {
  const Result<json> found = gateway::code_json(given.code);
  if (!found.ok()) return refuse(context, found.refusal());
  if (context.json) {
    print_json(*found);
    return kDone;
  }
  fmt::print("{} ({})\n", given.code, found->value("kind", ""));
  for (const char* field : {"severity", "type", "response_code", "meaning", "action", "source"}) {
    if (found->contains(field)) fmt::print("  {:<14} {}\n", field, found->value(field, ""));
  }
  for (const json& rule : found->value("rules", json::array()))
    fmt::print("  {:<14} {}\n", "rule", rule.get<std::string>());
  return kDone;
}

void add_caller(CLI::App& command, Given& given) {
  command.add_option("--url", given.url, "Address of the gateway");
  command.add_option("--user", given.user, "Service user that calls (loopback only), EUI-64");
  command.add_option("--person", given.person, "Person that decides (loopback only)");
  command.add_option("--identity", given.identity, "Client certificate, PEM");
  command.add_option("--key", given.key, "Its private key, PEM");
  command.add_option("--trusted", given.trusted,
                     "Certificates that the server is checked with, PEM");
}

void add_decision(CLI::App& anomalies, Context& context, const std::shared_ptr<Given>& given,
                  const std::string& word, const std::string& meaning) {
  CLI::App* const command = anomalies.add_subcommand(word, meaning);
  add_caller(*command, *given);
  const std::string example =
      "wattseal gateway anomalies " + word + " 7 8 --user 90-57-53-00-00-01-00-00 --person 4";
  command->footer(examples({example}));
  command->add_option("number", given->numbers, "Numbers of held requests");
  command->add_option("--threshold", given->threshold, "All that exceeded this row");
  command->callback([&context, given, word] {
    if (given->numbers.empty() == given->threshold.empty())
      throw CLI::ValidationError("give numbers or --threshold");
    context.chosen = [&context, given, word] { return decide(context, *given, word); };
  });
}

void add_anomalies(CLI::App& gateway, Context& context, const std::shared_ptr<Given>& given) {
  CLI::App* const anomalies = gateway.add_subcommand(
      "anomalies", "Requests that exceeded a threshold or limit and are held");
  anomalies->require_subcommand(1);
  anomalies->footer(
      examples({"wattseal gateway anomalies list --user 90-57-53-00-00-01-00-00",
                "wattseal gateway anomalies show 7 --user 90-57-53-00-00-01-00-00",
                "wattseal gateway anomalies release 7 8 --user 90-57-53-00-00-01-00-00 --person 4",
                "wattseal gateway anomalies delete --threshold busy --user 90-57-53-00-00-01-00-00",
                "wattseal gateway anomalies lodge limits.csv --user 90-57-53-00-00-01-00-00"}));
  CLI::App* const list = anomalies->add_subcommand("list", "Held requests, oldest first");
  add_caller(*list, *given);
  list->footer(examples({"wattseal gateway anomalies list --user 90-57-53-00-00-01-00-00"}));
  list->callback([&context, given] {
    context.chosen = [&context, given] { return show(context, *given, "/api/v1/anomalies"); };
  });
  CLI::App* const one = anomalies->add_subcommand("show", "One, with its document");
  add_caller(*one, *given);
  one->footer(examples({"wattseal gateway anomalies show 7 --user 90-57-53-00-00-01-00-00"}));
  one->add_option("number", given->numbers, "Number")->required()->expected(1);
  one->callback([&context, given] {
    context.chosen = [&context, given] {
      return show(context, *given, "/api/v1/anomalies/" + std::to_string(given->numbers.front()));
    };
  });
  add_decision(*anomalies, context, given, "release", "They go on as if they had just come");
  add_decision(*anomalies, context, given, "delete", "They end with response code E47");
  CLI::App* const file = anomalies->add_subcommand(
      "lodge", "Thresholds and limits of the caller, in place of those before");
  add_caller(*file, *given);
  file->footer(
      examples({"wattseal gateway anomalies lodge limits.csv --user 90-57-53-00-00-01-00-00"}));
  file->add_option("file", given->file, "CSV, see docs/formats/anomaly_file.md")->required();
  file->callback(
      [&context, given] { context.chosen = [&context, given] { return lodge(context, *given); }; });
}

int list_products(const Context& context, const Given& given) {
  const Result<http::Response> answer = send(given, "GET", "/api/v1/products", "", "");
  if (!answer.ok()) return refuse(context, answer.refusal());
  const json body = json::parse(answer->body);
  if (context.json) {
    print_json(body);
    return kDone;
  }
  for (const json& one : body["products"])
    fmt::print("{:<6} {} {} {} {} GBCS {}\n", one.value("type", ""), one.value("manufacturer", ""),
               one.value("model", ""), one.value("firmware_version", ""), one.value("status", ""),
               one.value("gbcs_version", ""));
  return kDone;
}

int lodge_products(const Context& context, const Given& given) {
  const Result<http::Response> answer =
      send(given, "POST", "/api/v1/products", "text/csv", read_input(given.file));
  if (!answer.ok()) return refuse(context, answer.refusal());
  const json body = json::parse(answer->body);
  if (context.json)
    print_json(body);
  else
    fmt::print("{} products listed\n", body.value("listed", 0));
  return kDone;
}

void add_products(CLI::App& gateway, Context& context, const std::shared_ptr<Given>& given) {
  CLI::App* const products =
      gateway.add_subcommand("products", "Certified products: models and their firmware images");
  products->require_subcommand(1);
  products->footer(examples({"wattseal gateway products list --json",
                             "wattseal gateway products lodge products.csv --user "
                             "90-57-53-00-00-00-00-00"}));
  CLI::App* const list = products->add_subcommand("list", "What is listed");
  add_caller(*list, *given);
  list->footer(examples({"wattseal gateway products list --json"}));
  list->callback([&context, given] {
    context.chosen = [&context, given] { return list_products(context, *given); };
  });
  CLI::App* const file = products->add_subcommand("lodge", "Adds signed rows, as the DCC");
  add_caller(*file, *given);
  file->footer(
      examples({"wattseal gateway products lodge products.csv --user 90-57-53-00-00-00-00-00"}));
  file->add_option("file", given->file, "CSV, see docs/formats/products_file.md")->required();
  file->callback([&context, given] {
    context.chosen = [&context, given] { return lodge_products(context, *given); };
  });
}

void add_alerts(CLI::App& gateway, Context& context, const std::shared_ptr<Given>& given) {
  CLI::App* const alerts = gateway.add_subcommand(
      "alerts", "Alerts of devices that are held back and told as one; nothing is lost");
  alerts->require_subcommand(1);
  alerts->footer(examples({"wattseal gateway alerts list --user 90-57-53-00-00-01-00-00",
                           "wattseal gateway alerts show 7 --user 90-57-53-00-00-01-00-00",
                           "wattseal gateway alerts thresholds"}));
  const auto add = [&](const std::string& word, const std::string& meaning,
                       const std::string& example) {
    CLI::App* const command = alerts->add_subcommand(word, meaning);
    add_caller(*command, *given);
    command->footer(examples({example, example + " --json"}));
    return command;
  };
  CLI::App* const list = add("list", "Consolidations, oldest first: which device, code, how many",
                             "wattseal gateway alerts list --user 90-57-53-00-00-01-00-00");
  list->callback([&context, given] {
    context.chosen = [&context, given] { return show_alerts(context, *given, "/api/v1/alerts"); };
  });
  CLI::App* const one = add("show", "One, with every alert that it held back, base64",
                            "wattseal gateway alerts show 7 --user 90-57-53-00-00-01-00-00");
  one->add_option("number", given->numbers, "Number")->required()->expected(1);
  one->callback([&context, given] {
    context.chosen = [&context, given] {
      return show_alerts(context, *given,
                         "/api/v1/alerts/" + std::to_string(given->numbers.front()));
    };
  });
  CLI::App* const thresholds =
      add("thresholds", "Which alerts are consolidated, from how many on, and which never",
          "wattseal gateway alerts thresholds");
  thresholds->callback([&context, given] {
    context.chosen = [&context, given] {
      return show_alerts(context, *given, "/api/v1/alert-thresholds");
    };
  });
}

}  // namespace

void add_gateway(CLI::App& app, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const gateway = app.add_subcommand(
      "gateway", "The message gateway: held requests and alerts, what codes mean");
  gateway->require_subcommand(1);
  gateway->footer(examples({"wattseal gateway anomalies list --user 90-57-53-00-00-01-00-00",
                            "wattseal gateway alerts list --user 90-57-53-00-00-01-00-00",
                            "wattseal gateway products list", "wattseal gateway code E41"}));
  add_alerts(*gateway, context, given);
  add_anomalies(*gateway, context, given);
  add_products(*gateway, context, given);
  CLI::App* const code = gateway->add_subcommand(
      "code", "What a response code, alert or rule means and what to do about it");
  code->add_option("code", given->code, "Such as E41, N29, 8F3E or gateway-replay")->required();
  code->footer(examples({"wattseal gateway code E41", "wattseal gateway code N29 --json"}));
  code->callback([&context, given] {
    context.chosen = [&context, given] { return explain_code(context, *given); };
  });
}

}  // namespace wattseal::apps
