#include "smki/lint_checks.h"

#include <algorithm>

namespace wattseal::smki {
namespace {

using x509::Certificate;
using Found = std::optional<std::string>;

struct RawLint {
  std::string_view id, severity, applies, explanation, fix, source, in_force_from;
  constexpr LintRow row() const {
    const LintSeverity level = severity == "error"     ? LintSeverity::error
                               : severity == "warning" ? LintSeverity::warning
                               : severity == "notice"  ? LintSeverity::notice
                                                       : throw "lints.tsv: unknown severity";
    return {id, level, applies, explanation, fix, source, in_force_from};
  }
};
constexpr RawLint kRawLints[] = {
#include "tables/lints.inc"
};
constexpr auto kLints = [] {
  std::array<LintRow, std::size(kRawLints)> rows{};
  std::ranges::transform(kRawLints, rows.begin(), [](const RawLint& raw) { return raw.row(); });
  return rows;
}();

// The extensions of the profiles by the short names of data/certificate_profiles.tsv.
struct KnownExtension {
  std::string_view name;
  Bytes oid;
};
const std::vector<KnownExtension>& known_extensions() {
  static const std::vector<KnownExtension> known{
      {"usage", x509::oid::from_text("2.5.29.15")},
      {"constraints", x509::oid::from_text("2.5.29.19")},
      {"policy", x509::oid::from_text("2.5.29.32")},
      {"ski", x509::oid::from_text("2.5.29.14")},
      {"aki", x509::oid::from_text("2.5.29.35")},
      {"san", x509::oid::from_text("2.5.29.17")},
      {"contingency", x509::oid::wrapped_apex_contingency_key}};
  return known;
}
std::string_view extension_name(BytesView oid) {
  for (const KnownExtension& one : known_extensions()) {
    if (equal(one.oid, oid)) return one.name;
  }
  return {};
}
const x509::Extension* find(const Certificate& certificate, std::string_view name) {
  for (const x509::Extension& extension : certificate.extensions) {
    if (extension_name(extension.oid) == name) return &extension;
  }
  return nullptr;
}
bool listed(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == word) return true;
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return false;
}

// The profile a certificate of this class follows. The two hierarchies' authorities differ in their
// names only: those of the Device hierarchy have no organizational unit.
const CertificateProfile& profile_of(const Certificate& certificate) {
  const bool agreement = certificate.usage == x509::key_usage::key_agreement;
  const bool device_authority = certificate.subject.size() == 1;
  const char* id = "";
  switch (class_of(certificate)) {
    case CertificateClass::root: id = device_authority ? "root-dca" : "root-oca"; break;
    case CertificateClass::issuing: id = device_authority ? "issuing-dca" : "issuing-oca"; break;
    case CertificateClass::device: id = agreement ? "device-ka" : "device-ds"; break;
    case CertificateClass::organisation:
      id = agreement ? "organisation-ka" : "organisation-ds";
      break;
  }
  return *find_certificate_profile(id);
}

const x509::NameAttribute* attribute(const x509::Name& name, const Bytes& oid) {
  const auto found = std::ranges::find(name, oid, &x509::NameAttribute::oid);
  return found == name.end() ? nullptr : &*found;
}
std::string quoted(const x509::NameAttribute& attribute) {
  return "'" + std::string(as_text(attribute.value)) + "'";
}

// ---- one function a row

Found serial_length(const Certificate& c) {
  const std::array<Octet, 16>& serial = c.serial.octets();
  const auto zeros = std::ranges::find_if(serial, [](Octet octet) { return octet != 0; });
  if (zeros == serial.begin()) return {};
  return std::to_string(serial.end() - zeros) + " octets";
}

Found lifetime(const Certificate& c) {
  const CertificateProfile& profile = profile_of(c);
  if (profile.lifetime_years == 0) return {};
  if (c.not_after <= c.not_before.plus_years(profile.lifetime_years)) return {};
  return c.not_before.iso() + " to " + c.not_after.iso() + ", more than " +
         std::to_string(profile.lifetime_years) + " years";
}

Found device_expiry(const Certificate& c) {
  return c.not_after == UtcTime::forever() ? Found{} : "notAfter is " + c.not_after.iso();
}

Found issuer_string(const Certificate& c) {
  for (const x509::NameAttribute& one : c.issuer) {
    if (one.oid != x509::oid::unique_identifier && one.tag != asn1::kPrintableString)
      return x509::oid::to_text(one.oid) + "=" + quoted(one) + " has tag " +
             std::to_string(one.tag);
  }
  return {};
}

Found issuer_entity(const Certificate& c) {
  return attribute(c.issuer, x509::oid::unique_identifier)
             ? Found("issued by " + x509::name_text(c.issuer))
             : Found{};
}

Found subject_name(const Certificate& c) {
  const x509::Name& name = c.subject;
  const bool named = name.size() == 3 && name[0].oid == x509::oid::common_name;
  const std::size_t first = named ? 1 : 0;
  if (name.size() == first + 2 && name[first].oid == x509::oid::organizational_unit &&
      name[first + 1].oid == x509::oid::unique_identifier)
    return {};
  return "the subject is " + x509::name_text(name);
}

Found subject_string(const Certificate& c) {
  for (const x509::NameAttribute& one : c.subject) {
    if (one.oid != x509::oid::unique_identifier && one.tag != asn1::kUtf8String)
      return x509::oid::to_text(one.oid) + "=" + quoted(one) + " has tag " +
             std::to_string(one.tag);
  }
  return {};
}

Found unique_identifier(const Certificate& c) {
  const x509::NameAttribute* const id = attribute(c.subject, x509::oid::unique_identifier);
  if (!id) return {};  // lint-subject-name
  if (id->value.size() == 8 && id->tag == asn1::kBitString) return {};
  return std::to_string(8 * id->value.size()) + " bits: " + to_hex(id->value);
}

Found role(const Certificate& c) {
  const x509::NameAttribute* const unit = attribute(c.subject, x509::oid::organizational_unit);
  if (!unit || remote_party_role_from_ou(as_text(unit->value))) return {};
  return "OU=" + quoted(*unit);
}

Found common_name(const Certificate& c) {
  const x509::NameAttribute* const name = attribute(c.subject, x509::oid::common_name);
  if (!name) return {};
  const bool control =
      std::ranges::any_of(name->value, [](Octet octet) { return octet < 0x20 || octet == 0x7F; });
  if (!name->value.empty() && name->value.size() <= 16 && !control) return {};
  return std::to_string(name->value.size()) + " octets" +
         (control ? " with control characters" : "");
}

Found authority_name(const Certificate& c) {
  const x509::Name& name = c.subject;
  const bool unit = name.size() == 2 && name[0].oid == x509::oid::organizational_unit;
  const bool good = (name.size() == 1 || unit) && name.back().oid == x509::oid::common_name &&
                    !name.back().value.empty() && name.back().value.size() <= 4;
  return good ? Found{} : "the subject is " + x509::name_text(name);
}

Found device_identity(const Certificate& c) {
  const x509::Extension* const names = find(c, "san");
  if (!names) return "there is no subjectAltName";
  if (!names->critical) return "the subjectAltName is not critical";
  if (!c.hardware_module) return "the subjectAltName is not one hardwareModuleName";
  if (c.hardware_module->serial.size() == 8) return {};
  return "the serial number has " + std::to_string(c.hardware_module->serial.size()) + " octets";
}

Found usage_missing(const Certificate& c) {
  return c.usage ? Found{} : Found("the extension is absent");
}

Found not_critical(const Certificate& c, std::string_view name) {
  const x509::Extension* const extension = find(c, name);
  return extension && !extension->critical ? Found("the extension is not critical") : Found{};
}
Found usage_critical(const Certificate& c) { return not_critical(c, "usage"); }
Found policy_critical(const Certificate& c) { return not_critical(c, "policy"); }

Found usage(const Certificate& c) {
  if (!c.usage || *c.usage == profile_of(c).usage) return {};
  std::string bits;
  for (unsigned bit = 0; bit < 9; ++bit) {
    if (*c.usage >> bit & 1) bits += (bits.empty() ? "bits " : ", ") + std::to_string(bit);
  }
  return bits;
}

Found key_id_missing(const Certificate& c) {
  return c.subject_key_id ? Found{} : Found("the extension is absent");
}
Found key_id(const Certificate& c) {
  if (!c.subject_key_id) return {};
  const std::array<Octet, 8> right = x509::key_identifier(c.key);
  if (equal(*c.subject_key_id, right)) return {};
  return to_hex_upper(*c.subject_key_id) + " where the key gives " + to_hex_upper(right);
}

Found authority_key_id_missing(const Certificate& c) {
  return c.authority_key_id ? Found{} : Found("no keyIdentifier of the issuer is there");
}
Found authority_key_id(const Certificate& c) {
  const x509::Extension* const extension = find(c, "aki");
  if (!extension || !c.authority_key_id) return {};
  const x509::Extension right = x509::authority_key_id_extension(*c.authority_key_id);
  if (c.authority_key_id->size() == 8 && right.value == extension->value && !extension->critical)
    return {};
  return to_hex(extension->value);
}

Found policy_missing(const Certificate& c) {
  return find(c, "policy") ? Found{} : Found("the extension is absent");
}
Found policy_form(const Certificate& c) {
  const x509::Extension* const extension = find(c, "policy");
  if (!extension) return {};
  if (c.policies.size() != 1) return std::to_string(c.policies.size()) + " policies";
  if (x509::policy_extension(c.policies[0], true).value == extension->value) return {};
  return "the policy has qualifiers";
}
Found policy_unknown(const Certificate& c) {
  if (c.policies.size() != 1) return {};
  const CertificateProfile& profile = profile_of(c);
  const std::string policy = x509::oid::to_text(c.policies[0]);
  if (policy == profile.policy_test || policy == profile.policy_live) return {};
  return policy;
}

Found constraints(const Certificate& c) {
  const x509::Extension* const extension = find(c, "constraints");
  const CertificateProfile& profile = profile_of(c);
  if (!extension) return "the extension is absent";
  if (!extension->critical) return "the extension is not critical";
  if (!c.constraints->ca) return "cA is FALSE";
  // A root may leave the path length out. Source: spec/smki.md 1.3.
  const bool root = class_of(c) == CertificateClass::root;
  if (c.constraints->path_length
          ? static_cast<int>(*c.constraints->path_length) == profile.path_length
          : root)
    return {};
  return c.constraints->path_length
             ? "the path length is " + std::to_string(*c.constraints->path_length)
             : "the path length is absent";
}
Found constraints_empty(const Certificate& c) {
  const bool empty = c.constraints && !c.constraints->ca && !c.constraints->path_length;
  return empty ? Found("the sequence is empty") : Found{};
}
Found constraints_entity(const Certificate& c) {
  return c.constraints && (c.constraints->ca || c.constraints->path_length)
             ? Found("cA or a path length is set")
             : Found{};
}

Found extension_foreign(const Certificate& c) {
  const CertificateProfile& profile = profile_of(c);
  for (const x509::Extension& extension : c.extensions) {
    const std::string_view name = extension_name(extension.oid);
    if (name == "constraints") continue;  // has lints of its own
    if (name.empty() || !listed(profile.extensions, name)) {
      return x509::oid::to_text(extension.oid) +
             (extension.critical ? ", critical" : ", not critical");
    }
  }
  return {};
}

Found extension_order(const Certificate& c) {
  std::string_view rest = profile_of(c).extensions;
  for (const x509::Extension& extension : c.extensions) {
    const std::string_view name = extension_name(extension.oid);
    if (name.empty() || !listed(profile_of(c).extensions, name)) continue;
    const std::size_t at = rest.find(name);
    if (at == std::string_view::npos)
      return std::string(name) + " stands too late; the order is " +
             std::string(profile_of(c).extensions);
    rest = rest.substr(at + name.size());
  }
  return {};
}

// From key, serial, dates, subject and the issuer's name and key alone; names and policies of other
// authorities than ours are taken as they are.
Found rebuild(const Certificate& c) {
  if (c.policies.size() != 1) return {};
  CertificateProfile profile = profile_of(c);
  const std::string policy = x509::oid::to_text(c.policies[0]);
  profile.policy_test = policy;
  std::string authority;
  ToBeSigned what;
  if (profile.is_ca()) {
    const x509::NameAttribute* const name = attribute(c.subject, x509::oid::common_name);
    if (name) authority = as_text(name->value);
    profile.common_name_test = authority;
    for (const x509::Extension& extension : c.extensions) {
      if (extension.oid == x509::oid::wrapped_apex_contingency_key)
        what.wrapped_contingency_key = extension.value;
    }
    if (!what.wrapped_contingency_key && listed(profile.extensions, "contingency"))
      return "the Root OCA has no wrapped contingency key";
  } else {
    const Result<Identity> identity = read_identity(c);
    if (!identity.ok()) return {};  // other lints say why
    what.subject = identity->subject;
  }
  what.profile = &profile;
  what.serial = c.serial;
  what.not_before = c.not_before;
  what.key = c.key;
  what.issuer = {c.issuer, c.authority_key_id.value_or(Bytes(8))};
  const Bytes right = build_tbs(what);
  if (right == c.tbs) return {};
  const Result<Certificate> rebuilt = x509::parse_tbs(right);
  if (rebuilt.ok() && rebuilt->not_before != c.not_before)
    return "notBefore is " + c.not_before.iso() + ", the profile starts at midnight";
  if (rebuilt.ok() && rebuilt->not_after != c.not_after)
    return "notAfter is " + c.not_after.iso() + ", the profile gives " + rebuilt->not_after.iso();
  const auto [mine, theirs] = std::ranges::mismatch(right, c.tbs);
  return "octet " + std::to_string(theirs - c.tbs.begin()) + " of " + std::to_string(c.tbs.size()) +
         " differs";
}

// Checks and rows are tied together when the program is built.
constexpr const LintRow* row_of(std::string_view id) {
  for (const LintRow& row : kLints) {
    if (row.id == id) return &row;
  }
  throw "lints.tsv has no such row";
}
struct Check {
  const LintRow* row;
  Found (*look)(const Certificate&);
};
constexpr Check kChecks[] = {
    {row_of("lint-serial-length"), serial_length},
    {row_of("lint-lifetime"), lifetime},
    {row_of("lint-device-expiry"), device_expiry},
    {row_of("lint-issuer-string"), issuer_string},
    {row_of("lint-issuer-entity"), issuer_entity},
    {row_of("lint-subject-name"), subject_name},
    {row_of("lint-subject-string"), subject_string},
    {row_of("lint-unique-identifier"), unique_identifier},
    {row_of("lint-role"), role},
    {row_of("lint-common-name"), common_name},
    {row_of("lint-authority-name"), authority_name},
    {row_of("lint-device-identity"), device_identity},
    {row_of("lint-usage-missing"), usage_missing},
    {row_of("lint-usage-critical"), usage_critical},
    {row_of("lint-usage"), usage},
    {row_of("lint-key-id-missing"), key_id_missing},
    {row_of("lint-key-id"), key_id},
    {row_of("lint-authority-key-id-missing"), authority_key_id_missing},
    {row_of("lint-authority-key-id"), authority_key_id},
    {row_of("lint-policy-missing"), policy_missing},
    {row_of("lint-policy-critical"), policy_critical},
    {row_of("lint-policy-form"), policy_form},
    {row_of("lint-policy-unknown"), policy_unknown},
    {row_of("lint-constraints"), constraints},
    {row_of("lint-constraints-empty"), constraints_empty},
    {row_of("lint-constraints-entity"), constraints_entity},
    {row_of("lint-extension-foreign"), extension_foreign},
    {row_of("lint-extension-order"), extension_order},
    {row_of("lint-rebuild"), rebuild},
};

std::string_view name(CertificateClass kind) {
  constexpr std::string_view kNames[] = {"root", "issuing", "organisation", "device"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace

std::string_view text(LintSeverity severity) {
  constexpr std::string_view kTexts[] = {"notice", "warning", "error"};
  return kTexts[static_cast<std::size_t>(severity)];
}

std::span<const LintRow> lints() { return kLints; }

const LintRow& lint_row(std::string_view id) {
  const auto* const row = std::ranges::find(kLints, id, &LintRow::id);
  CHECK(row != kLints.end());
  return *row;
}

CertificateClass class_of(const Certificate& certificate) {
  if (certificate.subject.empty()) return CertificateClass::device;
  if (certificate.issuer_der == certificate.subject_der) return CertificateClass::root;
  const bool signs = certificate.usage && (*certificate.usage & x509::key_usage::key_cert_sign);
  if (signs) return CertificateClass::issuing;
  return CertificateClass::organisation;
}

bool applies(const LintRow& row, CertificateClass kind) {
  return row.applies == "all" || listed(row.applies, name(kind));
}

void lint_alone(const Certificate& certificate, LintPurpose purpose,
                const std::function<void(const LintRow&, std::string detail)>& found) {
  const CertificateClass kind = class_of(certificate);
  bool clean = true;
  for (const Check& check : kChecks) {
    const LintRow& row = *check.row;
    const bool last = check.look == rebuild;
    if (!applies(row, kind)) continue;
    if (purpose == LintPurpose::before_issue && (last || row.severity != LintSeverity::error))
      continue;
    // What a more precise lint has said, the comparison of all octets does not repeat.
    if (last && !clean) continue;
    if (Found detail = check.look(certificate)) {
      clean = false;
      found(row, std::move(*detail));
    }
  }
}

}  // namespace wattseal::smki
