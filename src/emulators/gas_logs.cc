// What a gas meter publishes when it is asked: snapshots, samples, logs and calendars. Layouts:
// data/zcl_commands.tsv.
#include "emulators/gas.h"

namespace wattseal::emulators {
namespace {

constexpr Octet kNotFound = 0x8B, kPublish = 0x19;
constexpr std::uint64_t kDailyCause = 1, kBillingCause = 2;
constexpr unsigned kTiers = 4, kBlocks = 4;

std::uint32_t time_field(BytesView body, std::size_t offset) {
  return static_cast<std::uint32_t>(field(body, offset, 4));
}

}  // namespace

std::vector<std::int64_t> GasObjects::levels(bool prepay, const Meter& meter) const {
  const Account& account = meter.account;
  if (prepay) {
    return {account.accumulated_debt, account.time_debt[0],   account.time_debt[1],
            account.payment_debt,     account.emergency_left, account.balance};
  }
  std::vector<std::int64_t> numbers{static_cast<std::int64_t>(meter.import_units)};
  for (Octet i = 1; i <= kTiers; ++i)
    numbers.push_back(static_cast<std::int64_t>(emulators::shown(meter.tou, i)));
  for (Octet i = 1; i <= kBlocks; ++i)
    numbers.push_back(static_cast<std::int64_t>(emulators::shown(meter.blocks, i)));
  return numbers;
}

// from(4), to(4), which one from 0, cause(4).
void GasObjects::snapshot(Turn& turn, bool prepay) const {
  const BytesView body = turn.in.body;
  const std::uint64_t index = field(body, 8, 1), cause = field(body, 9, 4);
  const std::string_view log = cause == kDailyCause     ? (prepay ? "daily-prepay" : "daily-read")
                               : cause == kBillingCause ? (prepay ? "billing-prepay" : "billing")
                                                        : "change";
  const std::vector<LogEntry> found =
      turn.meter.history.read(log, time_field(body, 0), time_field(body, 4), 31, turn.duties.now,
                              levels(prepay, turn.meter));
  if (index >= found.size()) return turn.result(kNotFound);
  const LogEntry& entry = found[index];
  Bytes out;
  zcl::put_le(out, index, 4);
  zcl::put_le(out, entry.time, 4);
  append(out, Bytes{static_cast<Octet>(found.size()), 0, 1});
  zcl::put_le(out, cause, 4);
  const auto number = [&](std::size_t i) {
    return static_cast<std::uint64_t>(i < entry.numbers.size() ? entry.numbers[i] : 0);
  };
  if (prepay) {
    out.push_back(0);
    for (std::size_t i = 0; i < 6; ++i) zcl::put_le(out, number(i), 4);
  } else {
    out.push_back(6);
    zcl::put_le(out, number(0), 6);
    out.push_back(kTiers);
    for (std::size_t i = 1; i <= kTiers; ++i) zcl::put_le(out, number(i), 6);
    out.push_back(0x14);  // one tier's blocks, four counters
    for (std::size_t i = 1; i <= kBlocks; ++i) zcl::put_le(out, number(kTiers + i), 6);
  }
  turn.answer(kPublish, prepay ? 0x01 : 0x06, std::move(out), true);
}

// id(2), earliest(4), type, number(2). 0: half hours, 1: days, 2: the network operator's samples.
void GasObjects::sampled(Turn& turn) const {
  constexpr std::uint16_t kHalfHours = 0, kSamples = 2;
  constexpr std::size_t kSamplesMax = 4000;
  const BytesView body = turn.in.body;
  const std::uint64_t id = field(body, 0, 2);
  const std::size_t wanted = std::min<std::size_t>(field(body, 7, 2), kSamplesMax);
  if (id > kSamples) return turn.result(kNotFound);
  const std::uint32_t period = id == kHalfHours ? 1800u : id == kSamples ? 360u : 86'400u;
  std::uint32_t from = time_field(body, 2);
  if (id == kSamples) from = started_sampling_;
  const std::uint64_t end = from + std::uint64_t{period} * wanted;
  std::vector<LogEntry> found;
  if (id == kSamples) {
    const std::size_t over = from == 0 ? 0 : (device_time(turn.duties.now) - from) / period;
    found.resize(std::min(over, wanted), {0, {0}, {}});
  } else {
    found = turn.meter.history.read(
        id == kHalfHours ? "half-hour" : "daily-use", from,
        static_cast<std::uint32_t>(std::min<std::uint64_t>(end > 0 ? end - 1 : 0, zcl::kNever)),
        wanted, turn.duties.now, {0});
  }
  if (found.empty()) return turn.result(kNotFound);
  Bytes out;
  zcl::put_le(out, id, 2);
  zcl::put_le(out, id == kSamples ? from : found.front().time, 4);
  out.push_back(0);
  zcl::put_le(out, id == 1 ? 0xFFFFu : period, 2);
  zcl::put_le(out, found.size(), 2);
  for (const LogEntry& entry : found)
    zcl::put_le(out, static_cast<std::uint64_t>(entry.numbers[0]), 3);
  turn.answer(id == kSamples ? 0x09 : kPublish, 0x07, std::move(out), true);
}

bool GasObjects::command_for_log(Turn& turn, std::string_view does) {
  const BytesView body = turn.in.body;
  const History& history = turn.meter.history;
  const UtcTime now = turn.duties.now;
  if (does == "snapshot" || does == "prepay-snapshot") {
    snapshot(turn, does == "prepay-snapshot");
  } else if (does == "sampled-data") {
    sampled(turn);
  } else if (does == "start-sampling") {
    started_sampling_ = device_time(now);
    turn.answer(0x09, 0x0D, Bytes{2, 0});
  } else if (does == "top-up-log" || does == "debt-log") {
    const bool debts = does == "debt-log";
    const std::vector<LogEntry> found =
        history.read(debts ? "debt-payments" : "credits", turn.in.from.value_or(0),
                     time_field(body, 0), field(body, 4, 1), now, {});
    if (found.empty()) {
      turn.result(kNotFound);
      return true;
    }
    Bytes out{0, 1};
    for (const LogEntry& entry : found) {
      if (debts) {
        zcl::put_le(out, entry.time, 4);
        zcl::put_le(out, static_cast<std::uint64_t>(entry.numbers[0]), 4);
        out.push_back(2);
        zcl::put_le(out, static_cast<std::uint64_t>(entry.numbers[1]), 4);
      } else {
        CHECK(zcl::put_string(out, entry.octets).ok());
        zcl::put_le(out, static_cast<std::uint64_t>(entry.numbers[0]), 4);
        zcl::put_le(out, entry.time, 4);
      }
    }
    turn.answer(kPublish, debts ? 0x06 : 0x05, std::move(out), debts);
  } else if (does == "event-log") {
    event_log(turn);
  } else if (does == "clear-event-log") {
    const Octet log = static_cast<Octet>(field(body, 0, 1));
    turn.meter.history.clear(log == 4 ? "security" : "events");
    turn.answer(0x09, 0x02, Bytes{static_cast<Octet>(1u << (log & 7u))});
  } else {
    return false;
  }
  return true;
}

// control (log in its low half), event(2), start(4), end(4), number, offset(2).
void GasObjects::event_log(Turn& turn) const {
  const BytesView body = turn.in.body;
  const Octet log = static_cast<Octet>(field(body, 0, 1) & 0x0F);
  constexpr Octet kSecurityLog = 4;
  constexpr std::size_t kEventsMax = 100;
  const std::uint64_t number = field(body, 11, 1);
  const std::vector<LogEntry> found = turn.meter.history.read(
      log == kSecurityLog ? "security" : "events", time_field(body, 3), time_field(body, 7),
      number == 0 ? kEventsMax : number, turn.duties.now, {});
  if (found.empty()) return turn.result(kNotFound);
  Bytes out;
  zcl::put_le(out, found.size(), 2);
  append(out, Bytes{0, 1, 0});
  for (const LogEntry& entry : found) {
    out.push_back(log);
    zcl::put_le(out, static_cast<std::uint64_t>(entry.numbers.at(0)), 2);
    zcl::put_le(out, entry.time, 4);
    CHECK(zcl::put_string(out, entry.octets).ok());
  }
  turn.answer(kPublish, 0x01, std::move(out));
}

// What was published is published back, part by part.
void GasObjects::command_calendar(Turn& turn, std::string_view does) const {
  constexpr std::uint32_t kCalendar = 0x070700, kBilling = 0x0700'09;
  if (does == "billing-period") {
    const auto kept = published_.find({kBilling, 0});
    if (kept == published_.end()) return turn.result(kNotFound);
    return turn.answer(0x09, 0x09, kept->second);
  }
  if (does == "event-configuration") {
    const auto kept = published_.find({0x070804, 0});
    Bytes out{0, 1};
    if (kept != published_.end() && kept->second.size() > 11) {
      for (std::size_t at = 11; at + 2 <= kept->second.size(); at += 2) {
        append(out, BytesView(kept->second).subspan(at, 2));
        out.push_back(kept->second[8]);
      }
    }
    return turn.answer(0x01, 0x04, std::move(out));
  }
  if (does == "current-price") {
    const UtcTime now = turn.duties.now;
    const unsigned tou = time_of_use(now);
    Bytes out;
    zcl::put_le(out, 0, 4);
    out.push_back(0);  // no label
    zcl::put_le(out, device_time(now), 4);
    zcl::put_le(out, device_time(now), 4);
    out.push_back(1);
    zcl::put_le(out, static_cast<std::uint64_t>(number(0x0700, 0x0616)), 2);
    append(out, Bytes{static_cast<Octet>(number(0x0700, 0x0617)), static_cast<Octet>(0x40 | tou)});
    zcl::put_le(out, 0, 4);
    zcl::put_le(out, 0xFFFF, 2);
    zcl::put_le(
        out,
        static_cast<std::uint64_t>(number(0x0700, static_cast<std::uint16_t>(0x0400 + 0x10 * tou))),
        4);
    return turn.answer(kPublish, 0x00, std::move(out));
  }
  const Octet part = does == "days" ? 1 : does == "weeks" ? 2 : does == "seasons" ? 3 : 4;
  CHECK(part != 4 || does == "special-days");
  // Asked by the id of the calendar in use: one id for the tariff's, one for non-disablement.
  constexpr std::uint64_t kNonDisablement = 0xFFFFFFFE;
  const BytesView asked = turn.in.body;
  const bool other = part == 4 ? field(asked, 5, 1) == 3 : field(asked, 4, 4) == kNonDisablement;
  const std::uint32_t kind = other ? 3 * 256 : 0;
  const auto first = published_.lower_bound({kCalendar | part, kind});
  const auto end = published_.lower_bound({kCalendar | part, kind + 256});
  if (first == end) return turn.result(kNotFound);
  for (auto one = first; one != end; ++one) turn.answer(kPublish, part, one->second);
}

// The day's profile of the calendar: day(12), entries(13), …, from minute and tier behind 17.
unsigned GasObjects::time_of_use(UtcTime now) const {
  const CivilTime civil = now.civil();
  const std::uint64_t minute = static_cast<std::uint64_t>(civil.hour * 60 + civil.minute);
  const auto seasons = published_.find({0x070703, 0});
  std::uint64_t week = 1;
  if (seasons != published_.end()) {
    unsigned begun = 0;
    for (std::size_t at = 14; at + 5 <= seasons->second.size(); at += 5) {
      const BytesView date = BytesView(seasons->second).subspan(at, 4);
      const unsigned start = date[1] * 32u + date[2];
      const unsigned today = static_cast<unsigned>(civil.month * 32 + civil.day);
      if (start <= today && start >= begun) begun = start, week = seasons->second[at + 4];
    }
  }
  const auto days = published_.find({0x070702, static_cast<std::uint32_t>(week)});
  const std::uint64_t day =
      days == published_.end() ? 1 : field(days->second, 12 + weekday(now), 1);
  const auto profile = published_.find({0x070701, static_cast<std::uint32_t>(day)});
  if (profile == published_.end()) return 1;
  std::uint64_t tier = 1;
  for (std::size_t at = 17; at + 3 <= profile->second.size(); at += 3) {
    if (field(profile->second, at, 2) <= minute) tier = field(profile->second, at + 2, 1);
  }
  return static_cast<unsigned>(std::clamp<std::uint64_t>(tier, 1, kTiers));
}

}  // namespace wattseal::emulators
