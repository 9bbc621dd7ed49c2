// Service requests through the gateway, and Parse.
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "apps/service_user.h"
#include "apps/street.h"
#include "base/fault.h"
#include "bench/bench.h"
#include "gbcs/security.h"

namespace wattseal::bench {
namespace {

constexpr Eui64 kMaker = Eui64::from_number(0x9057530000050000),
                kFirst = Eui64::from_number(0x0057530000000000),
                kSupplier = Eui64::from_number(0x9057530000010000);
constexpr std::size_t kPremises = 200, kRequests = 4000;

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) throw Fault(result.refusal().detail);
  return std::move(result).value();
}
void must_succeed(const Status& status) {
  if (!status.ok()) throw Fault(status.refusal().detail);
}

// A gateway with commissioned electricity meters and one supplier. Commands are accepted and wait
// for the WAN, which is not there: measured is what happens between the request and the durable
// command.
struct Rig {
  explicit Rig(const Bench& bench, const std::string& name) {
    apps::PlatformOptions options;
    options.data = bench.folder / name;
    options.key_store = "file";
    platform = must(apps::Platform::create(bench.world, options));
    must(platform->run_ceremony());
    must_succeed(platform->start_smki());
    must_succeed(platform->start_gateway());
    must_succeed(platform->registration_authority().register_party(
        {kSupplier, "Alder", "supplier", {UserRole::import_supplier}, {{kSupplier, kSupplier}}},
        {}));
    must_succeed(platform->registration_authority().register_party(
        {kMaker, "Elm", "manufacturer", {}, {{kFirst, Eui64::from_number(kFirst.number() + 9999)}}},
        {}));
    user = std::make_unique<apps::ServiceUser>(
        bench.world, apps::UserProfile{kSupplier, "Alder", RemotePartyRole::supplier, false},
        apps::Addresses{platform->smki_url(), platform->repository_url(), platform->gateway_url()});
    must_succeed(user->obtain_certificates());
    street = std::make_unique<apps::Street>(bench.world, platform->workers(), kPremises, kFirst);
    const smki::BatchId batch =
        must(platform->registration_authority().submit({kMaker, street->make_requests(), {}}));
    platform->wake();
    if (!platform->wait_for(batch, std::chrono::seconds(60)))
      throw Fault("the certificates were not issued in a minute");
    for (const apps::Premises& one : street->premises()) {
      must_succeed(
          platform->registration().record({{one.mpan.text(), kSupplier, kMaker, std::nullopt,
                                            std::nullopt, bench.world.now().plus_seconds(-1)}},
                                          {}));
      std::vector<gateway::InventoryEvent> events{
          {one.chf, "pre-notified", DeviceType::chf, one.chf, "", "CH-1"},
          {one.chf, "connected-to-wan"},
          {one.esme, "pre-notified", DeviceType::esme, one.chf, one.mpan.text(), "EM-1"}};
      for (const char* event : {"added-to-device-log", "joined", "commission-succeeded"})
        events.push_back({one.esme, event});
      must_succeed(platform->inventory().apply(events, {}));
    }
  }
  const apps::Premises& premises(std::size_t i) const { return street->premises()[i % kPremises]; }

  std::unique_ptr<apps::Platform> platform;
  std::unique_ptr<apps::ServiceUser> user;
  std::unique_ptr<apps::Street> street;
};

http::Request posted(std::string document) {
  http::Request request;
  request.method = "POST";
  request.body = std::move(document);
  return request;
}

void must_be(const http::Response& response, std::string_view code) {
  if (response.body.find("ResponseCode>" + std::string(code) + "<") == std::string::npos)
    throw Fault("the gateway answered " + response.body.substr(0, 600));
}

std::vector<std::filesystem::path> reference_responses() {
  const char* const named = std::getenv("WATTSEAL_VECTORS");
  const std::filesystem::path folder =
      std::filesystem::path(named ? named : "../shared/vectors") / "rtds" / "rtds-4.5.0";
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::exists(folder)) return files;
  for (const std::filesystem::directory_entry& entry :
       std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().string().find("_RESPONSE_") != std::string::npos)
      files.push_back(entry.path());
  }
  return files;
}

}  // namespace

void gateway_noncritical(const Bench& bench, Results& results) {
  const Rig rig(bench, "noncritical");
  std::vector<std::string> documents;
  for (std::size_t i = 0; i < kRequests; ++i) {
    documents.push_back(rig.user->signed_document(
        rig.user->request(rig.premises(i).esme, "4.1.1", 1, {}, rig.user->next_counter())));
  }
  const RawLimits raw = measure_raw_limits(bench);
  const double limit = bench.cores / (1 / raw.verifications + 1 / raw.signatures);
  const double rate = bench.rate(documents.size(), 64, [&](std::size_t i) {
    must_be(rig.platform->gateway().serve(gateway::ServiceUrl::send_command, posted(documents[i])),
            "I99");
  });
  results.push_back({"gateway_noncritical", rate, "requests/s", limit,
                     "one ECDSA verification and one signature each, on all cores",
                     "signed request to durable command and signed acknowledgement; RocksDB, 16 "
                     "threads, in process"});
}

void gateway_critical(const Bench& bench, Results& results) {
  const Rig rig(bench, "critical");
  std::vector<duis::ServiceRequest> requests;
  std::vector<std::string> to_transform, to_send(kRequests / 2);
  for (std::size_t i = 0; i < kRequests / 2; ++i) {
    requests.push_back(
        rig.user->request(rig.premises(i).esme, "1.6", 4,
                          {"", "", {}, "", {{std::string(duis::kNamespace), "Credit", {}, "", {}}}},
                          rig.user->next_counter()));
    to_transform.push_back(rig.user->signed_document(requests.back()));
  }
  const RawLimits raw = measure_raw_limits(bench);
  const double limit = bench.cores / (3 / raw.verifications + 2 / raw.signatures);
  std::vector<std::string> answers(requests.size());
  const double transforms = bench.rate(requests.size(), 16, [&](std::size_t i) {
    const http::Response response =
        rig.platform->gateway().serve(gateway::ServiceUrl::transform, posted(to_transform[i]));
    must_be(response, "I0");
    answers[i] = response.body;
  });
  for (std::size_t i = 0; i < requests.size(); ++i) {  // the user's side is not measured
    const Result<xml::Document> document = xml::parse(answers[i]);
    const duis::ServiceResponse answer = must(duis::read_response(document->root()));
    to_send[i] = rig.user->signed_pre_command(requests[i], answer.pre_command.value());
  }
  const double sends = bench.rate(requests.size(), 16, [&](std::size_t i) {
    must_be(rig.platform->gateway().serve(gateway::ServiceUrl::send_command, posted(to_send[i])),
            "I99");
  });
  results.push_back(
      {"gateway_critical", 1 / (1 / transforms + 1 / sends), "commands/s", limit,
       "three ECDSA verifications and two signatures each, on all cores",
       "Transform and signed pre-command, to durable command; RocksDB, 16 threads, in process"});
}

void parse(const Bench& bench, Results& results) {
  std::vector<Bytes> messages;
  for (const std::filesystem::path& file : reference_responses()) {
    std::ifstream in(file);
    std::string digits;
    for (std::istreambuf_iterator<char> at(in), end; at != end; ++at) {
      if (*at > ' ') digits.push_back(*at);
    }
    if (const std::optional<Bytes> octets = from_hex(digits)) messages.push_back(*octets);
  }
  if (messages.empty()) {
    std::fprintf(stderr, "parse: skipped, the reference vectors are absent (WATTSEAL_VECTORS)\n");
    return;
  }
  const gbcs::Opener as_it_is = [](const gbcs::Message&, BytesView) -> Result<Bytes> {
    return Bytes{0x02, 0x00};
  };
  constexpr std::size_t kCount = 100'000;
  const double limit = bench.rate(kCount, 1, [&](std::size_t i) {
    if (!gbcs::decode(messages[i % messages.size()]).ok())
      throw Fault("a reference message does not decode");
  });
  std::atomic<std::size_t> parsed = 0;
  const double rate = bench.rate(kCount, 1, [&](std::size_t i) {
    const Result<gbcs::Message> message = gbcs::decode(messages[i % messages.size()]);
    parsed += gbcs::parse_readable(*message, as_it_is).ok() ? 1 : 0;
  });
  results.push_back(
      {"parse", rate, "messages/s", limit, "decoding the envelope alone",
       std::to_string(messages.size()) + " reference responses, one core, decryption left out"});
}

}  // namespace wattseal::bench
