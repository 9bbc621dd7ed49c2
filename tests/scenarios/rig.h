// A whole network in memory, over HTTP: the platform, two suppliers, a network operator and one
// premises. Tests only.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "apps/platform.h"
#include "apps/service_user.h"
#include "apps/street.h"
#include "base/log.h"
#include "terms/facts.h"

namespace wattseal::scenarios {

inline constexpr Eui64 kMaker = Eui64::from_number(0x9057530000050000);
inline constexpr Eui64 kFirst = Eui64::from_number(0x0057530000000000);
inline constexpr std::chrono::milliseconds kPatience{10'000}, kNoWait{1};

inline xml::Element leaf(std::string name, std::string text = {}) {
  return {std::string(duis::kNamespace), std::move(name), {}, std::move(text), {}};
}
inline xml::Element body_of(std::vector<xml::Element> children) {
  return {"", "", {}, "", std::move(children)};
}

// The machine's clock, moved forward by the test.
class ShiftedClock final : public Clock {
 public:
  void advance(std::int64_t seconds) { shift_ += seconds; }
  UtcTime now() const override { return real_->now().plus_seconds(shift_); }
  std::int64_t now_milliseconds() const override {
    return real_->now_milliseconds() + shift_ * 1000;
  }
  std::int64_t monotonic_microseconds() const override { return real_->monotonic_microseconds(); }

 private:
  std::unique_ptr<Clock> real_ = system_clock();
  std::atomic<std::int64_t> shift_ = 0;
};

struct Network {
  ShiftedClock clock;
  std::unique_ptr<Random> random = system_random();
  World world{clock, *random};
  std::unique_ptr<apps::Platform> platform;
  std::unique_ptr<apps::Street> street;
  std::unique_ptr<apps::ServiceUser> supplier, other, network;

  Network() {
    log::set_level(log::Level::off);
    platform = std::move(apps::Platform::create(world, {}).value());
    CHECK(platform->run_ceremony().ok() && platform->start_smki().ok() &&
          platform->start_gateway().ok());
    using enum UserRole;
    supplier = add("Alder", 0x9057530000010000, "supplier", RemotePartyRole::supplier,
                   {import_supplier, gas_supplier});
    other = add("Birch", 0x9057530000020000, "supplier", RemotePartyRole::supplier,
                {import_supplier, gas_supplier});
    network = add("Cedar", 0x9057530000030000, "network-operator",
                  RemotePartyRole::network_operator, {electricity_distributor, gas_transporter});
    CHECK(platform->registration_authority()
              .register_party({kMaker,
                               "Elm",
                               "manufacturer",
                               {},
                               {{kFirst, Eui64::from_number(kFirst.number() + 99)}}},
                              {})
              .ok());
    street = std::make_unique<apps::Street>(world, platform->workers(), 1, kFirst);
    const Result<smki::BatchId> batch =
        platform->registration_authority().submit({kMaker, street->make_requests(), {}});
    platform->wake();
    CHECK(platform->wait_for(*batch, std::chrono::seconds(20)));
    install();
    enrol();
  }
  ~Network() {
    street->stop();
    platform->stop();
    log::set_level(log::Level::info);
  }

  const apps::Premises& home() const { return street->premises().front(); }
  duis::ServiceRequest read(apps::ServiceUser& user) const {
    return user.request(home().esme, "4.1.1", 1, {}, user.next_counter());
  }
  duis::ServiceRequest credit(apps::ServiceUser& user) const {
    return user.request(home().esme, "1.6", 4, body_of({leaf("Credit")}), user.next_counter());
  }

  http::Response post(const std::string& path, const std::string& body,
                      const std::string& base = {}) const {
    const Result<std::unique_ptr<http::Client>> client =
        http::Client::open(base.empty() ? platform->gateway_url() : base);
    return (*client)->post(path, "application/xml", body);
  }
  static std::string rule_of(const http::Response& response) {
    for (const http::Header& header : response.headers) {
      if (header.name == "X-Wattseal-Rule") return header.value;
    }
    return {};
  }
  // Without deliveries: those of earlier answers may still be on their way.
  // What is true within a few seconds.
  static bool soon(const std::function<bool()>& is_so) {
    for (int i = 0; i < 500; ++i) {
      if (is_so()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }
  // How often requests of this id ended.
  int ends_of(const duis::RequestId& id) const {
    int ends = 0;
    platform->store().journal(1, [&](const storage::JournalEntry& entry) {
      const FactView fact = FactView::read(entry.fact).value();
      ends +=
          fact.kind() == FactKind::request_ended && fact.text(FactField::request_id) == id.text()
              ? 1
              : 0;
      return true;
    });
    return ends;
  }
  // A registration since a second ago.
  gateway::MeterPoint supply(const std::string& point, const apps::ServiceUser& by) const {
    return {point, by.profile().id, network->profile().id, {}, {}, world.now().plus_seconds(-1)};
  }
  // A request that the DCC answers itself.
  duis::ServiceRequest ask_dcc(apps::ServiceUser& user, std::string_view variant,
                               xml::Element body) const {
    return user.request(apps::DccParty::party, variant, 8, std::move(body), user.next_counter());
  }
  std::vector<FactKind> facts_since(std::uint64_t sequence) const {
    std::vector<FactKind> kinds;
    platform->store().journal(sequence, [&](const storage::JournalEntry& entry) {
      const FactKind kind = FactView::read(entry.fact).value().kind();
      if (kind != FactKind::response_delivered && kind != FactKind::alerts_delivered)
        kinds.push_back(kind);
      return true;
    });
    return kinds;
  }
  // Once nothing is journalled any more: what earlier exchanges leave behind comes after their
  // answers.
  std::uint64_t next_fact() const {
    std::uint64_t next = platform->store().journal_head().next;
    for (int i = 0; i < 100; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      const std::uint64_t now = platform->store().journal_head().next;
      if (now == next) break;
      next = now;
    }
    return next;
  }

  std::unique_ptr<apps::ServiceUser> add(const std::string& name, std::uint64_t id,
                                         const std::string& kind, RemotePartyRole role,
                                         std::vector<UserRole> roles) {
    const Eui64 eui = Eui64::from_number(id);
    CHECK(platform->registration_authority()
              .register_party({eui, name, kind, std::move(roles), {{eui, eui}}}, {})
              .ok());
    std::unique_ptr<apps::ServiceUser> user = std::make_unique<apps::ServiceUser>(
        world, apps::UserProfile{eui, name, role, role == RemotePartyRole::supplier},
        apps::Addresses{platform->smki_url(), platform->repository_url(), platform->gateway_url()});
    CHECK(user->obtain_certificates().ok());
    CHECK(platform->gateway().register_endpoint(eui, user->open_endpoint(), {}).ok());
    return user;
  }

 private:
  void install() {
    using emulators::Cell;
    using enum RemotePartyRole;
    std::vector<Bytes> anchors;
    for (const smki::PublishedCertificate& one : platform->repository().authorities()) {
      if (one.profile.ends_with("-oca")) anchors.push_back(one.der);
    }
    const Bytes broker =
        platform
            ->dcc_certificate(apps::DccParty::broker, KeyUse::key_agreement, access_control_broker)
            ->der;
    const std::map<Cell, Bytes> hub{
        {Cell{access_control_broker, KeyUse::key_agreement, false}, broker}};
    std::map<Cell, Bytes> meter = hub;
    meter[Cell{RemotePartyRole::supplier, KeyUse::digital_signature, false}] =
        this->supplier->certificate(KeyUse::digital_signature);
    meter[Cell{RemotePartyRole::supplier, KeyUse::key_agreement, false}] =
        this->supplier->certificate(KeyUse::key_agreement);
    meter[Cell{RemotePartyRole::supplier, KeyUse::key_agreement, true}] =
        this->supplier->certificate(KeyUse::key_agreement, true);
    meter[Cell{network_operator, KeyUse::key_agreement, false}] =
        network->certificate(KeyUse::key_agreement);
    meter[Cell{transitional_cos, KeyUse::digital_signature, false}] =
        platform->dcc_certificate(apps::DccParty::cos, KeyUse::digital_signature, transitional_cos)
            ->der;
    CHECK(street->install(anchors, meter, hub).ok());
    street->connect(platform->gateway_url());
    platform->set_wan_url(street->wan_url());
  }

  void enrol() {
    const apps::Premises& one = home();
    for (const std::string& point : {one.mpan.text(), one.mprn.text()}) {
      const std::vector<gateway::MeterPoint> points = {supply(point, *supplier)};
      CHECK(platform->registration().record(points, {}).ok());
      CHECK(platform->cos().record(points, {}).ok());
    }
    std::vector<gateway::InventoryEvent> events{
        {one.chf, "pre-notified", DeviceType::chf, one.chf, "", "CH-1"},
        {one.chf, "connected-to-wan"}};
    for (const auto& [id, type, point] : {std::tuple{one.esme, DeviceType::esme, one.mpan.text()},
                                          std::tuple{one.gpf, DeviceType::gpf, std::string()}}) {
      events.push_back({id, "pre-notified", type, one.chf, point, "EM-1"});
      for (const char* event : {"added-to-device-log", "joined", "commission-succeeded"})
        events.push_back({id, event});
      for (apps::ServiceUser* user : {supplier.get(), other.get(), network.get()})
        user->remember(id, type);
    }
    // The gas meter is known but not yet installed.
    events.push_back(
        {one.gsme, "pre-notified", DeviceType::gsme, one.chf, one.mprn.text(), "GM-1"});
    CHECK(platform->inventory().apply(events, {}).ok());
  }
};

}  // namespace wattseal::scenarios
