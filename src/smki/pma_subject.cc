// What a resolution may be about: the form of data/resolution_kinds.tsv, and that the thing is
// there.
#include "smki/governance.h"

namespace wattseal::smki {
namespace {

constexpr std::size_t kNameMost = 100;

Refusal bad(std::string detail) { return {"pma-subject"_rule, std::move(detail), "subject"}; }

bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameMost && name.front() != ' ' && name.back() != ' ' &&
         std::ranges::none_of(
             name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Status check_form(std::string_view form, const std::string& subject) {
  const std::vector<std::string> wanted = parts_of(form), given = parts_of(subject);
  bool good = wanted.size() == given.size();
  for (std::size_t i = 0; good && i < wanted.size(); ++i) {
    good = wanted[i] == "NUMBER" ? number_of(given[i]).has_value()
           : wanted[i] == "DATE" ? day_of(given[i]).has_value()
           : wanted[i] == "NAME" ? good_name(given[i])
                                 : given[i] == wanted[i];
  }
  if (good) return {};
  return bad("'" + subject.substr(0, 80) + "' is not " + std::string(form));
}

Result<const DocumentSetRow*> read_document(const std::string& name, bool for_approval) {
  const auto row = std::ranges::find(document_set_rows(), name, &DocumentSetRow::document);
  if (row == document_set_rows().end()) return bad(name + " is not in the SMKI Document Set");
  if (for_approval && row->approver != "pma")
    return bad(name + " takes " + std::string(row->approver) + ", not the PMA");
  return &*row;
}
Status check_version(const ActScene& scene, const std::string& name, std::uint64_t version) {
  for (const DocumentVersion& one : document_versions(scene.reader, name, scene.now)) {
    if (one.version != version) continue;
    if (one.state == DocumentState::withdrawn)
      return bad(name + " version " + std::to_string(version) + " is withdrawn");
    return {};
  }
  return bad(name + " has no version " + std::to_string(version) + " in the repository");
}

}  // namespace

Status check_provider(const storage::Reader& reader, const std::string& provider) {
  if (const std::optional<Eui64> party = affiliated_party(reader, provider))
    return Refusal{"assurance-independence"_rule,
                   provider + " is or is an affiliate of the Party " + party->text(), "provider"};
  for (const PmaSeat& seat : pma_seats(reader)) {
    if (seat.row->id == "specialist" && seat.member &&
        affiliated(reader, provider, seat.member->organisation))
      return Refusal{"assurance-independence"_rule,
                     provider + " is or is an affiliate of " + seat.member->organisation +
                         ", of which the SMKI Specialist is",
                     "provider"};
  }
  return {};
}

Status check_subject(const ActScene& scene, const ResolutionKindRow& kind,
                     const std::string& subject) {
  TRY(check_form(kind.subject, subject));
  const std::vector<std::string> parts = parts_of(subject);
  const auto number = [&](std::size_t part) { return number_of(parts.at(part)).value(); };
  if (kind.id == "approve-document" || kind.id == "review-document") {
    TRY(read_document(parts.at(1), kind.id == "approve-document"));
    return check_version(scene, parts.at(1), number(2));
  }
  if (kind.id == "set-document-deadline") {
    TRY(read_document(parts.at(1), true));
    return {};
  }
  if (kind.id == "agree-assurance-provider") return check_provider(scene.reader, parts.at(1));
  if (kind.id == "publish-remedial-plan") {
    const Result<Finding> finding = find_finding(scene.reader, number(1), number(2));
    if (!finding.ok() || finding->plan.empty()) return bad("there is no remedial plan of it");
    return {};
  }
  if (kind.id == "propose-cost-recovery") {
    if (!find_assessment(scene.reader, number(1)).ok()) return bad("there is no such assessment");
    return {};
  }
  if (kind.id == "rescind") {
    const Result<Resolution> earlier = find_resolution(scene.reader, number(1));
    if (!earlier.ok() || earlier->outcome != Outcome::carried || earlier->rescinded_by != 0)
      return bad("decision " + parts.at(1) + " does not stand");
    return {};
  }
  return {};
}

}  // namespace wattseal::smki
