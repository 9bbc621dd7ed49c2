#include "smki/express.h"

#include "base/fault.h"
#include "base/log.h"
#include "smki/deciding.h"
#include "smki/issuing.h"
#include "smki/service_hours.h"

namespace wattseal::smki {
namespace {

// While one round waits for the disk the next one computes.
constexpr unsigned kLeadersMax = 2;
constexpr std::size_t kRoundMax = 256;

}  // namespace

struct ExpressLane::Waiting {
  explicit Waiting(const Submission& submission) : admission(submission) {}
  Admission admission;
  Chunk chunk;  // when it is authorised
  bool stored = false, published = false;
  std::string fault;  // not empty: the disk failed, and nobody knows whether it is stored
  // Of the thread that waits, and shared because it may be woken by chance, see that it is done and
  // be gone while somebody still has to wake it.
  std::shared_ptr<std::condition_variable> changed = of_this_thread();
  bool done = false, leads = false;

 private:
  static std::shared_ptr<std::condition_variable> of_this_thread() {
    thread_local const auto mine = std::make_shared<std::condition_variable>();
    return mine;
  }
};

ExpressLane::ExpressLane(const World& world, storage::Store& store,
                         RegistrationAuthority& authority, Repository& repository,
                         OrdinaryWay ordinary)
    : world_(world),
      store_(store),
      authority_(authority),
      repository_(repository),
      ordinary_(std::move(ordinary)) {}

Result<SingleAnswer> ExpressLane::request(const Submission& submission) {
  if (!ca_) return go_ordinary(submission);
  Waiting mine(submission);
  travel(mine);
  if (!mine.fault.empty()) throw Fault(mine.fault);
  const Admission& admission = mine.admission;
  if (admission.turned_away) return *admission.turned_away;
  if (admission.ordinary) {
    mine.admission.room.reset();
    return go_ordinary(submission);
  }
  SingleAnswer answer;
  answer.batch = admission.made.id;
  if (!admission.authorised()) {
    answer.state = RowState::refused;
    answer.rule = admission.made.refused.at(0).rule.text();
    answer.detail = admission.made.refused.at(0).detail;
    return answer;
  }
  if (!mine.published) return wait_for(answer.batch);
  answer.state = RowState::published;
  answer.serial = mine.chunk.rows.front().serial;
  answer.certificate = std::move(mine.chunk.rows.front().certificate);
  return answer;
}

// Waits for a round that takes it along; leads rounds when it is asked to.
void ExpressLane::travel(Waiting& mine) {
  std::unique_lock lock(mutex_);
  // It leaves the queue before this function does.
  // cppcheck-suppress danglingLifetime
  queue_.push_back(&mine);
  if (leaders_ < kLeadersMax) {
    ++leaders_;
    mine.leads = true;
  }
  for (;;) {
    mine.changed->wait(lock, [&] { return mine.done || mine.leads; });
    if (!mine.leads) return;
    const std::vector<Waiting*> round = gather();
    lock.unlock();
    if (!round.empty()) lead(round);
    std::vector<std::shared_ptr<std::condition_variable>> woken;
    woken.reserve(round.size() + 1);
    lock.lock();
    mine.leads = false;
    const auto next = std::ranges::find(queue_, false, &Waiting::leads);
    if (next == queue_.end()) {
      --leaders_;
    } else {
      (*next)->leads = true;
      woken.push_back((*next)->changed);
    }
    for (Waiting* const one : round) {
      one->done = true;
      if (one != &mine) woken.push_back(one->changed);
    }
    const bool over = mine.done;
    lock.unlock();  // those who wake find it free
    for (const std::shared_ptr<std::condition_variable>& one : woken) one->notify_one();
    if (over) return;
    lock.lock();
  }
}

std::vector<ExpressLane::Waiting*> ExpressLane::gather() {
  const std::size_t count = std::min(queue_.size(), kRoundMax);
  std::vector<Waiting*> round(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
  return round;
}

void ExpressLane::lead(const std::vector<Waiting*>& round) {
  try {
    if (!store_round(round)) {
      for (Waiting* const one : round) one->admission.ordinary = true;
      return;
    }
  } catch (const Fault& fault) {
    for (Waiting* const one : round) one->fault = fault.what();
  }
  std::vector<Bytes> work_keys;
  for (const Waiting* const one : round) {
    if (!one->chunk.key.empty()) work_keys.push_back(one->chunk.key);
  }
  if (work_keys.empty()) return;
  try {
    if (round.front()->fault.empty()) return issue_round(round);
  } catch (const Fault& fault) {
    log::warning("express_lane_left",
                 {{"requests", std::to_string(work_keys.size())}, {"because", fault.what()}});
  }
  ca_->take_over(work_keys);
}

// Requests, decisions and intents, in one commit. False: another took one of the keys or sent one
// of the requests at the same moment.
bool ExpressLane::store_round(const std::vector<Waiting*>& round) {
  std::vector<Admission*> admissions;
  for (Waiting* const one : round) admissions.push_back(&one->admission);
  authority_.admit(admissions);
  std::vector<Chunk*> chunks;
  for (Waiting* const one : round) {
    const Admission& admission = one->admission;
    if (!admission.authorised()) continue;
    one->chunk.key = admission.work_key().octets();
    one->chunk.work = {admission.made.submission.trace, {admission.row}};
    chunks.push_back(&one->chunk);
  }
  storage::Batch batch, intents;
  ca_->intend(intents, chunks);
  for (Waiting* const one : round) {
    if (const auto refused = one->chunk.refused.find(0); refused != one->chunk.refused.end()) {
      one->admission.made.refused.insert(*refused);
      one->chunk.key.clear();
    }
    if (one->admission.kept()) authority_.keep(batch, one->admission);
  }
  batch.add(std::move(intents));
  return batch.empty() || store_.commit(std::move(batch)).ok();
}

void ExpressLane::issue_round(const std::vector<Waiting*>& round) {
  std::vector<Chunk*> chunks;
  for (Waiting* const one : round) {
    if (!one->chunk.key.empty()) chunks.push_back(&one->chunk);
  }
  ca_->finish(chunks, [this](storage::Batch batch) {
    return repository_.commit_and_publish(std::move(batch));
  });
  for (Waiting* const one : round) one->published = !one->chunk.key.empty();
}

Result<SingleAnswer> ExpressLane::go_ordinary(const Submission& submission) {
  TRY_ASSIGN(const BatchId batch, authority_.submit(submission));
  return wait_for(batch);
}

Result<SingleAnswer> ExpressLane::wait_for(BatchId batch) {
  ordinary_.wake();
  SingleAnswer answer;
  answer.batch = batch;
  const UtcTime now = world_.now();
  if (Calendar::read(store_, now).maintenance_at(now) || !ordinary_.wait(batch)) return answer;
  const std::vector<RowResult> results = authority_.results(batch, 0, 1);
  CHECK(results.size() == 1);
  answer.state = results[0].state;
  answer.rule = results[0].rule;
  answer.detail = results[0].detail;
  answer.act = results[0].act;
  if (!results[0].serial) return answer;
  TRY_ASSIGN(PublishedCertificate published, repository_.by_serial(*results[0].serial));
  answer.serial = published.serial;
  answer.certificate = std::move(published.der);
  return answer;
}

}  // namespace wattseal::smki
