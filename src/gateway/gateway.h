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
#include "gateway/alerts.h"
#include "gateway/anomalies.h"
#include "gateway/cos.h"
#include "gateway/products.h"
#include "gateway/transform.h"
#include "http/http.h"
#include "storage/changes.h"
#include "terms/facts.h"
#include "xml/dsig.h"

namespace wattseal::gateway {

// The gateway's own identity and keys. Nobody else holds them.
struct DccIdentity {
  Eui64 broker;  // access control broker
  crypto::KeyHandle broker_key_agreement, broker_signing;
  crypto::KeyHandle xml_signing;  // DSP XML signing
  xml::IssuerSerial xml_signer;   // its certificate
};

// The change of supplier party, which may be another process. Refuses cos-*.
using CosChange = std::function<Result<CosAnswer>(const CosQuestion&)>;
// The WAN as the gateway sees it. Throws Fault when the message could not be handed over (it is
// tried again).
using WanSend = std::function<void(Eui64 device, BytesView message, TraceId trace)>;
// A part of a firmware image for a device. Throws Fault when it could not be handed over. A part
// may come again; its offset says which it is.
struct FirmwareBlock {
  BytesView image;  // SHA-256 of the whole
  std::string_view version;
  std::uint64_t offset = 0, total = 0;  // octets
  BytesView octets;
};
using FirmwareSend = std::function<void(Eui64 device, const FirmwareBlock& block, TraceId trace)>;
// Hands a signed document to a user's endpoint. Throws Fault when the user could not be reached or
// did not answer 2xx.
using UserSend =
    std::function<void(const std::string& url, const std::string& document, TraceId trace)>;

// What a party of the DCC sends to devices on its own account, which no user asked for. The gateway
// moves the commands and matches the answers; their owner says what follows, in the same commit.
// Each member may be called from any thread, and again when the commit is refused.
class OwnCommands {
 public:
  virtual ~OwnCommands() = default;
  // `answer` is the device's, signature or MAC checked, to a command of the owner's.
  virtual void answered(storage::Batch& batch, const gbcs::Message& answer, TraceId trace) = 0;
  struct Waiting {
    Eui64 device, originator;
    OriginatorCounter counter;
    gbcs::MessageCode code;
  };
  virtual void unanswered(storage::Batch& batch, const Waiting& command, TraceId trace) = 0;
  // Any other believed answer, on its way to the user who asked.
  virtual void seen(storage::Batch& batch, const gbcs::Message& answer, TraceId trace) = 0;
};
// Hands documents to one user's endpoint, possibly several before the first is answered. Returns
// for each, from the first on, whether it was taken; fewer when the user went away after these.
// Throws Fault when it took none. `lane` names the caller's thread, to whom its connections may
// belong.
struct Dispatch {
  std::string document;
  TraceId trace;
};
using UserSendMany = std::function<std::vector<char>(unsigned lane, const std::string& url,
                                                     std::span<const Dispatch> documents)>;

class Gateway {
 public:
  Gateway(const World& world, storage::Store& store, const smki::RegistrationAuthority& parties,
          const smki::Repository& repository, const Registration& registration,
          Inventory& inventory, DccIdentity identity, WanSend wan, UserSend user,
          UserSendMany user_many);
  ~Gateway();

  // One signed DUIS document in, one signed DUIS document out. HTTP status 200 with the response
  // code inside, as DUIS has it; 400 only when the body is no DUIS document at all. A refusal names
  // its rule and the offending element in X-Wattseal-Rule and X-Wattseal-Field; with "Accept:
  // application/json" it is explained in JSON (service.h) with the signed document inside.
  http::Response serve(ServiceUrl url, const http::Request& request);

  // Who authorises changes of supplier (6.23); until it is set they are refused:
  // gateway-service-not-offered. Before serve().
  void set_change_of_supplier(CosChange change);
  // The way of firmware; until it is set images wait. Before send_commands().
  void set_firmware_way(FirmwareSend send);
  // What is certified: pre-notification and firmware go by it.
  Products& products();

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
  // Many at once, each judged by itself: the verdict of each. Alerts among them share verification
  // and commit, also with those of other callers; per device they keep their order.
  std::vector<Status> on_device_messages(std::span<const BytesView> messages, TraceId trace);
  // From the WAN provider: supplier and network operator of every electricity meter behind the hub
  // are told (AD1). One that is reported again is the same. Refuses inventory-unknown-device.
  std::vector<Status> on_outages(std::span<const Outage> outages, TraceId trace);
  // Consolidations of alerts, oldest first, from a number on; of one user or of all.
  std::vector<Consolidation> consolidations(std::optional<Eui64> user, std::uint64_t from,
                                            std::size_t most) const;
  // Nothing: there is none of that number, or it is another user's.
  std::optional<Consolidation> consolidation(std::uint64_t number, std::optional<Eui64> user) const;
  // The alerts that it held back, by their counters, from one on.
  std::vector<HeldBackAlert> held_back(const Consolidation& consolidation, OriginatorCounter from,
                                       std::size_t most) const;
  // What a fact about alerts did to the tables. Throws Fault when it could not happen.
  static void replay_alerts(storage::Changes& rows, const FactView& fact);

  // Responses that the user did not take in the time that they are held (response_hold_hours).
  struct Undelivered {
    std::string id;  // RequestID, or ResponseID of an alert
    UtcTime since;
  };
  std::vector<Undelivered> undelivered(Eui64 user, std::size_t most) const;
  // Puts some of them back; returns how many.
  std::size_t deliver_again(Eui64 user);

  // Each does a bounded amount of work and returns whether there was any. Firmware goes behind the
  // commands.
  bool send_commands();
  // Serves one user. Several threads, as many as limit delivery_lanes, may each serve another.
  bool deliver_responses();
  // Of one lane below kAlertLanes; one thread each.
  bool deliver_alerts(unsigned lane);
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

  // Before the first message; `owner` outlives the gateway's work.
  void set_own_commands(OwnCommands& owner);
  // Above every counter that this originator was given before, also by an earlier process.
  Result<OriginatorCounter> next_own_counter(Eui64 originator);
  // Adds what makes a complete command leave, after users' commands, and how long its answer is
  // waited for from now on. What it is for stands in the facts.
  void add_own_command(storage::Batch& batch, const gbcs::Message& command,
                       std::chrono::seconds wait, std::string_view what_for, TraceId trace);

  struct Counts {
    std::uint64_t accepted = 0, refused = 0, sent = 0, answered = 0, delivered = 0, timed_out = 0,
                  disbelieved = 0, alerts = 0;
  };
  Counts counts() const;  // since start
  struct State;

 private:
  Result<std::optional<Decided>> decide_held(Quarantined held, Decision decision,
                                             smki::PersonId person, TraceId trace);
  std::unique_ptr<State> state_;
};

}  // namespace wattseal::gateway
