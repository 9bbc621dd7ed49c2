#include "emulators/misbehaviour.h"

#include <algorithm>
#include <charconv>

namespace wattseal::emulators {
namespace {

constexpr MisbehaviourRow kRows[] = {
#include "tables/emulated_misbehaviours.inc"
};

Refusal refused(std::string detail) {
  return {"emulator-misbehaviour"_rule, std::move(detail), "misbehaviour"};
}

struct Setting {
  std::string_view name;
  unsigned Misbehaviour::*member;
  unsigned max;
};
constexpr Setting kSettings[] = {{"lost", &Misbehaviour::lost_per_cent, 100},
                                 {"deaf", &Misbehaviour::deaf_per_cent, 100},
                                 {"slow", &Misbehaviour::slow_seconds, 86'400},
                                 {"wrong-mac", &Misbehaviour::wrong_mac_per_cent, 100},
                                 {"stale", &Misbehaviour::stale_per_cent, 100},
                                 {"twice", &Misbehaviour::twice_per_cent, 100},
                                 {"storm", &Misbehaviour::storm_alerts, 1000}};
constexpr int kDriftMax = 100'000;

Result<int> number_in(std::string_view text, int least, int most) {
  int number = 0;
  const std::from_chars_result read =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || number < least ||
      number > most)
    return refused("'" + std::string(text) + "' is no number from " + std::to_string(least) +
                   " to " + std::to_string(most));
  return number;
}

Status apply(std::string_view list, Misbehaviour& to) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view one = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos) {
      const auto* const row = std::ranges::find(kRows, one, &MisbehaviourRow::name);
      if (row == std::end(kRows)) {
        std::string names;
        for (const MisbehaviourRow& known : kRows) names += " " + std::string(known.name);
        return refused("there is no misbehaviour '" + std::string(one) + "'; known are" + names);
      }
      TRY(apply(row->settings, to));
      continue;
    }
    const std::string_view name = one.substr(0, equals), value = one.substr(equals + 1);
    if (name == "drift") {
      TRY_ASSIGN(to.drift_per_million, number_in(value, -kDriftMax, kDriftMax));
      continue;
    }
    const auto* const setting = std::ranges::find(kSettings, name, &Setting::name);
    if (setting == std::end(kSettings))
      return refused("there is no setting '" + std::string(name) + "'");
    TRY_ASSIGN(const int number, number_in(value, 0, static_cast<int>(setting->max)));
    to.*(setting->member) = static_cast<unsigned>(number);
  }
  return {};
}

}  // namespace

std::span<const MisbehaviourRow> misbehaviours() { return kRows; }

Result<Misbehaviour> parse_misbehaviour(std::string_view text) {
  Misbehaviour out;
  TRY(apply(text, out));
  return out;
}

}  // namespace wattseal::emulators
