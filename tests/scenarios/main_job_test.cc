// The demo itself, small: it throws when any of its steps does not come out as it must.
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "apps/audit.h"
#include "apps/demo.h"
#include "base/log.h"
#include "tests/scenarios/rig.h"

namespace wattseal::scenarios {
namespace {

TEST(MainJob, RunsEndToEndOnTheEmbeddedStoreAndIsThereAfterARestart) {
  log::set_level(log::Level::off);
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("wattseal-main-" + std::to_string(::getpid()));
  const std::unique_ptr<Clock> clock = system_clock();
  const std::unique_ptr<Random> random = system_random();
  const World world{*clock, *random};
  apps::DemoOptions options;
  options.premises = 3;
  options.quiet = true;
  options.tour = true;
  options.platform.data = folder;
  options.platform.key_store = "file";
  const nlohmann::json summary = apps::run_demo(world, options);
  EXPECT_EQ(summary["steps"].size(), 21u);
  EXPECT_EQ(summary["gateway"]["timed_out"], 1) << "the one whose signer the meter does not know";
  const std::uint64_t certificates = summary["certificates"];
  EXPECT_EQ(certificates, 4u + 11u + 14u + 1u + 1u + 3u * 8u)
      << "authorities, DCC, users', a renewed one, a newcomer's, devices'";

  apps::PlatformOptions again;
  again.data = folder;
  again.key_store = "file";
  const std::unique_ptr<apps::Platform> platform =
      std::move(apps::Platform::create(world, again).value());
  const Result<smki::CeremonyReport> ceremony = platform->run_ceremony();
  for (const smki::CeremonyReport::Authority& authority : ceremony->authorities)
    EXPECT_FALSE(authority.made_now);
  ASSERT_TRUE(platform->start_smki().ok() && platform->start_gateway().ok());
  EXPECT_EQ(platform->repository().count(), certificates) << "a restart makes nothing new";
  EXPECT_TRUE(storage::verify_journal(platform->store()).ok());
  platform->stop();
  std::filesystem::remove_all(folder);
  log::set_level(log::Level::info);
}

TEST(Deadlines, ARequestWithoutAnAnswerEndsOnceAndItsCommandIsNotSentLater) {
  Network net;
  net.platform->set_wan_url("http://127.0.0.1:9");  // nobody is there
  const duis::ServiceRequest request = net.read(*net.supplier);
  ASSERT_EQ(net.supplier->send(request, kNoWait)->acknowledgement, "I99");
  net.clock.advance(31);
  for (int i = 0; i < 500 && net.supplier->answered() == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(net.supplier->answered(), 1u);
  const gateway::Gateway::Counts counts = net.platform->gateway().counts();
  EXPECT_EQ(counts.timed_out, 1u);
  net.platform->set_wan_url(net.street->wan_url());
  EXPECT_TRUE(net.supplier->send(net.read(*net.supplier), kPatience)->parsed.has_value())
      << "the next one is answered";
  net.next_fact();  // the answer may be here before the gateway has noted that it sent the command
  EXPECT_EQ(net.platform->gateway().counts().sent, 1u) << "the late command was dropped";
  int ends = 0;
  net.platform->store().journal(1, [&](const storage::JournalEntry& entry) {
    const FactView fact = FactView::read(entry.fact).value();
    ends += fact.kind() == FactKind::request_ended &&
                    fact.text(FactField::request_id) == request.id.text()
                ? 1
                : 0;
    return true;
  });
  EXPECT_EQ(ends, 1);
}

TEST(Traces, OneTraceLeadsFromTheRequestToTheDeviceAndBack) {
  Network net;
  log::set_level(log::Level::info);
  ::testing::internal::CaptureStderr();
  const bool answered = net.supplier->send(net.read(*net.supplier), kPatience)->parsed.has_value();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the last line is being written
  const std::string lines = ::testing::internal::GetCapturedStderr();
  ASSERT_TRUE(answered);
  std::map<std::string, std::vector<std::string>> events;  // by trace
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const nlohmann::json one = nlohmann::json::parse(line, nullptr, false);
    if (one.is_object()) events[one.value("trace", "")].push_back(one.value("event", ""));
  }
  const auto whole = [&](const std::vector<std::string>& steps) {
    return std::ranges::all_of(
        std::initializer_list<const char*>{"request_accepted", "command_sent", "device_received",
                                           "device_answered", "response_delivered"},
        [&](const char* step) { return std::ranges::find(steps, step) != steps.end(); });
  };
  EXPECT_TRUE(std::ranges::any_of(events, [&](const auto& one) { return whole(one.second); }))
      << lines;
}

TEST(Metrics, AreOpenMetricsUnlessOnlyTheOlderFormIsAccepted) {
  Network net;
  const std::unique_ptr<http::Client> client =
      std::move(http::Client::open(net.platform->gateway_url()).value());
  const http::Response open = client->get("/metrics");
  EXPECT_TRUE(open.content_type.starts_with("application/openmetrics-text; version=1.0.0"));
  EXPECT_TRUE(open.body.ends_with("\n# EOF\n"));
  EXPECT_NE(open.body.find("# TYPE wattseal_gateway_accepted counter\n"), std::string::npos);
  EXPECT_NE(open.body.find("\nwattseal_gateway_accepted_total "), std::string::npos);
  http::Request request;
  request.method = "GET";
  request.path = "/metrics";
  request.headers = {{"Accept", "text/plain"}};
  const http::Response older = client->send(request);
  EXPECT_TRUE(older.content_type.starts_with("text/plain; version=0.0.4"));
  EXPECT_NE(older.body.find("# TYPE wattseal_gateway_accepted_total counter\n"), std::string::npos);
}

TEST(Audit, FindsWhatDoesNotAddUp) {
  Network net;
  ASSERT_TRUE(net.supplier->send(net.read(*net.supplier), kPatience)->parsed.has_value());
  const apps::AuditReport report = apps::audit(*net.platform->store().snapshot()).value();
  EXPECT_EQ(report.certificates_published, net.platform->repository().count());
  EXPECT_EQ(report.requests_accepted, 1u);
  EXPECT_EQ(report.requests_waiting(), 0u);
  const std::unique_ptr<storage::Store> other = storage::memory_store();
  const auto rule_after = [&](const FactWriter& fact) {
    storage::Batch batch;
    batch.append(fact.bytes());
    CHECK(other->commit(std::move(batch)).ok());
    const Result<apps::AuditReport> found = apps::audit(*other);
    return found.ok() ? "" : std::string(found.refusal().rule.text());
  };
  const CertificateSerial serial = CertificateSerial::parse_hex("42").value();
  EXPECT_EQ(
      rule_after(FactWriter(FactKind::certificate_intended, net.world.now(), {}).serial(serial)),
      "");
  EXPECT_EQ(
      rule_after(FactWriter(FactKind::certificate_issued, net.world.now(), {}).serial(serial)), "");
  EXPECT_EQ(rule_after(FactWriter(FactKind::request_accepted, net.world.now(), {})
                           .text(FactField::request_id, "r")),
            "");
  EXPECT_EQ(rule_after(FactWriter(FactKind::request_ended, net.world.now(), {})
                           .text(FactField::request_id, "r")),
            "");
  EXPECT_EQ(rule_after(FactWriter(FactKind::request_ended, net.world.now(), {})
                           .text(FactField::request_id, "r")),
            "audit-request");
  const std::unique_ptr<storage::Store> third = storage::memory_store();
  storage::Batch batch;
  batch.append(
      FactWriter(FactKind::certificate_published, net.world.now(), {}).serial(serial).bytes());
  ASSERT_TRUE(third->commit(std::move(batch)).ok());
  EXPECT_EQ(apps::audit(*third).refusal().rule, "audit-certificate"_rule);
}

TEST(TopUps, AreCreditedOnce) {
  Network net;
  const OriginatorCounter counter = net.supplier->next_top_up_counter();
  const std::string code = net.supplier->top_up_code(net.home().esme, counter, 500);
  const auto send = [&](OriginatorCounter with) {
    return net.supplier
        ->send(
            net.supplier->request(net.home().esme, "2.2", 1, body_of({leaf("UTRN", code)}), with),
            kPatience)
        .value();
  };
  EXPECT_TRUE(send(counter).parsed->success);
  EXPECT_EQ(net.street->display(net.home().esme).balance_millipence, 500'000);
  const apps::Exchange again = send(net.supplier->next_top_up_counter());
  EXPECT_FALSE(again.parsed->success) << "the same code a second time";
  EXPECT_EQ(net.street->display(net.home().esme).balance_millipence, 500'000);
}

TEST(FutureDating, TheMeterChangesAtItsTimeAndSaysSo) {
  Network net;
  const UtcTime when = net.world.now().plus_seconds(3600);
  const duis::ServiceRequest request = net.supplier->request(
      net.home().esme, "1.6", 4, body_of({leaf("ExecutionDateTime", when.iso()), leaf("Credit")}),
      net.supplier->next_counter());
  const Bytes pre_command = net.supplier->transform(request).value();
  const Result<gateway::Correlation> correlation = net.supplier->correlate(request, pre_command);
  ASSERT_TRUE(correlation.ok()) << correlation.refusal().detail;
  ASSERT_TRUE(net.supplier->sign_and_send(request, pre_command, kPatience)->parsed->success);
  EXPECT_EQ(net.street->display(net.home().esme).payment_mode, "prepayment");
  EXPECT_TRUE(net.supplier->alerts().empty());
  net.clock.advance(3601);
  ASSERT_TRUE(net.supplier->wait_for_alert(1, kPatience));
  EXPECT_EQ(net.supplier->alerts().front().alert_code, "8F66");
  EXPECT_EQ(net.street->display(net.home().esme).payment_mode, "credit");
}

}  // namespace
}  // namespace wattseal::scenarios
