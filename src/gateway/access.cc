#include "gateway/access.h"

#include <algorithm>

namespace wattseal::gateway {
namespace {

// Which user roles can hold a relation to a device of this type. A hub serves both fuels.
bool fuel_fits(UserRole role, DeviceType type) {
  const bool gas = type == DeviceType::gsme || type == DeviceType::gpf;
  const bool electricity =
      type == DeviceType::esme || type == DeviceType::hcalcs || type == DeviceType::sapc;
  switch (role) {
    case UserRole::import_supplier:
    case UserRole::export_supplier:
    case UserRole::electricity_distributor: return !gas;
    case UserRole::gas_supplier:
    case UserRole::gas_transporter: return !electricity;
    case UserRole::registered_supplier_agent:
    case UserRole::other_user: return true;
  }
  return false;
}

// Whether registration gives this entity this role at the meter point. Source: glossary "Eligible
// User"; ¶95.
bool registered(UserRole role, Eui64 entity, const MeterPoint& point, UtcTime now) {
  if (now < point.effective_from) return false;
  switch (role) {
    case UserRole::import_supplier:
    case UserRole::gas_supplier: return point.supplier == entity;
    case UserRole::export_supplier: return point.export_supplier == entity;
    case UserRole::electricity_distributor:
    case UserRole::gas_transporter: return point.network_operator == entity;
    case UserRole::registered_supplier_agent: return point.agent == entity;
    case UserRole::other_user: return true;
  }
  return false;
}

bool may_sign_requests(const smki::PublishedCertificate& signer) {
  if (!signer.role || signer.use != KeyUse::digital_signature) return false;
  switch (*signer.role) {
    case RemotePartyRole::xml_sign:
    case RemotePartyRole::supplier:
    case RemotePartyRole::network_operator:
    case RemotePartyRole::other: return true;
    default: return false;
  }
}

Status check_signer(const AccessQuestion& q) {
  if (q.signer->status == smki::CertificateStatus::revoked) {
    return Refusal{"access-signer-revoked"_rule,
                   "certificate " + q.signer->serial.hex() + " is revoked",
                   "/Request/Signature/KeyInfo"};
  }
  if (q.signer->status != smki::CertificateStatus::in_use) {
    return Refusal{"access-signer-not-in-use"_rule,
                   "certificate " + q.signer->serial.hex() + " is not in use",
                   "/Request/Signature/KeyInfo"};
  }
  if (!may_sign_requests(*q.signer)) {
    return Refusal{"access-signer-role"_rule, "the certificate's role or key usage is another",
                   "/Request/Signature/KeyInfo"};
  }
  if (q.signer->eui != q.request.id.originator) {
    return Refusal{"access-originator"_rule,
                   "the signer is " + q.signer->eui.value_or(Eui64{}).text(),
                   "/Request/Header/RequestID"};
  }
  return {};
}

ServiceUrl url_of(int command_variant) {
  switch (command_variant) {
    case 4: return ServiceUrl::transform;
    case 1:
    case 3:
    case 5:
    case 7: return ServiceUrl::send_command;
    default: return ServiceUrl::non_device;
  }
}

bool status_permits(const ServiceRequestRow& row, DeviceStatus status) {
  if (status == DeviceStatus::commissioned || status == DeviceStatus::recovered) return true;
  // Installing a device needs commands before it is commissioned: joining, commissioning,
  // credentials.
  const bool enrolment = row.reference == "8.1" || row.reference == "8.7" ||
                         row.reference == "6.15" || row.reference == "6.17" ||
                         row.reference == "6.24";
  return enrolment && (status == DeviceStatus::whitelisted ||
                       status == DeviceStatus::installed_not_commissioned);
}

}  // namespace

bool known_to_devices(UserRole role) {
  switch (role) {
    case UserRole::import_supplier:
    case UserRole::gas_supplier:
    case UserRole::electricity_distributor:
    case UserRole::gas_transporter: return true;
    case UserRole::export_supplier:
    case UserRole::registered_supplier_agent:
    case UserRole::other_user: return false;
  }
  return false;
}

Result<UserRole> decide(const AccessQuestion& q) {
  if (q.signer != nullptr) TRY(check_signer(q));
  if (q.party == nullptr || q.party->user_roles.empty()) {
    return Refusal{"access-unknown-user"_rule, q.request.id.originator.text() + " has no user role",
                   "/Request/Header/RequestID"};
  }
  const ServiceRequestRow* row = find_service_request(q.request.service_variant);
  CHECK(row != nullptr);  // duis::read_request refuses unknown variants
  std::vector<UserRole> eligible;
  for (const UserRole role : q.party->user_roles) {
    if (row->allows_role(role)) eligible.push_back(role);
  }
  std::ranges::stable_partition(eligible, known_to_devices);
  if (eligible.empty()) {
    return Refusal{"access-role"_rule,
                   std::string(row->variant) + " is for " + std::string(row->eligible_roles),
                   "/Request/Header/ServiceReferenceVariant"};
  }
  if (!row->allows_variant(q.request.command_variant)) {
    return Refusal{"access-command-variant"_rule,
                   std::string(row->variant) + " takes " + std::string(row->command_variants),
                   "/Request/Header/CommandVariant"};
  }
  if (url_of(q.request.command_variant) != q.url) {
    return Refusal{
        "access-service-url"_rule,
        "command variant " + std::to_string(q.request.command_variant) + " came to another service",
        "/Request/Header/CommandVariant"};
  }
  if (row->non_device) return eligible.front();
  if (q.device == nullptr)
    return Refusal{"access-unknown-device"_rule, q.request.id.target.text(),
                   "/Request/Header/RequestID"};
  if (!status_permits(*row, q.device->status)) {
    return Refusal{"access-device-status"_rule,
                   "the device is " + std::string(text(q.device->status)),
                   "/Request/Header/RequestID"};
  }
  for (const UserRole role : eligible) {
    const bool related = role == UserRole::other_user ||
                         (q.meter_point != nullptr &&
                          registered(role, q.request.id.originator, *q.meter_point, q.now));
    if (related && fuel_fits(role, q.device->type)) return role;
  }
  return Refusal{"access-not-registered"_rule,
                 q.request.id.originator.text() + " holds no eligible role at the meter point of " +
                     q.device->id.text(),
                 "/Request/Header/RequestID"};
}

}  // namespace wattseal::gateway
