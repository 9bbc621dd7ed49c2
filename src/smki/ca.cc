#include "smki/ca.h"

#include <map>
#include <mutex>
#include <set>
#include <span>

#include "base/fault.h"
#include "smki/issuing.h"
#include "smki/lint.h"
#include "smki/revocation.h"
#include "smki/serials.h"
#include "smki/work_queue.h"

namespace wattseal::smki {
namespace {

constexpr char kIssued = 'i';

struct Signer {
  Authority authority;
  crypto::KeyHandle key;
};

// What the intents table remembers of a chunk: enough to build the same octets again after a crash.
struct Intent {
  UtcTime not_before;
  std::vector<std::pair<std::uint32_t, CertificateSerial>> serials;  // by row

  Bytes record() const {
    RecordWriter writer;
    writer.number(static_cast<std::uint64_t>(not_before.unix_seconds()));
    for (const auto& [row, serial] : serials) writer.number(row).octets(serial.octets());
    return writer.bytes();
  }
  static Intent read(BytesView octets) {
    RecordReader record(octets);
    Intent intent;
    intent.not_before = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
    while (!record.empty()) {
      const std::uint32_t row = static_cast<std::uint32_t>(record.number());
      const Result<CertificateSerial> serial = CertificateSerial::from_octets(record.octets());
      CHECK(serial.ok());
      intent.serials.emplace_back(row, *serial);
    }
    return intent;
  }
};

struct Counts {
  std::uint64_t issued = 0, refused = 0;
  static Counts read(const storage::Reader& reader, BytesView key) {
    const std::optional<Bytes> record = reader.get(tables::batches, key);
    if (!record) return {};
    RecordReader fields(*record);
    const std::uint64_t issued = fields.number();
    return {issued, fields.number()};
  }
  Bytes record() const { return RecordWriter().number(issued).number(refused).bytes(); }
};

}  // namespace

struct CertificationAuthority::State {
  using Commit = CertificationAuthority::Commit;
  const World& world;
  storage::Store& store;
  Workers& workers;
  Environment environment;
  std::span<const KeyReuseRow> key_reuse;
  std::map<std::string, Signer, std::less<>> signers;  // by profile id of the issuing authority
  std::vector<Signer> former;                          // they sign lists, no certificates
  WorkQueue queue;
  std::mutex counts_mutex;                // issued_counts, from reading to writing
  std::mutex lists_mutex;                 // one list at a time
  std::map<Bytes, RevocationBook> books;  // by key id of the issuer

  // Everyone who signs lists.
  std::vector<const Signer*> list_signers() const {
    std::vector<const Signer*> all;
    for (const auto& [profile_id, signer] : signers) all.push_back(&signer);
    for (const Signer& signer : former) all.push_back(&signer);
    return all;
  }

  RevocationBook& book(const Authority& issuer) {
    const Bytes& key_id = issuer.certificate.subject_key_id.value();
    const auto found = books.find(key_id);
    if (found != books.end()) return found->second;
    return books.emplace(key_id, RevocationBook(store, issuer)).first->second;
  }

  Result<IssuedRow> prepare(const AuthorisedRow& authorised, const CertificateSerial& serial,
                            UtcTime not_before) const {
    TRY_ASSIGN(const x509::CertificationRequest request, x509::parse_request(authorised.request));
    TRY_ASSIGN(Asked asked, read_request(request));
    CHECK(asked.profile->id == authorised.profile);
    ToBeSigned what;
    what.profile = asked.profile;
    what.environment = environment;
    what.serial = serial;
    what.not_before = not_before;
    what.subject = std::move(asked.subject);
    what.key = request.key;
    what.issuer = signers.find(asked.profile->issuer)->second.authority.identity();
    IssuedRow row;
    row.number = authorised.row;
    row.profile_id = authorised.profile;
    row.serial = serial;
    row.key = request.key;
    row.tbs = build_tbs(what);
    const Status clean = lint_before_issue(row.tbs);
    if (!clean.ok()) row.refusal = clean.refusal();
    return row;
  }

  // Builds the octets of every row that has a serial.
  std::vector<IssuedRow> prepare_all(const Work& work, const Intent& intent) const {
    std::map<std::uint32_t, CertificateSerial> serials(intent.serials.begin(),
                                                       intent.serials.end());
    std::vector<const AuthorisedRow*> wanted;
    for (const AuthorisedRow& row : work.rows) {
      if (serials.contains(row.row)) wanted.push_back(&row);
    }
    std::vector<IssuedRow> rows(wanted.size());
    workers.parallel_for(rows.size(), 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        Result<IssuedRow> row = prepare(*wanted[i], serials.at(wanted[i]->row), intent.not_before);
        if (!row.ok()) throw Fault("an authorised request does not parse any more");
        rows[i] = std::move(*row);
      }
    });
    return rows;
  }

  // What the chunks of one commit have taken so far.
  struct Drawn {
    Serials serials;
    KeyReusePolicy key_reuse;
    std::set<Bytes> keys;
  };

  // Makes the intents durable and reserves the keys, one commit for all chunks. Rows that the
  // linter finds wanting and rows whose key was certified meanwhile are refused here.
  void intend(std::span<Chunk* const> chunks) {
    for (bool careful = false;;) {
      storage::Batch batch;
      Drawn drawn = draw(careful);
      for (Chunk* const chunk : chunks) put_intent(batch, drawn, *chunk);
      std::map<BatchId, Counts> counts;
      for (const Chunk* const chunk : chunks) put_refusals(batch, counts, *chunk);
      put_counts(batch, counts);
      const Result<std::uint64_t> committed = store.commit(std::move(batch));
      if (committed.ok()) return;
      if (committed.refusal().rule == "ca-serial-taken"_rule && !careful) {
        careful = true;
        continue;
      }
      if (committed.refusal().rule != "csr-key-seen"_rule)
        throw Fault("another process issues from this store");
      for (Chunk* const chunk : chunks) {
        for (const IssuedRow& row : chunk->rows) {
          if (drawn.key_reuse.of(row.profile_id) == KeyReuse::refuse &&
              store.get(tables::keys_seen, key_seen_key(row.key)))
            chunk->refused.emplace(row.number, key_seen());
        }
      }
    }
  }

  Drawn draw(bool careful) const {
    return {Serials(world.random, store, careful),
            KeyReusePolicy(key_reuse, environment, world.now()),
            {}};
  }

  void put_refusals(storage::Batch& batch, std::map<BatchId, Counts>& counts, const Chunk& chunk) {
    const BatchId id = batch_of(chunk.key);
    for (const auto& [row, refusal] : chunk.refused)
      refuse_row(batch, id, row, refusal, world.now(), chunk.work.trace);
    if (!chunk.refused.empty()) count(counts, id).refused += chunk.refused.size();
  }

  // One chunk's part of that commit.
  void put_intent(storage::Batch& batch, Drawn& drawn, Chunk& chunk) {
    Intent intent;
    std::set<Bytes> keys;  // of this chunk
    for (bool clean = false; !clean;) {
      intent = {world.now(), {}};
      for (const AuthorisedRow& row : chunk.work.rows) {
        if (!chunk.refused.contains(row.row))
          intent.serials.emplace_back(row.row, drawn.serials.draw());
      }
      chunk.rows = prepare_all(chunk.work, intent);
      clean = true;
      keys.clear();
      for (IssuedRow& row : chunk.rows) {
        if (row.refusal)
          clean = !chunk.refused.emplace(row.number, *row.refusal).second && clean;
        else if (const Status key = check_key(drawn, keys, chunk.work, row); !key.ok())
          clean = !chunk.refused.emplace(row.number, key.refusal()).second && clean;
      }
    }
    drawn.keys.merge(keys);
    batch.require_absent(tables::intents, chunk.key,
                         Refusal{"ca-race"_rule, "another process works on these rows"});
    if (chunk.rows.empty())
      batch.erase(tables::ca_work, chunk.key);  // every row has its answer
    else
      batch.put(tables::intents, chunk.key, intent.record());
    for (const IssuedRow& row : chunk.rows) {
      const Bytes seen = key_seen_key(row.key);
      if (!row.key_again) batch.require_absent(tables::keys_seen, seen, key_seen());
      batch.put(tables::keys_seen, seen, {});
      take_serial(batch, row.serial);
      batch.append(FactWriter(FactKind::certificate_intended, intent.not_before, chunk.work.trace)
                       .serial(row.serial)
                       .text(FactField::profile, row.profile_id)
                       .octets(FactField::tbs_digest, crypto::sha256(row.tbs))
                       .octets(FactField::key_seen, seen)
                       .number(FactField::batch, batch_of(chunk.key))
                       .number(FactField::row, row.number)
                       .bytes());
    }
  }

  // Whether the key may be certified now; `keys` are those of the chunk. Where no key may be seen
  // twice, the commit looks.
  Status check_key(const Drawn& drawn, std::set<Bytes>& keys, const Work& work,
                   IssuedRow& row) const {
    const KeyReuse reuse = drawn.key_reuse.of(row.profile_id);
    const Bytes seen = key_seen_key(row.key);
    const bool at_once = drawn.keys.contains(seen) || !keys.insert(seen).second;
    if (at_once && reuse != KeyReuse::allow) return key_seen();
    if (reuse == KeyReuse::refuse) return {};
    row.key_again = at_once || store.get(tables::keys_seen, seen).has_value();
    if (!row.key_again) return {};
    const auto authorised = std::ranges::find(work.rows, row.number, &AuthorisedRow::row);
    TRY_ASSIGN(const x509::CertificationRequest request, x509::parse_request(authorised->request));
    TRY_ASSIGN(const Asked asked, read_request(request));
    return drawn.key_reuse.check(store, asked, row.key);
  }

  static Refusal key_seen() {
    return {"csr-key-seen"_rule, "the public key is in a certificate already",
            "subjectPublicKeyInfo"};
  }

  Counts& count(std::map<BatchId, Counts>& counts, BatchId id) const {
    const auto found = counts.find(id);
    if (found != counts.end()) return found->second;
    return counts.emplace(id, Counts::read(store, part_key(id, kIssued))).first->second;
  }
  static void put_counts(storage::Batch& batch, const std::map<BatchId, Counts>& counts) {
    for (const auto& [id, one] : counts)
      batch.put(tables::batches, part_key(id, kIssued), one.record());
  }

  void sign_all(std::span<IssuedRow* const> rows) const {
    const std::size_t grain = rows.size() < 128 ? 64 : 32;
    workers.parallel_for(rows.size(), grain, [&](std::size_t begin, std::size_t end) {
      std::map<const Signer*, std::vector<IssuedRow*>> by_signer;
      for (IssuedRow* const row : rows.subspan(begin, end - begin)) {
        by_signer[&signers.find(find_certificate_profile(row->profile_id)->issuer)->second]
            .push_back(row);
      }
      for (const auto& [signer, signed_rows] : by_signer) {
        std::vector<crypto::Digest> digests;
        for (const IssuedRow* row : signed_rows) digests.push_back(crypto::sha256(row->tbs));
        const std::vector<crypto::Signature> signatures = signer->key->sign_many(digests);
        for (std::size_t i = 0; i < signed_rows.size(); ++i)
          signed_rows[i]->certificate =
              x509::assemble_certificate(signed_rows[i]->tbs, signatures[i]);
      }
    });
  }

  // How many certificates each authority has issued decides when it retires.
  void count_issued(storage::Batch& batch, std::span<Chunk* const> chunks) const {
    std::map<Bytes, std::uint64_t> more;
    for (const Chunk* const chunk : chunks) {
      for (const IssuedRow& row : chunk->rows) {
        const std::string_view issuer = find_certificate_profile(row.profile_id)->issuer;
        ++more[signers.find(issuer)->second.authority.certificate.subject_key_id.value()];
      }
    }
    for (const auto& [key_id, count] : more)
      batch.put(tables::issued_counts, key_id,
                encode_count(read_count(store, tables::issued_counts, key_id) + count));
  }

  void record(std::span<Chunk* const> chunks, const Commit& commit) {
    storage::Batch batch;
    std::map<BatchId, Counts> counts;
    const UtcTime now = world.now();
    for (const Chunk* const one : chunks) {
      const Chunk& chunk = *one;
      const BatchId id = batch_of(chunk.key);
      batch.erase(tables::ca_work, chunk.key);
      batch.erase(tables::intents, chunk.key);
      count(counts, id).issued += chunk.rows.size();
      for (const IssuedRow& row : chunk.rows) {
        batch.put(tables::batch_rows, row_key(id, row.number), encode_issued(row.serial));
        batch.append(FactWriter(FactKind::certificate_issued, now, chunk.work.trace)
                         .serial(row.serial)
                         .text(FactField::profile, row.profile_id)
                         .octets(FactField::certificate, row.certificate)
                         .number(FactField::batch, id)
                         .number(FactField::row, row.number)
                         .bytes());
      }
    }
    put_counts(batch, counts);
    const std::lock_guard lock(counts_mutex);
    count_issued(batch, chunks);
    if (!commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
  }

  void sign_and_record(std::span<Chunk* const> chunks, const Commit& commit) {
    std::vector<IssuedRow*> rows;
    for (Chunk* const chunk : chunks) {
      for (IssuedRow& row : chunk->rows) rows.push_back(&row);
    }
    sign_all(rows);
    record(chunks, commit);
  }
};

CertificationAuthority::CertificationAuthority(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
CertificationAuthority::~CertificationAuthority() = default;

namespace {

Result<Signer> signer_of(const crypto::KeyStore& keys, Authority authority) {
  TRY_ASSIGN(crypto::KeyHandle key, keys.find(authority.key_label));
  if (key->public_point() != authority.certificate.key)
    return Refusal{"ca-key-mismatch"_rule,
                   "the key " + authority.key_label + " is not the one of the certificate"};
  return Signer{std::move(authority), std::move(key)};
}

}  // namespace

Result<std::unique_ptr<CertificationAuthority>> CertificationAuthority::open(
    const World& world, storage::Store& store, const crypto::KeyStore& keys, Workers& workers,
    Environment environment, std::span<const KeyReuseRow> key_reuse) {
  TRY(claim_environment(store, environment));
  if (environment == Environment::live && keys.kind() != "pkcs11")
    return Refusal{"ceremony-live-key-store"_rule,
                   "the key store is of kind " + std::string(keys.kind())};
  std::unique_ptr<State> state(new State{
      world, store, workers, environment, key_reuse, {}, {}, WorkQueue(store), {}, {}, {}});
  for (const CertificateProfile& profile : certificate_profiles()) {
    if (!profile.is_ca() || profile.issuer == profile.id) continue;
    std::optional<Authority> authority = find_authority(store, profile.id);
    if (!authority)
      return Refusal{"ca-not-established"_rule, "there is no " + std::string(profile.id)};
    if (is_revoked(store, authority->certificate))
      return Refusal{"ca-authority-revoked"_rule,
                     x509::name_text(authority->certificate.subject) + " is revoked"};
    TRY_ASSIGN(Signer signer, signer_of(keys, std::move(*authority)));
    state->signers.emplace(profile.id, std::move(signer));
    for (Authority& one : former_authorities(store, profile.id)) {
      TRY_ASSIGN(signer, signer_of(keys, std::move(one)));
      state->former.push_back(std::move(signer));
    }
  }
  return std::unique_ptr<CertificationAuthority>(new CertificationAuthority(std::move(state)));
}

std::size_t CertificationAuthority::issue() {
  std::vector<Chunk> chunks;
  for (auto& [key, work] : state_->queue.next(limit("issue_chunk_rows")))
    chunks.push_back({std::move(key), std::move(work), {}, {}});
  if (chunks.empty()) return 0;
  std::vector<Chunk*> all, fresh;
  std::size_t done = 0;
  for (Chunk& chunk : chunks) {
    all.push_back(&chunk);
    done += chunk.work.rows.size();
    if (const std::optional<Bytes> unfinished = state_->store.get(tables::intents, chunk.key))
      chunk.rows = state_->prepare_all(chunk.work, Intent::read(*unfinished));
    else
      fresh.push_back(&chunk);
  }
  if (!fresh.empty()) state_->intend(fresh);
  state_->sign_and_record(
      all, [this](storage::Batch batch) { return state_->store.commit(std::move(batch)); });
  return done;
}

void CertificationAuthority::intend(storage::Batch& batch, std::span<Chunk* const> chunks) {
  State::Drawn drawn = state_->draw(false);
  for (Chunk* const chunk : chunks) state_->put_intent(batch, drawn, *chunk);
}
void CertificationAuthority::finish(std::span<Chunk* const> chunks, const Commit& commit) {
  state_->sign_and_record(chunks, commit);
}
void CertificationAuthority::take_over(const std::vector<Bytes>& work_keys) {
  state_->queue.add(work_keys);
}

namespace {

struct AuthorisedRevocation {
  CertificateSerial serial;
  unsigned reason = 0;
  ActId act = 0;
  TraceId trace;
};
std::vector<AuthorisedRevocation> authorised_revocations(const storage::Reader& reader) {
  std::vector<AuthorisedRevocation> all;
  reader.scan(tables::revocation_work, {}, {}, [&](BytesView key, BytesView value) {
    const Result<CertificateSerial> serial = CertificateSerial::from_octets(key);
    CHECK(serial.ok());
    RecordReader record(value);
    AuthorisedRevocation one{*serial, static_cast<unsigned>(record.number()), record.number(), {}};
    std::array<Octet, 16> trace{};
    const BytesView stored = record.octets();
    if (stored.size() == trace.size()) std::ranges::copy(stored, trace.begin());
    one.trace = TraceId(trace);
    all.push_back(one);
    return true;
  });
  return all;
}

}  // namespace

std::size_t CertificationAuthority::revoke_authorised() {
  State& state = *state_;
  const std::lock_guard lock(state.lists_mutex);
  std::size_t revoked = 0;
  const std::vector<AuthorisedRevocation> work = authorised_revocations(state.store);
  if (work.empty()) return 0;
  for (const Signer* const one_signer : state.list_signers()) {
    const Signer& signer = *one_signer;
    const std::unique_ptr<storage::Reader> view = state.store.snapshot();
    const UtcTime now = state.world.now();
    const Bytes& key_id = signer.authority.certificate.subject_key_id.value();
    storage::Batch batch;
    std::vector<x509::RevokedEntry> entries;
    for (const AuthorisedRevocation& one : work) {
      const Result<Revocable> found = find_revocable(*view, one.serial);
      if (found.ok() && found->issuer_key_id != key_id) continue;  // another signer's
      batch.erase(tables::revocation_work, one.serial.octets());
      if (!found.ok()) continue;  // it was revoked in the meantime
      entries.push_back({one.serial, now, one.reason});
      batch.append(FactWriter(FactKind::certificate_revoked, now, one.trace)
                       .serial(one.serial)
                       .number(FactField::reason, one.reason)
                       .octets(FactField::issuer_key_id, key_id)
                       .number(FactField::act, one.act)
                       .bytes());
    }
    if (entries.empty()) {
      if (!batch.empty() && !state.store.commit(std::move(batch)).ok()) UNREACHABLE();
      continue;
    }
    RevocationBook& book = state.book(signer.authority);
    book.put_list(batch, *view, signer.authority, *signer.key, entries, now, work.front().trace);
    if (!state.store.commit(std::move(batch)).ok()) continue;  // another list; again next time
    book.committed();
    revoked += entries.size();
  }
  return revoked;
}

bool CertificationAuthority::keep_revocation_list_current() {
  State& state = *state_;
  const std::lock_guard lock(state.lists_mutex);
  const UtcTime now = state.world.now();
  const std::int64_t interval = static_cast<std::int64_t>(limit("crl_interval_hours")) * 3600;
  bool signed_one = false;
  for (const Signer* const signer : state.list_signers()) {
    if (signer->authority.profile->hierarchy != "organisation") continue;  // ¶53: devices have none
    const std::optional<ListState> latest =
        list_state(state.store, signer->authority.certificate.subject_key_id.value());
    // A clock that was set back must not keep a list for longer than the interval.
    if (latest && now >= latest->this_update && now - latest->this_update < interval) continue;
    storage::Batch batch;
    RevocationBook& book = state.book(signer->authority);
    book.put_list(batch, state.store, signer->authority, *signer->key, {}, now,
                  state.world.new_trace());
    if (!state.store.commit(std::move(batch)).ok()) continue;
    book.committed();
    signed_one = true;
  }
  return signed_one;
}

}  // namespace wattseal::smki
