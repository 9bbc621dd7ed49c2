// The repository over HTTP: the XML web service that existing clients call (spec/smki.md 3.5) and
// the JSON look-ups. HTTP status in the XML service: 200 found, 401 the query is wrong, 402 nothing
// found (clients read it as an empty list).
#include <nlohmann/json.hpp>

#include "smki/repository.h"
#include "smki/repository_routes.h"
#include "smki/service_json.h"
#include "terms/terms.h"
#include "xml/xml.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr std::string_view kXmlType = "application/xml";
const xml::Limits kQueryLimits{64 * 1024, 8, 64};

std::string letter(CertificateStatus status) { return std::string(1, static_cast<char>(status)); }

xml::Element leaf(std::string name, std::string text) {
  return {"", std::move(name), {}, std::move(text), {}};
}

// The fields that a search result and a retrieved certificate share, in the order clients know.
void add_fields(xml::Element& to, const PublishedCertificate& found) {
  to.children.push_back(leaf("CertificateSerial", found.serial.hex()));
  if (found.device()) {
    to.children.push_back(leaf("CertificateSubjectAltName", found.eui->text()));
  } else {
    to.children.push_back(
        leaf("CertificateSubjectName", found.eui ? found.eui->text() : found.profile));
  }
  to.children.push_back(leaf("CertificateStatus", letter(found.status)));
  if (found.role)
    to.children.push_back(
        leaf("CertificateRole", std::to_string(static_cast<unsigned>(*found.role))));
  if (found.use) to.children.push_back(leaf("CertificateUsage", std::string(text(*found.use))));
  to.children.push_back(leaf("ManufacturingFlag", "false"));
}

http::Response answer(std::string_view root, int status, std::string_view message, TraceId trace,
                      std::vector<xml::Element> results) {
  xml::Element document{"", std::string(root), {}, "", {}};
  document.children.push_back(leaf("ResponseCode", std::to_string(status)));
  document.children.push_back(leaf("ResponseMessage", std::string(message)));
  document.children.push_back(leaf("AuditReference", trace.text()));
  for (xml::Element& result : results) document.children.push_back(std::move(result));
  return {status, std::string(kXmlType), xml::write(document, {}), {}};
}

http::Response refuse_xml(std::string_view root, const Refusal& refusal, TraceId trace) {
  const int status = refusal.rule == "repository-not-found"_rule ? 402 : 401;
  return answer(root, status, explain(refusal), trace, {});
}

Result<std::string> only_child(const http::Request& request, std::string_view root,
                               std::initializer_list<std::string_view> names, std::string& which) {
  TRY_ASSIGN(const xml::Document document, xml::parse(request.body, kQueryLimits));
  if (document.root().name != root)
    return Refusal{"repository-query"_rule, "the document element is " + document.root().name, "/"};
  for (const std::string_view name : names) {
    if (const xml::Element* child = document.root().child(name)) {
      which = std::string(name);
      return std::string(child->trimmed());
    }
  }
  return Refusal{"repository-query"_rule, "the query names nothing to look for", std::string(root)};
}

Result<std::vector<PublishedCertificate>> search(const Repository& repository,
                                                 const http::Request& request) {
  std::string which;
  TRY_ASSIGN(const std::string value,
             only_child(request, "CertificateSearchRequest",
                        {"CertificateSubjectAltName", "CertificateSubjectName"}, which));
  TRY_ASSIGN(const Eui64 eui, Eui64::parse(value));
  std::vector<PublishedCertificate> found = which == "CertificateSubjectAltName"
                                                ? repository.by_device(eui)
                                                : repository.by_organisation(eui);
  if (found.empty())
    return Refusal{"repository-not-found"_rule, "no certificate for " + eui.text()};
  return found;
}

http::Response certificate_search(const Repository& repository, const http::Request& request) {
  constexpr std::string_view kRoot = "CertificateSearchResponse";
  const Result<std::vector<PublishedCertificate>> found = search(repository, request);
  if (!found.ok()) return refuse_xml(kRoot, found.refusal(), request.trace);
  std::vector<xml::Element> results;
  for (const PublishedCertificate& certificate : *found) {
    xml::Element result{"", "Result", {}, "", {}};
    add_fields(result, certificate);
    results.push_back(std::move(result));
  }
  return answer(kRoot, 200, "Success", request.trace, std::move(results));
}

Result<PublishedCertificate> retrieve(const Repository& repository, const http::Request& request) {
  std::string which;
  TRY_ASSIGN(const std::string value,
             only_child(request, "CertificateDataRequest", {"CertificateSerial"}, which));
  TRY_ASSIGN(const CertificateSerial serial, CertificateSerial::parse_hex(value));
  return repository.by_serial(serial);
}

http::Response retrieve_certificate(const Repository& repository, const http::Request& request) {
  constexpr std::string_view kRoot = "CertificateDataResponse";
  const Result<PublishedCertificate> found = retrieve(repository, request);
  if (!found.ok()) return refuse_xml(kRoot, found.refusal(), request.trace);
  xml::Element result{"", "CertificateResponse", {}, "", {}};
  add_fields(result, *found);
  result.children.push_back(leaf("CertificateBody", to_base64(found->der)));
  return answer(kRoot, 200, "Success", request.trace, {std::move(result)});
}

json to_json(const PublishedCertificate& found) {
  json out{{"serial", found.serial.hex()},       {"profile", found.profile},
           {"status", letter(found.status)},     {"not_before", found.not_before.iso()},
           {"not_after", found.not_after.iso()}, {"issued_sequence", found.issued_sequence},
           {"der", to_base64(found.der)}};
  if (found.eui) out[found.device() ? "device" : "organisation"] = found.eui->text();
  if (found.role) out["role"] = name(*found.role);
  if (found.use) out["usage"] = text(*found.use);
  if (found.not_in_use_since) out["not_in_use_since"] = found.not_in_use_since->iso();
  return out;
}

http::Response refuse_json(const Refusal& refusal, TraceId trace) {
  const RuleRow& row = rule_row(refusal.rule);
  const int status = refusal.rule == "repository-not-found"_rule ? 404 : 400;
  return json_answer(status, {{"rule", refusal.rule.text()},
                              {"explanation", row.explanation},
                              {"found", refusal.detail},
                              {"field", refusal.field},
                              {"fix", row.fix},
                              {"trace", trace.text()}});
}

Result<json> look_up(const Repository& repository, const http::Request& request) {
  const std::string* device = request.query_value("device");
  const std::string* organisation = request.query_value("organisation");
  const std::string* latest = request.query_value("latest");
  if ((device == nullptr) == (organisation == nullptr)) {
    return Refusal{"repository-query"_rule, "exactly one of device and organisation is asked for",
                   "query"};
  }
  const std::string& text_of_eui = device ? *device : *organisation;
  TRY_ASSIGN(const Eui64 eui, Eui64::parse(text_of_eui));
  if (latest == nullptr) {
    json list = json::array();
    for (const PublishedCertificate& found :
         device ? repository.by_device(eui) : repository.by_organisation(eui))
      list.push_back(to_json(found));
    return json{{"certificates", list}};
  }
  if (*latest != "DS" && *latest != "KA")
    return Refusal{"repository-query"_rule, "latest is DS or KA", "query/latest"};
  std::optional<RemotePartyRole> role;
  if (device == nullptr) {
    const std::string* wanted = request.query_value("role");
    role = wanted ? remote_party_role_from_ou(*wanted) : std::nullopt;
    if (!role)
      return Refusal{"repository-query"_rule,
                     "the latest certificate of an organisation needs role as two hex digits",
                     "query/role"};
  }
  TRY_ASSIGN(const PublishedCertificate found,
             repository.latest(
                 eui, *latest == "DS" ? KeyUse::digital_signature : KeyUse::key_agreement, role));
  return to_json(found);
}

Refusal wrong(std::string_view name, std::string_view expected) {
  return {"repository-query"_rule, std::string(name) + " is " + std::string(expected),
          "query/" + std::string(name)};
}

// A day stands for its first second, or as an upper end for its last.
Result<std::optional<UtcTime>> read_date(const http::Request& request, std::string_view name) {
  const std::string* value = request.query_value(name);
  if (value == nullptr) return std::optional<UtcTime>();
  const bool day = value->size() == 10;
  const char* rest = name.ends_with("_until") ? "T23:59:59Z" : "T00:00:00Z";
  const std::optional<UtcTime> time = UtcTime::parse_iso(day ? *value + rest : *value);
  if (!time) return wrong(name, "a date yyyy-mm-dd or a time yyyy-mm-ddThh:mm:ssZ");
  return time;
}

Status read_choices(const http::Request& request, CertificateQuery& query) {
  if (const std::string* role = request.query_value("role")) {
    query.role = remote_party_role_from_ou(*role);
    if (!query.role) return wrong("role", "two hex digits");
  }
  if (const std::string* usage = request.query_value("usage")) {
    if (*usage != "DS" && *usage != "KA") return wrong("usage", "DS or KA");
    query.use = *usage == "DS" ? KeyUse::digital_signature : KeyUse::key_agreement;
  }
  if (const std::string* status = request.query_value("status")) {
    if (status->size() != 1 || std::string_view("PINER").find(*status) == std::string_view::npos)
      return wrong("status", "P, I, N, E or R");
    query.status = static_cast<CertificateStatus>(status->front());
  }
  if (const std::string* profile = request.query_value("profile")) {
    if (find_certificate_profile(*profile) == nullptr)
      return wrong("profile", "a row of the certificate profiles");
    query.profile = *profile;
  }
  if (const std::string* issuer = request.query_value("issuer")) query.issuer = *issuer;
  if (const std::string* latest = request.query_value("latest")) {
    if (*latest != "true" && *latest != "false") return wrong("latest", "true or false");
    query.latest = *latest == "true";
  }
  return {};
}

Result<CertificateQuery> read_query(const http::Request& request) {
  static constexpr std::string_view kNames[] = {
      "eui",   "issuer",      "profile",      "role",         "usage",         "status", "latest",
      "after", "starts_from", "starts_until", "expires_from", "expires_until", "limit"};
  for (const http::Header& one : request.query) {
    if (std::ranges::find(kNames, one.name) == std::end(kNames))
      return Refusal{"repository-query"_rule, "a search has no such filter", "query/" + one.name};
  }
  CertificateQuery query;
  TRY(read_choices(request, query));
  if (const std::string* eui = request.query_value("eui")) {
    TRY_ASSIGN(query.eui, Eui64::parse(*eui));
  }
  TRY_ASSIGN(query.starts_from, read_date(request, "starts_from"));
  TRY_ASSIGN(query.starts_until, read_date(request, "starts_until"));
  TRY_ASSIGN(query.expires_from, read_date(request, "expires_from"));
  TRY_ASSIGN(query.expires_until, read_date(request, "expires_until"));
  if (const std::string* after = request.query_value("after")) {
    const std::optional<Bytes> key = from_hex(*after);
    if (!key || key->empty()) return wrong("after", "the next of the page before");
    query.after = *key;
  }
  if (const std::string* most = request.query_value("limit")) {
    const std::optional<std::uint64_t> number = read_number(*most);
    if (!number) return wrong("limit", "a whole number");
    query.limit = *number;
  }
  return query;
}

Result<json> search_page(const Repository& repository, const http::Request& request) {
  TRY_ASSIGN(const CertificateQuery query, read_query(request));
  TRY_ASSIGN(const CertificatePage page, repository.search(query));
  json list = json::array();
  for (const PublishedCertificate& found : page.certificates) list.push_back(to_json(found));
  json out{{"certificates", std::move(list)}};
  if (!page.next.empty()) out["next"] = to_hex_upper(page.next);
  return out;
}

Result<json> by_serial(const Repository& repository, std::string_view hex) {
  TRY_ASSIGN(const CertificateSerial serial, CertificateSerial::parse_hex(hex));
  TRY_ASSIGN(const PublishedCertificate found, repository.by_serial(serial));
  return to_json(found);
}

http::Response json_or_refusal(const Result<json>& result, TraceId trace) {
  return result.ok() ? json_answer(200, *result) : refuse_json(result.refusal(), trace);
}

std::string_view after_prefix(const http::Request& request, std::string_view prefix) {
  return std::string_view(request.path).substr(prefix.size());
}

http::Response revocation_list(const Repository& repository, const http::Request& request) {
  const std::optional<Bytes> key_id = from_hex(after_prefix(request, "/api/v1/crl/"));
  if (!key_id)
    return refuse_json({"repository-query"_rule, "the issuer key id is not hexadecimal", "path"},
                       request.trace);
  const Result<Bytes> crl = repository.revocation_list(*key_id);
  if (!crl.ok()) return refuse_json(crl.refusal(), request.trace);
  return {200, "application/pkix-crl", std::string(as_text(*crl)), {}};
}

json to_json(const Completeness& complete, std::string_view issuing, UtcTime now) {
  const auto time = [](const std::optional<UtcTime>& at) {
    return at ? json(at->iso()) : json(nullptr);
  };
  const std::optional<std::int64_t> age = complete.age(now);
  return {{"up_to", complete.up_to},
          {"published_at", time(complete.published_at)},
          {"checked_at", time(complete.checked_at)},
          {"age_seconds", age ? json(*age) : json(nullptr)},
          {"issuing", issuing}};
}

std::string header_of(const Completeness& complete, std::string_view issuing, UtcTime now) {
  std::string text = "up-to=" + std::to_string(complete.up_to);
  if (complete.published_at) text += "; published=" + complete.published_at->iso();
  if (const std::optional<std::int64_t> age = complete.age(now))
    text += "; age=" + std::to_string(*age);
  return text + "; issuing=" + std::string(issuing);
}

// The texts are the same until something is published or a second is over.
class CompletenessText {
 public:
  struct Text {
    Completeness complete;
    std::string issuing;
    UtcTime now;
    std::string header, member;
  };
  std::shared_ptr<const Text> of(const Completeness& complete, std::string_view issuing,
                                 UtcTime now) {
    const std::lock_guard lock(mutex_);
    if (!text_ || !same(text_->complete, complete) || text_->issuing != issuing ||
        text_->now != now)
      text_ = std::make_shared<const Text>(
          Text{complete, std::string(issuing), now, header_of(complete, issuing, now),
               "\"complete\":" + to_json(complete, issuing, now).dump() + ","});
    return text_;
  }

 private:
  static bool same(const Completeness& a, const Completeness& b) {
    return a.up_to == b.up_to && a.published_at == b.published_at && a.checked_at == b.checked_at;
  }
  std::mutex mutex_;
  std::shared_ptr<const Text> text_;
};

// Every JSON answer of the repository is an object; the member goes in front of the others.
void state_completeness(http::Response& response, const CompletenessText::Text& text) {
  response.headers.push_back({"X-Complete", text.header});
  std::string& body = response.body;
  if (response.content_type == "application/json" && body.starts_with("{\""))
    body.insert(1, text.member);
}

}  // namespace

void add_completeness(http::Router& router, const Repository& repository, IssuingState issuing) {
  const std::shared_ptr<CompletenessText> texts = std::make_shared<CompletenessText>();
  router.wrap([&](const std::string& method, const std::string& pattern, http::Handler handler) {
    const RepositoryRoute* const route = find_repository_route(method, pattern);
    if (!route || route->counted == "-") return handler;
    return http::Handler(
        [&repository, issuing, texts, inner = std::move(handler)](const http::Request& request) {
          // Before the answer is looked up: what it holds is not older than what is stated.
          const Completeness complete = repository.completeness();
          http::Response response = inner(request);
          state_completeness(response, *texts->of(complete, issuing(), repository.now()));
          return response;
        });
  });
}

void add_repository_routes(http::Router& router, const Repository& repository) {
  router.on("POST", "/services/certificatesearch", [&repository](const http::Request& request) {
    return certificate_search(repository, request);
  });
  router.on("POST", "/services/retrievecertificate", [&repository](const http::Request& request) {
    return retrieve_certificate(repository, request);
  });
  router.on("GET", "/api/v1/certificates", [&repository](const http::Request& request) {
    return json_or_refusal(look_up(repository, request), request.trace);
  });
  router.on("GET", "/api/v1/certificates/*", [&repository](const http::Request& request) {
    return json_or_refusal(by_serial(repository, after_prefix(request, "/api/v1/certificates/")),
                           request.trace);
  });
  router.on("GET", "/api/v1/search", [&repository](const http::Request& request) {
    return json_or_refusal(search_page(repository, request), request.trace);
  });
  router.on("GET", "/api/v1/authorities", [&repository](const http::Request&) {
    json list = json::array();
    for (const PublishedCertificate& found : repository.authorities())
      list.push_back(to_json(found));
    return json_answer(200, {{"authorities", list}});
  });
  router.on("GET", "/api/v1/crl/*", [&repository](const http::Request& request) {
    return revocation_list(repository, request);
  });
}

}  // namespace wattseal::smki
