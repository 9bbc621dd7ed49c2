// The ZigBee side of a gas meter and of the gas proxy that mirrors it. Source:
// spec/gbcs-duis.md 2.3; ZCL statuses.
#include <charconv>

#include "emulators/meter.h"
#include "emulators/objects.h"

namespace wattseal::emulators {
namespace {

constexpr Octet kUnsupportedCommand = 0x81, kUnsupportedAttribute = 0x86, kReadOnly = 0x88,
                kMalformed = 0x80, kTypeMismatch = 0x8D;
constexpr Octet kGeneralAnswer = 0x18;  // from the server, no default response wanted

unsigned number_of(std::string_view text, int base) {
  unsigned number = 0;
  const std::from_chars_result read =
      std::from_chars(text.data(), text.data() + text.size(), number, base);
  CHECK(read.ec == std::errc() && read.ptr == text.data() + text.size());
  return number;
}

zcl::Component answer(const zcl::Component& to, Octet command, Bytes body) {
  zcl::Component out;
  out.cluster = to.cluster;
  out.frame_control = kGeneralAnswer;
  out.sequence = to.sequence;
  out.command = command;
  out.body = std::move(body);
  return out;
}

zcl::Component refusal(const zcl::Component& to, Octet status) {
  return answer(to, zcl::command::kDefaultResponse,
                zcl::encode(zcl::DefaultResponse{to.command, status}));
}

}  // namespace

GasObjects::GasObjects(std::string_view device_type) {
  for (const ObjectRow& row : object_rows()) {
    if (!row.is_for("zcl", device_type)) continue;
    const std::size_t colon = row.object.find(':');
    const std::pair key(static_cast<std::uint16_t>(number_of(row.object.substr(0, colon), 16)),
                        static_cast<std::uint16_t>(number_of(row.object.substr(colon + 1), 16)));
    attributes_[key] = {static_cast<Octet>(number_of(row.type, 16)), row.access == "rw",
                        std::string(row.behaviour), number_of(row.initial, 10)};
  }
}

// Reads are sealed, because they carry consumption; each sealed component counts up from 0.
std::vector<zcl::Component> GasObjects::execute(const std::vector<zcl::Component>& components,
                                                const Meter& meter, const Duties& duties) {
  std::vector<zcl::Component> answers;
  Octet frame_counter = 0;
  for (const zcl::Component& component : components) {
    if (zcl::is_cluster_command(component) || component.sealing) {
      answers.push_back(refusal(component, kUnsupportedCommand));
    } else if (component.command == zcl::command::kReadAttributes) {
      const Result<std::vector<std::uint16_t>> wanted = zcl::decode_read(component.body);
      if (!wanted.ok()) {
        answers.push_back(refusal(component, kMalformed));
        continue;
      }
      std::vector<zcl::ReadRecord> records;
      for (const std::uint16_t attribute : *wanted)
        records.push_back(read(component.cluster, attribute, meter));
      zcl::Component sealed = answer(component, zcl::command::kReadAttributesResponse,
                                     duties.seal(zcl::encode_read_response(records)));
      sealed.sealing = zcl::Sealing{0, frame_counter++};
      answers.push_back(std::move(sealed));
    } else if (component.command == zcl::command::kWriteAttributes) {
      const Result<std::vector<zcl::AttributeRecord>> records =
          zcl::decode_attributes(component.body);
      if (!records.ok()) {
        answers.push_back(refusal(component, kMalformed));
        continue;
      }
      std::vector<zcl::WriteStatus> failures;
      for (const zcl::AttributeRecord& record : *records) {
        if (const Octet status = write(component.cluster, record))
          failures.push_back({status, record.attribute});
      }
      answers.push_back(answer(component, zcl::command::kWriteAttributesResponse,
                               zcl::encode_write_response(failures)));
    } else {
      answers.push_back(refusal(component, kUnsupportedCommand));
    }
  }
  return answers;
}

zcl::ReadRecord GasObjects::read(std::uint16_t cluster, std::uint16_t attribute,
                                 const Meter& meter) const {
  const auto found = attributes_.find({cluster, attribute});
  if (found == attributes_.end()) return {attribute, kUnsupportedAttribute, {}};
  const std::int64_t number = found->second.behaviour == "consumption"
                                  ? static_cast<std::int64_t>(meter.import_units)
                                  : found->second.number;
  const Result<zcl::Value> value = zcl::number_value(found->second.type, number);
  CHECK(value.ok());
  return {attribute, 0, *value};
}

Octet GasObjects::write(std::uint16_t cluster, const zcl::AttributeRecord& record) {
  const auto found = attributes_.find({cluster, record.attribute});
  if (found == attributes_.end()) return kUnsupportedAttribute;
  if (!found->second.writable) return kReadOnly;
  const Result<std::int64_t> number = zcl::integer(record.value);
  if (!number.ok() || record.value.type != found->second.type) return kTypeMismatch;
  found->second.number = *number;
  return 0;
}

}  // namespace wattseal::emulators
