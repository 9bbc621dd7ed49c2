// The repository's XML queries: any body gets an answer of the service, never anything else.
#include "base/check.h"
#include "smki/repository.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const FixedClock clock{UtcTime::from_unix_seconds(1'800'000'000)};
  static const std::unique_ptr<Random> random = seeded_random(1);
  static const World world{clock, *random};
  static const std::unique_ptr<storage::Store> store = storage::memory_store();
  static const smki::Repository repository(world, *store);
  static const http::Router router = [] {
    http::Router made;
    smki::add_repository_routes(made, repository);
    return made;
  }();
  http::Request request;
  request.method = "POST";
  request.body = std::string(as_text({data, size}));
  for (const char* path : {"/services/certificatesearch", "/services/retrievecertificate"}) {
    request.path = path;
    const http::Response response = router(request);
    // The store is empty: the query is wrong, or nothing is found.
    CHECK(response.status == 401 || response.status == 402);
    CHECK(response.content_type == "application/xml");
  }
  return 0;
}
