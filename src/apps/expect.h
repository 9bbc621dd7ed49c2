// For runs that show something: every step comes out as foreseen, or the run ends and says which
// did not. Private to apps.
#pragma once
#include "base/fault.h"
#include "base/result.h"
#include "terms/terms.h"

namespace wattseal::apps {

inline void must(bool condition, const std::string& what) {
  if (!condition) throw Fault("expected: " + what);
}
template <typename T>
T must(Result<T> result, const std::string& what) {
  if (!result.ok()) throw Fault(what + ": " + explain(result.refusal()));
  return std::move(result).value();
}
inline void must(const Status& status, const std::string& what) {
  if (!status.ok()) throw Fault(what + ": " + explain(status.refusal()));
}

}  // namespace wattseal::apps
