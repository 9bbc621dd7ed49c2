// Forms of settings and calendars: which events raise alerts, dates and times of gas, actions of
// auxiliary controllers. Source: MMC schema 5.4 (X); spec/gbcs-duis.md 2.3.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "gbcs/mmc/rows.h"

namespace wattseal::gbcs {
namespace {

constexpr std::string_view kEnable = "Enable", kDisable = "Disable";

void leave(Aside& aside, const std::string& what) {
  aside.left += (aside.left.empty() ? "" : ", ") + what;
}

// Bits counted from the last one; a table names the element of each, below the section of its kind
// of meter. The first section is of all meters; of the others only the one where a bit is set is
// written, as the bits do not say which meter it is.
Wrote put_events(const MmcRow& row, const Node& node, Builder& element, Aside& aside) {
  const std::span<const MmcCode> table = mmc_codes(row.arguments.at(0));
  CHECK(!table.empty());
  if (node.kind != Node::Kind::octets || node.content.size() != 32) return Wrote::refused;
  const auto is_set = [&node](std::size_t bit) {
    return (node.content[31 - bit / 8] >> (bit % 8) & 1) != 0;
  };
  const auto section_of = [](const MmcCode& code) {
    return code.text.substr(0, code.text.find('/'));
  };
  std::array<bool, 256> known{};
  std::vector<std::string_view> sections{section_of(table.front())};
  for (const MmcCode& code : table) {
    const std::size_t bit = std::stoul(std::string(code.code));
    known.at(bit) = true;
    if (is_set(bit) && std::ranges::find(sections, section_of(code)) == sections.end())
      sections.push_back(section_of(code));
  }
  if (sections.size() > 2) return Wrote::refused;  // bits of both kinds of meter
  for (std::size_t bit = 0; bit < known.size(); ++bit) {
    if (is_set(bit) && !known[bit]) leave(aside, "bit " + std::to_string(bit));
  }
  for (const MmcCode& code : table) {
    if (std::ranges::find(sections, section_of(code)) == sections.end()) continue;
    element.child(section_of(code))
        .child(code.text.substr(code.text.find('/') + 1))
        .set_text(std::string(is_set(std::stoul(std::string(code.code))) ? kEnable : kDisable));
  }
  return Wrote::element;
}

// Reports of a gas meter: which report of how many, then code and configuration of each event.
Wrote put_gas_events(const MmcRow& row, const Node& node, Builder& element, Aside& aside) {
  constexpr std::size_t kHead = 2, kRecord = 3;
  struct Behaviour {
    const char* name;
    Octet bits;
  };
  static constexpr Behaviour kBehaviours[] = {
      {"WANAlert", 0x08}, {"HANAlert", 0x10}, {"EventLog", 0x07}, {"Alarm", 0x40}};
  if (node.kind != Node::Kind::list || node.items.empty()) return Wrote::refused;
  std::map<std::string, Octet> events;
  for (const Node& report : node.items) {
    const Bytes& octets = report.content;
    if (octets.size() < kHead || (octets.size() - kHead) % kRecord != 0) return Wrote::refused;
    for (std::size_t at = kHead; at < octets.size(); at += kRecord)
      events[to_hex_upper(Bytes{octets[at + 1], octets[at]})] = octets[at + 2];
  }
  for (const MmcCode& code : mmc_codes(row.arguments.at(0))) {
    const auto event = events.find(std::string(code.code));
    if (event == events.end()) continue;
    Builder& settings = element.child(code.text);
    for (const Behaviour& behaviour : kBehaviours)
      settings.child(behaviour.name)
          .set_text(std::string(event->second & behaviour.bits ? kEnable : kDisable));
    events.erase(event);
  }
  for (const auto& [code, configuration] : events) leave(aside, "event " + code);
  return Wrote::element;
}

// Year from 1900, month, day, day of the week; FF is any.
Wrote put_gas_date(const Node& node, Builder& element) {
  constexpr std::size_t kAny = 0xFF, kYear = 1900;
  const Bytes& octets = node.content;
  if (node.kind != Node::Kind::octets || octets.size() != 4) return Wrote::refused;
  const std::size_t year = octets[0] == kAny ? kAny : kYear + octets[0];
  bool good = put_part(element, {"GasYearWithWildcards", "Year", 2014, 2154, kAny}, year);
  good = put_part(element, {"GasMonthWithWildcards", "Month", 1, 12, kAny}, octets[1]) && good;
  good = put_part(element,
                  {"GasDayOfMonthWithWildcards", "DayOfMonth", 1, 31, kAny, "GasNonSpecified"},
                  octets[2]) &&
         good;
  good =
      put_part(element, {"GasDayOfWeekWithWildcards", "DayOfWeek", 1, 7, kAny}, octets[3]) && good;
  return good ? Wrote::element : Wrote::refused;
}

// Minutes since midnight.
Wrote put_minutes(const Node& node, Builder& element) {
  constexpr std::int64_t kDay = 24 * 60;
  const std::optional<std::int64_t> minutes = number_of(node);
  if (!minutes || *minutes < 0 || *minutes >= kDay) return Wrote::refused;
  const auto two = [](std::int64_t number) {
    return (number < 10 ? "0" : "") + std::to_string(number);
  };
  element.set_text(two(*minutes / 60) + ":" + two(*minutes % 60) + ":00Z");
  return Wrote::element;
}

// The number of a week and those of its seven days: the most of each are arguments.
Wrote put_gas_week(const MmcRow& row, const Node& node, Builder& element) {
  constexpr std::size_t kDays = 7;
  const Bytes& octets = node.content;
  if (node.kind != Node::Kind::octets || octets.size() != 1 + kDays) return Wrote::refused;
  const unsigned long weeks = std::stoul(row.arguments.at(0)),
                      days = std::stoul(row.arguments.at(1));
  if (octets[0] < 1 || octets[0] > weeks) return Wrote::refused;
  element.child("WeekName").set_text(std::to_string(octets[0]));
  for (std::size_t day = 1; day <= kDays; ++day) {
    if (octets[day] < 1 || octets[day] > days) return Wrote::refused;
    Builder& name = element.child(Segment{"ReferencedDayName"}, day);
    name.set_attribute("index", std::to_string(day));
    name.set_text(std::to_string(octets[day]));
  }
  return Wrote::element;
}

// A script of the schedule of controllers: four bits of direction (1 to the load, 2 from it), four
// of controller, one that is set, seven of level.
Wrote put_controller_action(const Node& node, Builder& element) {
  constexpr std::int64_t kFromLoad = 2, kControllers = 5, kLevelMax = 100;
  const std::optional<std::int64_t> script = number_of(node);
  if (!script || *script < 0 || *script > 0xFFFF || (*script & 0x80) == 0) return Wrote::refused;
  const std::int64_t direction = *script >> 12, controller = *script >> 8 & 0xF;
  const std::int64_t level = *script & 0x7F;
  if (direction < 1 || direction > kFromLoad || controller < 1 || controller > kControllers ||
      level > kLevelMax)
    return Wrote::refused;
  element.set_attribute("auxiliaryControllerN", std::to_string(controller));
  element.child("CommandedStateLevel").set_text(std::to_string(level));
  if (direction == kFromLoad) element.child("InputFromControlledLoad");
  return Wrote::element;
}

}  // namespace

std::optional<Wrote> write_setting(const MmcRow& row, const Node& node, Builder& element,
                                   Aside& aside) {
  if (row.form == "events") return put_events(row, node, element, aside);
  if (row.form == "gas-events") return put_gas_events(row, node, element, aside);
  if (row.form == "gas-date") return put_gas_date(node, element);
  if (row.form == "gas-week") return put_gas_week(row, node, element);
  if (row.form == "minutes") return put_minutes(node, element);
  if (row.form == "controller-action") return put_controller_action(node, element);
  if (row.form == "empty") return Wrote::element;  // an element that only has to be there
  return std::nullopt;
}

}  // namespace wattseal::gbcs
