#include "gateway/service.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "smki/office_service.h"

namespace wattseal::gateway {
namespace {

using nlohmann::json;

constexpr std::string_view kAnomalies = "/api/v1/anomalies/", kCodes = "/api/v1/codes/",
                           kAlerts = "/api/v1/alerts/";
constexpr std::size_t kListedMax = 1000;

http::Response json_answer(int status, const json& body) {
  return {status,
          "application/json",
          body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n",
          {}};
}
http::Response refuse(const Refusal& refusal, TraceId trace) {
  return json_answer(rule_row(refusal.rule).http_status, refusal_json(refusal, trace));
}
template <typename T>
http::Response answer(const Result<T>& result, TraceId trace) {
  return result.ok() ? json_answer(200, *result) : refuse(result.refusal(), trace);
}

struct Caller {
  std::optional<Eui64> user;  // nothing: the DCC, for all
  smki::PersonId person = 0;
};
Result<Caller> caller_of(const GatewayService& service, const http::Request& request) {
  TRY_ASSIGN(const smki::Caller caller, smki::identify_caller(service.office, request));
  if (!caller.subscriber)
    return Refusal{"anomaly-caller"_rule, "no subscriber is named", "X-Subscriber"};
  if (*caller.subscriber == service.dcc) return Caller{std::nullopt, caller.person};
  if (caller.person != 0) {
    const Result<smki::Person> person = service.office.person(caller.person);
    if (!person.ok() || person->party != caller.subscriber || !person->may_act(service.world.now()))
      return Refusal{"anomaly-person"_rule, "person " + std::to_string(caller.person), "X-Person"};
  }
  return Caller{caller.subscriber, caller.person};
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

json to_json(const Quarantined& held) {
  json out{{"number", held.number},
           {"request", held.request.text()},
           {"service", held.service_variant},
           {"kind", text(held.anomaly.kind)},
           {"threshold", held.anomaly.row},
           {"observed", held.anomaly.observed},
           {"at", held.at.iso()}};
  if (held.noticed) out["noticed_at"] = held.noticed->iso();
  if (held.first_person != 0) {
    out["first_person"] = held.first_person;
    out["first_decision"] = held.first_decision;
  }
  return out;
}

Result<json> list(const GatewayService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, caller_of(service, request));
  const std::string* const from = request.query_value("from");
  const std::optional<std::uint64_t> first = from ? number_of(*from) : 0;
  if (!first) return Refusal{"gateway-json"_rule, "from is a number", "query/from"};
  json held = json::array();
  for (const Quarantined& one : service.gateway.quarantined(caller.user, *first, kListedMax))
    held.push_back(to_json(one));
  return json{{"anomalies", held}};
}

Result<json> show(const GatewayService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, caller_of(service, request));
  const std::optional<std::uint64_t> number =
      number_of(std::string_view(request.path).substr(kAnomalies.size()));
  if (!number) return Refusal{"anomaly-unknown"_rule, "the path ends with a number", "path"};
  TRY_ASSIGN(const Gateway::QuarantinedRequest found,
             service.gateway.quarantined(*number, caller.user));
  json out = to_json(found.held);
  out["document"] = found.document;
  return out;
}

// The numbers that the body names, by themselves or by a threshold.
Result<std::vector<std::uint64_t>> numbers_of(const GatewayService& service, const Caller& caller,
                                              const json& body) {
  std::vector<std::uint64_t> numbers;
  const auto listed = body.find("numbers"), threshold = body.find("threshold");
  if ((listed == body.end()) == (threshold == body.end()) || body.size() != 2)
    return Refusal{"gateway-json"_rule, "the body has decision and numbers or threshold", "body"};
  if (threshold != body.end() && threshold->is_string()) {
    std::uint64_t from = 0;
    while (true) {
      const std::vector<Quarantined> some =
          service.gateway.quarantined(caller.user, from, kListedMax);
      if (some.empty()) return numbers;
      for (const Quarantined& one : some) {
        if (one.anomaly.row == threshold->get<std::string>()) numbers.push_back(one.number);
      }
      from = some.back().number + 1;
    }
  }
  if (listed == body.end() || !listed->is_array())
    return Refusal{"gateway-json"_rule, "numbers is a list, threshold a text", "body"};
  for (const json& one : *listed) {
    if (!one.is_number_unsigned())
      return Refusal{"gateway-json"_rule, "a number is none", "body/numbers"};
    numbers.push_back(one.get<std::uint64_t>());
  }
  return numbers;
}

// Each by itself: one that cannot be decided harms no other.
Result<json> decide_all(const GatewayService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, caller_of(service, request));
  const json body = json::parse(request.body, nullptr, false);
  const std::string word =
      body.is_object() && body.contains("decision") && body["decision"].is_string()
          ? body["decision"].get<std::string>()
          : "";
  if (word != "release" && word != "delete")
    return Refusal{"gateway-json"_rule, "the decision is release or delete", "body/decision"};
  TRY_ASSIGN(const std::vector<std::uint64_t> numbers, numbers_of(service, caller, body));
  json done = json::array(), waiting = json::array(), refused = json::array();
  for (const std::uint64_t number : numbers) {
    const Result<Gateway::Decided> decided = service.gateway.decide_quarantined(
        number, caller.user,
        word == "release" ? Gateway::Decision::release : Gateway::Decision::remove, caller.person,
        request.trace);
    if (!decided.ok()) {
      json why = refusal_json(decided.refusal(), request.trace);
      why["number"] = number;
      refused.push_back(std::move(why));
    } else {
      (*decided == Gateway::Decided::done ? done : waiting).push_back(number);
    }
  }
  service.wake();
  return json{{"decided", done}, {"waits_for_second", waiting}, {"refused", refused}};
}

Result<json> undelivered(const GatewayService& service, const http::Request& request, bool again) {
  TRY_ASSIGN(const Caller caller, caller_of(service, request));
  const Eui64 user = caller.user.value_or(service.dcc);
  if (again) {
    const std::size_t count = service.gateway.deliver_again(user);
    service.wake();
    return json{{"delivered_again", count}};
  }
  json rows = json::array();
  for (const Gateway::Undelivered& one : service.gateway.undelivered(user, kListedMax))
    rows.push_back({{"id", one.id}, {"since", one.since.iso()}});
  return json{{"undelivered", rows}};
}

json to_json(const Consolidation& one) {
  json out{{"number", one.number},     {"user", one.user.text()},    {"device", one.device.text()},
           {"code", one.code},         {"threshold", one.threshold}, {"from", one.from.iso()},
           {"until", one.until.iso()}, {"held_back", one.count}};
  if (const AlertCodeRow* const row = find_alert_code(one.code)) out["title"] = row->title;
  if (one.told) out["told_at"] = one.told->iso();
  return out;
}

Result<json> list_alerts(const GatewayService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, caller_of(service, request));
  const std::string* const from = request.query_value("from");
  const std::optional<std::uint64_t> first = from ? number_of(*from) : 0;
  if (!first) return Refusal{"gateway-json"_rule, "from is a number", "query/from"};
  json rows = json::array();
  for (const Consolidation& one : service.gateway.consolidations(caller.user, *first, kListedMax))
    rows.push_back(to_json(one));
  return json{{"consolidations", rows}};
}

Result<json> show_alerts(const GatewayService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, caller_of(service, request));
  const std::optional<std::uint64_t> number =
      number_of(std::string_view(request.path).substr(kAlerts.size()));
  const std::string* const from = request.query_value("from");
  const std::optional<std::uint64_t> first = from ? number_of(*from) : 0;
  if (!first) return Refusal{"gateway-json"_rule, "from is a number", "query/from"};
  const std::optional<Consolidation> found =
      number ? service.gateway.consolidation(*number, caller.user) : std::nullopt;
  if (!found)
    return Refusal{"gateway-consolidation-unknown"_rule, "the path ends with a number", "path"};
  json out = to_json(*found), alerts = json::array();
  for (const HeldBackAlert& one :
       service.gateway.held_back(*found, OriginatorCounter(*first), kListedMax))
    alerts.push_back({{"at", one.at.iso()},
                      {"counter", one.counter.number()},
                      {"message", to_base64(one.message)}});
  out["alerts"] = std::move(alerts);
  return out;
}

json thresholds_json() {
  json rows = json::array();
  for (const AlertThreshold& one : alert_thresholds()) {
    json row{{"id", one.id}, {"codes", one.codes}, {"why", one.why}, {"source", one.source}};
    row["treatment"] = one.consolidate ? "consolidate" : "deliver";
    if (one.consolidate) {
      row["alerts"] = one.alerts;
      row["seconds"] = one.seconds;
    }
    rows.push_back(std::move(row));
  }
  return {{"thresholds", rows}};
}

http::Response lodge(const GatewayService& service, const http::Request& request) {
  const Result<Caller> caller = caller_of(service, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  const Status lodged =
      service.gateway.lodge_anomaly_file(caller->user, request.body, caller->person, request.trace);
  if (!lodged.ok()) return refuse(lodged.refusal(), request.trace);
  const Result<AnomalyFile> file = read_anomaly_file(request.body);
  return json_answer(200,
                     {{"thresholds", file->thresholds.size()}, {"limits", file->limits.size()}});
}

// The list is the DCC's office's to lodge; everybody may read what is certified.
Result<json> lodge_products(const GatewayService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, caller_of(service, request));
  if (caller.user)
    return Refusal{"products-caller"_rule, caller.user->text() + " calls", "X-Subscriber"};
  TRY_ASSIGN(const std::size_t count,
             service.gateway.products().lodge(request.body, request.trace));
  return json{{"listed", count}};
}

json products_json(const GatewayService& service) {
  json rows = json::array();
  for (const Product& one : service.gateway.products().all(kListedMax))
    rows.push_back({{"manufacturer", one.manufacturer},
                    {"model", one.model},
                    {"firmware_version", one.firmware_version},
                    {"type", text(one.type)},
                    {"image_sha256", to_hex(one.image_digest)},
                    {"gbcs_version", one.gbcs_version},
                    {"technical_version", one.technical_version},
                    {"status", one.status},
                    {"signer_serial", one.signer.hex()}});
  return {{"products", rows}};
}

}  // namespace

json refusal_json(const Refusal& refusal, TraceId trace) {
  const RuleRow& row = rule_row(refusal.rule);
  json out{{"rule", refusal.rule.text()},
           {"explanation", row.explanation},
           {"found", refusal.detail},
           {"field", refusal.field},
           {"fix", row.fix},
           {"source", row.source},
           {"trace", trace.text()}};
  if (const ResponseCodeRow* code = find_response_code(row.response_code)) {
    out["response_code"] = code->code;
    out["meaning"] = code->meaning;
    out["action"] = code->action;
  }
  return out;
}

Result<json> code_json(std::string_view code) {
  if (const ResponseCodeRow* row = find_response_code(code)) {
    json rules_of = json::array();
    for (const RuleRow& rule : rules()) {
      if (rule.response_code == code) rules_of.push_back(rule.id);
    }
    return json{{"code", row->code},       {"kind", "response-code"}, {"severity", row->severity},
                {"meaning", row->meaning}, {"action", row->action},   {"source", row->source},
                {"rules", rules_of}};
  }
  if (const DccAlertRow* row = find_dcc_alert(code))
    return json{{"code", row->code},         {"kind", "dcc-alert"},     {"type", row->type},
                {"severity", row->severity}, {"meaning", row->meaning}, {"action", row->action},
                {"source", row->source}};
  if (const AlertCodeRow* row = find_alert_code(code))
    return json{{"code", row->code},     {"kind", "device-alert"}, {"severity", row->severity},
                {"meaning", row->title}, {"action", row->action},  {"source", row->source}};
  if (const RuleRow* row = find_rule(code))
    return json{{"code", row->id},
                {"kind", "rule"},
                {"response_code", row->response_code},
                {"meaning", row->explanation},
                {"action", row->fix},
                {"source", row->source}};
  return Refusal{"gateway-code"_rule, "'" + std::string(code.substr(0, 80)) + "'", "code"};
}

void add_gateway_routes(http::Router& router, const GatewayService& service) {
  router.on("GET", "/api/v1/anomalies", [&service](const http::Request& request) {
    return answer(list(service, request), request.trace);
  });
  router.on("GET", std::string(kAnomalies) + "*", [&service](const http::Request& request) {
    return answer(show(service, request), request.trace);
  });
  router.on("POST", std::string(kAnomalies) + "decide", [&service](const http::Request& request) {
    return answer(decide_all(service, request), request.trace);
  });
  router.on("GET", "/api/v1/anomaly-file", [&service](const http::Request& request) {
    const Result<Caller> caller = caller_of(service, request);
    if (!caller.ok()) return refuse(caller.refusal(), request.trace);
    return http::Response{
        200, "text/csv; charset=utf-8", service.gateway.anomaly_file(caller->user), {}};
  });
  router.on("POST", "/api/v1/anomaly-file",
            [&service](const http::Request& request) { return lodge(service, request); });
  router.on("POST", "/api/v1/products", [&service](const http::Request& request) {
    return answer(lodge_products(service, request), request.trace);
  });
  router.on("GET", "/api/v1/products",
            [&service](const http::Request&) { return json_answer(200, products_json(service)); });
  router.on("GET", "/api/v1/undelivered", [&service](const http::Request& request) {
    return answer(undelivered(service, request, false), request.trace);
  });
  router.on("POST", "/api/v1/undelivered/deliver", [&service](const http::Request& request) {
    return answer(undelivered(service, request, true), request.trace);
  });
  router.on("GET", "/api/v1/alerts", [&service](const http::Request& request) {
    return answer(list_alerts(service, request), request.trace);
  });
  router.on("GET", std::string(kAlerts) + "*", [&service](const http::Request& request) {
    return answer(show_alerts(service, request), request.trace);
  });
  router.on("GET", "/api/v1/alert-thresholds",
            [](const http::Request&) { return json_answer(200, thresholds_json()); });
  router.on("GET", std::string(kCodes) + "*", [](const http::Request& request) {
    return answer(code_json(std::string_view(request.path).substr(kCodes.size())), request.trace);
  });
}

}  // namespace wattseal::gateway
