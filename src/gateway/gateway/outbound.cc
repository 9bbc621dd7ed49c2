// What leaves: commands to the WAN, responses to users. Each row stays in the store until it is
// handed over.
#include <set>

#include "base/fault.h"
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kRowsPerStep = 256;
constexpr std::size_t kCommandPrefix = 9, kResponsePrefix = 8, kAlertPrefix = 9;

// Rows of stores that were written when the queues had only an order.
void move_old_rows(storage::Store& store,
                   const std::function<Bytes(const Outgoing&, BytesView)>& to,
                   storage::Table table) {
  storage::Batch batch;
  store.scan(table, {}, {}, [&](BytesView key, BytesView value) {
    if (key.size() != sizeof(std::uint64_t)) return true;
    batch.erase(table, key);
    batch.put(table, to(Outgoing::decode(value), key), value);
    return true;
  });
  if (!batch.empty() && !store.commit(std::move(batch)).ok()) UNREACHABLE();  // no precondition
}

bool is_awaited(const storage::Reader& reader, BytesView command) {
  const Result<gbcs::Message> message = gbcs::decode(command);
  if (!message.ok()) throw Fault("a stored command does not parse");
  return reader
      .get(tables::awaiting,
           awaiting_key(message->target, message->originator, message->counter, message->code))
      .has_value();
}

}  // namespace

Gateway::Gateway(const World& world, storage::Store& store,
                 const smki::RegistrationAuthority& parties, const smki::Repository& repository,
                 const Registration& registration, Inventory& inventory, DccIdentity identity,
                 WanSend wan, UserSend user, UserSendMany user_many)
    : state_(std::make_unique<State>(world, store, parties, repository, registration, inventory,
                                     std::move(identity), std::move(wan), std::move(user),
                                     std::move(user_many))) {
  move_old_rows(
      store,
      [](const Outgoing& command, BytesView order) {
        const Result<duis::RequestId> id = duis::RequestId::parse(command.request_id);
        if (!id.ok()) throw Fault("a stored command has no request");
        return command_key(0, id->originator, get_be(order));
      },
      tables::commands_out);
  move_old_rows(
      store,
      [](const Outgoing& response, BytesView order) {
        return response_key(response.to, get_be(order));
      },
      tables::responses_out);
  state_->next_command = next_order(store, tables::commands_out, kCommandPrefix);
  state_->next_response = std::max(next_order(store, tables::responses_out, kResponsePrefix),
                                   next_order(store, tables::undelivered, kResponsePrefix));
  state_->next_alert = next_order(store, tables::alerts_out, kAlertPrefix);
  state_->load_anomalies();
}

Gateway::~Gateway() = default;

void Gateway::set_device_response_timeout(std::chrono::seconds timeout) {
  state_->response_timeout_seconds = timeout.count();
}

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
  return {};
}

// Each class has its share of a step; what one does not need the most urgent others have.
std::vector<QueueRow> Gateway::State::next_commands() {
  std::vector<QueueRow> rows;
  const auto take = [&](Octet priority, std::size_t most) {
    const auto taken = [&](const QueueRow& row) {
      return std::ranges::any_of(rows, [&](const QueueRow& one) { return one.key == row.key; });
    };
    for (QueueRow& row : fair_rows(store, tables::commands_out, Bytes{priority}, most,
                                   last_commanded[priority], [](Eui64) { return false; })) {
      if (!taken(row)) rows.push_back(std::move(row));
    }
  };
  const std::span<const PriorityClass> classes = priority_classes();
  last_commanded.resize(classes.size());
  for (std::size_t i = 0; i < classes.size(); ++i)
    take(static_cast<Octet>(i), kRowsPerStep * classes[i].share / 100);
  const std::vector<Eui64> served = last_commanded;
  for (std::size_t i = 0; i < classes.size() && rows.size() < kRowsPerStep; ++i)
    take(static_cast<Octet>(i), kRowsPerStep - rows.size());
  last_commanded = served;
  return rows;
}

bool Gateway::send_commands() {
  storage::Batch sent;
  std::size_t count = 0, late = 0;
  for (const QueueRow& row : state_->next_commands()) {
    const Outgoing command = Outgoing::decode(row.value);
    if (!is_awaited(
            state_->store,
            command.content)) {  // its request has ended; a late command must not surprise anyone
      sent.erase(tables::commands_out, row.key);
      ++late;
      continue;
    }
    try {
      state_->wan(command.to, command.content, command.trace);
    } catch (const Fault& fault) {
      // It stays in the store with its counter and is tried again; its request ends by its deadline
      // whatever happens.
      log::warning("wan_unreachable", {{"device", command.to.text()},
                                       {"fault", fault.what()},
                                       {"trace", command.trace.text()}});
      continue;
    }
    log::info("command_sent", {{"trace", command.trace.text()}, {"device", command.to.text()}});
    sent.erase(tables::commands_out, row.key);
    sent.append(FactWriter(FactKind::command_sent, state_->world.now(), command.trace)
                    .text(FactField::request_id, command.request_id)
                    .eui(FactField::device, command.to)
                    .bytes());
    ++count;
  }
  if (count + late == 0) return false;
  if (!state_->store.commit(std::move(sent)).ok()) UNREACHABLE();  // it has no precondition
  state_->tally.sent += count;
  return true;
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
  if (!store.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
  return true;
}

void Gateway::State::lengthen(Pause& pause, UtcTime now) {
  pause.seconds = std::clamp<std::int64_t>(
      pause.seconds * 2, 1, static_cast<std::int64_t>(limit("delivery_pause_seconds_max")));
  pause.until = now.plus_seconds(pause.seconds);
}

bool Gateway::deliver_responses() {
  State& state = *state_;
  const UtcTime now = state.world.now();
  storage::Batch delivered;
  std::size_t count = 0;
  std::set<Eui64> without;  // an endpoint that answers, in this step
  const auto blocked = [&](Eui64 user) {
    const auto pause = state.pauses.find(user);
    const bool paused = (pause != state.pauses.end() && now < pause->second.until) ||
                        !state.store.get(tables::user_endpoints, user.octets());
    if (paused) without.insert(user);
    return paused;
  };
  const std::vector<QueueRow> rows = fair_rows(state.store, tables::responses_out, {}, kRowsPerStep,
                                               state.last_delivered, blocked);
  for (const QueueRow& row : rows) {
    const Outgoing response = Outgoing::decode(row.value);
    if (without.contains(response.to)) continue;
    const std::optional<Bytes> url = state.store.get(tables::user_endpoints, response.to.octets());
    try {
      state.user(std::string(as_text(url.value())), std::string(as_text(response.content)),
                 response.trace);
    } catch (const Fault& fault) {
      State::lengthen(state.pauses[response.to], now);
      without.insert(response.to);
      log::warning("user_unreachable", {{"user", response.to.text()},
                                        {"fault", fault.what()},
                                        {"trace", response.trace.text()}});
      continue;
    }
    state.pauses.erase(response.to);
    log::info("response_delivered",
              {{"trace", response.trace.text()}, {"user", response.to.text()}});
    delivered.erase(tables::responses_out, row.key);
    delivered.append(FactWriter(FactKind::response_delivered, now, response.trace)
                         .text(FactField::request_id, response.request_id)
                         .eui(FactField::party, response.to)
                         .bytes());
    if (response.quarantine != 0) {
      // By itself: a decision at the same moment must not be overwritten.
      state.note_taken(response.quarantine, response.trace);
    }
    ++count;
  }
  bool any = false;
  for (const Eui64 user : without) any = state.expire_responses(user, now) || any;
  if (count == 0) return any;
  if (!state.store.commit(std::move(delivered)).ok()) UNREACHABLE();  // it has no precondition
  state.tally.delivered += count;
  return true;
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
  return count;
}

Gateway::Counts Gateway::counts() const {
  const State::Tally& tally = state_->tally;
  return {tally.accepted,  tally.refused,   tally.sent,        tally.answered,
          tally.delivered, tally.timed_out, tally.disbelieved, tally.alerts};
}

}  // namespace wattseal::gateway
