// GBZ: ZigBee Cluster Library commands as GBCS carries them to gas devices and hubs. A payload is
// the profile id 0109, a number of components and the components; an alert is the profile id, a
// number, alert code, time and what the code adds to them. Values and octets only: no keys, no I/O,
// no knowledge of use cases. Source: spec/gbcs-duis.md 2.3; ZCL specification chapter 2. Trap:
// GBZ's own fields are big-endian, everything inside a ZCL body is little-endian. decode and encode
// are exact inverses. Errors: zcl-truncated, zcl-trailing, zcl-profile, zcl-count, zcl-control,
// zcl-length, zcl-frame-control, zcl-type, zcl-string, zcl-value-range, zcl-too-large.
#pragma once
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace wattseal::zcl {

// Times are seconds since 2000-01-01T00:00:00Z. 0 means at once, the two highest mean never or
// cancel: callers look at those before they turn a number into a time.
constexpr std::int64_t kEpoch2000 = 946684800;  // Unix seconds
constexpr std::uint32_t kNow = 0, kNever = 0xFFFFFFFE, kCancel = 0xFFFFFFFF;
UtcTime utc_time(std::uint32_t seconds_since_2000);
Result<std::uint32_t> seconds_since_2000(UtcTime time);  // refuses zcl-value-range

// ---- Components --------------------------------------------------------------------------------

struct Sealing {  // present when the body is encrypted
  Octet additional_header_control = 0;
  Octet frame_counter = 0;  // counts the encrypted components of the message from 0
  friend bool operator==(const Sealing&, const Sealing&) = default;
};

struct Component {
  std::uint16_t cluster = 0;
  std::optional<std::uint32_t>
      from;  // "from date-time", seconds since 2000; never together with sealing
  std::optional<Sealing> sealing;
  Octet frame_control = 0;
  Octet sequence = 0;
  Octet command = 0;
  Bytes body;  // the ZCL payload, or with sealing the blob 31 00000000 || ciphertext || tag that
               // gbcs::open_attribute opens
  friend bool operator==(const Component&, const Component&) = default;
};

constexpr bool is_cluster_command(const Component& component) {
  return (component.frame_control & 0x03) == 0x01;
}
constexpr bool is_from_server(const Component& component) {
  return (component.frame_control & 0x08) != 0;
}

// The payload of a command or response: 1 to 255 components. Which one is last follows from its
// place.
Result<Bytes> encode(const std::vector<Component>& components);
Result<std::vector<Component>> decode(BytesView payload);

struct Alert {
  Octet count = 0;  // number of components as written; generic alerts have none
  std::uint16_t code = 0;
  std::uint32_t time = 0;  // seconds since 2000
  Bytes rest;  // depends on the message code: nothing, a counted octet string, two octets, or one
               // component
  friend bool operator==(const Alert&, const Alert&) = default;
};
Bytes encode(const Alert& alert);
Result<Alert> decode_alert(BytesView payload);
// One component that fills all the octets, such as Alert::rest of a billing data alert. It is
// marked as the last.
Result<Bytes> encode_component(const Component& component);
Result<Component> decode_component(BytesView octets);

// ---- Little-endian fields ----------------------------------------------------------------------

inline void put_le(Bytes& to, std::uint64_t value, std::size_t octets) {
  for (std::size_t i = 0; i < octets; ++i) to.push_back(static_cast<Octet>(value >> (8 * i)));
}
// A length octet, then up to 254 octets; refuses zcl-string.
Status put_string(Bytes& to, BytesView octets);

// Reads fields one after the other; it keeps a view of the octets, which must outlive it.
class FieldReader {
 public:
  explicit FieldReader(BytesView octets) : rest_(octets) {}
  std::size_t left() const { return rest_.size(); }
  BytesView rest() const { return rest_; }
  Result<std::uint64_t> number(std::size_t octets);        // 1 to 8, unsigned
  Result<std::int64_t> signed_number(std::size_t octets);  // 1 to 8, two's complement
  Result<BytesView> octets(std::size_t count);
  Result<BytesView> string();  // after its length octet; FF, the invalid string, reads as empty
  Status done() const;         // refuses zcl-trailing

 private:
  BytesView rest_;
};

// ---- General commands: attribute records -------------------------------------------------------

namespace command {  // command ids of components that are not cluster commands
constexpr Octet kReadAttributes = 0x00, kReadAttributesResponse = 0x01, kWriteAttributes = 0x02,
                kWriteAttributesResponse = 0x04, kReportAttributes = 0x0A, kDefaultResponse = 0x0B;
}

// A typed value. `octets` is as it stands after the type: little-endian numbers; strings with their
// length in front.
struct Value {
  Octet type = 0;
  Bytes octets;
  friend bool operator==(const Value&, const Value&) = default;
};
// How many octets a type has; nothing for strings and for types that GBCS does not use.
std::optional<std::size_t> fixed_size(Octet type);
bool is_string(Octet type);  // octet and character strings, short and long
bool is_signed(Octet type);
// "UINT48", "ENUM8", …; "type 7B" when unknown.
std::string type_name(Octet type);
// A number of at most 8 octets, sign extended when the type is signed. Refuses zcl-type for
// strings, keys and what has none.
Result<std::int64_t> integer(const Value& value);  // refuses zcl-value-range above 2^63-1
Result<Value> number_value(Octet type, std::int64_t number);  // refuses zcl-type, zcl-value-range
Result<Bytes> string_octets(
    const Value& value);  // without the length; empty for the invalid string
Result<Value> string_value(Octet type, BytesView octets);  // refuses zcl-type, zcl-string

struct ReadRecord {  // of a read attributes response
  std::uint16_t attribute = 0;
  Octet status = 0;
  Value value;  // only when status is 0
  friend bool operator==(const ReadRecord&, const ReadRecord&) = default;
};
struct AttributeRecord {  // of write attributes and report attributes
  std::uint16_t attribute = 0;
  Value value;
  friend bool operator==(const AttributeRecord&, const AttributeRecord&) = default;
};
struct WriteStatus {
  Octet status = 0;
  std::uint16_t attribute = 0;
  friend bool operator==(const WriteStatus&, const WriteStatus&) = default;
};
struct DefaultResponse {
  Octet command = 0, status = 0;
  friend bool operator==(const DefaultResponse&, const DefaultResponse&) = default;
};

Result<std::vector<std::uint16_t>> decode_read(BytesView body);
Bytes encode_read(const std::vector<std::uint16_t>& attributes);
Result<std::vector<ReadRecord>> decode_read_response(BytesView body);
Bytes encode_read_response(const std::vector<ReadRecord>& records);
Result<std::vector<AttributeRecord>> decode_attributes(BytesView body);
Bytes encode_attributes(const std::vector<AttributeRecord>& records);
// All written is one octet 00: it reads as an empty list and an empty list writes it.
Result<std::vector<WriteStatus>> decode_write_response(BytesView body);
Bytes encode_write_response(const std::vector<WriteStatus>& failures);
Result<DefaultResponse> decode_default_response(BytesView body);
Bytes encode(DefaultResponse response);

// "success", "not found", …; "status 7B" when unknown.
std::string status_name(Octet status);

}  // namespace wattseal::zcl
