// The gateway: from a user's signed Service Request to the signed Service Response, through the
// device. It verifies, decides, transforms, adds the access control broker's MAC, hands commands to
// the WAN, matches answers and delivers them. Durable: a request is journalled before its
// acknowledgement leaves; a command before it goes to the WAN; an answer before it is delivered;
// each accepted request ends exactly once (answered, timed out or refused by its device).
// Restart-safe: what waits is in the store. Threads: serve(), on_device_message() and
// deliver_responses() from any; one thread each calls the other steps. Rules: gateway-*, access-*,
// duis-*, dsig-*, xml-*, gbcs-*. Sources: DESIGN request flow; spec/gbcs-duis.md 1.11, 3.
#pragma once
#include <chrono>
#include <functional>

#include "crypto/keys.h"
#include "gateway/access.h"
#include "gateway/anomalies.h"
#include "gateway/transform.h"
#include "http/http.h"
#include "storage/changes.h"
#include "terms/facts.h"
#include "xml/dsig.h"

namespace wattseal::gateway {

// The gateway's own identity and keys. Nobody else holds them.
struct DccIdentity {
  Eui64 broker;  // access control broker
  crypto::KeyHandle broker_key_agreement;
  crypto::KeyHandle xml_signing;  // DSP XML signing
  xml::IssuerSerial xml_signer;   // its certificate
};

// The WAN as the gateway sees it. Throws Fault when the message could not be handed over (it is
// tried again).
using WanSend = std::function<void(Eui64 device, BytesView message, TraceId trace)>;
// Hands a signed document to a user's endpoint. Throws Fault when the user could not be reached or
// did not answer 2xx.
using UserSend =
    std::function<void(const std::string& url, const std::string& document, TraceId trace)>;

class Gateway {
 public:
  Gateway(const World& world, storage::Store& store, const smki::RegistrationAuthority& parties,
          const smki::Repository& repository, const Registration& registration,
          Inventory& inventory, DccIdentity identity, WanSend wan, UserSend user);
  ~Gateway();

  // One signed DUIS document in, one signed DUIS document out. HTTP status 200 with the response
  // code inside, as DUIS has it; 400 only when the body is no DUIS document at all. A refusal names
  // its rule and the offending element in X-Wattseal-Rule and X-Wattseal-Field; with "Accept:
  // application/json" it is explained in JSON (service.h) with the signed document inside.
  http::Response serve(ServiceUrl url, const http::Request& request);

  // How long a device may take to answer requests that are accepted from now on; limit
  // device_response_timeout_seconds until it is set.
  void set_device_response_timeout(std::chrono::seconds timeout);

  // What an endpoint-registered fact did to the table.
  static void replay_endpoint(storage::Changes& rows, const FactView& fact);
  // What a fact about a schedule did to the tables. Throws Fault when it could not happen.
  static void replay_schedule(storage::Changes& rows, const FactView& fact);
  Status register_endpoint(Eui64 user, const std::string& url, TraceId trace);

  // From the WAN. A message that is not believed is journalled and dropped; it ends nothing.
  Status on_device_message(BytesView message, TraceId trace);

  // Responses that the user did not take in the time that they are held (response_hold_hours).
  struct Undelivered {
    std::string id;  // RequestID, or ResponseID of an alert
    UtcTime since;
  };
  std::vector<Undelivered> undelivered(Eui64 user, std::size_t most) const;
  // Puts some of them back; returns how many.
  std::size_t deliver_again(Eui64 user);

  // Each does a bounded amount of work and returns whether there was any.
  bool send_commands();
  // Serves one user. Several threads, as many as limit delivery_lanes, may each serve another.
  bool deliver_responses();
  bool expire_requests();
  // Sends what waited for its date and what a schedule has come to.
  bool advance_requests();

  // Anomaly detection. A file of thresholds and limits replaces the one before; `user` absent: the
  // DCC's own, beside data/anomaly_thresholds.tsv. Refuses anomaly-file, naming the row.
  Status lodge_anomaly_file(std::optional<Eui64> user, const std::string& csv,
                            smki::PersonId person, TraceId trace);
  std::string anomaly_file(std::optional<Eui64> user) const;  // empty when there is none
  // Held requests, oldest first, from a number on; of one user or of all.
  std::vector<Quarantined> quarantined(std::optional<Eui64> user, std::uint64_t from,
                                       std::size_t most) const;
  // With its document. Refuses anomaly-unknown, also when it is another user's.
  struct QuarantinedRequest {
    Quarantined held;
    std::string document;
  };
  Result<QuarantinedRequest> quarantined(std::uint64_t number, std::optional<Eui64> user) const;
  // What became of it: under dual control a second person must decide the same. Refuses
  // anomaly-unknown, anomaly-second-person.
  enum class Decision { release, remove };
  enum class Decided { done, waits_for_second };
  Result<Decided> decide_quarantined(std::uint64_t number, std::optional<Eui64> user,
                                     Decision decision, smki::PersonId person, TraceId trace);
  static void replay_anomaly(storage::Changes& rows, const FactView& fact);

  struct Counts {
    std::uint64_t accepted = 0, refused = 0, sent = 0, answered = 0, delivered = 0, timed_out = 0,
                  disbelieved = 0;
  };
  Counts counts() const;  // since start
  struct State;

 private:
  Result<std::optional<Decided>> decide_held(Quarantined held, Decision decision,
                                             smki::PersonId person, TraceId trace);
  std::unique_ptr<State> state_;
};

}  // namespace wattseal::gateway
