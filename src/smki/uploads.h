// Resumable uploads of batch files: announced with their size, sent in pieces from where the last
// one ended, finished with a digest. A piece is durable when append() returns, so an upload goes on
// after a restart of either side. An upload is its subscriber's; others learn no more than that
// there is none. It expires upload_hours after its last piece. Bounds by subscriber:
// uploads_open_max, upload_octets_open_max; by upload batch_file_octets_max, by piece
// upload_piece_octets_max. Rules: upload-*. Threads: any; two pieces at one moment are settled by
// the store. Source: K-07.
#pragma once
#include "smki/ra.h"

namespace wattseal::smki {

struct Upload {
  std::uint64_t id = 0;
  Eui64 subscriber;
  std::uint64_t size = 0, received = 0;  // octets
  std::string content_type;
  UtcTime expires;
  BatchId batch = 0;  // when finished
};

class Uploads {
 public:
  Uploads(const World& world, storage::Store& store) : world_(world), store_(store) {}

  // Refuses upload-form (no octets), upload-too-long, upload-quota.
  Result<Upload> create(Eui64 subscriber, std::uint64_t size, std::string content_type);
  Result<Upload> find(Eui64 subscriber, std::uint64_t id) const;  // refuses upload-unknown
  // Refuses upload-unknown, upload-finished, upload-offset, upload-too-long, upload-race.
  Result<Upload> append(Eui64 subscriber, std::uint64_t id, std::uint64_t offset, BytesView piece);
  // Everything that arrived, when it is all and has this digest. Refuses upload-incomplete,
  // upload-digest.
  Result<std::string> content(const Upload& upload, BytesView sha256) const;
  // Remembers the batch, so that finishing again gives it again, and forgets the octets.
  Status finish(const Upload& upload, BatchId batch);
  Status abandon(Eui64 subscriber, std::uint64_t id);  // refuses upload-unknown
  std::size_t expire();                                // returns how many

 private:
  void erase(storage::Batch& batch, const Upload& upload) const;

  const World& world_;
  storage::Store& store_;
};

}  // namespace wattseal::smki
