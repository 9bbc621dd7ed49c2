// The PMA as a rehearsal plays it: six seats weigh the factors of the guidance and vote at a table;
// what they resolve is kept in a file, so that a rehearsal that was interrupted finds it. Source:
// spec/smki.md 6.2, 7; V-05, V-10.
#pragma once
#include <filesystem>

#include "recovery/recovery.h"

namespace wattseal::apps {

class RehearsedPma final : public recovery::PmaDecisions {
 public:
  RehearsedPma(const World& world, std::filesystem::path file)
      : world_(world), file_(std::move(file)) {}
  // The number of the decision on a subject: the one that was made, or a new one.
  recovery::DecisionId resolve(const std::string& kind, const std::string& subject);
  std::string votes() const;
  // Refuses recovery-decision.
  Result<recovery::PmaDecision> approved(recovery::DecisionId id, std::string_view kind,
                                         std::string_view subject) const override;

 private:
  const World& world_;
  const std::filesystem::path file_;
};

}  // namespace wattseal::apps
