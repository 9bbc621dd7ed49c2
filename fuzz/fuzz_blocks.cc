// Blocks of long messages: what decodes is written to the same octets; whatever arrives in whatever
// order, an assembly refuses it or gives a message whose blocks it gives again.
#include "base/check.h"
#include "gbcs/blocks.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView input(data, size);
  const Result<gbcs::Block> block = gbcs::decode_block(input);
  if (block.ok()) CHECK(equal(gbcs::encode(*block), input));
  // blocks behind each other, each after two octets of length
  gbcs::Assembly assembly;
  std::size_t at = 0;
  while (at + 2 <= size) {
    const std::size_t octets = std::min<std::size_t>(get_be(input.subspan(at, 2)), size - at - 2);
    const Result<std::optional<Bytes>> taken = assembly.take(input.subspan(at + 2, octets));
    at += 2 + octets;
    if (!taken.ok() || !*taken) continue;
    CHECK(assembly.missing().empty());
    gbcs::Assembly again;
    Result<std::optional<Bytes>> whole = std::optional<Bytes>();
    const std::vector<Bytes> parts = gbcs::split(**taken).value();
    for (const Bytes& one : parts) whole = again.take(one);
    CHECK(whole.ok() && *whole && equal(**whole, **taken));
  }
  return 0;
}
