// Parse & Correlate as commands: keys come from the command line alone, every refusal names its
// rule, and no secret is printed. On reference messages.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/shell.h"
#include "tests/vectors.h"

namespace wattseal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using test::Ran;
Ran wattseal(const std::string& words) { return test::shell(WATTSEAL_PROGRAM " " + words); }
std::string rule_of(const Ran& ran) {
  const json refusal = json::parse(ran.out, nullptr, false);
  return refusal.is_object() ? refusal.value("rule", "") : ran.out;
}

// The reference data as words of a command line.
class Messages : public testing::Test {
 protected:
  void SetUp() override {
    const std::optional<fs::path> found = test::vectors();
    if (!found) GTEST_SKIP() << "third-party vectors are absent (WATTSEAL_VECTORS)";
    rtds_ = fs::absolute(*found / "rtds");
    scratch_ = fs::temp_directory_path() / ("wattseal-messages-" + std::to_string(::getpid()));
    fs::create_directories(scratch_);
  }
  void TearDown() override {
    if (!scratch_.empty()) fs::remove_all(scratch_);
  }
  std::string message(const std::string& name) const {
    return " " + (rtds_ / "rtds-4.5.0" / name).string();
  }
  std::string key(const std::string& name) const {
    return " " + (rtds_ / "keystore" / name).string();
  }
  std::string opening() const {
    return " --key" + key("90b3d51f30010000-ka.key") + " --certificate" +
           key("00db1234567890a0-ka.pem");
  }

  const std::string sealed_ = "4.1.1_ECS17b/ECS17b_4.1.1_SINGLE_SUCCESS_RESPONSE_GBCS.HEX",
                    signed_ = "7.12_ECS38/ECS38_7.12_SUCCESS_RESPONSE_GBCS.HEX",
                    pre_command_ = "7.12_ECS38/ECS38_7.12_SUCCESS_PRECOMMAND_GBCS.HEX";
  fs::path rtds_, scratch_;
};

TEST_F(Messages, LongOnesAreSplitIntoBlocksAndJoinedAgain) {
  const std::string file = message("4.6.2_ECS21c/ECS21c_4.6.2_SUCCESS_RESPONSE_GBCS.HEX");
  const Ran split = wattseal("gbcs split --octets 100" + file + " --json");
  ASSERT_EQ(split.code, 0) << split.out;
  const json blocks = json::parse(split.out);
  ASSERT_GT(blocks.size(), 2u);
  const std::string path = (scratch_ / "blocks.txt").string();
  const auto join = [&](std::initializer_list<std::size_t> left_out) {
    std::ofstream out(path);
    for (std::size_t i = blocks.size(); i-- > 0;) {
      if (std::ranges::find(left_out, i) == left_out.end())
        out << blocks[i].get<std::string>() << "\n";
    }
    out.close();
    return wattseal("gbcs join " + path + " --json");
  };
  const Ran whole = join({});
  ASSERT_EQ(whole.code, 0) << whole.out;
  EXPECT_EQ(json::parse(whole.out)["message"].get<std::string>().substr(0, 4), "DD00");
  const Ran lost = join({1});
  EXPECT_EQ(rule_of(lost), "gbcs-block-missing");
  EXPECT_EQ(json::parse(lost.out)["detail"], "missing: 2");
}

TEST_F(Messages, VerifyTellsSignatureAndMac) {
  const Ran mac =
      wattseal("--json gbcs verify" + message(sealed_) + " --key" + key("90b3d51f30010000-ka.key") +
               " --mac-certificate" + key("00db1234567890a0-ka.pem"));
  ASSERT_EQ(mac.code, 0) << mac.out;
  EXPECT_EQ(json::parse(mac.out)["mac"], "verified");
  EXPECT_EQ(json::parse(mac.out)["signature"], "absent");
  const Ran signature = wattseal("--json gbcs verify" + message(signed_) + " --certificate" +
                                 key("00db1234567890a0-ds.pem"));
  ASSERT_EQ(signature.code, 0) << signature.out;
  EXPECT_EQ(json::parse(signature.out)["signature"], "verified");
}

TEST_F(Messages, VerifyRefusesByName) {
  const std::string verify = "--json gbcs verify" + message(signed_);
  EXPECT_EQ(rule_of(wattseal(verify)), "apps-input");
  EXPECT_EQ(rule_of(wattseal(verify + " --certificate" + key("00db1234567890a1-ds.pem"))),
            "apps-key-pair")
      << "another device's certificate";
  EXPECT_EQ(rule_of(wattseal(verify + " --certificate" + key("00db1234567890a0-ka.pem"))),
            "apps-key-pair")
      << "a certificate for another use";
  EXPECT_EQ(rule_of(wattseal("--json gbcs verify" + message(sealed_) + " --certificate" +
                             key("00db1234567890a0-ds.pem"))),
            "gbcs-signature-missing");
  EXPECT_EQ(rule_of(wattseal(verify + " --key" + key("90b3d51f30010000-ka.key") +
                             " --mac-certificate" + key("00db1234567890a0-ka.pem"))),
            "gbcs-mac-missing");
  EXPECT_EQ(rule_of(wattseal("--json gbcs verify" + message(sealed_) + " --key" +
                             key("90b3d51f30030000-ka.key") + " --mac-certificate" +
                             key("00db1234567890a0-ka.pem"))),
            "gbcs-mac-mismatch");
}

TEST_F(Messages, SignedPreCommandsVerifyAndNothingElseIsSigned) {
  const std::string with =
      " --key" + key("90b3d51f30010000-ds.key") + " --certificate" + key("90b3d51f30010000-ds.pem");
  const std::string out = (scratch_ / "signed.hex").string();
  const Ran sign = wattseal("gbcs sign" + message(pre_command_) + with + " --out " + out);
  ASSERT_EQ(sign.code, 0) << sign.out;
  const Ran verified =
      wattseal("gbcs verify " + out + " --certificate" + key("90b3d51f30010000-ds.pem"));
  EXPECT_EQ(verified.code, 0) << verified.out;
  EXPECT_EQ(rule_of(wattseal("--json gbcs sign " + out + with)), "gbcs-not-to-sign");
  EXPECT_EQ(rule_of(wattseal("--json gbcs sign" + message(signed_) + with)), "gbcs-not-to-sign");
  EXPECT_EQ(rule_of(wattseal("--json gbcs sign" + message(pre_command_) + " --key" +
                             key("90b3d51f30030000-ds.key") + " --certificate" +
                             key("90b3d51f30030000-ds.pem"))),
            "apps-key-pair")
      << "the originator is another party";
  EXPECT_EQ(rule_of(wattseal("--json gbcs sign" + message(pre_command_) + " --key" +
                             key("90b3d51f30030000-ds.key") + " --certificate" +
                             key("90b3d51f30010000-ds.pem"))),
            "apps-key-pair")
      << "the key is another";
}

TEST_F(Messages, DecryptShowsPlainOctetsAndNoKey) {
  const Ran good = wattseal("--json gbcs decrypt" + message(sealed_) + opening());
  ASSERT_EQ(good.code, 0) << good.out;
  EXPECT_TRUE(json::parse(good.out)[0]["plaintext"].get<std::string>().starts_with("0201"));
  EXPECT_EQ(rule_of(wattseal("--json gbcs decrypt" + message(signed_) + opening())),
            "gbcs-nothing-encrypted");
  const Ran wrong =
      wattseal("--json gbcs decrypt" + message(sealed_) + " --key" +
               key("90b3d51f30030000-ka.key") + " --certificate" + key("00db1234567890a0-ka.pem"));
  EXPECT_EQ(rule_of(wrong), "gcm-tag-mismatch");
  const std::string pem = test::read_text(rtds_ / "keystore" / "90b3d51f30010000-ka.key");
  const std::string inside = pem.substr(pem.find('\n') + 1, 40);
  for (const Ran& ran : {good, wrong}) EXPECT_EQ(ran.out.find(inside), std::string::npos);
}

TEST_F(Messages, MmcIsXmlOrJsonAndReportsWhatIsMissing) {
  const Ran document = wattseal("mmc" + message(sealed_) + opening());
  ASSERT_EQ(document.code, 0) << document.out;
  EXPECT_NE(document.out.find("<ra:ActiveEnergyUnit>Wh</ra:ActiveEnergyUnit>"), std::string::npos);
  const Ran as_json = wattseal("--json mmc" + message(sealed_) + opening());
  EXPECT_EQ(json::parse(as_json.out)["GBCSResponse"]["Header"]["ServiceReferenceVariant"], "4.1.1");
  const Ran report = wattseal("--json mmc --report" + message(sealed_));
  EXPECT_EQ(json::parse(report.out)["unmapped"][0]["rule"], "gbcs-no-key");
  EXPECT_EQ(rule_of(wattseal("--json mmc" + message(pre_command_))), "mmc-command");
  EXPECT_EQ(rule_of(wattseal("--json mmc --service 99" + message(sealed_))),
            "duis-service-reference");
}

TEST_F(Messages, CorrelateStandsAtTheTopAndUnderDuis) {
  const std::string request =
      " " + (rtds_ / "duis-templates-db1dd08" / "ECS38_7.12_SUCCESS_REQUEST_DUIS.XML").string();
  for (const char* command : {"correlate", "duis correlate"}) {
    const Ran ran = wattseal("--json " + std::string(command) + request + message(pre_command_));
    ASSERT_EQ(ran.code, 0) << ran.out;
    EXPECT_EQ(json::parse(ran.out)["use_case"], "ECS38");
  }
  EXPECT_EQ(rule_of(wattseal("--json correlate" + request + message(signed_))), "correlate-header");
}

TEST_F(Messages, UtrnIsMadeCheckedAndJudgedAsTheMeterDoes) {
  const std::string with = " --key" + key("90b3d51f30010000-pp-ka.key") + " --certificate" +
                           key("00db1234567890a0-ka.pem") +
                           " --supplier 90-B3-D5-1F-30-01-00-00 --meter 00-DB-12-34-56-78-90-A0";
  const Ran made = wattseal("utrn" + with + " --counter 4294967296 --value 100 --unit pounds");
  ASSERT_EQ(made.code, 0) << made.out;
  EXPECT_EQ(made.out, "73943333457189043313\n");  // of an independent implementation
  EXPECT_EQ(wattseal("utrn 73943333457189043313" + with).code, 0);
  EXPECT_EQ(rule_of(wattseal("--json utrn 73943333457189043313 --last-counter 4294967296" + with)),
            "utrn-counter")
      << "counter 1 is used";
  EXPECT_EQ(rule_of(wattseal("--json utrn" + with + " --counter 1 --value 1")), "utrn-counter");
  EXPECT_EQ(rule_of(wattseal("--json utrn" + with + " --counter 4294967296 --value 8192")),
            "utrn-value");
  EXPECT_EQ(rule_of(wattseal("--json utrn 12345678910121314156")), "utrn-check-digit");
}

}  // namespace
}  // namespace wattseal
