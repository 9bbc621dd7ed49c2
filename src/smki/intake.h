// What waits for the registration authority: which subscriber's rows are decided next, and how much
// of the queue each subscriber may fill. Private to smki. The store is the truth (open_batches,
// batch_requests); this is its index in memory, made again at a restart. Rates count from the start
// of the process. Threads: one takes turns, any may ask for room.
#pragma once
#include <mutex>
#include <set>

#include "base/world.h"
#include "smki/fair_queue.h"
#include "smki/records.h"

namespace wattseal::smki {

// A batch whose rows do not all have their answer yet: row of open_batches.
struct OpenBatch {
  BatchId id = 0;
  Eui64 subscriber;
  std::uint32_t rows = 0;
  Lane lane() const { return rows == 1 ? Lane::single : Lane::batched; }
  Bytes record() const;
  static OpenBatch read(BatchId id, BytesView octets);
};

Bytes open_batch_key(BatchId id);

// Every row of the batch has its answer. Whoever has it in open_batches takes it out of there.
struct Answered {
  std::uint32_t refused = 0, held = 0;
  UtcTime now;
  std::int64_t milliseconds = 0;
  TraceId trace;
};
void put_answered(storage::Batch& batch, const OpenBatch& open, const Answered& answered);

class Intake {
 public:
  Intake(const World& world, const storage::Reader& store, IntakeLimits limits)
      : world_(world), store_(store), limits_(limits) {}

  // A number that no batch has and no other caller gets.
  BatchId next_id();
  // A batch is in the store and may have its turn.
  void stored(const OpenBatch& batch);

  // Counts a submission. Refuses ra-quota-rate.
  Status count_submission(Eui64 subscriber);

  // Room for rows that are about to be stored, given back when this is destroyed: by then the store
  // has them, or they were not stored.
  class Room {
   public:
    Room(Intake& intake, Eui64 subscriber, std::uint32_t rows);
    Room(Room&& other) noexcept : intake_(std::exchange(other.intake_, nullptr)) {
      subscriber_ = other.subscriber_;
      rows_ = other.rows_;
    }
    Room(const Room&) = delete;
    ~Room();

   private:
    Intake* intake_;
    Eui64 subscriber_;
    std::uint32_t rows_;
  };
  // Refuses ra-quota-rows, ra-queue-full.
  Result<Room> reserve(Eui64 subscriber, std::uint32_t rows);
  QuotaUse use(Eui64 subscriber);

  // The batches whose turn it is: single requests of many subscribers, or one batch.
  struct Item {
    OpenBatch batch;
    std::uint32_t next_row = 0;
    bool decided = false;  // no row waits any more
  };
  class Turn {
   public:
    explicit Turn(Intake& intake) : intake_(intake) {}
    Turn(const Turn&) = delete;
    ~Turn();  // what is not decided waits again, in front of its subscriber's
    std::vector<Item> items;

   private:
    Intake& intake_;
  };
  std::unique_ptr<Turn> take(std::size_t rows_max);

  std::vector<OpenBatch> decided();  // and not answered yet
  void answered(BatchId batch);

 private:
  struct Use {
    std::uint64_t rows = 0, submissions = 0;  // waiting, with those reserved
    std::int64_t minute = 0;
    std::uint64_t this_minute = 0;
  };
  void look();  // once: what was stored before this process
  void enter(const OpenBatch& batch);
  void add(Eui64 subscriber, std::int64_t rows, std::int64_t submissions);

  const World& world_;
  const storage::Reader& store_;
  IntakeLimits limits_;
  std::mutex mutex_;
  bool looked_ = false;
  BatchId last_id_ = 0;
  FairQueue<Item> queue_{1};
  std::map<BatchId, OpenBatch> open_;
  std::set<BatchId> decided_;
  std::map<Eui64, Use> use_;
  std::uint64_t rows_ = 0;  // of all
};

}  // namespace wattseal::smki
