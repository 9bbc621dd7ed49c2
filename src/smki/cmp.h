// The Certificate Management Protocol over HTTP (RFC 4210, RFC 6712, RFC 9483) beside the Code's
// own interface: POST /.well-known/cmp. A message is signed by its sender's credential, the client
// certificate that the registration office registered for a person, among extraCerts; it makes the
// person's party the subscriber. The same decisions, the same facts as everywhere.
//   ir, cr, p10cr  one request, answered with its certificate; status waiting and pollReq while it
//                  waits for people or for the service
//   kur            the same, in place of a published certificate of the same subject
//   rr             proposes the act revoke-certificate: status revocationWarning, as another person
//                  approves it
//   certConf       of the certificate, unless implicitConfirm was asked for; a certificate that is
//                  not accepted stays published, as Device Certificates are not revoked (¶53); that
//                  it was declined is a fact of the journal
// Refusals are PKIStatusInfo with the rule in statusString and the failure of
// data/cmp_failures.tsv. What is no message at all is answered by HTTP status 400 and JSON.
// Transactions are in memory: after a restart a client begins again, and the same request gets the
// same certificate. Rules: cmp-*, enrol-nothing-to-replace, as ra.h and office.h. Threads: any.
#pragma once
#include <atomic>
#include <map>
#include <mutex>

#include "smki/cmp_message.h"
#include "smki/ra_service.h"

namespace wattseal::smki {

// With what the service signs its answers.
struct CmpSigner {
  crypto::KeyHandle key;
  Bytes certificate;
};

struct CmpTransaction {
  PersonId person = 0;
  Eui64 subscriber;
  CmpBody answer = CmpBody::ip;
  std::int64_t request_id = 0;
  Bytes request, certificate;  // no certificate: it waits
  Bytes nonce;                 // of the last answer
  BatchId batch = 0;
  UtcTime begun;
};
struct CmpTransactions {
  std::mutex mutex;
  std::map<Bytes, CmpTransaction> open;  // by transactionID
};

struct CmpService {
  const SubscriberService& subscribers;
  Office& office;
  std::atomic<const CmpSigner*> signer = nullptr;  // null: cmp-unavailable
  std::function<void()> wake;                      // called after an act
  mutable CmpTransactions transactions = {};
};
// `service` outlives the router.
void add_cmp_routes(http::Router& router, const CmpService& service);

// The failure bit of a refusal.
unsigned cmp_failure(std::string_view rule);

}  // namespace wattseal::smki
