#include "gateway/coverage.h"

#include <string>

namespace wattseal::gateway {
namespace {

struct Row {
  std::string_view area, region, available, technology, likelihood, source, in_force_from;
};
constexpr Row kRows[] = {
#include "tables/wan_coverage.inc"
};

}  // namespace

std::optional<Coverage> coverage_at(std::string_view postcode) {
  std::string area;  // the letters it begins with
  for (const char c : postcode) {
    const bool lower = c >= 'a' && c <= 'z';
    if (!lower && (c < 'A' || c > 'Z')) break;
    area.push_back(lower ? static_cast<char>(c - 'a' + 'A') : c);
  }
  for (const Row& row : kRows) {
    if (row.area == area)
      return Coverage{row.region, row.technology, row.likelihood, row.available == "Yes"};
  }
  return std::nullopt;
}

}  // namespace wattseal::gateway
