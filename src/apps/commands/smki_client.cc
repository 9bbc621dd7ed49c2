#include "apps/commands/smki_client.h"

#include <nlohmann/json.hpp>

#include "apps/office_client.h"
#include "base/fault.h"

namespace wattseal::apps {

Result<nlohmann::json> ask(const SmkiAddress& address, const http::Request& request) {
  TRY_ASSIGN(const std::unique_ptr<http::Client> client, open(address));
  const http::Response response = client->send(request);
  if (response.status / 100 != 2) return read_refusal(response);
  nlohmann::json answer = nlohmann::json::parse(response.body, nullptr, false);
  if (!answer.is_object()) throw Fault("the service's answer is no JSON object");
  return answer;
}

}  // namespace wattseal::apps
