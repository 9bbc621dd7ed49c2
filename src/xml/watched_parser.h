// libxml2's parser under guard: text in, libxml2's tree out, and nothing that a hostile text could
// make it do instead.
#pragma once
#include "xml/native.h"

namespace wattseal::xml {

// `text` has no NUL and at most INT_MAX octets. Refuses xml-malformed, xml-doctype, xml-too-deep,
// xml-too-many-elements.
Result<XmlDoc> parse_tree(std::string_view text, const Limits& limits);

// Views into `document`, which must outlive it, but for what had to be joined.
Tree tree_of(const xmlDoc& document);

}  // namespace wattseal::xml
