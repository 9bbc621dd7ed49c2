// Access: may this signer send this request now? One pure decision over what the caller looked up.
// The order of checks is the order of the response codes: signer, user role, command variant,
// service URL, device, status, registration, device type. Rules: access-*. Sources:
// spec/gbcs-duis.md 1.11, 3.2-3.4; glossary "Eligible User"; ¶95.
#pragma once
#include "duis/duis.h"
#include "gateway/inventory.h"
#include "gateway/registration.h"
#include "smki/ra.h"
#include "smki/repository.h"

namespace wattseal::gateway {

enum class ServiceUrl {
  non_device,
  send_command,
  transform
};  // /api/v1/serviceD, serviceS, serviceT

struct AccessQuestion {
  const duis::ServiceRequest& request;
  ServiceUrl url;
  // The certificate that the XML signature names; null for a request that was accepted before and
  // goes on now.
  const smki::PublishedCertificate* signer = nullptr;
  const smki::Party* party = nullptr;  // of the signer's entity; null when unknown
  const Device* device = nullptr;      // the target; null when unknown or for non-device requests
  const MeterPoint* meter_point = nullptr;  // of the device; null when it has none
  UtcTime now;
};
// Says in which user role the request is allowed, or why it is not. Of several roles one that the
// device knows comes first.
Result<UserRole> decide(const AccessQuestion& question);

// Whether devices hold credentials of this role in a trust anchor cell. For the others the access
// control broker sends the command on their behalf. Source: spec/gbcs-duis.md 5.3; GBCS trust
// anchor cells.
bool known_to_devices(UserRole role);

}  // namespace wattseal::gateway
