// Recovery from the compromise of keys on devices: takes a case from its notice to its end, and
// carries its order out through the gateway: commands to every device that is reached, retries for
// those that do not answer, statuses Recovery and Recovered in the inventory. What devices hold is
// kept as they answer (¶53, V-12), so that how far an order reaches is known before it is given.
// Durable when a call returns; what is under way goes on after any interruption, but for the
// contingency key's symmetric key, which is stored nowhere and must be given again. Threads: calls
// from any; work() from one. Rules: recovery-*, office-person. Source: L10; ¶67 to ¶69; 3.6;
// spec/smki.md 6; docs/flows/recovery.md.
#pragma once
#include <mutex>
#include <set>

#include "gateway/gateway.h"
#include "recovery/cases.h"
#include "smki/repository.h"

namespace wattseal::recovery {

// A decision of the PMA on the use of a recovery or contingency key.
struct PmaDecision {
  DecisionId id = 0;
  std::string factors, votes;  // as they were recorded
  UtcTime at;
};
class PmaDecisions {
 public:
  virtual ~PmaDecisions() = default;
  // The decision, if it was carried, stands, is of the kind ("use-recovery-key" or
  // "use-contingency-key") and about exactly `subject` ("recovery-case/7").
  virtual Result<PmaDecision> approved(DecisionId id, std::string_view kind,
                                       std::string_view subject) const = 0;
};
std::string subject_of(CaseNumber number);

// How a run goes; limits recovery_* unless said otherwise.
struct Pace {
  Pace();
  std::uint64_t in_flight, attempts_max;
  std::chrono::seconds answer, retry;
};

struct Notice {
  std::string compromise;  // row of recovery_compromises.tsv
  std::optional<Eui64> party;
  std::vector<CertificateSerial> certificates;  // compromised ones; none: all of the party's
  std::string evidence;
};
struct Choice {
  std::string method;
  std::optional<Eui64> beneficiary;  // whose certificates come; absent: the party itself
  // What goes where. Cells without one: the beneficiary's newest of the role and use.
  std::map<Slot, CertificateSerial> certificates;
  std::vector<CertificateSerial> path;  // beside the issuing authorities of the certificates
  std::string evidence;
};

// How many devices an order or a notice reaches.
struct Radius {
  std::uint64_t devices = 0;  // that hold what is meant
  std::uint64_t unknown = 0;  // in the inventory, and nobody knows what they hold
  std::uint64_t away = 0;     // in a status in which they cannot be expected to answer
  std::map<std::string, std::uint64_t> by_slot, by_type, by_status, by_supplier;
  double hours = 0;  // by limit recovery_devices_per_hour
};

class Recovery final : public gateway::OwnCommands {
 public:
  struct Parts {
    const World& world;
    storage::Store& store;
    crypto::KeyStore& keys;
    const smki::Office& office;
    const smki::Repository& repository;
    const gateway::Inventory& inventory;
    const PmaDecisions& decisions;
    Eui64 recovery, broker;  // parties of the DCC
  };
  // Refuses key-*: the key recovery.record is made when it is missing.
  static Result<std::unique_ptr<Recovery>> open(const Parts& parts, Pace pace = {});
  void connect(gateway::Gateway& gateway);  // before the first work()

  // Opens a case. Refuses recovery-notice, and what check_taker() refuses, as all steps do.
  Result<Case> report(const Notice& notice, const smki::Actor& actor, TraceId trace);
  // acknowledge, confirm, reject, withdraw, revise, pause, resume, verify, retry, close. Refuses
  // recovery-step, recovery-evidence; verify: recovery-pending while devices are under way.
  Result<Case> step(CaseNumber number, std::string_view event, std::string_view evidence,
                    const smki::Actor& actor, TraceId trace);
  // Fixes method and order. Refuses recovery-method, recovery-certificate, recovery-key,
  // recovery-reach (no device is reached).
  Result<Case> choose(CaseNumber number, const Choice& choice, const smki::Actor& actor,
                      TraceId trace);
  // The PMA's decision; refuses what PmaDecisions refuses.
  Result<Case> decide(CaseNumber number, DecisionId decision, const smki::Actor& actor,
                      TraceId trace);
  // The custodians' act order-recovery; refuses recovery-act unless it is done, has not lapsed, and
  // is about exactly this case and order.
  Result<Case> assemble(CaseNumber number, smki::ActId act, const smki::Actor& actor,
                        TraceId trace);
  // Begins. `envelope`: the contingency symmetric key, with the contingency method alone; refuses
  // recovery-envelope when it does not open the root that the devices hold.
  Result<Case> execute(CaseNumber number, std::string_view evidence, BytesView envelope,
                       const smki::Actor& actor, TraceId trace);
  // The envelope again, after a restart.
  Status open_envelope(CaseNumber number, BytesView envelope);
  bool waits_for_envelope(CaseNumber number) const;

  // Refuses recovery-note.
  Result<Note> note(const Note& what, const smki::Actor& actor, TraceId trace);

  // Of what is notified, or of an order.
  Radius radius(const Reach& reach) const;
  Radius radius(const Order& order) const;
  Reach reach_of(const Case& one) const;

  // What devices hold, as they were installed or read. All of them hold the same.
  Status know(const std::vector<Eui64>& devices, const Holdings& holdings, TraceId trace);

  // A bounded amount of work; whether there was any.
  bool work();
  Pace pace() const { return pace_; }
  crypto::PublicPoint record_key() const { return record_key_->public_point(); }
  const storage::Reader& reader() const { return parts_.store; }
  UtcTime now() const { return parts_.world.now(); }

  void answered(storage::Batch& batch, const gbcs::Message& answer, TraceId trace) override;
  void unanswered(storage::Batch& batch, const Waiting& command, TraceId trace) override;
  void seen(storage::Batch& batch, const gbcs::Message& answer, TraceId trace) override;

 private:
  // Who is found in which cells of the devices that are reached, with which keys.
  using Found = std::map<std::pair<Slot, Eui64>, std::set<std::array<Octet, 8>>>;
  Found found(const Reach& reach) const;
  Recovery(const Parts& parts, Pace pace, crypto::KeyHandle record_key)
      : parts_(parts), pace_(pace), record_key_(std::move(record_key)) {}

  // A step under way.
  struct Taking {
    Case before;
    const StepRow* row = nullptr;
    FactWriter fact;
    storage::Batch batch = {};
  };
  Result<Taking> begin(CaseNumber number, std::string_view event, std::string_view evidence,
                       const smki::Actor& actor, TraceId trace) const;
  Result<Case> finish(Taking taking) const;
  // Appends the fact and does what it does.
  void add(storage::Batch& batch, BytesView fact) const;

  Status check_notice(const Notice& notice) const;
  Result<std::vector<Replacement>> cells_of(const Case& one, const MethodRow& method,
                                            const Choice& choice, const Found& found) const;
  Result<Bytes> certificate_for(const Slot& slot, Eui64 party, RemotePartyRole role) const;
  Result<std::vector<Bytes>> path_of(const std::vector<Replacement>& cells,
                                     const Choice& choice) const;
  Result<Order> order_of(const Case& one, const Choice& choice) const;
  Result<std::string> label_of(const std::array<Octet, 8>& key) const;
  // The contingency private key that the root of the devices hides, by the envelope.
  Result<crypto::KeyHandle> contingency_key(const Order& order, BytesView envelope) const;
  Result<crypto::KeyHandle> signer_of(const Order& order, const MethodRow& method) const;
  Status check_act(const Case& one, smki::ActId act) const;
  Status settle(const Case& one, std::string_view event, Taking& taking) const;
  Status release(const Case& one, TraceId trace) const;
  void each_reached(const std::function<bool(Eui64, const Holdings&)>& visit, Eui64 from) const;

  bool enlist(const Case& one);
  bool send(const Case& one);
  std::vector<Eui64> due_devices(CaseNumber number, std::size_t most) const;
  struct Dispatch;
  void add_command(storage::Batch& batch, const Dispatch& dispatch, Eui64 device) const;
  FactWriter moved(CaseNumber number, const Progress& progress, TraceId trace) const;
  std::optional<std::pair<Case, Progress>> waiting_for(Eui64 device,
                                                       OriginatorCounter counter) const;
  void add_event(storage::Batch& batch, Eui64 device, DeviceStatus only_from, const char* event,
                 TraceId trace) const;
  void require_holdings(storage::Batch& batch, Eui64 device) const;
  void again_or_failed(storage::Batch& batch, CaseNumber number, Progress progress, std::string why,
                       TraceId trace) const;

  const Parts parts_;
  const Pace pace_;
  const crypto::KeyHandle record_key_;
  gateway::Gateway* gateway_ = nullptr;
  mutable std::mutex mutex_;
  std::map<CaseNumber, Bytes> envelopes_;  // contingency symmetric keys
};

}  // namespace wattseal::recovery
