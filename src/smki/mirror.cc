#include "smki/mirror.h"

#include "base/fault.h"
#include "smki/authority.h"
#include "smki/revocation.h"

namespace wattseal::smki {
namespace {

const Bytes kKey = to_bytes(as_bytes("mirror_key")),
            kKept = to_bytes(as_bytes("mirror_checkpoint")),
            kLists = to_bytes(as_bytes("mirror_lists"));  // there while lists wait to be made
constexpr std::uint64_t kNoteOctetsMax = 16 * 1024;

// The last checkpoint that the copy was complete at.
struct Kept {
  std::string note;
  UtcTime fetched_at;
  tlog::Checkpoint checkpoint;
};
std::optional<Kept> read_kept(const storage::Reader& store) {
  const std::optional<Bytes> record = store.get(tables::log_state, kKept);
  if (!record) return std::nullopt;
  RecordReader fields(*record);
  Kept kept;
  kept.note = fields.text();
  kept.fetched_at = UtcTime::from_unix_seconds(static_cast<std::int64_t>(fields.number()));
  const Result<tlog::Verifier> key = Mirror::key_of(store);
  if (!key.ok()) throw Fault("the mirror has a checkpoint and no key");
  const Result<std::string> text = tlog::open_note(kept.note, *key);
  const Result<tlog::Checkpoint> read =
      text.ok() ? tlog::Checkpoint::parse(*text) : Result<tlog::Checkpoint>(text.refusal());
  if (!read.ok()) throw Fault("the mirror's checkpoint was changed: " + explain(read.refusal()));
  kept.checkpoint = *read;
  return kept;
}

// Subtrees of the repository's tree, out of tiles that it serves. They prove nothing by themselves:
// proofs made of them do. After a failure hashes are zero and failed() says why.
class ServedTiles {
 public:
  ServedTiles(const Fetch& fetch, std::uint64_t size) : fetch_(fetch), size_(size) {}
  const std::optional<Refusal>& failed() const { return failed_; }
  tlog::SubtreeReader reader() {
    return tlog::subtrees_of(
        [this](unsigned level, std::uint64_t index) { return tile(level, index); });
  }

 private:
  Bytes tile(unsigned level, std::uint64_t index) {
    const unsigned width = tlog::tile_width(level, index, size_);
    const std::size_t octets = width * tlog::kHashOctets;
    if (const auto found = tiles_.find({level, index}); found != tiles_.end()) return found->second;
    if (!failed_) {
      const std::string path = "/log/" + tlog::tile_path({level, index, width, false});
      Result<Bytes> body = fetch_(path, octets);
      if (body.ok() && body->size() == octets) {
        if (tiles_.size() >= kTilesMax) tiles_.clear();
        return tiles_[{level, index}] = std::move(*body);
      }
      failed_ =
          body.ok() ? Refusal{"tlog-tile"_rule, path + " has another length"} : body.refusal();
    }
    return Bytes(octets);
  }

  static constexpr std::size_t kTilesMax = 64;  // a proof needs a path of them, not all
  const Fetch& fetch_;
  const std::uint64_t size_;
  tlog::Growth::Tiles tiles_;
  std::optional<Refusal> failed_;
};

// Proves that the tree of `older` entries begins the tree of the checkpoint; otherwise refuses with
// `otherwise`.
Status prove(ServedTiles& tiles, std::uint64_t older, const tlog::Hash& older_root,
             const tlog::Checkpoint& newer, const Refusal& otherwise) {
  const std::vector<tlog::Hash> proof = tlog::consistency_proof(older, newer.size, tiles.reader());
  if (tiles.failed()) return *tiles.failed();
  if (!tlog::verify_consistency(older, older_root, newer.size, newer.root, proof).ok())
    return otherwise;
  return {};
}

// The next entries of the log, from `from` on: whole bundles, bounded in number and octets.
struct Chunk {
  std::vector<LogEntry> entries;
  tlog::Growth tree;
};
Status fetch_bundle(const Fetch& fetch, std::uint64_t log_size, std::uint64_t& octets,
                    Chunk& chunk) {
  const std::uint64_t from = chunk.tree.size(), index = from / tlog::kTileWidth;
  const unsigned width = tlog::tile_width(0, index, log_size);
  const std::string path = "/log/" + tlog::tile_path({0, index, width, true});
  TRY_ASSIGN(const Bytes body, fetch(path, limit("mirror_answer_octets_max")));
  TRY_ASSIGN(const std::vector<BytesView> entries, tlog::read_bundle(body, width));
  octets += body.size();
  for (std::size_t i = from % tlog::kTileWidth; i < entries.size(); ++i) {
    TRY_ASSIGN(LogEntry entry, LogEntry::read(entries[i]));
    if (!equal(entry.encode(), entries[i]))
      return Refusal{"log-entry"_rule, "an entry is not in its one form", "entry"};
    chunk.tree.add(tlog::leaf_hash(entries[i]));
    chunk.entries.push_back(std::move(entry));
  }
  return {};
}

Refusal other_entries(std::uint64_t from, std::uint64_t end) {
  return {"mirror-entries"_rule, "entries " + std::to_string(from) + " to " +
                                     std::to_string(end - 1) +
                                     " are not those under the signed root"};
}

Result<Chunk> fetch_chunk(const Fetch& fetch, const storage::Reader& store,
                          const tlog::Checkpoint& newest, ServedTiles& tiles) {
  const std::uint64_t from = log_head(store).size;
  Chunk chunk{{}, tlog::Growth(from, log_tiles(store))};
  std::uint64_t octets = 0;
  while (chunk.tree.size() < newest.size && chunk.entries.size() < limit("mirror_chunk_entries") &&
         octets < limit("mirror_answer_octets_max"))
    TRY(fetch_bundle(fetch, newest.size, octets, chunk));
  TRY(prove(tiles, chunk.tree.size(), chunk.tree.root(), newest,
            other_entries(from, chunk.tree.size())));
  return chunk;
}

// What an entry changes beyond what the repository indexes from the journal.
void put_entry(storage::Batch& batch, const LogEntry& entry) {
  batch.append(entry.fact());
  switch (entry.kind) {
    case LogEntry::Kind::certificate:
      if (find_certificate_profile(entry.profile)->is_ca())
        batch.put(tables::authorities, as_bytes(entry.profile), encode_authority(entry.der, ""));
      return;
    case LogEntry::Kind::revocation: {
      Bytes row = entry.issuer_key_id;
      append(row, entry.serial.octets());
      batch.put(tables::revocations, row,
                RecordWriter()
                    .number(static_cast<std::uint64_t>(entry.at.unix_seconds()))
                    .number(entry.reason)
                    .bytes());
      return;
    }
    case LogEntry::Kind::list: batch.put(tables::log_state, kLists, {}); return;
  }
}

MirrorReport report_of(const Kept& kept) {
  MirrorReport report;
  report.size = kept.checkpoint.size;
  report.root = kept.checkpoint.root;
  report.signed_at = checkpoint_time(kept.checkpoint).value_or(UtcTime());
  report.fetched_at = kept.fetched_at;
  return report;
}

}  // namespace

Mirror::Mirror(const World& world, storage::Store& store, const tlog::Verifier& trusted)
    : world_(&world), store_(&store), trusted_(trusted), repository_(world, store) {}

Result<Mirror> Mirror::open(const World& world, storage::Store& store,
                            const tlog::Verifier& trusted) {
  const Result<tlog::Verifier> pinned = key_of(store);
  if (pinned.ok() && *pinned != trusted)
    return Refusal{"mirror-other-log"_rule, "it mirrors the log of " + pinned->text(), "key"};
  if (!pinned.ok()) {
    if (store.journal_head().next != 1)
      return Refusal{"mirror-other-log"_rule, "the store is not a mirror's", "to"};
    storage::Batch batch;
    batch.put(tables::log_state, kKey, as_bytes(trusted.text()));
    TRY(store.commit(std::move(batch)));
  }
  return Mirror(world, store, trusted);
}

Result<tlog::Verifier> Mirror::key_of(const storage::Reader& store) {
  const std::optional<Bytes> text = store.get(tables::log_state, kKey);
  if (!text) return Refusal{"mirror-none"_rule, "no log was ever mirrored here"};
  return tlog::Verifier::parse(as_text(*text));
}

Result<tlog::Checkpoint> Mirror::newest(const Fetch& fetch, std::string& note) const {
  TRY_ASSIGN(const Bytes body, fetch("/log/checkpoint", kNoteOctetsMax));
  note = std::string(as_text(body));
  TRY_ASSIGN(const std::string text, tlog::open_note(note, trusted_));
  TRY_ASSIGN(tlog::Checkpoint checkpoint, tlog::Checkpoint::parse(text));
  if (checkpoint.origin != trusted_.name())
    return Refusal{"tlog-checkpoint"_rule, "it is of the log " + checkpoint.origin, "origin"};
  return checkpoint;
}

Status Mirror::not_less_than_kept(const tlog::Checkpoint& newest) const {
  const std::optional<Kept> kept = read_kept(*store_);
  const std::uint64_t held =
      std::max(log_head(*store_).size, kept ? kept->checkpoint.size : std::uint64_t{0});
  if (newest.size < held)
    return Refusal{"mirror-rollback"_rule, "it has " + std::to_string(newest.size) +
                                               " entries and had " + std::to_string(held)};
  if (kept && newest.size == kept->checkpoint.size && newest.root != kept->checkpoint.root)
    return Refusal{"mirror-fork"_rule,
                   "two roots are signed for " + std::to_string(newest.size) + " entries"};
  return {};
}

Result<MirrorReport> Mirror::sync(const Fetch& fetch) {
  while (repository_.publish() > 0) {  // what the last sync could not finish
  }
  std::string note;
  TRY_ASSIGN(const tlog::Checkpoint newest, this->newest(fetch, note));
  TRY(not_less_than_kept(newest));
  const LogHead before = log_head(*store_);
  ServedTiles tiles(fetch, newest.size);
  TRY(prove(tiles, before.size, before.root, newest,
            {"mirror-fork"_rule, "the first " + std::to_string(before.size) +
                                     " entries are not those that this mirror holds"}));
  while (log_head(*store_).size < newest.size) {
    TRY_ASSIGN(const Chunk chunk, fetch_chunk(fetch, *store_, newest, tiles));
    storage::Batch batch;
    for (const LogEntry& entry : chunk.entries) put_entry(batch, entry);
    TRY(store_->commit(std::move(batch)));
    while (repository_.publish() > 0) {
    }
  }
  const LogHead after = log_head(*store_);
  CHECK(after.size == newest.size && after.root == newest.root);
  TRY(take_lists());
  storage::Batch done;
  done.erase(tables::log_state, kLists);
  done.put(tables::log_state, kKept,
           RecordWriter()
               .text(note)
               .number(static_cast<std::uint64_t>(world_->now().unix_seconds()))
               .bytes());
  TRY(store_->commit(std::move(done)));
  TRY_ASSIGN(MirrorReport report, Mirror::report(*store_));
  report.added = after.size - before.size;
  return report;
}

// Makes the newest list of each authority again from the revocations, octet for octet; its
// signature shows that it is the one that was published.
Status Mirror::take_lists() const {
  if (!store_->get(tables::log_state, kLists)) return {};
  for (const CertificateProfile& profile : certificate_profiles()) {
    const std::optional<Authority> issuer =
        profile.is_ca() ? find_authority(*store_, profile.id) : std::nullopt;
    if (!issuer) continue;
    const Result<Bytes> list = rebuild_list(*store_, *issuer);
    if (!list.ok() && list.refusal().rule == "repository-not-found"_rule) continue;
    TRY(list);
    TRY_ASSIGN(const x509::Crl crl, x509::parse_crl(*list));
    if (!x509::signed_by(crl, issuer->certificate.key))
      return Refusal{"log-entry"_rule, "a list of " + std::string(profile.id) +
                                           " is not signed over the revocations before it"};
    storage::Batch batch;
    batch.put(tables::crls, issuer->certificate.subject_key_id.value(), *list);
    TRY(store_->commit(std::move(batch)));
  }
  return {};
}

Result<MirrorReport> Mirror::report(const storage::Reader& store) {
  TRY(key_of(store));
  const std::optional<Kept> kept = read_kept(store);
  if (!kept) return Refusal{"mirror-none"_rule, "the first sync did not come to its end"};
  return report_of(*kept);
}

Result<MirrorReport> Mirror::check(const storage::Reader& store) {
  TRY_ASSIGN(const MirrorReport kept, report(store));
  tlog::Growth tree(0, {});
  for (std::uint64_t index = 0; tlog::tile_width(0, index, kept.size) > 0; ++index) {
    const unsigned width = tlog::tile_width(0, index, kept.size);
    const Bytes bundle = log_bundle(store, index, width);
    TRY_ASSIGN(const std::vector<BytesView> entries, tlog::read_bundle(bundle, width));
    for (const BytesView entry : entries) tree.add(tlog::leaf_hash(entry));
  }
  if (tree.root() != kept.root) return other_entries(0, kept.size);
  return kept;
}

}  // namespace wattseal::smki
