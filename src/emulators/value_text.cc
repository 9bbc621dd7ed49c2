#include "emulators/value_text.h"

#include <charconv>

namespace wattseal::emulators {
namespace {

using cosem::RowType;
using cosem::Tag;
using cosem::Value;

constexpr std::pair<std::string_view, Tag> kTypes[] = {{"null", Tag::null_data},
                                                       {"bool", Tag::boolean},
                                                       {"u8", Tag::unsigned_integer},
                                                       {"u16", Tag::long_unsigned},
                                                       {"u32", Tag::double_long_unsigned},
                                                       {"u64", Tag::long64_unsigned},
                                                       {"i8", Tag::integer},
                                                       {"i16", Tag::long_integer},
                                                       {"i32", Tag::double_long},
                                                       {"i64", Tag::long64},
                                                       {"enum", Tag::enumeration},
                                                       {"octets", Tag::octet_string},
                                                       {"visible", Tag::visible_string},
                                                       {"utf8", Tag::utf8_string},
                                                       {"bits", Tag::bit_string},
                                                       {"struct", Tag::structure},
                                                       {"array", Tag::array},
                                                       {"compact", Tag::compact_array}};

std::int64_t number_in(std::string_view text) {
  std::int64_t number = 0;
  const std::from_chars_result read =
      std::from_chars(text.data(), text.data() + text.size(), number);
  CHECK(read.ec == std::errc() && read.ptr == text.data() + text.size());
  return number;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Value value() {
    const Tag tag = type();
    if (tag == Tag::structure || tag == Tag::array) {
      Value out;
      out.tag = tag;
      list([&] {
        const std::size_t times = repeats();
        const Value item = value();
        out.items.insert(out.items.end(), times, item);
      });
      return out;
    }
    if (tag == Tag::compact_array) {
      RowType rows;
      list([&] { rows = row_type(); });
      return Value::compact_array(std::move(rows), {});
    }
    return simple(tag, take('=') ? word() : std::string_view());
  }
  bool at_end() const { return rest_.empty(); }

 private:
  static Value simple(Tag tag, std::string_view content) {
    Value out;
    out.tag = tag;
    switch (tag) {
      case Tag::null_data: break;
      case Tag::octet_string: return Value::octets(from_hex(content).value());
      case Tag::visible_string: return Value::visible(content);
      case Tag::utf8_string: return Value::utf8(content);
      case Tag::bit_string: return Value::bits(content);
      default: out.number = content.empty() ? 0 : number_in(content); break;
    }
    return out;
  }
  RowType row_type() {
    RowType out;
    out.tag = type();
    if (out.tag != Tag::structure && out.tag != Tag::array) return out;
    list([&] {
      const std::size_t times = repeats();
      const RowType part = row_type();
      if (out.tag == Tag::array) {
        out.count = static_cast<std::uint16_t>(times);
        out.parts = {part};
      } else {
        out.parts.insert(out.parts.end(), times, part);
      }
    });
    return out;
  }
  template <typename Item>
  void list(Item item) {
    if (!take('(')) return;
    do item();
    while (take(','));
    CHECK(take(')'));
  }
  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view word() {
    const std::size_t end = std::min(rest_.find_first_of(",()=*"), rest_.size());
    const std::string_view found = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return found;
  }
  std::size_t repeats() {
    const std::string_view before = rest_;
    const std::string_view number = word();
    if (take('*')) return static_cast<std::size_t>(number_in(number));
    rest_ = before;
    return 1;
  }
  Tag type() {
    const std::string_view name = word();
    const auto* const found =
        std::ranges::find(kTypes, name, &std::pair<std::string_view, Tag>::first);
    CHECK(found != std::end(kTypes));
    return found->second;
  }

  std::string_view rest_;
};

}  // namespace

Value parse_value(std::string_view text) {
  Parser parser(text);
  Value value = parser.value();
  CHECK(parser.at_end());
  return value;
}

bool fits(const Value& pattern, const Value& value) {
  if (pattern.tag != value.tag) return false;
  if (pattern.tag == Tag::compact_array) return pattern.row_type == value.row_type;
  if (pattern.tag == Tag::array) {
    return pattern.items.empty() || std::ranges::all_of(value.items, [&](const Value& item) {
             return fits(pattern.items[0], item);
           });
  }
  if (pattern.tag == Tag::structure) return std::ranges::equal(pattern.items, value.items, fits);
  return true;
}

Value shaped(const RowType& type, std::span<const std::int64_t>& numbers, BytesView octets) {
  Value out;
  out.tag = type.tag;
  if (type.tag == Tag::structure) {
    for (const RowType& part : type.parts) out.items.push_back(shaped(part, numbers, octets));
  } else if (type.tag == Tag::array) {
    for (std::uint16_t i = 0; i < type.count; ++i)
      out.items.push_back(shaped(type.parts[0], numbers, octets));
  } else if (type.tag == Tag::octet_string) {
    out.content = to_bytes(octets);
  } else if (!numbers.empty()) {
    out.number = numbers.front();
    numbers = numbers.subspan(1);
  }
  return out;
}

}  // namespace wattseal::emulators
