// DLMS/COSEM octets <-> values: data in A-XDR, logical names (OBIS) and the three access APDUs.
// Sans I/O, no state, thread-safe. It does not know what any object means, does not decrypt, and
// does not judge the content of strings.
//
// One encoding per value: lengths must be minimal, a boolean is 00 or FF, the unused bits of a bit
// string are 0. So whatever decodes encodes to the same octets again. Everything is read to its
// last octet. Bounds: kDepthMax levels of nesting, kElementsMax values in one input, and no list
// may claim more items than octets are left. Refuses: cosem-truncated, cosem-trailing,
// cosem-length, cosem-tag, cosem-value, cosem-too-deep, cosem-too-many, cosem-apdu, cosem-count,
// cosem-obis; the field says at which octet. Encoding a value that breaks its own type is our bug
// (CHECK). Source: IEC 61334-6 (A-XDR), IEC 62056-5-3 (APDUs, Data), IEC 62056-6-1 (OBIS);
// spec/gbcs-duis.md 2.2.
#pragma once
#include "cosem/date_time.h"

namespace wattseal::cosem {

inline constexpr std::size_t kDepthMax = 16;
inline constexpr std::size_t kElementsMax = 65'536;

enum class Tag : Octet {
  null_data = 0,
  array = 1,
  structure = 2,
  boolean = 3,
  bit_string = 4,
  double_long = 5,
  double_long_unsigned = 6,
  octet_string = 9,
  visible_string = 10,
  utf8_string = 12,
  integer = 15,
  long_integer = 16,
  unsigned_integer = 17,
  long_unsigned = 18,
  compact_array = 19,
  long64 = 20,
  long64_unsigned = 21,
  enumeration = 22,
};
std::string_view tag_name(
    Tag tag);  // the standard's words: "null-data", "double-long-unsigned", "enum", …

// What a row of a compact array looks like; the rows themselves carry no tags.
struct RowType {
  Tag tag = Tag::null_data;
  std::uint16_t count = 0;     // items of an array
  std::vector<RowType> parts;  // of a structure each part's type, of an array the one of all items
  friend bool operator==(const RowType&, const RowType&) = default;
};

// One value of any type. Only the members that its tag needs are used; the others stay as built.
struct Value {
  Tag tag = Tag::null_data;
  std::int64_t number = 0;    // integers, enum, boolean (0 or 1); above 2^63-1 as the two's
                              // complement, see unsigned_number()
  Bytes content;              // strings; of a bit string the octets, first bit on top
  std::size_t bit_count = 0;  // of a bit string
  RowType row_type;           // of a compact array
  std::vector<Value> items;   // array, structure, rows of a compact array

  static Value null() { return {}; }
  static Value boolean(bool value);
  static Value i8(std::int8_t value);
  static Value i16(std::int16_t value);
  static Value i32(std::int32_t value);
  static Value i64(std::int64_t value);
  static Value u8(Octet value);
  static Value u16(std::uint16_t value);
  static Value u32(std::uint32_t value);
  static Value u64(std::uint64_t value);
  static Value enumeration(Octet value);
  static Value octets(BytesView content);
  static Value visible(std::string_view text);
  static Value utf8(std::string_view text);
  static Value bits(std::string_view zeros_and_ones);  // "0101"; anything else is our bug
  static Value array(std::vector<Value> items);
  static Value structure(std::vector<Value> items);
  static Value compact_array(RowType row_type, std::vector<Value> rows);

  bool is_number() const;  // an integer of any width or an enum
  std::uint64_t unsigned_number() const { return static_cast<std::uint64_t>(number); }
  std::string_view text() const { return as_text(content); }
  std::string bit_text() const;  // "0101"
  friend bool operator==(const Value&, const Value&) = default;
};

// A place in octets that somebody else owns; all values read through it share one bound on their
// number.
class Reader {
 public:
  explicit Reader(BytesView input) : input_(input) {}
  bool empty() const { return at_ == input_.size(); }
  std::size_t position() const { return at_; }
  std::size_t remaining() const { return input_.size() - at_; }
  Result<std::uint64_t> number(std::size_t octets);  // big-endian
  Result<BytesView> take(std::size_t octets);
  Result<std::size_t>
  length();  // of octets or bits or items to come; minimal form, at most 4 octets
  Status count_elements(std::size_t more);  // refuses cosem-too-many
  Status finish() const;                    // refuses cosem-trailing
  Refusal refuse(RuleId rule, std::string detail) const;

 private:
  BytesView input_;
  std::size_t at_ = 0;
  std::size_t elements_ = 0;
};

Bytes encode(const Value& value);
Result<Value> decode(BytesView whole);
Result<Value> decode(Reader& from);  // the next value; what follows stays in the reader

// Logical name of an object: A-B:C.D.E.F, decimal, as in 0-0:94.44.34.10.
struct Obis {
  std::array<Octet, 6> octets{};
  static Result<Obis> parse(
      std::string_view text);  // refuses cosem-obis; one text per name: no leading zeros
  std::string text() const;
  friend auto operator<=>(const Obis&, const Obis&) = default;
};

enum class Operation : Octet {
  get = 1,
  set = 2,
  action = 3,
  get_with_selection = 4,
  set_with_selection = 5
};

struct Selection {
  Octet selector = 0;
  Value parameters;
  friend bool operator==(const Selection&, const Selection&) = default;
};

// One specification with its data: on the wire these are two lists of equal length, here they
// cannot disagree.
struct RequestItem {
  Operation operation = Operation::get;
  std::uint16_t class_id = 0;
  Obis object;
  Octet member = 0;                    // attribute or method
  std::optional<Selection> selection;  // exactly when the operation has one
  Value data;                          // null for get
  friend bool operator==(const RequestItem&, const RequestItem&) = default;
};

struct AccessRequest {  // D9
  std::uint32_t long_invoke_id = 0;
  std::optional<DateTime> date_time;
  std::vector<RequestItem> items;
  friend bool operator==(const AccessRequest&, const AccessRequest&) = default;
};

struct ResponseItem {
  Operation operation = Operation::get;  // get, set or action
  Octet result = 0;                      // see result_name
  Value data;
  friend bool operator==(const ResponseItem&, const ResponseItem&) = default;
};

struct AccessResponse {  // DA; the optional repetition of the request's specifications is never
                         // present (refused)
  std::uint32_t long_invoke_id = 0;
  std::optional<DateTime> date_time;
  std::vector<ResponseItem> items;
  friend bool operator==(const AccessResponse&, const AccessResponse&) = default;
};

struct DataNotification {  // 0F
  std::uint32_t long_invoke_id = 0;
  std::optional<DateTime> date_time;
  Value body;
  friend bool operator==(const DataNotification&, const DataNotification&) = default;
};

Bytes encode(const AccessRequest& request);
Bytes encode(const AccessResponse& response);
Bytes encode(const DataNotification& notification);
Result<AccessRequest> decode_access_request(BytesView whole);
Result<AccessResponse> decode_access_response(BytesView whole);
Result<DataNotification> decode_data_notification(BytesView whole);

inline constexpr Octet kSuccess = 0;
// "success", "hardware-fault", …, "other-reason"; empty for a code that has no name. Actions have a
// few names of their own.
std::string_view result_name(Operation operation, Octet result);

}  // namespace wattseal::cosem
