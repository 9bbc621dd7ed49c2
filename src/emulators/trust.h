// The trust anchor cells of a device and the one command that changes them, Update Security
// Credentials (CS02b), in all its modes. Private to emulators. Source: spec/smki.md 6.3,
// spec/gbcs-duis.md 2.4.
#pragma once
#include "asn1/der.h"
#include "emulators/device.h"

namespace wattseal::emulators {

// An Organisation Certificate as a cell holds it. A root has no party.
struct Credential {
  x509::Certificate certificate;
  Eui64 party;
  RemotePartyRole role = RemotePartyRole::supplier;
  KeyUse use = KeyUse::digital_signature;
};
Result<Credential> read_credential(BytesView der);  // refuses device-credentials

class TrustStore {
 public:
  // Refuses device-credentials when a cell does not fit its certificate or does not chain to the
  // anchors.
  static Result<TrustStore> make(const std::vector<Bytes>& anchors,
                                 const std::map<Cell, Bytes>& cells, UtcTime now);

  const Credential* find(const Cell& cell) const;  // null when the device has no such cell
  std::vector<RemotePartyRole> roles_of(Eui64 party) const;  // empty when it is in no cell
  std::vector<Cell> cells_of(RemotePartyRole role) const;
  const Credential* of_role(RemotePartyRole role, KeyUse use) const {
    return find({role, use, false});
  }
  std::vector<EmulatedDevice::HeldCredential> held() const;
  // A certificate that travelled in a message, for a party without a cell. Refuses
  // device-credentials.
  Result<Credential> check_travelling(BytesView der, UtcTime now) const;
  // Who authorises an update by its message code; nothing for the contingency key.
  static std::optional<RemotePartyRole> authoriser_of(std::uint16_t code);
  // The last resort's key, by the symmetric key in a command's payload. Refuses
  // gbcs-signature-mismatch.
  Result<crypto::PublicPoint> contingency_key(BytesView payload) const;
  // What CS02a and CS02f tell of one role.
  void write_cells(asn1::Writer& writer, RemotePartyRole role, unsigned index) const;

  // Executes the payload of a CS02b command: replaces what can be replaced.
  struct Outcome {
    Bytes payload;                      // of the response
    std::optional<UtcTime> execute_at;  // when it is later: nothing was changed, try again then
    std::vector<std::pair<Eui64, OriginatorCounter>> floors;  // new least counters, by party
    std::optional<OriginatorCounter> prepayment_floor;
  };
  Result<Outcome> update(const gbcs::Message& command, UtcTime now, bool at_once);

 private:
  struct Update;
  Result<Update> read_update(BytesView payload) const;
  unsigned replace(const Update& update, const Cell& cell, BytesView der, Eui64 sender,
                   UtcTime now);
  unsigned replace_root(const Update& update, Credential credential);
  void write_floors(asn1::Writer& writer, const Update& update, RemotePartyRole role) const;
  Status chains(const x509::Certificate& certificate, const std::vector<x509::Certificate>& path,
                UtcTime now, x509::TimeCheck time) const;

  std::vector<x509::Certificate> anchors_;  // the first is the root
  std::map<Cell, std::shared_ptr<const Credential>> cells_;
};

}  // namespace wattseal::emulators
