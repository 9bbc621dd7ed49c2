// A gateway that is killed: the wattseal program on a folder, and around it what outlives it: two
// users with their endpoints, two premises, and the SM WAN between, which remembers every command
// that it carried. Tests only.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "apps/platform.h"
#include "apps/service_user.h"
#include "apps/street.h"
#include "base/fault.h"
#include "base/log.h"
#include "terms/facts.h"
#include "terms/tables.h"

namespace wattseal::kill {

inline constexpr Eui64 kMaker = Eui64::from_number(0x9057530000050000),
                       kFirst = Eui64::from_number(0x0057530000000000),
                       kSupplier = Eui64::from_number(0x9057530000010000),
                       kNetwork = Eui64::from_number(0x9057530000030000);

inline xml::Element leaf(std::string name, std::string text = {}) {
  return {std::string(duis::kNamespace), std::move(name), {}, std::move(text), {}};
}
inline xml::Element body_of(std::vector<xml::Element> children) {
  return {"", "", {}, "", std::move(children)};
}

inline std::unique_ptr<http::Client> client_of(const std::string& url) {
  return std::move(http::Client::open(url).value());
}

// Where a user takes responses, or answers 500 while it is away.
class Endpoint {
 public:
  explicit Endpoint(const World& world)
      : server_(world, {}, [this](const http::Request& request) { return receive(request); }) {}
  ~Endpoint() { server_.stop(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }
  void set_away(bool away) { away_ = away; }
  // RequestIDs, and ResponseIDs of what answers no request, with each response that came for them.
  std::map<std::string, std::set<std::string>> taken() const {
    const std::lock_guard lock(mutex_);
    return taken_;
  }

 private:
  http::Response receive(const http::Request& request) {
    if (away_) return {.status = 500, .body = "away\n"};
    const Result<xml::Document> document = xml::parse(request.body);
    const Result<duis::ServiceResponse> response = duis::read_response(document.value().root());
    CHECK(response.ok());
    const duis::RequestId id =
        response->request_id ? *response->request_id : response->response_id.value();
    const std::lock_guard lock(mutex_);
    taken_[id.text()].insert(request.body);
    return {.status = 200};
  }

  std::atomic<bool> away_ = false;
  mutable std::mutex mutex_;
  std::map<std::string, std::set<std::string>> taken_;
  http::Server server_;
};

// Between the gateway and the street. What goes to the silent device is taken and lost.
class Wan {
 public:
  Wan(const World& world, std::string street, Eui64 silent)
      : street_(std::move(street)),
        silent_(silent),
        server_(world, {}, [this](const http::Request& request) { return carry(request); }) {}
  ~Wan() { server_.stop(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }
  std::map<crypto::Digest, int> carried() const {
    const std::lock_guard lock(mutex_);
    return carried_;
  }

 private:
  http::Response carry(const http::Request& request) {
    {
      const std::lock_guard lock(mutex_);
      ++carried_[crypto::sha256(as_bytes(request.body))];
    }
    if (request.path.ends_with(silent_.hex())) return {.status = 202};
    http::Request onward = request;
    return client_of(street_)->send(onward);
  }

  const std::string street_;
  const Eui64 silent_;
  mutable std::mutex mutex_;
  std::map<crypto::Digest, int> carried_;
  http::Server server_;
};

struct Rig {
  std::unique_ptr<Clock> clock = system_clock();
  std::unique_ptr<Random> random = system_random();
  World world{*clock, *random};
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("wattseal-kill-" + std::to_string(::getpid()));
  std::uint16_t gateway_port, repository_port, smki_port;
  Workers workers{2};
  std::unique_ptr<apps::ServiceUser> supplier, network;
  Endpoint supplier_endpoint{world}, network_endpoint{world};
  apps::Street street{world, workers, 2, kFirst};
  std::unique_ptr<Wan> wan;
  pid_t process = -1;

  Rig() {
    log::set_level(log::Level::off);
    std::filesystem::remove_all(folder);
    std::tie(gateway_port, repository_port, smki_port) = free_ports();
    apps::PlatformOptions options;
    options.data = folder;
    options.key_store = "file";
    options.gateway_port = gateway_port;
    options.repository_port = repository_port;
    options.smki_port = smki_port;
    const std::unique_ptr<apps::Platform> platform =
        std::move(apps::Platform::create(world, options).value());
    CHECK(platform->run_ceremony().ok() && platform->start_smki().ok() &&
          platform->start_gateway().ok());
    using enum UserRole;
    supplier = add(*platform, kSupplier, "supplier", RemotePartyRole::supplier,
                   {import_supplier, gas_supplier}, supplier_endpoint);
    network = add(*platform, kNetwork, "network-operator", RemotePartyRole::network_operator,
                  {electricity_distributor, gas_transporter}, network_endpoint);
    install(*platform);
    platform->stop();
  }
  ~Rig() {
    if (process > 0) end(SIGKILL);
    street.stop();
    wan.reset();
    std::filesystem::remove_all(folder);
    log::set_level(log::Level::info);
  }

  Eui64 meter() const { return street.premises().front().esme; }
  Eui64 silent_meter() const { return street.premises().back().esme; }
  std::string gateway_url() const { return "http://127.0.0.1:" + std::to_string(gateway_port); }

  void start() {
    std::vector<std::string> words{WATTSEAL_PROGRAM,
                                   "up",
                                   "--json",
                                   "--data",
                                   folder.string(),
                                   "--keys",
                                   "file",
                                   "--gateway-port",
                                   std::to_string(gateway_port),
                                   "--repository-port",
                                   std::to_string(repository_port),
                                   "--smki-port",
                                   std::to_string(smki_port),
                                   "--wan",
                                   wan->url()};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    for (const int stream : {1, 2})
      ::posix_spawn_file_actions_addopen(&files, stream, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&files, 3);
    CHECK(::posix_spawn(&process, WATTSEAL_PROGRAM, &files, nullptr, arguments.data(), environ) ==
          0);
    ::posix_spawn_file_actions_destroy(&files);
  }
  // Whether it serves within ten seconds.
  bool ready() const {
    for (int i = 0; i < 2000; ++i) {
      try {
        if (client_of(gateway_url())->get("/health/ready").status == 200) return true;
      } catch (const Fault&) {
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  // Its status as of waitpid.
  int end(int signal) {
    ::kill(process, signal);
    int status = 0;
    ::waitpid(std::exchange(process, -1), &status, 0);
    return status;
  }

 private:
  std::tuple<std::uint16_t, std::uint16_t, std::uint16_t> free_ports() const {
    const auto nothing = [](const http::Request&) { return http::Response{}; };
    http::Server one(world, {}, nothing), two(world, {}, nothing), three(world, {}, nothing);
    return {one.port(), two.port(), three.port()};
  }

  std::unique_ptr<apps::ServiceUser> add(apps::Platform& platform, Eui64 id,
                                         const std::string& kind, RemotePartyRole role,
                                         std::vector<UserRole> roles, const Endpoint& endpoint) {
    CHECK(platform.registration_authority()
              .register_party({id, kind, kind, std::move(roles), {{id, id}}}, {})
              .ok());
    auto user = std::make_unique<apps::ServiceUser>(
        world, apps::UserProfile{id, kind, role, role == RemotePartyRole::supplier},
        apps::Addresses{platform.smki_url(), platform.repository_url(), platform.gateway_url()});
    CHECK(user->obtain_certificates().ok());
    CHECK(platform.gateway().register_endpoint(id, endpoint.url(), {}).ok());
    return user;
  }

  void install(apps::Platform& platform) {
    using emulators::Cell;
    using enum RemotePartyRole;
    CHECK(platform.registration_authority()
              .register_party({kMaker,
                               "Elm",
                               "manufacturer",
                               {},
                               {{kFirst, Eui64::from_number(kFirst.number() + 99)}}},
                              {})
              .ok());
    const Result<smki::BatchId> batch =
        platform.registration_authority().submit({kMaker, street.make_requests(), {}});
    platform.wake();
    CHECK(platform.wait_for(*batch, std::chrono::seconds(20)));
    std::vector<Bytes> anchors;
    for (const smki::PublishedCertificate& one : platform.repository().authorities()) {
      if (one.profile.ends_with("-oca")) anchors.push_back(one.der);
    }
    const std::map<Cell, Bytes> hub{
        {Cell{access_control_broker, KeyUse::key_agreement, false},
         platform
             .dcc_certificate(apps::DccParty::broker, KeyUse::key_agreement, access_control_broker)
             ->der}};
    std::map<Cell, Bytes> meter_cells = hub;
    const auto cell = [&](RemotePartyRole role, KeyUse use, bool prepayment,
                          const apps::ServiceUser& user) {
      meter_cells[Cell{role, use, prepayment}] = user.certificate(use, prepayment);
    };
    cell(RemotePartyRole::supplier, KeyUse::digital_signature, false, *this->supplier);
    cell(RemotePartyRole::supplier, KeyUse::key_agreement, false, *this->supplier);
    cell(RemotePartyRole::supplier, KeyUse::key_agreement, true, *this->supplier);
    cell(network_operator, KeyUse::key_agreement, false, *network);
    CHECK(street.install(anchors, meter_cells, hub).ok());
    street.connect(platform.gateway_url());
    wan = std::make_unique<Wan>(world, street.wan_url(), silent_meter());
    for (const apps::Premises& one : street.premises()) {
      CHECK(platform.registration()
                .record(
                    {{one.mpan.text(), kSupplier, kNetwork, {}, {}, world.now().plus_seconds(-1)}},
                    {})
                .ok());
      std::vector<gateway::InventoryEvent> events{
          {one.chf, "pre-notified", DeviceType::chf, one.chf, "", "CH-1"},
          {one.chf, "connected-to-wan"},
          {one.esme, "pre-notified", DeviceType::esme, one.chf, one.mpan.text(), "EM-1"}};
      for (const char* event : {"added-to-device-log", "joined", "commission-succeeded"})
        events.push_back({one.esme, event});
      CHECK(platform.inventory().apply(events, {}).ok());
    }
    CHECK(platform.gateway()
              .lodge_anomaly_file(kSupplier, "threshold,odd,IS,4.16,3600,0\n", 0, {})
              .ok());
  }
};

}  // namespace wattseal::kill
