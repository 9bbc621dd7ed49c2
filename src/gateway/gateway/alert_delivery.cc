// Alerts on their way to users: documents made and signed together, sent several at a time on
// connections that stay open, one lane beside the other.
#include <set>

#include "base/fault.h"
#include "base/log.h"
#include "gateway/gateway/alert_ledger.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kLanePrefix = 1;

struct Waiting {
  Bytes key;
  AlertOut alert;
};

// The next ones that may travel together: no two of one device, so that one which is not taken
// stands in front of nothing that was.
std::size_t together(std::span<const Waiting> waiting, std::size_t most) {
  std::set<Eui64> devices;
  std::size_t count = 0;
  while (count < waiting.size() && count < most &&
         devices.insert(waiting[count].alert.device).second)
    ++count;
  return count;
}

}  // namespace

duis::ServiceResponse Gateway::State::alert_document(Eui64 to, const AlertOut& alert) const {
  duis::ServiceResponse response;
  response.response_code = "I0";
  response.at = alert.at;
  if (alert.consolidation != 0) {
    response.throttled_sequence = static_cast<std::uint32_t>(alert.consolidation);
    response.throttled_count = static_cast<std::uint32_t>(alert.count);
  }
  if (alert.kind == AlertOut::Kind::device) {
    const Result<gbcs::Message> message = gbcs::decode(alert.message);
    if (!message.ok()) throw Fault("a stored alert does not parse");
    response.response_id = duis::RequestId{alert.device, to, alert.counter};
    response.alert_code = alert_code(message->payload);
    response.gbcs_payload = alert.message;
    return response;
  }
  const auto leaf = [](std::string name, std::string text) {
    return xml::Element{std::string(duis::kNamespace), std::move(name), {}, std::move(text), {}};
  };
  response.response_id = duis::RequestId{identity.broker, to, alert.counter};
  response.dcc_alert_code = "AD1";
  xml::Element outage = leaf("PowerOutageEvent", {});
  outage.children = {leaf("CommsHubDeviceID", alert.device.text()),
                     leaf("StartDateTime", alert.since.iso()), leaf("MPxN", alert.meter_point)};
  response.other = std::move(outage);
  return response;
}

std::vector<std::string> Gateway::State::alert_documents(
    Eui64 to, std::span<const AlertOut* const> alerts) const {
  std::vector<xml::Element> elements;
  for (const AlertOut* const alert : alerts)
    elements.push_back(duis::to_element(alert_document(to, *alert)));
  return xml::sign_many(elements, duis::prefixes(), identity.xml_signer, *identity.xml_signing);
}

// What a user has not taken in the time that it is held waits apart, as documents, until the user
// asks for it.
bool Gateway::State::expire_alerts(Octet lane, Eui64 to, UtcTime now) {
  const std::int64_t hold = static_cast<std::int64_t>(limit("response_hold_hours")) * 3600;
  Bytes prefix{lane};
  append(prefix, to.octets());
  std::vector<Waiting> late;
  store.scan(tables::alerts_out, prefix, storage::prefix_end(prefix),
             [&](BytesView key, BytesView value) {
               AlertOut alert = AlertOut::decode(value);
               if (now - alert.at < hold) return false;
               late.push_back({to_bytes(key), std::move(alert)});
               return late.size() < limit("alert_step_max");
             });
  if (late.empty()) return false;
  std::vector<const AlertOut*> alerts;
  for (const Waiting& one : late) alerts.push_back(&one.alert);
  const std::vector<std::string> documents = alert_documents(to, alerts);
  storage::Batch batch;
  for (std::size_t i = 0; i < late.size(); ++i) {
    const std::string id = alert_document(to, late[i].alert).response_id->text();
    const Outgoing put_aside{to, late[i].alert.trace, to_bytes(as_bytes(documents[i])), id,
                             0,  late[i].alert.at};
    batch.erase(tables::alerts_out, late[i].key);
    batch.put(tables::undelivered, response_key(to, next_response++), put_aside.encode());
    batch.append(FactWriter(FactKind::response_expired, now, late[i].alert.trace)
                     .text(FactField::request_id, id)
                     .eui(FactField::party, to)
                     .bytes());
  }
  if (!store.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
  return true;
}

namespace {

// In their order, until the user does not take one; what was taken goes from the queue. Returns how
// many were.
std::size_t send(Gateway::State& state, unsigned lane, Eui64 user, const std::string& url,
                 std::span<const Waiting> waiting, storage::Batch& batch) {
  std::vector<const AlertOut*> alerts;
  for (const Waiting& one : waiting) alerts.push_back(&one.alert);
  const std::vector<std::string> documents = state.alert_documents(user, alerts);
  Bytes delivered;
  std::size_t count = 0;
  const std::size_t in_flight = limit("alert_documents_in_flight");
  for (std::size_t first = 0; first < waiting.size();) {
    const std::size_t some = together(waiting.subspan(first), in_flight);
    std::vector<Dispatch> dispatches;
    for (std::size_t i = first; i < first + some; ++i)
      dispatches.push_back({documents[i], waiting[i].alert.trace});
    std::size_t taken_here = 0;
    std::vector<char> taken;
    try {
      taken = state.user_many(lane, url, dispatches);
    } catch (const Fault& fault) {
      log::warning("user_unreachable", {{"user", user.text()}, {"fault", fault.what()}});
    }
    for (std::size_t i = 0; i < std::min(taken.size(), some); ++i) {
      if (taken[i] == 0) continue;
      batch.erase(tables::alerts_out, waiting[first + i].key);
      append(delivered, waiting[first + i].alert.device.octets());
      put_be(delivered, waiting[first + i].alert.counter.number());
      ++taken_here;
    }
    count += taken_here;
    if (taken_here < some) break;
    first += some;
  }
  if (count != 0)
    batch.append(FactWriter(FactKind::alerts_delivered, state.world.now(), state.world.new_trace())
                     .eui(FactField::party, user)
                     .number(FactField::count, count)
                     .octets(FactField::alerts, delivered)
                     .bytes());
  return count;
}

}  // namespace

bool Gateway::deliver_alerts(unsigned lane) {
  CHECK(lane < kAlertLanes);
  State& state = *state_;
  State::AlertLane& mine = state.alert_lanes[lane];
  const UtcTime now = state.world.now();
  std::set<Eui64> away;
  const auto blocked = [&](Eui64 user) {
    const auto pause = mine.pauses.find(user);
    const bool paused = (pause != mine.pauses.end() && pause->second.is_on(now)) ||
                        !state.store.get(tables::user_endpoints, user.octets());
    if (paused) away.insert(user);
    return paused;
  };
  std::map<Eui64, std::vector<Waiting>> by_user;
  for (QueueRow& row : fair_rows(state.store, tables::alerts_out, Bytes{static_cast<Octet>(lane)},
                                 limit("alert_step_max"), mine.last_served, blocked)) {
    const Eui64 user = Eui64::from_number(get_be(BytesView(row.key).subspan(kLanePrefix, 8)));
    by_user[user].push_back({std::move(row.key), AlertOut::decode(row.value)});
  }
  storage::Batch batch;
  std::size_t count = 0;
  for (const auto& [user, waiting] : by_user) {
    const Bytes url = state.store.get(tables::user_endpoints, user.octets()).value();
    const std::size_t taken = send(state, lane, user, std::string(as_text(url)), waiting, batch);
    count += taken;
    if (taken == waiting.size()) {
      mine.pauses.erase(user);
    } else {
      mine.pauses[user].lengthen(now, limit("delivery_pause_seconds_max"));
      away.insert(user);
    }
  }
  bool any = false;
  for (const Eui64 user : away)
    any = state.expire_alerts(static_cast<Octet>(lane), user, now) || any;
  if (count == 0) return any;
  if (!state.store.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
  state.tally.delivered += count;
  return true;
}

}  // namespace wattseal::gateway
