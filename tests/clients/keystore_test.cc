// The repository serves the public keystore client unchanged.
#include <gtest/gtest.h>

#include <cstdlib>

#include "apps/platform.h"

namespace wattseal::apps {
namespace {

constexpr Eui64 kMaker = Eui64::from_number(0x9057530000050000),
                kDevice = Eui64::from_number(0x0057530000000042);

TEST(KeystoreClient, FindsDeviceCertificatesByEuiAndSerial) {
  if (!std::filesystem::exists("tests/clients/node_modules") ||
      std::system("node --version >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "the public client is not installed (npm ci in tests/clients)";
  }
  const std::unique_ptr<Clock> clock = system_clock();
  const std::unique_ptr<Random> random = system_random();
  const World world{*clock, *random};
  const std::unique_ptr<Platform> platform = Platform::create(world, {}).value();
  ASSERT_TRUE(platform->run_ceremony().ok());
  ASSERT_TRUE(platform->start_smki().ok());
  ASSERT_TRUE(platform->registration_authority()
                  .register_party({kMaker, "Elm", "manufacturer", {}, {{kDevice, kDevice}}},
                                  world.new_trace())
                  .ok());
  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  const auto obtain = [&](KeyUse use) {
    return platform
        ->obtain(kMaker,
                 device_request(kDevice, use,
                                *crypto::generate_one(*keys, std::string(text(use))).value()))
        .value();
  };
  const smki::PublishedCertificate signing = obtain(KeyUse::digital_signature);
  obtain(KeyUse::key_agreement);
  const std::string address = platform->repository_url().substr(std::string_view("http://").size());
  const std::string command = "node tests/clients/keystore.mjs " + address + " " + kDevice.hex() +
                              " " + signing.serial.hex();
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

}  // namespace
}  // namespace wattseal::apps
