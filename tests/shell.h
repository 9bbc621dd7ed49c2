// Runs a command as a user would, in a shell.
#pragma once
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace wattseal::test {

struct Ran {
  int code = -1;    // -1: it did not end by itself
  std::string out;  // both streams, but for what the command redirects
};

inline Ran shell(const std::string& command) {
  Ran ran;
  FILE* const pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> piece{};
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), pipe))
    ran.out.append(piece.data(), got);
  const int status = ::pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

}  // namespace wattseal::test
