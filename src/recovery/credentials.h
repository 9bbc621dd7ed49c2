// Trust anchor cells as the DCC knows them: what stands in them, the command that replaces it
// (CS02b, Update Security Credentials, in the modes of a recovery) and the device's answer. Values
// and octets only. Rules: recovery-slot, recovery-answer. Source: spec/smki.md 6.3. Pure.
#pragma once
#include <map>

#include "base/time.h"
#include "terms/terms.h"

namespace wattseal::recovery {

// One trust anchor cell: role, use and, for prepayment, the second key agreement cell of the
// supplier.
struct Slot {
  RemotePartyRole role = RemotePartyRole::supplier;
  KeyUse use = KeyUse::digital_signature;
  bool prepayment = false;
  friend auto operator<=>(const Slot&, const Slot&) = default;
};
// "supplier/DS", "supplier/KA/prepayment", "root/DS"; refuses recovery-slot.
std::string text(const Slot& slot);
Result<Slot> parse_slot(std::string_view text);

// Whose certificate stands in a cell, by its subject key identifier. A root has no party.
struct Held {
  Eui64 party;
  std::array<Octet, 8> key{};
  friend bool operator==(const Held&, const Held&) = default;
};
using Holdings = std::map<Slot, Held>;
// 19 octets a cell: role, use, prepayment, party, key. Decoding throws Fault on other lengths.
Bytes encode(const Holdings& holdings);
Holdings decode_holdings(BytesView octets);
// Of a certificate for devices. Refuses recovery-certificate.
struct Installable {
  Held held;
  RemotePartyRole role = RemotePartyRole::supplier;
  KeyUse use = KeyUse::digital_signature;
};
Result<Installable> read_installable(BytesView der);

struct Replacement {
  Slot slot;
  std::optional<Eui64> instead_of;  // whose certificate it takes the place of; absent: anybody's
  Bytes certificate;                // DER
};
struct UpdateCommand {
  unsigned mode = 8;
  OriginatorCounter counter;
  std::optional<Slot> authoriser;  // absent in the contingency mode
  Bytes symmetric_key;             // the contingency mode alone
  std::vector<Replacement> replacements;
  std::vector<Bytes> path;  // certificates between the replacements and what devices trust, DER
};
Bytes write_update(const UpdateCommand& command);  // the payload of the message

struct CellOutcome {
  Slot slot;
  unsigned status = 0;  // 0: replaced
  Held before, after;
};
struct UpdateOutcome {
  OriginatorCounter counter;
  unsigned mode = 0;
  std::vector<CellOutcome> cells;
};
// The payload of the answer. Refuses recovery-answer, also for the answer that only says that the
// command is kept for later.
Result<UpdateOutcome> read_update_answer(BytesView payload);
bool is_update(std::uint16_t message_code);     // a CS02b in any mode
std::string_view status_text(unsigned status);  // "badCertificate"; "other" when it is unknown
bool is_passing(unsigned status);               // the same command may succeed later

}  // namespace wattseal::recovery
