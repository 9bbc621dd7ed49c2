// Everything an emulated device is, and how its parts stand together: device.cc checks what arrives
// and lets answers leave, security.cc executes what changes keys, joins and firmware, alerts.cc
// says what happened. Private to emulators.
#pragma once
#include "emulators/meter.h"
#include "emulators/trust.h"
#include "gbcs/security.h"

namespace wattseal::emulators {

struct EmulatedDevice::State {
  State(const World& outside, DeviceIdentity who, const Misbehaviour& wrong);

  const World& world;
  DeviceIdentity identity;
  Anchors trust;
  ElectricityObjects electricity;
  GasObjects gas;
  Meter meter;
  Misbehaviour misbehaviour;
  std::map<Eui64, OriginatorCounter> last_counters = {};
  std::uint64_t next_alert = 0;
  std::vector<SecurityLogEntry> log = {};
  std::vector<Dated> dated = {};  // by commands in `dated_by`
  std::map<Bytes, gbcs::Message> dated_by = {};
  std::vector<std::pair<UtcTime, gbcs::Message>> later = {};  // credentials and firmware
  std::vector<std::pair<UtcTime, Bytes>> delayed = {};        // answers of a slow device
  std::vector<Bytes> to_send = {};                            // alerts for the next tick
  std::map<Bytes, crypto::SharedSecret> secrets = {};         // by the peer's point
  struct Image {
    crypto::Digest hash;
    Bytes version;
  };
  std::optional<Image> image;
  std::map<KeyUse, crypto::KeyHandle> new_keys = {};  // asked to be certified
  std::map<KeyUse, Bytes> certificates = {};          // of the device itself
  UtcTime clock_set;                                  // drift counts from here
  UtcTime events_read;                                // what the power was lost at

  UtcTime now() const;
  bool speaks_dlms() const;
  const crypto::SharedSecret& secret_with(const crypto::PublicPoint& peer);
  bool happens(unsigned per_cent) const;

  // device.cc
  struct Accepted {
    const UseCaseRow* row = nullptr;
    RemotePartyRole role = RemotePartyRole::supplier;
  };
  Result<Accepted> check(const gbcs::Message& command);
  Result<RemotePartyRole> role_for(const gbcs::Message& command, const UseCaseRow& row) const;
  Status check_counter(const gbcs::Message& command, const UseCaseRow& row) const;
  Status check_protection(const gbcs::Message& command, const UseCaseRow& row,
                          RemotePartyRole role);
  const UseCaseRow* use_case_of(const gbcs::Message& command) const;
  struct Reader {
    Eui64 party;
    const crypto::SharedSecret* secret = nullptr;  // null: nobody to seal for
  };
  Result<Reader> reader_of(const gbcs::Message& command, RemotePartyRole role);
  Result<TopUp> check_top_up(Eui64 supplier, std::string_view digits);
  Result<Bytes> execute(const gbcs::Message& command, const Accepted& accepted);
  gbcs::Message response_to(const gbcs::Message& command, Bytes payload, bool with_time) const;
  std::vector<Bytes> receive(BytesView octets);
  std::vector<Bytes> refuse(const Refusal& refusal, const gbcs::Message* command);
  std::vector<Bytes> answer(const gbcs::Message& command, const Accepted& accepted, Bytes payload);
  std::vector<Bytes> leave(Bytes message);  // through what the misbehaviour does to it
  std::vector<Bytes> tick();
  void note(const Refusal& refusal);

  // security.cc: nothing when the message code is no security command
  std::optional<Result<Bytes>> execute_security(const gbcs::Message& command,
                                                const UseCaseRow& row);
  Result<Bytes> update_credentials(const gbcs::Message& command);
  Result<Bytes> read_credentials(const gbcs::Message& command) const;
  Result<Bytes> make_request(BytesView payload);
  Result<Bytes> take_certificate(BytesView payload);
  Result<Bytes> read_certificate(BytesView payload) const;
  Result<Bytes> join(BytesView payload);
  Result<Bytes> unjoin(BytesView payload);
  Result<Bytes> set_clock(BytesView payload);
  Result<Bytes> restore_log(BytesView payload);
  Result<Bytes> activate_firmware(const gbcs::Message& command, bool at_once);
  bool install(const crypto::Digest& hash);
  bool adjust_clock(UtcTime wanted);
  void adopt(const TrustStore::Outcome& outcome);

  // alerts.cc
  struct AlertDetail {
    std::vector<cosem::Value> values = {};  // of electricity meters and hubs
    Bytes rest = {};                        // of the others
  };
  Bytes alert(gbcs::MessageCode code, std::uint16_t alert_code, Eui64 recipient,
              const AlertDetail& detail, bool is_signed = true);
  AlertDetail octets_detail(BytesView octets) const;
  std::optional<Eui64> alert_recipient() const;
  void raise(std::string_view event);  // as data/device_alerts.tsv has it
  void raise_events();                 // those of the meter
  Bytes device_log_alert(Eui64 recipient);
  Bytes asn1_alert(const gbcs::Message& command, gbcs::MessageCode code, Bytes payload);
  std::vector<Bytes> carry_out(const Dated& due);
  std::vector<Bytes> carry_out(const gbcs::Message& due);
  Bytes update_alert(const gbcs::Message& command, BytesView outcome);
  OriginatorCounter alert_counter();
};

}  // namespace wattseal::emulators
