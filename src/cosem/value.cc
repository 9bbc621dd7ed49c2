// Values and their octets (A-XDR). Fixed sizes stand in one table; strings, lists and compact
// arrays have their own forms.
#include "base/check.h"
#include "cosem/cosem.h"

namespace wattseal::cosem {
namespace {

struct TagRow {
  Tag tag;
  std::string_view name;
  std::size_t octets;  // of a number, boolean or enum; 0 for the others
  bool is_signed;
};
constexpr TagRow kTags[] = {
    {Tag::null_data, "null-data", 0, false},
    {Tag::array, "array", 0, false},
    {Tag::structure, "structure", 0, false},
    {Tag::boolean, "boolean", 1, false},
    {Tag::bit_string, "bit-string", 0, false},
    {Tag::double_long, "double-long", 4, true},
    {Tag::double_long_unsigned, "double-long-unsigned", 4, false},
    {Tag::octet_string, "octet-string", 0, false},
    {Tag::visible_string, "visible-string", 0, false},
    {Tag::utf8_string, "utf8-string", 0, false},
    {Tag::integer, "integer", 1, true},
    {Tag::long_integer, "long", 2, true},
    {Tag::unsigned_integer, "unsigned", 1, false},
    {Tag::long_unsigned, "long-unsigned", 2, false},
    {Tag::compact_array, "compact-array", 0, false},
    {Tag::long64, "long64", 8, true},
    {Tag::long64_unsigned, "long64-unsigned", 8, false},
    {Tag::enumeration, "enum", 1, false},
};

const TagRow* find_tag(std::uint64_t number) {
  for (const TagRow& row : kTags) {
    if (static_cast<std::uint64_t>(row.tag) == number) return &row;
  }
  return nullptr;
}
const TagRow& row_of(Tag tag) {
  const TagRow* const row = find_tag(static_cast<std::uint64_t>(tag));
  CHECK(row != nullptr);
  return *row;
}
bool is_octets(Tag tag) {
  return tag == Tag::octet_string || tag == Tag::visible_string || tag == Tag::utf8_string;
}
bool is_list(Tag tag) { return tag == Tag::array || tag == Tag::structure; }

Value numbered(Tag tag, std::int64_t number) {
  Value value;
  value.tag = tag;
  value.number = number;
  return value;
}
Value worded(Tag tag, BytesView content) {
  Value value;
  value.tag = tag;
  value.content = to_bytes(content);
  return value;
}
Value listed(Tag tag, std::vector<Value> items) {
  Value value;
  value.tag = tag;
  value.items = std::move(items);
  return value;
}

void put_length(Bytes& out, std::size_t length) {
  CHECK(length <= 0xFFFFFFFF);
  if (length < 0x80) return out.push_back(static_cast<Octet>(length));
  std::size_t octets = 1;
  while (octets < 4 && length >> (8 * octets)) ++octets;
  out.push_back(static_cast<Octet>(0x80 | octets));
  put_be(out, length, octets);
}

// ---- writing

// Without its tag, which compact arrays state once for all rows.
void put_content(Bytes& out, const Value& value) {
  const TagRow& row = row_of(value.tag);
  if (value.tag == Tag::boolean) return out.push_back(value.number ? 0xFF : 0x00);
  if (row.octets > 0) return put_be(out, value.number, row.octets);
  if (is_octets(value.tag)) {
    put_length(out, value.content.size());
    append(out, value.content);
  } else if (value.tag == Tag::bit_string) {
    CHECK(value.content.size() == (value.bit_count + 7) / 8);
    put_length(out, value.bit_count);
    append(out, value.content);
  }
}

void put_row_type(Bytes& out, const RowType& type) {
  out.push_back(static_cast<Octet>(type.tag));
  if (type.tag == Tag::array) {
    CHECK(type.parts.size() == 1);
    put_be(out, type.count);
  } else if (type.tag == Tag::structure) {
    CHECK(type.parts.size() <= 255);
    out.push_back(static_cast<Octet>(type.parts.size()));
  }
  for (const RowType& part : type.parts) put_row_type(out, part);
}

void put_row(Bytes& out, const Value& value, const RowType& type) {
  CHECK(value.tag == type.tag);
  if (!is_list(type.tag)) return put_content(out, value);
  CHECK(value.items.size() == (type.tag == Tag::array ? type.count : type.parts.size()));
  for (std::size_t i = 0; i < value.items.size(); ++i)
    put_row(out, value.items[i], type.parts[type.tag == Tag::array ? 0 : i]);
}

void put_value(Bytes& out, const Value& value) {
  out.push_back(static_cast<Octet>(value.tag));
  if (is_list(value.tag)) {
    put_length(out, value.items.size());
    for (const Value& item : value.items) put_value(out, item);
  } else if (value.tag == Tag::compact_array) {
    put_row_type(out, value.row_type);
    Bytes rows;
    for (const Value& row : value.items) put_row(rows, row, value.row_type);
    put_length(out, rows.size());
    append(out, rows);
  } else {
    put_content(out, value);
  }
}

// ---- reading

Result<Tag> read_tag(Reader& from) {
  const Refusal unknown = from.refuse("cosem-tag"_rule, "there is no such type");
  TRY_ASSIGN(const std::uint64_t number, from.number(1));
  const TagRow* const row = find_tag(number);
  if (!row) return unknown;
  return row->tag;
}

Result<Value> read_content(Reader& from, Tag tag) {
  const TagRow& row = row_of(tag);
  if (row.octets > 0) {
    const Refusal wrong = from.refuse("cosem-value"_rule, "a boolean is neither 00 nor FF");
    TRY_ASSIGN(const std::uint64_t raw, from.number(row.octets));
    if (tag == Tag::boolean) {
      if (raw != 0 && raw != 0xFF) return wrong;
      return numbered(tag, raw == 0xFF ? 1 : 0);
    }
    if (!row.is_signed) return numbered(tag, static_cast<std::int64_t>(raw));
    const unsigned unused = static_cast<unsigned>(64 - 8 * row.octets);
    return numbered(tag, static_cast<std::int64_t>(raw << unused) >> unused);
  }
  if (tag == Tag::null_data) return Value();
  TRY_ASSIGN(const std::size_t length, from.length());
  if (is_octets(tag)) {
    TRY_ASSIGN(const BytesView content, from.take(length));
    return worded(tag, content);
  }
  CHECK(tag == Tag::bit_string);
  TRY_ASSIGN(const BytesView content, from.take(length / 8 + (length % 8 ? 1 : 0)));
  if (length % 8 && (content.back() & (0xFF >> length % 8)))
    return from.refuse("cosem-value"_rule, "unused bits of a bit string are set");
  Value value = worded(tag, content);
  value.bit_count = length;
  return value;
}

Result<RowType> read_row_type(Reader& from, std::size_t depth) {
  if (depth > kDepthMax)
    return from.refuse("cosem-too-deep"_rule,
                       "types nest deeper than " + std::to_string(kDepthMax));
  TRY(from.count_elements(1));
  RowType type;
  TRY_ASSIGN(type.tag, read_tag(from));
  if (type.tag == Tag::compact_array)
    return from.refuse("cosem-tag"_rule, "a compact array stands in a compact array");
  std::uint64_t parts = 0;
  if (type.tag == Tag::array) {
    TRY_ASSIGN(const std::uint64_t count, from.number(2));
    type.count = static_cast<std::uint16_t>(count);
    parts = 1;
  } else if (type.tag == Tag::structure) {
    TRY_ASSIGN(parts, from.number(1));
  }
  for (std::uint64_t i = 0; i < parts; ++i) {
    TRY_ASSIGN(RowType part, read_row_type(from, depth + 1));
    type.parts.push_back(std::move(part));
  }
  return type;
}

Result<Value> read_row(Reader& from, const RowType& type) {
  TRY(from.count_elements(1));
  if (!is_list(type.tag)) return read_content(from, type.tag);
  const std::size_t count = type.tag == Tag::array ? type.count : type.parts.size();
  Value value = listed(type.tag, {});
  for (std::size_t i = 0; i < count; ++i) {
    TRY_ASSIGN(Value item, read_row(from, type.parts[type.tag == Tag::array ? 0 : i]));
    value.items.push_back(std::move(item));
  }
  return value;
}

Result<Value> read_compact_array(Reader& from, std::size_t depth) {
  Value value;
  value.tag = Tag::compact_array;
  TRY_ASSIGN(value.row_type, read_row_type(from, depth));
  TRY_ASSIGN(const std::size_t octets, from.length());
  if (octets > from.remaining())
    return from.refuse("cosem-truncated"_rule, "a compact array is cut off");
  const std::size_t end = from.position() + octets;
  while (from.position() < end) {
    const std::size_t before = from.position();
    TRY_ASSIGN(Value row, read_row(from, value.row_type));
    if (from.position() == before)
      return from.refuse("cosem-value"_rule, "the rows of a compact array have no octets");
    value.items.push_back(std::move(row));
  }
  if (from.position() != end)
    return from.refuse("cosem-value"_rule, "a row of a compact array runs over its end");
  return value;
}

Result<Value> read_value(Reader& from, std::size_t depth) {
  if (depth > kDepthMax)
    return from.refuse("cosem-too-deep"_rule,
                       "values nest deeper than " + std::to_string(kDepthMax));
  TRY(from.count_elements(1));
  TRY_ASSIGN(const Tag tag, read_tag(from));
  if (tag == Tag::compact_array) return read_compact_array(from, depth + 1);
  if (!is_list(tag)) return read_content(from, tag);
  TRY_ASSIGN(const std::size_t count, from.length());
  if (count > from.remaining())
    return from.refuse("cosem-truncated"_rule, "a list claims more items than octets are left");
  Value value = listed(tag, {});
  for (std::size_t i = 0; i < count; ++i) {
    TRY_ASSIGN(Value item, read_value(from, depth + 1));
    value.items.push_back(std::move(item));
  }
  return value;
}

}  // namespace

std::string_view tag_name(Tag tag) { return row_of(tag).name; }

Value Value::boolean(bool value) { return numbered(Tag::boolean, value ? 1 : 0); }
Value Value::i8(std::int8_t value) { return numbered(Tag::integer, value); }
Value Value::i16(std::int16_t value) { return numbered(Tag::long_integer, value); }
Value Value::i32(std::int32_t value) { return numbered(Tag::double_long, value); }
Value Value::i64(std::int64_t value) { return numbered(Tag::long64, value); }
Value Value::u8(Octet value) { return numbered(Tag::unsigned_integer, value); }
Value Value::u16(std::uint16_t value) { return numbered(Tag::long_unsigned, value); }
Value Value::u32(std::uint32_t value) { return numbered(Tag::double_long_unsigned, value); }
Value Value::u64(std::uint64_t value) {
  return numbered(Tag::long64_unsigned, static_cast<std::int64_t>(value));
}
Value Value::enumeration(Octet value) { return numbered(Tag::enumeration, value); }
Value Value::octets(BytesView content) { return worded(Tag::octet_string, content); }
Value Value::visible(std::string_view text) { return worded(Tag::visible_string, as_bytes(text)); }
Value Value::utf8(std::string_view text) { return worded(Tag::utf8_string, as_bytes(text)); }
Value Value::array(std::vector<Value> items) { return listed(Tag::array, std::move(items)); }
Value Value::structure(std::vector<Value> items) {
  return listed(Tag::structure, std::move(items));
}

Value Value::bits(std::string_view zeros_and_ones) {
  Value value = worded(Tag::bit_string, Bytes((zeros_and_ones.size() + 7) / 8));
  value.bit_count = zeros_and_ones.size();
  for (std::size_t i = 0; i < zeros_and_ones.size(); ++i) {
    CHECK(zeros_and_ones[i] == '0' || zeros_and_ones[i] == '1');
    if (zeros_and_ones[i] == '1')
      value.content[i / 8] = static_cast<Octet>(value.content[i / 8] | 0x80u >> i % 8);
  }
  return value;
}

Value Value::compact_array(RowType row_type, std::vector<Value> rows) {
  Value value = listed(Tag::compact_array, std::move(rows));
  value.row_type = std::move(row_type);
  return value;
}

bool Value::is_number() const { return row_of(tag).octets > 0 && tag != Tag::boolean; }

std::string Value::bit_text() const {
  std::string text;
  for (std::size_t i = 0; i < bit_count && i / 8 < content.size(); ++i)
    text += content[i / 8] >> (7 - i % 8) & 1 ? '1' : '0';
  return text;
}

Bytes encode(const Value& value) {
  Bytes out;
  put_value(out, value);
  return out;
}

Result<Value> decode(Reader& from) { return read_value(from, 1); }

Result<Value> decode(BytesView whole) {
  Reader from(whole);
  TRY_ASSIGN(Value value, read_value(from, 1));
  TRY(from.finish());
  return value;
}

}  // namespace wattseal::cosem
