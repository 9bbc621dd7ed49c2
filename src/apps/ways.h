// The gateway's ways out: the SM WAN, where devices are, and users' endpoints. HTTP on kept-alive
// connections; each throws Fault when the other side does not take what it is given. Private to
// apps.
#pragma once
#include <array>
#include <map>
#include <mutex>

#include "gateway/gateway.h"

namespace wattseal::apps {

class Ways {
 public:
  explicit Ways(std::string wan_url) : wan_url_(std::move(wan_url)) {}
  void set_wan_url(const std::string& url);

  // These two by one thread.
  void to_device(Eui64 device, BytesView message, TraceId trace);
  void firmware(Eui64 device, const gateway::FirmwareBlock& block, TraceId trace);
  // Any thread; who sends to one user at a time shares a connection with nobody.
  void to_user(const std::string& url, const std::string& document, TraceId trace);
  // One thread a lane, with connections of its own. Whether each was taken, as UserSendMany has it.
  std::vector<char> many_to_user(unsigned lane, const std::string& url,
                                 std::span<const gateway::Dispatch> documents);

 private:
  using Clients = std::map<std::string, std::unique_ptr<http::Client>>;
  void to_wan(http::Request request);

  std::mutex url_mutex_;
  std::string wan_url_;
  Clients wan_clients_;
  std::mutex user_clients_mutex_;
  std::multimap<std::string, std::unique_ptr<http::Client>> user_clients_;  // those not in use
  std::array<Clients, gateway::kAlertLanes> alert_clients_;
};

}  // namespace wattseal::apps
