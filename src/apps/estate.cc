#include "apps/estate.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/backup_files.h"
#include "base/fault.h"
#include "base/log.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

constexpr const char *kPortFile = "estate.url", *kRequestsFile = "requests.bin",
                     *kLogFile = "estate.log";
constexpr std::size_t kLengthOctets = 4, kBodyOctetsMax = 1 << 20;
constexpr int kStartTries = 3000;
constexpr std::chrono::milliseconds kStartPause{100};

// Which devices are away, and until when: each for so long after it was first sent something.
class Away {
 public:
  Away(const World& world, unsigned per_myriad, std::int64_t seconds)
      : world_(world), per_myriad_(per_myriad), seconds_(seconds) {}
  bool operator()(Eui64 device) {
    const crypto::Digest digest = crypto::sha256(device.octets());
    if (get_be(BytesView(digest).first(4)) % 10'000 >= per_myriad_) return false;
    const std::lock_guard lock(mutex_);
    const UtcTime now = world_.now();
    const auto [until, is_new] = until_.try_emplace(device, now.plus_seconds(seconds_));
    return now < until->second;
  }

 private:
  const World& world_;
  const unsigned per_myriad_;
  const std::int64_t seconds_;
  std::mutex mutex_;
  std::map<Eui64, UtcTime> until_;
};

emulators::Cell cell_of(const recovery::Slot& slot) {
  return {slot.role, slot.use, slot.prepayment};
}

Bytes octets_of(const json& base64) {
  const std::optional<Bytes> octets = from_base64(base64.get<std::string>());
  if (!octets) throw Fault("what is to be installed is not base64");
  return *octets;
}
std::map<emulators::Cell, Bytes> cells_of(const json& object) {
  std::map<emulators::Cell, Bytes> cells;
  for (const auto& [name, value] : object.items())
    cells[cell_of(recovery::parse_slot(name).value())] = octets_of(value);
  return cells;
}
json to_json(const std::map<recovery::Slot, Bytes>& cells) {
  json object = json::object();
  for (const auto& [slot, der] : cells) object[text(slot)] = to_base64(der);
  return object;
}

class EstateServer {
 public:
  EstateServer(const World& world, const EstateOptions& options)
      : world_(world),
        options_(options),
        street_(world, workers_, options.premises, options.first) {
    const std::vector<Bytes> requests = street_.make_requests();
    std::string content;
    for (const Bytes& one : requests) {
      Bytes length;
      put_be(length, one.size(), kLengthOctets);
      content += as_text(length);
      content += as_text(one);
    }
    replace_file(options.folder / kRequestsFile, content);
    street_.set_away(
        [away = std::make_shared<Away>(world, options.away_per_myriad, options.away_seconds)](
            Eui64 device) { return (*away)(device); });
    http::Router router;
    const auto on = [&](const char* method, const char* path,
                        http::Response (EstateServer::*handle)(const http::Request&)) {
      router.on(method, path, [this, handle](const http::Request& request) {
        try {
          return (this->*handle)(request);
        } catch (const std::exception& error) {
          return http::Response{.status = 500, .body = std::string(error.what()) + "\n"};
        }
      });
    };
    on("GET", "/estate/alive", &EstateServer::alive);
    on("POST", "/estate/install", &EstateServer::install);
    on("GET", "/estate/held", &EstateServer::held);
    on("POST", "/estate/stop", &EstateServer::stop);
    http::ServerOptions server;
    server.body_octets_max = kBodyOctetsMax;
    server_ = std::make_unique<http::Server>(world, server, router);
    replace_file(options.folder / kPortFile, "http://127.0.0.1:" + std::to_string(server_->port()));
  }
  ~EstateServer() {
    server_->stop();
    street_.stop();
  }
  bool stopped() const { return stopped_; }

 private:
  http::Response alive(const http::Request&) { return {.body = "alive\n"}; }
  http::Response stop(const http::Request&) {
    stopped_ = true;
    return {.body = "stopping\n"};
  }
  http::Response install(const http::Request& request) {
    const std::lock_guard lock(mutex_);
    if (!installed_) {
      const json body = json::parse(request.body);
      std::vector<Bytes> anchors;
      for (const json& one : body.at("anchors")) anchors.push_back(octets_of(one));
      for (const json& group : body.at("groups")) {
        const Status done =
            street_.install(std::span(street_.premises())
                                .subspan(group.at("first").get<std::size_t>(),
                                         group.at("premises").get<std::size_t>()),
                            anchors, cells_of(group.at("meter")), cells_of(group.at("hub")));
        if (!done.ok()) throw Fault(explain(done.refusal()));
      }
      street_.connect(body.at("gateway").get<std::string>());
      installed_ = true;
    }
    return {.content_type = "application/json",
            .body = json{{"wan", street_.wan_url()}}.dump() + "\n"};
  }
  http::Response held(const http::Request&) {
    json all = json::object();
    std::map<std::string, std::map<std::string, std::uint64_t>> counts;
    for (const Premises& one : street_.premises()) {
      for (const Eui64 id : {one.esme, one.gsme, one.chf, one.gpf}) {
        for (const auto& held : street_.credentials(id))
          ++counts[text(recovery::Slot{held.cell.role, held.cell.use, held.cell.prepayment})]
                  [to_hex_upper(held.key)];
      }
    }
    all = counts;
    return {.content_type = "application/json", .body = all.dump() + "\n"};
  }

  const World& world_;
  const EstateOptions options_;
  Workers workers_;
  Street street_;
  std::mutex mutex_;
  bool installed_ = false;
  std::atomic<bool> stopped_ = false;
  std::unique_ptr<http::Server> server_;
};

}  // namespace

void serve_estate(const World& world, const EstateOptions& options,
                  const std::function<bool(std::chrono::seconds)>& end_within) {
  log::set_level(log::Level::warning);  // a line a device and message is too much of an estate
  std::filesystem::create_directories(options.folder);
  EstateServer server(world, options);
  // Nobody finds an estate whose folder is gone.
  while (!server.stopped() && std::filesystem::exists(options.folder / kPortFile) &&
         !end_within(std::chrono::seconds(1))) {
  }
  std::filesystem::remove(options.folder / kPortFile);
}

std::unique_ptr<Estate> Estate::find(const std::filesystem::path& folder) {
  const std::string url = read_if_there(folder / kPortFile);
  if (url.empty()) return nullptr;
  http::ClientOptions options;
  options.timeout = std::chrono::seconds(60);
  Result<std::unique_ptr<http::Client>> client = http::Client::open(url, options);
  if (!client.ok()) return nullptr;
  try {
    if ((*client)->get("/estate/alive").status != 200) return nullptr;
  } catch (const Fault&) {
    return nullptr;
  }
  return std::unique_ptr<Estate>(new Estate(folder, std::move(*client)));
}

std::unique_ptr<Estate> Estate::start(const std::filesystem::path& program,
                                      const EstateOptions& options) {
  std::filesystem::create_directories(options.folder);
  std::filesystem::remove(options.folder / kPortFile);
  const std::vector<std::string> words{program.string(),
                                       "recovery",
                                       "estate",
                                       "--folder",
                                       options.folder.string(),
                                       "--premises",
                                       std::to_string(options.premises),
                                       "--first",
                                       options.first.text(),
                                       "--away-per-myriad",
                                       std::to_string(options.away_per_myriad),
                                       "--away-seconds",
                                       std::to_string(options.away_seconds)};
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const std::string log_file = (options.folder / kLogFile).string();
  const pid_t child = ::fork();
  if (child < 0) throw Fault("no process for the estate");
  if (child == 0) {  // a group of its own: what ends the DCC does not end the devices
    ::setsid();
    const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, 0);
    ::dup2(log, 1);
    ::dup2(log, 2);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  for (int i = 0; i < kStartTries; ++i) {
    if (std::unique_ptr<Estate> found = find(options.folder)) return found;
    std::this_thread::sleep_for(kStartPause);
  }
  throw Fault("the estate does not come up; see " + log_file);
}

std::vector<Bytes> Estate::requests() const {
  const std::string content = read_if_there(folder_ / kRequestsFile);
  std::vector<Bytes> requests;
  for (BytesView rest = as_bytes(content); rest.size() > kLengthOctets;) {
    const std::size_t length = get_be(rest.first(kLengthOctets));
    rest = rest.subspan(kLengthOctets);
    if (length > rest.size()) throw Fault("the estate's requests are cut short");
    requests.push_back(to_bytes(rest.first(length)));
    rest = rest.subspan(length);
  }
  return requests;
}

std::string Estate::install(const std::string& gateway_url, const std::vector<Bytes>& anchors,
                            const std::vector<EstateGroup>& groups) {
  json body{{"gateway", gateway_url}, {"anchors", json::array()}, {"groups", json::array()}};
  for (const Bytes& one : anchors) body["anchors"].push_back(to_base64(one));
  for (const EstateGroup& one : groups)
    body["groups"].push_back({{"first", one.first},
                              {"premises", one.premises},
                              {"meter", to_json(one.meter)},
                              {"hub", to_json(one.hub)}});
  const http::Response response = client_->post("/estate/install", "application/json", body.dump());
  if (response.status != 200) throw Fault("the estate: " + response.body);
  return json::parse(response.body).at("wan").get<std::string>();
}

std::map<std::string, std::map<std::string, std::uint64_t>> Estate::held() {
  const http::Response response = client_->get("/estate/held");
  if (response.status != 200) throw Fault("the estate: " + response.body);
  return json::parse(response.body)
      .get<std::map<std::string, std::map<std::string, std::uint64_t>>>();
}

void Estate::stop() { client_->post("/estate/stop", "text/plain", ""); }

}  // namespace wattseal::apps
