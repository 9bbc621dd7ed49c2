#include "smki/profiles.h"

#include <algorithm>

namespace wattseal::smki {
namespace {

using x509::Name;

Octet name_tag(const Bytes& oid, bool authority) {
  if (oid == x509::oid::unique_identifier) return asn1::kBitString;
  // Authorities write PrintableString, entities UTF8String. Source: spec/smki.md 1.4, 1.5 (M).
  return authority ? asn1::kPrintableString : asn1::kUtf8String;
}

void add(Name& name, const Bytes& oid, BytesView value, bool authority) {
  name.push_back({oid, name_tag(oid, authority), to_bytes(value)});
}

Bytes policy_oid(const CertificateProfile& profile, Environment environment) {
  return x509::oid::from_text(environment == Environment::test ? profile.policy_test
                                                               : profile.policy_live);
}

// One extension of a profile's list, by its short name.
x509::Extension extension(std::string_view name, const ToBeSigned& what, BytesView own_key_id) {
  const CertificateProfile& profile = *what.profile;
  if (name == "usage") return x509::usage_extension(profile.usage);
  if (name == "constraints")
    return x509::constraints_extension({true, static_cast<unsigned>(profile.path_length)});
  if (name == "policy") return x509::policy_extension(policy_oid(profile, what.environment), true);
  if (name == "ski") return x509::subject_key_id_extension(own_key_id);
  if (name == "aki") return x509::authority_key_id_extension(what.issuer.key_id);
  if (name == "san") {
    CHECK(what.subject.eui.has_value());
    const std::array<Octet, 8> serial = what.subject.eui->octets();
    return x509::hardware_module_extension({what.subject.hardware_type, to_bytes(serial)});
  }
  CHECK(name == "contingency" && what.wrapped_contingency_key.has_value());
  return {x509::oid::wrapped_apex_contingency_key, false, *what.wrapped_contingency_key};
}

// Calls `visit` with each comma-separated part.
template <typename Visit>
void each_part(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    visit(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
}

Refusal bad_subject(std::string detail) {
  return {"profile-subject"_rule, std::move(detail), "subject"};
}

// [CN,] OU, x500UniqueIdentifier, one attribute an RDN, in that order. Source: spec/smki.md 1.5.
Result<Subject> read_organisation_subject(const Name& name) {
  Subject subject;
  std::size_t next = 0;
  if (name.size() == 3) {
    const x509::NameAttribute& cn = name[next++];
    if (cn.oid != x509::oid::common_name)
      return bad_subject("the first of three attributes is not the common name");
    if (cn.value.empty() || cn.value.size() > 16)
      return bad_subject("the common name has not 1 to 16 octets");
    subject.common_name = std::string(as_text(cn.value));
  }
  if (name.size() - next != 2)
    return bad_subject("an organisation is named by [CN,] OU and x500UniqueIdentifier");
  const x509::NameAttribute& ou = name[next];
  const x509::NameAttribute& uid = name[next + 1];
  if (ou.oid != x509::oid::organizational_unit)
    return bad_subject("the organizational unit is missing");
  if (uid.oid != x509::oid::unique_identifier)
    return bad_subject("the x500UniqueIdentifier is missing");
  subject.role = remote_party_role_from_ou(as_text(ou.value));
  if (!subject.role)
    return Refusal{"profile-role"_rule,
                   "the organizational unit is not a role as two upper-case hex digits",
                   "subject/OU"};
  if (uid.value.size() != 8) return bad_subject("the x500UniqueIdentifier is not a 64-bit EUI");
  subject.eui = Eui64::from_number(get_be(uid.value));
  return subject;
}

Result<KeyUse> read_usage(const std::optional<unsigned>& usage) {
  if (usage == x509::key_usage::digital_signature) return KeyUse::digital_signature;
  if (usage == x509::key_usage::key_agreement) return KeyUse::key_agreement;
  return Refusal{"profile-usage"_rule,
                 usage ? "the key usage is not exactly one of digitalSignature and keyAgreement"
                       : "the key usage is missing",
                 "extensions/keyUsage"};
}

Result<Subject> read_device_subject(const std::optional<x509::HardwareModule>& module) {
  if (!module) return bad_subject("neither a subject name nor a hardwareModuleName is there");
  if (module->serial.size() != 8) return bad_subject("the hardware serial number is not an EUI-64");
  Subject subject;
  subject.eui = Eui64::from_number(get_be(module->serial));
  subject.hardware_type = module->type_oid;
  return subject;
}

}  // namespace

UtcTime not_after(const CertificateProfile& profile, UtcTime not_before) {
  if (profile.lifetime_years == 0) return UtcTime::forever();
  return not_before.plus_years(profile.lifetime_years).plus_seconds(-1);
}

Name subject_name(const CertificateProfile& profile, Environment environment,
                  const Subject& subject) {
  Name name;
  each_part(profile.names, [&](std::string_view part) {
    const std::size_t equals = part.find('=');
    const std::string_view attribute = part.substr(0, equals);
    const std::string_view fixed =
        equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1);
    if (attribute == "UID") {
      CHECK(subject.eui.has_value());
      add(name, x509::oid::unique_identifier, subject.eui->octets(), false);
    } else if (attribute == "OU") {
      const std::string ou = fixed.empty() ? ou_text(subject.role.value()) : std::string(fixed);
      add(name, x509::oid::organizational_unit, as_bytes(ou), profile.is_ca());
    } else {
      CHECK(attribute == "CN");
      const std::string_view authority =
          environment == Environment::test ? profile.common_name_test : profile.common_name_live;
      const std::string_view cn =
          profile.is_ca() ? authority : std::string_view(subject.common_name);
      if (!cn.empty()) add(name, x509::oid::common_name, as_bytes(cn), profile.is_ca());
    }
  });
  return name;
}

Bytes build_tbs(const ToBeSigned& what) {
  CHECK(what.profile != nullptr);
  const CertificateProfile& profile = *what.profile;
  const std::array<Octet, 8> own_key_id = x509::key_identifier(what.key);
  x509::TbsCertificate tbs;
  tbs.serial = what.serial;
  tbs.subject = subject_name(profile, what.environment, what.subject);
  tbs.issuer = profile.issuer == profile.id ? tbs.subject : what.issuer.name;
  tbs.not_before = profile.lifetime_years == 0 ? what.not_before : what.not_before.start_of_day();
  tbs.not_after = not_after(profile, tbs.not_before);
  tbs.key = what.key;
  each_part(profile.extensions, [&](std::string_view name) {
    tbs.extensions.push_back(extension(name, what, own_key_id));
  });
  return x509::encode_tbs(tbs);
}

Result<Asked> read_request(const x509::CertificationRequest& request) {
  TRY_ASSIGN(const KeyUse use, read_usage(request.usage));
  const bool device = request.subject.empty();
  // A device asks for keyUsage and subjectAltName, an organisation for keyUsage alone; anything
  // else is not for us to grant.
  if (request.extensions.size() != (device ? 2u : 1u)) {
    return Refusal{"profile-extension"_rule,
                   std::to_string(request.extensions.size()) + " extensions are requested",
                   "extensionRequest"};
  }
  if (!device && request.hardware_module)
    return bad_subject("an organisation has no hardwareModuleName");
  Asked asked;
  if (device) {
    TRY_ASSIGN(asked.subject, read_device_subject(request.hardware_module));
  } else {
    TRY_ASSIGN(asked.subject, read_organisation_subject(request.subject));
  }
  const std::string id = std::string(device ? "device-" : "organisation-") +
                         (use == KeyUse::digital_signature ? "ds" : "ka");
  asked.profile = find_certificate_profile(id);
  CHECK(asked.profile != nullptr);
  return asked;
}

Result<Identity> read_identity(const x509::Certificate& certificate) {
  Identity identity;
  TRY_ASSIGN(identity.use, read_usage(certificate.usage));
  identity.device = certificate.subject.empty();
  if (identity.device) {
    TRY_ASSIGN(identity.subject, read_device_subject(certificate.hardware_module));
  } else {
    TRY_ASSIGN(identity.subject, read_organisation_subject(certificate.subject));
  }
  return identity;
}

}  // namespace wattseal::smki
