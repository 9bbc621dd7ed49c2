// The ZigBee objects of gas meters and proxies. Private to emulators.
#pragma once
#include "emulators/meter.h"

namespace wattseal::emulators {

// A little-endian number in a ZCL body; what lies behind its end is 0.
std::uint64_t field(BytesView body, std::size_t offset, std::size_t octets);

struct GasObjects::Turn {  // one component's execution
  const zcl::Component& in;
  Meter& meter;
  const Duties& duties;
  std::vector<zcl::Component>& out;
  Octet& sealed_so_far;

  void answer(Octet frame_control, Octet number, Bytes body, bool sealed = false);
  void result(Octet status);  // a default response
};

}  // namespace wattseal::emulators
