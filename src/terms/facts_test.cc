#include "terms/facts.h"

#include <gtest/gtest.h>

namespace wattseal {
namespace {

const TraceId kTrace = *TraceId::parse("000102030405060708090a0b0c0d0e0f");
const UtcTime kAt = UtcTime::from_unix_seconds(1402531200);

Bytes sample() {
  return FactWriter(FactKind::certificate_issued, kAt, kTrace)
      .serial(*CertificateSerial::parse_hex("0102"))
      .text(FactField::profile, "device-ds")
      .number(FactField::batch, 300)
      .eui(FactField::device, Eui64::from_number(0x00DB1234567890A0))
      .text(FactField::meter_point, "1200012345678")
      .bytes();
}

TEST(Facts, ReadBackWhatWasWritten) {
  const Bytes octets = sample();
  const Result<FactView> fact = FactView::read(octets);
  ASSERT_TRUE(fact.ok());
  EXPECT_EQ(fact->kind(), FactKind::certificate_issued);
  EXPECT_EQ(fact->at(), kAt);
  EXPECT_EQ(fact->trace(), kTrace);
  EXPECT_EQ(fact->text(FactField::profile), "device-ds");
  EXPECT_EQ(fact->number(FactField::batch), 300u);
  EXPECT_EQ(fact->eui(FactField::device)->text(), "00-DB-12-34-56-78-90-A0");
  EXPECT_EQ(fact->serial()->hex(), "00000000000000000000000000000102");
  EXPECT_EQ(fact->number(FactField::row), 0u);
}

TEST(Facts, NoPrefixThatCutsAFieldReads) {
  const Bytes octets = sample();
  std::size_t readable = 0;
  for (std::size_t n = 0; n < octets.size(); ++n)
    readable += FactView::read(BytesView(octets).first(n)).ok();
  EXPECT_EQ(readable, 5u);  // the header alone and each whole number of fields short of all
}

TEST(Facts, DescribesFieldsByTheirTableAndHidesPersonalOnes) {
  const Bytes octets = sample();
  const std::vector<FactFieldView> fields = describe(*FactView::read(octets));
  ASSERT_EQ(fields.size(), 5u);
  EXPECT_EQ(fields[0].name, "serial");
  EXPECT_EQ(fields[2].value, "300");
  EXPECT_EQ(fields[4].name, "meter_point");
  EXPECT_EQ(fields[4].value, "(13 octets)");
  EXPECT_EQ(fact_kind_name(FactKind::certificate_issued), "certificate_issued");
}

TEST(Records, ReadBackAndFaultOnDamage) {
  const Bytes octets = RecordWriter().number(0).number(1u << 20).text("abc").bytes();
  RecordReader reader(octets);
  EXPECT_EQ(reader.number(), 0u);
  EXPECT_EQ(reader.number(), 1u << 20);
  EXPECT_EQ(reader.text(), "abc");
  EXPECT_TRUE(reader.empty());
  RecordReader cut(BytesView(octets).first(octets.size() - 1));
  cut.number();
  cut.number();
  EXPECT_ANY_THROW(cut.octets());
}

}  // namespace
}  // namespace wattseal
