// The decisions of the registration authority, row by row.
#include <set>

#include "base/fault.h"
#include "base/log.h"
#include "smki/authority.h"
#include "smki/deciding.h"
#include "smki/request_blocks.h"
#include "smki/service_hours.h"

namespace wattseal::smki {
namespace {

// Whether the subscriber may have this certificate. Source: L3; spec/smki.md 4.2.
Status check_eligible(const Party& party, const Asked& asked) {
  const Eui64 eui = asked.subject.eui.value();
  const bool allotted = std::ranges::any_of(
      party.allotted, [&](const EuiRange& range) { return range.contains(eui); });
  if (!allotted)
    return Refusal{"csr-eui-not-allotted"_rule,
                   eui.text() + " is outside the ranges of " + party.id.text(), "subject"};
  const std::string role = asked.subject.role ? ou_text(*asked.subject.role) : "-";
  const bool eligible =
      std::ranges::any_of(certificate_eligibility(), [&](const EligibilityRow& row) {
        return row.party_kind == party.kind && row.profile == asked.profile->id &&
               row.remote_party_role == role;
      });
  if (!eligible) {
    return Refusal{"csr-not-eligible"_rule,
                   "no row for a " + party.kind + " and " + std::string(asked.profile->id) +
                       " with role " + role,
                   "subject"};
  }
  return {};
}

// Whether the subscriber is authorised under the policy of this hierarchy.
Status check_subscriber(const Party& party, const CertificateProfile& profile) {
  const bool device = profile.hierarchy == "device";
  if (device ? party.device_subscriber : party.organisation_subscriber) return {};
  return Refusal{"csr-not-authorised-subscriber"_rule,
                 party.id.text() + " is no Authorised Subscriber for " +
                     std::string(profile.hierarchy) + " certificates"};
}

}  // namespace

Result<Decision> judge(BytesView der, const Party& party, const storage::Reader& reader,
                       const KeyReusePolicy& key_reuse) {
  TRY_ASSIGN(const x509::CertificationRequest request, x509::parse_request(der));
  Decision decision;
  TRY_ASSIGN(decision.asked, read_request(request));
  TRY(check_subscriber(party, *decision.asked.profile));
  TRY(check_eligible(party, decision.asked));
  decision.key = key_seen_key(request.key);
  if (reader.get(tables::keys_seen, decision.key))
    TRY(key_reuse.check(reader, decision.asked, request.key));
  decision.possession = x509::possession_claim(request);
  return decision;
}

void check_possession(std::span<Decision* const> judged) {
  std::vector<Decision*> open;
  std::vector<crypto::Claim> claims;
  for (Decision* const decision : judged) {
    if (decision->refusal) continue;
    open.push_back(decision);
    claims.push_back(decision->possession);
  }
  const std::vector<char> proven = crypto::verify_many(claims);
  for (std::size_t i = 0; i < open.size(); ++i) {
    if (!proven[i])
      open[i]->refusal =
          Refusal{"csr-possession"_rule, "the signature does not verify under the requested key",
                  "signature"};
  }
}

bool needs_approval(const Party& party, const Asked& asked) {
  return party.dual_control && asked.profile->hierarchy == "organisation";
}

void hand_over(storage::Batch& batch, const WorkKey& key, const std::vector<AuthorisedRow>& rows,
               TraceId trace, UtcTime now) {
  const Bytes work = encode_work(rows, trace);
  batch.put(tables::ca_work, key.octets(), work);
  FactWriter fact(FactKind::row_authorised, now, trace);
  fact.number(FactField::batch, key.batch)
      .number(FactField::row, key.first_row)
      .number(FactField::count, rows.size())
      .octets(FactField::batch_digest, crypto::sha256(work));
  if (key.order == 0) fact.text(FactField::event, kExpress);
  batch.append(fact.bytes());
}

namespace {

// Rows of one batch on their way to a decision.
struct Waiting {
  BatchId id = 0;
  Bytes record;  // of its decisions, as read
  Decisions decisions;
  Party subscriber;
  WaitingRequests requests;
  std::vector<Decision> judged;
  std::vector<AuthorisedRow> authorised;
};

// Keeps an authorised row until people have approved it.
void hold(storage::Batch& batch, Numbers& acts, BatchId id, const Asked& asked, AuthorisedRow row,
          const Decisions& decisions, UtcTime now) {
  const Bytes key = row_key(id, row.row);
  const Act act = make_act(acts.draw(), *find_act_row(kIssueAct), issue_payload(id, row.row, asked),
                           decisions.person, now);
  add_act(batch, act, {decisions.person, decisions.address}, decisions.trace);
  batch.put(tables::batch_rows, key, encode_held(act.id));
  const std::uint32_t number = row.row;
  const Bytes work = encode_work({std::move(row)}, decisions.trace);
  batch.append(FactWriter(FactKind::row_held, now, decisions.trace)
                   .number(FactField::batch, id)
                   .number(FactField::row, number)
                   .number(FactField::act, act.id)
                   .octets(FactField::batch_digest, crypto::sha256(work))
                   .bytes());
  batch.put(tables::held_rows, key, work);
}

Waiting read_waiting(const storage::Reader& reader, const Intake::Item& item,
                     std::size_t rows_max) {
  Waiting waiting;
  waiting.id = item.batch.id;
  waiting.requests = waiting_requests(reader, item.batch.id, rows_max);
  if (waiting.requests.rows.empty()) return waiting;
  const std::optional<Bytes> record = reader.get(tables::batches, part_key(waiting.id, kDecisions));
  if (!record) throw Fault("a waiting request belongs to no batch");
  waiting.record = *record;
  waiting.decisions = Decisions::read(*record);
  std::optional<Party> subscriber = find_party(reader, waiting.decisions.subscriber);
  CHECK(subscriber.has_value());  // submit() asked for it and parties are never removed
  waiting.subscriber = std::move(*subscriber);
  waiting.judged.resize(waiting.requests.rows.size());
  return waiting;
}

void judge_all(Workers& workers, std::vector<Waiting>& all, const storage::Reader& reader,
               const KeyReusePolicy& key_reuse) {
  std::vector<std::pair<Waiting*, std::size_t>> rows;
  for (Waiting& waiting : all) {
    for (std::size_t i = 0; i < waiting.judged.size(); ++i) rows.emplace_back(&waiting, i);
  }
  const std::size_t grain = rows.size() < 256 ? 8 : 32;
  workers.parallel_for(rows.size(), grain, [&](std::size_t begin, std::size_t end) {
    std::vector<Decision*> judged;
    for (std::size_t r = begin; r < end; ++r) {
      const auto& [waiting, i] = rows[r];
      Decision& decision = waiting->judged[i];
      Result<Decision> result =
          judge(waiting->requests.rows[i].second, waiting->subscriber, reader, key_reuse);
      if (result.ok())
        decision = std::move(*result);
      else
        decision.refusal = result.refusal();
      decision.row = waiting->requests.rows[i].first;
      judged.push_back(&decision);
    }
    check_possession(judged);
  });
}

// Everything that one commit draws numbers from and keeps apart.
struct Round {
  storage::Batch batch;
  Numbers acts, orders;
  std::set<Bytes>
      keys;  // the same key twice at once; over rounds the CA's own precondition finds it
  UtcTime now;
  const KeyReusePolicy& key_reuse;
};

void settle_rows(Round& round, Waiting& waiting) {
  Decisions& decisions = waiting.decisions;
  waiting.requests.decide(round.batch, waiting.id);
  for (std::size_t i = 0; i < waiting.judged.size(); ++i) {
    Decision& decision = waiting.judged[i];
    if (!decision.refusal && !round.keys.insert(decision.key).second &&
        round.key_reuse.of(decision.asked.profile->id) != KeyReuse::allow) {
      decision.refusal =
          Refusal{"csr-key-seen"_rule, "the public key is requested twice", "subjectPublicKeyInfo"};
    }
    if (decision.refusal) {
      ++decisions.refused;
      refuse_row(round.batch, waiting.id, decision.row, *decision.refusal, round.now,
                 decisions.trace);
      continue;
    }
    AuthorisedRow row{decision.row, std::string(decision.asked.profile->id),
                      std::move(waiting.requests.rows[i].second)};
    if (needs_approval(waiting.subscriber, decision.asked))
      hold(round.batch, round.acts, waiting.id, decision.asked, std::move(row), decisions,
           round.now);
    else
      waiting.authorised.push_back(std::move(row));
  }
  decisions.decided += static_cast<std::uint32_t>(waiting.judged.size());
}

}  // namespace

std::size_t RegistrationAuthority::decide(std::size_t rows_max) {
  const UtcTime now = world_.now();
  if (Calendar::read(store_, now).maintenance_at(now)) return 0;
  std::unique_ptr<Intake::Turn> turn;
  std::vector<Waiting> all;
  do {  // a batch may have no row left that waits
    turn = intake_->take(rows_max);
    if (turn->items.empty()) return 0;
    for (Intake::Item& item : turn->items) {
      Waiting waiting = read_waiting(store_, item, rows_max);
      item.decided = waiting.requests.rows.empty();
      if (!item.decided) all.push_back(std::move(waiting));
    }
  } while (all.empty());

  // Before a ceremony the stricter environment.
  const KeyReusePolicy key_reuse(key_reuse_, environment_of(store_).value_or(Environment::live),
                                 now);
  judge_all(workers_, all, store_, key_reuse);
  Round round{{}, Numbers(store_, "next_act"), Numbers(store_, kWorkOrder), {}, now, key_reuse};
  std::size_t decided = 0;
  for (Waiting& waiting : all) {
    settle_rows(round, waiting);
    const Bytes key = part_key(waiting.id, kDecisions);
    round.batch.require_value(
        tables::batches, key, waiting.record,
        Refusal{"ra-decision-race"_rule, "another process decided these rows"});
    round.batch.put(tables::batches, key, waiting.decisions.record());
    if (!waiting.authorised.empty()) {
      const Lane lane = waiting.decisions.rows == 1 ? Lane::single : Lane::batched;
      hand_over(round.batch,
                {round.orders.draw(), lane, waiting.decisions.subscriber, waiting.id,
                 waiting.authorised.front().row},
                waiting.authorised, waiting.decisions.trace, now);
    }
    decided += waiting.judged.size();
  }
  round.acts.put(round.batch);
  round.orders.put(round.batch);
  if (!store_.commit(std::move(round.batch)).ok()) {
    log::warning("ra_decision_race", {{"batch", std::to_string(all.front().id)}});
    return 0;
  }
  for (Intake::Item& item : turn->items) {
    const auto waiting = std::ranges::find(all, item.batch.id, &Waiting::id);
    if (waiting == all.end()) continue;
    item.next_row = waiting->judged.back().row + 1;
    item.decided = item.next_row >= item.batch.rows;
  }
  return decided;
}

std::size_t RegistrationAuthority::note_answered() {
  std::vector<BatchId> answered;
  storage::Batch batch;
  const UtcTime now = world_.now();
  const std::int64_t milliseconds = world_.clock.now_milliseconds();
  for (const OpenBatch& open : intake_->decided()) {
    const bool noted = store_.get(tables::batches, part_key(open.id, kAnswered)).has_value();
    const BatchStatus found = noted ? BatchStatus() : status(open.id).value();
    if (!noted && !found.settled()) continue;
    answered.push_back(open.id);
    if (noted) continue;
    batch.erase(tables::open_batches, open_batch_key(open.id));
    put_answered(batch, open, {found.refused, found.held, now, milliseconds, world_.new_trace()});
  }
  if (answered.empty()) return 0;
  if (!batch.empty() && !store_.commit(std::move(batch)).ok()) UNREACHABLE();  // no precondition
  for (const BatchId id : answered) intake_->answered(id);
  return answered.size();
}

}  // namespace wattseal::smki
