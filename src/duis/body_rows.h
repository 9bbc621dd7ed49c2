// What may stand inside the body element of a service request, from data/duis_bodies.tsv. Private
// to duis.
#pragma once
#include "base/result.h"
#include "xml/xml.h"

namespace wattseal::duis {

// Checks namespace, names, order of alternatives, occurrence, types and ranges below `body` as far
// as rows describe the variant; a variant without rows is only checked for namespace. Refuses
// duis-namespace, duis-body, duis-value with the element's path.
Status check_body(std::string_view service_variant, const xml::Element& body);

}  // namespace wattseal::duis
