// The COSEM side of electricity meters and hubs: reading, setting and acting over the rows. Source:
// spec/gbcs-duis.md 2.2, 5.7; result codes IEC 62056-5-3.
#include "emulators/meter.h"
#include "emulators/value_text.h"

namespace wattseal::emulators {
namespace {

using cosem::ResponseItem;
using cosem::Tag;
using cosem::Value;

constexpr Octet kDenied = 3, kUndefined = 4, kTypeUnmatched = 12, kOtherReason = 250;
constexpr std::int64_t kCreditMode = 1, kPrepaymentMode = 2;
constexpr std::uint16_t kDataProtection = 30, kExtendedData = 9000;
constexpr std::size_t kOctetsOfLogMax = 48'000;  // an answer has at most 64 KiB

// One protection parameter: who may read, in which transaction. Source: spec/gbcs-duis.md 5.7.
Value protection(const Duties& duties) {
  Bytes transaction{4};
  put_be(transaction, duties.counter.number());
  const Value key = Value::structure(
      {Value::enumeration(2), Value::structure({Value::octets(Bytes{2}), Value::octets({})})});
  const Value parties =
      Value::structure({Value::octets(transaction), Value::octets(duties.device.octets()),
                        Value::octets(duties.reader.octets()), Value::octets({}), key});
  return Value::array({Value::structure({Value::enumeration(2), parties})});
}

bool is_octets(const Value& value, std::size_t size) {
  return value.tag == Tag::octet_string && value.content.size() == size;
}

Value time_value(UtcTime time) { return Value::octets(cosem::DateTime::from_utc(time).encode()); }

std::optional<UtcTime> instant(const Value& value) {
  const Result<cosem::DateTime> time = cosem::DateTime::decode(value.content);
  return time.ok() ? time->utc() : std::nullopt;
}

// The first two numbers behind the object that a range selection names.
std::pair<std::uint32_t, std::uint32_t> range_of(const cosem::RequestItem& item) {
  std::pair<std::uint32_t, std::uint32_t> range{0, zcl::kNever};
  if (!item.selection || item.selection->parameters.items.size() < 3) return range;
  const std::vector<Value>& parts = item.selection->parameters.items;
  return {static_cast<std::uint32_t>(parts[1].number), static_cast<std::uint32_t>(parts[2].number)};
}

Bytes place_of(const ObjectKey& key) {
  Bytes place;
  put_be(place, key.class_id);
  append(place, key.object.octets);
  place.push_back(key.member);
  return place;
}

Value device_log(const std::vector<Joined>& joined, UtcTime now) {
  std::vector<Value> rows;
  for (const Joined& one : joined) {
    rows.push_back(Value::structure({Value::octets(one.device.octets()), Value::bits("11001000"),
                                     Value::i8(-40), Value::i8(-50), Value::i8(-60), Value::u8(1),
                                     Value::u8(0), Value::u8(255), time_value(now), Value::u8(1),
                                     Value::u8(0), Value::u8(100), Value::u8(1), Value::u8(1)}));
  }
  return Value::array(std::move(rows));
}

Value backup(const std::vector<Joined>& joined, Eui64 hub, UtcTime now) {
  std::vector<Value> rows;
  for (const Joined& one : joined)
    rows.push_back(
        Value::structure({Value::octets(one.device.octets()), Value::octets(one.key_hash)}));
  return Value::structure(
      {time_value(now), Value::octets(hub.octets()), Value::array(std::move(rows))});
}

}  // namespace

const Value& ElectricityObjects::value(const ObjectKey& key) const {
  static const Value nothing;
  const auto own = values_.find(key);
  if (own != values_.end()) return own->second;
  const auto row = model_.objects.find(key);
  return row == model_.objects.end() ? nothing : row->second.initial;
}

std::int64_t ElectricityObjects::number(std::string_view text, std::int64_t otherwise) const {
  const Value& found = value(attribute(text));
  if (found.tag == Tag::array && !found.items.empty()) return found.items[0].number;
  return found.tag == Tag::null_data ? otherwise : found.number;
}

cosem::AccessResponse ElectricityObjects::execute(const cosem::AccessRequest& request, Meter& meter,
                                                  const Duties& duties, std::vector<Dated>& dated) {
  cosem::AccessResponse response;
  response.long_invoke_id = request.long_invoke_id;
  failed_ = false;
  for (const cosem::RequestItem& item : request.items) {
    ResponseItem result;
    switch (item.operation) {
      case cosem::Operation::get:
      case cosem::Operation::get_with_selection: result = get(item, meter, duties.now); break;
      case cosem::Operation::set:
      case cosem::Operation::set_with_selection:
        result = {cosem::Operation::set, set(item, meter, duties, dated), {}};
        break;
      case cosem::Operation::action: result = act(item, meter, duties); break;
    }
    failed_ = failed_ || result.result != cosem::kSuccess;
    response.items.push_back(std::move(result));
  }
  return response;
}

ResponseItem ElectricityObjects::get(const cosem::RequestItem& item, const Meter& meter,
                                     UtcTime now) const {
  const ObjectKey key{item.class_id, item.object, item.member, false};
  const auto found = model_.objects.find(key);
  if (found == model_.objects.end()) return {cosem::Operation::get, kUndefined, {}};
  return {cosem::Operation::get, cosem::kSuccess,
          shown(key, found->second, meter, now, range_of(item))};
}

Value ElectricityObjects::shown(
    const ObjectKey& key, const DlmsObject& object, const Meter& meter, UtcTime now,
    std::optional<std::pair<std::uint32_t, std::uint32_t>> range) const {
  const std::string_view does = object.behaviour;
  const Account& account = meter.account;
  const auto filled = [&](std::vector<std::int64_t> numbers) {
    Value out = object.initial;
    std::span<const std::int64_t> rest = numbers;
    const auto fill = [&](auto&& self, Value& one) -> void {
      for (Value& item : one.items) self(self, item);
      const bool counts = one.tag == Tag::double_long_unsigned || one.tag == Tag::double_long;
      if (!counts || rest.empty()) return;
      one.number = one.tag == Tag::double_long_unsigned ? static_cast<std::uint32_t>(rest.front())
                                                        : static_cast<std::int32_t>(rest.front());
      rest = rest.subspan(1);
    };
    fill(fill, out);
    return out;
  };
  if (does == "log") return log(object, meter, now, range->first, range->second);
  if (does == "clock") return time_value(now);
  if (does == "device-log") return device_log(meter.joined, now);
  if (does == "firmware") return Value::octets(meter.firmware);
  if (does == "import-registers") return filled({static_cast<std::int64_t>(meter.import_units)});
  if (does == "prepay-values") {
    return filled({account.balance, account.emergency_left, account.accumulated_debt,
                   account.time_debt[0], account.time_debt[1], account.payment_debt});
  }
  if (does == "balance") return filled({account.balance});
  if (does == "active-price") return filled({price(switch_selector(now))});
  if (does == "tou-registers" || does == "block-registers") {
    std::vector<std::int64_t> numbers;
    for (unsigned i = 1; i <= 48 && does == "tou-registers"; ++i)
      numbers.push_back(
          static_cast<std::int64_t>(emulators::shown(meter.tou, static_cast<Octet>(i))));
    for (unsigned block = 1; block <= 4 && does == "block-registers"; ++block) {
      for (unsigned tou = 1; tou <= 8; ++tou)
        numbers.push_back(static_cast<std::int64_t>(
            emulators::shown(meter.blocks, static_cast<Octet>(10 * block + tou))));
    }
    return filled(std::move(numbers));
  }
  if (does == "supply-state")
    return Value::enumeration(account.supply == Supply::enabled    ? 1
                              : account.supply == Supply::disabled ? 0
                                                                   : 2);
  if (does == "output-state") return Value::boolean(account.supply == Supply::enabled);
  return value(key);
}

Value ElectricityObjects::log(const DlmsObject& object, const Meter& meter, UtcTime now,
                              std::uint32_t from, std::uint32_t to) const {
  std::string_view name = object.argument;
  const std::string_view series = cut(name, ':');
  const cosem::RowType& type = object.initial.row_type;
  const bool twin = type.parts.size() > 2 && type.parts[2].tag == Tag::double_long_unsigned &&
                    type.parts.size() > 3;
  const std::vector<std::int64_t> current =
      series == "voltage" ? std::vector<std::int64_t>{2400} : levels(series, meter, twin);
  std::size_t row_octets = 0;
  const auto measure = [&](auto&& self, const cosem::RowType& one) -> void {
    if (one.tag == Tag::structure)
      for (const cosem::RowType& part : one.parts) self(self, part);
    else
      row_octets += one.tag == Tag::array ? 4u * one.count : 8u;
  };
  measure(measure, type);
  const std::size_t capacity = std::min<std::size_t>(number_of(name), kOctetsOfLogMax / row_octets);
  Value out = object.initial;
  for (const LogEntry& entry : meter.history.read(series, from, to, capacity, now, current)) {
    std::vector<std::int64_t> numbers{entry.time};
    numbers.insert(numbers.end(), entry.numbers.begin(), entry.numbers.end());
    std::span<const std::int64_t> rest = numbers;
    out.items.push_back(shaped(type, rest, entry.octets));
  }
  return out;
}

Octet ElectricityObjects::set(const cosem::RequestItem& item, Meter& meter, const Duties& duties,
                              std::vector<Dated>& dated) {
  const ObjectKey key{item.class_id, item.object, item.member, false};
  const auto found = model_.objects.find(key);
  if (found == model_.objects.end()) return kUndefined;
  const DlmsObject& object = found->second;
  if (!object.writable) return kDenied;
  const bool other =
      object.optional && (item.data.tag == Tag::null_data || item.data.tag == Tag::long_unsigned);
  if (!other && !fits(object.initial, item.data)) return kTypeUnmatched;
  if (object.behaviour == "activate") {
    if (failed_) return kOtherReason;  // the parts of one change stand or fall together
    const Octet result = set_time(key, item.data, meter, duties.now, dated);
    if (result != cosem::kSuccess) return result;
  } else if (object.behaviour == "payment-mode") {
    const std::int64_t mode = item.data.items[0].number;
    if (mode != kCreditMode && mode != kPrepaymentMode) return kTypeUnmatched;
  } else if (object.behaviour == "tenancy") {
    const std::optional<UtcTime> at = instant(item.data);
    if (at) meter.tenancy = *at;
  }
  values_[key] = item.data;
  return cosem::kSuccess;
}

Octet ElectricityObjects::set_time(const ObjectKey& key, const Value& value, Meter& meter,
                                   UtcTime now, std::vector<Dated>& dated) {
  const Result<cosem::DateTime> when = cosem::DateTime::decode(value.content);
  if (!when.ok()) return kTypeUnmatched;
  const Bytes place = place_of(key);
  std::erase_if(dated, [&](const Dated& one) { return one.place == place; });
  if (*when == cosem::DateTime::never()) return cosem::kSuccess;
  const std::optional<UtcTime> at = when->utc();
  if (*when == cosem::DateTime::now() || (at && *at <= now))
    activate(key, meter, now);
  else if (at)
    dated.push_back({*at, place, key});
  else
    return kOtherReason;
  return cosem::kSuccess;
}

void ElectricityObjects::activate(const ObjectKey& trigger, Meter& meter, UtcTime now) {
  advance(meter, now);  // what is owed until now is owed by the old terms
  bool tariff = false;
  for (const Activation& one : model_.activations) {
    if (one.trigger != trigger) continue;
    const Value from = value(one.from);
    values_[one.to] = from;
    const std::string_view does = model_.objects.at(one.from).behaviour;
    if (does == "payment-mode") meter.account.prepayment = from.items[0].number == kPrepaymentMode;
    tariff = tariff || does == "payment-mode" || one.to.class_id == 20 || one.to.class_id == 113;
  }
  if (trigger.method || !tariff) return;
  std::vector<std::int64_t> numbers = levels("daily-read", meter, false);
  for (const std::int64_t one : levels("daily-prepay", meter, false)) numbers.push_back(one);
  meter.history.write("change", {device_time(now), std::move(numbers), {}});
}

ResponseItem ElectricityObjects::act(const cosem::RequestItem& item, Meter& meter,
                                     const Duties& duties) {
  const ObjectKey key{item.class_id, item.object, item.member, true};
  const auto found = model_.objects.find(key);
  if (found == model_.objects.end()) return {cosem::Operation::action, kUndefined, {}};
  const DlmsObject& object = found->second;
  if (!fits(object.initial, item.data)) return {cosem::Operation::action, kTypeUnmatched, {}};
  if (key.class_id == kDataProtection) return read_protected(item.data, meter, duties);
  if (object.behaviour == "backup-devices") {
    return {cosem::Operation::action, cosem::kSuccess,
            backup(meter.joined, duties.device, duties.now)};
  }
  return {cosem::Operation::action, perform(key, object, item.data, meter, duties), {}};
}

// Numbers of scripts: data/use_cases.tsv, use cases ECS05, ECS42 to ECS44 (M).
Octet ElectricityObjects::perform(const ObjectKey& key, const DlmsObject& object,
                                  const Value& value, Meter& meter, const Duties& duties) {
  constexpr std::int64_t kResetBlocks = 0x63, kClose = 0x33, kOpen = 0x34, kArm = 0x36;
  const std::string_view does = object.behaviour;
  Account& account = meter.account;
  if (does == "reset-blocks") {
    if (value.number != kResetBlocks) return kOtherReason;
    meter.blocks.clear();
  } else if (does == "load-switch") {
    if (value.number != kClose && value.number != kOpen && value.number != kArm)
      return kOtherReason;
    account.by_command = value.number == kOpen;
    account.supply = value.number == kClose  ? Supply::enabled
                     : value.number == kOpen ? Supply::disabled
                                             : Supply::armed;
  } else if (does == "auxiliary-switch" || does == "auxiliary-limit") {
    meter.history.write("auxiliary", {device_time(duties.now), {value.number, 0, 0}, {}});
  } else if (does == "clear-log") {
    ObjectKey log = key;
    log.method = false, log.member = 2;
    std::string_view name = model_.objects.at(log).argument;
    meter.history.clear(cut(name, ':'));
  } else if (does == "reset") {
    ObjectKey counter = key;
    counter.method = false, counter.member = 2;
    const auto row = model_.objects.find(counter);
    if (row != model_.objects.end()) values_[counter] = row->second.initial;
  } else if (does == "preset-clock") {
    const std::optional<UtcTime> end = instant(value.items[1]), start = instant(value.items[2]);
    // The octets say first when the time is believed from, whatever the order of the parameters.
    if (!end || !start) return kTypeUnmatched;
    clock_window_ = std::minmax(*start, *end);
    clock_wanted_ = instant(value.items[0]);
  } else if (does == "adjust-clock") {
    if (!clock_window_ || duties.now < clock_window_->first || duties.now > clock_window_->second)
      return kOtherReason;
    if (!duties.set_clock(clock_wanted_.value_or(duties.now))) return kOtherReason;
  } else if (does == "register-device") {
    const Result<Eui64> device = Eui64::from_octets(value.items[0].content);
    if (!device.ok()) return kTypeUnmatched;
    std::erase_if(meter.joined, [&](const Joined& one) { return one.device == *device; });
    meter.joined.push_back({*device, static_cast<unsigned>(value.items[3].number)});
    meter.events.push_back("device-log-changed");
  } else if (does == "unregister-device") {
    const Result<Eui64> device = Eui64::from_octets(value.content);
    const bool gone = device.ok() && std::erase_if(meter.joined, [&](const Joined& one) {
                                       return one.device == *device;
                                     }) > 0;
    if (!gone) return kOtherReason;
    meter.events.push_back("device-log-changed");
  } else if (does == "restore-devices") {
    std::vector<Joined> restored;
    for (const Value& one : value.items[1].items) {
      const Result<Eui64> device = Eui64::from_octets(one.items[0].content);
      if (!device.ok()) return kTypeUnmatched;
      restored.push_back({*device, 0, one.items[1].content});
    }
    meter.joined = std::move(restored);
  } else {
    return perform_credit(does, key, value, meter, duties);
  }
  return cosem::kSuccess;
}

Account::Events ElectricityObjects::add_credit(std::int64_t amount, std::string_view digits,
                                               Meter& meter, UtcTime now) {
  advance(meter, now);
  remember(meter, now);
  const std::int64_t debt = meter.account.payment_debt;
  const Account::Events events = meter.account.top_up(amount, terms(now));
  meter.history.write("credits", {device_time(now), {amount}, to_bytes(as_bytes(digits))});
  if (debt != meter.account.payment_debt)
    meter.history.write("debt-payments",
                        {device_time(now), {debt - meter.account.payment_debt}, {}});
  return events;
}

bool ElectricityObjects::use_emergency(Meter& meter, UtcTime now) {
  return meter.account.activate_emergency(terms(now));
}

Octet ElectricityObjects::perform_credit(std::string_view does, const ObjectKey& key,
                                         const Value& value, Meter& meter, const Duties& duties) {
  Account& account = meter.account;
  advance(meter, duties.now);
  remember(meter, duties.now);
  const AccountTerms terms = this->terms(duties.now);
  const auto tell = [&](const Account::Events& events) {
    for (const std::string_view event : events) {
      if (event != "credit-added") meter.events.push_back(event);  // who added it knows
    }
  };
  if (does == "top-up") {
    const Result<TopUp> top_up = duties.check_top_up(value.text());
    if (!top_up.ok() || !account.may_take_top_up(top_up->amount, terms)) return kOtherReason;
    meter.last_top_up = top_up->counter;
    tell(add_credit(top_up->amount, value.text(), meter, duties.now));
  } else if (does == "adjust-credit") {
    tell(account.adjust(value.number, terms));
  } else if (does == "reset-credit") {
    if (key.object.octets[4] == 0)
      account.reset();  // 19.10.0 is the meter balance
    else
      account.emergency_left = account.emergency_used = 0, account.emergency_active = false;
    tell(account.judge(terms));
  } else if (does == "invoke-credit") {
    if (!account.activate_emergency(terms)) return kOtherReason;
  } else if (does == "adjust-debt") {
    const Octet which = key.object.octets[4];  // 19.20.1 and 2 by time, 3 by payment
    std::int64_t& debt = which == 3 ? account.payment_debt : account.time_debt[which == 1 ? 0 : 1];
    debt = std::max<std::int64_t>(0, debt + value.number);
  } else if (does == "activate-charge") {
    activate(key, meter, duties.now);
  } else {
    return kDenied;
  }
  return cosem::kSuccess;
}

// get_protected_attributes: the values of a list of attributes, sealed for one reader.
ResponseItem ElectricityObjects::read_protected(const Value& parameters, const Meter& meter,
                                                const Duties& duties) const {
  const ResponseItem unmatched{cosem::Operation::action, kTypeUnmatched, {}};
  std::vector<Value> values;
  for (const Value& one : parameters.items[0].items) {
    const bool right = one.tag == Tag::structure && one.items.size() == 5 &&
                       one.items[0].is_number() && is_octets(one.items[1], 6) &&
                       one.items[2].is_number() && one.items[4].items.size() == 2;
    if (!right) return unmatched;
    cosem::RequestItem item;
    item.class_id = static_cast<std::uint16_t>(one.items[0].number);
    item.member = static_cast<Octet>(one.items[2].number);
    std::ranges::copy(one.items[1].content, item.object.octets.begin());
    const std::vector<Value>& times = one.items[4].items[1].items;
    if (times.size() == 2) {
      const std::optional<UtcTime> from = instant(times[0]), to = instant(times[1]);
      if (!from || !to) return unmatched;
      item.selection =
          cosem::Selection{1, Value::structure({Value::null(), Value::u32(device_time(*from)),
                                                Value::u32(device_time(*to))})};
    }
    ResponseItem read = get(item, meter, duties.now);
    if (read.result != cosem::kSuccess) return {cosem::Operation::action, read.result, {}};
    values.push_back(std::move(read.data));
  }
  const Bytes plain = cosem::encode(Value::structure(std::move(values)));
  return {cosem::Operation::action, cosem::kSuccess,
          Value::structure({protection(duties), Value::octets(duties.seal(plain))})};
}

}  // namespace wattseal::emulators
