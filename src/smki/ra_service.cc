#include "smki/ra_service.h"

#include <cmath>

#include "smki/access_log.h"
#include "smki/performance.h"
#include "smki/results_file.h"
#include "smki/service_json.h"
#include "smki/submission_json.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

std::string_view content_type(const http::Request& request) {
  const std::string* const type = request.header("Content-Type");
  return type ? std::string_view(*type) : std::string_view{};
}

// Rows a second from receipt until the answer, or until now.
double rate(std::uint32_t rows, const BatchStatus& status, std::int64_t now) {
  const std::int64_t taken =
      status.answered_milliseconds.value_or(now) - status.received_milliseconds;
  return taken <= 0 ? 0 : std::round(1000.0 * rows / static_cast<double>(taken) * 10) / 10;
}

std::string iso_of(std::int64_t milliseconds) {
  return UtcTime::from_unix_seconds(milliseconds / 1000).iso();
}

json to_json(const BatchStatus& status, std::int64_t now) {
  json out{{"batch", status.id},
           {"subscriber", status.subscriber.text()},
           {"rows", status.rows},
           {"decided", status.decided},
           {"refused", status.refused},
           {"held", status.held},
           {"issued", status.issued},
           {"published", status.published},
           {"complete", status.complete()},
           {"settled", status.settled()},
           {"received", iso_of(status.received_milliseconds)},
           {"due", status.due.iso()},
           {"published_a_second", rate(status.published, status, now)}};
  if (status.answered_milliseconds) {
    out["answered"] = iso_of(*status.answered_milliseconds);
    out["in_time"] = *status.answered_milliseconds <= status.due.unix_seconds() * 1000;
  }
  return out;
}

json to_json(const QuotaUse& use) {
  const auto of = [](std::uint64_t used, std::uint64_t most) {
    return json{{"used", used}, {"limit", most}};
  };
  return {{"waiting_requests", of(use.rows, use.limits.waiting_rows_subscriber)},
          {"waiting_submissions", of(use.submissions, use.limits.waiting_submissions)},
          {"submissions_this_minute", of(use.this_minute, use.limits.submissions_per_minute)},
          {"waiting_requests_of_all", of(use.rows_of_all, use.limits.waiting_rows)}};
}

json to_json(const RowResult& result, TraceId trace) {
  json row{{"row", result.row}, {"state", text(result.state)}};
  if (result.serial) row["serial"] = result.serial->hex();
  if (result.state == RowState::held) row["act"] = result.act;
  if (result.state == RowState::refused)
    row["refusal"] = refusal_body(result.rule, result.detail, "", trace);
  return row;
}

}  // namespace

Result<Caller> identify_subscriber(const SubscriberService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_caller(service.office, request));
  if (!caller.subscriber)
    return Refusal{"ra-subscriber-missing"_rule, "nothing says which subscriber is asking",
                   "X-Subscriber"};
  return caller;
}
Submission to_submission(const Caller& caller, BatchFile file, TraceId trace) {
  return {*caller.subscriber, std::move(file.requests), trace,
          caller.person,      caller.address,           std::move(file.unreadable)};
}

http::Response refuse_submission(const SubscriberService& service, Eui64 subscriber,
                                 const Refusal& refusal, TraceId trace) {
  const bool rate_limited = refusal.rule == "ra-quota-rate"_rule;
  const bool full = refusal.rule == "ra-quota-rows"_rule || refusal.rule == "ra-queue-full"_rule;
  http::Response response = refuse(refusal, trace);
  if (!rate_limited && !full) return response;
  const QuotaUse use = service.authority.quota(subscriber);
  json body = json::parse(response.body);
  const std::uint64_t seconds =
      rate_limited ? use.seconds_to_next_minute : limit("quota_retry_seconds");
  body["retry_after_seconds"] = seconds;
  body["quota"] = to_json(use);
  response.body = body.dump() + "\n";
  response.headers.push_back({"Retry-After", std::to_string(seconds)});
  return response;
}

json receipt(const SubscriberService& service, BatchId batch) {
  const BatchStatus status = service.authority.status(batch).value();
  json out{{"batch", batch},
           {"rows", status.rows},
           {"refused", status.refused},
           {"received", iso_of(status.received_milliseconds)},
           {"due", status.due.iso()}};
  const UtcTime now = service.world.now();
  const Calendar calendar = Calendar::read(service.store, now);
  if (!calendar.serves(now)) {
    out["outside_service"] = calendar.maintenance_at(now) ? "maintenance" : "service window";
    out["serves_from"] = calendar.serves_from(now).iso();
  }
  return out;
}

namespace {

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
  const Result<Caller> caller = identify_subscriber(service, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  Result<BatchFile> file = read_single(request);
  if (!file.ok()) return refuse(file.refusal(), request.trace);
  const Result<SingleAnswer> answer =
      service.express.request(to_submission(*caller, std::move(*file), request.trace));
  if (!answer.ok())
    return refuse_submission(service, *caller->subscriber, answer.refusal(), request.trace);
  if (answer->state == RowState::held)
    return json_answer(202, {{"batch", answer->batch}, {"state", "held"}, {"act", answer->act}});
  if (answer->state == RowState::refused) {
    const RuleRow* row = find_rule(answer->rule);
    return json_answer(row ? row->http_status : 400,
                       refusal_body(answer->rule, answer->detail, "", request.trace));
  }
  if (answer->state != RowState::published) {
    json waiting = receipt(service, answer->batch);
    waiting["state"] = "waiting";
    return json_answer(202, waiting);
  }
  return json_answer(200, {{"batch", answer->batch},
                           {"serial", answer->serial.hex()},
                           {"certificate", to_base64(answer->certificate)}});
}

http::Response batched(const SubscriberService& service, const http::Request& request) {
  const Result<Caller> caller = identify_subscriber(service, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  Result<BatchFile> file = read_batch_file(request.body, content_type(request));
  if (!file.ok()) return refuse(file.refusal(), request.trace);
  const Result<BatchId> batch =
      service.authority.submit(to_submission(*caller, std::move(*file), request.trace));
  if (!batch.ok())
    return refuse_submission(service, *caller->subscriber, batch.refusal(), request.trace);
  service.wake();
  return json_answer(202, receipt(service, *batch));
}

// One of the registration authority's own people, who may act now.
bool of_the_authority(const SubscriberService& service, const Caller& caller) {
  if (caller.person == 0) return false;
  const Result<Person> person = service.office.person(caller.person);
  return person.ok() && belongs_to(*person) == "ra" && person->may_act(service.world.now());
}

// A batch is its subscriber's, and the registration authority's own people may look at any. Others
// learn no more than that there is none.
Result<BatchStatus> own_batch(const SubscriberService& service, const http::Request& request,
                              BatchId id) {
  TRY_ASSIGN(const Caller caller, identify_caller(service.office, request));
  TRY_ASSIGN(BatchStatus status, service.authority.status(id));
  if (caller.subscriber == status.subscriber) return status;
  if (of_the_authority(service, caller)) return status;
  if (caller.person == 0 && !caller.subscriber) {
    return Refusal{"ra-subscriber-missing"_rule, "nothing says which subscriber is asking",
                   "X-Subscriber"};
  }
  return Refusal{"ra-unknown-batch"_rule, "there is no batch " + std::to_string(id), "batch"};
}

http::Response quota(const SubscriberService& service, const http::Request& request) {
  const Result<Caller> caller = identify_subscriber(service, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  const Result<Party> party = service.authority.party(*caller->subscriber);
  if (!party.ok()) return refuse(party.refusal(), request.trace);
  json out = to_json(service.authority.quota(party->id));
  out["subscriber"] = party->id.text();
  out["batch_rows"] = limit("batch_rows_max");
  out["batch_file_octets"] = limit("batch_file_octets_max");
  return json_answer(200, out);
}

http::Response performance(const SubscriberService& service, const http::Request& request) {
  const Result<Caller> caller = identify_caller(service.office, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  if (!of_the_authority(service, *caller))
    return refuse({"ra-person-missing"_rule,
                   "the report is for people of the registration authority", "X-Person"},
                  request.trace);
  const std::string* const given = request.query_value("month");
  const Result<Month> month = Month::parse(given ? *given : "");
  if (!month.ok()) return refuse(month.refusal(), request.trace);
  const std::unique_ptr<storage::Reader> view = service.store.snapshot();
  return json_answer(200, to_json(measure_performance(*view, *month, service.world.now())));
}

http::Response access(const SubscriberService& service, const http::Request& request) {
  const Result<Caller> caller = identify_caller(service.office, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  if (!of_the_authority(service, *caller))
    return refuse({"ra-person-missing"_rule,
                   "the report is for people of the registration authority", "X-Person"},
                  request.trace);
  const auto given = [&](const char* name) {
    const std::string* const value = request.query_value(name);
    return value ? *value : std::string();
  };
  const Result<AccessQuery> query =
      read_access_query(given("party"), given("from"), given("to"), service.world.now());
  if (!query.ok()) return refuse(query.refusal(), request.trace);
  const std::unique_ptr<storage::Reader> view = service.store.snapshot();
  return json_answer(200, to_json(repository_access(*view, *query), *query));
}

// Anyone may know when the service serves.
http::Response hours(const SubscriberService& service) {
  const UtcTime now = service.world.now();
  const Calendar calendar = Calendar::read(service.store, now);
  json planned = json::array();
  for (const Maintenance& one : calendar.planned())
    planned.push_back({{"maintenance", one.id},
                       {"from", one.from.iso()},
                       {"until", one.until.iso()},
                       {"announced", one.announced.iso()},
                       {"with_notice", one.with_notice()},
                       {"reason", one.reason}});
  return json_answer(200, {{"now", now.iso()},
                           {"serves", calendar.serves(now)},
                           {"serves_from", calendar.serves_from(now).iso()},
                           {"opens_hour", limit("service_window_opens_hour")},
                           {"closes_hour", limit("service_window_closes_hour")},
                           {"clock", "UK local time"},
                           {"maintenance", planned}});
}

http::Response file_of(const SubscriberService& service, const http::Request& request,
                       const BatchStatus& status) {
  const Result<ResultsForm> form = results_form(*request.query_value("format"));
  if (!form.ok()) return refuse(form.refusal(), request.trace);
  ResultsWanted wanted{*form, 0, status.rows};
  for (const auto& [name, number] :
       {std::pair{"from", &wanted.from}, std::pair{"max", &wanted.rows_max}}) {
    const std::string* const given = request.query_value(name);
    if (!given) continue;
    const std::optional<std::uint64_t> value = read_number(*given);
    if (!value || *value > limit("batch_rows_max"))
      return refuse({"results-form"_rule, "it is no number of a row", "query/" + std::string(name)},
                    request.trace);
    *number = static_cast<std::uint32_t>(*value);
  }
  std::string content;
  {
    const std::lock_guard lock(service.large);
    content = results_file(service.authority, service.repository, status, wanted);
  }
  return answer_file(request, *form, std::move(content));
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
  const Result<BatchStatus> status = own_batch(service, request, *id);
  if (!status.ok()) return refuse(status.refusal(), request.trace);
  if (!results) return json_answer(200, to_json(*status, service.world.clock.now_milliseconds()));
  if (request.query_value("format")) return file_of(service, request, *status);
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
  add_upload_routes(router, service);
  router.on("GET", "/api/v1/quota",
            [&service](const http::Request& request) { return quota(service, request); });
  router.on("GET", "/api/v1/performance",
            [&service](const http::Request& request) { return performance(service, request); });
  router.on("GET", "/api/v1/repository/access",
            [&service](const http::Request& request) { return access(service, request); });
  router.on("GET", "/api/v1/maintenance",
            [&service](const http::Request&) { return hours(service); });
}

}  // namespace wattseal::smki
