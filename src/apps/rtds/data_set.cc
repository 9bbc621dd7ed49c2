#include "apps/rtds/data_set.h"

#include "apps/commands.h"
#include "x509/x509.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char *kContext = "context.json", *kMessages = "rtds-4.5.0",
                     *kRequests = "duis-templates-db1dd08",
                     *kNewerRequests = "duis-templates-932e18d";

Refusal vectors_refused(std::string detail, std::string field = {}) {
  return {"apps-vectors"_rule, std::move(detail), std::move(field)};
}

std::optional<std::string> text_of(const json& object, std::string_view key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

// "90b3d51f30000002"
Result<Eui64> identity(const std::optional<std::string>& digits, std::string field) {
  const std::optional<Bytes> octets = digits ? from_hex(*digits) : std::nullopt;
  if (!octets || octets->size() != sizeof(std::uint64_t))
    return vectors_refused("there is no identity of 16 hexadecimal digits", std::move(field));
  return Eui64::from_number(get_be(*octets));
}

bool take_suffix(std::string& name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return false;
  name.resize(name.size() - suffix.size());
  return true;
}

// The element at a path such as "ReadLogPeriod/StartDateTime".
xml::Element* at_path(xml::Element& from, std::string_view path) {
  const std::size_t slash = path.find('/');
  const std::string_view name = path.substr(0, slash);
  const auto child = std::ranges::find(from.children, name, &xml::Element::name);
  if (child == from.children.end()) return nullptr;
  return slash == std::string_view::npos ? &*child : at_path(*child, path.substr(slash + 1));
}

struct ExceptionRow {
  std::string_view request, path, in_message, source, in_force_from;
};
constexpr ExceptionRow kExceptions[] = {
#include "tables/reference_exceptions.inc"
};

// Makes the element at a path say what the message has: takes it away, changes it or adds it.
bool make_say(xml::Element& body, std::string_view path, std::string_view in_message) {
  const std::size_t slash = path.rfind('/');
  const std::string_view name = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
  xml::Element* const parent =
      slash == std::string_view::npos ? &body : at_path(body, path.substr(0, slash));
  if (parent == nullptr) return false;
  const auto child = std::ranges::find(parent->children, name, &xml::Element::name);
  const bool is_there = child != parent->children.end();
  if (in_message == "-") {
    if (is_there) parent->children.erase(child);
    return is_there;
  }
  if (is_there) {
    child->text = in_message;
  } else {
    parent->children.push_back({parent->ns, std::string(name), {}, std::string(in_message), {}});
  }
  return true;
}

std::optional<Correction> corrected_by_rows(const std::string& name,
                                            const duis::ServiceRequest& request) {
  Correction correction{request, ""};
  for (const ExceptionRow& row : kExceptions) {
    if (row.request != name) continue;
    if (!make_say(correction.request.body, row.path, row.in_message)) return std::nullopt;
    correction.reason += correction.reason.empty() ? "the request contradicts the message: " : "; ";
    correction.reason += std::string(row.path) + ": the message has " +
                         (row.in_message == "-" ? "nothing" : std::string(row.in_message));
  }
  return correction.reason.empty() ? std::nullopt : std::optional(std::move(correction));
}

}  // namespace

Result<RtdsDataSet> RtdsDataSet::open(const fs::path& vectors) {
  RtdsDataSet data;
  data.folder = fs::exists(vectors / kContext) ? vectors : vectors / "rtds";
  if (!fs::exists(data.folder / kContext)) {
    return vectors_refused("neither " + (vectors / kContext).string() + " nor " +
                               (data.folder / kContext).string() + " exists",
                           "--vectors");
  }
  for (const char* part : {kMessages, kRequests}) {
    if (!fs::is_directory(data.folder / part))
      return vectors_refused((data.folder / part).string() + " is no folder", "--vectors");
  }
  data.context_ = json::parse(read_input((data.folder / kContext).string()), nullptr, false);
  if (!data.context_.is_object()) return vectors_refused("it is no JSON object", kContext);
  TRY(data.list(data.folder / kMessages));
  data.list_requests(data.folder / kRequests);
  data.list_requests(data.folder / kNewerRequests);
  return data;
}

Status RtdsDataSet::list(const fs::path& from) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from)) {
    if (entry.path().extension() != ".HEX") continue;
    std::string name = entry.path().stem().string();
    if (!messages.emplace(name, entry.path()).second)
      return vectors_refused("two messages have the name " + name, from.string());
    if (take_suffix(name, "_PRECOMMAND_GBCS")) {
      pre_commands.emplace(name, entry.path());
    } else if (take_suffix(name, "_COMMAND_GBCS")) {
      commands.emplace(name, entry.path());
    }
  }
  return {};
}

// The first generation wins: its certificates are the ones of the messages.
void RtdsDataSet::list_requests(const fs::path& from) {
  if (!fs::is_directory(from)) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    std::string name = entry.path().filename().string();
    if (take_suffix(name, "_REQUEST_DUIS.XML")) requests.emplace(name, entry.path());
  }
}

const json& RtdsDataSet::noted(const std::string& name) const {
  static const json none = json::object();
  const auto found = context_.find(name);
  return found == context_.end() || !found->is_object() ? none : *found;
}

Result<DeviceType> RtdsDataSet::type(Eui64 device) const {
  const json& defaults = noted("_defaults");
  const auto devices = defaults.find("devices");
  const std::optional<std::string> name =
      devices == defaults.end() ? std::nullopt : text_of(*devices, device.hex());
  const std::optional<DeviceType> type = name ? device_type(*name) : std::nullopt;
  if (type) return *type;
  return Refusal{"gbcs-fact-missing"_rule, "the data set does not know " + device.text()};
}

Result<Eui64> RtdsDataSet::broker() const {
  return identity(text_of(noted("_defaults"), "acb"), "context.json/_defaults/acb");
}

Result<UtcTime> RtdsDataSet::now(const std::string& name) const {
  std::optional<std::string> text = text_of(noted(name), "now");
  if (!text) text = text_of(noted("_defaults"), "now");
  const std::optional<UtcTime> time = text ? UtcTime::parse_iso(*text) : std::nullopt;
  if (!time) return vectors_refused("there is no time", "context.json/_defaults/now");
  return *time;
}

Result<gateway::Originator> RtdsDataSet::originator(const std::string& name,
                                                    const duis::RequestId& id) const {
  const json& own = noted(name);
  const std::optional<std::string> given = text_of(own, "gbcs_originator");
  if (!given) return gateway::Originator{id.originator, id.counter, std::nullopt, {}};
  const auto counter = own.find("gbcs_counter");
  if (counter == own.end() || !counter->is_number_unsigned())
    return vectors_refused("the originator has no counter", "context.json/" + name);
  TRY_ASSIGN(const Eui64 party, identity(given, "context.json/" + name));
  gateway::Originator made{
      party, OriginatorCounter(counter->get<std::uint64_t>()), std::nullopt, {}};
  if (own.contains("unknown_remote_party") && own["unknown_remote_party"] == true) {
    made.on_behalf_of = id.originator;
    made.on_behalf_counter = id.counter;
  }
  return made;
}

// By the data set's own notes, else by our rows.
std::optional<Correction> RtdsDataSet::corrected(const std::string& name,
                                                 const duis::ServiceRequest& request) const {
  const json& own = noted(name);
  const auto values = own.find("xml_contradicts_hex");
  if (values == own.end() || !values->is_object()) return corrected_by_rows(name, request);
  Correction correction{request, "the request contradicts the message, by the data set's notes:"};
  for (const auto& [path, value] : values->items()) {
    xml::Element* const element = at_path(correction.request.body, path);
    if (!element || !value.is_string()) return std::nullopt;
    correction.reason += " " + path + " is " + std::string(element->trimmed()) +
                         ", the message has " + value.get<std::string>() + ";";
    element->text = value.get<std::string>();
  }
  correction.reason.pop_back();
  return correction;
}

Result<int> RtdsFacts::device_type_code(Eui64 device) const {
  const auto noted = noted_.find("other_device_type");
  if (noted != noted_.end() && noted->is_number_integer()) return noted->get<int>();
  TRY_ASSIGN(const DeviceType type, data_.type(device));
  return gbcs_type_code(type);
}

Result<Bytes> RtdsFacts::key_agreement_certificate(Eui64 device) const {
  const std::optional<std::string> noted = text_of(noted_, "other_device_ka_certificate");
  std::optional<Bytes> der = noted ? from_base64(*noted) : std::nullopt;
  if (der) return std::move(*der);
  return Refusal{"gbcs-fact-missing"_rule, "no certificate of " + device.text()};
}

// What the notes do not say of a device is: a newer one, single.
Result<std::string> RtdsFacts::named(std::string_view name) const {
  if (name == "generation") return text_of(noted_, "device_generation").value_or("newer");
  if (name == "variant") return text_of(noted_, "esme_variant").value_or("single");
  if (name == "twin" || name == "polyphase")
    return std::string(text_of(noted_, "esme_variant") == name ? "true" : "false");
  if (const auto log = noted_.find("chf_log");
      name == "chf-network" && log != noted_.end() && log->is_object()) {
    if (const std::optional<std::string> network = text_of(*log, "head")) return *network;
  }
  if (const std::optional<std::string> value = text_of(noted_, name)) return *value;
  return Refusal{"gbcs-fact-missing"_rule, std::string(name)};
}

Result<RemotePartyRole> RtdsFacts::role_of(Eui64 party) const {
  const fs::path file = data_.folder / "keystore" / (party.hex() + "-ds.pem");
  if (!fs::exists(file))
    return Refusal{"gbcs-fact-missing"_rule, "no certificate of " + party.text()};
  TRY_ASSIGN(const x509::Certificate certificate,
             x509::parse_certificate_pem(read_input(file.string())));
  const auto unit = std::ranges::find(certificate.subject, x509::oid::organizational_unit,
                                      &x509::NameAttribute::oid);
  const std::optional<RemotePartyRole> role = unit == certificate.subject.end()
                                                  ? std::nullopt
                                                  : remote_party_role_from_ou(as_text(unit->value));
  if (role) return *role;
  return Refusal{"gbcs-fact-missing"_rule, "no role in the certificate of " + party.text()};
}

// A log to restore: rows of devices and what the log keeps of each.
Result<gbcs::Facts::Rows> RtdsFacts::rows(std::string_view name) const {
  if (name != "chf-log" && name != "gpf-log") return Facts::rows(name);
  const auto log = noted_.find(name == "chf-log" ? "chf_log" : "gpf_log");
  if (log == noted_.end()) return Facts::rows(name);
  Rows rows;
  for (const json& entry : log->is_object() ? log->value("entries", json::array()) : *log) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const json& cell : entry)
      row.push_back(cell.is_string() ? cell.get<std::string>() : cell.dump());
  }
  return rows;
}

std::optional<crypto::PublicPoint> RtdsKeys::point(Eui64 owner, const std::string& use) {
  const auto [known, is_new] = points_.try_emplace({owner, use});
  if (!is_new) return known->second;
  const fs::path file = folder_ / (owner.hex() + "-" + use + ".pem");
  if (!fs::exists(file)) return std::nullopt;
  const Result<x509::Certificate> certificate =
      x509::parse_certificate_pem(read_input(file.string()));
  if (certificate.ok()) known->second = certificate->key;
  return known->second;
}

std::optional<crypto::SharedSecret> RtdsKeys::secret(Eui64 one, Eui64 other) {
  const auto [known, is_new] = secrets_.try_emplace({one, other});
  if (!is_new) return known->second;
  for (const auto& [mine, theirs] : {std::pair(one, other), std::pair(other, one)}) {
    const fs::path file = folder_ / (mine.hex() + "-ka.key");
    const std::optional<crypto::PublicPoint> their_point = point(theirs, "ka");
    if (!their_point || !fs::exists(file)) continue;
    const Result<crypto::KeyHandle> key = crypto::key_from_test_pem(read_input(file.string()));
    if (!key.ok()) continue;
    known->second = (*key)->agree(*their_point);
    break;
  }
  return known->second;
}

}  // namespace wattseal::apps
