// Alerts: consolidated when a device repeats itself, power cuts told to those whom they concern,
// a storm absorbed; each accounted for, in its device's order.
#include <nlohmann/json.hpp>

#include "apps/rebuild.h"
#include "apps/storm.h"
#include "gateway/wan_service.h"
#include "tests/scenarios/rig.h"

namespace wattseal::scenarios {
namespace {

using nlohmann::json;

json ask(const Network& net, const std::string& path, Eui64 user) {
  http::Request request;
  request.method = "GET";
  request.path = path.substr(0, path.find('?'));
  if (path.find("?from=") != std::string::npos)
    request.query = {{"from", path.substr(path.find('=') + 1)}};
  request.headers = {{"X-Subscriber", user.text()}};
  return json::parse(http::Client::open(net.platform->gateway_url()).value()->send(request).body);
}

// What a user's front end is given, in the order in which it comes.
class Inbox {
 public:
  explicit Inbox(apps::ServiceUser& user) : user_(user) {
    user.take_alerts([this](std::string_view document) {
      const Result<xml::Document> parsed = xml::parse(document);
      const Result<duis::ServiceResponse> alert = duis::read_response(parsed->root());
      const std::lock_guard lock(mutex_);
      if (alert.ok()) alerts_.push_back(*alert);
    });
  }
  ~Inbox() { user_.take_alerts({}); }
  Inbox(const Inbox&) = delete;
  std::vector<duis::ServiceResponse> alerts() const {
    const std::lock_guard lock(mutex_);
    return alerts_;
  }
  std::size_t count() const { return alerts().size(); }

 private:
  apps::ServiceUser& user_;
  mutable std::mutex mutex_;
  std::vector<duis::ServiceResponse> alerts_;
};

std::size_t alerts_journalled(const Network& net) {
  std::size_t count = 0;
  net.platform->store().journal(1, [&](const storage::JournalEntry& entry) {
    count += FactView::read(entry.fact)->kind() == FactKind::device_alerted ? 1 : 0;
    return true;
  });
  return count;
}

void expect_rebuilt(const Network& net) {
  const std::unique_ptr<storage::Store> into = storage::memory_store();
  const Result<apps::RebuildReport> report =
      apps::rebuild(net.world, *net.platform->store().snapshot(), *into);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->status().ok()) << explain(report->status().refusal());
}

TEST(Alerts, OfADeviceThatRepeatsItselfAreHeldBackListedAndToldAsOne) {
  Network net;
  const Inbox inbox(*net.supplier);
  const Eui64 user = net.supplier->profile().id, meter = net.home().esme;
  constexpr std::size_t kAllowed = 20, kMore = 7;  // row "other" of data/alert_thresholds.tsv
  for (std::size_t i = 0; i < kAllowed + kMore; ++i) {
    emulators::Misbehaviour storm;
    storm.storm_alerts = 1;
    net.street->misbehave(storm);
    const std::size_t before = alerts_journalled(net);
    ASSERT_TRUE(Network::soon([&] { return alerts_journalled(net) > before; }));
    net.street->misbehave({});
    net.next_fact();
    if (alerts_journalled(net) >= kAllowed + kMore) break;
  }
  const std::size_t made = alerts_journalled(net);
  ASSERT_GE(made, kAllowed + 1);
  // Those allowed, and the DCC's notice that more are held back.
  ASSERT_TRUE(Network::soon([&] { return inbox.count() >= kAllowed + 1; }));
  const auto listed = [&] { return ask(net, "/api/v1/alerts", user)["consolidations"]; };
  std::size_t held = 0;
  for (const json& one : listed()) held += one["held_back"].get<std::size_t>();
  EXPECT_GT(held, 0u);
  EXPECT_TRUE(ask(net, "/api/v1/alerts", net.other->profile().id)["consolidations"].empty());
  EXPECT_EQ(ask(net, "/api/v1/alerts/1", net.other->profile().id)["rule"],
            "gateway-consolidation-unknown");
  expect_rebuilt(net);
  net.clock.advance(601);
  const auto all_told = [&] {
    const json all = listed();
    return std::ranges::all_of(all, [](const json& one) { return one.contains("told_at"); });
  };
  ASSERT_TRUE(Network::soon(all_told));
  std::size_t delivered = 0, stood_for = 0, notices = 0;
  ASSERT_TRUE(Network::soon([&] {
    delivered = stood_for = notices = 0;
    for (const duis::ServiceResponse& alert : inbox.alerts()) {
      if (!alert.dcc_alert_code.empty()) {
        ++notices;
        EXPECT_EQ(alert.dcc_alert_code, "N34");
        EXPECT_TRUE(alert.throttled_sequence.has_value());
      } else if (alert.throttled_count) {
        stood_for += *alert.throttled_count;
      } else {
        ++delivered;
      }
    }
    return delivered + stood_for == made;
  })) << delivered
      << " delivered and " << stood_for << " told of as one make not " << made;
  EXPECT_EQ(stood_for, held);
  EXPECT_EQ(notices, listed().size());
  // Every one that was held back can be had with its octets.
  std::size_t kept = 0;
  for (const json& one : listed()) {
    const json shown = ask(net, "/api/v1/alerts/" + std::to_string(one["number"].get<int>()), user);
    for (const json& alert : shown["alerts"]) {
      const Bytes octets = from_base64(alert["message"].get<std::string>()).value();
      EXPECT_EQ(gbcs::decode(octets)->originator,
                Eui64::parse(one["device"].get<std::string>()).value());
      ++kept;
    }
  }
  EXPECT_EQ(kept, held);
  EXPECT_TRUE(Eui64::parse(listed()[0]["device"].get<std::string>()).ok());
  EXPECT_NE(meter, user);
  expect_rebuilt(net);
}

TEST(Alerts, APowerCutIsToldToSupplierAndNetworkOperatorOnce) {
  Network net;
  const Inbox supplier(*net.supplier), network(*net.network), other(*net.other);
  const std::string since = "2026-03-01T17:00:00Z";
  const auto report = [&](const json& outages) {
    return json::parse(net.post("/wan/v1/outages", outages.dump()).body);
  };
  const json cut{{{"hub", net.home().chf.text()}, {"since", since}}};
  EXPECT_EQ(report(cut)["taken"], 1);
  EXPECT_EQ(report(cut)["taken"], 1) << "said again";
  for (const Inbox* const inbox : {&supplier, &network}) {
    ASSERT_TRUE(Network::soon([&] { return inbox->count() == 1; }));
    const duis::ServiceResponse alert = inbox->alerts().front();
    EXPECT_EQ(alert.dcc_alert_code, "AD1");
    ASSERT_TRUE(alert.other.has_value());
    EXPECT_EQ(alert.other->child("CommsHubDeviceID")->trimmed(), net.home().chf.text());
    EXPECT_EQ(alert.other->child("StartDateTime")->trimmed(), since);
    EXPECT_EQ(alert.other->child("MPxN")->trimmed(), net.home().mpan.text());
  }
  net.next_fact();
  EXPECT_EQ(supplier.count(), 1u);
  EXPECT_EQ(other.count(), 0u);
  const json unknown = report({{{"hub", net.home().chf.text()}, {"since", "2026-03-02T17:00:00Z"}},
                               {{"hub", Eui64::from_number(1).text()}, {"since", since}}});
  EXPECT_EQ(unknown["taken"], 1);
  EXPECT_EQ(unknown["refused"][0]["outage"], 1);
  EXPECT_EQ(unknown["refused"][0]["rule"], "inventory-unknown-device");
  const std::uint64_t before = net.next_fact();
  for (const char* body : {"", "{}", "[1]", R"([{"hub":"x","since":"2026-03-02T17:00:00Z"}])",
                           R"([{"hub":"00-57-53-00-00-00-00-02","since":"yesterday"}])"}) {
    const http::Response refused = net.post("/wan/v1/outages", body);
    EXPECT_EQ(refused.status, 400) << body;
    EXPECT_EQ(json::parse(refused.body)["rule"], "wan-outages") << body;
  }
  EXPECT_TRUE(net.facts_since(before).empty());
}

TEST(Alerts, AmongManyMessagesEachIsJudgedByItself) {
  Network net;
  const Inbox inbox(*net.supplier);
  std::vector<Bytes> messages;
  for (int i = 0; i < 20; ++i) {
    for (Bytes& alert : net.street->lose_power(net.home().esme, 240))
      messages.push_back(std::move(alert));
  }
  ASSERT_EQ(messages.size(), 20u);
  messages[3].back() ^= 1;      // its signature
  messages[7] = {0xDF, 0x00};   // no message
  messages[11] = messages[10];  // said twice
  http::Request request;
  request.method = "POST";
  request.path = "/wan/v1/messages";
  request.headers = {{"Content-Type", std::string(gateway::kManyMessages)}};
  request.body = gateway::join_messages(messages);
  const std::unique_ptr<http::Client> client =
      std::move(http::Client::open(net.platform->gateway_url()).value());
  const json answer = json::parse(client->send(request).body);
  EXPECT_EQ(answer["taken"], 18);
  ASSERT_EQ(answer["refused"].size(), 2u);
  EXPECT_EQ(answer["refused"][0]["message"], 3);
  EXPECT_EQ(answer["refused"][0]["rule"], "gbcs-signature-mismatch");
  EXPECT_EQ(answer["refused"][1]["message"], 7);
  ASSERT_TRUE(Network::soon([&] { return inbox.count() == 17; }));
  std::vector<Bytes> expected = messages, came;
  for (const std::size_t gone : {11, 7, 3})
    expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(gone));
  for (const duis::ServiceResponse& alert : inbox.alerts()) came.push_back(*alert.gbcs_payload);
  EXPECT_EQ(came, expected) << "in the device's order";
  const std::uint64_t before = net.next_fact();
  request.body.pop_back();
  EXPECT_EQ(json::parse(client->send(request).body)["rule"], "wan-messages");
  EXPECT_TRUE(net.facts_since(before).empty());
}

TEST(Alerts, WaitForAUserThatIsAwayAndKeepTheirOrder) {
  Network net;
  const Eui64 user = net.supplier->profile().id;
  const std::string endpoint(
      as_text(net.platform->store().get(tables::user_endpoints, user.octets()).value()));
  std::atomic<int> asked = 0;
  // Takes two of three, and of each device the same one only when it has not been refused before.
  std::mutex mutex;
  std::vector<std::string> taken;
  http::Server moody(net.world, {}, [&](const http::Request& request) -> http::Response {
    if (++asked % 3 == 0) return {.status = 500};
    const std::lock_guard lock(mutex);
    taken.push_back(request.body);
    return {.status = 200};
  });
  ASSERT_TRUE(net.platform->gateway()
                  .register_endpoint(user, "http://127.0.0.1:" + std::to_string(moody.port()), {})
                  .ok());
  std::vector<Bytes> messages;
  for (int i = 0; i < 6; ++i) {
    for (Bytes& alert : net.street->lose_power(net.home().esme, 240))
      messages.push_back(std::move(alert));
  }
  std::vector<BytesView> views(messages.begin(), messages.end());
  for (const Status& verdict : net.platform->gateway().on_device_messages(views, {}))
    EXPECT_TRUE(verdict.ok());
  const auto came = [&] {
    std::vector<Bytes> octets;
    const std::lock_guard lock(mutex);
    for (const std::string& document : taken) {
      const Result<xml::Document> parsed = xml::parse(document);
      octets.push_back(*duis::read_response(parsed->root())->gbcs_payload);
    }
    return octets;
  };
  ASSERT_TRUE(Network::soon([&] {
    net.clock.advance(10);  // pauses are over sooner
    return came().size() == messages.size();
  }));
  EXPECT_EQ(came(), messages);
  // Held for two days, then put aside until the user asks.
  ASSERT_TRUE(net.platform->gateway().register_endpoint(user, "http://127.0.0.1:9", {}).ok());
  const std::vector<Bytes> late = net.street->lose_power(net.home().esme, 240);
  ASSERT_TRUE(net.platform->gateway().on_device_message(late.front(), {}).ok());
  net.clock.advance(49 * 3600);
  ASSERT_TRUE(
      Network::soon([&] { return net.platform->gateway().undelivered(user, 10).size() == 1; }));
  ASSERT_TRUE(net.platform->gateway().register_endpoint(user, endpoint, {}).ok());
  EXPECT_EQ(net.platform->gateway().deliver_again(user), 1u);
  net.clock.advance(301);
  ASSERT_TRUE(net.supplier->wait_for_alert(1, kPatience));  // and its signature is the DCC's
  EXPECT_EQ(net.supplier->alert_messages().front(), late.front());
}

TEST(Alerts, AStormIsAbsorbedAndEachAlertDeliveredOnceInItsDevicesOrder) {
  Network net;
  apps::ServiceUser* const users[] = {net.supplier.get(), net.network.get()};
  apps::StormOptions options;
  options.alerts = 1500;
  options.per_delivery = 100;
  const apps::StormReport report =
      apps::run_storm(net.world, net.platform->workers(), *net.street, net.platform->gateway_url(),
                      apps::DccParty::broker, users, options, [] { return std::nullopt; });
  EXPECT_EQ(report.alerts, 1502u);  // and the hub's, told to two users
  EXPECT_EQ(report.taken, report.alerts);
  EXPECT_EQ(report.lost(), 0u);
  EXPECT_EQ(report.again + report.out_of_order + report.unknown, 0u);
  EXPECT_EQ(net.platform->gateway().counts().alerts, 1501u);
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("storm-" + std::to_string(::getpid()) + ".tsv");
  apps::write_storm_tsv(report, file);
  EXPECT_GT(std::filesystem::file_size(file), 40u);
  std::filesystem::remove(file);
  EXPECT_EQ(apps::storm_plot(report).size(), report.slices.size() + 1);
}

}  // namespace
}  // namespace wattseal::scenarios
