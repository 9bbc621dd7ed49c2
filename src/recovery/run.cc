// An order under way: devices are enlisted, sent their commands, and answer or do not.
#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "gbcs/security.h"
#include "recovery/recovery.h"
#include "terms/tables.h"

namespace wattseal::recovery {
namespace {

constexpr std::size_t kEnlistedAtOnce = 512, kSentAtOnce = 128;
constexpr std::uint16_t kUpdateCodes = 0x0100;  // and the mode
constexpr unsigned kNotFound = 25;

bool is_gone(DeviceStatus status) {
  return status == DeviceStatus::decommissioned || status == DeviceStatus::withdrawn;
}

// Cells as the device says that they are now; those that it does not have are not among them.
Holdings cells_after(const UpdateOutcome& outcome) {
  Holdings cells;
  for (const CellOutcome& cell : outcome.cells) {
    if (cell.status != kNotFound) cells[cell.slot] = cell.after;
  }
  return cells;
}

}  // namespace

struct Recovery::Dispatch {
  const Case& one;
  const Order& order;
  const MethodRow& method;
  crypto::KeyHandle key;
  Bytes envelope = {};
};

bool Recovery::work() {
  bool any = false;
  for (const Case& one : cases(parts_.store)) {
    if (one.state != "executing" || !find_method(one.method)->by_dcc()) continue;
    any = (one.enlisted ? send(one) : enlist(one)) || any;
  }
  return any;
}

// In the order of devices, so many at a time; the case says how far it came.
bool Recovery::enlist(const Case& one) {
  const Order order = find_order(parts_.store, one.number).value();
  Bytes devices;
  Eui64 through = one.enlisted_through;
  bool all = true;
  each_reached(
      [&](Eui64 id, const Holdings& holdings) {
        if (devices.size() >= kEnlistedAtOnce * 8) {
          all = false;
          return false;
        }
        through = id;
        const Result<gateway::Device> device = parts_.inventory.find(id);
        if (device.ok() && !is_gone(device->status) && !order.for_device(holdings).empty())
          append(devices, id.octets());
        return true;
      },
      Eui64::from_number(one.enlisted_through.number() + 1));
  storage::Batch batch;
  batch.require_value(tables::recovery_cases, case_key(one.number), one.encode(),
                      {"recovery-step"_rule, "somebody took a step at the same moment"});
  add(batch, FactWriter(FactKind::recovery_devices_enlisted, now(), one.trace)
                 .number(FactField::recovery_case, one.number)
                 .text(FactField::event, all ? "all" : "more")
                 .eui(FactField::device, through)
                 .number(FactField::count, devices.size() / 8)
                 .octets(FactField::devices, devices)
                 .bytes());
  (void)parts_.store.commit(std::move(batch));  // refused: the next look sees the step
  return true;
}

std::vector<Eui64> Recovery::due_devices(CaseNumber number, std::size_t most) const {
  Bytes until;
  put_be(until, static_cast<std::uint64_t>(now().unix_seconds()) + 1);
  std::vector<Eui64> due;
  parts_.store.scan(tables::recovery_due, {}, until, [&](BytesView key, BytesView) {
    if (get_be(key.subspan(8, 8)) == number)
      due.push_back(Eui64::from_number(get_be(key.subspan(16))));
    return due.size() < most;
  });
  return due;
}

bool Recovery::send(const Case& one) {
  CHECK(gateway_ != nullptr);
  std::vector<Eui64> due = due_devices(one.number, kSentAtOnce);
  if (due.empty() || waits_for_envelope(one.number)) return false;
  const std::uint64_t in_flight = tally(parts_.store, one.number).sent;
  if (in_flight >= pace_.in_flight) return false;
  due.resize(std::min<std::size_t>(due.size(), pace_.in_flight - in_flight));
  const Order order = find_order(parts_.store, one.number).value();
  const MethodRow& method = *find_method(one.method);
  const Result<crypto::KeyHandle> key = signer_of(order, method);
  if (!key.ok()) throw Fault("the key of a recovery is away: " + explain(key.refusal()));
  Dispatch dispatch{one, order, method, *key};
  if (method.contingency()) {
    const std::lock_guard lock(mutex_);
    dispatch.envelope = envelopes_.at(one.number);
  }
  storage::Batch batch;
  // A case that is paused or withdrawn at this moment sends nothing.
  batch.require_value(tables::recovery_cases, case_key(one.number), one.encode(),
                      {"recovery-step"_rule, "somebody took a step at the same moment"});
  for (const Eui64 device : due) add_command(batch, dispatch, device);
  const Result<std::uint64_t> committed = parts_.store.commit(std::move(batch));
  if (!committed.ok()) log::info("recovery_send_again", {{"why", explain(committed.refusal())}});
  return true;
}

FactWriter Recovery::moved(CaseNumber number, const Progress& progress, TraceId trace) const {
  FactWriter fact(FactKind::recovery_device_moved, progress.since, trace);
  fact.number(FactField::recovery_case, number)
      .eui(FactField::device, progress.device)
      .text(FactField::to_status, text(progress.state))
      .number(FactField::attempts, progress.attempts)
      .number(FactField::counter, progress.counter);
  if (progress.due) fact.time(FactField::due, *progress.due);
  if (!progress.detail.empty()) fact.text(FactField::detail, progress.detail);
  return fact;
}

// The inventory moves with the case where its table of transitions says so; a device that is in
// another status, suspended perhaps, is recovered all the same.
void Recovery::add_event(storage::Batch& batch, Eui64 device, DeviceStatus only_from,
                         const char* event, TraceId trace) const {
  const Result<gateway::Device> known = parts_.inventory.find(device);
  if (!known.ok() || known->status != only_from) return;
  // Refused when it moved at this very moment: then its status is somebody else's matter.
  const Status added = parts_.inventory.add(batch, {{device, event}}, trace);
  if (!added.ok()) log::info("recovery_status_kept", {{"device", device.text()}});
}

void Recovery::add_command(storage::Batch& batch, const Dispatch& dispatch, Eui64 device) const {
  const CaseNumber number = dispatch.one.number;
  Progress progress = find_progress(parts_.store, number, device).value();
  progress.since = now();
  progress.due.reset();
  progress.detail.clear();
  UpdateCommand update;
  update.mode = dispatch.method.mode();
  update.replacements = dispatch.order.for_device(holdings_of(parts_.store, device));
  update.path = dispatch.order.path;
  update.symmetric_key = dispatch.envelope;
  if (update.replacements.empty()) {  // somebody else replaced it in the meantime
    progress.state = DeviceState::recovered;
    progress.detail = "it held nothing of the order any more";
    return add(batch, moved(number, progress, dispatch.one.trace).bytes());
  }
  if (!dispatch.method.contingency())
    update.authoriser = Slot{RemotePartyRole::recovery, KeyUse::digital_signature, false};
  gbcs::Message message;
  message.cra = gbcs::Cra::command;
  message.originator = dispatch.order.originator;
  message.target = device;
  message.counter = gateway_->next_own_counter(message.originator).value();
  message.code = gbcs::MessageCode(static_cast<std::uint16_t>(kUpdateCodes | update.mode));
  update.counter = message.counter;
  message.payload = write_update(update);
  gbcs::sign(message, *dispatch.key);
  progress.state = DeviceState::sent;
  ++progress.attempts;
  progress.counter = message.counter.number();
  add(batch, moved(number, progress, dispatch.one.trace).bytes());
  add_event(batch, device, DeviceStatus::commissioned, "recovery-started", dispatch.one.trace);
  gateway_->add_own_command(batch, message, pace_.answer, subject_of(number), dispatch.one.trace);
}

// ---- what devices say

std::optional<std::pair<Case, Progress>> Recovery::waiting_for(Eui64 device,
                                                               OriginatorCounter counter) const {
  for (const Case& one : cases(parts_.store)) {
    const std::optional<Progress> progress = find_progress(parts_.store, one.number, device);
    if (progress && progress->state == DeviceState::sent && progress->counter == counter.number())
      return std::pair(one, *progress);
  }
  return std::nullopt;
}

void Recovery::again_or_failed(storage::Batch& batch, CaseNumber number, Progress progress,
                               std::string why, TraceId trace) const {
  progress.since = now();
  progress.detail = std::move(why);
  const bool again = progress.attempts < pace_.attempts_max;
  progress.state = again ? DeviceState::waiting : DeviceState::failed;
  if (again) progress.due = now().plus_seconds(pace_.retry.count());
  add(batch, moved(number, progress, trace).bytes());
}

void Recovery::answered(storage::Batch& batch, const gbcs::Message& answer, TraceId trace) {
  const Eui64 device = answer.originator;
  const auto waiting = waiting_for(device, answer.counter);
  if (!waiting) return;
  auto [one, progress] = *waiting;
  const Result<UpdateOutcome> outcome = read_update_answer(answer.payload);
  if (!outcome.ok())
    return again_or_failed(batch, one.number, progress, explain(outcome.refusal()), trace);
  const Holdings before = holdings_of(parts_.store, device);
  const std::optional<Order> order = find_order(parts_.store, one.number);
  std::string wrong;
  bool passing = false;
  for (const Replacement& wanted : order->for_device(before)) {
    const auto cell = std::ranges::find(outcome->cells, wanted.slot, &CellOutcome::slot);
    const Result<Installable> certificate = read_installable(wanted.certificate);
    if (cell != outcome->cells.end() && cell->status == 0 && certificate.ok() &&
        cell->after.key == certificate->held.key)
      continue;
    const unsigned status = cell == outcome->cells.end() ? kNotFound : cell->status;
    passing = passing || is_passing(status);
    wrong += (wrong.empty() ? "" : ", ") + text(wanted.slot) + " " +
             (status == 0 ? "holds another key" : std::string(status_text(status)));
  }
  if (passing) return again_or_failed(batch, one.number, progress, std::move(wrong), trace);
  progress.since = now();
  progress.state = wrong.empty() ? DeviceState::recovered : DeviceState::failed;
  progress.detail = std::move(wrong);
  FactWriter fact = moved(one.number, progress, trace);
  fact.octets(FactField::credentials, encode(cells_after(*outcome)));
  require_holdings(batch, device);
  add(batch, fact.bytes());
  if (progress.state == DeviceState::recovered)
    add_event(batch, device, DeviceStatus::recovery, "credentials-replaced", trace);
}

void Recovery::unanswered(storage::Batch& batch, const Waiting& command, TraceId trace) {
  const auto waiting = waiting_for(command.device, command.counter);
  if (waiting) again_or_failed(batch, waiting->first.number, waiting->second, "no answer", trace);
}

// The row must be the one that was read: answers of one device may come at the same moment.
void Recovery::require_holdings(storage::Batch& batch, Eui64 device) const {
  const Refusal race{"recovery-step"_rule, "two answers of a device came at one moment"};
  const std::optional<Bytes> before = parts_.store.get(tables::device_credentials, device.octets());
  if (before)
    batch.require_value(tables::device_credentials, device.octets(), *before, race);
  else
    batch.require_absent(tables::device_credentials, device.octets(), race);
}

void Recovery::seen(storage::Batch& batch, const gbcs::Message& answer, TraceId trace) {
  if (!is_update(answer.code.number())) return;
  const Result<UpdateOutcome> outcome = read_update_answer(answer.payload);
  if (!outcome.ok() || outcome->cells.empty()) return;
  require_holdings(batch, answer.originator);
  add(batch, FactWriter(FactKind::device_credentials_known, now(), trace)
                 .octets(FactField::devices, answer.originator.octets())
                 .octets(FactField::credentials, encode(cells_after(*outcome)))
                 .bytes());
}

Status Recovery::know(const std::vector<Eui64>& devices, const Holdings& holdings, TraceId trace) {
  for (std::size_t first = 0; first < devices.size(); first += kEnlistedAtOnce) {
    storage::Batch batch;
    Bytes some;
    for (std::size_t i = first; i < std::min(devices.size(), first + kEnlistedAtOnce); ++i) {
      require_holdings(batch, devices[i]);
      append(some, devices[i].octets());
    }
    add(batch, FactWriter(FactKind::device_credentials_known, now(), trace)
                   .octets(FactField::devices, some)
                   .octets(FactField::credentials, encode(holdings))
                   .bytes());
    TRY(parts_.store.commit(std::move(batch)));
  }
  return {};
}

}  // namespace wattseal::recovery
