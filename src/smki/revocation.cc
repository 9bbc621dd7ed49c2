#include "smki/revocation.h"

#include <algorithm>

#include "base/fault.h"

namespace wattseal::smki {
namespace {

constexpr std::int64_t kSecondsPerHour = 3600;

Bytes state_key(BytesView issuer_key_id) {
  Bytes key = to_bytes(as_bytes("crl/"));
  append(key, issuer_key_id);
  return key;
}

Bytes encode(const ListState& state) {
  return RecordWriter()
      .number(state.number)
      .number(state.entries)
      .number(static_cast<std::uint64_t>(state.this_update.unix_seconds()))
      .number(static_cast<std::uint64_t>(state.next_update.unix_seconds()))
      .bytes();
}
ListState decode(BytesView octets) {
  RecordReader record(octets);
  ListState state;
  state.number = record.number();
  state.entries = record.number();
  state.this_update = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  state.next_update = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  return state;
}

// nextUpdate of a list of this issuer. Sources: ¶60 (ARL 12 months), spec/smki.md 1.11.
UtcTime next_update(const CertificateProfile& issuer, UtcTime now) {
  const bool arl = issuer.issuer == issuer.id;  // a root signs the list of authorities
  if (!arl)
    return now.plus_seconds(static_cast<std::int64_t>(limit("crl_validity_hours")) *
                            kSecondsPerHour);
  CHECK(limit("arl_validity_months") % 12 == 0);
  return now.plus_years(static_cast<int>(limit("arl_validity_months") / 12));
}

x509::TbsCrl to_be_signed(const Authority& issuer, const ListState& state,
                          std::vector<x509::RevokedEntry> entries) {
  x509::TbsCrl tbs;
  tbs.issuer = issuer.certificate.subject;
  tbs.this_update = state.this_update;
  tbs.next_update = state.next_update;
  tbs.authority_key_id = issuer.certificate.subject_key_id.value();
  tbs.number = state.number;
  tbs.entries = std::move(entries);
  return tbs;
}

bool by_serial(const x509::RevokedEntry& a, const x509::RevokedEntry& b) {
  return a.serial < b.serial;
}

}  // namespace

std::optional<ListState> list_state(const storage::Reader& reader, BytesView issuer_key_id) {
  const std::optional<Bytes> record = reader.get(tables::meta, state_key(issuer_key_id));
  return record ? std::optional(decode(*record)) : std::nullopt;
}

RevocationBook::RevocationBook(const storage::Reader& reader, const Authority& issuer) {
  const Bytes& key_id = issuer.certificate.subject_key_id.value();
  reader.scan(tables::revocations, key_id, storage::prefix_end(key_id),
              [&](BytesView row, BytesView value) {
                const Result<CertificateSerial> serial =
                    CertificateSerial::from_octets(row.subspan(key_id.size()));
                CHECK(serial.ok());
                RecordReader record(value);
                const UtcTime at =
                    UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
                entries_.push_back({*serial, at, static_cast<unsigned>(record.number())});
                return true;
              });
}

Bytes RevocationBook::put_list(storage::Batch& batch, const storage::Reader& reader,
                               const Authority& issuer, const crypto::PrivateKey& key,
                               const std::vector<x509::RevokedEntry>& more, UtcTime now,
                               TraceId trace) {
  const Bytes& key_id = issuer.certificate.subject_key_id.value();
  std::vector<x509::RevokedEntry> fresh = more;
  std::ranges::sort(fresh, by_serial);
  next_.clear();
  next_.reserve(entries_.size() + fresh.size());
  std::ranges::merge(entries_, fresh, std::back_inserter(next_), by_serial);
  for (const x509::RevokedEntry& entry : more) {
    Bytes row = key_id;
    append(row, entry.serial.octets());
    batch.put(tables::revocations, row,
              RecordWriter()
                  .number(static_cast<std::uint64_t>(entry.at.unix_seconds()))
                  .number(entry.reason.value_or(0))
                  .bytes());
  }

  const std::optional<Bytes> last = reader.get(tables::meta, state_key(key_id));
  ListState state;
  state.number = (last ? decode(*last).number : 0) + 1;
  state.entries = next_.size();
  state.this_update = now;
  state.next_update = next_update(*issuer.profile, now);
  x509::TbsCrl list = to_be_signed(issuer, state, std::move(next_));
  const Bytes tbs = x509::encode_tbs_crl(list);
  next_ = std::move(list.entries);  // a million of them are lent, not copied
  const crypto::Digest digest = crypto::sha256(tbs);
  const crypto::Signature signature = key.sign(digest);

  // Two lists must never carry one number: whoever loses this race signs again over the new state.
  const Refusal race{"crl-number-race"_rule, "another list took the number"};
  if (last) {
    batch.require_value(tables::meta, state_key(key_id), *last, race);
  } else {
    batch.require_absent(tables::meta, state_key(key_id), race);
  }
  batch.put(tables::meta, state_key(key_id), encode(state));
  Bytes der = x509::assemble_certificate(tbs, signature);
  batch.put(tables::crls, key_id, der);
  // The list itself follows from the revocations before it; only its signature does not.
  batch.append(FactWriter(FactKind::crl_issued, now, trace)
                   .octets(FactField::issuer_key_id, key_id)
                   .number(FactField::crl_number, state.number)
                   .number(FactField::count, state.entries)
                   .time(FactField::effective_until, state.next_update)
                   .octets(FactField::tbs_digest, digest)
                   .octets(FactField::signature, signature)
                   .bytes());
  return der;
}

void replay_list_state(storage::Changes& rows, const FactView& fact) {
  const BytesView key_id = fact.find(FactField::issuer_key_id).value_or(BytesView());
  const ListState state{fact.number(FactField::crl_number), fact.number(FactField::count),
                        fact.at(),
                        UtcTime::from_unix_seconds(
                            static_cast<std::int64_t>(fact.number(FactField::effective_until)))};
  rows.put(tables::meta, state_key(key_id), encode(state));
}

Result<Bytes> rebuild_list(const storage::Reader& reader, const Authority& issuer) {
  const Bytes& key_id = issuer.certificate.subject_key_id.value();
  std::vector<x509::RevokedEntry> entries;
  std::optional<ListState> state;
  crypto::Signature signature{};
  reader.journal(1, [&](const storage::JournalEntry& entry) {
    const Result<FactView> fact = FactView::read(entry.fact);
    if (!fact.ok()) return true;
    const bool ours = equal(fact->find(FactField::issuer_key_id).value_or(BytesView()), key_id);
    if (fact->kind() == FactKind::certificate_revoked && ours && fact->serial()) {
      entries.push_back(
          {*fact->serial(), fact->at(), static_cast<unsigned>(fact->number(FactField::reason))});
    }
    if (fact->kind() == FactKind::crl_issued && ours) {
      state = ListState{fact->number(FactField::crl_number), entries.size(), fact->at(),
                        UtcTime::from_unix_seconds(
                            static_cast<std::int64_t>(fact->number(FactField::effective_until)))};
      const BytesView stored = fact->find(FactField::signature).value_or(BytesView());
      if (stored.size() == signature.size()) std::ranges::copy(stored, signature.begin());
    }
    return true;
  });
  if (!state) return Refusal{"repository-not-found"_rule, "the journal has no list of this issuer"};
  if (state->entries > entries.size())
    return Refusal{"log-entry"_rule, "a list counts more revocations than stand before it"};
  entries.resize(state->entries);
  std::ranges::sort(entries, by_serial);
  return x509::assemble_certificate(
      x509::encode_tbs_crl(to_be_signed(issuer, *state, std::move(entries))), signature);
}

}  // namespace wattseal::smki
