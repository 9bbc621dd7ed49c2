// The text of a template as nested lists, each with its line: parentheses, "strings", numbers
// (decimal or 0x), symbols, and comments from ';' to the end of the line. Limits: 1 MiB a file, 64
// levels, numbers of 18 digits.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wattseal::gbcs::gmt {

struct Sexpr {
  enum class Is : unsigned char { list, symbol, string, number };
  Is is = Is::list;
  int line = 0;
  std::string text;  // of a symbol, a string, and a number as written
  std::int64_t number = 0;
  std::vector<Sexpr> items;

  bool is_list() const { return is == Is::list; }
  bool is_symbol() const { return is == Is::symbol; }
  // The symbol that a list starts with; empty when it is no such list.
  std::string_view head() const;
};

// All lists of a file. Refuses template-syntax with file:line in the field.
Result<std::vector<Sexpr>> read_sexprs(std::string_view file, std::string_view text);

}  // namespace wattseal::gbcs::gmt
