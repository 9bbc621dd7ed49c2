// Lengths and fields of the envelope: each length in its one shortest spelling. Shared by messages
// and blocks; private to gbcs. Errors: gbcs-truncated, gbcs-header, gbcs-length.
#pragma once
#include "gbcs/message.h"

namespace wattseal::gbcs {

inline constexpr Octet kGeneralCiphering = 0xDD, kTransactionOctets = 9;

inline void put_length(Bytes& to, std::size_t length) {
  if (length < 0x80) return to.push_back(static_cast<Octet>(length));
  const std::size_t octets = length < 0x100 ? 1 : length < 0x10000 ? 2 : 4;
  to.push_back(static_cast<Octet>(0x80 | octets));
  put_be(to, length, octets);
}

inline void put_counted(Bytes& to, BytesView octets) {
  put_length(to, octets.size());
  append(to, octets);
}

class WireReader {
 public:
  explicit WireReader(BytesView octets) : rest_(octets) {}
  std::size_t left() const { return rest_.size(); }

  Result<BytesView> take(std::size_t count, const char* field) {
    if (rest_.size() < count) {
      return Refusal{
          "gbcs-truncated"_rule,
          "wanted " + std::to_string(count) + " octets, found " + std::to_string(rest_.size()),
          field};
    }
    const BytesView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  Result<std::uint64_t> number(std::size_t count, const char* field) {
    TRY_ASSIGN(const BytesView octets, take(count, field));
    return get_be(octets);
  }

  Status expect(BytesView wanted, const char* field) {
    TRY_ASSIGN(const BytesView found, take(wanted.size(), field));
    if (equal(found, wanted)) return {};
    return Refusal{"gbcs-header"_rule, "expected " + to_hex(wanted) + ", found " + to_hex(found),
                   field};
  }

  Status expect(Octet wanted, const char* field) { return expect(BytesView(&wanted, 1), field); }

  Result<std::size_t> length(const char* field) {
    TRY_ASSIGN(const std::uint64_t first, number(1, field));
    if (first < 0x80) return static_cast<std::size_t>(first);
    const std::size_t octets = first & 0x7F;
    if (octets < 1 || octets > 2) {
      return Refusal{"gbcs-length"_rule, "length of " + std::to_string(octets) + " octets", field};
    }
    TRY_ASSIGN(const std::uint64_t value, number(octets, field));
    if (value < (octets == 1 ? 0x80u : 0x100u)) {
      return Refusal{"gbcs-length"_rule,
                     "length " + std::to_string(value) + " is not in its shortest form", field};
    }
    return static_cast<std::size_t>(value);
  }

  Result<BytesView> counted(const char* field) {
    TRY_ASSIGN(const std::size_t count, length(field));
    return take(count, field);
  }

 private:
  BytesView rest_;
};

inline Result<Eui64> read_title(WireReader& reader, const char* field) {
  TRY(reader.expect(Octet{8}, field));
  TRY_ASSIGN(const std::uint64_t number, reader.number(8, field));
  return Eui64::from_number(number);
}

}  // namespace wattseal::gbcs
