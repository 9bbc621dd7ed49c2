// What a ZigBee cluster command says, in words, by the rows of data/zcl_commands.tsv. Private to
// gbcs.
#pragma once
#include "zcl/zcl.h"

namespace wattseal::gbcs {

// Empty when there is no row.
std::string_view command_name(const zcl::Component& component);

// Its fields, "Name value; Name value", of a body that is in the clear. Nothing when there is no
// row or the body is not laid out so.
std::optional<std::string> command_text(const zcl::Component& component, BytesView body);

// The octets as text when all of them can be printed, else hexadecimal.
std::string printable(BytesView octets);

}  // namespace wattseal::gbcs
