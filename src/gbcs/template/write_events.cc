// How a gas meter shall treat its events: alerts over the WAN and in the home, log and alarm, each
// on or off. Events with the same setting share a command that lists them. Source:
// spec/gbcs-duis.md 2.3, ZSE Event Configuration.
#include <array>
#include <set>

#include "gbcs/template/writer.h"

namespace wattseal::gbcs::gmt {
namespace {

struct Behaviour {
  std::string_view element;
  Octet bits;           // of the Event Configuration: bits 0 to 2 name the log, 3 the general one
  bool enabled_before;  // which of two settings that differ here comes first
};
constexpr std::array kBehaviours{
    Behaviour{"WANAlert", 0x08, true}, Behaviour{"HANAlert", 0x10, true},
    Behaviour{"EventLog", 0x03, false}, Behaviour{"Alarm", 0x40, false}};

struct Setting {
  std::array<bool, kBehaviours.size()> order;
  Octet configuration;
  auto operator<=>(const Setting&) const = default;
};

// x810E
std::optional<std::uint16_t> event_code(std::string_view name) {
  if (name.size() != 5 || name[0] != 'x' ||
      name.find_first_not_of("0123456789ABCDEF", 1) != std::string_view::npos)
    return std::nullopt;
  return static_cast<std::uint16_t>(get_be(from_hex(name.substr(1)).value()));
}

Result<Setting> setting_of(const xml::Element& event, const std::string& path, int line,
                           const Evaluator& values) {
  Setting setting{};
  for (std::size_t i = 0; i < kBehaviours.size(); ++i) {
    const Behaviour& behaviour = kBehaviours[i];
    const std::string field = path + "/" + std::string(behaviour.element);
    const xml::Element* const said = event.child(behaviour.element);
    if (said == nullptr)
      return values.refuse("gbcs-value-missing"_rule, line, field,
                           "the request does not have this element");
    const bool enabled = said->trimmed() == "Enable";
    if (!enabled && said->trimmed() != "Disable")
      return values.refuse("gbcs-value-range"_rule, line, field, "it must be Enable or Disable");
    if (enabled) setting.configuration |= behaviour.bits;
    setting.order[i] = enabled != behaviour.enabled_before;
  }
  return setting;
}

void put_little_endian(Bytes& out, std::uint64_t value, std::size_t octets) {
  for (std::size_t i = 0; i < octets; ++i) out.push_back(static_cast<Octet>(value >> (8 * i)));
}

}  // namespace

Result<std::vector<Bytes>> event_configurations(const Node& node, const xml::Element& here,
                                                const Evaluator& values) {
  std::map<Setting, std::set<std::uint16_t>> events;
  std::set<std::uint16_t> all;
  for (const xml::Element* const list : values.all(node.path, here)) {
    for (const xml::Element& event : list->children) {
      const std::string path = node.path.text + "/" + event.name;
      const std::optional<std::uint16_t> code = event_code(event.name);
      if (!code)
        return values.refuse("gbcs-value-range"_rule, node.line, path,
                             "an event is named x and the four digits of its code");
      if (!all.insert(*code).second)
        return values.refuse("gbcs-value-range"_rule, node.line, path, "the event stands twice");
      TRY_ASSIGN(const Setting setting, setting_of(event, path, node.line, values));
      events[setting].insert(*code);
    }
  }
  if (events.empty())
    return values.refuse("gbcs-value-missing"_rule, node.line, node.path.text,
                         "the request says nothing of any event");
  Expr clock;
  clock.op = Op::now;
  clock.kind = Kind::moment;
  Expr seconds;
  seconds.op = Op::seconds_since_2000;
  seconds.line = node.line;
  seconds.arguments.push_back(std::move(clock));
  TRY_ASSIGN(const Integer now, values.integer(seconds, here));
  std::vector<Bytes> commands;
  for (const auto& [setting, codes] : events) {
    if (codes.size() > 0xFF)
      return values.refuse("gbcs-value-range"_rule, node.line, node.path.text,
                           "a command lists at most 255 events");
    Bytes& fields = commands.emplace_back();
    put_little_endian(fields, static_cast<std::uint64_t>(now), 4);  // issuer event id
    put_little_endian(fields, 0, 4);                                // at once
    append(fields, Bytes{setting.configuration, 0x00, static_cast<Octet>(codes.size())});
    for (const std::uint16_t code : codes) put_little_endian(fields, code, 2);
  }
  return commands;
}

}  // namespace wattseal::gbcs::gmt
