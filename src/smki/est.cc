#include "smki/est.h"

#include "asn1/der.h"
#include "smki/enrolment.h"
#include "smki/service_json.h"
#include "smki/submission_json.h"

namespace wattseal::smki {
namespace {

constexpr std::string_view kEst = "/.well-known/est/";
constexpr std::size_t kLine = 64;

// "cacerts", "device/simpleenroll".
struct Path {
  std::string_view hierarchy, operation;
};
Result<Path> read_path(const http::Request& request) {
  const std::string_view rest = std::string_view(request.path).substr(kEst.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return Path{{}, rest};
  const Path path{rest.substr(0, slash), rest.substr(slash + 1)};
  if (path.hierarchy != "organisation" && path.hierarchy != "device")
    return Refusal{"est-path"_rule, "'" + std::string(path.hierarchy.substr(0, 40)) + "'", "path"};
  return path;
}

// Base64 in lines, as RFC 8951 has it.
http::Response base64_answer(std::string content_type, BytesView der) {
  const std::string text = to_base64(der);
  std::string body;
  for (std::size_t at = 0; at < text.size(); at += kLine) body += text.substr(at, kLine) + "\n";
  return {200, std::move(content_type), std::move(body), {{"Content-Transfer-Encoding", "base64"}}};
}
http::Response certificates(std::span<const Bytes> all) {
  return base64_answer("application/pkcs7-mime; smime-type=certs-only", certs_only(all));
}

// RFC 7030 4.5.2: the key's curve, the signature and the extensions that a request has.
Bytes attributes(std::string_view hierarchy) {
  static const Bytes kEcPublicKey = x509::oid::from_text("1.2.840.10045.2.1"),
                     kCurve = x509::oid::from_text("1.2.840.10045.3.1.7"),
                     kSignature = x509::oid::from_text("1.2.840.10045.4.3.2"),
                     kExtensionRequest = x509::oid::from_text("1.2.840.113549.1.9.14"),
                     kKeyUsage = x509::oid::from_text("2.5.29.15"),
                     kAltName = x509::oid::from_text("2.5.29.17");
  asn1::Writer out;
  const auto attribute = [&](const Bytes& type, std::initializer_list<const Bytes*> values) {
    out.constructed(asn1::kSequence, [&] {
      out.oid(type);
      out.constructed(asn1::kSet, [&] {
        for (const Bytes* const value : values) out.oid(*value);
      });
    });
  };
  out.constructed(asn1::kSequence, [&] {
    attribute(kEcPublicKey, {&kCurve});
    out.oid(kSignature);
    if (hierarchy == "device")
      attribute(kExtensionRequest, {&kKeyUsage, &kAltName});
    else
      attribute(kExtensionRequest, {&kKeyUsage});
  });
  return out.take();
}

// The PKCS#10 of a body: base64, or DER as it is.
Result<Bytes> read_pkcs10(const http::Request& request) {
  const BytesView octets = as_bytes(request.body);
  if (!octets.empty() && octets.front() == asn1::kSequence) return to_bytes(octets);
  const std::optional<Bytes> der = from_base64(request.body);
  if (!der || der->empty()) return Refusal{"est-body"_rule, "it is neither base64 nor DER", "body"};
  return *der;
}

// What must be so before the registration authority is asked.
Status check_request(const SubscriberService& service, const Path& path, BytesView der,
                     bool replaces) {
  TRY_ASSIGN(const x509::CertificationRequest request, x509::parse_request(der));
  TRY_ASSIGN(const Asked asked, read_request(request));
  if (!path.hierarchy.empty() && asked.profile->hierarchy != path.hierarchy)
    return Refusal{"est-hierarchy"_rule, "the request asks for " + std::string(asked.profile->id),
                   "path"};
  if (replaces) TRY(replaced_by(service.repository, request));
  return {};
}

http::Response enrol(const SubscriberService& service, const http::Request& request,
                     const Path& path, bool replaces) {
  const Result<Caller> caller = identify_subscriber(service, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  Result<Bytes> der = read_pkcs10(request);
  if (!der.ok()) return refuse(der.refusal(), request.trace);
  if (const Status checked = check_request(service, path, *der, replaces); !checked.ok())
    return refuse(checked.refusal(), request.trace);
  const Submission submission{*caller->subscriber, {std::move(*der)}, request.trace,
                              caller->person,      caller->address,   {}};
  const Result<SingleAnswer> answer = service.express.request(submission);
  if (!answer.ok())
    return refuse_submission(service, *caller->subscriber, answer.refusal(), request.trace);
  if (answer->state == RowState::published)
    return certificates(std::span<const Bytes>(&answer->certificate, 1));
  if (answer->state == RowState::refused) {
    const RuleRow* const row = find_rule(answer->rule);
    return json_answer(row ? row->http_status : 400,
                       refusal_body(answer->rule, answer->detail, "", request.trace));
  }
  // Sent again, the same request is the same batch.
  http::Response waiting = json_answer(202, receipt(service, answer->batch));
  waiting.headers.push_back({"Retry-After", std::to_string(limit("quota_retry_seconds"))});
  return waiting;
}

http::Response serve(const SubscriberService& service, const http::Request& request) {
  const Result<Path> path = read_path(request);
  if (!path.ok()) return refuse(path.refusal(), request.trace);
  const bool get = request.method == "GET";
  if (get && path->operation == "cacerts")
    return certificates(authority_certificates(service.repository, path->hierarchy));
  if (get && path->operation == "csrattrs")
    return base64_answer("application/csrattrs", attributes(path->hierarchy));
  if (!get && path->operation == "simpleenroll") return enrol(service, request, *path, false);
  if (!get && path->operation == "simplereenroll") return enrol(service, request, *path, true);
  return refuse(
      {"est-path"_rule, request.method + " " + std::string(path->operation.substr(0, 40)), "path"},
      request.trace);
}

}  // namespace

void add_est_routes(http::Router& router, const SubscriberService& service) {
  for (const auto& [method, operation] : {std::pair{"GET", "cacerts"},
                                          {"GET", "csrattrs"},
                                          {"POST", "simpleenroll"},
                                          {"POST", "simplereenroll"},
                                          {"GET", "*"},
                                          {"POST", "*"}})
    router.on(method, std::string(kEst) + operation,
              [&service](const http::Request& request) { return serve(service, request); });
}

}  // namespace wattseal::smki
