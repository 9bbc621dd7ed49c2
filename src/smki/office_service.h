// The registration office over HTTP, JSON in and out; every call is made by a person, told by the
// client certificate or, on a loopback development service, by the header X-Person. Reading asks
// for a person who may act now: people of the registration authority see everything, people of a
// party their party, its people, their activity and the acts by or about them.
//   GET  /api/v1/ra/people                    who is appointed, until when
//   GET  /api/v1/ra/parties                   organisations and what they are authorised for
//   GET  /api/v1/ra/acts?state=open           acts, newest first
//   GET  /api/v1/ra/acts/{n}                  one act
//   POST /api/v1/ra/acts                      {"kind": …, "payload": {…}}: propose
//   POST /api/v1/ra/acts/{n}/approve
//   POST /api/v1/ra/acts/{n}/reject           {"reason": …}
//   GET  /api/v1/ra/activity?days=30          what each officer did, from where
// Rules: as office.h and ra-service-json, ra-person-missing, office-person.
#pragma once
#include "http/http.h"
#include "smki/office.h"

namespace wattseal::smki {

// Who calls, as far as the connection tells.
struct Caller {
  std::optional<Eui64> subscriber;
  PersonId person = 0;  // 0: no person said so
  std::string address;
};
// From the client certificate (refuses office-credential), else from X-Person and X-Subscriber;
// refuses whoever left (office-person), malformed numbers (ra-person-missing) and eui-malformed.
Result<Caller> identify_caller(const Office& office, const http::Request& request);

struct OfficeService {
  const World& world;
  Office& office;
  const RegistrationAuthority& authority;
  const storage::Reader& reader;  // the journal, for the activity report
  std::function<void()> wake;     // called after an act took effect
};
// `service` outlives the router.
void add_office_routes(http::Router& router, const OfficeService& service);

}  // namespace wattseal::smki
