// The SMKI service interface over HTTP: single and batched signing requests (L4;
// spec/smki.md 3.1-3.3).
//   POST /api/v1/requests            one PKCS#10 (DER or PEM); answers when the certificate is
//   published, or with the refusal POST /api/v1/batches             PEM bundle of 2 to 50,000
//   PKCS#10; answers at once with the batch number GET  /api/v1/batches/{id}        counts GET
//   /api/v1/batches/{id}/results?from=&max=   row by row
// Rules: as ra.h and ra-subscriber-missing, ra-service-*.
#pragma once
#include "http/http.h"
#include "smki/ra.h"
#include "smki/repository.h"

namespace wattseal::smki {

struct SubscriberService {
  const World& world;
  RegistrationAuthority& authority;
  const Repository& repository;
  // Who is asking: from the TLS client certificate in production. Refuses ra-subscriber-missing.
  std::function<Result<Eui64>(const http::Request&)> identify;
  // Called after a submission so that deciding and issuing start at once.
  std::function<void()> wake;
  // Waits until the batch is complete or the time is over; returns whether it is complete.
  std::function<bool(BatchId)> wait;
};
// `service` outlives the router.
void add_subscriber_routes(http::Router& router, const SubscriberService& service);

// Without TLS, on loopback only: the subscriber says who it is in the header X-Subscriber.
Result<Eui64> subscriber_from_header(const http::Request& request);

}  // namespace wattseal::smki
