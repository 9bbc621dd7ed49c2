// What leaves for users: responses and alerts. Several lanes hand them over, each serving one user
// at a time in the user's order, so that a user that is slow, dead or wrong holds up nobody else.
// Each row stays in the store until it is taken, or put aside.
#include "base/fault.h"
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kRowsPerStep = 256, kRowsPerServing = 64;
constexpr std::int64_t kHoldLookSeconds = 60, kServingMicroseconds = 1'000'000;

}  // namespace

void Gateway::replay_endpoint(storage::Changes& rows, const FactView& fact) {
  const std::optional<Eui64> user = fact.eui(FactField::party);
  if (!user) throw Fault("an endpoint's fact lacks a field");
  rows.put(tables::user_endpoints, user->octets(), as_bytes(fact.text(FactField::url)));
}

Status Gateway::register_endpoint(Eui64 user, const std::string& url, TraceId trace) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return Refusal{"gateway-endpoint"_rule, "the address starts with neither http:// nor https://",
                   "url"};
  }
  storage::Batch batch;
  batch.put(tables::user_endpoints, user.octets(), as_bytes(url));
  batch.append(FactWriter(FactKind::endpoint_registered, state_->world.now(), trace)
                   .eui(FactField::party, user)
                   .text(FactField::url, url)
                   .bytes());
  TRY(state_->store.commit(std::move(batch)));
  const std::lock_guard lock(state_->endpoints_mutex);
  state_->endpoints[user].pause = {};
  return {};
}

// What a user has not taken in the time that it is held waits apart until the user asks for it.
bool Gateway::State::expire_responses(Eui64 user_id, UtcTime now) {
  const std::int64_t hold = static_cast<std::int64_t>(limit("response_hold_hours")) * 3600;
  const Bytes prefix = to_bytes(user_id.octets());
  storage::Batch batch;
  store.scan(tables::responses_out, prefix, storage::prefix_end(prefix),
             [&](BytesView key, BytesView value) {
               const Outgoing response = Outgoing::decode(value);
               if (now - response.since < hold) return false;
               batch.erase(tables::responses_out, key);
               batch.put(tables::undelivered, key, value);
               batch.append(FactWriter(FactKind::response_expired, now, response.trace)
                                .text(FactField::request_id, response.request_id)
                                .eui(FactField::party, user_id)
                                .bytes());
               return batch.changes().size() < 2 * kRowsPerStep;
             });
  if (batch.empty()) return false;
  response_room.remove(user_id, batch.facts().size());
  if (!store.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
  return true;
}

// What a lane may do for this user now. Unknown and slow users share half of the lanes.
std::optional<Gateway::State::Claim> Gateway::State::claim_of(Eui64 user_id, Endpoint& endpoint,
                                                              UtcTime now) {
  if (endpoint.busy) return std::nullopt;
  const std::optional<Bytes> url = store.get(tables::user_endpoints, user_id.octets());
  if (!url || endpoint.pause.is_on(now)) {
    const std::int64_t wait = endpoint.next_hold_look - now;
    if (wait > 0 && wait <= kHoldLookSeconds) return std::nullopt;
    endpoint.next_hold_look = now.plus_seconds(kHoldLookSeconds);
    return Claim{user_id, {}, false};
  }
  if (endpoint.slow && slow_busy >= std::max<std::size_t>(1, limit("delivery_lanes") / 2))
    return std::nullopt;
  return Claim{user_id, std::string(as_text(*url)), endpoint.slow};
}

// Users take turns.
std::optional<Gateway::State::Claim> Gateway::State::claim_user() {
  const UtcTime now = world.now();
  const std::lock_guard lock(endpoints_mutex);
  const Eui64 last = last_delivered;
  bool around = false;
  std::optional<Eui64> one = last;
  while (true) {
    one = user_after(store, tables::responses_out, {}, one);
    if (!one && around) return std::nullopt;
    if (!one) {
      around = true;
      continue;
    }
    if (around && *one > last) return std::nullopt;
    Endpoint& endpoint = endpoints[*one];
    std::optional<Claim> claim = claim_of(*one, endpoint, now);
    if (!claim) continue;
    endpoint.busy = true;
    slow_busy += claim->slow ? 1 : 0;
    last_delivered = *one;
    return claim;
  }
}

void Gateway::State::release_user(const Claim& claim) {
  const std::lock_guard lock(endpoints_mutex);
  endpoints[claim.user].busy = false;
  slow_busy -= claim.slow ? 1 : 0;
}

// At most so many of its oldest, until one fails or a second is over.
bool Gateway::State::serve_user(const Claim& claim) {
  if (claim.url.empty()) {
    if (!expire_responses(claim.user, world.now())) return false;
    const std::lock_guard lock(endpoints_mutex);
    endpoints[claim.user].next_hold_look = {};  // there may be more
    return true;
  }
  const Bytes prefix = to_bytes(claim.user.octets());
  std::vector<QueueRow> rows;
  store.scan(tables::responses_out, prefix, storage::prefix_end(prefix),
             [&](BytesView key, BytesView value) {
               rows.push_back({to_bytes(key), to_bytes(value)});
               return rows.size() < kRowsPerServing;
             });
  if (rows.empty()) return false;
  storage::Batch delivered;
  const std::int64_t start = world.clock.monotonic_microseconds();
  std::int64_t last = start, slowest = 0;
  std::uint64_t count = 0;
  bool failed = false;
  for (const QueueRow& row : rows) {
    const Outgoing response = Outgoing::decode(row.value);
    try {
      user(claim.url, std::string(as_text(response.content)), response.trace);
    } catch (const Fault& fault) {
      failed = true;
      log::warning("user_unreachable", {{"user", response.to.text()},
                                        {"fault", fault.what()},
                                        {"trace", response.trace.text()}});
    }
    const std::int64_t now = world.clock.monotonic_microseconds();
    slowest = std::max(slowest, now - std::exchange(last, now));
    if (failed) break;
    ++count;
    log::info("response_delivered",
              {{"trace", response.trace.text()}, {"user", response.to.text()}});
    delivered.erase(tables::responses_out, row.key);
    delivered.append(FactWriter(FactKind::response_delivered, world.now(), response.trace)
                         .text(FactField::request_id, response.request_id)
                         .eui(FactField::party, response.to)
                         .bytes());
    // By itself: a decision at the same moment must not be overwritten.
    if (response.quarantine != 0) note_taken(response.quarantine, response.trace);
    if (now - start > kServingMicroseconds) break;
  }
  {
    const std::lock_guard lock(endpoints_mutex);
    Endpoint& endpoint = endpoints[claim.user];
    endpoint.slow = slowest > static_cast<std::int64_t>(limit("delivery_slow_milliseconds")) * 1000;
    if (failed)
      endpoint.pause.lengthen(world.now(), limit("delivery_pause_seconds_max"));
    else
      endpoint.pause = {};
  }
  if (count == 0) return expire_responses(claim.user, world.now());
  if (!store.commit(std::move(delivered)).ok()) UNREACHABLE();  // it has no precondition
  response_room.remove(claim.user, count);
  tally.delivered += count;
  return true;
}

bool Gateway::deliver_responses() {
  const std::optional<State::Claim> claim = state_->claim_user();
  if (!claim) return false;
  try {
    const bool any = state_->serve_user(*claim);
    state_->release_user(*claim);
    return any;
  } catch (...) {
    state_->release_user(*claim);
    throw;
  }
}

std::vector<Gateway::Undelivered> Gateway::undelivered(Eui64 user, std::size_t most) const {
  std::vector<Undelivered> found;
  const Bytes prefix = to_bytes(user.octets());
  state_->store.scan(tables::undelivered, prefix, storage::prefix_end(prefix),
                     [&](BytesView, BytesView value) {
                       const Outgoing response = Outgoing::decode(value);
                       found.push_back({response.request_id, response.since});
                       return found.size() < most;
                     });
  return found;
}

std::size_t Gateway::deliver_again(Eui64 user) {
  storage::Batch batch;
  std::size_t count = 0;
  const Bytes prefix = to_bytes(user.octets());
  state_->store.scan(tables::undelivered, prefix, storage::prefix_end(prefix),
                     [&](BytesView key, BytesView value) {
                       Outgoing response = Outgoing::decode(value);
                       response.since = state_->world.now();
                       batch.erase(tables::undelivered, key);
                       batch.put(tables::responses_out, key, response.encode());
                       return ++count < kRowsPerStep;
                     });
  if (count != 0 && !state_->store.commit(std::move(batch)).ok())
    UNREACHABLE();  // it has no precondition
  state_->response_room.add(user, count);
  return count;
}

}  // namespace wattseal::gateway
