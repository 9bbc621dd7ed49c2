// The field's nouns and the tables compiled from data/. No verbs, no I/O. Every table row has a
// source and a date from which it is in force; look-ups that miss return null, never a guess.
#pragma once
#include <span>

#include "base/result.h"
#include "base/time.h"
#include "base/types.h"

namespace wattseal {

// Remote party roles: the OU of an Organisation Certificate as two hex digits. Source:
// spec/smki.md 1.9.
enum class RemotePartyRole : Octet {
  root = 0,
  recovery = 1,
  supplier = 2,
  network_operator = 3,
  access_control_broker = 4,
  transitional_cos = 5,
  wan_provider = 6,
  issuing_authority = 7,
  load_controller = 8,
  other = 127,
  xml_sign = 135,
  dsp_xml_sign = 137,
};
std::optional<RemotePartyRole> remote_party_role(unsigned code);
std::optional<RemotePartyRole> remote_party_role_from_ou(
    std::string_view two_upper_hex_digits);  // strict: "02", never "2" or "137"
std::string ou_text(RemotePartyRole role);
std::string_view name(RemotePartyRole role);  // "supplier", …

enum class KeyUse : Octet { digital_signature = 1, key_agreement = 2 };
std::string_view text(KeyUse use);  // "DS", "KA"

enum class Environment { test, live };

// User Roles. Source: spec/smki.md 11; codes as in data/service_requests.tsv.
enum class UserRole : Octet {
  import_supplier,
  gas_supplier,
  export_supplier,
  electricity_distributor,
  gas_transporter,
  registered_supplier_agent,
  other_user
};
std::string_view code(UserRole role);  // "IS", "GS", …
std::optional<UserRole> user_role(std::string_view code);

enum class DeviceType : Octet {
  gsme = 0,
  esme = 1,
  chf = 2,
  gpf = 3,
  hcalcs = 4,
  ppmid = 5,
  ihd = 6,
  cad = 7,
  sapc = 8
};
std::string_view text(DeviceType type);  // "ESME", …
std::optional<DeviceType> device_type(std::string_view text);
int gbcs_type_code(DeviceType type);  // 0..5 as above, 6 for every type 2 device

enum class DeviceStatus : Octet {
  pending,
  whitelisted,
  installed_not_commissioned,
  commissioned,
  decommissioned,
  withdrawn,
  suspended,
  recovery,
  recovered
};
std::string_view text(DeviceStatus status);  // schema spelling: "InstalledNotCommissioned"
std::optional<DeviceStatus> device_status(std::string_view text);

// data/device_states.tsv. `from` is absent for the first event. What is not in the table does not
// happen.
struct DeviceTransition {
  std::optional<DeviceStatus> from;
  std::string_view event;
  bool hubs, other_devices;        // whom the row is for
  std::optional<DeviceStatus> to;  // absent: back to the status before suspension
};
const DeviceTransition* find_transition(std::optional<DeviceStatus> from, std::string_view event,
                                        bool hub);

// data/service_requests.tsv: the 129 service reference variants.
struct ServiceRequestRow {
  std::string_view variant, reference, name, element, response_element;
  bool critical, on_demand, dcc_scheduled, non_device;
  std::string_view future_dated;      // "No", "Device", "DSP", "DSP & Device"
  std::string_view command_variants;  // "1/2/3"
  std::string_view eligible_roles;    // "IS/GS"
  bool allows_variant(int command_variant) const;
  bool allows_role(UserRole role) const;
};
std::span<const ServiceRequestRow> service_requests();
const ServiceRequestRow* find_service_request(std::string_view variant);

// data/use_cases.tsv
struct UseCaseRow {
  std::string_view use_case, variant, title, element, device_types, payload, protection_class,
      roles;
  std::uint16_t message_code;
  bool future_dated, replay_protected, response_has_time;
  bool response_signed;  // SIG, else MAC
};
std::span<const UseCaseRow> use_cases();
const UseCaseRow* find_use_case(std::string_view use_case);
const UseCaseRow* find_use_case(std::uint16_t message_code, std::optional<DeviceType> device);

// data/rules/*.tsv
struct RuleRow {
  std::string_view id, response_code;
  int http_status;
  std::string_view explanation, fix, source, in_force_from;
};
std::span<const RuleRow> rules();
// The row of a rule; a literal without a row is our bug (tools/tidy finds it first), answered by
// the row "internal".
const RuleRow& rule_row(RuleId rule);
const RuleRow* find_rule(std::string_view id);

// One line for people: explanation, what was found, where, how to mend it.
std::string explain(const Refusal& refusal);

// data/response_codes.tsv
struct ResponseCodeRow {
  std::string_view code, severity, meaning, action, source;
};
std::span<const ResponseCodeRow> response_codes();
const ResponseCodeRow* find_response_code(std::string_view code);

// data/dcc_alerts.tsv: alerts that the DCC raises itself. `type` is the element inside DCCAlert.
struct DccAlertRow {
  std::string_view code, type, severity, meaning, action, source;
};
std::span<const DccAlertRow> dcc_alerts();
const DccAlertRow* find_dcc_alert(std::string_view code);

// data/alert_codes.tsv: alerts and events of devices.
struct AlertCodeRow {
  std::string_view code, title, severity, action, source;
};
std::span<const AlertCodeRow> alert_codes();
const AlertCodeRow* find_alert_code(std::string_view code);

// data/certificate_profiles.tsv: one row a kind of certificate and environment-dependent names.
struct CertificateProfile {
  std::string_view id;         // "organisation-ds"
  std::string_view hierarchy;  // "organisation" or "device"
  std::string_view issuer;     // id of the issuing profile; its own for roots
  std::string_view names;  // subject RDN pattern: "OU=00,CN", "CN,OU,UID", "" (empty subject), "CN"
  std::string_view common_name_test, common_name_live;
  int lifetime_years;           // 0: no well-defined expiry
  unsigned usage;               // x509::key_usage bits
  std::string_view extensions;  // in order: "usage,ski,policy,aki"
  int path_length;              // -1: not a CA
  std::string_view policy_test, policy_live;
  bool is_ca() const { return path_length >= 0; }
};
std::span<const CertificateProfile> certificate_profiles();
const CertificateProfile* find_certificate_profile(std::string_view id);

// data/certificate_eligibility.tsv: which kind of party may subscribe for which certificate.
struct EligibilityRow {
  std::string_view id;                 // named by refusals
  std::string_view party_kind;         // "supplier", "network-operator", "dcc", "agent", …
  std::string_view profile;            // profile id
  std::string_view remote_party_role;  // two hex digits, or "-" for devices
};
std::span<const EligibilityRow> certificate_eligibility();

// data/limits.tsv: every bound that is a matter of policy or of protection.
std::uint64_t limit(std::string_view name);  // CHECKs that the row exists

}  // namespace wattseal
