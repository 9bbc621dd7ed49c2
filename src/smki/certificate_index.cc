#include "smki/certificate_index.h"

#include "base/fault.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

constexpr std::uint64_t kBlock = 1024;
constexpr std::size_t kNumber = 8, kPosting = 2;

// First octet of a key.
enum class Field : Octet { all = 'A', profile = 'P', role = 'R', starts = 'S', expires = 'X' };

Bytes value_of(Field field) {
  Bytes key;
  key.reserve(32);
  key.push_back(static_cast<Octet>(field));
  return key;
}
Bytes value_of(Field field, UtcTime time) {
  Bytes key = value_of(field);
  put_be(key, static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.unix_seconds())));
  return key;
}
Bytes value_of(std::string_view profile) {
  Bytes key = value_of(Field::profile);
  append(key, as_bytes(profile));
  key.push_back(0);
  return key;
}
Bytes value_of(RemotePartyRole role) {
  Bytes key = value_of(Field::role);
  key.push_back(static_cast<Octet>(role));
  return key;
}

IndexRange range_of(const Bytes& value) { return {value, storage::prefix_end(value)}; }
IndexRange range_of(Field field, std::optional<UtcTime> from, std::optional<UtcTime> until) {
  const Bytes last = value_of(field, until.value_or(UtcTime::forever()));
  return {value_of(field, from.value_or(UtcTime())), storage::prefix_end(last)};
}

// Where a walk behind the cursor starts.
Bytes block_of(BytesView cursor) {
  if (cursor.size() <= kNumber) return to_bytes(cursor);
  Bytes key = to_bytes(cursor.first(cursor.size() - kNumber));
  put_be(key, get_be(cursor.last(kNumber)) / kBlock);
  return key;
}

}  // namespace

void IndexAppender::add(std::uint64_t sequence, Bytes value) {
  put_be(value, sequence / kBlock);
  const auto [row, fresh] = rows_.try_emplace(std::move(value));
  if (fresh) row->second = reader_.get(tables::certificate_postings, row->first).value_or(Bytes());
  const std::uint64_t within = sequence % kBlock;
  row->second.push_back(static_cast<Octet>(within >> 8));
  row->second.push_back(static_cast<Octet>(within));
}

void IndexAppender::add(std::uint64_t sequence, std::string_view profile, UtcTime not_before,
                        UtcTime not_after, std::optional<RemotePartyRole> role) {
  add(sequence, value_of(Field::all));
  add(sequence, value_of(profile));
  add(sequence, value_of(Field::starts, not_before));
  add(sequence, value_of(Field::expires, not_after));
  if (role) add(sequence, value_of(*role));
}

void IndexAppender::put(storage::Batch& batch) const {
  for (const auto& [key, postings] : rows_) batch.put(tables::certificate_postings, key, postings);
}

IndexRange index_range(const CertificateQuery& query) {
  if (query.starts_from || query.starts_until)
    return range_of(Field::starts, query.starts_from, query.starts_until);
  if (query.expires_from || query.expires_until)
    return range_of(Field::expires, query.expires_from, query.expires_until);
  if (!query.profile.empty()) return range_of(value_of(query.profile));
  if (query.role) return range_of(value_of(*query.role));
  return range_of(value_of(Field::all));
}

void walk_index(const storage::Reader& reader, const IndexRange& range, BytesView after,
                const std::function<bool(BytesView cursor, std::uint64_t sequence)>& visit) {
  const Bytes first = after.empty() ? range.first : std::max(range.first, block_of(after));
  reader.scan(tables::certificate_postings, first, range.last,
              [&](BytesView key, BytesView postings) {
                if (key.size() <= kNumber || postings.size() % kPosting != 0)
                  throw Fault("a row of the certificate index is damaged");
                const std::uint64_t start = get_be(key.last(kNumber)) * kBlock;
                Bytes cursor;
                for (; !postings.empty(); postings = postings.subspan(kPosting)) {
                  const std::uint64_t sequence = start + get_be(postings.first(kPosting));
                  cursor.assign(key.begin(), key.end() - kNumber);
                  put_be(cursor, sequence);
                  if (!std::ranges::lexicographical_compare(after, cursor)) continue;
                  if (!visit(cursor, sequence)) return false;
                }
                return true;
              });
}

}  // namespace wattseal::smki
