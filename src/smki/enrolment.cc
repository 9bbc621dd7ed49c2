#include "smki/enrolment.h"

#include "asn1/der.h"

namespace wattseal::smki {

std::vector<Bytes> authority_certificates(const Repository& repository,
                                          std::string_view hierarchy) {
  std::vector<Bytes> all;
  for (const PublishedCertificate& one : repository.authorities()) {
    const CertificateProfile* const profile = find_certificate_profile(one.profile);
    if (hierarchy.empty() || (profile && profile->hierarchy == hierarchy)) all.push_back(one.der);
  }
  return all;
}

Bytes certs_only(std::span<const Bytes> certificates) {
  static const Bytes kSignedData = x509::oid::from_text("1.2.840.113549.1.7.2"),
                     kData = x509::oid::from_text("1.2.840.113549.1.7.1");
  std::vector<Bytes> sorted(certificates.begin(), certificates.end());
  std::ranges::sort(sorted);  // a SET OF, in DER
  asn1::Writer out;
  out.constructed(asn1::kSequence, [&] {
    out.oid(kSignedData);
    out.constructed(asn1::context(0, true), [&] {
      out.constructed(asn1::kSequence, [&] {
        out.unsigned_integer(1);
        out.constructed(asn1::kSet, [] {});
        out.constructed(asn1::kSequence, [&] { out.oid(kData); });
        out.constructed(asn1::context(0, true), [&] {
          for (const Bytes& one : sorted) out.raw(one);
        });
        out.constructed(asn1::kSet, [] {});
      });
    });
  });
  return out.take();
}

Result<PublishedCertificate> replaced_by(const Repository& repository,
                                         const x509::CertificationRequest& request) {
  TRY_ASSIGN(const Asked asked, read_request(request));
  const KeyUse use = asked.profile->usage == x509::key_usage::key_agreement
                         ? KeyUse::key_agreement
                         : KeyUse::digital_signature;
  Result<PublishedCertificate> found =
      repository.latest(*asked.subject.eui, use, asked.subject.role);
  if (!found.ok())
    return Refusal{"enrol-nothing-to-replace"_rule,
                   asked.subject.eui->text() + " has no certificate of this use", "subject"};
  const Result<x509::Certificate> certificate = x509::parse_certificate(found->der);
  if (!certificate.ok() || certificate->subject != request.subject ||
      certificate->hardware_module != request.hardware_module)
    return Refusal{"enrol-nothing-to-replace"_rule,
                   "the subject is not as in certificate " + found->serial.hex(), "subject"};
  return found;
}

}  // namespace wattseal::smki
