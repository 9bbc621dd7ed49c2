// What templates say that no public message shows: on what grounds, and how sure it is. Rows of
// data/inferred_values.tsv, to be confirmed before such a use case is relied on. Thread-safe.
#pragma once
#include <span>
#include <string_view>

namespace wattseal::gbcs {

struct InferredValue {
  std::string_view use_case;
  std::string_view place;      // in the command
  std::string_view value;      // what the template writes there
  std::string_view grounds;    // what it follows from
  std::string_view certainty;  // high, middle or low
  std::string_view source, in_force_from;
};
std::span<const InferredValue> inferred_values();

}  // namespace wattseal::gbcs
