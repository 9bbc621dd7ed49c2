// An organisation's way to its first certificate, as people go it: admitted by the registration
// authority, officers nominated and appointed, entry tests recorded, authorised, a signing request
// submitted by its officer and approved by two others; and the revocation of that certificate,
// which a relying party then finds in the list. Everything goes over HTTP; each person acts for
// himself. Throws Fault when something does not come out as it must.
#pragma once
#include "apps/office_client.h"
#include "apps/platform.h"

namespace wattseal::apps {

class Onboarding {
 public:
  // Founds the office with two managers and has two people of the registration authority appointed.
  Onboarding(const World& world, Platform& platform);

  struct Organisation {
    Eui64 id;
    std::string name, kind, user_roles;  // as data/acts.tsv admit-organisation takes them
    RemotePartyRole role = RemotePartyRole::supplier;
  };
  // What happened, a line each.
  std::vector<std::string> admit(const Organisation& organisation);
  CertificateSerial certificate() const { return serial_; }
  // Asked for by the organisation's officer, approved by the registration authority. Returns the
  // seconds from the approval until the list that anybody may fetch shows it.
  double revoke(const std::string& grounds);

 private:
  OfficeClient as(smki::PersonId person) const;
  // The number of the person that the act appointed, or 0.
  smki::PersonId done(const std::string& kind, nlohmann::json payload, smki::PersonId by,
                      smki::PersonId approver);

  const World& world_;
  Platform& platform_;
  smki::PersonId managers_[2] = {}, personnel_[2] = {}, officer_ = 0;
  CertificateSerial serial_;
};

}  // namespace wattseal::apps
