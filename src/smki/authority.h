// A certification authority as stored: its certificate and where its key is. Private to smki.
#pragma once
#include "smki/records.h"
#include "x509/x509.h"

namespace wattseal::smki {

struct Authority {
  const CertificateProfile* profile = nullptr;
  x509::Certificate certificate;
  std::string key_label;
  IssuerIdentity identity() const {
    return {certificate.subject, certificate.subject_key_id.value()};
  }
};
std::optional<Authority> find_authority(const storage::Reader& reader, std::string_view profile_id);
Bytes encode_authority(BytesView der, std::string_view key_label);
// Authorities whose place another took, oldest first: their certificates stay good, and their lists
// are signed as before. Key and record as in tables::former_authorities.
std::vector<Authority> former_authorities(const storage::Reader& reader,
                                          std::string_view profile_id);
Bytes former_key(std::string_view profile_id, std::uint32_t generation);
// The common name of a generation, at most four octets: WTI1, WTI2, … WTIZ, then T010 and so on in
// base 36. Refuses ceremony-generations.
Result<std::string> generation_name(std::string_view first_name, std::uint32_t generation);
// Whether its root revoked it.
bool is_revoked(const storage::Reader& reader, const x509::Certificate& certificate);

// 16 octets, the top bit zero, unpredictable. Source: spec/smki.md 1.2.
CertificateSerial new_serial(Random& random);

// Which environment a store belongs to; the first call decides. Refuses ca-environment.
Status claim_environment(storage::Store& store, Environment environment);
std::optional<Environment> environment_of(const storage::Reader& reader);

// A certificate that an issuing authority can revoke.
struct Revocable {
  const CertificateProfile* profile = nullptr;
  std::optional<Eui64> eui;
  Bytes issuer_key_id;
};
// Refuses revoke-unknown-serial, revoke-device-certificate (¶53), revoke-needs-root (authorities),
// revoke-already.
Result<Revocable> find_revocable(const storage::Reader& reader, const CertificateSerial& serial);

}  // namespace wattseal::smki
