#include "emulators/device.h"

#include <algorithm>

#include "base/fault.h"
#include "emulators/meter.h"
#include "emulators/objects.h"
#include "emulators/trust.h"
#include "gbcs/security.h"
#include "gbcs/utrn.h"

namespace wattseal::emulators {
namespace {

using gbcs::Message;

// Message codes of alerts. Source: spec/gbcs-duis.md 2.6.
constexpr gbcs::MessageCode kCriticalAlert{0x1000}, kFutureDatedDlms{0x00CC},
    kFutureDatedAsn1{0x00CB}, kCommandNotSupported{0x0120};
constexpr std::uint16_t kSuccessfullyActioned = 0x8F66, kNotSupported = 0x8F85;
constexpr std::uint16_t kFirstUpdateCode = 0x0102, kLastUpdateCode = 0x0109;
constexpr std::size_t kSecurityLogMax = 1000;
constexpr std::uint64_t kPoundInMillipence = 100'000, kPennyInMillipence = 1000;

// The use case table names roles for most; where it has none, who may ask for the service request
// may send its command.
bool may_send(const UseCaseRow& row, RemotePartyRole role) {
  const auto names = [&row](std::string_view wanted) {
    return row.roles.find(wanted) != std::string_view::npos;
  };
  const ServiceRequestRow* const service =
      row.roles == "-" ? find_service_request(row.variant) : nullptr;
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
      return names("Access Control Broker") ||
             (row.roles == "-" && row.protection_class == "dcc-signed");
    case RemotePartyRole::load_controller: return names("Load Controller");
    default: return false;
  }
}

bool is_update(const Message& message) {
  return message.code.number() >= kFirstUpdateCode && message.code.number() <= kLastUpdateCode;
}

Bytes cosem_time(UtcTime now, DeviceType type) {
  cosem::DateTime time = cosem::DateTime::from_utc(now);
  if (type == DeviceType::gpf)
    time.status = 0;  // the proxy says that the clock is reliable; spec/gbcs-duis.md 1.4
  return time.encode();
}

std::uint16_t alert_number(std::string_view hex) {
  return static_cast<std::uint16_t>(get_be(from_hex(hex).value()));
}

}  // namespace

struct EmulatedDevice::State {
  const World& world;
  DeviceIdentity identity;
  TrustStore trust;
  ElectricityObjects electricity;
  GasObjects gas;
  Meter meter = {};
  std::map<Eui64, OriginatorCounter> last_counters = {};
  std::uint64_t next_alert = 0;
  std::vector<SecurityLogEntry> log = {};
  struct Later {
    UtcTime at;
    Message command;
    std::optional<Dated> change;  // nothing: a security credentials update
  };
  std::vector<Later> later = {};
  std::map<Bytes, crypto::SharedSecret> secrets = {};  // by the peer's point

  bool speaks_dlms() const { return identity.type == DeviceType::esme; }

  const crypto::SharedSecret& secret_with(const crypto::PublicPoint& peer) {
    const auto [found, is_new] = secrets.try_emplace(to_bytes(peer));
    if (is_new) found->second = identity.agreement->agree(peer);
    return found->second;
  }

  // ---- what is sent

  Bytes sign_and_encode(Message message) {
    gbcs::sign(message, *identity.signing);
    return gbcs::encode(message);
  }

  std::optional<Eui64> alert_recipient() const {
    for (const Cell& cell :
         {Cell{RemotePartyRole::supplier, KeyUse::digital_signature, false},
          Cell{RemotePartyRole::access_control_broker, KeyUse::key_agreement, false}}) {
      if (const Credential* found = trust.find(cell)) return found->party;
    }
    return std::nullopt;
  }

  Bytes alert(gbcs::MessageCode code, std::uint16_t alert_code, Eui64 recipient,
              const std::optional<Bytes>& detail) {
    Message message;
    message.cra = gbcs::Cra::alert;
    message.originator = identity.id;
    message.target = recipient;
    message.code = code;
    // A counter of its own that a restart does not turn back.
    next_alert =
        std::max(next_alert + 1, static_cast<std::uint64_t>(world.now().unix_seconds()) << 16);
    message.counter = OriginatorCounter(next_alert);
    const UtcTime now = world.now();
    if (speaks_dlms()) {
      cosem::DataNotification notification;
      std::vector<cosem::Value> parts{cosem::Value::u16(alert_code),
                                      cosem::Value::octets(cosem_time(now, identity.type))};
      if (detail) parts.push_back(cosem::Value::octets(*detail));
      notification.body = cosem::Value::structure(std::move(parts));
      message.payload = cosem::encode(notification);
    } else {
      const Result<std::uint32_t> seconds = zcl::seconds_since_2000(now);
      zcl::Alert generic{0, alert_code, seconds.ok() ? *seconds : zcl::kNever, {}};
      if (detail) {
        generic.rest.push_back(static_cast<Octet>(detail->size()));
        append(generic.rest, *detail);
      }
      message.payload = zcl::encode(generic);
    }
    return sign_and_encode(std::move(message));
  }

  Message response_to(const Message& command, Bytes payload, bool with_time) const {
    Message response;
    response.cra = gbcs::Cra::response;
    response.originator = identity.id;
    response.target = command.originator;
    response.counter = command.counter;
    response.code = command.code;
    response.supplementary_party = command.supplementary_party;
    response.supplementary_counter = command.supplementary_counter;
    response.supplementary_originator_counter = command.supplementary_originator_counter;
    if (with_time) response.date_time = cosem_time(world.now(), identity.type);
    response.payload = std::move(payload);
    return response;
  }

  // ---- what is checked

  // Top-ups count by themselves: the token carries the low bits of their counter.
  static bool is_top_up(const UseCaseRow& row) { return row.use_case.starts_with("CS01"); }

  Status check_counter(const Message& command, const UseCaseRow& row) const {
    if (is_top_up(row)) return {};
    const auto last = last_counters.find(command.originator);
    if (!row.replay_protected || last == last_counters.end() || command.counter > last->second)
      return {};
    return Refusal{"device-counter"_rule,
                   "counter " + std::to_string(command.counter.number()) + ", last " +
                       std::to_string(last->second.number()),
                   "counter"};
  }

  Status check_protection(const Message& command, const UseCaseRow& row, RemotePartyRole role) {
    if (row.protection_class != "signed, no MAC") {
      const Credential* const broker =
          trust.of_role(RemotePartyRole::access_control_broker, KeyUse::key_agreement);
      if (!broker)
        return Refusal{"gbcs-mac-missing"_rule,
                       "the device has no access control broker to check the MAC with", "mac"};
      TRY(gbcs::verify_mac(command, secret_with(broker->certificate.key)));
    }
    if (row.protection_class == "non-critical") return {};
    const Credential* const signer = trust.of_role(role, KeyUse::digital_signature);
    if (!signer || signer->party != command.originator)
      return Refusal{"gbcs-signature-mismatch"_rule,
                     "no signing credential of the originator is installed", "signature"};
    return gbcs::verify_signature(command, signer->certificate.key);
  }

  struct Accepted {
    const UseCaseRow* row = nullptr;
    RemotePartyRole role = RemotePartyRole::supplier;
  };
  Result<Accepted> check(const Message& command) {
    if (command.target != identity.id)
      return Refusal{"device-not-target"_rule, "it is for " + command.target.text(), "target"};
    if (command.cra != gbcs::Cra::command)
      return Refusal{"device-not-command"_rule,
                     "CRA is " + std::to_string(static_cast<int>(command.cra)), "cra"};
    const UseCaseRow* const row = find_use_case(command.code.number(), identity.type);
    if (!row)
      return Refusal{"device-code"_rule, "message code " + command.code.text(), "message code"};
    const std::optional<RemotePartyRole> role = trust.role_of(command.originator);
    if (!role)
      return Refusal{"device-originator"_rule, command.originator.text() + " is in no cell",
                     "originator"};
    if (!may_send(*row, *role))
      return Refusal{"device-role"_rule,
                     std::string(name(*role)) + " may not send " + std::string(row->use_case),
                     "originator"};
    TRY(check_counter(command, *row));
    TRY(check_protection(command, *row, *role));
    return Accepted{row, *role};
  }

  // ---- what is done

  struct Reader {
    Eui64 party;
    const crypto::SharedSecret* secret = nullptr;  // null: nobody to seal for
  };
  Result<Reader> reader_of(const Message& command, RemotePartyRole role) {
    if (!command.supplementary_certificate.empty()) {
      TRY_ASSIGN(const Credential credential,
                 trust.check_travelling(command.supplementary_certificate, world.now()));
      return Reader{credential.party, &secret_with(credential.certificate.key)};
    }
    const Credential* const known = trust.of_role(role, KeyUse::key_agreement);
    if (!known || known->party != command.originator) return Reader{command.originator, nullptr};
    return Reader{command.originator, &secret_with(known->certificate.key)};
  }

  Result<OriginatorCounter> check_top_up(const Message& command, std::string_view digits) {
    const Credential* const supplier =
        trust.find({RemotePartyRole::supplier, KeyUse::key_agreement, true});
    if (!supplier)
      return Refusal{"utrn-mac-mismatch"_rule, "the device has no prepayment credential"};
    TRY_ASSIGN(const gbcs::UtrnFields fields, gbcs::parse_utrn(digits));
    TRY_ASSIGN(const OriginatorCounter counter,
               gbcs::verify_utrn(secret_with(supplier->certificate.key), command.originator,
                                 identity.id, meter.last_top_up, digits));
    const std::uint64_t unit =
        fields.unit == gbcs::UtrnUnit::pounds ? kPoundInMillipence : kPennyInMillipence;
    meter.balance_millipence += static_cast<std::int64_t>(fields.value * unit);
    return counter;
  }

  Result<Bytes> execute(const Message& command, const Accepted& accepted) {
    if (is_update(command)) return update_credentials(command, accepted.role);
    TRY_ASSIGN(const Reader reader, reader_of(command, accepted.role));
    const gbcs::AttributeRecipient recipient =
        gbcs::attribute_recipient(response_to(command, {}, false));
    Duties duties{world.now(), identity.id, reader.party, recipient.counter, {}, {}};
    duties.seal = [&](BytesView plain) {
      return reader.secret ? gbcs::seal_attribute(*reader.secret, identity.id, recipient.counter,
                                                  recipient.party, plain)
                           : Bytes();
    };
    duties.check_top_up = [&](std::string_view digits) { return check_top_up(command, digits); };
    if (speaks_dlms()) {
      TRY_ASSIGN(const cosem::AccessRequest request, cosem::decode_access_request(command.payload));
      const cosem::AccessResponse response = electricity.execute(request, meter, duties);
      if (electricity.take_cancelled())
        std::erase_if(later, [](const Later& one) { return one.change.has_value(); });
      for (const Dated& change : electricity.take_dated())
        later.push_back({change.at, command, change});
      return cosem::encode(response);
    }
    TRY_ASSIGN(const std::vector<zcl::Component> components, zcl::decode(command.payload));
    return zcl::encode(gas.execute(components, meter, duties));
  }

  Result<Bytes> update_credentials(const Message& command, RemotePartyRole role) {
    TRY_ASSIGN(TrustStore::Outcome outcome, trust.update(command, role, world.now(), false));
    if (outcome.execute_at) later.push_back({*outcome.execute_at, command, std::nullopt});
    adopt(outcome);
    return std::move(outcome.payload);
  }

  // The same party's counter never goes back: a floor below what was seen would let old commands in
  // again.
  void adopt(const TrustStore::Outcome& outcome) {
    for (const auto& [party, floor] : outcome.floors)
      last_counters[party] = std::max(last_counters[party], floor);
    if (outcome.prepayment_floor)
      meter.last_top_up = std::max(meter.last_top_up, *outcome.prepayment_floor);
  }

  void note(const Refusal& refusal) {
    if (log.size() == kSecurityLogMax) log.erase(log.begin());
    log.push_back({world.now(), std::string(refusal.rule.text()), refusal.detail});
  }

  std::vector<Bytes> refuse(const Refusal& refusal, const Message* command) {
    note(refusal);
    const std::optional<Eui64> recipient = alert_recipient();
    if (!recipient) return {};
    if (command && refusal.rule == "device-code"_rule) {
      Bytes detail;
      put_be(detail, command->code.number());
      put_be(detail, command->counter.number());
      return {alert(kCommandNotSupported, kNotSupported, *recipient, detail)};
    }
    const AlertRow* const row = find_alert(refusal.rule.text());
    if (!row) return {};
    return {alert(kCriticalAlert, alert_number(row->alert_code), *recipient, std::nullopt)};
  }

  std::vector<Bytes> receive(BytesView octets) {
    const Result<Message> command = gbcs::decode(octets);
    if (!command.ok()) {
      note(command.refusal());
      return {};
    }
    const Result<Accepted> accepted = check(*command);
    if (!accepted.ok()) return refuse(accepted.refusal(), &*command);
    if (accepted->row->replay_protected && !is_top_up(*accepted->row))
      last_counters[command->originator] = command->counter;
    Result<Bytes> payload = execute(*command, *accepted);
    if (!payload.ok()) {
      note(payload.refusal());
      return {};
    }
    Message response = response_to(*command, std::move(*payload), accepted->row->response_has_time);
    if (accepted->row->response_signed) return {sign_and_encode(std::move(response))};
    const Credential* const business = trust.of_role(accepted->role, KeyUse::key_agreement);
    if (!business) {
      note({"device-originator"_rule,
            "the originator has no key agreement credential to answer with"});
      return {};
    }
    gbcs::add_mac(response, secret_with(business->certificate.key));
    return {gbcs::encode(response)};
  }

  std::vector<Bytes> carry_out(const Later& due) {
    if (!due.change) {
      const std::optional<RemotePartyRole> role = trust.role_of(due.command.originator);
      if (!role) return {};
      Result<TrustStore::Outcome> outcome = trust.update(due.command, *role, world.now(), true);
      if (!outcome.ok()) return {};
      adopt(*outcome);
      return {update_alert(due.command, outcome->payload)};
    }
    electricity.activate(meter);
    Bytes detail;
    put_be(detail, due.command.code.number());
    put_be(detail, due.command.counter.number());
    put_be(detail, due.change->class_id);
    append(detail, due.change->object.octets);
    detail.push_back(due.change->attribute);
    return {alert(kFutureDatedDlms, kSuccessfullyActioned, due.command.originator, detail)};
  }

  // S{ i 8F66, t, S{ counter, mode, floors, outcomes } }: the last part is that of the immediate
  // response.
  Bytes update_alert(const Message& command, BytesView outcome) {
    Message message = response_to(command, {}, false);
    message.cra = gbcs::Cra::alert;
    message.code = kFutureDatedAsn1;
    next_alert =
        std::max(next_alert + 1, static_cast<std::uint64_t>(world.now().unix_seconds()) << 16);
    message.counter = OriginatorCounter(next_alert);
    asn1::Reader reader(outcome);
    Result<asn1::Reader> parts = reader.enter(asn1::kSequence);
    CHECK(parts.ok() && parts->expect(asn1::kNull).ok());
    const Result<asn1::Tlv> executed = parts->expect(asn1::kSequence);
    CHECK(executed.ok());
    asn1::Writer writer;
    writer.constructed(asn1::kSequence, [&] {
      writer.unsigned_integer(kSuccessfullyActioned);
      writer.generalized_time(world.now());
      writer.raw(executed->whole);
    });
    message.payload = writer.take();
    return sign_and_encode(std::move(message));
  }
};

EmulatedDevice::EmulatedDevice(std::unique_ptr<State> state) : state_(std::move(state)) {}
EmulatedDevice::~EmulatedDevice() = default;

Result<std::unique_ptr<EmulatedDevice>> EmulatedDevice::make(const World& world,
                                                             DeviceIdentity identity) {
  TRY_ASSIGN(TrustStore trust, TrustStore::make(identity.anchors, identity.cells, world.now()));
  const std::string_view type = text(identity.type);
  return std::unique_ptr<EmulatedDevice>(new EmulatedDevice(std::unique_ptr<State>(new State{
      world, std::move(identity), std::move(trust), ElectricityObjects(type), GasObjects(type)})));
}

Eui64 EmulatedDevice::id() const { return state_->identity.id; }
DeviceType EmulatedDevice::type() const { return state_->identity.type; }
std::vector<Bytes> EmulatedDevice::receive(BytesView message) { return state_->receive(message); }
const std::vector<SecurityLogEntry>& EmulatedDevice::security_log() const { return state_->log; }

std::vector<Bytes> EmulatedDevice::tick() {
  std::vector<Bytes> sent;
  const UtcTime now = state_->world.now();
  std::vector<State::Later> due;
  std::erase_if(state_->later, [&](const State::Later& one) {
    if (one.at > now) return false;
    due.push_back(one);
    return true;
  });
  for (const State::Later& one : due) {
    for (Bytes& message : state_->carry_out(one)) sent.push_back(std::move(message));
  }
  return sent;
}

EmulatedDevice::Display EmulatedDevice::display() const {
  return {state_->meter.payment_mode, state_->meter.import_units, state_->meter.balance_millipence};
}
void EmulatedDevice::consume(std::uint64_t watt_hours_or_litres) {
  state_->meter.import_units += watt_hours_or_litres;
}

}  // namespace wattseal::emulators
