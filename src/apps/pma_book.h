// The decisions of the PMA as recovery asks for them. Private to apps.
#pragma once
#include "recovery/recovery.h"
#include "smki/pma.h"

namespace wattseal::apps {

class PmaBook final : public recovery::PmaDecisions {
 public:
  explicit PmaBook(const storage::Reader& reader) : reader_(reader) {}
  Result<recovery::PmaDecision> approved(recovery::DecisionId id, std::string_view kind,
                                         std::string_view subject) const override {
    TRY_ASSIGN(const smki::Resolution made, smki::approved_decision(reader_, id, kind, subject));
    recovery::PmaDecision decision{id, {}, made.tally, made.decided_at.value_or(made.moved_at)};
    for (const smki::Factor& factor : made.factors)
      decision.factors += (decision.factors.empty() ? "" : ", ") + factor.name + " " +
                          std::to_string(factor.weight) + " x " + std::to_string(factor.score);
    for (const smki::SeatVote& vote : made.votes)
      decision.votes +=
          (decision.votes.empty() ? "" : ", ") + vote.seat + " " + std::string(text(vote.choice));
    return decision;
  }

 private:
  const storage::Reader& reader_;
};

}  // namespace wattseal::apps
