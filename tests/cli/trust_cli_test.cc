// Audit and mirror as commands: exit codes, what they print, what they leave alone.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/shell.h"

namespace wattseal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class TrustCommands : public ::testing::Test {
 protected:
  const fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-trust-" + std::to_string(::getpid()));
  const std::string data_ = (folder_ / "data").string(), copy_ = (folder_ / "copy").string(),
                    note_ = (folder_ / "journal.note").string(),
                    key_ = (folder_ / "journal.key").string();
  std::string out_;

  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    ASSERT_EQ(run("smki ceremony --data " + data_ + " --keys file"), 0) << out_;
  }
  void TearDown() override { fs::remove_all(folder_); }

  int run(const std::string& words) {
    test::Ran ran = test::shell(WATTSEAL_PROGRAM " " + words + " 2>/dev/null");
    out_ = std::move(ran.out);
    return ran.code;
  }
  json answer() const { return json::parse(out_, nullptr, false); }
};

TEST_F(TrustCommands, VerifyACopyAgainstACheckpointFromOutside) {
  fs::copy(data_, copy_, fs::copy_options::recursive);
  ASSERT_EQ(
      run("audit checkpoint --data " + data_ + " --keys file --to " + note_ + " --key-to " + key_),
      0);
  const std::string proof = " --checkpoint " + note_ + " --key " + key_ + " --json";
  ASSERT_EQ(run("audit verify --data " + data_ + proof), 0) << out_;
  EXPECT_EQ(answer()["checkpoints"], 1);
  EXPECT_EQ(answer()["key_given"], true);
  const std::uint64_t facts = answer()["entries_signed"];
  EXPECT_EQ(answer()["entries"], facts + 1) << "the checkpoint is a fact";
  // The older copy holds as many facts as were signed; a signed fact more would be missing there.
  EXPECT_EQ(run("audit verify --data " + copy_ + proof), 0) << out_;
  ASSERT_EQ(run("audit checkpoint --data " + data_ + " --keys file --to " + note_), 0);
  EXPECT_EQ(run("audit verify --data " + copy_ + proof), 1);
  EXPECT_EQ(answer()["rule"], "audit-truncated") << out_;
  EXPECT_EQ(run("audit verify --data " + data_ + " --json --key nonsense"), 1);
  EXPECT_EQ(answer()["rule"], "tlog-key");
  EXPECT_EQ(run("audit verify --data " + (folder_ / "nowhere").string()), 1);
  EXPECT_EQ(run("audit verify --data " + data_ + " --checkpoint /nonexistent"), 2);
}

TEST_F(TrustCommands, RebuildTablesIntoANewStoreAndNotIntoAnOldOne) {
  ASSERT_EQ(run("audit rebuild --data " + data_ + " --json"), 0) << out_;
  EXPECT_EQ(answer()["same"], true);
  ASSERT_EQ(run("audit rebuild --data " + data_ + " --to " + copy_), 0) << out_;
  EXPECT_EQ(run("audit rebuild --data " + data_ + " --to " + copy_ + " --json"), 1);
  EXPECT_EQ(answer()["rule"], "store-format");
  EXPECT_EQ(run("audit verify --data " + copy_), 0) << out_;
  EXPECT_EQ(run("audit rebuild --data " + data_ + " --compare --to " + copy_), 2);
}

TEST_F(TrustCommands, MirrorNeedsAFolderAndARepository) {
  EXPECT_EQ(run("repository mirror --once"), 2) << "no folder is named";
  EXPECT_EQ(run("repository mirror --once --url http://127.0.0.1:9 --to " + copy_), 3);
  EXPECT_EQ(run("repository mirror --check --to " + copy_ + " --json"), 1);
  EXPECT_EQ(answer()["rule"], "mirror-none") << "the first sync did not come to its end";
  EXPECT_EQ(run("repository --mirror " + copy_ + " --device 00-57-53-00-00-00-00-00 --json"), 1);
  EXPECT_EQ(answer()["rule"], "mirror-none");
  EXPECT_EQ(run("repository --mirror " + copy_), 2) << "nothing is asked for";
}

}  // namespace
}  // namespace wattseal
