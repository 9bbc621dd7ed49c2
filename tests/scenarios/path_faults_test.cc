// What goes wrong around the gateway: users that are slow, away or answer 500; devices that are
// silent, late, say things twice or answer somebody else; a hub that is away for a day; a clock
// that steps; a user that floods; queues that are full.
#include "terms/tables.h"
#include "tests/scenarios/rig.h"

namespace wattseal::scenarios {
namespace {

using std::chrono::milliseconds;

// A server that does what the test says.
class Peer {
 public:
  Peer(const World& world, http::Handler handler)
      : server_(world, {.threads = 4}, std::move(handler)) {}
  ~Peer() { server_.stop(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }

 private:
  http::Server server_;
};

// The SM WAN as the test has it: remembers what it was given, passes on what it likes to.
class Wan {
 public:
  explicit Wan(Network& net)
      : net_(net),
        peer_(net.world, [this](const http::Request& request) { return take(request); }) {
    net.platform->set_wan_url(peer_.url());
  }
  void lose(std::string device) { set(lost_, std::move(device)); }       // taken, never delivered
  void refuse(std::string device) { set(refused_, std::move(device)); }  // 503
  std::vector<gbcs::Message> taken() const {
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  gbcs::Message last() const { return taken().back(); }

 private:
  void set(std::string& which, std::string device) {
    const std::lock_guard lock(mutex_);
    which = std::move(device);
  }
  http::Response take(const http::Request& request) {
    {
      const std::lock_guard lock(mutex_);
      if (refused_ == "*" || request.path.ends_with("/" + refused_)) return {.status = 503};
      taken_.push_back(gbcs::decode(as_bytes(request.body)).value());
      if (lost_ == "*" || request.path.ends_with("/" + lost_)) return {.status = 202};
    }
    return http::Client::open(net_.street->wan_url()).value()->send(request);
  }

  Network& net_;
  mutable std::mutex mutex_;
  std::string lost_ = "-", refused_ = "-";
  std::vector<gbcs::Message> taken_;
  Peer peer_;
};

// As a meter makes it, with whatever payload: its MAC is for the user to check.
gbcs::Message response_to(gbcs::Message command) {
  command.cra = gbcs::Cra::response;
  std::swap(command.originator, command.target);
  command.payload = *from_hex("da2000000000000000");
  return command;
}
int bring(const Network& net, const gbcs::Message& message) {
  return net.post("/wan/v1/messages", std::string(as_text(gbcs::encode(message)))).status;
}
std::size_t rows(const Network& net, storage::Table table) {
  std::size_t count = 0;
  net.platform->store().scan(table, {}, {}, [&](BytesView, BytesView) { return ++count != 0; });
  return count;
}
std::string dated(UtcTime at) {
  const std::string iso = at.iso();
  return iso.substr(0, iso.size() - 1) + ".00Z";
}

TEST(Users, ASlowOneHoldsUpNobodyElse) {
  Network net;
  std::atomic<int> taken = 0;
  const Peer slow(net.world, [&](const http::Request&) {
    std::this_thread::sleep_for(milliseconds(700));
    ++taken;
    return http::Response{.status = 200};
  });
  ASSERT_TRUE(
      net.platform->gateway().register_endpoint(net.supplier->profile().id, slow.url(), {}).ok());
  for (int i = 0; i < 20; ++i)
    ASSERT_EQ(net.supplier->post(net.read(*net.supplier)).value(), "I99");
  ASSERT_TRUE(Network::soon([&] { return taken > 0; }));
  for (int i = 0; i < 5; ++i) {
    const duis::ServiceRequest request =
        net.network->request(net.home().esme, "4.1.1", 1, {}, net.network->next_counter());
    const Result<apps::Exchange> exchange = net.network->send(request, kPatience);
    ASSERT_TRUE(exchange.ok() && exchange->response);
  }
  EXPECT_LT(taken, 20) << "the slow one is still at it";
}

TEST(Users, OneThatAnswers500GetsAllInOrderWhenItIsBack) {
  Network net;
  std::atomic<bool> back = false;
  std::mutex mutex;
  std::vector<std::uint64_t> counters;
  const Peer broken(net.world, [&](const http::Request& request) {
    if (!back) return http::Response{.status = 500};
    const Result<xml::Document> document = xml::parse(request.body);
    const std::lock_guard lock(mutex);
    counters.push_back(duis::read_response(document->root()).value().request_id->counter.number());
    return http::Response{.status = 200};
  });
  ASSERT_TRUE(
      net.platform->gateway().register_endpoint(net.supplier->profile().id, broken.url(), {}).ok());
  for (int i = 0; i < 10; ++i) {
    const duis::ServiceRequest request = net.read(*net.supplier);
    ASSERT_EQ(net.supplier->post(request).value(), "I99");
    ASSERT_TRUE(Network::soon([&] { return net.ends_of(request.id) == 1; }));
  }
  back = true;
  net.clock.advance(301);
  ASSERT_TRUE(Network::soon([&] {
    const std::lock_guard lock(mutex);
    return counters.size() == 10;
  }));
  EXPECT_TRUE(std::ranges::is_sorted(counters));
  EXPECT_TRUE(Network::soon([&] { return rows(net, tables::responses_out) == 0; }));
}

TEST(Devices, AnAnswerThatIsLateOrComesTwiceOrIsToSomebodyElseEndsNothing) {
  Network net;
  Wan wan(net);
  wan.lose("*");
  const duis::ServiceRequest silent = net.read(*net.supplier);
  ASSERT_EQ(net.supplier->post(silent).value(), "I99");
  ASSERT_TRUE(Network::soon([&] { return wan.taken().size() == 1; }));
  net.clock.advance(31);
  ASSERT_TRUE(Network::soon([&] { return net.supplier->answered() == 1; }));
  EXPECT_NE(bring(net, response_to(wan.last())), 202) << "late";
  EXPECT_EQ(net.ends_of(silent.id), 1);

  const duis::ServiceRequest asked = net.read(*net.supplier);
  ASSERT_EQ(net.supplier->post(asked).value(), "I99");
  ASSERT_TRUE(Network::soon([&] { return wan.taken().size() == 2; }));
  gbcs::Message answer = response_to(wan.last()), others = answer;
  others.counter = OriginatorCounter(answer.counter.number() + 1);
  EXPECT_NE(bring(net, others), 202) << "another counter";
  others = answer;
  others.target = net.other->profile().id;
  EXPECT_NE(bring(net, others), 202) << "another user's";
  others = answer;
  others.originator = net.home().gpf;
  EXPECT_NE(bring(net, others), 202) << "another device";
  EXPECT_EQ(net.ends_of(asked.id), 0);
  EXPECT_EQ(bring(net, answer), 202);
  EXPECT_NE(bring(net, answer), 202) << "a replay";
  EXPECT_TRUE(Network::soon([&] { return net.supplier->answered() == 2; }));
  EXPECT_EQ(net.ends_of(asked.id), 1);
  EXPECT_EQ(net.platform->gateway().counts().disbelieved, 5u);
  EXPECT_EQ(rows(net, tables::awaiting) + rows(net, tables::awaiting_due), 0u);
}

TEST(Devices, AHubThatIsAwayForADayGetsItsQueueInOrderAndOthersDoNotWaitForIt) {
  Network net;
  Wan wan(net);
  wan.refuse(net.home().esme.hex());
  constexpr std::size_t kCommands = 300;  // more than one step of the queue
  const std::string at = dated(net.world.now().plus_seconds(600));
  for (std::size_t i = 0; i < kCommands; ++i) {
    const duis::ServiceRequest request =
        net.supplier->request(net.home().esme, "4.1.1", 1, body_of({leaf("ExecutionDateTime", at)}),
                              net.supplier->next_counter());
    ASSERT_EQ(net.supplier->post(request).value(), "I99");
  }
  net.clock.advance(601);
  ASSERT_TRUE(Network::soon([&] { return rows(net, tables::commands_held) == kCommands; }));
  const duis::ServiceRequest other =
      net.supplier->request(net.home().gpf, "4.1.1", 1, {}, net.supplier->next_counter());
  ASSERT_EQ(net.supplier->post(other).value(), "I99");
  EXPECT_TRUE(Network::soon([&] { return net.ends_of(other.id) == 1; }))
      << "same user, same class, another device";
  net.clock.advance(23 * 3600);
  EXPECT_TRUE(Network::soon([&] { return rows(net, tables::commands_held) == kCommands; }));
  wan.refuse("-");
  net.clock.advance(120);
  ASSERT_TRUE(Network::soon([&] { return wan.taken().size() == kCommands + 1; }));
  std::vector<std::uint64_t> counters;
  for (const gbcs::Message& one : wan.taken()) {
    if (one.target == net.home().esme) counters.push_back(one.counter.number());
  }
  EXPECT_EQ(counters.size(), kCommands);
  EXPECT_TRUE(std::ranges::is_sorted(counters));
  EXPECT_TRUE(Network::soon([&] { return net.supplier->answered() == kCommands + 1; }));
  EXPECT_EQ(net.platform->gateway().counts().timed_out, 0u);
}

TEST(LocalCommands, OneThatIsNeverAnsweredIsForgottenAndSaidToBe) {
  Network net;
  const duis::ServiceRequest request =
      net.supplier->request(net.home().esme, "4.1.1", 2, {}, net.supplier->next_counter());
  const duis::ServiceResponse handed = net.supplier->acknowledge(request).value();
  ASSERT_TRUE(handed.local_command.has_value());
  net.clock.advance(719 * 3600);
  const std::uint64_t before = net.next_fact();
  EXPECT_EQ(rows(net, tables::local_commands), 1u);
  net.clock.advance(2 * 3600);
  EXPECT_TRUE(Network::soon([&] { return rows(net, tables::local_commands) == 0; }));
  EXPECT_EQ(rows(net, tables::awaiting_due), 0u);
  EXPECT_EQ(std::ranges::count(net.facts_since(before), FactKind::local_command_expired), 1);
  const std::string late =
      to_base64(gbcs::encode(response_to(gbcs::decode(*handed.local_command).value())));
  EXPECT_EQ(net.supplier
                ->acknowledge(
                    net.ask_dcc(*net.supplier, "8.13", body_of({leaf("DeviceGBCSResponse", late)})))
                .value()
                .response_code,
            "E081301");
}

TEST(Clock, SteppingBackADayAndForwardStopsNothing) {
  Network net;
  net.clock.advance(2 * 86400);  // no certificate begins today
  const Eui64 user = net.supplier->profile().id;
  const std::string endpoint(
      as_text(net.platform->store().get(tables::user_endpoints, user.octets()).value()));
  const auto is_answered = [&] {
    const Result<apps::Exchange> exchange = net.supplier->send(net.read(*net.supplier), kPatience);
    return exchange.ok() && exchange->response.has_value();
  };
  EXPECT_TRUE(is_answered());
  // A user whose endpoint failed is left alone for a while, not for a day.
  Peer gone(net.world, [](const http::Request&) { return http::Response{.status = 500}; });
  ASSERT_TRUE(net.platform->gateway().register_endpoint(user, gone.url(), {}).ok());
  const duis::ServiceRequest waiting = net.read(*net.supplier);
  ASSERT_EQ(net.supplier->post(waiting).value(), "I99");
  ASSERT_TRUE(Network::soon([&] { return net.ends_of(waiting.id) == 1; }));
  net.clock.advance(-86400);
  ASSERT_TRUE(net.platform->gateway().register_endpoint(user, endpoint, {}).ok());
  EXPECT_TRUE(Network::soon([&] { return net.supplier->answered() == 2; }));
  EXPECT_TRUE(is_answered()) << "a day earlier";
  // What times out does so by the clock that there is.
  Wan wan(net);
  wan.lose("*");
  const duis::ServiceRequest silent = net.read(*net.supplier);
  ASSERT_EQ(net.supplier->post(silent).value(), "I99");
  net.clock.advance(31);
  EXPECT_TRUE(Network::soon([&] { return net.ends_of(silent.id) == 1; }));
  net.platform->set_wan_url(net.street->wan_url());
  net.clock.advance(2 * 86400);
  EXPECT_TRUE(is_answered()) << "and a day ahead";
}

TEST(Floods, AUserWithManyCommandsLeavesOthersTheirTurn) {
  Network net;
  net.platform->gateway().set_device_response_timeout(std::chrono::seconds(600));
  Wan wan(net);
  wan.refuse("*");
  for (int i = 0; i < 600; ++i)
    ASSERT_EQ(net.supplier->post(net.read(*net.supplier)).value(), "I99");
  for (int i = 0; i < 5; ++i) {
    const duis::ServiceRequest request =
        net.network->request(net.home().esme, "4.1.1", 1, {}, net.network->next_counter());
    ASSERT_EQ(net.network->post(request).value(), "I99");
  }
  wan.refuse("-");
  net.clock.advance(70);  // longer than any pause
  ASSERT_TRUE(Network::soon([&] { return wan.taken().size() >= 605; }));
  const std::vector<gbcs::Message> taken = wan.taken();
  std::size_t last = 0;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (taken[i].originator == net.network->profile().id) last = i;
  }
  EXPECT_LT(last, 300u) << "not behind the 600";
}

TEST(Floods, AFullQueueRefusesByNameAndTakesAgainWhenItHasRoom) {
  Network net;
  net.platform->set_wan_url("http://127.0.0.1:9");
  const Eui64 user = net.supplier->profile().id;
  const std::uint64_t most = limit("responses_waiting_user_max");
  // As if the user had not taken a response for long: only their number matters here.
  ASSERT_TRUE(net.platform->gateway().register_endpoint(user, "http://127.0.0.1:9", {}).ok());
  Bytes value = RecordWriter()
                    .octets(user.octets())
                    .octets(TraceId().octets())
                    .octets({})
                    .text("r")
                    .number(0)
                    .number(static_cast<std::uint64_t>(net.world.now().unix_seconds()))
                    .bytes();
  const auto fill = [&](std::uint64_t from, std::uint64_t to, bool erase) {
    storage::Batch batch;
    for (std::uint64_t i = from; i < to; ++i) {
      Bytes key = to_bytes(user.octets());
      put_be(key, (std::uint64_t{1} << 40) + i);
      if (erase)
        batch.erase(tables::responses_out, key);
      else
        batch.put(tables::responses_out, key, value);
    }
    ASSERT_TRUE(net.platform->store().commit(std::move(batch)).ok());
  };
  for (std::uint64_t i = 0; i < most; i += 50'000) fill(i, i + 50'000, false);
  const duis::ServiceRequest request = net.read(*net.supplier);
  const http::Response refused =
      net.post("/api/v1/serviceS", net.supplier->signed_document(request));
  EXPECT_EQ(Network::rule_of(refused), "gateway-responses-too-many");
  EXPECT_EQ(
      net.network
          ->post(net.network->request(net.home().esme, "4.1.1", 1, {}, net.network->next_counter()))
          .value(),
      "I99")
      << "others have their own";
  fill(0, 50'000, true);
  net.clock.advance(2);
  EXPECT_EQ(net.supplier->post(request).value(), "I99") << "its RequestID was not used";
}

}  // namespace
}  // namespace wattseal::scenarios
