// The manual page of each service request, from the same rows that judge it: who may send it, where
// to, what its body holds, what comes back, and an example by the encoder. Pure and thread-safe.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace wattseal::duis {

// One line of the body, in document order. A structure that stood on the page before is not
// repeated: `same_as` is the path where its lines are.
struct ManualLine {
  std::string path;  // a key of compose.h without positions: "Prepayment/DisablementThreshold"
  std::size_t depth = 0;
  std::string occurs;  // "1", "0..1", "1..48", "1..n"
  std::string choice;  // "either", "or", "with": of the alternatives of one choice; else empty
  std::string value;   // "an integer from 0 to 1799"; empty for a structure
  std::string same_as;
};
// Empty for a body without content. CHECKs that the variant has a row.
std::vector<ManualLine> manual_lines(std::string_view service_variant);
// The page, Markdown. CHECKs that the variant has a row.
std::string manual_page(std::string_view service_variant);
// The list of all pages, Markdown, with links to VARIANT.md beside it.
std::string manual_index();
// The example of the page: a whole request, indented.
std::string manual_example(std::string_view service_variant);

}  // namespace wattseal::duis
