#include "apps/rehearsal.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/backup_files.h"
#include "apps/estate.h"
#include "apps/expect.h"
#include "apps/platform.h"
#include "apps/rehearsed_pma.h"
#include "base/fault.h"
#include "base/log.h"
#include "recovery/report.h"
#include "x509/x509.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;
using enum RemotePartyRole;
using recovery::Case;
using recovery::Slot;

constexpr Eui64 kFailed = Eui64::from_number(0x9057530000010000),
                kLastResort = Eui64::from_number(0x9057530000020000),
                kNetwork = Eui64::from_number(0x9057530000030000),
                kOther = Eui64::from_number(0x9057530000040000),
                kMaker = Eui64::from_number(0x9057530000050000),
                kFirst = Eui64::from_number(0x0057530000000000);
constexpr std::size_t kDevicesAPremises = 4, kMetersAPremises = 3, kBatchRows = 40'000,
                      kPremisesAnEvent = 64, kPlotWidth = 50;
constexpr std::int64_t kPlotSeconds = 10;
constexpr std::size_t kRenewed = 3;  // certificates of a role of the DCC that began with two
constexpr KeyUse kSign = KeyUse::digital_signature, kAgree = KeyUse::key_agreement;
const std::vector<std::string> kWitnesses = {"Wanda Pike"};
const std::vector<smki::Founder> kFounders = {
    {"Ada Moss", "ra-manager"},     {"Ben Reed", "ra-manager"},     {"Cara Lind", "ra-personnel"},
    {"Dan Holt", "ra-personnel"},   {"Gil Ashe", "key-custodian"},  {"Hana Birk", "key-custodian"},
    {"Ivor Cole", "key-custodian"}, {"Jane Dahl", "key-custodian"}, {"Karl Eyre", "key-custodian"}};

class Rehearsal {
 public:
  Rehearsal(const World& world, const RehearsalOptions& options, bool quiet)
      : world_(world),
        options_(options),
        console_(world, quiet),
        pma_(world, options.folder / "pma.json") {}

  json run() {
    std::filesystem::create_directories(options_.folder);
    console_.step("Estate", [this] { return raise_estate(); });
    console_.step("DCC", [this] { return open_platform(); });
    console_.step("Parties", [this] { return admit_parties(); });
    console_.step("Device certificates", [this] { return certify_devices(); });
    console_.step("Installation", [this] { return install(); });
    while (!step_case()) {
    }
    json report;
    console_.step("Proof", [&] { return prove(report); });
    platform_->stop();
    if (!options_.keep_estate) estate_->stop();
    return report;
  }

 private:
  bool contingency() const { return options_.method == "contingency"; }
  // A street counts all its devices; a failed Supplier has no certificate on hubs.
  std::size_t premises() const {
    const std::size_t each = contingency() ? kDevicesAPremises : kMetersAPremises;
    return (options_.devices + each - 1) / each;
  }
  // Premises of another Supplier stand by, and nothing of theirs may change.
  std::size_t others() const { return contingency() ? 0 : 3; }
  Eui64 device(std::size_t premise, std::size_t which) const {
    return Eui64::from_number(kFirst.number() + kDevicesAPremises * premise + which);
  }

  // ---- before

  std::string raise_estate() {
    const EstateOptions estate{options_.folder / "estate", premises() + others(), kFirst,
                               options_.away_per_myriad, options_.away_seconds};
    estate_ = Estate::find(estate.folder);
    const bool again = estate_ != nullptr;
    if (!again) {
      must(!std::filesystem::exists(options_.folder / "installed"),
           "the estate of this folder, which has ended: begin in an empty folder");
      estate_ = Estate::start(options_.program, estate);
    }
    return fmt::format("{} devices at {} premises, {}",
                       with_thousands(estate.premises * kDevicesAPremises),
                       with_thousands(estate.premises), again ? "as they were" : "new");
  }

  std::string open_platform() {
    start_platform({});
    return fmt::format("{} people, keys in {}", platform_->office().people().size(),
                       platform_->key_store_kind());
  }

  // Key acts are held while the services do not run.
  void start_platform(const std::vector<smki::ActId>& key_acts) {
    platform_.reset();
    PlatformOptions platform;
    platform.data = options_.folder / "dcc";
    platform.key_store = options_.keys;
    platform.passphrase = "rehearsal only";
    platform.decisions = &pma_;
    platform.recovery_pace.answer = std::chrono::seconds(options_.answer_seconds);
    platform.recovery_pace.retry = std::chrono::seconds(options_.retry_seconds);
    const std::filesystem::path port_file = options_.folder / "gateway.port";
    if (const std::string port = read_if_there(port_file); !port.empty())
      platform.gateway_port = static_cast<std::uint16_t>(std::stoul(port));
    platform_ = must(Platform::create(world_, platform), "the DCC");
    if (platform_->office().people().empty()) {
      const smki::CeremonyHeld held =
          must(platform_->hold_founding(kFounders, kWitnesses), "the ceremony");
      // It stands for the custodians' sealed envelope.
      if (!held.contingency_symmetric_key.empty())
        replace_file(options_.folder / "envelope", to_hex(held.contingency_symmetric_key));
    }
    for (const smki::ActId act : key_acts) {
      const smki::CeremonyHeld held = must(platform_->hold_key_act(act, kWitnesses), "a key act");
      if (!held.contingency_symmetric_key.empty())
        replace_file(options_.folder / "envelope.2", to_hex(held.contingency_symmetric_key));
    }
    must(platform_->start_smki(), "the SMKI service");
    must(platform_->start_gateway(), "the gateway");
    const std::string url = platform_->gateway_url();
    replace_file(port_file, url.substr(url.rfind(':') + 1));
    if (const std::string wan = read_if_there(options_.folder / "installed"); !wan.empty())
      platform_->set_wan_url(wan);
  }

  // ---- a new hierarchy, for the contingency

  smki::ActId approved_key_act(const char* purpose, const char* profile) {
    smki::Office& office = platform_->office();
    const smki::ActId id =
        must(office.propose("authority-key-act", {{"purpose", purpose}, {"profile", profile}},
                            actor("Ada Moss"), world_.new_trace()),
             purpose);
    for (const char* name : {"Ben Reed", "Cara Lind", "Gil Ashe", "Hana Birk", "Ivor Cole"})
      must(office.approve(id, actor(name), world_.new_trace()), name);
    return id;
  }
  std::size_t generations(const char* profile) const {
    return static_cast<std::size_t>(std::ranges::count(
        platform_->repository().authorities(), std::string_view(profile),
        [](const smki::PublishedCertificate& one) -> std::string_view { return one.profile; }));
  }
  std::string succeed_root() {
    if (generations("root-oca") < 2)
      start_platform({approved_key_act("establish-root", "root-oca")});
    if (generations("issuing-oca") < 2)
      start_platform({approved_key_act("establish-authority", "issuing-oca")});
    for (const auto& [id, use, role] :
         {std::tuple{DccParty::recovery, kSign, RemotePartyRole::recovery},
          std::tuple{DccParty::broker, kAgree, access_control_broker},
          std::tuple{DccParty::cos, kSign, transitional_cos},
          std::tuple{DccParty::wan_provider, kSign, wan_provider}}) {
      if (platform_->repository().by_organisation(id).size() < kRenewed)
        must(platform_->renew_dcc_certificate(id, use, role), "a DCC certificate");
    }
    using enum UserRole;
    admit(kFailed, "Alder", "supplier", supplier, {import_supplier, gas_supplier},
          {kSign, kAgree, kAgree, kSign, kAgree, kAgree});
    admit(kNetwork, "Cedar", "network-operator", network_operator,
          {electricity_distributor, gas_transporter}, {kSign, kAgree, kSign, kAgree});
    return "a second root, a second issuing authority, new certificates for everybody";
  }

  void admit(Eui64 id, const std::string& name, const std::string& kind, RemotePartyRole role,
             std::vector<UserRole> roles, const std::vector<KeyUse>& certificates) {
    if (!platform_->registration_authority().party(id).ok())
      must(platform_->registration_authority().register_party(
               {id, name, kind, std::move(roles), {{id, id}}}, world_.new_trace()),
           name);
    // Nobody in a rehearsal uses the keys afterwards.
    const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
    const auto count = [&](KeyUse use) {
      std::size_t number = 0;
      for (const auto& one : platform_->repository().by_organisation(id)) number += one.use == use;
      return number;
    };
    for (const KeyUse use : {kSign, kAgree}) {
      const std::size_t wanted = static_cast<std::size_t>(std::ranges::count(certificates, use));
      while (count(use) < wanted) {
        const crypto::KeyHandle key =
            must(crypto::generate_one(*keys, std::to_string(next_key_++)), "a key");
        must(platform_->obtain(id, organisation_request(id, role, use, *key)), name);
      }
    }
  }

  std::string admit_parties() {
    using enum UserRole;
    const std::vector<UserRole> supplies{import_supplier, gas_supplier};
    const std::vector<KeyUse> three{kSign, kAgree, kAgree}, two{kSign, kAgree};
    admit(kFailed, "Alder", "supplier", supplier, supplies, three);
    admit(kLastResort, "Birch", "supplier", supplier, supplies, three);
    admit(kOther, "Fir", "supplier", supplier, supplies, three);
    admit(kNetwork, "Cedar", "network-operator", network_operator,
          {electricity_distributor, gas_transporter}, two);
    if (!platform_->registration_authority().party(kMaker).ok())
      must(platform_->registration_authority().register_party(
               {kMaker, "Elm", "manufacturer", {}, {{kFirst, device(premises() + others(), 0)}}},
               world_.new_trace()),
           "the manufacturer");
    return "three Suppliers, a Network Operator, a manufacturer";
  }

  std::string certify_devices() {
    const std::vector<Bytes> requests = estate_->requests();
    for (std::size_t first = 0; first < requests.size(); first += kBatchRows) {
      const std::size_t last = std::min(requests.size(), first + kBatchRows);
      const auto at = [&](std::size_t i) {
        return requests.begin() + static_cast<std::ptrdiff_t>(i);
      };
      const smki::BatchId batch = must(platform_->registration_authority().submit(
                                           {kMaker, {at(first), at(last)}, world_.new_trace()}),
                                       "the devices' requests");
      platform_->wake();
      must(platform_->wait_for(batch, std::chrono::seconds(600)), "all devices' certificates");
      console_.progress(last, requests.size());
    }
    return with_thousands(requests.size()) + " certificates";
  }

  // ---- what devices are installed with

  Bytes dcc(Eui64 id, KeyUse use, RemotePartyRole role) const {
    return must(platform_->dcc_certificate(id, use, role), "a DCC certificate").der;
  }
  // Oldest first: later ones come with a recovery.
  Bytes of_party(Eui64 id, KeyUse use, std::size_t which = 0) const {
    std::vector<Bytes> fitting;
    for (const auto& one : platform_->repository().by_organisation(id)) {
      if (one.use == use) fitting.insert(fitting.begin(), one.der);
    }
    return fitting.at(which);
  }
  std::map<Slot, Bytes> common_cells() const {
    return {{{recovery_role(), kSign}, dcc(DccParty::recovery, kSign, recovery_role())},
            {{access_control_broker, kAgree}, dcc(DccParty::broker, kAgree, access_control_broker)},
            {{transitional_cos, kSign}, dcc(DccParty::cos, kSign, transitional_cos)}};
  }
  static constexpr RemotePartyRole recovery_role() { return RemotePartyRole::recovery; }
  std::map<Slot, Bytes> meter_cells(Eui64 of) const {
    std::map<Slot, Bytes> cells = common_cells();
    cells[{supplier, kSign}] = of_party(of, kSign);
    cells[{supplier, kAgree}] = of_party(of, kAgree);
    cells[{supplier, kAgree, true}] = of_party(of, kAgree, 1);
    cells[{network_operator, kSign}] = of_party(kNetwork, kSign);
    cells[{network_operator, kAgree}] = of_party(kNetwork, kAgree);
    return cells;
  }
  std::map<Slot, Bytes> hub_cells() const {
    std::map<Slot, Bytes> cells = common_cells();
    cells[{wan_provider, kSign}] = dcc(DccParty::wan_provider, kSign, wan_provider);
    return cells;
  }
  std::vector<Bytes> anchors() const {
    std::vector<Bytes> all;
    for (const smki::PublishedCertificate& one : platform_->repository().authorities()) {
      if (one.profile.ends_with("-oca")) all.push_back(one.der);
    }
    return all;
  }
  recovery::Holdings holdings_of(const std::map<Slot, Bytes>& cells) const {
    recovery::Holdings holdings;
    for (const Bytes& anchor : anchors()) {
      const x509::Certificate read = must(x509::parse_certificate(anchor), "an anchor");
      if (read.subject_der == read.issuer_der)
        holdings[{root, kSign}] = must(recovery::read_installable(anchor), "the root").held;
    }
    for (const auto& [slot, der] : cells)
      holdings[slot] = must(recovery::read_installable(der), "a certificate").held;
    return holdings;
  }

  std::string install() {
    const std::filesystem::path done = options_.folder / "installed";
    if (const std::string wan = read_if_there(done); !wan.empty()) {
      platform_->set_wan_url(wan);
      return "as it was";
    }
    const std::string wan =
        estate_->install(platform_->gateway_url(), anchors(),
                         {{0, premises(), meter_cells(kFailed), hub_cells()},
                          {premises(), others(), meter_cells(kOther), hub_cells()}});
    platform_->set_wan_url(wan);
    for (std::size_t i = 0; i < premises() + others(); i += kPremisesAnEvent) {
      enrol(i, std::min(i + kPremisesAnEvent, premises() + others()));
      console_.progress(i, premises() + others());
    }
    record_holdings(0, premises(), kFailed);
    record_holdings(premises(), premises() + others(), kOther);
    replace_file(done, wan);
    return fmt::format("{} devices commissioned",
                       with_thousands(platform_->inventory().count(DeviceStatus::commissioned)));
  }

  void enrol(std::size_t from, std::size_t to) {
    std::vector<gateway::InventoryEvent> events;
    for (std::size_t i = from; i < to; ++i) {
      const Eui64 hub = device(i, 2);
      if (platform_->inventory().find(hub).ok()) continue;
      events.push_back({hub, "pre-notified", DeviceType::chf, hub, "", "CH-1"});
      events.push_back({hub, "connected-to-wan"});
      for (const auto& [which, type] :
           {std::pair{0, DeviceType::esme}, std::pair{1, DeviceType::gsme},
            std::pair{3, DeviceType::gpf}}) {
        const Eui64 id = device(i, static_cast<std::size_t>(which));
        events.push_back({id, "pre-notified", type, hub, "", "EM-1"});
        for (const char* event : {"added-to-device-log", "joined", "commission-succeeded"})
          events.push_back({id, event});
      }
    }
    if (!events.empty())
      must(platform_->inventory().apply(events, world_.new_trace()), "the inventory");
  }

  void record_holdings(std::size_t from, std::size_t to, Eui64 of) {
    std::vector<Eui64> meters, hubs;
    for (std::size_t i = from; i < to; ++i) {
      hubs.push_back(device(i, 2));
      for (const std::size_t which : {0, 1, 3}) meters.push_back(device(i, which));
    }
    must(platform_->recovery().know(meters, holdings_of(meter_cells(of)), world_.new_trace()),
         "what meters hold");
    must(platform_->recovery().know(hubs, holdings_of(hub_cells()), world_.new_trace()),
         "what hubs hold");
  }

  // ---- the case

  smki::Actor actor(const std::string& name) const {
    for (const smki::Person& person : platform_->office().people()) {
      if (person.name == name) return {person.id, "rehearsal"};
    }
    throw Fault("nobody is called " + name);
  }
  std::optional<Case> current() const {
    const std::vector<Case> all = recovery::cases(platform_->store());
    return all.empty() ? std::nullopt : std::optional(all.front());
  }
  Case take(recovery::CaseNumber number, const std::string& event, const std::string& evidence,
            const std::string& who) {
    return must(platform_->recovery().step(number, event, evidence, actor(who), world_.new_trace()),
                event);
  }

  // One step further; whether the case is closed.
  bool step_case() {
    const std::optional<Case> one = current();
    if (!one) {
      console_.step("Notice", [this] { return report(); });
    } else if (one->state == "reported") {
      console_.step("Confirmation", [&] { return confirm(*one); });
    } else if (one->state == "confirmed") {
      console_.step("Radius and method", [&] { return choose(*one); });
    } else if (one->state == "method-chosen") {
      console_.step("PMA", [&] { return decide(*one); });
    } else if (one->state == "decided") {
      console_.step("Custodians", [&] { return assemble(*one); });
    } else if (one->state == "assembled") {
      must(platform_->recovery().execute(one->number, "all approvals are there", envelope(),
                                         actor("Ada Moss"), world_.new_trace()),
           "the execution");
    } else if (one->state == "executing") {
      console_.step("Execution", [&] { return execute(*one); });
    } else if (one->state == "verifying") {
      console_.step("Verification", [&] { return close(*one); });
    }
    return one && one->ended();
  }

  std::string report() {
    recovery::Notice notice;
    notice.compromise = contingency() ? "root-authority" : "failed-supplier";
    if (!contingency()) notice.party = kFailed;
    notice.evidence = contingency() ? "a copy of the root's private key was offered for sale"
                                    : "Birch is appointed Supplier of Last Resort; Alder answers "
                                      "no more";
    const Case made = must(
        platform_->recovery().report(notice, actor("Cara Lind"), world_.new_trace()), "the notice");
    return fmt::format("case {}, {}", made.number, notice.compromise);
  }

  std::string confirm(const Case& one) {
    if (!one.takers.contains("acknowledge"))
      take(one.number, "acknowledge", "Parties concerned and the PMA were told", "Cara Lind");
    take(one.number, "confirm", "checked by telephone with the Authority", "Dan Holt");
    return "acknowledged, and confirmed by somebody else than who reported it";
  }

  std::string choose(const Case& one) {
    if (contingency()) console_.line(succeed_root());
    const recovery::Radius radius =
        platform_->recovery().radius(platform_->recovery().reach_of(one));
    console_.line(fmt::format("{} devices hold what it is about, {} are away, {:.1f} hours",
                              with_thousands(radius.devices), radius.away, radius.hours));
    for (const auto& [slot, devices] : radius.by_slot)
      console_.line(fmt::format("{:<28} {:>10}", slot, with_thousands(devices)));
    recovery::Choice choice;
    choice.method = options_.method;
    choice.evidence = "guidance of the PMA on recovery keys";
    if (options_.method == "method-3") {
      choice.beneficiary = kLastResort;
      choice.certificates[{supplier, kAgree, true}] =
          must(recovery_serial(of_party(kLastResort, kAgree, 1)), "a certificate");
    }
    const Case made = must(
        platform_->recovery().choose(one.number, choice, actor("Ada Moss"), world_.new_trace()),
        "the method");
    return fmt::format("{}, order {}", made.method, to_hex(made.order).substr(0, 16));
  }
  static Result<CertificateSerial> recovery_serial(const Bytes& der) {
    TRY_ASSIGN(const x509::Certificate read, x509::parse_certificate(der));
    return read.serial;
  }

  std::string decide(const Case& one) {
    const recovery::DecisionId decision =
        pma_.resolve(contingency() ? "use-contingency-key" : "use-recovery-key",
                     recovery::subject_of(one.number));
    must(platform_->recovery().decide(one.number, decision, actor("Cara Lind"), world_.new_trace()),
         "the decision");
    return fmt::format("decision {}: {}", decision, pma_.votes());
  }

  std::string assemble(const Case& one) {
    smki::Office& office = platform_->office();
    std::optional<smki::Act> act;
    for (const smki::Act& known : office.acts(std::nullopt)) {
      if (known.kind == "order-recovery" &&
          json::parse(known.payload).value("order", "") == to_hex(one.order))
        act = known;
    }
    if (!act) {
      const smki::ActId id = must(
          office.propose("order-recovery",
                         {{"case", std::to_string(one.number)},
                          {"order", to_hex(one.order)},
                          {"reason", "decision " + std::to_string(one.decision) + " of the PMA"}},
                         actor("Ada Moss"), world_.new_trace()),
          "the custodians' act");
      act = must(office.act(id), "the act");
    }
    for (const char* name : {"Ben Reed", "Cara Lind", "Gil Ashe", "Hana Birk", "Ivor Cole"}) {
      const smki::Actor who = actor(name);
      if (act->state != smki::ActState::open) break;
      if (std::ranges::find(act->approvers, who.person) == act->approvers.end())
        must(office.approve(act->id, who, world_.new_trace()), std::string("approval of ") + name);
      act = must(office.act(act->id), "the act");
    }
    must(
        platform_->recovery().assemble(one.number, act->id, actor("Cara Lind"), world_.new_trace()),
        "the custodians");
    return fmt::format("act {}: proposed by one, approved by {}", act->id, act->approvers.size());
  }

  Bytes envelope() const {
    if (!contingency()) return {};
    return from_hex(read_if_there(options_.folder / "envelope")).value_or(Bytes());
  }

  std::string execute(const Case& one) {
    recovery::Recovery& run = platform_->recovery();
    if (run.waits_for_envelope(one.number))
      must(run.open_envelope(one.number, envelope()), "the envelope");
    std::int64_t next_minute = 60;
    recovery::Tally tally;
    for (;;) {
      tally = recovery::tally(platform_->store(), one.number);
      console_.progress(tally.recovered, tally.total());
      const Case now = must(recovery::find_case(platform_->store(), one.number), "the case");
      const std::int64_t seconds = world_.now() - now.executing_since;
      if (seconds >= next_minute) {
        console_.line(fmt::format("minute {}: {} recovered, {} wait, {} to come", seconds / 60,
                                  with_thousands(tally.recovered), tally.waiting + tally.sent,
                                  with_thousands(tally.enlisted)));
        next_minute = 60 * (seconds / 60 + 1);
      }
      if (now.enlisted && tally.pending() == 0) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    take(one.number, "verify", "every device answered", "Cara Lind");
    return fmt::format("{} recovered, {} not", with_thousands(tally.recovered), tally.failed);
  }

  // What the devices themselves say, against what was ordered.
  std::string compare(const Case& one) {
    const recovery::Order order = recovery::find_order(platform_->store(), one.number).value();
    const std::uint64_t recovered = recovery::tally(platform_->store(), one.number).recovered;
    held_ = estate_->held();
    std::map<std::string, std::uint64_t> there;
    for (const recovery::Replacement& cell : order.cells) {
      const recovery::Installable wanted =
          must(recovery::read_installable(cell.certificate), "a certificate");
      there[text(cell.slot)] += held_[text(cell.slot)][to_hex_upper(wanted.held.key)];
    }
    std::uint64_t least = recovered;
    for (const auto& [slot, devices] : there) {
      // Not every kind of device has every cell.
      const bool on_all = contingency() ? slot == "root/DS" : true;
      if (on_all) least = std::min(least, devices);
    }
    must(least == recovered,
         fmt::format("{} devices to hold what was ordered; they say {}", recovered, least));
    return fmt::format("{} devices hold what was ordered, by their own word",
                       with_thousands(least));
  }

  std::string close(const Case& one) {
    const std::string said = compare(one);
    recovery::Note cost{one.number, 0, "cost-claimed", kLastResort, 125'000, "letters to customers",
                        0,          {}};
    if (!contingency() && recovery::notes(platform_->store(), one.number).empty()) {
      must(platform_->recovery().note(cost, actor("Cara Lind"), world_.new_trace()), "the claim");
      cost.kind = "cost-accepted";
      cost.text = "reasonable";
      must(platform_->recovery().note(cost, actor("Ben Reed"), world_.new_trace()), "the cost");
    }
    take(one.number, "close", said, "Ben Reed");
    return said;
  }

  // ---- after

  std::string prove(json& report) {
    const Case one = current().value();
    if (held_.empty()) held_ = estate_->held();  // an earlier life closed the case
    JournalSigner* const signer = must(platform_->journal_signer(), "the journal's key");
    const std::string note = signer->sign();
    replace_file(options_.folder / "journal.checkpoint", note);
    const storage::JournalHead head =
        must(storage::verify_journal(platform_->store()), "the journal's chain");
    const CheckpointReport checked =
        must(check_checkpoints(platform_->store(), signer->verifier(), note), "the checkpoints");
    report = recovery::report_json(platform_->store(), one, platform_->recovery().record_key());
    for (const json& step : report.at("steps"))
      must(step.at("signed").get<bool>(), "every step signed: " + step.dump());
    json parts = json::array();
    for (const StepRecord& step : console_.steps())
      parts.push_back({{"part", step.name}, {"seconds", step.seconds}, {"outcome", step.outcome}});
    report["rehearsal"] = {{"parts", std::move(parts)},
                           {"held", held_},
                           {"facts", head.next - 1},
                           {"chain", to_hex(head.chain)},
                           {"checkpoints", checked.checkpoints},
                           {"facts_signed", checked.covered}};
    replace_file(options_.folder / "report.json", report.dump(2) + "\n");
    write_plot(one);
    return fmt::format("{} facts, the chain holds, {} checkpoints agree",
                       with_thousands(head.next - 1), checked.checkpoints);
  }

  void write_plot(const Case& one) {
    const recovery::RunReport run = recovery::read_run(platform_->store(), one, kPlotSeconds);
    std::string rows = "# seconds\tsent\trecovered\tunanswered\tfailed\n";
    std::uint64_t most = 1;
    for (const recovery::Minute& row : run.minutes) {
      rows += fmt::format("{}\t{}\t{}\t{}\t{}\n", row.minute * kPlotSeconds, row.sent,
                          row.recovered, row.unanswered, row.failed);
      most = std::max(most, row.recovered);
    }
    replace_file(options_.folder / "plot.tsv", rows);
    for (const recovery::Minute& row : run.minutes)
      console_.line(fmt::format("{:>5} s {:<{}} {:>7} {:>5} away", row.minute * kPlotSeconds,
                                std::string(row.recovered * kPlotWidth / most, '#'), kPlotWidth,
                                row.recovered, row.unanswered));
  }

  const World& world_;
  const RehearsalOptions options_;
  Console console_;
  RehearsedPma pma_;
  std::unique_ptr<Estate> estate_;
  std::unique_ptr<Platform> platform_;
  std::map<std::string, std::map<std::string, std::uint64_t>> held_;
  int next_key_ = 0;
};

}  // namespace

json rehearse(const World& world, const RehearsalOptions& options, bool quiet) {
  log::set_level(log::Level::error);
  // A rehearsal that came to its end let its estate go; its report stands.
  if (!Estate::find(options.folder / "estate")) {
    json before = json::parse(read_if_there(options.folder / "report.json"), nullptr, false);
    if (before.is_object()) return before;
  }
  return Rehearsal(world, options, quiet).run();
}

}  // namespace wattseal::apps
