// The OpenAPI 3.1 document of the SMKI service, made from data/smki_routes.tsv. Every route refuses
// with one form of body, whose rules are those of data/rules. Threads: any. Source: L4.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "http/http.h"

namespace wattseal::smki {

nlohmann::json openapi_document();
void add_openapi_route(http::Router& router);  // GET /api/v1/openapi.json

}  // namespace wattseal::smki
