// The GBZ envelope (spec/gbcs-duis.md 2.3):
//   0109 | count | component …                           component: control cluster(2) length(2)
//   extra fc seq command body 0109 | count | alert code(2) | time(4) | rest         extra: nothing,
//   2 octets of sealing or 4 octets of "from"
// A sealed body has its own length of two octets in front.
#include "zcl/zcl.h"

namespace wattseal::zcl {
namespace {

constexpr std::uint64_t kProfile = 0x0109;
constexpr Octet kLast = 0x01, kSealed = 0x02, kFrom = 0x10;
constexpr Octet kManufacturerSpecific =
    0x04;  // would put two more octets after the frame control; GBCS never does
constexpr std::size_t kHeader = 5, kFrame = 3, kMaxLength = 0xFFFF;

class BigEndianReader {
 public:
  explicit BigEndianReader(BytesView octets) : rest_(octets) {}
  std::size_t left() const { return rest_.size(); }
  Result<BytesView> take(std::size_t count, const char* field) {
    if (rest_.size() < count) {
      return Refusal{
          "zcl-truncated"_rule,
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
  Status profile() {
    TRY_ASSIGN(const std::uint64_t found, number(2, "profile"));
    if (found == kProfile) return {};
    return Refusal{"zcl-profile"_rule, "profile " + std::to_string(found), "profile"};
  }

 private:
  BytesView rest_;
};

Status put_component(Bytes& to, const Component& component, bool last) {
  CHECK(!(component.from && component.sealing));
  CHECK((component.frame_control & kManufacturerSpecific) == 0);
  Bytes content;
  if (component.sealing) {
    content = {component.sealing->additional_header_control, component.sealing->frame_counter};
  } else if (component.from) {
    put_be(content, *component.from);
  }
  content.insert(content.end(), {component.frame_control, component.sequence, component.command});
  const std::size_t size = content.size() + (component.sealing ? 2 : 0) + component.body.size();
  if (size > kMaxLength)
    return Refusal{"zcl-too-large"_rule, std::to_string(size) + " octets in one component"};
  if (component.sealing) put_be(content, component.body.size(), 2);
  append(content, component.body);
  const unsigned control =
      (last ? kLast : 0u) | (component.sealing ? kSealed : 0u) | (component.from ? kFrom : 0u);
  to.push_back(static_cast<Octet>(control));
  put_be(to, component.cluster);
  put_be(to, content.size(), 2);
  append(to, content);
  return {};
}

// The octets between the control field and the frame control.
Status read_extra(BigEndianReader& content, std::uint64_t control, Component& component) {
  if ((control & kSealed) != 0) {
    TRY_ASSIGN(const BytesView extra, content.take(2, "sealing"));
    component.sealing = Sealing{extra[0], extra[1]};
  } else if ((control & kFrom) != 0) {
    TRY_ASSIGN(const std::uint64_t from, content.number(4, "from"));
    component.from = static_cast<std::uint32_t>(from);
  }
  return {};
}

Status read_frame(BytesView octets, std::uint64_t control, Component& component) {
  BigEndianReader content(octets);
  TRY(read_extra(content, control, component));
  TRY_ASSIGN(const BytesView frame, content.take(kFrame, "frame"));
  component.frame_control = frame[0];
  component.sequence = frame[1];
  component.command = frame[2];
  if ((component.frame_control & kManufacturerSpecific) != 0) {
    return Refusal{"zcl-frame-control"_rule, "frame control " + to_hex(frame.first(1)),
                   "frame-control"};
  }
  if (component.sealing) {
    TRY_ASSIGN(const std::uint64_t sealed, content.number(2, "sealed-length"));
    if (sealed != content.left()) {
      return Refusal{
          "zcl-length"_rule,
          "sealed length " + std::to_string(sealed) + ", found " + std::to_string(content.left()),
          "sealed-length"};
    }
  }
  TRY_ASSIGN(const BytesView body, content.take(content.left(), "body"));
  component.body = to_bytes(body);
  return {};
}

Result<Component> read_component(BigEndianReader& reader, bool last) {
  TRY_ASSIGN(const std::uint64_t control, reader.number(1, "control"));
  const bool marked = (control & kLast) != 0, sealed = (control & kSealed) != 0,
             from = (control & kFrom) != 0;
  const std::uint64_t unknown = control & ~std::uint64_t{kLast | kSealed | kFrom};
  if (unknown != 0 || (sealed && from) || marked != last) {
    return Refusal{"zcl-control"_rule,
                   "control " + std::to_string(control) + (last ? " of the last component" : ""),
                   "control"};
  }
  Component component;
  TRY_ASSIGN(const std::uint64_t cluster, reader.number(2, "cluster"));
  component.cluster = static_cast<std::uint16_t>(cluster);
  TRY_ASSIGN(const std::uint64_t length, reader.number(2, "length"));
  TRY_ASSIGN(const BytesView content, reader.take(length, "component"));
  TRY(read_frame(content, control, component));
  return component;
}

Status nothing_left(const BigEndianReader& reader) {
  if (reader.left() == 0) return {};
  return Refusal{"zcl-trailing"_rule,
                 std::to_string(reader.left()) + " octets follow the last component"};
}

}  // namespace

UtcTime utc_time(std::uint32_t seconds_since_2000) {
  return UtcTime::from_unix_seconds(kEpoch2000 + std::int64_t{seconds_since_2000});
}

Result<std::uint32_t> seconds_since_2000(UtcTime time) {
  const std::int64_t seconds = time.unix_seconds() - kEpoch2000;
  if (seconds < 0 || seconds > std::int64_t{kCancel}) {
    return Refusal{"zcl-value-range"_rule,
                   "time " + time.iso() + " is not within 2000-01-01 and 2136-02-07"};
  }
  return static_cast<std::uint32_t>(seconds);
}

Result<Bytes> encode(const std::vector<Component>& components) {
  if (components.empty() || components.size() > 255) {
    return Refusal{"zcl-count"_rule, std::to_string(components.size()) + " components", "count"};
  }
  Bytes to;
  put_be(to, kProfile, 2);
  put_be(to, components.size(), 1);
  for (const Component& component : components)
    TRY(put_component(to, component, &component == &components.back()));
  return to;
}

Result<std::vector<Component>> decode(BytesView payload) {
  BigEndianReader reader(payload);
  TRY(reader.profile());
  TRY_ASSIGN(const std::uint64_t count, reader.number(1, "count"));
  if (count == 0) return Refusal{"zcl-count"_rule, "no components", "count"};
  // A hostile count reserves no more than the octets could hold.
  std::vector<Component> components;
  components.reserve(std::min<std::size_t>(count, reader.left() / (kHeader + kFrame)));
  for (std::uint64_t i = 1; i <= count; ++i) {
    TRY_ASSIGN(Component component, read_component(reader, i == count));
    components.push_back(std::move(component));
  }
  TRY(nothing_left(reader));
  return components;
}

Bytes encode(const Alert& alert) {
  Bytes to;
  put_be(to, kProfile, 2);
  to.push_back(alert.count);
  put_be(to, alert.code);
  put_be(to, alert.time);
  append(to, alert.rest);
  return to;
}

Result<Alert> decode_alert(BytesView payload) {
  BigEndianReader reader(payload);
  Alert alert;
  TRY(reader.profile());
  TRY_ASSIGN(const std::uint64_t count, reader.number(1, "count"));
  TRY_ASSIGN(const std::uint64_t code, reader.number(2, "alert-code"));
  TRY_ASSIGN(const std::uint64_t time, reader.number(4, "time"));
  TRY_ASSIGN(const BytesView rest, reader.take(reader.left(), "rest"));
  alert.count = static_cast<Octet>(count);
  alert.code = static_cast<std::uint16_t>(code);
  alert.time = static_cast<std::uint32_t>(time);
  alert.rest = to_bytes(rest);
  return alert;
}

Result<Bytes> encode_component(const Component& component) {
  Bytes to;
  TRY(put_component(to, component, true));
  return to;
}

Result<Component> decode_component(BytesView octets) {
  BigEndianReader reader(octets);
  TRY_ASSIGN(Component component, read_component(reader, true));
  TRY(nothing_left(reader));
  return component;
}

}  // namespace wattseal::zcl
