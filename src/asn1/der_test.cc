#include "asn1/der.h"

#include <gtest/gtest.h>
#include <random>

namespace wattseal::asn1 {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }

TEST(DerReader, AcceptsOneEncodingOfEachValue) {
  struct Case {
    std::string_view octets, rule;
  };
  for (const Case& one : std::initializer_list<Case>{{"020101", ""},
                                                     {"0200", "der-value"},
                                                     {"02020001", "der-value"},
                                                     {"0201FF", "der-value"},
                                                     {"02020080", ""},
                                                     {"02810101", "der-length"},
                                                     {"0280", "der-length"},
                                                     {"0285010203040506", "der-length"},
                                                     {"0202FF", "der-truncated"},
                                                     {"02", "der-truncated"},
                                                     {"0401AA", "der-tag"},
                                                     {"1F8101", "der-tag"},
                                                     {"0209010000000000000000", "der-value"}}) {
    const Bytes octets = hex(one.octets);
    Reader reader(octets);
    const Result<std::uint64_t> value = reader.unsigned_integer();
    EXPECT_EQ(value.ok(), one.rule.empty()) << one.octets;
    if (!value.ok()) {
      EXPECT_EQ(value.refusal().rule.text(), one.rule) << one.octets;
    }
  }
}

TEST(DerReader, TakesLongLengthsOnlyWhereDevicesEmitThem) {
  const Bytes octets = hex("04820001AA");
  EXPECT_EQ(Reader(octets).any().refusal().rule, "der-length"_rule);
  EXPECT_EQ(Reader(octets, Lengths::as_devices_emit).any()->content.size(), 1u);
}

TEST(DerReader, RefusesTrailingOctets) {
  const Bytes octets = hex("050005");
  Reader reader(octets);
  ASSERT_TRUE(reader.expect(kNull).ok());
  EXPECT_EQ(reader.finish().refusal().rule, "der-trailing"_rule);
}

TEST(DerReader, JudgesObjectIdentifiersBooleansAndBitStrings) {
  const auto oid = [](std::string_view text) {
    const Bytes octets = hex(text);
    return Reader(octets).oid().ok();
  };
  EXPECT_TRUE(oid("0603550403"));
  EXPECT_FALSE(oid("0600"));
  EXPECT_FALSE(oid("06025580"));
  EXPECT_FALSE(oid("0603558003"));
  const auto boolean = [](std::string_view text) {
    const Bytes octets = hex(text);
    return Reader(octets).boolean().ok();
  };
  EXPECT_TRUE(boolean("0101FF"));
  EXPECT_FALSE(boolean("010101"));
  EXPECT_FALSE(boolean("0102FFFF"));
  const auto bits = [](std::string_view text, unsigned unused) {
    const Bytes octets = hex(text);
    return Reader(octets).bit_string(unused).ok();
  };
  EXPECT_TRUE(bits("03020780", 7));
  EXPECT_FALSE(bits("03020781", 7)) << "an unused bit is set";
  EXPECT_FALSE(bits("03020080", 7));
  EXPECT_FALSE(bits("0300", 0));
}

TEST(DerTimes, AreWholeSecondsUtcOfTheCalendar) {
  const auto read = [](Octet tag, std::string_view text) {
    Writer writer;
    writer.text(tag, text);
    const Result<UtcTime> time = Reader(writer.bytes()).time();
    return time.ok() ? time->iso() : std::string(time.refusal().rule.text());
  };
  EXPECT_EQ(read(kUtcTime, "491231235959Z"), "2049-12-31T23:59:59Z");
  EXPECT_EQ(read(kUtcTime, "500101000000Z"), "1950-01-01T00:00:00Z");
  EXPECT_EQ(read(kGeneralizedTime, "99991231235959Z"), "9999-12-31T23:59:59Z");
  for (const std::string_view bad : {"490231000000Z", "4912312359Z", "491231235959+0000",
                                     "491231235960Z", "4912312x5959Z", "-91231235959Z"}) {
    EXPECT_EQ(read(kUtcTime, bad), "der-value") << bad;
  }
}

TEST(DerWriter, WritesWhatTheReaderReads) {
  for (const std::uint64_t value : {0ull, 1ull, 127ull, 128ull, 255ull, 256ull, 65535ull, ~0ull}) {
    Writer writer;
    writer.unsigned_integer(value);
    EXPECT_EQ(Reader(writer.bytes()).unsigned_integer().value(), value);
  }
  const auto integer = [](std::int64_t value) {
    Writer writer;
    writer.integer(value);
    return to_hex(writer.bytes());
  };
  EXPECT_EQ(integer(0), "020100");
  EXPECT_EQ(integer(-1), "0201ff");
  EXPECT_EQ(integer(-128), "020180");
  EXPECT_EQ(integer(128), "02020080");
  EXPECT_EQ(integer(-129), "0202ff7f");
  for (const std::size_t size : {0u, 127u, 128u, 255u, 256u, 70000u}) {
    Writer writer;
    writer.constructed(kSequence, [&] { writer.primitive(kOctetString, Bytes(size, 7)); });
    Reader reader(writer.bytes());
    Reader inside = reader.enter(kSequence).value();
    EXPECT_EQ(inside.expect(kOctetString)->content.size(), size);
    EXPECT_TRUE(inside.finish().ok() && reader.finish().ok());
  }
}

TEST(DerReader, SurvivesAnyOctets) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    Bytes octets(random() % 40);
    for (Octet& octet : octets) octet = static_cast<Octet>(random());
    Reader reader(octets, i % 2 ? Lengths::minimal : Lengths::as_devices_emit);
    while (!reader.empty() && reader.any().ok()) {
    }
  }
}

}  // namespace
}  // namespace wattseal::asn1
