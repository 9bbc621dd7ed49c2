// An estate: many emulated premises in a process of their own, so that the DCC's process can end at
// any moment and find them as they were. The process makes the devices' keys and signing requests,
// is told what to install, is their WAN, and says what stands in their cells. Some devices can be
// away for a time after they are first sent something. HTTP on loopback, below /estate/; files in a
// folder that both sides know. Threads: as Street.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "apps/street.h"
#include "recovery/credentials.h"

namespace wattseal::apps {

struct EstateOptions {
  std::filesystem::path folder;
  std::size_t premises = 1;
  Eui64 first;
  unsigned away_per_myriad = 0;    // devices that are away, of ten thousand
  std::int64_t away_seconds = 60;  // counted from the first message to each
};
// Serves until `end_within` says that it should end, it is told to stop, or its folder is gone.
void serve_estate(const World& world, const EstateOptions& options,
                  const std::function<bool(std::chrono::seconds)>& end_within);

// Some of the premises, counted from the first, with what is installed in them.
struct EstateGroup {
  std::size_t first = 0, premises = 0;
  std::map<recovery::Slot, Bytes> meter, hub;  // certificates, DER
};

// The estate as the DCC's process reaches it.
class Estate {
 public:
  // Finds the process that a folder names; nothing when there is none that answers.
  static std::unique_ptr<Estate> find(const std::filesystem::path& folder);
  // Starts it: `program` with the arguments of `wattseal recovery estate`. Before any thread.
  // Throws Fault when it does not come up.
  static std::unique_ptr<Estate> start(const std::filesystem::path& program,
                                       const EstateOptions& options);
  std::vector<Bytes> requests() const;  // PKCS#10 of all devices, DS then KA, as Street makes them
  // Once; the address of the WAN, also when it was done before. Throws Fault.
  std::string install(const std::string& gateway_url, const std::vector<Bytes>& anchors,
                      const std::vector<EstateGroup>& groups);
  // How many devices hold which key in which cell: slot, then key identifier in hexadecimal.
  std::map<std::string, std::map<std::string, std::uint64_t>> held();
  void stop();

 private:
  Estate(std::filesystem::path folder, std::unique_ptr<http::Client> client)
      : folder_(std::move(folder)), client_(std::move(client)) {}
  const std::filesystem::path folder_;
  const std::unique_ptr<http::Client> client_;
};

}  // namespace wattseal::apps
