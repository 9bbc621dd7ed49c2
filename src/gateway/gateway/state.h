// What the rooms of the gateway share: its collaborators, its keys, its record formats. Private to
// gateway.
#pragma once
#include <atomic>
#include <map>
#include <mutex>

#include "gateway/anomalies.h"
#include "gateway/gateway.h"
#include "gateway/gateway/alert_intake.h"
#include "gateway/gateway/device_keys.h"
#include "gateway/gateway/queues.h"
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
  std::string outcome;              // response code with which it ended; empty until then
  std::string note;                 // what its answer is taken with, see effects.cc
  Bytes encode() const;
  static RequestRecord decode(BytesView octets);
};

// A command that waits for its answer.
struct Awaited {
  Bytes request_key;  // of tables::requests; empty: the command is the DCC's own
  UtcTime deadline;
  TraceId trace;
  std::string late_code;       // response code when the deadline passes
  std::uint64_t schedule = 0;  // whose run it is; 0: none
  Bytes encode() const;
  static Awaited decode(BytesView octets);
};

// Octets on their way out: a command for a device, or a document for a user.
struct Outgoing {
  Eui64 to;
  TraceId trace;
  Bytes content;
  std::string request_id;
  std::uint64_t quarantine = 0;  // of whose beginning it is the notice; 0: something else
  UtcTime since;                 // when it was ready to leave
  Bytes encode() const;
  static Outgoing decode(BytesView octets);
};

// Counters from here on are the DCC's, for commands of schedules.
inline constexpr std::uint64_t kReservedCounters = std::uint64_t{1} << 63;

// The service whose number the DCC chooses: the customer reads it on the meter, the user in the
// answer.
inline constexpr std::string_view kCustomerNumber = "9.1";

Result<crypto::PublicPoint> key_of(const smki::PublishedCertificate& published);

// A command that is about to be made: an accepted request, judged.
struct Order {
  const duis::ServiceRequest& request;
  ServiceUrl url;
  const Device& device;
  UserRole role;
  TraceId trace;
  std::uint64_t schedule = 0;      // whose run it is; 0: a user asked
  std::string_view document = {};  // as the user signed it; only of what the CoS party judges
};

struct Command {
  gbcs::Message message;
  std::string use_case;
  std::string note;  // of its RequestRecord
};

// An accepted request that waits.
struct Deferred {
  enum class Why : Octet { dated = 1, sequenced = 2, quarantined = 3 };
  Why why = Why::dated;
  UtcTime due;        // dated: when it is sent; sequenced: when it is given up
  Bytes predecessor;  // request key; of sequenced ones
  ServiceUrl url = ServiceUrl::send_command;
  TraceId trace;
  std::string document;  // the request; signed when the CoS party judges it
  Bytes encode() const;
  static Deferred decode(BytesView octets);
};

enum class Frequency : Octet { daily, weekly, monthly, quarterly, half_yearly, yearly };
struct Schedule {
  std::uint64_t id = 0;
  Eui64 user, device;
  Frequency frequency = Frequency::daily;
  UtcTime first, last, next;  // runs; last: none is later
  std::string schema_version, variant;
  std::string details;  // sr:CreateSchedule, XML
  Bytes encode() const;
  static Schedule decode(BytesView octets);
};
Bytes schedule_key(Eui64 user, Eui64 device, std::uint64_t id);

RequestRecord record_of(const duis::ServiceRequest& request, std::string use_case,
                        crypto::Digest digest);
// Whether the request has a date of execution that the DCC waits for; with others the device does.
bool is_held_until_dated(const duis::ServiceRequest& request);
// Whether that date is the one that takes earlier requests back.
bool is_cancellation(const duis::ServiceRequest& request);
xml::Element command_failure(const duis::RequestId& id, std::uint64_t schedule);
// What the answer to a request is taken with: values of its body, see effects.cc.
std::string note_of(const duis::ServiceRequest& request);
// Whether the change of supplier party decides it.
bool is_change_of_supplier(const duis::ServiceRequest& request);
Bytes request_key(const duis::RequestId& id, ServiceUrl url);
duis::RequestId request_id_of(BytesView request_key);
Bytes awaiting_key(Eui64 device, Eui64 originator, OriginatorCounter counter,
                   gbcs::MessageCode code);
// A row of `table`, awaiting or local_commands, and that it is due; or neither.
void put_awaited(storage::Batch& batch, storage::Table table, BytesView key,
                 const Awaited& awaited);
void erase_awaited(storage::Batch& batch, storage::Table table, BytesView key,
                   const Awaited& awaited);

struct AlertOut;

// What a DCC alert may have beside its content.
struct DccAlertExtra {
  std::uint64_t quarantine = 0;            // of whose beginning it is the notice
  std::optional<std::uint32_t> throttled;  // consolidation that it tells of
};

struct Gateway::State {
  State(const World& the_world, storage::Store& the_store,
        const smki::RegistrationAuthority& the_parties, const smki::Repository& the_repository,
        const Registration& the_registration, Inventory& the_inventory, DccIdentity the_identity,
        WanSend the_wan, UserSend the_user, UserSendMany the_user_many)
      : world(the_world),
        store(the_store),
        parties(the_parties),
        repository(the_repository),
        registration(the_registration),
        inventory(the_inventory),
        identity(std::move(the_identity)),
        wan(std::move(the_wan)),
        user(std::move(the_user)),
        user_many(std::move(the_user_many)),
        products(the_world, the_store, the_repository) {}

  const World& world;
  storage::Store& store;
  const smki::RegistrationAuthority& parties;
  const smki::Repository& repository;
  const Registration& registration;
  Inventory& inventory;
  DccIdentity identity;
  WanSend wan;
  UserSend user;
  UserSendMany user_many;
  CosChange cos_change;
  FirmwareSend firmware_send;
  Products products;
  std::shared_ptr<const gbcs::TemplateSet> templates = gbcs::TemplateSet::built_in();
  std::atomic<std::uint64_t> next_command{1}, next_response{1}, next_alert{1};
  struct Pause {
    std::int64_t seconds = 0;  // twice as long each time
    UtcTime since;
    void lengthen(UtcTime now, std::uint64_t most);
    bool is_on(UtcTime now) const;
  };
  // Where a user takes responses. One lane at a time serves it.
  struct Endpoint {
    bool busy = false;
    bool slow = true;  // until it has shown that it is not
    Pause pause;
    UtcTime next_hold_look;
  };
  std::mutex endpoints_mutex;
  std::map<Eui64, Endpoint> endpoints;
  Eui64 last_delivered;
  std::size_t slow_busy = 0;            // lanes that serve slow ones
  std::vector<Eui64> last_commanded;    // by class, send_commands only
  std::map<Eui64, Pause> out_of_reach;  // devices whose commands are held, send_commands only
  UtcTime last_reach_look;              // send_commands only
  struct AlertLane {
    std::map<Eui64, Pause> pauses;
    Eui64 last_served;
  };
  std::array<AlertLane, kAlertLanes> alert_lanes;  // each of its thread only
  UtcTime next_expiry_look;
  std::atomic<std::int64_t> response_timeout_seconds{
      static_cast<std::int64_t>(limit("device_response_timeout_seconds"))};

  struct Tally {
    std::atomic<std::uint64_t> accepted{0}, refused{0}, sent{0}, answered{0}, delivered{0},
        timed_out{0}, disbelieved{0}, alerts{0};
  } tally;

  // intake.cc
  Result<duis::ServiceResponse> handle(ServiceUrl url, const xml::Document& document,
                                       std::string_view octets, TraceId trace,
                                       std::optional<duis::ServiceRequest>& read);
  void journal_refusal(const Refusal& refusal, const std::optional<duis::ServiceRequest>& request,
                       TraceId trace);
  duis::ServiceResponse answer_to(const duis::ServiceRequest& request, std::string code) const;
  std::string signed_document(const duis::ServiceResponse& response) const;
  // The role in which a request that was accepted before may go on now.
  Result<UserRole> judge_again(const duis::ServiceRequest& request, ServiceUrl url,
                               const Device& device) const;

  // commands.cc
  Result<duis::ServiceResponse> handle_transform(const duis::ServiceRequest& request,
                                                 const Device& device, TraceId trace);
  Result<duis::ServiceResponse> handle_command(const Order& order);
  Result<gbcs::Message> signed_command(const duis::ServiceRequest& request);
  // `trial`: whether it can be made; no counter is reserved and no MAC added.
  Result<Command> make_command(const Order& order, bool trial);
  Result<Command> transformed_command(const Order& order, bool trial);
  Result<Command> cos_command(const Order& order, bool trial);
  Result<crypto::SharedSecret> broker_secret(Eui64 device);
  // The request is new: its id must be unused.
  void add_acceptance(storage::Batch& batch, const duis::ServiceRequest& request, ServiceUrl url,
                      const RequestRecord& record, TraceId trace) const;
  // Makes the command and adds all that follows from it: what waits for the WAN or was handed to
  // the user, the deadline, the facts.
  Result<Command> add_command(storage::Batch& batch, const Order& order);
  void add_end(storage::Batch& batch, BytesView key, RequestRecord record, std::string_view code,
               TraceId trace) const;
  // Above every counter that this originator was given before, also by an earlier process.
  Result<OriginatorCounter> reserve_counter(Eui64 originator, std::uint64_t at_least);

  // deferral.cc
  Result<duis::ServiceResponse> defer(const Order& order, Deferred::Why why, UtcTime due,
                                      const std::optional<Bytes>& predecessor,
                                      const std::optional<Anomaly>& anomaly);
  Status room_to_wait(Eui64 originator);
  Status room_in_queues(const duis::ServiceRequest& request);
  Result<duis::ServiceResponse> cancel_dated(const Order& order);
  // What an accepted request waits for next, beginning after `done`.
  struct Wait {
    Deferred::Why why = Deferred::Why::dated;
    UtcTime due;
    std::optional<Bytes> predecessor;
  };
  Result<std::optional<Wait>> wait_of(const duis::ServiceRequest& request,
                                      std::optional<Deferred::Why> done) const;
  // With what else is to happen in the same batch.
  void release(BytesView key, const Bytes& row, const storage::Batch& also);
  void refuse_deferred(BytesView key, const Bytes& row, const Refusal& refusal,
                       storage::Batch also);
  void release_followers(BytesView predecessor);
  bool release_due();

  // quarantine.cc
  std::optional<Anomaly> judge_anomaly(const Order& order);
  void add_counts(storage::Batch& batch, const Order& order);
  void add_quarantined(storage::Batch& batch, const duis::ServiceRequest& request,
                       const Anomaly& anomaly, TraceId trace);
  void note_taken(std::uint64_t number, TraceId trace);
  void load_anomalies();
  void forget_counts();

  // outbound.cc
  std::vector<QueueRow> next_commands();
  bool return_held(UtcTime now);
  // Whether the command may leave this table: it was handed over, or its request has ended.
  enum class Sending { sent, ended, held };
  Sending send_command(storage::Batch& batch, const QueueRow& row, UtcTime now, int& faults);

  // delivery.cc
  struct Claim {
    Eui64 user;
    std::string url;  // empty: only what was held too long is put aside
    bool slow = false;
  };
  std::optional<Claim> claim_user();
  std::optional<Claim> claim_of(Eui64 user, Endpoint& endpoint, UtcTime now);
  void release_user(const Claim& claim);
  bool serve_user(const Claim& claim);
  bool expire_responses(Eui64 user_id, UtcTime now);

  // schedules.cc
  Status accept_at_once(storage::Batch batch, const duis::ServiceRequest& request, TraceId trace);
  Result<duis::ServiceResponse> handle_non_device(const duis::ServiceRequest& request,
                                                  TraceId trace);
  Result<duis::ServiceResponse> create_schedule(const duis::ServiceRequest& request, TraceId trace);
  Result<duis::ServiceResponse> read_schedules(const duis::ServiceRequest& request, TraceId trace);
  Result<duis::ServiceResponse> delete_schedules(const duis::ServiceRequest& request,
                                                 TraceId trace);
  Result<std::vector<Schedule>> asked_schedules(const duis::ServiceRequest& request) const;
  void add_schedule_end(storage::Batch& batch, const Schedule& schedule, TraceId trace) const;
  bool run_schedules();
  bool run_schedule(const Schedule& schedule, const Bytes& row);

  // inventory_services.cc
  Status check_supplies(const duis::ServiceRequest& request, const Device& device) const;
  Result<Device> named_device(const duis::ServiceRequest& request) const;
  Result<duis::ServiceResponse> read_inventory(const duis::ServiceRequest& request, TraceId trace);
  Result<duis::ServiceResponse> decommission(const duis::ServiceRequest& request, TraceId trace);
  Result<duis::ServiceResponse> update_inventory(const duis::ServiceRequest& request,
                                                 TraceId trace);
  Result<duis::ServiceResponse> pre_notify(const duis::ServiceRequest& request, TraceId trace);
  Result<duis::ServiceResponse> move_hub(const duis::ServiceRequest& request, TraceId trace);
  Result<duis::ServiceResponse> wan_matrix(const duis::ServiceRequest& request, TraceId trace);
  Result<duis::ServiceResponse> move_device(const duis::ServiceRequest& request,
                                            const std::vector<InventoryEvent>& events,
                                            storage::Batch also, TraceId trace);

  // firmware.cc
  Result<duis::ServiceResponse> distribute_firmware(const duis::ServiceRequest& request,
                                                    TraceId trace);
  bool advance_firmware();
  bool send_blocks(Eui64 device, const Bytes& row, storage::Batch& batch);
  void add_firmware_end(storage::Batch& batch, Eui64 device, const std::string& request_id,
                        const std::string& version, bool delivered, TraceId trace);
  bool forget_images();
  // own.cc
  Status on_own_answer(const gbcs::Message& message, BytesView octets, BytesView key,
                       const Bytes& stored, TraceId trace);
  void expire_own(BytesView key, const Bytes& value);
  OwnCommands* own_commands = nullptr;

  // local.cc
  Result<duis::ServiceResponse> return_local_response(const duis::ServiceRequest& request,
                                                      TraceId trace);

  // inbound.cc
  Status disbelieve(BytesView octets, const Refusal& refusal, TraceId trace);
  // A message that is no alert.
  Status on_other(const gbcs::Message& message, BytesView octets, TraceId trace);
  Status on_answer(const gbcs::Message& message, BytesView octets, TraceId trace);
  // expiry.cc
  struct Late {
    storage::Table table;
    Bytes key, row;
  };
  bool expire(const std::vector<Late>& late);
  void add_expiry(storage::Batch& batch, const Late& late);
  void add_due_rows();
  Status check_device(const gbcs::Message& message);
  // The device's answer as its user receives it.
  duis::ServiceResponse answer_of(const gbcs::Message& message, BytesView octets,
                                  BytesView request_key, const RequestRecord& record,
                                  std::uint64_t schedule) const;
  // effects.cc
  // What an answer means for the DCC's own records: inventory, alerts.
  storage::Batch effects_of(const gbcs::Message& message, const RequestRecord& record,
                            const duis::RequestId& id, TraceId trace);
  void add_supplier_changed(storage::Batch& batch, const Device& device, const std::string& losing,
                            TraceId trace);
  // `expected`: the user changed it.
  void add_firmware_read(storage::Batch& batch, const std::string& read, const Device& device,
                         Eui64 asker, bool expected, TraceId trace);
  void add_response(storage::Batch& batch, Eui64 to, const duis::ServiceResponse& response,
                    TraceId trace, std::uint64_t quarantine = 0);
  void add_dcc_alert(storage::Batch& batch, Eui64 to, std::string_view code, xml::Element content,
                     TraceId trace, DccAlertExtra extra = {});

  // alert_arrival.cc
  void verify_alerts(const AlertGroup& group);
  void commit_alerts(const AlertGroup& group);
  bool close_consolidations();

  // alert_delivery.cc
  duis::ServiceResponse alert_document(Eui64 to, const AlertOut& alert) const;
  std::vector<std::string> alert_documents(Eui64 to, std::span<const AlertOut* const> alerts) const;
  bool expire_alerts(Octet lane, Eui64 to, UtcTime now);

  DeviceKeys device_keys{repository, limit("alert_keys_cached_max")};
  AlertIntake alert_intake{[this](const AlertGroup& group) { verify_alerts(group); },
                           [this](const AlertGroup& group) { commit_alerts(group); },
                           limit("alert_group_max")};
  Signers signers;
  std::mutex counters_mutex;
  struct Reserved {
    std::uint64_t next = 0, end = 0;
  };
  std::map<Eui64, Reserved> counters;
  std::mutex anomalies_mutex;
  std::map<Eui64, AnomalyFile> anomaly_files;  // of users and, under 0, the DCC's lodged one
  AnomalyCounts anomaly_counts;
  std::atomic<std::uint64_t> next_quarantine{1};
  UtcTime next_forgetting;    // expiry pump only
  std::mutex firmware_mutex;  // of asking and forgetting: an image that is asked for stays
  Eui64 last_firmware;        // send_commands only
  Room deferred_room, command_room, response_room;
  std::mutex schedules_mutex;  // of creating: two at once must not pass the limit together
  std::atomic<bool> followers_swept{false};
  std::mutex secrets_mutex;
  std::map<Eui64, std::pair<CertificateSerial, crypto::SharedSecret>>
      secrets;  // with the device's latest key agreement certificate
};

// The inventory's answers to the template engine.
class InventoryFacts final : public gbcs::Facts {
 public:
  // `number`: of the customer, for 9.1 only.
  InventoryFacts(const Inventory& inventory, const smki::Repository& repository, Device device,
                 std::string number = {})
      : inventory_(inventory),
        repository_(repository),
        device_(std::move(device)),
        number_(std::move(number)) {}
  Result<int> device_type_code(Eui64 device) const override;
  Result<Bytes> key_agreement_certificate(Eui64 device) const override;
  Result<std::string> named(std::string_view name) const override;
  Result<RemotePartyRole> role_of(Eui64 party) const override;
  // "gpf-log": the gas devices on the hub.
  Result<Rows> rows(std::string_view name) const override;

 private:
  const Inventory& inventory_;
  const smki::Repository& repository_;
  Device device_;
  std::string number_;
};

}  // namespace wattseal::gateway
