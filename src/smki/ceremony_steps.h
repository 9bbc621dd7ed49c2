// What the founding ceremony and the later ones share. Private to smki.
#pragma once
#include "smki/ceremony.h"

namespace wattseal::smki {

std::string authority_label(const CertificateProfile& profile, Environment environment,
                            std::uint32_t generation);
Result<CeremonyReport> establish_authorities(const World& world, storage::Store& store,
                                             crypto::KeyStore& keys, Environment environment,
                                             TraceId trace);

}  // namespace wattseal::smki
