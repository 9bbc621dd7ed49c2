// An emulated device: verifies what a real one verifies, acts, and answers. ESME, GSME, CHF and
// GPF. It shares no code with the gateway; it knows its own keys and the Organisation Certificates
// in its trust anchor cells, and nothing else. Sans-I/O: octets in, octets out; the caller moves
// them. One thread at a time per device. What it checks, in order: envelope, target is itself,
// message code known for its type, role of the originator may send that code, counter above the
// last one (where the use case is protected against replay), MAC of the access control broker,
// signature of the originator for critical commands. A failed check has no effect but a security
// log entry and, where the table says so, an alert. Source: spec/gbcs-duis.md 1.11, 2.2-2.6;
// spec/smki.md 6.3 (trust anchor cells).
#pragma once
#include <map>

#include "base/world.h"
#include "crypto/keys.h"
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

struct DeviceIdentity {
  Eui64 id;
  DeviceType type = DeviceType::esme;
  crypto::KeyHandle signing, agreement;
  std::vector<Bytes> anchors;   // root and issuing OCA certificates, DER
  std::map<Cell, Bytes> cells;  // Organisation Certificates, DER
};

struct SecurityLogEntry {
  UtcTime at;
  std::string rule, detail;
};

class EmulatedDevice {
 public:
  // Refuses device-credentials when a cell does not parse or does not chain to the anchors.
  static Result<std::unique_ptr<EmulatedDevice>> make(const World& world, DeviceIdentity identity);
  ~EmulatedDevice();

  Eui64 id() const;
  DeviceType type() const;
  // The answers and alerts that leave the device, in order; empty when the message is not for this
  // device or not believed silently.
  std::vector<Bytes> receive(BytesView message);
  // Time has passed: changes that commands dated are made, and the alerts that say so leave.
  std::vector<Bytes> tick();
  const std::vector<SecurityLogEntry>& security_log() const;  // the last 1,000

  // For the demo and tests: what the meter shows.
  struct Display {
    std::string payment_mode;             // "credit" or "prepayment"
    std::uint64_t import_watt_hours = 0;  // electricity; for gas: litres
    std::int64_t balance_millipence = 0;
  };
  Display display() const;
  void consume(std::uint64_t watt_hours_or_litres);  // energy goes through the meter
  struct State;

 private:
  explicit EmulatedDevice(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace wattseal::emulators
