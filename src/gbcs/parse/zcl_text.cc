#include "gbcs/parse/zcl_text.h"

#include <algorithm>

#include "base/check.h"

namespace wattseal::gbcs {
namespace {

struct CommandRow {
  std::string_view cluster, sender, command, name, fields, source, in_force_from;
};
constexpr CommandRow kCommands[] = {
#include "tables/zcl_commands.inc"
};

const CommandRow* row_of(const zcl::Component& component) {
  Bytes cluster;
  put_be(cluster, component.cluster);
  const std::string cluster_text = to_hex_upper(cluster);
  const std::string command_text = to_hex_upper(Bytes{component.command});
  const std::string_view sender = zcl::is_from_server(component) ? "server" : "client";
  const auto* const row = std::ranges::find_if(kCommands, [&](const CommandRow& one) {
    return one.cluster == cluster_text && one.sender == sender && one.command == command_text;
  });
  return row == std::end(kCommands) ? nullptr : row;
}

// The first field of a list, which is taken off it: up to a comma outside groups.
std::string_view next_field(std::string_view& list) {
  int depth = 0;
  std::size_t end = 0;
  for (; end < list.size() && (depth > 0 || list[end] != ','); ++end) {
    if (list[end] == '[' || list[end] == '{') ++depth;
    if (list[end] == ']' || list[end] == '}') --depth;
  }
  const std::string_view field = list.substr(0, end);
  list.remove_prefix(std::min(list.size(), end + 2));
  return field;
}

std::string time_text(std::uint64_t seconds) {
  if (seconds == zcl::kNow) return "at once";
  if (seconds >= zcl::kNever) return "never";
  return zcl::utc_time(static_cast<std::uint32_t>(seconds)).iso();
}

// Year since 1900, month, day, day of the week; FF is any.
std::string date_text(BytesView octets) {
  const auto part = [](Octet octet, int since) {
    return octet == 0xFF ? std::string("*") : std::to_string(octet + since);
  };
  std::string text = part(octets[0], 1900) + "-" + part(octets[1], 0) + "-" + part(octets[2], 0);
  if (octets[3] != 0xFF) text += " weekday " + std::to_string(octets[3]);
  return text;
}

Result<std::string> value_text(std::string_view type, zcl::FieldReader& reader) {
  if (type == "text") {
    TRY_ASSIGN(const BytesView octets, reader.string());
    return printable(octets);
  }
  if (type == "date") {
    TRY_ASSIGN(const BytesView octets, reader.octets(4));
    return date_text(octets);
  }
  if (type == "time") {
    TRY_ASSIGN(const std::uint64_t seconds, reader.number(4));
    return time_text(seconds);
  }
  if (type == "rest") {
    TRY_ASSIGN(const BytesView octets, reader.octets(reader.left()));
    return to_hex(octets);
  }
  std::size_t bits = 0;
  for (const char digit : type.substr(1)) bits = bits * 10 + static_cast<std::size_t>(digit - '0');
  if (type[0] == 'i') {
    TRY_ASSIGN(const std::int64_t number, reader.signed_number(bits / 8));
    return std::to_string(number);
  }
  TRY_ASSIGN(const std::uint64_t number, reader.number(bits / 8));
  if (type[0] == 'n') return std::to_string(number);
  CHECK(type[0] == 'b');
  Bytes octets;
  put_be(octets, number, bits / 8);
  return to_hex_upper(octets);
}

Status append_fields(std::string_view list, zcl::FieldReader& reader, std::string& out) {
  while (!list.empty()) {
    const std::string_view field = next_field(list);
    if (field[0] == '[' || field[0] == '{') {
      std::uint64_t count = 0;
      if (field[0] == '{') {
        TRY_ASSIGN(count, reader.number(1));
      }
      const std::string_view inside = field.substr(1, field.size() - 2);
      for (std::uint64_t i = 0; field[0] == '[' ? reader.left() > 0 : i < count; ++i)
        TRY(append_fields(inside, reader, out));
      continue;
    }
    const std::size_t space = field.find(' ');
    TRY_ASSIGN(const std::string value, value_text(field.substr(0, space), reader));
    if (!out.empty()) out += "; ";
    out += std::string(field.substr(space + 1)) + " " + value;
  }
  return {};
}

}  // namespace

std::string_view command_name(const zcl::Component& component) {
  const CommandRow* const row = zcl::is_cluster_command(component) ? row_of(component) : nullptr;
  return row == nullptr ? std::string_view() : row->name;
}

std::optional<std::string> command_text(const zcl::Component& component, BytesView body) {
  const CommandRow* const row = zcl::is_cluster_command(component) ? row_of(component) : nullptr;
  if (row == nullptr) return std::nullopt;
  zcl::FieldReader reader(body);
  std::string text;
  if (!append_fields(row->fields, reader, text).ok() || !reader.done().ok()) return std::nullopt;
  return text;
}

std::string printable(BytesView octets) {
  const bool prints =
      !octets.empty() && std::ranges::all_of(octets, [](Octet o) { return o >= 0x20 && o < 0x7F; });
  return prints ? std::string(as_text(octets)) : to_hex(octets);
}

}  // namespace wattseal::gbcs
