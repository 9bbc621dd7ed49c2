#include "gbcs/mmc.h"

#include <nlohmann/json.hpp>
#include <set>

#include "cosem/date_time.h"
#include "gbcs/mmc/rows.h"
#include "gbcs/parse/names.h"
#include "terms/terms.h"

namespace wattseal::gbcs {
namespace {

constexpr std::size_t kFragmentsMax = 100;  // GBCSData

std::string octet_hex(Octet octet) { return to_hex_upper(Bytes{octet}); }

std::string_view language(PayloadKind kind) {
  switch (kind) {
    case PayloadKind::gbz: return "gbz";
    case PayloadKind::asn1: return "asn1";
    default: return "dlms";
  }
}

// The use case of an answer: by its code and, where services share one, by the service. Some
// commands belong to no service of a user: then `row` is null and `use_case` is not.
struct Service {
  const UseCaseRow* use_case = nullptr;
  const ServiceRequestRow* row = nullptr;
  std::string why_not;
};
Service service_of(MessageCode code, std::string_view variant) {
  Service service;
  std::set<std::string_view> variants;
  const UseCaseRow* fits = nullptr;
  for (const UseCaseRow& row : use_cases()) {
    if (row.message_code != code.number()) continue;
    if (!find_service_request(row.variant)) {
      if (!service.use_case) service.use_case = &row;
      continue;
    }
    if (!variant.empty() && row.variant != variant) continue;
    variants.insert(row.variant);
    if (!fits) fits = &row;
  }
  if (variants.empty()) {
    service.why_not = "no service of a user has message code " + code.text();
    if (service.use_case) service.why_not += ", " + std::string(service.use_case->use_case);
    return service;
  }
  service.use_case = nullptr;
  if (variants.size() > 1) {
    service.why_not = "services with message code " + code.text() + ":";
    for (const std::string_view one : variants) service.why_not += " " + std::string(one);
  } else {
    service.use_case = fits;
    service.row = find_service_request(fits->variant);
  }
  return service;
}

class Writer {
 public:
  Writer(const Message& message, std::string_view variant)
      : message_(message), service_(service_of(message.code, variant)) {}

  Result<Mmc> write(const Opener& open) {
    if (message_.cra == Cra::command)
      return Refusal{"mmc-command"_rule, "the message is a command, not an answer", "CRA flag"};
    TRY_ASSIGN(answer_, read_answer(message_, open));
    root_.set_attribute("schemaVersion", "5.4");
    header();
    Builder& body = root_.child("Body");
    if (message_.cra == Cra::response) {
      response(body.child("ResponseMessage"));
    } else {
      alert(body.child("DeviceAlertMessage"));
    }
    count();
    out_.document = root_.build();
    return std::move(out_);
  }

 private:
  void note(std::string where, RuleId rule, std::string detail = {}) {
    out_.unmapped.push_back({std::move(where), rule, std::move(detail)});
  }

  void header() {
    Builder& header = root_.child("Header");
    const auto put = [&header](std::string_view name, std::string text) {
      header.child(name).set_text(std::move(text));
    };
    put("BusinessOriginatorID", message_.originator.text());
    put("BusinessTargetID", message_.target.text());
    put("OriginatorCounter", std::to_string(message_.counter.number()));
    if (message_.supplementary_party)
      put("SupplementaryRemotePartyID", message_.supplementary_party->text());
    if (message_.supplementary_counter)
      put("SupplementaryRemotePartyCounter",
          std::to_string(message_.supplementary_counter->number()));
    if (message_.supplementary_originator_counter)
      put("SupplementaryOriginatorCounter",
          std::to_string(message_.supplementary_originator_counter->number()));
    put("GBCSHexadecimalMessageCode", message_.code.text());
    if (message_.cra == Cra::response && service_.row) {
      put("ServiceReference", std::string(service_.row->reference));
      put("ServiceReferenceVariant", std::string(service_.row->variant));
    }
    timestamp(header);
  }

  // Spec 1.4: the status octet says what kind of clock it was.
  void timestamp(Builder& header) {
    if (message_.date_time.empty()) return;
    const Result<cosem::DateTime> time = cosem::DateTime::decode(message_.date_time);
    const std::optional<UtcTime> instant = time.ok() ? time->utc() : std::nullopt;
    if (!instant) return note("date-time", "mmc-value"_rule, "it names no instant");
    Builder& element = header.child("Timestamp");
    element.set_text(instant->iso());
    if (time->status == cosem::kOpen) return;
    constexpr Octet kInvalid = 0x01, kUnreliable = 0x02, kOfGasMeter = 0x04;
    if (time->status & kOfGasMeter) element.set_attribute("isFromGSME", "true");
    element.set_attribute("ClockStatus", time->status & kInvalid      ? "invalid"
                                         : time->status & kUnreliable ? "unreliable"
                                                                      : "reliable");
  }

  void fragments(Builder& parent) {
    const bool gas = answer_.kind == PayloadKind::gbz;
    std::size_t sequence = 0;
    for (const Sealed& sealed : answer_.sealed) {
      note("sealed", sealed.why.rule, sealed.why.detail);
      if (sequence == kFragmentsMax) continue;
      Segment segment{"GBCSData"};
      Builder& element = parent.child(segment, sequence);
      element.set_text(to_base64(sealed.blob));
      element.set_attribute("format", "encrypted");
      element.set_attribute("sequence", std::to_string(sequence++));
      element.set_attribute("name", "Protected values");
      element.set_attribute("type", gas ? "zigbeeCiphered" : "dlms");
    }
  }

  void response(Builder& parent) {
    fragments(parent);
    for (const ItemStatus& status : answer_.statuses) out_.success &= status.status == 0;
    if (service_.row) {
      out_.use_case = service_.use_case->use_case;
      const std::string element(service_.row->response_element);
      if (element.ends_with("Rsp")) services_values(parent, element);
    } else if (service_.use_case) {
      out_.use_case = service_.use_case->use_case;
      note("service", "mmc-no-service"_rule, service_.why_not);
      for (const auto& [head, node] : answer_.heads) node.placeless = mmc_reason("no-service");
    } else {
      note("service", "mmc-service-unknown"_rule, service_.why_not);
    }
    debug(parent);
  }

  void services_values(Builder& parent, const std::string& name) {
    Builder values(name);
    bool complete = apply(mmc_rows(name + "/" + std::string(language(answer_.kind))), values);
    complete = apply(mmc_rows(out_.use_case), values) && complete;
    if (!complete) {
      forget(answer_);
      return note(name, "mmc-incomplete"_rule, "a demanded element has no value");
    }
    values.set_attribute("MessageSuccess", out_.success ? "true" : "false");
    parent.child("SMETSData").child(name).take(std::move(values));
  }

  // False when a demanded element has no value though the structure that demands it is there.
  bool apply(std::span<const MmcRow> rows, Builder& to) {
    for (const MmcRow& row : rows) {
      if (row.form == "always")
        place(row, {}, to);
      else
        find_values(answer_, row.from, [&](const Found& found) { put(row, found, to); });
    }
    std::map<std::string, std::vector<std::string>> choices;  // names by the path of their parent
    for (const MmcRow& row : rows) {
      if (row.demand == MmcRow::Demand::one_of)
        choices[parent_of(row)].push_back(row.to.back().name);
    }
    return std::ranges::all_of(rows, [&](const MmcRow& row) {
      if (row.demand == MmcRow::Demand::none) return true;
      const std::vector<std::string> names = row.demand == MmcRow::Demand::one_of
                                                 ? choices[parent_of(row)]
                                                 : std::vector{row.to.back().name};
      return to.each_has(std::span(row.to).first(row.to.size() - 1), names);
    });
  }

  static std::string parent_of(const MmcRow& row) {
    std::string path;
    for (std::size_t i = 0; i + 1 < row.to.size(); ++i) path += row.to[i].name + "/";
    return path;
  }

  void put(const MmcRow& row, const Found& found, Builder& to) {
    if (row.form == "none") {
      found.node->placeless = mmc_reason(row.arguments[0]);
      return;
    }
    if (found.node->kind == Node::Kind::none) return;
    Aside aside;
    Builder element("");
    const Wrote wrote = write_form(row, found, answer_, element, aside);
    out_.success &= !aside.failed;
    const std::string name = row.to.empty() ? "" : row.to.back().name;
    if (wrote == Wrote::refused)
      note(name, "mmc-value"_rule, "the element cannot hold what was sent");
    if (!aside.left.empty()) note(name, "mmc-value"_rule, "no element for " + aside.left);
    if (wrote == Wrote::wordless) found.node->placeless = mmc_reason("no-word");
    // "within" leaves other numbers to other rows
    if (wrote == Wrote::element || (wrote == Wrote::nothing && row.form != "within"))
      found.node->used = true;
    if (wrote == Wrote::element) place(row, found.entries, to).take(std::move(element));
  }

  // The element of a row for these entries. With one repeating element and more entries, each
  // combination is an element of its own.
  static Builder& place(const MmcRow& row, const std::vector<std::size_t>& entries, Builder& to) {
    constexpr std::size_t kApart = 100'000;
    const auto repeating = std::ranges::count_if(row.to, &Segment::repeats);
    Builder* at = &to;
    std::size_t next = 0;
    for (const Segment& segment : row.to) {
      std::size_t entry = segment.position > 0 ? segment.position - 1 : 0;
      if (segment.repeats && repeating == 1) {
        // a first 1 keeps one entry of two steps apart from one of one step
        entry = entries.size() > 1 ? 1 : 0;
        for (const std::size_t one : entries) entry = entry * kApart + one;
      } else if (segment.repeats && next < entries.size()) {
        entry = entries[next++];
      }
      at = &at->child(segment, entry);
    }
    return *at;
  }

  static void forget(const Answer& answer) {
    for (const auto& [head, node] : answer.heads) forget(node);
  }
  static void forget(const Node& node) {
    node.used = false;
    node.placeless = {};
    for (const Node& item : node.items) forget(item);
  }

  void debug(Builder& parent) {
    if (answer_.statuses.empty()) return;
    Builder& info = parent.child("DebugInfo");
    if (answer_.kind == PayloadKind::gbz) return gas_debug(info.child("ZIGBEEDebug"));
    Builder& list = info.child("COSEMDebug");
    for (std::size_t i = 0; i < answer_.statuses.size(); ++i) {
      const ItemStatus& status = answer_.statuses[i];
      Builder& element = list.child(Segment{"COSEMResponse"}, i);
      element.set_attribute("ResponseCode", std::to_string(status.status));
      element.set_attribute("Position", std::to_string(i + 1));
      const std::optional<std::string_view> name = mmc_code(
          status.is_action ? "action-result" : "data-access-result", std::to_string(status.status));
      element.child(status.is_action ? "ActionResult" : "DataAccessResult")
          .set_text(std::string(name.value_or("response-code-not-known")));
    }
  }

  void gas_debug(Builder& list) {
    for (std::size_t i = 0; i < answer_.statuses.size(); ++i) {
      const ItemStatus& status = answer_.statuses[i];
      Bytes cluster;
      put_be(cluster, status.cluster);
      const std::string id = to_hex_upper(cluster);
      Builder& element = list.child(Segment{"ZIGBEEClusterResponse"}, status.cluster);
      Builder& name = element.child("ClusterName");
      name.set_text(std::string(mmc_code("cluster", id).value_or("Cluster " + id)));
      name.set_attribute("id", "0x" + id);
      Builder& one = element.child(
          Segment{status.attribute ? "ZIGBEEDataResponse" : "ZIGBEECommandResponse"}, i);
      if (status.attribute) {
        Bytes attribute;
        put_be(attribute, *status.attribute);
        one.child("AttributeID").set_text("0x" + to_hex_upper(attribute));
      } else {
        one.child("CommandID").set_text("0x" + octet_hex(status.command));
      }
      Builder& code = one.child("Status");
      code.set_attribute("ResponseCode", octet_hex(status.status));
      code.child("ZCLStatus")
          .set_text(std::string(mmc_code("zcl-status", octet_hex(status.status))
                                    .value_or("RESPONSE_CODE_NOT_KNOWN")));
    }
  }

  void alert(Builder& parent) {
    fragments(parent);
    if (answer_.alert_code.empty() || !answer_.alert_time)
      return note("alert", "mmc-value"_rule, "the alert has no code or no time that is an instant");
    Builder& content = parent.child("DeviceAlertContent");
    content.child("GBCSHexAlertCode").set_text(answer_.alert_code);
    const std::string_view title = alert_title(answer_.alert_code);
    content.child("AlertDescription")
        .set_text(title.empty() ? "Alert " + answer_.alert_code : std::string(title));
    content.child("Timestamp").set_text(answer_.alert_time->iso());
    const std::span<const MmcRow> rows =
        mmc_rows(answer_.alert_code + "/" + std::string(language(answer_.kind)));
    if (rows.empty()) return;
    Builder payload("Payload");
    const bool complete = apply(rows, payload);
    if (!complete) {
      forget(answer_);
      keep_alert();
      return note("Payload", "mmc-incomplete"_rule, "a demanded element has no value");
    }
    if (!payload.build().children.empty()) content.child("Payload").take(std::move(payload));
  }

  // Code and time of the alert are in the document whatever its payload is.
  void keep_alert() {
    const std::vector<Node>& items = answer_.heads.at("").items;
    items[0].used = items[1].used = true;
  }

  void count() {
    std::set<std::string> seen;
    const auto whole = answer_.heads.find("whole");
    const bool carried = whole != answer_.heads.end() && whole->second.used;
    for (const auto& [head, node] : answer_.heads) {
      if (head == "whole") continue;
      count(node, head.empty() ? "list" : head, carried, {}, seen);
    }
  }
  void count(const Node& node, const std::string& where, bool used, std::string_view placeless,
             std::set<std::string>& seen) {
    used = used || node.used;
    if (!node.placeless.empty()) placeless = node.placeless;
    if (node.kind == Node::Kind::none) return;
    if (node.kind != Node::Kind::list) {
      ++out_.values;
      if (used) {
        ++out_.mapped;
      } else if (!placeless.empty()) {
        ++out_.placeless;
        if (seen.insert(where).second)
          out_.without_element.push_back({where, "mmc-no-element"_rule, std::string(placeless)});
      } else if (seen.insert(where).second) {
        note(where, "mmc-unmapped"_rule);
      }
      return;
    }
    bool alike = node.items.size() > 1;
    for (const Node& item : node.items)
      alike = alike && item.kind == node.items[0].kind &&
              item.items.size() == node.items[0].items.size();
    for (std::size_t i = 0; i < node.items.size(); ++i)
      count(node.items[i], where + (alike ? "/*" : "/" + std::to_string(i + 1)), used, placeless,
            seen);
  }

  const Message& message_;
  const Service service_;
  Answer answer_;
  Builder root_{"GBCSResponse"};
  Mmc out_;
};

nlohmann::json json_of(const xml::Element& element) {
  using nlohmann::json;
  json object = json::object();
  for (const xml::Attribute& attribute : element.attributes)
    object["@" + attribute.name] = attribute.value;
  for (const xml::Element& child : element.children) {
    json value = json_of(child);
    if (mmc_repeats(child.name))
      object[child.name].push_back(std::move(value));
    else
      object[child.name] = std::move(value);
  }
  if (object.empty()) return element.text;
  if (!element.text.empty()) object["value"] = element.text;
  return object;
}

}  // namespace

Result<Mmc> to_mmc(const Message& message, const Opener& open, std::string_view service_variant) {
  return Writer(message, service_variant).write(open);
}

std::string write(const Mmc& mmc) {
  return xml::write(mmc.document, {{"ra", std::string(kMmcNamespace)}});
}

nlohmann::json json_of(const Mmc& mmc) { return {{mmc.document.name, json_of(mmc.document)}}; }

}  // namespace wattseal::gbcs
