# Headers compiled once for many files. A file still includes what it uses: the fuzz preset compiles without these.
#   plain  the standard library
#   json   and base/json.h
#   test   and GoogleTest
set(WATTSEAL_PLAIN_HEADERS <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint> <cstring> <deque>
    <functional> <iterator> <map> <memory> <mutex> <optional> <ranges> <set> <span> <sstream> <string> <string_view> <thread> <tuple>
    <unordered_map> <utility> <variant> <vector>)
set(WATTSEAL_JSON_HEADERS ${WATTSEAL_PLAIN_HEADERS} <base/json.h>)
set(WATTSEAL_TEST_HEADERS ${WATTSEAL_JSON_HEADERS} <gtest/gtest.h>)

file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/precompiled.cc CONTENT "// Only the headers compiled with it matter.\n")
add_library(wattseal_precompiled_PLAIN OBJECT ${CMAKE_BINARY_DIR}/generated/precompiled.cc)
add_library(wattseal_precompiled_JSON OBJECT ${CMAKE_BINARY_DIR}/generated/precompiled.cc)
add_executable(wattseal_precompiled_TEST ${CMAKE_BINARY_DIR}/generated/precompiled.cc)  # compiled as programs are
foreach(kind PLAIN JSON TEST)
  target_include_directories(wattseal_precompiled_${kind} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_precompile_headers(wattseal_precompiled_${kind} PRIVATE ${WATTSEAL_${kind}_HEADERS})
endforeach()
target_link_libraries(wattseal_precompiled_TEST PRIVATE GTest::gtest_main)
function(wattseal_precompiled target kind)
  target_precompile_headers(${target} REUSE_FROM wattseal_precompiled_${kind})
endfunction()
