// Little-endian fields and the typed values of the ZigBee Cluster Library. A type's octet says its
// class and size; only types with a size that the type alone tells, and strings, are known: GBCS
// uses no arrays, structures or sets.
#include "zcl/zcl.h"

namespace wattseal::zcl {
namespace {

constexpr Octet kOctetString = 0x41, kCharacterString = 0x42, kLongOctetString = 0x43,
                kLongCharacterString = 0x44;
constexpr std::size_t kMaxString = 254, kMaxLongString = 65534;

std::size_t prefix_octets(Octet string_type) {
  return string_type == kLongOctetString || string_type == kLongCharacterString ? 2 : 1;
}

std::uint64_t get_le(BytesView octets) {
  std::uint64_t value = 0;
  for (std::size_t i = octets.size(); i-- > 0;) value = value << 8 | octets[i];
  return value;
}

std::int64_t sign_extended(std::uint64_t value, std::size_t octets) {
  const std::size_t unused = 64 - 8 * octets;
  return static_cast<std::int64_t>(value << unused) >> unused;
}

bool is_number(Octet type) {
  const std::optional<std::size_t> size = fixed_size(type);
  return size && *size >= 1 && *size <= 8 && type < 0x38;
}

// Dates, times, identifiers: numbers too, with a place of their own in the type space.
bool is_number_like(Octet type) {
  return is_number(type) || (type >= 0xE0 && type <= 0xF0 && fixed_size(type));
}

Refusal wrong_type(Octet type) { return {"zcl-type"_rule, type_name(type)}; }

}  // namespace

Status put_string(Bytes& to, BytesView octets) {
  if (octets.size() > kMaxString)
    return Refusal{"zcl-string"_rule, std::to_string(octets.size()) + " octets"};
  to.push_back(static_cast<Octet>(octets.size()));
  append(to, octets);
  return {};
}

Result<BytesView> FieldReader::octets(std::size_t count) {
  if (rest_.size() < count) {
    return Refusal{"zcl-truncated"_rule, "wanted " + std::to_string(count) + " octets, found " +
                                             std::to_string(rest_.size())};
  }
  const BytesView taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

Result<std::uint64_t> FieldReader::number(std::size_t octets_wanted) {
  CHECK(octets_wanted >= 1 && octets_wanted <= 8);
  TRY_ASSIGN(const BytesView taken, octets(octets_wanted));
  return get_le(taken);
}

Result<std::int64_t> FieldReader::signed_number(std::size_t octets_wanted) {
  TRY_ASSIGN(const std::uint64_t value, number(octets_wanted));
  return sign_extended(value, octets_wanted);
}

Result<BytesView> FieldReader::string() {
  TRY_ASSIGN(const std::uint64_t size, number(1));
  if (size > kMaxString) return BytesView{};
  return octets(size);
}

Status FieldReader::done() const {
  if (rest_.empty()) return {};
  return Refusal{"zcl-trailing"_rule,
                 std::to_string(rest_.size()) + " octets follow the last field"};
}

std::optional<std::size_t> fixed_size(Octet type) {
  if (type == 0x00 || type == 0xFF) return 0;  // no data, unknown
  const bool eight_sizes = (type >= 0x08 && type <= 0x0F) || (type >= 0x18 && type <= 0x2F);
  if (eight_sizes)
    return (type & 0x07) + 1;  // data, bitmaps, unsigned and signed integers of 1 to 8 octets
  switch (type) {
    case 0x10: return 1;  // boolean
    case 0x30: return 1;  // enumerations
    case 0x31: return 2;
    case 0x38: return 2;  // floating point
    case 0x39: return 4;
    case 0x3A: return 8;
    case 0xE0:
    case 0xE1:
    case 0xE2: return 4;  // time of day, date, UTC time
    case 0xE8:
    case 0xE9: return 2;   // cluster, attribute
    case 0xEA: return 4;   // BACnet object
    case 0xF0: return 8;   // EUI-64
    case 0xF1: return 16;  // key
    default: return std::nullopt;
  }
}

bool is_string(Octet type) { return type >= kOctetString && type <= kLongCharacterString; }
bool is_signed(Octet type) { return type >= 0x28 && type <= 0x2F; }

std::string type_name(Octet type) {
  const std::string bits = std::to_string(((type & 0x07) + 1) * 8);
  if (type >= 0x08 && type <= 0x0F) return "DATA" + bits;
  if (type >= 0x18 && type <= 0x1F) return "BITMAP" + bits;
  if (type >= 0x20 && type <= 0x27) return "UINT" + bits;
  if (type >= 0x28 && type <= 0x2F) return "INT" + bits;
  switch (type) {
    case 0x00: return "NODATA";
    case 0x10: return "BOOLEAN";
    case 0x30: return "ENUM8";
    case 0x31: return "ENUM16";
    case 0x38: return "SEMI";
    case 0x39: return "SINGLE";
    case 0x3A: return "DOUBLE";
    case kOctetString: return "OCTETSTRING";
    case kCharacterString: return "STRING";
    case kLongOctetString: return "LONGOCTETSTRING";
    case kLongCharacterString: return "LONGSTRING";
    case 0xE0: return "TIMEOFDAY";
    case 0xE1: return "DATE";
    case 0xE2: return "UTCTIME";
    case 0xE8: return "CLUSTERID";
    case 0xE9: return "ATTRIBUTEID";
    case 0xEA: return "BACNETOID";
    case 0xF0: return "IEEEADDRESS";
    case 0xF1: return "SECURITYKEY";
    case 0xFF: return "UNKNOWN";
    default: return "type " + to_hex_upper(BytesView(&type, 1));
  }
}

Result<std::int64_t> integer(const Value& value) {
  if (!is_number_like(value.type)) return wrong_type(value.type);
  CHECK(value.octets.size() == *fixed_size(value.type));
  const std::uint64_t number = get_le(value.octets);
  if (is_signed(value.type)) return sign_extended(number, value.octets.size());
  if (number > static_cast<std::uint64_t>(INT64_MAX)) {
    return Refusal{"zcl-value-range"_rule, type_name(value.type) + " " + std::to_string(number)};
  }
  return static_cast<std::int64_t>(number);
}

Result<Value> number_value(Octet type, std::int64_t number) {
  if (!is_number_like(type)) return wrong_type(type);
  const std::size_t size = *fixed_size(type);
  const std::uint64_t bits = static_cast<std::uint64_t>(number);
  const bool fits = is_signed(type) ? sign_extended(bits, size) == number
                                    : number >= 0 && (size == 8 || bits >> (8 * size) == 0);
  if (!fits)
    return Refusal{"zcl-value-range"_rule,
                   type_name(type) + " cannot hold " + std::to_string(number)};
  Value value{type, {}};
  put_le(value.octets, bits, size);
  return value;
}

Result<Bytes> string_octets(const Value& value) {
  if (!is_string(value.type)) return wrong_type(value.type);
  const std::size_t prefix = prefix_octets(value.type);
  CHECK(value.octets.size() >= prefix);
  return to_bytes(BytesView(value.octets).subspan(prefix));
}

Result<Value> string_value(Octet type, BytesView octets) {
  if (!is_string(type)) return wrong_type(type);
  const std::size_t prefix = prefix_octets(type);
  if (octets.size() > (prefix == 2 ? kMaxLongString : kMaxString)) {
    return Refusal{"zcl-string"_rule, std::to_string(octets.size()) + " octets"};
  }
  Value value{type, {}};
  put_le(value.octets, octets.size(), prefix);
  append(value.octets, octets);
  return value;
}

std::string status_name(Octet status) {
  switch (status) {
    case 0x00: return "success";
    case 0x01: return "failure";
    case 0x7E: return "not authorised";
    case 0x80: return "malformed command";
    case 0x81: return "unsupported cluster command";
    case 0x82: return "unsupported general command";
    case 0x85: return "invalid field";
    case 0x86: return "unsupported attribute";
    case 0x87: return "invalid value";
    case 0x88: return "read only";
    case 0x89: return "insufficient space";
    case 0x8A: return "duplicate exists";
    case 0x8B: return "not found";
    case 0x8C: return "unreportable attribute";
    case 0x8D: return "invalid data type";
    case 0x8F: return "write only";
    case 0x94: return "timeout";
    case 0xC0: return "hardware failure";
    case 0xC1: return "software failure";
    case 0xC2: return "calibration error";
    default: return "status " + to_hex_upper(BytesView(&status, 1));
  }
}

}  // namespace wattseal::zcl
