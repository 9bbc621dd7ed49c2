#include "smki/document_service.h"

#include "smki/service_json.h"

namespace wattseal::smki {

using nlohmann::json;

json to_json(const DocumentVersion& version) {
  json out{{"name", version.name},
           {"version", version.version},
           {"kind", version.kind},
           {"title", version.title},
           {"label", version.label},
           {"media_type", version.media_type},
           {"sha256", to_hex(version.digest)},
           {"octets", version.octets},
           {"lodged_at", version.lodged_at.iso()},
           {"effective_from", version.effective_from.iso()},
           {"lodger", version.lodger.text()},
           {"state", text(version.state)}};
  if (version.withdrawn_at) {
    out["withdrawn_at"] = version.withdrawn_at->iso();
    out["reason"] = version.reason;
  }
  return out;
}

namespace {

constexpr std::string_view kDocuments = "/api/v1/documents/";

std::string given(const http::Request& request, std::string_view name) {
  const std::string* const value = request.query_value(name);
  return value ? *value : std::string();
}

http::Response answer(const Result<json>& result, TraceId trace, int status = 200) {
  return result.ok() ? json_answer(status, *result) : refuse(result.refusal(), trace);
}

Result<Lodger> identify_lodger(const DocumentService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_caller(service.office, request));
  if (!caller.subscriber)
    return Refusal{"ra-subscriber-missing"_rule, "nothing says which party lodges", "X-Subscriber"};
  return Lodger{*caller.subscriber, caller.person, caller.address};
}

Status known_filters(const http::Request& request, std::initializer_list<std::string_view> names) {
  for (const http::Header& one : request.query) {
    if (std::ranges::find(names, one.name) == names.end())
      return Refusal{"document-field"_rule, "it is not asked for here", "query/" + one.name};
  }
  return {};
}

// A day stands for its first second.
Result<std::optional<UtcTime>> read_effective(const std::string& value) {
  if (value.empty()) return std::optional<UtcTime>();
  const std::optional<UtcTime> time =
      UtcTime::parse_iso(value.size() == 10 ? value + "T00:00:00Z" : value);
  if (!time || time->unix_seconds() < 0)
    return Refusal{"document-field"_rule,
                   "it is not a date yyyy-mm-dd or a time yyyy-mm-ddThh:mm:ssZ",
                   "query/effective_from"};
  return time;
}

Result<json> lodge(const DocumentService& service, const http::Request& request) {
  TRY(known_filters(request, {"kind", "name", "title", "label", "effective_from", "sha256"}));
  TRY_ASSIGN(const Lodger lodger, identify_lodger(service, request));
  const std::string* const type = request.header("Content-Type");
  Lodging lodging{given(request, "kind"),          given(request, "name"), given(request, "title"),
                  given(request, "label"),         type ? *type : "",      {},
                  to_bytes(as_bytes(request.body))};
  TRY_ASSIGN(lodging.effective_from, read_effective(given(request, "effective_from")));
  const std::string digest = to_hex(crypto::sha256(lodging.content));
  const std::string* const expected = request.query_value("sha256");
  if (expected && *expected != digest)
    return Refusal{"document-digest"_rule, "what arrived has " + digest, "query/sha256"};
  TRY_ASSIGN(const DocumentVersion lodged, service.documents.lodge(lodging, lodger, request.trace));
  return to_json(lodged);
}

json kinds_json() {
  json kinds = json::array();
  for (const DocumentKindRow& row : document_kinds())
    kinds.push_back({{"kind", row.id},
                     {"title", row.title},
                     {"lodgers", row.lodgers},
                     {"documents", row.documents},
                     {"source", row.source}});
  return kinds;
}

// The version in force of each document, else its newest; with all=true every version.
Result<json> list(const DocumentService& service, const http::Request& request) {
  TRY(known_filters(request, {"kind", "all"}));
  const std::string kind = given(request, "kind"), every = given(request, "all");
  if (!every.empty() && every != "true" && every != "false")
    return Refusal{"document-field"_rule, "it is true or false", "query/all"};
  if (!kind.empty() &&
      std::ranges::find(document_kinds(), kind, &DocumentKindRow::id) == document_kinds().end())
    return Refusal{"document-kind"_rule, "'" + kind + "' is no kind", "query/kind"};
  const std::vector<DocumentVersion> versions = service.documents.all();
  json found = json::array();
  const DocumentVersion* in_force = nullptr;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const DocumentVersion& one = versions[i];
    if (one.state == DocumentState::in_force) in_force = &one;
    const bool last = i + 1 == versions.size() || versions[i + 1].name != one.name;
    const bool wanted = kind.empty() || one.kind == kind;
    if (wanted && every == "true") found.push_back(to_json(one));
    if (wanted && every != "true" && last) found.push_back(to_json(in_force ? *in_force : one));
    if (last) in_force = nullptr;
  }
  return json{{"documents", std::move(found)}, {"kinds", kinds_json()}};
}

// "rapp", "rapp/2", "rapp/in-force/content".
struct Path {
  std::string_view name, version, verb;
};
Path read_path(const http::Request& request) {
  std::string_view rest = std::string_view(request.path).substr(kDocuments.size());
  Path path;
  for (std::string_view* const part : {&path.name, &path.version}) {
    const std::size_t slash = rest.find('/');
    *part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  }
  path.verb = rest;
  return path;
}

Result<std::optional<std::uint64_t>> read_version(std::string_view text) {
  if (text == "in-force") return std::optional<std::uint64_t>();
  const std::optional<std::uint64_t> number = read_number(text);
  if (!number) return Refusal{"document-unknown"_rule, "a version is a number or in-force", "path"};
  return number;
}

Result<DocumentVersion> find(const DocumentService& service, const Path& path) {
  TRY_ASSIGN(const std::optional<std::uint64_t> number, read_version(path.version));
  return service.documents.find(path.name, number);
}

Result<json> versions(const DocumentService& service, const Path& path) {
  TRY_ASSIGN(const std::vector<DocumentVersion> found, service.documents.versions(path.name));
  json list = json::array();
  for (const DocumentVersion& one : found) list.push_back(to_json(one));
  return json{{"name", path.name}, {"versions", std::move(list)}};
}

// What is lodged is anybody's: a browser shall save it, not run it.
http::Response content(const DocumentService& service, const http::Request& request,
                       const Path& path) {
  const Result<DocumentVersion> found = find(service, path);
  if (!found.ok()) return refuse(found.refusal(), request.trace);
  const std::string tag = "\"" + to_hex(found->digest) + "\"";
  http::Response response{
      200,
      found->media_type,
      {},
      {{"ETag", tag},
       {"Content-Disposition", "attachment; filename=\"" + found->name + "-" + found->label + "\""},
       {"X-Content-Type-Options", "nosniff"},
       {"X-Document-Version", std::to_string(found->version)},
       {"X-Document-State", std::string(text(found->state))}}};
  const std::string* const have = request.header("If-None-Match");
  if (have && *have == tag) {
    response.status = 304;
    return response;
  }
  response.body = std::string(as_text(service.documents.content(*found)));
  return response;
}

http::Response read(const DocumentService& service, const http::Request& request) {
  const Path path = read_path(request);
  if (path.version.empty()) return answer(versions(service, path), request.trace);
  if (path.verb == "content") return content(service, request, path);
  if (!path.verb.empty())
    return refuse({"document-unknown"_rule, "a version has content and nothing else", "path"},
                  request.trace);
  const Result<DocumentVersion> found = find(service, path);
  return found.ok() ? json_answer(200, to_json(*found)) : refuse(found.refusal(), request.trace);
}

Result<json> withdraw(const DocumentService& service, const http::Request& request) {
  const Path path = read_path(request);
  const std::optional<std::uint64_t> number = read_number(path.version);
  if (path.verb != "withdraw" || !number)
    return Refusal{"document-unknown"_rule, "the path is not {name}/{version}/withdraw", "path"};
  TRY_ASSIGN(const Lodger lodger, identify_lodger(service, request));
  const json body = json::parse(request.body, nullptr, false);
  if (!body.is_object() || !body.contains("reason") || !body["reason"].is_string())
    return Refusal{"ra-service-json"_rule, "the body has a reason", "reason"};
  TRY_ASSIGN(const DocumentVersion withdrawn,
             service.documents.withdraw(path.name, *number, body["reason"].get<std::string>(),
                                        lodger, request.trace));
  return to_json(withdrawn);
}

}  // namespace

void add_document_routes(http::Router& router, const DocumentService& service) {
  router.on("GET", "/api/v1/documents", [&service](const http::Request& request) {
    return answer(list(service, request), request.trace);
  });
  router.on("POST", "/api/v1/documents", [&service](const http::Request& request) {
    return answer(lodge(service, request), request.trace, 201);
  });
  router.on("GET", "/api/v1/documents/*",
            [&service](const http::Request& request) { return read(service, request); });
  router.on("POST", "/api/v1/documents/*", [&service](const http::Request& request) {
    return answer(withdraw(service, request), request.trace);
  });
}

}  // namespace wattseal::smki
