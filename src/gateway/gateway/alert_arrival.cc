// Alerts and reports of outages as they arrive, and what of them is held back.
#include "base/fault.h"
#include "base/log.h"
#include "gateway/gateway/alert_ledger.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kClosedPerStep = 1024, kLoggedEach = 8;

}  // namespace

// A critical alert must have the device's signature. Alerts with a MAC are for their recipient to
// check: users' for users, the broker's here.
void Gateway::State::verify_alerts(const AlertGroup& group) {
  std::vector<crypto::Claim> claims;
  std::vector<InboundAlert*> claimed;
  for (InboundAlert* const alert : group) {
    const gbcs::Message& message = alert->message;
    if (message.signature_field != gbcs::SignatureField::present) {
      const Status believed = check_device(message);
      if (!believed.ok()) alert->refused = believed.refusal();
      continue;
    }
    const Result<crypto::PublicPoint> key = device_keys.signing(message.originator);
    if (!key.ok()) {
      alert->refused = key.refusal();
      continue;
    }
    claims.push_back({*key, gbcs::signed_digest(message), message.signature});
    claimed.push_back(alert);
  }
  const std::vector<char> valid = crypto::verify_many(claims);
  for (std::size_t i = 0; i < claimed.size(); ++i) {
    if (valid[i] == 0)
      claimed[i]->refused = Refusal{
          "gbcs-signature-mismatch"_rule,
          "the signature does not verify for originator " + claimed[i]->message.originator.text(),
          "signature"};
  }
}

void Gateway::State::commit_alerts(const AlertGroup& group) {
  AlertLedger ledger(*this);
  for (const InboundAlert* const alert : group) ledger.take(*alert);
  ledger.commit();
  if (group.size() > kLoggedEach) {
    log::info("device_alerts",
              {{"count", std::to_string(group.size())}, {"trace", group.front()->trace.text()}});
    return;
  }
  for (const InboundAlert* const alert : group) {
    if (!alert->refused)
      log::warning("device_alert", {{"trace", alert->trace.text()},
                                    {"device", alert->message.originator.text()},
                                    {"alert", alert_code(alert->message.payload)}});
  }
}

bool Gateway::State::close_consolidations() {
  return alert_intake.between_groups([this] {
    AlertLedger ledger(*this);
    ledger.close_due(kClosedPerStep);
    return ledger.commit();
  });
}

std::vector<Status> Gateway::on_device_messages(std::span<const BytesView> messages,
                                                TraceId trace) {
  std::vector<Status> verdicts(messages.size());
  std::vector<InboundAlert> alerts;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Result<gbcs::Message> message = gbcs::decode(messages[i]);
    if (!message.ok()) {
      verdicts[i] = state_->disbelieve(messages[i], message.refusal(), trace);
    } else if (message->cra == gbcs::Cra::alert) {
      alerts.push_back({std::move(*message), messages[i], trace});
      places.push_back(i);
    } else {
      verdicts[i] = state_->on_other(*message, messages[i], trace);
    }
  }
  state_->alert_intake.take(alerts);
  for (std::size_t i = 0; i < alerts.size(); ++i) {
    if (!alerts[i].refused) continue;
    ++state_->tally.disbelieved;
    log::warning("device_message_refused",
                 {{"trace", trace.text()}, {"rule", std::string(alerts[i].refused->rule.text())}});
    verdicts[places[i]] = *alerts[i].refused;
  }
  return verdicts;
}

Status Gateway::on_device_message(BytesView octets, TraceId trace) {
  return on_device_messages({&octets, 1}, trace).front();
}

std::vector<Status> Gateway::on_outages(std::span<const Outage> outages, TraceId trace) {
  std::vector<Status> verdicts;
  std::vector<std::vector<AlertLedger::Told>> told(outages.size());
  for (std::size_t i = 0; i < outages.size(); ++i) {
    const Result<Device> hub = state_->inventory.find(outages[i].hub);
    verdicts.push_back(hub.ok() ? Status() : Status(hub.refusal()));
    if (!hub.ok()) continue;
    for (const Device& device : state_->inventory.on_hub(outages[i].hub)) {
      if (device.type != DeviceType::esme || device.meter_point.empty()) continue;
      const Result<MeterPoint> point = state_->registration.find(device.meter_point);
      if (!point.ok()) continue;
      for (const Eui64 user : {point->network_operator, point->supplier})
        told[i].push_back({user, device.meter_point});
    }
  }
  state_->alert_intake.between_groups([&] {
    AlertLedger ledger(*state_);
    for (std::size_t i = 0; i < outages.size(); ++i) {
      if (verdicts[i].ok()) ledger.take(outages[i], told[i], trace);
    }
    ledger.commit();
  });
  return verdicts;
}

std::vector<Consolidation> Gateway::consolidations(std::optional<Eui64> user, std::uint64_t from,
                                                   std::size_t most) const {
  std::vector<Consolidation> found;
  // Of all: behind the index of what is due.
  const Bytes first = user ? consolidation_key(*user, from) : Bytes{0, 0, 0, 0, 0, 0, 0, 1};
  const Bytes last = user ? storage::prefix_end(BytesView(first).first(8)) : Bytes();
  state_->store.scan(tables::alert_consolidations, first, last,
                     [&](BytesView key, BytesView value) {
                       if (key.size() != 16 || get_be(key.subspan(8)) < from) return true;
                       found.push_back(Consolidation::decode(value));
                       return found.size() < most;
                     });
  return found;
}

std::optional<Consolidation> Gateway::consolidation(std::uint64_t number,
                                                    std::optional<Eui64> user) const {
  std::optional<Consolidation> found;
  if (user) {
    if (const std::optional<Bytes> row =
            state_->store.get(tables::alert_consolidations, consolidation_key(*user, number)))
      found = Consolidation::decode(*row);
    return found;
  }
  const Bytes first{0, 0, 0, 0, 0, 0, 0, 1};
  state_->store.scan(tables::alert_consolidations, first, {}, [&](BytesView key, BytesView value) {
    if (key.size() == 16 && get_be(key.subspan(8)) == number) found = Consolidation::decode(value);
    return !found;
  });
  return found;
}

std::vector<HeldBackAlert> Gateway::held_back(const Consolidation& consolidation,
                                              OriginatorCounter from, std::size_t most) const {
  std::vector<HeldBackAlert> found;
  const Bytes prefix = consolidation_key(consolidation.user, consolidation.number);
  state_->store.scan(
      tables::alert_consolidations, held_back_key(consolidation.user, consolidation.number, from),
      storage::prefix_end(prefix), [&](BytesView key, BytesView value) {
        RecordReader row(value);
        HeldBackAlert alert;
        alert.at = UtcTime::from_unix_seconds(static_cast<std::int64_t>(row.number()));
        alert.counter = OriginatorCounter(get_be(key.subspan(16)));
        alert.message = to_bytes(row.octets());
        found.push_back(std::move(alert));
        return found.size() < most;
      });
  return found;
}

void Gateway::replay_alerts(storage::Changes& rows, const FactView& fact) {
  const std::uint64_t number = fact.number(FactField::consolidation);
  const std::optional<Eui64> user = fact.eui(FactField::target),
                             device = fact.eui(FactField::device);
  if (fact.kind() == FactKind::device_alerted && number == 0) return;
  if (!user || !device) throw Fault("a fact of a consolidation lacks a field");
  const Bytes key = consolidation_key(*user, number);
  const storage::Table table = tables::alert_consolidations;
  const std::optional<BytesView> code = fact.find(FactField::alert_code);
  if (fact.kind() == FactKind::alerts_consolidated && code) {
    const UtcTime until =
        UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(FactField::due)));
    Consolidation one;
    one.number = number;
    one.user = *user;
    one.device = *device;
    one.code = to_hex_upper(*code);
    one.threshold = std::string(fact.text(FactField::threshold));
    one.from = fact.at();
    one.until = until;
    rows.put(table, key, one.encode());
    rows.put(table, consolidation_due_key(until, *user, number), {});
    Bytes next;
    put_be(next, number + 1);
    return rows.put(tables::meta, as_bytes(kNextConsolidation), next);
  }
  const std::optional<Bytes> row = rows.get(table, key);
  if (!row) throw Fault("a consolidation was not begun before it was used");
  Consolidation one = Consolidation::decode(*row);
  if (fact.kind() == FactKind::alerts_consolidated) {
    one.told = fact.at();
    rows.erase(table, consolidation_due_key(one.until, *user, number));
  } else {
    ++one.count;
    one.last = OriginatorCounter(fact.number(FactField::counter));
    rows.put(table, held_back_key(*user, number, one.last),
             RecordWriter()
                 .number(static_cast<std::uint64_t>(fact.at().unix_seconds()))
                 .octets(fact.find(FactField::alert_message).value_or(BytesView()))
                 .bytes());
  }
  rows.put(table, key, one.encode());
}

}  // namespace wattseal::gateway
