#include "smki/ra.h"

#include <map>

#include "base/fault.h"
#include "smki/deciding.h"
#include "smki/request_blocks.h"
#include "smki/service_hours.h"

namespace wattseal::smki {
namespace {

constexpr char kIssued = 'i', kPublished = 'p';

}  // namespace

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

std::string_view text(RowState state) {
  constexpr std::string_view kTexts[] = {"waiting", "authorised", "refused",
                                         "issued",  "published",  "held"};
  return kTexts[static_cast<std::size_t>(state)];
}

RegistrationAuthority::RegistrationAuthority(const World& world, storage::Store& store,
                                             Workers& workers, IntakeLimits limits,
                                             std::span<const KeyReuseRow> key_reuse)
    : world_(world),
      store_(store),
      workers_(workers),
      intake_(std::make_unique<Intake>(world, store, limits)),
      key_reuse_(key_reuse) {}
RegistrationAuthority::~RegistrationAuthority() = default;

Status RegistrationAuthority::register_party(const Party& party, TraceId trace) {
  if (!known_party_kind(party.kind))
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

// Fixes the rows' boundaries too.
}  // namespace

Digests digests_of(const std::vector<Bytes>& requests) {
  Bytes digests;
  Digests made;
  for (const Bytes& request : requests) {
    const crypto::Digest digest = crypto::sha256(request);
    append(digests, digest);
    append(made.halves, BytesView(digest).first(16));
  }
  made.all = crypto::sha256(digests);
  return made;
}

namespace {

void put_rows(storage::Batch& batch, const NewBatch& made) {
  std::vector<RequestView> waiting;
  for (std::uint32_t row = 0; row < made.rows(); ++row) {
    if (!made.refused.contains(row)) waiting.emplace_back(row, made.submission.requests[row]);
  }
  put_requests(batch, made.id, waiting);
}

}  // namespace

Bytes NewBatch::key() const {
  Bytes key = to_bytes(submission.subscriber.octets());
  append(key, digests.all);
  return key;
}

void put_batch(storage::Batch& batch, const NewBatch& made) {
  const Submission& submission = made.submission;
  const Refusal lost_race{"ra-submission-race"_rule, "the same submission came twice"};
  batch.require_absent(tables::batches, part_key(made.id, kDecisions), lost_race);
  batch.require_absent(tables::submissions, made.key(), lost_race);
  batch.put(tables::submissions, made.key(), encode_count(made.id));
  Decisions decisions;
  decisions.subscriber = submission.subscriber;
  decisions.trace = submission.trace;
  decisions.rows = made.rows();
  decisions.decided = made.decided;
  decisions.refused = static_cast<std::uint32_t>(made.refused.size());
  decisions.person = submission.person;
  decisions.address = submission.address;
  decisions.received_milliseconds = made.milliseconds;
  decisions.due = made.due;
  batch.put(tables::batches, part_key(made.id, kDecisions), decisions.record());
  if (!made.express)
    batch.put(tables::open_batches, open_batch_key(made.id),
              OpenBatch{made.id, submission.subscriber, made.rows()}.record());
  FactWriter fact(FactKind::batch_submitted, made.now, submission.trace);
  fact.number(FactField::batch, made.id)
      .eui(FactField::subscriber, submission.subscriber)
      .number(FactField::count, made.rows())
      .octets(FactField::batch_digest, made.digests.all)
      .number(FactField::person, submission.person)
      .text(FactField::address, submission.address)
      .number(FactField::at_milliseconds, static_cast<std::uint64_t>(made.milliseconds))
      .time(FactField::due, made.due);
  if (made.rows() > 1) fact.octets(FactField::request_digests, made.digests.halves);
  batch.append(fact.bytes());
  for (const auto& [row, refusal] : made.refused)
    refuse_row(batch, made.id, row, refusal, made.now, submission.trace);
}

Result<BatchId> RegistrationAuthority::submit(const Submission& submission) {
  TRY_ASSIGN(const Party subscriber, party(submission.subscriber));
  TRY(check_officer(store_, subscriber, submission.person, world_.now()));
  if (submission.requests.empty())
    return Refusal{"ra-batch-empty"_rule, "the submission holds no request"};
  if (submission.requests.size() > limit("batch_rows_max")) {
    return Refusal{"ra-batch-too-large"_rule,
                   std::to_string(submission.requests.size()) + " requests in one submission"};
  }
  TRY(intake_->count_submission(submission.subscriber));
  NewBatch made(submission);
  made.refused = refused_rows(submission);
  made.digests = digests_of(submission.requests);
  made.decided = static_cast<std::uint32_t>(made.refused.size());

  std::optional<Intake::Room> room;
  for (;;) {
    if (const std::optional<Bytes> earlier = store_.get(tables::submissions, made.key())) {
      const BatchId id = RecordReader(*earlier).number();
      // Where the store failed after it had it, nobody has told the intake yet.
      if (const std::optional<Bytes> open = store_.get(tables::open_batches, open_batch_key(id)))
        intake_->stored(OpenBatch::read(id, *open));
      return id;
    }
    if (!room) {
      TRY_ASSIGN(Intake::Room reserved, intake_->reserve(submission.subscriber, made.rows()));
      room.emplace(std::move(reserved));
    }
    made.id = intake_->next_id();
    made.now = world_.now();
    made.milliseconds = world_.clock.now_milliseconds();
    made.due = Calendar::read(store_, made.now).due(made.now, made.rows());
    storage::Batch batch;
    put_rows(batch, made);
    put_batch(batch, made);
    if (!store_.commit(std::move(batch)).ok()) continue;
    intake_->stored({made.id, submission.subscriber, made.rows()});
    return made.id;
  }
}

QuotaUse RegistrationAuthority::quota(Eui64 subscriber) const { return intake_->use(subscriber); }

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
  BatchStatus status;
  status.id = batch;
  status.subscriber = decisions.subscriber;
  status.rows = decisions.rows;
  status.decided = decisions.decided;
  status.refused = decisions.refused;
  status.received_milliseconds = decisions.received_milliseconds;
  status.due = decisions.due;
  if (const std::uint64_t answered = read_count(*view, tables::batches, part_key(batch, kAnswered)))
    status.answered_milliseconds = static_cast<std::int64_t>(answered);
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
  // Rows are decided in their order; those that were refused before stand in batch_rows.
  const std::uint32_t waiting = first_waiting(*view, batch).value_or(end);
  for (std::uint32_t row = from; row < end; ++row)
    results.push_back({row, row < waiting ? RowState::authorised : RowState::waiting, {}, {}, {}});
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
