// Command variants beyond the usual two, parties that a meter does not know, sequences and dates:
// each against the running network.
#include "apps/rebuild.h"
#include "tests/scenarios/rig.h"

namespace wattseal::scenarios {
namespace {

xml::Element dated(UtcTime at) {
  const std::string iso = at.iso();
  return body_of({leaf("ExecutionDateTime", iso.substr(0, iso.size() - 1) + ".00Z")});
}

// A response as a meter makes it, with whatever payload: its MAC is for the user to check.
std::string response_to(const Bytes& command) {
  gbcs::Message message = gbcs::decode(command).value();
  message.cra = gbcs::Cra::response;
  std::swap(message.originator, message.target);
  message.payload = *from_hex("da2000000000000000");
  return to_base64(gbcs::encode(message));
}

class Variants : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { net_ = std::make_unique<Network>(); }
  static void TearDownTestSuite() { net_.reset(); }
  static Network& net() { return *net_; }
  static apps::ServiceUser& user() { return *net_->supplier; }
  static duis::ServiceRequest read(int variant, xml::Element body = {}) {
    return user().request(net_->home().esme, "4.1.1", variant, std::move(body),
                          user().next_counter());
  }
  static duis::ServiceResponse must(const duis::ServiceRequest& request) {
    const Result<duis::ServiceResponse> answer = user().acknowledge(request);
    CHECK(answer.ok());
    return *answer;
  }

  static std::unique_ptr<Network> net_;
};
std::unique_ptr<Network> Variants::net_;

TEST_F(Variants, ALocalCommandIsHandedOverAndItsAnswerComesBackWithAnotherRequest) {
  const duis::ServiceRequest request = read(2);
  const std::uint64_t sent = net().platform->gateway().counts().sent;
  const duis::ServiceResponse handed = must(request);
  EXPECT_EQ(handed.response_code, "I0");
  ASSERT_TRUE(handed.local_command.has_value());
  EXPECT_TRUE(gbcs::decode(*handed.local_command)->mac.has_value());
  const auto bring = [&](const std::string& response) {
    return must(net().ask_dcc(user(), "8.13",
                              body_of({leaf("OriginalRequestID", request.id.text()),
                                       leaf("DeviceGBCSResponse", response)})));
  };
  EXPECT_EQ(bring(to_base64(*handed.local_command)).response_code, "E081302") << "no response";
  EXPECT_EQ(bring(response_to(*handed.local_command)).response_code, "I0");
  ASSERT_TRUE(Network::soon([&] { return user().answered() > 0; }));
  EXPECT_EQ(bring(response_to(*handed.local_command)).response_code, "E081301") << "once only";
  EXPECT_EQ(net().platform->gateway().counts().sent, sent) << "nothing went over the SM WAN";
  EXPECT_EQ(net().ends_of(request.id), 1);
}

TEST_F(Variants, BothWaysGiveOneAnswerAndOneEnd) {
  const duis::ServiceRequest request = read(3);
  const std::size_t answered = user().answered();
  const duis::ServiceResponse handed = must(request);
  EXPECT_EQ(handed.response_code, "I99");
  ASSERT_TRUE(handed.local_command.has_value());
  ASSERT_TRUE(Network::soon([&] { return user().answered() == answered + 1; }));
  const duis::ServiceResponse late = must(net().ask_dcc(
      user(), "8.13", body_of({leaf("DeviceGBCSResponse", response_to(*handed.local_command))})));
  EXPECT_EQ(late.response_code, "E081301");
  EXPECT_EQ(net().ends_of(request.id), 1);
}

TEST_F(Variants, ASignedPreCommandGoesBothWays) {
  const duis::ServiceRequest request = net().credit(user());
  const Bytes pre_command = user().transform(request).value();
  gbcs::Message message =
      gbcs::decode(duis::signed_pre_command(
                       duis::read_request(
                           xml::parse(user().signed_pre_command(request, pre_command))->root())
                           .value())
                       .value())
          .value();
  const duis::ServiceResponse handed =
      must(duis::with_signed_pre_command(request, 7, gbcs::encode(message)));
  EXPECT_EQ(handed.response_code, "I99");
  ASSERT_TRUE(handed.local_command.has_value());
  EXPECT_TRUE(Network::soon([&] { return net().ends_of(request.id) == 2; }))
      << "one of the transformation, one of the command";
}

TEST_F(Variants, TheBrokerAsksForAPartyThatTheMeterDoesNotKnow) {
  const std::unique_ptr<apps::ServiceUser> agent = net().add(
      "Dogwood", 0x9057530000040000, "agent", RemotePartyRole::other, {UserRole::other_user});
  std::vector<std::uint64_t> counters;
  for (int i = 0; i < 2; ++i) {
    const duis::ServiceRequest request =
        agent->request(net().home().esme, "4.11.1", 3, {}, agent->next_counter());
    const Result<duis::ServiceResponse> handed = agent->acknowledge(request);
    ASSERT_TRUE(handed.ok());
    ASSERT_TRUE(handed->local_command.has_value()) << handed->response_code;
    const gbcs::Message command = gbcs::decode(*handed->local_command).value();
    EXPECT_EQ(command.originator, apps::DccParty::broker);
    EXPECT_EQ(command.supplementary_party, agent->profile().id);
    EXPECT_EQ(command.supplementary_counter, request.id.counter);
    counters.push_back(command.counter.number());
    EXPECT_TRUE(Network::soon([&] { return net().ends_of(request.id) == 1; }));
  }
  EXPECT_LT(counters[0], counters[1]);
  EXPECT_TRUE(Network::soon([&] { return agent->answered() == 2; }));
}

TEST_F(Variants, ASequenceGoesStepByStep) {
  net().platform->set_wan_url("http://127.0.0.1:9");  // nobody is there yet
  duis::ServiceRequest first = read(1), second = read(1), third = read(1), stray = read(1);
  first.first_in_sequence = true;
  second.preceding = first.id;
  third.preceding = second.id;
  stray.preceding = duis::RequestId{first.id.originator, first.id.target, OriginatorCounter(1)};
  EXPECT_EQ(must(second).response_code, "E41") << "its predecessor is not known yet";
  EXPECT_EQ(must(first).response_code, "I99");
  EXPECT_EQ(must(second).response_code, "I99");
  EXPECT_EQ(must(third).response_code, "I99");
  EXPECT_EQ(must(second).response_code, "E62") << "a replay, though it waits";
  EXPECT_EQ(must(stray).response_code, "E41");
  EXPECT_EQ(net().ends_of(third.id), 0);
  net().platform->set_wan_url(net().street->wan_url());
  EXPECT_TRUE(Network::soon([&] { return net().ends_of(third.id) == 1; }));
  EXPECT_EQ(net().ends_of(first.id) + net().ends_of(second.id), 2);
}

TEST_F(Variants, ASequenceEndsWhenOneOfItDoes) {
  net().platform->set_wan_url("http://127.0.0.1:9");
  duis::ServiceRequest first = read(1), second = read(1), third = read(1);
  first.first_in_sequence = true;
  second.preceding = first.id;
  third.preceding = second.id;
  for (const duis::ServiceRequest* one : {&first, &second, &third})
    ASSERT_EQ(must(*one).response_code, "I99");
  net().clock.advance(31);
  EXPECT_TRUE(Network::soon([&] { return net().ends_of(third.id) == 1; }));
  net().platform->set_wan_url(net().street->wan_url());
  duis::ServiceRequest late = read(1), local = read(2);
  late.preceding = third.id;
  EXPECT_EQ(must(late).response_code, "E42");
  local.first_in_sequence = true;
  EXPECT_EQ(must(local).response_code, "E43");
}

TEST_F(Variants, WhatIsDatedWaitsForItsDateOrIsTakenBack) {
  const UtcTime now = net().world.now();
  EXPECT_EQ(must(read(1, dated(now.plus_seconds(-60)))).response_code, "E44");
  EXPECT_EQ(must(read(1, dated(now.plus_seconds(40LL * 86400)))).response_code, "E44");
  const duis::ServiceRequest request = read(1, dated(now.plus_seconds(3600)));
  const std::uint64_t sent = net().platform->gateway().counts().sent;
  ASSERT_EQ(must(request).response_code, "I99");
  net().next_fact();
  EXPECT_EQ(net().platform->gateway().counts().sent, sent);
  net().clock.advance(3601);
  EXPECT_TRUE(Network::soon([&] { return net().ends_of(request.id) == 1; }));
  const duis::ServiceRequest taken_back = read(1, dated(net().world.now().plus_seconds(3600)));
  ASSERT_EQ(must(taken_back).response_code, "I99");
  const xml::Element cancel = body_of({leaf("ExecutionDateTime", "3000-12-31T00:00:00.00Z")});
  EXPECT_EQ(must(read(1, cancel)).response_code, "I0");
  EXPECT_EQ(net().ends_of(taken_back.id), 1);
  EXPECT_EQ(must(read(1, cancel)).response_code, "E45") << "nothing waits any more";
}

TEST_F(Variants, ASchedulesRunsComeOnTimeUntilItIsDeleted) {
  const std::string today = net().world.now().iso().substr(0, 10);
  const auto schedule = [&](const std::string& start, const std::string& variant,
                            xml::Element what) {
    return net().ask_dcc(
        user(), "5.1",
        body_of({leaf("ScheduleFrequency", "Daily"), leaf("ScheduleStartDate", start),
                 leaf("ScheduleExecutionStartTime", "00:30:00.00Z"),
                 leaf("DSPScheduledServiceReference", "4.16"),
                 leaf("DSPScheduledServiceReferenceVariant", variant),
                 leaf("DeviceID", net().home().esme.text()), std::move(what)}));
  };
  const xml::Element power = leaf("DSPReadActivePowerImport");
  EXPECT_EQ(must(schedule("2020-01-01", "4.16", power)).response_code, "E050102");
  EXPECT_EQ(must(schedule(today, "4.15", power)).response_code, "E050101");
  const duis::ServiceResponse created = must(schedule(today, "4.16", power));
  ASSERT_EQ(created.response_code, "I0");
  ASSERT_TRUE(created.other.has_value());
  const std::string id(created.other->trimmed());
  const std::size_t before = user().notices().size();
  for (std::size_t day = 1; day <= 2; ++day) {
    net().clock.advance(86400);
    ASSERT_TRUE(user().wait_for_notice(before + day, kPatience));
  }
  const duis::ServiceResponse run = user().notices().back();
  ASSERT_TRUE(run.other.has_value());
  EXPECT_EQ(run.other->name, "DSPScheduledMessage");
  EXPECT_EQ(run.other->child("DSPScheduleID")->trimmed(), id);
  const duis::ServiceResponse listed =
      must(net().ask_dcc(user(), "5.2", body_of({leaf("DeviceID", net().home().esme.text())})));
  ASSERT_TRUE(listed.other.has_value());
  EXPECT_EQ(listed.other->children.size(), 1u);
  const std::unique_ptr<storage::Store> made = storage::memory_store();
  const Result<apps::RebuildReport> rebuilt =
      apps::rebuild(net().world, *net().platform->store().snapshot(), *made);
  ASSERT_TRUE(rebuilt.ok());
  EXPECT_TRUE(rebuilt->status().ok()) << rebuilt->status().refusal().detail;
  const auto remove = [&](apps::ServiceUser& who) {
    return who.acknowledge(net().ask_dcc(who, "5.3", body_of({leaf("DSPScheduleID", id)})))
        .value()
        .response_code;
  };
  EXPECT_EQ(remove(*net().other), "E050201") << "another's";
  EXPECT_EQ(remove(user()), "I0");
  EXPECT_EQ(remove(user()), "E050201");
}

}  // namespace
}  // namespace wattseal::scenarios
