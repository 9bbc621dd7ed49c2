// Other certification authorities that Debian has, over the same requests in the same run: the
// openssl command, and cfssl over HTTP. Left out, and named, where they are not installed.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/fault.h"
#include "bench/bench.h"
#include "bench/issuing.h"
#include "x509/x509.h"

extern char** environ;

namespace wattseal::bench {
namespace {

constexpr const char* kLimitIs = "bare parse-verify-build-sign-commit loop";

bool installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file) throw Fault("cannot write " + path.filename().string());
}

void run_command(const std::string& command) {
  if (std::system((command + " >/dev/null 2>&1").c_str()) != 0)
    throw Fault("a peer's command failed: " + command.substr(0, 60));
}

std::string pem_of(const Bytes& request) { return x509::to_pem("CERTIFICATE REQUEST", request); }

void make_authority(const std::filesystem::path& folder) {
  run_command("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " +
              (folder / "ca-key.pem").string() + " -out " + (folder / "ca.pem").string() +
              " -days 30 -subj /CN=peer");
}

double openssl_rate(const Bench& bench, const std::vector<Bytes>& requests) {
  const std::filesystem::path folder = bench.folder / "openssl-ca";
  std::filesystem::create_directories(folder / "new");
  make_authority(folder);
  write_file(folder / "index.txt", "");
  write_file(folder / "serial", "01\n");
  write_file(folder / "ca.cnf",
             fmt::format("[ca]\ndefault_ca=a\n[a]\ndir={0}\ndatabase={0}/index.txt\nserial={0}/"
                         "serial\nnew_certs_dir={0}/new\ncertificate={0}/ca.pem\nprivate_key={0}/"
                         "ca-key.pem\ndefault_md=sha256\ndefault_days=3650\nunique_subject=no\n"
                         "policy=p\n[p]\ncommonName=optional\n",
                         folder.string()));
  std::string files;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::filesystem::path file = folder / fmt::format("{}.csr", i);
    write_file(file, pem_of(requests[i]));
    files += " " + file.string();
  }
  const double taken = bench.seconds([&] {
    run_command("openssl ca -batch -notext -config " + (folder / "ca.cnf").string() +
                " -subj /CN=device -infiles" + files);
  });
  return static_cast<double>(requests.size()) / taken;
}

// cfssl as a server on loopback, ended by its process id.
class Cfssl {
 public:
  Cfssl(const World& world, const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    make_authority(folder);
    write_file(folder / "config.json",
               R"({"signing":{"default":{"expiry":"87600h","usages":["digital signature"]}}})");
    // A server lets go of a port that is free, and cfssl takes it.
    port_ = http::Server(world, {}, [](const http::Request&) { return http::Response(); }).port();
    const std::string port = std::to_string(port_), certificate = (folder / "ca.pem").string(),
                      key = (folder / "ca-key.pem").string(),
                      config = (folder / "config.json").string();
    const char* const words[] = {"cfssl",     "serve",
                                 "-loglevel", "4",
                                 "-address",  "127.0.0.1",
                                 "-port",     port.c_str(),
                                 "-ca",       certificate.c_str(),
                                 "-ca-key",   key.c_str(),
                                 "-config",   config.c_str(),
                                 nullptr};
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    const int failed =
        posix_spawnp(&process_, "cfssl", &quiet, nullptr, const_cast<char* const*>(words), environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (failed != 0) throw Fault("cfssl does not start");
  }
  ~Cfssl() {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }
  Cfssl(const Cfssl&) = delete;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  std::uint16_t port_ = 0;
  pid_t process_ = 0;
};

std::string sign_body(const Bytes& request) {
  return nlohmann::json{{"certificate_request", pem_of(request)},
                        {"subject", {{"CN", "device"}}},
                        {"hosts", {"device"}}}
      .dump();
}

void await(const Cfssl& server, const Bytes& request) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    try {
      const std::unique_ptr<http::Client> client = open_client(server.url());
      if (client->post("/api/v1/cfssl/sign", "application/json", sign_body(request)).status == 200)
        return;
    } catch (const Fault&) {  // it does not listen yet
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  throw Fault("cfssl does not sign");
}

double cfssl_rate(const Bench& bench, const std::vector<Bytes>& requests) {
  const Cfssl server(bench.world, bench.folder / "cfssl");
  await(server, requests.front());
  constexpr unsigned kClients = 16;
  std::atomic<std::size_t> next = 0;
  const double taken = bench.seconds([&] {
    bench.rate(kClients, kClients, [&](std::size_t) {
      const std::unique_ptr<http::Client> client = open_client(server.url());
      for (std::size_t i = next++; i < requests.size(); i = next++) {
        if (client->post("/api/v1/cfssl/sign", "application/json", sign_body(requests[i])).status !=
            200)
          throw Fault("cfssl refused a request");
      }
    });
  });
  return static_cast<double>(requests.size()) / taken;
}

}  // namespace

void peers(const Bench& bench, Results& results) {
  const std::vector<Bytes> requests = make_requests(bench, 500, 500'000);  // 4,000
  const double limit = bare_loop(bench, requests);
  const std::vector<Bytes> few(requests.begin(), requests.begin() + 500);
  if (installed("openssl"))
    results.push_back({"peer_openssl_ca", openssl_rate(bench, few), "certificates/s", limit,
                       kLimitIs, "openssl ca -batch -infiles over 500 requests"});
  if (installed("cfssl"))
    results.push_back({"peer_cfssl", cfssl_rate(bench, requests), "certificates/s", limit, kLimitIs,
                       "cfssl serve, 16 HTTP clients, P-256, nothing stored"});
}

}  // namespace wattseal::bench
