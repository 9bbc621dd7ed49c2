#include "cosem/date_time.h"

#include <charconv>
#include <cstdio>

#include "base/check.h"

namespace wattseal::cosem {
namespace {

constexpr std::string_view kWeekdays[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

Refusal malformed(std::string detail) { return {"cosem-date-time"_rule, std::move(detail)}; }

std::string digits(unsigned value, int width) {
  char text[16];
  std::snprintf(text, sizeof text, "%0*u", width, value);
  return text;
}

// A value of a field as text: open, one of its special names, or digits.
struct Special {
  Octet value;
  std::string_view name;
};
constexpr Special kMonths[] = {{kDaylightSavingBegins, "dst-begins"},
                               {kDaylightSavingEnds, "dst-ends"}};
constexpr Special kDays[] = {{kLastDay, "last"}, {kSecondLastDay, "second-last"}};

std::string field_text(Octet value, std::span<const Special> specials) {
  if (value == kOpen) return "*";
  for (const Special& special : specials) {
    if (special.value == value) return std::string(special.name);
  }
  return digits(value, 2);
}

// Takes exactly `width` digits.
std::optional<unsigned> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return std::nullopt;
  unsigned value = 0;
  for (const char c : text.substr(0, width)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take(std::string_view& text, std::string_view wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(wanted.size());
  return true;
}

std::optional<Octet> take_field(std::string_view& text, std::span<const Special> specials) {
  if (take(text, "*")) return kOpen;
  for (const Special& special : specials) {
    if (take(text, special.name)) return special.value;
  }
  const std::optional<unsigned> value = take_digits(text, 2);
  if (!value) return std::nullopt;
  return static_cast<Octet>(*value);
}

bool is_date(const Date& date) {
  const bool year = date.year == kOpenYear || (date.year >= 1 && date.year <= 9999);
  const bool month = date.month == kOpen || date.month == kDaylightSavingBegins ||
                     date.month == kDaylightSavingEnds || (date.month >= 1 && date.month <= 12);
  const bool day = date.day == kOpen || date.day == kLastDay || date.day == kSecondLastDay ||
                   (date.day >= 1 && date.day <= 31);
  const bool weekday = date.weekday == kOpen || (date.weekday >= 1 && date.weekday <= 7);
  return year && month && day && weekday;
}
bool is_time(const TimeOfDay& time) {
  const auto within = [](Octet value, Octet most) { return value == kOpen || value <= most; };
  return within(time.hour, 23) && within(time.minute, 59) && within(time.second, 59) &&
         within(time.hundredths, 99);
}

std::optional<Date> take_date(std::string_view& text) {
  Date date;
  for (Octet i = 0; i < 7; ++i) {
    if (text.starts_with(kWeekdays[i]) && text.size() > 3 && text[3] == ' ') {
      text.remove_prefix(4);
      date.weekday = static_cast<Octet>(i + 1);
      break;
    }
  }
  if (!take(text, "*")) {
    const std::optional<unsigned> year = take_digits(text, 4);
    if (!year) return std::nullopt;
    date.year = static_cast<std::uint16_t>(*year);
  }
  if (!take(text, "-")) return std::nullopt;
  const std::optional<Octet> month = take_field(text, kMonths);
  if (!month || !take(text, "-")) return std::nullopt;
  const std::optional<Octet> day = take_field(text, kDays);
  if (!day) return std::nullopt;
  date.month = *month;
  date.day = *day;
  if (!is_date(date)) return std::nullopt;
  return date;
}

std::optional<TimeOfDay> take_time(std::string_view& text) {
  TimeOfDay time;
  const std::optional<Octet> hour = take_field(text, {});
  if (!hour || !take(text, ":")) return std::nullopt;
  const std::optional<Octet> minute = take_field(text, {});
  if (!minute || !take(text, ":")) return std::nullopt;
  const std::optional<Octet> second = take_field(text, {});
  if (!second) return std::nullopt;
  time = {*hour, *minute, *second, kOpen};
  if (take(text, ".")) {
    const std::optional<unsigned> hundredths = take_digits(text, 2);
    if (!hundredths) return std::nullopt;
    time.hundredths = static_cast<Octet>(*hundredths);
  }
  if (!is_time(time)) return std::nullopt;
  return time;
}

bool is_deviation(std::int16_t minutes) {
  return minutes == kOpenDeviation || (minutes >= -720 && minutes <= 840);
}

// " deviation -60" and " status 02", in this order.
bool take_rest(std::string_view& text, DateTime& time) {
  if (take(text, " deviation ")) {
    int minutes = 0;
    const std::from_chars_result read =
        std::from_chars(text.data(), text.data() + text.size(), minutes);
    if (read.ec != std::errc() || minutes < -720 || minutes > 840) return false;
    if (std::to_string(minutes).size() != static_cast<std::size_t>(read.ptr - text.data()))
      return false;
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    time.deviation = static_cast<std::int16_t>(minutes);
  }
  if (take(text, " status ")) {
    const std::optional<Bytes> octet = from_hex(text.substr(0, 2));
    if (!octet || octet->size() != 1 || to_hex(*octet) != text.substr(0, 2) || (*octet)[0] == kOpen)
      return false;
    text.remove_prefix(2);
    time.status = (*octet)[0];
  }
  return true;
}

}  // namespace

Result<Date> Date::decode(BytesView octets) {
  if (octets.size() != 5)
    return malformed("a date has 5 octets, not " + std::to_string(octets.size()));
  const Date date{static_cast<std::uint16_t>(get_be(octets.first(2))), octets[2], octets[3],
                  octets[4]};
  if (!is_date(date)) return malformed(to_hex(octets) + " is no date");
  return date;
}
Result<Date> Date::parse(std::string_view text) {
  const std::string whole(text.substr(0, 60));
  const std::optional<Date> date = take_date(text);
  if (!date || !text.empty()) return malformed("'" + whole + "' is no date");
  return *date;
}
Bytes Date::encode() const {
  Bytes out;
  put_be(out, year);
  append(out, std::array<Octet, 3>{month, day, weekday});
  return out;
}
std::string Date::text() const {
  const std::string prefix =
      weekday == kOpen ? "" : std::string(kWeekdays[(weekday + 6) % 7]) + " ";
  return prefix + (year == kOpenYear ? "*" : digits(year, 4)) + "-" + field_text(month, kMonths) +
         "-" + field_text(day, kDays);
}

Result<TimeOfDay> TimeOfDay::decode(BytesView octets) {
  if (octets.size() != 4)
    return malformed("a time of day has 4 octets, not " + std::to_string(octets.size()));
  const TimeOfDay time{octets[0], octets[1], octets[2], octets[3]};
  if (!is_time(time)) return malformed(to_hex(octets) + " is no time of day");
  return time;
}
Result<TimeOfDay> TimeOfDay::parse(std::string_view text) {
  const std::string whole(text.substr(0, 60));
  const std::optional<TimeOfDay> time = take_time(text);
  if (!time || !text.empty()) return malformed("'" + whole + "' is no time of day");
  return *time;
}
Bytes TimeOfDay::encode() const { return {hour, minute, second, hundredths}; }
std::string TimeOfDay::text() const {
  const std::string whole =
      field_text(hour, {}) + ":" + field_text(minute, {}) + ":" + field_text(second, {});
  return hundredths == kOpen ? whole : whole + "." + digits(hundredths, 2);
}

DateTime DateTime::now() {
  DateTime time;
  time.date = {0, 0, 0, 0};
  time.time = {0, 0, 0, 0};
  return time;
}

DateTime DateTime::from_utc(UtcTime utc) {
  const CivilTime civil = utc.civil();
  DateTime time;
  time.date = {static_cast<std::uint16_t>(civil.year), static_cast<Octet>(civil.month),
               static_cast<Octet>(civil.day), kOpen};
  time.time = {static_cast<Octet>(civil.hour), static_cast<Octet>(civil.minute),
               static_cast<Octet>(civil.second), 0};
  return time;
}

Result<DateTime> DateTime::decode(BytesView octets) {
  if (octets.size() != 12)
    return malformed("a date-time has 12 octets, not " + std::to_string(octets.size()));
  if (equal(octets, now().encode())) return now();
  DateTime out;
  TRY_ASSIGN(out.date, Date::decode(octets.first(5)));
  TRY_ASSIGN(out.time, TimeOfDay::decode(octets.subspan(5, 4)));
  out.deviation = static_cast<std::int16_t>(get_be(octets.subspan(9, 2)));
  out.status = octets[11];
  if (!is_deviation(out.deviation))
    return malformed("the deviation is " + std::to_string(out.deviation) + " minutes");
  return out;
}

Result<DateTime> DateTime::parse(std::string_view text) {
  const Refusal wrong = malformed("'" + std::string(text.substr(0, 60)) + "' is no date and time");
  if (text == "now") return now();
  if (text == "never") return never();
  DateTime out;
  const std::optional<Date> date = take_date(text);
  if (!date || !take(text, "T")) return wrong;
  const std::optional<TimeOfDay> time = take_time(text);
  if (!time) return wrong;
  out.date = *date;
  out.time = *time;
  if (!take_rest(text, out) || !text.empty() || out == never()) return wrong;
  return out;
}

Bytes DateTime::encode() const {
  Bytes out = date.encode();
  append(out, time.encode());
  put_be(out, static_cast<std::uint16_t>(deviation));
  out.push_back(status);
  return out;
}

std::string DateTime::text() const {
  if (*this == now()) return "now";
  if (*this == never()) return "never";
  std::string whole = date.text() + "T" + time.text();
  if (deviation != kOpenDeviation) whole += " deviation " + std::to_string(deviation);
  if (status != kOpen) whole += " status " + to_hex(Bytes{status});
  return whole;
}

std::optional<UtcTime> DateTime::utc() const {
  if (date.year == kOpenYear || date.year == 0 || time.hour == kOpen || time.minute == kOpen ||
      time.second == kOpen)
    return std::nullopt;
  const std::optional<UtcTime> local =
      UtcTime::from_civil({date.year, date.month, date.day, time.hour, time.minute, time.second});
  if (!local) return std::nullopt;
  if (date.weekday != kOpen) {
    const std::int64_t days = local->start_of_day().unix_seconds() / 86400;
    if (((days + 3) % 7 + 7) % 7 + 1 != date.weekday) return std::nullopt;  // day 0 was a Thursday
  }
  return local->plus_seconds(deviation == kOpenDeviation ? 0 : deviation * 60);
}

}  // namespace wattseal::cosem
