// The key ceremony: both hierarchies from nothing. Root keys are used here and nowhere else. It
// makes Root OCA, Issuing OCA, Root DCA and Issuing DCA in a key store, self-signs and signs,
// publishes them with the first ARL and CRL, and journals each act. Durable when it returns; a
// ceremony that was cut short is completed by running it again (what exists is kept). Afterwards a
// root key is used for one act of the registration office at a time (data/acts.tsv,
// authority-key-act), and each use leaves a signed transcript (transcript.h) in the store and a
// fact in the journal, in the same commit as what it did. Errors: ceremony-*, office-founded, key-*
// (a live hierarchy needs PKCS#11). Threads: one ceremony at a time. Source: Appendices A, B;
// ¶51-61; spec/smki.md 1.3-1.7, 1.12, 4.1, 6.1; docs/adr/0016.
#pragma once
#include "base/world.h"
#include "smki/office.h"
#include "smki/profiles.h"
#include "storage/store.h"

namespace wattseal::smki {

struct CeremonyReport {
  struct Authority {
    std::string profile, name, key_label;
    CertificateSerial serial;
    bool made_now = false;
  };
  std::vector<Authority> authorities;
  // For the custodians' envelope; empty when the Root OCA existed before. Stored nowhere by the
  // ceremony.
  Bytes contingency_symmetric_key;
};
Result<CeremonyReport> run_ceremony(const World& world, storage::Store& store,
                                    crypto::KeyStore& keys, Environment environment);

struct CeremonyHeld {
  std::uint64_t number = 0;
  std::string transcript;
  std::vector<PersonId> people;  // whom the founding appointed, in the order of the founders
  Bytes contingency_symmetric_key;
};
// The first ceremony: authorities and people, before witnesses. Refuses ceremony-people,
// ceremony-witness, ceremony-live-key-store, office-founded.
Result<CeremonyHeld> hold_founding(const World& world, storage::Store& store,
                                   crypto::KeyStore& keys, Environment environment,
                                   const std::vector<Founder>& founders,
                                   const std::vector<std::string>& witnesses);
// Does what an approved act permits, once: renews the lists that the roots sign, revokes an issuing
// authority, establishes one in the place of another, or a Root OCA with a new contingency key and
// a new envelope; an issuing authority below it takes an act of its own. Refuses ceremony-act,
// ceremony-act-lapsed, ceremony-act-used, ceremony-witness, ceremony-generations, revoke-already;
// ca-key-mismatch when the keys at hand are not those of the authorities.
Result<CeremonyHeld> hold_key_act(const World& world, storage::Store& store, crypto::KeyStore& keys,
                                  ActId act, const std::vector<std::string>& witnesses);

std::vector<std::uint64_t> ceremonies(const storage::Reader& reader);  // their numbers, ascending
std::optional<std::string> ceremony_transcript(const storage::Reader& reader, std::uint64_t number);

}  // namespace wattseal::smki
