// General block transfer: a message too long for one transmission to a device travels in blocks,
// each with the ids, counter and code of the message, none with a MAC of its own; put together they
// are the message, octet for octet. Octet layout: spec/gbcs-duis.md 2.5 (F). How long a block may
// be and how many there are is data (gbcs_block_octets_max, gbcs_blocks_max); when receipts are
// sent is not in public text and left to who carries the blocks. Values only: no I/O; an Assembly
// belongs to one thread. Errors: gbcs-truncated, gbcs-header, gbcs-length, gbcs-trailing,
// gbcs-too-large, gbcs-block-size, gbcs-block-number, gbcs-block-other, gbcs-block-conflict.
#pragma once
#include <map>

#include "gbcs/message.h"

namespace wattseal::gbcs {

// What all blocks of a message repeat of its header.
struct BlockHeader {
  Cra cra = Cra::command;
  OriginatorCounter counter;
  Eui64 originator, target;
  MessageCode code;
  friend bool operator==(const BlockHeader&, const BlockHeader&) = default;
};

struct Block {
  BlockHeader header;
  bool last = false;
  bool streaming = false;          // more follow without waiting for a receipt
  Octet window = 1;                // blocks on the way at a time, 0 to 63
  std::uint16_t number = 1;        // from 1
  std::uint16_t acknowledged = 0;  // the last number received from the other side
  Bytes data;
  friend bool operator==(const Block&, const Block&) = default;
};

// A block starts with DD 09, a message with DD 00 or DF.
bool is_block(BytesView octets);
Bytes encode(const Block& block);
Result<Block> decode_block(BytesView octets);

// The blocks of a whole message, in order; one when it fits. data_octets: of each but the last, 0
// for the most that is allowed. Refuses what is no message, gbcs-block-size (more than allowed) and
// gbcs-block-number (more blocks than allowed).
Result<std::vector<Bytes>> split(BytesView message, std::size_t data_octets = 0);

// Blocks of one message as they arrive, in any order and any of them more than once.
class Assembly {
 public:
  // The whole message when this block was the last one missing; nothing while others are. Refuses
  // and keeps nothing of: a block of another message (gbcs-block-other), the same number with other
  // content, or a number behind the last (gbcs-block-conflict), blocks that make more than a
  // message can be long, and octets together that are no message with the header of the blocks.
  Result<std::optional<Bytes>> take(BytesView block);
  // Numbers below the highest seen that did not arrive yet, and the next one unless the last is
  // here.
  std::vector<std::uint16_t> missing() const;

 private:
  Status fits(const Block& block) const;

  std::optional<BlockHeader> header_;
  std::map<std::uint16_t, Block> blocks_;
  std::optional<std::uint16_t> last_;
  std::size_t octets_ = 0;
};

}  // namespace wattseal::gbcs
