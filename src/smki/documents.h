// The document library of the SMKI repository: policies, procedures and specifications in versions.
// Who may lodge which kind stands in data/document_kinds.tsv: the DCC its documents, the Code
// Administrator those of the SMKI PMA. A version never changes and never goes: a later one
// supersedes it from its effective date on, or its lodger withdraws it, and both stay readable.
// Lodging and withdrawal are journal facts; the fact of a lodging holds the content, and the tables
// follow from the facts. Sources: 3.5, ¶62-66; spec/smki.md 3.6; R-05. Durable when a call returns.
// Threads: any. Rules: document-*.
#pragma once
#include <span>

#include "base/world.h"
#include "smki/ra.h"
#include "storage/changes.h"
#include "terms/facts.h"

namespace wattseal::smki {

struct DocumentKindRow {
  std::string_view id, title;
  std::string_view lodgers;    // kinds of party: "dcc/code-administrator"
  std::string_view documents;  // "one", named as the kind; or "many"
  std::string_view source, in_force_from;
  bool one() const { return documents == "one"; }
};
std::span<const DocumentKindRow> document_kinds();

enum class DocumentState { pending, in_force, superseded, withdrawn };
std::string_view text(DocumentState state);  // "pending", "in-force", …

struct DocumentVersion {
  std::string name;           // of the document: a letter, then letters, digits and dashes
  std::uint64_t version = 0;  // from 1, in the order of lodging
  std::string kind;           // row of document_kinds.tsv
  std::string title;
  std::string label;       // the version as the document prints it, such as "1.2"
  std::string media_type;  // "application/pdf"
  crypto::Digest digest{};
  std::uint64_t octets = 0;
  UtcTime lodged_at, effective_from;
  Eui64 lodger;
  PersonId person = 0;  // who lodged it, where somebody said so
  std::optional<UtcTime> withdrawn_at;
  std::string reason;                            // of the withdrawal
  DocumentState state = DocumentState::pending;  // at the time of asking
};

struct Lodging {
  std::string kind;
  std::string name;  // may be empty where the kind has one document
  std::string title, label, media_type;
  std::optional<UtcTime> effective_from;  // absent: now
  Bytes content;
};
struct Lodger {
  Eui64 party;
  PersonId person = 0;
  std::string address = {};
};

class Documents {
 public:
  Documents(const World& world, storage::Store& store) : world_(world), store_(store) {}

  // The new version; the one that is there when exactly this was lodged as the newest before (safe
  // to repeat after a lost answer). Refuses document-kind, -lodger, -officer, -field, -too-large,
  // -immutable, -order, -full.
  Result<DocumentVersion> lodge(const Lodging& lodging, const Lodger& who, TraceId trace);
  // It stays readable, as withdrawn; what it had superseded does not come back. Refuses
  // document-unknown, -lodger, -officer, -field (reason), -withdrawn.
  Result<DocumentVersion> withdraw(std::string_view name, std::uint64_t version,
                                   std::string_view reason, const Lodger& who, TraceId trace);

  std::vector<DocumentVersion> all() const;  // by name, then version
  // Of one document, in order. Refuses document-unknown.
  Result<std::vector<DocumentVersion>> versions(std::string_view name) const;
  // `version` absent: the one in force. Refuses document-unknown.
  Result<DocumentVersion> find(std::string_view name, std::optional<std::uint64_t> version) const;
  Bytes content(const DocumentVersion& version) const;

  // What document_lodged and document_withdrawn do to the tables.
  static void replay(storage::Changes& rows, const FactView& fact);

 private:
  const World& world_;
  storage::Store& store_;
};

// Versions of one document as a reader has them, in order; none: it is unknown.
std::vector<DocumentVersion> document_versions(const storage::Reader& reader, std::string_view name,
                                               UtcTime now);

}  // namespace wattseal::smki
