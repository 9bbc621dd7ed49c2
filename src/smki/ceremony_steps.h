// What the founding ceremony and the later ones share. Private to smki.
#pragma once
#include "smki/ceremony.h"

namespace wattseal::smki {

std::string authority_label(const CertificateProfile& profile, Environment environment,
                            std::uint32_t generation);
Result<CeremonyReport> establish_authorities(const World& world, storage::Store& store,
                                             crypto::KeyStore& keys, Environment environment,
                                             TraceId trace);

// A new contingency key pair, its public key sealed for a root by a new symmetric key, which leaves
// in the custodians' envelope alone.
struct Contingency {
  Bytes wrapped, symmetric_key;
};
Result<Contingency> make_contingency(const World& world, crypto::KeyStore& keys,
                                     Environment environment, std::uint32_t generation);

}  // namespace wattseal::smki
