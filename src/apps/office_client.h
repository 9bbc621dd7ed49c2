// The registration office as one person sees it over HTTP: proposes, approves, rejects, lists.
// Threads: one at a time. Errors: the office's own refusals, with their rules; Fault when it cannot
// be reached.
#pragma once
#include <nlohmann/json.hpp>

#include "http/http.h"
#include "smki/office.h"

namespace wattseal::apps {

class OfficeClient {
 public:
  // `person` 0: the person of the client certificate, which says more than the number.
  static Result<OfficeClient> open(const std::string& url, smki::PersonId person,
                                   http::ClientOptions options = {});
  // The act as it is afterwards.
  Result<nlohmann::json> propose(const std::string& kind, const nlohmann::json& payload);
  Result<nlohmann::json> approve(smki::ActId act);
  Result<nlohmann::json> reject(smki::ActId act, const std::string& reason);
  Result<nlohmann::json> get(const std::string& path);  // below /api/v1/ra/, or from /

 private:
  OfficeClient(std::unique_ptr<http::Client> client, smki::PersonId person)
      : client_(std::move(client)), person_(person) {}
  Result<nlohmann::json> send(const std::string& method, const std::string& path,
                              const nlohmann::json& body);

  std::unique_ptr<http::Client> client_;
  smki::PersonId person_;
};

// The refusal that a service wrote as JSON; its answer in words when it is none.
Refusal read_refusal(const http::Response& response);

}  // namespace wattseal::apps
