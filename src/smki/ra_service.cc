#include "smki/ra_service.h"

#include "smki/service_json.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE REQUEST-----",
                           kEnd = "-----END CERTIFICATE REQUEST-----";

// Every PKCS#10 of a PEM bundle; text between the blocks is ignored.
Result<std::vector<Bytes>> read_bundle(std::string_view text) {
  std::vector<Bytes> requests;
  std::size_t at = 0;
  while ((at = text.find(kBegin, at)) != std::string_view::npos) {
    const std::size_t body = at + kBegin.size();
    const std::size_t end = text.find(kEnd, body);
    const std::string where = "request " + std::to_string(requests.size());
    if (end == std::string_view::npos)
      return Refusal{"ra-service-bundle"_rule, "a request does not end", where};
    std::optional<Bytes> der = from_base64(text.substr(body, end - body));
    if (!der) return Refusal{"ra-service-bundle"_rule, "a request is not base64", where};
    requests.push_back(std::move(*der));
    if (requests.size() > limit("batch_rows_max"))
      return Refusal{"ra-batch-too-large"_rule,
                     "more than " + std::to_string(limit("batch_rows_max")) + " requests"};
    at = end + kEnd.size();
  }
  return requests;
}

Result<Bytes> read_single(std::string_view body) {
  if (body.find(kBegin) == std::string_view::npos) return to_bytes(as_bytes(body));
  TRY_ASSIGN(std::vector<Bytes> requests, read_bundle(body));
  if (requests.size() != 1)
    return Refusal{"ra-service-bundle"_rule,
                   std::to_string(requests.size()) + " requests where one is expected"};
  return std::move(requests.front());
}

json to_json(const BatchStatus& status) {
  return {{"batch", status.id},           {"subscriber", status.subscriber.text()},
          {"rows", status.rows},          {"decided", status.decided},
          {"refused", status.refused},    {"held", status.held},
          {"issued", status.issued},      {"published", status.published},
          {"complete", status.complete()}};
}

json to_json(const RowResult& result, TraceId trace) {
  json row{{"row", result.row}, {"state", text(result.state)}};
  if (result.serial) row["serial"] = result.serial->hex();
  if (result.state == RowState::held) row["act"] = result.act;
  if (result.state == RowState::refused)
    row["refusal"] = refusal_body(result.rule, result.detail, "", trace);
  return row;
}

Result<Caller> identify(const SubscriberService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_caller(service.office, request));
  if (!caller.subscriber)
    return Refusal{"ra-subscriber-missing"_rule, "nothing says which subscriber is asking",
                   "X-Subscriber"};
  return caller;
}
Submission submission(const Caller& caller, std::vector<Bytes> requests, TraceId trace) {
  return {*caller.subscriber, std::move(requests), trace, caller.person, caller.address};
}

http::Response single(const SubscriberService& service, const http::Request& request) {
  const Result<Caller> caller = identify(service, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  Result<Bytes> der = read_single(request.body);
  if (!der.ok()) return refuse(der.refusal(), request.trace);
  std::vector<Bytes> requests;
  requests.push_back(std::move(*der));
  const Result<BatchId> batch =
      service.authority.submit(submission(*caller, std::move(requests), request.trace));
  if (!batch.ok()) return refuse(batch.refusal(), request.trace);
  service.wake();
  if (!service.wait(*batch)) return json_answer(202, {{"batch", *batch}, {"state", "waiting"}});
  const std::vector<RowResult> results = service.authority.results(*batch, 0, 1);
  CHECK(results.size() == 1);
  if (results[0].state == RowState::held)
    return json_answer(202, {{"batch", *batch}, {"state", "held"}, {"act", results[0].act}});
  if (results[0].state == RowState::refused) {
    const RuleRow* row = find_rule(results[0].rule);
    return json_answer(row ? row->http_status : 400,
                       refusal_body(results[0].rule, results[0].detail, "", request.trace));
  }
  const Result<PublishedCertificate> published =
      service.repository.by_serial(results[0].serial.value());
  if (!published.ok()) return refuse(published.refusal(), request.trace);
  return json_answer(200, {{"batch", *batch},
                           {"serial", published->serial.hex()},
                           {"certificate", to_base64(published->der)}});
}

http::Response batched(const SubscriberService& service, const http::Request& request) {
  const Result<Caller> caller = identify(service, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  Result<std::vector<Bytes>> requests = read_bundle(request.body);
  if (!requests.ok()) return refuse(requests.refusal(), request.trace);
  const Result<BatchId> batch =
      service.authority.submit(submission(*caller, std::move(*requests), request.trace));
  if (!batch.ok()) return refuse(batch.refusal(), request.trace);
  service.wake();
  return json_answer(202, {{"batch", *batch}});
}

http::Response look(const SubscriberService& service, const http::Request& request) {
  std::string_view rest =
      std::string_view(request.path).substr(std::string_view("/api/v1/batches/").size());
  const bool results = rest.ends_with("/results");
  if (results) rest.remove_suffix(std::string_view("/results").size());
  const std::optional<std::uint64_t> id = read_number(rest);
  if (!id)
    return refuse({"ra-unknown-batch"_rule,
                   "'" + std::string(rest.substr(0, 40)) + "' is no batch number", "path"},
                  request.trace);
  const Result<BatchStatus> status = service.authority.status(*id);
  if (!status.ok()) return refuse(status.refusal(), request.trace);
  if (!results) return json_answer(200, to_json(*status));
  const std::string* from = request.query_value("from");
  const std::string* most = request.query_value("max");
  const std::uint64_t rows_max = std::min<std::uint64_t>(
      read_number(most ? *most : "").value_or(1000), limit("search_results_max"));
  json rows = json::array();
  const std::uint64_t first =
      std::min<std::uint64_t>(read_number(from ? *from : "").value_or(0), status->rows);
  for (const RowResult& row : service.authority.results(*id, static_cast<std::uint32_t>(first),
                                                        static_cast<std::uint32_t>(rows_max))) {
    rows.push_back(to_json(row, request.trace));
  }
  return json_answer(200, {{"batch", *id}, {"rows", rows}});
}

}  // namespace

void add_subscriber_routes(http::Router& router, const SubscriberService& service) {
  router.on("POST", "/api/v1/requests",
            [&service](const http::Request& request) { return single(service, request); });
  router.on("POST", "/api/v1/batches",
            [&service](const http::Request& request) { return batched(service, request); });
  router.on("GET", "/api/v1/batches/*",
            [&service](const http::Request& request) { return look(service, request); });
}

}  // namespace wattseal::smki
