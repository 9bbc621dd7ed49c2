#include "apps/platform.h"

#include <condition_variable>
#include <limits>
#include <map>
#include <set>

#include "apps/metrics.h"
#include "apps/pma_book.h"
#include "apps/ways.h"
#include "base/fault.h"
#include "base/log.h"
#include "gateway/service.h"
#include "gateway/wan_service.h"
#include "recovery/service.h"
#include "smki/access_log.h"
#include "smki/cmp.h"
#include "smki/demand_service.h"
#include "smki/document_service.h"
#include "smki/est.h"
#include "smki/governance_service.h"
#include "smki/lifecycle.h"
#include "smki/log.h"
#include "smki/openapi.h"

namespace wattseal::apps {
namespace {

constexpr std::chrono::milliseconds kIdle{200};
const Bytes kDeviceHardware =
    x509::oid::from_text("1.3.6.1.4.1.57530.1");  // the emulators' own hardware type
// Handlers wait for the disk together, so that one fsync serves many; who asks the SMKI for a
// single certificate waits until it is published.
constexpr unsigned kServiceThreads = 16, kSmkiThreads = 80;

Result<std::unique_ptr<crypto::KeyStore>> open_keys(const World& world,
                                                    const PlatformOptions& options) {
  if (options.key_store == "memory" && !options.data.empty())
    return Refusal{"apps-keys-memory"_rule, "--data names a folder that outlives the process",
                   "keys"};
  if (options.data.empty()) return crypto::memory_key_store();
  if (options.key_store == "pkcs11" || options.key_store == "auto") {
    const Result<crypto::Pkcs11Options> token =
        crypto::create_softhsm_token(options.data / "softhsm", "wattseal", options.pin);
    if (token.ok()) return crypto::open_pkcs11_key_store(*token);
    if (options.key_store == "pkcs11") return token.refusal();
  }
  if (options.passphrase == PlatformOptions().passphrase)
    log::warning("development_passphrase", {{"fix", "give --passphrase or WATTSEAL_PASSPHRASE"}});
  return crypto::open_file_key_store(options.data / "keys.wattseal", options.passphrase,
                                     world.random);
}

// The access control broker's key is generated where it is used and never leaves; its certificate
// is looked up.
struct DccRole {
  Eui64 id;
  RemotePartyRole role;
  KeyUse use;
  const char* key_label;
};
constexpr DccRole kDccRoles[] = {
    {DccParty::broker, RemotePartyRole::access_control_broker, KeyUse::key_agreement,
     "dcc.broker.ka"},
    {DccParty::broker, RemotePartyRole::access_control_broker, KeyUse::digital_signature,
     "dcc.broker.ds"},
    {DccParty::recovery, RemotePartyRole::recovery, KeyUse::digital_signature, "dcc.recovery.ds"},
    {DccParty::recovery, RemotePartyRole::recovery, KeyUse::key_agreement, "dcc.recovery.ka"},
    {DccParty::cos, RemotePartyRole::transitional_cos, KeyUse::digital_signature, "dcc.cos.ds"},
    {DccParty::cos, RemotePartyRole::transitional_cos, KeyUse::key_agreement, "dcc.cos.ka"},
    {DccParty::wan_provider, RemotePartyRole::wan_provider, KeyUse::digital_signature,
     "dcc.wan.ds"},
    {DccParty::wan_provider, RemotePartyRole::wan_provider, KeyUse::key_agreement, "dcc.wan.ka"},
    {DccParty::xml_signer, RemotePartyRole::xml_sign, KeyUse::digital_signature, "dcc.user-xml.ds"},
    {DccParty::xml_signer, RemotePartyRole::dsp_xml_sign, KeyUse::digital_signature, "dcc.xml.ds"},
    {DccParty::enrolment, RemotePartyRole::xml_sign, KeyUse::digital_signature, "dcc.cmp.ds"},
};

http::Response health(const char* state) {
  return {.status = 200,
          .content_type = "application/json",
          .body = std::string("{\"status\":\"") + state + "\"}\n"};
}

}  // namespace

Bytes organisation_request(Eui64 id, RemotePartyRole role, KeyUse use,
                           const crypto::PrivateKey& key, std::string_view common_name) {
  const CertificateProfile& profile = *find_certificate_profile(
      use == KeyUse::digital_signature ? "organisation-ds" : "organisation-ka");
  smki::Subject subject;
  subject.eui = id;
  subject.role = role;
  subject.common_name = std::string(common_name);
  return x509::make_request(smki::subject_name(profile, Environment::test, subject),
                            {x509::usage_extension(profile.usage)}, key);
}

Bytes device_request(Eui64 id, KeyUse use, const crypto::PrivateKey& key) {
  const CertificateProfile& profile =
      *find_certificate_profile(use == KeyUse::digital_signature ? "device-ds" : "device-ka");
  return x509::make_request(
      {},
      {x509::usage_extension(profile.usage),
       x509::hardware_module_extension({kDeviceHardware, to_bytes(id.octets())})},
      key);
}

xml::IssuerSerial signer_of(const smki::PublishedCertificate& certificate) {
  const Result<x509::Certificate> parsed = x509::parse_certificate(certificate.der);
  CHECK(parsed.ok());
  return {x509::name_text(parsed->issuer), certificate.serial};
}

struct Platform::State {
  State(const World& the_world, PlatformOptions the_options,
        std::unique_ptr<storage::Store> the_store, std::unique_ptr<crypto::KeyStore> the_keys)
      : world(the_world),
        options(std::move(the_options)),
        store(std::move(the_store)),
        keys(std::move(the_keys)),
        metrics(world),
        authority(world, *store, workers),
        repository(world, *store),
        registration(world, *store),
        inventory(world, *store),
        office(world, *store),
        uploads(world, *store),
        documents(world, *store),
        document_service{documents, office},
        access_log(world, *store, office),
        demand(world, *store, options.demand_profile),
        demand_service{world, *store, demand, office, options.demand_profile},
        governance_service{world, *store, office},
        office_service{world, office, authority, *store, [this] { wake_all(); }},
        express(
            world, *store, authority, repository,
            {[this] { wake_all(); },
             [this](smki::BatchId batch) { return wait_for(batch, std::chrono::seconds(20)); }}),
        service{world, authority, repository, office, *store, uploads, [this] { wake(); }, express},
        cmp_service{service, office, nullptr, [this] { wake_all(); }},
        ways(options.wan_url) {}

  // ---- background work

  void wake() {
    if (decide_pump) decide_pump->wake();
  }

  // After an act of people: a held request may have been released or a revocation authorised.
  void wake_all() {
    wake();
    if (issue_pump) issue_pump->wake();
  }

  bool decide_step() {
    if (authority.decide(limit("issue_chunk_rows")) + authority.lapse_held() == 0) {
      uploads.expire();
      return false;
    }
    issue_pump->wake();
    return true;
  }
  // A key store that is away pauses issuing over its durable intents: the pump tries again.
  bool issue_step() {
    try {
      const bool issued = issue_once();
      issuing_paused = false;
      return issued;
    } catch (const Fault&) {
      issuing_paused = true;
      throw;
    }
  }
  bool issue_once() {
    const bool issued = ca->issue() + ca->revoke_authorised() > 0;
    if (issued)
      publish_pump->wake();
    else
      ca->keep_revocation_list_current();
    return issued;
  }
  // Says each alarm once when it begins; a monitor watches the gauges.
  bool alarm_step() {
    std::set<std::string> now_on;
    for (const smki::AuthorityLife& life : smki::authority_lives(*store, world.now())) {
      for (const std::string& alarm : life.alarms) now_on.insert(life.name + " " + alarm);
    }
    for (const std::string& alarm : now_on) {
      if (!alarms.contains(alarm)) log::warning("authority_alarm", {{"alarm", alarm}});
    }
    alarms = std::move(now_on);
    return false;
  }
  // One folder a backup, named by its time; the newest says when the next is due.
  bool backup_step() {
    const UtcTime now = world.now();
    const std::int64_t interval = static_cast<std::int64_t>(limit("backup_interval_hours")) * 3600;
    std::filesystem::create_directories(options.backups);
    for (const std::filesystem::directory_entry& entry :
         std::filesystem::directory_iterator(options.backups)) {
      const std::optional<UtcTime> made = UtcTime::parse_iso(entry.path().filename().string());
      if (made && now - *made < interval) return false;
    }
    const Result<BackupReport> report =
        back_up(world, *store, options.data, options.backups / now.iso());
    if (report.ok())
      log::info("backup_made", {{"facts", std::to_string(report->facts)}});
    else
      log::error("backup_refused", {{"rule", std::string(report.refusal().rule.text())}});
    return false;
  }
  bool request_step() {
    const bool any = gateway->advance_requests();
    if (any) command_pump->wake();
    return any;
  }
  bool publish_step() {
    const bool published = repository.publish() > 0;
    announce();  // rows that were only refused complete a batch too
    // Under load a checkpoint a second is enough.
    const std::int64_t now = world.clock.monotonic_microseconds();
    if (log_signer && (!published || now - checkpoint_at > 1'000'000)) {
      log_signer->sign();
      checkpoint_at = now;
    }
    return authority.note_answered() > 0 || published;
  }
  // Wakes those whose batch has come to its end.
  void announce() {
    std::set<smki::BatchId> asked;
    {
      const std::lock_guard lock(progress_mutex);
      for (const auto& [batch, waiter] : waiters) asked.insert(batch);
    }
    std::erase_if(asked, [this](smki::BatchId batch) { return !stopping && !settled(batch); });
    const std::lock_guard lock(progress_mutex);
    for (const smki::BatchId batch : asked) {
      const auto [first, last] = waiters.equal_range(batch);
      for (auto waiter = first; waiter != last; ++waiter) {
        waiter->second->done = true;
        waiter->second->changed.notify_one();
      }
    }
  }
  bool settled(smki::BatchId batch) const {
    const Result<smki::BatchStatus> status = authority.status(batch);
    return status.ok() && status->settled();
  }

  bool wait_for(smki::BatchId batch, std::chrono::seconds time) {
    Waiter waiter;
    std::unique_lock lock(progress_mutex);
    const auto mine = waiters.emplace(batch, &waiter);
    lock.unlock();
    const bool ended = settled(batch);  // before anybody waited
    lock.lock();
    waiter.done = waiter.done || ended;
    const std::int64_t deadline = world.clock.monotonic_microseconds() + time.count() * 1'000'000;
    while (!waiter.done && !stopping && world.clock.monotonic_microseconds() < deadline)
      waiter.changed.wait_for(lock, std::chrono::milliseconds(100));
    waiters.erase(mine);
    const bool done = waiter.done;
    lock.unlock();
    return done || settled(batch);
  }

  // ---- the way out

  // Each hands responses to one user at a time, so that a slow one holds up nobody else.
  struct Lane {
    std::unique_ptr<Pump> pump;
    std::atomic<bool> busy = false;
  };
  bool deliver_step(Lane& lane) {
    lane.busy = true;
    const auto idle = [&lane](gateway::Gateway*) { lane.busy = false; };
    const std::unique_ptr<gateway::Gateway, decltype(idle)> at_the_end(gateway.get(), idle);
    return gateway->deliver_responses();
  }
  void start_lanes() {
    for (Lane& lane : lanes) {
      lane.pump = std::make_unique<Pump>(
          "responses", [this, &lane] { return deliver_step(lane); }, std::chrono::milliseconds(50));
    }
  }
  void wake_lane() {
    const auto free = std::ranges::find_if(lanes, [](const Lane& lane) { return !lane.busy; });
    if (free != lanes.end()) free->pump->wake();
  }

  // The change of supplier party beside the gateway: its key is its own, the gateway holds no
  // handle to it. And the way of firmware.
  Status open_gateway_ways() {
    TRY_ASSIGN(crypto::KeyHandle key, keys->find("dcc.cos.ds"));
    cos = std::make_unique<gateway::CosParty>(world, *store, repository,
                                              gateway::CosIdentity{DccParty::cos, std::move(key)});
    gateway->set_change_of_supplier(
        [this](const gateway::CosQuestion& question) { return cos->change(question); });
    gateway->set_firmware_way([this](Eui64 device, const gateway::FirmwareBlock& block,
                                     TraceId trace) { ways.firmware(device, block, trace); });
    return {};
  }

  // ---- servers

  void add_common_routes(http::Router& router, bool issues) {
    router.on("GET", "/metrics",
              [this](const http::Request& request) { return metrics.scrape(request); });
    router.on("GET", "/health/live", [](const http::Request&) { return health("live"); });
    router.on("GET", "/health/ready", [this, issues](const http::Request&) {
      if (issues && issuing_paused)
        return http::Response{.status = 503,
                              .content_type = "application/json",
                              .body = "{\"status\":\"issuing paused\"}\n"};
      return stopping ? http::Response{.status = 503, .body = "stopping\n"} : health("ready");
    });
  }

  std::unique_ptr<http::Server> serve(const std::string& name, http::Router router,
                                      std::uint16_t port, unsigned threads = kServiceThreads) {
    add_common_routes(router, name == "smki");
    http::ServerOptions server;
    server.port = port;
    server.threads = threads;
    server.tls = options.tls;
    server.body_octets_max =
        limit("request_octets_max") + 65536;  // the service itself refuses what is larger, by name
    return std::make_unique<http::Server>(world, server, metrics.timed(name, std::move(router)));
  }

  void observe() {
    metrics.observe("wattseal_certificates_published", "Certificates in the repository",
                    [this] { return static_cast<double>(repository.count()); });
    metrics.observe(
        "wattseal_repository_age_seconds", "Since nothing waited to be published", [this] {
          return static_cast<double>(repository.completeness().age(world.now()).value_or(-1));
        });
    metrics.observe("wattseal_journal_entries", "Facts in the journal",
                    [this] { return static_cast<double>(store->journal_head().next - 1); });
    metrics.observe("wattseal_issuing_paused", "1 while the key store or the disk is away",
                    [this] { return issuing_paused ? 1.0 : 0.0; });
    // Of the list that lapses first: alarm below limits crl_alarm_hours and arl_alarm_days.
    const auto seconds_left = [this](const char* suffix) {
      double least = std::numeric_limits<double>::infinity();
      for (const smki::AuthorityLife& life : smki::authority_lives(*store, world.now())) {
        if (life.list && !life.revoked && life.profile.ends_with(suffix))
          least = std::min(least, static_cast<double>(life.list->next_update - world.now()));
      }
      return least;
    };
    metrics.observe("wattseal_crl_seconds_left", "Until the first Organisation CRL lapses",
                    [seconds_left] { return seconds_left("issuing-oca"); });
    metrics.observe("wattseal_arl_seconds_left", "Until the Organisation ARL lapses",
                    [seconds_left] { return seconds_left("root-oca"); });
    metrics.observe(
        "wattseal_authority_alarms", "Alarms of authorities: wattseal smki authorities", [this] {
          std::size_t count = 0;
          for (const smki::AuthorityLife& life : smki::authority_lives(*store, world.now()))
            count += life.alarms.size();
          return static_cast<double>(count);
        });
    const auto tally = [this](const std::string& name, const std::string& help,
                              std::uint64_t gateway::Gateway::Counts::*member) {
      metrics.observe("wattseal_gateway_" + name + "_total", help, [this, member] {
        return gateway ? static_cast<double>(gateway->counts().*member) : 0.0;
      });
    };
    tally("accepted", "Service requests accepted", &gateway::Gateway::Counts::accepted);
    tally("refused", "Service requests refused", &gateway::Gateway::Counts::refused);
    tally("sent", "Commands handed to the WAN", &gateway::Gateway::Counts::sent);
    tally("answered", "Answers of devices matched to their requests",
          &gateway::Gateway::Counts::answered);
    tally("delivered", "Responses handed to users", &gateway::Gateway::Counts::delivered);
    tally("timed_out", "Requests that ended without an answer",
          &gateway::Gateway::Counts::timed_out);
    tally("alerts", "Alerts of devices and reports of outages", &gateway::Gateway::Counts::alerts);
    tally("disbelieved", "Device messages that were not believed",
          &gateway::Gateway::Counts::disbelieved);
  }

  // Needs no key: what is published is found, whatever issuing does.
  void start_repository() {
    observe();
    publish_pump = std::make_unique<Pump>(
        "publish", [this] { return publish_step(); }, kIdle);
    access_pump = std::make_unique<Pump>(
        "access",
        [this] {
          access_log.flush();
          return false;
        },
        std::chrono::minutes(limit("access_flush_minutes")));
    http::Router router;
    smki::add_repository_routes(router, repository);
    smki::add_document_routes(router, document_service);
    smki::add_log_routes(router, *store);
    smki::add_openapi_route(router, smki::ApiOf::repository);
    smki::add_completeness(router, repository, [this]() -> std::string_view {
      return options.repository_only ? "stopped" : issuing_paused ? "paused" : "running";
    });
    access_log.watch(router);
    repository_server = serve("repository", std::move(router), options.repository_port);
  }

  Result<smki::PublishedCertificate> obtain(Eui64 subscriber, BytesView request) {
    TRY_ASSIGN(const smki::SingleAnswer answer,
               express.request({subscriber, {to_bytes(request)}, world.new_trace()}));
    switch (answer.state) {
      case smki::RowState::published: return repository.by_serial(answer.serial);
      case smki::RowState::held:
        return Refusal{"apps-certificate-refused"_rule,
                       "act " + std::to_string(answer.act) + " waits for approval"};
      case smki::RowState::refused:
        return Refusal{"apps-certificate-refused"_rule, answer.rule + ": " + answer.detail};
      default: throw Fault("a certificate was not issued in 20 s");
    }
  }

  Status register_dcc() {
    if (authority.party(DccParty::party).ok()) return {};
    return authority.register_party({DccParty::party,
                                     "Data and Communications Company",
                                     "dcc",
                                     {},
                                     {{DccParty::first, DccParty::last}}},
                                    world.new_trace());
  }

  Result<smki::PublishedCertificate> dcc_certificate(const DccRole& wanted) {
    Result<smki::PublishedCertificate> found =
        repository.latest(wanted.id, wanted.use, wanted.role);
    if (found.ok()) return found;
    TRY_ASSIGN(const crypto::KeyHandle key, crypto::find_or_generate(*keys, wanted.key_label));
    return obtain(DccParty::party, organisation_request(wanted.id, wanted.role, wanted.use, *key));
  }

  // Before the first message from a device: what it answers may be for a recovery.
  Status start_recovery(http::Router& router) {
    TRY_ASSIGN(recovery,
               recovery::Recovery::open({world, *store, *keys, office, repository, inventory,
                                         options.decisions ? *options.decisions : pma_book,
                                         DccParty::recovery, DccParty::broker},
                                        options.recovery_pace));
    recovery->connect(*gateway);
    recovery_service = std::make_unique<recovery::RecoveryService>(recovery::RecoveryService{
        world, *recovery, office, repository, [this] { recovery_pump->wake(); }});
    recovery_pump = std::make_unique<Pump>(
        "recovery",
        [this] {
          const bool any = recovery->work();
          if (any) command_pump->wake();
          return any;
        },
        std::chrono::milliseconds(50));
    recovery::add_recovery_routes(router, *recovery_service);
    return {};
  }

  // The key of the role's latest certificate: the first one, or a later of the labels after it.
  Result<crypto::KeyHandle> dcc_key(const DccRole& of) {
    TRY_ASSIGN(const smki::PublishedCertificate latest, repository.latest(of.id, of.use, of.role));
    TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(latest.der));
    for (const std::string& label : keys->labels()) {
      if (!label.starts_with(of.key_label)) continue;
      TRY_ASSIGN(crypto::KeyHandle key, keys->find(label));
      if (key->public_point() == certificate.key) return key;
    }
    return keys->find(of.key_label);
  }

  Result<smki::PublishedCertificate> renew(const DccRole& of) {
    std::string label;
    for (int generation = 2; label.empty(); ++generation) {
      std::string next = std::string(of.key_label) + "." + std::to_string(generation);
      if (!keys->find(next).ok()) label = std::move(next);
    }
    TRY_ASSIGN(const crypto::KeyHandle key, crypto::generate_one(*keys, label));
    return obtain(DccParty::party, organisation_request(of.id, of.role, of.use, *key));
  }

  void stop() {
    if (stopping.exchange(true)) return;
    announce();
    for (std::unique_ptr<http::Server>* server :
         {&gateway_server, &smki_server, &repository_server}) {
      if (*server) (*server)->stop();
    }
    for (Lane& lane : lanes) {
      if (lane.pump) lane.pump->stop();
    }
    for (std::unique_ptr<Pump>* pump :
         {&access_pump, &alarm_pump, &backup_pump, &recovery_pump, &command_pump, &expiry_pump,
          &request_pump, &decide_pump, &issue_pump, &publish_pump, &checkpoint_pump}) {
      if (*pump) (*pump)->stop();
    }
    for (const std::unique_ptr<Pump>& pump : alert_pumps) {
      if (pump) pump->stop();
    }
    flush_access();
  }
  // What was counted before the servers stopped. A disk that is away at this moment costs it.
  void flush_access() {
    try {
      access_log.flush();
    } catch (const Fault& fault) {
      log::error("access_records_lost", {{"why", fault.what()}});
    }
  }

  const World& world;
  const PlatformOptions options;
  std::unique_ptr<storage::Store> store;
  std::unique_ptr<crypto::KeyStore> keys;
  Workers workers;
  Metrics metrics;
  smki::RegistrationAuthority authority;
  smki::Repository repository;
  gateway::Registration registration;
  gateway::Inventory inventory;
  smki::Office office;
  smki::Uploads uploads;
  smki::Documents documents;
  smki::DocumentService document_service;
  smki::AccessLog access_log;
  smki::Demand demand;
  smki::DemandService demand_service;
  smki::GovernanceService governance_service;
  smki::OfficeService office_service;
  smki::ExpressLane express;
  smki::SubscriberService service;
  smki::CmpSigner cmp_signer;
  smki::CmpService cmp_service;
  std::unique_ptr<smki::CertificationAuthority> ca;
  std::unique_ptr<smki::LogSigner> log_signer;
  std::unique_ptr<JournalSigner> journal_signer;
  std::unique_ptr<gateway::CosParty> cos;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<gateway::GatewayService> gateway_service;
  PmaBook pma_book{*store};
  std::unique_ptr<recovery::Recovery> recovery;
  std::unique_ptr<recovery::RecoveryService> recovery_service;
  Ways ways;
  std::atomic<bool> stopping = false, issuing_paused = false;
  struct Waiter {
    bool done = false;
    std::condition_variable changed;
  };
  std::mutex progress_mutex;
  std::multimap<smki::BatchId, Waiter*> waiters;
  std::int64_t checkpoint_at = 0;  // publish pump only
  std::set<std::string> alarms;    // alarm pump only
  std::vector<Lane> lanes{limit("delivery_lanes")};
  std::unique_ptr<Pump> access_pump, alarm_pump, backup_pump, decide_pump, issue_pump, publish_pump,
      command_pump, expiry_pump, request_pump, checkpoint_pump, recovery_pump;
  std::array<std::unique_ptr<Pump>, gateway::kAlertLanes> alert_pumps;
  std::unique_ptr<http::Server> smki_server, repository_server, gateway_server;
};

Platform::Platform(std::unique_ptr<State> state) : state_(std::move(state)) {}
Platform::~Platform() { stop(); }

Result<std::unique_ptr<Platform>> Platform::create(const World& world, PlatformOptions options) {
  if (!options.data.empty()) std::filesystem::create_directories(options.data);
  std::unique_ptr<storage::Store> store = storage::memory_store();
  if (!options.data.empty()) {
    TRY_ASSIGN(store, storage::open_rocksdb_store(options.data / "store"));
  }
  std::unique_ptr<crypto::KeyStore> keys;
  if (!options.repository_only) {
    TRY_ASSIGN(keys, open_keys(world, options));
  }
  return std::unique_ptr<Platform>(new Platform(
      std::make_unique<State>(world, std::move(options), std::move(store), std::move(keys))));
}

std::string_view Platform::key_store_kind() const {
  return state_->keys ? state_->keys->kind() : "none";
}

Result<smki::CeremonyReport> Platform::run_ceremony() {
  CHECK(state_->keys != nullptr);
  TRY_ASSIGN(smki::CeremonyReport report,
             smki::run_ceremony(state_->world, *state_->store, *state_->keys,
                                state_->options.environment));
  while (state_->repository.publish() > 0) {
  }
  return report;
}

Result<JournalSigner*> Platform::journal_signer() {
  State& state = *state_;
  if (!state.journal_signer) {
    TRY_ASSIGN(crypto::KeyHandle key,
               crypto::find_or_generate(*state.keys, std::string(kJournalKeyLabel)));
    state.journal_signer = std::make_unique<JournalSigner>(
        state.world, *state.store, std::move(key), state.options.checkpoint);
  }
  return state.journal_signer.get();
}

Result<smki::CeremonyHeld> Platform::hold_founding(const std::vector<smki::Founder>& founders,
                                                   const std::vector<std::string>& witnesses) {
  CHECK(!state_->ca);
  TRY_ASSIGN(smki::CeremonyHeld held,
             smki::hold_founding(state_->world, *state_->store, *state_->keys,
                                 state_->options.environment, founders, witnesses));
  while (state_->repository.publish() > 0) {
  }
  return held;
}

Result<smki::CeremonyHeld> Platform::hold_key_act(smki::ActId act,
                                                  const std::vector<std::string>& witnesses) {
  CHECK(!state_->ca);
  TRY_ASSIGN(smki::CeremonyHeld held,
             smki::hold_key_act(state_->world, *state_->store, *state_->keys, act, witnesses));
  while (state_->repository.publish() > 0) {
  }
  return held;
}

Result<BackupReport> Platform::export_bundle(const std::filesystem::path& to) {
  return apps::export_bundle(state_->world, *state_->store, *state_->keys, state_->options.data,
                             to);
}

Status Platform::start_smki() {
  State& state = *state_;
  CHECK(state.keys != nullptr);
  TRY(state.demand.rules());
  TRY_ASSIGN(state.ca,
             smki::CertificationAuthority::open(state.world, *state.store, *state.keys,
                                                state.workers, state.options.environment));
  TRY_ASSIGN(crypto::KeyHandle log_key, crypto::find_or_generate(*state.keys, "log.checkpoint"));
  state.log_signer = std::make_unique<smki::LogSigner>(
      state.world, *state.store, state.options.log_origin, std::move(log_key));
  TRY_ASSIGN(JournalSigner* const journal, journal_signer());
  state.express.open(*state.ca);
  state.checkpoint_pump = std::make_unique<Pump>(
      "checkpoint", [journal] { return journal->sign_when_due(); },
      std::chrono::milliseconds(1000));
  state.alarm_pump = std::make_unique<Pump>(
      "alarms", [&state] { return state.alarm_step(); }, std::chrono::minutes(1));
  if (!state.options.backups.empty() && !state.options.data.empty())
    state.backup_pump = std::make_unique<Pump>(
        "backups", [&state] { return state.backup_step(); }, std::chrono::minutes(1));
  state.start_repository();
  state.issue_pump = std::make_unique<Pump>(
      "issue", [&state] { return state.issue_step(); }, kIdle);
  state.decide_pump = std::make_unique<Pump>(
      "decide", [&state] { return state.decide_step(); }, kIdle);
  http::Router router;
  smki::add_subscriber_routes(router, state.service);
  smki::add_office_routes(router, state.office_service);
  smki::add_est_routes(router, state.service);
  smki::add_cmp_routes(router, state.cmp_service);
  smki::add_demand_routes(router, state.demand_service);
  smki::add_governance_routes(router, state.governance_service);
  smki::add_openapi_route(router, smki::ApiOf::smki);
  state.smki_server = state.serve("smki", std::move(router), state.options.smki_port, kSmkiThreads);
  return {};
}

void Platform::start_repository() {
  CHECK(state_->options.repository_only);
  state_->start_repository();
}

Status Platform::start_gateway() {
  State& state = *state_;
  TRY(state.register_dcc());
  for (const DccRole& role : kDccRoles) TRY(state.dcc_certificate(role));
  TRY_ASSIGN(const smki::PublishedCertificate enrolment,
             state.repository.latest(DccParty::enrolment, KeyUse::digital_signature,
                                     RemotePartyRole::xml_sign));
  TRY_ASSIGN(state.cmp_signer.key, state.keys->find("dcc.cmp.ds"));
  state.cmp_signer.certificate = enrolment.der;
  state.cmp_service.signer = &state.cmp_signer;
  gateway::DccIdentity identity;
  identity.broker = DccParty::broker;
  TRY_ASSIGN(identity.broker_key_agreement, state.dcc_key(kDccRoles[0]));
  TRY_ASSIGN(identity.broker_signing, state.dcc_key(kDccRoles[1]));
  TRY_ASSIGN(identity.xml_signing, state.keys->find("dcc.xml.ds"));
  TRY_ASSIGN(const smki::PublishedCertificate signer,
             state.repository.latest(DccParty::xml_signer, KeyUse::digital_signature,
                                     RemotePartyRole::dsp_xml_sign));
  identity.xml_signer = signer_of(signer);
  state.gateway = std::make_unique<gateway::Gateway>(
      state.world, *state.store, state.authority, state.repository, state.registration,
      state.inventory, std::move(identity),
      [&state](Eui64 device, BytesView message, TraceId trace) {
        state.ways.to_device(device, message, trace);
      },
      [&state](const std::string& url, const std::string& document, TraceId trace) {
        state.ways.to_user(url, document, trace);
      },
      [&state](unsigned lane, const std::string& url,
               std::span<const gateway::Dispatch> documents) {
        return state.ways.many_to_user(lane, url, documents);
      });
  TRY(state.open_gateway_ways());
  state.command_pump = std::make_unique<Pump>(
      "commands", [&state] { return state.gateway->send_commands(); },
      std::chrono::milliseconds(50));
  state.start_lanes();
  for (unsigned lane = 0; lane < gateway::kAlertLanes; ++lane)
    state.alert_pumps[lane] = std::make_unique<Pump>(
        "alerts", [&state, lane] { return state.gateway->deliver_alerts(lane); },
        std::chrono::milliseconds(50));
  state.expiry_pump = std::make_unique<Pump>(
      "expiry", [&state] { return state.gateway->expire_requests(); },
      std::chrono::milliseconds(1000));
  state.request_pump = std::make_unique<Pump>(
      "requests", [&state] { return state.request_step(); }, std::chrono::milliseconds(500));
  http::Router router;
  for (const auto& [path, url] : {std::pair{"/api/v1/serviceD", gateway::ServiceUrl::non_device},
                                  std::pair{"/api/v1/serviceS", gateway::ServiceUrl::send_command},
                                  std::pair{"/api/v1/serviceT", gateway::ServiceUrl::transform}}) {
    router.on("POST", path, [&state, service = url](const http::Request& request) {
      http::Response response = state.gateway->serve(service, request);
      state.command_pump->wake();
      return response;
    });
  }
  state.gateway_service = std::make_unique<gateway::GatewayService>(
      gateway::GatewayService{state.world, *state.gateway, state.office, DccParty::party, [&state] {
                                state.command_pump->wake();
                                state.wake_lane();
                              }});
  gateway::add_gateway_routes(router, *state.gateway_service);
  TRY(state.start_recovery(router));
  gateway::add_wan_routes(router, *state.gateway, [&state] {
    state.wake_lane();
    for (const std::unique_ptr<Pump>& pump : state.alert_pumps) pump->wake();
  });
  state.gateway_server = state.serve("gateway", std::move(router), state.options.gateway_port);
  return {};
}

void Platform::set_wan_url(const std::string& url) { state_->ways.set_wan_url(url); }
void Platform::stop() { state_->stop(); }

namespace {
std::string local(const PlatformOptions& options, const std::unique_ptr<http::Server>& server) {
  return (options.tls ? "https://127.0.0.1:" : "http://127.0.0.1:") +
         std::to_string(server->port());
}
}  // namespace
std::string Platform::smki_url() const { return local(state_->options, state_->smki_server); }
std::string Platform::repository_url() const {
  return local(state_->options, state_->repository_server);
}
std::string Platform::gateway_url() const { return local(state_->options, state_->gateway_server); }
storage::Store& Platform::store() { return *state_->store; }
smki::RegistrationAuthority& Platform::registration_authority() { return state_->authority; }
smki::Office& Platform::office() { return state_->office; }
smki::CertificationAuthority& Platform::certification_authority() { return *state_->ca; }
smki::Repository& Platform::repository() { return state_->repository; }
smki::Documents& Platform::documents() { return state_->documents; }
gateway::Registration& Platform::registration() { return state_->registration; }
gateway::CosParty& Platform::cos() { return *state_->cos; }
gateway::Inventory& Platform::inventory() { return state_->inventory; }
gateway::Gateway& Platform::gateway() { return *state_->gateway; }
recovery::Recovery& Platform::recovery() { return *state_->recovery; }
crypto::KeyStore& Platform::keys() { return *state_->keys; }
Workers& Platform::workers() { return state_->workers; }
Result<smki::PublishedCertificate> Platform::dcc_certificate(Eui64 identity, KeyUse use,
                                                             RemotePartyRole role) const {
  return state_->repository.latest(identity, use, role);
}
Result<smki::PublishedCertificate> Platform::renew_dcc_certificate(Eui64 identity, KeyUse use,
                                                                   RemotePartyRole role) {
  for (const DccRole& one : kDccRoles) {
    if (one.id == identity && one.use == use && one.role == role) return state_->renew(one);
  }
  return Refusal{"repository-not-found"_rule, "the DCC has no such role"};
}
Result<smki::PublishedCertificate> Platform::obtain(Eui64 subscriber, BytesView request) {
  return state_->obtain(subscriber, request);
}
void Platform::wake() { state_->wake(); }
bool Platform::wait_for(smki::BatchId batch, std::chrono::seconds time) {
  return state_->wait_for(batch, time);
}

}  // namespace wattseal::apps
