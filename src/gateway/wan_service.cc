#include "gateway/wan_service.h"

#include <nlohmann/json.hpp>

#include "gateway/service.h"

namespace wattseal::gateway {
namespace {

using nlohmann::json;

constexpr std::size_t kLengthOctets = 4;

http::Response json_answer(int status, const json& body) {
  return {status,
          "application/json",
          body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n",
          {}};
}

http::Response answer(const std::vector<Status>& verdicts, const char* name, TraceId trace) {
  json refused = json::array();
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    if (verdicts[i].ok()) continue;
    json why = refusal_json(verdicts[i].refusal(), trace);
    why[name] = i;
    refused.push_back(std::move(why));
  }
  return json_answer(200, {{"taken", verdicts.size() - refused.size()}, {"refused", refused}});
}

http::Response refuse(const Refusal& refusal, TraceId trace) {
  return json_answer(rule_row(refusal.rule).http_status, refusal_json(refusal, trace));
}

http::Response take_one(Gateway& gateway, const http::Request& request) {
  const Status status = gateway.on_device_message(as_bytes(request.body), request.trace);
  if (status.ok()) return {.status = 202};
  return {.status = rule_row(status.refusal().rule).http_status,
          .body = explain(status.refusal()) + "\n"};
}

http::Response take_messages(Gateway& gateway, const http::Request& request) {
  const std::string* const type = request.header("Content-Type");
  if (!type || *type != kManyMessages) return take_one(gateway, request);
  const Result<std::vector<BytesView>> messages = split_messages(request.body);
  if (!messages.ok()) return refuse(messages.refusal(), request.trace);
  return answer(gateway.on_device_messages(*messages, request.trace), "message", request.trace);
}

Result<std::vector<Outage>> read_outages(const std::string& body) {
  const json list = json::parse(body, nullptr, false);
  if (!list.is_array() || list.size() > limit("wan_messages_max"))
    return Refusal{"wan-outages"_rule, "the body is no list, or too long a one", "body"};
  std::vector<Outage> outages;
  for (const json& one : list) {
    const auto text = [&](const char* name) {
      return one.is_object() && one.contains(name) && one[name].is_string()
                 ? one[name].get<std::string>()
                 : std::string();
    };
    const Result<Eui64> hub = Eui64::parse(text("hub"));
    const std::optional<UtcTime> since = UtcTime::parse_iso(text("since"));
    if (!hub.ok() || !since)
      return Refusal{"wan-outages"_rule, "an outage has a hub, EUI-64, and since, a UTC time",
                     "body/" + std::to_string(outages.size())};
    outages.push_back({*hub, *since});
  }
  return outages;
}

}  // namespace

std::string join_messages(std::span<const Bytes> messages) {
  Bytes body;
  for (const Bytes& message : messages) {
    put_be(body, message.size(), kLengthOctets);
    append(body, message);
  }
  return std::string(as_text(body));
}

Result<std::vector<BytesView>> split_messages(std::string_view body) {
  std::vector<BytesView> messages;
  BytesView rest = as_bytes(body);
  while (!rest.empty()) {
    const std::string place = "body/" + std::to_string(messages.size());
    if (rest.size() < kLengthOctets)
      return Refusal{"wan-messages"_rule, "the body ends within a length", place};
    const std::size_t size = get_be(rest.first(kLengthOctets));
    rest = rest.subspan(kLengthOctets);
    if (size == 0 || size > rest.size())
      return Refusal{"wan-messages"_rule,
                     "a message of " + std::to_string(size) + " octets where " +
                         std::to_string(rest.size()) + " are left",
                     place};
    if (messages.size() == limit("wan_messages_max"))
      return Refusal{"wan-messages"_rule, "more messages than wan_messages_max", place};
    messages.push_back(rest.first(size));
    rest = rest.subspan(size);
  }
  return messages;
}

void add_wan_routes(http::Router& router, Gateway& gateway, std::function<void()> wake) {
  router.on("POST", "/wan/v1/messages", [&gateway, wake](const http::Request& request) {
    http::Response response = take_messages(gateway, request);
    wake();
    return response;
  });
  router.on("POST", "/wan/v1/outages", [&gateway, wake](const http::Request& request) {
    const Result<std::vector<Outage>> outages = read_outages(request.body);
    if (!outages.ok()) return refuse(outages.refusal(), request.trace);
    http::Response response =
        answer(gateway.on_outages(*outages, request.trace), "outage", request.trace);
    wake();
    return response;
  });
}

}  // namespace wattseal::gateway
