#include "smki/maintenance.h"

#include <charconv>

#include "smki/service_hours.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

Bytes key_of(std::uint64_t id) {
  Bytes key;
  put_be(key, id);
  return key;
}

struct Period {
  UtcTime from, until;
};
Result<Period> read_period(const ActScene& scene, const json& payload) {
  const std::optional<UtcTime> from = UtcTime::parse_iso(payload.value("from", ""));
  const std::optional<UtcTime> until = UtcTime::parse_iso(payload.value("until", ""));
  if (!from || !until)
    return Refusal{"maintenance-period"_rule, "it is no time as yyyy-mm-ddThh:mm:ssZ",
                   from ? "until" : "from"};
  const std::int64_t most = static_cast<std::int64_t>(limit("maintenance_hours_max")) * 3600;
  if (*until <= *from || *until - *from > most)
    return Refusal{"maintenance-period"_rule,
                   from->iso() + " to " + until->iso() + " is not of 1 second to " +
                       std::to_string(most / 3600) + " hours",
                   "until"};
  if (*until <= scene.now)
    return Refusal{"maintenance-past"_rule, "it would end " + until->iso(), "until"};
  return Period{*from, *until};
}

Result<std::uint64_t> read_id(const ActScene& scene, const json& payload) {
  const std::string text = payload.value("maintenance", "");
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool number = error == std::errc{} && end == text.data() + text.size();
  const Calendar calendar = Calendar::read(scene.reader, scene.now);
  if (number &&
      std::ranges::find(calendar.planned(), id, &Maintenance::id) != calendar.planned().end())
    return id;
  return Refusal{"maintenance-unknown"_rule, "'" + text.substr(0, 40) + "'", "maintenance"};
}

}  // namespace

Status check_maintenance(const ActScene& scene, const json& payload, const Person&) {
  TRY(read_period(scene, payload));
  return {};
}

void plan_maintenance(const ActScene& scene, storage::Batch& batch, const json& payload,
                      const Act& act) {
  const Period period = read_period(scene, payload).value();
  const std::string reason = payload.value("reason", "");
  // What has ended leaves the calendar; the journal keeps it.
  scene.reader.scan(tables::maintenance, {}, {}, [&](BytesView key, BytesView value) {
    RecordReader record(value);
    (void)record.number();
    if (static_cast<std::int64_t>(record.number()) <= scene.now.unix_seconds())
      batch.erase(tables::maintenance, key);
    return true;
  });
  // The act's number is the maintenance's: both are said to people.
  batch.put(tables::maintenance, key_of(act.id),
            RecordWriter()
                .number(static_cast<std::uint64_t>(period.from.unix_seconds()))
                .number(static_cast<std::uint64_t>(period.until.unix_seconds()))
                .number(static_cast<std::uint64_t>(scene.now.unix_seconds()))
                .text(reason)
                .bytes());
  batch.append(FactWriter(FactKind::maintenance_planned, scene.now, scene.trace)
                   .number(FactField::maintenance, act.id)
                   .time(FactField::effective_from, period.from)
                   .time(FactField::effective_until, period.until)
                   .text(FactField::detail, reason)
                   .number(FactField::act, act.id)
                   .bytes());
}

Status check_cancel(const ActScene& scene, const json& payload, const Person&) {
  TRY(read_id(scene, payload));
  return {};
}

void cancel_maintenance(const ActScene& scene, storage::Batch& batch, const json& payload,
                        const Act& act) {
  const std::uint64_t id = read_id(scene, payload).value();
  batch.erase(tables::maintenance, key_of(id));
  batch.append(FactWriter(FactKind::maintenance_cancelled, scene.now, scene.trace)
                   .number(FactField::maintenance, id)
                   .number(FactField::act, act.id)
                   .bytes());
}

}  // namespace wattseal::smki
