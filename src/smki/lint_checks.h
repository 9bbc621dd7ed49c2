// The checks of one certificate by itself, one function a row of data/lints.tsv. Private to smki.
#pragma once
#include <functional>

#include "smki/lint.h"

namespace wattseal::smki {

enum class CertificateClass { root, issuing, organisation, device };
CertificateClass class_of(const x509::Certificate& certificate);

const LintRow& lint_row(std::string_view id);  // CHECKs that it exists
bool applies(const LintRow& row, CertificateClass kind);

// before_issue: leaves out notices and the rebuild, which is how the octets were made just now.
enum class LintPurpose { inspect, before_issue };
void lint_alone(const x509::Certificate& certificate, LintPurpose purpose,
                const std::function<void(const LintRow&, std::string detail)>& found);

}  // namespace wattseal::smki
