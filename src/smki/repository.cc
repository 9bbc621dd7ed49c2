#include "smki/repository.h"

#include <map>

#include "base/fault.h"
#include "smki/authority.h"
#include "smki/certificate_index.h"
#include "smki/intake.h"
#include "smki/log.h"
#include "smki/records.h"
#include "x509/outline.h"

namespace wattseal::smki {
namespace {

constexpr char kPublished = 'p';
const Bytes kCursor = to_bytes(as_bytes("repository_cursor"));  // next journal sequence to look at
const Bytes kCount = to_bytes(as_bytes("repository_published"));  // certificates visible
const Bytes kIndexed =
    to_bytes(as_bytes("repository_postings"));  // journal sequence up to which the index is made
const Bytes kPublishedAt = to_bytes(as_bytes("repository_published_at"));  // unix seconds
constexpr std::size_t kCertificatesPerStep = 2048;
constexpr std::size_t kCertificatesInAnothersCommit = 512;  // others wait for it

enum class Kind : Octet { device = 'D', organisation = 'O' };

struct Entry {
  std::uint64_t sequence = 0;
  std::string profile;
  x509::Certificate certificate;
};

Entry read_entry(const storage::JournalEntry& entry) {
  const Result<FactView> fact = FactView::read(entry.fact);
  if (!fact.ok() || fact->kind() != FactKind::certificate_issued)
    throw Fault("the journal has no certificate where the repository says");
  Result<x509::Certificate> certificate =
      x509::parse_certificate(fact->find(FactField::certificate).value_or(BytesView{}));
  if (!certificate.ok()) throw Fault("a journalled certificate does not parse");
  return {entry.sequence, std::string(fact->text(FactField::profile)), std::move(*certificate)};
}

// The issue fact at a journal sequence.
Entry read_entry(const storage::Reader& reader, std::uint64_t sequence) {
  std::optional<Entry> found;
  reader.journal(sequence, [&](const storage::JournalEntry& entry) {
    found = read_entry(entry);
    return false;
  });
  if (!found) throw Fault("the journal ends before a published certificate");
  return std::move(*found);
}

Bytes subject_prefix(Eui64 eui, Kind kind) {
  Bytes key = to_bytes(eui.octets());
  key.push_back(static_cast<Octet>(kind));
  return key;
}

Bytes subject_prefix(Eui64 eui, Kind kind, KeyUse use, std::optional<RemotePartyRole> role) {
  Bytes key = subject_prefix(eui, kind);
  key.push_back(static_cast<Octet>(use));
  key.push_back(role ? static_cast<Octet>(*role) : Octet{0});
  return key;
}

Bytes subject_key(const Identity& identity, UtcTime not_before, std::uint64_t sequence) {
  Bytes key = subject_prefix(identity.subject.eui.value(),
                             identity.device ? Kind::device : Kind::organisation, identity.use,
                             identity.subject.role);
  put_be(key, static_cast<std::uint64_t>(not_before.unix_seconds()));
  put_be(key, sequence);
  return key;
}

std::optional<CertificateSerial> newest(const storage::Reader& reader, const Bytes& prefix) {
  std::optional<CertificateSerial> serial;
  reader.scan_backwards(
      tables::by_subject, prefix, storage::prefix_end(prefix), [&](BytesView, BytesView value) {
        const Result<CertificateSerial> stored = CertificateSerial::from_octets(value);
        if (stored.ok()) serial = *stored;
        return false;
      });
  return serial;
}

// When a later Device Certificate of the same use took over.
std::optional<UtcTime> replaced_at(const storage::Reader& reader, const Identity& identity,
                                   UtcTime not_before, std::uint64_t sequence) {
  const Bytes prefix =
      subject_prefix(identity.subject.eui.value(), Kind::device, identity.use, std::nullopt);
  Bytes first = subject_key(identity, not_before, sequence);
  first.push_back(0);
  std::optional<UtcTime> since;
  reader.scan(tables::by_subject, first, storage::prefix_end(prefix),
              [&](BytesView key, BytesView) {
                since = UtcTime::from_unix_seconds(
                    static_cast<std::int64_t>(get_be(key.subspan(prefix.size(), 8))));
                return false;
              });
  return since;
}

// A Device Certificate is never revoked; an older one is no longer in use. Source: ¶53.
CertificateStatus status_of(const storage::Reader& reader, const x509::Certificate& certificate,
                            const std::optional<Identity>& identity, UtcTime now) {
  if (certificate.authority_key_id) {
    Bytes key = *certificate.authority_key_id;
    append(key, certificate.serial.octets());
    if (reader.get(tables::revocations, key)) return CertificateStatus::revoked;
  }
  if (now > certificate.not_after) return CertificateStatus::expired;
  if (now < certificate.not_before) return CertificateStatus::pending;
  if (identity && identity->device) {
    const Bytes prefix =
        subject_prefix(identity->subject.eui.value(), Kind::device, identity->use, std::nullopt);
    if (newest(reader, prefix) != certificate.serial) return CertificateStatus::not_in_use;
  }
  return CertificateStatus::in_use;
}

PublishedCertificate present(const storage::Reader& reader, Entry entry, UtcTime now) {
  const Result<Identity> read = read_identity(entry.certificate);
  const std::optional<Identity> identity = read.ok() ? std::optional(*read) : std::nullopt;
  PublishedCertificate published;
  published.status = status_of(reader, entry.certificate, identity, now);
  published.serial = entry.certificate.serial;
  published.profile = std::move(entry.profile);
  if (identity) {
    published.eui = identity->subject.eui;
    published.role = identity->subject.role;
    published.use = identity->use;
  }
  published.not_before = entry.certificate.not_before;
  published.not_after = entry.certificate.not_after;
  if (published.status == CertificateStatus::not_in_use)
    published.not_in_use_since =
        replaced_at(reader, *identity, published.not_before, entry.sequence);
  published.issued_sequence = entry.sequence;
  published.der = std::move(entry.certificate.der);
  return published;
}

std::vector<PublishedCertificate> list(const storage::Reader& reader, const Bytes& prefix,
                                       UtcTime now) {
  std::vector<PublishedCertificate> found;
  reader.scan_backwards(
      tables::by_subject, prefix, storage::prefix_end(prefix), [&](BytesView key, BytesView) {
        found.push_back(present(reader, read_entry(reader, get_be(key.last(8))), now));
        return found.size() < limit("search_results_max");
      });
  // The key orders by use and role first; people want the newest first.
  std::ranges::stable_sort(found, [](const PublishedCertificate& a, const PublishedCertificate& b) {
    return std::pair(a.not_before, a.issued_sequence) > std::pair(b.not_before, b.issued_sequence);
  });
  return found;
}

Refusal not_found(std::string what) { return {"repository-not-found"_rule, std::move(what)}; }

struct Found {
  std::uint64_t sequence = 0;
  TraceId trace;
  std::uint64_t batch = 0;  // 0: a ceremony's
  std::string profile;
  CertificateSerial serial;
  x509::Certificate certificate;  // its outline
};

// Most facts are the steps of a certificate before its issue: known by their kind alone.
bool is_step_before(BytesView fact) {
  if (fact.size() < 3) return false;
  switch (static_cast<FactKind>(get_be(fact.subspan(1, 2)))) {
    case FactKind::batch_submitted:
    case FactKind::row_authorised:
    case FactKind::certificate_intended: return true;
    default: return false;
  }
}

bool is_latest(const storage::Reader& reader, const PublishedCertificate& found) {
  if (!found.eui || !found.use) return true;
  const Kind kind = found.role ? Kind::organisation : Kind::device;
  return newest(reader, subject_prefix(*found.eui, kind, *found.use, found.role)) == found.serial;
}

bool within(UtcTime time, std::optional<UtcTime> from, std::optional<UtcTime> until) {
  return !(from && time < *from) && !(until && time > *until);
}

bool matches(const storage::Reader& reader, const CertificateQuery& query,
             const PublishedCertificate& found) {
  if (query.eui && found.eui != query.eui) return false;
  if (!query.profile.empty() && found.profile != query.profile) return false;
  if (query.role && found.role != query.role) return false;
  if (query.use && found.use != query.use) return false;
  if (query.status && found.status != *query.status) return false;
  if (!within(found.not_before, query.starts_from, query.starts_until)) return false;
  if (!within(found.not_after, query.expires_from, query.expires_until)) return false;
  if (!query.issuer.empty()) {
    const Result<x509::Certificate> certificate = x509::parse_certificate(found.der);
    CHECK(certificate.ok());
    if (!x509::same_name_text(x509::name_text(certificate->issuer), query.issuer)) return false;
  }
  return !query.latest || is_latest(reader, found);
}

void index(storage::Batch& batch, IndexAppender& fields, const Found& found) {
  const Result<Identity> identity = read_identity(found.certificate);
  fields.add(found.sequence, found.profile, found.certificate.not_before,
             found.certificate.not_after, identity.ok() ? identity->subject.role : std::nullopt);
  batch.put(tables::certificates, found.serial.octets(), encode_count(found.sequence));
  if (identity.ok())
    batch.put(tables::by_subject,
              subject_key(*identity, found.certificate.not_before, found.sequence),
              found.serial.octets());
}

// Journal sequences of the certificates that a query may want, behind its cursor.
void walk(const storage::Reader& reader, const CertificateQuery& query,
          const std::function<bool(BytesView cursor, std::uint64_t sequence)>& visit) {
  if (!query.eui) return walk_index(reader, index_range(query), query.after, visit);
  const Bytes prefix = to_bytes(query.eui->octets());
  Bytes first = query.after.empty() ? prefix : query.after;
  if (!query.after.empty()) first.push_back(0);
  reader.scan(tables::by_subject, first, storage::prefix_end(prefix),
              [&](BytesView key, BytesView) { return visit(key, get_be(key.last(8))); });
}

// Whether a cursor belongs to the pages of this query.
bool is_page_of(const CertificateQuery& query) {
  const Bytes eui = query.eui ? to_bytes(query.eui->octets()) : Bytes();
  const IndexRange range =
      query.eui ? IndexRange{eui, storage::prefix_end(eui)} : index_range(query);
  return query.after.empty() || (query.after >= range.first && query.after < range.last);
}

}  // namespace

Repository::Repository(const World& world, storage::Store& store) : world_(world), store_(store) {
  const std::uint64_t cursor = read_count(store_, tables::meta, kCursor);
  progress_->up_to = cursor == 0 ? 0 : cursor - 1;
  progress_->published_at = progress_->checked_at =
      static_cast<std::int64_t>(read_count(store_, tables::meta, kPublishedAt));
}

std::optional<std::int64_t> Completeness::age(UtcTime now) const {
  if (!checked_at) return std::nullopt;
  return std::max<std::int64_t>(0, now - *checked_at);
}

Completeness Repository::completeness() const {
  const auto time = [](std::int64_t seconds) {
    return seconds == 0 ? std::nullopt : std::optional(UtcTime::from_unix_seconds(seconds));
  };
  return {progress_->up_to, time(progress_->published_at), time(progress_->checked_at)};
}

// The log of a store that published before there was one.
void Repository::catch_up(std::uint64_t cursor) {
  LogAppender log(store_);
  std::uint64_t next = log_head(store_).next;
  store_.journal(next, [&](const storage::JournalEntry& entry) {
    if (entry.sequence >= cursor || log.added() >= kCertificatesPerStep) return false;
    next = entry.sequence + 1;
    const Result<FactView> fact = FactView::read(entry.fact);
    if (fact.ok()) log.see(entry.sequence, *fact);
    return true;
  });
  storage::Batch batch;
  log.put(batch, next);
  if (!store_.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
}

// The index of a store that published before there was one.
void Repository::catch_up_index(std::uint64_t cursor) {
  std::uint64_t next = read_count(store_, tables::meta, kIndexed);
  std::size_t indexed = 0;
  storage::Batch batch;
  IndexAppender fields(store_);
  store_.journal(std::max<std::uint64_t>(next, 1), [&](const storage::JournalEntry& entry) {
    if (entry.sequence >= cursor || indexed >= kCertificatesPerStep) return false;
    next = entry.sequence + 1;
    const Result<FactView> fact = FactView::read(entry.fact);
    if (!fact.ok() || fact->kind() != FactKind::certificate_issued) return true;
    const Entry one = read_entry(entry);
    const Result<Identity> identity = read_identity(one.certificate);
    fields.add(one.sequence, one.profile, one.certificate.not_before, one.certificate.not_after,
               identity.ok() ? identity->subject.role : std::nullopt);
    ++indexed;
    return true;
  });
  fields.put(batch);
  batch.put(tables::meta, kIndexed, encode_count(next));
  if (!store_.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
}

// A single request is answered with its publication; the registration authority notes when a batch
// has all its answers.
void Repository::note_published(storage::Batch& batch, std::uint64_t id,
                                const Published& published) const {
  const Bytes key = part_key(id, kPublished);
  batch.put(tables::batches, key,
            encode_count(read_count(store_, tables::batches, key) + published.count));
  const std::optional<Bytes> record = store_.get(tables::batches, part_key(id, kDecisions));
  if (!record) throw Fault("a certificate belongs to no batch");
  const Decisions decisions = Decisions::read(*record);
  if (decisions.rows != 1 || store_.get(tables::batches, part_key(id, kAnswered))) return;
  const Bytes open = open_batch_key(id);  // where it did not take the express lane
  if (store_.get(tables::open_batches, open)) batch.erase(tables::open_batches, open);
  put_answered(batch, {id, decisions.subscriber, 1},
               {0, 0, world_.now(), world_.clock.now_milliseconds(), published.trace});
}

// What one commit publishes: the facts from one journal sequence to another, in order. What is
// public goes into the log in the same order.
struct Repository::Step {
  Step(const storage::Reader& reader, std::uint64_t from) : log(reader), next(from) {}
  LogAppender log;
  std::vector<Found> found;
  std::uint64_t next;  // what comes next

  void see(std::uint64_t sequence, BytesView octets) {
    CHECK(sequence >= next);
    next = sequence + 1;
    if (is_step_before(octets)) return;
    const Result<FactView> fact = FactView::read(octets);
    if (!fact.ok()) return;
    log.see(sequence, *fact);
    if (fact->kind() != FactKind::certificate_issued) return;
    const std::optional<CertificateSerial> serial = fact->serial();
    Result<x509::Certificate> certificate =
        x509::outline_of(fact->find(FactField::certificate).value_or(BytesView{}));
    if (!serial || !certificate.ok()) throw Fault("a journalled certificate does not parse");
    found.push_back({sequence, fact->trace(), fact->number(FactField::batch),
                     std::string(fact->text(FactField::profile)), *serial,
                     std::move(*certificate)});
  }
  void see_journal(const storage::Reader& reader, std::size_t most) {
    reader.journal(next, [&](const storage::JournalEntry& entry) {
      see(entry.sequence, entry.fact);
      return log.added() < most;
    });
  }
};

std::size_t Repository::publish() {
  const std::lock_guard lock(*publishing_);
  return publish_next();
}

// What is not published yet, up to `most` entries.
Repository::Step Repository::waiting(std::size_t most) {
  const std::uint64_t cursor = read_count(store_, tables::meta, kCursor);
  while (log_head(store_).next < cursor) catch_up(cursor);
  while (read_count(store_, tables::meta, kIndexed) < cursor) catch_up_index(cursor);
  scanned_ = std::max(scanned_, cursor);
  Step step(store_, scanned_);
  step.see_journal(store_, most);
  return step;
}

std::size_t Repository::publish_next() {
  Step step = waiting(kCertificatesPerStep);
  if (step.log.added() != 0) {
    storage::Batch batch;
    put_step(batch, step);
    if (!store_.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
  }
  published(step);
  return step.log.added();
}

// The batch's place in the journal, which the index names, is known when it is being committed.
Result<std::uint64_t> Repository::commit_and_publish(storage::Batch batch) {
  const std::lock_guard lock(*publishing_);
  const Step before = waiting(kCertificatesInAnothersCommit);
  if (before.log.added() == 0) published(before);
  if (before.log.added() >= kCertificatesInAnothersCommit) {
    while (publish_next() > 0) {
    }
  }
  std::optional<Step> step;  // that was published in the same commit
  std::uint64_t last = 0;
  batch.complete_when_placed([&](storage::Batch& placed, std::uint64_t first) {
    last = first + placed.facts().size() - 1;
    Step all(store_, scanned_);
    all.see_journal(store_, kCertificatesInAnothersCommit);
    if (all.next != first) return;  // more than that was issued in this moment
    for (const Bytes& fact : placed.facts()) all.see(all.next, fact);
    if (all.log.added() != 0) put_step(placed, all);
    step.emplace(std::move(all));
  });
  TRY_ASSIGN(const std::uint64_t first, store_.commit(std::move(batch)));
  if (step) published(*step);
  while (scanned_ <= last) publish_next();
  return first;
}

void Repository::put_step(storage::Batch& batch, const Step& step) const {
  const std::uint64_t now = static_cast<std::uint64_t>(world_.now().unix_seconds());
  batch.put(tables::meta, kCursor, encode_count(step.next));
  batch.put(tables::meta, kIndexed, encode_count(step.next));
  batch.put(tables::meta, kPublishedAt, encode_count(now));
  step.log.put(batch, step.next);
  std::map<BatchId, Published> per_batch;
  Bytes serials;
  IndexAppender fields(store_);
  for (const Found& one : step.found) {
    index(batch, fields, one);
    append(serials, one.serial.octets());
    if (one.batch == 0) continue;
    Published& published = per_batch[one.batch];
    ++published.count;
    published.trace = one.trace;
  }
  fields.put(batch);
  for (const auto& [id, published] : per_batch) note_published(batch, id, published);
  batch.put(tables::meta, kCount, encode_count(count() + step.found.size()));
  if (step.found.empty()) return;
  batch.append(FactWriter(FactKind::certificate_published, world_.now(), step.found.front().trace)
                   .number(FactField::count, step.found.size())
                   .octets(FactField::serial, serials)
                   .bytes());
}

// Everything up to there is visible.
void Repository::published(const Step& step) {
  const std::int64_t now = world_.now().unix_seconds();
  scanned_ = step.next;
  progress_->up_to = step.next - 1;
  (step.log.added() == 0 ? progress_->checked_at : progress_->published_at) = now;
}

Result<PublishedCertificate> Repository::by_serial(const CertificateSerial& serial) const {
  const std::optional<Bytes> row = store_.get(tables::certificates, serial.octets());
  if (!row) return not_found("no certificate has serial " + serial.hex());
  return present(store_, read_entry(store_, RecordReader(*row).number()), world_.now());
}

std::vector<PublishedCertificate> Repository::by_device(Eui64 device) const {
  return list(store_, subject_prefix(device, Kind::device), world_.now());
}

std::vector<PublishedCertificate> Repository::by_organisation(Eui64 entity) const {
  return list(store_, subject_prefix(entity, Kind::organisation), world_.now());
}

Result<PublishedCertificate> Repository::latest(Eui64 eui, KeyUse use,
                                                std::optional<RemotePartyRole> role) const {
  const std::optional<CertificateSerial> serial =
      newest(store_, subject_prefix(eui, role ? Kind::organisation : Kind::device, use, role));
  if (!serial) return not_found("no " + std::string(text(use)) + " certificate for " + eui.text());
  return by_serial(*serial);
}

Result<PublishedCertificate> Repository::by_issuer_serial(std::string_view issuer,
                                                          const CertificateSerial& serial) const {
  TRY_ASSIGN(PublishedCertificate found, by_serial(serial));
  const Result<x509::Certificate> certificate = x509::parse_certificate(found.der);
  CHECK(certificate.ok());
  if (!x509::same_name_text(x509::name_text(certificate->issuer), issuer)) {
    return not_found("serial " + serial.decimal() + " was not issued by " + std::string(issuer));
  }
  return found;
}

std::vector<PublishedCertificate> Repository::authorities() const {
  std::vector<PublishedCertificate> found;
  for (const CertificateProfile& profile : certificate_profiles()) {
    if (!profile.is_ca()) continue;
    std::vector<Authority> generations = former_authorities(store_, profile.id);
    if (std::optional<Authority> current = find_authority(store_, profile.id))
      generations.push_back(std::move(*current));
    for (const Authority& one : generations) {
      const Result<PublishedCertificate> published = by_serial(one.certificate.serial);
      if (published.ok()) found.push_back(*published);
    }
  }
  return found;
}

Result<Bytes> Repository::revocation_list(BytesView issuer_key_id) const {
  const std::optional<Bytes> crl = store_.get(tables::crls, issuer_key_id);
  if (!crl) return not_found("no revocation list of issuer key " + to_hex_upper(issuer_key_id));
  return *crl;
}

Result<CertificatePage> Repository::search(const CertificateQuery& query) const {
  const std::size_t most = limit("search_results_max");
  if (query.limit == 0 || query.limit > most)
    return Refusal{"repository-query"_rule, "a page has 1 to " + std::to_string(most) + " results",
                   "query/limit"};
  if (!is_page_of(query))
    return Refusal{"repository-query"_rule, "after is not a page of this query", "query/after"};
  CertificatePage page;
  std::size_t seen = 0;
  Bytes last_seen;
  bool more = false;
  walk(store_, query, [&](BytesView cursor, std::uint64_t sequence) {
    more = seen == most || page.certificates.size() == query.limit;
    if (more) return false;
    ++seen;
    last_seen = to_bytes(cursor);
    PublishedCertificate found = present(store_, read_entry(store_, sequence), world_.now());
    if (matches(store_, query, found)) page.certificates.push_back(std::move(found));
    return true;
  });
  if (more) page.next = std::move(last_seen);
  return page;
}

void Repository::each_published(std::uint64_t from, const Visitor& visit) const {
  const IndexRange all = index_range({});
  Bytes after = all.first;
  put_be(after, from - std::min<std::uint64_t>(from, 1));
  walk_index(store_, all, after, [&](BytesView, std::uint64_t sequence) {
    const Entry entry = read_entry(store_, sequence);
    return visit(entry.sequence, entry.profile, entry.certificate);
  });
}

std::uint64_t Repository::count() const { return read_count(store_, tables::meta, kCount); }

}  // namespace wattseal::smki
