#include "gbcs/utrn.h"

#include "gbcs/reference_test.h"

namespace wattseal::gbcs {
namespace {

constexpr Eui64 kSupplier = Eui64::from_number(0x1122334455667788),
                kMeter = Eui64::from_number(0x99AABBCCDDEEFF00);

OriginatorCounter counter(std::uint64_t high) { return OriginatorCounter(high << 32); }

std::string make(std::uint64_t high, UtrnUnit unit, unsigned value) {
  return make_utrn(test::counting_secret(), {kSupplier, kMeter, counter(high), unit, value})
      .value();
}

Result<OriginatorCounter> typed(std::uint64_t last_high, std::string_view digits) {
  return verify_utrn(test::counting_secret(), kSupplier, kMeter, counter(last_high), digits);
}

template <typename T>
std::string refused(const Result<T>& result) {
  return result.ok() ? "accepted" : std::string(result.refusal().rule.text());
}

std::string with_check_digit(std::string digits) { return digits + utrn_check_digit(digits); }

TEST(Utrn, IsTheOneOfAnIndependentImplementation) {
  EXPECT_EQ(make(1, UtrnUnit::pounds, 100), "73943333429281969330");
  EXPECT_EQ(make(4, UtrnUnit::pence, 1234), "73947252435232127111");
  EXPECT_EQ(make(1023, UtrnUnit::pence, 8191), "75381666216409318661");
  EXPECT_EQ(make(1024, UtrnUnit::pounds, 0), "73941921777324878211");
  EXPECT_EQ(make(0xFFFFFFFF, UtrnUnit::pence, 0), "75381314445111577509");
  EXPECT_EQ(make(1025, UtrnUnit::pounds, 8191), "73943680930560168873");
}

TEST(Utrn, CheckDigitStartsInTheFourthColumn) {
  EXPECT_EQ(utrn_check_digit("0000000000000000000"), '3');
  EXPECT_EQ(utrn_check_digit("1234567890123456789"), '8');
  EXPECT_EQ(utrn_check_digit("9999999999999999999"), '4');
}

TEST(Utrn, TellsItsFields) {
  const UtrnFields fields = parse_utrn("73947252435232127111").value();
  EXPECT_EQ(fields.truncated_counter, 4u);
  EXPECT_EQ(fields.unit, UtrnUnit::pence);
  EXPECT_EQ(fields.value, 1234u);
  EXPECT_EQ(parse_utrn("73943680930560168873").value().truncated_counter, 1u);
  EXPECT_EQ(parse_utrn("73943680930560168873").value().unit, UtrnUnit::pounds);
  EXPECT_EQ(parse_utrn("73943680930560168873").value().value, 8191u);
}

TEST(Utrn, OfTheReferenceTopUpsIsRemadeAndVerified) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  int remade = 0, mistyped = 0;
  for (const test::Reference& reference : test::reference_messages(folder)) {
    const bool top_up =
        reference.name.starts_with("CS01") && reference.name.find("_COMMAND_") != std::string::npos;
    if (!top_up) continue;
    const Message message = decode(reference.octets).value();
    const auto is_digit = [](Octet octet) { return octet >= '0' && octet <= '9'; };
    const auto match = std::ranges::search_n(message.payload, 20, true, {}, is_digit);
    ASSERT_FALSE(match.empty()) << reference.name;
    const std::string digits(match.begin(), match.end());
    const Result<UtrnFields> fields = parse_utrn(digits);
    if (!fields.ok()) {
      EXPECT_EQ(refused(fields), "utrn-check-digit");
      ++mistyped;
      continue;
    }
    const std::optional<crypto::SharedSecret> secret =
        keys.secret(message.originator, message.target, "pp-ka");
    ASSERT_TRUE(secret) << reference.name;
    const Result<std::string> made = make_utrn(
        *secret,
        {message.originator, message.target, message.counter, fields->unit, fields->value});
    EXPECT_EQ(made.value(), digits) << reference.name;
    EXPECT_EQ(verify_utrn(*secret, message.originator, message.target, OriginatorCounter(), digits)
                  .value(),
              message.counter);
    const crypto::SharedSecret other = keys.secret(message.originator, message.target).value();
    EXPECT_EQ(refused(verify_utrn(other, message.originator, message.target, OriginatorCounter(),
                                  digits)),
              "utrn-mac-mismatch");
    ++remade;
  }
  EXPECT_EQ(remade, 3);
  EXPECT_EQ(mistyped, 1);
}

// Codes that are published with the reference keys and data (spec/gbcs-duis.md 6): who made them
// had no part in this program.
TEST(Utrn, IsThePublishedOne) {
  EXPECT_EQ(utrn_check_digit("7430182583759667200"), '5');  // of a value that has no class
  EXPECT_EQ(refused(parse_utrn("74301825837596672005")), "utrn-value");
  EXPECT_EQ(refused(parse_utrn("12345678910121314156")), "utrn-check-digit");
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  const Eui64 supplier = Eui64::from_number(0x90B3D51F30010000),
              electricity = Eui64::from_number(0x00DB1234567890A0),
              gas = Eui64::from_number(0x00DB1234567890A1);
  struct Published {
    Eui64 meter;
    std::uint64_t high;
    UtrnUnit unit;
    unsigned value;
    std::string digits;  // the third one is published without its check digit
  };
  for (const Published& one :
       {Published{electricity, 1, UtrnUnit::pounds, 100, "73943333457189043313"},
        Published{electricity, 4, UtrnUnit::pence, 1234, "73947252416745201637"},
        Published{electricity, 1, UtrnUnit::pounds, 8191, "7394368095646343255"},
        Published{electricity, 3, UtrnUnit::pounds, 10, "73946144332040217315"},
        Published{electricity, 5, UtrnUnit::pounds, 10, "73948959061972833313"},
        Published{gas, 6, UtrnUnit::pence, 1250, "73950067887105178605"}}) {
    const std::optional<crypto::SharedSecret> secret = keys.secret(supplier, one.meter, "pp-ka");
    ASSERT_TRUE(secret);
    const std::string made =
        make_utrn(*secret, {supplier, one.meter, counter(one.high), one.unit, one.value}).value();
    EXPECT_EQ(made.substr(0, one.digits.size()), one.digits);
    EXPECT_EQ(verify_utrn(*secret, supplier, one.meter, counter(one.high - 1), made).value(),
              counter(one.high));
    EXPECT_EQ(refused(verify_utrn(*secret, supplier, one.meter, counter(one.high), made)),
              "utrn-counter");
    const Eui64 neighbour = one.meter == gas ? electricity : gas;
    EXPECT_EQ(refused(verify_utrn(*secret, supplier, neighbour, counter(one.high - 1), made)),
              "utrn-mac-mismatch");
  }
}

TEST(Utrn, RoundTripsAnyValueAndCounter) {
  std::mt19937 random(20240601);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t high = 1 + random() % 0xFFFFFFFE;
    const unsigned value = static_cast<unsigned>(random() % 8192);
    const UtrnUnit unit = random() % 2 ? UtrnUnit::pounds : UtrnUnit::pence;
    const std::string digits = make(high, unit, value);
    ASSERT_EQ(digits.size(), 20u);
    const UtrnFields fields = parse_utrn(digits).value();
    EXPECT_EQ(fields.truncated_counter, high % 1024);
    EXPECT_EQ(fields.unit, unit);
    EXPECT_EQ(fields.value, value);
    EXPECT_EQ(typed(high - 1, digits).value(), counter(high));
  }
}

TEST(Utrn, CounterIsRebuiltAcrossTheWrapOfItsTenBits) {
  EXPECT_EQ(typed(1023, make(1024, UtrnUnit::pence, 5)).value(), counter(1024));
  EXPECT_EQ(typed(1030, make(2047, UtrnUnit::pence, 5)).value(), counter(2047));
  EXPECT_EQ(typed(1030, make(2050, UtrnUnit::pence, 5)).value(), counter(2050));
  EXPECT_EQ(typed(0, make(1023, UtrnUnit::pence, 5)).value(), counter(1023));
  EXPECT_EQ(refused(typed(0, make(1025, UtrnUnit::pence, 5))), "utrn-mac-mismatch");
}

TEST(Utrn, IsRefusedWhenUsedAlready) {
  EXPECT_EQ(refused(typed(4, make(4, UtrnUnit::pence, 5))), "utrn-counter");
  EXPECT_EQ(refused(typed(5, make(4, UtrnUnit::pence, 5))), "utrn-mac-mismatch");
  EXPECT_EQ(refused(typed(0xFFFFFFFF, make(3, UtrnUnit::pence, 5))), "utrn-counter");
}

TEST(Utrn, RefusesCountersWithLowBitsAndValuesAboveTheLimit) {
  const crypto::SharedSecret secret = test::counting_secret();
  EXPECT_EQ(refused(make_utrn(secret, {kSupplier, kMeter, OriginatorCounter((1ull << 32) + 1),
                                       UtrnUnit::pence, 1})),
            "utrn-counter");
  EXPECT_EQ(refused(make_utrn(secret, {kSupplier, kMeter, counter(1), UtrnUnit::pence, 8192})),
            "utrn-value");
}

TEST(Utrn, RefusesWhatIsNoToken) {
  EXPECT_EQ(refused(parse_utrn("")), "utrn-format");
  EXPECT_EQ(refused(parse_utrn("7394725243523212711")), "utrn-format");
  EXPECT_EQ(refused(parse_utrn("739472524352321271111")), "utrn-format");
  EXPECT_EQ(refused(parse_utrn("7394725243523212711a")), "utrn-format");
  EXPECT_EQ(refused(parse_utrn("-3947252435232127111")), "utrn-format");
  EXPECT_EQ(refused(parse_utrn(with_check_digit("7394156990786306047"))),
            "utrn-format");  // below the first
  EXPECT_EQ(refused(parse_utrn(with_check_digit("7538272178862161920"))),
            "utrn-format");  // above the last
  EXPECT_EQ(refused(parse_utrn(with_check_digit("0000000000000000000"))), "utrn-format");
  EXPECT_EQ(refused(parse_utrn(with_check_digit("9999999999999999999"))), "utrn-format");
  EXPECT_EQ(refused(parse_utrn(with_check_digit("7394227359530483712"))),
            "utrn-value");  // reserved unit classes
  EXPECT_EQ(refused(parse_utrn(with_check_digit("7394262543902572544"))), "utrn-value");
}

TEST(Utrn, CheckDigitCatchesEveryMistypedDigitAndSwap) {
  const std::string good = make(7, UtrnUnit::pounds, 20);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (char c = '0'; c <= '9'; ++c) {
      std::string mistyped = good;
      mistyped[i] = c;
      if (mistyped == good) continue;
      EXPECT_EQ(refused(parse_utrn(mistyped)), "utrn-check-digit") << mistyped;
    }
    std::string swapped = good;
    if (i > 0) std::swap(swapped[i - 1], swapped[i]);
    if (swapped == good) continue;
    EXPECT_EQ(refused(parse_utrn(swapped)), "utrn-check-digit") << swapped;
  }
}

}  // namespace
}  // namespace wattseal::gbcs
