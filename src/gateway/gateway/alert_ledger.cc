#include "gateway/gateway/alert_ledger.h"

#include "base/fault.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kCountersKept = 16, kPeriodsKept = 16;
constexpr std::string_view kHeldBackNotice = "N34";

std::uint64_t seconds_of(UtcTime time) { return static_cast<std::uint64_t>(time.unix_seconds()); }
UtcTime time_of(std::uint64_t seconds) {
  return UtcTime::from_unix_seconds(static_cast<std::int64_t>(seconds));
}
Bytes pair_key(Eui64 first, std::uint64_t second) {
  Bytes key = to_bytes(first.octets());
  put_be(key, second);
  return key;
}

xml::Element leaf(std::string name, std::string text) {
  return {std::string(duis::kNamespace), std::move(name), {}, std::move(text), {}};
}

}  // namespace

// Alerts carry their code in the first two octets of a DLMS structure, a GBZ alert header or a DER
// sequence; the payload kind says where. It is for the DUIS envelope only; users parse the message
// themselves.
std::string alert_code(BytesView payload) {
  if (payload.size() >= 5 && payload[0] == 0x01 && payload[1] == 0x09)
    return to_hex_upper(payload.subspan(3, 2));
  // data-notification: 0F, long-invoke-id(4), date-time length, then structure, count,
  // long-unsigned.
  if (payload.size() >= 11 && payload[0] == 0x0F && payload[5] == 0 && payload[6] == 2 &&
      payload[8] == 18)
    return to_hex_upper(payload.subspan(9, 2));
  // SEQUENCE { INTEGER code, … } with a one-octet length; a code of 8000 and above has a sign
  // octet.
  if (payload.size() >= 7 && payload[0] == 0x30 && payload[2] == 0x02 && payload[3] == 3)
    return to_hex_upper(payload.subspan(5, 2));
  return "0000";
}

Octet alert_lane(Eui64 device) {
  constexpr std::uint64_t kSpread = 0x9E3779B97F4A7C15;  // makers number devices in steps
  return static_cast<Octet>((device.number() * kSpread) >> 62);
}
static_assert(kAlertLanes == 4, "alert_lane gives two bits");

Bytes AlertOut::encode() const {
  return RecordWriter()
      .number(static_cast<std::uint64_t>(kind))
      .octets(device.octets())
      .number(counter.number())
      .octets(trace.octets())
      .number(seconds_of(at))
      .octets(message)
      .number(consolidation)
      .number(count)
      .number(seconds_of(since))
      .text(meter_point)
      .bytes();
}

AlertOut AlertOut::decode(BytesView octets) {
  RecordReader record(octets);
  AlertOut alert;
  alert.kind = static_cast<Kind>(record.number());
  alert.device = Eui64::from_number(get_be(record.octets()));
  alert.counter = OriginatorCounter(record.number());
  std::array<Octet, 16> trace{};
  const BytesView stored = record.octets();
  if (stored.size() != trace.size()) throw Fault("a stored alert has no trace");
  std::ranges::copy(stored, trace.begin());
  alert.trace = TraceId(trace);
  alert.at = time_of(record.number());
  alert.message = to_bytes(record.octets());
  alert.consolidation = record.number();
  alert.count = record.number();
  alert.since = time_of(record.number());
  alert.meter_point = record.text();
  return alert;
}

Bytes Sender::encode() const {
  Bytes all;
  for (const std::uint64_t counter : counters) put_be(all, counter);
  RecordWriter record;
  record.octets(all);
  for (const Period& period : periods)
    record.text(period.code)
        .number(seconds_of(period.start))
        .number(period.count)
        .number(period.consolidation);
  return record.bytes();
}

Sender Sender::decode(BytesView octets) {
  RecordReader record(octets);
  Sender sender;
  const BytesView all = record.octets();
  for (std::size_t at = 0; at + 8 <= all.size(); at += 8)
    sender.counters.push_back(get_be(all.subspan(at, 8)));
  while (!record.empty()) {
    Period period;
    period.code = record.text();
    period.start = time_of(record.number());
    period.count = record.number();
    period.consolidation = record.number();
    sender.periods.push_back(std::move(period));
  }
  return sender;
}

Bytes consolidation_key(Eui64 user, std::uint64_t number) { return pair_key(user, number); }
Bytes held_back_key(Eui64 user, std::uint64_t number, OriginatorCounter counter) {
  Bytes key = pair_key(user, number);
  put_be(key, counter.number());
  return key;
}
Bytes consolidation_due_key(UtcTime due, Eui64 user, std::uint64_t number) {
  Bytes key = pair_key(Eui64::from_number(0), seconds_of(due));
  append(key, pair_key(user, number));
  return key;
}

AlertLedger::AlertLedger(Gateway::State& state) : state_(state), now_(state.world.now()) {}

Sender& AlertLedger::sender_of(Eui64 device, Eui64 user) {
  const auto [place, added] = senders_.try_emplace({device, user});
  if (!added) return place->second;
  const Bytes key = pair_key(device, user.number());
  if (const std::optional<Bytes> row = state_.store.get(tables::alert_senders, key)) {
    place->second = Sender::decode(*row);
  } else if (const std::optional<Bytes> older = state_.store.get(tables::alerts_seen, key)) {
    for (std::size_t at = 0; at + 8 <= older->size(); at += 8)
      place->second.counters.push_back(get_be(BytesView(*older).subspan(at, 8)));
  }
  return place->second;
}

Consolidation& AlertLedger::consolidation_of(Eui64 user, std::uint64_t number) {
  const auto [place, added] = consolidations_.try_emplace({user, number});
  if (!added) return place->second;
  const std::optional<Bytes> row =
      state_.store.get(tables::alert_consolidations, consolidation_key(user, number));
  if (!row) throw Fault("a consolidation of alerts is not where its sender says");
  place->second = Consolidation::decode(*row);
  return place->second;
}

// Hubs and devices send an alert again when they are not sure that it arrived. The last counters of
// a device to a party are remembered; one of them again is the same alert.
bool AlertLedger::is_new(Sender& sender, std::uint64_t counter) {
  if (std::ranges::find(sender.counters, counter) != sender.counters.end()) return false;
  sender.counters.push_back(counter);
  if (sender.counters.size() > kCountersKept) sender.counters.erase(sender.counters.begin());
  return true;
}

// The one that runs. One that is over is closed first, so that what it held back is told before
// what comes now.
Sender::Period& AlertLedger::period_of(Sender& sender, Eui64 user, const std::string& code,
                                       const AlertThreshold& threshold) {
  const auto found = std::ranges::find(sender.periods, code, &Sender::Period::code);
  if (found != sender.periods.end() && now_ < found->start.plus_seconds(threshold.seconds))
    return *found;
  if (found != sender.periods.end()) {
    if (found->consolidation != 0) close(user, found->consolidation);
    *found = {code, now_, 0, 0};
    return *found;
  }
  if (sender.periods.size() >= kPeriodsKept) {
    const auto idle = std::ranges::find(sender.periods, 0u, &Sender::Period::consolidation);
    sender.periods.erase(idle == sender.periods.end() ? sender.periods.begin() : idle);
  }
  return sender.periods.emplace_back(Sender::Period{code, now_, 0, 0});
}

void AlertLedger::deliver(Eui64 user, const AlertOut& alert) {
  batch_.put(tables::alerts_out, command_key(alert_lane(alert.device), user, state_.next_alert++),
             alert.encode());
}

void AlertLedger::journal(const InboundAlert& alert, const std::string& code,
                          std::uint64_t number) {
  const gbcs::Message& message = alert.message;
  FactWriter fact(FactKind::device_alerted, now_, alert.trace);
  fact.eui(FactField::device, message.originator)
      .eui(FactField::target, message.target)
      .octets(FactField::alert_code, from_hex(code).value_or(Bytes{}))
      .number(FactField::counter, message.counter.number());
  if (number != 0)
    fact.number(FactField::consolidation, number).octets(FactField::alert_message, alert.octets);
  batch_.append(fact.bytes());
}

void AlertLedger::take(const InboundAlert& alert) {
  const gbcs::Message& message = alert.message;
  if (alert.refused) {
    batch_.append(FactWriter(FactKind::device_message_refused, now_, alert.trace)
                      .text(FactField::rule, alert.refused->rule.text())
                      .octets(FactField::message_digest, crypto::sha256(alert.octets))
                      .bytes());
    return;
  }
  Sender& sender = sender_of(message.originator, message.target);
  if (!is_new(sender, message.counter.number())) return;
  ++taken_;
  const std::string code = alert_code(message.payload);
  const AlertThreshold& threshold = alert_threshold(code);
  if (threshold.consolidate) {
    Sender::Period& period = period_of(sender, message.target, code, threshold);
    if (++period.count > threshold.alerts) {
      if (period.consolidation == 0) period.consolidation = begin(alert, code, threshold, period);
      return hold_back(alert, code, period.consolidation);
    }
  }
  journal(alert, code, 0);
  AlertOut out;
  out.device = message.originator;
  out.counter = message.counter;
  out.trace = alert.trace;
  out.at = now_;
  out.message = to_bytes(alert.octets);
  deliver(message.target, out);
}

std::uint64_t AlertLedger::begin(const InboundAlert& alert, const std::string& code,
                                 const AlertThreshold& threshold, const Sender::Period& period) {
  if (next_number_ == 0) {
    const std::optional<Bytes> stored =
        state_.store.get(tables::meta, as_bytes(kNextConsolidation));
    next_number_ = stored ? get_be(*stored) : 1;
  }
  Consolidation one;
  one.number = next_number_++;
  one.user = alert.message.target;
  one.device = alert.message.originator;
  one.code = code;
  one.threshold = std::string(threshold.id);
  one.from = now_;
  one.until = period.start.plus_seconds(threshold.seconds);
  consolidations_.insert_or_assign({one.user, one.number}, one);
  batch_.put(tables::alert_consolidations, consolidation_due_key(one.until, one.user, one.number),
             {});
  batch_.append(FactWriter(FactKind::alerts_consolidated, now_, alert.trace)
                    .number(FactField::consolidation, one.number)
                    .eui(FactField::target, one.user)
                    .eui(FactField::device, one.device)
                    .octets(FactField::alert_code, from_hex(code).value_or(Bytes{}))
                    .text(FactField::threshold, one.threshold)
                    .time(FactField::due, one.until)
                    .bytes());
  const Result<Device> device = state_.inventory.find(one.device);
  xml::Element content{std::string(duis::kNamespace), "CommsHubAlert", {}, {}, {}};
  content.children = {leaf("CommsHubDeviceID", (device.ok() ? device->hub : one.device).text()),
                      leaf("AlertCode", code), leaf("TimeStamp", one.from.iso())};
  state_.add_dcc_alert(batch_, one.user, kHeldBackNotice, std::move(content), alert.trace,
                       {0, static_cast<std::uint32_t>(one.number)});
  return one.number;
}

void AlertLedger::hold_back(const InboundAlert& alert, const std::string& code,
                            std::uint64_t number) {
  const gbcs::Message& message = alert.message;
  Consolidation& one = consolidation_of(message.target, number);
  ++one.count;
  one.last = message.counter;
  journal(alert, code, number);
  const Bytes key = held_back_key(one.user, number, message.counter);
  const Bytes row = RecordWriter().number(seconds_of(now_)).octets(alert.octets).bytes();
  batch_.put(tables::alert_consolidations, key, row);
  last_held_[{one.user, number}] = row;
}

// Its user gets the last one held back with the number of those it stands for.
void AlertLedger::close(Eui64 user, std::uint64_t number) {
  Consolidation& one = consolidation_of(user, number);
  if (one.told) return;
  const auto here = last_held_.find({user, number});
  const std::optional<Bytes> row =
      here != last_held_.end()
          ? std::optional(here->second)
          : state_.store.get(tables::alert_consolidations, held_back_key(user, number, one.last));
  if (!row) throw Fault("an alert that is held back is not in the store");
  RecordReader held(*row);
  AlertOut out;
  out.at = time_of(held.number());
  out.message = to_bytes(held.octets());
  out.device = one.device;
  out.counter = one.last;
  out.trace = state_.world.new_trace();
  out.consolidation = number;
  out.count = one.count;
  deliver(user, out);
  one.told = now_;
  for (Sender::Period& period : sender_of(one.device, user).periods) {
    if (period.consolidation == number) period.consolidation = 0;
  }
  batch_.erase(tables::alert_consolidations, consolidation_due_key(one.until, user, number));
  batch_.append(FactWriter(FactKind::alerts_consolidated, now_, out.trace)
                    .number(FactField::consolidation, number)
                    .eui(FactField::target, user)
                    .eui(FactField::device, one.device)
                    .number(FactField::alerts_held_back, one.count)
                    .bytes());
}

void AlertLedger::close_due(std::size_t most) {
  std::vector<std::pair<Eui64, std::uint64_t>> due;
  const Bytes first = pair_key(Eui64::from_number(0), 0);
  state_.store.scan(tables::alert_consolidations, first,
                    storage::prefix_end(BytesView(first).first(8)), [&](BytesView key, BytesView) {
                      if (time_of(get_be(key.subspan(8, 8))) > now_) return false;
                      due.emplace_back(Eui64::from_number(get_be(key.subspan(16, 8))),
                                       get_be(key.subspan(24, 8)));
                      return due.size() < most;
                    });
  for (const auto& [user, number] : due) close(user, number);
}

void AlertLedger::take(const Outage& outage, const std::vector<Told>& told, TraceId trace) {
  Sender& hub = sender_of(outage.hub, Eui64::from_number(0));
  if (!is_new(hub, seconds_of(outage.since))) return;
  ++taken_;
  batch_.append(FactWriter(FactKind::outage_reported, now_, trace)
                    .eui(FactField::hub, outage.hub)
                    .time(FactField::outage_since, outage.since)
                    .number(FactField::count, told.size())
                    .bytes());
  for (const Told& one : told) {
    AlertOut out;
    out.kind = AlertOut::Kind::outage;
    out.device = outage.hub;
    out.counter =
        state_
            .reserve_counter(state_.identity.broker,
                             static_cast<std::uint64_t>(state_.world.clock.now_milliseconds()))
            .value();
    out.trace = trace;
    out.at = now_;
    out.since = outage.since;
    out.meter_point = one.meter_point;
    deliver(one.user, out);
  }
}

bool AlertLedger::commit() {
  for (const auto& [pair, sender] : senders_)
    batch_.put(tables::alert_senders, pair_key(pair.first, pair.second.number()), sender.encode());
  for (const auto& [key, one] : consolidations_)
    batch_.put(tables::alert_consolidations, consolidation_key(one.user, one.number), one.encode());
  if (next_number_ != 0) {
    Bytes next;
    put_be(next, next_number_);
    batch_.put(tables::meta, as_bytes(kNextConsolidation), next);
  }
  if (batch_.empty()) return false;
  if (!state_.store.commit(std::move(batch_)).ok()) UNREACHABLE();  // it has no precondition
  state_.tally.alerts += taken_;
  return true;
}

}  // namespace wattseal::gateway
