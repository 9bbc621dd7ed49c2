// The gateway's JSON API beside DUIS: held requests, files of thresholds and limits, the catalogue
// of codes. Every call but the catalogue is made for a user, told by the client certificate or, on
// a loopback development service, by the header X-Subscriber; people by X-Person. The DCC sees all.
//   GET  /api/v1/anomalies?from=N             held requests, oldest first, at most 1000
//   GET  /api/v1/anomalies/{n}                one, with its document
//   POST /api/v1/anomalies/decide             {"decision": "release"|"delete", "numbers": […]} or
//                                             "threshold": ID for all that exceeded it
//   GET, POST /api/v1/anomaly-file            the caller's thresholds and limits, text/csv
//   GET  /api/v1/undelivered                  responses that were not taken while they were held
//   POST /api/v1/undelivered/deliver          some of them again
//   GET, POST /api/v1/products                certified products, text/csv to lodge; the DCC's alone
//   GET  /api/v1/alerts?from=N                consolidations of alerts, oldest first, at most 1000
//   GET  /api/v1/alerts/{n}?from=COUNTER      one, with the alerts that it held back, at most 1000
//   GET  /api/v1/alert-thresholds             which alerts are consolidated, and which never
//   GET  /api/v1/codes/{code}                 what a response code, alert or rule means
// Rules: anomaly-*, products-*, gateway-json, gateway-code, gateway-consolidation-unknown. Refusals
// are JSON: refusal_json. Threads: any.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "gateway/gateway.h"
#include "smki/office.h"

namespace wattseal::gateway {

struct GatewayService {
  const World& world;
  Gateway& gateway;
  const smki::Office& office;
  Eui64 dcc;                   // the party that sees and decides all
  std::function<void()> wake;  // called after a release
};
// `service` outlives the router.
void add_gateway_routes(http::Router& router, const GatewayService& service);

// What failed, the rule in words, what was found, where (an XPath), how to mend it, and the
// response code with its meaning and what to do about it.
nlohmann::json refusal_json(const Refusal& refusal, TraceId trace);
// The same of a response code, an alert code or a rule. Refuses gateway-code.
Result<nlohmann::json> code_json(std::string_view code);

}  // namespace wattseal::gateway
