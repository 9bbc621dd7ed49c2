// Messages: the envelope is an exact inverse; parsing never fails otherwise than by refusing.
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "gbcs/parse.h"
#include "gbcs/utrn.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView input(data, size);
  (void)gbcs::parse_utrn(as_text(input)).ok();
  const Result<gbcs::Message> message = gbcs::decode(input);
  if (!message.ok()) return 0;
  CHECK(equal(gbcs::encode(*message), input));
  const gbcs::Opener as_it_is = [](const gbcs::Message&, BytesView blob) -> Result<Bytes> {
    return to_bytes(blob);
  };
  (void)gbcs::parse_tree(*message, as_it_is).ok();
  (void)gbcs::parse_readable(*message, as_it_is).ok();
  return 0;
}
