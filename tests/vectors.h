// Where third-party vectors are: WATTSEAL_VECTORS, else ../shared/vectors beside the checkout. A
// test that needs them skips visibly when they are absent; ctest's summary counts such tests.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/check.h"

namespace wattseal::test {

inline std::optional<std::filesystem::path> vectors() {
  const char* named = std::getenv("WATTSEAL_VECTORS");
  const std::filesystem::path folder = named ? named : "../shared/vectors";
  if (std::filesystem::is_directory(folder)) return folder;
  return std::nullopt;
}

inline std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  CHECK(in.good());
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A text file of hexadecimal digits with white space anywhere.
inline Bytes read_hex(const std::filesystem::path& file) {
  std::string digits;
  for (const char c : read_text(file)) {
    if (c > ' ') digits.push_back(c);
  }
  const std::optional<Bytes> octets = from_hex(digits);
  CHECK(octets.has_value());
  return *octets;
}

}  // namespace wattseal::test

#define WATTSEAL_NEEDS_VECTORS(folder)                                                      \
  const std::optional<std::filesystem::path> found_vectors_ = ::wattseal::test::vectors();  \
  if (!found_vectors_) GTEST_SKIP() << "third-party vectors are absent (WATTSEAL_VECTORS)"; \
  const std::filesystem::path folder = *found_vectors_
