// Service requests through the gateway, and Parse.
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "apps/commands.h"
#include "apps/rtds/data_set.h"
#include "apps/service_user.h"
#include "apps/street.h"
#include "base/fault.h"
#include "bench/bench.h"
#include "gbcs/mmc.h"
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

// The reference data, or nothing where it is absent.
std::optional<apps::RtdsDataSet> reference_data(const char* name) {
  const char* const folder = std::getenv("WATTSEAL_VECTORS");
  Result<apps::RtdsDataSet> data = apps::RtdsDataSet::open(folder ? folder : "../shared/vectors");
  if (data.ok()) return std::move(data).value();
  std::fprintf(stderr, "%s: skipped, the reference vectors are absent (WATTSEAL_VECTORS)\n", name);
  return std::nullopt;
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
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

// Every reference message in turn: decoded, its encrypted attributes decrypted with shared secrets
// that are at hand, each item named and rendered.
void parse(const Bench& bench, Results& results) {
  const std::optional<apps::RtdsDataSet> data = reference_data("parse");
  if (!data) return;
  std::vector<Bytes> messages;
  for (const auto& [name, file] : data->messages)
    messages.push_back(must(apps::read_octets(content_of(file))));
  apps::RtdsKeys keys(data->folder / "keystore");
  std::size_t opened = 0;
  const gbcs::Opener open = [&](const gbcs::Message& message, BytesView blob) -> Result<Bytes> {
    const gbcs::AttributeRecipient recipient = gbcs::attribute_recipient(message);
    const std::optional<crypto::SharedSecret> secret =
        keys.secret(recipient.party, message.originator);
    if (!secret) return Refusal{"gbcs-no-key"_rule, "no key"};
    ++opened;
    return gbcs::open_attribute(*secret, message.originator, recipient.counter, recipient.party,
                                blob);
  };
  const auto decoded = [&](std::size_t i) {
    return must(gbcs::decode(messages[i % messages.size()]));
  };
  for (std::size_t i = 0; i < messages.size(); ++i) must(gbcs::parse_readable(decoded(i), open));
  const std::string each = std::to_string(messages.size()) + " reference messages in turn, " +
                           std::to_string(opened) + " encrypted attributes opened in each round";
  const std::size_t count = 200 * messages.size();
  const double limit = bench.core_rate(count, [&](std::size_t i) { decoded(i); });
  const double rate =
      bench.core_rate(count, [&](std::size_t i) { must(gbcs::parse_readable(decoded(i), open)); });
  results.push_back({"parse", rate, "messages/s", limit, "decoding the envelope alone",
                     each + "; one core, its own time"});
  std::vector<std::size_t> answers;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (decoded(i).cra != gbcs::Cra::command) answers.push_back(i);
  }
  const double documents = bench.core_rate(20 * answers.size(), [&](std::size_t i) {
    must(gbcs::to_mmc(decoded(answers[i % answers.size()]), open));
  });
  results.push_back({"mmc", documents, "documents/s", rate, "parsing to names and texts",
                     std::to_string(answers.size()) + " reference answers and alerts; one core"});
}

// Every reference request that has a template in turn, from its value to the whole unsigned
// message.
void transform(const Bench& bench, Results& results) {
  const std::optional<apps::RtdsDataSet> data = reference_data("transform");
  if (!data) return;
  struct Work {
    std::string text;
    duis::ServiceRequest request;
    DeviceType type;
    gateway::Originator originator;
    std::unique_ptr<apps::RtdsFacts> facts;
    UtcTime now;
  };
  const auto templates = gbcs::TemplateSet::built_in();
  const auto made = [&](const Work& work) {
    return gateway::transform(*templates, work.request, work.type, work.originator, *work.facts,
                              work.now);
  };
  std::vector<Work> all;
  for (const auto& [name, file] : data->requests) {
    std::string text = content_of(file);
    const Result<xml::Document> document = xml::parse(text);
    if (!document.ok()) continue;
    Result<duis::ServiceRequest> request = duis::read_request(document->root());
    if (!request.ok() || request->body.name == "SignedPreCommand") continue;
    const Result<DeviceType> type = data->type(request->id.target);
    const Result<gateway::Originator> originator = data->originator(name, request->id);
    const Result<UtcTime> now = data->now(name);
    if (!type.ok() || !originator.ok() || !now.ok()) continue;
    Work work{std::move(text),
              std::move(*request),
              *type,
              *originator,
              std::make_unique<apps::RtdsFacts>(*data, name),
              *now};
    if (made(work).ok()) all.push_back(std::move(work));
  }
  const std::size_t count = 40 * all.size();
  const double reading = bench.core_rate(count, [&](std::size_t i) {
    const xml::Document document = must(xml::parse(all[i % all.size()].text));
    must(duis::read_request(document.root()));
  });
  const double rate =
      bench.core_rate(count, [&](std::size_t i) { must(made(all[i % all.size()])); });
  results.push_back({"transform", rate, "requests/s", reading,
                     "parsing the request's XML and checking it against the schema",
                     std::to_string(all.size()) +
                         " reference requests in turn, from value to message, without "
                         "cryptography; one core, its own time"});
}

}  // namespace wattseal::bench
