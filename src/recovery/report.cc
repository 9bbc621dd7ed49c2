#include "recovery/report.h"

#include "x509/x509.h"

namespace wattseal::recovery {

using nlohmann::json;

namespace {

json keys_json(const std::vector<std::array<Octet, 8>>& keys) {
  json list = json::array();
  for (const std::array<Octet, 8>& key : keys) list.push_back(to_hex_upper(key));
  return list;
}

json minutes_json(const RunReport& run) {
  json list = json::array();
  for (const Minute& one : run.minutes)
    list.push_back({{"minute", one.minute},
                    {"sent", one.sent},
                    {"recovered", one.recovered},
                    {"unanswered", one.unanswered},
                    {"failed", one.failed}});
  return list;
}

json steps_json(const std::vector<Step>& all) {
  json list = json::array();
  for (const Step& one : all) {
    json step{{"at", one.at.iso()},
              {"event", one.event},
              {"from", one.from},
              {"to", one.to},
              {"person", one.person},
              {"address", one.address},
              {"evidence", one.evidence},
              {"sequence", one.sequence},
              {"signed", one.signed_by_record_key}};
    if (!one.detail.empty()) step["detail"] = one.detail;
    list.push_back(std::move(step));
  }
  return list;
}

json costs_json(const std::vector<Note>& all) {
  struct Cost {
    std::uint64_t claimed = 0, accepted = 0, refused = 0;
  };
  std::map<Eui64, Cost> costs;
  for (const Note& one : all) {
    if (!one.party || !one.kind.starts_with("cost-")) continue;
    Cost& cost = costs[*one.party];
    (one.kind == "cost-claimed"    ? cost.claimed
     : one.kind == "cost-accepted" ? cost.accepted
                                   : cost.refused) += one.pence;
  }
  json list = json::array();
  for (const auto& [party, cost] : costs)
    list.push_back({{"party", party.text()},
                    {"claimed_pence", cost.claimed},
                    {"accepted_pence", cost.accepted},
                    {"refused_pence", cost.refused}});
  return list;
}

json failed_json(const storage::Reader& reader, CaseNumber number) {
  json list = json::array();
  each_device(reader, number, Eui64(), [&](const Progress& one) {
    if (one.state == DeviceState::failed) list.push_back(to_json(one));
    return list.size() < limit("search_results_max");
  });
  return list;
}

}  // namespace

RunReport read_run(const storage::Reader& reader, const Case& one, std::int64_t span_seconds) {
  RunReport run;
  std::map<std::uint64_t, Minute> minutes;
  reader.journal(1, [&](const storage::JournalEntry& entry) {
    const Result<FactView> fact = FactView::read(entry.fact);
    if (!fact.ok() || !fact->find(FactField::recovery_case) ||
        fact->number(FactField::recovery_case) != one.number)
      return true;
    if (run.first_fact == 0) run.first_fact = entry.sequence;
    run.last_fact = entry.sequence;
    if (fact->kind() == FactKind::recovery_stepped && fact->text(FactField::event) == "execute" &&
        !run.began)
      run.began = fact->at();
    if (fact->kind() != FactKind::recovery_device_moved || !run.began) return true;
    const std::int64_t seconds = std::max<std::int64_t>(fact->at() - *run.began, 0);
    Minute& minute = minutes[static_cast<std::uint64_t>(seconds / span_seconds)];
    const std::string_view state = fact->text(FactField::to_status);
    if (state == "sent") {
      ++minute.sent;
      ++run.commands;
    }
    minute.unanswered += state == "waiting";
    minute.failed += state == "failed";
    if (state == "recovered") {
      ++minute.recovered;
      ++run.by_attempts[fact->number(FactField::attempts)];
      run.last_recovered = fact->at();
    }
    return true;
  });
  for (auto& [number, minute] : minutes) {
    minute.minute = number;
    run.minutes.push_back(minute);
  }
  return run;
}

json to_json(const Case& one) {
  json out{{"case", one.number},         {"state", one.state},       {"compromise", one.compromise},
           {"opened", one.opened.iso()}, {"since", one.since.iso()}, {"trace", one.trace.text()}};
  if (one.party) out["party"] = one.party->text();
  if (!one.keys.empty()) out["keys"] = keys_json(one.keys);
  if (!one.method.empty()) {
    out["method"] = one.method;
    if (find_method(one.method)->by_dcc()) out["order"] = to_hex(one.order);
  }
  if (one.beneficiary) out["beneficiary"] = one.beneficiary->text();
  if (one.decision != 0) out["decision"] = one.decision;
  if (one.act != 0) out["act"] = one.act;
  return out;
}

json to_json(const Tally& tally) {
  return {{"devices", tally.total()}, {"enlisted", tally.enlisted},   {"sent", tally.sent},
          {"waiting", tally.waiting}, {"recovered", tally.recovered}, {"failed", tally.failed}};
}

json to_json(const Radius& radius) {
  return {{"devices", radius.devices},     {"away", radius.away},
          {"unknown", radius.unknown},     {"hours", radius.hours},
          {"by_slot", radius.by_slot},     {"by_type", radius.by_type},
          {"by_status", radius.by_status}, {"by_supplier", radius.by_supplier}};
}

json to_json(const Progress& progress) {
  json out{{"device", progress.device.text()},
           {"state", text(progress.state)},
           {"attempts", progress.attempts},
           {"since", progress.since.iso()}};
  if (progress.due) out["due"] = progress.due->iso();
  if (!progress.detail.empty()) out["detail"] = progress.detail;
  return out;
}

json to_json(const Note& note) {
  json out{{"note", note.index},
           {"kind", note.kind},
           {"text", note.text},
           {"person", note.person},
           {"at", note.at.iso()}};
  if (note.party) out["party"] = note.party->text();
  if (note.pence > 0) out["pence"] = note.pence;
  return out;
}

json to_json(const Holdings& holdings) {
  json list = json::array();
  for (const auto& [slot, held] : holdings)
    list.push_back(
        {{"slot", text(slot)}, {"party", held.party.text()}, {"key", to_hex_upper(held.key)}});
  return list;
}

json to_json(const Order& order) {
  json cells = json::array(), path = json::array();
  const auto serial_of = [](const Bytes& der) {
    const Result<x509::Certificate> read = x509::parse_certificate(der);
    return read.ok() ? read->serial.hex() : std::string();
  };
  for (const Replacement& one : order.cells) {
    json cell{{"slot", text(one.slot)}, {"serial", serial_of(one.certificate)}};
    if (one.instead_of) cell["instead_of"] = one.instead_of->text();
    cells.push_back(std::move(cell));
  }
  for (const Bytes& one : order.path) path.push_back(serial_of(one));
  return {{"method", order.method},
          {"originator", order.originator.text()},
          {"cells", std::move(cells)},
          {"path", std::move(path)},
          {"digest", to_hex(order.digest())}};
}

json report_json(const storage::Reader& reader, const Case& one,
                 const std::optional<crypto::PublicPoint>& record_key) {
  const RunReport run = read_run(reader, one);
  const std::vector<Note> all_notes = notes(reader, one.number);
  json notes_list = json::array(), attempts = json::object();
  for (const Note& note : all_notes) notes_list.push_back(to_json(note));
  for (const auto& [count, devices] : run.by_attempts) attempts[std::to_string(count)] = devices;
  json out = to_json(one);
  out["devices"] = to_json(tally(reader, one.number));
  out["steps"] = steps_json(steps(reader, one.number, record_key));
  out["notes"] = std::move(notes_list);
  out["costs"] = costs_json(all_notes);
  out["minutes"] = minutes_json(run);
  out["commands"] = run.commands;
  out["recovered_by_attempts"] = std::move(attempts);
  out["not_recovered"] = failed_json(reader, one.number);
  if (run.began) out["began"] = run.began->iso();
  if (run.began && run.last_recovered) {
    out["last_recovered"] = run.last_recovered->iso();
    out["seconds"] = *run.last_recovered - *run.began;
  }
  if (const std::optional<Order> order = find_order(reader, one.number);
      order && !one.method.empty() && find_method(one.method)->by_dcc())
    out["content"] = to_json(*order);
  out["journal"] = {{"first", run.first_fact},
                    {"last", run.last_fact},
                    {"facts", reader.journal_head().next - 1},
                    {"chain", to_hex(reader.journal_head().chain)}};
  return out;
}

json tables_json() {
  json out;
  for (const CompromiseRow& row : compromise_rows())
    out["compromises"].push_back(
        {{"id", row.id}, {"of_party", row.of_party()}, {"meaning", row.meaning}});
  for (const MethodRow& row : method_rows())
    out["methods"].push_back({{"id", row.id},
                              {"compromises", row.compromises},
                              {"executor", row.executor},
                              {"signs", row.signs},
                              {"mode", row.mode()},
                              {"pma", row.needs_pma()},
                              {"custodians", row.needs_custodians()},
                              {"meaning", row.meaning}});
  for (const StepRow& row : step_rows())
    out["steps"].push_back({{"event", row.event},
                            {"from", row.from},
                            {"to", row.to},
                            {"who", row.who},
                            {"other", row.other},
                            {"if", row.condition},
                            {"meaning", row.meaning}});
  for (const NoteKindRow& row : note_kind_rows())
    out["notes"].push_back({{"id", row.id}, {"who", row.who}, {"meaning", row.meaning}});
  return out;
}

}  // namespace wattseal::recovery
