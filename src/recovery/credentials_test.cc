#include "recovery/credentials.h"

#include <gtest/gtest.h>

#include "asn1/der.h"
#include "base/fault.h"
#include "recovery/cases.h"

namespace wattseal::recovery {
namespace {

using enum RemotePartyRole;
constexpr KeyUse kSign = KeyUse::digital_signature, kAgree = KeyUse::key_agreement;
constexpr Eui64 kOne = Eui64::from_number(0x9057530000010000),
                kTwo = Eui64::from_number(0x9057530000020000);

Held held(Eui64 party, Octet key) {
  Held one;
  one.party = party;
  one.key.fill(key);
  return one;
}

Bytes answer(std::initializer_list<CellOutcome> cells) {
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    writer.null();
    writer.constructed(asn1::kSequence, [&] {
      writer.unsigned_integer(77);
      writer.unsigned_integer(8);
      writer.constructed(asn1::kSequence, [] {});
      writer.constructed(asn1::kSequence, [&] {
        for (const CellOutcome& cell : cells) {
          writer.constructed(asn1::kSequence, [&] {
            writer.constructed(asn1::kSequence, [&] {
              writer.unsigned_integer(static_cast<unsigned>(cell.slot.role));
              writer.bit_string(Bytes{static_cast<Octet>(cell.slot.use == kSign ? 0x80 : 0x08)},
                                cell.slot.use == kSign ? 7 : 3);
              if (cell.slot.prepayment) writer.unsigned_integer(1);
            });
            writer.unsigned_integer(cell.status, asn1::kEnumerated);
            for (const Held& one : {cell.before, cell.after}) {
              writer.primitive(asn1::kOctetString, one.party.octets());
              writer.primitive(asn1::kOctetString, one.key);
            }
          });
        }
      });
    });
  });
  return writer.take();
}

TEST(Slots, AreNamedAndReadBack) {
  for (const Slot& slot : {Slot{root, kSign}, Slot{supplier, kAgree, true},
                           Slot{access_control_broker, kAgree}, Slot{wan_provider, kSign}})
    EXPECT_EQ(parse_slot(text(slot)).value(), slot);
  EXPECT_EQ(text(Slot{supplier, kAgree, true}), "supplier/KA/prepayment");
  for (const char* wrong : {"", "supplier", "supplier/XX", "nobody/DS", "supplier/DS/prepayment/"})
    EXPECT_EQ(parse_slot(wrong).refusal().rule, "recovery-slot"_rule) << wrong;
}

TEST(Holdings, ComeBackFromTheirOctets) {
  const Holdings holdings{{{supplier, kSign}, held(kOne, 1)}, {{root, kSign}, held({}, 2)}};
  EXPECT_EQ(decode_holdings(encode(holdings)), holdings);
  Bytes cut = encode(holdings);
  cut.pop_back();
  EXPECT_THROW(decode_holdings(cut), Fault);
}

TEST(Answers, SayWhatStandsInEachCell) {
  const CellOutcome replaced{{supplier, kAgree, true}, 0, held(kOne, 1), held(kTwo, 2)};
  const CellOutcome refused{{supplier, kSign}, 5, held(kOne, 3), held(kOne, 3)};
  const Bytes octets = answer({replaced, refused});
  const UpdateOutcome outcome = read_update_answer(octets).value();
  EXPECT_EQ(outcome.counter.number(), 77u);
  EXPECT_EQ(outcome.mode, 8u);
  ASSERT_EQ(outcome.cells.size(), 2u);
  EXPECT_EQ(outcome.cells[0].slot, replaced.slot);
  EXPECT_EQ(outcome.cells[0].after, replaced.after);
  EXPECT_EQ(outcome.cells[1].status, 5u);
  EXPECT_EQ(status_text(5), "badCertificate");
  EXPECT_TRUE(is_passing(30));
  EXPECT_FALSE(is_passing(5));
}

TEST(Answers, AreNotReadInPart) {
  const Bytes octets = answer({{{supplier, kSign}, 0, held(kOne, 1), held(kTwo, 2)}});
  for (std::size_t length = 0; length < octets.size(); ++length)
    EXPECT_FALSE(read_update_answer(BytesView(octets).first(length)).ok()) << length;
  Bytes longer = octets;
  longer.push_back(0);
  EXPECT_FALSE(read_update_answer(longer).ok());
}

TEST(Orders, GiveADeviceWhatItHoldsAndIsReached) {
  Order order;
  order.number = 3;
  order.method = "method-3";
  order.originator = kTwo;
  order.key_label = "a key";
  order.reach.party = kOne;
  order.cells = {{{supplier, kSign}, {}, {1, 2}}, {{supplier, kAgree}, {}, {3}}};
  order.path = {{9, 9, 9}};
  EXPECT_EQ(Order::decode(order.encode()).digest(), order.digest());
  const Holdings of_one{{{supplier, kSign}, held(kOne, 1)}, {{root, kSign}, held({}, 2)}},
      of_two{{{supplier, kSign}, held(kTwo, 1)}};
  ASSERT_EQ(order.for_device(of_one).size(), 1u);
  EXPECT_EQ(order.for_device(of_one)[0].certificate, (Bytes{1, 2}));
  EXPECT_TRUE(order.for_device(of_two).empty());
  order.reach.keys = {held(kOne, 7).key};
  EXPECT_TRUE(order.for_device(of_one).empty()) << "another key of the party is compromised";
}

TEST(Orders, ReplaceTheRootFirstAndEachPartyByItself) {
  Order order;
  order.cells = {{{supplier, kSign}, kOne, {1}},
                 {{supplier, kSign}, kTwo, {2}},
                 {{root, kSign}, Eui64(), {3}}};
  const std::vector<Replacement> cells =
      order.for_device({{{supplier, kSign}, held(kTwo, 1)}, {{root, kSign}, held({}, 2)}});
  ASSERT_EQ(cells.size(), 2u);
  EXPECT_EQ(cells[0].slot.role, root);
  EXPECT_EQ(cells[1].certificate, Bytes{2});
}

TEST(Steps, FollowTheTable) {
  EXPECT_EQ(find_step(nullptr, "report").value()->to, "reported");
  EXPECT_FALSE(find_step(nullptr, "confirm").ok());
  Case one;
  one.number = 1;
  one.state = "method-chosen";
  one.method = "method-1";
  EXPECT_EQ(find_step(&one, "execute").value()->to, "executing") << "no key of the DCC is used";
  EXPECT_FALSE(find_step(&one, "decide").ok());
  one.method = "method-3";
  EXPECT_FALSE(find_step(&one, "execute").ok()) << "the PMA and custodians come first";
  EXPECT_EQ(find_step(&one, "decide").value()->to, "decided");
  EXPECT_EQ(Case::decode(1, one.encode()).encode(), one.encode());
  // Every method serves a compromise that there is, and every step's states are reached.
  for (const MethodRow& row : method_rows()) {
    EXPECT_TRUE(std::ranges::any_of(compromise_rows(), [&](const CompromiseRow& kind) {
      return row.serves(kind.id);
    })) << row.id;
    EXPECT_GT(row.mode(), 0u);
  }
}

}  // namespace
}  // namespace wattseal::recovery
