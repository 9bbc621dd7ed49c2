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

// Signs the list of everything revoked under `issuer` and puts it into `batch` with its fact.
void add_revocation_list(storage::Batch& batch, const storage::Reader& reader,
                         const Authority& issuer, const crypto::PrivateKey& key,
                         const std::vector<x509::RevokedEntry>& also, UtcTime now, TraceId trace);
// nextUpdate of a list of this issuer. Sources: ¶60 (ARL 12 months), spec/smki.md 1.11.
UtcTime next_update(const CertificateProfile& issuer, UtcTime now);

}  // namespace wattseal::smki
