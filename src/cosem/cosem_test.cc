#include "cosem/cosem.h"

#include <gtest/gtest.h>
#include <random>

namespace wattseal::cosem {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }
std::string rule_of(std::string_view octets) {
  const Bytes whole = hex(octets);
  const Result<Value> value = decode(whole);
  return value.ok() ? "ok" : std::string(value.refusal().rule.text());
}

TEST(Values, HaveTheOctetsOfTheStandard) {
  const auto octets = [](const Value& value) { return to_hex(encode(value)); };
  EXPECT_EQ(octets(Value::null()), "00");
  EXPECT_EQ(octets(Value::boolean(true)), "03ff");
  EXPECT_EQ(octets(Value::i8(-1)), "0fff");
  EXPECT_EQ(octets(Value::i16(-2)), "10fffe");
  EXPECT_EQ(octets(Value::i32(-2)), "05fffffffe");
  EXPECT_EQ(octets(Value::u16(0xABCD)), "12abcd");
  EXPECT_EQ(octets(Value::u32(10)), "060000000a");
  EXPECT_EQ(octets(Value::u64(~0ull)), "15ffffffffffffffff");
  EXPECT_EQ(octets(Value::enumeration(30)), "161e");
  EXPECT_EQ(octets(Value::bits("111")), "0403e0");
  EXPECT_EQ(octets(Value::visible("ab")), "0a026162");
  EXPECT_EQ(octets(Value::structure({Value::u8(1), Value::array({})})), "020211010100");
  EXPECT_EQ(octets(Value::octets(Bytes(200))).substr(0, 6), "0981c8");
  EXPECT_EQ(octets(Value::compact_array(
                {Tag::structure, 0, {{Tag::unsigned_integer, 0, {}}, {Tag::long_unsigned, 0, {}}}},
                {Value::structure({Value::u8(1), Value::u16(2)}),
                 Value::structure({Value::u8(3), Value::u16(4)})})),
            "1302021112"
            "06"
            "010002030004");
}

TEST(Values, ReadBackWhatWasWritten) {
  const Value value =
      Value::structure({Value::i64(-5), Value::utf8("\xc2\xa3"), Value::bits("101010101"),
                        Value::array({Value::null(), Value::u64(7)}),
                        Value::compact_array({Tag::array, 2, {{Tag::integer, 0, {}}}},
                                             {Value::array({Value::i8(1), Value::i8(-1)})})});
  const Bytes octets = encode(value);
  EXPECT_EQ(decode(octets).value(), value);
  for (std::size_t size = 0; size < octets.size(); ++size)
    EXPECT_FALSE(decode(BytesView(octets).first(size)).ok()) << size;
}

TEST(Values, RefuseEverySecondForm) {
  EXPECT_EQ(rule_of("0301"), "cosem-value");
  EXPECT_EQ(rule_of("0403e1"), "cosem-value");
  EXPECT_EQ(rule_of("098105"), "cosem-length");
  EXPECT_EQ(rule_of("09820001aa"), "cosem-length");
  EXPECT_EQ(rule_of("0980"), "cosem-length");
  EXPECT_EQ(rule_of("09850000000000"), "cosem-length");
  EXPECT_EQ(rule_of("ff"), "cosem-tag");
  EXPECT_EQ(rule_of("0000"), "cosem-trailing");
  EXPECT_EQ(rule_of(""), "cosem-truncated");
  EXPECT_EQ(rule_of("0184ffffffff"), "cosem-truncated") << "a claim of 4 G items reserves nothing";
  EXPECT_EQ(rule_of("130002aabb"), "cosem-value") << "rows without octets would never end";
  EXPECT_EQ(rule_of("13120300010002"), "cosem-value");
  EXPECT_EQ(rule_of("131203000100"), "cosem-truncated");
  EXPECT_EQ(rule_of("1312020001ff"), "cosem-trailing");
}

TEST(Values, AreBoundedInDepthAndNumber) {
  std::string deep;
  for (std::size_t i = 0; i < kDepthMax - 1; ++i) deep += "0101";
  EXPECT_EQ(rule_of(deep + "00"), "ok");
  EXPECT_EQ(rule_of("0101" + deep + "00"), "cosem-too-deep");
  std::string types;
  for (int i = 0; i < 40; ++i) types += "0201";
  EXPECT_EQ(rule_of("13" + types + "1100"), "cosem-too-deep");
  Bytes many = hex("0183");
  put_be(many, kElementsMax, 3);
  many.resize(many.size() + kElementsMax);
  EXPECT_EQ(decode(many).refusal().rule, "cosem-too-many"_rule);
}

TEST(Values, SurviveAnyOctets) {
  std::mt19937 random(5);
  const Bytes seed = encode(Value::structure(
      {Value::array({Value::u32(1), Value::octets(Bytes(20))}), Value::bits("1010"),
       Value::compact_array({Tag::unsigned_integer, 0, {}}, {Value::u8(1)})}));
  for (int i = 0; i < 30000; ++i) {
    Bytes octets = seed;
    for (unsigned n = 0; n < 1 + random() % 4; ++n)
      octets[random() % octets.size()] = static_cast<Octet>(random());
    const Result<Value> value = decode(octets);
    if (value.ok()) {
      EXPECT_EQ(encode(*value), octets);
    }
  }
}

TEST(Apdus, ReadBackWhatWasWritten) {
  AccessRequest request;
  request.long_invoke_id = 0x20000001;
  request.items.push_back(
      {Operation::set, 111, Obis::parse("0-1:19.0.0.255").value(), 2, {}, Value::u8(1)});
  request.items.push_back({Operation::get_with_selection,
                           7,
                           Obis::parse("0-0:99.1.0.255").value(),
                           2,
                           Selection{1, Value::u16(9)},
                           {}});
  const Bytes octets = encode(request);
  EXPECT_EQ(to_hex(octets),
            "d9200000010002"
            "02006f0001130000ff02"
            "0400070000630100ff02"
            "01120009"
            "02"
            "1101"
            "00");
  EXPECT_EQ(decode_access_request(octets).value(), request);
  for (std::size_t size = 0; size < octets.size(); ++size)
    EXPECT_FALSE(decode_access_request(BytesView(octets).first(size)).ok());
  AccessResponse response{1,
                          DateTime::from_utc(UtcTime::from_unix_seconds(1'420'070'400)),
                          {{Operation::set, 0, {}}, {Operation::get, 4, Value::u8(2)}}};
  EXPECT_EQ(decode_access_response(encode(response)).value(), response);
  const DataNotification notification{7, {}, Value::structure({Value::u16(0x8F3D)})};
  EXPECT_EQ(decode_data_notification(encode(notification)).value(), notification);
  EXPECT_EQ(decode_data_notification(octets).refusal().rule, "cosem-apdu"_rule);
}

TEST(Apdus, RefuseListsOfDifferentLength) {
  EXPECT_EQ(decode_access_request(hex("d9000000000001"
                                      "010001000000000000"
                                      "02"
                                      "00"
                                      "0000"))
                .refusal()
                .rule,
            "cosem-count"_rule);
  EXPECT_EQ(decode_access_response(hex("da0000000000000100"
                                       "00"))
                .refusal()
                .rule,
            "cosem-count"_rule);
  EXPECT_EQ(decode_access_response(hex("da0000000000010100"
                                       "00"))
                .refusal()
                .rule,
            "cosem-apdu"_rule)
      << "specifications repeated";
  EXPECT_EQ(decode_access_request(hex("d90000000000"
                                      "01"
                                      "06"
                                      "000100000000000000"
                                      "0100"))
                .refusal()
                .rule,
            "cosem-apdu"_rule);
}

TEST(LogicalNames, HaveOneText) {
  EXPECT_EQ(Obis::parse("0-0:94.44.34.10")->text(), "0-0:94.44.34.10");
  for (const std::string_view bad :
       {"", "0-0:94.44.34", "0-0:94.44.34.256", "0-0:94.44.34.10.", "00-0:94.44.34.10",
        "0.0:94.44.34.10", "0-0:94.44.34.-1", "0-0:94.44.34.99999999999"}) {
    EXPECT_EQ(Obis::parse(bad).refusal().rule, "cosem-obis"_rule) << bad;
  }
}

TEST(DateTimes, AreTextBothWays) {
  for (const std::string_view octets :
       {"07df0101ff000000008000ff", "07ee010fff090000008000ff", "0000000000000000008000ff",
        "ffffffffffffffffff8000ff", "07de0c1f03173b3bffffc480", "fffffefe07ffffffff8000ff",
        "07dffdfdff0a0b0c63004502"}) {
    const DateTime time = DateTime::decode(hex(octets)).value();
    EXPECT_EQ(to_hex(time.encode()), octets);
    EXPECT_EQ(DateTime::parse(time.text()).value(), time) << time.text();
  }
  EXPECT_EQ(DateTime::decode(hex("0000000000000000008000ff"))->text(), "now");
  EXPECT_EQ(DateTime::decode(hex("ffffffffffffffffff8000ff"))->text(), "never");
  EXPECT_EQ(DateTime::decode(hex("07de0c1f03173b3bffffc480"))->text(),
            "wed 2014-12-31T23:59:59 deviation -60 status 80");
  EXPECT_EQ(Date::parse("sun *-*-last")->encode(), hex("fffffffe07"));
  EXPECT_EQ(TimeOfDay::parse("12:*:00.05")->encode(), hex("0cff0005"));
}

TEST(DateTimes, RefuseWhatIsNone) {
  for (const std::string_view octets :
       {"07df0d01ff000000008000ff", "07df0120ff000000008000ff", "07df010108000000008000ff",
        "07df0101ff180000008000ff", "07df0101ff003c00008000ff", "07df0101ff000000640000ff",
        "07df0101ff0000000003ffff", "07df0101ff", "0000010100000000008000ff"}) {
    EXPECT_FALSE(DateTime::decode(hex(octets)).ok()) << octets;
  }
  for (const std::string_view text :
       {"", "2014-12-31", "2014-12-31T24:00:00", "2014-12-31T00:00:00x",
        "2014-12-31T00:00:00 deviation 900", "2014-12-31T00:00:00 deviation 060",
        "xyz 2014-12-31T00:00:00", "2014-12-31T00:00:00 status ff"}) {
    EXPECT_FALSE(DateTime::parse(text).ok()) << text;
  }
}

TEST(DateTimes, AreInstantsOnlyWhenEverythingIsKnown) {
  const auto utc = [](std::string_view text) {
    const std::optional<UtcTime> at = DateTime::parse(text)->utc();
    return at ? at->iso() : "-";
  };
  EXPECT_EQ(utc("2014-12-31T09:30:00.00"), "2014-12-31T09:30:00Z");
  EXPECT_EQ(utc("wed 2014-12-31T09:30:00"), "2014-12-31T09:30:00Z");
  EXPECT_EQ(utc("thu 2014-12-31T09:30:00"), "-");
  EXPECT_EQ(utc("2014-12-31T09:30:00 deviation -60"), "2014-12-31T08:30:00Z");
  EXPECT_EQ(utc("2014-12-lastT09:30:00"), "-");
  EXPECT_EQ(utc("2014-02-31T09:30:00"), "-");
  EXPECT_EQ(utc("now"), "-");
  EXPECT_EQ(utc("never"), "-");
  EXPECT_EQ(DateTime::from_utc(UtcTime::from_unix_seconds(1'420'018'200)).utc()->unix_seconds(),
            1'420'018'200);
}

TEST(Results, HaveTheirNames) {
  EXPECT_EQ(result_name(Operation::get, 0), "success");
  EXPECT_EQ(result_name(Operation::set, 250), "other-reason");
  EXPECT_EQ(result_name(Operation::action, 15), "long-action-aborted");
  EXPECT_EQ(result_name(Operation::get, 100), "");
  EXPECT_EQ(tag_name(Tag::double_long_unsigned), "double-long-unsigned");
}

}  // namespace
}  // namespace wattseal::cosem
