// What ten thousand idle devices cost.
#include <unistd.h>

#include <fstream>

#include "tests/devices/bench.h"

namespace wattseal::apps::test {
namespace {

std::size_t resident_octets() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(IdleDevices, TenThousandFitInTwoHundredMegabytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "memory is not measured under a sanitizer";
#endif
  constexpr std::size_t kDevices = 10'000, kOctetsMax = 200'000'000;
  FixedClock clock(time_of("2026-01-01T00:00:00Z"));
  const std::unique_ptr<Random> random = seeded_random(1);
  const World world{clock, *random};
  BenchOptions options;
  DeviceBench bench(options);
  std::map<emulators::Cell, Bytes> cells;
  for (const RemotePartyRole role : {supplier, network_operator}) {
    for (const KeyUse use : {KeyUse::digital_signature, KeyUse::key_agreement})
      cells[{role, use, false}] = bench.certificate(role, bench.party(role), use);
  }
  const emulators::Anchors anchors =
      emulators::check_anchors({bench.root(), bench.issuing()}, cells, clock.now()).value();
  constexpr DeviceType kTypes[] = {DeviceType::esme, DeviceType::gsme, DeviceType::chf,
                                   DeviceType::gpf};
  const std::size_t before = resident_octets();
  std::vector<std::unique_ptr<EmulatedDevice>> street;
  for (std::size_t i = 0; i < kDevices; ++i) {
    const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
    street.push_back(
        EmulatedDevice::make(world, {Eui64::from_number(0x00'0D'6F'00'00'01'00'00 + i),
                                     kTypes[i % 4], crypto::generate_one(*keys, "ds").value(),
                                     crypto::generate_one(*keys, "ka").value(), anchors}));
  }
  for (int day = 0; day < 3; ++day) {
    clock.advance(86'400);
    for (const std::unique_ptr<EmulatedDevice>& one : street) EXPECT_TRUE(one->tick().empty());
  }
  const std::size_t used = resident_octets() - before;
  std::cout << kDevices << " idle devices: " << used / 1'000'000 << " MB\n";
  EXPECT_LT(used, kOctetsMax);
}

}  // namespace
}  // namespace wattseal::apps::test
