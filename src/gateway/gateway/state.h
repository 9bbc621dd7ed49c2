// What the rooms of the gateway share: its collaborators, its keys, its record formats. Private to
// gateway.
#pragma once
#include <atomic>
#include <map>
#include <mutex>

#include "gateway/gateway.h"
#include "gateway/gateway/signers.h"
#include "gbcs/security.h"
#include "terms/facts.h"
#include "terms/tables.h"
#include "x509/x509.h"

namespace wattseal::gateway {

// What is remembered of a request until it ends, and for ever after as proof that its id was used.
struct RequestRecord {
  std::string service_reference, service_variant, schema_version, use_case;
  int command_variant = 0;
  crypto::Digest message_digest{};  // of the pre-command's signed octets, or of the command
  Bytes encode() const;
  static RequestRecord decode(BytesView octets);
};

// A command that waits for its answer.
struct Awaited {
  Bytes request_key;  // of tables::requests
  UtcTime deadline;
  TraceId trace;
  Bytes encode() const;
  static Awaited decode(BytesView octets);
};

// Octets on their way out: a command for a device, or a document for a user.
struct Outgoing {
  Eui64 to;
  TraceId trace;
  Bytes content;
  std::string request_id;
  Bytes encode() const;
  static Outgoing decode(BytesView octets);
};

Bytes request_key(const duis::RequestId& id, ServiceUrl url);
duis::RequestId request_id_of(BytesView request_key);
Bytes awaiting_key(Eui64 device, Eui64 originator, OriginatorCounter counter,
                   gbcs::MessageCode code);
Bytes order_key(std::uint64_t order);

struct Gateway::State {
  State(const World& the_world, storage::Store& the_store,
        const smki::RegistrationAuthority& the_parties, const smki::Repository& the_repository,
        const Registration& the_registration, Inventory& the_inventory, DccIdentity the_identity,
        WanSend the_wan, UserSend the_user)
      : world(the_world),
        store(the_store),
        parties(the_parties),
        repository(the_repository),
        registration(the_registration),
        inventory(the_inventory),
        identity(std::move(the_identity)),
        wan(std::move(the_wan)),
        user(std::move(the_user)) {}

  const World& world;
  storage::Store& store;
  const smki::RegistrationAuthority& parties;
  const smki::Repository& repository;
  const Registration& registration;
  Inventory& inventory;
  DccIdentity identity;
  WanSend wan;
  UserSend user;
  std::shared_ptr<const gbcs::TemplateSet> templates = gbcs::TemplateSet::built_in();
  std::atomic<std::uint64_t> next_command{1}, next_response{1};
  std::map<Eui64, UtcTime> held_until;  // users whose endpoint failed, deliver_responses only
  UtcTime next_expiry_look;
  std::atomic<std::int64_t> response_timeout_seconds{
      static_cast<std::int64_t>(limit("device_response_timeout_seconds"))};

  struct Tally {
    std::atomic<std::uint64_t> accepted{0}, refused{0}, sent{0}, answered{0}, delivered{0},
        timed_out{0}, disbelieved{0};
  } tally;

  // intake.cc
  Result<duis::ServiceResponse> handle(ServiceUrl url, const xml::Document& document, TraceId trace,
                                       std::optional<duis::ServiceRequest>& read);
  Result<duis::ServiceResponse> handle_transform(const duis::ServiceRequest& request,
                                                 const Device& device, TraceId trace);
  Result<duis::ServiceResponse> handle_send(const duis::ServiceRequest& request,
                                            const Device& device, TraceId trace);
  Result<duis::ServiceResponse> handle_local(const duis::ServiceRequest& request,
                                             const Device& device, TraceId trace);
  Result<gbcs::Message> signed_command(const duis::ServiceRequest& request);
  Result<crypto::SharedSecret> broker_secret(Eui64 device);
  Status accept(const duis::ServiceRequest& request, ServiceUrl url, const gbcs::Message& message,
                const std::string& use_case, TraceId trace, bool to_wan);
  void journal_refusal(const Refusal& refusal, const std::optional<duis::ServiceRequest>& request,
                       TraceId trace);
  duis::ServiceResponse answer_to(const duis::ServiceRequest& request, std::string code) const;
  std::string signed_document(const duis::ServiceResponse& response) const;

  // inbound.cc
  Status disbelieve(BytesView octets, const Refusal& refusal, TraceId trace);
  Status on_alert(const gbcs::Message& message, BytesView octets, TraceId trace);
  Status on_answer(const gbcs::Message& message, BytesView octets, TraceId trace);
  void add_response(storage::Batch& batch, Eui64 to, const duis::ServiceResponse& response,
                    TraceId trace);

  Signers signers;
  std::mutex secrets_mutex;
  std::map<Eui64, std::pair<CertificateSerial, crypto::SharedSecret>>
      secrets;  // with the device's latest key agreement certificate
};

// The inventory's answers to the template engine.
class InventoryFacts final : public gbcs::Facts {
 public:
  InventoryFacts(const Inventory& inventory, const smki::Repository& repository, Device device)
      : inventory_(inventory), repository_(repository), device_(std::move(device)) {}
  Result<int> device_type_code(Eui64 device) const override;
  Result<Bytes> key_agreement_certificate(Eui64 device) const override;
  Result<std::string> named(std::string_view name) const override;
  Result<RemotePartyRole> role_of(Eui64 party) const override;

 private:
  const Inventory& inventory_;
  const smki::Repository& repository_;
  Device device_;
};

}  // namespace wattseal::gateway
