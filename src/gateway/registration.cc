#include "gateway/registration.h"

#include "base/fault.h"
#include "terms/facts.h"
#include "terms/tables.h"

namespace wattseal::gateway {
namespace {

void put_optional(RecordWriter& record, const std::optional<Eui64>& eui) {
  if (eui) {
    record.octets(eui->octets());
  } else {
    record.octets({});
  }
}

std::optional<Eui64> take_optional(RecordReader& record) {
  const BytesView octets = record.octets();
  return octets.size() == 8 ? std::optional(Eui64::from_number(get_be(octets))) : std::nullopt;
}

Bytes to_record(const MeterPoint& point) {
  RecordWriter record;
  record.octets(point.supplier.octets()).octets(point.network_operator.octets());
  put_optional(record, point.export_supplier);
  put_optional(record, point.agent);
  record.number(static_cast<std::uint64_t>(point.effective_from.unix_seconds()));
  return record.bytes();
}

MeterPoint from_record(std::string_view id, BytesView octets) {
  RecordReader record(octets);
  MeterPoint point;
  point.id = std::string(id);
  point.supplier = Eui64::from_number(get_be(record.octets()));
  point.network_operator = Eui64::from_number(get_be(record.octets()));
  point.export_supplier = take_optional(record);
  point.agent = take_optional(record);
  point.effective_from = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  return point;
}

}  // namespace

Registration::Registration(const World& world, storage::Store& store)
    : world_(world), store_(store) {}

Status Registration::record(const std::vector<MeterPoint>& points, TraceId trace) {
  storage::Batch batch;
  for (const MeterPoint& point : points) {
    batch.put(tables::meter_points, as_bytes(point.id), to_record(point));
    FactWriter fact(FactKind::registration_recorded, world_.now(), trace);
    fact.text(FactField::meter_point, point.id)
        .eui(FactField::supplier, point.supplier)
        .eui(FactField::network_operator, point.network_operator)
        .time(FactField::effective_from, point.effective_from);
    if (point.export_supplier) fact.eui(FactField::export_supplier, *point.export_supplier);
    if (point.agent) fact.eui(FactField::agent, *point.agent);
    batch.append(fact.bytes());
  }
  TRY(store_.commit(std::move(batch)));
  return {};
}

void Registration::replay(storage::Changes& rows, const FactView& fact) {
  const std::optional<Eui64> supplier = fact.eui(FactField::supplier),
                             network = fact.eui(FactField::network_operator);
  if (!supplier || !network) throw Fault("a registration's fact lacks a field");
  MeterPoint point;
  point.id = std::string(fact.text(FactField::meter_point));
  point.supplier = *supplier;
  point.network_operator = *network;
  point.export_supplier = fact.eui(FactField::export_supplier);
  point.agent = fact.eui(FactField::agent);
  point.effective_from =
      UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(FactField::effective_from)));
  rows.put(tables::meter_points, as_bytes(point.id), to_record(point));
}

Result<MeterPoint> Registration::find(std::string_view id) const {
  const std::optional<Bytes> record = store_.get(tables::meter_points, as_bytes(id));
  if (!record) return Refusal{"registration-unknown"_rule, "no registration for this meter point"};
  return from_record(id, *record);
}

}  // namespace wattseal::gateway
