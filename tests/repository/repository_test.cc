// The repository of a running platform as people use it: with the program and over HTTP.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/platform.h"
#include "base/log.h"
#include "tests/shell.h"

namespace wattseal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class RepositoryInUse : public ::testing::Test {
 protected:
  const fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-repository-" + std::to_string(::getpid()));
  const std::unique_ptr<Clock> clock_ = system_clock();
  const std::unique_ptr<Random> random_ = system_random();
  const World world_{*clock_, *random_};
  std::unique_ptr<apps::Platform> platform_;
  std::string out_;

  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    start();
  }
  void TearDown() override {
    platform_.reset();
    fs::remove_all(folder_);
  }
  void start() {
    log::set_level(log::Level::off);
    platform_.reset();
    apps::PlatformOptions options;
    options.data = folder_ / "data";
    options.key_store = "file";
    platform_ = std::move(apps::Platform::create(world_, options).value());
    ASSERT_TRUE(platform_->run_ceremony().ok() && platform_->start_smki().ok() &&
                platform_->start_gateway().ok());
    log::set_level(log::Level::info);
  }

  // The program's exit code; what it printed is in out_.
  int run(const std::string& words) {
    test::Ran ran = test::shell(WATTSEAL_PROGRAM " " + words + " 2>/dev/null");
    out_ = std::move(ran.out);
    return ran.code;
  }
  int repository(const std::string& words) {
    return run("repository --url " + platform_->repository_url() + " " + words);
  }
  json answer() const { return json::parse(out_, nullptr, false); }
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return (folder_ / name).string();
  }
};

TEST_F(RepositoryInUse, DocumentsAreLodgedListedShownFetchedAndWithdrawn) {
  const std::string dcc = " --party " + apps::DccParty::party.text();
  const std::string content("%PDF-1.7\0\xFF", 10), rapp = file("rapp.pdf", content);
  const std::string lodge = "documents lodge " + rapp + " --kind rapp --title RAPP --label 1.0";
  ASSERT_EQ(repository(lodge + dcc + " --json"), 0) << out_;
  EXPECT_EQ(answer()["media_type"], "application/pdf");
  EXPECT_EQ(answer()["state"], "in-force");
  EXPECT_EQ(repository(lodge + " --json --party 90-57-53-00-00-01-00-00"), 1);
  EXPECT_EQ(answer()["rule"], "document-lodger") << out_;
  EXPECT_EQ(answer()["field"], "kind");
  EXPECT_EQ(repository(lodge), 1) << "nobody says who lodges";
  EXPECT_EQ(repository("documents list"), 0);
  EXPECT_NE(out_.find("in-force"), std::string::npos) << out_;
  EXPECT_EQ(repository("documents list --kind novel --json"), 1);
  EXPECT_EQ(answer()["rule"], "document-kind") << out_;
  EXPECT_EQ(repository("documents get rapp"), 0);
  EXPECT_EQ(out_, content);

  start();  // what was lodged is durable
  const std::string copy = (folder_ / "copy.pdf").string();
  EXPECT_EQ(repository("documents get rapp --version 1 --to " + copy), 0);
  EXPECT_EQ(fs::file_size(copy), content.size());
  EXPECT_EQ(repository("documents withdraw rapp --version 1 --reason mistake --json" + dcc), 0);
  EXPECT_EQ(answer()["state"], "withdrawn") << out_;
  EXPECT_EQ(repository("documents get rapp --json"), 1);
  EXPECT_EQ(answer()["rule"], "document-unknown") << out_;
  EXPECT_EQ(repository("documents show rapp --json"), 0);
  EXPECT_EQ(answer()["versions"][0]["reason"], "mistake") << out_;
  EXPECT_EQ(repository("documents"), 2) << "nothing is asked for";
}

TEST_F(RepositoryInUse, AccessIsRecordedPerPartyAndReported) {
  ASSERT_TRUE(platform_->office().found({"Ada Moss", "Ben Reed"}, world_.new_trace()).ok());
  const std::unique_ptr<http::Client> client =
      http::Client::open(platform_->repository_url()).value();
  http::Request request;
  request.method = "GET";
  request.path = "/api/v1/authorities";
  request.headers = {{"X-Subscriber", apps::DccParty::party.text()}};
  for (int i = 0; i < 5; ++i) ASSERT_EQ(client->send(request).status, 200);
  platform_->stop();  // what was counted goes into the journal
  const std::string data = " --data " + (folder_ / "data").string();
  ASSERT_EQ(run("repository access --json" + data), 0) << out_;
  ASSERT_EQ(answer()["access"].size(), 1u) << out_;
  EXPECT_EQ(answer()["access"][0]["answered"], 5);
  EXPECT_EQ(answer()["access"][0]["party"], apps::DccParty::party.text());
  EXPECT_EQ(answer()["access"][0]["query"], "authorities");
  EXPECT_EQ(run("repository access --party nonsense --json" + data), 1);
  EXPECT_EQ(answer()["rule"], "access-query") << out_;
  EXPECT_EQ(run("repository access --data " + (folder_ / "nowhere").string()), 1);

  start();
  const std::string service = " --url " + platform_->smki_url();
  ASSERT_EQ(run("repository access --person 1" + service), 0) << out_;
  EXPECT_NE(out_.find("Data and Communica"), std::string::npos) << out_;
  EXPECT_EQ(run("repository access --json" + service), 1);
  EXPECT_EQ(answer()["rule"], "ra-person-missing") << out_;
}

// Source: ¶65; R-08. The keys are gone; the repository starts and serves all the same.
TEST_F(RepositoryInUse, ServesWithoutAnyKey) {
  const std::string key =
      http::Client::open(platform_->repository_url()).value()->get("/log/key").body;
  platform_.reset();
  fs::remove(folder_ / "data" / "keys.wattseal");
  apps::PlatformOptions options;
  options.data = folder_ / "data";
  options.repository_only = true;
  platform_ = std::move(apps::Platform::create(world_, options).value());
  platform_->start_repository();
  const std::unique_ptr<http::Client> client =
      http::Client::open(platform_->repository_url()).value();
  const json authorities = json::parse(client->get("/api/v1/authorities").body);
  EXPECT_EQ(authorities["authorities"].size(), 4u);
  EXPECT_EQ(authorities["complete"]["issuing"], "stopped");
  EXPECT_GE(authorities["complete"]["age_seconds"], 0);
  EXPECT_EQ(client->get("/log/key").body, key);
  EXPECT_EQ(client->get("/log/checkpoint").status, 200);
  EXPECT_EQ(client->get("/health/ready").status, 200);
  EXPECT_FALSE(fs::exists(folder_ / "data" / "keys.wattseal")) << "no new keys are made";
  EXPECT_EQ(
      repository("documents lodge " + file("a.txt", "text") +
                 " --kind rapp --title RAPP --label 1 --party " + apps::DccParty::party.text()),
      0);
  EXPECT_EQ(repository("search --role 02"), 0);
}

}  // namespace
}  // namespace wattseal
