// UtcTime: whole seconds UTC since 1970-01-01, proleptic Gregorian, no leap seconds (as X.509, DUIS
// and GBCS count). Range: year 0001 to 9999, so that "no well-defined expiry" (99991231235959Z, RFC
// 5280 4.1.2.5) is an ordinary value. Other encodings of time end at the codecs.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wattseal {

struct CivilTime {  // month and day from 1
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
  friend bool operator==(const CivilTime&, const CivilTime&) = default;
};

class UtcTime {
 public:
  constexpr UtcTime() = default;
  static constexpr UtcTime from_unix_seconds(std::int64_t seconds) { return UtcTime(seconds); }
  static std::optional<UtcTime> from_civil(
      const CivilTime& civil);  // nothing when a part is out of range
  // yyyy-mm-ddThh:mm:ss[.f…](Z|+00:00); fractions are dropped.
  static std::optional<UtcTime> parse_iso(std::string_view text);
  static constexpr UtcTime forever() { return UtcTime(253402300799); }  // 9999-12-31T23:59:59Z

  constexpr std::int64_t unix_seconds() const { return seconds_; }
  CivilTime civil() const;
  std::string iso() const;  // yyyy-mm-ddThh:mm:ssZ
  constexpr UtcTime plus_seconds(std::int64_t seconds) const { return UtcTime(seconds_ + seconds); }
  UtcTime plus_years(int years) const;  // 29 February becomes 28 February
  UtcTime start_of_day() const;
  friend constexpr auto operator<=>(UtcTime, UtcTime) = default;

 private:
  constexpr explicit UtcTime(std::int64_t seconds) : seconds_(seconds) {}
  std::int64_t seconds_ = 0;
};
constexpr std::int64_t operator-(UtcTime a, UtcTime b) {
  return a.unix_seconds() - b.unix_seconds();
}

}  // namespace wattseal
