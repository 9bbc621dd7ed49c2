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

// 16 octets, the top bit zero, unpredictable. Source: spec/smki.md 1.2.
CertificateSerial new_serial(Random& random);

// Which environment a store belongs to; the first call decides. Refuses ca-environment.
Status claim_environment(storage::Store& store, Environment environment);

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
