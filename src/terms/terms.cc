#include "terms/terms.h"

#include <algorithm>
#include <array>

#include "terms/broker.h"

namespace wattseal {
namespace {

// Rows hold text; numbers are read once, at compile time, and a cell that is no number fails the
// build.
constexpr std::uint64_t cell_number(std::string_view cell, unsigned base = 10) {
  std::uint64_t value = 0;
  if (cell.empty()) throw "empty number in a table";
  for (const char c : cell) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
    if (digit >= static_cast<int>(base)) throw "a table cell is not a number";
    value = value * base + static_cast<unsigned>(digit);
  }
  return value;
}

constexpr bool yes(std::string_view cell) {
  if (cell != "Yes" && cell != "No" && cell != "yes" && cell != "no" && cell != "-" &&
      cell != "N/A")
    throw "a yes/no cell is neither";
  return cell == "Yes" || cell == "yes";
}

// Whether `item` is one of the slash-separated parts of `list`.
constexpr bool listed(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t slash = list.find('/');
    if (list.substr(0, slash) == item) return true;
    list = slash == std::string_view::npos ? std::string_view{} : list.substr(slash + 1);
  }
  return false;
}

struct RoleName {
  RemotePartyRole role;
  std::string_view name;
};
constexpr RoleName kRoleNames[] = {
    {RemotePartyRole::root, "root"},
    {RemotePartyRole::recovery, "recovery"},
    {RemotePartyRole::supplier, "supplier"},
    {RemotePartyRole::network_operator, "networkOperator"},
    {RemotePartyRole::access_control_broker, "accessControlBroker"},
    {RemotePartyRole::transitional_cos, "transitionalCoS"},
    {RemotePartyRole::wan_provider, "wanProvider"},
    {RemotePartyRole::issuing_authority, "issuingAuthority"},
    {RemotePartyRole::load_controller, "loadController"},
    {RemotePartyRole::other, "other"},
    {RemotePartyRole::xml_sign, "xmlSign"},
    {RemotePartyRole::dsp_xml_sign, "dSPXmlSign"},
};

constexpr std::string_view kUserRoleCodes[] = {"IS", "GS", "ES", "ED", "GT", "RSA", "OU"};
constexpr std::string_view kDeviceTypes[] = {"GSME",  "ESME", "CHF", "GPF", "HCALCS",
                                             "PPMID", "IHD",  "CAD", "SAPC"};
constexpr std::string_view kDeviceStatuses[] = {
    "Pending",      "Whitelisted",    "InstalledNotCommissioned",
    "Commissioned", "Decommissioned", "Withdrawn",
    "Suspended",    "Recovery",       "Recovered"};

template <typename Enum, std::size_t N>
constexpr std::optional<Enum> by_name(const std::string_view (&names)[N], std::string_view text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

struct RawTransition {
  std::string_view from, event, device, to, source, in_force_from;
  constexpr DeviceTransition row() const {
    const auto status = [](std::string_view cell) {
      const std::optional<DeviceStatus> found = by_name<DeviceStatus>(kDeviceStatuses, cell);
      if (!found && cell != "none" && cell != "before")
        throw "device_states.tsv names an unknown status";
      return found;
    };
    return {status(from), event, device == "hub" || device == "any",
            device == "other" || device == "any", status(to)};
  }
};
constexpr RawTransition kRawTransitions[] = {
#include "tables/device_states.inc"
};
template <typename Row, typename Raw, std::size_t N>
constexpr std::array<Row, N> compile(const Raw (&raw)[N]) {
  std::array<Row, N> rows{};
  for (std::size_t i = 0; i < N; ++i) rows[i] = raw[i].row();
  return rows;
}
constexpr std::array kTransitions = compile<DeviceTransition>(kRawTransitions);

struct RawServiceRequest {
  std::string_view variant, reference, name, element, response_element, critical, command_variants,
      on_demand, future_dated, dcc_scheduled, non_device, eligible_roles, source, in_force_from;
  constexpr ServiceRequestRow row() const {
    return {variant,        reference,          name,
            element,        response_element,   yes(critical),
            yes(on_demand), yes(dcc_scheduled), yes(non_device),
            future_dated,   command_variants,   eligible_roles};
  }
};
constexpr RawServiceRequest kRawServiceRequests[] = {
#include "tables/service_requests.inc"
};
constexpr std::array kServiceRequests = compile<ServiceRequestRow>(kRawServiceRequests);
static_assert(kServiceRequests.size() == 129, "DUIS has 129 service reference variants");

struct RawUseCase {
  std::string_view use_case, variant, code, title, element, device_types, payload, protection_class,
      roles, unknown_party, future_dated, replay_protection, response_forms, response_time, source,
      in_force_from;
  constexpr UseCaseRow row() const {
    return {use_case,
            variant,
            title,
            element,
            device_types,
            payload,
            protection_class,
            roles,
            static_cast<std::uint16_t>(cell_number(code, 16)),
            yes(future_dated),
            yes(replay_protection),
            yes(response_time),
            response_forms == "SIG"};
  }
};
constexpr RawUseCase kRawUseCases[] = {
#include "tables/use_cases.inc"
};
constexpr std::array kUseCases = compile<UseCaseRow>(kRawUseCases);

struct RawRule {
  std::string_view id, response_code, http_status, explanation, fix, source, in_force_from;
  constexpr RuleRow row() const {
    return {id,     response_code, static_cast<int>(cell_number(http_status)), explanation, fix,
            source, in_force_from};
  }
};
constexpr RawRule kRawRules[] = {
#include "tables/rules.inc"
};
constexpr std::array kRules = compile<RuleRow>(kRawRules);
static_assert(std::ranges::is_sorted(kRules, {}, &RuleRow::id), "tablegen sorts the rules by id");

struct RawResponseCode {
  std::string_view code, severity, meaning, action, source, in_force_from;
  constexpr ResponseCodeRow row() const { return {code, severity, meaning, action, source}; }
};
constexpr RawResponseCode kRawResponseCodes[] = {
#include "tables/response_codes.inc"
};
constexpr std::array kResponseCodes = compile<ResponseCodeRow>(kRawResponseCodes);

struct RawDccAlert {
  std::string_view code, type, severity, meaning, action, source, in_force_from;
  constexpr DccAlertRow row() const { return {code, type, severity, meaning, action, source}; }
};
constexpr RawDccAlert kRawDccAlerts[] = {
#include "tables/dcc_alerts.inc"
};
constexpr std::array kDccAlerts = compile<DccAlertRow>(kRawDccAlerts);

struct RawAlertCode {
  std::string_view code, title, severity, action, source, in_force_from;
  constexpr AlertCodeRow row() const { return {code, title, severity, action, source}; }
};
constexpr RawAlertCode kRawAlertCodes[] = {
#include "tables/alert_codes.inc"
};
constexpr std::array kAlertCodes = compile<AlertCodeRow>(kRawAlertCodes);

struct RawProfile {
  std::string_view id, hierarchy, issuer, names, cn_test, cn_live, lifetime_years, usage,
      extensions, path_length, policy_test, policy_live, source, in_force_from;
  constexpr CertificateProfile row() const {
    unsigned bits = 0;
    if (listed(usage, "digitalSignature")) bits |= 1u << 0;
    if (listed(usage, "keyAgreement")) bits |= 1u << 4;
    if (listed(usage, "keyCertSign")) bits |= 1u << 5;
    if (listed(usage, "cRLSign")) bits |= 1u << 6;
    if (bits == 0) throw "certificate_profiles.tsv: unknown key usage";
    return {id,
            hierarchy,
            issuer,
            names == "-" ? "" : names,
            cn_test,
            cn_live,
            static_cast<int>(cell_number(lifetime_years)),
            bits,
            extensions,
            path_length == "-" ? -1 : static_cast<int>(cell_number(path_length)),
            policy_test,
            policy_live};
  }
};
constexpr RawProfile kRawProfiles[] = {
#include "tables/certificate_profiles.inc"
};
constexpr std::array kProfiles = compile<CertificateProfile>(kRawProfiles);

struct RawEligibility {
  std::string_view id, party_kind, profile, role, source, in_force_from;
  constexpr EligibilityRow row() const { return {id, party_kind, profile, role}; }
};
constexpr RawEligibility kRawEligibility[] = {
#include "tables/certificate_eligibility.inc"
};
constexpr std::array kEligibility = compile<EligibilityRow>(kRawEligibility);

struct LimitRow {
  std::string_view name, value, unit, meaning, source, in_force_from;
};
constexpr LimitRow kLimits[] = {
#include "tables/limits.inc"
};

}  // namespace

std::optional<RemotePartyRole> remote_party_role(unsigned code) {
  for (const RoleName& row : kRoleNames) {
    if (static_cast<unsigned>(row.role) == code) return row.role;
  }
  return std::nullopt;
}

std::optional<RemotePartyRole> remote_party_role_from_ou(std::string_view text) {
  if (text.size() != 2) return std::nullopt;
  unsigned code = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9', letter = c >= 'A' && c <= 'F';
    if (!digit && !letter) return std::nullopt;
    code = code << 4 | static_cast<unsigned>(digit ? c - '0' : c - 'A' + 10);
  }
  return remote_party_role(code);
}

std::string ou_text(RemotePartyRole role) {
  const Octet code[1] = {static_cast<Octet>(role)};
  return to_hex_upper(code);
}

std::string_view name(RemotePartyRole role) {
  for (const RoleName& row : kRoleNames) {
    if (row.role == role) return row.name;
  }
  UNREACHABLE();
}

std::string_view text(KeyUse use) { return use == KeyUse::digital_signature ? "DS" : "KA"; }

std::string_view code(UserRole role) { return kUserRoleCodes[static_cast<std::size_t>(role)]; }
std::optional<UserRole> user_role(std::string_view code) {
  return by_name<UserRole>(kUserRoleCodes, code);
}
std::string_view text(DeviceType type) { return kDeviceTypes[static_cast<std::size_t>(type)]; }
std::optional<DeviceType> device_type(std::string_view text) {
  return by_name<DeviceType>(kDeviceTypes, text);
}
int gbcs_type_code(DeviceType type) { return std::min(static_cast<int>(type), 6); }
std::string_view text(DeviceStatus status) {
  return kDeviceStatuses[static_cast<std::size_t>(status)];
}
std::optional<DeviceStatus> device_status(std::string_view text) {
  return by_name<DeviceStatus>(kDeviceStatuses, text);
}

const DeviceTransition* find_transition(std::optional<DeviceStatus> from, std::string_view event,
                                        bool hub) {
  for (const DeviceTransition& row : kTransitions) {
    if (row.from == from && row.event == event && (hub ? row.hubs : row.other_devices)) return &row;
  }
  return nullptr;
}

bool ServiceRequestRow::allows_variant(int command_variant) const {
  return listed(command_variants, std::to_string(command_variant));
}
bool ServiceRequestRow::allows_role(UserRole role) const {
  return listed(eligible_roles, code(role));
}
std::span<const ServiceRequestRow> service_requests() { return kServiceRequests; }
const ServiceRequestRow* find_service_request(std::string_view variant) {
  const auto* const found =
      std::ranges::find(kServiceRequests, variant, &ServiceRequestRow::variant);
  return found == kServiceRequests.end() ? nullptr : found;
}

std::span<const UseCaseRow> use_cases() { return kUseCases; }
const UseCaseRow* find_use_case(std::string_view use_case) {
  const auto* const found = std::ranges::find(kUseCases, use_case, &UseCaseRow::use_case);
  return found == kUseCases.end() ? nullptr : found;
}
Brokerage brokerage(std::string_view use_case) {
  const auto* const found = std::ranges::find(kRawUseCases, use_case, &RawUseCase::use_case);
  if (found == std::end(kRawUseCases)) return {};
  const bool unknown = yes(found->unknown_party);
  return {unknown || found->roles == "Access Control Broker", unknown};
}
const UseCaseRow* find_use_case(std::uint16_t message_code, std::optional<DeviceType> device) {
  const UseCaseRow* any = nullptr;
  for (const UseCaseRow& row : kUseCases) {
    if (row.message_code != message_code) continue;
    if (device && listed(row.device_types, text(*device))) return &row;
    if (any == nullptr) any = &row;
  }
  return any;
}

std::span<const RuleRow> rules() { return kRules; }
const RuleRow* find_rule(std::string_view id) {
  const auto* const found = std::ranges::lower_bound(kRules, id, {}, &RuleRow::id);
  return found != kRules.end() && found->id == id ? found : nullptr;
}
const RuleRow& rule_row(RuleId rule) {
  if (const RuleRow* row = find_rule(rule.text())) return *row;
  const RuleRow* internal = find_rule("internal");
  CHECK(internal != nullptr);
  return *internal;
}

std::string explain(const Refusal& refusal) {
  const RuleRow& row = rule_row(refusal.rule);
  std::string line = std::string(refusal.rule.text()) + ": " + std::string(row.explanation);
  if (!refusal.detail.empty()) line += " Found: " + refusal.detail + ".";
  if (!refusal.field.empty()) line += " At: " + refusal.field + ".";
  return line + " " + std::string(row.fix);
}

std::span<const ResponseCodeRow> response_codes() { return kResponseCodes; }
std::span<const DccAlertRow> dcc_alerts() { return kDccAlerts; }
const DccAlertRow* find_dcc_alert(std::string_view code) {
  const auto* const found = std::ranges::find(kDccAlerts, code, &DccAlertRow::code);
  return found == kDccAlerts.end() ? nullptr : found;
}
std::span<const AlertCodeRow> alert_codes() { return kAlertCodes; }
const AlertCodeRow* find_alert_code(std::string_view code) {
  const auto* const found = std::ranges::find(kAlertCodes, code, &AlertCodeRow::code);
  return found == kAlertCodes.end() ? nullptr : found;
}
const ResponseCodeRow* find_response_code(std::string_view code) {
  const auto* const found = std::ranges::find(kResponseCodes, code, &ResponseCodeRow::code);
  return found == kResponseCodes.end() ? nullptr : found;
}

std::span<const CertificateProfile> certificate_profiles() { return kProfiles; }
const CertificateProfile* find_certificate_profile(std::string_view id) {
  const auto* const found = std::ranges::find(kProfiles, id, &CertificateProfile::id);
  return found == kProfiles.end() ? nullptr : found;
}
std::span<const EligibilityRow> certificate_eligibility() { return kEligibility; }

std::uint64_t limit(std::string_view name) {
  for (const LimitRow& row : kLimits) {
    if (row.name == name) return cell_number(row.value);
  }
  CHECK(!"data/limits.tsv has no such row");
  return 0;
}

}  // namespace wattseal
