// Canonical XML, without comments: the octets that are digested and signed. Inclusive C14N 1.0 for
// the document, exclusive C14N for SignedInfo (stack.md trap 30 tells what happens when one takes
// the same for both). Nothing is returned for the few documents that have no canonical form, such
// as one with a relative namespace URI.
#pragma once
#include <optional>
#include <string>

#include "xml/native.h"

namespace wattseal::xml {

// The whole document except `omitted` (which may be null) and everything below it.
std::optional<std::string> canonical_without(const xmlDoc& tree, const xmlNode* omitted);
// Only `apex` and everything below it, exclusive.
std::optional<std::string> canonical_exclusive(const xmlDoc& tree, const xmlNode& apex);

}  // namespace wattseal::xml
