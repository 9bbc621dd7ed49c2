// A bench for one emulated device: a small hierarchy, the parties of its trust anchor cells with
// keys of their own, and what it takes to send it commands as the gateway would and to read its
// answers. For the conformance command and tests; nothing of it is a service. One thread.
#pragma once
#include "base/world.h"
#include "crypto/keys.h"
#include "emulators/device.h"

namespace wattseal::apps {

struct BenchOptions {
  DeviceType type = DeviceType::esme;
  emulators::Variant variant = emulators::Variant::single;
  Eui64 device = Eui64::from_number(0x00'0D'6F'00'00'00'00'01);
  std::map<RemotePartyRole, Eui64> parties = {};     // whoever is missing gets an identity
  std::vector<RemotePartyRole> held_by_broker = {};  // cells whose party has not come yet
  std::vector<emulators::Joined> joined = {};
  UtcTime installed = UtcTime::from_unix_seconds(1'767'225'600);  // 2026-01-01
};

class DeviceBench {
 public:
  explicit DeviceBench(BenchOptions options);

  FixedClock clock;
  emulators::EmulatedDevice& device() { return *device_; }
  Eui64 party(RemotePartyRole role) const { return options_.parties.at(role); }
  crypto::KeyHandle key(Eui64 party, KeyUse use, bool prepayment = false);  // made when asked
  // An Organisation Certificate of this hierarchy for a key of that party.
  Bytes certificate(RemotePartyRole role, Eui64 party, KeyUse use, bool prepayment = false);
  Bytes issue(const x509::Name& subject, unsigned usage, const crypto::PublicPoint& key);
  const Bytes& root() const { return root_; }
  const Bytes& issuing() const { return issuing_; }
  const Bytes& contingency_secret() const { return contingency_secret_; }
  const crypto::KeyHandle& contingency_key() const { return contingency_key_; }
  // A root that signs itself and a new issuing authority below it: from now on issue() uses them.
  void succeed_root();

  // Signs and MACs as the use case of its code demands. Refuses device-code.
  Result<gbcs::Message> protect(gbcs::Message command);
  gbcs::Message command(std::uint16_t code, RemotePartyRole from, Bytes payload);  // next counter
  // Sends it, and reads the one answer: MAC or signature are verified. Refuses what the device
  // refuses, as the last line of its security log; gbcs-*.
  Result<gbcs::Message> execute(gbcs::Message command);
  // What is sealed in an answer for a party of this bench. Refuses gbcs-*, gcm-tag-mismatch.
  Result<Bytes> open(const gbcs::Message& answer, Eui64 reader, BytesView sealed);
  std::string top_up_code(std::uint64_t counter_high, unsigned pence);
  std::string top_up_code(Eui64 supplier, OriginatorCounter counter, unsigned pence);

 private:
  void make_hierarchy();
  Bytes issuing_certificate(const crypto::PrivateKey& root, const crypto::PublicPoint& key) const;
  Bytes root_certificate(const crypto::PrivateKey& root);

  BenchOptions options_;
  std::unique_ptr<Random> random_;
  World world_;
  std::unique_ptr<crypto::KeyStore> keys_;
  crypto::KeyHandle root_key_, issuing_key_, contingency_key_, device_signing_, device_agreement_;
  Bytes root_, issuing_, contingency_secret_;
  std::uint64_t serial_ = 1, next_counter_ = 1000;
  unsigned generation_ = 1;
  std::unique_ptr<emulators::EmulatedDevice> device_;
};

}  // namespace wattseal::apps
