// Requests that anomaly detection holds: durable as any accepted request, noticed to their user,
// released or deleted by people. Counts are kept beside the requests they count, so that a restart
// forgets none. Source: Annex D 11-12; spec/features.md G-12.
#include "base/fault.h"
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr std::string_view kNextQuarantine = "next_quarantine";
constexpr std::size_t kRowsPerStep = 1024;
constexpr std::int64_t kForgetSeconds = 600;
constexpr int kRacesMost = 8;

Bytes number_key(std::uint64_t number) {
  Bytes key;
  put_be(key, number);
  return key;
}

std::int64_t minute_of(UtcTime at) { return at.unix_seconds() / 60; }

Bytes count_key(Eui64 user, std::int64_t minute, UserRole role, std::string_view variant) {
  Bytes key = to_bytes(user.octets());
  put_be(key, static_cast<std::uint64_t>(minute));
  append(key, as_bytes(code(role)));
  key.push_back(0);
  append(key, as_bytes(variant));
  return key;
}

struct NoticeKind {
  Anomaly::Kind kind;
  std::string_view alert, element;
};
constexpr NoticeKind kNotices[] = {
    {Anomaly::Kind::user_threshold, "N29", "ADUserThresholdBreach"},
    {Anomaly::Kind::dcc_threshold, "N30", "ADDCCThresholdBreach"},
    {Anomaly::Kind::attribute_limit, "N31", "ADAttributeLimitsBreach"},
};

xml::Element leaf(std::string_view name, std::string text) {
  return {std::string(duis::kNamespace), std::string(name), {}, std::move(text), {}};
}

template <typename Reader>
Quarantined held_row(const Reader& rows, std::uint64_t number) {
  const std::optional<Bytes> row = rows.get(tables::quarantine, number_key(number));
  if (!row) throw Fault("a fact is of a held request that is not there");
  return Quarantined::decode(*row);
}

}  // namespace

void Gateway::State::load_anomalies() {
  store.scan(tables::anomaly_files, {}, {}, [&](BytesView key, BytesView value) {
    const Result<AnomalyFile> file = read_anomaly_file(as_text(value));
    if (!file.ok()) throw Fault("a stored file of thresholds does not read");
    anomaly_files[Eui64::from_number(get_be(key))] = *file;
    return true;
  });
  store.scan(tables::anomaly_counts, {}, {}, [&](BytesView key, BytesView value) {
    const std::string_view rest = as_text(key.subspan(16));
    const std::size_t end = rest.find('\0');
    const std::optional<UserRole> role = user_role(rest.substr(0, end));
    if (!role) throw Fault("a stored count has no role");
    anomaly_counts.add(Eui64::from_number(get_be(key.first(8))), *role, rest.substr(end + 1),
                       static_cast<std::int64_t>(get_be(key.subspan(8, 8))), get_be(value));
    return true;
  });
  const std::optional<Bytes> next = store.get(tables::meta, as_bytes(kNextQuarantine));
  std::uint64_t number = next ? get_be(*next) : 1;
  store.scan_backwards(tables::quarantine, {}, {}, [&](BytesView key, BytesView) {
    number = std::max(number, get_be(key) + 1);
    return false;
  });
  next_quarantine = number;
}

// Counts the request as well: what is held counts too, so a flood does not end by being held.
std::optional<Anomaly> Gateway::State::judge_anomaly(const Order& order) {
  const ServiceRequestRow* const row = find_service_request(order.request.service_variant);
  const Eui64 user_id = order.request.id.originator;
  const std::int64_t minute = minute_of(world.now());
  const std::lock_guard lock(anomalies_mutex);
  anomaly_counts.add(user_id, order.role, row->variant, minute);
  const auto dcc = anomaly_files.find(Eui64()), mine = anomaly_files.find(user_id);
  const auto judge = [&](const AnomalyFile& file, Anomaly::Kind kind) {
    std::optional<Anomaly> found =
        anomaly_counts.exceeded(file, kind, user_id, order.role, *row, minute);
    return found ? found : exceeded_limit(file, order.request);
  };
  std::optional<Anomaly> found = judge(standing_anomaly_rows(), Anomaly::Kind::dcc_threshold);
  if (!found && dcc != anomaly_files.end())
    found = judge(dcc->second, Anomaly::Kind::dcc_threshold);
  if (!found && mine != anomaly_files.end())
    found = judge(mine->second, Anomaly::Kind::user_threshold);
  return found;
}

void Gateway::State::add_counts(storage::Batch& batch, const Order& order) {
  const std::int64_t minute = minute_of(world.now());
  Bytes value;
  {
    const std::lock_guard lock(anomalies_mutex);
    put_be(value, anomaly_counts.add(order.request.id.originator, order.role,
                                     order.request.service_variant, minute, 0));
  }
  batch.put(
      tables::anomaly_counts,
      count_key(order.request.id.originator, minute, order.role, order.request.service_variant),
      value);
}

void Gateway::State::forget_counts() {
  const UtcTime now = world.now();
  if (now < next_forgetting) return;
  next_forgetting = now.plus_seconds(kForgetSeconds);
  const std::int64_t oldest = minute_of(now.plus_seconds(-kAnomalySecondsMax));
  {
    const std::lock_guard lock(anomalies_mutex);
    anomaly_counts.forget_before(oldest);
  }
  storage::Batch batch;
  store.scan(tables::anomaly_counts, {}, {}, [&](BytesView key, BytesView) {
    if (static_cast<std::int64_t>(get_be(key.subspan(8, 8))) < oldest)
      batch.erase(tables::anomaly_counts, key);
    return batch.changes().size() < kRowsPerStep;
  });
  if (!batch.empty() && !store.commit(std::move(batch)).ok()) UNREACHABLE();  // no precondition
}

void Gateway::State::add_quarantined(storage::Batch& batch, const duis::ServiceRequest& request,
                                     const Anomaly& anomaly, TraceId trace) {
  const std::uint64_t number = next_quarantine++;
  const Quarantined held{number, request.id, request.service_variant, anomaly, world.now(), {},
                         0,      {}};
  batch.put(tables::quarantine, number_key(number), held.encode());
  batch.put(tables::meta, as_bytes(kNextQuarantine), number_key(number + 1));
  batch.append(FactWriter(FactKind::request_quarantined, held.at, trace)
                   .number(FactField::quarantine, number)
                   .text(FactField::request_id, request.id.text())
                   .text(FactField::service_variant, request.service_variant)
                   .text(FactField::event, text(anomaly.kind))
                   .text(FactField::threshold, anomaly.row)
                   .text(FactField::observed, anomaly.observed)
                   .bytes());
  const auto* const notice = std::ranges::find(kNotices, anomaly.kind, &NoticeKind::kind);
  xml::Element alert = leaf("QuarantinedRequest", {}), breach = leaf(notice->element, {});
  breach.children = {leaf("RequestID", request.id.text()),
                     leaf("QuarantineEventRef", std::to_string(number))};
  alert.children.push_back(std::move(breach));
  add_dcc_alert(batch, request.id.originator, notice->alert, std::move(alert), trace,
                {number, std::nullopt});
  log::warning(
      "request_quarantined",
      {{"trace", trace.text()}, {"number", std::to_string(number)}, {"threshold", anomaly.row}});
}

// The measure of the notice is a fact: how long after, and the journal knows the limit.
void Gateway::State::note_taken(std::uint64_t number, TraceId trace) {
  const std::optional<Bytes> row = store.get(tables::quarantine, number_key(number));
  if (!row) return;  // decided before its user took the notice
  Quarantined held = Quarantined::decode(*row);
  held.noticed = world.now();
  storage::Batch batch;
  batch.require_value(tables::quarantine, number_key(number), *row,
                      Refusal{"anomaly-unknown"_rule, "somebody has just decided"});
  batch.put(tables::quarantine, number_key(number), held.encode());
  batch.append(FactWriter(FactKind::quarantine_noticed, *held.noticed, trace)
                   .number(FactField::quarantine, number)
                   .number(FactField::seconds, static_cast<std::uint64_t>(std::max<std::int64_t>(
                                                   0, *held.noticed - held.at)))
                   .bytes());
  if (!store.commit(std::move(batch)).ok())
    log::info("quarantine_decided_first", {{"trace", trace.text()}});
}

Status Gateway::lodge_anomaly_file(std::optional<Eui64> user, const std::string& csv,
                                   smki::PersonId person, TraceId trace) {
  TRY_ASSIGN(AnomalyFile file, read_anomaly_file(csv));
  const Eui64 owner = user.value_or(Eui64());
  const std::lock_guard lock(state_->anomalies_mutex);
  storage::Batch batch;
  batch.put(tables::anomaly_files, owner.octets(), as_bytes(csv));
  batch.append(FactWriter(FactKind::anomaly_file_lodged, state_->world.now(), trace)
                   .eui(FactField::user, owner)
                   .number(FactField::person, person)
                   .octets(FactField::content, as_bytes(csv))
                   .bytes());
  TRY(state_->store.commit(std::move(batch)));
  state_->anomaly_files[owner] = std::move(file);
  return {};
}

std::string Gateway::anomaly_file(std::optional<Eui64> user) const {
  const std::optional<Bytes> row =
      state_->store.get(tables::anomaly_files, user.value_or(Eui64()).octets());
  return row ? std::string(as_text(*row)) : std::string();
}

std::vector<Quarantined> Gateway::quarantined(std::optional<Eui64> user, std::uint64_t from,
                                              std::size_t most) const {
  std::vector<Quarantined> found;
  state_->store.scan(tables::quarantine, number_key(from), {}, [&](BytesView, BytesView value) {
    Quarantined held = Quarantined::decode(value);
    if (!user || held.request.originator == *user) found.push_back(std::move(held));
    return found.size() < most;
  });
  return found;
}

Result<Gateway::QuarantinedRequest> Gateway::quarantined(std::uint64_t number,
                                                         std::optional<Eui64> user) const {
  const std::optional<Bytes> row = state_->store.get(tables::quarantine, number_key(number));
  const Refusal unknown{"anomaly-unknown"_rule, "number " + std::to_string(number)};
  if (!row) return unknown;
  Quarantined held = Quarantined::decode(*row);
  if (user && held.request.originator != *user) return unknown;
  const std::optional<Bytes> waiting =
      state_->store.get(tables::deferred, request_key(held.request, ServiceUrl::send_command));
  if (!waiting) return unknown;
  return QuarantinedRequest{std::move(held), Deferred::decode(*waiting).document};
}

Result<Gateway::Decided> Gateway::decide_quarantined(std::uint64_t number,
                                                     std::optional<Eui64> user, Decision decision,
                                                     smki::PersonId person, TraceId trace) {
  // Its notice may be recorded at this moment; then it is decided as it stands now.
  for (int i = 0; i < kRacesMost; ++i) {
    TRY_ASSIGN(const QuarantinedRequest found, quarantined(number, user));
    TRY_ASSIGN(const std::optional<Decided> decided,
               decide_held(found.held, decision, person, trace));
    if (decided) return *decided;
  }
  return Refusal{"anomaly-unknown"_rule, "others decide at the same moment; ask again"};
}

// Absent when it has changed meanwhile.
Result<std::optional<Gateway::Decided>> Gateway::decide_held(Quarantined held, Decision decision,
                                                             smki::PersonId person, TraceId trace) {
  const Bytes place = number_key(held.number), before = held.encode();
  const std::string word = decision == Decision::release ? "release" : "delete";
  const Result<smki::Party> party = state_->parties.party(held.request.originator);
  const bool two = party.ok() && party->dual_control;
  if (two && (person == 0 || held.first_person == person))
    return Refusal{"anomaly-second-person"_rule,
                   person == 0 ? "nobody says who decides"
                               : "person " + std::to_string(person) + " decided first",
                   "X-Person"};
  storage::Batch batch;
  batch.require_value(tables::quarantine, place, before,
                      Refusal{"anomaly-unknown"_rule, "it has just changed"});
  const bool first = two && held.first_decision != word;
  FactWriter fact(FactKind::quarantine_decided, state_->world.now(), trace);
  fact.number(FactField::quarantine, held.number)
      .number(FactField::person, person)
      .text(FactField::decision, (first ? "first " : "") + word);
  batch.append(fact.bytes());
  if (first) {
    held.first_person = person;
    held.first_decision = word;
    batch.put(tables::quarantine, place, held.encode());
    if (!state_->store.commit(std::move(batch)).ok()) return std::optional<Decided>();
    return std::optional(Decided::waits_for_second);
  }
  batch.erase(tables::quarantine, place);
  const Bytes key = request_key(held.request, ServiceUrl::send_command);
  const std::optional<Bytes> row = state_->store.get(tables::deferred, key);
  if (!row) return Refusal{"anomaly-unknown"_rule, "it has gone on already"};
  if (decision == Decision::release) {
    state_->release(key, *row, batch);
  } else {
    state_->refuse_deferred(key, *row,
                            {"anomaly-deleted"_rule, "by person " + std::to_string(person)}, batch);
  }
  if (state_->store.get(tables::quarantine, place)) return std::optional<Decided>();
  return std::optional(Decided::done);
}

void Gateway::replay_anomaly(storage::Changes& rows, const FactView& fact) {
  if (fact.kind() == FactKind::anomaly_file_lodged) {
    const std::optional<Eui64> user = fact.eui(FactField::user);
    const std::optional<BytesView> content = fact.find(FactField::content);
    if (!user || !content) throw Fault("a fact of thresholds lacks a field");
    return rows.put(tables::anomaly_files, user->octets(), *content);
  }
  const std::uint64_t number = fact.number(FactField::quarantine);
  const Bytes key = number_key(number);
  if (fact.kind() == FactKind::request_quarantined) {
    const Result<duis::RequestId> id = duis::RequestId::parse(fact.text(FactField::request_id));
    const auto* const kind = std::ranges::find_if(kNotices, [&](const NoticeKind& one) {
      return text(one.kind) == fact.text(FactField::event);
    });
    if (!id.ok() || kind == std::end(kNotices)) throw Fault("a held request's fact lacks a field");
    const Quarantined held{number,
                           *id,
                           std::string(fact.text(FactField::service_variant)),
                           {kind->kind, std::string(fact.text(FactField::threshold)),
                            std::string(fact.text(FactField::observed))},
                           fact.at(),
                           {},
                           0,
                           {}};
    rows.put(tables::quarantine, key, held.encode());
    return rows.put(tables::meta, as_bytes(kNextQuarantine), number_key(number + 1));
  }
  Quarantined held = held_row(rows, number);
  if (fact.kind() == FactKind::quarantine_noticed) {
    held.noticed = fact.at();
    return rows.put(tables::quarantine, key, held.encode());
  }
  const std::string_view decision = fact.text(FactField::decision);
  if (!decision.starts_with("first ")) return rows.erase(tables::quarantine, key);
  held.first_person = fact.number(FactField::person);
  held.first_decision = std::string(decision.substr(6));
  rows.put(tables::quarantine, key, held.encode());
}

}  // namespace wattseal::gateway
