// Single requests of many subscribers, judged before they are stored.
#include "smki/authority.h"
#include "smki/deciding.h"
#include "smki/service_hours.h"

namespace wattseal::smki {
namespace {

// What one round of admissions shares.
struct Round {
  KeyReusePolicy key_reuse;
  UtcTime now;
  std::int64_t milliseconds = 0;
  UtcTime due;
  bool maintenance = false;
  std::map<Eui64, std::optional<Party>> parties;
  std::set<Bytes> submissions, keys;
};

bool fits(const Submission& submission) {
  return submission.requests.size() == 1 && submission.unreadable.empty() &&
         submission.requests.front().size() <= limit("csr_octets_max");
}

// Takes one in, as far as it can be judged alone; nothing: it is turned away or ordinary.
std::optional<Decision> enter(Round& round, Admission& one, Intake& intake,
                              const storage::Reader& reader) {
  const Submission& submission = one.made.submission;
  const auto [found, fresh] = round.parties.try_emplace(submission.subscriber);
  if (fresh) found->second = find_party(reader, submission.subscriber);
  const std::optional<Party>& party = found->second;
  // What submit() refuses, it refuses by name.
  one.ordinary = !party || round.maintenance || !fits(submission) ||
                 !check_officer(reader, *party, submission.person, round.now).ok();
  if (one.ordinary) return std::nullopt;
  one.made.digests = digests_of(submission.requests);
  const Bytes key = one.made.key();
  one.ordinary =
      !round.submissions.insert(key).second || reader.get(tables::submissions, key).has_value();
  if (one.ordinary) return std::nullopt;
  Result<Decision> judged = judge(submission.requests.front(), *party, reader, round.key_reuse);
  one.ordinary = judged.ok() && needs_approval(*party, judged->asked);
  if (one.ordinary) return std::nullopt;
  Status room = intake.count_submission(submission.subscriber);
  if (room.ok()) {
    Result<Intake::Room> reserved = intake.reserve(submission.subscriber, 1);
    if (reserved.ok())
      one.room.emplace(std::move(*reserved));
    else
      room = reserved.refusal();
  }
  if (!room.ok()) {
    one.turned_away = room.refusal();
    return std::nullopt;
  }
  if (judged.ok()) return std::move(*judged);
  Decision refused;
  refused.refusal = judged.refusal();
  return refused;
}

}  // namespace

void RegistrationAuthority::admit(std::span<Admission* const> all) {
  const UtcTime now = world_.now();
  Round round{KeyReusePolicy(key_reuse_, environment_of(store_).value_or(Environment::live), now),
              now,
              {},
              {},
              false,
              {},
              {},
              {}};
  round.milliseconds = world_.clock.now_milliseconds();
  const Calendar calendar = Calendar::read(store_, round.now);
  round.due = calendar.due(round.now, 1);
  round.maintenance = calendar.maintenance_at(round.now) != nullptr;
  std::vector<std::pair<Admission*, Decision>> entered;
  for (Admission* const one : all) {
    std::optional<Decision> decision = enter(round, *one, *intake_, store_);
    if (decision) entered.emplace_back(one, std::move(*decision));
  }
  std::vector<Decision*> judged;
  for (auto& [one, decision] : entered) judged.push_back(&decision);
  check_possession(judged);
  for (auto& [one, decision] : entered) {
    one->made.id = intake_->next_id();
    one->made.now = round.now;
    one->made.milliseconds = round.milliseconds;
    one->made.due = round.due;
    one->made.decided = 1;
    one->made.express = true;
    if (!decision.refusal && !round.keys.insert(decision.key).second &&
        round.key_reuse.of(decision.asked.profile->id) != KeyReuse::allow)
      decision.refusal =
          Refusal{"csr-key-seen"_rule, "the public key is requested twice", "subjectPublicKeyInfo"};
    if (decision.refusal)
      one->made.refused.emplace(0, std::move(*decision.refusal));
    else
      one->row = {0, std::string(decision.asked.profile->id),
                  one->made.submission.requests.front()};
  }
}

void RegistrationAuthority::keep(storage::Batch& batch, const Admission& one) {
  const NewBatch& made = one.made;
  put_batch(batch, made);
  if (one.authorised())
    hand_over(batch, one.work_key(), {one.row}, made.submission.trace, made.now);
  else
    put_answered(batch, {made.id, made.submission.subscriber, 1},
                 {1, 0, made.now, made.milliseconds, made.submission.trace});
}

}  // namespace wattseal::smki
