#include "smki/service_hours.h"

#include "terms/facts.h"
#include "terms/tables.h"
#include "terms/terms.h"

namespace wattseal::smki {
namespace {

int opens() { return static_cast<int>(limit("service_window_opens_hour")); }
int closes() { return static_cast<int>(limit("service_window_closes_hour")); }

UtcTime on_day(const CivilTime& day, int days_later, int hour) {
  return uk_instant(day.year, day.month, day.day + days_later, hour);
}

}  // namespace

bool in_service_window(UtcTime at) {
  const int hour = uk_civil(at).hour;
  return opens() <= hour && hour < closes();
}

UtcTime window_opens(UtcTime from) {
  if (in_service_window(from)) return from;
  const CivilTime local = uk_civil(from);
  return on_day(local, local.hour < opens() ? 0 : 1, opens());
}

std::int64_t window_seconds(UtcTime from, UtcTime until) {
  std::int64_t seconds = 0;
  while (from < until) {
    const UtcTime begin = window_opens(from);
    if (begin >= until) break;
    const UtcTime end = std::min(until, on_day(uk_civil(begin), 0, closes()));
    seconds += end - begin;
    from = end;
  }
  return seconds;
}

bool Maintenance::with_notice() const {
  return from - announced >= static_cast<std::int64_t>(limit("maintenance_notice_days")) * 86400;
}

Calendar Calendar::read(const storage::Reader& reader, UtcTime now) {
  std::vector<Maintenance> planned;
  reader.scan(tables::maintenance, {}, {}, [&](BytesView key, BytesView value) {
    RecordReader record(value);
    const auto time = [&] {
      return UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
    };
    Maintenance one;
    one.id = get_be(key);
    one.from = time();
    one.until = time();
    one.announced = time();
    one.reason = record.text();
    if (now < one.until) planned.push_back(std::move(one));
    return true;
  });
  std::ranges::sort(planned, {}, &Maintenance::from);
  return Calendar(std::move(planned));
}

const Maintenance* Calendar::maintenance_at(UtcTime at) const {
  const auto found =
      std::ranges::find_if(planned_, [&](const Maintenance& one) { return one.covers(at); });
  return found == planned_.end() ? nullptr : &*found;
}

UtcTime Calendar::serves_from(UtcTime from) const {
  for (;;) {
    from = window_opens(from);
    const Maintenance* const closed = maintenance_at(from);
    if (!closed) return from;
    from = closed->until;
  }
}

UtcTime Calendar::due(UtcTime received, std::size_t rows) const {
  if (rows == 1)
    return serves_from(received).plus_seconds(
        static_cast<std::int64_t>(limit("single_target_seconds")));
  if (!in_service_window(received))
    return received.plus_seconds(static_cast<std::int64_t>(limit("batch_target_hours")) * 3600);
  return on_day(uk_civil(received), 1, static_cast<int>(limit("batch_target_hour")));
}

}  // namespace wattseal::smki
