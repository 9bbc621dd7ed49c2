// The values of an answer in one shape, whatever language it is written in, so that rows can point
// at them. Private to gbcs.
#pragma once
#include <deque>
#include <map>

#include "gbcs/mmc.h"

namespace wattseal::gbcs {

struct Node {
  enum class Kind : Octet { none, number, octets, text, list };
  Kind kind = Kind::none;
  bool little = false;  // octets in the order of ZigBee
  int scale = 0;        // a decimal number: times 10^scale
  std::int64_t number = 0;
  Bytes content;                       // octets, text
  std::vector<Node> items;             // list
  mutable bool used = false;           // a row wrote it
  mutable std::string_view placeless;  // why MMC has no element for it, as a row says
};

// What happened to each item, for DebugInfo and MessageSuccess.
struct ItemStatus {
  bool is_action = false;     // DLMS
  std::uint16_t cluster = 0;  // GBZ
  Octet command = 0;
  std::optional<std::uint16_t> attribute;  // GBZ
  Octet status = 0;
};

struct Sealed {  // that could not be opened
  Bytes blob;
  Refusal why;
};

// Heads of addresses: "" (the list of values: items of a response, parts of a notification or of
// the outer SEQUENCE), "sealed" (decrypted values), "only" and "whole" (DER that is no SEQUENCE;
// one that is, with its octets), "0702.0300" (attribute), "0702:06" (all commands of that kind).
struct Answer {
  PayloadKind kind = PayloadKind::dlms_response;
  std::map<std::string, Node, std::less<>> heads;
  std::vector<ItemStatus> statuses;
  std::vector<Sealed> sealed;
  std::string alert_code;  // four upper-case hex digits
  std::optional<UtcTime> alert_time;
};
Result<Answer> read_answer(const Message& message, const Opener& open);

// What every form of number reads; nothing when it is none or too long.
std::optional<std::int64_t> number_of(const Node& node, bool is_signed = false);
// An instant: COSEM date-time, seconds since 2000, or GeneralizedTime.
std::optional<UtcTime> instant_of(const Node& node);

}  // namespace wattseal::gbcs
