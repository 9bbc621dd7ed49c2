#include "smki/intake.h"

namespace wattseal::smki {
namespace {

std::int64_t seconds_now(const World& world) {
  return world.clock.monotonic_microseconds() / 1'000'000;
}

std::string of_limit(std::uint64_t use, std::uint64_t most, std::string_view what) {
  return std::to_string(use) + " of " + std::to_string(most) + " " + std::string(what);
}

}  // namespace

IntakeLimits standing_intake_limits() {
  return {limit("submissions_per_minute"), limit("waiting_rows_subscriber_max"),
          limit("waiting_submissions_max"), limit("waiting_rows_max")};
}

Bytes OpenBatch::record() const {
  return RecordWriter().octets(subscriber.octets()).number(rows).bytes();
}
OpenBatch OpenBatch::read(BatchId id, BytesView octets) {
  RecordReader record(octets);
  const Eui64 subscriber = Eui64::from_number(get_be(record.octets()));
  return {id, subscriber, static_cast<std::uint32_t>(record.number())};
}

Bytes open_batch_key(BatchId id) {
  Bytes key;
  put_be(key, id);
  return key;
}

void put_answered(storage::Batch& batch, const OpenBatch& open, const Answered& answered) {
  const std::uint64_t milliseconds = static_cast<std::uint64_t>(answered.milliseconds);
  batch.put(tables::batches, part_key(open.id, kAnswered), encode_count(milliseconds));
  batch.append(FactWriter(FactKind::batch_completed, answered.now, answered.trace)
                   .number(FactField::batch, open.id)
                   .eui(FactField::subscriber, open.subscriber)
                   .number(FactField::count, open.rows)
                   .number(FactField::refused, answered.refused)
                   .number(FactField::held, answered.held)
                   .number(FactField::at_milliseconds, milliseconds)
                   .bytes());
}

// ---- room

Status Intake::count_submission(Eui64 subscriber) {
  const std::lock_guard lock(mutex_);
  Use& use = use_[subscriber];
  const std::int64_t minute = seconds_now(world_) / 60;
  if (use.minute != minute) use.this_minute = 0;
  use.minute = minute;
  if (use.this_minute >= limits_.submissions_per_minute)
    return Refusal{
        "ra-quota-rate"_rule,
        of_limit(use.this_minute, limits_.submissions_per_minute, "submissions in this minute"),
        "subscriber"};
  ++use.this_minute;
  return {};
}

Result<Intake::Room> Intake::reserve(Eui64 subscriber, std::uint32_t rows) {
  const std::lock_guard lock(mutex_);
  look();
  const Use& use = use_[subscriber];
  if (use.rows + rows > limits_.waiting_rows_subscriber)
    return Refusal{"ra-quota-rows"_rule,
                   of_limit(use.rows, limits_.waiting_rows_subscriber, "requests wait and ") +
                       std::to_string(rows) + " more are sent",
                   "subscriber"};
  if (use.submissions >= limits_.waiting_submissions)
    return Refusal{"ra-quota-rows"_rule,
                   of_limit(use.submissions, limits_.waiting_submissions, "submissions wait"),
                   "subscriber"};
  if (rows_ + rows > limits_.waiting_rows)
    return Refusal{"ra-queue-full"_rule,
                   of_limit(rows_, limits_.waiting_rows, "requests of all subscribers wait")};
  add(subscriber, rows, 1);
  return Result<Room>(Room(*this, subscriber, rows));
}

Intake::Room::Room(Intake& intake, Eui64 subscriber, std::uint32_t rows)
    : intake_(&intake), subscriber_(subscriber), rows_(rows) {}
Intake::Room::~Room() {
  if (!intake_) return;
  const std::lock_guard lock(intake_->mutex_);
  intake_->look();  // before, so that nobody finds room that is taken
  intake_->add(subscriber_, -static_cast<std::int64_t>(rows_), -1);
}

void Intake::add(Eui64 subscriber, std::int64_t rows, std::int64_t submissions) {
  Use& use = use_[subscriber];
  use.rows += static_cast<std::uint64_t>(rows);
  use.submissions += static_cast<std::uint64_t>(submissions);
  rows_ += static_cast<std::uint64_t>(rows);
}

QuotaUse Intake::use(Eui64 subscriber) {
  const std::lock_guard lock(mutex_);
  look();
  const Use& use = use_[subscriber];
  const std::int64_t now = seconds_now(world_);
  QuotaUse out;
  out.limits = limits_;
  out.rows = use.rows;
  out.submissions = use.submissions;
  out.rows_of_all = rows_;
  out.this_minute = use.minute == now / 60 ? use.this_minute : 0;
  out.seconds_to_next_minute = static_cast<unsigned>(60 - now % 60);
  return out;
}

// ---- turns

void Intake::look() {
  if (looked_) return;
  looked_ = true;
  store_.scan_backwards(tables::batches, {}, {}, [&](BytesView key, BytesView) {
    last_id_ = get_be(key.first(8));
    return false;
  });
  store_.scan(tables::open_batches, {}, {}, [&](BytesView key, BytesView value) {
    enter(OpenBatch::read(get_be(key), value));
    return true;
  });
}

void Intake::enter(const OpenBatch& batch) {
  if (!open_.emplace(batch.id, batch).second) return;
  add(batch.subscriber, batch.rows, 1);
  queue_.push(batch.lane(), batch.subscriber, {batch, 0, false});
}

BatchId Intake::next_id() {
  const std::lock_guard lock(mutex_);
  look();
  return ++last_id_;
}

void Intake::stored(const OpenBatch& batch) {
  const std::lock_guard lock(mutex_);
  look();
  enter(batch);
}

std::unique_ptr<Intake::Turn> Intake::take(std::size_t rows_max) {
  auto turn = std::make_unique<Turn>(*this);
  const std::lock_guard lock(mutex_);
  look();
  const std::optional<Lane> lane = queue_.next_lane();
  if (!lane) return turn;
  const std::size_t most = *lane == Lane::single ? rows_max : 1;
  while (turn->items.size() < most && !queue_.empty(*lane))
    turn->items.push_back(queue_.take(*lane));
  return turn;
}

Intake::Turn::~Turn() {
  const std::lock_guard lock(intake_.mutex_);
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    if (item->decided)
      intake_.decided_.insert(item->batch.id);
    else
      intake_.queue_.push_front(item->batch.lane(), item->batch.subscriber, *item);
  }
}

std::vector<OpenBatch> Intake::decided() {
  const std::lock_guard lock(mutex_);
  std::vector<OpenBatch> batches;
  for (const BatchId id : decided_) batches.push_back(open_.at(id));
  return batches;
}

void Intake::answered(BatchId id) {
  const std::lock_guard lock(mutex_);
  const OpenBatch batch = open_.at(id);
  add(batch.subscriber, -static_cast<std::int64_t>(batch.rows), -1);
  open_.erase(id);
  decided_.erase(id);
}

}  // namespace wattseal::smki
