// repository documents lodge | list | show | get | withdraw
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands/repository_parts.h"
#include "apps/office_client.h"
#include "base/fault.h"
#include "crypto/crypto.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  RepositoryAddress address;
  std::string party, person;  // who lodges, on a loopback development service
  std::string file, kind, name, title, label, type, effective, reason, to = "-";
  std::string version = "in-force";
  bool all = false;
};

http::Request ask(const Given& given, const char* method, std::string path) {
  http::Request request;
  request.method = method;
  request.path = "/api/v1/documents" + std::move(path);
  if (!given.party.empty()) request.headers.push_back({"X-Subscriber", given.party});
  if (!given.person.empty()) request.headers.push_back({"X-Person", given.person});
  return request;
}

void add_query(http::Request& request, const char* name, const std::string& value) {
  if (!value.empty()) request.query.push_back({name, value});
}

Result<http::Response> send(const Given& given, const http::Request& request) {
  TRY_ASSIGN(const std::unique_ptr<http::Client> client, open(*given.address));
  http::Response response = client->send(request);
  if (response.status / 100 != 2) return read_refusal(response);
  return response;
}

Result<json> ask_json(const Given& given, const http::Request& request) {
  TRY_ASSIGN(const http::Response response, send(given, request));
  json answer = json::parse(response.body, nullptr, false);
  if (!answer.is_object()) throw Fault("the repository's answer is no JSON");
  return answer;
}

void print_row(const json& one) {
  fmt::print("{:<28} {:>3}  {:<8} {:<10} from {}  {:>9} octets  {}\n", one.value("name", ""),
             one.value("version", 0), one.value("label", ""), one.value("state", ""),
             one.value("effective_from", ""), one.value("octets", 0), one.value("title", ""));
}

void print_version(const json& one) {
  for (const char* const field :
       {"name", "version", "state", "kind", "title", "label", "media_type", "octets", "sha256",
        "lodged_at", "effective_from", "lodger", "withdrawn_at", "reason"}) {
    if (!one.contains(field)) continue;
    const json& value = one[field];
    fmt::print("{:<16}{}\n", field, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

int show_answer(const Context& context, const Result<json>& answer) {
  if (!answer.ok()) return refuse(context, answer.refusal());
  if (context.json)
    print_json(*answer);
  else
    print_version(*answer);
  return kDone;
}

// By the file's ending, for those that policies come in.
std::string type_of(const std::string& file) {
  static constexpr std::pair<std::string_view, const char*> kTypes[] = {
      {".pdf", "application/pdf"}, {".txt", "text/plain"},       {".md", "text/markdown"},
      {".csv", "text/csv"},        {".xml", "application/xml"},  {".xsd", "application/xml"},
      {".html", "text/html"},      {".json", "application/json"}};
  for (const auto& [ending, type] : kTypes) {
    if (file.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

int lodge(const Context& context, const Given& given) {
  http::Request request = ask(given, "POST", "");
  request.body = read_input(given.file);
  request.headers.push_back(
      {"Content-Type", given.type.empty() ? type_of(given.file) : given.type});
  add_query(request, "kind", given.kind);
  add_query(request, "name", given.name);
  add_query(request, "title", given.title);
  add_query(request, "label", given.label);
  add_query(request, "effective_from", given.effective);
  add_query(request, "sha256", to_hex(crypto::sha256(as_bytes(request.body))));
  return show_answer(context, ask_json(given, request));
}

int list(const Context& context, const Given& given) {
  http::Request request = ask(given, "GET", "");
  add_query(request, "kind", given.kind);
  if (given.all) add_query(request, "all", "true");
  const Result<json> answer = ask_json(given, request);
  if (!answer.ok()) return refuse(context, answer.refusal());
  if (context.json) {
    print_json(*answer);
    return kDone;
  }
  for (const json& one : answer->at("documents")) print_row(one);
  if (answer->at("documents").empty()) fmt::print("No documents.\n");
  return kDone;
}

int show(const Context& context, const Given& given) {
  const Result<json> answer = ask_json(given, ask(given, "GET", "/" + given.name));
  if (!answer.ok()) return refuse(context, answer.refusal());
  if (context.json) {
    print_json(*answer);
    return kDone;
  }
  for (const json& one : answer->at("versions")) {
    print_version(one);
    fmt::print("\n");
  }
  return kDone;
}

// The entity tag is the digest of what was lodged: what arrives is compared with it.
int get(const Context& context, const Given& given) {
  const Result<http::Response> answer =
      send(given, ask(given, "GET", "/" + given.name + "/" + given.version + "/content"));
  if (!answer.ok()) return refuse(context, answer.refusal());
  const std::string digest = to_hex(crypto::sha256(as_bytes(answer->body)));
  const auto tag = std::ranges::find(answer->headers, std::string("ETag"), &http::Header::name);
  if (tag == answer->headers.end() || tag->value != "\"" + digest + "\"")
    return refuse(context, {"document-digest"_rule, "what arrived has " + digest, "content"});
  write_output(given.to, answer->body);
  if (given.to != "-") fmt::print(stderr, "{} octets, SHA-256 {}\n", answer->body.size(), digest);
  return kDone;
}

int withdraw(const Context& context, const Given& given) {
  http::Request request = ask(given, "POST", "/" + given.name + "/" + given.version + "/withdraw");
  request.headers.push_back({"Content-Type", "application/json"});
  request.body = json{{"reason", given.reason}}.dump();
  return show_answer(context, ask_json(given, request));
}

void add_lodger(CLI::App& command, Given& given) {
  command.add_option("--party", given.party, "EUI-64 of the party that lodges (development only)");
  command.add_option("--person", given.person,
                     "Number of the officer who acts for it (development only)");
}

using Run = int (*)(const Context&, const Given&);
void run_with(CLI::App& command, Context& context, const std::shared_ptr<Given>& given, Run run) {
  command.callback([given, run, &context] {
    context.chosen = [given, run, &context] { return run(context, *given); };
  });
}

void add_lodge(CLI::App& documents, Context& context, const std::shared_ptr<Given>& given) {
  CLI::App* const command =
      documents.add_subcommand("lodge", "Lodge a document, or its next version");
  command->add_option("file", given->file, "The document; - for standard input")->required();
  command->add_option("--kind", given->kind, "Row of data/document_kinds.tsv, such as rapp")
      ->required();
  command->add_option("--name", given->name, "Its name, where a kind has many documents");
  command->add_option("--title", given->title, "Title")->required();
  command->add_option("--label", given->label, "The version as the document prints it")->required();
  command->add_option("--effective-from", given->effective,
                      "yyyy-mm-dd or ISO time; default: at once");
  command->add_option("--type", given->type, "Media type; default: by the file's ending");
  add_lodger(*command, *given);
  command->footer(examples(
      {"wattseal repository documents lodge rapp.pdf --kind rapp --title 'RAPP' --label 1.2 "
       "--effective-from 2026-06-01 --party 90-57-53-00-00-00-00-00",
       "wattseal repository --url https://repository:8083 --trusted ca.pem --identity me.pem "
       "--key me.key documents lodge minutes.pdf --kind pma-document --name decision-7 --title "
       "'Decision 7' --label 1.0"}));
  run_with(*command, context, given, lodge);
}

void add_readers(CLI::App& documents, Context& context, const std::shared_ptr<Given>& given) {
  CLI::App* const lister = documents.add_subcommand(
      "list", "Documents, each by its version in force, else by its newest");
  lister->add_option("--kind", given->kind, "Only of this kind");
  lister->add_flag("--all", given->all, "Every version");
  lister->footer(examples({"wattseal repository documents list",
                           "wattseal repository documents list --kind pma-document --all --json"}));
  run_with(*lister, context, given, list);
  CLI::App* const shower = documents.add_subcommand("show", "All versions of one document");
  shower->add_option("name", given->name, "Name of the document")->required();
  shower->footer(examples({"wattseal repository documents show rapp --json"}));
  run_with(*shower, context, given, show);
  CLI::App* const getter =
      documents.add_subcommand("get", "The document itself, compared with its SHA-256");
  getter->add_option("name", given->name, "Name of the document")->required();
  getter->add_option("--version", given->version, "Number of the version")->capture_default_str();
  getter->add_option("--to", given->to, "File to write; -: standard output")->capture_default_str();
  getter->footer(examples({"wattseal repository documents get rapp --to rapp.pdf",
                           "wattseal repository documents get rapp --version 1 > old.pdf"}));
  run_with(*getter, context, given, get);
}

}  // namespace

void add_documents(CLI::App& repository, Context& context, const RepositoryAddress& address) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  given->address = address;
  CLI::App* const documents = repository.add_subcommand(
      "documents", "Policies, procedures and other documents, with their versions");
  documents->require_subcommand(1);
  add_lodge(*documents, context, given);
  add_readers(*documents, context, given);
  CLI::App* const withdrawer = documents->add_subcommand(
      "withdraw", "Say that a version is not to be used any more; it stays readable");
  withdrawer->add_option("name", given->name, "Name of the document")->required();
  withdrawer->add_option("--version", given->version, "Number of the version")->required();
  withdrawer->add_option("--reason", given->reason, "Why")->required();
  add_lodger(*withdrawer, *given);
  withdrawer->footer(
      examples({"wattseal repository documents withdraw rapp --version 3 --reason 'Annex B is "
                "missing' --party 90-57-53-00-00-00-00-00"}));
  run_with(*withdrawer, context, given, withdraw);
  documents->footer(examples({"wattseal repository documents list",
                              "wattseal repository documents get rapp --to rapp.pdf"}));
}

}  // namespace wattseal::apps
