// What was not answered in time: a command over the SM WAN ends its request; one that its user
// delivers locally is forgotten, its request has ended. Found by due time, so that a look costs
// what is late and not what waits.
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

// Responses are signed in between, so a batch is a few milliseconds of work.
constexpr std::size_t kRowsPerBatch = 64, kRowsPerStep = 1024, kRowsPerIndexing = 8192;
constexpr std::size_t kDueOctets = 8, kDuePrefix = 9;
constexpr std::int64_t kHourSeconds = 3600;
constexpr std::string_view kRunUnanswered = "N4", kIndexed = "awaiting_due";

}  // namespace

// On condition that nobody answered meanwhile.
void Gateway::State::add_expiry(storage::Batch& batch, const Late& late) {
  const UtcTime now = world.now();
  const Awaited awaited = Awaited::decode(late.row);
  const duis::RequestId id = request_id_of(awaited.request_key);
  batch.require_value(
      late.table, late.key, late.row,
      Refusal{"gateway-unexpected-answer"_rule, "the answer came at the last moment"});
  erase_awaited(batch, late.table, late.key, awaited);
  const bool local = late.table.id() == tables::local_commands.id();
  batch.append(FactWriter(local ? FactKind::local_command_expired : FactKind::request_timed_out,
                          now, awaited.trace)
                   .text(FactField::request_id, id.text())
                   .bytes());
  if (local) return;
  const RequestRecord record =
      RequestRecord::decode(store.get(tables::requests, awaited.request_key).value());
  add_end(batch, awaited.request_key, record, awaited.late_code, awaited.trace);
  if (awaited.schedule != 0) {
    add_dcc_alert(batch, id.originator, kRunUnanswered, command_failure(id, awaited.schedule),
                  awaited.trace);
    return;
  }
  duis::ServiceResponse response;
  response.schema_version = record.schema_version;
  response.request_id = id;
  response.response_code = awaited.late_code;
  response.at = now;
  response.service_reference = record.service_reference;
  response.service_variant = record.service_variant;
  add_response(batch, id.originator, response, awaited.trace);
}

// Whether all of them ended: together, or where one was answered meanwhile not at all.
bool Gateway::State::expire(const std::vector<Late>& late) {
  storage::Batch batch;
  for (const Late& one : late) add_expiry(batch, one);
  if (!store.commit(std::move(batch)).ok()) return false;
  for (const Late& one : late) {
    if (one.table.id() != tables::awaiting.id()) continue;
    ++tally.timed_out;
    release_followers(Awaited::decode(one.row).request_key);
  }
  return true;
}

bool Gateway::expire_requests() {
  State& state = *state_;
  const UtcTime now = state.world.now();
  if (now < state.next_expiry_look && state.next_expiry_look - now <= 1) return false;
  state.forget_counts();
  Bytes end;
  put_be(end, static_cast<std::uint64_t>(now.unix_seconds()));
  std::vector<Bytes> due;
  state.store.scan(tables::awaiting_due, {}, end, [&](BytesView key, BytesView) {
    due.push_back(to_bytes(key));
    return due.size() < kRowsPerStep;
  });
  std::vector<std::vector<State::Late>> batches;
  for (const Bytes& key : due) {
    const storage::Table table =
        key[kDueOctets] == tables::local_commands.id() ? tables::local_commands : tables::awaiting;
    const Bytes place = to_bytes(BytesView(key).subspan(kDuePrefix));
    std::optional<Bytes> row = state.store.get(table, place);
    if (!row) continue;                               // answered between the look and now
    if (Awaited::decode(*row).request_key.empty()) {  // the DCC's own
      state.expire_own(place, *row);
      continue;
    }
    if (batches.empty() || batches.back().size() >= kRowsPerBatch) batches.emplace_back();
    batches.back().push_back({table, place, std::move(*row)});
  }
  for (const std::vector<State::Late>& late : batches) {
    if (state.expire(late)) continue;
    for (const State::Late& one : late) state.expire({one});
  }
  const bool more = due.size() == kRowsPerStep;
  if (!more) state.next_expiry_look = now.plus_seconds(1);
  return state.close_consolidations() || more;
}

// Stores that were written before there was an index. Commands for local delivery had the deadline
// of the SM WAN: they get their own.
void Gateway::State::add_due_rows() {
  if (store.get(tables::meta, as_bytes(kIndexed))) return;
  const std::int64_t hours = static_cast<std::int64_t>(limit("local_command_hours"));
  const UtcTime handed_until = world.now().plus_seconds(hours * kHourSeconds);
  storage::Batch batch;
  const auto commit = [&] {
    if (!store.commit(std::exchange(batch, {})).ok()) UNREACHABLE();  // it has no precondition
  };
  for (const storage::Table table : {tables::awaiting, tables::local_commands}) {
    store.scan(table, {}, {}, [&](BytesView key, BytesView value) {
      Awaited awaited = Awaited::decode(value);
      if (table.id() == tables::local_commands.id()) awaited.deadline = handed_until;
      put_awaited(batch, table, key, awaited);
      if (batch.changes().size() >= kRowsPerIndexing) commit();
      return true;
    });
  }
  batch.put(tables::meta, as_bytes(kIndexed), as_bytes("1"));
  commit();
}

}  // namespace wattseal::gateway
