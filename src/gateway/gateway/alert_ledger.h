// What one commit does about alerts: which are new, which are delivered, which held back. Rows of
// tables alerts_out, alert_senders and alert_consolidations, and the facts that go with them.
// Private to gateway. One ledger at a time (AlertIntake sees to it).
#pragma once
#include "gateway/gateway/alert_intake.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {

// An alert that waits for its user.
struct AlertOut {
  enum class Kind : Octet { device = 1, outage = 2 };
  Kind kind = Kind::device;
  Eui64 device;  // or hub
  OriginatorCounter counter;
  TraceId trace;
  UtcTime at;                       // when it came
  Bytes message;                    // of a device
  std::uint64_t consolidation = 0;  // the alert stands for `count` of this consolidation
  std::uint64_t count = 0;
  UtcTime since;            // of an outage
  std::string meter_point;  // of an outage
  Bytes encode() const;
  static AlertOut decode(BytesView octets);
};
Octet alert_lane(Eui64 device);
std::string alert_code(BytesView payload);

// What is remembered of a device's alerts to one user.
struct Sender {
  struct Period {
    std::string code;
    UtcTime start;
    std::uint64_t count = 0, consolidation = 0;  // 0: none is open
  };
  std::vector<std::uint64_t> counters;  // of the last alerts, to know one that comes again
  std::vector<Period> periods;
  Bytes encode() const;
  static Sender decode(BytesView octets);
};

class AlertLedger {
 public:
  explicit AlertLedger(Gateway::State& state);
  void take(const InboundAlert& alert);
  // Which users are told of which meter points; nothing when it was reported before.
  struct Told {
    Eui64 user;
    std::string meter_point;
  };
  void take(const Outage& outage, const std::vector<Told>& told, TraceId trace);
  void close_due(std::size_t most);  // consolidations whose time is over
  bool commit();                     // false: there was nothing to do

 private:
  Sender& sender_of(Eui64 device, Eui64 user);
  Consolidation& consolidation_of(Eui64 user, std::uint64_t number);
  bool is_new(Sender& sender, std::uint64_t counter);
  Sender::Period& period_of(Sender& sender, Eui64 user, const std::string& code,
                            const AlertThreshold& threshold);
  void deliver(Eui64 user, const AlertOut& alert);
  std::uint64_t begin(const InboundAlert& alert, const std::string& code,
                      const AlertThreshold& threshold, const Sender::Period& period);
  void hold_back(const InboundAlert& alert, const std::string& code, std::uint64_t number);
  void close(Eui64 user, std::uint64_t number);
  void journal(const InboundAlert& alert, const std::string& code, std::uint64_t number);

  Gateway::State& state_;
  const UtcTime now_;
  storage::Batch batch_;
  std::map<std::pair<Eui64, Eui64>, Sender> senders_;  // changed ones, by device and user
  std::map<std::pair<Eui64, std::uint64_t>, Consolidation> consolidations_;
  std::map<std::pair<Eui64, std::uint64_t>, Bytes> last_held_;  // of consolidations
  std::uint64_t taken_ = 0, next_number_ = 0;
};

// Keys of alert_consolidations.
Bytes consolidation_key(Eui64 user, std::uint64_t number);
Bytes held_back_key(Eui64 user, std::uint64_t number, OriginatorCounter counter);
Bytes consolidation_due_key(UtcTime due, Eui64 user, std::uint64_t number);
inline constexpr std::string_view kNextConsolidation = "next_consolidation";

}  // namespace wattseal::gateway
