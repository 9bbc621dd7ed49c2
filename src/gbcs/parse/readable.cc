// A message in words: each item with its result, value and unit.
#include "asn1/der.h"
#include "cosem/cosem.h"
#include "gbcs/parse.h"
#include "gbcs/parse/names.h"
#include "gbcs/parse/zcl_text.h"
#include "terms/terms.h"
#include "zcl/zcl.h"

namespace wattseal::gbcs {
namespace {

constexpr std::uint16_t kFirstUpdateCode = 0x0102, kLastUpdateCode = 0x0109;

std::string or_else(std::string_view name, std::string otherwise) {
  return name.empty() ? std::move(otherwise) : std::string(name);
}

// A number with its decimal point moved by `scale` digits.
std::string scaled_text(std::int64_t number, int scale) {
  if (scale < -12 || scale > 12) return std::to_string(number) + "e" + std::to_string(scale);
  std::string digits = std::to_string(number < 0 ? -number : number);
  if (scale > 0 && number != 0) digits += std::string(static_cast<std::size_t>(scale), '0');
  if (scale < 0) {
    const std::size_t after = static_cast<std::size_t>(-scale);
    if (digits.size() <= after) digits.insert(0, after + 1 - digits.size(), '0');
    digits.insert(digits.size() - after, ".");
  }
  return (number < 0 ? "-" : "") + digits;
}

std::string text_of(const cosem::Value& value) {
  switch (value.tag) {
    case cosem::Tag::null_data: return "";
    case cosem::Tag::boolean: return value.number ? "yes" : "no";
    case cosem::Tag::bit_string: return value.bit_text();
    case cosem::Tag::octet_string: {
      if (value.content.size() == 12) {
        const Result<cosem::DateTime> time = cosem::DateTime::decode(value.content);
        if (time.ok()) return time->text();
      }
      return to_hex(value.content);
    }
    case cosem::Tag::visible_string:
    case cosem::Tag::utf8_string: return std::string(value.text());
    case cosem::Tag::long64_unsigned: return std::to_string(value.unsigned_number());
    case cosem::Tag::array:
    case cosem::Tag::structure:
    case cosem::Tag::compact_array: {
      std::string all;
      for (const cosem::Value& item : value.items) all += (all.empty() ? "" : ", ") + text_of(item);
      return (value.tag == cosem::Tag::structure ? "{" : "[") + all +
             (value.tag == cosem::Tag::structure ? "}" : "]");
    }
    default: return std::to_string(value.number);
  }
}

bool is_scaler_unit(const cosem::Value& value) {
  return value.tag == cosem::Tag::structure && value.items.size() == 2 &&
         value.items[0].tag == cosem::Tag::integer && value.items[1].tag == cosem::Tag::enumeration;
}

class Readable {
 public:
  Readable(const Message& message, const Opener& open) : message_(message), open_(open) {
    const UseCaseRow* const row = find_use_case(message.code.number(), std::nullopt);
    if (!row) return;
    out_.use_case = row->use_case;
    out_.title = row->title;
  }

  Result<ParsedMessage> read() {
    TRY_ASSIGN(const PayloadKind kind, payload_kind(message_.payload));
    switch (kind) {
      case PayloadKind::dlms_request: TRY(request()); break;
      case PayloadKind::dlms_response: TRY(response()); break;
      case PayloadKind::dlms_notification: TRY(notification()); break;
      case PayloadKind::gbz: TRY(message_.cra == Cra::alert ? gas_alert() : gas()); break;
      case PayloadKind::asn1: TRY(asn1_payload()); break;
    }
    return std::move(out_);
  }

 private:
  void add(std::string name, std::string result, std::string value) {
    out_.success = out_.success && (result.empty() || result == "success");
    out_.items.push_back({std::move(name), std::move(result), std::move(value)});
  }

  Status request() {
    TRY_ASSIGN(const cosem::AccessRequest access, cosem::decode_access_request(message_.payload));
    for (const cosem::RequestItem& item : access.items) {
      const std::string object = item.object.text() + ":" + std::to_string(item.member);
      add(or_else(object_name(item.class_id, item.object.text(), item.member), object), "",
          text_of(item.data));
    }
    return {};
  }

  Status response() {
    TRY_ASSIGN(const cosem::AccessResponse access, cosem::decode_access_response(message_.payload));
    for (std::size_t i = 0; i < access.items.size(); ++i) {
      const cosem::ResponseItem& item = access.items[i];
      const std::string result = or_else(cosem::result_name(item.operation, item.result),
                                         "result " + std::to_string(item.result));
      const cosem::Value* const sealed = protected_part(item.data);
      if (sealed && item.result == cosem::kSuccess) {
        TRY(protected_values(sealed->content));
        continue;
      }
      add(or_else(response_value_name(out_.use_case, i + 1), "item " + std::to_string(i + 1)),
          result, text_of(item.data));
    }
    return {};
  }

  // The answer of get_protected_attributes: parameters, then the sealed octets.
  static const cosem::Value* protected_part(const cosem::Value& data) {
    const bool fits = data.tag == cosem::Tag::structure && data.items.size() == 2 &&
                      data.items[0].tag == cosem::Tag::array &&
                      data.items[1].tag == cosem::Tag::octet_string &&
                      data.items[1].content.size() >= 17 && data.items[1].content[0] == 0x31;
    return fits ? &data.items[1] : nullptr;
  }

  Status protected_values(BytesView blob) {
    TRY_ASSIGN(const Bytes plain, open_(message_, blob));
    TRY_ASSIGN(const cosem::Value value, cosem::decode(plain));
    std::size_t index = 0;
    for (const cosem::Value& object : value.items) {
      const bool list = object.tag == cosem::Tag::structure;
      const std::vector<cosem::Value> fields = list ? object.items : std::vector{object};
      for (std::size_t i = 0; i < fields.size(); ++i) {
        std::string text = text_of(fields[i]);
        if (i + 1 < fields.size() && is_scaler_unit(fields[i + 1])) {
          const std::vector<cosem::Value>& scaler = fields[i + 1].items;
          text = scaled_text(fields[i].number, static_cast<int>(scaler[0].number)) + " " +
                 or_else(unit_name(scaler[1].number), "unit " + std::to_string(scaler[1].number));
          ++i;
        }
        ++index;
        add(or_else(response_value_name(out_.use_case, index), "value " + std::to_string(index)),
            "success", text);
      }
    }
    return {};
  }

  Status notification() {
    TRY_ASSIGN(const cosem::DataNotification notification,
               cosem::decode_data_notification(message_.payload));
    const std::vector<cosem::Value>& parts = notification.body.items;
    if (parts.size() >= 2 && parts[0].tag == cosem::Tag::long_unsigned) {
      alert(static_cast<std::uint16_t>(parts[0].number), text_of(parts[1]));
      for (std::size_t i = 2; i < parts.size(); ++i)
        add("detail " + std::to_string(i - 1), "", text_of(parts[i]));
    } else {
      add("notification", "", text_of(notification.body));
    }
    return {};
  }

  void alert(std::uint16_t code, std::string time) {
    Bytes octets;
    put_be(octets, code);
    out_.alert_code = to_hex_upper(octets);
    add(or_else(alert_title(out_.alert_code), "alert " + out_.alert_code), "", std::move(time));
  }

  Status gas_alert() {
    TRY_ASSIGN(const zcl::Alert found, zcl::decode_alert(message_.payload));
    alert(found.code, zcl::utc_time(found.time).iso());
    if (!found.rest.empty()) add("detail", "", to_hex(found.rest));
    return {};
  }

  Status gas() {
    TRY_ASSIGN(const std::vector<zcl::Component> components, zcl::decode(message_.payload));
    for (const zcl::Component& component : components) {
      Bytes body = component.body;
      if (component.sealing) {
        TRY_ASSIGN(body, open_(message_, component.body));
      }
      const bool general = !zcl::is_cluster_command(component);
      if (general && component.command == zcl::command::kReadAttributesResponse)
        TRY(gas_values(component.cluster, body));
      else if (general && component.command == zcl::command::kDefaultResponse)
        TRY(gas_result(component, body));
      else if (general && component.command == zcl::command::kWriteAttributesResponse)
        TRY(gas_writes(component, body));
      else
        gas_command(component, body);
    }
    return {};
  }

  void gas_command(const zcl::Component& component, BytesView body) {
    const bool asks = !zcl::is_cluster_command(component) &&
                      component.command == zcl::command::kReadAttributes && body.size() % 2 == 0;
    if (asks) return gas_questions(component.cluster, body);
    std::string text = command_text(component, body).value_or(to_hex(body));
    if (component.from) text = "From " + from_text(*component.from) + "; " + text;
    add(component_name(component), "", std::move(text));
  }

  static std::string from_text(std::uint32_t seconds) {
    if (seconds == zcl::kNow) return "at once";
    return seconds >= zcl::kNever ? "never" : zcl::utc_time(seconds).iso();
  }

  // Attributes that are asked for.
  void gas_questions(std::uint16_t cluster, BytesView body) {
    for (std::size_t i = 0; i < body.size(); i += 2) {
      const auto attribute = static_cast<std::uint16_t>(body[i] | body[i + 1] << 8);
      add(or_else(attribute_name(cluster, attribute).name,
                  "attribute " + std::to_string(attribute)),
          "", "asked for");
    }
  }

  static std::string component_name(const zcl::Component& component) {
    if (const std::string_view name = command_name(component); !name.empty())
      return std::string(name);
    Bytes octets;
    put_be(octets, component.cluster);
    return "cluster " + to_hex_upper(octets) + " command " + to_hex_upper(Bytes{component.command});
  }

  Status gas_result(const zcl::Component& component, BytesView body) {
    TRY_ASSIGN(const zcl::DefaultResponse response, zcl::decode_default_response(body));
    // It answers a cluster command that came from the other side.
    zcl::Component answered = component;
    answered.command = response.command;
    answered.frame_control = zcl::is_from_server(component) ? 0x01 : 0x09;
    add(component_name(answered), zcl::status_name(response.status), "");
    return {};
  }

  Status gas_writes(const zcl::Component& component, BytesView body) {
    TRY_ASSIGN(const std::vector<zcl::WriteStatus> failures, zcl::decode_write_response(body));
    if (failures.empty()) add(component_name(component), "success", "");
    for (const zcl::WriteStatus& failure : failures) {
      add(or_else(attribute_name(component.cluster, failure.attribute).name,
                  "attribute " + std::to_string(failure.attribute)),
          zcl::status_name(failure.status), "");
    }
    return {};
  }

  // A scaled value is multiplied and divided by what the same answer says, when it does.
  Status gas_values(std::uint16_t cluster, BytesView body) {
    TRY_ASSIGN(const std::vector<zcl::ReadRecord> records, zcl::decode_read_response(body));
    std::int64_t multiplier = 1, divisor = 1;
    std::string unit;
    for (const zcl::ReadRecord& record : records) {
      const std::string_view kind = attribute_name(cluster, record.attribute).kind;
      const Result<std::int64_t> number = record.status == 0
                                              ? zcl::integer(record.value)
                                              : Result<std::int64_t>(Refusal{"zcl-type"_rule, ""});
      if (!number.ok()) continue;
      if (kind == "multiplier") multiplier = *number;
      if (kind == "divisor" && *number > 0) divisor = *number;
      if (kind == "unit")
        unit = *number == 1   ? " m3"
               : *number == 0 ? " kWh"
                              : " (unit " + std::to_string(*number) + ")";
    }
    int scale = 0;
    while (divisor % 10 == 0) {
      divisor /= 10;
      --scale;
    }
    for (const zcl::ReadRecord& record : records) {
      const AttributeName name = attribute_name(cluster, record.attribute);
      std::string value = to_hex(record.value.octets);
      const Result<std::int64_t> number = record.status == 0
                                              ? zcl::integer(record.value)
                                              : Result<std::int64_t>(Refusal{"zcl-type"_rule, ""});
      if (number.ok()) {
        const bool scales = name.kind == "scaled" && divisor == 1 && multiplier >= 0 &&
                            multiplier < 1'000'000 && *number >= 0 && *number < 1'000'000'000'000;
        value = scales ? scaled_text(*number * multiplier, scale) + unit : std::to_string(*number);
      }
      if (name.kind == "text" && record.status == 0 && zcl::is_string(record.value.type)) {
        TRY_ASSIGN(const Bytes octets, zcl::string_octets(record.value));
        value = printable(octets);
      }
      add(or_else(name.name, "attribute " + std::to_string(record.attribute)),
          zcl::status_name(record.status), value);
    }
    return {};
  }

  Status asn1_payload() {
    const bool update =
        message_.code.number() >= kFirstUpdateCode && message_.code.number() <= kLastUpdateCode;
    if (update && message_.cra == Cra::response) return update_outcomes();
    add("payload", "", to_hex(message_.payload));
    return {};
  }

  // S{ null S{ counter, mode, floors, S{ outcome* } } }
  Status update_outcomes() {
    asn1::Reader outer(message_.payload, asn1::Lengths::as_devices_emit);
    TRY_ASSIGN(asn1::Reader parts, outer.enter(asn1::kSequence));
    TRY(parts.expect(asn1::kNull));
    if (parts.empty()) {
      add("security credentials", "", "to be replaced at the date of the command");
      return {};
    }
    TRY_ASSIGN(asn1::Reader executed, parts.enter(asn1::kSequence));
    TRY(executed.unsigned_integer());
    TRY(executed.unsigned_integer());
    TRY(executed.expect(asn1::kSequence));
    TRY_ASSIGN(asn1::Reader outcomes, executed.enter(asn1::kSequence));
    while (!outcomes.empty()) {
      TRY_ASSIGN(asn1::Reader one, outcomes.enter(asn1::kSequence));
      TRY(outcome(one));
    }
    return {};
  }

  Status outcome(asn1::Reader& one) {
    TRY_ASSIGN(asn1::Reader cell, one.enter(asn1::kSequence));
    TRY_ASSIGN(const std::uint64_t code, cell.unsigned_integer());
    TRY_ASSIGN(const asn1::Tlv usage, cell.expect(asn1::kBitString));
    const std::optional<RemotePartyRole> role =
        remote_party_role(static_cast<unsigned>(std::min<std::uint64_t>(code, 0xFFFF)));
    const bool signing = usage.content.size() == 2 && usage.content[1] == 0x80;
    TRY_ASSIGN(const asn1::Tlv status, one.expect(asn1::kEnumerated));
    TRY(one.expect(asn1::kOctetString));
    TRY_ASSIGN(const asn1::Tlv old_key, one.expect(asn1::kOctetString));
    TRY(one.expect(asn1::kOctetString));
    TRY_ASSIGN(const asn1::Tlv new_key, one.expect(asn1::kOctetString));
    const std::uint64_t number =
        get_be(status.content.first(std::min<std::size_t>(status.content.size(), 8)));
    add((role ? std::string(wattseal::name(*role)) : "role " + std::to_string(code)) +
            (signing ? " DS" : " KA") + (cell.empty() ? "" : " for prepayment"),
        number == 0 ? "success" : "status " + std::to_string(number),
        "key " + to_hex_upper(old_key.content) + " replaced by " + to_hex_upper(new_key.content));
    return {};
  }

  const Message& message_;
  const Opener& open_;
  ParsedMessage out_;
};

}  // namespace

Result<ParsedMessage> parse_readable(const Message& message, const Opener& open) {
  return Readable(message, open).read();
}

}  // namespace wattseal::gbcs
