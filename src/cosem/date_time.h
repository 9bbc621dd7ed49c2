// Date and time as COSEM writes them: a date in 5 octets, a time of day in 4, a date-time in 12
// (date, time, deviation, clock status). Any part may be left open: FFFF for the year, FF for the
// rest; a month may name the beginning (FE) or end (FD) of daylight saving, a day the last (FE) or
// second last (FD) of the month. Such a value is a pattern, not an instant. Devices are also told
// "now" (nine octets 00, then 8000 FF) and "never", which cancels (nine FF, then 8000 FF). Text:
// "2014-12-31T09:30:00.00", open parts "*", the weekday in front ("sun *-*-last"), what is
// specified of the rest behind
// (" deviation -60", " status 02"); hundredths are left out when open; "now"; "never". parse()
// reads exactly what text() writes. Refuses: cosem-date-time. Source: IEC 62056-6-2 4.1.6.1;
// spec/gbcs-duis.md 1.4, 2.2.
#pragma once
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace wattseal::cosem {

inline constexpr Octet kOpen = 0xFF;  // any value, or not specified
inline constexpr std::uint16_t kOpenYear = 0xFFFF;
inline constexpr Octet kLastDay = 0xFE, kSecondLastDay = 0xFD;
inline constexpr Octet kDaylightSavingBegins = 0xFE, kDaylightSavingEnds = 0xFD;
inline constexpr std::int16_t kOpenDeviation = -32768;

struct Date {
  std::uint16_t year = kOpenYear;
  Octet month = kOpen, day = kOpen;
  Octet weekday = kOpen;  // 1 Monday to 7 Sunday

  static Result<Date> decode(BytesView octets);  // exactly 5
  static Result<Date> parse(std::string_view text);
  Bytes encode() const;
  std::string text() const;
  friend bool operator==(const Date&, const Date&) = default;
};

struct TimeOfDay {
  Octet hour = kOpen, minute = kOpen, second = kOpen, hundredths = kOpen;

  static Result<TimeOfDay> decode(BytesView octets);  // exactly 4
  static Result<TimeOfDay> parse(std::string_view text);
  Bytes encode() const;
  std::string text() const;
  friend bool operator==(const TimeOfDay&, const TimeOfDay&) = default;
};

struct DateTime {  // as built: "never"
  Date date;
  TimeOfDay time;
  std::int16_t deviation = kOpenDeviation;  // minutes to add to the local time for UTC; the trap is
                                            // its sign: CET has -60
  Octet status = kOpen;  // clock status bits: 01 invalid, 02 doubtful, 80 daylight saving is active

  static DateTime now();
  static DateTime never() { return {}; }
  // Weekday, deviation and status open, hundredths 0. The clock of a meter is UTC, so the deviation
  // is understood.
  static DateTime from_utc(UtcTime time);
  static Result<DateTime> decode(BytesView octets);  // exactly 12
  static Result<DateTime> parse(std::string_view text);
  Bytes encode() const;
  std::string text() const;
  // The instant, hundredths dropped: nothing for a pattern, "now" and "never", and when the weekday
  // is not that of the date. An open deviation counts as 0.
  std::optional<UtcTime> utc() const;
  friend bool operator==(const DateTime&, const DateTime&) = default;
};

}  // namespace wattseal::cosem
