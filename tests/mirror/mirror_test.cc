// A mirror over HTTP: from a platform that issues, on disk, asked when the platform is gone.
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "apps/mirror_copy.h"
#include "apps/platform.h"
#include "base/fault.h"
#include "base/log.h"

namespace wattseal {
namespace {

class MirrorOverHttp : public ::testing::Test {
 protected:
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("wattseal-mirror-" + std::to_string(::getpid()));
  const std::unique_ptr<Clock> clock_ = system_clock();
  const std::unique_ptr<Random> random_ = system_random();
  const World world_{*clock_, *random_};
  std::unique_ptr<apps::Platform> platform_;

  void SetUp() override {
    log::set_level(log::Level::off);
    std::filesystem::remove_all(folder_);
    platform_ = std::move(apps::Platform::create(world_, {}).value());
    ASSERT_TRUE(platform_->run_ceremony().ok() && platform_->start_smki().ok() &&
                platform_->start_gateway().ok());
  }
  void TearDown() override {
    platform_.reset();
    std::filesystem::remove_all(folder_);
    log::set_level(log::Level::info);
  }
  static smki::Fetch fetch_from(http::Client& client) {
    return [&client](const std::string& path, std::uint64_t) -> Result<Bytes> {
      const http::Response response = client.get(path);
      if (response.status != 200) return Refusal{"mirror-answer"_rule, path};
      return to_bytes(as_bytes(response.body));
    };
  }
};

TEST_F(MirrorOverHttp, AnswersAsTheRepositoryDidWhenThatIsGone) {
  const std::string url = platform_->repository_url();
  const std::unique_ptr<http::Client> client = std::move(http::Client::open(url).value());
  http::Request question;
  question.method = "GET";
  question.path = "/api/v1/certificates";
  question.query = {{"organisation", apps::DccParty::broker.text()}};
  const nlohmann::json there = nlohmann::json::parse(client->send(question).body);
  ASSERT_EQ(there["certificates"].size(), 2u);
  {
    const std::unique_ptr<storage::Store> store =
        std::move(storage::open_rocksdb_store(folder_ / "store").value());
    const tlog::Verifier key = tlog::Verifier::parse(client->get("/log/key").body).value();
    smki::Mirror mirror = smki::Mirror::open(world_, *store, key).value();
    // The checkpoint may be one publication behind what the look-ups show.
    for (int i = 0;
         i < 200 && smki::Repository(world_, *store).count() < platform_->repository().count();
         ++i) {
      ASSERT_TRUE(mirror.sync(fetch_from(*client)).ok());
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  platform_->stop();
  EXPECT_THROW((void)client->send(question), Fault) << "it is gone";
  const apps::MirrorAnswer answer = apps::ask_mirror(world_, folder_, question).value();
  nlohmann::json here = nlohmann::json::parse(answer.response.body);
  ASSERT_EQ(here["certificates"].size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(here["certificates"][i]["der"], there["certificates"][i]["der"]);
    EXPECT_EQ(here["certificates"][i]["status"], there["certificates"][i]["status"]);
  }
  EXPECT_EQ(
      apps::staleness_json(answer.copy, answer.copy.signed_at.plus_seconds(90))["age_seconds"], 90);
  EXPECT_EQ(apps::ask_mirror(world_, folder_ / "nothing", question).refusal().rule,
            "mirror-none"_rule);
}

}  // namespace
}  // namespace wattseal
