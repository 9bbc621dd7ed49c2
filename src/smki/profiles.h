// What goes into a certificate: builds the to-be-signed octets of each profile row
// (data/certificate_profiles.tsv) from a key, a subject and a time, and reads a certificate or
// request back into the field's terms. Exact octets: spec/smki.md 1.3 to 1.7. Pure; no keys, no
// clock. Errors: profile-*.
#pragma once
#include "terms/terms.h"
#include "x509/x509.h"

namespace wattseal::smki {

// The subject of an end entity.
struct Subject {
  std::optional<Eui64> eui;             // organisation entity id, or device id
  std::optional<RemotePartyRole> role;  // organisations only
  std::string common_name;              // organisations, optional, at most 16 octets
  Bytes hardware_type;                  // devices: encoded OID content
};

struct IssuerIdentity {
  x509::Name name;
  Bytes key_id;  // 8 octets
};

struct ToBeSigned {
  const CertificateProfile* profile = nullptr;
  Environment environment = Environment::test;
  CertificateSerial serial;
  UtcTime not_before;  // end entities of the organisation hierarchy: rounded down to the day
  Subject subject;
  crypto::PublicPoint key{};
  IssuerIdentity issuer;                         // ignored for roots (self)
  std::optional<Bytes> wrapped_contingency_key;  // Root OCA only: content of the extension
};
Bytes build_tbs(const ToBeSigned& what);
// The last second of a certificate of this profile that starts at `not_before`. Source: ¶57, ¶58.
UtcTime not_after(const CertificateProfile& profile, UtcTime not_before);
x509::Name subject_name(const CertificateProfile& profile, Environment environment,
                        const Subject& subject);

// The field's reading of a request: which profile it asks for and for whom. Refuses profile-usage
// (not exactly one usage), profile-subject, profile-extension, profile-role.
struct Asked {
  const CertificateProfile* profile = nullptr;
  Subject subject;
};
Result<Asked> read_request(const x509::CertificationRequest& request);

// And of a certificate: subject and use, whoever issued it. Refuses profile-subject, profile-usage.
struct Identity {
  Subject subject;
  bool device = false;
  KeyUse use = KeyUse::digital_signature;
};
Result<Identity> read_identity(const x509::Certificate& certificate);

}  // namespace wattseal::smki
