// Commands of the DCC's own parties: no request, no user; their owner is told what became of them.
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr int kTriesMax = 5;

// As awaiting_key() wrote it: device, originator, counter, code.
OwnCommands::Waiting waiting_of(BytesView key) {
  return {Eui64::from_number(get_be(key.first(8))), Eui64::from_number(get_be(key.subspan(8, 8))),
          OriginatorCounter(get_be(key.subspan(16, 8))),
          gbcs::MessageCode(static_cast<std::uint16_t>(get_be(key.subspan(24, 2))))};
}
Refusal no_longer() {
  return {"gateway-unexpected-answer"_rule, "another answer, or the deadline, was first"};
}

}  // namespace

void Gateway::set_own_commands(OwnCommands& owner) { state_->own_commands = &owner; }

Result<OriginatorCounter> Gateway::next_own_counter(Eui64 originator) {
  return state_->reserve_counter(
      originator, static_cast<std::uint64_t>(state_->world.clock.now_milliseconds()));
}

void Gateway::add_own_command(storage::Batch& batch, const gbcs::Message& command,
                              std::chrono::seconds wait, std::string_view what_for, TraceId trace) {
  const UtcTime now = state_->world.now();
  const Bytes octets = gbcs::encode(command);
  const Octet last_class = static_cast<Octet>(priority_classes().size() - 1);
  batch.append(FactWriter(FactKind::command_intended, now, trace)
                   .text(FactField::request_id, what_for)
                   .octets(FactField::message_digest, crypto::sha256(octets))
                   .bytes());
  batch.put(tables::commands_out,
            command_key(last_class, command.originator, state_->next_command++),
            Outgoing{command.target, trace, octets, std::string(what_for), 0, now}.encode());
  put_awaited(batch, tables::awaiting,
              awaiting_key(command.target, command.originator, command.counter, command.code),
              Awaited{{}, now.plus_seconds(wait.count()), trace, {}, 0});
}

// The owner may be refused because something else moved the device at the same moment.
Status Gateway::State::on_own_answer(const gbcs::Message& message, BytesView octets, BytesView key,
                                     const Bytes& stored, TraceId trace) {
  const Awaited awaited = Awaited::decode(stored);
  Status last;
  for (int i = 0; i < kTriesMax; ++i) {
    if (!store.get(tables::awaiting, key)) return disbelieve(octets, no_longer(), trace);
    storage::Batch batch;
    batch.require_value(tables::awaiting, key, stored, no_longer());
    erase_awaited(batch, tables::awaiting, key, awaited);
    if (own_commands) own_commands->answered(batch, message, awaited.trace);
    const Result<std::uint64_t> committed = store.commit(std::move(batch));
    if (committed.ok()) {
      ++tally.answered;
      return {};
    }
    last = committed.refusal();
  }
  return last;
}

void Gateway::State::expire_own(BytesView key, const Bytes& value) {
  storage::Batch batch;
  batch.require_value(tables::awaiting, key, value, no_longer());
  erase_awaited(batch, tables::awaiting, key, Awaited::decode(value));
  if (own_commands) own_commands->unanswered(batch, waiting_of(key), Awaited::decode(value).trace);
  if (store.commit(std::move(batch)).ok()) ++tally.timed_out;  // else the next look tries again
}

}  // namespace wattseal::gateway
