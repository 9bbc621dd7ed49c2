// Path validation, RFC 5280 6.1, for the two-storey hierarchies of the field: names, keys,
// constraints, dates, critical extensions.
#include <algorithm>

#include "x509/oids.h"

namespace wattseal::x509 {
namespace {

Status check_critical(const Certificate& certificate) {
  for (const Extension& extension : certificate.extensions) {
    if (!extension.critical) continue;
    const bool understood =
        equal(extension.oid, kKeyUsage) || equal(extension.oid, kBasicConstraints) ||
        equal(extension.oid, kCertificatePolicies) || equal(extension.oid, kSubjectAltName);
    if (!understood)
      return refuse("x509-path-critical"_rule, "a critical extension is not understood",
                    oid::to_text(extension.oid));
  }
  return {};
}

Status check_dates(const Certificate& certificate, UtcTime now) {
  if (now < certificate.not_before)
    return refuse("x509-path-dates"_rule,
                  name_text(certificate.subject) + " is valid from " + certificate.not_before.iso(),
                  "notBefore");
  if (now > certificate.not_after)
    return refuse(
        "x509-path-dates"_rule,
        name_text(certificate.subject) + " was valid until " + certificate.not_after.iso(),
        "notAfter");
  return {};
}

// `below`: how many CA certificates stand between this issuer and the leaf.
Status check_issuer(const Certificate& subject, const Certificate& issuer, std::size_t below) {
  if (subject.issuer_der != issuer.subject_der)
    return refuse(
        "x509-path-name"_rule,
        "issued by " + name_text(subject.issuer) + ", not by " + name_text(issuer.subject),
        "issuer");
  if (subject.authority_key_id && issuer.subject_key_id &&
      *subject.authority_key_id != *issuer.subject_key_id) {
    return refuse("x509-path-key-id"_rule, "the authority key identifier is of another key",
                  "authorityKeyIdentifier");
  }
  // With an explicit policy demanded, as RFC 5280 6.1.3 (d) and (f) have it: what keeps test and
  // live certificates out of each other's paths.
  const auto shared = [&](const Bytes& policy) {
    return std::ranges::find(subject.policies, policy) != subject.policies.end();
  };
  if (!issuer.policies.empty() && std::ranges::none_of(issuer.policies, shared))
    return refuse("x509-path-policy"_rule,
                  name_text(subject.subject) + " has no policy of " + name_text(issuer.subject),
                  "certificatePolicies");
  if (!issuer.constraints || !issuer.constraints->ca)
    return refuse("x509-path-not-ca"_rule, name_text(issuer.subject) + " is no CA",
                  "basicConstraints");
  if (!issuer.usage || !(*issuer.usage & key_usage::key_cert_sign))
    return refuse("x509-path-not-ca"_rule, name_text(issuer.subject) + " may not sign certificates",
                  "keyUsage");
  if (issuer.constraints->path_length && *issuer.constraints->path_length < below)
    return refuse("x509-path-length"_rule, "the path is longer than its CA allows",
                  "basicConstraints");
  if (!signed_by(subject, issuer.key))
    return refuse("x509-path-signature"_rule,
                  "the signature is not by " + name_text(issuer.subject), "signatureValue");
  return {};
}

}  // namespace

Status validate_path(std::span<const Certificate> chain, const Certificate& anchor, UtcTime now,
                     TimeCheck time) {
  if (chain.empty() || chain.size() > 8)
    return refuse("x509-path-length"_rule, "a path has 1 to 8 certificates");
  for (std::size_t i = 0; i < chain.size(); ++i) {
    TRY(check_critical(chain[i]));
    if (time == TimeCheck::apply) TRY(check_dates(chain[i], now));
    TRY(check_issuer(chain[i], i + 1 < chain.size() ? chain[i + 1] : anchor, i));
  }
  if (time == TimeCheck::apply) TRY(check_dates(anchor, now));
  return {};
}

}  // namespace wattseal::x509
