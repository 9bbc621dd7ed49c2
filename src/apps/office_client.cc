#include "apps/office_client.h"

#include "base/fault.h"
#include "terms/terms.h"

namespace wattseal::apps {

using nlohmann::json;

Refusal read_refusal(const http::Response& response) {
  const json body = json::parse(response.body, nullptr, false);
  const auto text = [&](const char* name) {
    const auto found = body.find(name);
    return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (body.is_object()) {
    if (const RuleRow* const row = find_rule(text("rule")))
      return {RuleId(row->id.data()), text("found"), text("field")};
  }
  throw Fault("the service answered " + std::to_string(response.status) + ": " +
              response.body.substr(0, 200));
}

Result<OfficeClient> OfficeClient::open(const std::string& url, smki::PersonId person,
                                        http::ClientOptions options) {
  TRY_ASSIGN(std::unique_ptr<http::Client> client, http::Client::open(url, std::move(options)));
  return OfficeClient(std::move(client), person);
}

Result<json> OfficeClient::propose(const std::string& kind, const json& payload) {
  return send("POST", "acts", {{"kind", kind}, {"payload", payload}});
}
Result<json> OfficeClient::approve(smki::ActId act) {
  return send("POST", "acts/" + std::to_string(act) + "/approve", json::object());
}
Result<json> OfficeClient::reject(smki::ActId act, const std::string& reason) {
  return send("POST", "acts/" + std::to_string(act) + "/reject", {{"reason", reason}});
}
Result<json> OfficeClient::get(const std::string& path) { return send("GET", path, {}); }

Result<json> OfficeClient::send(const std::string& method, const std::string& path,
                                const json& body) {
  http::Request request;
  request.method = method;
  const std::size_t question = path.find('?');
  request.path = (path.starts_with('/') ? "" : "/api/v1/ra/") + path.substr(0, question);
  if (question != std::string::npos) {
    const std::string query = path.substr(question + 1);
    const std::size_t equals = query.find('=');
    request.query.push_back({query.substr(0, equals), query.substr(equals + 1)});
  }
  if (person_ != 0) request.headers.push_back({"X-Person", std::to_string(person_)});
  if (method == "POST") {
    request.headers.push_back({"Content-Type", "application/json"});
    request.body = body.dump();
  }
  const http::Response response = client_->send(request);
  if (response.status / 100 != 2) return read_refusal(response);
  json answer = json::parse(response.body, nullptr, false);
  if (answer.is_discarded()) throw Fault("the service's answer is no JSON");
  return answer;
}

}  // namespace wattseal::apps
