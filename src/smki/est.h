// Enrolment over Secure Transport (RFC 7030, RFC 8951) beside the Code's own interface: the same
// subscribers and officers, the same decisions, the same facts. Who calls is told as in
// office_service.h, by the TLS client certificate.
//   GET  /.well-known/est/[{hierarchy}/]cacerts         certificates of the authorities, certs-only
//   GET  /.well-known/est/[{hierarchy}/]csrattrs        what a request must have
//   POST /.well-known/est/[{hierarchy}/]simpleenroll    PKCS#10, base64; answers certs-only, or 202
//                                                       while it waits
//   POST /.well-known/est/[{hierarchy}/]simplereenroll  the same, in place of a published one
// {hierarchy}: organisation or device; a request of the other is refused. Refusals are as those of
// the JSON routes, their HTTP status too. Rules: as ra_service.h and est-path, est-body,
// est-hierarchy, enrol-nothing-to-replace.
#pragma once
#include "smki/ra_service.h"

namespace wattseal::smki {

// `service` outlives the router.
void add_est_routes(http::Router& router, const SubscriberService& service);

}  // namespace wattseal::smki
