// Object identifiers as text, and names: their DER, and the RFC 4514 text that XML signatures
// carry.
#include <cctype>
#include <charconv>

#include "base/check.h"
#include "x509/oids.h"

namespace wattseal::x509 {
namespace {

constexpr std::size_t kAttributesMax = 16;

void put_arc(Bytes& out, std::uint64_t arc) {
  Bytes digits{static_cast<Octet>(arc & 0x7F)};
  while (arc >>= 7) digits.push_back(static_cast<Octet>(0x80 | (arc & 0x7F)));
  out.insert(out.end(), digits.rbegin(), digits.rend());
}

std::string attribute_name(const Bytes& oid_octets) {
  struct Known {
    BytesView oid;
    std::string_view name;
  };
  static constexpr Octet kCountry[] = {0x55, 4, 6}, kOrganization[] = {0x55, 4, 10};
  for (const Known& known : {Known{oid::common_name, "CN"}, Known{oid::organizational_unit, "OU"},
                             Known{kOrganization, "O"}, Known{kCountry, "C"}}) {
    if (equal(known.oid, oid_octets)) return std::string(known.name);
  }
  return oid::to_text(oid_octets);
}

// RFC 4514 2.4.
std::string escaped(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool edge_space = c == ' ' && (i == 0 || i + 1 == value.size());
    if (std::string_view(",+\"\\<>;=").find(c) != std::string_view::npos || edge_space ||
        (c == '#' && i == 0))
      out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string attribute_text(const NameAttribute& attribute) {
  const std::string name = attribute_name(attribute.oid);
  const bool is_text =
      attribute.tag == asn1::kUtf8String || attribute.tag == asn1::kPrintableString;
  if (is_text && std::isalpha(static_cast<unsigned char>(name[0])))
    return name + "=" + escaped(as_text(attribute.value));
  asn1::Writer writer;
  if (attribute.tag == asn1::kBitString)
    writer.bit_string(attribute.value, 0);
  else
    writer.primitive(attribute.tag, attribute.value);
  return name + "=#" + to_hex(writer.bytes());
}

// One "type=value" after the other, with the space around commas gone and types in upper case.
std::vector<std::string> split_name(std::string_view text) {
  std::vector<std::string> parts(1);
  bool in_type = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      parts.back() += c;
      parts.back() += text[++i];
      continue;
    }
    if (c == ',') {
      parts.emplace_back();
      in_type = true;
      continue;
    }
    if (c == ' ' && parts.back().empty()) continue;
    if (c == '=') in_type = false;
    parts.back() += in_type ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
  }
  for (std::string& part : parts) {
    while (part.ends_with(' ') && !part.ends_with("\\ ")) part.pop_back();
  }
  return parts;
}

}  // namespace

namespace oid {

const Bytes common_name{0x55, 0x04, 3}, organizational_unit{0x55, 0x04, 11},
    unique_identifier{0x55, 0x04, 45};
const Bytes hardware_module_name{0x2B, 6, 1, 5, 5, 7, 8, 4};
const Bytes wrapped_apex_contingency_key{0x2B, 6, 1, 5, 5, 7, 1, 20};

Bytes from_text(std::string_view dotted) {
  std::vector<std::uint64_t> arcs;
  const char* at = dotted.data();
  const char* const end = at + dotted.size();
  while (true) {
    std::uint64_t arc = 0;
    const std::from_chars_result read = std::from_chars(at, end, arc);
    CHECK(read.ec == std::errc());
    arcs.push_back(arc);
    if (read.ptr == end) break;
    CHECK(*read.ptr == '.');
    at = read.ptr + 1;
  }
  CHECK(arcs.size() >= 2 && arcs[0] <= 2 && (arcs[0] == 2 || arcs[1] < 40));
  Bytes out;
  put_arc(out, arcs[0] * 40 + arcs[1]);
  for (std::size_t i = 2; i < arcs.size(); ++i) put_arc(out, arcs[i]);
  return out;
}

std::string to_text(BytesView encoded) {
  std::string text;
  std::uint64_t arc = 0;
  for (const Octet octet : encoded) {
    arc = arc << 7 | (octet & 0x7F);
    if (octet & 0x80) continue;
    if (text.empty()) {
      const std::uint64_t first = std::min<std::uint64_t>(arc / 40, 2);
      text = std::to_string(first) + "." + std::to_string(arc - first * 40);
    } else {
      text += "." + std::to_string(arc);
    }
    arc = 0;
  }
  return text;
}

}  // namespace oid

Bytes encode_name(const Name& name) {
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    for (const NameAttribute& attribute : name) {
      writer.constructed(asn1::kSet, [&] {
        writer.constructed(asn1::kSequence, [&] {
          writer.oid(attribute.oid);
          if (attribute.tag == asn1::kBitString)
            writer.bit_string(attribute.value, 0);
          else
            writer.primitive(attribute.tag, attribute.value);
        });
      });
    }
  });
  return writer.take();
}

Result<Name> read_name(asn1::Reader& reader) {
  TRY_ASSIGN(asn1::Reader rdns, reader.enter(asn1::kSequence));
  Name name;
  while (!rdns.empty()) {
    if (name.size() == kAttributesMax)
      return refuse("x509-name"_rule, "a name has more than 16 attributes");
    TRY_ASSIGN(asn1::Reader set, rdns.enter(asn1::kSet));
    TRY_ASSIGN(asn1::Reader pair, set.enter(asn1::kSequence));
    if (!set.empty())
      return refuse("x509-name"_rule, "a relative distinguished name has more than one attribute");
    TRY_ASSIGN(const BytesView oid_octets, pair.oid());
    NameAttribute attribute{to_bytes(oid_octets), pair.peek_tag().value_or(0), {}};
    if (attribute.tag == asn1::kBitString) {
      TRY_ASSIGN(const BytesView bits, pair.bit_string(0));
      attribute.value = to_bytes(bits);
    } else if (attribute.tag == asn1::kUtf8String || attribute.tag == asn1::kPrintableString) {
      TRY_ASSIGN(const asn1::Tlv text, pair.any());
      attribute.value = to_bytes(text.content);
    } else {
      return refuse("x509-name"_rule, "a name's value is neither a text nor a bit string");
    }
    TRY(pair.finish());
    name.push_back(std::move(attribute));
  }
  return name;
}

std::string name_text(const Name& name) {
  std::string text;
  for (Name::const_reverse_iterator attribute = name.rbegin(); attribute != name.rend();
       ++attribute) {
    if (!text.empty()) text += ",";
    text += attribute_text(*attribute);
  }
  return text;
}

bool same_name_text(std::string_view a, std::string_view b) {
  return split_name(a) == split_name(b);
}

}  // namespace wattseal::x509
