#include "emulators/device.h"

#include <algorithm>

#include "base/fault.h"
#include "emulators/state.h"
#include "gbcs/utrn.h"

namespace wattseal::emulators {
namespace {

using gbcs::Message;

constexpr gbcs::MessageCode kCriticalAlert{0x1000}, kCommandNotSupported{0x0120};
constexpr std::uint16_t kNotSupported = 0x8F85, kContingencyUpdate = 0x0109;
constexpr std::size_t kSecurityLogMax = 1000, kImageOctetsMax = 1 << 20;
constexpr std::uint64_t kPoundInMillipence = 100'000, kPennyInMillipence = 1000;
constexpr std::int64_t kUnreliableSeconds = 10;  // more and the clock is not believed
constexpr Octet kClockDoubtful = 0x02;

// The use case table names roles for most; where it has none, who may ask for the service request
// may send its command.
bool may_send(const UseCaseRow& row, RemotePartyRole role) {
  const auto names = [&row](std::string_view wanted) {
    return row.roles.find(wanted) != std::string_view::npos;
  };
  const bool open = row.roles == "-" || row.roles == "(none)";
  const ServiceRequestRow* const service = open ? find_service_request(row.variant) : nullptr;
  const auto eligible = [service](std::initializer_list<UserRole> users) {
    return service && std::ranges::any_of(
                          users, [service](UserRole user) { return service->allows_role(user); });
  };
  switch (role) {
    case RemotePartyRole::supplier:
      return names("Supplier") || row.roles == "See GBCS" ||
             eligible(
                 {UserRole::import_supplier, UserRole::gas_supplier, UserRole::export_supplier});
    case RemotePartyRole::network_operator:
      return names("Network Operator") ||
             eligible({UserRole::electricity_distributor, UserRole::gas_transporter});
    case RemotePartyRole::access_control_broker:
      return names("Access Control Broker") || (open && row.protection_class != "critical");
    case RemotePartyRole::load_controller: return names("Load Controller");
    default: return false;
  }
}

// Top-ups count by themselves: the token carries the low bits of their counter.
bool is_top_up(const UseCaseRow& row) { return row.use_case.starts_with("CS01"); }

}  // namespace

EmulatedDevice::State::State(const World& outside, DeviceIdentity who, const Misbehaviour& wrong)
    : world(outside),
      identity(std::move(who)),
      trust(identity.anchors),
      electricity(model_of(identity.type, identity.variant)),
      gas(model_of(identity.type, identity.variant)),
      meter(outside.now()),
      misbehaviour(wrong),
      clock_set(outside.now()) {
  meter.joined = std::move(identity.joined);
}

// The device's own clock, which may gain or lose.
UtcTime EmulatedDevice::State::now() const {
  const UtcTime right = world.now();
  return right.plus_seconds((right - clock_set) * misbehaviour.drift_per_million / 1'000'000);
}

bool EmulatedDevice::State::speaks_dlms() const {
  return identity.type == DeviceType::esme || identity.type == DeviceType::chf ||
         identity.type == DeviceType::sapc;
}

const crypto::SharedSecret& EmulatedDevice::State::secret_with(const crypto::PublicPoint& peer) {
  const auto [found, is_new] = secrets.try_emplace(to_bytes(peer));
  if (is_new) found->second = identity.agreement->agree(peer);
  return found->second;
}

bool EmulatedDevice::State::happens(unsigned per_cent) const {
  if (per_cent == 0 || per_cent >= 100) return per_cent != 0;
  std::array<Octet, 2> drawn{};
  world.random.fill(drawn);
  return (drawn[0] << 8 | drawn[1]) % 100u < per_cent;
}

Message EmulatedDevice::State::response_to(const Message& command, Bytes payload,
                                           bool with_time) const {
  Message response;
  response.cra = gbcs::Cra::response;
  response.originator = identity.id;
  response.target = command.originator;
  response.counter = command.counter;
  response.code = command.code;
  response.supplementary_party = command.supplementary_party;
  response.supplementary_counter = command.supplementary_counter;
  response.supplementary_originator_counter = command.supplementary_originator_counter;
  if (with_time) {
    cosem::DateTime time = cosem::DateTime::from_utc(now());
    // The proxy says that the clock is reliable; spec/gbcs-duis.md 1.4.
    if (identity.type == DeviceType::gpf) time.status = 0;
    if (std::abs(now() - world.now()) > kUnreliableSeconds) time.status = kClockDoubtful;
    response.date_time = time.encode();
  }
  response.payload = std::move(payload);
  return response;
}

// ---- what is checked

// Security commands are the same for every type; a controller that stands alone is asked as a meter
// is, and the proxy shows what the gas meter logs.
const UseCaseRow* EmulatedDevice::State::use_case_of(const Message& command) const {
  const std::uint16_t code = command.code.number();
  if (const UseCaseRow* const row = find_use_case(code, identity.type)) return row;
  const UseCaseRow* const any = find_use_case(code, std::nullopt);
  if (any && any->use_case.starts_with("CS") &&
      any->payload.find("ASN.1") != std::string_view::npos)
    return any;
  if (identity.type == DeviceType::sapc) return find_use_case(code, DeviceType::esme);
  if (identity.type == DeviceType::gpf) {
    const UseCaseRow* const mirrored = find_use_case(code, DeviceType::gsme);
    if (mirrored && mirrored->protection_class == "non-critical" && !mirrored->replay_protected)
      return mirrored;
  }
  return nullptr;
}

// A party may stand in the cells of several roles: the one that may send this is meant.
Result<RemotePartyRole> EmulatedDevice::State::role_for(const Message& command,
                                                        const UseCaseRow& row) const {
  if (command.code.number() == kContingencyUpdate) return RemotePartyRole::root;
  const std::vector<RemotePartyRole> roles = trust->roles_of(command.originator);
  if (roles.empty())
    return Refusal{"device-originator"_rule, command.originator.text() + " is in no cell",
                   "originator"};
  const std::optional<RemotePartyRole> authoriser =
      TrustStore::authoriser_of(command.code.number());
  for (const RemotePartyRole role : roles) {
    // The broker asks for parties that the device does not know.
    const bool on_behalf = role == RemotePartyRole::access_control_broker &&
                           command.supplementary_party && row.protection_class == "non-critical";
    if (authoriser ? role == *authoriser : may_send(row, role) || on_behalf) return role;
  }
  return Refusal{"device-role"_rule,
                 std::string(name(roles.front())) + " may not send " + std::string(row.use_case),
                 "originator"};
}

Status EmulatedDevice::State::check_counter(const Message& command, const UseCaseRow& row) const {
  if (is_top_up(row)) return {};
  const auto last = last_counters.find(command.originator);
  if (!row.replay_protected || last == last_counters.end() || command.counter > last->second)
    return {};
  return Refusal{"device-counter"_rule,
                 "counter " + std::to_string(command.counter.number()) + ", last " +
                     std::to_string(last->second.number()),
                 "counter"};
}

Status EmulatedDevice::State::check_protection(const Message& command, const UseCaseRow& row,
                                               RemotePartyRole role) {
  if (command.code.number() == kContingencyUpdate) {
    TRY_ASSIGN(const crypto::PublicPoint last_resort, trust->contingency_key(command.payload));
    return gbcs::verify_signature(command, last_resort);
  }
  if (row.protection_class != "signed, no MAC") {
    const Credential* const broker =
        trust->of_role(RemotePartyRole::access_control_broker, KeyUse::key_agreement);
    if (!broker)
      return Refusal{"gbcs-mac-missing"_rule,
                     "the device has no access control broker to check the MAC with", "mac"};
    TRY(gbcs::verify_mac(command, secret_with(broker->certificate.key)));
  }
  if (row.protection_class == "non-critical") return {};
  const Credential* const signer = trust->of_role(role, KeyUse::digital_signature);
  // The broker has a signing key on hubs only; elsewhere its MAC is all there is.
  if (!signer && role == RemotePartyRole::access_control_broker) return {};
  if (!signer || signer->party != command.originator)
    return Refusal{"gbcs-signature-mismatch"_rule,
                   "no signing credential of the originator is installed", "signature"};
  return gbcs::verify_signature(command, signer->certificate.key);
}

Result<EmulatedDevice::State::Accepted> EmulatedDevice::State::check(const Message& command) {
  if (command.target != identity.id)
    return Refusal{"device-not-target"_rule, "it is for " + command.target.text(), "target"};
  if (command.cra != gbcs::Cra::command)
    return Refusal{"device-not-command"_rule,
                   "CRA is " + std::to_string(static_cast<int>(command.cra)), "cra"};
  const UseCaseRow* const row = use_case_of(command);
  if (!row)
    return Refusal{"device-code"_rule, "message code " + command.code.text(), "message code"};
  TRY_ASSIGN(const RemotePartyRole role, role_for(command, *row));
  TRY(check_counter(command, *row));
  TRY(check_protection(command, *row, role));
  return Accepted{row, role};
}

// ---- what is done

Result<EmulatedDevice::State::Reader> EmulatedDevice::State::reader_of(const Message& command,
                                                                       RemotePartyRole role) {
  constexpr std::size_t kCounterOctets = 8;
  if (!command.supplementary_certificate.empty()) {
    // The certificate stands alone, or behind a counter.
    BytesView der = command.supplementary_certificate;
    if (der[0] != asn1::kSequence && der.size() > kCounterOctets) der = der.subspan(kCounterOctets);
    TRY_ASSIGN(const Credential credential, trust->check_travelling(der, world.now()));
    return Reader{credential.party, &secret_with(credential.certificate.key)};
  }
  const Credential* const known = trust->of_role(role, KeyUse::key_agreement);
  if (!known || known->party != command.originator) return Reader{command.originator, nullptr};
  return Reader{command.originator, &secret_with(known->certificate.key)};
}

Result<TopUp> EmulatedDevice::State::check_top_up(Eui64 supplier, std::string_view digits) {
  const Credential* const credential =
      trust->find({RemotePartyRole::supplier, KeyUse::key_agreement, true});
  if (!credential)
    return Refusal{"utrn-mac-mismatch"_rule, "the device has no prepayment credential"};
  TRY_ASSIGN(const gbcs::UtrnFields fields, gbcs::parse_utrn(digits));
  TRY_ASSIGN(const OriginatorCounter counter,
             gbcs::verify_utrn(secret_with(credential->certificate.key), supplier, identity.id,
                               meter.last_top_up, digits));
  const std::uint64_t unit =
      fields.unit == gbcs::UtrnUnit::pounds ? kPoundInMillipence : kPennyInMillipence;
  return TopUp{counter, static_cast<std::int64_t>(fields.value * unit)};
}

Result<Bytes> EmulatedDevice::State::execute(const Message& command, const Accepted& accepted) {
  if (std::optional<Result<Bytes>> done = execute_security(command, *accepted.row))
    return std::move(*done);
  TRY_ASSIGN(const Reader reader, reader_of(command, accepted.role));
  const gbcs::AttributeRecipient recipient =
      gbcs::attribute_recipient(response_to(command, {}, false));
  Duties duties{now(), identity.id, reader.party, recipient.counter, {}, {}, {}};
  duties.seal = [&](BytesView plain) {
    return reader.secret ? gbcs::seal_attribute(*reader.secret, identity.id, recipient.counter,
                                                recipient.party, plain)
                         : Bytes();
  };
  duties.check_top_up = [&](std::string_view digits) {
    return check_top_up(command.originator, digits);
  };
  duties.set_clock = [&](UtcTime wanted) { return adjust_clock(wanted); };
  Bytes payload;
  if (speaks_dlms()) {
    TRY_ASSIGN(const cosem::AccessRequest request, cosem::decode_access_request(command.payload));
    payload = cosem::encode(electricity.execute(request, meter, duties, dated));
  } else {
    TRY_ASSIGN(const std::vector<zcl::Component> components, zcl::decode(command.payload));
    TRY_ASSIGN(payload, zcl::encode(gas.execute(components, meter, duties, dated)));
  }
  for (const Dated& one : dated) dated_by.try_emplace(one.place, command);
  std::erase_if(dated_by, [&](const auto& entry) {
    return std::ranges::find(dated, entry.first, &Dated::place) == dated.end();
  });
  raise_events();
  return payload;
}

void EmulatedDevice::State::note(const Refusal& refusal) {
  if (log.size() == kSecurityLogMax) log.erase(log.begin());
  log.push_back({world.now(), std::string(refusal.rule.text()), refusal.detail});
}

std::vector<Bytes> EmulatedDevice::State::refuse(const Refusal& refusal, const Message* command) {
  note(refusal);
  const std::optional<Eui64> recipient = alert_recipient();
  if (!recipient) return {};
  if (command && refusal.rule == "device-code"_rule) {
    Bytes detail;
    put_be(detail, command->code.number());
    put_be(detail, command->counter.number());
    return {alert(kCommandNotSupported, kNotSupported, *recipient, octets_detail(detail))};
  }
  const AlertRow* const row = find_alert(refusal.rule.text());
  if (!row) return {};
  const std::uint16_t code = static_cast<std::uint16_t>(number_of(row->alert_code, 16));
  meter.history.write("security", {device_time(now()), {code}, {}});
  return {alert(kCriticalAlert, code, *recipient, {})};
}

std::vector<Bytes> EmulatedDevice::State::receive(BytesView octets) {
  if (happens(misbehaviour.deaf_per_cent)) return {};
  const Result<Message> command = gbcs::decode(octets);
  if (!command.ok()) {
    note(command.refusal());
    return {};
  }
  const Result<Accepted> accepted = check(*command);
  if (!accepted.ok()) return refuse(accepted.refusal(), &*command);
  if (accepted->row->replay_protected && !is_top_up(*accepted->row))
    last_counters[command->originator] = command->counter;
  // Whose keys answer is settled before they may change.
  Result<Bytes> payload = execute(*command, *accepted);
  if (!payload.ok()) {
    note(payload.refusal());
    return {};
  }
  return answer(*command, *accepted, std::move(*payload));
}

std::vector<Bytes> EmulatedDevice::State::answer(const Message& command, const Accepted& accepted,
                                                 Bytes payload) {
  Message response = response_to(command, std::move(payload), accepted.row->response_has_time);
  if (happens(misbehaviour.stale_per_cent) && response.counter.number() > 0)
    response.counter = OriginatorCounter(response.counter.number() - 1);
  if (accepted.row->response_signed) {
    gbcs::sign(response, *identity.signing);
    return leave(gbcs::encode(response));
  }
  const Credential* const business = trust->of_role(accepted.role, KeyUse::key_agreement);
  if (!business) {
    note({"device-originator"_rule,
          "the originator has no key agreement credential to answer with"});
    return {};
  }
  gbcs::add_mac(response, secret_with(business->certificate.key));
  return leave(gbcs::encode(response));
}

// The last octets of a message are its MAC or its signature.
std::vector<Bytes> EmulatedDevice::State::leave(Bytes message) {
  if (happens(misbehaviour.lost_per_cent)) return {};
  if (happens(misbehaviour.wrong_mac_per_cent)) message.back() ^= 0x01;
  std::vector<Bytes> out{message};
  if (happens(misbehaviour.twice_per_cent)) out.push_back(std::move(message));
  if (misbehaviour.slow_seconds == 0) return out;
  for (Bytes& one : out)
    delayed.emplace_back(world.now().plus_seconds(misbehaviour.slow_seconds), std::move(one));
  return {};
}

std::vector<Bytes> EmulatedDevice::State::tick() {
  const UtcTime time = now();
  std::vector<Bytes> sent = std::exchange(to_send, {});
  std::vector<Dated> due;
  std::erase_if(dated, [&](const Dated& one) {
    if (one.at > time) return false;
    due.push_back(one);
    return true;
  });
  std::ranges::stable_sort(due, {}, &Dated::at);
  for (const Dated& one : due) {
    for (Bytes& message : carry_out(one)) sent.push_back(std::move(message));
  }
  std::vector<Message> due_later;
  std::erase_if(later, [&](const auto& one) {
    if (one.first > time) return false;
    due_later.push_back(one.second);
    return true;
  });
  for (const Message& one : due_later) {
    for (Bytes& message : carry_out(one)) sent.push_back(std::move(message));
  }
  std::erase_if(delayed, [&](auto& one) {
    if (one.first > world.now()) return false;
    sent.push_back(std::move(one.second));
    return true;
  });
  if (identity.type == DeviceType::esme) electricity.advance(meter, time);
  if (identity.type == DeviceType::gsme) gas.advance(meter, time);
  for (unsigned i = 0; i < misbehaviour.storm_alerts; ++i) meter.events.push_back("storm");
  raise_events();
  for (Bytes& message : std::exchange(to_send, {})) sent.push_back(std::move(message));
  return sent;
}

// ---- the door

EmulatedDevice::EmulatedDevice(std::unique_ptr<State> state) : state_(std::move(state)) {}
EmulatedDevice::~EmulatedDevice() = default;

std::unique_ptr<EmulatedDevice> EmulatedDevice::make(const World& world, DeviceIdentity identity,
                                                     const Misbehaviour& misbehaviour) {
  CHECK(identity.anchors != nullptr && identity.signing && identity.agreement);
  return std::unique_ptr<EmulatedDevice>(
      new EmulatedDevice(std::make_unique<State>(world, std::move(identity), misbehaviour)));
}

Eui64 EmulatedDevice::id() const { return state_->identity.id; }
DeviceType EmulatedDevice::type() const { return state_->identity.type; }
std::vector<Bytes> EmulatedDevice::receive(BytesView message) { return state_->receive(message); }
std::vector<Bytes> EmulatedDevice::tick() { return state_->tick(); }
std::vector<SecurityLogEntry> EmulatedDevice::security_log() const { return state_->log; }
void EmulatedDevice::misbehave(const Misbehaviour& misbehaviour) {
  state_->misbehaviour = misbehaviour;
  state_->clock_set = state_->world.now();
}

std::vector<EmulatedDevice::HeldCredential> EmulatedDevice::credentials() const {
  return state_->trust->held();
}

EmulatedDevice::Display EmulatedDevice::display() const {
  const Meter& meter = state_->meter;
  const Account& account = meter.account;
  constexpr std::string_view kSupplies[] = {"enabled", "disabled", "armed"};
  return {
      account.prepayment ? "prepayment" : "credit",
      meter.import_units,
      account.balance,
      std::string(kSupplies[static_cast<std::size_t>(account.supply)]),
      account.emergency_left,
      account.accumulated_debt + account.time_debt[0] + account.time_debt[1] + account.payment_debt,
      to_hex(meter.firmware),
      meter.joined.size()};
}

void EmulatedDevice::consume(std::uint64_t watt_hours_or_litres) {
  if (state_->identity.type == DeviceType::esme)
    state_->electricity.consume(watt_hours_or_litres, state_->meter, state_->now());
  else if (state_->identity.type == DeviceType::gsme || state_->identity.type == DeviceType::gpf)
    state_->gas.consume(watt_hours_or_litres, state_->meter, state_->now());
  state_->raise_events();
}

Status EmulatedDevice::enter_top_up(std::string_view digits) {
  const Credential* const supplier =
      state_->trust->find({RemotePartyRole::supplier, KeyUse::key_agreement, true});
  if (!supplier)
    return Refusal{"utrn-mac-mismatch"_rule, "the device has no prepayment credential"};
  TRY_ASSIGN(const TopUp top_up, state_->check_top_up(supplier->party, digits));
  const bool electric = state_->identity.type == DeviceType::esme;
  state_->meter.last_top_up = top_up.counter;
  const Account::Events events =
      electric ? state_->electricity.add_credit(top_up.amount, digits, state_->meter, state_->now())
               : state_->gas.add_credit(top_up.amount, digits, state_->meter, state_->now());
  state_->meter.events.insert(state_->meter.events.end(), events.begin(), events.end());
  state_->raise_events();
  return {};
}

bool EmulatedDevice::press_enable() {
  Account& account = state_->meter.account;
  if (account.supply != Supply::armed) return false;
  account.supply = Supply::enabled;
  account.by_command = false;
  return true;
}

bool EmulatedDevice::activate_emergency() {
  return state_->identity.type == DeviceType::esme
             ? state_->electricity.use_emergency(state_->meter, state_->now())
             : state_->gas.use_emergency(state_->meter);
}

void EmulatedDevice::lose_power(std::int64_t seconds) {
  constexpr std::int64_t kLong = 180;
  const UtcTime lost = state_->now().plus_seconds(-seconds);
  state_->meter.history.write("power", {device_time(lost), {0x8002, seconds}, {}});
  state_->raise(seconds < kLong ? "power-restored" : "power-restored-long");
}

Status EmulatedDevice::take_firmware(BytesView image, const std::array<Octet, 4>& version) {
  if (image.empty() || image.size() > kImageOctetsMax)
    return Refusal{"device-firmware"_rule,
                   "the image has " + std::to_string(image.size()) + " octets", "image"};
  const crypto::Digest hash = crypto::sha256(image);
  state_->image = State::Image{hash, Bytes(version.begin(), version.end())};
  constexpr gbcs::MessageCode kReceivedDlms{0x00CE}, kReceivedGbz{0x00CF};
  constexpr std::uint16_t kVerified = 0x8F72;
  if (const std::optional<Eui64> recipient = state_->alert_recipient()) {
    const bool dlms = state_->speaks_dlms();
    State::AlertDetail detail{{cosem::Value::octets(hash)}, Bytes{9, 32}};
    append(detail.rest, hash);
    state_->to_send.push_back(
        state_->alert(dlms ? kReceivedDlms : kReceivedGbz, kVerified, *recipient, detail));
  }
  return {};
}

}  // namespace wattseal::emulators
