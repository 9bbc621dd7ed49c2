#include "smki/demand_service.h"

#include "smki/service_json.h"

namespace wattseal::smki {

using nlohmann::json;

json to_json(const Forecast& forecast) {
  json months = json::array();
  for (const MonthForecast& one : forecast.months)
    months.push_back({{"month", one.month.text()},
                      {"single", one.requests.single},
                      {"batched", one.requests.batched}});
  return {{"subscriber", forecast.subscriber.text()},
          {"round", forecast.round.text()},
          {"revision", forecast.revision},
          {"lodged_at", forecast.lodged_at.iso()},
          {"due", forecast.due.iso()},
          {"late", forecast.late()},
          {"person", forecast.person},
          {"months", std::move(months)}};
}

json to_json(const DemandNotice& notice) {
  return {{"subscriber", notice.subscriber.text()},
          {"month", notice.month.text()},
          {"number", notice.number},
          {"expected", notice.expected},
          {"reason", notice.reason},
          {"given_at", notice.given_at.iso()},
          {"person", notice.person}};
}

json to_json(const Prefill& prefill) {
  json months = json::array(), basis = json::array();
  for (const Month& month : prefill.basis) basis.push_back(month.text());
  const auto interval = [](std::uint64_t least, std::uint64_t greatest) {
    return json{least, greatest};
  };
  for (const Month& month : prefill.round.months)
    months.push_back(
        {{"month", month.text()},
         {"single", prefill.expected.single},
         {"batched", prefill.expected.batched},
         {"single_interval", interval(prefill.least.single, prefill.greatest.single)},
         {"batched_interval", interval(prefill.least.batched, prefill.greatest.batched)}});
  return {{"round", prefill.round.begins.text()},
          {"due", prefill.round.due.iso()},
          {"basis", std::move(basis)},
          {"months", std::move(months)}};
}

json demand_parameters_json(std::string_view profile, UtcTime now) {
  const std::string day = now.iso().substr(0, 10);
  json rows = json::array();
  for (const DemandParameterRow& row : demand_parameter_rows()) {
    if (!profile.empty() && row.profile != profile) continue;
    rows.push_back({{"profile", row.profile},
                    {"name", row.name},
                    {"value", row.value},
                    {"unit", row.unit},
                    {"meaning", row.meaning},
                    {"source", row.source},
                    {"in_force_from", row.in_force_from},
                    {"in_force", row.in_force_from <= day}});
  }
  const Result<DemandRules> standing = DemandRules::at({}, now);
  return {{"standing", standing.ok() ? json(standing->profile()) : json()},
          {"parameters", std::move(rows)}};
}

namespace {

std::string given(const http::Request& request, std::string_view name) {
  const std::string* const value = request.query_value(name);
  return value ? *value : std::string();
}

http::Response answer(const Result<json>& result, TraceId trace, int status = 200) {
  return result.ok() ? json_answer(status, *result) : refuse(result.refusal(), trace);
}

// Who asks: for the Panel one of the registration authority's people who may act now.
Result<DemandAudience> identify(const DemandService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_caller(service.office, request));
  DemandAudience audience;
  audience.subscriber = caller.subscriber;
  if (caller.person == 0) return audience;
  const Result<Person> person = service.office.person(caller.person);
  audience.panel =
      person.ok() && belongs_to(*person) == "ra" && person->may_act(service.world.now());
  return audience;
}
Result<Caller> identify_forecaster(const DemandService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_caller(service.office, request));
  if (!caller.subscriber)
    return Refusal{"ra-subscriber-missing"_rule, "nothing says which subscriber is asking",
                   "X-Subscriber"};
  return caller;
}
// Whose records are meant: one's own, or anybody's for the Panel (nothing: all).
Result<std::optional<Eui64>> whose(const DemandService& service, const http::Request& request) {
  TRY_ASSIGN(const DemandAudience audience, identify(service, request));
  const std::string asked = given(request, "subscriber");
  if (!audience.panel) {
    if (!audience.subscriber)
      return Refusal{"ra-subscriber-missing"_rule, "nothing says which subscriber is asking",
                     "X-Subscriber"};
    return audience.subscriber;
  }
  if (asked.empty()) return std::optional<Eui64>();
  TRY_ASSIGN(const Eui64 subscriber, Eui64::parse(asked));
  return std::optional(subscriber);
}

Result<json> read_object(const http::Request& request) {
  json body = json::parse(request.body, nullptr, false);
  if (!body.is_object())
    return Refusal{"ra-service-json"_rule, "the body is no JSON object", "body"};
  return body;
}
Result<std::uint64_t> read_requests(const json& object, const char* name, const std::string& at) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned())
    return Refusal{"demand-number"_rule, "it is no whole number from 0 on", at + name};
  return found->get<std::uint64_t>();
}
Result<Month> read_month(const json& object, const std::string& at) {
  const auto found = object.find("month");
  if (found == object.end() || !found->is_string())
    return Refusal{"performance-month"_rule, "it is no text", at + "month"};
  return Month::parse(found->get<std::string>());
}

Result<json> lodge(const DemandService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_forecaster(service, request));
  TRY_ASSIGN(const json body, read_object(request));
  const auto months = body.find("months");
  if (months == body.end() || !months->is_array() || body.size() != 1 || months->size() > 100)
    return Refusal{"ra-service-json"_rule, "the body has exactly months, a list", "months"};
  std::vector<MonthForecast> forecast;
  for (const json& one : *months) {
    const std::string at = "months/" + std::to_string(forecast.size()) + "/";
    if (!one.is_object() || one.size() != 3)
      return Refusal{"ra-service-json"_rule, "a month has month, single and batched", at};
    MonthForecast made;
    TRY_ASSIGN(made.month, read_month(one, at));
    TRY_ASSIGN(made.requests.single, read_requests(one, "single", at));
    TRY_ASSIGN(made.requests.batched, read_requests(one, "batched", at));
    forecast.push_back(made);
  }
  TRY_ASSIGN(const Forecast lodged,
             service.demand.lodge(*caller.subscriber, forecast, {caller.person, caller.address},
                                  request.trace));
  return to_json(lodged);
}

Result<json> notify(const DemandService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_forecaster(service, request));
  TRY_ASSIGN(const json body, read_object(request));
  if (body.size() != 3 || !body.contains("reason") || !body["reason"].is_string())
    return Refusal{"ra-service-json"_rule, "the body has exactly month, expected and reason",
                   "body"};
  TRY_ASSIGN(const Month month, read_month(body, ""));
  TRY_ASSIGN(const std::uint64_t expected, read_requests(body, "expected", ""));
  TRY_ASSIGN(const DemandNotice made,
             service.demand.give_notice(*caller.subscriber, month, expected,
                                        body["reason"].get<std::string>(),
                                        {caller.person, caller.address}, request.trace));
  return to_json(made);
}

Result<json> list_forecasts(const DemandService& service, const http::Request& request) {
  TRY_ASSIGN(const std::optional<Eui64> subscriber, whose(service, request));
  json list = json::array();
  for (const Forecast& one : forecasts(service.store, subscriber)) list.push_back(to_json(one));
  return json{{"forecasts", std::move(list)}};
}
Result<json> list_notices(const DemandService& service, const http::Request& request) {
  TRY_ASSIGN(const std::optional<Eui64> subscriber, whose(service, request));
  json list = json::array();
  for (const DemandNotice& one : notices(service.store, subscriber)) list.push_back(to_json(one));
  return json{{"notices", std::move(list)}};
}

Result<json> prefill(const DemandService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_forecaster(service, request));
  TRY_ASSIGN(const DemandRules rules, service.demand.rules());
  service.counts.read(service.store);
  TRY_ASSIGN(const Prefill made,
             prefill_forecast(service.counts, rules, *caller.subscriber, service.world.now()));
  return to_json(made);
}

Result<json> report(const DemandService& service, const http::Request& request) {
  TRY_ASSIGN(const DemandAudience audience, identify(service, request));
  TRY_ASSIGN(const Month month, Month::parse(given(request, "month")));
  const UtcTime now = service.world.now();
  service.counts.read(service.store);
  TRY_ASSIGN(const DemandReport made,
             report_demand(service.store, service.counts, service.profile, month, now));
  if (!audience.panel && !audience.subscriber && now < made.due)
    return Refusal{"demand-unpublished"_rule, month.text() + " is published from " + made.due.iso(),
                   "month"};
  return to_json(made, audience);
}

Result<json> allocation(const DemandService& service, const http::Request& request) {
  TRY_ASSIGN(const DemandAudience audience, identify(service, request));
  if (!audience.panel)
    return Refusal{"ra-person-missing"_rule,
                   "the allocation is for people of the registration authority", "X-Person"};
  TRY_ASSIGN(const Month month, Month::parse(given(request, "month")));
  std::uint64_t numbers[2] = {0, 0};
  for (const auto& [name, number] :
       {std::pair{"capacity", &numbers[0]}, std::pair{"facts", &numbers[1]}}) {
    const std::string* const value = request.query_value(name);
    if (!value) continue;
    const std::optional<std::uint64_t> read = read_number(*value);
    if (!read || *read == 0 || *read > 1'000'000'000'000)
      return Refusal{"demand-number"_rule, "it is no number from 1 to 10^12", name};
    *number = *read;
  }
  DemandCounts of_prefix;
  DemandCounts& counts = numbers[1] == 0 ? service.counts : of_prefix;
  counts.read(service.store, numbers[1]);
  TRY_ASSIGN(const DemandAllocation made, allocate_demand(service.store, counts, service.profile,
                                                          month, numbers[0], service.world.now()));
  return to_json(made);
}

}  // namespace

void add_demand_routes(http::Router& router, const DemandService& service) {
  using Handler = Result<json> (*)(const DemandService&, const http::Request&);
  const auto on = [&](const char* method, const char* path, Handler handler, int status) {
    router.on(method, path, [&service, handler, status](const http::Request& request) {
      return answer(handler(service, request), request.trace, status);
    });
  };
  router.on("GET", "/api/v1/demand/parameters", [&service](const http::Request& request) {
    return json_answer(200, demand_parameters_json(given(request, "profile"), service.world.now()));
  });
  on("GET", "/api/v1/demand/prefill", prefill, 200);
  on("GET", "/api/v1/demand/forecasts", list_forecasts, 200);
  on("POST", "/api/v1/demand/forecasts", lodge, 201);
  on("GET", "/api/v1/demand/notices", list_notices, 200);
  on("POST", "/api/v1/demand/notices", notify, 201);
  on("GET", "/api/v1/demand/report", report, 200);
  on("GET", "/api/v1/demand/allocation", allocation, 200);
}

}  // namespace wattseal::smki
