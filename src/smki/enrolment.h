// What the standard enrolment protocols share: the certificates of the authorities as they hand
// them out, and whether a request takes the place of a certificate. Private to smki.
#pragma once
#include "smki/profiles.h"
#include "smki/repository.h"

namespace wattseal::smki {

// Of one hierarchy ("organisation", "device") or, when it is empty, of both; roots first, former
// authorities included.
std::vector<Bytes> authority_certificates(const Repository& repository, std::string_view hierarchy);
// The degenerate SignedData of RFC 5652 5.2, "certs-only": DER.
Bytes certs_only(std::span<const Bytes> certificates);
// The published certificate that a request of the same subject and use takes the place of, newest
// first. Refuses enrol-nothing-to-replace where there is none or its subject is written otherwise
// (RFC 7030 4.2.2; RFC 9483 4.1.3).
Result<PublishedCertificate> replaced_by(const Repository& repository,
                                         const x509::CertificationRequest& request);

}  // namespace wattseal::smki
