// Batches and the work under way made again from facts: how far each batch is, which requests wait,
// which are held, authorised or intended, and which revocations. Facts hold no signing request,
// only digests of them: contents are taken from the source where they are under their digest, and
// left out where they are not. Private to smki. Memory: that of the work under way. One thread.
#pragma once
#include "smki/intake.h"
#include "smki/records.h"
#include "storage/changes.h"

namespace wattseal::smki {

// A row that the facts say is there and whose content is not under its digest.
struct LostRow {
  storage::Table table;
  Bytes key;
};

class ReplayWork {
 public:
  void submitted(storage::Changes& rows, const FactView& fact);
  void refused(storage::Changes& rows, const FactView& fact);
  void held(const FactView& fact);
  void authorised(storage::Changes& rows, const FactView& fact);
  void intended(const FactView& fact);
  void issued(storage::Changes& rows, const FactView& fact);
  void completed(storage::Changes& rows, const FactView& fact);
  // After the last fact. Returns what cannot be made again.
  std::vector<LostRow> finish(storage::Changes& rows, const storage::Reader& source) const;

 private:
  enum class RowIs : Octet { waiting, held, authorised, answered };
  struct Row {
    RowIs is = RowIs::waiting;
    std::uint64_t order = 0;  // of its chunk; 0 is many chunks'
  };
  struct Under {
    Decisions decisions;
    std::uint64_t issued = 0, refused = 0;  // by the certification authority
    Bytes digests;                          // of the requests, 16 octets each, or one of 32
    std::vector<Row> rows;
    std::size_t open = 0;  // rows without their answer
    bool completed = false;
  };
  struct Chunk {
    WorkKey key;
    Bytes digest;
    std::size_t open = 0;  // rows without their answer
    UtcTime not_before;
    std::vector<std::pair<std::uint32_t, CertificateSerial>> intended;
  };
  Under& batch_of_fact(const FactView& fact);
  Row& row_of_fact(Under& batch, const FactView& fact);
  void answer(storage::Changes& rows, BatchId id, Under& batch, Row& row);
  void finish_chunks(storage::Changes& rows, const storage::Reader& source,
                     std::vector<LostRow>& lost) const;
  static void put_counts(storage::Changes& rows, BatchId id, const Under& batch);
  static void finish_requests(storage::Changes& rows, const storage::Reader& source, BatchId id,
                              const Under& batch, std::vector<LostRow>& lost);

  std::map<BatchId, Under> batches_;                           // with rows that have no answer
  std::map<std::pair<std::uint64_t, BatchId>, Chunk> chunks_;  // by order
  std::map<std::pair<BatchId, std::uint32_t>, Bytes> held_;    // digest of the held row
  std::uint64_t next_order_ = 1;
};

}  // namespace wattseal::smki
