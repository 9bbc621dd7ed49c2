// Responses on their way to users: away for long, away for a moment, and what devices say twice.
#include <nlohmann/json.hpp>

#include "terms/tables.h"
#include "tests/scenarios/rig.h"

namespace wattseal::scenarios {
namespace {

using nlohmann::json;

json ask(const Network& net, const std::string& method, const std::string& path, Eui64 user) {
  http::Request request;
  request.method = method;
  request.path = path;
  request.headers = {{"X-Subscriber", user.text()}};
  return json::parse(http::Client::open(net.platform->gateway_url()).value()->send(request).body);
}

TEST(Delivery, WhatIsNotTakenIsPutAsideAndDeliveredWhenAskedFor) {
  Network net;
  const Eui64 user = net.supplier->profile().id;
  const std::string endpoint(
      as_text(net.platform->store().get(tables::user_endpoints, user.octets()).value()));
  ASSERT_TRUE(net.platform->gateway().register_endpoint(user, "http://127.0.0.1:9", {}).ok());
  const duis::ServiceRequest request = net.read(*net.supplier);
  ASSERT_EQ(net.supplier->post(request).value(), "I99");
  ASSERT_TRUE(Network::soon([&] { return net.ends_of(request.id) == 1; }));
  const auto aside = [&] { return ask(net, "GET", "/api/v1/undelivered", user)["undelivered"]; };
  EXPECT_TRUE(aside().empty());
  net.clock.advance(49 * 3600);
  ASSERT_TRUE(Network::soon([&] { return aside().size() == 1; }));
  EXPECT_EQ(aside()[0]["id"], request.id.text());
  EXPECT_TRUE(
      ask(net, "GET", "/api/v1/undelivered", net.other->profile().id)["undelivered"].empty());
  ASSERT_TRUE(net.platform->gateway().register_endpoint(user, endpoint, {}).ok());
  EXPECT_EQ(ask(net, "POST", "/api/v1/undelivered/deliver", user)["delivered_again"], 1);
  net.clock.advance(301);  // the pause is over
  EXPECT_TRUE(Network::soon([&] { return net.supplier->answered() == 1; }));
  EXPECT_TRUE(aside().empty());
}

TEST(Delivery, ADeadEndpointHoldsUpNobodyElse) {
  Network net;
  ASSERT_TRUE(net.platform->gateway()
                  .register_endpoint(net.supplier->profile().id, "http://127.0.0.1:9", {})
                  .ok());
  for (int i = 0; i < 300; ++i)
    ASSERT_EQ(net.supplier->post(net.read(*net.supplier)).value(), "I99");
  const duis::ServiceRequest request =
      net.network->request(net.home().esme, "4.1.1", 1, {}, net.network->next_counter());
  ASSERT_EQ(net.network->post(request).value(), "I99");
  EXPECT_TRUE(Network::soon([&] { return net.network->answered() == 1; }));
}

TEST(Delivery, AnAlertThatADeviceSendsTwiceIsDeliveredOnce) {
  Network net;
  const std::string path = "/wan/v1/devices/" + net.home().esme.hex();
  gbcs::Message forged =
      gbcs::decode(net.supplier->transform(net.credit(*net.supplier)).value()).value();
  forged.mac = gbcs::Mac{};
  forged.signature_field = gbcs::SignatureField::empty;
  net.post(path, std::string(as_text(gbcs::encode(forged))), net.street->wan_url());
  ASSERT_TRUE(net.supplier->wait_for_alert(1, kPatience));
  // The gateway keeps the alert in the user's document: the same octets come from the WAN again.
  const std::uint64_t before = net.next_fact();
  const Bytes again = net.supplier->alert_messages().front();
  EXPECT_EQ(net.post("/wan/v1/messages", std::string(as_text(again))).status, 202);
  EXPECT_TRUE(net.facts_since(before).empty());
  EXPECT_EQ(net.supplier->alerts().size(), 1u);
}

}  // namespace
}  // namespace wattseal::scenarios
