// The log over HTTP, as static files would be: tiles never change and may be kept for ever, the
// checkpoint is asked for each time.
#include "smki/log.h"
#include "terms/terms.h"

namespace wattseal::smki {
namespace {

constexpr std::string_view kPrefix = "/log/";

http::Response refuse(const Refusal& refusal) {
  return {.status = rule_row(refusal.rule).http_status, .body = explain(refusal) + "\n"};
}

http::Response file(std::string content_type, std::string body, std::string_view cache) {
  return {.status = 200,
          .content_type = std::move(content_type),
          .body = std::move(body),
          .headers = {{"Cache-Control", std::string(cache)}}};
}

Result<http::Response> tile(const storage::Store& store, std::string_view path) {
  TRY_ASSIGN(const tlog::TileId id, tlog::parse_tile_path(path));
  const std::unique_ptr<storage::Reader> view = store.snapshot();
  const unsigned there =
      tlog::tile_width(id.entries ? 0 : id.level, id.index, log_head(*view).size);
  if (there < id.width)
    return Refusal{"tlog-path"_rule, std::string(path) + " has " + std::to_string(there) +
                                         " hashes or entries by now"};
  Bytes octets;
  if (id.entries) {
    octets = log_bundle(*view, id.index, id.width);
  } else {
    octets = log_tiles(*view)(id.level, id.index);
    octets.resize(id.width * tlog::kHashOctets);
  }
  return file("application/octet-stream", std::string(as_text(octets)),
              "public, max-age=31536000, immutable");
}

}  // namespace

void add_log_routes(http::Router& router, const storage::Store& store) {
  router.on("GET", "/log/checkpoint", [&store](const http::Request&) {
    const std::optional<std::string> note = signed_checkpoint(store);
    if (!note) return refuse({"log-empty"_rule, "nothing was signed yet"});
    return file("text/plain; charset=utf-8", *note, "no-cache");
  });
  router.on("GET", "/log/key", [&store](const http::Request&) {
    const std::optional<std::string> text = log_key(store);
    if (!text) return refuse({"log-empty"_rule, "nobody signs the log yet"});
    return file("text/plain; charset=utf-8", *text + "\n", "no-cache");
  });
  for (const char* const pattern : {"/log/tile/*", "/log/tile/entries/*"}) {
    router.on("GET", pattern, [&store](const http::Request& request) {
      const Result<http::Response> answer =
          tile(store, std::string_view(request.path).substr(kPrefix.size()));
      return answer.ok() ? *answer : refuse(answer.refusal());
    });
  }
}

}  // namespace wattseal::smki
