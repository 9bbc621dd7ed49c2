#include "gateway/alerts.h"

#include "base/fault.h"
#include "terms/facts.h"

namespace wattseal::gateway {
namespace {

struct Row {
  std::string_view id, codes, treatment, alerts, seconds, why, source, in_force_from;
};
constexpr Row kRows[] = {
#include "tables/alert_thresholds.inc"
};
static_assert(std::size(kRows) > 0 && kRows[std::size(kRows) - 1].codes == "*",
              "the last row is for the rest");

bool lists(std::string_view codes, std::string_view code) {
  return codes == "*" || (code.size() == 4 && codes.find(code) != std::string_view::npos);
}

}  // namespace

std::span<const AlertThreshold> alert_thresholds() {
  static const std::vector<AlertThreshold> thresholds = [] {
    std::vector<AlertThreshold> made;
    for (const Row& row : kRows)
      made.push_back({row.id, row.codes, row.treatment == "consolidate",
                      std::stoull(std::string(row.alerts)), std::stoll(std::string(row.seconds)),
                      row.why, row.source});
    return made;
  }();
  return thresholds;
}

const AlertThreshold& alert_threshold(std::string_view code) {
  const std::span<const AlertThreshold> all = alert_thresholds();
  const auto found =
      std::ranges::find_if(all, [&](const AlertThreshold& one) { return lists(one.codes, code); });
  return found == all.end() ? all.back() : *found;
}

Bytes Consolidation::encode() const {
  RecordWriter record;
  record.number(number).octets(user.octets()).octets(device.octets()).text(code).text(threshold);
  for (const UtcTime time : {from, until})
    record.number(static_cast<std::uint64_t>(time.unix_seconds()));
  record.number(count).number(last.number());
  record.number(told ? static_cast<std::uint64_t>(told->unix_seconds()) : 0);
  return record.bytes();
}

Consolidation Consolidation::decode(BytesView octets) {
  RecordReader record(octets);
  const auto time = [&] {
    return UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  };
  Consolidation one;
  one.number = record.number();
  one.user = Eui64::from_number(get_be(record.octets()));
  one.device = Eui64::from_number(get_be(record.octets()));
  one.code = record.text();
  one.threshold = record.text();
  one.from = time();
  one.until = time();
  one.count = record.number();
  one.last = OriginatorCounter(record.number());
  const UtcTime told = time();
  if (told.unix_seconds() != 0) one.told = told;
  return one;
}

}  // namespace wattseal::gateway
