// smki submit | batch submit | batch status | batch results | batch quota
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/commands/smki_client.h"
#include "apps/console.h"
#include "base/fault.h"
#include "crypto/crypto.h"
#include "terms/terms.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

constexpr std::size_t kPieceOctets = 4u << 20;  // of an upload and of a download
constexpr std::chrono::milliseconds kPoll{200};

struct BatchGiven {
  SmkiAddress address{"http://127.0.0.1:8081", {}, {}, {}};
  std::string subscriber, person, file, type, batch, form = "jsonl", out = "-";
  bool resume = false, no_wait = false;
};

// The service as one subscriber sees it.
class Remote {
 public:
  static Result<Remote> open(const BatchGiven& given) {
    TRY_ASSIGN(std::unique_ptr<http::Client> client, apps::open(given.address));
    std::vector<http::Header> identity;
    if (!given.subscriber.empty()) identity.push_back({"X-Subscriber", given.subscriber});
    if (!given.person.empty()) identity.push_back({"X-Person", given.person});
    return Remote(std::move(client), std::move(identity));
  }
  http::Response send(const char* method, const std::string& path, std::string body = {},
                      std::vector<http::Header> headers = {}) {
    http::Request request;
    request.method = method;
    request.path = path;
    request.body = std::move(body);
    request.headers = identity_;
    request.headers.insert(request.headers.end(), headers.begin(), headers.end());
    return client_->send(request);
  }

 private:
  Remote(std::unique_ptr<http::Client> client, std::vector<http::Header> identity)
      : client_(std::move(client)), identity_(std::move(identity)) {}
  std::unique_ptr<http::Client> client_;
  std::vector<http::Header> identity_;
};

const std::string* header(const http::Response& response, std::string_view name) {
  const auto found = std::ranges::find_if(response.headers, [&](const http::Header& one) {
    return std::ranges::equal(one.name, name, {}, ::tolower, ::tolower);
  });
  return found == response.headers.end() ? nullptr : &found->value;
}

// What the service refused, as it said it: rule, what was found and how to mend it.
int refused(const Context& context, const http::Response& response) {
  const json body = json::parse(response.body, nullptr, false);
  if (!body.is_object())
    fmt::print(stderr, "The service answered {}: {}\n", response.status, response.body);
  else if (context.json)
    fmt::print(stderr, "{}\n", body.dump(2));
  else
    fmt::print(stderr, "{}: {} Found: {}. {}\n", body.value("rule", ""),
               body.value("explanation", ""), body.value("found", ""), body.value("fix", ""));
  if (const std::string* const seconds = header(response, "Retry-After"))
    fmt::print(stderr, "Try again in {} s.\n", *seconds);
  return kRefused;
}

// A line that is drawn over itself on a terminal and not at all elsewhere.
void draw(std::string_view what, std::uint64_t done, std::uint64_t total, std::string_view more) {
  static const bool terminal = isatty(STDERR_FILENO) != 0;
  if (!terminal) return;
  constexpr std::uint64_t kWidth = 30;
  const std::uint64_t filled = total == 0 ? kWidth : std::min(kWidth, kWidth * done / total);
  fmt::print(stderr, "\r\x1b[K{:<10} [{}{}] {} of {}  {}", what, std::string(filled, '#'),
             std::string(kWidth - filled, ' '), with_thousands(done), with_thousands(total), more);
  if (done >= total) fmt::print(stderr, "\n");
}

// ---- sending a file

// Beside the file while its upload is under way: what to go on with.
std::string state_file(const std::string& file) { return file + ".wattseal-upload"; }

// The upload that an earlier run began with this very content; nothing when there is none.
std::optional<json> earlier_upload(Remote& remote, const BatchGiven& given,
                                   const std::string& sha256) {
  std::ifstream in(state_file(given.file));
  const json state = json::parse(in, nullptr, false);
  if (!state.is_object() || state.value("sha256", "") != sha256 ||
      state.value("subscriber", "") != given.subscriber || !state.contains("upload"))
    return {};
  const http::Response found = remote.send("GET", "/api/v1/uploads/" + state["upload"].dump());
  if (found.status != 200) return {};
  return json::parse(found.body);
}

Result<json> ask_upload(Remote& remote, const BatchGiven& given, const std::string& content,
                        const std::string& sha256, http::Response& last) {
  if (given.resume && given.file != "-") {
    if (const std::optional<json> earlier = earlier_upload(remote, given, sha256)) return *earlier;
  }
  last = remote.send("POST", "/api/v1/uploads",
                     json{{"size", content.size()}, {"content_type", given.type}}.dump());
  if (last.status != 201) return Refusal{"apps-service-refused"_rule, "no upload"};
  const json upload = json::parse(last.body);
  if (given.file != "-")
    write_output(
        state_file(given.file),
        json{{"sha256", sha256}, {"subscriber", given.subscriber}, {"upload", upload["upload"]}}
            .dump());
  return upload;
}

// In pieces that survive an interruption of either side; returns the answer to the last step.
http::Response send_in_pieces(Remote& remote, const BatchGiven& given, const std::string& content) {
  const std::string sha256 = to_hex(crypto::sha256(as_bytes(content)));
  http::Response last;
  const Result<json> upload = ask_upload(remote, given, content, sha256, last);
  if (!upload.ok()) return last;
  const std::string path = "/api/v1/uploads/" + upload->at("upload").dump();
  std::uint64_t offset = upload->at("offset");
  while (offset < content.size()) {
    draw("uploading", offset, content.size(), "octets");
    last = remote.send("PATCH", path, content.substr(offset, kPieceOctets),
                       {{"Upload-Offset", std::to_string(offset)}});
    if (last.status != 200) return last;
    offset = json::parse(last.body).at("offset");
  }
  draw("uploading", offset, content.size(), "octets");
  last = remote.send("POST", path + "/finish", json{{"sha256", sha256}}.dump());
  if (last.status == 202 && given.file != "-") std::filesystem::remove(state_file(given.file));
  return last;
}

http::Response send_file(Remote& remote, const BatchGiven& given) {
  std::string content = read_input(given.file);
  if (given.resume || content.size() > kPieceOctets) return send_in_pieces(remote, given, content);
  std::vector<http::Header> headers;
  if (!given.type.empty()) headers.push_back({"Content-Type", given.type});
  return remote.send("POST", "/api/v1/batches", std::move(content), std::move(headers));
}

// ---- following a batch

http::Response follow(Remote& remote, const std::string& path) {
  for (;;) {
    http::Response response = remote.send("GET", path);
    if (response.status != 200) return response;
    const json status = json::parse(response.body);
    const std::uint64_t held = status["held"], refused_rows = status["refused"];
    const std::uint64_t done = status["published"].get<std::uint64_t>() + held + refused_rows;
    draw("issuing", done, status["rows"],
         fmt::format("{} refused, {} a second", refused_rows,
                     status["published_a_second"].get<double>()));
    if (status["settled"]) return response;
    std::this_thread::sleep_for(kPoll);
  }
}

void print_rows(const std::string& lines) {
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    const json row = json::parse(lines.substr(at, end - at));
    at = end + 1;
    if (row["state"] == "refused")
      fmt::print("row {:<6} refused    {}: {}\n", row["row"].get<int>(), row.value("rule", ""),
                 row.value("found", ""));
    else
      fmt::print("row {:<6} {:<10} {}\n", row["row"].get<int>(), row.value("state", ""),
                 row.value("serial", ""));
  }
}

int print_results(const Context& context, Remote& remote, const std::string& path,
                  const json& status) {
  const http::Response rows = remote.send("GET", path + "/results?format=jsonl");
  if (rows.status != 200) return refused(context, rows);
  if (!context.json) {
    print_rows(rows.body);
  } else {
    json list = json::array();
    for (std::size_t at = 0; at < rows.body.size();) {
      const std::size_t end = rows.body.find('\n', at);
      list.push_back(json::parse(rows.body.substr(at, end - at)));
      at = end + 1;
    }
    json out = status;
    out["results"] = std::move(list);
    print_json(out);
  }
  return status["refused"] == 0 ? kDone : kRefused;
}

// Safe to repeat after any interruption: the same content of the same subscriber is the same batch.
int submit(const Context& context, const BatchGiven& given) {
  Result<Remote> remote = Remote::open(given);
  if (!remote.ok()) return refuse(context, remote.refusal());
  const http::Response accepted = send_file(*remote, given);
  if (accepted.status != 202) return refused(context, accepted);
  const json receipt = json::parse(accepted.body);
  if (given.no_wait) {
    if (context.json)
      print_json(receipt);
    else
      fmt::print("batch {}: {} rows, due {}\n", receipt["batch"].dump(), receipt["rows"].dump(),
                 receipt.value("due", ""));
    return kDone;
  }
  if (receipt.contains("serves_from"))
    fmt::print(stderr, "The service is outside its hours ({}) and serves from {}.\n",
               receipt.value("outside_service", ""), receipt.value("serves_from", ""));
  const std::string path = "/api/v1/batches/" + receipt["batch"].dump();
  const http::Response settled = follow(*remote, path);
  if (settled.status != 200) return refused(context, settled);
  return print_results(context, *remote, path, json::parse(settled.body));
}

int status(const Context& context, const BatchGiven& given) {
  Result<Remote> remote = Remote::open(given);
  if (!remote.ok()) return refuse(context, remote.refusal());
  const http::Response response = remote->send("GET", "/api/v1/batches/" + given.batch);
  if (response.status != 200) return refused(context, response);
  const json body = json::parse(response.body);
  if (context.json)
    print_json(body);
  else
    fmt::print(
        "batch {}: {} rows, {} decided, {} refused, {} held, {} issued, {} published ({} a "
        "second); received {}, due {}{}\n",
        body["batch"].dump(), body["rows"].dump(), body["decided"].dump(), body["refused"].dump(),
        body["held"].dump(), body["issued"].dump(), body["published"].dump(),
        body["published_a_second"].dump(), body.value("received", ""), body.value("due", ""),
        body.contains("answered") ? ", answered " + body.value("answered", "") : "");
  return kDone;
}

// ---- fetching results

// What an earlier run fetched: <out>.part, and the tag of the file it is of in <out>.part.tag.
struct Part {
  std::string content, tag;
};
Part earlier_part(const BatchGiven& given) {
  Part part;
  if (!given.resume || given.out == "-") return part;
  std::ifstream tag(given.out + ".part.tag"), content(given.out + ".part", std::ios::binary);
  if (!tag || !content || !std::getline(tag, part.tag)) return {};
  part.content.assign(std::istreambuf_iterator<char>(content), std::istreambuf_iterator<char>());
  return part;
}
void keep_part(const BatchGiven& given, const Part& part, std::string_view more) {
  if (given.out == "-") return;
  const bool first = part.content.size() == more.size();
  std::ofstream out(given.out + ".part",
                    std::ios::binary | (first ? std::ios::trunc : std::ios::app));
  out.write(more.data(), static_cast<std::streamsize>(more.size()));
  if (!out.flush()) throw Fault("cannot write " + given.out + ".part");
  write_output(given.out + ".part.tag", part.tag + "\n");
}
void finish_part(const BatchGiven& given, const Part& part) {
  write_output(given.out, part.content);
  if (given.out == "-") return;
  std::filesystem::remove(given.out + ".part");
  std::filesystem::remove(given.out + ".part.tag");
}

std::uint64_t total_of(const http::Response& response) {
  const std::string* const range = header(response, "Content-Range");
  const std::size_t slash = range ? range->find('/') : std::string::npos;
  return slash == std::string::npos ? 0 : std::stoull(range->substr(slash + 1));
}

int results(const Context& context, const BatchGiven& given) {
  Result<Remote> remote = Remote::open(given);
  if (!remote.ok()) return refuse(context, remote.refusal());
  Part part = earlier_part(given);
  const std::string path = "/api/v1/batches/" + given.batch + "/results?format=" + given.form;
  for (;;) {
    const std::size_t at = part.content.size();
    std::vector<http::Header> headers{
        {"Range", "bytes=" + std::to_string(at) + "-" + std::to_string(at + kPieceOctets - 1)}};
    if (!part.tag.empty()) headers.push_back({"If-Range", part.tag});
    const http::Response response = remote->send("GET", path, {}, std::move(headers));
    // A file of no octets has no range, and one that was fetched to its end none beyond.
    const bool at_end = response.status == 416 && total_of(response) == at;
    if (at_end) break;
    if (response.status != 200 && response.status != 206) return refused(context, response);
    // 200: the whole, because the file is another than before.
    if (response.status == 200) part.content.clear();
    if (const std::string* const tag = header(response, "ETag")) part.tag = *tag;
    part.content += response.body;
    if (response.status == 200) break;
    keep_part(given, part, response.body);
    draw("fetching", part.content.size(), total_of(response), "octets");
    if (part.content.size() >= total_of(response)) break;
  }
  finish_part(given, part);
  return kDone;
}

int quota(const Context& context, const BatchGiven& given) {
  Result<Remote> remote = Remote::open(given);
  if (!remote.ok()) return refuse(context, remote.refusal());
  const http::Response response = remote->send("GET", "/api/v1/quota");
  if (response.status != 200) return refused(context, response);
  const json body = json::parse(response.body);
  if (context.json) {
    print_json(body);
    return kDone;
  }
  for (const char* const name : {"waiting_requests", "waiting_submissions",
                                 "submissions_this_minute", "waiting_requests_of_all"})
    fmt::print("{:<26} {:>9} of {}\n", name, body[name]["used"].dump(), body[name]["limit"].dump());
  fmt::print("{:<26} {:>9}\n", "batch_rows", body["batch_rows"].dump());
  return kDone;
}

// ---- the commands

void add_common(CLI::App& command, BatchGiven& given) {
  add_address(command, given.address);
  command.add_option("--subscriber", given.subscriber,
                     "EUI-64 of the subscriber, where no client certificate tells");
  command
      .add_option("--person", given.person,
                  "Number of the officer who acts for it, where no client certificate tells")
      ->envname("WATTSEAL_PERSON");
}

using Run = int (*)(const Context&, const BatchGiven&);
CLI::App& add(CLI::App& parent, Context& context, const char* name, const char* what, Run run,
              const std::shared_ptr<BatchGiven>& given) {
  CLI::App* const command = parent.add_subcommand(name, what);
  add_common(*command, *given);
  command->callback([given, &context, run] {
    context.chosen = [given, &context, run] { return run(context, *given); };
  });
  return *command;
}

void add_submit(CLI::App& parent, Context& context, std::string_view path) {
  const std::shared_ptr<BatchGiven> given = std::make_shared<BatchGiven>();
  CLI::App& command = add(parent, context, "submit",
                          "Submit a batch file (PEM, CSV, JSON lines or ZIP) and follow it to its "
                          "end; safe to repeat",
                          submit, given);
  command.add_option("file", given->file, "Batch file; - is standard input")->required();
  command.add_option("--type", given->type, "Content type, when the content does not tell");
  command.add_flag("--resume", given->resume,
                   "Go on with an upload that was interrupted; large files are sent in pieces");
  command.add_flag("--no-wait", given->no_wait, "Return when the batch is accepted");
  const std::string start = "wattseal " + std::string(path) + " submit --subscriber ";
  command.footer(examples({start + "90-57-53-00-00-05-00-00 requests.csv",
                           start + "90-57-53-00-00-05-00-00 --resume requests.zip",
                           start + "EUI - --json < requests.pem"}));
}

}  // namespace

void add_smki_batch(CLI::App& smki, Context& context) {
  add_submit(smki, context, "smki");
  CLI::App* const batch =
      smki.add_subcommand("batch", "Batches of signing requests: submit, watch, fetch results");
  batch->require_subcommand(1);
  batch->footer(examples({"wattseal smki batch submit requests.zip --subscriber EUI --no-wait",
                          "wattseal smki batch status 17 --subscriber EUI --json",
                          "wattseal smki batch results 17 --subscriber EUI --out results.jsonl"}));
  add_submit(*batch, context, "smki batch");
  const auto numbered = [&](const char* name, const char* what, Run run) -> BatchGiven& {
    const std::shared_ptr<BatchGiven> given = std::make_shared<BatchGiven>();
    CLI::App& command = add(*batch, context, name, what, run, given);
    command.add_option("batch", given->batch, "Number of the batch")
        ->required()
        ->check(CLI::NonNegativeNumber);
    command.footer(examples({fmt::format("wattseal smki batch {} 17 --subscriber EUI", name)}));
    return *given;
  };
  numbered("status", "Counts, rates and times of a batch", status);
  BatchGiven& fetched =
      numbered("results", "Fetch the results or certificates as one file", results);
  CLI::App* const fetch = batch->get_subcommand("results");
  fetch->add_option("--format", fetched.form, "jsonl, csv: a row each; pem, zip: certificates")
      ->check(CLI::IsMember({"jsonl", "csv", "pem", "zip"}))
      ->capture_default_str();
  fetch->add_option("--out", fetched.out, "File; - is standard output")->capture_default_str();
  fetch->add_flag("--resume", fetched.resume, "Go on with a download that was interrupted");
  fetch->footer(examples(
      {"wattseal smki batch results 17 --subscriber EUI --format csv --out results.csv",
       "wattseal smki batch results 17 --subscriber EUI --format zip --out certs.zip --resume"}));
  const std::shared_ptr<BatchGiven> asked = std::make_shared<BatchGiven>();
  add(*batch, context, "quota", "What the subscriber uses of what it may", quota, asked)
      .footer(examples({"wattseal smki batch quota --subscriber 90-57-53-00-00-05-00-00"}));
}

}  // namespace wattseal::apps
