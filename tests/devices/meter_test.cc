// Electricity meters over days: tariffs, prepayment, load switch, logs, misbehaviours.
#include "tests/devices/bench.h"

namespace wattseal::apps::test {
namespace {

constexpr std::uint16_t kTariff = 0x0019, kCredit = 0x001A, kPrepayConfiguration = 0x00DE,
                        kEmergency = 0x0020, kOpen = 0x0050, kArm = 0x0051, kTopUp = 0x0007,
                        kReadTariff = 0x003A, kDebt = 0x001E, kEventLog = 0x0048,
                        kDailyUse = 0x0060;
constexpr std::uint16_t kDone = 0x8F66, kExhausted = 0x8F01, kArmed = 0x8F02, kLow = 0x810D,
                        kAdded = 0x810E;

Value price_matrix(std::int16_t first, std::int16_t second) {
  return Value::structure(
      {Value::structure({Value::i8(3), Value::i8(-5)}),
       Value::structure({Value::u16(3), Value::octets(*from_hex("0100010800ff")), Value::i8(2)}),
       Value::array({Value::structure({Value::octets(Bytes{1}), Value::i16(first)}),
                     Value::structure({Value::octets(Bytes{2}), Value::i16(second)})})});
}
Value standing(std::int16_t charge) {
  return Value::structure(
      {Value::structure({Value::i8(0), Value::i8(-5)}),
       Value::structure({Value::u16(0), Value::octets(Bytes(6)), Value::i8(0)}),
       Value::array({Value::structure({Value::octets({}), Value::i16(charge)})})});
}
// The second price from eight in the morning, the first before.
Value two_times() {
  const auto action = [](const char* time, std::uint16_t selector) {
    return Value::structure({Value::octets(*from_hex(time)),
                             Value::octets(*from_hex("00000a0064ff")), Value::u16(selector)});
  };
  return Value::array({Value::structure(
      {Value::u8(1), Value::array({action("00000000", 1), action("08000000", 2)})})});
}
std::vector<cosem::RequestItem> tariff(std::int16_t first, std::int16_t second, const Value& when) {
  return {set(20, "0-0:13.0.0.255", 7,
              Value::array({Value::structure({Value::octets(as_bytes("all")),
                                              Value::octets(*from_hex("ffff0101ff000000008000ff")),
                                              Value::octets(Bytes{1})})})),
          set(20, "0-0:13.0.0.255", 8,
              Value::array({Value::structure({Value::octets(Bytes{1}), Value::u8(1), Value::u8(1),
                                              Value::u8(1), Value::u8(1), Value::u8(1),
                                              Value::u8(1), Value::u8(1)})})),
          set(20, "0-0:13.0.0.255", 9, two_times()),
          set(113, "0-0:19.20.0.255", 6, price_matrix(first, second)),
          set(113, "0-0:19.20.4.255", 6, standing(0)),
          set(20, "0-0:13.0.0.255", 10, when),
          set(113, "0-0:19.20.4.255", 7, when),
          set(113, "0-0:19.20.0.255", 7, when)};
}
void low_credit_at(DeviceBench& bench, std::int32_t low, std::int32_t emergency) {
  succeed(ask(
      bench, kPrepayConfiguration, supplier,
      {set(9000, "0-0:94.44.128.9", 4, Value::i32(low)),
       set(9000, "0-0:94.44.128.2", 4, Value::i32(emergency)),
       set(9000, "0-0:94.44.128.3", 4, Value::i32(low)), set(9000, "0-0:94.44.128.9", 6, at_once()),
       set(9000, "0-0:94.44.128.2", 6, at_once()), set(9000, "0-0:94.44.128.3", 6, at_once())}));
}
void top_up(DeviceBench& bench, std::uint64_t counter, unsigned pence) {
  succeed(ask(bench, kTopUp, supplier,
              {act(115, "0-0:19.40.0.255", 1,
                   Value::octets(as_bytes(bench.top_up_code(counter, pence))))}));
}

TEST(Tariff, IsTakenAtItsTimeAndEveryActivationIsTold) {
  DeviceBench bench({});
  succeed(ask(bench, kTariff, supplier, tariff(10'000, 20'000, at("2026-02-01T00:00:00Z"))));
  top_up(bench, 1, 5000);
  bench.device().consume(1000);
  EXPECT_EQ(bench.device().display().balance_millipence, 5'000'000) << "there is no tariff yet";
  EXPECT_TRUE(bench.device().tick().empty());
  bench.clock.set(time_of("2026-02-01T07:00:00Z"));
  EXPECT_EQ(count(alerts(bench.device()), kDone), 3u) << "calendar, standing charge, prices";
  bench.device().consume(1000);
  EXPECT_EQ(bench.device().display().balance_millipence, 4'990'000);
  bench.clock.set(time_of("2026-02-01T08:00:00Z"));
  bench.device().consume(1500);
  EXPECT_EQ(bench.device().display().balance_millipence, 4'960'000);
  const auto shown = ask(bench, kReadTariff, supplier, {get(113, "0-0:19.20.0.255", 5)});
  ASSERT_EQ(shown.size(), 1u);
  EXPECT_EQ(shown[0].data, price_matrix(10'000, 20'000));
}

TEST(Tariff, ThatIsCancelledDoesNotCome) {
  DeviceBench bench({});
  succeed(ask(bench, kTariff, supplier, tariff(10'000, 10'000, at("2026-02-01T00:00:00Z"))));
  succeed(ask(bench, kTariff, supplier,
              tariff(10'000, 10'000, Value::octets(cosem::DateTime::never().encode()))));
  bench.clock.set(time_of("2026-02-02T00:00:00Z"));
  EXPECT_TRUE(alerts(bench.device()).empty());
  bench.device().consume(1000);
  EXPECT_EQ(bench.device().display().balance_millipence, 0);
}

TEST(Tariff, OfTheWrongTypeChangesNothing) {
  DeviceBench bench({});
  const auto items = ask(
      bench, kTariff, supplier,
      {set(113, "0-0:19.20.0.255", 6, Value::u8(1)), set(113, "0-0:19.20.0.255", 7, at_once())});
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].result, 12) << "type unmatched";
  EXPECT_EQ(items[1].result, 250) << "the parts of one change stand or fall together";
}

TEST(PrepaymentDay, GoesFromTopUpToEmergencyCreditToDisablementAndBack) {
  DeviceBench bench({});
  EmulatedDevice& meter = bench.device();
  top_up(bench, 1, 300);  // 3.00 pounds
  succeed(ask(bench, kTariff, supplier, tariff(10'000, 10'000, at_once())));
  low_credit_at(bench, 100'000, 200'000);
  meter.consume(25'000);  // 2.50 pounds
  EXPECT_EQ(meter.display().balance_millipence, 50'000);
  EXPECT_EQ(count(alerts(meter), kLow), 1u);
  EXPECT_FALSE(meter.press_enable()) << "the supply is not armed";

  succeed(ask(bench, kEmergency, supplier, {act(112, "0-0:19.10.1.255", 3, Value::i8(0))}));
  meter.consume(15'000);  // 0.50 of the balance, 1.00 of emergency credit
  EXPECT_EQ(meter.display().balance_millipence, 0);
  EXPECT_EQ(meter.display().emergency_millipence, 100'000);
  EXPECT_EQ(meter.display().supply, "enabled");
  EXPECT_FALSE(meter.activate_emergency()) << "it is in use";

  meter.consume(20'000);  // a pound more than there is
  EXPECT_EQ(meter.display().emergency_millipence, 0);
  EXPECT_EQ(meter.display().balance_millipence, -100'000);
  EXPECT_EQ(meter.display().supply, "disabled");
  EXPECT_EQ(count(alerts(meter), kExhausted), 1u);
  const std::uint64_t before = meter.display().import_watt_hours;
  meter.consume(1000);
  EXPECT_EQ(meter.display().import_watt_hours, before) << "nothing flows";

  ASSERT_TRUE(meter.enter_top_up(bench.top_up_code(2, 1000)).ok());
  const std::vector<std::uint16_t> told = alerts(meter);
  EXPECT_EQ(count(told, kAdded), 1u);
  EXPECT_EQ(count(told, kArmed), 1u);
  EXPECT_EQ(meter.display().balance_millipence, 700'000) << "used emergency credit is paid first";
  EXPECT_EQ(meter.display().supply, "armed");
  EXPECT_TRUE(meter.press_enable());
  EXPECT_EQ(meter.display().supply, "enabled");
  EXPECT_FALSE(meter.enter_top_up(bench.top_up_code(2, 1000)).ok()) << "a code is taken once";
}

TEST(Prepayment, RecoversDebtsByTheDayAndByPayment) {
  DeviceBench bench({});
  top_up(bench, 1, 1000);
  succeed(ask(bench, kDebt, supplier,
              {set(113, "0-0:19.20.1.255", 6, standing(20'000)),
               set(113, "0-0:19.20.1.255", 8, Value::u32(86'400)),
               act(113, "0-0:19.20.1.255", 2, Value::i8(0)),
               act(113, "0-0:19.20.1.255", 4, Value::i32(50'000)),
               set(113, "0-0:19.20.3.255", 13, Value::u16(1000)),
               act(113, "0-0:19.20.3.255", 4, Value::i32(30'000))}));
  EXPECT_EQ(bench.device().display().debt_millipence, 80'000);
  bench.clock.advance(86'400);
  bench.device().tick();
  EXPECT_EQ(bench.device().display().balance_millipence, 980'000);
  bench.clock.advance(4 * 86'400);
  bench.device().tick();
  EXPECT_EQ(bench.device().display().balance_millipence, 950'000) << "not more than was owed";
  top_up(bench, 2, 100);  // ten per cent of it for the payment debt
  EXPECT_EQ(bench.device().display().balance_millipence, 1'040'000);
  EXPECT_EQ(bench.device().display().debt_millipence, 20'000);
}

TEST(LoadSwitch, IsOpenedArmedAndClosedByTheCustomer) {
  DeviceBench bench({});
  const auto script = [](std::uint16_t number) {
    return std::vector{act(9, "0-0:10.0.106.255", 1, Value::u16(number))};
  };
  succeed(ask(bench, kOpen, supplier, script(0x34)));
  EXPECT_EQ(bench.device().display().supply, "disabled");
  top_up(bench, 1, 1000);
  EXPECT_EQ(bench.device().display().supply, "disabled") << "credit does not undo a command";
  EXPECT_FALSE(bench.device().press_enable());
  succeed(ask(bench, kArm, supplier, script(0x36)));
  EXPECT_TRUE(bench.device().press_enable());
  EXPECT_EQ(bench.device().display().supply, "enabled");
  EXPECT_EQ(ask(bench, kOpen, supplier, script(0x77)).at(0).result, 250);
}

cosem::RequestItem log_of(const char* object, const char* from, const char* to) {
  const auto seconds = [](const char* iso) {
    return Value::u32(static_cast<std::uint32_t>(time_of(iso).unix_seconds() - zcl::kEpoch2000));
  };
  cosem::RequestItem made = item(cosem::Operation::get_with_selection, 7, object, 2);
  made.selection = cosem::Selection{
      1, Value::structure({Value::structure({}), seconds(from), seconds(to), Value::array({})})};
  return made;
}

TEST(Logs, FillAsTimeGoesByAndAreReadBack) {
  DeviceBench bench({});
  bench.device().consume(100);
  bench.clock.advance(86'400 + 1900);
  bench.device().consume(40);
  bench.clock.advance(2 * 86'400);
  const auto days = ask(bench, kDailyUse, supplier,
                        {log_of("0-0:99.1.3.255", "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z")});
  ASSERT_EQ(days.size(), 1u);
  ASSERT_EQ(days[0].data.items.size(), 3u);
  EXPECT_EQ(days[0].data.items[0].items[1].number, 100);
  EXPECT_EQ(days[0].data.items[1].items[1].number, 40);
  EXPECT_EQ(days[0].data.items[2].items[1].number, 0);
  EXPECT_EQ(days[0].data.items[2].items[0].number,
            time_of("2026-01-03T00:00:00Z").unix_seconds() - zcl::kEpoch2000);
  const auto halves =
      ask(bench, kDailyUse, supplier,
          {log_of("0-0:99.1.0.255", "2026-01-02T00:00:00Z", "2026-01-02T02:00:00Z")});
  ASSERT_EQ(halves.at(0).data.items.size(), 5u);
  EXPECT_EQ(halves[0].data.items[1].items[1].number, 40);
  EXPECT_EQ(halves[0].data.items[2].items[1].number, 0);
}

TEST(Logs, OfEventsHoldWhatTheDeviceTold) {
  DeviceBench bench({});
  bench.device().lose_power(60);
  EXPECT_EQ(count(alerts(bench.device()), 0x8F35), 1u);
  bench.device().lose_power(600);
  EXPECT_EQ(count(alerts(bench.device()), 0x8F36), 1u);
  const auto events =
      ask(bench, kEventLog, supplier,
          {log_of("0-0:99.98.0.255", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")});
  ASSERT_EQ(events.at(0).data.items.size(), 2u);
  EXPECT_EQ(events[0].data.items[0].items[1].number, 0x8F35);
  EXPECT_EQ(events[0].data.items[1].items[1].number, 0x8F36);
}

std::vector<Bytes> send(DeviceBench& bench) {
  const gbcs::Message command = bench.command(
      kTopUp, supplier,
      dlms({act(115, "0-0:19.40.0.255", 1, Value::octets(as_bytes(bench.top_up_code(1, 100))))}));
  return bench.device().receive(gbcs::encode(bench.protect(command).value()));
}

TEST(Misbehaviour, IsDataAndDoesWhatItSays) {
  const auto with = [](const char* text) {
    std::unique_ptr<DeviceBench> bench = std::make_unique<DeviceBench>(BenchOptions{});
    bench->device().misbehave(emulators::parse_misbehaviour(text).value());
    return bench;
  };
  EXPECT_TRUE(send(*with("silent")).empty());
  const auto lost = with("lost-response");
  EXPECT_TRUE(send(*lost).empty());
  EXPECT_EQ(lost->device().display().balance_millipence, 100'000) << "it was executed";
  EXPECT_EQ(send(*with("repeating")).size(), 2u);
  const auto slow = with("slow");
  EXPECT_TRUE(send(*slow).empty());
  EXPECT_TRUE(slow->device().tick().empty());
  slow->clock.advance(5);
  EXPECT_EQ(slow->device().tick().size(), 1u);
  const auto liar = with("wrong-mac");
  const Result<gbcs::Message> answer = gbcs::decode(send(*liar).at(0));
  EXPECT_EQ(gbcs::decode(send(*with("")).at(0))->counter, answer->counter);
  EXPECT_EQ(gbcs::decode(send(*with("stale-counter")).at(0))->counter.number() + 1,
            answer->counter.number());
  EXPECT_FALSE(
      liar->execute(liar->command(kReadTariff, supplier, dlms({get(113, "0-0:19.20.0.255", 5)})))
          .ok());
  EXPECT_EQ(with("storm")->device().tick().size(), 10u);
  const auto drifting = with("drift=100000");
  drifting->clock.advance(1000);
  const auto clock = ask(*drifting, kReadTariff, supplier, {get(8, "0-0:1.0.0.255", 2)});
  EXPECT_EQ(cosem::DateTime::decode(clock.at(0).data.content)->utc(),
            drifting->clock.now().plus_seconds(100));
}

TEST(Misbehaviour, ThatIsUnknownIsRefusedByName) {
  for (const char* text : {"grumpy", "lost=101", "slow=-1", "lost=", "mood=3", "drift=1000000"}) {
    const Result<emulators::Misbehaviour> made = emulators::parse_misbehaviour(text);
    ASSERT_FALSE(made.ok()) << text;
    EXPECT_EQ(made.refusal().rule.text(), "emulator-misbehaviour");
  }
  for (const emulators::MisbehaviourRow& row : emulators::misbehaviours())
    EXPECT_TRUE(emulators::parse_misbehaviour(row.name).ok()) << row.name;
}

}  // namespace
}  // namespace wattseal::apps::test
