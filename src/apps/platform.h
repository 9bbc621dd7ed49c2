// The DCC in one process: SMKI service, repository and gateway with their stores, keys, background
// work and HTTP servers. What a national deployment spreads over hosts stands here behind the same
// interfaces. Every server binds loopback. Order: create, run_ceremony (keeps what exists),
// start_smki, start_gateway. Restart-safe at any moment.
#pragma once
#include <filesystem>

#include "apps/backup.h"
#include "apps/checkpoints.h"
#include "base/pump.h"
#include "gateway/gateway.h"
#include "recovery/recovery.h"
#include "smki/ca.h"
#include "smki/ceremony.h"
#include "smki/documents.h"
#include "smki/ra.h"
#include "smki/ra_service.h"
#include "smki/repository.h"

namespace wattseal::apps {

struct PlatformOptions {
  std::filesystem::path data;  // folder of the embedded store and keys; empty: in memory, for tests
  std::string key_store =
      "auto";  // "pkcs11", "file", "memory"; auto: SoftHSM2 when it is installed, else file
  std::string passphrase = "wattseal-development";  // of the key file, or the token's PIN is
                                                    // derived from nothing: see pin
  std::string pin = "123456";                       // of the token
  Environment environment = Environment::test;
  std::uint16_t smki_port = 0, repository_port = 0, gateway_port = 0;  // 0: any free one
  std::string wan_url;                             // where devices are; settable later
  std::string log_origin = "wattseal.local/smki";  // names the public log and its key
  std::string demand_profile = {};        // of data/demand_parameters.tsv; empty: what stands
  std::filesystem::path checkpoint = {};  // the journal's newest checkpoint is written there, too
  std::filesystem::path backups = {};  // start_smki() backs up there, limit backup_interval_hours
  recovery::Pace recovery_pace = {};
  const recovery::PmaDecisions* decisions = nullptr;  // null: the PMA's own, of the store
  std::optional<http::Tls> tls = {};  // of all servers; without: plain HTTP on loopback
  // No key is opened: start_repository() is all that can be started, whatever became of the keys.
  bool repository_only = false;
};

// Identities of the DCC's own roles. The range is allotted to the party "dcc".
struct DccParty {
  static constexpr Eui64 first = Eui64::from_number(0x9057530000000000),
                         last = Eui64::from_number(0x905753000000000F);
  static constexpr Eui64 party = Eui64::from_number(0x9057530000000000);
  static constexpr Eui64 recovery = Eui64::from_number(0x9057530000000001);
  static constexpr Eui64 broker = Eui64::from_number(0x9057530000000002);
  static constexpr Eui64 cos = Eui64::from_number(0x9057530000000005);
  static constexpr Eui64 wan_provider = Eui64::from_number(0x9057530000000007);
  static constexpr Eui64 xml_signer = Eui64::from_number(0x9057530000000009);
  static constexpr Eui64 enrolment = Eui64::from_number(0x905753000000000A);  // signs CMP answers
};

class Platform {
 public:
  // Refuses store-in-use, key-store-passphrase, pkcs11-*, …
  static Result<std::unique_ptr<Platform>> create(const World& world, PlatformOptions options);
  ~Platform();  // stop()

  std::string_view key_store_kind() const;
  Result<smki::CeremonyReport> run_ceremony();
  // Witnessed ceremonies; the services must not run yet. See smki/ceremony.h.
  Result<smki::CeremonyHeld> hold_founding(const std::vector<smki::Founder>& founders,
                                           const std::vector<std::string>& witnesses);
  Result<smki::CeremonyHeld> hold_key_act(smki::ActId act,
                                          const std::vector<std::string>& witnesses);
  Result<BackupReport> export_bundle(const std::filesystem::path& to);  // see backup.h
  Status start_smki();
  // Publication and the repository alone (¶65): for who opened with `repository_only`.
  void start_repository();
  // Makes the DCC's own certificates when they are missing (through the registration authority, as
  // anyone's) and opens the gateway.
  Status start_gateway();
  void set_wan_url(const std::string& url);
  void stop();  // graceful: servers first, then background work

  std::string smki_url() const, repository_url() const, gateway_url() const;
  storage::Store& store();
  smki::RegistrationAuthority& registration_authority();
  smki::Office& office();
  smki::CertificationAuthority& certification_authority();
  smki::Repository& repository();
  smki::Documents& documents();
  gateway::Registration& registration();
  gateway::CosParty& cos();
  gateway::Inventory& inventory();
  gateway::Gateway& gateway();
  recovery::Recovery& recovery();
  crypto::KeyStore& keys();
  Workers& workers();
  // Signs checkpoints of the journal; start_smki() does so in the background.
  Result<JournalSigner*> journal_signer();
  // Certificates of the DCC's own roles, as published.
  Result<smki::PublishedCertificate> dcc_certificate(Eui64 identity, KeyUse use,
                                                     RemotePartyRole role) const;

  // A new key and certificate for one of the DCC's roles; the former key stays in the store. The
  // gateway takes a new key of the broker when it starts again.
  Result<smki::PublishedCertificate> renew_dcc_certificate(Eui64 identity, KeyUse use,
                                                           RemotePartyRole role);

  // Submits one request as any subscriber would and waits for the certificate.
  Result<smki::PublishedCertificate> obtain(Eui64 subscriber, BytesView request);
  void wake();
  bool wait_for(smki::BatchId batch, std::chrono::seconds time);
  struct State;

 private:
  explicit Platform(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// PKCS#10 of an organisation for one role and use; of a device for one use.
Bytes organisation_request(Eui64 id, RemotePartyRole role, KeyUse use,
                           const crypto::PrivateKey& key, std::string_view common_name = {});
Bytes device_request(Eui64 id, KeyUse use, const crypto::PrivateKey& key);
// How an XML signature names a certificate.
xml::IssuerSerial signer_of(const smki::PublishedCertificate& certificate);

}  // namespace wattseal::apps
