// What a device says unasked. Source: spec/gbcs-duis.md 2.6.
#include "emulators/state.h"

namespace wattseal::emulators {
namespace {

using cosem::Value;
using gbcs::Message;
using gbcs::MessageCode;

constexpr MessageCode kCritical{0x1000}, kNonCritical{0x1001}, kFutureDatedDlms{0x00CC},
    kFutureDatedGbz{0x00CD}, kFutureDatedFirmware{0x00CA}, kFutureDatedAsn1{0x00CB},
    kFutureDatedLoadController{0x0124}, kDeviceLogChanged{0x0018};
constexpr std::uint16_t kSuccessfullyActioned = 0x8F66, kFailed = 0x8F67;
constexpr std::uint16_t kUpdateByLoadController = 0x0125, kUpdateOfLoadController = 0x0126,
                        kActivateFirmware = 0x0012;

}  // namespace

// A counter of its own that a restart does not turn back.
OriginatorCounter EmulatedDevice::State::alert_counter() {
  next_alert =
      std::max(next_alert + 1, static_cast<std::uint64_t>(world.now().unix_seconds()) << 16);
  return OriginatorCounter(next_alert);
}

std::optional<Eui64> EmulatedDevice::State::alert_recipient() const {
  for (const Cell& cell :
       {Cell{RemotePartyRole::supplier, KeyUse::digital_signature, false},
        Cell{RemotePartyRole::access_control_broker, KeyUse::key_agreement, false}}) {
    if (const Credential* found = trust->find(cell)) return found->party;
  }
  return std::nullopt;
}

EmulatedDevice::State::AlertDetail EmulatedDevice::State::octets_detail(BytesView octets) const {
  AlertDetail detail;
  detail.values.push_back(Value::octets(octets));
  detail.rest.push_back(static_cast<Octet>(octets.size()));
  append(detail.rest, octets);
  return detail;
}

Bytes EmulatedDevice::State::alert(MessageCode code, std::uint16_t alert_code, Eui64 recipient,
                                   const AlertDetail& detail, bool is_signed) {
  Message message;
  message.cra = gbcs::Cra::alert;
  message.originator = identity.id;
  message.target = recipient;
  message.code = code;
  message.counter = alert_counter();
  if (speaks_dlms()) {
    cosem::DataNotification notification;
    std::vector<Value> parts{Value::u16(alert_code),
                             Value::octets(cosem::DateTime::from_utc(now()).encode())};
    parts.insert(parts.end(), detail.values.begin(), detail.values.end());
    notification.body = Value::structure(std::move(parts));
    message.payload = cosem::encode(notification);
  } else {
    message.payload = zcl::encode(zcl::Alert{0, alert_code, device_time(now()), detail.rest});
  }
  if (is_signed) {
    gbcs::sign(message, *identity.signing);
  } else {
    for (const RemotePartyRole role : trust->roles_of(recipient)) {
      const Credential* const reader = trust->of_role(role, KeyUse::key_agreement);
      if (!reader || reader->party != recipient) continue;
      gbcs::add_mac(message, secret_with(reader->certificate.key));
      break;
    }
  }
  return gbcs::encode(message);
}

void EmulatedDevice::State::raise(std::string_view event) {
  const AlertRow* const row = find_alert(event);
  const std::optional<Eui64> recipient = alert_recipient();
  if (!row || !recipient) return;
  const std::uint16_t code = static_cast<std::uint16_t>(number_of(row->alert_code, 16));
  meter.history.write("events", {device_time(now()), {code}, {}});
  const bool critical = row->critical == "yes";
  to_send.push_back(alert(critical ? kCritical : kNonCritical, code, *recipient, {}, critical));
}

Bytes EmulatedDevice::State::device_log_alert(Eui64 recipient) {
  constexpr std::uint16_t kChanged = 0x8F12;
  std::vector<Value> rows;
  for (const Joined& one : meter.joined)
    rows.push_back(
        Value::structure({Value::octets(one.device.octets()), Value::octets(one.key_hash)}));
  AlertDetail detail;
  detail.values.push_back(
      Value::structure({Value::octets(cosem::DateTime::from_utc(now()).encode()),
                        Value::octets(identity.id.octets()), Value::array(std::move(rows))}));
  return alert(kDeviceLogChanged, kChanged, recipient, detail);
}

void EmulatedDevice::State::raise_events() {
  for (const std::string_view event : std::exchange(meter.events, {})) {
    const std::optional<Eui64> recipient = alert_recipient();
    if (event == "device-log-changed") {
      if (recipient) to_send.push_back(device_log_alert(*recipient));
    } else {
      raise(event);
    }
  }
}

// A change of the meter's objects that a command dated.
std::vector<Bytes> EmulatedDevice::State::carry_out(const Dated& due) {
  const auto by = dated_by.find(due.place);
  CHECK(by != dated_by.end());
  const Message command = std::move(by->second);
  dated_by.erase(by);
  const bool dlms = std::holds_alternative<ObjectKey>(due.what);
  if (dlms)
    electricity.activate(std::get<ObjectKey>(due.what), meter, now());
  else
    gas.activate(std::get<zcl::Component>(due.what), meter, now());
  Bytes detail;
  put_be(detail, command.code.number());
  put_be(detail, command.counter.number());
  append(detail, due.place);
  meter.history.write("events", {device_time(now()), {kSuccessfullyActioned}, {}});
  return {alert(dlms ? kFutureDatedDlms : kFutureDatedGbz, kSuccessfullyActioned,
                command.originator, octets_detail(detail))};
}

// Credentials or firmware whose time has come.
std::vector<Bytes> EmulatedDevice::State::carry_out(const Message& due) {
  if (due.code.number() == kActivateFirmware) {
    const Result<Bytes> outcome = activate_firmware(due, true);
    CHECK(outcome.ok());  // it was read when it came
    asn1::Reader status(*outcome);
    Result<asn1::Reader> parts = status.enter(asn1::kSequence);
    const bool done = parts.ok() && parts->unsigned_integer().value() == 0;
    asn1::Writer writer;
    writer.constructed(asn1::kSequence, [&] {
      writer.unsigned_integer(done ? kSuccessfullyActioned : kFailed);
      writer.generalized_time(now());
      writer.unsigned_integer(due.counter.number());
      writer.raw(*outcome);
    });
    return {asn1_alert(due, kFutureDatedFirmware, writer.take())};
  }
  TrustStore changed = *trust;
  const Result<TrustStore::Outcome> outcome = changed.update(due, now(), true);
  if (!outcome.ok()) return {};
  trust = std::make_shared<const TrustStore>(std::move(changed));
  adopt(*outcome);
  return {update_alert(due, outcome->payload)};
}

Bytes EmulatedDevice::State::asn1_alert(const Message& command, MessageCode code, Bytes payload) {
  Message message = response_to(command, {}, false);
  message.cra = gbcs::Cra::alert;
  message.code = code;
  message.counter = alert_counter();
  message.payload = std::move(payload);
  gbcs::sign(message, *identity.signing);
  return gbcs::encode(message);
}

// S{ i 8F66, t, S{ counter, mode, floors, outcomes } }: the last part is that of the immediate
// response.
Bytes EmulatedDevice::State::update_alert(const Message& command, BytesView outcome) {
  asn1::Reader reader(outcome);
  Result<asn1::Reader> parts = reader.enter(asn1::kSequence);
  CHECK(parts.ok() && parts->expect(asn1::kNull).ok());
  const Result<asn1::Tlv> executed = parts->expect(asn1::kSequence);
  CHECK(executed.ok());
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    writer.unsigned_integer(kSuccessfullyActioned);
    writer.generalized_time(now());
    writer.raw(executed->whole);
  });
  const std::uint16_t code = command.code.number();
  const bool load = code == kUpdateByLoadController || code == kUpdateOfLoadController;
  return asn1_alert(command, load ? kFutureDatedLoadController : kFutureDatedAsn1, writer.take());
}

}  // namespace wattseal::emulators
