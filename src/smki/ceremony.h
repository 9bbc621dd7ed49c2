// The key ceremony: both hierarchies from nothing. Root keys are used here and nowhere else. It
// makes Root OCA, Issuing OCA, Root DCA and Issuing DCA in a key store, self-signs and signs,
// publishes them with the first ARL and CRL, and journals each act. Durable when it returns; a
// ceremony that was cut short is completed by running it again (what exists is kept). Errors:
// ceremony-live-key-store (a live hierarchy needs PKCS#11), key-*. Source: Appendices A, B; ¶51-61;
// spec/smki.md 1.3-1.7.
#pragma once
#include "base/world.h"
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

}  // namespace wattseal::smki
