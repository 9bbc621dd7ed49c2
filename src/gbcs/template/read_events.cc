// What a command that sets how a gas meter treats events says of them. Source:
// spec/gbcs-duis.md 2.3, ZSE Event Configuration.
#include "gbcs/template/reader.h"

namespace wattseal::gbcs::gmt {
namespace {

constexpr Octet kLog = 0x03, kWan = 0x08, kHan = 0x10, kAlarm = 0x40;

std::uint64_t little_endian(BytesView octets) {
  return get_be(Bytes(octets.rbegin(), octets.rend()));
}

std::string event_name(std::uint16_t code) {
  Bytes octets;
  put_be(octets, code, 2);
  std::string digits = to_hex(octets);
  for (char& digit : digits) {
    if (digit >= 'a') digit = static_cast<char>(digit - 'a' + 'A');
  }
  return "x" + digits;
}

}  // namespace

bool read_event_configuration(BytesView fields, const std::string& path, unsigned& rank,
                              Solver& solver) {
  constexpr std::size_t kFixed = 11;  // issuer event id, start, configuration, control, count
  if (fields.size() < kFixed || little_endian(fields.subspan(4, 4)) != 0 || fields[9] != 0)
    return false;
  const Octet configuration = fields[8];
  const std::size_t count = fields[10];
  const bool wan = configuration & kWan, han = configuration & kHan, log = configuration & kLog,
             alarm = configuration & kAlarm;
  const int known = (wan ? kWan : 0) | (han ? kHan : 0) | (log ? kLog : 0) | (alarm ? kAlarm : 0);
  const unsigned own_rank = 1u + (wan ? 0 : 8) + (han ? 0 : 4) + (log ? 2 : 0) + (alarm ? 1 : 0);
  if (configuration != known || own_rank <= rank || count == 0 ||
      fields.size() != kFixed + 2 * count)
    return false;
  rank = own_rank;

  static const Expr kNow = [] {
    Expr now;
    now.op = Op::now;
    now.kind = Kind::moment;
    return now;
  }();
  const auto since_2000 = static_cast<std::int64_t>(little_endian(fields.first(4)));
  const UtcTime issued = UtcTime::from_unix_seconds(kZigbeeEpoch + since_2000);
  if (!solver.is_moment(kNow, {Moment::Is::instant, issued, -1}, {})) return false;

  std::uint64_t previous = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t code = little_endian(fields.subspan(kFixed + 2 * i, 2));
    if (i > 0 && code <= previous) return false;
    previous = code;
    const std::string event = path + "/" + event_name(static_cast<std::uint16_t>(code));
    const auto says = [&](const char* element, bool enabled) {
      return solver.learn({event + "/" + element, enabled ? "Enable" : "Disable", ReadForm::text});
    };
    if (!says("WANAlert", wan) || !says("HANAlert", han) || !says("EventLog", log) ||
        !says("Alarm", alarm))
      return false;
  }
  return true;
}

}  // namespace wattseal::gbcs::gmt
