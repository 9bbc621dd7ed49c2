// The ZigBee side of a gas meter and of the gas proxy that mirrors it: attributes, and commands by
// their rows. Source: spec/gbcs-duis.md 2.3; layouts data/zcl_commands.tsv; ZCL statuses.
#include <charconv>

#include "emulators/gas.h"

namespace wattseal::emulators {
namespace {

constexpr Octet kUnsupportedCommand = 0x81, kUnsupportedAttribute = 0x86, kMalformed = 0x80,
                kFailure = 0x01;
constexpr std::uint16_t kPrice = 0x0700, kMetering = 0x0702, kPrepayment = 0x0705;

// "0302=8/4,…": attribute, offset of the field and its octets.
struct Assignment {
  std::uint16_t attribute = 0;
  std::size_t offset = 0, octets = 0;
};
std::vector<Assignment> assignments_of(std::string_view text) {
  std::vector<Assignment> out;
  while (!text.empty()) {
    std::string_view one = cut(text, ',');
    Assignment made;
    made.attribute = static_cast<std::uint16_t>(number_of(cut(one, '='), 16));
    made.offset = number_of(cut(one, '/'));
    made.octets = number_of(one);
    out.push_back(made);
  }
  return out;
}

}  // namespace

std::uint64_t field(BytesView body, std::size_t offset, std::size_t octets) {
  std::uint64_t value = 0;
  for (std::size_t i = octets; i-- > 0;)
    value = value << 8 | (offset + i < body.size() ? body[offset + i] : 0u);
  return value;
}

void GasObjects::Turn::answer(Octet frame_control, Octet number, Bytes body, bool sealed) {
  zcl::Component made;
  made.cluster = in.cluster;
  made.frame_control = frame_control;
  made.sequence = in.sequence;
  made.command = number;
  made.body = std::move(body);
  if (sealed) {
    made.body = duties.seal(made.body);
    made.sealing = zcl::Sealing{0, sealed_so_far++};
  }
  out.push_back(std::move(made));
}

// A publish command is answered to the side that published.
void GasObjects::Turn::result(Octet status) {
  const bool from_server = zcl::is_from_server(in);
  answer(from_server ? 0x00 : 0x08, zcl::command::kDefaultResponse,
         zcl::encode(zcl::DefaultResponse{in.command, status}));
}

zcl::Value GasObjects::value(std::uint16_t cluster, std::uint16_t attribute) const {
  const auto own = values_.find({cluster, attribute});
  if (own != values_.end()) return own->second;
  const auto row = model_.attributes.find({cluster, attribute});
  return row == model_.attributes.end() ? zcl::Value{} : row->second.initial;
}

std::int64_t GasObjects::number(std::uint16_t cluster, std::uint16_t attribute) const {
  const Result<std::int64_t> read = zcl::integer(value(cluster, attribute));
  return read.ok() ? *read : 0;
}

void GasObjects::put(std::uint16_t cluster, std::uint16_t attribute, std::int64_t number) {
  const auto row = model_.attributes.find({cluster, attribute});
  if (row == model_.attributes.end()) return;
  const Result<zcl::Value> made = zcl::number_value(row->second.type, number);
  if (made.ok()) values_[{cluster, attribute}] = *made;
}

std::vector<zcl::Component> GasObjects::execute(const std::vector<zcl::Component>& components,
                                                Meter& meter, const Duties& duties,
                                                std::vector<Dated>& dated) {
  std::vector<zcl::Component> answers;
  Octet sealed_so_far = 0;
  advance(meter, duties.now);
  for (const zcl::Component& component : components) {
    Turn turn{component, meter, duties, answers, sealed_so_far};
    const auto row = model_.commands.find(
        {component.cluster, static_cast<Octet>(component.frame_control & 0x09), component.command});
    if (component.sealing) {
      turn.result(kUnsupportedCommand);
    } else if (!zcl::is_cluster_command(component) &&
               component.command == zcl::command::kReadAttributes) {
      read_all(turn);
    } else if (zcl::is_cluster_command(component) && row != model_.commands.end()) {
      command(turn, row->second, dated);
    } else {
      turn.result(kUnsupportedCommand);
    }
  }
  return answers;
}

// What carries consumption or debts is sealed; each sealed component counts up from 0.
void GasObjects::read_all(Turn& turn) const {
  constexpr Octet kAnswer = 0x08, kQuietAnswer = 0x18;
  const Result<std::vector<std::uint16_t>> wanted = zcl::decode_read(turn.in.body);
  if (!wanted.ok()) return turn.result(kMalformed);
  std::vector<zcl::ReadRecord> records;
  bool sealed = false, quiet = false;
  for (const std::uint16_t attribute : *wanted) {
    const auto row = model_.attributes.find({turn.in.cluster, attribute});
    if (row != model_.attributes.end()) {
      sealed = sealed || row->second.sealed;
      quiet = quiet || row->second.quiet;
    }
    records.push_back(read(turn.in.cluster, attribute, turn.meter));
  }
  turn.answer(quiet ? kQuietAnswer : kAnswer, zcl::command::kReadAttributesResponse,
              zcl::encode_read_response(records), sealed);
}

zcl::ReadRecord GasObjects::read(std::uint16_t cluster, std::uint16_t attribute,
                                 const Meter& meter) const {
  const auto found = model_.attributes.find({cluster, attribute});
  if (found == model_.attributes.end()) return {attribute, kUnsupportedAttribute, {}};
  const ZclAttribute& row = found->second;
  const Account& account = meter.account;
  const std::string_view does = row.behaviour;
  if (does == "-") return {attribute, 0, value(cluster, attribute)};
  if (does == "firmware")
    return {attribute, 0, zcl::string_value(row.type, meter.firmware).value()};
  std::int64_t shows = 0;
  const Octet index = row.argument.empty() ? Octet{0} : static_cast<Octet>(number_of(row.argument));
  if (does == "consumption")
    shows = static_cast<std::int64_t>(meter.import_units);
  else if (does == "tou")
    shows = static_cast<std::int64_t>(emulators::shown(meter.tou, index));
  else if (does == "block")
    shows = static_cast<std::int64_t>(emulators::shown(meter.blocks, index));
  else if (does == "balance")
    shows = account.balance;
  else if (does == "credit-balance")
    shows = std::max<std::int64_t>(0, account.balance);
  else if (does == "emergency-balance")
    shows = account.emergency_left;
  else if (does == "accumulated-debt")
    shows = account.accumulated_debt;
  else if (does == "time-debt")
    shows = account.time_debt[index];
  else if (does == "payment-debt")
    shows = account.payment_debt;
  else if (does == "payment-mode")
    shows = account.prepayment ? 0x0C97 : 0x0C94;
  else if (does == "supply-state")
    shows = account.supply == Supply::disabled ? 0 : account.supply == Supply::armed ? 1 : 2;
  else
    CHECK(false);
  return {attribute, 0, zcl::number_value(row.type, shows).value()};
}

// 0: now; the two highest: never or cancel. What waited at the same place is replaced.
Octet GasObjects::dated_or_now(const zcl::Component& component, std::string_view offset,
                               Meter& meter, UtcTime now, std::vector<Dated>& dated) {
  const std::uint64_t at =
      offset == "from" ? component.from.value_or(0) : field(component.body, number_of(offset), 4);
  Bytes place;
  put_be(place, component.cluster);
  place.push_back(zcl::is_from_server(component) ? 1 : component.frame_control);
  place.push_back(component.command);
  std::erase_if(dated, [&](const Dated& one) { return one.place == place; });
  if (at >= zcl::kNever) return 0;
  const UtcTime when = zcl::utc_time(static_cast<std::uint32_t>(at));
  if (at == zcl::kNow || when <= now)
    activate(component, meter, now);
  else
    dated.push_back({when, place, component});
  return 0;
}

void GasObjects::take_fields(const zcl::Component& component, std::string_view assignments) {
  for (const Assignment& one : assignments_of(assignments))
    put(component.cluster, one.attribute,
        static_cast<std::int64_t>(field(component.body, one.offset, one.octets)));
}

void GasObjects::command(Turn& turn, const ZclCommand& row, std::vector<Dated>& dated) {
  const std::string_view does = row.behaviour;
  std::string_view argument = row.argument;
  const zcl::Component& in = turn.in;
  UtcTime now = turn.duties.now;
  if (does == "publish" || does == "accept" || does == "keep" || does == "site" ||
      does == "configure-events") {
    take_fields(in, argument);
    published_[{in.cluster << 8 | in.command, 0}] = in.body;
    return turn.result(0);
  }
  if (does == "tenancy") {
    turn.meter.tenancy = zcl::utc_time(static_cast<std::uint32_t>(field(in.body, 9, 4)));
    return turn.result(0);
  }
  if (does == "tariff" || does == "prices" || does == "thresholds" || does == "dated")
    return turn.result(dated_or_now(in, cut(argument, ':'), turn.meter, now, dated));
  if (does == "calendar") {
    const std::uint32_t id = static_cast<std::uint32_t>(field(in.body, 8, 4));
    constexpr Octet kSpecialDays = 4, kHeader = 0;
    const bool whole = in.command == kHeader || in.command == kSpecialDays;
    if (in.command == kHeader) calendars_[id] = static_cast<Octet>(field(in.body, 16, 1));
    const auto kind = calendars_.find(id);
    const std::uint32_t part = static_cast<std::uint32_t>(
        (kind == calendars_.end() ? 0u : 256u * kind->second) + field(in.body, 12, 1));
    if (!whole) published_[{0x070700u | in.command, part}] = in.body;
    return turn.result(whole ? dated_or_now(in, argument, turn.meter, now, dated) : Octet{0});
  }
  if (command_for_log(turn, does) || command_for_money(turn, does, dated)) return;
  command_calendar(turn, does);
}

// Takes effect: now, or when its time has come.
void GasObjects::activate(const zcl::Component& component, Meter& meter, UtcTime now) {
  const auto row = model_.commands.find(
      {component.cluster, static_cast<Octet>(component.frame_control & 0x09), component.command});
  CHECK(row != model_.commands.end());
  std::string_view argument = row->second.argument;
  const std::string_view does = row->second.behaviour;
  const BytesView body = component.body;
  advance(meter, now);
  if (does == "dated") {
    cut(argument, ':');
    take_fields(component, argument);
  } else if (does == "payment-mode") {
    meter.account.prepayment = (field(body, 12, 2) & 0x0002) != 0;
    if (meter.account.prepayment)
      put(kPrepayment, 0x0040, static_cast<std::int32_t>(field(body, 14, 4)));
  } else if (does == "tariff") {
    const std::size_t rest = 18 + field(body, 17, 1);  // behind the label
    put(kPrice, 0x0616, static_cast<std::int64_t>(field(body, rest + 3, 2)));
    put(kPrice, 0x0617, static_cast<std::int64_t>(field(body, rest + 5, 1)));
    put(kPrice, 0x0301, static_cast<std::int64_t>(field(body, rest + 6, 4)));
  } else if (does == "prices") {
    by_blocks_ = field(body, 18, 1) == 0;
    for (std::size_t at = 19; at + 5 <= body.size(); at += 5) {
      const std::uint16_t which = static_cast<std::uint16_t>(field(body, at, 1));
      put(kPrice, static_cast<std::uint16_t>(by_blocks_ ? 0x0400 + which : 0x0400 + 0x10 * which),
          static_cast<std::int64_t>(field(body, at + 1, 4)));
    }
  } else if (does == "thresholds") {
    for (std::uint16_t i = 0; i < field(body, 19, 1) && 20u + 6u * i < body.size(); ++i)
      put(kPrice, static_cast<std::uint16_t>(0x0100 + i),
          static_cast<std::int64_t>(field(body, 20u + 6u * i, 6)));
  } else if (does == "calendar") {
    const std::uint32_t kind = static_cast<std::uint32_t>(256 * field(body, 16, 1));
    published_[{0x070700u | component.command, kind}] = to_bytes(body);
  }
  if (does != "dated" && does != "calendar")
    meter.history.write("change", {device_time(now), levels(false, meter), {}});
}

Account::Events GasObjects::add_credit(std::int64_t amount, std::string_view digits, Meter& meter,
                                       UtcTime now) {
  advance(meter, now);
  remember(meter, now);
  const std::int64_t debt = meter.account.payment_debt;
  const Account::Events events = meter.account.top_up(amount, terms());
  meter.history.write("credits", {device_time(now), {amount}, to_bytes(as_bytes(digits))});
  if (debt != meter.account.payment_debt)
    meter.history.write(
        "debt-payments",
        {device_time(now), {debt - meter.account.payment_debt, meter.account.payment_debt}, {}});
  return events;
}

bool GasObjects::use_emergency(Meter& meter) { return meter.account.activate_emergency(terms()); }

bool GasObjects::command_for_money(Turn& turn, std::string_view does, std::vector<Dated>& dated) {
  Account& account = turn.meter.account;
  const BytesView body = turn.in.body;
  const UtcTime now = turn.duties.now;
  const auto tell = [&](const Account::Events& events) {
    for (const std::string_view event : events) {
      if (event != "credit-added") turn.meter.events.push_back(event);  // who added it knows
    }
  };
  if (does == "emergency-credit") {
    turn.result(account.activate_emergency(terms()) ? 0 : kFailure);
  } else if (does == "top-up") {
    const Result<BytesView> digits =
        zcl::FieldReader(body.subspan(std::min<std::size_t>(1, body.size()))).string();
    const Result<TopUp> top_up =
        digits.ok() ? turn.duties.check_top_up(as_text(*digits)) : Result<TopUp>(digits.refusal());
    const bool taken = top_up.ok() && account.may_take_top_up(top_up->amount, terms());
    Bytes out{static_cast<Octet>(taken ? 0 : top_up.ok() ? 2 : 1)};
    if (taken) {
      turn.meter.last_top_up = top_up->counter;
      tell(add_credit(top_up->amount, as_text(*digits), turn.meter, now));
    }
    zcl::put_le(out, taken ? static_cast<std::uint64_t>(top_up->amount) : 0, 4);
    out.push_back(static_cast<Octet>(field(body, 0, 1)));
    zcl::put_le(out, static_cast<std::uint64_t>(account.balance), 4);
    turn.answer(0x09, 0x03, std::move(out));
  } else if (does == "adjust-credit") {
    const std::uint64_t kind = field(body, 8, 1);
    if (kind == 1 || kind == 2) account.reset();
    tell(kind == 1 || kind == 2
             ? account.judge(terms())
             : account.adjust(static_cast<std::int32_t>(field(body, 9, 4)), terms()));
    turn.result(0);
  } else if (does == "payment-mode") {
    dated_or_now(turn.in, "8", turn.meter, now, dated);
    Bytes out{1};
    zcl::put_le(out, 2, 4);
    zcl::put_le(out, static_cast<std::uint64_t>(number(kPrepayment, 0x0010)), 4);
    zcl::put_le(out, static_cast<std::uint64_t>(number(kPrepayment, 0x0011)), 4);
    turn.answer(0x19, 0x02, std::move(out));
  } else if (does == "change-debt") {
    turn.result(change_debt(body, account));
  } else if (does == "change-supply") {
    const std::uint64_t wanted = field(body, 16, 1);
    account.supply = wanted == 0 ? Supply::disabled : wanted == 1 ? Supply::armed : Supply::enabled;
    account.by_command = wanted == 0;
    Bytes out = to_bytes(body.first(std::min<std::size_t>(8, body.size())));
    zcl::put_le(out, field(body, 12, 4), 4);
    out.push_back(static_cast<Octet>(wanted));
    turn.answer(0x09, 0x0C, std::move(out));
  } else {
    return false;
  }
  return true;
}

// issued(4), label, amount(4), method, type, start(4), minute(2), frequency, recovery(4), share(2)
Octet GasObjects::change_debt(BytesView body, Account& account) {
  constexpr std::uint64_t kTimeDebt1 = 1, kTimeDebt2 = 3, kPaymentDebt = 5;
  const std::size_t at = 5 + field(body, 4, 1);
  if (body.size() != at + 19) return kMalformed;
  const std::int64_t amount = static_cast<std::int32_t>(field(body, at, 4));
  const std::uint64_t which = field(body, at + 5, 1);
  std::int64_t* const debt = which == kTimeDebt1     ? &account.time_debt[0]
                             : which == kTimeDebt2   ? &account.time_debt[1]
                             : which == kPaymentDebt ? &account.payment_debt
                                                     : nullptr;
  if (debt == nullptr) return kFailure;
  *debt = std::max<std::int64_t>(0, *debt + amount);
  if (which == kPaymentDebt) {
    put(kPrepayment, 0x0239, static_cast<std::int64_t>(field(body, at + 17, 2)));
  } else {
    const std::uint16_t first = which == kTimeDebt1 ? 0x0216 : 0x0226;
    put(kPrepayment, first, static_cast<std::int64_t>(field(body, at + 12, 1)));
    put(kPrepayment, static_cast<std::uint16_t>(first + 1),
        static_cast<std::int64_t>(field(body, at + 13, 4)));
  }
  return 0;
}

AccountTerms GasObjects::terms() const {
  AccountTerms terms;
  terms.disablement_threshold = number(kPrepayment, 0x0040);
  terms.low_credit_threshold = number(kPrepayment, 0x0031);
  terms.emergency_limit = number(kPrepayment, 0x0010);
  terms.emergency_threshold = number(kPrepayment, 0x0011);
  terms.balance_max = number(kPrepayment, 0x0021);
  terms.top_up_max = number(kPrepayment, 0x0022);
  terms.debt_share = static_cast<unsigned>(number(kPrepayment, 0x0239));
  return terms;
}

void GasObjects::remember(Meter& meter, UtcTime now) const {
  constexpr std::uint32_t kDay = 86'400;
  meter.history.level("daily-read", now, kDay, levels(false, meter));
  meter.history.level("daily-prepay", now, kDay, levels(true, meter));
}

void GasObjects::consume(std::uint64_t litres, Meter& meter, UtcTime now) {
  advance(meter, now);
  if (meter.account.supply != Supply::enabled) return;
  remember(meter, now);
  const unsigned tou = time_of_use(now);
  std::uint16_t priced_by = static_cast<std::uint16_t>(0x0400 + 0x10 * tou);
  if (by_blocks_) {
    std::uint64_t used = 0;
    for (Octet i = 1; i <= 4; ++i) used += emulators::shown(meter.blocks, i);
    Octet block = 1;
    for (std::uint16_t i = 0; i < 3; ++i) {
      if (used >=
          static_cast<std::uint64_t>(number(kPrice, static_cast<std::uint16_t>(0x0100 + i))))
        block = static_cast<Octet>(i + 2);
    }
    register_of(meter.blocks, block) += litres;
    priced_by = static_cast<std::uint16_t>(0x0400 + block - 1);
  } else {
    register_of(meter.tou, static_cast<Octet>(tou)) += litres;
  }
  meter.import_units += litres;
  constexpr std::uint32_t kHalfHour = 1800, kDay = 86'400;
  meter.history.amount("half-hour", now, kHalfHour, static_cast<std::int64_t>(litres));
  meter.history.amount("daily-use", now, kDay, static_cast<std::int64_t>(litres));
  // Cubic metres times the calorific value (tenths of a megajoule), 3.6 megajoules a kilowatt-hour.
  meter.cost_rest +=
      static_cast<std::int64_t>(litres) * number(kPrice, 0x0304) * number(kPrice, priced_by) / 36;
  const Account::Events events = meter.account.charge(meter.cost_rest / 1000, terms());
  meter.cost_rest %= 1000;
  meter.events.insert(meter.events.end(), events.begin(), events.end());
}

void GasObjects::advance(Meter& meter, UtcTime now) {
  constexpr std::int64_t kDay = 86'400, kDaysAtOnce = 800;
  if (now <= meter.seen) return;
  const std::int64_t days = (now.start_of_day() - meter.seen.start_of_day()) / kDay;
  for (std::int64_t i = std::min(days, kDaysAtOnce); i-- > 0;) {
    const UtcTime day = now.start_of_day().plus_seconds(-i * kDay);
    remember(meter, day);
    bill(meter, day);
    for (std::size_t debt = 0; debt < 2 && meter.account.prepayment; ++debt) {
      const std::uint16_t rate = debt == 0 ? 0x0217 : 0x0227;
      const bool hourly = number(kPrepayment, static_cast<std::uint16_t>(rate - 1)) == 0;
      meter.account.recover(debt, number(kPrepayment, rate) * (hourly ? 24 : 1), terms());
    }
    const Account::Events events = meter.account.charge(number(kPrice, 0x0301), terms());
    meter.events.insert(meter.events.end(), events.begin(), events.end());
  }
  meter.seen = now;
}

// A billing period has a start and a length in days, weeks or months; one without a length bills on
// the day of the month of its start.
void GasObjects::bill(Meter& meter, UtcTime day) const {
  const auto period = published_.find({kPrice << 8 | 0x09, 0});
  if (period == published_.end()) return;
  constexpr std::int64_t kDay = 86'400;
  const UtcTime start = zcl::utc_time(static_cast<std::uint32_t>(field(period->second, 8, 4)));
  const std::int64_t count =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(field(period->second, 12, 3)));
  const std::uint64_t unit =
      field(period->second, 15, 1) & 0x0F;  // 0 minutes, 1 days, 2 weeks, 3 months
  const std::int64_t passed = (day.start_of_day() - start.start_of_day()) / kDay;
  if (passed < 0) return;
  const bool due = unit == 1   ? passed % count == 0
                   : unit == 2 ? passed % (7 * count) == 0
                               : day.civil().day == start.civil().day;
  if (!due) return;
  meter.history.write("billing", {device_time(day), levels(false, meter), {}});
  meter.history.write("billing-prepay", {device_time(day), levels(true, meter), {}});
  meter.events.push_back("billing-log");
}

}  // namespace wattseal::emulators
