// DD  09 CRA counter  08 originator  08 target  00  02 code  00  L  00 00000000  E0 control number
// acknowledged  L data (spec/gbcs-duis.md 2.5)
#include "gbcs/blocks.h"

#include "base/check.h"
#include "gbcs/message/wire.h"
#include "terms/terms.h"

namespace wattseal::gbcs {
namespace {

constexpr Octet kBlockTransfer = 0xE0, kLastBit = 0x80, kStreamingBit = 0x40, kWindowBits = 0x3F;
constexpr std::array<Octet, 5> kUnprotected{};  // security control, invocation counter

std::size_t data_octets_max() { return static_cast<std::size_t>(limit("gbcs_block_octets_max")); }
std::size_t blocks_max() { return static_cast<std::size_t>(limit("gbcs_blocks_max")); }
std::size_t message_octets_max() { return static_cast<std::size_t>(limit("gbcs_octets_max")); }

BlockHeader header_of(const Message& message) {
  return {message.cra, message.counter, message.originator, message.target, message.code};
}

Refusal number_refusal(std::uint64_t number) {
  return Refusal{
      "gbcs-block-number"_rule,
      "block " + std::to_string(number) + "; a message has at most " + std::to_string(blocks_max()),
      "block-number"};
}

Refusal conflict(const Block& block, std::string why) {
  return Refusal{"gbcs-block-conflict"_rule,
                 "block " + std::to_string(block.number) + " " + std::move(why), "block-number"};
}

Result<BlockHeader> read_header(WireReader& reader) {
  BlockHeader header;
  TRY(reader.expect(kGeneralCiphering, "general-ciphering"));
  TRY(reader.expect(kTransactionOctets, "transaction-id"));
  TRY_ASSIGN(const std::uint64_t cra, reader.number(1, "cra"));
  if (cra < 1 || cra > 3)
    return Refusal{"gbcs-header"_rule, "CRA flag " + std::to_string(cra), "cra"};
  header.cra = static_cast<Cra>(cra);
  TRY_ASSIGN(const std::uint64_t counter, reader.number(8, "counter"));
  header.counter = OriginatorCounter(counter);
  TRY_ASSIGN(header.originator, read_title(reader, "originator"));
  TRY_ASSIGN(header.target, read_title(reader, "target"));
  TRY(reader.expect(Octet{0}, "date-time"));
  TRY(reader.expect(Octet{2}, "other-information"));
  TRY_ASSIGN(const std::uint64_t code, reader.number(2, "other-information"));
  header.code = MessageCode(static_cast<std::uint16_t>(code));
  TRY(reader.expect(Octet{0}, "key-info"));
  return header;
}

Status read_transfer(BytesView content, Block& block) {
  WireReader reader(content);
  TRY(reader.expect(kUnprotected, "security-header"));
  TRY(reader.expect(kBlockTransfer, "general-block-transfer"));
  TRY_ASSIGN(const std::uint64_t control, reader.number(1, "block-control"));
  block.last = (control & kLastBit) != 0;
  block.streaming = (control & kStreamingBit) != 0;
  block.window = static_cast<Octet>(control & kWindowBits);
  TRY_ASSIGN(const std::uint64_t number, reader.number(2, "block-number"));
  if (number == 0 || number > blocks_max()) return number_refusal(number);
  block.number = static_cast<std::uint16_t>(number);
  TRY_ASSIGN(const std::uint64_t acknowledged, reader.number(2, "block-number-acknowledged"));
  block.acknowledged = static_cast<std::uint16_t>(acknowledged);
  TRY_ASSIGN(const BytesView data, reader.counted("block-data"));
  if (data.size() > data_octets_max()) {
    return Refusal{
        "gbcs-block-size"_rule,
        std::to_string(data.size()) + " octets; at most " + std::to_string(data_octets_max()),
        "block-data"};
  }
  block.data = to_bytes(data);
  if (reader.left() == 0) return {};
  return Refusal{"gbcs-trailing"_rule, "octets follow the data of the block", "block-data"};
}

}  // namespace

bool is_block(BytesView octets) {
  return octets.size() > 1 && octets[0] == kGeneralCiphering && octets[1] == kTransactionOctets;
}

Bytes encode(const Block& block) {
  CHECK(block.window <= kWindowBits);
  Bytes transfer(kUnprotected.begin(), kUnprotected.end());
  transfer.push_back(kBlockTransfer);
  transfer.push_back(static_cast<Octet>((block.last ? kLastBit : 0) |
                                        (block.streaming ? kStreamingBit : 0) | block.window));
  put_be(transfer, block.number);
  put_be(transfer, block.acknowledged);
  put_counted(transfer, block.data);

  const BlockHeader& header = block.header;
  Bytes to{kGeneralCiphering, kTransactionOctets, static_cast<Octet>(header.cra)};
  put_be(to, header.counter.number());
  put_counted(to, header.originator.octets());
  put_counted(to, header.target.octets());
  append(to, Bytes{0, 2});
  put_be(to, header.code.number());
  to.push_back(0);
  put_counted(to, transfer);
  return to;
}

Result<Block> decode_block(BytesView octets) {
  Block block;
  WireReader reader(octets);
  TRY_ASSIGN(block.header, read_header(reader));
  TRY_ASSIGN(const BytesView content, reader.counted("general-ciphering"));
  if (reader.left() != 0)
    return Refusal{"gbcs-trailing"_rule, "octets follow the block", "general-ciphering"};
  TRY(read_transfer(content, block));
  return block;
}

Result<std::vector<Bytes>> split(BytesView message, std::size_t data_octets) {
  if (data_octets == 0) data_octets = data_octets_max();
  if (data_octets > data_octets_max()) {
    return Refusal{"gbcs-block-size"_rule, std::to_string(data_octets) + " octets; at most " +
                                               std::to_string(data_octets_max())};
  }
  TRY_ASSIGN(const Message whole, decode(message));
  const std::size_t count = (message.size() + data_octets - 1) / data_octets;
  if (count > blocks_max()) return number_refusal(count);
  Block block;
  block.header = header_of(whole);
  std::vector<Bytes> blocks;
  blocks.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const BytesView rest = message.subspan(i * data_octets);
    block.number = static_cast<std::uint16_t>(i + 1);
    block.last = i + 1 == count;
    block.data = to_bytes(rest.first(std::min(data_octets, rest.size())));
    blocks.push_back(encode(block));
  }
  return blocks;
}

Status Assembly::fits(const Block& block) const {
  if (header_ && *header_ != block.header)
    return Refusal{"gbcs-block-other"_rule, "its header is that of another message", "header"};
  if (last_ && block.number > *last_) return conflict(block, "is behind the last block");
  if (block.last && !blocks_.empty() && blocks_.rbegin()->first > block.number)
    return conflict(block, "says that it is the last, and later ones are here");
  const auto known = blocks_.find(block.number);
  if (known == blocks_.end()) {
    if (octets_ + block.data.size() <= message_octets_max()) return {};
    return Refusal{"gbcs-too-large"_rule,
                   "the blocks make more than " + std::to_string(message_octets_max()) + " octets"};
  }
  // how the block travelled may differ: window, receipts
  if (known->second.data == block.data && known->second.last == block.last) return {};
  return conflict(block, "came before with other content");
}

Result<std::optional<Bytes>> Assembly::take(BytesView octets) {
  TRY_ASSIGN(Block block, decode_block(octets));
  TRY(fits(block));
  const std::optional<std::uint16_t> last = block.last ? block.number : last_;
  const bool is_new = !blocks_.contains(block.number);
  std::optional<Bytes> whole;
  if (last && blocks_.size() + (is_new ? 1 : 0) == *last) {
    whole.emplace();
    for (std::uint16_t number = 1; number <= *last; ++number)
      append(*whole, number == block.number ? block.data : blocks_.at(number).data);
    TRY_ASSIGN(const Message message, decode(*whole));
    if (header_of(message) != block.header) {
      return Refusal{"gbcs-block-other"_rule,
                     "the header of the message differs from that of its blocks", "header"};
    }
  }
  header_ = block.header;
  last_ = last;
  octets_ += is_new ? block.data.size() : 0;
  blocks_.insert_or_assign(block.number, std::move(block));
  return whole;
}

std::vector<std::uint16_t> Assembly::missing() const {
  std::vector<std::uint16_t> numbers;
  const std::uint16_t highest = blocks_.empty() ? std::uint16_t{0} : blocks_.rbegin()->first;
  const auto end = static_cast<std::uint16_t>(last_ ? *last_ : highest + 1);
  for (std::uint16_t number = 1; number <= end; ++number) {
    if (!blocks_.contains(number)) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace wattseal::gbcs
