// The linter: what is wrong with a certificate, signing request or revocation list by the profiles
// of the two hierarchies, each finding a cited and dated row of data/lints.tsv. Every certificate
// passes it before it is signed (lint_before_issue), and anyone's may be looked at (Linter).
// Reading only; no clock of its own. Source: spec/smki.md 1 and 2; K-20.
#pragma once
#include <span>

#include "smki/profiles.h"

namespace wattseal::smki {

enum class LintSeverity { notice, warning, error };
std::string_view text(LintSeverity severity);

struct LintRow {
  std::string_view id;
  LintSeverity severity;
  std::string_view applies;  // kinds: root,issuing,organisation,device; all; request; list; set
  std::string_view explanation, fix, source, in_force_from;
};
std::span<const LintRow> lints();

struct Finding {
  const LintRow* lint = nullptr;
  std::string input;   // name of the input it is about
  std::string detail;  // what was found there
};

// Looks at any number of inputs together: certificates among them serve as issuers of the others.
// Not thread-safe.
class Linter {
 public:
  explicit Linter(UtcTime now) : now_(now) {}
  // DER, or a text with any number of PEM blocks (certificate, request, list).
  void add(std::string_view input, BytesView content);
  // Certificates that are known to be good: issuers of the inputs, not looked at themselves.
  // Returns how many there were; refuses lint-issuers when one does not parse.
  Result<std::size_t> add_issuers(BytesView content);
  std::vector<Finding> findings() const;  // by input, in the order of data/lints.tsv
  std::size_t inputs() const { return certificates_.size() + others_; }

 private:
  struct Input {
    std::string name;
    x509::Certificate certificate;
  };
  void add_der(const std::string& name, std::string_view label, BytesView der);
  void add_request(const std::string& name, BytesView der);
  void add_list(const std::string& name, BytesView der);
  void lint_issuing(const Input& input, std::vector<Finding>& into) const;
  void lint_set(std::vector<Finding>& into) const;

  const UtcTime now_;
  std::vector<Input> certificates_;
  std::vector<x509::Certificate> issuers_;
  struct List {
    std::string name;
    x509::Crl crl;
  };
  std::vector<List> lists_;
  std::vector<Finding> early_;  // of inputs that are no certificates
  std::size_t others_ = 0;
};

// The exact octets that are about to be signed. Refuses csr-lint with the first error found.
Status lint_before_issue(BytesView tbs);

}  // namespace wattseal::smki
