#include "smki/ra_service.h"

#include "smki/batch_file.h"
#include "smki/service_json.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

std::string_view content_type(const http::Request& request) {
  const std::string* const type = request.header("Content-Type");
  return type ? std::string_view(*type) : std::string_view{};
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
Submission submission(const Caller& caller, BatchFile file, TraceId trace) {
  return {*caller.subscriber, std::move(file.requests), trace,
          caller.person,      caller.address,           std::move(file.unreadable)};
}

// One request, in any form of a batch; a refused row is the refusal of the request.
Result<BatchFile> read_single(const http::Request& request) {
  TRY_ASSIGN(BatchFile file, read_batch_file(request.body, content_type(request)));
  if (file.requests.size() != 1)
    return Refusal{"ra-service-bundle"_rule,
                   std::to_string(file.requests.size()) + " requests where one is expected"};
  if (!file.unreadable.empty()) return file.unreadable.front().refusal;
  return file;
}

http::Response single(const SubscriberService& service, const http::Request& request) {
  const Result<Caller> caller = identify(service, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  Result<BatchFile> file = read_single(request);
  if (!file.ok()) return refuse(file.refusal(), request.trace);
  const Result<BatchId> batch =
      service.authority.submit(submission(*caller, std::move(*file), request.trace));
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
  Result<BatchFile> file = read_batch_file(request.body, content_type(request));
  if (!file.ok()) return refuse(file.refusal(), request.trace);
  const Result<BatchId> batch =
      service.authority.submit(submission(*caller, std::move(*file), request.trace));
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
