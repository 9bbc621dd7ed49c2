// What leaves for the WAN: commands, and those that are held because their device is out of reach.
// Each row stays in the store until it is handed over.
#include "base/fault.h"
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kRowsPerStep = 256;
constexpr std::size_t kCommandPrefix = 9, kResponsePrefix = 8, kClassOctets = 1,
                      kHeldPrefix = 8 + kCommandPrefix, kAlertPrefix = 9;
constexpr int kFaultsInTurn = 4;
constexpr std::int64_t kForgottenAfter = 4;  // times its pause

Bytes held_key(Eui64 device, BytesView command_key) {
  Bytes key = to_bytes(device.octets());
  append(key, command_key);
  return key;
}

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
  state_->next_command = std::max(next_order(store, tables::commands_out, kCommandPrefix),
                                  next_order(store, tables::commands_held, kHeldPrefix));
  state_->next_response = std::max(next_order(store, tables::responses_out, kResponsePrefix),
                                   next_order(store, tables::undelivered, kResponsePrefix));
  // Nothing is known of devices that were out of reach: they are tried at once.
  for (std::optional<Eui64> device = user_after(store, tables::commands_held, {}, std::nullopt);
       device; device = user_after(store, tables::commands_held, {}, *device))
    state_->out_of_reach[*device];
  state_->next_alert = next_order(store, tables::alerts_out, kAlertPrefix);
  state_->load_anomalies();
  state_->add_due_rows();
}

Gateway::~Gateway() = default;

void Gateway::set_change_of_supplier(CosChange change) { state_->cos_change = std::move(change); }
void Gateway::set_firmware_way(FirmwareSend send) { state_->firmware_send = std::move(send); }
Products& Gateway::products() { return state_->products; }
void Gateway::set_device_response_timeout(std::chrono::seconds timeout) {
  state_->response_timeout_seconds = timeout.count();
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

void Gateway::State::Pause::lengthen(UtcTime now, std::uint64_t most) {
  seconds = std::clamp<std::int64_t>(seconds * 2, 1, static_cast<std::int64_t>(most));
  since = now;
}

// A clock that steps back does not make it longer.
bool Gateway::State::Pause::is_on(UtcTime now) const {
  return now >= since && now - since < seconds;
}

// `now` is one for the whole step: what is held for a device is never overtaken.
Gateway::State::Sending Gateway::State::send_command(storage::Batch& batch, const QueueRow& row,
                                                     UtcTime now, int& faults) {
  const Outgoing command = Outgoing::decode(row.value);
  batch.erase(tables::commands_out, row.key);
  // Its request has ended: a late command must not surprise anyone.
  if (!is_awaited(store, command.content)) return Sending::ended;
  const auto reach = out_of_reach.find(command.to);
  const bool held = reach != out_of_reach.end() && reach->second.is_on(now);
  if (!held) {
    try {
      wan(command.to, command.content, command.trace);
      faults = 0;
      if (reach != out_of_reach.end()) out_of_reach.erase(reach);
      log::info("command_sent", {{"trace", command.trace.text()}, {"device", command.to.text()}});
      batch.append(FactWriter(FactKind::command_sent, now, command.trace)
                       .text(FactField::request_id, command.request_id)
                       .eui(FactField::device, command.to)
                       .bytes());
      return Sending::sent;
    } catch (const Fault& fault) {
      ++faults;
      out_of_reach[command.to].lengthen(now, limit("device_pause_seconds_max"));
      log::warning("wan_unreachable", {{"device", command.to.text()},
                                       {"fault", fault.what()},
                                       {"trace", command.trace.text()}});
    }
  }
  // With its counter, apart, so that it stands in nobody's way; and behind it what follows for the
  // same device, so that counters rise. Its request ends by its deadline whatever happens.
  batch.put(tables::commands_held, held_key(command.to, row.key), row.value);
  return Sending::held;
}

// Devices whose pause is over: all that is held for one comes back in its old order.
bool Gateway::State::return_held(UtcTime now) {
  if (now == last_reach_look) return false;
  last_reach_look = now;
  bool any = false;
  for (const auto& [device, pause] : out_of_reach) {
    if (pause.is_on(now)) continue;
    const Bytes prefix = to_bytes(device.octets());
    for (storage::Batch batch;; batch = {}) {
      store.scan(tables::commands_held, prefix, storage::prefix_end(prefix),
                 [&](BytesView key, BytesView value) {
                   batch.erase(tables::commands_held, key);
                   batch.put(tables::commands_out, key.subspan(prefix.size()), value);
                   return batch.changes().size() < 2 * kRowsPerStep;
                 });
      if (batch.empty()) break;
      if (!store.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
      any = true;
    }
  }
  std::erase_if(out_of_reach, [&](const auto& one) {
    return !one.second.is_on(now) && now - one.second.since > kForgottenAfter * one.second.seconds;
  });
  return any;
}

bool Gateway::send_commands() {
  State& state = *state_;
  const UtcTime now = state.world.now();
  const bool returned = state.return_held(now);
  storage::Batch batch;
  std::uint64_t sent = 0;
  int faults = 0;
  std::map<Eui64, std::uint64_t> left;
  for (const QueueRow& row : state.next_commands()) {
    // The SM WAN itself seems to be away, and each try may take long.
    if (faults == kFaultsInTurn) break;
    const State::Sending became = state.send_command(batch, row, now, faults);
    if (became == State::Sending::sent) ++sent;
    if (became != State::Sending::held)
      ++left[Eui64::from_number(get_be(BytesView(row.key).subspan(kClassOctets, 8)))];
  }
  if (batch.empty()) return state.advance_firmware() || returned;
  if (!state.store.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
  state.tally.sent += sent;
  for (const auto& [user, rows] : left) state.command_room.remove(user, rows);
  state.advance_firmware();
  return faults < kFaultsInTurn;
}

Gateway::Counts Gateway::counts() const {
  const State::Tally& tally = state_->tally;
  return {tally.accepted,  tally.refused,   tally.sent,        tally.answered,
          tally.delivered, tally.timed_out, tally.disbelieved, tally.alerts};
}

}  // namespace wattseal::gateway
