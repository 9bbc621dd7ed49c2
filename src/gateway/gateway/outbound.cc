// What leaves: commands to the WAN, responses to users. Each row stays in the store until it is
// handed over.
#include "base/fault.h"
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kRowsPerStep = 256;
constexpr std::int64_t kPauseSeconds = 1;

std::vector<std::pair<Bytes, Outgoing>> oldest(const storage::Reader& reader,
                                               storage::Table table) {
  std::vector<std::pair<Bytes, Outgoing>> rows;
  reader.scan(table, {}, {}, [&](BytesView key, BytesView value) {
    rows.emplace_back(to_bytes(key), Outgoing::decode(value));
    return rows.size() < kRowsPerStep;
  });
  return rows;
}

std::uint64_t after_last(const storage::Reader& reader, storage::Table table) {
  std::uint64_t next = 1;
  reader.scan_backwards(table, {}, {}, [&](BytesView key, BytesView) {
    next = get_be(key) + 1;
    return false;
  });
  return next;
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
                 WanSend wan, UserSend user)
    : state_(std::make_unique<State>(world, store, parties, repository, registration, inventory,
                                     std::move(identity), std::move(wan), std::move(user))) {
  state_->next_command = after_last(store, tables::commands_out);
  state_->next_response = after_last(store, tables::responses_out);
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

bool Gateway::send_commands() {
  const std::vector<std::pair<Bytes, Outgoing>> rows = oldest(state_->store, tables::commands_out);
  storage::Batch sent;
  std::size_t count = 0, late = 0;
  for (const auto& [key, command] : rows) {
    if (!is_awaited(
            state_->store,
            command.content)) {  // its request has ended; a late command must not surprise anyone
      sent.erase(tables::commands_out, key);
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
    sent.erase(tables::commands_out, key);
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

bool Gateway::deliver_responses() {
  const UtcTime now = state_->world.now();
  storage::Batch delivered;
  std::size_t count = 0;
  for (const auto& [key, response] : oldest(state_->store, tables::responses_out)) {
    const auto held = state_->held_until.find(response.to);
    if (held != state_->held_until.end() && now < held->second) continue;
    const std::optional<Bytes> url =
        state_->store.get(tables::user_endpoints, response.to.octets());
    if (!url) continue;  // it waits until the user says where
    try {
      state_->user(std::string(as_text(*url)), std::string(as_text(response.content)),
                   response.trace);
    } catch (const Fault& fault) {
      // One user's dead endpoint must not hold up the others.
      state_->held_until[response.to] = now.plus_seconds(kPauseSeconds);
      log::warning("user_unreachable", {{"user", response.to.text()},
                                        {"fault", fault.what()},
                                        {"trace", response.trace.text()}});
      continue;
    }
    log::info("response_delivered",
              {{"trace", response.trace.text()}, {"user", response.to.text()}});
    delivered.erase(tables::responses_out, key);
    delivered.append(FactWriter(FactKind::response_delivered, now, response.trace)
                         .text(FactField::request_id, response.request_id)
                         .eui(FactField::party, response.to)
                         .bytes());
    ++count;
  }
  if (count == 0) return false;
  if (!state_->store.commit(std::move(delivered)).ok()) UNREACHABLE();  // it has no precondition
  state_->tally.delivered += count;
  return true;
}

Gateway::Counts Gateway::counts() const {
  const State::Tally& tally = state_->tally;
  return {tally.accepted,  tally.refused,   tally.sent,       tally.answered,
          tally.delivered, tally.timed_out, tally.disbelieved};
}

}  // namespace wattseal::gateway
