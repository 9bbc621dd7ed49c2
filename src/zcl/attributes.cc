// The bodies of general commands: lists of attribute ids, records of attribute id, status, type and
// value. They have no count; a list ends with its octets.
#include "zcl/zcl.h"

namespace wattseal::zcl {
namespace {

constexpr Octet kSuccess = 0x00;

Result<Value> read_value(FieldReader& reader) {
  TRY_ASSIGN(const std::uint64_t type, reader.number(1));
  Value value{static_cast<Octet>(type), {}};
  std::size_t size = 0;
  if (const std::optional<std::size_t> fixed = fixed_size(value.type)) {
    size = *fixed;
  } else if (is_string(value.type)) {
    const std::size_t prefix = value.type >= 0x43 ? 2 : 1;  // long strings
    TRY_ASSIGN(size, reader.number(prefix));
    put_le(value.octets, size, prefix);
    const std::size_t invalid = prefix == 2 ? 0xFFFF : 0xFF;  // a string without a value
    if (size == invalid) size = 0;
  } else {
    return Refusal{"zcl-type"_rule, type_name(value.type)};
  }
  TRY_ASSIGN(const BytesView octets, reader.octets(size));
  append(value.octets, octets);
  return value;
}

void put_value(Bytes& to, const Value& value) {
  to.push_back(value.type);
  append(to, value.octets);
}

Result<std::uint16_t> read_attribute(FieldReader& reader) {
  TRY_ASSIGN(const std::uint64_t attribute, reader.number(2));
  return static_cast<std::uint16_t>(attribute);
}

}  // namespace

Result<std::vector<std::uint16_t>> decode_read(BytesView body) {
  FieldReader reader(body);
  std::vector<std::uint16_t> attributes;
  while (reader.left() > 0) {
    TRY_ASSIGN(const std::uint16_t attribute, read_attribute(reader));
    attributes.push_back(attribute);
  }
  return attributes;
}

Bytes encode_read(const std::vector<std::uint16_t>& attributes) {
  Bytes to;
  for (const std::uint16_t attribute : attributes) put_le(to, attribute, 2);
  return to;
}

Result<std::vector<ReadRecord>> decode_read_response(BytesView body) {
  FieldReader reader(body);
  std::vector<ReadRecord> records;
  while (reader.left() > 0) {
    ReadRecord record;
    TRY_ASSIGN(record.attribute, read_attribute(reader));
    TRY_ASSIGN(const std::uint64_t status, reader.number(1));
    record.status = static_cast<Octet>(status);
    if (record.status == kSuccess) {
      TRY_ASSIGN(record.value, read_value(reader));
    }
    records.push_back(std::move(record));
  }
  return records;
}

Bytes encode_read_response(const std::vector<ReadRecord>& records) {
  Bytes to;
  for (const ReadRecord& record : records) {
    put_le(to, record.attribute, 2);
    to.push_back(record.status);
    if (record.status == kSuccess) put_value(to, record.value);
  }
  return to;
}

Result<std::vector<AttributeRecord>> decode_attributes(BytesView body) {
  FieldReader reader(body);
  std::vector<AttributeRecord> records;
  while (reader.left() > 0) {
    AttributeRecord record;
    TRY_ASSIGN(record.attribute, read_attribute(reader));
    TRY_ASSIGN(record.value, read_value(reader));
    records.push_back(std::move(record));
  }
  return records;
}

Bytes encode_attributes(const std::vector<AttributeRecord>& records) {
  Bytes to;
  for (const AttributeRecord& record : records) {
    put_le(to, record.attribute, 2);
    put_value(to, record.value);
  }
  return to;
}

Result<std::vector<WriteStatus>> decode_write_response(BytesView body) {
  FieldReader reader(body);
  std::vector<WriteStatus> failures;
  if (body.size() == 1 && body.front() == kSuccess) return failures;
  if (body.empty())
    return Refusal{"zcl-truncated"_rule, "a write attributes response has at least one octet"};
  while (reader.left() > 0) {
    TRY_ASSIGN(const std::uint64_t status, reader.number(1));
    TRY_ASSIGN(const std::uint16_t attribute, read_attribute(reader));
    failures.push_back({static_cast<Octet>(status), attribute});
  }
  return failures;
}

Bytes encode_write_response(const std::vector<WriteStatus>& failures) {
  if (failures.empty()) return {kSuccess};
  Bytes to;
  for (const WriteStatus& failure : failures) {
    to.push_back(failure.status);
    put_le(to, failure.attribute, 2);
  }
  return to;
}

Result<DefaultResponse> decode_default_response(BytesView body) {
  FieldReader reader(body);
  TRY_ASSIGN(const BytesView octets, reader.octets(2));
  TRY(reader.done());
  return DefaultResponse{octets[0], octets[1]};
}

Bytes encode(DefaultResponse response) { return {response.command, response.status}; }

}  // namespace wattseal::zcl
