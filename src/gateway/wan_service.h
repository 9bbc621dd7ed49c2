// What the WAN provider brings to the gateway over HTTP.
//   POST /wan/v1/messages   one message of a device, application/octet-stream: 202, or the refusal;
//                           or many, application/vnd.wattseal.messages: each message after its
//                           length, four octets, big-endian; at most limit wan_messages_max. 200
//                           with JSON {"taken": N, "refused": [{"message": i, "rule": …}, …]}: each
//                           is judged by itself, and what is taken is durable
//   POST /wan/v1/outages    [{"hub": EUI-64, "since": time}, …]: communications hubs that lost
//   their
//                           supply; answered in the same way
// A device's messages stay in order when its provider brings them one call after the other. Rules:
// wan-messages, wan-outages and those of the gateway. Threads: any.
#pragma once
#include "gateway/gateway.h"

namespace wattseal::gateway {

inline constexpr std::string_view kManyMessages = "application/vnd.wattseal.messages";
// The body of many messages, and back. Refuses wan-messages.
std::string join_messages(std::span<const Bytes> messages);
Result<std::vector<BytesView>> split_messages(std::string_view body);

// `gateway` outlives the router; `wake` is called when something is to be delivered.
void add_wan_routes(http::Router& router, Gateway& gateway, std::function<void()> wake);

}  // namespace wattseal::gateway
