#include "terms/facts.h"

#include "base/check.h"
#include "base/fault.h"

namespace wattseal {
namespace {

constexpr Octet kVersion = 1;
constexpr std::size_t kHeaderOctets = 1 + 2 + 8 + 16;

void put_length(Bytes& out, std::size_t length) {
  while (length >= 0x80) {
    out.push_back(static_cast<Octet>(0x80 | (length & 0x7F)));
    length >>= 7;
  }
  out.push_back(static_cast<Octet>(length));
}

// Reads a LEB128 length of at most four octets; nothing when it runs out or over.
std::optional<std::size_t> take_length(BytesView& rest) {
  std::size_t length = 0;
  for (unsigned shift = 0; shift < 28; shift += 7) {
    if (rest.empty()) return std::nullopt;
    const Octet octet = rest.front();
    rest = rest.subspan(1);
    length |= static_cast<std::size_t>(octet & 0x7F) << shift;
    if (!(octet & 0x80)) return length;
  }
  return std::nullopt;
}

void put_number(Bytes& out, std::uint64_t value) {
  std::size_t octets = 0;
  for (std::uint64_t rest = value; rest != 0; rest >>= 8) ++octets;
  put_length(out, octets);
  put_be(out, value, octets);
}

struct KindRow {
  std::string_view id, name, meaning, source, in_force_from;
};
constexpr KindRow kKinds[] = {
#include "tables/fact_kinds.inc"
};

struct FieldRow {
  std::string_view id, name, type, privacy, meaning, source, in_force_from;
};
constexpr FieldRow kFields[] = {
#include "tables/fact_fields.inc"
};

const FieldRow* field_row(std::uint8_t tag) {
  const std::string id = std::to_string(tag);
  for (const FieldRow& row : kFields) {
    if (row.id == id) return &row;
  }
  return nullptr;
}

std::string render(const FieldRow* row, BytesView value) {
  if (row == nullptr) return to_hex(value);
  if (row->privacy == "secret" || row->privacy == "personal" || row->type == "octets")
    return "(" + std::to_string(value.size()) + " octets)";
  if (row->type == "text") return std::string(as_text(value));
  if (row->type == "number" && value.size() <= 8) return std::to_string(get_be(value));
  if (row->type == "time" && value.size() <= 8)
    return UtcTime::from_unix_seconds(static_cast<std::int64_t>(get_be(value))).iso();
  if (row->type == "eui" && value.size() == 8) return Eui64::from_number(get_be(value)).text();
  if (row->type == "base64") return to_base64(value);
  return to_hex_upper(value);
}

}  // namespace

FactWriter::FactWriter(FactKind kind, UtcTime at, TraceId trace) {
  out_.reserve(160);
  out_.push_back(kVersion);
  put_be(out_, static_cast<std::uint16_t>(kind));
  put_be(out_, static_cast<std::uint64_t>(at.unix_seconds()));
  append(out_, trace.octets());
}

FactWriter& FactWriter::octets(FactField field, BytesView value) {
  out_.push_back(static_cast<Octet>(field));
  put_length(out_, value.size());
  append(out_, value);
  return *this;
}

FactWriter& FactWriter::number(FactField field, std::uint64_t value) {
  out_.push_back(static_cast<Octet>(field));
  put_number(out_, value);
  return *this;
}

Result<FactView> FactView::read(BytesView octets) {
  if (octets.size() < kHeaderOctets || octets[0] != kVersion) {
    return Refusal{"fact-malformed"_rule, "a fact starts with version 1 and 26 more octets"};
  }
  FactView fact;
  fact.kind_ = static_cast<FactKind>(get_be(octets.subspan(1, 2)));
  fact.at_ = UtcTime::from_unix_seconds(static_cast<std::int64_t>(get_be(octets.subspan(3, 8))));
  std::array<Octet, 16> trace{};
  std::ranges::copy(octets.subspan(11, 16), trace.begin());
  fact.trace_ = TraceId(trace);
  BytesView rest = octets.subspan(kHeaderOctets);
  while (!rest.empty()) {
    const std::uint8_t tag = rest.front();
    rest = rest.subspan(1);
    const std::optional<std::size_t> length = take_length(rest);
    if (!length || *length > rest.size())
      return Refusal{"fact-malformed"_rule, "a field runs past the end of its fact"};
    fact.fields_.emplace_back(tag, rest.first(*length));
    rest = rest.subspan(*length);
  }
  return fact;
}

std::optional<BytesView> FactView::find(FactField field) const {
  for (const auto& [tag, value] : fields_) {
    if (tag == static_cast<std::uint8_t>(field)) return value;
  }
  return std::nullopt;
}

std::string_view FactView::text(FactField field) const {
  const std::optional<BytesView> value = find(field);
  return value ? as_text(*value) : std::string_view{};
}

std::uint64_t FactView::number(FactField field) const {
  const std::optional<BytesView> value = find(field);
  return value && value->size() <= 8 ? get_be(*value) : 0;
}

std::optional<Eui64> FactView::eui(FactField field) const {
  const std::optional<BytesView> value = find(field);
  if (!value || value->size() != 8) return std::nullopt;
  return Eui64::from_number(get_be(*value));
}

std::optional<CertificateSerial> FactView::serial() const {
  const std::optional<BytesView> value = find(FactField::serial);
  if (!value) return std::nullopt;
  const Result<CertificateSerial> serial = CertificateSerial::from_octets(*value);
  return serial.ok() ? std::optional(*serial) : std::nullopt;
}

std::string_view fact_kind_name(FactKind kind) {
  const std::string id = std::to_string(static_cast<unsigned>(kind));
  for (const KindRow& row : kKinds) {
    if (row.id == id) return row.name;
  }
  return "unknown";
}

std::vector<FactFieldView> describe(const FactView& fact) {
  std::vector<FactFieldView> views;
  for (const auto& [tag, value] : fact.fields()) {
    const FieldRow* row = field_row(tag);
    views.push_back(
        {row ? std::string(row->name) : "field_" + std::to_string(tag), render(row, value)});
  }
  return views;
}

RecordWriter& RecordWriter::octets(BytesView value) {
  put_length(out_, value.size());
  append(out_, value);
  return *this;
}

RecordWriter& RecordWriter::number(std::uint64_t value) {
  put_number(out_, value);
  return *this;
}

BytesView RecordReader::octets() {
  const std::optional<std::size_t> length = take_length(rest_);
  if (!length || *length > rest_.size()) throw Fault("a stored record ends too early");
  const BytesView value = rest_.first(*length);
  rest_ = rest_.subspan(*length);
  return value;
}

std::uint64_t RecordReader::number() {
  const BytesView value = octets();
  if (value.size() > 8) throw Fault("a stored number is longer than eight octets");
  return get_be(value);
}

}  // namespace wattseal
