// Schedules that the DCC keeps for users (5.1 to 5.3): requests that it sends again and again. A
// run is a command like any other, with a counter of the DCC's own range; what is due while the
// gateway is down is made up for once. Clocks are UTC, as DUIS has them. Source:
// spec/gbcs-duis.md 3.3; DUIS schema 5.4 (X).
#include <array>

#include "base/fault.h"
#include "base/log.h"
#include "gateway/gateway/state.h"

namespace wattseal::gateway {
namespace {

constexpr std::size_t kRowsPerStep = 256;
constexpr std::int64_t kDaySeconds = 86400;
constexpr std::string_view kNextSchedule = "next_schedule", kPath = "/Request/Body/CreateSchedule/";
constexpr std::string_view kScheduleGone = "N1", kDeviceGone = "N2", kRunFailed = "N3";

struct FrequencyRow {
  std::string_view name;
  std::int64_t days;  // 0: months
  int months;
};
// In the order of Frequency.
constexpr FrequencyRow kFrequencies[] = {{"Daily", 1, 0},       {"Weekly", 7, 0},
                                         {"Monthly", 0, 1},     {"Quarterly", 0, 3},
                                         {"Half-Yearly", 0, 6}, {"Yearly", 0, 12}};

// The nth run; the 31st becomes the last day of a shorter month, and is the 31st again after it.
UtcTime run_at(const Schedule& schedule, std::int64_t n) {
  const FrequencyRow& row = kFrequencies[static_cast<std::size_t>(schedule.frequency)];
  if (row.days != 0) return schedule.first.plus_seconds(n * row.days * kDaySeconds);
  CivilTime civil = schedule.first.civil();
  const std::int64_t months = civil.month - 1 + n * row.months;
  civil.year += static_cast<int>(months / 12);
  civil.month = static_cast<int>(months % 12) + 1;
  while (!UtcTime::from_civil(civil)) --civil.day;
  return *UtcTime::from_civil(civil);
}

// The first run after an instant.
UtcTime run_after(const Schedule& schedule, UtcTime after) {
  if (after < schedule.first) return schedule.first;
  const FrequencyRow& row = kFrequencies[static_cast<std::size_t>(schedule.frequency)];
  const std::int64_t shortest = row.days != 0 ? row.days : row.months * 31;
  std::int64_t n = (after - schedule.first) / (shortest * kDaySeconds);
  while (run_at(schedule, n) <= after) ++n;
  return run_at(schedule, n);
}

xml::Element leaf(std::string_view name, std::string text) {
  return {std::string(duis::kNamespace), std::string(name), {}, std::move(text), {}};
}

std::string text_of(const xml::Element& parent, std::string_view name) {
  const xml::Element* const child = parent.child(name);
  return child ? std::string(child->trimmed()) : std::string();
}

Bytes due_key(const Schedule& schedule) {
  Bytes key;
  put_be(key, static_cast<std::uint64_t>(schedule.next.unix_seconds()));
  append(key, schedule_key(schedule.user, schedule.device, schedule.id));
  return key;
}

Bytes place(const Schedule& schedule) {
  Bytes out = to_bytes(schedule.user.octets());
  append(out, schedule.device.octets());
  return out;
}

Bytes id_key(std::uint64_t id) {
  Bytes key;
  put_be(key, id);
  return key;
}

// Any place that takes rows: a batch, or the changes of a rebuilding.
template <typename Rows>
void put_rows(Rows& rows, const Schedule& schedule) {
  rows.put(tables::schedules, schedule_key(schedule.user, schedule.device, schedule.id),
           schedule.encode());
  rows.put(tables::schedule_due, due_key(schedule), {});
  rows.put(tables::schedule_places, id_key(schedule.id), place(schedule));
}
template <typename Rows>
void erase_rows(Rows& rows, const Schedule& schedule) {
  rows.erase(tables::schedules, schedule_key(schedule.user, schedule.device, schedule.id));
  rows.erase(tables::schedule_due, due_key(schedule));
  rows.erase(tables::schedule_places, id_key(schedule.id));
}

Bytes schedule_fact(FactKind kind, const Schedule& schedule, UtcTime now, TraceId trace) {
  FactWriter fact(kind, now, trace);
  fact.number(FactField::schedule, schedule.id)
      .eui(FactField::user, schedule.user)
      .eui(FactField::device, schedule.device)
      .time(FactField::next_due, schedule.next);
  if (kind == FactKind::schedule_created)
    fact.text(FactField::service_variant, schedule.variant)
        .octets(FactField::service_document, schedule.encode());
  return fact.bytes();
}

xml::Element details_of(const Schedule& schedule) {
  const Result<xml::Document> document = xml::parse(schedule.details);
  if (!document.ok()) throw Fault("a stored schedule does not parse");
  return document->root();
}

// "2026-11-24" and "00:30:00Z" of a number of days before a run.
std::string moment(UtcTime run, const std::string& offset, const std::string& time) {
  const UtcTime day = run.plus_seconds(std::stoll(offset) * kDaySeconds);
  return day.iso().substr(0, 11) + time.substr(0, 8) + "Z";
}

// The request that a run of the schedule is.
duis::ServiceRequest request_of(const Schedule& schedule, OriginatorCounter counter) {
  const ServiceRequestRow* const row = find_service_request(schedule.variant);
  const xml::Element details = details_of(schedule);
  duis::ServiceRequest request;
  request.schema_version = schedule.schema_version;
  request.id = {schedule.user, schedule.device, counter};
  request.command_variant = 1;
  request.service_reference = std::string(row->reference);
  request.service_variant = schedule.variant;
  request.body = leaf(row->element, {});
  const xml::Element* const what = details.child("DSP" + std::string(row->element));
  if (what && what->child("StartDateOffset")) {
    xml::Element period = leaf("ReadLogPeriod", {});
    for (const std::string_view end : {"Start", "End"}) {
      const std::string name(end);
      period.children.push_back(
          leaf(name + "DateTime", moment(schedule.next, text_of(*what, name + "DateOffset"),
                                         text_of(*what, name + "Time"))));
    }
    request.body.children.push_back(std::move(period));
  }
  const std::string certificate = text_of(details, "KAPublicSecurityCredential");
  if (!certificate.empty())
    request.body.children.push_back(leaf("KAPublicSecurityCredentials", certificate));
  return request;
}

// What 5.1 says, with its first run; not yet whether it may be.
Result<Schedule> read_schedule(const duis::ServiceRequest& request, UtcTime now) {
  const xml::Element& body = request.body;
  Schedule schedule;
  schedule.user = request.id.originator;
  TRY_ASSIGN(schedule.device, Eui64::parse(text_of(body, "DeviceID")));
  schedule.schema_version = request.schema_version;
  schedule.variant = text_of(body, "DSPScheduledServiceReferenceVariant");
  schedule.details = xml::write(body, {{"sr", std::string(duis::kNamespace)}});
  const ServiceRequestRow* const row = find_service_request(schedule.variant);
  CHECK(row != nullptr);  // the schema lists them
  if (row->reference != text_of(body, "DSPScheduledServiceReference") ||
      !body.child("DSP" + std::string(row->element)))
    return Refusal{"gateway-schedule-service"_rule,
                   schedule.variant + " goes with DSP" + std::string(row->element),
                   std::string(kPath) + "DSPScheduledServiceReferenceVariant"};
  const auto* const frequency =
      std::ranges::find(kFrequencies, text_of(body, "ScheduleFrequency"), &FrequencyRow::name);
  CHECK(frequency != std::end(kFrequencies));  // as is the frequency
  schedule.frequency = static_cast<Frequency>(frequency - kFrequencies);
  std::string time = text_of(body, "ScheduleExecutionStartTime");
  time = time.empty() ? "00:00:00" : time.substr(0, 8);
  const std::string start = text_of(body, "ScheduleStartDate").substr(0, 10),
                    stop = text_of(body, "ScheduleEndDate").substr(0, 10);
  const std::optional<UtcTime> first = UtcTime::parse_iso(start + "T" + time + "Z"),
                               last = stop.empty() ? UtcTime::forever()
                                                   : UtcTime::parse_iso(stop + "T23:59:59Z");
  if (!first || !last || *first < now.start_of_day())
    return Refusal{"gateway-schedule-dates"_rule, "from " + start + " " + time,
                   std::string(kPath) + "ScheduleStartDate"};
  schedule.first = *first;
  schedule.last = *last;
  schedule.next = run_after(schedule, now.plus_seconds(-1));
  if (schedule.next > schedule.last)
    return Refusal{"gateway-schedule-dates"_rule,
                   "the first run would be at " + schedule.next.iso(),
                   std::string(kPath) + "ScheduleEndDate"};
  return schedule;
}

}  // namespace

void Gateway::replay_schedule(storage::Changes& rows, const FactView& fact) {
  const std::optional<Eui64> user = fact.eui(FactField::user), device = fact.eui(FactField::device);
  if (!user || !device) throw Fault("a schedule's fact lacks a field");
  const std::uint64_t id = fact.number(FactField::schedule);
  if (fact.kind() == FactKind::schedule_created) {
    const std::optional<BytesView> record = fact.find(FactField::service_document);
    if (!record) throw Fault("a schedule's fact lacks a field");
    put_rows(rows, Schedule::decode(*record));
    rows.put(tables::meta, as_bytes(kNextSchedule), id_key(id + 1));
    return;
  }
  const std::optional<Bytes> row = rows.get(tables::schedules, schedule_key(*user, *device, id));
  if (!row) throw Fault("a schedule's fact is of a schedule that is not there");
  Schedule schedule = Schedule::decode(*row);
  erase_rows(rows, schedule);
  if (fact.kind() == FactKind::schedule_deleted) return;
  schedule.next =
      UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(FactField::next_due)));
  put_rows(rows, schedule);
}

Result<duis::ServiceResponse> Gateway::State::handle_non_device(const duis::ServiceRequest& request,
                                                                TraceId trace) {
  if (request.service_variant == "5.1") return create_schedule(request, trace);
  if (request.service_variant == "5.2") return read_schedules(request, trace);
  if (request.service_variant == "5.3") return delete_schedules(request, trace);
  if (request.service_variant == "8.13") return return_local_response(request, trace);
  if (request.service_variant == "8.2") return read_inventory(request, trace);
  if (request.service_variant == "8.3") return decommission(request, trace);
  if (request.service_variant == "8.4") return update_inventory(request, trace);
  if (request.service_reference == "8.14") return move_hub(request, trace);
  if (request.service_variant == "11.1" || request.service_variant == "11.4")
    return distribute_firmware(request, trace);
  if (request.service_variant == "12.1") return wan_matrix(request, trace);
  if (request.service_variant == "12.2") return pre_notify(request, trace);
  return Refusal{"gateway-service-not-offered"_rule, request.service_variant,
                 "/Request/Header/ServiceReferenceVariant"};
}

// A request without a device is accepted and ends at once, with what `batch` does.
Status Gateway::State::accept_at_once(storage::Batch batch, const duis::ServiceRequest& request,
                                      TraceId trace) {
  const RequestRecord record = record_of(request, {}, {});
  storage::Batch whole;
  add_acceptance(whole, request, ServiceUrl::non_device, record, trace);
  whole.add(std::move(batch));
  add_end(whole, request_key(request.id, ServiceUrl::non_device), record, "I0", trace);
  TRY(store.commit(std::move(whole)));
  return {};
}

Result<duis::ServiceResponse> Gateway::State::create_schedule(const duis::ServiceRequest& request,
                                                              TraceId trace) {
  TRY_ASSIGN(Schedule schedule, read_schedule(request, world.now()));
  TRY_ASSIGN(const Device device, inventory.find(schedule.device));
  const duis::ServiceRequest run = request_of(schedule, OriginatorCounter(kReservedCounters));
  TRY_ASSIGN(const UserRole role, judge_again(run, ServiceUrl::send_command, device));
  TRY(make_command({run, ServiceUrl::send_command, device, role, trace}, true));
  const std::lock_guard lock(schedules_mutex);
  const Bytes prefix = place(schedule);
  std::uint64_t has = 0;
  store.scan(tables::schedules, prefix, storage::prefix_end(prefix),
             [&](BytesView, BytesView) { return ++has < limit("device_schedules_max"); });
  if (has >= limit("device_schedules_max"))
    return Refusal{"gateway-schedules-too-many"_rule, std::to_string(has) + " schedules",
                   std::string(kPath) + "DeviceID"};
  const std::optional<Bytes> next = store.get(tables::meta, as_bytes(kNextSchedule));
  schedule.id = next ? get_be(*next) : 1;
  storage::Batch batch;
  batch.put(tables::meta, as_bytes(kNextSchedule), id_key(schedule.id + 1));
  put_rows(batch, schedule);
  batch.append(schedule_fact(FactKind::schedule_created, schedule, world.now(), trace));
  TRY(accept_at_once(std::move(batch), request, trace));
  duis::ServiceResponse response = answer_to(request, "I0");
  response.other = leaf("DSPScheduleID", std::to_string(schedule.id));
  return response;
}

// Those of the user that 5.2 or 5.3 names, by number or by device.
Result<std::vector<Schedule>> Gateway::State::asked_schedules(
    const duis::ServiceRequest& request) const {
  const std::string id = text_of(request.body, "DSPScheduleID");
  std::vector<Schedule> found;
  Bytes prefix = to_bytes(request.id.originator.octets());
  if (id.empty()) {
    TRY_ASSIGN(const Eui64 device, Eui64::parse(text_of(request.body, "DeviceID")));
    append(prefix, device.octets());
  } else {
    const Bytes number = id_key(std::stoull(id));
    const std::optional<Bytes> where = store.get(tables::schedule_places, number);
    if (where && equal(BytesView(*where).first(8), prefix)) {
      prefix = *where;
      append(prefix, number);
    } else {
      prefix.clear();
    }
  }
  if (!prefix.empty())
    store.scan(tables::schedules, prefix, storage::prefix_end(prefix),
               [&](BytesView, BytesView value) {
                 found.push_back(Schedule::decode(value));
                 return true;
               });
  if (found.empty())
    return Refusal{"gateway-schedule-unknown"_rule,
                   id.empty() ? "none of the device" : "number " + id,
                   "/Request/Body/" + request.body.name};
  return found;
}

Result<duis::ServiceResponse> Gateway::State::read_schedules(const duis::ServiceRequest& request,
                                                             TraceId trace) {
  TRY_ASSIGN(const std::vector<Schedule> found, asked_schedules(request));
  TRY(accept_at_once({}, request, trace));
  xml::Element list = leaf("DSPSchedulesRead", {});
  for (const Schedule& schedule : found) {
    xml::Element one = leaf("DSPSchedules", {}), details = details_of(schedule);
    details.name = "DSPScheduleDetails";
    one.children = {leaf("DSPScheduleID", std::to_string(schedule.id)), std::move(details)};
    list.children.push_back(std::move(one));
  }
  duis::ServiceResponse response = answer_to(request, "I0");
  response.other = std::move(list);
  return response;
}

// On condition that no run has moved it meanwhile.
void Gateway::State::add_schedule_end(storage::Batch& batch, const Schedule& schedule,
                                      TraceId trace) const {
  batch.require_value(tables::schedules, schedule_key(schedule.user, schedule.device, schedule.id),
                      schedule.encode(),
                      Refusal{"gateway-schedule-unknown"_rule, "it has just had a run; ask again"});
  erase_rows(batch, schedule);
  batch.append(schedule_fact(FactKind::schedule_deleted, schedule, world.now(), trace));
}

Result<duis::ServiceResponse> Gateway::State::delete_schedules(const duis::ServiceRequest& request,
                                                               TraceId trace) {
  TRY_ASSIGN(const std::vector<Schedule> found, asked_schedules(request));
  storage::Batch batch;
  for (const Schedule& schedule : found) add_schedule_end(batch, schedule, trace);
  TRY(accept_at_once(std::move(batch), request, trace));
  return answer_to(request, "I0");
}

// One run, and the time of the next; or the end of the schedule, with an alert that says why.
bool Gateway::State::run_schedule(const Schedule& schedule, const Bytes& row) {
  const TraceId trace = world.new_trace();
  const UtcTime now = world.now();
  const auto end = [&](std::string_view code) {
    storage::Batch batch;
    add_schedule_end(batch, schedule, trace);
    xml::Element why = leaf("DSPScheduleRemoval", {});
    why.children = {leaf("DeviceID", schedule.device.text()),
                    leaf("DSPScheduleID", std::to_string(schedule.id))};
    add_dcc_alert(batch, schedule.user, code, std::move(why), trace);
    return store.commit(std::move(batch)).ok();
  };
  const Result<Device> device = inventory.find(schedule.device);
  if (!device.ok() || device->status == DeviceStatus::withdrawn ||
      device->status == DeviceStatus::decommissioned)
    return end(kDeviceGone);
  Result<OriginatorCounter> counter = reserve_counter(schedule.user, kReservedCounters);
  if (!counter.ok()) return false;
  const duis::ServiceRequest request = request_of(schedule, *counter);
  const Result<UserRole> role = judge_again(request, ServiceUrl::send_command, *device);
  if (!role.ok() && role.refusal().rule == "access-not-registered"_rule) return end(kScheduleGone);
  Schedule moved = schedule;
  moved.next = run_after(schedule, std::max(now, schedule.next));
  storage::Batch batch;
  batch.require_value(tables::schedules, schedule_key(schedule.user, schedule.device, schedule.id),
                      row, Refusal{"gateway-schedule-unknown"_rule, "it is gone"});
  erase_rows(batch, schedule);
  put_rows(batch, moved);
  batch.append(schedule_fact(FactKind::schedule_run, moved, now, trace));
  storage::Batch command;
  add_acceptance(command, request, ServiceUrl::send_command, record_of(request, {}, {}), trace);
  const Result<Command> made = role.ok()
                                   ? add_command(command, {request, ServiceUrl::send_command,
                                                           *device, *role, trace, schedule.id})
                                   : Result<Command>(role.refusal());
  if (made.ok()) {
    batch.add(std::move(command));
  } else {
    log::warning("schedule_run_refused", {{"trace", trace.text()},
                                          {"schedule", std::to_string(schedule.id)},
                                          {"rule", std::string(made.refusal().rule.text())}});
    add_dcc_alert(batch, schedule.user, kRunFailed, command_failure(request.id, schedule.id),
                  trace);
  }
  if (!store.commit(std::move(batch)).ok()) return false;
  if (moved.next > moved.last) {
    storage::Batch over;
    add_schedule_end(over, moved, trace);
    if (!store.commit(std::move(over)).ok()) return true;  // somebody deleted it
  }
  return true;
}

xml::Element command_failure(const duis::RequestId& id, std::uint64_t schedule) {
  xml::Element failure = leaf("CommandFailure", {});
  failure.children.push_back(leaf("CommandRequestID", id.text()));
  if (schedule != 0) failure.children.push_back(leaf("DSPScheduleID", std::to_string(schedule)));
  failure.children.push_back(leaf("DeviceID", id.target.text()));
  return failure;
}

bool Gateway::State::run_schedules() {
  Bytes end;
  put_be(end, static_cast<std::uint64_t>(world.now().unix_seconds()) + 1);
  std::vector<Bytes> due;
  store.scan(tables::schedule_due, {}, end, [&](BytesView key, BytesView) {
    due.push_back(to_bytes(key.subspan(8)));
    return due.size() < kRowsPerStep;
  });
  bool any = false;
  for (const Bytes& key : due) {
    const std::optional<Bytes> row = store.get(tables::schedules, key);
    if (row) any = run_schedule(Schedule::decode(*row), *row) || any;
  }
  return any;
}

bool Gateway::advance_requests() {
  const bool released = state_->release_due();
  return state_->run_schedules() || released;
}

}  // namespace wattseal::gateway
