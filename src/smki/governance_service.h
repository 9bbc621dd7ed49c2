// The SMKI PMA, its document set and assurance over HTTP, on the SMKI service's address. What
// people do are acts (office_service.h: POST /api/v1/ra/acts); here is what came of them. Who calls
// is told as there; people of the registration authority and of the PMA read everything, people of
// a party its own assessments, everyone the document set and published plans.
//   GET /api/v1/pma/seats            who holds which seat, and alternates
//   GET /api/v1/pma/affiliations     who is an affiliate of whom
//   GET /api/v1/pma/meetings         newest first, with who was present
//   GET /api/v1/pma/resolutions      newest first, with votes, conflicts, factors, tally
//   GET /api/v1/pma/resolutions/{n}
//   GET /api/v1/pma/documents        the SMKI Document Set: approvals, deadlines, reviews
//   GET /api/v1/assurance/schedule   which assessments are due
//   GET /api/v1/assurance/assessments      newest first, with findings
//   GET /api/v1/assurance/assessments/{n}
//   GET /api/v1/assurance/plans      remedial plans that are published, anonymised
// Rules: as pma.h and assurance.h, governance-reader.
#pragma once
#include "http/http.h"
#include "smki/assurance.h"
#include "smki/office_service.h"

namespace wattseal::smki {

struct GovernanceService {
  const World& world;
  const storage::Store& store;
  const Office& office;  // knows who is asking
};
// `service` outlives the router.
void add_governance_routes(http::Router& router, const GovernanceService& service);

}  // namespace wattseal::smki
