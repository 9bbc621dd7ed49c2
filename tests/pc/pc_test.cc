// libwattseal-pc: the program in C beside this file, and which symbols the library shows.
#include <wattseal_pc.h>

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "tests/shell.h"
#include "tests/vectors.h"

namespace wattseal {
namespace {

using test::Ran;
using test::shell;

// What the header of version 1 declares. A function is never taken away: that would be version 2.
const std::set<std::string> kSymbols{
    "wattseal_pc_abi",         "wattseal_pc_version", "wattseal_pc_open",
    "wattseal_pc_close",       "wattseal_pc_add_key", "wattseal_pc_add_certificate",
    "wattseal_pc_add_device",  "wattseal_pc_parse",   "wattseal_pc_correlate",
    "wattseal_pc_verify",      "wattseal_pc_mmc",     "wattseal_pc_utrn_make",
    "wattseal_pc_utrn_check",  "wattseal_pc_text",    "wattseal_pc_rule",
    "wattseal_pc_explanation", "wattseal_pc_found",   "wattseal_pc_field",
    "wattseal_pc_fix",         "wattseal_pc_free"};

TEST(CInterface, ShowsItsFunctionsAndNothingElse) {
  const Ran ran = shell("nm -D --defined-only " WATTSEAL_PC_LIBRARY);
  ASSERT_EQ(ran.code, 0) << ran.out;
  std::set<std::string> shown;
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(line.rfind(' ') + 1);
    if (name == "WATTSEAL_PC_1") continue;  // the version itself
    shown.insert(name.substr(0, name.find('@')));
  }
  EXPECT_EQ(shown, kSymbols);
  EXPECT_NE(shell("readelf -d " WATTSEAL_PC_LIBRARY).out.find("[libwattseal-pc.so.1]"),
            std::string::npos);
}

TEST(CInterface, WorksFromAProgramInC) {
  const Ran ran = shell(WATTSEAL_PC_ABI_PROGRAM);
  EXPECT_EQ(ran.code, 0) << ran.out;
}

TEST(CInterface, ParsesVerifiesAndCorrelatesReferenceMessages) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const std::string rtds = (folder / "rtds").string();
  const std::string keys = rtds + "/keystore/", messages = rtds + "/rtds-4.5.0/";
  const Ran ran = shell(std::string(WATTSEAL_PC_ABI_PROGRAM " ") + messages +
                        "4.1.1_ECS17b/ECS17b_4.1.1_SINGLE_SUCCESS_RESPONSE_GBCS.HEX " + keys +
                        "90b3d51f30010000-ka.key " + keys + "00db1234567890a0-ka.pem " + keys +
                        "00db1234567890a0-ds.pem " + rtds +
                        "/duis-templates-db1dd08/ECS38_7.12_SUCCESS_REQUEST_DUIS.XML " + messages +
                        "7.12_ECS38/ECS38_7.12_SUCCESS_PRECOMMAND_GBCS.HEX 1420070400");
  EXPECT_EQ(ran.code, 0) << ran.out;
}

}  // namespace
}  // namespace wattseal
