// Credentials in all replacement modes, the device's own certificates, firmware, joins, clock.
#include "tests/devices/bench.h"

namespace wattseal::apps::test {
namespace {

using emulators::Cell;

void write_cell(asn1::Writer& writer, const Cell& cell) {
  writer.constructed(asn1::kSequence, [&] {
    writer.unsigned_integer(static_cast<unsigned>(cell.role));
    if (cell.role == root)
      writer.bit_string(Bytes{0x04}, 2);
    else if (cell.use == KeyUse::digital_signature)
      writer.bit_string(Bytes{0x80}, 7);
    else
      writer.bit_string(Bytes{0x08}, 3);
    if (cell.prepayment) writer.unsigned_integer(1);
  });
}

struct Update {
  unsigned mode = 2;
  std::optional<Cell> authoriser;
  std::vector<std::pair<Bytes, Cell>> replacements;
  std::vector<Bytes> path = {};
  std::optional<std::uint64_t> floor = {};
  Bytes symmetric_key = {};
  std::optional<UtcTime> at = {};
};

Bytes payload_of(const Update& update, OriginatorCounter counter) {
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    writer.constructed(asn1::kSequence, [&] {
      writer.unsigned_integer(update.mode);
      if (!update.symmetric_key.empty())
        writer.primitive(asn1::context(0, false), update.symmetric_key);
      if (update.authoriser) {
        asn1::Writer cell;
        write_cell(cell, *update.authoriser);
        const Bytes whole = cell.take();
        writer.primitive(asn1::context(2, true), BytesView(whole).subspan(2));
      }
      writer.unsigned_integer(counter.number(), asn1::context(3, false));
      if (update.floor) writer.unsigned_integer(*update.floor, asn1::context(4, false));
    });
    writer.constructed(asn1::kSequence, [&] {
      for (const auto& [der, cell] : update.replacements) {
        writer.constructed(asn1::kSequence, [&] {
          writer.raw(der);
          write_cell(writer, cell);
        });
      }
    });
    writer.constructed(asn1::kSequence, [&] {
      for (const Bytes& one : update.path) writer.raw(one);
    });
    if (update.at) writer.generalized_time(*update.at);
  });
  return writer.take();
}

Result<gbcs::Message> send(DeviceBench& bench, std::uint16_t code, RemotePartyRole from,
                           const Update& update) {
  gbcs::Message command = bench.command(code, from, {});
  command.payload = payload_of(update, command.counter);
  return bench.execute(std::move(command));
}

// The status of every replacement in an answer.
std::vector<std::uint64_t> statuses(const Result<gbcs::Message>& answer) {
  std::vector<std::uint64_t> out;
  if (!answer.ok()) {
    ADD_FAILURE() << answer.refusal().detail;
    return out;
  }
  asn1::Reader outer(answer->payload);
  asn1::Reader parts = outer.enter(asn1::kSequence).value();
  EXPECT_TRUE(parts.expect(asn1::kNull).ok());
  asn1::Reader executed = parts.enter(asn1::kSequence).value();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(executed.any().ok());
  asn1::Reader list = executed.enter(asn1::kSequence).value();
  while (!list.empty()) {
    asn1::Reader one = list.enter(asn1::kSequence).value();
    EXPECT_TRUE(one.any().ok());
    out.push_back(get_be(one.expect(asn1::kEnumerated).value().content));
  }
  return out;
}
using Statuses = std::vector<std::uint64_t>;

// A party whose new key is another's under its own name: what the bench makes for `stranger`.
Bytes renewed(DeviceBench& bench, RemotePartyRole role, KeyUse use, Eui64 key_of) {
  const Result<x509::Certificate> old =
      x509::parse_certificate(bench.certificate(role, bench.party(role), use));
  return bench.issue(old->subject, *old->usage, bench.key(key_of, use)->public_point());
}

constexpr Eui64 kStranger = Eui64::from_number(0x70'B3'D5'1F'70'00'00'99);
constexpr KeyUse kSign = KeyUse::digital_signature, kAgree = KeyUse::key_agreement;

TEST(Credentials, OfEveryRoleAreReplacedByTheirOwner) {
  struct Case {
    RemotePartyRole role;
    std::uint16_t code;
    unsigned mode;
    KeyUse use;
  };
  for (const Case& one :
       {Case{supplier, 0x0102, 2, kAgree}, Case{network_operator, 0x0103, 3, kAgree},
        Case{access_control_broker, 0x0104, 4, kAgree}, Case{transitional_cos, 0x0106, 6, kSign},
        Case{load_controller, 0x0125, 10, kAgree}}) {
    DeviceBench bench({});
    const Bytes der = renewed(bench, one.role, one.use, kStranger);
    const Statuses got =
        statuses(send(bench, one.code, one.role,
                      {one.mode, Cell{one.role, kSign}, {{der, Cell{one.role, one.use}}}, {}, 1}));
    EXPECT_EQ(got, Statuses{0}) << name(one.role);
  }
}

TEST(Credentials, OfTheWanProviderAreOnTheHub) {
  BenchOptions options;
  options.type = DeviceType::chf;
  DeviceBench bench(options);
  const Bytes der = renewed(bench, wan_provider, kSign, kStranger);
  EXPECT_EQ(statuses(send(bench, 0x0105, wan_provider,
                          {5, Cell{wan_provider, kSign}, {{der, Cell{wan_provider, kSign}}}})),
            Statuses{0});
}

TEST(Credentials, OfAnotherPartyAreRefusedToASupplier) {
  DeviceBench bench({});
  const Bytes foreign = bench.certificate(supplier, kStranger, kAgree);
  const Bytes operators = bench.certificate(network_operator, kStranger, kAgree);
  EXPECT_EQ(statuses(send(bench, 0x0102, supplier,
                          {2,
                           Cell{supplier, kSign},
                           {{foreign, Cell{supplier, kAgree}},
                            {operators, Cell{network_operator, kAgree}}}})),
            (Statuses{5, 25}));
  EXPECT_FALSE(
      send(bench, 0x0103, supplier, {3, Cell{supplier, kSign}, {{foreign, Cell{supplier, kAgree}}}})
          .ok());
}

TEST(Credentials, ChangeSupplierByTheChangeOfSupplierParty) {
  DeviceBench bench({});
  EXPECT_EQ(
      statuses(send(bench, 0x0107, transitional_cos,
                    {7,
                     Cell{transitional_cos, kSign},
                     {{bench.certificate(supplier, kStranger, kSign), Cell{supplier, kSign}},
                      {bench.certificate(supplier, kStranger, kAgree), Cell{supplier, kAgree}},
                      {bench.certificate(supplier, kStranger, kAgree, true),
                       Cell{supplier, kAgree, true}}}})),
      (Statuses{0, 0, 0}));
  const Result<gbcs::Message> former =
      bench.execute(bench.command(0x003A, supplier, dlms({get(113, "0-0:19.20.0.255", 5)})));
  ASSERT_FALSE(former.ok()) << "the former supplier is nobody now";
  EXPECT_NE(former.refusal().detail.find("device-originator"), std::string::npos);
  gbcs::Message command = bench.command(0x003A, supplier, dlms({get(113, "0-0:19.20.0.255", 5)}));
  command.originator = kStranger;
  EXPECT_TRUE(bench.execute(command).ok());
}

TEST(Credentials, ComeLaterWhenTheyAreDatedAndAnAlertSaysSo) {
  DeviceBench bench({});
  const UtcTime at = time_of("2026-03-01T00:00:00Z");
  ASSERT_TRUE(send(bench, 0x0107, transitional_cos,
                   {7,
                    Cell{transitional_cos, kSign},
                    {{bench.certificate(supplier, kStranger, kSign), Cell{supplier, kSign}}},
                    {},
                    {},
                    {},
                    at})
                  .ok());
  EXPECT_TRUE(bench.device().tick().empty());
  bench.clock.set(at);
  const std::vector<Bytes> sent = bench.device().tick();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(gbcs::decode(sent[0])->code.text(), "00CB");
}

TEST(Credentials, AreRecoveredByTheRecoveryKeyExceptTheRoot) {
  DeviceBench bench({});
  const std::vector<std::pair<Bytes, Cell>> replacements{
      {bench.certificate(recovery, kStranger, kSign), Cell{recovery, kSign}},
      {bench.certificate(supplier, kStranger, kSign), Cell{supplier, kSign}},
      {bench.certificate(network_operator, kStranger, kAgree), Cell{network_operator, kAgree}},
      {bench.certificate(access_control_broker, kStranger, kAgree),
       Cell{access_control_broker, kAgree}},
      {bench.root(), Cell{root, kSign}}};
  EXPECT_EQ(statuses(send(bench, 0x0108, recovery, {8, Cell{recovery, kSign}, replacements})),
            (Statuses{0, 0, 0, 0, 25}));
  EXPECT_FALSE(send(bench, 0x0108, recovery, {8, Cell{recovery, kSign}, replacements}).ok())
      << "the former recovery key";
  DeviceBench other({});
  EXPECT_FALSE(send(other, 0x0108, supplier, {8, Cell{supplier, kSign}, replacements}).ok());
}

TEST(Credentials, AreAllReplacedByTheContingencyKeyTheRootIncluded) {
  DeviceBench bench({});
  const Bytes secret = bench.contingency_secret();
  gbcs::Message command = bench.command(0x0109, recovery, {});
  command.originator = Eui64::from_number(0x70'B3'D5'1F'70'00'17'FF);  // in no cell
  // Signed while the old hierarchy's contingency key is the bench's.
  const crypto::KeyHandle last_resort = bench.contingency_key();
  bench.succeed_root();
  command.payload = payload_of(
      {9,
       {},
       {{bench.root(), Cell{root, kSign}},
        {bench.certificate(supplier, kStranger, kSign), Cell{supplier, kSign}},
        {bench.certificate(network_operator, kStranger, kSign), Cell{network_operator, kSign}}},
       {bench.issuing()},
       {},
       secret},
      command.counter);
  gbcs::Message wrong = command;
  gbcs::sign(wrong, *bench.contingency_key());
  EXPECT_EQ(alert_code(bench.device().receive(gbcs::encode(wrong)).at(0)), 0x8F3D);
  gbcs::sign(command, *last_resort);
  const std::vector<Bytes> answers = bench.device().receive(gbcs::encode(command));
  ASSERT_EQ(answers.size(), 1u) << bench.device().security_log().back().detail;
  EXPECT_EQ(statuses(gbcs::decode(answers[0])), (Statuses{0, 0, 0}));
  // From now on only the new hierarchy is believed.
  gbcs::Message again = command;
  again.counter = again.counter.next();
  again.payload =
      payload_of({9, {}, {{bench.root(), Cell{root, kSign}}}, {}, {}, secret}, again.counter);
  gbcs::sign(again, *last_resort);
  EXPECT_EQ(alert_code(bench.device().receive(gbcs::encode(again)).at(0)), 0x8F3D);
}

TEST(Credentials, AreReadByRole) {
  DeviceBench bench({});
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    write_cell(writer, Cell{access_control_broker, kAgree});
    writer.constructed(asn1::kSequence, [&] {
      writer.unsigned_integer(2);
      writer.unsigned_integer(6);
    });
  });
  const Result<gbcs::Message> answer =
      bench.execute(bench.command(0x0008, access_control_broker, writer.take()));
  ASSERT_TRUE(answer.ok()) << answer.refusal().detail;
  asn1::Reader outer(answer->payload);
  asn1::Reader list = outer.enter(asn1::kSequence).value();
  asn1::Reader supplier_cells = list.enter(asn1::kSequence).value();
  EXPECT_EQ(supplier_cells.unsigned_integer().value(), 2u);
  EXPECT_EQ(supplier_cells.expect(asn1::kEnumerated).value().content[0], 0);
  EXPECT_EQ(supplier_cells.unsigned_integer().value(), 0u);
  asn1::Reader cells = supplier_cells.enter(asn1::kSequence).value();
  std::size_t number = 0;
  for (; !cells.empty(); ++number) ASSERT_TRUE(cells.any().ok());
  EXPECT_EQ(number, 3u);
  asn1::Reader wan = list.enter(asn1::kSequence).value();
  EXPECT_EQ(wan.unsigned_integer().value(), 6u);
  EXPECT_EQ(wan.expect(asn1::kEnumerated).value().content[0], 0x19) << "a meter has no such cell";
}

std::uint64_t status_of(const Result<gbcs::Message>& answer) {
  if (!answer.ok()) {
    ADD_FAILURE() << answer.refusal().detail;
    return 99;
  }
  asn1::Reader reader(answer->payload);
  return reader.unsigned_integer().value();
}

TEST(OwnCertificates, AreAskedForIssuedAndUsed) {
  DeviceBench bench({});
  asn1::Writer usage;
  usage.constructed(asn1::kSequence, [&] { usage.bit_string(Bytes{0x80}, 7); });
  const Bytes signing = usage.take();
  EXPECT_EQ(status_of(bench.execute(bench.command(0x000C, supplier, signing))), 1u);
  const Result<gbcs::Message> answer = bench.execute(bench.command(0x000A, supplier, signing));
  ASSERT_TRUE(answer.ok()) << answer.refusal().detail;
  const Result<x509::CertificationRequest> request = x509::parse_request(answer->payload);
  ASSERT_TRUE(request.ok()) << request.refusal().detail;
  EXPECT_TRUE(x509::proves_possession(*request));
  const auto certified = [&](const crypto::PublicPoint& key) {
    const Result<x509::Certificate> bare =
        x509::parse_certificate(bench.issue({}, x509::key_usage::digital_signature, key));
    x509::TbsCertificate tbs{bare->serial, bare->issuer, bare->not_before,   bare->not_after,
                             {},           key,          request->extensions};
    const Bytes octets = x509::encode_tbs(tbs);
    return x509::assemble_certificate(octets, bare->signature);
  };
  const crypto::PublicPoint other = bench.key(kStranger, kSign)->public_point();
  EXPECT_EQ(status_of(bench.execute(bench.command(0x000B, supplier, certified(other)))), 5u);
  // The answer to this one is signed with the new key already.
  const gbcs::Message command = bench.command(0x000B, supplier, certified(request->key));
  const std::vector<Bytes> answers =
      bench.device().receive(gbcs::encode(bench.protect(command).value()));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(gbcs::verify_signature(*gbcs::decode(answers[0]), request->key).ok());
}

Bytes firmware_payload(BytesView image, OriginatorCounter counter, std::optional<UtcTime> at = {}) {
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    writer.primitive(asn1::kOctetString, crypto::sha256(image));
    writer.unsigned_integer(counter.number());
    if (at) writer.generalized_time(*at);
  });
  return writer.take();
}

TEST(Firmware, IsActivatedByItsHashAtOnceOrLater) {
  for (const DeviceType type : {DeviceType::esme, DeviceType::gsme}) {
    BenchOptions options;
    options.type = type;
    DeviceBench bench(options);
    const Bytes image(5000, 7), other(5000, 8);
    ASSERT_TRUE(bench.device().take_firmware(image, {1, 2, 3, 4}).ok());
    EXPECT_EQ(alerts(bench.device()), std::vector<std::uint16_t>{0x8F72});
    const auto activate = [&](BytesView octets, std::optional<UtcTime> at = {}) {
      gbcs::Message command = bench.command(0x0012, supplier, {});
      command.payload = firmware_payload(octets, command.counter, at);
      return bench.execute(command);
    };
    const auto status = [](const Result<gbcs::Message>& answer) {
      asn1::Reader reader(answer->payload);
      return reader.enter(asn1::kSequence).value().unsigned_integer().value();
    };
    EXPECT_EQ(status(activate(other)), 2u) << "there is no such image";
    EXPECT_EQ(bench.device().display().firmware, "00000001");
    ASSERT_TRUE(activate(image, time_of("2026-02-01T00:00:00Z")).ok());
    EXPECT_EQ(bench.device().display().firmware, "00000001");
    bench.clock.set(time_of("2026-02-01T00:00:00Z"));
    const std::vector<Bytes> sent = bench.device().tick();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(gbcs::decode(sent[0])->code.text(), "00CA");
    EXPECT_EQ(bench.device().display().firmware, "01020304");
    EXPECT_EQ(status(activate(image)), 2u) << "it was used";
  }
  DeviceBench bench({});
  EXPECT_FALSE(bench.device().take_firmware({}, {}).ok());
}

TEST(Joins, AreMadeListedAndUndone) {
  BenchOptions options;
  options.type = DeviceType::gsme;
  DeviceBench bench(options);
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    writer.unsigned_integer(2);
    writer.primitive(asn1::kOctetString, kStranger.octets());
    writer.unsigned_integer(3);
  });
  EXPECT_EQ(status_of(bench.execute(bench.command(0x000E, supplier, writer.take()))), 0u);
  EXPECT_EQ(bench.device().display().joined, 1u);
  asn1::Writer nothing;
  nothing.null();
  const Result<gbcs::Message> list = bench.execute(bench.command(0x0013, supplier, nothing.take()));
  ASSERT_TRUE(list.ok()) << list.refusal().detail;
  EXPECT_NE(to_hex(list->payload).find(kStranger.hex()), std::string::npos);
  asn1::Writer who;
  who.primitive(asn1::kOctetString, kStranger.octets());
  const Bytes gone = who.take();
  EXPECT_EQ(status_of(bench.execute(bench.command(0x0010, supplier, gone))), 0u);
  EXPECT_EQ(bench.device().display().joined, 0u);
  EXPECT_EQ(status_of(bench.execute(bench.command(0x0010, supplier, gone))), 1u);
}

TEST(Hub, ListsWhoMayJoinAndTellsWhenThatChanges) {
  BenchOptions options;
  options.type = DeviceType::chf;
  DeviceBench bench(options);
  const Value entry = Value::structure({Value::octets(kStranger.octets()), Value::enumeration(1),
                                        Value::octets(Bytes(16)), Value::enumeration(0)});
  succeed(ask(bench, 0x0001, access_control_broker, {act(104, "0-0:30.3.0.255", 1, entry)}));
  EXPECT_EQ(alerts(bench.device()), std::vector<std::uint16_t>{0x8F12});
  const auto log = ask(bench, 0x010F, access_control_broker, {get(104, "0-0:30.3.0.255", 4)});
  ASSERT_EQ(log.at(0).data.items.size(), 1u);
  succeed(ask(bench, 0x0002, access_control_broker,
              {act(104, "0-0:30.3.0.255", 2, Value::octets(kStranger.octets()))}));
  EXPECT_EQ(bench.device().display().joined, 0u);
}

TEST(GasMeter, ChargesByItsTariffAndStopsWhenTheCreditIsGone) {
  BenchOptions options;
  options.type = DeviceType::gsme;
  DeviceBench bench(options);
  const auto tell = [&](std::uint16_t code, std::uint16_t cluster, Octet frame_control,
                        Octet number, const char* body) {
    zcl::Component component;
    component.cluster = cluster;
    component.frame_control = frame_control;
    component.command = number;
    component.body = from_hex(body).value();
    return bench.execute(bench.command(code, supplier, zcl::encode({component}).value()));
  };
  ASSERT_TRUE(bench.device().enter_top_up(bench.top_up_code(1, 100)).ok());
  // A price of 0.04000 pounds for the first time of use.
  ASSERT_TRUE(tell(0x00A3, 0x0700, 0x09, 0x05,
                   "00000000"
                   "01000000"
                   "00000000"
                   "01000000"
                   "000101"
                   "01"
                   "a00f0000")
                  .ok());
  bench.device().consume(1000);  // a cubic metre of 39.3 megajoules
  EXPECT_EQ(bench.device().display().balance_millipence, 100'000 - 43'666);
  bench.device().tick();
  bench.device().consume(2000);
  EXPECT_EQ(bench.device().display().supply, "disabled");
  EXPECT_EQ(count(alerts(bench.device()), 0x8F01), 1u);
  const Result<gbcs::Message> read = tell(0x0074, 0x0702, 0x00, 0x00, "0000");
  ASSERT_TRUE(read.ok()) << read.refusal().detail;
  const std::vector<zcl::Component> parts = zcl::decode(read->payload).value();
  const Result<Bytes> plain = bench.open(*read, bench.party(supplier), parts.at(0).body);
  ASSERT_TRUE(plain.ok()) << plain.refusal().detail;
  EXPECT_EQ(zcl::integer(zcl::decode_read_response(*plain)->at(0).value).value(), 3000);
}

}  // namespace
}  // namespace wattseal::apps::test
