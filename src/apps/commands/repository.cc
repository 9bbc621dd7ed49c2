#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "apps/commands/repository_parts.h"
#include "apps/mirror_copy.h"
#include "x509/x509.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  SmkiAddress address{.url = "http://127.0.0.1:8083"};
  std::string device, organisation, serial, latest, role, mirror;
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
    TRY_ASSIGN(const std::unique_ptr<http::Client> client, open(given.address));
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

// People are told when what they see may be old; scripts find it in the answer.
void tell_completeness(const Context& context, const json& body) {
  constexpr std::int64_t kNewSeconds = 60;
  const json complete = body.is_object() ? body.value("complete", json()) : json();
  if (context.json || !complete.is_object()) return;
  const json age = complete.value("age_seconds", json(nullptr));
  const std::string issuing = complete.value("issuing", "");
  if (issuing == "running" && age.is_number() && age <= kNewSeconds) return;
  fmt::print(stderr, "Complete up to fact {}, {} s ago; issuing is {}.\n",
             complete.value("up_to", std::uint64_t{0}), age.is_number() ? age.dump() : "unknown",
             issuing);
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
  tell_completeness(context, body);
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

struct Search {
  std::map<std::string, std::string> filters;  // as the repository names them
  std::string format = "text";
  bool latest = false;
};

void print_page(const json& page, const std::string& format) {
  for (const json& one : page["certificates"]) {
    if (format != "csv") {
      print_one(one, format == "pem");
      continue;
    }
    const std::string eui = one.value("device", one.value("organisation", ""));
    fmt::print("{},{},{},{},{},{},{},{},{}\n", one.value("serial", ""), one.value("profile", ""),
               eui, one.value("role", ""), one.value("usage", ""), one.value("status", ""),
               one.value("not_before", ""), one.value("not_after", ""),
               one.value("not_in_use_since", ""));
  }
}

int search(const Context& context, const Given& given, const Search& asked) {
  http::Request request;
  request.method = "GET";
  request.path = "/api/v1/search";
  for (const auto& [name, value] : asked.filters) {
    if (!value.empty()) request.query.push_back({name, value});
  }
  if (asked.latest) request.query.push_back({"latest", "true"});
  const Result<http::Response> answered = send(context, given, request);
  if (!answered.ok()) return refuse(context, answered.refusal());
  const json page = json::parse(answered->body, nullptr, false);
  tell_completeness(context, page);
  if (answered->status != 200 || !page.is_object() || !page.contains("certificates")) {
    fmt::print(stderr, "{}\n", page.is_object() ? page.dump(2) : answered->body);
    return kRefused;
  }
  if (context.json) {
    print_json(page);
    return kDone;
  }
  if (asked.format == "csv")
    fmt::print("serial,profile,eui,role,usage,status,not_before,not_after,not_in_use_since\n");
  print_page(page, asked.format);
  if (page.contains("next"))
    fmt::print(stderr, "There may be more: --after {}\n", page.value("next", ""));
  return kDone;
}

void add_search(CLI::App& repository, Context& context, const std::shared_ptr<Given>& given) {
  const std::shared_ptr<Search> asked = std::make_shared<Search>();
  CLI::App* const command =
      repository.add_subcommand("search", "Search certificates by any fields, page by page");
  const auto filter = [&](const char* option, const char* name, const char* help) {
    return command->add_option(option, asked->filters[name], help);
  };
  filter("--eui", "eui", "EUI-64 of a device or organisation");
  filter("--issuer", "issuer", "Issuer as RFC 4514 text, such as CN=WTI1,OU=07");
  filter("--profile", "profile", "Row of the certificate profiles, such as device-ds");
  filter("--role", "role", "Remote party role, two hex digits");
  filter("--usage", "usage", "DS or KA");
  filter("--status", "status", "P pending, I in use, N no longer in use, E expired, R revoked");
  filter("--starts-from", "starts_from", "First notBefore, yyyy-mm-dd or ISO time");
  filter("--starts-until", "starts_until", "Last notBefore");
  filter("--expires-from", "expires_from", "First notAfter");
  filter("--expires-until", "expires_until", "Last notAfter");
  filter("--limit", "limit", "Most certificates of the page (default 100)");
  filter("--after", "after", "Go on after the page that printed this");
  command->add_flag("--latest", asked->latest, "Only the latest of its subject, use and role");
  command->add_option("--format", asked->format, "text, csv or pem")
      ->check(CLI::IsMember({"text", "csv", "pem"}))
      ->capture_default_str();
  command->footer(examples({"wattseal repository search --eui 00-57-53-00-00-00-00-00 --status N",
                            "wattseal repository search --profile organisation-ds "
                            "--expires-until 2027-01-31 --format csv",
                            "wattseal repository search --role 02 --latest --json"}));
  command->callback([given, asked, &context] {
    context.chosen = [given, asked, &context] { return search(context, *given, *asked); };
  });
}

}  // namespace

void add_repository(CLI::App& app, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const repository =
      app.add_subcommand("repository", "Look up certificates in the SMKI repository");
  add_address(*repository, given->address, "repository", "WATTSEAL_REPOSITORY_URL");
  CLI::Option_group* const what = repository->add_option_group("what", "What is looked up: one of");
  what->add_option("--device", given->device, "EUI-64 of a device");
  what->add_option("--organisation", given->organisation, "EUI-64 of an organisation");
  what->add_option("--serial", given->serial, "Serial number, hexadecimal");
  what->require_option(0, 1);
  repository->add_option("--mirror", given->mirror,
                         "Folder of a copy that wattseal repository mirror keeps: ask it, nobody "
                         "else");
  add_mirror(*repository, context);
  add_search(*repository, context, given);
  add_access(*repository, context);
  add_sftp(*repository, context);
  add_documents(*repository, context, {given, &given->address});
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
