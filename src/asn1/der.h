// DER: a strict reader over octets it does not own, and a writer. Object identifiers are constants
// in their encoded form. The reader accepts exactly one encoding of a value;
// Lengths::as_devices_emit additionally accepts non-minimal long lengths, which 18 reference device
// messages carry (spec/gbcs-duis.md 0, item 10). Depth is bounded by the caller's own recursion.
// Errors: der-truncated, der-length, der-tag, der-trailing, der-value.
// Source: ITU-T X.690.
#pragma once
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace wattseal::asn1 {

inline constexpr Octet kBoolean = 0x01, kInteger = 0x02, kBitString = 0x03, kOctetString = 0x04,
                       kNull = 0x05, kOid = 0x06, kEnumerated = 0x0A, kUtf8String = 0x0C,
                       kPrintableString = 0x13, kUtcTime = 0x17, kGeneralizedTime = 0x18,
                       kSequence = 0x30, kSet = 0x31;
constexpr Octet context(unsigned number, bool constructed) {
  return static_cast<Octet>(0x80u | (constructed ? 0x20u : 0u) | number);
}

enum class Lengths { minimal, as_devices_emit };

struct Tlv {
  Octet tag = 0;
  BytesView content;  // points into the reader's input
  BytesView whole;    // tag and length included
};

class Reader {
 public:
  explicit Reader(BytesView input, Lengths lengths = Lengths::minimal)
      : rest_(input), lengths_(lengths) {}
  bool empty() const { return rest_.empty(); }
  std::optional<Octet> peek_tag() const;  // nothing at the end
  Result<Tlv> any();
  Result<Tlv> expect(Octet tag);             // refuses der-tag
  Result<Reader> enter(Octet tag);           // a reader over the content of a constructed value
  Result<BytesView> oid();                   // content octets
  Result<std::uint64_t> unsigned_integer();  // refuses der-value when negative or over 64 bits
  Result<BytesView> positive_integer();      // big-endian without the sign octet
  Result<bool> boolean();
  Result<BytesView> bit_string(
      unsigned unused_bits);  // the content must have exactly that many unused bits
  Result<UtcTime> time();     // UTCTime or GeneralizedTime, whole seconds, Z
  Status finish() const;      // refuses der-trailing

 private:
  BytesView rest_;
  Lengths lengths_;
};

// Builds from the inside out: constructed() wraps what `body` appends. Lengths are minimal.
class Writer {
 public:
  const Bytes& bytes() const { return out_; }
  Bytes take() { return std::move(out_); }
  void raw(BytesView encoded) { append(out_, encoded); }
  void primitive(Octet tag, BytesView content);
  template <typename Body>
  void constructed(Octet tag, Body&& body) {
    const std::size_t start = begin(tag);
    body();
    end(start);
  }
  void integer(std::int64_t value);
  void positive_integer(BytesView big_endian,
                        Octet tag = kInteger);  // adds the sign octet when needed
  void unsigned_integer(std::uint64_t value, Octet tag = kInteger);
  void boolean(bool value);
  void null() { primitive(kNull, {}); }
  void oid(BytesView content) { primitive(kOid, content); }
  void bit_string(BytesView octets, unsigned unused_bits);
  void text(Octet tag, std::string_view value) { primitive(tag, as_bytes(value)); }
  void x509_time(UtcTime time);  // UTCTime to 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5)
  void generalized_time(UtcTime time);

 private:
  std::size_t begin(Octet tag);
  void end(std::size_t start);
  Bytes out_;
};

}  // namespace wattseal::asn1
