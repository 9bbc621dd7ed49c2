// Backups of a running platform and bundles for a new provider: what is restored goes on where it
// was, and what was changed anywhere is refused by the name of the part.
#include "apps/backup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "apps/platform.h"

namespace wattseal::apps {
namespace {

namespace fs = std::filesystem;

const std::vector<smki::Founder> kFounders{
    {"Ada", "ra-manager"},    {"Ben", "ra-manager"},    {"Cara", "ra-personnel"},
    {"Dan", "ra-personnel"},  {"Eve", "key-custodian"}, {"Fay", "key-custodian"},
    {"Gus", "key-custodian"}, {"Hal", "key-custodian"}, {"Ivy", "key-custodian"}};

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
void write(const fs::path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary) << content;
}

class Backups : public ::testing::Test {
 protected:
  const fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-backup-" + std::to_string(::getpid()) + "-" +
                                   ::testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::unique_ptr<Clock> clock_ = system_clock();
  const std::unique_ptr<Random> random_ = system_random();
  const World world_{*clock_, *random_};
  std::unique_ptr<Platform> platform_;

  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    platform_ = open("data");
    ASSERT_TRUE(platform_->hold_founding(kFounders, {"Wanda"}).ok());
    ASSERT_TRUE(platform_->start_smki().ok());
    ASSERT_TRUE(platform_->start_gateway().ok());
  }
  void TearDown() override {
    platform_.reset();
    fs::remove_all(folder_);
  }
  std::unique_ptr<Platform> open(const char* name) {
    PlatformOptions options;
    options.data = folder_ / name;
    options.key_store = "file";
    options.passphrase = "correct horse";
    return Platform::create(world_, options).value();
  }
  fs::path at(const char* name) const { return folder_ / name; }
  static std::string rule(const Result<BackupReport>& result) {
    return result.ok() ? "" : std::string(result.refusal().rule.text());
  }
};

TEST_F(Backups, OfARunningPlatformGoOnWhereItWas) {
  const Result<BackupReport> made = back_up(world_, platform_->store(), at("data"), at("backup"));
  ASSERT_TRUE(made.ok()) << explain(made.refusal());
  const std::uint64_t certificates = platform_->repository().count();
  EXPECT_EQ(rule(back_up(world_, platform_->store(), at("data"), at("backup"))), "backup-target");
  platform_.reset();
  fs::remove_all(at("data"));
  EXPECT_EQ(restore_backup(at("backup"), at("data")).value().facts, made->facts);
  EXPECT_EQ(rule(restore_backup(at("backup"), at("data"))), "backup-target");
  platform_ = open("data");
  EXPECT_EQ(platform_->repository().count(), certificates);
  ASSERT_TRUE(platform_->start_smki().ok()) << "its keys are there";
  const crypto::KeyHandle key =
      crypto::key_from_test_scalar(crypto::sha256(as_bytes("another"))).value();
  EXPECT_TRUE(platform_
                  ->obtain(DccParty::party,
                           organisation_request(DccParty::cos, RemotePartyRole::transitional_cos,
                                                KeyUse::key_agreement, *key))
                  .ok());
}

TEST_F(Backups, AreRefusedByTheNameOfTheDamagedPart) {
  ASSERT_TRUE(back_up(world_, platform_->store(), at("data"), at("backup")).ok());
  const auto part = [&] {
    const Result<BackupReport> report = check_backup(at("backup"));
    return report.ok() ? "" : report.refusal().field;
  };
  EXPECT_EQ(part(), "");
  const std::string keys = read(at("backup") / "keys.wattseal");
  std::string changed = keys;
  changed[60] = static_cast<char>(changed[60] ^ 1);
  write(at("backup") / "keys.wattseal", changed);
  EXPECT_EQ(part(), "keys.wattseal");
  EXPECT_EQ(rule(restore_backup(at("backup"), at("other"))), "backup-damaged");
  EXPECT_FALSE(fs::exists(at("other"))) << "a refused restore left something";
  write(at("backup") / "keys.wattseal", keys);
  write(at("backup") / "store" / "more", "x");
  EXPECT_EQ(part(), "store/more");
  fs::remove(at("backup") / "store" / "more");
  fs::rename(at("backup") / "store" / "CURRENT", at("backup") / "aside");
  EXPECT_EQ(part(), "store/CURRENT");
  fs::rename(at("backup") / "aside", at("backup") / "store" / "CURRENT");
  EXPECT_EQ(part(), "");
  nlohmann::json manifest = nlohmann::json::parse(read(at("backup") / "manifest.json"));
  manifest["files"]["../data/keys.wattseal"] = manifest["files"]["keys.wattseal"];
  write(at("backup") / "manifest.json", manifest.dump());
  EXPECT_EQ(part(), "../data/keys.wattseal") << "outside the folder";
  write(at("backup") / "manifest.json", "{}");
  EXPECT_EQ(part(), "manifest.json");
}

TEST_F(Backups, ABundleProvesThatItIsWhole) {
  ASSERT_TRUE(platform_->export_bundle(at("bundle")).ok());
  const std::uint64_t published = platform_->repository().count();
  const Result<BundleReport> report = check_bundle(at("bundle"));
  ASSERT_TRUE(report.ok()) << explain(report.refusal());
  EXPECT_EQ(report->certificates, published);
  EXPECT_EQ(report->authorities, 4u);
  EXPECT_EQ(report->lists, 4u);
  EXPECT_EQ(report->transcripts, 1u);
  EXPECT_EQ(report->signers.size(), 2u) << "issuing authorities, not roots";
  EXPECT_NE(std::ranges::find(report->key_objects, "root-oca.test"), report->key_objects.end());
  std::vector<Bytes> roots;
  for (const smki::PublishedCertificate& one : platform_->repository().authorities()) {
    if (one.profile.starts_with("root")) roots.push_back(one.der);
  }
  EXPECT_TRUE(check_bundle(at("bundle"), roots).ok());
  roots.pop_back();
  EXPECT_EQ(check_bundle(at("bundle"), roots).refusal().rule, "handover-signature"_rule);
  platform_.reset();
  ASSERT_TRUE(restore_backup(at("bundle"), at("new")).ok());
  platform_ = open("new");
  EXPECT_TRUE(platform_->start_smki().ok());
  EXPECT_EQ(platform_->repository().count(), published);
}

// Whoever changes a part and mends the manifest breaks the signature; who could sign would still be
// found by the journal.
TEST_F(Backups, ABundleThatWasChangedIsRefused) {
  ASSERT_TRUE(platform_->export_bundle(at("bundle")).ok());
  const auto mend_manifest = [&](const char* part) {
    nlohmann::json manifest = nlohmann::json::parse(read(at("bundle") / "manifest.json"));
    const std::string content = read(at("bundle") / part);
    manifest["files"][part] = {{"octets", content.size()},
                               {"sha256", to_hex(crypto::sha256(as_bytes(content)))}};
    write(at("bundle") / "manifest.json", manifest.dump());
  };
  const std::string certificates = read(at("bundle") / "certificates.pem");
  write(at("bundle") / "certificates.pem",
        certificates.substr(certificates.find("-----BEGIN", 10)));
  EXPECT_EQ(check_bundle(at("bundle")).refusal().rule, "backup-damaged"_rule);
  mend_manifest("certificates.pem");
  const Refusal refusal = check_bundle(at("bundle")).refusal();
  EXPECT_EQ(refusal.rule, "handover-signature"_rule) << explain(refusal);
  fs::remove(at("bundle") / "handover.json");
  EXPECT_EQ(check_bundle(at("bundle")).refusal().rule, "handover-signature"_rule);
}

}  // namespace
}  // namespace wattseal::apps
