#include "smki/demand_acts.h"

#include "smki/demand_records.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

struct OfReport {
  Eui64 party;
  Month month;
};
Result<OfReport> read_report(const ActScene& scene, const json& payload) {
  const Result<Eui64> party = Eui64::parse(payload.value("party", ""));
  if (!party.ok() || !find_party(scene.reader, *party))
    return Refusal{"office-payload"_rule, "it is no registered party", "party"};
  const Result<Month> month = Month::parse(payload.value("month", ""));
  if (!month.ok()) return Refusal{"office-payload"_rule, month.refusal().detail, "month"};
  return OfReport{*party, *month};
}

Bytes fact_of(FactKind kind, const ActScene& scene, const OfReport& of, const json& payload,
              const Act& act) {
  return FactWriter(kind, scene.now, scene.trace)
      .eui(FactField::party, of.party)
      .text(FactField::month, of.month.text())
      .number(FactField::act, act.id)
      .text(FactField::detail, payload.value("reason", ""))
      .bytes();
}

Status check(const ActScene& scene, const json& payload, bool is_withheld) {
  TRY_ASSIGN(const OfReport of, read_report(scene, payload));
  if (scene.reader.get(tables::demand_withheld, withheld_key(of.month, of.party)).has_value() ==
      is_withheld)
    return {};
  return Refusal{"demand-withheld"_rule,
                 of.party.text() + (is_withheld ? " is published for " : " is withheld for ") +
                     of.month.text(),
                 "party"};
}

}  // namespace

Status check_withhold(const ActScene& scene, const json& payload, const Person&) {
  return check(scene, payload, false);
}
void withhold_report(const ActScene& scene, storage::Batch& batch, const json& payload,
                     const Act& act) {
  const OfReport of = read_report(scene, payload).value();
  batch.put(tables::demand_withheld, withheld_key(of.month, of.party),
            to_record(Withheld{act.id, scene.now, payload.value("reason", "")}));
  batch.append(fact_of(FactKind::demand_report_withheld, scene, of, payload, act));
}

Status check_release(const ActScene& scene, const json& payload, const Person&) {
  return check(scene, payload, true);
}
void release_report(const ActScene& scene, storage::Batch& batch, const json& payload,
                    const Act& act) {
  const OfReport of = read_report(scene, payload).value();
  batch.erase(tables::demand_withheld, withheld_key(of.month, of.party));
  batch.append(fact_of(FactKind::demand_report_released, scene, of, payload, act));
}

}  // namespace wattseal::smki
