// The public log of everything that the authorities issued: certificates, revocations and
// revocation lists, in the order of the journal, under a Merkle tree. A list stands in it by its
// digest and signature; its content follows from the revocations before it. Who keeps a checkpoint
// can prove that nothing was removed or changed since. An entry is a pure function of its journal
// fact, so the log can be made again from the journal, octet for octet. Stored once: tiles of
// hashes, and for each entry the sequence of its fact. Formats: docs/formats/log.md. Sources: C2SP
// tlog-tiles, tlog-checkpoint; features K-18, R-07, R-09. Threads: one thread appends and signs,
// any may read. Rules: log-entry, log-empty, tlog-path.
#pragma once
#include "http/http.h"
#include "smki/profiles.h"
#include "storage/store.h"
#include "terms/facts.h"
#include "tlog/note.h"
#include "tlog/tiles.h"

namespace wattseal::smki {

// What one entry says. Fields beyond `kind` and `at` belong to the kinds that are named.
struct LogEntry {
  enum class Kind : Octet { certificate = 1, revocation = 2, list = 3 };
  Kind kind = Kind::certificate;
  UtcTime at;
  std::string profile;                    // certificate: row of certificate_profiles.tsv
  Bytes der;                              // certificate
  Bytes issuer_key_id;                    // revocation, list
  CertificateSerial serial;               // revocation
  unsigned reason = 0;                    // revocation
  std::uint64_t number = 0, entries = 0;  // list
  UtcTime next_update;                    // list
  crypto::Digest tbs_digest{};            // list
  crypto::Signature signature{};          // list

  Bytes encode() const;
  static Result<LogEntry> read(BytesView octets);  // refuses log-entry
  // Nothing when the fact is not public. Throws Fault when it lacks what its kind has.
  static std::optional<LogEntry> of(const FactView& fact);
  Bytes fact() const;  // as the journal would have it, without batch and trace
  friend bool operator==(const LogEntry&, const LogEntry&) = default;
};

struct LogHead {
  std::uint64_t size = 0;
  tlog::Hash root{};
  std::uint64_t next = 1;  // journal sequence from which facts are not in the log yet
};
LogHead log_head(const storage::Reader& reader);
tlog::TileReader log_tiles(const storage::Reader& reader);
// The first `width` entries of a bundle, as it is served. REQUIRES that they are there.
Bytes log_bundle(const storage::Reader& reader, std::uint64_t index, unsigned width);

// Adds entries to the log as part of a batch. One object a batch.
class LogAppender {
 public:
  explicit LogAppender(const storage::Reader& reader);
  // Takes the fact at a journal sequence when it is public. In journal order.
  void see(std::uint64_t sequence, const FactView& fact);
  std::uint64_t added() const { return growth_.size() - before_.size; }
  void put(storage::Batch& batch, std::uint64_t next) const;

 private:
  const storage::Reader& reader_;
  const LogHead before_;
  tlog::Growth growth_;
  std::map<std::uint64_t, Bytes> bundles_;
};

// Signs what the log has become. `name` is the log's origin and the name of its key.
class LogSigner {
 public:
  LogSigner(const World& world, storage::Store& store, std::string name, crypto::KeyHandle key);
  // Signs when the log grew since the last checkpoint or that one is older than limit
  // log_checkpoint_minutes (or dated after now); returns whether it did. Durable when it returns.
  bool sign();
  tlog::Verifier verifier() const { return {name_, key_->public_point()}; }

 private:
  const World& world_;
  storage::Store& store_;
  const std::string name_;
  const crypto::KeyHandle key_;
};
// The line that states when a checkpoint was signed, and the time in it.
std::string checkpoint_time_line(UtcTime at);
std::optional<UtcTime> checkpoint_time(const tlog::Checkpoint& checkpoint);
std::optional<std::string> signed_checkpoint(const storage::Reader& reader);
// Text of the verifier key of whom signs, there since there is a LogSigner.
std::optional<std::string> log_key(const storage::Reader& reader);

// GET /log/checkpoint, /log/key, /log/tile/<level>/<index>[.p/<width>], /log/tile/entries/<index>.
// Tiles are served as soon as they are stored; a client asks for what a checkpoint states.
void add_log_routes(http::Router& router, const storage::Store& store);

}  // namespace wattseal::smki
