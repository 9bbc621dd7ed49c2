#include "apps/ways.h"

#include "base/fault.h"

namespace wattseal::apps {
namespace {

void open(std::unique_ptr<http::Client>& client, const std::string& url) {
  if (client) return;
  Result<std::unique_ptr<http::Client>> opened = http::Client::open(url);
  if (!opened.ok()) throw Fault("no address: " + opened.refusal().detail);
  client = std::move(*opened);
}

void must_accept(std::unique_ptr<http::Client>& client, const std::string& url,
                 const http::Request& request) {
  open(client, url);
  const http::Response response = client->send(request);
  if (response.status / 100 != 2) throw Fault(url + " answered " + std::to_string(response.status));
}

http::Request for_user(const std::string& document, TraceId trace) {
  http::Request request;
  request.method = "POST";
  request.path = "/";
  request.headers = {{"Content-Type", "application/xml"}};
  request.body = document;
  request.trace = trace;
  return request;
}

}  // namespace

void Ways::set_wan_url(const std::string& url) {
  const std::lock_guard lock(url_mutex_);
  wan_url_ = url;
}

void Ways::to_wan(http::Request request) {
  std::string url;
  {
    const std::lock_guard lock(url_mutex_);
    url = wan_url_;
  }
  request.method = "POST";
  request.headers.push_back({"Content-Type", "application/octet-stream"});
  must_accept(wan_clients_[url], url, request);
}

void Ways::to_device(Eui64 device, BytesView message, TraceId trace) {
  http::Request request;
  request.path = "/wan/v1/devices/" + device.hex();
  request.body = std::string(as_text(message));
  request.trace = trace;
  to_wan(std::move(request));
}

void Ways::firmware(Eui64 device, const gateway::FirmwareBlock& block, TraceId trace) {
  http::Request request;
  request.path = "/wan/v1/firmware/" + device.hex();
  request.headers = {{"X-Image", to_hex(block.image)},
                     {"X-Version", std::string(block.version)},
                     {"X-Offset", std::to_string(block.offset)},
                     {"X-Total", std::to_string(block.total)}};
  request.body = std::string(as_text(block.octets));
  request.trace = trace;
  to_wan(std::move(request));
}

void Ways::to_user(const std::string& url, const std::string& document, TraceId trace) {
  std::unique_ptr<http::Client> client;
  {
    const std::lock_guard lock(user_clients_mutex_);
    const auto idle = user_clients_.find(url);
    if (idle != user_clients_.end()) client = std::move(user_clients_.extract(idle).mapped());
  }
  must_accept(client, url, for_user(document, trace));
  const std::lock_guard lock(user_clients_mutex_);
  user_clients_.emplace(url, std::move(client));
}

std::vector<char> Ways::many_to_user(unsigned lane, const std::string& url,
                                     std::span<const gateway::Dispatch> documents) {
  std::unique_ptr<http::Client>& client = alert_clients_[lane][url];
  open(client, url);
  std::vector<http::Request> requests;
  for (const gateway::Dispatch& one : documents)
    requests.push_back(for_user(one.document, one.trace));
  std::vector<char> taken;
  for (const http::Response& response : client->send_all(requests))
    taken.push_back(response.status / 100 == 2 ? 1 : 0);
  return taken;
}

}  // namespace wattseal::apps
