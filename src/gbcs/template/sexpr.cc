#include "gbcs/template/sexpr.h"

#include <charconv>

namespace wattseal::gbcs::gmt {
namespace {

constexpr std::size_t kFileOctetsMax = 1 << 20;
constexpr int kDepthMax = 64;
constexpr std::size_t kNumberCharactersMax = 18;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool ends_symbol(char c) { return is_space(c) || c == '(' || c == ')' || c == '"' || c == ';'; }

class Scanner {
 public:
  Scanner(std::string_view file, std::string_view text) : file_(file), text_(text) {}

  Result<std::vector<Sexpr>> top_level() {
    std::vector<Sexpr> lists;
    while (skip_blank()) {
      if (text_[at_] != '(') return refuse("expected a '(' at the top level");
      TRY_ASSIGN(Sexpr list, next(0));
      lists.push_back(std::move(list));
    }
    return lists;
  }

 private:
  Refusal refuse(std::string why) const {
    return {"template-syntax"_rule, std::move(why),
            std::string(file_) + ":" + std::to_string(line_)};
  }

  // Moves to the next token; false at the end of the file.
  bool skip_blank() {
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == ';') {
        while (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
      } else if (text_[at_] == '\n') {
        ++line_;
      } else if (!is_space(text_[at_])) {
        return true;
      }
    }
    return false;
  }

  Result<Sexpr> next(int depth) {
    if (depth > kDepthMax) return refuse("lists are nested more than 64 deep");
    if (text_[at_] == '(') return list(depth);
    if (text_[at_] == '"') return string();
    if (text_[at_] == ')') return refuse("a ')' without its '('");
    return symbol_or_number();
  }

  Result<Sexpr> list(int depth) {
    Sexpr list{Sexpr::Is::list, line_, {}, 0, {}};
    ++at_;
    while (skip_blank()) {
      if (text_[at_] == ')') {
        ++at_;
        return list;
      }
      TRY_ASSIGN(Sexpr item, next(depth + 1));
      list.items.push_back(std::move(item));
    }
    line_ = list.line;
    return refuse("a '(' without its ')'");
  }

  Result<Sexpr> string() {
    Sexpr string{Sexpr::Is::string, line_, {}, 0, {}};
    const std::size_t end = text_.find_first_of("\"\n", at_ + 1);
    if (end == std::string_view::npos || text_[end] == '\n')
      return refuse("a string without its closing quote");
    string.text = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return string;
  }

  Result<Sexpr> symbol_or_number() {
    const std::size_t start = at_;
    while (at_ < text_.size() && !ends_symbol(text_[at_])) ++at_;
    Sexpr atom{Sexpr::Is::symbol, line_, std::string(text_.substr(start, at_ - start)), 0, {}};
    const bool negative = atom.text.size() > 1 && atom.text[0] == '-';
    const char first = atom.text[negative ? 1 : 0];
    if (first < '0' || first > '9') return atom;
    if (atom.text.size() > kNumberCharactersMax)
      return refuse("the number " + atom.text + " is too long");
    const bool hexadecimal =
        !negative && (atom.text.starts_with("0x") || atom.text.starts_with("0X"));
    const char* const from = atom.text.data() + (hexadecimal ? 2 : 0);
    const char* const end = atom.text.data() + atom.text.size();
    const std::from_chars_result parsed =
        std::from_chars(from, end, atom.number, hexadecimal ? 16 : 10);
    if (parsed.ec != std::errc() || parsed.ptr != end)
      return refuse(atom.text + " is not a number");
    atom.is = Sexpr::Is::number;
    return atom;
  }

  std::string_view file_, text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

std::string_view Sexpr::head() const {
  return is_list() && !items.empty() && items[0].is_symbol() ? std::string_view(items[0].text)
                                                             : std::string_view();
}

Result<std::vector<Sexpr>> read_sexprs(std::string_view file, std::string_view text) {
  if (text.size() > kFileOctetsMax) {
    return Refusal{"template-syntax"_rule, "the file is larger than 1 MiB",
                   std::string(file) + ":1"};
  }
  return Scanner(file, text).top_level();
}

}  // namespace wattseal::gbcs::gmt
