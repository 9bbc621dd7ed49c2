#include "gbcs/parse.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "gbcs/parse/zcl_text.h"
#include "gbcs/reference_test.h"

namespace wattseal::gbcs {
namespace {

using nlohmann::json;

using test::no_key;
using test::with_reference_keys;

Result<Bytes> as_it_is(const Message&, BytesView blob) { return to_bytes(blob); }

TEST(ParseTree, IsThatOfEveryReferenceDecode) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  std::istringstream lines(wattseal::test::read_text(folder / "rtds" / "expected.jsonl"));
  int compared = 0, opened = 0;
  for (std::string line; std::getline(lines, line);) {
    json expected = json::parse(line);
    const std::string file = expected["file"];
    for (const char* about : {"file", "kind", "use_case", "srv", "mac", "sig"})
      expected.erase(about);
    const Message message =
        decode(wattseal::test::read_hex(folder / "rtds" / "rtds-4.5.0" / file)).value();
    const Result<json> tree = parse_tree(message, with_reference_keys(keys));
    ASSERT_TRUE(tree.ok()) << file << " " << tree.refusal().detail;
    EXPECT_EQ(*tree, expected) << file << json::diff(*tree, expected).dump().substr(0, 500);
    opened += tree->contains("encrypted") ? 1 : 0;
    ++compared;
  }
  EXPECT_EQ(compared, 914);
  EXPECT_EQ(opened, 32);
}

std::string value_of(const ParsedMessage& parsed, std::string_view name) {
  for (const ParsedItem& item : parsed.items) {
    if (item.name == name) return item.value;
  }
  return "(none)";
}

TEST(ParseReadable, GivesNamesAndUnits) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  const auto parsed = [&](const std::string& file) {
    return parse_readable(
               decode(wattseal::test::read_hex(folder / "rtds" / "rtds-4.5.0" / file)).value(),
               with_reference_keys(keys))
        .value();
  };
  const ParsedMessage read = parsed("4.1.1_ECS17b/ECS17b_4.1.1_SINGLE_SUCCESS_RESPONSE_GBCS.HEX");
  EXPECT_EQ(read.use_case, "ECS17b");
  EXPECT_TRUE(read.success);
  EXPECT_EQ(value_of(read, "Active energy import"), "10 Wh");
  EXPECT_EQ(value_of(read, "Reactive energy import"), "10 varh");
  EXPECT_EQ(value_of(parsed("4.1.1_GCS13a/GCS13a_4.1.1_SUCCESS_RELIABLE_GPF_RESPONSE_GBCS.HEX"),
                     "Gas consumption"),
            "12.345 m3");
  const ParsedMessage failed =
      parsed("1.6_ECS02/ECS02_1.6_IMMEDIATE_SINGLE_ERROR_RESPONSE_GBCS.HEX");
  EXPECT_FALSE(failed.success);
  EXPECT_EQ(failed.items[1].result, "hardware-fault");
  EXPECT_EQ(failed.items[0].name, "Payment mode");
  const ParsedMessage update = parsed(
      "6.15.1_CS02bSupplierBySupplier/"
      "CS02bSupplierBySupplier_6.15.1_IMMEDIATE_SUCCESS_RESPONSE_GBCS.HEX");
  EXPECT_EQ(value_of(update, "supplier DS"), "key 44899792D196F4B8 replaced by 43046B4FB7C4F11B");
  EXPECT_EQ(value_of(update, "supplier KA for prepayment"),
            "key 41FB49221588C570 replaced by 4EB07A1BCA0DD58C");
  const ParsedMessage alert = parsed("NA_GNCA-DLMS/GNCA-DLMS_NA_810E_ALERT_GBCS.HEX");
  EXPECT_EQ(alert.alert_code, "810E");
  EXPECT_EQ(parsed("1.1.1_ECS01a/"
                   "ECS01a_1.1.1_8F66_FUTURE_DATED_TOU_BLOCK_SUCCESS_ALERT_CURRENCY_UNIT_GBCS.HEX")
                .items[0]
                .name,
            "Future-dated command carried out");
}

TEST(ParseReadable, NamesWhatGasDevicesAreToldAndSay) {
  const auto said = [](unsigned cluster, Octet frame_control, Octet command, const char* body) {
    zcl::Component component;
    component.cluster = static_cast<std::uint16_t>(cluster);
    component.frame_control = frame_control;
    component.command = command;
    return std::string(command_name(component)) + ": " +
           command_text(component, from_hex(body).value()).value_or("nothing");
  };
  EXPECT_EQ(
      said(0x0703, 0x09, 0x00, "00d7732d0000000000ffff024869"),
      "Display message: Issued 2024-03-01T00:00:00Z; Control 00; Start at once; Minutes 65535; "
      "Message Hi");
  EXPECT_EQ(said(0x0703, 0x09, 0x00, "00d7732d0000000000ffff0248"), "Display message: nothing");
  EXPECT_EQ(said(0x0703, 0x09, 0x00, "00d7732d0000000000ffff02486900"), "Display message: nothing");
  EXPECT_EQ(said(0x0705, 0x01, 0x06, "0000000000d7732dffffffff9404feffffff"),
            "Change payment mode: Provider 0; Issued 2024-03-01T00:00:00Z; Implementation never; "
            "Configuration 0494; Cut off value -2");
  EXPECT_EQ(said(0x0707, 0x09, 0x03, "0000000000d7732d000000010001ff02ff0701"),
            "Publish seasons: Provider 0; Issued 2024-03-01T00:00:00Z; Calendar 01000000; "
            "Command index 0; Commands 1; From *-2-* weekday 7; Week 1");
  EXPECT_EQ(said(0x0702, 0x01, 0x01, ""), ": nothing");  // no such row

  // Every layout is understood, whatever the octets are.
  std::mt19937 random(11);
  int layouts = 0;
  for (const unsigned cluster : {0x0700u, 0x0702u, 0x0703u, 0x0705u, 0x0707u, 0x0708u, 0x0709u}) {
    for (int i = 0; i < 2 * 256; ++i) {
      zcl::Component component;
      component.cluster = static_cast<std::uint16_t>(cluster);
      component.frame_control = i % 2 == 0 ? 0x01 : 0x09;
      component.command = static_cast<Octet>(i / 2);
      layouts += command_name(component).empty() ? 0 : 1;
      for (std::size_t length = 0; length < 80; ++length) {
        Bytes body(length);
        for (Octet& octet : body) octet = static_cast<Octet>(random());
        (void)command_text(component, body);
      }
    }
  }
  EXPECT_EQ(layouts, 59);
}

TEST(ParseReadable, NamesEveryGasCommandOfTheReference) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  const Opener open = with_reference_keys(keys);
  int commands = 0;
  for (const test::Reference& reference : test::reference_messages(folder)) {
    const Message message = decode(reference.octets).value();
    if (payload_kind(message.payload).value() != PayloadKind::gbz || message.cra == Cra::alert)
      continue;
    const std::vector<zcl::Component> components = zcl::decode(message.payload).value();
    for (const zcl::Component& component : components) {
      if (!zcl::is_cluster_command(component)) continue;
      const Bytes body = component.sealing ? open(message, component.body).value() : component.body;
      EXPECT_TRUE(command_text(component, body).has_value())
          << reference.name << " " << component.cluster << " " << int{component.command} << " "
          << to_hex(body);
      ++commands;
    }
  }
  EXPECT_GT(commands, 400);
}

TEST(ParseReadable, ReadsEveryReferenceMessage) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  for (const test::Reference& reference : test::reference_messages(folder)) {
    const Result<ParsedMessage> parsed =
        parse_readable(decode(reference.octets).value(), with_reference_keys(keys));
    ASSERT_TRUE(parsed.ok()) << reference.name << " " << parsed.refusal().detail;
    EXPECT_FALSE(parsed->items.empty()) << reference.name;
  }
}

TEST(Parse, SaysWhenAKeyIsMissingAndSurvivesAnyOctets) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const Message sealed =
      decode(wattseal::test::read_hex(folder / "rtds" / "rtds-4.5.0" /
                                      "4.1.1_ECS17b/ECS17b_4.1.1_SINGLE_SUCCESS_RESPONSE_GBCS.HEX"))
          .value();
  EXPECT_EQ(parse_readable(sealed, no_key).refusal().rule, "gbcs-no-key"_rule);
  EXPECT_EQ((*parse_tree(sealed, no_key))["encrypted"][0]["rule"], "gbcs-no-key");
  std::mt19937 random(9);
  for (const test::Reference& reference : test::reference_messages(folder)) {
    const Message good = decode(reference.octets).value();
    for (int i = 0; i < 10; ++i) {
      Message message = good;
      if (message.payload.empty()) continue;
      message.payload[random() % message.payload.size()] = static_cast<Octet>(random());
      if (i % 3 == 0) message.payload.resize(random() % message.payload.size());
      (void)parse_tree(message, no_key).ok();
      (void)parse_readable(message, as_it_is).ok();
    }
  }
}

}  // namespace
}  // namespace wattseal::gbcs
