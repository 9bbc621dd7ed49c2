// The token is taken away from a running platform and put back: issuing pauses, says so, and goes
// on; every request gets exactly one certificate.
#include <gtest/gtest.h>

#include <unistd.h>
#include <nlohmann/json.hpp>

#include <thread>

#include "apps/platform.h"
#include "http/http.h"

namespace wattseal::apps {
namespace {

namespace fs = std::filesystem;

TEST(TokenOfARunningPlatform, PausesIssuingWhileItIsAwayAndLosesNothing) {
  const fs::path folder =
      fs::temp_directory_path() / ("wattseal-token-" + std::to_string(::getpid()));
  fs::remove_all(folder);
  const std::unique_ptr<Clock> clock = system_clock();
  const std::unique_ptr<Random> random = system_random();
  const World world{*clock, *random};
  PlatformOptions options;
  options.data = folder;
  options.key_store = "pkcs11";
  const Result<std::unique_ptr<Platform>> opened = Platform::create(world, options);
  if (!opened.ok() && opened.refusal().rule == "pkcs11-module-missing"_rule)
    GTEST_SKIP() << explain(opened.refusal());
  ASSERT_TRUE(opened.ok()) << explain(opened.refusal());
  Platform& platform = **opened;
  ASSERT_TRUE(platform.run_ceremony().ok() && platform.start_smki().ok() &&
              platform.start_gateway().ok());
  const auto ready = [&] {
    return http::Client::open(platform.smki_url()).value()->get("/health/ready").status;
  };
  // Until the service answers so, at most a minute.
  const auto becomes = [&](int status) {
    for (int i = 0; i < 600 && ready() != status; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return ready() == status;
  };
  EXPECT_EQ(ready(), 200);
  const std::uint64_t before = platform.repository().count();

  fs::rename(folder / "softhsm" / "tokens", folder / "away");
  fs::create_directories(folder / "softhsm" / "tokens");
  const crypto::KeyHandle key =
      crypto::key_from_test_scalar(crypto::sha256(as_bytes("device"))).value();
  const Bytes request = organisation_request(DccParty::cos, RemotePartyRole::transitional_cos,
                                             KeyUse::key_agreement, *key);
  const smki::BatchId batch = platform.registration_authority()
                                  .submit({DccParty::party, {request}, world.new_trace()})
                                  .value();
  platform.wake();
  EXPECT_TRUE(becomes(503));
  EXPECT_FALSE(platform.registration_authority().status(batch)->settled());
  EXPECT_EQ(platform.repository().count(), before);
  // Look-ups go on and say so. Source: ¶65; R-08.
  const auto look_up = [&] {
    return nlohmann::json::parse(
        http::Client::open(platform.repository_url()).value()->get("/api/v1/authorities").body);
  };
  EXPECT_EQ(look_up()["authorities"].size(), 4u);
  EXPECT_EQ(look_up()["complete"]["issuing"], "paused");
  EXPECT_TRUE(look_up()["complete"]["age_seconds"].is_number());

  fs::remove(folder / "softhsm" / "tokens");
  fs::rename(folder / "away", folder / "softhsm" / "tokens");
  ASSERT_TRUE(platform.wait_for(batch, std::chrono::seconds(60)));
  EXPECT_TRUE(becomes(200));
  EXPECT_EQ(look_up()["complete"]["issuing"], "running");
  EXPECT_TRUE(platform.registration_authority().results(batch, 0, 1).front().serial);
  EXPECT_EQ(platform.repository().count(), before + 1);
  platform.stop();
  fs::remove_all(folder);
}

}  // namespace
}  // namespace wattseal::apps
