// Reads the plain kind of document that programs write, in one pass and without copies: ASCII, line
// ends of one line feed, elements, attributes, comments, the five entities, namespaces of http and
// urn. Whatever else a document may be, right or wrong, is left to libxml2: this reader refuses
// nothing, it gives up. So it needs to be right only about what it takes, and of that a test and a
// fuzz target demand that libxml2 reads the same.
#pragma once
#include "xml/tree.h"
#include "xml/xml.h"

namespace wattseal::xml {

// False: not plain, or beyond a limit; `tree` is then in no state to be used. `text` stays where it
// is as long as `tree` is used, and a NUL follows it.
bool read_plain(const std::string& text, const Limits& limits, Tree& tree);

}  // namespace wattseal::xml
