#include "apps/rtds_devices.h"

#include <functional>

#include "apps/commands.h"
#include "apps/device_bench.h"
#include "apps/rtds/data_set.h"
#include "asn1/der.h"
#include "cosem/cosem.h"
#include "gbcs/security.h"
#include "terms/terms.h"
#include "zcl/zcl.h"

namespace wattseal::apps {
namespace {

namespace fs = std::filesystem;
using gbcs::Message;

// -------------------------------------------------------------------------------------------------
// structure as text: equal neighbours of a list count once

using Opener = std::function<std::optional<Bytes>(BytesView sealed)>;

std::string join(const std::vector<std::string>& parts) {
  std::string out, last;
  for (const std::string& part : parts) {
    if (part == last) continue;
    out += out.empty() ? part : "," + part;
    last = part;
  }
  return out;
}

std::string row_shape(const cosem::RowType& type) {
  std::vector<std::string> parts;
  for (const cosem::RowType& part : type.parts) parts.push_back(row_shape(part));
  std::string out(cosem::tag_name(type.tag));
  if (type.count > 0) out += "*" + std::to_string(type.count);
  return parts.empty() ? out : out + "(" + join(parts) + ")";
}

std::string shape(const cosem::Value& value, const Opener& open) {
  std::string out(cosem::tag_name(value.tag));
  if (value.tag == cosem::Tag::compact_array) return out + "(" + row_shape(value.row_type) + ")";
  if (value.tag == cosem::Tag::octet_string && value.content.size() > 17 &&
      value.content[0] == 0x31) {
    if (const std::optional<Bytes> plain = open(value.content)) {
      const Result<cosem::Value> inside = cosem::decode(*plain);
      return "sealed(" + (inside.ok() ? shape(*inside, open) : inside.refusal().detail) + ")";
    }
  }
  std::vector<std::string> parts;
  for (const cosem::Value& item : value.items) parts.push_back(shape(item, open));
  return parts.empty() ? out : out + "(" + join(parts) + ")";
}

std::string hex(std::uint64_t number, std::size_t octets) {
  Bytes out;
  put_be(out, number, octets);
  return to_hex(out);
}

// One of a log's entries, or that there is none: the data decide.
bool is_from_log(const zcl::Component& one) {
  constexpr std::pair<std::uint16_t, Octet> kPublish[] = {
      {0x0702, 0x06}, {0x0702, 0x07}, {0x0705, 0x01}, {0x0705, 0x05},
      {0x0705, 0x06}, {0x0707, 0x01}, {0x0707, 0x02}, {0x0707, 0x03},
      {0x0707, 0x04}, {0x0709, 0x01}, {0x0700, 0x00}, {0x0700, 0x09}};
  if (!zcl::is_cluster_command(one)) {
    const Result<zcl::DefaultResponse> none = zcl::decode_default_response(one.body);
    return one.command == zcl::command::kDefaultResponse && none.ok() && none->status == 0x8B;
  }
  return std::ranges::find(kPublish, std::pair(one.cluster, one.command)) != std::end(kPublish);
}

std::string shape(const zcl::Component& one, const Opener& open) {
  if (is_from_log(one)) return hex(one.cluster, 2) + " entry";
  std::string out = hex(one.cluster, 2) + " " + hex(one.frame_control, 1) + " " +
                    hex(one.command, 1) + (one.sealing ? " sealed" : "");
  Bytes body = one.body;
  if (one.sealing) {
    const std::optional<Bytes> plain = open(body);
    if (!plain) return out;
    body = *plain;
  }
  if (!zcl::is_cluster_command(one) && one.command == zcl::command::kReadAttributesResponse) {
    const Result<std::vector<zcl::ReadRecord>> records = zcl::decode_read_response(body);
    if (!records.ok()) return out + " " + records.refusal().detail;
    for (const zcl::ReadRecord& record : *records)
      out += " " + hex(record.attribute, 2) + ":" + hex(record.status, 1) + ":" +
             hex(record.value.type, 1);
  } else if (one.command == zcl::command::kDefaultResponse && !zcl::is_cluster_command(one)) {
    out += " " + to_hex(body);
  } else {
    out += " octets " + std::to_string(body.size());
  }
  return out;
}

std::string shape(asn1::Reader reader) {
  std::vector<std::string> parts;
  while (!reader.empty()) {
    const Result<asn1::Tlv> one = reader.any();
    if (!one.ok()) return "malformed";
    const bool constructed = (one->tag & 0x20) != 0;
    parts.push_back(
        hex(one->tag, 1) +
        (constructed ? "(" + shape(asn1::Reader(one->content, asn1::Lengths::as_devices_emit)) + ")"
                     : ""));
  }
  return join(parts);
}

std::string shape(const Message& message, const Opener& open) {
  std::string out = message.code.text() + (message.date_time.empty() ? " " : " at ") +
                    (message.mac ? "mac " : "signed ");
  if (message.supplementary_party) out += "for another ";
  const Result<gbcs::PayloadKind> kind = gbcs::payload_kind(message.payload);
  if (kind.ok() && *kind == gbcs::PayloadKind::dlms_response) {
    const Result<cosem::AccessResponse> response = cosem::decode_access_response(message.payload);
    if (!response.ok()) return out + response.refusal().detail;
    for (const cosem::ResponseItem& item : response->items)
      out += std::to_string(static_cast<int>(item.operation)) + ":" + std::to_string(item.result) +
             ":" + shape(item.data, open) + " ";
  } else if (kind.ok() && *kind == gbcs::PayloadKind::gbz) {
    const Result<std::vector<zcl::Component>> components = zcl::decode(message.payload);
    if (!components.ok()) return out + components.refusal().detail;
    std::vector<std::string> parts;
    for (const zcl::Component& one : *components) parts.push_back(shape(one, open));
    out += join(parts);
  } else {
    out += shape(asn1::Reader(message.payload, asn1::Lengths::as_devices_emit));
  }
  return out;
}

// -------------------------------------------------------------------------------------------------

struct Verdict {
  std::string result, detail;
};

std::string use_case_of(const std::string& name) { return name.substr(0, name.find('_')); }

Result<Bytes> octets_of(const fs::path& file) {
  try {
    return read_octets(read_input(file.string()));
  } catch (const UnreadableInput& unreadable) {
    return Refusal{"apps-vectors"_rule, unreadable.what()};
  }
}

class Judge {
 public:
  explicit Judge(const RtdsDataSet& data) : data_(data), keys_(data.folder / "keystore") {
    for (const fs::directory_entry& entry : fs::directory_iterator(data.folder / "keystore")) {
      const std::string name = entry.path().filename().string();
      if (!name.ends_with("-ds.pem")) continue;
      const Result<x509::Certificate> certificate =
          x509::parse_certificate_pem(read_input(entry.path().string()));
      if (!certificate.ok()) continue;
      const std::optional<Bytes> id = from_hex(std::string_view(name).substr(0, 16));
      for (const x509::NameAttribute& attribute : certificate->subject) {
        if (attribute.oid != x509::oid::organizational_unit || !id) continue;
        const std::optional<RemotePartyRole> role =
            remote_party_role_from_ou(as_text(attribute.value));
        const Eui64 party = Eui64::from_number(get_be(*id));
        const auto [known, is_new] =
            parties_.try_emplace(role.value_or(RemotePartyRole::other), party);
        known->second = std::min(known->second, party);
      }
    }
  }

  Verdict judge(const std::string& name, const fs::path& file) {
    const auto reference = data_.messages.find(name + "_RESPONSE_GBCS");
    if (reference == data_.messages.end()) return {"no-response", ""};
    const Result<std::pair<std::string, std::string>> shapes =
        shapes_of(name, file, reference->second);
    if (!shapes.ok())
      return {"differs",
              std::string(shapes.refusal().rule.text()) + ": " + shapes.refusal().detail};
    const auto& [ours, theirs] = *shapes;
    if (ours == theirs) return {"pass", ""};
    const std::size_t from =
        static_cast<std::size_t>(std::ranges::mismatch(ours, theirs).in1 - ours.begin());
    const std::size_t begin = from > 40 ? from - 40 : 0;
    return {"differs", "at " + std::to_string(from) + ": …" + ours.substr(begin, 120) +
                           " wanted …" + theirs.substr(begin, 120)};
  }

 private:
  Result<std::pair<std::string, std::string>> shapes_of(const std::string& name,
                                                        const fs::path& file,
                                                        const fs::path& reference) {
    TRY_ASSIGN(const xml::Document document, xml::parse(read_input(file.string())));
    TRY_ASSIGN(duis::ServiceRequest request, duis::read_request(document.root()));
    TRY_ASSIGN(const DeviceType type, data_.type(request.id.target));
    TRY_ASSIGN(const UtcTime now, data_.now(name));
    TRY_ASSIGN(const gateway::Originator originator, data_.originator(name, request.id));
    TRY_ASSIGN(const Bytes reference_octets, octets_of(reference));
    TRY_ASSIGN(const Message theirs, gbcs::decode(reference_octets));
    DeviceBench bench(options_for(name, request, type, now, originator.id));
    bench.clock.set(now);
    rewrite(request.body, bench, request.id);
    TRY_ASSIGN(const gateway::Transformed made,
               gateway::transform(*gbcs::TemplateSet::built_in(), request, type, originator,
                                  RtdsFacts(data_, name), now));
    TRY_ASSIGN(const Message ours, bench.execute(made.message));
    const Eui64 reader = theirs.supplementary_party.value_or(theirs.target);
    const Opener open_ours = [&](BytesView sealed) -> std::optional<Bytes> {
      Result<Bytes> plain = bench.open(ours, reader, sealed);
      if (!plain.ok()) return std::nullopt;
      return std::move(*plain);
    };
    const Opener open_theirs = [&](BytesView sealed) -> std::optional<Bytes> {
      const std::optional<crypto::SharedSecret> secret = keys_.secret(reader, theirs.originator);
      if (!secret) return std::nullopt;
      const gbcs::AttributeRecipient recipient = gbcs::attribute_recipient(theirs);
      Result<Bytes> plain = gbcs::open_attribute(*secret, theirs.originator, recipient.counter,
                                                 recipient.party, sealed);
      if (!plain.ok()) return std::nullopt;
      return std::move(*plain);
    };
    return std::pair(shape(ours, open_ours), shape(theirs, open_theirs));
  }

  // A device that has been there for weeks, so that its logs have something to show.
  BenchOptions options_for(const std::string& name, const duis::ServiceRequest& request,
                           DeviceType type, UtcTime now, Eui64 originator) const {
    constexpr std::int64_t kWeeks = 60 * 86'400;
    BenchOptions options;
    options.type = type;
    options.device = request.id.target;
    options.installed = now.plus_seconds(-kWeeks);
    options.parties = parties_;
    options.parties.erase(RemotePartyRole::other);
    const RtdsFacts facts(data_, name);
    const Result<std::string> variant = facts.named("variant");
    if (name.find("TWIN") != std::string::npos || (variant.ok() && *variant == "twin"))
      options.variant = emulators::Variant::twin;
    if (name.find("POLYPHASE") != std::string::npos || (variant.ok() && *variant == "polyphase"))
      options.variant = emulators::Variant::polyphase;
    if (name.find("Handover") != std::string::npos &&
        originator == options.parties[RemotePartyRole::access_control_broker])
      options.held_by_broker = {RemotePartyRole::supplier, RemotePartyRole::network_operator};
    for (std::uint64_t i = 0; i < 3; ++i)
      options.joined.push_back(
          {Eui64::from_number(0x00'0D'6F'00'00'00'01'00 + i), static_cast<unsigned>(i)});
    return options;
  }

  // What only the data set's own keys could have made is made again with the bench's: certificates
  // of organisations and authorities, top-up codes.
  static void rewrite(xml::Element& element, DeviceBench& bench, const duis::RequestId& id) {
    for (xml::Element& child : element.children) rewrite(child, bench, id);
    const std::string text(element.trimmed());
    if (element.name == "UTRN" && text.size() == 20) {
      element.text = bench.top_up_code(id.originator, id.counter, 1250);
      return;
    }
    if (text.size() < 200) return;
    const std::optional<Bytes> der = from_base64(text);
    const Result<x509::Certificate> certificate =
        der ? x509::parse_certificate(*der)
            : Result<x509::Certificate>(Refusal{"apps-vectors"_rule, ""});
    if (!certificate.ok() || certificate->subject.empty()) return;  // a device's stays
    if (certificate->constraints && certificate->constraints->ca) {
      element.text = to_base64(bench.issuing());
      return;
    }
    Eui64 party;
    for (const x509::NameAttribute& attribute : certificate->subject) {
      if (attribute.oid == x509::oid::unique_identifier && attribute.value.size() == 8)
        party = Eui64::from_number(get_be(attribute.value));
    }
    const bool signing = certificate->usage == x509::key_usage::digital_signature;
    const KeyUse use = signing ? KeyUse::digital_signature : KeyUse::key_agreement;
    element.text = to_base64(bench.issue(certificate->subject, certificate->usage.value_or(0),
                                         bench.key(party, use)->public_point()));
  }

  const RtdsDataSet& data_;
  RtdsKeys keys_;
  std::map<RemotePartyRole, Eui64> parties_;
};

}  // namespace

Result<RtdsReport> compare_devices(const fs::path& vectors, const std::string& use_case) {
  TRY_ASSIGN(const RtdsDataSet data, RtdsDataSet::open(vectors));
  Judge judge(data);
  RtdsReport report;
  for (const auto& [name, path] : data.requests) {
    if (!data.commands.contains(name)) continue;
    if (!use_case.empty() && use_case_of(name) != use_case) continue;
    Verdict verdict = judge.judge(name, path);
    report.rows.push_back(
        {name, use_case_of(name), "device", std::move(verdict.result), std::move(verdict.detail)});
  }
  if (!report.rows.empty()) return report;
  return Refusal{"apps-use-case"_rule, "'" + use_case + "' has no request", "--use-case"};
}

}  // namespace wattseal::apps
