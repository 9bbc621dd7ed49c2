// Structured logs: one JSON object a line on standard error, with time, level, event and fields.
// Never pass a key, a PIN, consumption data or a whole payload: fields are identities, counts,
// codes and rule ids.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace wattseal::log {

enum class Level { debug, info, warning, error, off };

struct Field {
  std::string_view name;
  std::string value;
};

void set_level(Level level);
void write(Level level, std::string_view event, std::initializer_list<Field> fields = {});
inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::debug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::info, event, fields);
}
inline void warning(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::warning, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::error, event, fields);
}

}  // namespace wattseal::log
