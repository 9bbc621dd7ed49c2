// Extensions of certificates and requests, both directions. Source: RFC 5280 4.2, RFC 4108 5, RFC
// 5759.
#include "x509/oids.h"

namespace wattseal::x509 {
namespace {

constexpr std::size_t kExtensionsMax = 32;

template <typename Body>
Extension made(BytesView oid_octets, bool critical, Body&& body) {
  asn1::Writer writer;
  body(writer);
  return {to_bytes(oid_octets), critical, writer.take()};
}

}  // namespace

Result<std::vector<Extension>> read_extensions(asn1::Reader& reader) {
  TRY_ASSIGN(asn1::Reader list, reader.enter(asn1::kSequence));
  std::vector<Extension> extensions;
  while (!list.empty()) {
    TRY_ASSIGN(asn1::Reader one, list.enter(asn1::kSequence));
    TRY_ASSIGN(const BytesView oid_octets, one.oid());
    Extension extension{to_bytes(oid_octets), false, {}};
    if (one.peek_tag() == asn1::kBoolean) {
      TRY_ASSIGN(extension.critical, one.boolean());
      if (!extension.critical)
        return refuse("x509-extension"_rule, "a default value is written out",
                      oid::to_text(oid_octets));
    }
    TRY_ASSIGN(const asn1::Tlv value, one.expect(asn1::kOctetString));
    TRY(one.finish());
    extension.value = to_bytes(value.content);
    if (find_extension(extensions, oid_octets) || extensions.size() == kExtensionsMax) {
      return refuse("x509-extension"_rule, "an extension is repeated, or there are too many",
                    oid::to_text(oid_octets));
    }
    extensions.push_back(std::move(extension));
  }
  return extensions;
}

void write_extensions(asn1::Writer& writer, const std::vector<Extension>& extensions) {
  writer.constructed(asn1::kSequence, [&] {
    for (const Extension& extension : extensions) {
      writer.constructed(asn1::kSequence, [&] {
        writer.oid(extension.oid);
        if (extension.critical) writer.boolean(true);
        writer.primitive(asn1::kOctetString, extension.value);
      });
    }
  });
}

const Extension* find_extension(const std::vector<Extension>& extensions, BytesView oid_octets) {
  for (const Extension& extension : extensions) {
    if (equal(extension.oid, oid_octets)) return &extension;
  }
  return nullptr;
}

// Named bits: trailing zero bits are not encoded. Only the first 9 bits are defined.
Result<unsigned> read_key_usage(BytesView value) {
  asn1::Reader reader(value);
  TRY_ASSIGN(const asn1::Tlv bits, reader.expect(asn1::kBitString));
  TRY(reader.finish());
  const Refusal malformed =
      refuse("x509-extension"_rule, "the key usage is not in its shortest form", "keyUsage");
  if (bits.content.size() < 2 || bits.content.size() > 3 || bits.content[0] > 7) return malformed;
  const unsigned unused = bits.content[0];
  const Octet last = bits.content.back();
  if (last == 0 || (last & ((1u << unused) - 1)) || !(last >> unused & 1)) return malformed;
  unsigned usage = 0;
  for (unsigned bit = 0; bit < 8 * (bits.content.size() - 1); ++bit) {
    if (bits.content[1 + bit / 8] >> (7 - bit % 8) & 1) usage |= 1u << bit;
  }
  return usage;
}

Result<BasicConstraints> read_constraints(BytesView value) {
  asn1::Reader reader(value);
  TRY_ASSIGN(asn1::Reader inside, reader.enter(asn1::kSequence));
  TRY(reader.finish());
  BasicConstraints constraints;
  if (inside.peek_tag() == asn1::kBoolean) {
    TRY_ASSIGN(constraints.ca, inside.boolean());
    if (!constraints.ca)
      return refuse("x509-extension"_rule, "a default value is written out", "basicConstraints");
  }
  if (!inside.empty()) {
    TRY_ASSIGN(const std::uint64_t length, inside.unsigned_integer());
    if (length > 255)
      return refuse("x509-extension"_rule, "the path length is above 255", "basicConstraints");
    constraints.path_length = static_cast<unsigned>(length);
  }
  TRY(inside.finish());
  return constraints;
}

Result<Bytes> read_octet_string(BytesView value) {
  asn1::Reader reader(value);
  TRY_ASSIGN(const asn1::Tlv octets, reader.expect(asn1::kOctetString));
  TRY(reader.finish());
  return to_bytes(octets.content);
}

Result<std::optional<Bytes>> read_authority_key_id(BytesView value) {
  asn1::Reader reader(value);
  TRY_ASSIGN(asn1::Reader inside, reader.enter(asn1::kSequence));
  TRY(reader.finish());
  std::optional<Bytes> id;
  if (inside.peek_tag() == asn1::context(0, false)) {
    TRY_ASSIGN(const asn1::Tlv octets, inside.any());
    id = to_bytes(octets.content);
  }
  while (!inside.empty()) TRY(inside.any());  // issuer and serial: not used here
  return id;
}

Result<std::vector<Bytes>> read_policies(BytesView value) {
  asn1::Reader reader(value);
  TRY_ASSIGN(asn1::Reader list, reader.enter(asn1::kSequence));
  TRY(reader.finish());
  std::vector<Bytes> policies;
  while (!list.empty()) {
    TRY_ASSIGN(asn1::Reader policy, list.enter(asn1::kSequence));
    TRY_ASSIGN(const BytesView oid_octets, policy.oid());
    policies.push_back(to_bytes(oid_octets));
    if (!policy.empty()) TRY(policy.expect(asn1::kSequence));  // qualifiers: for people
    TRY(policy.finish());
  }
  return policies;
}

Result<std::optional<HardwareModule>> read_hardware_module(BytesView value) {
  asn1::Reader reader(value);
  TRY_ASSIGN(asn1::Reader names, reader.enter(asn1::kSequence));
  TRY(reader.finish());
  if (names.peek_tag() != asn1::context(0, true)) return std::optional<HardwareModule>();
  TRY_ASSIGN(asn1::Reader other, names.enter(asn1::context(0, true)));
  TRY_ASSIGN(const BytesView type, other.oid());
  if (!names.empty() || !equal(type, oid::hardware_module_name))
    return std::optional<HardwareModule>();
  TRY_ASSIGN(asn1::Reader explicit_value, other.enter(asn1::context(0, true)));
  TRY(other.finish());
  TRY_ASSIGN(asn1::Reader module, explicit_value.enter(asn1::kSequence));
  TRY(explicit_value.finish());
  TRY_ASSIGN(const BytesView hardware_type, module.oid());
  TRY_ASSIGN(const asn1::Tlv serial, module.expect(asn1::kOctetString));
  TRY(module.finish());
  return std::optional(HardwareModule{to_bytes(hardware_type), to_bytes(serial.content)});
}

Extension usage_extension(unsigned usage) {
  Bytes bits(usage >> 8 ? 2 : 1);
  unsigned last = 0;
  for (unsigned bit = 0; bit < 9; ++bit) {
    if (!(usage >> bit & 1)) continue;
    bits[bit / 8] = static_cast<Octet>(bits[bit / 8] | 1u << (7 - bit % 8));
    last = bit;
  }
  return made(kKeyUsage, true,
              [&](asn1::Writer& writer) { writer.bit_string(bits, 7 - last % 8); });
}

Extension constraints_extension(const BasicConstraints& constraints) {
  return made(kBasicConstraints, true, [&](asn1::Writer& writer) {
    writer.constructed(asn1::kSequence, [&] {
      if (constraints.ca) writer.boolean(true);
      if (constraints.path_length) writer.unsigned_integer(*constraints.path_length);
    });
  });
}

Extension subject_key_id_extension(BytesView id) {
  return made(kSubjectKeyId, false,
              [&](asn1::Writer& writer) { writer.primitive(asn1::kOctetString, id); });
}

Extension authority_key_id_extension(BytesView id) {
  return made(kAuthorityKeyId, false, [&](asn1::Writer& writer) {
    writer.constructed(asn1::kSequence, [&] { writer.primitive(asn1::context(0, false), id); });
  });
}

Extension policy_extension(BytesView policy_oid, bool critical) {
  return made(kCertificatePolicies, critical, [&](asn1::Writer& writer) {
    writer.constructed(asn1::kSequence, [&] {
      writer.constructed(asn1::kSequence, [&] { writer.oid(policy_oid); });
    });
  });
}

Extension hardware_module_extension(const HardwareModule& module) {
  return made(kSubjectAltName, true, [&](asn1::Writer& writer) {
    writer.constructed(asn1::kSequence, [&] {
      writer.constructed(asn1::context(0, true), [&] {
        writer.oid(oid::hardware_module_name);
        writer.constructed(asn1::context(0, true), [&] {
          writer.constructed(asn1::kSequence, [&] {
            writer.oid(module.type_oid);
            writer.primitive(asn1::kOctetString, module.serial);
          });
        });
      });
    });
  });
}

}  // namespace wattseal::x509
