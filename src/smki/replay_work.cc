#include "smki/replay_work.h"

#include "base/fault.h"
#include "smki/request_blocks.h"

namespace wattseal::smki {
namespace {

using storage::Changes;

constexpr char kIssued = 'i';
constexpr std::size_t kShortDigest = 16;

[[noreturn]] void wrong(const FactView& fact, std::string_view why) {
  throw Fault("a " + std::string(fact_kind_name(fact.kind())) + " fact " + std::string(why));
}
std::uint32_t row_number(const FactView& fact) {
  return static_cast<std::uint32_t>(fact.number(FactField::row));
}
BytesView find_or_empty(const FactView& fact, FactField field) {
  return fact.find(field).value_or(BytesView());
}

// The source's row when it is what the digest says.
void put_proved(Changes& rows, const storage::Reader& source, storage::Table table,
                const Bytes& key, const Bytes& digest, std::vector<LostRow>& lost) {
  const std::optional<Bytes> there = source.get(table, key);
  if (there && equal(crypto::sha256(*there), digest))
    rows.put(table, key, *there);
  else
    lost.push_back({table, key});
}

}  // namespace

ReplayWork::Under& ReplayWork::batch_of_fact(const FactView& fact) {
  const auto found = batches_.find(fact.number(FactField::batch));
  if (found == batches_.end()) wrong(fact, "is about a batch that is done or never was");
  return found->second;
}
ReplayWork::Row& ReplayWork::row_of_fact(Under& batch, const FactView& fact) {
  if (row_number(fact) >= batch.rows.size()) wrong(fact, "is about a row that the batch has not");
  return batch.rows[row_number(fact)];
}

void ReplayWork::put_counts(Changes& rows, BatchId id, const Under& batch) {
  rows.put(tables::batches, part_key(id, kDecisions), batch.decisions.record());
  if (batch.issued + batch.refused > 0)
    rows.put(tables::batches, part_key(id, kIssued),
             RecordWriter().number(batch.issued).number(batch.refused).bytes());
}

void ReplayWork::answer(Changes& rows, BatchId id, Under& batch, Row& row) {
  if (row.is == RowIs::authorised) {
    const auto chunk = chunks_.find({row.order, id});
    if (--chunk->second.open == 0) chunks_.erase(chunk);
  }
  row.is = RowIs::answered;
  if (--batch.open > 0 || !batch.completed) return;
  put_counts(rows, id, batch);
  batches_.erase(id);
}

void ReplayWork::submitted(Changes& rows, const FactView& fact) {
  const BatchId id = fact.number(FactField::batch);
  const std::optional<Eui64> subscriber = fact.eui(FactField::subscriber);
  if (!subscriber) wrong(fact, "lacks a field");
  Under batch;
  batch.decisions.subscriber = *subscriber;
  batch.decisions.trace = fact.trace();
  batch.decisions.rows = static_cast<std::uint32_t>(fact.number(FactField::count));
  batch.decisions.person = fact.number(FactField::person);
  batch.decisions.address = std::string(fact.text(FactField::address));
  batch.decisions.received_milliseconds =
      static_cast<std::int64_t>(fact.number(FactField::at_milliseconds));
  batch.decisions.due =
      UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(FactField::due)));
  batch.rows.resize(batch.decisions.rows);
  batch.open = batch.rows.size();
  batch.digests = to_bytes(find_or_empty(
      fact, batch.rows.size() == 1 ? FactField::batch_digest : FactField::request_digests));
  rows.put(tables::open_batches, open_batch_key(id),
           OpenBatch{id, *subscriber, batch.decisions.rows}.record());
  batches_.insert_or_assign(id, std::move(batch));
}

void ReplayWork::refused(Changes& rows, const FactView& fact) {
  Under& batch = batch_of_fact(fact);
  Row& row = row_of_fact(batch, fact);
  const BatchId id = fact.number(FactField::batch);
  switch (row.is) {
    case RowIs::waiting:
      ++batch.decisions.decided;
      ++batch.decisions.refused;
      break;
    case RowIs::held:
      ++batch.decisions.refused;
      held_.erase({id, row_number(fact)});
      break;
    case RowIs::authorised: ++batch.refused; break;
    case RowIs::answered: wrong(fact, "is about a row that has its answer");
  }
  answer(rows, id, batch, row);
}

void ReplayWork::held(const FactView& fact) {
  Under& batch = batch_of_fact(fact);
  row_of_fact(batch, fact).is = RowIs::held;
  ++batch.decisions.decided;
  held_[{fact.number(FactField::batch), row_number(fact)}] =
      to_bytes(find_or_empty(fact, FactField::batch_digest));
}

// By the registration authority, the next rows that wait; by an act, the row that was held.
void ReplayWork::authorised(Changes& rows, const FactView& fact) {
  Under& batch = batch_of_fact(fact);
  const bool by_act = fact.find(FactField::act).has_value();
  const Lane lane = by_act || batch.rows.size() == 1 ? Lane::single : Lane::batched;
  const bool express = fact.text(FactField::event) == kExpress;
  const std::uint64_t order = express ? 0 : next_order_++;
  if (express) rows.erase(tables::open_batches, open_batch_key(fact.number(FactField::batch)));
  Chunk chunk{
      {order, lane, batch.decisions.subscriber, fact.number(FactField::batch), row_number(fact)},
      to_bytes(find_or_empty(fact, FactField::batch_digest)),
      static_cast<std::size_t>(fact.number(FactField::count)),
      {},
      {}};
  const RowIs before = by_act ? RowIs::held : RowIs::waiting;
  std::size_t left = chunk.open;
  for (std::size_t row = row_number(fact); left > 0 && row < batch.rows.size(); ++row) {
    if (batch.rows[row].is != before) continue;
    batch.rows[row] = {RowIs::authorised, order};
    --left;
  }
  if (left > 0) wrong(fact, "authorises more rows than wait");
  if (by_act)
    held_.erase({fact.number(FactField::batch), row_number(fact)});
  else
    batch.decisions.decided += static_cast<std::uint32_t>(chunk.open);
  chunks_.emplace(std::pair(order, chunk.key.batch), std::move(chunk));
  if (order != 0) rows.put(tables::meta, as_bytes(kWorkOrder), encode_count(next_order_));
}

void ReplayWork::intended(const FactView& fact) {
  const Row& row = row_of_fact(batch_of_fact(fact), fact);
  const auto chunk = chunks_.find({row.order, fact.number(FactField::batch)});
  if (row.is != RowIs::authorised || chunk == chunks_.end() || !fact.serial())
    wrong(fact, "is about a row that is not authorised");
  chunk->second.not_before = fact.at();
  chunk->second.intended.emplace_back(row_number(fact), *fact.serial());
}

void ReplayWork::issued(Changes& rows, const FactView& fact) {
  Under& batch = batch_of_fact(fact);
  Row& row = row_of_fact(batch, fact);
  if (row.is != RowIs::authorised) wrong(fact, "is about a row that is not authorised");
  ++batch.issued;
  answer(rows, fact.number(FactField::batch), batch, row);
}

void ReplayWork::completed(Changes& rows, const FactView& fact) {
  const BatchId id = fact.number(FactField::batch);
  Under& batch = batch_of_fact(fact);
  rows.erase(tables::open_batches, open_batch_key(id));
  rows.put(tables::batches, part_key(id, kAnswered),
           encode_count(fact.number(FactField::at_milliseconds)));
  batch.completed = true;
  if (batch.open > 0) return;  // rows that are held
  put_counts(rows, id, batch);
  batches_.erase(id);
}

void ReplayWork::finish_requests(Changes& rows, const storage::Reader& source, BatchId id,
                                 const Under& batch, std::vector<LostRow>& lost) {
  const bool whole = batch.rows.size() == 1;
  if (!whole && batch.digests.size() != kShortDigest * batch.rows.size())
    throw Fault("a batch_submitted fact lacks the digests of its requests");
  std::vector<bool> left(batch.rows.size());  // those that wait and are in no proved block
  for (std::size_t row = 0; row < left.size(); ++row)
    left[row] = batch.rows[row].is == RowIs::waiting;
  const auto proved = [&](std::uint32_t row, BytesView request) {
    const crypto::Digest digest = crypto::sha256(request);
    if (whole) return equal(crypto::sha256(digest), batch.digests);
    return equal(BytesView(digest).first(kShortDigest),
                 BytesView(batch.digests).subspan(kShortDigest * row, kShortDigest));
  };
  // How requests are put together into blocks follows from no fact; what is in them does.
  source.scan(
      tables::request_blocks, row_key(id, 0), row_key(id + 1, 0),
      [&](BytesView key, BytesView block) {
        std::vector<std::uint32_t> inside;
        bool good = true;
        const bool whole_block = read_block(block, [&](std::uint32_t row, BytesView request) {
          good = good && row < left.size() && left[row] && proved(row, request);
          if (!good) return;
          inside.push_back(row);
          left[row] = false;
        });
        good = good && whole_block && !inside.empty() && equal(key, row_key(id, inside.front()));
        if (good)
          rows.put(tables::request_blocks, key, block);
        else
          for (const std::uint32_t row : inside) left[row] = true;
        return true;
      });
  for (std::uint32_t row = 0; row < left.size(); ++row) {
    if (!left[row]) continue;
    const Bytes key = row_key(id, row);  // of a store from before there were blocks
    const std::optional<Bytes> there = source.get(tables::batch_requests, key);
    if (there && proved(row, *there))
      rows.put(tables::batch_requests, key, *there);
    else
      lost.push_back({tables::request_blocks, key});
  }
}

void ReplayWork::finish_chunks(Changes& rows, const storage::Reader& source,
                               std::vector<LostRow>& lost) const {
  for (const auto& [order, chunk] : chunks_) {
    put_proved(rows, source, tables::ca_work, chunk.key.octets(), chunk.digest, lost);
    if (chunk.intended.empty()) continue;
    RecordWriter intent;
    intent.number(static_cast<std::uint64_t>(chunk.not_before.unix_seconds()));
    for (const auto& [row, serial] : chunk.intended) intent.number(row).octets(serial.octets());
    rows.put(tables::intents, chunk.key.octets(), intent.bytes());
  }
}

std::vector<LostRow> ReplayWork::finish(Changes& rows, const storage::Reader& source) const {
  std::vector<LostRow> lost;
  for (const auto& [id, batch] : batches_) {
    put_counts(rows, id, batch);
    finish_requests(rows, source, id, batch, lost);
  }
  for (const auto& [key, digest] : held_)
    put_proved(rows, source, tables::held_rows, row_key(key.first, key.second), digest, lost);
  finish_chunks(rows, source, lost);
  return lost;
}

}  // namespace wattseal::smki
