// What reading a payload has taught about the request so far. The reader tries alternatives, so
// everything learnt can be unlearnt back to a mark; what contradicts earlier knowledge is refused
// at once.
#pragma once
#include <unordered_map>

#include "gbcs/template/ast.h"

namespace wattseal::gbcs::gmt {

class Knowledge {
 public:
  using Mark = std::size_t;
  Mark mark() const { return entries_.size(); }
  void roll_back(Mark to);

  // Each is false when it contradicts what is known.
  bool learn_value(ReadValue value);
  bool learn_presence(const std::string& path, bool present);
  void learn_clock(std::string iso);

  // The canonical text at a path, and whether there is an element; nothing when unknown.
  std::optional<std::string> value(const std::string& path) const;
  std::optional<bool> presence(const std::string& path) const;

  ReadBack take();

 private:
  enum class What : Octet { value, present, absent, clock };
  struct Entry {
    What what;
    ReadValue value;  // path and, for a value or a clock time, its text
  };
  void push(Entry entry);
  const std::vector<std::size_t>* at(const std::string& path) const;

  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::vector<std::size_t>> by_path_;
};

}  // namespace wattseal::gbcs::gmt
