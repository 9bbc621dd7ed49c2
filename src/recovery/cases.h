// A recovery case: what was notified, which method is used with which order, how far it is and who
// took each step; and the tables of steps and methods (data/recovery_*.tsv). A step that no row
// names does not happen. Everything follows from journal facts; every step's fact is signed by the
// key recovery.record, so that a copy of the journal alone proves who took it. Rules: recovery-*.
// Source: L10; ¶67 to ¶69; 3.6; spec/smki.md 6.2; V-01 to V-12. Values; reads are thread-safe.
#pragma once
#include <functional>

#include "recovery/credentials.h"
#include "smki/office.h"
#include "storage/changes.h"
#include "terms/facts.h"

namespace wattseal::recovery {

using CaseNumber = std::uint64_t;
using DecisionId = std::uint64_t;

struct CompromiseRow {
  std::string_view id, subject, meaning, source, in_force_from;
  bool of_party() const { return subject == "party"; }
};
std::span<const CompromiseRow> compromise_rows();

struct MethodRow {
  std::string_view id, compromises, executor, signs, mode_text, pma_text, custodians_text, meaning,
      source, in_force_from;
  unsigned mode() const;
  bool by_dcc() const { return executor == "dcc"; }
  bool contingency() const { return signs == "contingency"; }
  bool needs_pma() const { return pma_text == "yes"; }
  bool needs_custodians() const { return custodians_text == "yes"; }
  bool serves(std::string_view compromise) const;
};
std::span<const MethodRow> method_rows();
const MethodRow* find_method(std::string_view id);  // null when there is none

struct StepRow {
  std::string_view event, from, to, who, other, condition, meaning, source, in_force_from;
};
std::span<const StepRow> step_rows();
struct NoteKindRow {
  std::string_view id, who, meaning, source, in_force_from;
};
std::span<const NoteKindRow> note_kind_rows();

// Which devices an order is for: those that hold a certificate of a party, or one of some keys, or
// any in the cells of a role; nothing of it: all.
struct Reach {
  std::optional<Eui64> party;
  std::vector<std::array<Octet, 8>> keys;  // of that party; empty: all of them
  std::optional<RemotePartyRole> role;
  bool covers(const Slot& slot, const Held& held) const;
};

// What is put where, fixed before anybody approves it.
struct Order {
  CaseNumber number = 0;
  std::string method;
  Eui64 originator;       // of the commands
  std::string key_label;  // of the key that signs them
  Reach reach;
  std::vector<Replacement> cells;
  std::vector<Bytes> path;
  Bytes encode() const;
  static Order decode(BytesView octets);
  crypto::Digest digest() const;
  // What of it a device gets; empty: nothing, it is not reached.
  std::vector<Replacement> for_device(const Holdings& holdings) const;
};

struct Case {
  CaseNumber number = 0;
  std::string state, compromise;
  std::optional<Eui64> party;              // whose key it is, or the failed supplier
  std::optional<Eui64> beneficiary;        // whose certificates come; the Supplier of Last Resort
  std::vector<std::array<Octet, 8>> keys;  // compromised ones; empty: all of the party's
  std::string method;
  crypto::Digest order{};
  DecisionId decision = 0;
  smki::ActId act = 0;
  UtcTime opened, since, executing_since;
  TraceId trace;
  std::map<std::string, smki::PersonId> takers;  // of the last step of each event
  bool enlisted = false;                         // every device of the order is
  Eui64 enlisted_through;
  Bytes encode() const;
  static Case decode(CaseNumber number, BytesView octets);
  bool ended() const;
};
// Newest first. Refuses recovery-unknown.
std::vector<Case> cases(const storage::Reader& reader);
Result<Case> find_case(const storage::Reader& reader, CaseNumber number);
std::optional<Order> find_order(const storage::Reader& reader, CaseNumber number);

// The row for an event in the state of a case (of none: `of` is null). Refuses recovery-step.
Result<const StepRow*> find_step(const Case* of, std::string_view event);
// Whether the person may take it now. Refuses office-person, recovery-role, recovery-same-person.
Status check_taker(const StepRow& row, const Case* of, const smki::Office& office,
                   const smki::Actor& actor, UtcTime now);

enum class DeviceState : Octet { enlisted = 1, sent, waiting, recovered, failed };
std::string_view text(DeviceState state);
std::optional<DeviceState> device_state(std::string_view text);
struct Progress {
  Eui64 device;
  DeviceState state = DeviceState::enlisted;
  std::uint64_t attempts = 0, counter = 0;
  UtcTime since;
  std::optional<UtcTime> due;  // of the next command; enlisted and waiting ones
  std::string detail;
};
std::optional<Progress> find_progress(const storage::Reader& reader, CaseNumber number,
                                      Eui64 device);
// In the order of devices, from one on, until `visit` returns false.
void each_device(const storage::Reader& reader, CaseNumber number, Eui64 from,
                 const std::function<bool(const Progress&)>& visit);
struct Tally {
  std::uint64_t enlisted = 0, sent = 0, waiting = 0, recovered = 0, failed = 0;
  std::uint64_t total() const { return enlisted + sent + waiting + recovered + failed; }
  std::uint64_t pending() const { return enlisted + sent + waiting; }
};
Tally tally(const storage::Reader& reader, CaseNumber number);

struct Note {
  CaseNumber number = 0;
  std::uint64_t index = 0;
  std::string kind;  // row of recovery_notes.tsv
  std::optional<Eui64> party;
  std::uint64_t pence = 0;
  std::string text;
  smki::PersonId person = 0;
  UtcTime at;
};
std::vector<Note> notes(const storage::Reader& reader, CaseNumber number);

Holdings holdings_of(const storage::Reader& reader, Eui64 device);

// A step as the journal has it.
struct Step {
  UtcTime at;
  std::string event, from, to, address, evidence, detail;
  smki::PersonId person = 0;
  std::uint64_t sequence = 0;
  bool signed_by_record_key = false;
};
// In order. `key`: of recovery.record; without it the key that the first step names is believed.
std::vector<Step> steps(const storage::Reader& reader, CaseNumber number,
                        const std::optional<crypto::PublicPoint>& key);
// A fact with the signature of its other octets at its end.
Bytes sign_step(const FactWriter& fact, const crypto::PrivateKey& key);

// What a fact of recovery (kinds 64 to 69) did to the tables. Throws Fault when it could not
// happen.
void replay(storage::Changes& rows, const FactView& fact);

// Keys of the tables.
Bytes case_key(CaseNumber number);
Bytes order_key(CaseNumber number);
Bytes device_key(CaseNumber number, Eui64 device);

}  // namespace wattseal::recovery
