// The SMKI Document Set: which documents there are, who approves each, by when it is due and when
// it is reviewed (data/document_set.tsv), against what the repository's library holds
// (documents.h). Certification Practice Statements are approved by the SMKI PMA, version by
// version; reviews and later deadlines are its resolutions, too (pma.h). Dates of milestones are
// acts. Sources: L9, L1.15; ¶43, ¶50, ¶54, ¶59, ¶63; spec/smki.md 7; M-03. Threads: any. Rules:
// document-set-*.
#pragma once
#include <map>

#include "smki/documents.h"
#include "smki/pma.h"

namespace wattseal::smki {

struct DocumentSetRow {
  std::string_view document, approver, months_before, milestone, review_months, source,
      in_force_from;
};
std::span<const DocumentSetRow> document_set_rows();

struct MilestoneRow {
  std::string_view id, meaning, source, in_force_from;
};
std::span<const MilestoneRow> milestone_rows();
// The day of a milestone, where it was set.
std::optional<UtcTime> milestone(const storage::Reader& reader, std::string_view id);

// missing: nothing lodged; unapproved: in force or lodged without the approval that it needs;
// pending: approved, not in force yet; in_force.
enum class DocumentStanding { missing, unapproved, pending, in_force };
std::string_view text(DocumentStanding standing);

struct DocumentReport {
  const DocumentSetRow* row = nullptr;
  std::string title;
  DocumentStanding standing = DocumentStanding::missing;
  std::vector<DocumentVersion> versions;          // of the library, in order
  std::map<std::uint64_t, DecisionId> approvals;  // by version, where the PMA approves
  std::optional<UtcTime> due;                     // end of the last day, UTC
  std::optional<UtcTime> met;                     // when the first version that counts was there
  std::optional<UtcTime> review_due;              // of the version in force
  bool overdue = false, late = false, review_overdue = false;  // late: met after it was due
};
// Of every document of the set, in the order of its rows.
std::vector<DocumentReport> report_document_set(const storage::Reader& reader, UtcTime now);

}  // namespace wattseal::smki
