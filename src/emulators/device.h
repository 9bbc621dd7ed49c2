// An emulated device: verifies what a real one verifies, acts, and answers. ESME (single, twin,
// polyphase), GSME, CHF, GPF, PPMID, HCALCS. It shares no code with the gateway; it knows its own
// keys and the Organisation Certificates in its trust anchor cells, and nothing else. Sans-I/O:
// octets in, octets out; the caller moves them. One thread at a time per device. What it checks, in
// order: envelope, target is itself, message code known for its type, role of the originator may
// send that code, counter above the last one (where the use case is protected against replay), MAC
// of the access control broker, signature of the originator for critical commands. A failed check
// has no effect but a security log entry and, where the table says so, an alert. What it can be
// asked for are rows (docs/emulators.md). Source: spec/gbcs-duis.md 1.11, 2.2-2.6; spec/smki.md 6.3
// (trust anchor cells).
#pragma once
#include <map>

#include "base/world.h"
#include "crypto/keys.h"
#include "emulators/misbehaviour.h"
#include "gbcs/message.h"
#include "terms/terms.h"
#include "x509/x509.h"

namespace wattseal::emulators {

// One trust anchor cell: role, use and, for prepayment, the second key agreement cell of the
// supplier.
struct Cell {
  RemotePartyRole role = RemotePartyRole::supplier;
  KeyUse use = KeyUse::digital_signature;
  bool prepayment = false;
  friend auto operator<=>(const Cell&, const Cell&) = default;
};

// What stands in the trust anchor cells when a device leaves the factory: parsed and checked once,
// shared by all devices that have the same.
class TrustStore;
using Anchors = std::shared_ptr<const TrustStore>;
// anchors: root and issuing OCA certificates, DER; cells: Organisation Certificates, DER. Refuses
// device-credentials when a cell does not parse, does not fit its certificate or does not chain to
// the anchors.
Result<Anchors> check_anchors(const std::vector<Bytes>& anchors, const std::map<Cell, Bytes>& cells,
                              UtcTime now);

enum class Variant : Octet { single, twin, polyphase };  // of electricity meters

// A device of the home network in another's list.
struct Joined {
  Eui64 device;
  unsigned type = 0;           // as GBCS counts them: 0 GSME, 1 ESME, 2 CHF, …
  Bytes key_hash = Bytes(16);  // of its link key; hubs only
};

struct DeviceIdentity {
  Eui64 id;
  DeviceType type = DeviceType::esme;
  crypto::KeyHandle signing, agreement;
  Anchors anchors;
  Variant variant = Variant::single;
  std::vector<Joined> joined = {};
};

struct SecurityLogEntry {
  UtcTime at;
  std::string rule, detail;
};

class EmulatedDevice {
 public:
  static std::unique_ptr<EmulatedDevice> make(const World& world, DeviceIdentity identity,
                                              const Misbehaviour& misbehaviour = {});
  ~EmulatedDevice();

  Eui64 id() const;
  DeviceType type() const;
  // The answers and alerts that leave the device, in order; empty when the message is not for this
  // device or not believed silently.
  std::vector<Bytes> receive(BytesView message);
  // Time has passed: changes that commands dated are made, days are charged, logs filled, and the
  // alerts that say so leave; answers of a slow device leave when their time has come.
  std::vector<Bytes> tick();
  std::vector<SecurityLogEntry> security_log() const;  // the last 1,000

  // Who stands in each of its trust anchor cells, the root's first: for comparing with what others
  // believe of it.
  struct HeldCredential {
    Cell cell;
    Eui64 party;  // of a root: zero
    Bytes key;    // subject key identifier
  };
  std::vector<HeldCredential> credentials() const;

  // For the demo and tests: what the meter shows.
  struct Display {
    std::string payment_mode;             // "credit" or "prepayment"
    std::uint64_t import_watt_hours = 0;  // electricity; for gas: litres
    std::int64_t balance_millipence = 0;
    std::string supply;                     // "enabled", "disabled" or "armed"
    std::int64_t emergency_millipence = 0;  // emergency credit that is left
    std::int64_t debt_millipence = 0;       // all debts together
    std::string firmware;                   // four octets, hexadecimal
    std::size_t joined = 0;                 // devices in its list
  };
  Display display() const;
  // What people do at the device. consume: energy goes through it, the alerts that follow leave
  // with the next tick. enter_top_up: digits typed on its keypad; refuses utrn-*. Pressing closes a
  // supply that is armed; false when it is not. activate_emergency: false when there is no reason.
  void consume(std::uint64_t watt_hours_or_litres);
  Status enter_top_up(std::string_view digits);
  bool press_enable();
  bool activate_emergency();
  // The power fails for so long; when it is back the device says so with the next tick.
  void lose_power(std::int64_t seconds);
  // An image that came over the home network. It is kept, its receipt told with the next tick, and
  // activated when a command names its SHA-256. At most 1 MiB; refuses device-firmware.
  Status take_firmware(BytesView image, const std::array<Octet, 4>& version);
  void misbehave(const Misbehaviour& misbehaviour);
  struct State;

 private:
  explicit EmulatedDevice(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace wattseal::emulators
