#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/mirror_copy.h"
#include "http/http.h"
#include "x509/x509.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  std::string url = "http://127.0.0.1:8083", device, organisation, serial, latest, role, mirror;
  bool pem = false;
};

void print_one(const json& found, bool pem) {
  if (pem) {
    fmt::print("{}",
               x509::to_pem("CERTIFICATE", from_base64(found.value("der", "")).value_or(Bytes())));
    return;
  }
  fmt::print("{}  {:<16} {}  {} .. {}\n", found.value("serial", ""), found.value("profile", ""),
             found.value("status", ""), found.value("not_before", ""),
             found.value("not_after", ""));
}

// Over the network, or in a mirror; an answer of a mirror says how old it is.
Result<http::Response> send(const Context& context, const Given& given,
                            const http::Request& request) {
  if (given.mirror.empty()) {
    TRY_ASSIGN(const std::unique_ptr<http::Client> client, http::Client::open(given.url));
    return client->send(request);
  }
  TRY_ASSIGN(MirrorAnswer answer, ask_mirror(context.world, given.mirror, request));
  json body = json::parse(answer.response.body, nullptr, false);
  if (body.is_object()) {
    body["mirror"] = staleness_json(answer.copy, context.world.now());
    answer.response.body = body.dump();
  }
  if (!context.json) fmt::print(stderr, "{}\n", staleness(answer.copy, context.world.now()));
  return answer.response;
}

int look_up(const Context& context, const Given& given) {
  http::Request request;
  request.method = "GET";
  request.path =
      given.serial.empty() ? "/api/v1/certificates" : "/api/v1/certificates/" + given.serial;
  const auto ask = [&](const char* name, const std::string& value) {
    if (!value.empty()) request.query.push_back({name, value});
  };
  ask("device", given.device);
  ask("organisation", given.organisation);
  ask("latest", given.latest);
  ask("role", given.role);
  const Result<http::Response> asked = send(context, given, request);
  if (!asked.ok()) return refuse(context, asked.refusal());
  const http::Response& response = *asked;
  const json body = json::parse(response.body, nullptr, false);
  if (response.status != 200 || !body.is_object()) {
    fmt::print(stderr, "{}\n", body.is_object() ? body.dump(2) : response.body);
    return kRefused;
  }
  if (context.json)
    print_json(body);
  else if (body.contains("certificates")) {
    for (const json& one : body["certificates"]) print_one(one, given.pem);
  } else {
    print_one(body, given.pem);
  }
  return kDone;
}

}  // namespace

void add_repository(CLI::App& app, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const repository =
      app.add_subcommand("repository", "Look up certificates in the SMKI repository");
  repository->add_option("--url", given->url, "Address of the repository")
      ->envname("WATTSEAL_REPOSITORY_URL")
      ->capture_default_str();
  CLI::Option_group* const what = repository->add_option_group("what", "What is looked up: one of");
  what->add_option("--device", given->device, "EUI-64 of a device");
  what->add_option("--organisation", given->organisation, "EUI-64 of an organisation");
  what->add_option("--serial", given->serial, "Serial number, hexadecimal");
  what->require_option(0, 1);
  repository->add_option("--mirror", given->mirror,
                         "Folder of a copy that wattseal repository mirror keeps: ask it, nobody "
                         "else");
  add_mirror(*repository, context);
  repository->add_option("--latest", given->latest, "Only the latest of this use")
      ->check(CLI::IsMember({"DS", "KA"}));
  repository->add_option("--role", given->role,
                         "Role of the organisation's certificate, two hex digits; needed with "
                         "--organisation --latest");
  repository->add_flag("--pem", given->pem, "Print PEM");
  repository->footer(
      examples({"wattseal repository --device 00-57-53-00-00-00-00-00",
                "wattseal repository --device EUI --latest KA --pem",
                "wattseal repository --organisation EUI --latest DS --role 02 --json",
                "wattseal repository --mirror copy --device EUI"}));
  repository->callback([given, repository, what, &context] {
    if (!repository->get_subcommands().empty()) return;  // it has its own
    if (what->count_all() == 0)
      throw CLI::RequiredError("one of --device, --organisation and --serial");
    context.chosen = [given, &context] { return look_up(context, *given); };
  });
}

}  // namespace wattseal::apps
