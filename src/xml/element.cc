// Looking things up in plain Element values.
#include "xml/native.h"

namespace wattseal::xml {

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

const Element* Element::child(std::string_view local_name) const {
  for (const Element& candidate : children) {
    if (candidate.name == local_name) return &candidate;
  }
  return nullptr;
}

std::vector<const Element*> Element::all(std::string_view local_name) const {
  std::vector<const Element*> found;
  for (const Element& candidate : children) {
    if (candidate.name == local_name) found.push_back(&candidate);
  }
  return found;
}

const std::string* Element::attribute(std::string_view local_name) const {
  for (const Attribute& candidate : attributes) {
    if (candidate.name == local_name) return &candidate.value;
  }
  return nullptr;
}

std::string_view Element::trimmed() const { return trim(text); }

}  // namespace wattseal::xml
