#include "base/time.h"

#include <chrono>
#include <cstdio>

namespace wattseal {
namespace {

using Days = std::chrono::sys_days;

// Reads exactly `digits` decimal digits at `at`; -1 when one is missing.
int number_at(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

bool has_at(std::string_view text, std::size_t at, char c) {
  return at < text.size() && text[at] == c;
}

}  // namespace

std::optional<UtcTime> UtcTime::from_civil(const CivilTime& c) {
  const std::chrono::year_month_day date{std::chrono::year{c.year},
                                         std::chrono::month{static_cast<unsigned>(c.month)},
                                         std::chrono::day{static_cast<unsigned>(c.day)}};
  if (c.year < 1 || c.year > 9999 || c.month < 1 || c.day < 1 || !date.ok()) return std::nullopt;
  if (c.hour < 0 || c.hour > 23 || c.minute < 0 || c.minute > 59 || c.second < 0 || c.second > 59)
    return std::nullopt;
  const std::int64_t days = Days{date}.time_since_epoch().count();
  return UtcTime(days * 86400 + c.hour * 3600 + c.minute * 60 + c.second);
}

std::optional<UtcTime> UtcTime::parse_iso(std::string_view t) {
  if (!has_at(t, 4, '-') || !has_at(t, 7, '-') || !has_at(t, 10, 'T') || !has_at(t, 13, ':') ||
      !has_at(t, 16, ':')) {
    return std::nullopt;
  }
  const CivilTime civil{number_at(t, 0, 4),  number_at(t, 5, 2),  number_at(t, 8, 2),
                        number_at(t, 11, 2), number_at(t, 14, 2), number_at(t, 17, 2)};
  std::size_t end = 19;
  if (has_at(t, end, '.')) {
    const std::size_t first = ++end;
    while (end < t.size() && t[end] >= '0' && t[end] <= '9') ++end;
    if (end == first || end - first > 9) return std::nullopt;
  }
  const std::string_view zone = t.size() >= end ? t.substr(end) : std::string_view{};
  if (zone != "Z" && zone != "+00:00") return std::nullopt;
  return from_civil(civil);
}

CivilTime UtcTime::civil() const {
  const std::int64_t days = seconds_ >= 0 ? seconds_ / 86400 : -((-seconds_ + 86399) / 86400);
  const std::int64_t rest = seconds_ - days * 86400;
  const std::chrono::year_month_day date{Days{std::chrono::days{days}}};
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          static_cast<int>(rest / 3600),
          static_cast<int>(rest / 60 % 60),
          static_cast<int>(rest % 60)};
}

std::string UtcTime::iso() const {
  const CivilTime c = civil();
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour,
                c.minute, c.second);
  return text;
}

UtcTime UtcTime::plus_years(int years) const {
  CivilTime c = civil();
  c.year += years;
  if (const std::optional<UtcTime> time = from_civil(c)) return *time;
  if (c.month == 2 && c.day == 29) {
    c.day = 28;
    if (const std::optional<UtcTime> time = from_civil(c)) return *time;
  }
  return forever();
}

UtcTime UtcTime::start_of_day() const {
  const CivilTime c = civil();
  return UtcTime(seconds_ - c.hour * 3600 - c.minute * 60 - c.second);
}

}  // namespace wattseal
