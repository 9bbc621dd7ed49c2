// Certificates: a batch, single requests over TLS, look-ups.
#define OPENSSL_SUPPRESS_DEPRECATED  // the fastest calls that OpenSSL has
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/street.h"
#include "base/fault.h"
#include "bench/issuing.h"

namespace wattseal::bench {
namespace {

constexpr Eui64 kMaker = Eui64::from_number(0x9057530000050000),
                kFirst = Eui64::from_number(0x0057530000000000);

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) throw Fault(result.refusal().detail);
  return std::move(result).value();
}
void must_succeed(const Status& status) {
  if (!status.ok()) throw Fault(status.refusal().detail);
}

std::unique_ptr<apps::Platform> open_platform(const Bench& bench, const std::string& name,
                                              std::optional<http::Tls> tls,
                                              const std::string& key_store = "file") {
  apps::PlatformOptions options;
  options.data = bench.folder / name;
  options.key_store = key_store;
  options.tls = std::move(tls);
  std::unique_ptr<apps::Platform> platform = must(apps::Platform::create(bench.world, options));
  must(platform->run_ceremony());
  must_succeed(platform->start_smki());
  must_succeed(platform->registration_authority().register_party(
      {kMaker,
       "Elm",
       "manufacturer",
       {},
       {{kFirst, Eui64::from_number(kFirst.number() + 999'999)}}},
      {}));
  return platform;
}

// Resident memory of this process in MiB: now, and the most since forget_peak().
std::uint64_t status_mib(std::string_view name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::stoull(line.substr(name.size())) / 1024;
  }
  throw Fault("the kernel does not say how much memory is resident");
}
void forget_peak() { std::ofstream("/proc/self/clear_refs") << 5; }

}  // namespace

std::vector<Bytes> make_requests(const Bench& bench, std::size_t premises, std::uint64_t offset) {
  Workers workers;
  apps::Street street(bench.world, workers, premises, Eui64::from_number(kFirst.number() + offset));
  return street.make_requests();
}

std::unique_ptr<http::Client> open_client(const std::string& url) {
  return must(http::Client::open(url));
}

namespace {

// OpenSSL's own signature and nothing else.
class BareSigner {
 public:
  BareSigner() : key_(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1), EC_KEY_free) {
    if (!key_ || EC_KEY_generate_key(key_.get()) != 1) throw Fault("no key");
  }
  crypto::Signature sign(const crypto::Digest& digest) const {
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> made(
        ECDSA_do_sign(digest.data(), static_cast<int>(digest.size()), key_.get()), ECDSA_SIG_free);
    crypto::Signature signature{};
    if (!made || BN_bn2binpad(ECDSA_SIG_get0_r(made.get()), signature.data(), 32) != 32 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(made.get()), signature.data() + 32, 32) != 32)
      throw Fault("no signature");
    return signature;
  }

 private:
  std::unique_ptr<EC_KEY, decltype(&EC_KEY_free)> key_;
};

}  // namespace

double bare_loop(const Bench& bench, const std::vector<Bytes>& requests) {
  const std::unique_ptr<storage::Store> store =
      must(storage::open_rocksdb_store(bench.folder / ("bare" + std::to_string(requests.size()))));
  const BareSigner issuer;
  constexpr std::size_t kChunk = 1024;
  constexpr storage::Table kTable{99, "bare"};
  const double taken = bench.seconds([&] {
    Workers workers;
    for (std::size_t first = 0; first < requests.size(); first += kChunk) {
      const std::size_t count = std::min(kChunk, requests.size() - first);
      std::vector<Bytes> certificates(count);
      workers.parallel_for(count, 16, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          const Result<x509::CertificationRequest> request =
              x509::parse_request(requests[first + i]);
          if (!request.ok() || !x509::proves_possession(*request)) throw Fault("a request is bad");
          x509::TbsCertificate tbs;
          tbs.serial =
              must(CertificateSerial::from_octets(BytesView(x509::key_identifier(request->key))));
          tbs.not_before = tbs.not_after = bench.world.now();
          tbs.key = request->key;
          tbs.extensions = request->extensions;
          const Bytes octets = x509::encode_tbs(tbs);
          certificates[i] = x509::assemble_certificate(octets, issuer.sign(crypto::sha256(octets)));
        }
      });
      storage::Batch batch;
      for (std::size_t i = 0; i < count; ++i) {
        Bytes key;
        put_be(key, first + i);
        batch.put(kTable, key, certificates[i]);
      }
      must(store->commit(std::move(batch)));
    }
  });
  return static_cast<double>(requests.size()) / taken;
}

namespace {

// A certificate for 127.0.0.1, made by the openssl command: what a TLS server needs is none of our
// profiles.
http::Tls make_tls(const Bench& bench) {
  const std::string base = (bench.folder / "tls").string();
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " + base +
      ".key -out " + base +
      ".pem -days 2 -subj /CN=bench -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) throw Fault("the openssl command is missing");
  return {base + ".pem", base + ".key", {}};
}

}  // namespace

namespace {

void issue_batch_behind(const Bench& bench, Results& results, const std::string& key_store) {
  const std::string name = key_store == "file" ? "issue_batch" : "issue_batch_softhsm";
  const std::vector<Bytes> requests = make_requests(bench, 6250, key_store == "file" ? 0 : 600'000);
  const double limit = bare_loop(bench, requests);
  forget_peak();
  const std::uint64_t before = status_mib("VmRSS:");
  const std::unique_ptr<apps::Platform> platform = open_platform(bench, name, {}, key_store);
  const double taken = bench.seconds([&] {
    const smki::BatchId batch =
        must(platform->registration_authority().submit({kMaker, requests, {}}));
    platform->wake();
    if (!platform->wait_for(batch, std::chrono::seconds(120)))
      throw Fault("the batch was not done in two minutes");
  });
  results.push_back(
      {name, static_cast<double>(requests.size()) / taken, "certificates/s", limit,
       "bare parse-verify-build-sign-commit loop",
       fmt::format("{} requests in {:.2f} s, {} keys, RocksDB, submitted to published, {} cores; "
                   "at most {} MiB resident more than before the start",
                   requests.size(), taken, platform->key_store_kind(), bench.cores,
                   status_mib("VmHWM:") - std::min(before, status_mib("VmHWM:")))});
}

}  // namespace

void issue_batch(const Bench& bench, Results& results) {
  issue_batch_behind(bench, results, "file");
}
void issue_batch_softhsm(const Bench& bench, Results& results) {
  issue_batch_behind(bench, results, "pkcs11");
}

void issue_single_https(const Bench& bench, Results& results) {
  constexpr unsigned kClients = 64;
  constexpr std::size_t kAlone = 800;  // by one connection, before the others come
  const std::vector<Bytes> requests = make_requests(bench, 2100, 100'000);  // 16,800
  const double limit = bare_loop(bench, requests);
  const http::Tls tls = make_tls(bench);
  const std::unique_ptr<apps::Platform> platform = open_platform(bench, "single", tls);
  std::vector<std::unique_ptr<http::Client>> clients;
  http::ClientOptions options;
  options.trusted_ca = tls.certificate_chain;
  for (unsigned i = 0; i < kClients; ++i)
    clients.push_back(must(http::Client::open(platform->smki_url(), options)));
  std::vector<std::int64_t> times(requests.size());
  const auto ask = [&](unsigned client, std::size_t i) {
    http::Request request;
    request.method = "POST";
    request.path = "/api/v1/requests";
    request.headers = {{"X-Subscriber", kMaker.text()}, {"Content-Type", "application/pkcs10"}};
    request.body = std::string(as_text(requests[i]));
    const std::int64_t start = bench.world.clock.monotonic_microseconds();
    if (clients[client]->send(request).status != 200) throw Fault("a single request was refused");
    times[i] = bench.world.clock.monotonic_microseconds() - start;
  };
  for (std::size_t i = 0; i < kAlone; ++i) ask(0, i);
  std::atomic<unsigned> next_client = 0;
  const double rate = bench.rate(requests.size() - kAlone, kClients, [&](std::size_t i) {
    thread_local const unsigned mine = next_client++;
    ask(mine, kAlone + i);
  });
  const auto percentile = [&](std::size_t first, std::size_t last, unsigned percent) {
    std::sort(times.begin() + static_cast<std::ptrdiff_t>(first),
              times.begin() + static_cast<std::ptrdiff_t>(last));
    return static_cast<double>(times[first + (last - first) * percent / 100]) / 1000;
  };
  results.push_back(
      {"issue_single_https", rate, "certificates/s", limit,
       "bare parse-verify-build-sign-commit loop in chunks of 1,024",
       fmt::format(
           "{} TLS clients with kept connections on the same machine, one request each at a "
           "time, answered when published: p50 {:.1f} ms, p99 {:.1f} ms; one client alone: "
           "p50 {:.2f} ms",
           kClients, percentile(kAlone, times.size(), 50), percentile(kAlone, times.size(), 99),
           percentile(0, kAlone, 50))});
}

void repository_lookup(const Bench& bench, Results& results) {
  const std::unique_ptr<apps::Platform> platform = open_platform(bench, "lookup", {});
  const smki::BatchId batch = must(
      platform->registration_authority().submit({kMaker, make_requests(bench, 1000, 200'000), {}}));
  platform->wake();
  if (!platform->wait_for(batch, std::chrono::seconds(60)))
    throw Fault("the batch was not done in a minute");
  const unsigned clients = 2 * bench.cores;
  const auto get_rate = [&](const std::string& url,
                            const std::function<std::string(std::size_t)>& path) {
    return bench.rate(clients, clients, [&](std::size_t client) {
      const std::unique_ptr<http::Client> connection = must(http::Client::open(url));
      for (std::size_t i = 0; i < 5000; ++i) {
        if (connection->get(path(client * 5000 + i)).status != 200) throw Fault("a look-up failed");
      }
    }) * 5000;
  };
  const auto look_up = [](std::size_t i) {
    return "/api/v1/certificates?latest=KA&device=" +
           Eui64::from_number(kFirst.number() + 200'000 + 4 * (i * 7919 % 1000)).text();
  };
  const std::string body =
      must(http::Client::open(platform->repository_url()))->get(look_up(0)).body;
  http::ServerOptions options;
  options.threads = 16;
  http::Server floor(bench.world, options, [&](const http::Request&) {
    return http::Response{.status = 200, .content_type = "application/json", .body = body};
  });
  const double limit = get_rate("http://127.0.0.1:" + std::to_string(floor.port()), look_up);
  results.push_back(
      {"repository_lookup", get_rate(platform->repository_url(), look_up), "look-ups/s", limit,
       "the same server with a constant answer of the same size",
       std::to_string(clients) + " HTTP clients on the same machine, 8,000 certificates, RocksDB"});
}

}  // namespace wattseal::bench
