// How the client commands of `wattseal smki` and `wattseal repository` reach a service. Private to
// apps.
#pragma once
#include "apps/commands.h"
#include "http/http.h"

namespace wattseal::apps {

struct SmkiAddress {  // of the SMKI service or of the repository
  std::string url = {}, identity = {}, key = {}, trusted = {};
};

inline void add_address(CLI::App& command, SmkiAddress& address,
                        const std::string& what = "SMKI service",
                        const std::string& variable = "WATTSEAL_SMKI_URL") {
  command.add_option("--url", address.url, "Address of the " + what)
      ->envname(variable)
      ->capture_default_str();
  CLI::Option* const identity =
      command.add_option("--identity", address.identity, "Client certificate chain, PEM");
  command.add_option("--key", address.key, "Its private key, PEM")->needs(identity);
  command.add_option("--trusted", address.trusted, "Whom to trust as the service, PEM");
}

inline Result<std::unique_ptr<http::Client>> open(const SmkiAddress& address) {
  http::ClientOptions options;
  options.timeout = std::chrono::seconds(120);  // a whole file may be made meanwhile
  if (!address.trusted.empty()) options.trusted_ca = address.trusted;
  if (!address.identity.empty()) options.identity = http::Tls{address.identity, address.key, {}};
  return http::Client::open(address.url, options);
}

// The service's answer, a JSON object. Refuses what the service refuses; throws Fault when the
// answer is something else.
Result<nlohmann::json> ask(const SmkiAddress& address, const http::Request& request);

}  // namespace wattseal::apps
