// Demand management over HTTP, on the SMKI service's address. Who calls is told as in
// office_service.h; people of the registration authority act for the Panel.
//   GET  /api/v1/demand/parameters?profile=          thresholds, months and days, with history
//   GET  /api/v1/demand/prefill                      a forecast from the subscriber's own history
//   GET  /api/v1/demand/forecasts?subscriber=        every revision; the query for the Panel only
//   POST /api/v1/demand/forecasts                    {"months": [{"month", "single", "batched"},
//   …]} GET  /api/v1/demand/notices?subscriber=          under sec-current POST
//   /api/v1/demand/notices                      {"month", "expected", "reason"} GET
//   /api/v1/demand/report?month=yyyy-mm         all for the Panel, its own for a subscriber;
//                                                    what is published, when it is, for everyone
//   GET  /api/v1/demand/allocation?month=&capacity=&facts=   for the Panel
// What the Panel withholds is an act: wattseal ra propose withhold-demand-report.
// Rules: as demand.h and performance-month, ra-person-missing, ra-subscriber-missing,
// ra-service-json.
#pragma once
#include "http/http.h"
#include "smki/demand_report.h"
#include "smki/office_service.h"

namespace wattseal::smki {

struct DemandService {
  const World& world;
  storage::Store& store;
  Demand& demand;
  const Office& office;  // knows who is asking
  std::string profile = {};
  mutable DemandCounts counts = {};
};
// `service` outlives the router.
void add_demand_routes(http::Router& router, const DemandService& service);

nlohmann::json to_json(const Forecast& forecast);
nlohmann::json to_json(const DemandNotice& notice);
nlohmann::json to_json(const Prefill& prefill);
nlohmann::json demand_parameters_json(std::string_view profile, UtcTime now);

}  // namespace wattseal::smki
