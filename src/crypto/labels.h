// What every key store asks of labels. Private to crypto.
#pragma once
#include <algorithm>
#include <functional>
#include <set>

#include "crypto/keys.h"

namespace wattseal::crypto {

inline bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 64 && std::ranges::all_of(label, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

// All labels well formed, none twice, none `taken`: so that generate() makes all or none.
inline Status check_labels(std::span<const std::string> labels,
                           const std::function<bool(const std::string&)>& taken) {
  std::set<std::string_view> seen;
  for (const std::string& label : labels) {
    if (!is_label(label))
      return Refusal{"key-label-malformed"_rule,
                     "the label has " + std::to_string(label.size()) +
                         " characters or one that is not allowed",
                     "label"};
    if (!seen.insert(label).second || taken(label))
      return Refusal{"key-label-taken"_rule, "there is a key labelled " + label, "label"};
  }
  return {};
}

inline Refusal no_such_key(std::string_view label) {
  return {"key-not-found"_rule, "no key is labelled " + std::string(label), "label"};
}

}  // namespace wattseal::crypto
