#include "gbcs/blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "gbcs/reference_test.h"

namespace wattseal::gbcs {
namespace {

Bytes message_of(std::size_t payload_octets, std::uint64_t counter = 1001) {
  Message message;
  message.cra = Cra::response;
  message.originator = Eui64::from_number(0x00DB1234567890A0);
  message.target = Eui64::from_number(0x90B3D51F30010000);
  message.counter = OriginatorCounter(counter);
  message.code = MessageCode(0x002F);
  for (std::size_t i = 0; i < payload_octets; ++i)
    message.payload.push_back(static_cast<Octet>(i * 7 + i / 256));
  message.mac.emplace();
  return encode(message);
}

template <typename T>
std::string refused(const Result<T>& result) {
  return result.ok() ? "accepted" : std::string(result.refusal().rule.text());
}

TEST(Blocks, StandAsTheLayoutSays) {
  const std::vector<Bytes> blocks = split(message_of(20), 50).value();
  ASSERT_EQ(blocks.size(), 2u);
  const Bytes whole = message_of(20);
  EXPECT_EQ(to_hex(blocks[0]),
            "dd"
            "0902"
            "00000000000003e9"
            "0800db1234567890a0"
            "0890b3d51f30010000"
            "00"
            "02002f"
            "00"
            "3e"  // 5 of security, 6 of block transfer, a length and 50 octets
            "0000000000"
            "e0"
            "01"
            "0001"
            "0000"
            "32" +
                to_hex(BytesView(whole).first(50)));
  const Block second = decode_block(blocks[1]).value();
  EXPECT_TRUE(second.last);
  EXPECT_EQ(second.number, 2u);
  EXPECT_TRUE(is_block(blocks[0]));
  EXPECT_FALSE(is_block(whole));
}

TEST(Blocks, AreReadBackWithEveryField) {
  Block block = decode_block(split(message_of(20)).value()[0]).value();
  block.streaming = true;
  block.window = 63;
  block.number = 255;
  block.acknowledged = 0x1234;
  block.data = Bytes(1200, 0xAB);
  EXPECT_EQ(decode_block(encode(block)).value(), block);
  EXPECT_EQ(encode(decode_block(encode(block)).value()), encode(block));
  block.data.push_back(0);
  EXPECT_EQ(refused(decode_block(encode(block))), "gbcs-block-size");
  block.data.clear();
  block.number = 256;
  EXPECT_EQ(refused(decode_block(encode(block))), "gbcs-block-number");
  block.number = 0;
  EXPECT_EQ(refused(decode_block(encode(block))), "gbcs-block-number");
}

TEST(Blocks, AreRefusedWhenCutOrWithOctetsMore) {
  const Bytes block = split(message_of(300), 200).value()[0];
  for (std::size_t size = 0; size < block.size(); ++size)
    EXPECT_FALSE(decode_block(BytesView(block).first(size)).ok()) << size;
  Bytes more = block;
  more.push_back(0);
  EXPECT_EQ(refused(decode_block(more)), "gbcs-trailing");
}

TEST(Blocks, MakeTheMessageInAnyOrderAndAnyNumberOfTimes) {
  std::mt19937 random(1);
  for (const std::size_t octets : {0u, 1u, 100u, 3986u, 60'000u}) {
    const Bytes whole = message_of(octets);
    for (const std::size_t data : {std::size_t{300}, std::size_t{1199}, std::size_t{1200}}) {
      std::vector<Bytes> blocks = split(whole, data).value();
      std::ranges::shuffle(blocks, random);
      Assembly assembly;
      for (std::size_t i = 0; i < blocks.size(); ++i) {
        for (std::size_t again = 0; again <= i % 3; ++again) {
          const Result<std::optional<Bytes>> taken = assembly.take(blocks[i]);
          ASSERT_TRUE(taken.ok()) << taken.refusal().detail;
          EXPECT_EQ(taken->has_value(), i + 1 == blocks.size());
          if (*taken) {
            EXPECT_EQ(**taken, whole);
          }
        }
      }
      EXPECT_TRUE(assembly.missing().empty());
    }
  }
}

TEST(Blocks, ThatAreLostAreNamed) {
  const std::vector<Bytes> blocks = split(message_of(1000), 200).value();
  ASSERT_EQ(blocks.size(), 6u);
  Assembly assembly;
  EXPECT_EQ(assembly.missing(), std::vector<std::uint16_t>{1});
  ASSERT_TRUE(assembly.take(blocks[0]).ok());
  ASSERT_TRUE(assembly.take(blocks[3]).ok());
  EXPECT_EQ(assembly.missing(), (std::vector<std::uint16_t>{2, 3, 5}));
  ASSERT_TRUE(assembly.take(blocks[5]).ok());
  EXPECT_EQ(assembly.missing(), (std::vector<std::uint16_t>{2, 3, 5}));
  ASSERT_TRUE(assembly.take(blocks[1]).ok());
  ASSERT_TRUE(assembly.take(blocks[4]).ok());
  EXPECT_EQ(assembly.take(blocks[2]).value(), message_of(1000));
}

TEST(Blocks, ThatContradictEachOtherChangeNothing) {
  const std::vector<Bytes> blocks = split(message_of(1000), 200).value();
  const std::vector<Bytes> others = split(message_of(1000, 1002), 200).value();
  Assembly assembly;
  ASSERT_TRUE(assembly.take(blocks[0]).ok());
  ASSERT_TRUE(assembly.take(blocks[1]).ok());
  EXPECT_EQ(refused(assembly.take(others[2])), "gbcs-block-other");
  Block changed = decode_block(blocks[1]).value();
  changed.data[0] ^= 1;
  EXPECT_EQ(refused(assembly.take(encode(changed))), "gbcs-block-conflict");
  Block early = decode_block(blocks[0]).value();
  early.last = true;  // while the second is here
  EXPECT_EQ(refused(assembly.take(encode(early))), "gbcs-block-conflict");
  ASSERT_TRUE(assembly.take(blocks[5]).ok());
  Block behind = decode_block(blocks[4]).value();
  behind.number = 7;
  EXPECT_EQ(refused(assembly.take(encode(behind))), "gbcs-block-conflict");
  // a forged octet shows when the message is whole, if not to the eye then to its MAC
  ASSERT_TRUE(assembly.take(blocks[2]).ok());
  ASSERT_TRUE(assembly.take(blocks[3]).ok());
  EXPECT_EQ(assembly.take(blocks[4]).value(), message_of(1000));
}

TEST(Blocks, WhoseMessageIsAnotherOrNoneAreRefusedAtTheEnd) {
  Block block = decode_block(split(message_of(20)).value()[0]).value();
  block.header.counter = OriginatorCounter(5);
  Assembly other;
  EXPECT_EQ(refused(other.take(encode(block))), "gbcs-block-other");
  EXPECT_EQ(other.missing(), std::vector<std::uint16_t>{1});
  block.data = {1, 2, 3};
  Assembly none;
  EXPECT_EQ(refused(none.take(encode(block))), "gbcs-header");
}

TEST(Blocks, AreNotKeptBeyondTheLongestMessage) {
  Block block = decode_block(split(message_of(20)).value()[0]).value();
  block.last = false;
  block.data.assign(1200, 0);
  Assembly assembly;
  std::string last;
  for (std::uint16_t number = 1; number <= 60 && last.empty(); ++number) {
    block.number = number;
    const Result<std::optional<Bytes>> taken = assembly.take(encode(block));
    if (!taken.ok()) last = std::string(taken.refusal().rule.text()) + " " + std::to_string(number);
  }
  EXPECT_EQ(last, "gbcs-too-large 55");
}

TEST(Blocks, AreNotMadeOfWhatIsNoMessageNorTooManyNorTooLong) {
  EXPECT_EQ(refused(split(Bytes{1, 2, 3})), "gbcs-header");
  EXPECT_EQ(refused(split(message_of(20), 1201)), "gbcs-block-size");
  EXPECT_EQ(refused(split(message_of(1000), 4)), "gbcs-block-number");
}

TEST(Blocks, OfEveryReferenceMessageMakeItAgain) {
  WATTSEAL_NEEDS_VECTORS(folder);
  std::size_t messages = 0, blocks = 0;
  for (const test::Reference& reference : test::reference_messages(folder)) {
    const Bytes whole = encode(decode(reference.octets).value());
    Assembly assembly;
    Result<std::optional<Bytes>> taken = std::optional<Bytes>();
    const std::vector<Bytes> parts = split(whole, 64).value();
    for (const Bytes& block : parts) {
      taken = assembly.take(block);
      ASSERT_TRUE(taken.ok()) << reference.name << " " << taken.refusal().detail;
      ++blocks;
    }
    ASSERT_TRUE(taken->has_value()) << reference.name;
    EXPECT_EQ(**taken, whole) << reference.name;
    ++messages;
  }
  EXPECT_GT(messages, 900u);
  EXPECT_GT(blocks, 2 * messages);
}

}  // namespace
}  // namespace wattseal::gbcs
