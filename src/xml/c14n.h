// Canonical XML, without comments: the octets that are digested and signed. Inclusive C14N 1.0 for
// the document, exclusive C14N for SignedInfo (stack.md trap 30 tells what happens when one takes
// the same for both). Nothing is returned for the few documents that have no canonical form, such
// as one with a relative namespace URI.
#pragma once
#include <optional>
#include <string>

#include "xml/tree.h"

namespace wattseal::xml {

inline constexpr std::uint32_t kNothing = UINT32_MAX;

// The whole document except the element at index `omitted` (or kNothing) and everything below it.
std::optional<std::string> canonical_without(const Tree& tree, std::uint32_t omitted);
// Only the element at index `apex` and everything below it, exclusive.
std::optional<std::string> canonical_exclusive(const Tree& tree, std::uint32_t apex);

}  // namespace wattseal::xml
