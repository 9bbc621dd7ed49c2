#include "smki/lint.h"

#include <algorithm>
#include <map>

#include "smki/lint_checks.h"

namespace wattseal::smki {
namespace {

constexpr std::int64_t kSecondsPerHour = 3600;

struct PemBlock {
  std::string_view label;
  std::optional<Bytes> der;
};

// Every block of a PEM text; what stands between blocks is ignored.
std::vector<PemBlock> pem_blocks(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ", kDashes = "-----";
  std::vector<PemBlock> blocks;
  std::size_t at = 0;
  while ((at = text.find(kBegin, at)) != std::string_view::npos) {
    const std::size_t name = at + kBegin.size();
    const std::size_t name_end = text.find(kDashes, name);
    if (name_end == std::string_view::npos) break;
    const std::string_view label = text.substr(name, name_end - name);
    const std::size_t body = name_end + kDashes.size();
    const std::size_t end = text.find("-----END " + std::string(label) + "-----", body);
    if (end == std::string_view::npos) {
      blocks.push_back({label, std::nullopt});
      break;
    }
    blocks.push_back({label, from_base64(text.substr(body, end - body))});
    at = end;
  }
  return blocks;
}

std::string because(const Refusal& refusal) {
  return std::string(refusal.rule.text()) + ": " + refusal.detail +
         (refusal.field.empty() ? "" : " (" + refusal.field + ")");
}

bool same_name(const x509::Name& a, const x509::Name& b) {
  return x509::name_text(a) == x509::name_text(b);
}

std::string which(const x509::Certificate& certificate) {
  return x509::name_text(certificate.subject) + " serial " + certificate.serial.hex();
}

}  // namespace

void Linter::add(std::string_view input, BytesView content) {
  const std::string name(input);
  const std::vector<PemBlock> blocks = pem_blocks(as_text(content));
  if (blocks.empty()) return add_der(name, {}, content);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::string here = blocks.size() == 1 ? name : name + "#" + std::to_string(i + 1);
    if (blocks[i].label.find("PRIVATE KEY") != std::string_view::npos) continue;
    if (blocks[i].der) {
      add_der(here, blocks[i].label, *blocks[i].der);
    } else {
      early_.push_back({&lint_row("lint-structure"), here, "the PEM block is not base64 or ends"});
      ++others_;
    }
  }
}

void Linter::add_der(const std::string& name, std::string_view label, BytesView der) {
  const bool request = label.ends_with("REQUEST"), list = label.ends_with("CRL");
  // Without a label the octets say which it is: a request has version 0 first, a list no version in
  // [0]; whoever parses, wins.
  if (request || (label.empty() && x509::parse_request(der).ok())) return add_request(name, der);
  if (list || (label.empty() && x509::parse_crl(der).ok())) return add_list(name, der);
  Result<x509::Certificate> certificate = x509::parse_certificate(der);
  if (certificate.ok()) {
    certificates_.push_back({name, std::move(*certificate)});
    return;
  }
  ++others_;
  early_.push_back({&lint_row("lint-structure"), name, because(certificate.refusal())});
}

void Linter::add_request(const std::string& name, BytesView der) {
  ++others_;
  const Result<x509::CertificationRequest> request = x509::parse_request(der);
  if (!request.ok()) {
    early_.push_back({&lint_row("lint-structure"), name, because(request.refusal())});
    return;
  }
  const Result<Asked> asked = read_request(*request);
  if (!asked.ok()) early_.push_back({&lint_row("lint-request"), name, because(asked.refusal())});
  if (!x509::proves_possession(*request)) {
    early_.push_back({&lint_row("lint-request"), name,
                      "csr-possession: the signature does not verify under the requested key"});
  }
}

void Linter::add_list(const std::string& name, BytesView der) {
  ++others_;
  Result<x509::Crl> crl = x509::parse_crl(der);
  if (!crl.ok()) {
    early_.push_back({&lint_row("lint-structure"), name, because(crl.refusal())});
    return;
  }
  if (crl->number == 0 || !crl->authority_key_id) {
    early_.push_back({&lint_row("lint-list-number"), name,
                      crl->number == 0 ? "no cRLNumber" : "no authority key identifier"});
  }
  // A list of authorities lives up to a year, one of organisations two days.
  const UtcTime latest = crl->this_update.plus_years(1);
  if (crl->next_update > latest) {
    early_.push_back({&lint_row("lint-list-validity"), name,
                      crl->this_update.iso() + " to " + crl->next_update.iso()});
  }
  if (crl->next_update < now_) {
    early_.push_back(
        {&lint_row("lint-list-lapsed"), name, "nextUpdate was " + crl->next_update.iso()});
  }
  lists_.push_back({name, std::move(*crl)});
}

Result<std::size_t> Linter::add_issuers(BytesView content) {
  std::vector<PemBlock> blocks = pem_blocks(as_text(content));
  if (blocks.empty()) blocks.push_back({"CERTIFICATE", to_bytes(content)});
  std::size_t added = 0;
  for (const PemBlock& block : blocks) {
    if (block.label != "CERTIFICATE") continue;
    const Result<x509::Certificate> certificate =
        x509::parse_certificate(block.der.value_or(Bytes()));
    if (!certificate.ok())
      return Refusal{"lint-issuers"_rule, because(certificate.refusal()), "issuers"};
    issuers_.push_back(*certificate);
    ++added;
  }
  return added;
}

// Candidates by name; among them those with the right key identifier, when there are any.
void Linter::lint_issuing(const Input& input, std::vector<Finding>& into) const {
  const x509::Certificate& certificate = input.certificate;
  std::vector<const x509::Certificate*> named;
  const auto consider = [&](const x509::Certificate& one) {
    if (same_name(one.subject, certificate.issuer) && !certificate.issuer.empty())
      named.push_back(&one);
  };
  for (const x509::Certificate& one : issuers_) consider(one);
  for (const Input& one : certificates_) consider(one.certificate);
  if (named.empty()) return;
  const auto found = [&](std::string_view id, std::string detail) {
    into.push_back({&lint_row(id), input.name, std::move(detail)});
  };
  const auto keyed = std::ranges::find_if(named, [&](const x509::Certificate* one) {
    return certificate.authority_key_id && one->subject_key_id == certificate.authority_key_id;
  });
  const auto signer = std::ranges::find_if(
      named, [&](const x509::Certificate* one) { return x509::signed_by(certificate, one->key); });
  const x509::Certificate& issuer = signer != named.end()  ? **signer
                                    : keyed != named.end() ? **keyed
                                                           : *named.front();
  const bool root = class_of(certificate) == CertificateClass::root;
  const bool authority = issuer.constraints && issuer.constraints->ca && issuer.usage &&
                         (*issuer.usage & x509::key_usage::key_cert_sign);
  if (!authority) found("lint-issuer-authority", which(issuer));
  if (issuer.subject_der != certificate.issuer_der)
    found("lint-issuer-octets", to_hex(certificate.issuer_der) + " where " + which(issuer) +
                                    " has " + to_hex(issuer.subject_der));
  if (certificate.authority_key_id && keyed == named.end() && !root)
    found("lint-issuer-key", to_hex_upper(*certificate.authority_key_id) + " where " +
                                 which(issuer) + " has " +
                                 to_hex_upper(issuer.subject_key_id.value_or(Bytes())));
  if (signer == named.end()) found("lint-signature", "tried " + which(issuer));
}

void Linter::lint_set(std::vector<Finding>& into) const {
  std::map<std::pair<Bytes, CertificateSerial>, const Input*> serials;
  std::map<crypto::PublicPoint, const Input*> keys;
  for (const Input& input : certificates_) {
    const x509::Certificate& certificate = input.certificate;
    const auto [twin, first] =
        serials.try_emplace({certificate.issuer_der, certificate.serial}, &input);
    if (!first && twin->second->certificate.der == certificate.der) continue;  // the same again
    if (!first)
      into.push_back({&lint_row("lint-serial-twice"), input.name,
                      which(certificate) + " differs from " + twin->second->name});
    const auto [other, new_key] = keys.try_emplace(certificate.key, &input);
    if (!new_key)
      into.push_back(
          {&lint_row("lint-key-twice"), input.name, "the key is that of " + other->second->name});
  }
}

std::vector<Finding> Linter::findings() const {
  std::vector<Finding> all = early_;
  for (const Input& input : certificates_) {
    lint_alone(input.certificate, LintPurpose::inspect,
               [&](const LintRow& row, std::string detail) {
                 all.push_back({&row, input.name, std::move(detail)});
               });
    lint_issuing(input, all);
  }
  for (const List& list : lists_) {
    for (const x509::Certificate& issuer : issuers_) {
      const bool named = issuer.subject_der == list.crl.issuer_der &&
                         issuer.subject_key_id == list.crl.authority_key_id;
      if (!named) continue;
      if (!x509::signed_by(list.crl, issuer.key))
        all.push_back({&lint_row("lint-signature"), list.name, "tried " + which(issuer)});
      const std::int64_t hours = (list.crl.next_update - list.crl.this_update) / kSecondsPerHour;
      const bool entities = class_of(issuer) == CertificateClass::issuing;
      if (entities && hours > static_cast<std::int64_t>(limit("crl_validity_hours")))
        all.push_back({&lint_row("lint-list-validity"), list.name,
                       std::to_string(hours) + " hours for a list of " + which(issuer)});
    }
  }
  lint_set(all);
  std::ranges::stable_sort(all, {}, &Finding::input);
  return all;
}

Status lint_before_issue(BytesView tbs) {
  const Result<x509::Certificate> certificate = x509::parse_tbs(tbs);
  if (!certificate.ok()) {
    return Refusal{"csr-lint"_rule, "lint-structure: " + because(certificate.refusal()),
                   certificate.refusal().field};
  }
  std::optional<Refusal> first;
  lint_alone(*certificate, LintPurpose::before_issue, [&](const LintRow& row, std::string detail) {
    if (!first) first = Refusal{"csr-lint"_rule, std::string(row.id) + ": " + std::move(detail)};
  });
  if (first) return *first;
  return {};
}

}  // namespace wattseal::smki
