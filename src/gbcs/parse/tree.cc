// The complete tree of a message. Keys and forms are those of the reference decodes, so that any of
// them can be compared as text.
#include <nlohmann/json.hpp>

#include "asn1/der.h"
#include "cosem/cosem.h"
#include "gbcs/parse.h"
#include "zcl/zcl.h"

namespace wattseal::gbcs {
namespace {

using nlohmann::json;

constexpr std::size_t kDerDepthMax = 32;

std::string hex16(std::uint16_t number, bool upper) {
  Bytes octets;
  put_be(octets, number);
  return upper ? to_hex_upper(octets) : to_hex(octets);
}
std::string hex8(Octet octet) { return to_hex(Bytes{octet}); }

// ---- DLMS

json to_json(const cosem::Value& value) {
  if (value.tag == cosem::Tag::null_data) return nullptr;
  json inside;
  switch (value.tag) {
    case cosem::Tag::array:
    case cosem::Tag::structure:
    case cosem::Tag::compact_array:
      inside = json::array();
      for (const cosem::Value& item : value.items) inside.push_back(to_json(item));
      break;
    case cosem::Tag::boolean: inside = value.number ? 255 : 0; break;
    case cosem::Tag::bit_string: inside = {value.bit_count, to_hex(value.content)}; break;
    case cosem::Tag::octet_string:
    case cosem::Tag::visible_string:
    case cosem::Tag::utf8_string: inside = to_hex(value.content); break;
    case cosem::Tag::long64_unsigned: inside = value.unsigned_number(); break;
    default: inside = value.number; break;
  }
  return {{std::string(cosem::tag_name(value.tag)), inside}};
}

std::string_view operation_name(cosem::Operation operation) {
  switch (operation) {
    case cosem::Operation::get: return "get";
    case cosem::Operation::set: return "set";
    case cosem::Operation::action: return "action";
    case cosem::Operation::get_with_selection: return "get-sel";
    case cosem::Operation::set_with_selection: return "set-sel";
  }
  UNREACHABLE();
}

class Tree {
 public:
  Tree(const Message& message, const Opener& open) : message_(message), open_(open) {}

  Result<json> build() {
    header();
    TRY_ASSIGN(const PayloadKind kind, payload_kind(message_.payload));
    switch (kind) {
      case PayloadKind::dlms_request: TRY(request()); break;
      case PayloadKind::dlms_response: TRY(response()); break;
      case PayloadKind::dlms_notification: TRY(notification()); break;
      case PayloadKind::gbz: TRY(message_.cra == Cra::alert ? gas_alert() : components()); break;
      case PayloadKind::asn1: TRY(der()); break;
    }
    if (!encrypted_.empty()) tree_["encrypted"] = encrypted_;
    return std::move(tree_);
  }

 private:
  void header() {
    tree_["cra"] = static_cast<int>(message_.cra);
    tree_["message_code"] = message_.code.text();
    tree_["originator"] = message_.originator.hex();
    tree_["target"] = message_.target.hex();
    tree_["counter"] = message_.counter.number();
    tree_["has_mac"] = message_.mac.has_value();
    tree_["signature"] = message_.signature_field == SignatureField::present;
    if (!message_.date_time.empty()) tree_["date_time"] = to_hex(message_.date_time);
    if (message_.supplementary_party)
      tree_["supplementary_remote_party_id"] = message_.supplementary_party->hex();
    if (message_.supplementary_counter)
      tree_["supplementary_remote_party_counter"] = message_.supplementary_counter->number();
    if (message_.supplementary_originator_counter)
      tree_["supplementary_originator_counter"] =
          message_.supplementary_originator_counter->number();
    if (!message_.supplementary_certificate.empty())
      tree_["supplementary_certificate_octets"] = message_.supplementary_certificate.size();
  }

  void opened(const std::string& where, BytesView blob) {
    const Result<Bytes> plain = open_(message_, blob);
    encrypted_.push_back(plain.ok()
                             ? json{{"where", where}, {"plaintext", to_hex(*plain)}}
                             : json{{"where", where}, {"rule", plain.refusal().rule.text()}});
  }

  // Sealed attributes stand in octet-strings that start with their mark.
  void open_inside(const cosem::Value& value, const std::string& where) {
    if (value.tag != cosem::Tag::structure) return;
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      const cosem::Value& item = value.items[i];
      static constexpr Octet kMark[] = {0x31, 0, 0, 0, 0};
      const bool sealed = item.tag == cosem::Tag::octet_string && item.content.size() >= 17 &&
                          equal(BytesView(item.content).first(5), kMark);
      if (sealed) opened(where + "[" + std::to_string(i) + "]", item.content);
    }
  }

  Status request() {
    TRY_ASSIGN(const cosem::AccessRequest access, cosem::decode_access_request(message_.payload));
    tree_["payload"] = "DLMS";
    json items = json::array(), data = json::array();
    for (const cosem::RequestItem& item : access.items) {
      json one{{"op", operation_name(item.operation)},
               {"cls", item.class_id},
               {"obis", item.object.text()},
               {"no", item.member}};
      if (item.selection)
        one["selector"] = {item.selection->selector, to_json(item.selection->parameters)};
      items.push_back(std::move(one));
      data.push_back(to_json(item.data));
    }
    tree_["items"] = std::move(items);
    tree_["data"] = std::move(data);
    return {};
  }

  Status response() {
    TRY_ASSIGN(const cosem::AccessResponse access, cosem::decode_access_response(message_.payload));
    tree_["payload"] = "DLMS";
    json results = json::array(), data = json::array();
    for (std::size_t i = 0; i < access.items.size(); ++i) {
      results.push_back({operation_name(access.items[i].operation), access.items[i].result});
      data.push_back(to_json(access.items[i].data));
      open_inside(access.items[i].data, "data" + std::to_string(i));
    }
    tree_["results"] = std::move(results);
    tree_["data"] = std::move(data);
    return {};
  }

  Status notification() {
    TRY_ASSIGN(const cosem::DataNotification notification,
               cosem::decode_data_notification(message_.payload));
    tree_["payload"] = "DLMS";
    tree_["body"] = to_json(notification.body);
    open_inside(notification.body, "body");
    const std::vector<cosem::Value>& parts = notification.body.items;
    if (message_.cra == Cra::alert && parts.size() >= 2 &&
        parts[0].tag == cosem::Tag::long_unsigned) {
      tree_["alert_code"] = hex16(static_cast<std::uint16_t>(parts[0].number), true);
      tree_["alert_time"] = to_hex(parts[1].content);
    }
    return {};
  }

  void one_component(json& list, const zcl::Component& component, const std::string& where,
                     bool last) {
    const unsigned control =
        (last ? 1u : 0u) | (component.sealing ? 2u : 0u) | (component.from ? 0x10u : 0u);
    json one{{"cluster", hex16(component.cluster, false)},
             {"control", hex8(static_cast<Octet>(control))},
             {"frame_control", hex8(component.frame_control)},
             {"seq", component.sequence},
             {"command", hex8(component.command)}};
    if (component.from) one["from"] = *component.from;
    if (component.sealing) {
      one["additional"] = to_hex(
          Bytes{component.sealing->additional_header_control, component.sealing->frame_counter});
      one["cipher"] = to_hex(
          BytesView(component.body).subspan(std::min<std::size_t>(5, component.body.size())));
      opened(where, component.body);
    } else {
      one["zcl"] = to_hex(component.body);
    }
    list.push_back(std::move(one));
  }

  Status components() {
    TRY_ASSIGN(const std::vector<zcl::Component> all, zcl::decode(message_.payload));
    tree_["payload"] = "GBZ";
    json list = json::array();
    for (std::size_t i = 0; i < all.size(); ++i)
      one_component(list, all[i], "comp" + std::to_string(i), i + 1 == all.size());
    tree_["components"] = std::move(list);
    return {};
  }

  Status gas_alert() {
    TRY_ASSIGN(const zcl::Alert alert, zcl::decode_alert(message_.payload));
    tree_["payload"] = "GBZ";
    tree_["alert_code"] = hex16(alert.code, true);
    tree_["alert_time_utc2000"] = alert.time;
    tree_["rest"] = to_hex(alert.rest);
    constexpr MessageCode kBillingData{0x008B};
    if (message_.code == kBillingData) {
      TRY_ASSIGN(const zcl::Component component, zcl::decode_component(alert.rest));
      if (component.sealing) opened("comp0", component.body);
    }
    return {};
  }

  Status der() {
    tree_["payload"] = "ASN.1";
    TRY_ASSIGN(json list, der_list(message_.payload, 0));
    const json* const first = list.empty() ? nullptr : &list[0];
    // SEQUENCE { INTEGER alert code, … }
    if (message_.cra == Cra::alert && first && (*first)[1].is_array() && !(*first)[1].empty() &&
        (*first)[1][0][0] == "02") {
      const std::string digits = (*first)[1][0][1];
      if (digits.size() >= 4) {
        std::string code = digits.substr(digits.size() - 4);
        for (char& c : code) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        tree_["alert_code"] = code;
      }
    }
    tree_["der"] = std::move(list);
    return {};
  }

  static Result<json> der_list(BytesView octets, std::size_t depth) {
    if (depth > kDerDepthMax)
      return Refusal{"gbcs-payload-unknown"_rule, "values nest deeper than 32", "payload"};
    asn1::Reader reader(octets, asn1::Lengths::as_devices_emit);
    json list = json::array();
    while (!reader.empty()) {
      TRY_ASSIGN(const asn1::Tlv tlv, reader.any());
      if (tlv.tag & 0x20) {
        TRY_ASSIGN(json inside, der_list(tlv.content, depth + 1));
        list.push_back({hex8(tlv.tag), std::move(inside)});
      } else {
        list.push_back({hex8(tlv.tag), to_hex(tlv.content)});
      }
    }
    return list;
  }

  const Message& message_;
  const Opener& open_;
  json tree_ = json::object(), encrypted_ = json::array();
};

}  // namespace

Result<nlohmann::json> parse_tree(const Message& message, const Opener& open) {
  return Tree(message, open).build();
}

}  // namespace wattseal::gbcs
