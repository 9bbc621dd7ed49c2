// The SMKI service interface over HTTP: single and batched signing requests (L4;
// spec/smki.md 3.1-3.3).
//   POST /api/v1/requests                     one PKCS#10 in any form of batch_file.h; answers when
//                                             the certificate is published, or with the refusal
//   POST /api/v1/batches                      a batch file (batch_file.h); answers at once with the
//                                             batch number
//   GET  /api/v1/batches/{id}                 counts
//   GET  /api/v1/batches/{id}/results?from=&max=   row by row, paged, with refusals explained
//   GET  /api/v1/batches/{id}/results?format=jsonl|csv|pem|zip&from=&max=   as one file, with
//                                             ETag and Range
//   POST /api/v1/uploads                      {"size": …, "content_type": …}: a resumable upload
//   GET, PATCH, DELETE /api/v1/uploads/{n}    its offset; a piece, with Upload-Offset; abandon
//   POST /api/v1/uploads/{n}/finish           {"sha256": …}: read it and submit; answers as a batch
//   GET  /api/v1/quota                        what the subscriber uses of what it may
//   GET  /api/v1/performance?month=yyyy-mm    performance.h, for the registration authority's
//   people
//   GET  /api/v1/repository/access?party=&from=&to=   access_log.h, for the same people
//   GET  /api/v1/maintenance                  the service window and planned maintenance
// All of them are described by GET /api/v1/openapi.json (openapi.h).
// A batch is shown to its subscriber and to people of the registration authority only. Full queues
// answer 429 or 503 with Retry-After, what is used and what may be.
// Rules: as ra.h, batch_file.h, uploads.h, results-form, results-range and ra-subscriber-missing,
// ra-service-bundle.
#pragma once
#include <mutex>

#include "http/http.h"
#include "smki/express.h"
#include "smki/office_service.h"
#include "smki/repository.h"
#include "smki/uploads.h"

namespace wattseal::smki {

struct SubscriberService {
  const World& world;
  RegistrationAuthority& authority;
  const Repository& repository;
  const Office& office;   // knows who is asking
  storage::Store& store;  // the maintenance calendar, uploads, the journal for the report
  Uploads& uploads;
  // Called after a submission so that deciding and issuing start at once.
  std::function<void()> wake;
  ExpressLane& express;           // single requests
  mutable std::mutex large = {};  // one whole file in memory at a time
};
// `service` outlives the router.
void add_subscriber_routes(http::Router& router, const SubscriberService& service);

}  // namespace wattseal::smki
