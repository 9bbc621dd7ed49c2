// Fault: the machine failed (disk, network, token, database). Thrown in mechanisms, caught only in
// apps/ and in dispatch's retry. What the field foresees is a Refusal (result.h); what we did wrong
// is a CHECK (check.h).
#pragma once
#include <stdexcept>
#include <string>

namespace wattseal {

class Fault : public std::runtime_error {
 public:
  explicit Fault(const std::string& what) : std::runtime_error(what) {}
};

}  // namespace wattseal
