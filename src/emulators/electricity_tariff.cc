// What an electricity meter charges: the tariff's calendar and prices, standing charge and debts by
// the day, bills by the calendar, and who may be cut off. Source: use cases ECS01a, ECS08a, ECS24
// (objects); prices are in hundred-thousandths of a pound, that is millipence.
#include "emulators/meter.h"

namespace wattseal::emulators {
namespace {

using cosem::Value;

constexpr std::uint32_t kDay = 86'400, kHalfHour = 1800;
constexpr unsigned kFirstBlockSelector = 100, kBlocksMax = 4;
constexpr std::int64_t kDaysAtOnce = 800;
constexpr std::int64_t kNonDisablementStarts = 0x20;

Result<cosem::Date> date_of(const Value& value) {
  return cosem::Date::decode(
      BytesView(value.content).first(std::min<std::size_t>(value.content.size(), 5)));
}

unsigned minute_of(BytesView time) {
  return time.size() < 2
             ? 0
             : (time[0] == 0xFF ? 0u : time[0]) * 60u + (time[1] == 0xFF ? 0u : time[1]);
}

// Month and day as one number that grows over a year.
unsigned in_year(unsigned month, unsigned day) { return month * 32 + day; }

// A price with its scale as millipence.
std::int64_t scaled(std::int64_t price, std::int64_t scale) {
  for (; scale > -5; --scale) price *= 10;
  for (; scale < -5; ++scale) price /= 10;
  return price;
}

}  // namespace

unsigned weekday(UtcTime time) {
  const std::int64_t days = time.start_of_day().unix_seconds() / kDay;
  return static_cast<unsigned>((days + 3) % 7 + 1);  // 1 January 1970 was a Thursday
}

bool matches(const cosem::Date& pattern, const CivilTime& day) {
  return (pattern.year == cosem::kOpenYear || pattern.year == day.year) &&
         (pattern.month == cosem::kOpen || pattern.month == day.month) &&
         (pattern.day == cosem::kOpen || pattern.day == day.day);
}

std::uint64_t& register_of(Registers& registers, Octet number) {
  for (auto& [key, value] : registers) {
    if (key == number) return value;
  }
  return registers.emplace_back(number, 0).second;
}

std::uint64_t shown(const Registers& registers, Octet number) {
  for (const auto& [key, value] : registers) {
    if (key == number) return value;
  }
  return 0;
}

// A special day first, then the season that began last, its week, its day, its last action.
unsigned ElectricityObjects::switch_selector(UtcTime now) const {
  static const ObjectKey special = attribute("11:0-0:11.0.0.255:2"),
                         seasons = attribute("20:0-0:13.0.0.255:3"),
                         weeks = attribute("20:0-0:13.0.0.255:4"),
                         days = attribute("20:0-0:13.0.0.255:5");
  const CivilTime civil = now.civil();
  std::optional<std::int64_t> day;
  for (const Value& one : value(special).items) {
    const Result<cosem::Date> date = date_of(one.items[1]);
    if (date.ok() && one.items[0].number != 0 && matches(*date, civil)) day = one.items[2].number;
  }
  if (!day) {
    const Value* season = nullptr;
    unsigned begun = 0;
    const Value* last = nullptr;
    unsigned latest = 0;
    for (const Value& one : value(seasons).items) {
      const Result<cosem::Date> start = date_of(one.items[1]);
      if (!start.ok()) continue;
      const unsigned at = in_year(start->month == cosem::kOpen ? 0 : start->month,
                                  start->day == cosem::kOpen ? 0 : start->day);
      if (at >= latest) latest = at, last = &one;
      const unsigned today =
          in_year(static_cast<unsigned>(civil.month), static_cast<unsigned>(civil.day));
      if (at <= today && at >= begun) begun = at, season = &one;
    }
    if (season == nullptr) season = last;  // the one that began last year
    if (season == nullptr) return 1;
    for (const Value& week : value(weeks).items) {
      if (week.items[0].content == season->items[2].content) day = week.items[weekday(now)].number;
    }
  }
  const unsigned minute = static_cast<unsigned>(civil.hour * 60 + civil.minute);
  unsigned selector = 1, from = 0;
  for (const Value& profile : value(days).items) {
    if (!day || profile.items[0].number != *day) continue;
    unsigned last_minute = 0, last_selector = 1;  // before the first action the last one goes on
    for (const Value& action : profile.items[1].items) {
      const unsigned at = minute_of(action.items[0].content);
      if (at >= last_minute)
        last_minute = at, last_selector = static_cast<unsigned>(action.items[2].number);
    }
    selector = last_selector;
    for (const Value& action : profile.items[1].items) {
      const unsigned at = minute_of(action.items[0].content);
      if (at <= minute && at >= from)
        from = at, selector = static_cast<unsigned>(action.items[2].number);
    }
  }
  return selector;
}

unsigned ElectricityObjects::block_of(unsigned time_of_use, const Meter& meter) const {
  ObjectKey key = attribute("21:0-0:16.0.11.255:2");
  key.object.octets[4] = static_cast<Octet>(10 + time_of_use);
  unsigned block = 1;
  std::uint64_t used = 0;
  for (unsigned i = 1; i <= kBlocksMax; ++i)
    used += emulators::shown(meter.blocks, static_cast<Octet>(10 * i + time_of_use));
  for (const Value& threshold : value(key).items) {
    if (threshold.number > 0 && used >= threshold.unsigned_number() && block < kBlocksMax) ++block;
  }
  return block;
}

// index: the time of use, or A to D for the block and the time of use, as the price matrix has it.
std::int64_t ElectricityObjects::price(unsigned index) const {
  static const ObjectKey key = attribute("113:0-0:19.20.0.255:5");
  const Value& charge = value(key);
  if (charge.items.size() != 3) return 0;
  if (index > kFirstBlockSelector && index < 0xA0) index = 0xA0 + (index - kFirstBlockSelector);
  for (const Value& one : charge.items[2].items) {
    if (one.items[0].content == Bytes{static_cast<Octet>(index)})
      return scaled(one.items[1].number, charge.items[0].items[1].number);
  }
  return 0;
}

std::int64_t ElectricityObjects::charge_of(std::string_view text) const {
  const Value& charge = value(attribute(text));
  if (charge.items.size() != 3 || charge.items[2].items.empty()) return 0;
  return scaled(charge.items[2].items[0].items[1].number, charge.items[0].items[1].number);
}

AccountTerms ElectricityObjects::terms(UtcTime now) const {
  AccountTerms terms;
  terms.disablement_threshold = number("21:0-0:16.0.1.255:2");
  terms.low_credit_threshold = number("111:0-0:19.0.0.255:16");
  terms.emergency_limit = number("112:0-0:19.10.1.255:9");
  terms.emergency_threshold = number("112:0-0:19.10.1.255:10");
  terms.balance_max = number("9000:0-0:94.44.2.20:2");
  terms.top_up_max = number("9000:0-0:94.44.2.10:2");
  terms.debt_share = static_cast<unsigned>(number("113:0-0:19.20.3.255:13"));
  const CivilTime civil = now.civil();
  const unsigned minute = static_cast<unsigned>(civil.hour * 60 + civil.minute);
  unsigned latest = 0;
  for (const Value& entry : value(attribute("10:0-0:12.0.1.255:2")).items) {
    const unsigned at = minute_of(entry.items[4].content);
    const Result<cosem::Date> from = date_of(entry.items[8]);
    const std::string days = entry.items[6].bit_text();
    const bool today = days.size() == 7 && days[weekday(now) - 1] == '1' && from.ok();
    if (entry.items[1].number == 0 || !today || at > minute || at < latest) continue;
    latest = at;
    terms.never_disable = entry.items[3].number == kNonDisablementStarts;
  }
  return terms;
}

std::vector<std::int64_t> ElectricityObjects::levels(std::string_view log, const Meter& meter,
                                                     bool twin) const {
  const Account& account = meter.account;
  if (log.ends_with("prepay")) {
    return {account.emergency_left, account.balance,      account.payment_debt,
            account.time_debt[0],   account.time_debt[1], account.accumulated_debt};
  }
  if (log != "daily-read" && log != "billing" && log != "change") return {0};
  std::vector<std::int64_t> numbers{static_cast<std::int64_t>(meter.import_units)};
  if (twin) numbers.push_back(0);
  for (unsigned i = 1; i <= 48; ++i)
    numbers.push_back(
        static_cast<std::int64_t>(emulators::shown(meter.tou, static_cast<Octet>(i))));
  if (twin) numbers.insert(numbers.end(), 4, 0);
  for (unsigned block = 1; block <= kBlocksMax; ++block) {
    for (unsigned tou = 1; tou <= 8; ++tou)
      numbers.push_back(static_cast<std::int64_t>(
          emulators::shown(meter.blocks, static_cast<Octet>(10 * block + tou))));
  }
  return numbers;
}

void ElectricityObjects::remember(Meter& meter, UtcTime now) const {
  const bool twin = model_.objects.at(attribute("1:0-0:94.44.34.10:2")).initial.items.size() > 4;
  meter.history.level("daily-read", now, kDay, levels("daily-read", meter, twin));
  meter.history.level("daily-prepay", now, kDay, levels("daily-prepay", meter, twin));
}

void ElectricityObjects::consume(std::uint64_t watt_hours, Meter& meter, UtcTime now) {
  advance(meter, now);
  if (meter.account.supply != Supply::enabled) return;  // nothing flows
  remember(meter, now);
  const unsigned selector = switch_selector(now);
  unsigned index = selector;
  if (selector > kFirstBlockSelector) {
    const unsigned tou = selector - kFirstBlockSelector, block = block_of(tou, meter);
    register_of(meter.blocks, static_cast<Octet>(10 * block + tou)) += watt_hours;
    index = 0x90 + 0x10 * block + tou;
  } else {
    register_of(meter.tou, static_cast<Octet>(selector)) += watt_hours;
  }
  meter.import_units += watt_hours;
  meter.history.amount("half-hour", now, kHalfHour, static_cast<std::int64_t>(watt_hours));
  meter.history.amount("daily-use", now, kDay, static_cast<std::int64_t>(watt_hours));
  meter.cost_rest += price(index) * static_cast<std::int64_t>(watt_hours);
  const Account::Events events = meter.account.charge(meter.cost_rest / 1000, terms(now));
  meter.cost_rest %= 1000;
  meter.events.insert(meter.events.end(), events.begin(), events.end());
}

// Once a day: the standing charge, what is recovered of debts, the bill when the calendar says so.
void ElectricityObjects::advance(Meter& meter, UtcTime now) {
  std::int64_t days = (now.start_of_day() - meter.seen.start_of_day()) / kDay;
  if (now <= meter.seen) return;
  if (days > 0 && model_.objects.contains(attribute("113:0-0:19.20.4.255:5"))) {
    const std::int64_t standing = charge_of("113:0-0:19.20.4.255:5");
    for (UtcTime day = now.start_of_day().plus_seconds(-(std::min(days, kDaysAtOnce) - 1) * kDay);
         day <= now; day = day.plus_seconds(kDay)) {
      remember(meter, day);
      bill(meter, day);
      const AccountTerms by_day = terms(day);
      if (meter.account.prepayment) {
        for (std::size_t i = 0; i < 2; ++i) {
          const std::string object = "113:0-0:19.20." + std::to_string(i + 1) + ".255:";
          const std::int64_t period = std::max<std::int64_t>(1, number(object + "8", kDay));
          meter.account.recover(
              i, charge_of(object + "5") * std::max<std::int64_t>(1, kDay / period), by_day);
        }
      }
      const Account::Events events = meter.account.charge(standing, by_day);
      meter.events.insert(meter.events.end(), events.begin(), events.end());
    }
  } else if (meter.account.supply == Supply::enabled && meter.account.prepayment &&
             model_.objects.contains(attribute("113:0-0:19.20.4.255:5"))) {
    const Account::Events events = meter.account.judge(terms(now));  // a period may have ended
    meter.events.insert(meter.events.end(), events.begin(), events.end());
  }
  meter.seen = now;
}

void ElectricityObjects::bill(Meter& meter, UtcTime day) const {
  for (const Value& one : value(attribute("22:0-0:15.0.0.255:4")).items) {
    const Result<cosem::Date> date = date_of(one.items[1]);
    if (!date.ok() || date->day == 0 || !matches(*date, day.civil())) continue;
    const bool twin = model_.objects.at(attribute("1:0-0:94.44.34.10:2")).initial.items.size() > 4;
    meter.history.write("billing", {device_time(day), levels("billing", meter, twin), {}});
    meter.history.write("billing-prepay",
                        {device_time(day), levels("billing-prepay", meter, twin), {}});
    meter.events.push_back("billing-log");
    return;
  }
}

}  // namespace wattseal::emulators
