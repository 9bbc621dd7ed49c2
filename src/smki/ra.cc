#include "smki/ra.h"

#include <map>
#include <set>

#include "base/fault.h"
#include "base/log.h"
#include "smki/office_records.h"

namespace wattseal::smki {
namespace {

constexpr char kIssued = 'i', kPublished = 'p';
const Bytes kNextBatch = to_bytes(as_bytes("next_batch"));

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

struct Decision {
  std::uint32_t row = 0;
  std::optional<Refusal> refusal;
  Asked asked;
  Bytes key;                 // of keys_seen
  crypto::Claim possession;  // still to be verified
};

// Whether the subscriber is authorised under the policy of this hierarchy.
Status check_subscriber(const Party& party, const CertificateProfile& profile) {
  const bool device = profile.hierarchy == "device";
  if (device ? party.device_subscriber : party.organisation_subscriber) return {};
  return Refusal{"csr-not-authorised-subscriber"_rule,
                 party.id.text() + " is no Authorised Subscriber for " +
                     std::string(profile.hierarchy) + " certificates"};
}

// Everything that one request can be judged by on its own, but for the proof of possession, which
// costs more than all the rest together and is verified for many at once.
Result<Decision> judge(BytesView der, const Party& party, const storage::Reader& reader) {
  TRY_ASSIGN(const x509::CertificationRequest request, x509::parse_request(der));
  Decision decision;
  TRY_ASSIGN(decision.asked, read_request(request));
  TRY(check_subscriber(party, *decision.asked.profile));
  TRY(check_eligible(party, decision.asked));
  decision.key = key_seen_key(request.key);
  if (reader.get(tables::keys_seen, decision.key)) {
    return Refusal{"csr-key-seen"_rule, "the public key is in a certificate already",
                   "subjectPublicKeyInfo"};
  }
  decision.possession = x509::possession_claim(request);
  return decision;
}

Status check_officer(const storage::Reader& reader, const Party& party, PersonId id, UtcTime now) {
  if (!party.dual_control) return {};
  const std::optional<Person> person = find_person(reader, id);
  if (person && person->party == party.id && person->role == "aro" && person->may_act(now))
    return {};
  return Refusal{
      "ra-officer-required"_rule,
      "person " + std::to_string(id) + " is no officer of " + party.id.text() + " who may act now",
      "person"};
}

struct Waiting {
  BatchId batch = 0;
  std::vector<std::pair<std::uint32_t, Bytes>> rows;
};

// The oldest waiting rows of one batch.
Waiting waiting_rows(const storage::Reader& reader, BytesView from, std::size_t rows_max) {
  Waiting waiting;
  reader.scan(tables::batch_requests, from, {}, [&](BytesView key, BytesView request) {
    if (waiting.rows.empty()) waiting.batch = batch_of(key);
    if (batch_of(key) != waiting.batch) return false;
    waiting.rows.emplace_back(row_of(key), to_bytes(request));
    return waiting.rows.size() < rows_max;
  });
  return waiting;
}

void check_possession(std::span<Decision> judged) {
  std::vector<Decision*> open;
  std::vector<crypto::Claim> claims;
  for (Decision& decision : judged) {
    if (decision.refusal) continue;
    open.push_back(&decision);
    claims.push_back(decision.possession);
  }
  const std::vector<char> proven = crypto::verify_many(claims);
  for (std::size_t i = 0; i < open.size(); ++i) {
    if (!proven[i])
      open[i]->refusal =
          Refusal{"csr-possession"_rule, "the signature does not verify under the requested key",
                  "signature"};
  }
}

std::vector<Decision> judge_all(Workers& workers, const Waiting& waiting, const Party& subscriber,
                                const storage::Reader& reader) {
  std::vector<Decision> judged(waiting.rows.size());
  workers.parallel_for(judged.size(), 32, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      Result<Decision> result = judge(waiting.rows[i].second, subscriber, reader);
      if (result.ok())
        judged[i] = std::move(*result);
      else
        judged[i].refusal = result.refusal();
      judged[i].row = waiting.rows[i].first;
    }
    check_possession(std::span(judged).subspan(begin, end - begin));
  });
  return judged;
}

void refuse_row(storage::Batch& batch, BatchId id, std::uint32_t row, const Refusal& refusal,
                UtcTime now, TraceId trace) {
  batch.put(tables::batch_rows, row_key(id, row),
            encode_refused(refusal.rule.text(), refusal.detail));
  batch.append(FactWriter(FactKind::row_refused, now, trace)
                   .number(FactField::batch, id)
                   .number(FactField::row, row)
                   .text(FactField::rule, refusal.rule.text())
                   .text(FactField::detail, refusal.detail)
                   .bytes());
}

// Keeps an authorised row until people have approved it.
void hold(storage::Batch& batch, Numbers& acts, BatchId id, const Asked& asked, AuthorisedRow row,
          const Decisions& decisions, UtcTime now) {
  const Bytes key = row_key(id, row.row);
  const Act act = make_act(acts.draw(), *find_act_row(kIssueAct), issue_payload(id, row.row, asked),
                           decisions.person, now);
  add_act(batch, act, {decisions.person, decisions.address}, decisions.trace);
  batch.put(tables::batch_rows, key, encode_held(act.id));
  batch.append(FactWriter(FactKind::row_held, now, decisions.trace)
                   .number(FactField::batch, id)
                   .number(FactField::row, row.row)
                   .number(FactField::act, act.id)
                   .bytes());
  batch.put(tables::held_rows, key, encode_work({std::move(row)}, decisions.trace));
}

}  // namespace

std::string_view text(RowState state) {
  constexpr std::string_view kTexts[] = {"waiting", "authorised", "refused",
                                         "issued",  "published",  "held"};
  return kTexts[static_cast<std::size_t>(state)];
}

RegistrationAuthority::RegistrationAuthority(const World& world, storage::Store& store,
                                             Workers& workers)
    : world_(world), store_(store), workers_(workers) {}

Status RegistrationAuthority::register_party(const Party& party, TraceId trace) {
  const bool known_kind =
      std::ranges::any_of(certificate_eligibility(),
                          [&](const EligibilityRow& row) { return row.party_kind == party.kind; });
  if (!known_kind)
    return Refusal{"ra-party-kind"_rule, "'" + party.kind + "' is no kind of party", "kind"};
  storage::Batch batch;
  batch.put(tables::parties, party.id.octets(), to_record(party));
  add_party_fact(batch, party, world_.now(), trace);
  TRY(store_.commit(std::move(batch)));
  return {};
}

Result<Party> RegistrationAuthority::party(Eui64 id) const {
  std::optional<Party> found = find_party(store_, id);
  if (!found)
    return Refusal{"ra-unknown-subscriber"_rule, id.text() + " is not registered", "subscriber"};
  return std::move(*found);
}

std::vector<Party> RegistrationAuthority::parties() const {
  std::vector<Party> parties;
  store_.scan(tables::parties, {}, {}, [&](BytesView key, BytesView value) {
    parties.push_back(to_party(Eui64::from_number(get_be(key)), value));
    return true;
  });
  return parties;
}

namespace {

// Rows that need no decision: unreadable, or too long to be looked at.
std::map<std::uint32_t, Refusal> refused_rows(const Submission& submission) {
  std::map<std::uint32_t, Refusal> refused;
  for (const RowRefusal& one : submission.unreadable) {
    CHECK(one.row < submission.requests.size());
    refused.emplace(one.row, one.refusal);
  }
  for (std::size_t row = 0; row < submission.requests.size(); ++row) {
    const std::size_t octets = submission.requests[row].size();
    if (octets > limit("csr_octets_max"))
      refused.emplace(static_cast<std::uint32_t>(row),
                      Refusal{"csr-too-large"_rule, std::to_string(octets) + " octets"});
  }
  return refused;
}

}  // namespace

Result<BatchId> RegistrationAuthority::submit(const Submission& submission) {
  TRY_ASSIGN(const Party subscriber, party(submission.subscriber));
  TRY(check_officer(store_, subscriber, submission.person, world_.now()));
  if (submission.requests.empty())
    return Refusal{"ra-batch-empty"_rule, "the submission holds no request"};
  if (submission.requests.size() > limit("batch_rows_max")) {
    return Refusal{"ra-batch-too-large"_rule,
                   std::to_string(submission.requests.size()) + " requests in one submission"};
  }
  const std::map<std::uint32_t, Refusal> refused = refused_rows(submission);
  Bytes digests;  // of each request, so that the submission's digest fixes the rows' boundaries too
  for (const Bytes& request : submission.requests) append(digests, crypto::sha256(request));
  const crypto::Digest digest = crypto::sha256(digests);
  Bytes submission_key = to_bytes(submission.subscriber.octets());
  append(submission_key, digest);

  for (;;) {
    if (const std::optional<Bytes> earlier = store_.get(tables::submissions, submission_key))
      return RecordReader(*earlier).number();
    const std::optional<Bytes> next = store_.get(tables::meta, kNextBatch);
    const BatchId id = next ? RecordReader(*next).number() : 1;
    storage::Batch batch;
    const Refusal lost_race{"ra-submission-race"_rule, "another submission took the number"};
    if (next) {
      batch.require_value(tables::meta, kNextBatch, *next, lost_race);
    } else {
      batch.require_absent(tables::meta, kNextBatch, lost_race);
    }
    batch.require_absent(tables::submissions, submission_key, lost_race);
    batch.put(tables::meta, kNextBatch, encode_count(id + 1));
    batch.put(tables::submissions, submission_key, encode_count(id));
    const UtcTime now = world_.now();
    for (std::size_t row = 0; row < submission.requests.size(); ++row) {
      const std::uint32_t number = static_cast<std::uint32_t>(row);
      if (!refused.contains(number))
        batch.put(tables::batch_requests, row_key(id, number), submission.requests[row]);
    }
    const std::uint32_t done = static_cast<std::uint32_t>(refused.size());
    Decisions decisions{submission.subscriber,
                        submission.trace,
                        static_cast<std::uint32_t>(submission.requests.size()),
                        done,
                        done,
                        submission.person,
                        submission.address};
    batch.put(tables::batches, part_key(id, kDecisions), decisions.record());
    batch.append(FactWriter(FactKind::batch_submitted, now, submission.trace)
                     .number(FactField::batch, id)
                     .eui(FactField::subscriber, submission.subscriber)
                     .number(FactField::count, submission.requests.size())
                     .octets(FactField::batch_digest, digest)
                     .number(FactField::person, submission.person)
                     .text(FactField::address, submission.address)
                     .bytes());
    for (const auto& [row, refusal] : refused)
      refuse_row(batch, id, row, refusal, now, submission.trace);
    if (store_.commit(std::move(batch)).ok()) return id;
  }
}

std::size_t RegistrationAuthority::decide(std::size_t rows_max) {
  Waiting waiting = waiting_rows(store_, cursor_, rows_max);
  if (waiting.rows.empty()) return 0;

  const Bytes decisions_key = part_key(waiting.batch, kDecisions);
  const std::optional<Bytes> record = store_.get(tables::batches, decisions_key);
  if (!record) throw Fault("a waiting request belongs to no batch");
  Decisions decisions = Decisions::read(*record);
  const Result<Party> subscriber = party(decisions.subscriber);
  CHECK(subscriber.ok());  // submit() asked for it and parties are never removed

  std::vector<Decision> judged = judge_all(workers_, waiting, *subscriber, store_);
  const UtcTime now = world_.now();
  storage::Batch batch;
  std::vector<AuthorisedRow> authorised;
  Numbers acts(store_, "next_act");
  std::set<Bytes>
      keys;  // the same key twice in one chunk; over chunks the CA's own precondition finds it
  for (std::size_t i = 0; i < judged.size(); ++i) {
    Decision& decision = judged[i];
    if (!decision.refusal && !keys.insert(decision.key).second) {
      decision.refusal =
          Refusal{"csr-key-seen"_rule, "the public key is requested twice", "subjectPublicKeyInfo"};
    }
    batch.erase(tables::batch_requests, row_key(waiting.batch, decision.row));
    if (!decision.refusal) {
      AuthorisedRow row{decision.row, std::string(decision.asked.profile->id),
                        std::move(waiting.rows[i].second)};
      if (subscriber->dual_control && decision.asked.profile->hierarchy == "organisation")
        hold(batch, acts, waiting.batch, decision.asked, std::move(row), decisions, now);
      else
        authorised.push_back(std::move(row));
      continue;
    }
    ++decisions.refused;
    refuse_row(batch, waiting.batch, decision.row, *decision.refusal, now, decisions.trace);
  }
  acts.put(batch);
  decisions.decided += static_cast<std::uint32_t>(judged.size());
  batch.require_value(tables::batches, decisions_key, *record,
                      Refusal{"ra-decision-race"_rule, "another process decided these rows"});
  batch.put(tables::batches, decisions_key, decisions.record());
  if (!authorised.empty()) {
    const std::uint32_t first = authorised.front().row;
    const Bytes work = encode_work(authorised, decisions.trace);
    batch.put(tables::ca_work, row_key(waiting.batch, first), work);
    batch.append(FactWriter(FactKind::row_authorised, now, decisions.trace)
                     .number(FactField::batch, waiting.batch)
                     .number(FactField::row, first)
                     .number(FactField::count, authorised.size())
                     .octets(FactField::batch_digest, crypto::sha256(work))
                     .bytes());
  }
  const Result<std::uint64_t> committed = store_.commit(std::move(batch));
  if (!committed.ok()) {
    log::warning("ra_decision_race", {{"batch", std::to_string(waiting.batch)}});
    return 0;
  }
  cursor_ = row_key(waiting.batch, judged.back().row + 1);
  return judged.size();
}

std::size_t RegistrationAuthority::lapse_held() {
  std::size_t lapsed = 0;
  const UtcTime now = world_.now();
  const std::unique_ptr<storage::Reader> view = store_.snapshot();
  view->scan(tables::held_rows, {}, {}, [&](BytesView key, BytesView) {
    const std::optional<Bytes> outcome = view->get(tables::batch_rows, key);
    if (!outcome) throw Fault("a held request has no row");
    RecordReader record(*outcome);
    CHECK(static_cast<RowState>(record.number()) == RowState::held);
    const std::optional<Bytes> act = view->get(tables::acts, act_key(record.number()));
    if (!act) throw Fault("a held request waits for no act");
    const UtcTime until = to_act(0, *act).lapses_at;
    if (now < until) return true;
    storage::Batch batch;
    refuse_held_row(*view, batch, key,
                    Refusal{"csr-approval-lapsed"_rule, "the approval was due by " + until.iso()},
                    now, world_.new_trace());
    if (store_.commit(std::move(batch)).ok()) ++lapsed;  // else next time
    return true;
  });
  return lapsed;
}

Result<BatchStatus> RegistrationAuthority::status(BatchId batch) const {
  const std::unique_ptr<storage::Reader> view = store_.snapshot();
  const std::optional<Bytes> record = view->get(tables::batches, part_key(batch, kDecisions));
  if (!record)
    return Refusal{"ra-unknown-batch"_rule, "there is no batch " + std::to_string(batch), "batch"};
  const Decisions decisions = Decisions::read(*record);
  BatchStatus status{
      batch, decisions.subscriber, decisions.rows, decisions.decided, decisions.refused, 0, 0, 0};
  view->scan(tables::held_rows, row_key(batch, 0), row_key(batch + 1, 0),
             [&](BytesView, BytesView) { return ++status.held != 0; });
  const std::optional<Bytes> issued = view->get(tables::batches, part_key(batch, kIssued));
  if (issued) {
    RecordReader counts(*issued);
    status.issued = static_cast<std::uint32_t>(counts.number());
    status.refused +=
        static_cast<std::uint32_t>(counts.number());  // by the CA: a key certified meanwhile
  }
  status.published =
      static_cast<std::uint32_t>(read_count(*view, tables::batches, part_key(batch, kPublished)));
  return status;
}

std::vector<RowResult> RegistrationAuthority::results(BatchId batch, std::uint32_t from,
                                                      std::uint32_t rows_max) const {
  const std::unique_ptr<storage::Reader> view = store_.snapshot();
  std::vector<RowResult> results;
  const std::optional<Bytes> record = view->get(tables::batches, part_key(batch, kDecisions));
  if (!record) return results;
  const Decisions decisions = Decisions::read(*record);
  const std::uint32_t end = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(decisions.rows, std::uint64_t{from} + rows_max));
  for (std::uint32_t row = from; row < end; ++row) {
    results.push_back(
        {row, row < decisions.decided ? RowState::authorised : RowState::waiting, {}, {}, {}});
  }
  view->scan(tables::batch_rows, row_key(batch, from), row_key(batch, end),
             [&](BytesView key, BytesView value) {
               RowResult& result = results[row_of(key) - from];
               RecordReader outcome(value);
               result.state = static_cast<RowState>(outcome.number());
               if (result.state == RowState::refused) {
                 result.rule = outcome.text();
                 result.detail = outcome.text();
               } else if (result.state == RowState::held) {
                 result.act = outcome.number();
               } else {
                 const Result<CertificateSerial> serial =
                     CertificateSerial::from_octets(outcome.octets());
                 CHECK(serial.ok());
                 result.serial = *serial;
                 if (view->get(tables::certificates, serial->octets()))
                   result.state = RowState::published;
               }
               return true;
             });
  return results;
}

}  // namespace wattseal::smki
