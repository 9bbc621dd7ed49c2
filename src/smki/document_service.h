// The document library over HTTP, on the repository's address; reading is for everyone, lodging for
// whom data/document_kinds.tsv names. Who calls is told as in office_service.h.
//   GET  /api/v1/documents?kind=&all=true            documents, each with its version in force
//   POST /api/v1/documents?kind=&name=&title=&label=&effective_from=&sha256=   the body is the
//                                                    document, Content-Type its media type
//   GET  /api/v1/documents/{name}                    all versions of one
//   GET  /api/v1/documents/{name}/{version}          one version; "in-force": the one in force
//   GET  /api/v1/documents/{name}/{version}/content  its octets, with ETag
//   POST /api/v1/documents/{name}/{version}/withdraw {"reason": …}
// Rules: as documents.h and document-digest, ra-subscriber-missing, ra-service-json.
#pragma once
#include "smki/documents.h"
#include "smki/office_service.h"

namespace wattseal::smki {

nlohmann::json to_json(const DocumentVersion& version);

struct DocumentService {
  Documents& documents;
  const Office& office;  // knows who is asking
};
// `service` outlives the router.
void add_document_routes(http::Router& router, const DocumentService& service);

}  // namespace wattseal::smki
