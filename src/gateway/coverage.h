// Where the SM WAN reaches, by the area of a postcode: rows of data/wan_coverage.tsv. Pure. Source:
// spec/features.md N-02; the areas are the Royal Mail's.
#pragma once
#include <optional>
#include <string_view>

namespace wattseal::gateway {

struct Coverage {
  std::string_view region, technology, likelihood;  // as DUIS has them
  bool available = false;
};
// "SW1A 1AA", "SW1A1AA". Nothing for an area without a row.
std::optional<Coverage> coverage_at(std::string_view postcode);

}  // namespace wattseal::gateway
