#include "gbcs/inferred.h"

namespace wattseal::gbcs {
namespace {

constexpr InferredValue kValues[] = {
#include "tables/inferred_values.inc"
};

}  // namespace

std::span<const InferredValue> inferred_values() { return kValues; }

}  // namespace wattseal::gbcs
