// CHECK: a violated precondition is our bug. Always on; prints where and stops the process before
// it does harm.
#pragma once

namespace wattseal {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define CHECK(condition)                  \
  (static_cast<bool>(condition) ? void(0) \
                                : ::wattseal::check_failed(#condition, __FILE__, __LINE__))
#define UNREACHABLE() ::wattseal::check_failed("unreachable", __FILE__, __LINE__)
