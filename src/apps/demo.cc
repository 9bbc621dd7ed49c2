#include "apps/demo.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/audit.h"
#include "apps/console.h"
#include "apps/expect.h"
#include "apps/onboarding.h"
#include "apps/service_user.h"
#include "apps/street.h"
#include "apps/tour.h"
#include "base/fault.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

constexpr std::uint64_t kSupplierA = 0x9057530000010000, kSupplierB = 0x9057530000020000,
                        kNetwork = 0x9057530000030000, kAgent = 0x9057530000040000,
                        kManufacturer = 0x9057530000050000, kNewcomer = 0x9057530000060000;
constexpr Eui64 kFirstDevice = Eui64::from_number(0x0057530000000000);
constexpr std::size_t kLookUpsMax = 1000, kReadsMax = 1000, kPremisesPerEvent = 50;
constexpr std::chrono::milliseconds kPatience{15'000};

xml::Element leaf(std::string name, std::string text = {}) {
  return {std::string(duis::kNamespace), std::move(name), {}, std::move(text), {}};
}
xml::Element node(std::string name, std::vector<xml::Element> children) {
  return {std::string(duis::kNamespace), std::move(name), {}, {}, std::move(children)};
}

std::string item_value(const Exchange& exchange, std::string_view name) {
  if (!exchange.parsed) return {};
  for (const gbcs::ParsedItem& item : exchange.parsed->items) {
    if (item.name == name) return item.value;
  }
  return {};
}

class Demo {
 public:
  Demo(const World& world, const DemoOptions& options)
      : world_(world), options_(options), console_(world, options.quiet) {}
  ~Demo() {
    if (street_) street_->stop();
    if (platform_) platform_->stop();
  }

  json run() {
    console_.step("Ceremony", [this] { return ceremony(); });
    console_.step("Parties", [this] { return parties(); });
    console_.step("Device certificates", [this] { return device_certificates(); });
    console_.step("Repository look-ups", [this] { return look_ups(); });
    console_.step("Enrolment", [this] { return enrol(); });
    console_.step("First meter read", [this] { return first_read(); });
    console_.step("All meters read", [this] { return all_reads(); });
    console_.step("Gas read", [this] { return gas_read(); });
    console_.step("Prepayment top-up", [this] { return top_up(); });
    console_.step("Tampered pre-command", [this] { return tampered_pre_command(); });
    console_.step("Wrong signer", [this] { return wrong_signer(); });
    console_.step("New credentials", [this] { return new_credentials(); });
    console_.step("Critical command", [this] { return critical_command(); });
    if (options_.tour) Tour(world_, *platform_, *street_, *supplier_, home(), console_).run();
    console_.step("Onboarding", [this] { return onboard(); });
    console_.step("Revocation", [this] { return revoke(); });
    console_.step("Refusals", [this] { return refusals(); });
    if (options_.storm.alerts != 0) console_.step("Power cut", [this] { return power_cut(); });
    console_.step("Audit", [this] { return prove(); });
    return summary();
  }

  void stay() {
    street_->misbehave(options_.misbehaviour);
    fmt::print(
        "\nEverything is running:\n  gateway     {}\n  repository  {}\n  SMKI        {}\n\nTry:\n",
        platform_->gateway_url(), platform_->repository_url(), platform_->smki_url());
    fmt::print("  curl -s '{}/api/v1/certificates?device={}&latest=DS'\n",
               platform_->repository_url(), street_->premises()[0].esme.text());
    fmt::print(
        "  curl -s {}/api/v1/authorities\n  curl -s {}/metrics | grep wattseal_\n\nCtrl-C ends "
        "it.\n",
        platform_->repository_url(), platform_->gateway_url());
    std::fflush(stdout);
    options_.wait_for_end();
  }

 private:
  std::string ceremony() {
    platform_ = must(Platform::create(world_, options_.platform), "the platform");
    const smki::CeremonyReport report = must(platform_->run_ceremony(), "the ceremony");
    for (const smki::CeremonyReport::Authority& authority : report.authorities)
      console_.line(fmt::format("{:<14} {}", authority.profile, authority.name));
    must(platform_->start_smki(), "the SMKI service");
    return fmt::format("{} authorities, keys behind {}", report.authorities.size(),
                       platform_->key_store_kind());
  }

  ServiceUser& add_user(const std::string& name, std::uint64_t id, const std::string& kind,
                        RemotePartyRole role, std::vector<UserRole> user_roles, bool prepayment) {
    const Eui64 eui = Eui64::from_number(id);
    must(platform_->registration_authority().register_party(
             {eui, name, kind, std::move(user_roles), {{eui, eui}}}, world_.new_trace()),
         name);
    users_.push_back(std::make_unique<ServiceUser>(
        world_, UserProfile{eui, name, role, prepayment},
        Addresses{platform_->smki_url(), platform_->repository_url(), platform_->gateway_url()}));
    ServiceUser& user = *users_.back();
    must(user.obtain_certificates(), name);
    must(platform_->gateway().register_endpoint(eui, user.open_endpoint(), world_.new_trace()),
         name);
    return user;
  }

  std::string parties() {
    must(platform_->start_gateway(), "the gateway");
    using enum UserRole;
    supplier_ = &add_user("Alder Energy", kSupplierA, "supplier", RemotePartyRole::supplier,
                          {import_supplier, gas_supplier, export_supplier}, true);
    other_supplier_ = &add_user("Birch Power", kSupplierB, "supplier", RemotePartyRole::supplier,
                                {import_supplier, gas_supplier}, true);
    network_ =
        &add_user("Cedar Networks", kNetwork, "network-operator", RemotePartyRole::network_operator,
                  {electricity_distributor, gas_transporter}, false);
    add_user("Dale Metering", kAgent, "agent", RemotePartyRole::other, {registered_supplier_agent},
             false);
    const Eui64 last_device = Eui64::from_number(kFirstDevice.number() + 4 * options_.premises - 1);
    must(platform_->registration_authority().register_party({Eui64::from_number(kManufacturer),
                                                             "Elm Meters",
                                                             "manufacturer",
                                                             {},
                                                             {{kFirstDevice, last_device}}},
                                                            world_.new_trace()),
         "the manufacturer");
    return fmt::format("{} users and the DCC, {} certificates", users_.size(),
                       platform_->repository().count());
  }

  std::string device_certificates() {
    street_ =
        std::make_unique<Street>(world_, platform_->workers(), options_.premises, kFirstDevice);
    std::vector<Bytes> requests = street_->make_requests();
    const std::size_t good = requests.size();
    Bytes forged = requests.back();
    forged.back() ^= 1;  // the last octet of the signature: possession of the key is not proven
    requests.push_back(std::move(forged));
    std::string bundle;
    for (const Bytes& request : requests) bundle += x509::to_pem("CERTIFICATE REQUEST", request);

    http::ClientOptions patience;
    patience.timeout = std::chrono::seconds(120);
    const std::unique_ptr<http::Client> smki =
        must(http::Client::open(platform_->smki_url(), patience), "the SMKI service");
    const std::int64_t start = world_.clock.monotonic_microseconds();
    http::Request submission;
    submission.method = "POST";
    submission.path = "/api/v1/batches";
    submission.headers = {{"X-Subscriber", Eui64::from_number(kManufacturer).text()},
                          {"Content-Type", "application/x-pem-file"}};
    submission.body = std::move(bundle);
    const http::Response accepted = smki->send(submission);
    must(accepted.status == 202, "the batch accepted; it is " + accepted.body);
    const std::uint64_t batch = json::parse(accepted.body)["batch"];
    const auto look = [&](const std::string& rest) {
      http::Request request;
      request.method = "GET";
      request.path = "/api/v1/batches/" + std::to_string(batch) + rest;
      request.headers = {{"X-Subscriber", Eui64::from_number(kManufacturer).text()}};
      return json::parse(smki->send(request).body);
    };
    json status;
    do {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      status = look("");
      console_.progress(status["published"].get<std::uint64_t>(), good);
    } while (!status["complete"].get<bool>());
    const double seconds = static_cast<double>(world_.clock.monotonic_microseconds() - start) / 1e6;
    must(status["published"] == good && status["refused"] == 1,
         "all good rows published and the forged one refused; it is " + status.dump());
    const json last = look("/results?from=" + std::to_string(good) + "&max=1");
    const std::string rule = last["rows"][0]["refusal"]["rule"];
    must(rule == "csr-possession", "the forged row refused by csr-possession; it is " + rule);
    certificates_per_second_ = static_cast<double>(good) / seconds;
    console_.line(fmt::format("row {} refused: {} (it harmed no other)", good, rule));
    return fmt::format("{} certificates in one batch, {:.0f} a second", with_thousands(good),
                       certificates_per_second_);
  }

  std::string look_ups() {
    const std::unique_ptr<http::Client> repository =
        must(http::Client::open(platform_->repository_url()), "the repository");
    const std::size_t count = std::min(street_->premises().size(), kLookUpsMax);
    const std::int64_t start = world_.clock.monotonic_microseconds();
    for (std::size_t i = 0; i < count; ++i) {
      const std::string device = street_->premises()[i].esme.text();
      const http::Response latest =
          repository->get("/api/v1/certificates?device=" + device + "&latest=KA");
      must(latest.status == 200, "the latest certificate of " + device);
      const std::string serial = json::parse(latest.body)["serial"];
      const http::Response search = repository->post(
          "/services/certificatesearch", "application/xml",
          "<?xml version=\"1.0\"?><CertificateSearchRequest><CertificateSubjectAltName>" + device +
              "</CertificateSubjectAltName></CertificateSearchRequest>");
      must(search.status == 200 && search.body.find(serial) != std::string::npos,
           "certificate search for " + device);
      const http::Response body =
          repository->post("/services/retrievecertificate", "application/xml",
                           "<?xml version=\"1.0\"?><CertificateDataRequest><CertificateSerial>" +
                               serial + "</CertificateSerial></CertificateDataRequest>");
      must(body.status == 200 && body.body.find("CertificateBody") != std::string::npos,
           "retrieval of " + serial);
      console_.progress(3 * (i + 1), 3 * count);
    }
    const double seconds = static_cast<double>(world_.clock.monotonic_microseconds() - start) / 1e6;
    must(repository->get("/api/v1/certificates?organisation=" + supplier_->profile().id.text())
                 .status == 200,
         "certificates of an organisation");
    const http::Response malformed = repository->get("/api/v1/certificates?device=not-an-eui");
    must(malformed.status == 400 && json::parse(malformed.body)["rule"] == "eui-malformed",
         "a malformed EUI refused");
    look_ups_per_second_ = 3.0 * static_cast<double>(count) / seconds;
    return fmt::format("{} over one connection, {:.0f} a second", with_thousands(3 * count),
                       look_ups_per_second_);
  }

  std::map<emulators::Cell, Bytes> cells(bool hub) {
    using emulators::Cell;
    using enum RemotePartyRole;
    const auto dcc = [&](Eui64 id, KeyUse use, RemotePartyRole role) {
      return must(platform_->dcc_certificate(id, use, role), "a DCC certificate").der;
    };
    std::map<Cell, Bytes> out;
    out[Cell{recovery, KeyUse::digital_signature, false}] =
        dcc(DccParty::recovery, KeyUse::digital_signature, recovery);
    out[Cell{access_control_broker, KeyUse::key_agreement, false}] =
        dcc(DccParty::broker, KeyUse::key_agreement, access_control_broker);
    out[Cell{transitional_cos, KeyUse::digital_signature, false}] =
        dcc(DccParty::cos, KeyUse::digital_signature, transitional_cos);
    if (hub) {
      out[Cell{wan_provider, KeyUse::digital_signature, false}] =
          dcc(DccParty::wan_provider, KeyUse::digital_signature, wan_provider);
      return out;
    }
    out[Cell{supplier, KeyUse::digital_signature, false}] =
        supplier_->certificate(KeyUse::digital_signature);
    out[Cell{supplier, KeyUse::key_agreement, false}] =
        supplier_->certificate(KeyUse::key_agreement);
    out[Cell{supplier, KeyUse::key_agreement, true}] =
        supplier_->certificate(KeyUse::key_agreement, true);
    out[Cell{network_operator, KeyUse::digital_signature, false}] =
        network_->certificate(KeyUse::digital_signature);
    out[Cell{network_operator, KeyUse::key_agreement, false}] =
        network_->certificate(KeyUse::key_agreement);
    return out;
  }

  std::string enrol() {
    std::vector<Bytes> anchors;
    for (const smki::PublishedCertificate& authority : platform_->repository().authorities()) {
      if (authority.profile.ends_with("-oca")) anchors.push_back(authority.der);
    }
    must(anchors.size() == 2, "a root and an issuing OCA");
    must(street_->install(anchors, cells(false), cells(true)), "installing trust anchors");
    street_->connect(platform_->gateway_url());
    platform_->set_wan_url(street_->wan_url());
    std::uint64_t changes = 0;
    const std::vector<Premises>& all = street_->premises();
    for (std::size_t first = 0; first < all.size(); first += kPremisesPerEvent) {
      changes += enrol_some({all.begin() + static_cast<std::ptrdiff_t>(first),
                             std::min(kPremisesPerEvent, all.size() - first)});
      console_.progress(first, all.size());
    }
    for (const Premises& one : all) {
      for (const auto& [id, type] :
           {std::pair{one.esme, DeviceType::esme}, std::pair{one.gsme, DeviceType::gsme},
            std::pair{one.gpf, DeviceType::gpf}}) {
        for (ServiceUser* user : {supplier_, other_supplier_, network_}) user->remember(id, type);
      }
      street_->consume(one.esme, 12'345);
      street_->consume(one.gpf, 54'321);
    }
    const std::uint64_t commissioned = platform_->inventory().count(DeviceStatus::commissioned);
    must(commissioned == street_->devices(), "all devices commissioned");
    return fmt::format("{} devices commissioned, {} status changes", with_thousands(commissioned),
                       with_thousands(changes));
  }

  std::size_t enrol_some(std::span<const Premises> some) {
    std::vector<gateway::MeterPoint> points;
    std::vector<gateway::InventoryEvent> events;
    for (const Premises& one : some) {
      for (const std::string& id : {one.mpan.text(), one.mprn.text()}) {
        points.push_back({id, supplier_->profile().id, network_->profile().id, std::nullopt,
                          std::nullopt, world_.now().plus_seconds(-1)});
      }
      events.push_back({one.chf, "pre-notified", DeviceType::chf, one.chf, "", "CH-1"});
      events.push_back({one.chf, "connected-to-wan"});
      const auto device = [&](Eui64 id, DeviceType type, const std::string& point) {
        events.push_back({id, "pre-notified", type, one.chf, point, "EM-1"});
        for (const char* event : {"added-to-device-log", "joined", "commission-succeeded"})
          events.push_back({id, event});
      };
      device(one.esme, DeviceType::esme, one.mpan.text());
      device(one.gsme, DeviceType::gsme, one.mprn.text());
      device(one.gpf, DeviceType::gpf, "");
    }
    must(platform_->registration().record(points, world_.new_trace()), "registration");
    must(platform_->cos().record(points, world_.new_trace()), "the CoS party's view");
    must(platform_->inventory().apply(events, world_.new_trace()), "the inventory");
    return events.size();
  }

  const Premises& home() const { return street_->premises().front(); }

  std::string first_read() {
    const duis::ServiceRequest request =
        supplier_->request(home().esme, "4.1.1", 1, {}, supplier_->next_counter());
    const Exchange exchange = must(supplier_->send(request, kPatience), "the read");
    must(exchange.acknowledgement == "I99" && exchange.parsed.has_value(),
         "an answer from the meter; the acknowledgement is " + exchange.acknowledgement + " " +
             exchange.rule);
    must(item_value(exchange, "Active energy import") == "12345 Wh",
         "the meter's register; it is " + item_value(exchange, "Active energy import"));
    for (const gbcs::ParsedItem& item : exchange.parsed->items)
      console_.line(fmt::format("{:<24} {}", item.name, item.value));
    first_answer_seconds_ = console_.seconds_since_start();
    return fmt::format("{} {}, signed, encrypted, verified, in {:.1f} ms",
                       exchange.parsed->use_case, home().esme.text(),
                       static_cast<double>(exchange.microseconds) / 1000);
  }

  std::string all_reads() {
    const std::size_t count = std::min(street_->premises().size(), kReadsMax),
                      before = supplier_->answered();
    const std::int64_t start = world_.clock.monotonic_microseconds();
    for (std::size_t i = 0; i < count; ++i) {
      const std::string code =
          must(supplier_->post(supplier_->request(street_->premises()[i].esme, "4.1.1", 1, {},
                                                  supplier_->next_counter())),
               "a read");
      must(code == "I99", "an accepted read; it is " + code);
      console_.progress(supplier_->answered() - before, count);
    }
    while (supplier_->answered() - before < count &&
           world_.clock.monotonic_microseconds() - start < 60'000'000) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      console_.progress(supplier_->answered() - before, count);
    }
    must(supplier_->answered() - before == count, "an answer to every read");
    const double seconds = static_cast<double>(world_.clock.monotonic_microseconds() - start) / 1e6;
    reads_per_second_ = static_cast<double>(count) / seconds;
    return fmt::format("{} answers, {:.0f} a second, from one user over one connection",
                       with_thousands(count), reads_per_second_);
  }

  std::string gas_read() {
    const Exchange exchange = must(
        supplier_->send(supplier_->request(home().gpf, "4.1.1", 1, {}, supplier_->next_counter()),
                        kPatience),
        "the gas read");
    must(item_value(exchange, "Gas consumption") == "54.321 m3",
         "the gas register; it is " + item_value(exchange, "Gas consumption") + exchange.rule);
    return fmt::format("{}: {}", exchange.parsed->use_case,
                       item_value(exchange, "Gas consumption"));
  }

  std::string top_up() {
    const OriginatorCounter counter = supplier_->next_top_up_counter();
    const std::string code = supplier_->top_up_code(home().esme, counter, 1250);
    const Exchange exchange =
        must(supplier_->send(
                 supplier_->request(home().esme, "2.2", 1, node("", {leaf("UTRN", code)}), counter),
                 kPatience),
             "the top-up");
    must(exchange.parsed && exchange.parsed->success, "an accepted top-up " + exchange.rule);
    const std::int64_t balance = street_->display(home().esme).balance_millipence;
    must(balance == 1'250'000, "12.50 pounds on the meter");
    return fmt::format("UTRN {} puts £{:.2f} on the meter", code,
                       static_cast<double>(balance) / 100'000);
  }

  duis::ServiceRequest credit_mode() {
    return supplier_->request(home().esme, "1.6", 4, node("", {leaf("Credit")}),
                              supplier_->next_counter());
  }

  std::string tampered_pre_command() {
    const duis::ServiceRequest request = credit_mode();
    Bytes pre_command = must(supplier_->transform(request), "Transform");
    const gateway::Correlation correlation =
        must(supplier_->correlate(request, pre_command), "Correlate");
    pre_command[pre_command.size() - 20] ^= 1;
    const Result<gateway::Correlation> tampered = supplier_->correlate(request, pre_command);
    must(!tampered.ok(), "Correlate to refuse a changed pre-command");
    return fmt::format("{}: the true one correlates, the changed one is refused: {}",
                       correlation.use_case, tampered.refusal().rule.text());
  }

  // The supplier's new signing certificate is in the repository, but the meter still holds the old
  // one.
  std::string wrong_signer() {
    must(supplier_->renew_signing_certificate(), "a new signing certificate");
    const std::size_t alerts = supplier_->alerts().size();
    const duis::ServiceRequest request = credit_mode();
    const Bytes pre_command = must(supplier_->transform(request), "Transform");
    // The meter will not answer, so the request ends at its deadline.
    platform_->gateway().set_device_response_timeout(std::chrono::seconds(1));
    const Exchange exchange =
        must(supplier_->sign_and_send(request, pre_command, std::chrono::milliseconds(1)),
             "the command");
    platform_->gateway().set_device_response_timeout(
        std::chrono::seconds(limit("device_response_timeout_seconds")));
    must(exchange.acknowledgement == "I99",
         "the gateway to accept either certificate in use; it is " + exchange.acknowledgement +
             " " + exchange.rule);
    must(supplier_->wait_for_alert(alerts + 1, kPatience), "an alert of the meter");
    const gbcs::ParsedMessage alert = supplier_->alerts().back();
    must(alert.alert_code == "8F3D" && street_->display(home().esme).payment_mode == "prepayment",
         "no effect and alert 8F3D; it is " + alert.alert_code);
    must(street_->security_log(home().esme).back().rule == "gbcs-signature-mismatch",
         "an entry in the security log");
    return fmt::format("the meter refuses: alert {} {}", alert.alert_code,
                       alert.items.front().name);
  }

  std::string new_credentials() {
    const auto certificate = [](std::string name, const Bytes& der) {
      return leaf(std::move(name), to_base64(der));
    };
    Bytes issuing;
    for (const smki::PublishedCertificate& authority : platform_->repository().authorities()) {
      if (authority.profile == "issuing-oca") issuing = authority.der;
    }
    xml::Element body =
        node("", {leaf("RemotePartyRole", "Supplier"), leaf("RemotePartyFloorSeqNumber", "0"),
                  leaf("RemotePartyPrepaymentTopUpFloorSeqNumber", "0"),
                  node("ReplacementCertificates",
                       {node("SupplierOrNetworkOperatorCertificates",
                             {certificate("DigitalSigningCertificate",
                                          supplier_->certificate(KeyUse::digital_signature)),
                              certificate("KeyAgreementCertificate",
                                          supplier_->certificate(KeyUse::key_agreement)),
                              certificate("KeyAgreementTopUpCertificate",
                                          supplier_->certificate(KeyUse::key_agreement, true))})}),
                  node("CertificationPathCertificates", {certificate("Certificate", issuing)}),
                  leaf("ApplyTimeBasedCPVChecks", "true")});
    const duis::ServiceRequest request =
        supplier_->request(home().esme, "6.15.1", 4, std::move(body), supplier_->next_counter());
    supplier_->use_old_signing_key(true);
    const Exchange exchange = critical(request);
    supplier_->use_old_signing_key(false);
    must(exchange.parsed && exchange.parsed->success,
         "all credentials replaced; " + exchange.rule + last_security_entry());
    for (const gbcs::ParsedItem& item : exchange.parsed->items)
      console_.line(fmt::format("{:<28} {}", item.name, item.value));
    return fmt::format("{}: {} cells updated, authorised by the old key", exchange.parsed->use_case,
                       exchange.parsed->items.size());
  }

  std::string last_security_entry() const {
    const std::vector<emulators::SecurityLogEntry> log = street_->security_log(home().esme);
    return log.empty() ? "" : " the meter noted " + log.back().rule + ": " + log.back().detail;
  }

  Exchange critical(const duis::ServiceRequest& request) {
    const Bytes pre_command = must(supplier_->transform(request), "Transform");
    must(supplier_->correlate(request, pre_command), "Correlate");
    return must(supplier_->sign_and_send(request, pre_command, kPatience),
                "the signed pre-command");
  }

  std::string critical_command() {
    const Exchange exchange = critical(credit_mode());
    must(exchange.parsed && exchange.parsed->success,
         "a successful critical command " + exchange.acknowledgement + " " + exchange.rule);
    must(street_->display(home().esme).payment_mode == "credit", "the meter in credit mode");
    return fmt::format("{}: correlated, signed, verified by the meter; it is in credit mode now",
                       exchange.parsed->use_case);
  }

  std::string onboard() {
    onboarding_ = std::make_unique<Onboarding>(world_, *platform_);
    for (const std::string& line :
         onboarding_->admit({Eui64::from_number(kNewcomer), "Fern Retail", "supplier", "IS/GS"}))
      console_.line(line);
    return "an organisation admitted, its officers appointed, every act approved by somebody else";
  }

  std::string revoke() {
    const double seconds = onboarding_->revoke("key-compromise");
    const smki::PublishedCertificate revoked =
        must(platform_->repository().by_serial(onboarding_->certificate()), "the certificate");
    must(revoked.status == smki::CertificateStatus::revoked, "the certificate's status R");
    return fmt::format("in the list that anybody may fetch {:.0f} ms after the approval",
                       seconds * 1000);
  }

  std::string refusals() {
    const auto refused = [this](ServiceUser& user, const duis::ServiceRequest& request,
                                const std::string& rule) {
      const Exchange exchange =
          must(user.send(request, std::chrono::milliseconds(1)), "a request to be refused");
      must(exchange.rule == rule,
           "a refusal by " + rule + "; it is " + exchange.acknowledgement + " " + exchange.rule);
      console_.line(fmt::format("{:<4} {:<24} {}", exchange.acknowledgement, rule,
                                find_rule(rule)->explanation));
    };
    const duis::ServiceRequest read =
        supplier_->request(home().esme, "4.1.1", 1, {}, supplier_->next_counter());
    must(supplier_->send(read, kPatience), "a read");
    refused(*supplier_, read, "gateway-replay");
    refused(*other_supplier_,
            other_supplier_->request(home().esme, "4.1.1", 1, {}, other_supplier_->next_counter()),
            "access-not-registered");
    refused(*network_,
            network_->request(home().esme, "1.6", 4, node("", {leaf("Credit")}),
                              network_->next_counter()),
            "access-role");
    return "each names its rule, and nothing changed";
  }

  // Microseconds from the request to the verified answer.
  std::optional<std::int64_t> one_top_up() {
    // The first premises is in credit mode by now.
    const Eui64 meter = street_->premises().back().esme;
    const OriginatorCounter counter = supplier_->next_top_up_counter();
    const std::string code = supplier_->top_up_code(meter, counter, 1);
    const Result<Exchange> exchange = supplier_->send(
        supplier_->request(meter, "2.2", 1, node("", {leaf("UTRN", code)}), counter), kPatience);
    if (!exchange.ok() || !exchange->parsed || !exchange->parsed->success) return std::nullopt;
    return exchange->microseconds;
  }

  std::string power_cut() {
    ServiceUser* const users[] = {supplier_, network_};
    const StormReport report =
        run_storm(world_, platform_->workers(), *street_, platform_->gateway_url(),
                  DccParty::broker, users, options_.storm, [this] { return one_top_up(); });
    storm_ = to_json(report);
    if (!options_.storm_tsv.empty()) write_storm_tsv(report, options_.storm_tsv);
    for (const std::string& line : storm_plot(report)) console_.line(line);
    must(report.taken == report.alerts && report.lost() == 0 && report.out_of_order == 0,
         "every alert delivered, in its device's order; it is " + storm_.dump());
    console_.line(
        fmt::format("{} alerts made, taken and delivered; memory grew by {:.0f} MB at most",
                    with_thousands(report.alerts), report.memory_most - report.memory_before));
    if (report.top_ups_before.count != 0)
      console_.line(
          fmt::format("top-ups p50/p99 before {:.1f}/{:.1f} ms, meanwhile {:.1f}/{:.1f} ms",
                      static_cast<double>(report.top_ups_before.p50) / 1000,
                      static_cast<double>(report.top_ups_before.p99) / 1000,
                      static_cast<double>(report.top_ups_during.p50) / 1000,
                      static_cast<double>(report.top_ups_during.p99) / 1000));
    return fmt::format("{} alerts, {:.0f} a second, none lost", with_thousands(report.alerts),
                       static_cast<double>(report.alerts) / report.seconds_delivering);
  }

  std::string prove() {
    for (int i = 0; i < 1000 && platform_->gateway().counts().timed_out == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const AuditReport report = must(apps::audit(*platform_->store().snapshot()), "the audit");
    journal_entries_ = report.head.next - 1;
    must(report.requests_waiting() == 0, "every accepted request ended once");
    must(report.certificates_published == platform_->repository().count(),
         "every published certificate in the journal");
    console_.line(fmt::format(
        "{} certificates, each after its intent and issue; {} requests accepted, each ended once",
        with_thousands(report.certificates_published), with_thousands(report.requests_accepted)));
    return fmt::format("the chain of {} facts holds, head {}", with_thousands(journal_entries_),
                       to_hex(report.head.chain).substr(0, 16));
  }

  json summary() {
    const gateway::Gateway::Counts counts = platform_->gateway().counts();
    json steps = json::array();
    for (const StepRecord& step : console_.steps())
      steps.push_back({{"name", step.name}, {"seconds", step.seconds}, {"outcome", step.outcome}});
    return {{"premises", options_.premises},
            {"certificates", platform_->repository().count()},
            {"certificates_per_second", certificates_per_second_},
            {"repository_look_ups_per_second", look_ups_per_second_},
            {"reads_per_second", reads_per_second_},
            {"first_answer_seconds", first_answer_seconds_},
            {"journal_entries", journal_entries_},
            {"gateway",
             {{"accepted", counts.accepted},
              {"refused", counts.refused},
              {"answered", counts.answered},
              {"timed_out", counts.timed_out}}},
            {"storm", storm_},
            {"key_store", platform_->key_store_kind()},
            {"total_seconds", console_.seconds_since_start()},
            {"steps", std::move(steps)}};
  }

  const World& world_;
  const DemoOptions& options_;
  Console console_;
  std::unique_ptr<Platform> platform_;
  std::unique_ptr<Street> street_;
  std::unique_ptr<Onboarding> onboarding_;
  std::vector<std::unique_ptr<ServiceUser>> users_;
  ServiceUser *supplier_ = nullptr, *other_supplier_ = nullptr, *network_ = nullptr;
  double certificates_per_second_ = 0, look_ups_per_second_ = 0, reads_per_second_ = 0,
         first_answer_seconds_ = 0;
  std::uint64_t journal_entries_ = 0;
  json storm_;  // null without one
};

void print_summary(const json& summary) {
  const auto number = [&](const char* name) {
    return with_thousands(summary[name].get<std::uint64_t>());
  };
  const auto rate = [&](const char* name) {
    return with_thousands(static_cast<std::uint64_t>(summary[name].get<double>())) + " /s";
  };
  fmt::print("\n{}",
             table({{"Premises", number("premises")},
                    {"Certificates published", number("certificates")},
                    {"Certificates issued and published", rate("certificates_per_second")},
                    {"Repository look-ups, one client", rate("repository_look_ups_per_second")},
                    {"Meter reads, one client", rate("reads_per_second")},
                    {"Journal facts, chain verified", number("journal_entries")},
                    {"First answer from a meter after",
                     fmt::format("{:.1f} s", summary["first_answer_seconds"].get<double>())},
                    {"Total", fmt::format("{:.1f} s", summary["total_seconds"].get<double>())}}));
}

}  // namespace

nlohmann::json run_demo(const World& world, const DemoOptions& options) {
  // Found out now, not when everything has been done.
  if (!options.json.empty() && !std::ofstream(options.json).good())
    throw Fault("cannot write " + options.json.string());
  Demo demo(world, options);
  json summary = demo.run();
  if (!options.json.empty()) {
    std::ofstream out(options.json);
    out << summary.dump(2) << "\n";
    if (!out.good()) throw Fault("cannot write " + options.json.string());
  }
  if (!options.quiet) print_summary(summary);
  if (options.stay) demo.stay();
  return summary;
}

}  // namespace wattseal::apps
