#include "smki/log.h"

#include "base/check.h"
#include "base/fault.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

constexpr Octet kVersion = 1;
constexpr std::size_t kHeaderOctets = 10, kKeyIdOctets = 8, kSerialOctets = 16;
const Bytes kHead = to_bytes(as_bytes("head")), kCheckpoint = to_bytes(as_bytes("checkpoint")),
            kSigner = to_bytes(as_bytes("key"));
constexpr std::string_view kTime = "time ";

Refusal malformed(const char* what) { return {"log-entry"_rule, what, "entry"}; }

// Reads fixed parts off the front; CHECKed by the caller's length test.
class Parts {
 public:
  explicit Parts(BytesView rest) : rest_(rest) {}
  BytesView take(std::size_t octets) {
    CHECK(rest_.size() >= octets);
    const BytesView part = rest_.first(octets);
    rest_ = rest_.subspan(octets);
    return part;
  }
  std::uint64_t number() { return get_be(take(8)); }
  UtcTime time() { return UtcTime::from_unix_seconds(static_cast<std::int64_t>(number())); }
  template <typename Array>
  void fill(Array& array) {
    std::ranges::copy(take(array.size()), array.begin());
  }
  BytesView rest() const { return rest_; }

 private:
  BytesView rest_;
};

void put_time(Bytes& out, UtcTime at) {
  put_be(out, static_cast<std::uint64_t>(at.unix_seconds()));
}

Status read_certificate(Parts& parts, LogEntry& entry) {
  if (parts.rest().empty() || parts.rest().size() < 1u + parts.rest()[0])
    return malformed("a certificate has no profile");
  const std::size_t length = parts.take(1)[0];
  entry.profile = std::string(as_text(parts.take(length)));
  entry.der = to_bytes(parts.rest());
  const Result<x509::Certificate> certificate = x509::parse_certificate(entry.der);
  if (!certificate.ok()) return malformed("a certificate does not parse");
  if (find_certificate_profile(entry.profile) == nullptr)
    return malformed("a certificate has no known profile");
  entry.serial = certificate->serial;
  return {};
}

Status read_revocation(Parts& parts, LogEntry& entry) {
  if (parts.rest().size() != kKeyIdOctets + kSerialOctets + 1)
    return malformed("a revocation has another length");
  entry.issuer_key_id = to_bytes(parts.take(kKeyIdOctets));
  const Result<CertificateSerial> serial =
      CertificateSerial::from_octets(parts.take(kSerialOctets));
  if (!serial.ok()) return malformed("a revocation names no serial number");
  entry.serial = *serial;
  entry.reason = parts.take(1)[0];
  return {};
}

Status read_list(Parts& parts, LogEntry& entry) {
  if (parts.rest().size() !=
      kKeyIdOctets + 3 * 8 + entry.tbs_digest.size() + entry.signature.size())
    return malformed("a revocation list has another length");
  entry.issuer_key_id = to_bytes(parts.take(kKeyIdOctets));
  entry.number = parts.number();
  entry.entries = parts.number();
  entry.next_update = parts.time();
  parts.fill(entry.tbs_digest);
  parts.fill(entry.signature);
  return {};
}

BytesView must_find(const FactView& fact, FactField field, std::size_t octets = 0) {
  const std::optional<BytesView> value = fact.find(field);
  if (!value || (octets != 0 && value->size() != octets))
    throw Fault("a " + std::string(fact_kind_name(fact.kind())) + " fact lacks a field");
  return *value;
}

CertificateSerial must_have_serial(const FactView& fact) {
  const std::optional<CertificateSerial> serial = fact.serial();
  if (!serial) throw Fault("a fact names no serial number");
  return *serial;
}

Bytes tile_key(unsigned level, std::uint64_t index) {
  Bytes key{static_cast<Octet>(level)};
  put_be(key, index);
  return key;
}

Bytes bundle_key(std::uint64_t index) {
  Bytes key;
  put_be(key, index);
  return key;
}

}  // namespace

Bytes LogEntry::encode() const {
  Bytes out{kVersion, static_cast<Octet>(kind)};
  put_time(out, at);
  switch (kind) {
    case Kind::certificate:
      CHECK(profile.size() <= 255);
      out.push_back(static_cast<Octet>(profile.size()));
      append(out, as_bytes(profile));
      append(out, der);
      return out;
    case Kind::revocation:
      append(out, issuer_key_id);
      append(out, serial.octets());
      out.push_back(static_cast<Octet>(reason));
      return out;
    case Kind::list:
      append(out, issuer_key_id);
      put_be(out, number);
      put_be(out, entries);
      put_time(out, next_update);
      append(out, tbs_digest);
      append(out, signature);
      return out;
  }
  UNREACHABLE();
}

Result<LogEntry> LogEntry::read(BytesView octets) {
  if (octets.size() < kHeaderOctets || octets[0] != kVersion)
    return malformed("an entry starts with version 1, its kind and its time");
  Parts parts(octets);
  LogEntry entry;
  entry.kind = static_cast<Kind>(parts.take(2)[1]);
  entry.at = parts.time();
  switch (entry.kind) {
    case Kind::certificate: TRY(read_certificate(parts, entry)); return entry;
    case Kind::revocation: TRY(read_revocation(parts, entry)); return entry;
    case Kind::list: TRY(read_list(parts, entry)); return entry;
  }
  return malformed("the kind is none of certificate, revocation and list");
}

std::optional<LogEntry> LogEntry::of(const FactView& fact) {
  LogEntry entry;
  entry.at = fact.at();
  switch (fact.kind()) {
    case FactKind::certificate_issued:
      entry.profile = std::string(fact.text(FactField::profile));
      entry.der = to_bytes(must_find(fact, FactField::certificate));
      entry.serial = must_have_serial(fact);
      return entry;
    case FactKind::certificate_revoked:
      entry.kind = Kind::revocation;
      entry.issuer_key_id = to_bytes(must_find(fact, FactField::issuer_key_id, kKeyIdOctets));
      entry.serial = must_have_serial(fact);
      entry.reason = static_cast<unsigned>(fact.number(FactField::reason));
      return entry;
    case FactKind::crl_issued:
      entry.kind = Kind::list;
      entry.issuer_key_id = to_bytes(must_find(fact, FactField::issuer_key_id, kKeyIdOctets));
      entry.number = fact.number(FactField::crl_number);
      entry.entries = fact.number(FactField::count);
      entry.next_update = UtcTime::from_unix_seconds(
          static_cast<std::int64_t>(fact.number(FactField::effective_until)));
      std::ranges::copy(must_find(fact, FactField::tbs_digest, entry.tbs_digest.size()),
                        entry.tbs_digest.begin());
      std::ranges::copy(must_find(fact, FactField::signature, entry.signature.size()),
                        entry.signature.begin());
      return entry;
    default: return std::nullopt;
  }
}

Bytes LogEntry::fact() const {
  const TraceId none;
  switch (kind) {
    case Kind::certificate:
      return FactWriter(FactKind::certificate_issued, at, none)
          .serial(serial)
          .text(FactField::profile, profile)
          .octets(FactField::certificate, der)
          .bytes();
    case Kind::revocation:
      return FactWriter(FactKind::certificate_revoked, at, none)
          .serial(serial)
          .number(FactField::reason, reason)
          .octets(FactField::issuer_key_id, issuer_key_id)
          .bytes();
    case Kind::list:
      return FactWriter(FactKind::crl_issued, at, none)
          .octets(FactField::issuer_key_id, issuer_key_id)
          .number(FactField::crl_number, number)
          .number(FactField::count, entries)
          .time(FactField::effective_until, next_update)
          .octets(FactField::tbs_digest, tbs_digest)
          .octets(FactField::signature, signature)
          .bytes();
  }
  UNREACHABLE();
}

LogHead log_head(const storage::Reader& reader) {
  const std::optional<Bytes> record = reader.get(tables::log_state, kHead);
  if (!record) return {0, tlog::tree_root(0, {}), 1};
  RecordReader fields(*record);
  LogHead head;
  head.size = fields.number();
  head.next = fields.number();
  const BytesView root = fields.octets();
  if (root.size() != head.root.size()) throw Fault("the log's stored root has another length");
  std::ranges::copy(root, head.root.begin());
  return head;
}

tlog::TileReader log_tiles(const storage::Reader& reader) {
  return [&reader](unsigned level, std::uint64_t index) {
    std::optional<Bytes> tile = reader.get(tables::log_tiles, tile_key(level, index));
    if (!tile) throw Fault("a tile of the log is missing from the store");
    return std::move(*tile);
  };
}

// Most facts of a bundle follow each other in the journal, so one walk reads many.
Bytes log_bundle(const storage::Reader& reader, std::uint64_t index, unsigned width) {
  const std::optional<Bytes> row = reader.get(tables::log_bundles, bundle_key(index));
  if (!row || row->size() < width * 8) throw Fault("a bundle of the log is missing from the store");
  BytesView sequences = BytesView(*row).first(width * 8);
  Bytes bundle;
  while (!sequences.empty()) {
    const std::size_t before = sequences.size();
    reader.journal(get_be(sequences.first(8)), [&](const storage::JournalEntry& entry) {
      if (sequences.empty() || entry.sequence != get_be(sequences.first(8))) return false;
      const Result<FactView> fact = FactView::read(entry.fact);
      const std::optional<LogEntry> logged = fact.ok() ? LogEntry::of(*fact) : std::nullopt;
      if (!logged) throw Fault("the journal has no public fact where the log says");
      tlog::add_to_bundle(bundle, logged->encode());
      sequences = sequences.subspan(8);
      return true;
    });
    if (sequences.size() == before) throw Fault("the journal ends before an entry of the log");
  }
  return bundle;
}

LogAppender::LogAppender(const storage::Reader& reader)
    : reader_(reader), before_(log_head(reader)), growth_(before_.size, log_tiles(reader)) {}

void LogAppender::see(std::uint64_t sequence, const FactView& fact) {
  const std::optional<LogEntry> entry = LogEntry::of(fact);
  if (!entry) return;
  const std::uint64_t index = growth_.size() / tlog::kTileWidth;
  const auto [bundle, fresh] = bundles_.try_emplace(index);
  if (fresh && growth_.size() % tlog::kTileWidth != 0)
    bundle->second = reader_.get(tables::log_bundles, bundle_key(index)).value_or(Bytes());
  CHECK(bundle->second.size() == growth_.size() % tlog::kTileWidth * 8);
  put_be(bundle->second, sequence);
  growth_.add(tlog::leaf_hash(entry->encode()));
}

void LogAppender::put(storage::Batch& batch, std::uint64_t next) const {
  for (const auto& [id, octets] : growth_.changed())
    batch.put(tables::log_tiles, tile_key(id.first, id.second), octets);
  for (const auto& [index, sequences] : bundles_)
    batch.put(tables::log_bundles, bundle_key(index), sequences);
  batch.put(tables::log_state, kHead,
            RecordWriter().number(growth_.size()).number(next).octets(growth_.root()).bytes());
}

std::string checkpoint_time_line(UtcTime at) { return std::string(kTime) + at.iso(); }

std::optional<UtcTime> checkpoint_time(const tlog::Checkpoint& checkpoint) {
  for (const std::string& line : checkpoint.extensions) {
    if (line.starts_with(kTime)) return UtcTime::parse_iso(line.substr(kTime.size()));
  }
  return std::nullopt;
}

std::optional<std::string> signed_checkpoint(const storage::Reader& reader) {
  const std::optional<Bytes> note = reader.get(tables::log_state, kCheckpoint);
  if (!note) return std::nullopt;
  return std::string(as_text(*note));
}

LogSigner::LogSigner(const World& world, storage::Store& store, std::string name,
                     crypto::KeyHandle key)
    : world_(world), store_(store), name_(std::move(name)), key_(std::move(key)) {
  if (log_key(store_) == verifier().text()) return;
  storage::Batch batch;
  batch.put(tables::log_state, kSigner, as_bytes(verifier().text()));
  if (!store_.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
}

std::optional<std::string> log_key(const storage::Reader& reader) {
  const std::optional<Bytes> text = reader.get(tables::log_state, kSigner);
  return text ? std::optional(std::string(as_text(*text))) : std::nullopt;
}

bool LogSigner::sign() {
  const LogHead head = log_head(store_);
  const UtcTime now = world_.now();
  if (const std::optional<std::string> last = signed_checkpoint(store_)) {
    const Result<std::string> text = tlog::open_note(*last, verifier());
    const Result<tlog::Checkpoint> checkpoint =
        text.ok() ? tlog::Checkpoint::parse(*text) : Result<tlog::Checkpoint>(text.refusal());
    // A note of another key (the key store was replaced) is signed again, too.
    const std::optional<UtcTime> at = checkpoint.ok() ? checkpoint_time(*checkpoint) : std::nullopt;
    const std::int64_t oldest = static_cast<std::int64_t>(limit("log_checkpoint_minutes")) * 60;
    if (at && checkpoint->size == head.size && now >= *at && now - *at < oldest) return false;
  }
  const tlog::Checkpoint checkpoint{name_, head.size, head.root, {checkpoint_time_line(now)}};
  storage::Batch batch;
  batch.put(tables::log_state, kCheckpoint,
            as_bytes(tlog::sign_note(checkpoint.text(), name_, *key_)));
  if (!store_.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
  return true;
}

}  // namespace wattseal::smki
