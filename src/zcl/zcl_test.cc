#include "zcl/zcl.h"

#include <map>
#include <random>

#include "tests/vectors.h"

namespace wattseal::zcl {
namespace {

Bytes hex(std::string_view digits) { return from_hex(digits).value(); }

template <typename T>
std::string refused(const Result<T>& result) {
  return result.ok() ? "accepted" : std::string(result.refusal().rule.text());
}

// This module does not know messages: a GBZ payload is found in one by its length octets and
// profile id, which no other field of the reference messages imitates.
struct Reference {
  std::string name;
  Bytes payload;
  bool alert = false;
};

std::optional<Bytes> payload_of(const Bytes& message) {
  const std::size_t start =
      message[0] == 0xDD
          ? std::ranges::search(message, hex("1100000000df09")).begin() - message.begin() + 5
          : 0;
  std::size_t place = start + 29;  // DF 09 CRA counter(8) 08 originator(8) 08 target(8)
  place += 1 + message[place];     // date-time
  const bool long_other = message[place] == 0x82;
  place += long_other ? 3 + get_be(BytesView(message).subspan(place + 1, 2)) : 1 + message[place];
  const std::size_t length_octets = message[place] < 0x80 ? 0 : message[place] & 0x7F;
  const std::size_t size = length_octets == 0
                               ? message[place]
                               : get_be(BytesView(message).subspan(place + 1, length_octets));
  const Bytes payload = to_bytes(BytesView(message).subspan(place + 1 + length_octets, size));
  if (payload.size() < 2 || payload[0] != 0x01 || payload[1] != 0x09) return std::nullopt;
  return payload;
}

std::vector<Reference> reference_payloads(const std::filesystem::path& vectors) {
  std::vector<Reference> found;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(vectors / "rtds" / "rtds-4.5.0")) {
    if (entry.path().extension() != ".HEX") continue;
    const std::string name = entry.path().filename().string();
    const std::optional<Bytes> payload = payload_of(test::read_hex(entry.path()));
    if (payload) found.push_back({name, *payload, name.find("_ALERT") != std::string::npos});
  }
  std::ranges::sort(found, {}, &Reference::name);
  return found;
}

Component simple(Octet sequence) {
  Component component;
  component.cluster = 0x0702;
  component.frame_control = 0x01;
  component.sequence = sequence;
  component.command = 0x06;
  component.body = hex("0102");
  return component;
}

constexpr std::string_view kTwo =
    "010902"
    "0007020005"
    "010006"
    "0102"
    "0107020005"
    "010106"
    "0102";

std::string refused_with(std::size_t place, Octet octet) {
  Bytes octets = hex(kTwo);
  octets.at(place) = octet;
  return refused(decode(octets));
}

TEST(Gbz, WritesTheDocumentedOctets) {
  const std::vector<Component> two{simple(0), simple(1)};
  EXPECT_EQ(to_hex(encode(two).value()), kTwo);
  EXPECT_EQ(decode(hex(kTwo)).value(), two);
  EXPECT_TRUE(is_cluster_command(two[0]));
  EXPECT_FALSE(is_from_server(two[0]));
}

TEST(Gbz, RoundTripsEveryReferencePayload) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int payloads = 0, components = 0, sealed = 0, dated = 0, alerts = 0;
  for (const Reference& reference : reference_payloads(folder)) {
    if (reference.alert) {
      EXPECT_EQ(encode(decode_alert(reference.payload).value()), reference.payload)
          << reference.name;
      ++alerts;
      continue;
    }
    const Result<std::vector<Component>> decoded = decode(reference.payload);
    ASSERT_TRUE(decoded.ok()) << reference.name << ": " << decoded.refusal().detail;
    EXPECT_EQ(encode(*decoded).value(), reference.payload) << reference.name;
    ++payloads;
    for (const Component& component : *decoded) {
      ++components;
      sealed += component.sealing.has_value();
      dated += component.from.has_value();
    }
  }
  EXPECT_EQ(payloads, 216);
  EXPECT_EQ(components, 761);
  EXPECT_EQ(sealed, 26);
  EXPECT_EQ(dated, 14);
  EXPECT_EQ(alerts, 15);
}

TEST(Gbz, RoundTripsTheAttributeRecordsOfEveryReferencePayload) {
  WATTSEAL_NEEDS_VECTORS(folder);
  std::map<Octet, int> counts;
  for (const Reference& reference : reference_payloads(folder)) {
    if (reference.alert) continue;
    const std::vector<Component> components = decode(reference.payload).value();
    for (const Component& component : components) {
      if (is_cluster_command(component) || component.sealing) continue;
      ++counts[component.command];
      Bytes again;
      if (component.command == command::kReadAttributes)
        again = encode_read(decode_read(component.body).value());
      if (component.command == command::kReadAttributesResponse) {
        again = encode_read_response(decode_read_response(component.body).value());
      }
      if (component.command == command::kWriteAttributes)
        again = encode_attributes(decode_attributes(component.body).value());
      if (component.command == command::kWriteAttributesResponse) {
        again = encode_write_response(decode_write_response(component.body).value());
      }
      if (component.command == command::kDefaultResponse)
        again = encode(decode_default_response(component.body).value());
      EXPECT_EQ(again, component.body) << reference.name;
    }
  }
  EXPECT_EQ(counts[command::kReadAttributes], 46);
  EXPECT_EQ(counts[command::kReadAttributesResponse], 31);
  EXPECT_EQ(counts[command::kDefaultResponse], 243);
  EXPECT_EQ(counts.size(), 3u);
}

TEST(Gbz, ReadsTheComponentOfABillingAlert) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int found = 0;
  for (const Reference& reference : reference_payloads(folder)) {
    if (!reference.alert) continue;
    const Alert alert = decode_alert(reference.payload).value();
    const Result<Component> component = decode_component(alert.rest);
    if (!component.ok()) continue;
    EXPECT_TRUE(component->sealing.has_value());
    EXPECT_EQ(encode_component(*component).value(), alert.rest);
    ++found;
  }
  EXPECT_EQ(found, 1);
}

TEST(Gbz, RefusesEveryPrefix) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const std::vector<Reference> payloads = reference_payloads(folder);
  for (std::size_t i = 0; i < payloads.size(); i += 9) {
    const BytesView octets = payloads[i].payload;
    for (std::size_t size = 0; size < octets.size(); ++size) {
      if (!payloads[i].alert) {
        EXPECT_FALSE(decode(octets.first(size)).ok()) << payloads[i].name;
      }
    }
  }
}

TEST(Gbz, DecodesNoFlippedPayloadThatItWouldWriteDifferently) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const std::vector<Reference> payloads = reference_payloads(folder);
  std::mt19937 random(20240601);
  for (int i = 0; i < 30000; ++i) {
    Bytes octets = payloads[random() % payloads.size()].payload;
    octets[random() % octets.size()] ^= static_cast<Octet>(1u << random() % 8);
    const Result<std::vector<Component>> decoded = decode(octets);
    if (!decoded.ok()) continue;
    EXPECT_EQ(encode(*decoded).value(), octets);
    for (const Component& component : *decoded) {
      const Result<std::vector<ReadRecord>> records = decode_read_response(component.body);
      if (records.ok()) {
        EXPECT_EQ(encode_read_response(*records), component.body);
      }
    }
  }
}

TEST(Gbz, NeverCrashesOnNoise) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    Bytes octets(random() % 60);
    for (Octet& octet : octets)
      octet = static_cast<Octet>(random() % 5 == 0 ? random() : random() % 4);
    const Result<std::vector<AttributeRecord>> records = decode_attributes(octets);
    if (records.ok()) {
      EXPECT_EQ(encode_attributes(*records), octets);
    }
    const Result<std::vector<WriteStatus>> failures = decode_write_response(octets);
    if (failures.ok()) {
      EXPECT_EQ(encode_write_response(*failures), octets);
    }
    octets.insert(octets.begin(), {0x01, 0x09});
    const Result<std::vector<Component>> components = decode(octets);
    if (components.ok()) {
      EXPECT_EQ(encode(*components).value(), octets);
    }
    const Result<Alert> alert = decode_alert(octets);
    if (alert.ok()) {
      EXPECT_EQ(encode(*alert), octets);
    }
  }
}

TEST(Gbz, RoundTripsSealedAndDatedComponents) {
  Component sealed = simple(0), dated = simple(1);
  sealed.sealing = Sealing{0, 3};
  dated.from = kCancel;
  const std::vector<Component> both{sealed, dated};
  EXPECT_EQ(to_hex(encode(both).value()),
            "010902"
            "0207020009"
            "0003"
            "010006"
            "0002"
            "0102"
            "1107020009"
            "ffffffff"
            "010106"
            "0102");
  EXPECT_EQ(decode(encode(both).value()).value(), both);
  EXPECT_EQ(decode_component(encode_component(sealed).value()).value(), sealed);
}

TEST(Gbz, RefusesAnotherProfileAndNoComponents) {
  EXPECT_EQ(refused_with(0, 0x00), "zcl-profile");
  EXPECT_EQ(refused_with(1, 0x08), "zcl-profile");
  EXPECT_EQ(refused_with(2, 0), "zcl-count");
  EXPECT_EQ(refused(encode(std::vector<Component>{})), "zcl-count");
  EXPECT_EQ(refused(encode(std::vector<Component>(256, simple(0)))), "zcl-count");
  EXPECT_TRUE(encode(std::vector<Component>(255, simple(0))).ok());
  EXPECT_EQ(refused(decode_alert(hex("010800100000000000"))), "zcl-profile");
}

TEST(Gbz, RefusesControlBitsThatDoNotFit) {
  for (const Octet control : {0x01, 0x04, 0x08, 0x12, 0x20, 0x40, 0x80})
    EXPECT_EQ(refused_with(3, control), "zcl-control");
  EXPECT_EQ(refused_with(13, 0x00), "zcl-control");
  EXPECT_EQ(refused_with(2, 1), "zcl-control");  // the first component is not marked as the last
}

TEST(Gbz, RefusesLengthsThatDoNotFit) {
  EXPECT_EQ(refused_with(17, 4), "zcl-trailing");
  EXPECT_EQ(refused_with(17, 6), "zcl-truncated");
  EXPECT_EQ(refused_with(17, 2), "zcl-truncated");
  EXPECT_EQ(refused_with(2, 3), "zcl-control");
  Component sealed = simple(0);
  sealed.sealing = Sealing{};
  for (const int step : {-1, 1}) {
    Bytes octets = encode_component(sealed).value();
    octets[11] = static_cast<Octet>(octets[11] + step);
    EXPECT_EQ(refused(decode_component(octets)), "zcl-length");
  }
}

TEST(Gbz, RefusesManufacturerCommandsAndGiants) {
  EXPECT_EQ(refused_with(8, 0x05), "zcl-frame-control");
  Component giant = simple(0);
  giant.body.assign(0xFFFF - 3, 0);
  EXPECT_EQ(decode_component(encode_component(giant).value()).value(), giant);
  giant.body.push_back(0);
  EXPECT_EQ(refused(encode_component(giant)), "zcl-too-large");
}

TEST(Gbz, RefusesTrailingOctets) {
  Bytes octets = hex(kTwo);
  octets.push_back(0);
  EXPECT_EQ(refused(decode(octets)), "zcl-trailing");
  EXPECT_EQ(refused(decode_component(hex("01070200030100060000"))), "zcl-trailing");
}

TEST(GbzAlert, KeepsWhatFollowsTheTime) {
  const Bytes octets =
      hex("010901"
          "8f66"
          "1c374a80"
          "0e0102");
  const Alert alert = decode_alert(octets).value();
  EXPECT_EQ(alert.code, 0x8F66);
  EXPECT_EQ(utc_time(alert.time).iso(), "2015-01-01T00:00:00Z");
  EXPECT_EQ(to_hex(alert.rest), "0e0102");
  EXPECT_EQ(encode(alert), octets);
  for (std::size_t size = 0; size < 9; ++size)
    EXPECT_FALSE(decode_alert(BytesView(octets).first(size)).ok());
}

TEST(Time, CountsFromTheYear2000) {
  EXPECT_EQ(utc_time(0).iso(), "2000-01-01T00:00:00Z");
  EXPECT_EQ(seconds_since_2000(utc_time(0xFFFFFFFF)).value(), 0xFFFFFFFFu);
  EXPECT_EQ(refused(seconds_since_2000(utc_time(0).plus_seconds(-1))), "zcl-value-range");
  EXPECT_EQ(refused(seconds_since_2000(utc_time(0xFFFFFFFF).plus_seconds(1))), "zcl-value-range");
}

TEST(Fields, AreLittleEndian) {
  const Bytes octets =
      hex("0102030405fbff"
          "0341424300ff7f");
  FieldReader reader(octets);
  EXPECT_EQ(reader.number(2).value(), 0x0201u);
  EXPECT_EQ(reader.number(3).value(), 0x050403u);
  EXPECT_EQ(reader.signed_number(2).value(), -5);
  EXPECT_EQ(as_text(reader.string().value()), "ABC");
  EXPECT_TRUE(reader.string().value().empty());
  EXPECT_TRUE(reader.string().value().empty());  // the invalid string
  EXPECT_EQ(refused(reader.done()), "zcl-trailing");
  EXPECT_EQ(reader.left(), 1u);
  EXPECT_EQ(refused(reader.string()), "zcl-truncated");
  EXPECT_TRUE(reader.done().ok());
  EXPECT_EQ(refused(reader.number(1)), "zcl-truncated");
}

TEST(Fields, WriteNumbersAndStrings) {
  Bytes to;
  put_le(to, 0x01020304, 4);
  EXPECT_TRUE(put_string(to, as_bytes("AB")).ok());
  EXPECT_EQ(to_hex(to), "04030201024142");
  EXPECT_TRUE(put_string(to, Bytes(254)).ok());
  EXPECT_EQ(refused(put_string(to, Bytes(255))), "zcl-string");
}

TEST(Values, OfEveryNumberTypeRoundTripAtTheirLimits) {
  for (unsigned type = 0x20; type <= 0x2F; ++type) {
    const Octet octet = static_cast<Octet>(type);
    const unsigned bits = (type % 8 + 1) * 8;
    const unsigned value_bits = is_signed(octet) || bits == 64 ? bits - 1 : bits;
    const std::int64_t top = static_cast<std::int64_t>((1ull << value_bits) - 1);
    const std::int64_t bottom = is_signed(octet) ? -top - 1 : 0;
    EXPECT_EQ(integer(number_value(octet, top).value()).value(), top) << type;
    EXPECT_EQ(integer(number_value(octet, bottom).value()).value(), bottom) << type;
    if (bits == 64) continue;
    EXPECT_EQ(refused(number_value(octet, top + 1)), "zcl-value-range") << type;
    EXPECT_EQ(refused(number_value(octet, bottom - 1)), "zcl-value-range") << type;
  }
  EXPECT_EQ(refused(integer({0x27, hex("ffffffffffffffff")})), "zcl-value-range");
  EXPECT_EQ(integer({0xE2, hex("804a371c")}).value(), 0x1C374A80);
}

TEST(Values, OfOtherTypesAreNoNumbers) {
  for (const Octet type : {0x00, 0x38, 0x3A, 0x41, 0x42, 0x48, 0x4C, 0xF1, 0xFF}) {
    EXPECT_EQ(refused(number_value(type, 0)), "zcl-type") << int{type};
  }
  EXPECT_EQ(refused(integer({0x41, hex("00")})), "zcl-type");
  EXPECT_EQ(refused(string_octets({0x20, hex("00")})), "zcl-type");
  EXPECT_EQ(refused(string_value(0x20, {})), "zcl-type");
}

TEST(Values, HoldStringsWithTheirLength) {
  EXPECT_EQ(to_hex(string_value(0x42, as_bytes("AB")).value().octets), "024142");
  EXPECT_EQ(to_hex(string_value(0x44, as_bytes("AB")).value().octets), "02004142");
  EXPECT_EQ(string_octets(string_value(0x43, as_bytes("AB")).value()).value(), hex("4142"));
  EXPECT_TRUE(string_octets({0x41, hex("ff")}).value().empty());
  EXPECT_EQ(refused(string_value(0x41, Bytes(255))), "zcl-string");
  EXPECT_EQ(refused(string_value(0x43, Bytes(65535))), "zcl-string");
}

TEST(Records, OfAReadResponseCarryAValueOnlyOnSuccess) {
  const Bytes body =
      hex("0400c5"
          "0500004203414243"
          "03000020"
          "07"
          "060000"
          "41ff");
  const std::vector<ReadRecord> records = decode_read_response(body).value();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0].status, 0xC5);
  EXPECT_EQ(string_octets(records[1].value).value(), hex("414243"));
  EXPECT_EQ(integer(records[2].value).value(), 7);
  EXPECT_TRUE(string_octets(records[3].value).value().empty());
  EXPECT_EQ(encode_read_response(records), body);
}

TEST(Records, RefuseUnknownTypesAndCutValues) {
  EXPECT_EQ(refused(decode_attributes(hex("010048"))), "zcl-type");
  EXPECT_EQ(refused(decode_attributes(hex("01002100"))), "zcl-truncated");
  EXPECT_EQ(refused(decode_attributes(hex("01004205414243"))), "zcl-truncated");
  EXPECT_EQ(refused(decode_attributes(hex("01"))), "zcl-truncated");
  EXPECT_EQ(refused(decode_read(hex("010002"))), "zcl-truncated");
  EXPECT_EQ(refused(decode_default_response(hex("0b"))), "zcl-truncated");
  EXPECT_EQ(refused(decode_default_response(hex("0b0000"))), "zcl-trailing");
  EXPECT_EQ(refused(decode_write_response({})), "zcl-truncated");
}

TEST(Records, OfAWriteResponseListFailuresOnly) {
  EXPECT_TRUE(decode_write_response(hex("00")).value().empty());
  EXPECT_EQ(to_hex(encode_write_response({})), "00");
  const std::vector<WriteStatus> failures = decode_write_response(hex("860102"
                                                                      "880304"))
                                                .value();
  EXPECT_EQ(failures, (std::vector<WriteStatus>{{0x86, 0x0201}, {0x88, 0x0403}}));
  EXPECT_EQ(to_hex(encode_write_response(failures)), "860102880304");
}

TEST(Names, CoverWhatTheFieldUses) {
  EXPECT_EQ(type_name(0x25), "UINT48");
  EXPECT_EQ(type_name(0x7B), "type 7B");
  EXPECT_EQ(status_name(0xC0), "hardware failure");
  EXPECT_EQ(status_name(0x7B), "status 7B");
  for (unsigned type = 0; type < 256; ++type) {
    const Octet octet = static_cast<Octet>(type);
    const bool known = fixed_size(octet) || is_string(octet);
    EXPECT_EQ(known, !type_name(octet).starts_with("type ")) << type;
  }
}

}  // namespace
}  // namespace wattseal::zcl
