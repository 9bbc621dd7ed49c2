// Resumable uploads over HTTP; see ra_service.h.
#include "smki/ra_service.h"
#include "smki/service_json.h"
#include "smki/submission_json.h"
#include "smki/uploads.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr std::string_view kUploads = "/api/v1/uploads/";

http::Response answer(int status, const Upload& upload) {
  json out{{"upload", upload.id},
           {"size", upload.size},
           {"offset", upload.received},
           {"expires", upload.expires.iso()}};
  if (upload.batch != 0) out["batch"] = upload.batch;
  http::Response response = json_answer(status, out);
  response.headers.push_back({"Upload-Offset", std::to_string(upload.received)});
  if (status == 201)
    response.headers.push_back({"Location", std::string(kUploads) + std::to_string(upload.id)});
  return response;
}

Result<std::uint64_t> read_id(const http::Request& request, std::string_view suffix = "") {
  std::string_view rest = std::string_view(request.path).substr(kUploads.size());
  if (!rest.ends_with(suffix)) rest = {};
  rest.remove_suffix(rest.empty() ? 0 : suffix.size());
  const std::optional<std::uint64_t> id = read_number(rest);
  if (!id) return Refusal{"upload-unknown"_rule, "the path names no upload", "path"};
  return *id;
}

Result<Upload> create(const SubscriberService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_subscriber(service, request));
  TRY_ASSIGN(const Party party, service.authority.party(*caller.subscriber));
  const json body = json::parse(request.body, nullptr, false);
  const bool object = body.is_object() && body.size() <= 2;
  const auto size = object ? body.find("size") : body.end();
  const auto type = object ? body.find("content_type") : body.end();
  if (!object || size == body.end() || !size->is_number_unsigned() ||
      (type != body.end() &&
       (!type->is_string() || type->get_ref<const std::string&>().size() > 100)))
    return Refusal{"upload-form"_rule, "the body is no {\"size\": …, \"content_type\": …}", "body"};
  return service.uploads.create(party.id, size->get<std::uint64_t>(),
                                type == body.end() ? "" : type->get<std::string>());
}

Result<Upload> find(const SubscriberService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_subscriber(service, request));
  TRY_ASSIGN(const std::uint64_t id, read_id(request));
  return service.uploads.find(*caller.subscriber, id);
}

Result<Upload> append(const SubscriberService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_subscriber(service, request));
  TRY_ASSIGN(const std::uint64_t id, read_id(request));
  const std::string* const header = request.header("Upload-Offset");
  const std::optional<std::uint64_t> offset = read_number(header ? *header : "");
  if (!offset)
    return Refusal{"upload-form"_rule, "no header says where the piece starts", "Upload-Offset"};
  return service.uploads.append(*caller.subscriber, id, *offset, as_bytes(request.body));
}

Status abandon(const SubscriberService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_subscriber(service, request));
  TRY_ASSIGN(const std::uint64_t id, read_id(request));
  return service.uploads.abandon(*caller.subscriber, id);
}

// Reads what arrived and submits it. One at a time: a file and its rows are in memory meanwhile.
Result<BatchId> finish(const SubscriberService& service, const http::Request& request,
                       const Caller& caller) {
  TRY_ASSIGN(const std::uint64_t id, read_id(request, "/finish"));
  const std::lock_guard lock(service.large);
  TRY_ASSIGN(const Upload upload, service.uploads.find(*caller.subscriber, id));
  if (upload.batch != 0) return upload.batch;
  const json body = json::parse(request.body, nullptr, false);
  const std::optional<Bytes> digest =
      body.is_object()
          ? from_hex(body.value("sha256", json("")).is_string() ? body.value("sha256", "") : "")
          : std::nullopt;
  if (!digest || digest->size() != 32)
    return Refusal{"upload-form"_rule, "the body is no {\"sha256\": \"<64 digits>\"}", "body"};
  TRY_ASSIGN(const std::string content, service.uploads.content(upload, *digest));
  TRY_ASSIGN(BatchFile file, read_batch_file(content, upload.content_type));
  TRY_ASSIGN(const BatchId batch,
             service.authority.submit(to_submission(caller, std::move(file), request.trace)));
  TRY(service.uploads.finish(upload, batch));
  return batch;
}

http::Response finished(const SubscriberService& service, const http::Request& request) {
  const Result<Caller> caller = identify_subscriber(service, request);
  if (!caller.ok()) return refuse(caller.refusal(), request.trace);
  const Result<BatchId> batch = finish(service, request, *caller);
  if (!batch.ok())
    return refuse_submission(service, *caller->subscriber, batch.refusal(), request.trace);
  service.wake();
  return json_answer(202, receipt(service, *batch));
}

http::Response or_refusal(int status, const Result<Upload>& upload, TraceId trace) {
  return upload.ok() ? answer(status, *upload) : refuse(upload.refusal(), trace);
}

}  // namespace

void add_upload_routes(http::Router& router, const SubscriberService& service) {
  const auto on = [&](const char* method, std::string path, auto handler) {
    router.on(method, std::move(path), [&service, handler](const http::Request& request) {
      return handler(service, request);
    });
  };
  on("POST", "/api/v1/uploads", [](const SubscriberService& one, const http::Request& request) {
    return or_refusal(201, create(one, request), request.trace);
  });
  const std::string any = std::string(kUploads) + "*";
  on("GET", any, [](const SubscriberService& one, const http::Request& request) {
    return or_refusal(200, find(one, request), request.trace);
  });
  on("PATCH", any, [](const SubscriberService& one, const http::Request& request) {
    return or_refusal(200, append(one, request), request.trace);
  });
  on("DELETE", any, [](const SubscriberService& one, const http::Request& request) {
    const Status gone = abandon(one, request);
    return gone.ok() ? http::Response{.status = 204} : refuse(gone.refusal(), request.trace);
  });
  on("POST", any, finished);
}

}  // namespace wattseal::smki
