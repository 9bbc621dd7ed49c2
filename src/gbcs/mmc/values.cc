#include "gbcs/mmc/values.h"

#include "asn1/der.h"
#include "cosem/cosem.h"
#include "zcl/zcl.h"

namespace wattseal::gbcs {
namespace {

constexpr std::size_t kDerDepthMax = 16;
constexpr std::int64_t kSecondsTo2000 = 946'684'800;

Node list_of(std::vector<Node> items) {
  Node node;
  node.kind = Node::Kind::list;
  node.items = std::move(items);
  return node;
}
Node number_node(std::int64_t number, int scale = 0) {
  Node node;
  node.kind = Node::Kind::number;
  node.number = number;
  node.scale = scale;
  return node;
}
Node octets_node(BytesView octets, bool little = false) {
  Node node;
  node.kind = Node::Kind::octets;
  node.content = to_bytes(octets);
  node.little = little;
  return node;
}
Node text_node(BytesView text) {
  Node node = octets_node(text);
  node.kind = Node::Kind::text;
  return node;
}

std::string hex16(std::uint16_t number) {
  Bytes octets;
  put_be(octets, number);
  return to_hex_upper(octets);
}

Node to_node(const cosem::Value& value) {
  switch (value.tag) {
    case cosem::Tag::null_data: return {};
    case cosem::Tag::array:
    case cosem::Tag::structure:
    case cosem::Tag::compact_array: {
      std::vector<Node> items;
      items.reserve(value.items.size());
      for (const cosem::Value& item : value.items) items.push_back(to_node(item));
      return list_of(std::move(items));
    }
    case cosem::Tag::octet_string:
    case cosem::Tag::bit_string: return octets_node(value.content);
    case cosem::Tag::visible_string:
    case cosem::Tag::utf8_string: return text_node(value.content);
    default: return number_node(value.number);
  }
}

class AnswerReader {
 public:
  AnswerReader(const Message& message, const Opener& open) : message_(message), open_(open) {}

  Result<Answer> read() {
    TRY_ASSIGN(answer_.kind, payload_kind(message_.payload));
    switch (answer_.kind) {
      case PayloadKind::dlms_request:
        return Refusal{"mmc-command"_rule, "the payload is an access request", "payload"};
      case PayloadKind::dlms_response: TRY(response()); break;
      case PayloadKind::dlms_notification: TRY(notification()); break;
      case PayloadKind::gbz: TRY(message_.cra == Cra::alert ? gas_alert() : gas()); break;
      case PayloadKind::asn1: TRY(der()); break;
    }
    return std::move(answer_);
  }

 private:
  // The sealed octets among the items of a structure, or null.
  static const cosem::Value* sealed_among(const std::vector<cosem::Value>& items) {
    static constexpr Octet kMark[] = {0x31, 0, 0, 0, 0};
    for (const cosem::Value& item : items) {
      if (item.tag == cosem::Tag::octet_string && item.content.size() >= 17 &&
          equal(BytesView(item.content).first(5), kMark))
        return &item;
    }
    return nullptr;
  }

  void open_values(BytesView blob) {
    const Result<Bytes> plain = open_(message_, blob);
    if (!plain.ok()) {
      answer_.sealed.push_back({to_bytes(blob), plain.refusal()});
      return;
    }
    const Result<cosem::Value> value = cosem::decode(*plain);
    if (!value.ok()) {
      answer_.sealed.push_back({to_bytes(blob), value.refusal()});
      return;
    }
    Node& head = answer_.heads["sealed"];
    head.kind = Node::Kind::list;
    for (const cosem::Value& item : value->items) head.items.push_back(to_node(item));
  }

  Status response() {
    TRY_ASSIGN(const cosem::AccessResponse access, cosem::decode_access_response(message_.payload));
    std::vector<Node> items;
    for (const cosem::ResponseItem& item : access.items) {
      ItemStatus status;
      status.is_action = item.operation == cosem::Operation::action;
      status.status = item.result;
      answer_.statuses.push_back(status);
      const cosem::Value* const sealed =
          item.data.tag == cosem::Tag::structure ? sealed_among(item.data.items) : nullptr;
      if (sealed && item.result == cosem::kSuccess) open_values(sealed->content);
      items.push_back(sealed || item.result != cosem::kSuccess ? Node{} : to_node(item.data));
    }
    answer_.heads[""] = list_of(std::move(items));
    return {};
  }

  Status notification() {
    TRY_ASSIGN(const cosem::DataNotification notification,
               cosem::decode_data_notification(message_.payload));
    const std::vector<cosem::Value>& parts = notification.body.items;
    Node root = to_node(notification.body);
    if (const cosem::Value* const sealed = sealed_among(parts)) {
      open_values(sealed->content);
      root.items.resize(2);
    }
    if (root.items.size() < 2) root = list_of({std::move(root)});
    take_alert(root);
    answer_.heads[""] = std::move(root);
    return {};
  }

  // The first two values of an alert are its code and time.
  void take_alert(const Node& root) {
    if (root.items.size() < 2) return;
    const std::optional<std::int64_t> code = number_of(root.items[0]);
    if (!code || *code < 0 || *code > 0xFFFF) return;
    answer_.alert_code = hex16(static_cast<std::uint16_t>(*code));
    answer_.alert_time = instant_of(root.items[1]);
    root.items[0].used = root.items[1].used = true;
  }

  Status gas_alert() {
    TRY_ASSIGN(const zcl::Alert alert, zcl::decode_alert(message_.payload));
    Node root = list_of({number_node(alert.code), number_node(alert.time)});
    constexpr MessageCode kBillingData{0x008B};
    if (message_.code == kBillingData) {
      TRY_ASSIGN(const zcl::Component component, zcl::decode_component(alert.rest));
      TRY(gas_component(component));
    } else if (!alert.rest.empty()) {
      root.items.push_back(octets_node(alert.rest));
    }
    take_alert(root);
    answer_.heads[""] = std::move(root);
    return {};
  }

  Status gas() {
    TRY_ASSIGN(const std::vector<zcl::Component> components, zcl::decode(message_.payload));
    for (const zcl::Component& component : components) TRY(gas_component(component));
    return {};
  }

  Status gas_component(const zcl::Component& component) {
    Bytes body = component.body;
    if (component.sealing) {
      Result<Bytes> plain = open_(message_, component.body);
      if (!plain.ok()) {
        answer_.sealed.push_back({component.body, plain.refusal()});
        return {};
      }
      body = std::move(*plain);
    }
    const bool general = !zcl::is_cluster_command(component);
    if (general && component.command == zcl::command::kReadAttributesResponse)
      return gas_values(component.cluster, body);
    ItemStatus status;
    status.cluster = component.cluster;
    status.command = component.command;
    if (general && component.command == zcl::command::kDefaultResponse) {
      TRY_ASSIGN(const zcl::DefaultResponse response, zcl::decode_default_response(body));
      status.command = response.command;
      status.status = response.status;
    } else if (general && component.command == zcl::command::kWriteAttributesResponse) {
      TRY_ASSIGN(const std::vector<zcl::WriteStatus> failures, zcl::decode_write_response(body));
      for (const zcl::WriteStatus& failure : failures) {
        status.attribute = failure.attribute;
        status.status = failure.status;
        answer_.statuses.push_back(status);
      }
      if (!failures.empty()) return {};
    } else {
      Node& head =
          answer_.heads[hex16(component.cluster) + ":" + to_hex_upper(Bytes{component.command})];
      head.kind = Node::Kind::list;
      head.items.push_back(octets_node(body, true));
    }
    answer_.statuses.push_back(status);
    return {};
  }

  // A scaled value is multiplied and divided by what the same component says.
  Status gas_values(std::uint16_t cluster, BytesView body) {
    TRY_ASSIGN(const std::vector<zcl::ReadRecord> records, zcl::decode_read_response(body));
    for (const zcl::ReadRecord& record : records) {
      ItemStatus status;
      status.cluster = cluster;
      status.command = zcl::command::kReadAttributesResponse;
      status.attribute = record.attribute;
      status.status = record.status;
      answer_.statuses.push_back(status);
      if (record.status != 0) continue;
      Node node;
      if (zcl::is_string(record.value.type)) {
        TRY_ASSIGN(const Bytes text, zcl::string_octets(record.value));
        node = text_node(text);
      } else {
        const Result<std::int64_t> number = zcl::integer(record.value);
        node = number.ok() ? number_node(*number) : octets_node(record.value.octets, true);
      }
      answer_.heads[hex16(cluster) + "." + hex16(record.attribute)] = std::move(node);
    }
    return {};
  }

  static Result<Node> der_node(const asn1::Tlv& tlv, std::size_t depth) {
    if (depth > kDerDepthMax)
      return Refusal{"gbcs-payload-unknown"_rule, "values nest deeper than 16", "payload"};
    if (tlv.tag & 0x20) {
      asn1::Reader reader(tlv.content, asn1::Lengths::as_devices_emit);
      Node list = list_of({});
      while (!reader.empty()) {
        TRY_ASSIGN(const asn1::Tlv item, reader.any());
        TRY_ASSIGN(Node node, der_node(item, depth + 1));
        list.items.push_back(std::move(node));
      }
      return list;
    }
    switch (tlv.tag) {
      case asn1::kNull: return Node{};
      case asn1::kInteger:
      case asn1::kEnumerated: {
        Node node = octets_node(tlv.content);
        const bool positive = !tlv.content.empty() && (tlv.content[0] & 0x80) == 0;
        const BytesView digits =
            tlv.content.size() == 9 ? tlv.content.subspan(1) : BytesView(tlv.content);
        if (positive && digits.size() <= 8 && (digits[0] & 0x80) == 0)
          node = number_node(static_cast<std::int64_t>(get_be(digits)));
        return node;
      }
      case asn1::kGeneralizedTime: return text_node(tlv.content);
      default: return octets_node(tlv.content);
    }
  }

  Status der() {
    asn1::Reader reader(message_.payload, asn1::Lengths::as_devices_emit);
    TRY_ASSIGN(const asn1::Tlv outer, reader.any());
    if (!reader.empty())
      return Refusal{"der-trailing"_rule, "octets follow the outer value", "payload"};
    TRY_ASSIGN(Node node, der_node(outer, 0));
    if (outer.tag == asn1::kSequence) {
      if (message_.cra == Cra::alert) take_alert(node);
      answer_.heads[""] = std::move(node);
      answer_.heads["whole"] = octets_node(outer.whole);
    } else {
      answer_.heads["only"] = std::move(node);
    }
    return {};
  }

  const Message& message_;
  const Opener& open_;
  Answer answer_;
};

}  // namespace

Result<Answer> read_answer(const Message& message, const Opener& open) {
  return AnswerReader(message, open).read();
}

std::optional<std::int64_t> number_of(const Node& node, bool is_signed) {
  if (node.kind == Node::Kind::number) return node.number;
  if (node.kind != Node::Kind::octets || node.content.empty() || node.content.size() > 8)
    return std::nullopt;
  std::uint64_t number = 0;
  const std::size_t size = node.content.size();
  for (std::size_t i = 0; i < size; ++i)
    number = number << 8 | node.content[node.little ? size - 1 - i : i];
  const std::size_t bits = 8 * size;
  if (is_signed && bits < 64 && (number >> (bits - 1)) != 0) number |= ~std::uint64_t{0} << bits;
  if (!is_signed && number > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<UtcTime> instant_of(const Node& node) {
  if (node.kind == Node::Kind::octets && node.content.size() == 12) {
    const Result<cosem::DateTime> time = cosem::DateTime::decode(node.content);
    return time.ok() ? time->utc() : std::nullopt;
  }
  if (node.kind == Node::Kind::text) {
    const std::string_view text = as_text(node.content);  // YYYYMMDDhhmmssZ
    if (text.size() != 15 || text.back() != 'Z') return std::nullopt;
    std::string iso(text);
    for (const std::size_t at : {4u, 7u}) iso.insert(at, "-");
    iso.insert(10, "T");
    for (const std::size_t at : {13u, 16u}) iso.insert(at, ":");
    return UtcTime::parse_iso(iso);
  }
  const std::optional<std::int64_t> seconds = number_of(node);
  if (!seconds || *seconds < 0 || *seconds >= 0xFFFFFFFE) return std::nullopt;
  return UtcTime::from_unix_seconds(kSecondsTo2000 + *seconds);
}

}  // namespace wattseal::gbcs
