#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/parallel.h"
#include "base/pump.h"
#include "base/types.h"
#include "base/world.h"

namespace wattseal {
namespace {

TEST(Base64, RoundTripsEveryLengthAndSkipsWhiteSpace) {
  Bytes octets;
  for (int n = 0; n < 70; ++n) {
    EXPECT_EQ(from_base64(to_base64(octets)), octets) << n;
    octets.push_back(static_cast<Octet>(n * 37));
  }
  EXPECT_EQ(from_base64(" aGk\r\n=\t"), Bytes({'h', 'i'}));
}

TEST(Base64, RefusesWhatIsNotTheOneEncoding) {
  for (const char* text :
       {"a", "aG", "aGk", "aGk==", "=", "aG=k", "aGl=", "aH==", "aGk=a", "a-k="}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

TEST(Hex, RefusesOddLengthAndStrangers) {
  EXPECT_EQ(from_hex("00fFa0"), Bytes({0, 255, 160}));
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
  EXPECT_FALSE(from_hex("0 "));
}

TEST(Eui, ParsesOnlyDashedPairs) {
  const Result<Eui64> eui = Eui64::parse("90-b3-D5-1F-30-01-00-00");
  ASSERT_TRUE(eui.ok());
  EXPECT_EQ(eui->text(), "90-B3-D5-1F-30-01-00-00");
  EXPECT_EQ(eui->hex(), "90b3d51f30010000");
  for (const char* text :
       {"", "90B3D51F30010000", "90-B3-D5-1F-30-01-00", "90-B3-D5-1F-30-01-00-0G",
        "90:B3:D5:1F:30:01:00:00", "90-B3-D5-1F-30-01-00-00 ", "90-B3-D5-1F-30-01-00-00-00"}) {
    EXPECT_FALSE(Eui64::parse(text).ok()) << text;
  }
}

TEST(Serial, HexAndDecimalAreTheSameNumber) {
  const Result<CertificateSerial> serial =
      CertificateSerial::parse_hex("261E9CCC0000000000000000000000FE");
  ASSERT_TRUE(serial.ok());
  const Result<CertificateSerial> again = CertificateSerial::parse_decimal(serial->decimal());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*serial, *again);
  EXPECT_EQ(CertificateSerial::parse_decimal("255")->hex(), "000000000000000000000000000000FF");
  EXPECT_EQ(CertificateSerial::parse_decimal("340282366920938463463374607431768211455")->hex(),
            std::string(32, 'F'));
}

TEST(Serial, RefusesZeroNegativeAndTooLong) {
  EXPECT_FALSE(CertificateSerial::parse_decimal("0").ok());
  EXPECT_FALSE(CertificateSerial::parse_decimal("-1").ok());
  EXPECT_FALSE(CertificateSerial::parse_decimal("").ok());
  EXPECT_FALSE(CertificateSerial::parse_decimal("340282366920938463463374607431768211456").ok());
  EXPECT_FALSE(CertificateSerial::parse_hex("00").ok());
  EXPECT_FALSE(CertificateSerial::parse_hex(std::string(34, '1')).ok());
}

TEST(Counter, IsCanonicalDecimal) {
  EXPECT_EQ(OriginatorCounter::parse("18446744073709551615")->number(), ~std::uint64_t{0});
  EXPECT_EQ(OriginatorCounter::parse("0")->number(), 0u);
  for (const char* text : {"", "01", "18446744073709551616", "1 ", "+1", "-1", "1e3"})
    EXPECT_FALSE(OriginatorCounter::parse(text).ok()) << text;
}

TEST(MeterPoints, CheckDigitsCatchOneWrongDigit) {
  const std::string mpan = Mpan::from_core(120001234567).text();
  ASSERT_TRUE(Mpan::parse(mpan).ok());
  int accepted = 0;
  for (std::size_t i = 0; i < mpan.size(); ++i) {
    std::string wrong = mpan;
    wrong[i] = static_cast<char>('0' + (wrong[i] - '0' + 1) % 10);
    accepted += Mpan::parse(wrong).ok();
  }
  EXPECT_LE(accepted, 1);  // mod 11 mod 10 lets at most the collision of 0 and 10 through
  const std::string mprn = Mprn::from_core(41923348).text();
  ASSERT_TRUE(Mprn::parse(mprn).ok());
  EXPECT_FALSE(Mprn::parse("4192334899").ok());
  EXPECT_FALSE(Mprn::parse("419233").ok());
}

TEST(Time, CivilAndIsoRoundTripAcrossLeapYearsAndToTheYear9999) {
  for (std::int64_t seconds = -62135596800; seconds < 253402300799; seconds += 7919 * 86399LL) {
    const UtcTime time = UtcTime::from_unix_seconds(seconds);
    EXPECT_EQ(UtcTime::from_civil(time.civil()), time);
    EXPECT_EQ(UtcTime::parse_iso(time.iso()), time);
  }
  EXPECT_EQ(UtcTime::forever().iso(), "9999-12-31T23:59:59Z");
  EXPECT_EQ(UtcTime::parse_iso("2016-02-29T00:00:00.00Z")->plus_years(1).iso(),
            "2017-02-28T00:00:00Z");
}

TEST(Time, RefusesImpossibleDates) {
  for (const char* text :
       {"2015-02-29T00:00:00Z", "2015-13-01T00:00:00Z", "2015-01-01T24:00:00Z",
        "2015-01-01T00:00:60Z", "2015-01-01T00:00:00", "2015-01-01", "2015-01-01T00:00:00.Z",
        "2015-01-01T00:00:00+01:00", "15-01-01T00:00:00Z", "0000-01-01T00:00:00Z"}) {
    EXPECT_FALSE(UtcTime::parse_iso(text)) << text;
  }
}

TEST(ConstantTimeEquality, ComparesWholeContents) {
  EXPECT_TRUE(equal_constant_time(Bytes{1, 2, 3}, Bytes{1, 2, 3}));
  EXPECT_FALSE(equal_constant_time(Bytes{1, 2, 3}, Bytes{1, 2, 4}));
  EXPECT_FALSE(equal_constant_time(Bytes{1, 2, 3}, Bytes{1, 2}));
}

TEST(Workers, VisitEveryItemOnceAndPassOnAFailure) {
  Workers workers(4);
  std::vector<std::atomic<int>> seen(10'007);
  for (int round = 0; round < 20; ++round) {
    workers.parallel_for(seen.size(), 13, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) ++seen[i];
    });
  }
  for (const std::atomic<int>& count : seen) ASSERT_EQ(count, 20);
  EXPECT_THROW(workers.parallel_for(100, 1,
                                    [](std::size_t begin, std::size_t) {
                                      if (begin == 50) throw std::runtime_error("x");
                                    }),
               std::runtime_error);
  workers.parallel_for(0, 1, [](std::size_t, std::size_t) { FAIL(); });
}

TEST(Pump, RunsWhenWokenAndStopsAtOnce) {
  std::atomic<int> steps{0}, work{3};
  Pump pump(
      "test",
      [&] {
        ++steps;
        return work.fetch_sub(1) > 0;
      },
      std::chrono::hours(1));
  while (steps < 4) std::this_thread::yield();
  work = 1;
  pump.wake();
  while (steps < 6) std::this_thread::yield();
  pump.stop();
  EXPECT_GE(steps, 6);
}

TEST(Worlds, TheSameSeedGivesTheSameOctets) {
  Bytes a(32), b(32), c(32);
  seeded_random(7)->fill(a);
  seeded_random(7)->fill(b);
  seeded_random(8)->fill(c);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

}  // namespace
}  // namespace wattseal
