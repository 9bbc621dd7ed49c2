// Steps that people take. What follows from them for devices is run.cc's; what an order consists of
// is order.cc's.
#include "recovery/recovery.h"

#include <nlohmann/json.hpp>

#include "base/fault.h"
#include "base/log.h"
#include "terms/tables.h"

namespace wattseal::recovery {
namespace {

using nlohmann::json;

constexpr std::string_view kRecordKey = "recovery.record", kAct = "order-recovery";
constexpr std::size_t kEvidenceOctetsMax = 4000, kEventsAtOnce = 256;
constexpr std::string_view kGeneral[] = {"acknowledge", "confirm", "reject", "withdraw", "revise",
                                         "pause",       "resume",  "verify", "retry",    "close"};

Status check_evidence(std::string_view evidence) {
  if (!evidence.empty() && evidence.size() <= kEvidenceOctetsMax) return {};
  return Refusal{"recovery-evidence"_rule, "it has " + std::to_string(evidence.size()) + " octets",
                 "evidence"};
}
Refusal race() {
  return {"recovery-step"_rule, "somebody took a step at the same moment", "event"};
}

std::string text_of(const Tally& tally) {
  return std::to_string(tally.recovered) + " recovered, " + std::to_string(tally.failed) +
         " not, of " + std::to_string(tally.total());
}

}  // namespace

std::string subject_of(CaseNumber number) { return "recovery-case/" + std::to_string(number); }

Pace::Pace()
    : in_flight(limit("recovery_in_flight")),
      attempts_max(limit("recovery_attempts_max")),
      answer(static_cast<std::int64_t>(limit("recovery_answer_seconds"))),
      retry(static_cast<std::int64_t>(limit("recovery_retry_seconds"))) {}

Result<std::unique_ptr<Recovery>> Recovery::open(const Parts& parts, Pace pace) {
  TRY_ASSIGN(crypto::KeyHandle key, crypto::find_or_generate(parts.keys, std::string(kRecordKey)));
  return std::unique_ptr<Recovery>(new Recovery(parts, pace, std::move(key)));
}

void Recovery::connect(gateway::Gateway& gateway) {
  gateway_ = &gateway;
  gateway.set_own_commands(*this);
}

void Recovery::add(storage::Batch& batch, BytesView fact) const {
  storage::Changes rows(parts_.store);
  replay(rows, FactView::read(fact).value());
  rows.take(batch);
  batch.append(fact);
}

Result<Recovery::Taking> Recovery::begin(CaseNumber number, std::string_view event,
                                         std::string_view evidence, const smki::Actor& actor,
                                         TraceId trace) const {
  TRY_ASSIGN(Case before, find_case(parts_.store, number));
  TRY_ASSIGN(const StepRow* const row, find_step(&before, event));
  TRY(check_taker(*row, &before, parts_.office, actor, now()));
  TRY(check_evidence(evidence));
  Taking taking{std::move(before), row, FactWriter(FactKind::recovery_stepped, now(), trace)};
  taking.fact.number(FactField::recovery_case, number)
      .text(FactField::event, event)
      .text(FactField::from_status, taking.before.state)
      .text(FactField::to_status,
            row->to == "same" ? std::string_view(taking.before.state) : row->to)
      .number(FactField::person, actor.person)
      .text(FactField::address, actor.address)
      .text(FactField::evidence, evidence);
  taking.batch.require_value(tables::recovery_cases, case_key(number), taking.before.encode(),
                             race());
  return taking;
}

Result<Case> Recovery::finish(Taking taking) const {
  add(taking.batch, sign_step(taking.fact, *record_key_));
  TRY(parts_.store.commit(std::move(taking.batch)));
  log::info("recovery_step", {{"case", std::to_string(taking.before.number)},
                              {"event", std::string(taking.row->event)}});
  return find_case(parts_.store, taking.before.number);
}

// ---- notice

Status Recovery::check_notice(const Notice& notice) const {
  const auto row = std::ranges::find(compromise_rows(), notice.compromise, &CompromiseRow::id);
  if (row == compromise_rows().end())
    return Refusal{"recovery-notice"_rule, "'" + notice.compromise + "' is no kind of compromise",
                   "compromise"};
  if (row->of_party() != notice.party.has_value())
    return Refusal{"recovery-notice"_rule,
                   row->of_party() ? "it does not say whose" : "it is nobody's in particular",
                   "party"};
  if (!notice.certificates.empty() && !notice.party)
    return Refusal{"recovery-notice"_rule, "only certificates of a Party are named",
                   "certificates"};
  return check_evidence(notice.evidence);
}

Result<Case> Recovery::report(const Notice& notice, const smki::Actor& actor, TraceId trace) {
  TRY_ASSIGN(const StepRow* const row, find_step(nullptr, "report"));
  TRY(check_taker(*row, nullptr, parts_.office, actor, now()));
  TRY(check_notice(notice));
  Bytes keys;
  for (const CertificateSerial& serial : notice.certificates) {
    TRY_ASSIGN(const smki::PublishedCertificate found, parts_.repository.by_serial(serial));
    TRY_ASSIGN(const Installable certificate, read_installable(found.der));
    if (certificate.held.party != *notice.party)
      return Refusal{"recovery-notice"_rule, serial.hex() + " is not a certificate of that Party",
                     "certificates"};
    append(keys, certificate.held.key);
  }
  const std::vector<Case> before = cases(parts_.store);
  const CaseNumber number = before.empty() ? 1 : before.front().number + 1;
  FactWriter fact(FactKind::recovery_stepped, now(), trace);
  fact.number(FactField::recovery_case, number)
      .text(FactField::event, row->event)
      .text(FactField::from_status, "none")
      .text(FactField::to_status, row->to)
      .number(FactField::person, actor.person)
      .text(FactField::address, actor.address)
      .text(FactField::evidence, notice.evidence)
      .text(FactField::compromise, notice.compromise)
      .text(FactField::credential, to_hex(record_key()));
  if (notice.party) fact.eui(FactField::party, *notice.party);
  if (!keys.empty()) fact.octets(FactField::key_seen, keys);
  storage::Batch batch;
  batch.require_absent(tables::recovery_cases, case_key(number), race());
  add(batch, sign_step(fact, *record_key_));
  TRY(parts_.store.commit(std::move(batch)));
  return find_case(parts_.store, number);
}

// ---- steps

Result<Case> Recovery::step(CaseNumber number, std::string_view event, std::string_view evidence,
                            const smki::Actor& actor, TraceId trace) {
  if (std::ranges::find(kGeneral, event) == std::end(kGeneral))
    return Refusal{"recovery-step"_rule, "'" + std::string(event) + "' takes more than evidence",
                   "event"};
  TRY_ASSIGN(Taking taking, begin(number, event, evidence, actor, trace));
  TRY(settle(taking.before, event, taking));
  return finish(std::move(taking));
}

// What some steps demand or bring about.
Status Recovery::settle(const Case& one, std::string_view event, Taking& taking) const {
  if (event == "verify") {
    const Tally counted = tally(parts_.store, one.number);
    const MethodRow* const method = find_method(one.method);
    const std::uint64_t left = method->by_dcc() ? counted.pending() + (one.enlisted ? 0 : 1)
                                                : radius(reach_of(one)).devices;
    if (left > 0)
      return Refusal{"recovery-pending"_rule, std::to_string(left) + " devices are not settled",
                     "case"};
    taking.fact.text(FactField::detail, text_of(counted));
  }
  if (event == "retry") {
    each_device(parts_.store, one.number, Eui64(), [&](Progress progress) {
      if (progress.state != DeviceState::failed) return true;
      progress = {progress.device, DeviceState::enlisted, 0, progress.counter, now(), now(), {}};
      add(taking.batch, moved(one.number, progress, one.trace).bytes());
      return true;
    });
  }
  if (event == "close") TRY(release(one, one.trace));
  return {};
}

// Recovered devices are what they were before. Done before the case is closed, so that a case that
// is closed has nothing left to do; again it finds them moved already.
Status Recovery::release(const Case& one, TraceId trace) const {
  std::vector<Eui64> recovered;
  each_device(parts_.store, one.number, Eui64(), [&](const Progress& progress) {
    if (progress.state == DeviceState::recovered) recovered.push_back(progress.device);
    return true;
  });
  storage::Batch batch;
  std::size_t count = 0;
  for (const Eui64 device : recovered) {
    add_event(batch, device, DeviceStatus::recovered, "recovery-completed", trace);
    if (++count % kEventsAtOnce == 0) TRY(parts_.store.commit(std::exchange(batch, {})));
  }
  if (!batch.empty()) TRY(parts_.store.commit(std::move(batch)));
  return {};
}

Result<Case> Recovery::choose(CaseNumber number, const Choice& choice, const smki::Actor& actor,
                              TraceId trace) {
  TRY_ASSIGN(Taking taking, begin(number, "choose", choice.evidence, actor, trace));
  const MethodRow* const method = find_method(choice.method);
  if (!method || !method->serves(taking.before.compromise))
    return Refusal{"recovery-method"_rule,
                   "'" + choice.method + "' does not serve " + taking.before.compromise, "method"};
  taking.fact.text(FactField::recovery_method, choice.method);
  if (choice.beneficiary) taking.fact.eui(FactField::supplier, *choice.beneficiary);
  if (method->by_dcc()) {
    TRY_ASSIGN(const Order order, order_of(taking.before, choice));
    taking.fact.octets(FactField::order_digest, order.digest());
    add(taking.batch, FactWriter(FactKind::recovery_ordered, now(), trace)
                          .number(FactField::recovery_case, number)
                          .octets(FactField::recovery_order, order.encode())
                          .octets(FactField::order_digest, order.digest())
                          .bytes());
  }
  return finish(std::move(taking));
}

Result<Case> Recovery::decide(CaseNumber number, DecisionId decision, const smki::Actor& actor,
                              TraceId trace) {
  TRY_ASSIGN(const Case before, find_case(parts_.store, number));
  TRY(find_step(&before, "decide"));
  const std::string kind = "use-" + std::string(find_method(before.method)->signs) + "-key";
  TRY_ASSIGN(const PmaDecision made, parts_.decisions.approved(decision, kind, subject_of(number)));
  const std::string evidence = "factors: " + made.factors + "; votes: " + made.votes;
  TRY_ASSIGN(Taking taking,
             begin(number, "decide", evidence.substr(0, kEvidenceOctetsMax), actor, trace));
  taking.fact.number(FactField::pma_decision, decision)
      .text(FactField::detail, "decided " + made.at.iso());
  return finish(std::move(taking));
}

Status Recovery::check_act(const Case& one, smki::ActId id) const {
  const auto refused = [](std::string detail) {
    return Refusal{"recovery-act"_rule, std::move(detail), "act"};
  };
  TRY_ASSIGN(const smki::Act act, parts_.office.act(id));
  if (act.kind != kAct || act.state != smki::ActState::done)
    return refused("act " + std::to_string(id) + ", " + act.kind + ", is " +
                   std::string(smki::text(act.state)));
  if (now() >= act.lapses_at) return refused("it lapsed on " + act.lapses_at.iso());
  const json payload = json::parse(act.payload);
  if (payload.value("case", "") != std::to_string(one.number))
    return refused("it is about case " + payload.value("case", ""));
  const std::optional<Bytes> digest = from_hex(payload.value("order", ""));
  if (!digest || !equal(*digest, one.order)) return refused("it is about another order");
  return {};
}

Result<Case> Recovery::assemble(CaseNumber number, smki::ActId act, const smki::Actor& actor,
                                TraceId trace) {
  TRY_ASSIGN(Taking taking, begin(number, "assemble", "act " + std::to_string(act), actor, trace));
  TRY(check_act(taking.before, act));
  taking.fact.number(FactField::act, act);
  return finish(std::move(taking));
}

Result<Case> Recovery::execute(CaseNumber number, std::string_view evidence, BytesView envelope,
                               const smki::Actor& actor, TraceId trace) {
  TRY_ASSIGN(Taking taking, begin(number, "execute", evidence, actor, trace));
  if (find_method(taking.before.method)->contingency()) TRY(open_envelope(number, envelope));
  return finish(std::move(taking));
}

Status Recovery::open_envelope(CaseNumber number, BytesView envelope) {
  const std::optional<Order> order = find_order(parts_.store, number);
  if (!order || !find_method(order->method)->contingency())
    return Refusal{"recovery-envelope"_rule, "the case does not use the contingency key",
                   "envelope"};
  TRY(contingency_key(*order, envelope));
  const std::lock_guard lock(mutex_);
  envelopes_[number] = to_bytes(envelope);
  return {};
}

bool Recovery::waits_for_envelope(CaseNumber number) const {
  const Result<Case> one = find_case(parts_.store, number);
  if (!one.ok() || one->state != "executing" || !find_method(one->method)->contingency())
    return false;
  const std::lock_guard lock(mutex_);
  return !envelopes_.contains(number);
}

// ---- beside a case

Result<Note> Recovery::note(const Note& what, const smki::Actor& actor, TraceId trace) {
  TRY_ASSIGN(const Case one, find_case(parts_.store, what.number));
  const auto kind = std::ranges::find(note_kind_rows(), what.kind, &NoteKindRow::id);
  const auto refused = [](std::string detail, std::string field) {
    return Refusal{"recovery-note"_rule, std::move(detail), std::move(field)};
  };
  if (kind == note_kind_rows().end()) return refused("'" + what.kind + "' is no kind", "kind");
  const StepRow row{kind->id, "", "", kind->who, "-", "all", "", "", ""};
  TRY(check_taker(row, nullptr, parts_.office, actor, now()));
  TRY(check_evidence(what.text));
  const bool is_cost = what.kind.starts_with("cost-");
  if (is_cost && !what.party) return refused("a cost is a Party's", "party");
  if (is_cost != (what.pence > 0)) return refused("pence are what costs have", "pence");
  const std::vector<Note> before = notes(parts_.store, what.number);
  if (what.kind == "cost-accepted" || what.kind == "cost-refused") {
    std::int64_t open = 0;  // claimed and not settled
    for (const Note& one_note : before) {
      if (one_note.party != what.party || !one_note.kind.starts_with("cost-")) continue;
      const std::int64_t pence = static_cast<std::int64_t>(one_note.pence);
      open += one_note.kind == "cost-claimed" ? pence : -pence;
    }
    if (static_cast<std::int64_t>(what.pence) > open)
      return refused("only " + std::to_string(open) + " pence are claimed and not settled",
                     "pence");
  }
  if (before.size() >= limit("recovery_notes_max")) return refused("the case has enough", "case");
  Note made = what;
  made.index = before.empty() ? 1 : before.back().index + 1;
  made.person = actor.person;
  made.at = now();
  FactWriter fact(FactKind::recovery_noted, made.at, trace);
  fact.number(FactField::recovery_case, made.number)
      .number(FactField::row, made.index)
      .text(FactField::event, made.kind)
      .number(FactField::person, actor.person)
      .text(FactField::address, actor.address)
      .number(FactField::pence, made.pence)
      .text(FactField::evidence, made.text);
  if (made.party) fact.eui(FactField::party, *made.party);
  Bytes key = case_key(made.number);
  put_be(key, made.index);
  storage::Batch batch;
  batch.require_absent(tables::recovery_notes, key, race());
  add(batch, fact.bytes());
  TRY(parts_.store.commit(std::move(batch)));
  return made;
}

}  // namespace wattseal::recovery
