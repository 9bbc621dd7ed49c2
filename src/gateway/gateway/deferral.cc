// Accepted requests that wait: for the date of their execution, for the request before them in
// their sequence, or for a person. Each is a row with the document; it goes on, or ends, in one
// batch. Source: spec/gbcs-duis.md 3.1, 3.3.
#include "base/fault.h"
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kRowsPerStep = 256;
constexpr std::int64_t kDaySeconds = 86400;
constexpr std::string_view kDate = "ExecutionDateTime", kCancellation = "3000-12-31T00:00:00";

const xml::Element* date_of(const duis::ServiceRequest& request) {
  return request.body.child(kDate);
}
std::string date_path(const duis::ServiceRequest& request) {
  return "/Request/Body/" + request.body.name + "/" + std::string(kDate);
}

Bytes due_key(UtcTime due, BytesView key) {
  Bytes out;
  put_be(out, static_cast<std::uint64_t>(due.unix_seconds()));
  append(out, key);
  return out;
}
Bytes follower_key(BytesView predecessor, BytesView key) {
  Bytes out = to_bytes(predecessor);
  append(out, key);
  return out;
}

std::uint64_t rows_of(const storage::Reader& reader, storage::Table table, BytesView prefix,
                      std::uint64_t most) {
  std::uint64_t rows = 0;
  reader.scan(table, prefix, storage::prefix_end(prefix),
              [&](BytesView, BytesView) { return ++rows < most; });
  return rows;
}

duis::ServiceRequest stored_request(const Deferred& deferred) {
  const Result<xml::Document> document = xml::parse(deferred.document);
  if (!document.ok()) throw Fault("a stored request does not parse");
  const Result<duis::ServiceRequest> request = duis::read_request(document->root());
  if (!request.ok()) throw Fault("a stored request does not read: " + request.refusal().detail);
  return *request;
}

// The row and what leads to it, on condition that it is still there: of two who would let it go on
// one does.
void take_out(storage::Batch& batch, BytesView key, const Bytes& row) {
  const Deferred deferred = Deferred::decode(row);
  batch.require_value(
      tables::deferred, key, row,
      Refusal{"gateway-replay"_rule, request_id_of(key).text() + " has gone on already"});
  batch.erase(tables::deferred, key);
  batch.erase(tables::deferred_due, due_key(deferred.due, key));
  if (deferred.why == Deferred::Why::sequenced)
    batch.erase(tables::followers, follower_key(deferred.predecessor, key));
}

void put_in(storage::Batch& batch, BytesView key, const Deferred& deferred) {
  batch.put(tables::deferred, key, deferred.encode());
  batch.put(tables::deferred_due, due_key(deferred.due, key), {});
  if (deferred.why == Deferred::Why::sequenced)
    batch.put(tables::followers, follower_key(deferred.predecessor, key), {});
}

Bytes deferred_fact(FactKind kind, const duis::RequestId& id, const Deferred& deferred,
                    UtcTime now) {
  FactWriter fact(kind, now, deferred.trace);
  fact.text(FactField::request_id, id.text()).time(FactField::due, deferred.due);
  if (!deferred.predecessor.empty())
    fact.text(FactField::preceding, request_id_of(deferred.predecessor).text());
  return fact.bytes();
}

bool succeeded(std::string_view outcome) { return outcome.starts_with('I'); }

}  // namespace

bool is_held_until_dated(const duis::ServiceRequest& request) {
  const ServiceRequestRow* const row = find_service_request(request.service_variant);
  return row && row->future_dated.starts_with("DSP") && date_of(request);
}

bool is_cancellation(const duis::ServiceRequest& request) {
  return is_held_until_dated(request) && date_of(request)->trimmed().starts_with(kCancellation);
}

// A sequence first, then the date.
Result<std::optional<Gateway::State::Wait>> Gateway::State::wait_of(
    const duis::ServiceRequest& request, std::optional<Deferred::Why> done) const {
  const UtcTime now = world.now();
  const ServiceRequestRow* const row = find_service_request(request.service_variant);
  if (date_of(request) && row->future_dated == "No")
    return Refusal{"gateway-not-future-dated"_rule, std::string(row->variant) + " has a date",
                   date_path(request)};
  if (request.preceding && (!done || done == Deferred::Why::quarantined)) {
    const Bytes key = request_key(*request.preceding, ServiceUrl::send_command);
    const std::optional<Bytes> before = store.get(tables::requests, key);
    const std::string path = "/Request/Header/PrecedingServiceRequestID";
    if (!before || request.preceding->originator != request.id.originator)
      return Refusal{"gateway-preceding-unknown"_rule, request.preceding->text(), path};
    const std::string outcome = RequestRecord::decode(*before).outcome;
    if (!outcome.empty() && !succeeded(outcome))
      return Refusal{"gateway-preceding-failed"_rule,
                     request.preceding->text() + " ended with " + outcome, path};
    if (outcome.empty()) {
      const std::int64_t patience = static_cast<std::int64_t>(limit("sequence_wait_seconds"));
      return std::optional(Wait{Deferred::Why::sequenced, now.plus_seconds(patience), key});
    }
  }
  if (!is_held_until_dated(request) || done == Deferred::Why::dated) return std::optional<Wait>();
  const std::optional<UtcTime> due = UtcTime::parse_iso(date_of(request)->trimmed());
  const std::int64_t horizon =
      static_cast<std::int64_t>(limit("future_dated_days_max")) * kDaySeconds;
  if (due && *due <= now && done) return std::optional<Wait>();  // its date passed as it waited
  if (!due || *due <= now || *due - now > horizon)
    return Refusal{"gateway-execution-date"_rule, std::string(date_of(request)->trimmed()),
                   date_path(request)};
  return std::optional(Wait{Deferred::Why::dated, *due, std::nullopt});
}

// Those that went on are not subtracted.
Status Gateway::State::room_to_wait(Eui64 originator) {
  const std::uint64_t most = limit("deferred_user_max");
  const bool full = deferred_room.is_full(originator, most, world.now(), [&] {
    return rows_of(store, tables::deferred, originator.octets(), most);
  });
  if (full)
    return Refusal{"gateway-deferred-too-many"_rule, std::to_string(most) + " wait",
                   "/Request/Header/RequestID"};
  deferred_room.add(originator);
  return {};
}

// What the request would lead to has room: a command on its way out, a response on its way back.
Status Gateway::State::room_in_queues(const duis::ServiceRequest& request) {
  const Eui64 user_id = request.id.originator;
  const std::uint64_t responses = limit("responses_waiting_user_max"),
                      commands = limit("commands_waiting_user_max");
  if (response_room.is_full(user_id, responses, world.now(), [&] {
        return rows_of(store, tables::responses_out, user_id.octets(), responses);
      }))
    return Refusal{"gateway-responses-too-many"_rule, std::to_string(responses) + " wait",
                   "/Request/Header/RequestID"};
  if (command_room.is_full(user_id, commands, world.now(), [&] {
        std::uint64_t rows = 0;
        for (std::size_t i = 0; i < priority_classes().size(); ++i) {
          Bytes prefix{static_cast<Octet>(i)};
          append(prefix, user_id.octets());
          rows += rows_of(store, tables::commands_out, prefix, commands);
        }
        return rows;
      }))
    return Refusal{"gateway-commands-too-many"_rule, std::to_string(commands) + " wait",
                   "/Request/Header/RequestID"};
  return {};
}

Result<duis::ServiceResponse> Gateway::State::defer(const Order& order, Deferred::Why why,
                                                    UtcTime due,
                                                    const std::optional<Bytes>& predecessor,
                                                    const std::optional<Anomaly>& anomaly) {
  const duis::ServiceRequest& request = order.request;
  TRY(room_to_wait(request.id.originator));
  const Deferred deferred{
      why,
      due,
      predecessor.value_or(Bytes()),
      order.url,
      order.trace,
      is_change_of_supplier(request) ? std::string(order.document) : duis::write(request)};
  storage::Batch batch;
  add_acceptance(batch, request, order.url, record_of(request, {}, {}), order.trace);
  put_in(batch, request_key(request.id, order.url), deferred);
  if (anomaly)
    add_quarantined(batch, request, *anomaly, order.trace);
  else
    batch.append(deferred_fact(FactKind::request_deferred, request.id, deferred, world.now()));
  add_counts(batch, order);
  TRY(store.commit(std::move(batch)));
  // Its predecessor may have ended between our look and this commit.
  if (predecessor) release_followers(*predecessor);
  return answer_to(request, "I99");
}

// All that waits for its date of the same service and device, and the cancellation itself, in one
// batch.
Result<duis::ServiceResponse> Gateway::State::cancel_dated(const Order& order) {
  const duis::ServiceRequest& request = order.request;
  Bytes prefix;
  put_be(prefix, request.id.originator.number());
  put_be(prefix, request.id.target.number());
  std::vector<std::pair<Bytes, Bytes>> found;
  store.scan(tables::deferred, prefix, storage::prefix_end(prefix),
             [&](BytesView key, BytesView value) {
               const RequestRecord record =
                   RequestRecord::decode(store.get(tables::requests, key).value());
               if (Deferred::decode(value).why == Deferred::Why::dated &&
                   record.service_variant == request.service_variant)
                 found.emplace_back(to_bytes(key), to_bytes(value));
               return true;
             });
  if (found.empty())
    return Refusal{"gateway-nothing-to-cancel"_rule,
                   request.service_variant + " on " + request.id.target.text(), date_path(request)};
  storage::Batch batch;
  const RequestRecord mine = record_of(request, {}, {});
  add_acceptance(batch, request, order.url, mine, order.trace);
  for (const auto& [key, row] : found) {
    const Deferred deferred = Deferred::decode(row);
    const duis::ServiceRequest cancelled = stored_request(deferred);
    take_out(batch, key, row);
    add_end(batch, key, record_of(cancelled, {}, {}), "E46", deferred.trace);
    add_response(batch, cancelled.id.originator, answer_to(cancelled, "E46"), deferred.trace);
  }
  add_end(batch, request_key(request.id, order.url), mine, "I0", order.trace);
  TRY(store.commit(std::move(batch)));
  for (const auto& [key, row] : found) release_followers(key);
  return answer_to(request, "I0");
}

void Gateway::State::refuse_deferred(BytesView key, const Bytes& row, const Refusal& refusal,
                                     storage::Batch also) {
  const Deferred deferred = Deferred::decode(row);
  const duis::ServiceRequest request = stored_request(deferred);
  const std::string_view code = rule_row(refusal.rule).response_code;
  storage::Batch batch = std::move(also);
  take_out(batch, key, row);
  duis::ServiceResponse response = answer_to(request, std::string(code == "-" ? "E60" : code));
  batch.append(FactWriter(FactKind::request_refused, response.at, deferred.trace)
                   .text(FactField::rule, refusal.rule.text())
                   .text(FactField::response_code, response.response_code)
                   .text(FactField::request_id, request.id.text())
                   .text(FactField::service_variant, request.service_variant)
                   .bytes());
  add_end(batch, key, record_of(request, {}, {}), response.response_code, deferred.trace);
  add_response(batch, request.id.originator, response, deferred.trace);
  if (!store.commit(std::move(batch)).ok()) return;  // somebody else was first
  log::info("deferred_refused",
            {{"trace", deferred.trace.text()}, {"rule", std::string(refusal.rule.text())}});
  release_followers(key);
}

// What it waited for is over: it waits for the next thing, becomes a command, or is refused.
void Gateway::State::release(BytesView key, const Bytes& row, const storage::Batch& also) {
  const Deferred deferred = Deferred::decode(row);
  const duis::ServiceRequest request = stored_request(deferred);
  const Result<Device> device = inventory.find(request.id.target);
  if (!device.ok()) return refuse_deferred(key, row, device.refusal(), also);
  const Result<UserRole> role = judge_again(request, deferred.url, *device);
  if (!role.ok()) return refuse_deferred(key, row, role.refusal(), also);
  const Result<std::optional<Wait>> wait = wait_of(request, deferred.why);
  if (!wait.ok()) return refuse_deferred(key, row, wait.refusal(), also);
  storage::Batch batch = also;
  take_out(batch, key, row);
  batch.append(deferred_fact(FactKind::request_released, request.id, deferred, world.now()));
  std::optional<Bytes> again;
  if (*wait) {
    again = (*wait)->predecessor;
    const Deferred next{(*wait)->why, (*wait)->due,   again.value_or(Bytes()),
                        deferred.url, deferred.trace, deferred.document};
    put_in(batch, key, next);
    batch.append(deferred_fact(FactKind::request_deferred, request.id, next, world.now()));
  } else {
    const Result<Command> command =
        add_command(batch, {request, deferred.url, *device, *role, deferred.trace, 0,
                            std::string_view(deferred.document)});
    if (!command.ok()) return refuse_deferred(key, row, command.refusal(), also);
    const int variant = request.command_variant;
    if (variant == 2 || variant == 3 || variant == 6 || variant == 7) {
      duis::ServiceResponse response =
          answer_to(request, variant == 2 || variant == 6 ? "I0" : "I99");
      response.local_command = gbcs::encode(command->message);
      add_response(batch, request.id.originator, response, deferred.trace);
    }
  }
  if (!store.commit(std::move(batch)).ok()) return;  // somebody else was first
  if (again) release_followers(*again);
}

// Those that waited for this one, if it has ended.
void Gateway::State::release_followers(BytesView predecessor) {
  std::vector<Bytes> waiting;
  store.scan(tables::followers, predecessor, storage::prefix_end(predecessor),
             [&](BytesView key, BytesView) {
               waiting.push_back(to_bytes(key.subspan(predecessor.size())));
               return true;
             });
  if (waiting.empty()) return;
  const std::optional<Bytes> record = store.get(tables::requests, predecessor);
  if (!record || RequestRecord::decode(*record).outcome.empty()) return;
  const std::string outcome = RequestRecord::decode(*record).outcome;
  for (const Bytes& key : waiting) {
    const std::optional<Bytes> row = store.get(tables::deferred, key);
    if (!row) continue;
    if (succeeded(outcome)) {
      release(key, *row, {});
    } else {
      refuse_deferred(key, *row,
                      {"gateway-preceding-failed"_rule,
                       request_id_of(predecessor).text() + " ended with " + outcome},
                      {});
    }
  }
}

// Dates that have come, sequences that were waited for too long; once, those whose predecessor
// ended as the process did.
bool Gateway::State::release_due() {
  const UtcTime now = world.now();
  if (!followers_swept.exchange(true)) {
    std::vector<Bytes> predecessors;
    store.scan(tables::followers, {}, {}, [&](BytesView key, BytesView) {
      const Bytes predecessor = to_bytes(key.first(25));
      if (predecessors.empty() || predecessors.back() != predecessor)
        predecessors.push_back(predecessor);
      return true;
    });
    for (const Bytes& predecessor : predecessors) release_followers(predecessor);
  }
  Bytes end;
  put_be(end, static_cast<std::uint64_t>(now.unix_seconds()) + 1);
  std::vector<Bytes> due;
  store.scan(tables::deferred_due, {}, end, [&](BytesView key, BytesView) {
    due.push_back(to_bytes(key.subspan(8)));
    return due.size() < kRowsPerStep;
  });
  for (const Bytes& key : due) {
    const std::optional<Bytes> row = store.get(tables::deferred, key);
    if (!row) continue;
    const Deferred deferred = Deferred::decode(*row);
    if (deferred.why == Deferred::Why::sequenced) {
      refuse_deferred(key, *row,
                      {"gateway-preceding-failed"_rule,
                       request_id_of(deferred.predecessor).text() + " did not end in time"},
                      {});
    } else if (deferred.why == Deferred::Why::dated) {
      release(key, *row, {});
    }
  }
  return !due.empty();
}

}  // namespace wattseal::gateway
