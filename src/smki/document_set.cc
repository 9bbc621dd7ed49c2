#include "smki/document_set.h"

#include "base/fault.h"
#include "smki/governance.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr DocumentSetRow kRows[] = {
#include "tables/document_set.inc"
};
constexpr MilestoneRow kMilestones[] = {
#include "tables/milestones.inc"
};
static_assert(std::ranges::all_of(kRows, [](const DocumentSetRow& row) {
  return row.approver == "pma" || row.approver == "modification" ||
         row.approver == "secretary-of-state";
}));
constexpr std::int64_t kDay = 86400;

std::string get(const json& payload, const char* field) { return particular(payload, field); }

int months(std::string_view text) { return static_cast<int>(to_unsigned(text)); }

// ---- acts

Bytes dated_fact(const ActScene& scene, std::string_view event, const json& payload,
                 const std::string& name, const Act& act) {
  FactWriter fact(FactKind::document_set_changed, scene.now, scene.trace);
  fact.text(FactField::event, event)
      .text(FactField::milestone, name)
      .time(FactField::effective_from, day_of(get(payload, "date")).value())
      .text(FactField::detail, get(payload, "evidence"))
      .number(FactField::act, act.id);
  if (payload.contains("decision"))
    fact.number(FactField::resolution, number_of(get(payload, "decision")).value());
  return fact.bytes();
}

Status check_milestone(const ActScene&, const json& payload, const Person&) {
  const std::string id = get(payload, "milestone");
  if (std::ranges::find(kMilestones, id, &MilestoneRow::id) == std::end(kMilestones))
    return Refusal{"document-set-milestone"_rule, "'" + id + "' is none", "milestone"};
  if (day_of(get(payload, "date"))) return {};
  return Refusal{"document-set-milestone"_rule, "'" + get(payload, "date") + "' is no day", "date"};
}
void set_milestone(const ActScene& scene, storage::Batch& batch, const json& payload,
                   const Act& act) {
  put_governance(scene, batch,
                 dated_fact(scene, "milestone", payload, get(payload, "milestone"), act));
}

// Where the PMA determines the day it has resolved exactly that one; elsewhere the Secretary of
// State's word is the evidence.
Status check_deadline(const ActScene& scene, const json& payload, const Person&) {
  const std::string name = get(payload, "document"), date = get(payload, "date");
  const auto* const row = std::ranges::find(kRows, name, &DocumentSetRow::document);
  if (row == std::end(kRows) || row->approver == "modification" || !day_of(date))
    return Refusal{"document-set-deadline"_rule,
                   row == std::end(kRows) ? "'" + name + "' is not in the set"
                   : !day_of(date)        ? "'" + date + "' is no day"
                                          : name + " changes by modification",
                   row == std::end(kRows) || day_of(date) ? "document" : "date"};
  const bool given = payload.contains("decision");
  if (given != (row->approver == "pma"))
    return Refusal{"document-set-deadline"_rule,
                   name + (given ? " takes the word of the Secretary of State, no decision"
                                 : " takes a decision of the PMA"),
                   "decision"};
  if (!given) return {};
  TRY(approved_decision(scene.reader, number_of(get(payload, "decision")).value_or(0),
                        "set-document-deadline", "deadline/" + name + "/" + date));
  return {};
}
void set_deadline(const ActScene& scene, storage::Batch& batch, const json& payload,
                  const Act& act) {
  put_governance(scene, batch,
                 dated_fact(scene, "deadline", payload, get(payload, "document"), act));
}

constexpr ActHandler kHandlers[] = {
    {"set-milestone", "milestone,date,evidence", check_milestone, set_milestone},
    {"set-document-deadline", "document,date,decision?,evidence", check_deadline, set_deadline},
};

// ---- the report

std::optional<UtcTime> due_of(const storage::Reader& reader, const DocumentSetRow& row) {
  if (const std::optional<Dated> set =
          find_dated(reader, tables::document_set, deadline_key(row.document)))
    return set->at.plus_seconds(kDay);
  if (row.months_before == "-") return {};
  const std::optional<UtcTime> day = milestone(reader, row.milestone);
  if (!day) return {};
  return months_later(*day, -months(row.months_before)).plus_seconds(kDay);
}

struct Approval {
  DecisionId decision = 0;
  UtcTime at;
};
std::map<std::uint64_t, Approval> approvals_of(const storage::Reader& reader,
                                               std::string_view document) {
  std::map<std::uint64_t, Approval> all;
  Bytes prefix = approval_key(document, 0);
  prefix.resize(prefix.size() - 8);
  reader.scan(tables::document_set, prefix, storage::prefix_end(prefix),
              [&](BytesView key, BytesView record) {
                const Dated dated = to_dated(record);
                all[get_be(key.last(8))] = {dated.decision, dated.at};
                return true;
              });
  return all;
}

std::string title_of(std::string_view document) {
  const auto row = std::ranges::find(document_kinds(), document, &DocumentKindRow::id);
  CHECK(row != document_kinds().end());  // a test proves it
  return std::string(row->title);
}

DocumentReport report(const storage::Reader& reader, const DocumentSetRow& row, UtcTime now) {
  DocumentReport out;
  out.row = &row;
  out.title = title_of(row.document);
  out.versions = document_versions(reader, row.document, now);
  out.due = due_of(reader, row);
  const std::map<std::uint64_t, Approval> approvals = approvals_of(reader, row.document);
  for (const auto& [version, approval] : approvals) out.approvals[version] = approval.decision;
  const bool by_pma = row.approver == "pma";
  const auto raise = [&](DocumentStanding standing) {
    out.standing = std::max(out.standing, standing);
  };
  std::optional<UtcTime> settled;  // since when the version in force is as it must be
  for (const DocumentVersion& version : out.versions) {
    if (version.state == DocumentState::withdrawn) continue;
    const auto approval = approvals.find(version.version);
    if (by_pma && approval == approvals.end()) {
      raise(DocumentStanding::unapproved);
      continue;
    }
    const UtcTime since =
        by_pma ? std::max(approval->second.at, version.lodged_at) : version.lodged_at;
    out.met = out.met ? std::min(*out.met, since) : since;
    if (version.state == DocumentState::pending) raise(DocumentStanding::pending);
    if (version.state != DocumentState::in_force) continue;
    raise(DocumentStanding::in_force);
    settled = std::max(since, version.effective_from);
  }
  // What is in force without its approval is no better for an approved one before it.
  for (const DocumentVersion& version : out.versions) {
    if (by_pma && version.state == DocumentState::in_force && !approvals.contains(version.version))
      out.standing = DocumentStanding::unapproved;
  }
  out.overdue = out.due && !out.met && now >= *out.due;
  out.late = out.due && out.met && *out.met >= *out.due;
  if (settled) {
    const std::optional<Dated> review =
        find_dated(reader, tables::document_set, review_key(row.document));
    out.review_due =
        months_later(review ? std::max(*settled, review->at) : *settled, months(row.review_months));
    out.review_overdue = now >= *out.review_due;
  }
  return out;
}

}  // namespace

std::span<const DocumentSetRow> document_set_rows() { return kRows; }
std::span<const MilestoneRow> milestone_rows() { return kMilestones; }
std::span<const ActHandler> document_set_acts() { return kHandlers; }

std::optional<UtcTime> milestone(const storage::Reader& reader, std::string_view id) {
  const std::optional<Dated> set = find_dated(reader, tables::document_set, milestone_key(id));
  return set ? std::optional(set->at) : std::nullopt;
}

std::string_view text(DocumentStanding standing) {
  constexpr std::string_view kTexts[] = {"missing", "unapproved", "pending", "in-force"};
  return kTexts[static_cast<std::size_t>(standing)];
}

std::vector<DocumentReport> report_document_set(const storage::Reader& reader, UtcTime now) {
  std::vector<DocumentReport> reports;
  for (const DocumentSetRow& row : kRows) reports.push_back(report(reader, row, now));
  return reports;
}

void replay_document_set(storage::Changes& rows, const FactView& fact) {
  const std::string_view name = fact.text(FactField::milestone);
  const Dated dated{
      UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(FactField::effective_from))),
      fact.number(FactField::resolution), std::string(name)};
  const bool milestone = fact.text(FactField::event) == "milestone";
  rows.put(tables::document_set, milestone ? milestone_key(name) : deadline_key(name),
           to_record(dated));
}

}  // namespace wattseal::smki
