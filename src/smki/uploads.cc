#include "smki/uploads.h"

#include "smki/office_records.h"

namespace wattseal::smki {
namespace {

Bytes key_of(Eui64 subscriber, std::uint64_t id) {
  Bytes key = to_bytes(subscriber.octets());
  put_be(key, id);
  return key;
}
Bytes piece_key(std::uint64_t id, std::uint64_t offset) {
  Bytes key;
  put_be(key, id);
  put_be(key, offset);
  return key;
}

Bytes to_record(const Upload& upload) {
  return RecordWriter()
      .number(upload.size)
      .number(upload.received)
      .text(upload.content_type)
      .number(static_cast<std::uint64_t>(upload.expires.unix_seconds()))
      .number(upload.batch)
      .bytes();
}
Upload to_upload(BytesView key, BytesView value) {
  RecordReader record(value);
  Upload upload;
  upload.subscriber = Eui64::from_number(get_be(key.first(8)));
  upload.id = get_be(key.subspan(8));
  upload.size = record.number();
  upload.received = record.number();
  upload.content_type = record.text();
  upload.expires = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  upload.batch = record.number();
  return upload;
}

UtcTime expiry(UtcTime now) {
  return now.plus_seconds(static_cast<std::int64_t>(limit("upload_hours")) * 3600);
}
Refusal race() { return {"upload-race"_rule, "the upload was changed at the same moment"}; }

}  // namespace

Result<Upload> Uploads::create(Eui64 subscriber, std::uint64_t size, std::string content_type) {
  if (size == 0) return Refusal{"upload-form"_rule, "the file has no octets", "size"};
  if (size > limit("batch_file_octets_max"))
    return Refusal{"upload-too-long"_rule, std::to_string(size) + " octets", "size"};
  for (;;) {
    const std::unique_ptr<storage::Reader> view = store_.snapshot();
    std::uint64_t open = 0, octets = 0;
    view->scan(tables::uploads, key_of(subscriber, 0),
               key_of(Eui64::from_number(subscriber.number() + 1), 0),
               [&](BytesView key, BytesView value) {
                 const Upload one = to_upload(key, value);
                 if (one.batch != 0 || one.expires <= world_.now()) return true;
                 ++open;
                 octets += one.size;
                 return true;
               });
    if (open >= limit("uploads_open_max") || octets + size > limit("upload_octets_open_max"))
      return Refusal{"upload-quota"_rule,
                     std::to_string(open) + " uploads of " + std::to_string(octets) +
                         " octets are open; the limits are " +
                         std::to_string(limit("uploads_open_max")) + " and " +
                         std::to_string(limit("upload_octets_open_max")),
                     "subscriber"};
    // One counter for all: it also settles two uploads that begin at one moment.
    Numbers numbers(*view, "next_upload");
    Upload upload{numbers.draw(), subscriber, size, 0, content_type, expiry(world_.now()), 0};
    storage::Batch batch;
    numbers.put(batch);
    batch.put(tables::uploads, key_of(subscriber, upload.id), to_record(upload));
    if (store_.commit(std::move(batch)).ok()) return upload;
  }
}

Result<Upload> Uploads::find(Eui64 subscriber, std::uint64_t id) const {
  const Bytes key = key_of(subscriber, id);
  const std::optional<Bytes> record = store_.get(tables::uploads, key);
  if (record) {
    Upload upload = to_upload(key, *record);
    if (world_.now() < upload.expires) return upload;
  }
  return Refusal{"upload-unknown"_rule, "there is no upload " + std::to_string(id), "upload"};
}

Result<Upload> Uploads::append(Eui64 subscriber, std::uint64_t id, std::uint64_t offset,
                               BytesView piece) {
  TRY_ASSIGN(const Upload before, find(subscriber, id));
  if (before.batch != 0)
    return Refusal{"upload-finished"_rule, "it is batch " + std::to_string(before.batch), "upload"};
  if (offset != before.received)
    return Refusal{"upload-offset"_rule,
                   "the piece starts at " + std::to_string(offset) + ", the upload ends at " +
                       std::to_string(before.received),
                   "Upload-Offset"};
  if (piece.size() > limit("upload_piece_octets_max") ||
      piece.size() > before.size - before.received)
    return Refusal{"upload-too-long"_rule,
                   "the piece has " + std::to_string(piece.size()) + " octets, " +
                       std::to_string(before.size - before.received) + " are missing",
                   "body"};
  Upload after = before;
  after.received += piece.size();
  after.expires = expiry(world_.now());
  storage::Batch batch;
  const Bytes key = key_of(subscriber, id);
  batch.require_value(tables::uploads, key, to_record(before), race());
  batch.put(tables::uploads, key, to_record(after));
  if (!piece.empty()) batch.put(tables::upload_pieces, piece_key(id, offset), piece);
  TRY(store_.commit(std::move(batch)));
  return after;
}

Result<std::string> Uploads::content(const Upload& upload, BytesView sha256) const {
  if (upload.received != upload.size)
    return Refusal{
        "upload-incomplete"_rule,
        std::to_string(upload.received) + " of " + std::to_string(upload.size) + " octets arrived",
        "upload"};
  std::string content;
  content.reserve(upload.size);
  store_.scan(tables::upload_pieces, piece_key(upload.id, 0), piece_key(upload.id + 1, 0),
              [&](BytesView, BytesView piece) {
                content += as_text(piece);
                return true;
              });
  const crypto::Digest found = crypto::sha256(as_bytes(content));
  if (!equal(found, sha256))
    return Refusal{"upload-digest"_rule, "SHA-256 of what arrived is " + to_hex(found), "sha256"};
  return content;
}

void Uploads::erase(storage::Batch& batch, const Upload& upload) const {
  store_.scan(tables::upload_pieces, piece_key(upload.id, 0), piece_key(upload.id + 1, 0),
              [&](BytesView key, BytesView) {
                batch.erase(tables::upload_pieces, key);
                return true;
              });
}

Status Uploads::finish(const Upload& upload, BatchId id) {
  Upload done = upload;
  done.batch = id;
  storage::Batch batch;
  const Bytes key = key_of(upload.subscriber, upload.id);
  batch.require_value(tables::uploads, key, to_record(upload), race());
  batch.put(tables::uploads, key, to_record(done));
  erase(batch, upload);
  TRY(store_.commit(std::move(batch)));
  return {};
}

Status Uploads::abandon(Eui64 subscriber, std::uint64_t id) {
  TRY_ASSIGN(const Upload upload, find(subscriber, id));
  storage::Batch batch;
  const Bytes key = key_of(subscriber, id);
  batch.require_value(tables::uploads, key, to_record(upload), race());
  batch.erase(tables::uploads, key);
  erase(batch, upload);
  TRY(store_.commit(std::move(batch)));
  return {};
}

std::size_t Uploads::expire() {
  std::vector<Upload> lapsed;
  const UtcTime now = world_.now();
  store_.scan(tables::uploads, {}, {}, [&](BytesView key, BytesView value) {
    Upload upload = to_upload(key, value);
    if (upload.expires <= now) lapsed.push_back(std::move(upload));
    return true;
  });
  std::size_t gone = 0;
  for (const Upload& upload : lapsed) {
    storage::Batch batch;
    const Bytes key = key_of(upload.subscriber, upload.id);
    batch.require_value(tables::uploads, key, to_record(upload), race());
    batch.erase(tables::uploads, key);
    erase(batch, upload);
    if (store_.commit(std::move(batch)).ok()) ++gone;  // else a piece came just now
  }
  return gone;
}

}  // namespace wattseal::smki
