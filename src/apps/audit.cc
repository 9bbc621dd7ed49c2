#include "apps/audit.h"

#include <map>
#include <set>

#include "base/fault.h"
#include "terms/facts.h"

namespace wattseal::apps {
namespace {

class Auditor {
 public:
  Status see(const FactView& fact) {
    switch (fact.kind()) {
      case FactKind::certificate_intended: return once(intended_, fact, nullptr);
      case FactKind::certificate_issued: return once(issued_, fact, &intended_);
      case FactKind::certificate_published: return published(fact);
      case FactKind::request_accepted:
        ++report.requests_accepted;
        ++open_[std::string(fact.text(FactField::request_id))];
        return {};
      case FactKind::request_ended: return ended(std::string(fact.text(FactField::request_id)));
      default: return {};
    }
  }

  AuditReport report;

 private:
  using Serials = std::set<CertificateSerial>;

  static Refusal wrong(const CertificateSerial& serial, const char* what) {
    return {"audit-certificate"_rule, "certificate " + serial.hex() + " " + what};
  }

  static Status once(Serials& seen, const FactView& fact, const Serials* before) {
    const std::optional<CertificateSerial> serial = fact.serial();
    if (!serial) return Refusal{"audit-certificate"_rule, "a fact names no serial number"};
    if (before && !before->contains(*serial)) return wrong(*serial, "was issued without an intent");
    if (!seen.insert(*serial).second) return wrong(*serial, "was intended or issued twice");
    return {};
  }

  Status published(const FactView& fact) {
    const BytesView serials = fact.find(FactField::serial).value_or(BytesView());
    for (std::size_t at = 0; at + 16 <= serials.size(); at += 16) {
      const Result<CertificateSerial> serial =
          CertificateSerial::from_octets(serials.subspan(at, 16));
      if (!serial.ok()) return serial.refusal();
      if (!issued_.contains(*serial))
        return wrong(*serial, "was published without having been issued");
      if (!published_.insert(*serial).second) return wrong(*serial, "was published twice");
      ++report.certificates_published;
    }
    return {};
  }

  Status ended(const std::string& id) {
    const auto found = open_.find(id);
    if (found == open_.end() || found->second == 0)
      return Refusal{"audit-request"_rule,
                     "request " + id + " ended more often than it was accepted"};
    --found->second;
    ++report.requests_ended;
    return {};
  }

  Serials intended_, issued_, published_;
  std::map<std::string, int> open_;  // by RequestID: accepted and not ended
};

}  // namespace

Result<AuditReport> audit(const storage::Reader& reader) {
  Auditor auditor;
  TRY_ASSIGN(auditor.report.head, storage::verify_journal(reader));
  Status status;
  reader.journal(1, [&](const storage::JournalEntry& entry) {
    const Result<FactView> fact = FactView::read(entry.fact);
    status = fact.ok() ? auditor.see(*fact) : Status(fact.refusal());
    return status.ok();
  });
  TRY(status);
  return auditor.report;
}

}  // namespace wattseal::apps
