// The OpenAPI 3.1 documents of the SMKI service and of the repository, made from
// data/smki_routes.tsv and data/repository_routes.tsv. Every JSON route refuses with one form of
// body, whose rules are those of data/rules. Threads: any. Sources: L4, L6; R-10.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "http/http.h"

namespace wattseal::smki {

enum class ApiOf { smki, repository };
nlohmann::json openapi_document(ApiOf service);
void add_openapi_route(http::Router& router, ApiOf service);  // GET /api/v1/openapi.json

}  // namespace wattseal::smki
