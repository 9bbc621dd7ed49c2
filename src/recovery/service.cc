#include "recovery/service.h"

#include <charconv>

#include "gateway/service.h"
#include "recovery/report.h"
#include "smki/office_service.h"

namespace wattseal::recovery {
namespace {

using nlohmann::json;

constexpr std::string_view kCases = "/api/v1/recovery/cases/",
                           kDevices = "/api/v1/recovery/devices/";
constexpr std::size_t kDevicesMax = 100'000;

http::Response json_answer(int status, const json& body) {
  return {status,
          "application/json",
          body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n",
          {}};
}
http::Response answer(const Result<json>& result, TraceId trace) {
  if (result.ok()) return json_answer(200, *result);
  return json_answer(rule_row(result.refusal().rule).http_status,
                     gateway::refusal_json(result.refusal(), trace));
}

Refusal bad_input(std::string detail, std::string field = {}) {
  return {"recovery-input"_rule, std::move(detail), std::move(field)};
}
Result<std::uint64_t> number_of(std::string_view text, const char* field) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    return bad_input("'" + std::string(text) + "' is no number", field);
  return number;
}

Result<smki::Actor> actor_of(const RecoveryService& service, const http::Request& request) {
  TRY_ASSIGN(const smki::Caller caller, smki::identify_caller(service.office, request));
  if (caller.person == 0)
    return Refusal{"ra-person-missing"_rule, "nobody says who is asking", "X-Person"};
  return smki::Actor{caller.person, caller.address};
}
Status check_reader(const RecoveryService& service, const http::Request& request) {
  TRY_ASSIGN(const smki::Actor actor, actor_of(service, request));
  TRY_ASSIGN(const smki::Person person, service.office.person(actor.person));
  if (!person.party && person.may_act(service.world.now())) return {};
  return Refusal{"office-person"_rule,
                 "person " + std::to_string(person.id) + " is not of the registration authority",
                 "X-Person"};
}

// ---- what is sent

Result<json> body_of(const http::Request& request) {
  json body = json::parse(request.body, nullptr, false);
  if (!body.is_object()) return bad_input("it is no JSON object");
  return body;
}
Result<std::string> text_in(const json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end()) return std::string();
  if (!found->is_string()) return bad_input("it is no text", field);
  return found->get<std::string>();
}
Result<std::uint64_t> number_in(const json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || !found->is_number_unsigned())
    return bad_input("it is no number", field);
  return found->get<std::uint64_t>();
}
Result<std::optional<Eui64>> eui_in(const json& body, const char* field) {
  TRY_ASSIGN(const std::string text, text_in(body, field));
  if (text.empty()) return std::optional<Eui64>();
  TRY_ASSIGN(const Eui64 eui, Eui64::parse(text));
  return std::optional(eui);
}
Result<std::vector<std::string>> texts_in(const json& body, const char* field) {
  std::vector<std::string> texts;
  const auto found = body.find(field);
  if (found == body.end()) return texts;
  if (!found->is_array() || found->size() > kDevicesMax)
    return bad_input("it is no list, or too long", field);
  for (const json& one : *found) {
    if (!one.is_string()) return bad_input("it is no list of texts", field);
    texts.push_back(one.get<std::string>());
  }
  return texts;
}
Result<std::vector<CertificateSerial>> serials_in(const json& body, const char* field) {
  TRY_ASSIGN(const std::vector<std::string> texts, texts_in(body, field));
  std::vector<CertificateSerial> serials;
  for (const std::string& text : texts) {
    TRY_ASSIGN(const CertificateSerial serial, CertificateSerial::parse_hex(text));
    serials.push_back(serial);
  }
  return serials;
}
Result<std::map<Slot, CertificateSerial>> cells_in(const json& body, const char* field) {
  std::map<Slot, CertificateSerial> cells;
  const auto found = body.find(field);
  if (found == body.end()) return cells;
  if (!found->is_object()) return bad_input("it is no object of cells", field);
  for (const auto& [name, value] : found->items()) {
    TRY_ASSIGN(const Slot slot, parse_slot(name));
    if (!value.is_string()) return bad_input("a serial number is no text", field);
    TRY_ASSIGN(cells[slot], CertificateSerial::parse_hex(value.get<std::string>()));
  }
  return cells;
}
Result<Bytes> envelope_in(const json& body) {
  TRY_ASSIGN(const std::string text, text_in(body, "envelope"));
  const std::optional<Bytes> octets = from_hex(text);
  if (!octets) return bad_input("it is not hexadecimal", "envelope");
  return *octets;
}

// ---- what is done

Result<json> report(const RecoveryService& service, const http::Request& request) {
  TRY_ASSIGN(const smki::Actor actor, actor_of(service, request));
  TRY_ASSIGN(const json body, body_of(request));
  Notice notice;
  TRY_ASSIGN(notice.compromise, text_in(body, "compromise"));
  TRY_ASSIGN(notice.party, eui_in(body, "party"));
  TRY_ASSIGN(notice.certificates, serials_in(body, "certificates"));
  TRY_ASSIGN(notice.evidence, text_in(body, "evidence"));
  TRY_ASSIGN(const Case made, service.recovery.report(notice, actor, request.trace));
  return to_json(made);
}

Result<Choice> choice_in(const json& body) {
  Choice choice;
  TRY_ASSIGN(choice.method, text_in(body, "method"));
  TRY_ASSIGN(choice.beneficiary, eui_in(body, "beneficiary"));
  TRY_ASSIGN(choice.certificates, cells_in(body, "certificates"));
  TRY_ASSIGN(choice.path, serials_in(body, "path"));
  TRY_ASSIGN(choice.evidence, text_in(body, "evidence"));
  return choice;
}

Result<json> add_note(const RecoveryService& service, CaseNumber number, const json& body,
                      const smki::Actor& actor, TraceId trace) {
  Note note;
  note.number = number;
  TRY_ASSIGN(note.kind, text_in(body, "kind"));
  TRY_ASSIGN(note.party, eui_in(body, "party"));
  TRY_ASSIGN(note.text, text_in(body, "text"));
  if (body.contains("pence")) {
    TRY_ASSIGN(note.pence, number_in(body, "pence"));
  }
  TRY_ASSIGN(const Note made, service.recovery.note(note, actor, trace));
  return to_json(made);
}

Result<json> step(const RecoveryService& service, CaseNumber number, const std::string& event,
                  const http::Request& request) {
  TRY_ASSIGN(const smki::Actor actor, actor_of(service, request));
  TRY_ASSIGN(const json body, body_of(request));
  Recovery& recovery = service.recovery;
  const auto done = [](const Result<Case>& made) -> Result<json> {
    if (!made.ok()) return made.refusal();
    return to_json(*made);
  };
  if (event == "notes") return add_note(service, number, body, actor, request.trace);
  if (event == "choose") {
    TRY_ASSIGN(const Choice choice, choice_in(body));
    return done(recovery.choose(number, choice, actor, request.trace));
  }
  if (event == "decide") {
    TRY_ASSIGN(const std::uint64_t decision, number_in(body, "decision"));
    return done(recovery.decide(number, decision, actor, request.trace));
  }
  if (event == "assemble") {
    TRY_ASSIGN(const std::uint64_t act, number_in(body, "act"));
    return done(recovery.assemble(number, act, actor, request.trace));
  }
  if (event == "envelope") {
    TRY(check_reader(service, request));
    TRY_ASSIGN(const Bytes envelope, envelope_in(body));
    TRY(recovery.open_envelope(number, envelope));
    return done(find_case(recovery.reader(), number));
  }
  TRY_ASSIGN(const std::string evidence, text_in(body, "evidence"));
  if (event == "execute") {
    TRY_ASSIGN(const Bytes envelope, envelope_in(body));
    return done(recovery.execute(number, evidence, envelope, actor, request.trace));
  }
  return done(recovery.step(number, event, evidence, actor, request.trace));
}

Result<json> record_holdings(const RecoveryService& service, const http::Request& request) {
  TRY(check_reader(service, request));
  TRY_ASSIGN(const json body, body_of(request));
  TRY_ASSIGN(const std::vector<std::string> texts, texts_in(body, "devices"));
  using Serials = std::map<Slot, CertificateSerial>;
  TRY_ASSIGN(const Serials cells, cells_in(body, "cells"));
  if (texts.empty() || cells.empty()) return bad_input("no device or no cell is named", "devices");
  std::vector<Eui64> devices;
  for (const std::string& text : texts) {
    TRY_ASSIGN(const Eui64 device, Eui64::parse(text));
    devices.push_back(device);
  }
  Holdings holdings;
  for (const auto& [slot, serial] : cells) {
    TRY_ASSIGN(const smki::PublishedCertificate found, service.repository.by_serial(serial));
    TRY_ASSIGN(const Installable certificate, read_installable(found.der));
    holdings[slot] = certificate.held;
  }
  TRY(service.recovery.know(devices, holdings, request.trace));
  return json{{"devices", devices.size()}, {"cells", to_json(holdings)}};
}

// ---- what is read

Result<json> devices_json(const RecoveryService& service, CaseNumber number,
                          const http::Request& request) {
  const std::string* const wanted = request.query_value("state");
  const std::string* const after = request.query_value("after");
  if (wanted && !device_state(*wanted))
    return bad_input("'" + *wanted + "' is no state of a device", "state");
  Eui64 from;
  if (after) {
    TRY_ASSIGN(const Eui64 last, Eui64::parse(*after));
    from = Eui64::from_number(last.number() + 1);
  }
  json list = json::array();
  each_device(service.recovery.reader(), number, from, [&](const Progress& one) {
    if (!wanted || one.state == *device_state(*wanted)) list.push_back(to_json(one));
    return list.size() < limit("search_results_max");
  });
  return json{{"case", number}, {"devices", std::move(list)}};
}

Result<json> read_case(const RecoveryService& service, const http::Request& request) {
  TRY(check_reader(service, request));
  const std::string_view rest = std::string_view(request.path).substr(kCases.size());
  const std::size_t slash = rest.find('/');
  TRY_ASSIGN(const CaseNumber number, number_of(rest.substr(0, slash), "case"));
  const std::string_view what = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
  const storage::Reader& reader = service.recovery.reader();
  TRY_ASSIGN(const Case one, find_case(reader, number));
  if (what == "radius") {
    const std::optional<Order> order =
        one.method.empty() ? std::nullopt : find_order(reader, number);
    return to_json(order ? service.recovery.radius(*order)
                         : service.recovery.radius(service.recovery.reach_of(one)));
  }
  if (what == "devices") return devices_json(service, number, request);
  if (!what.empty()) return bad_input("there is no '" + std::string(what) + "' of a case", "path");
  json out = report_json(reader, one, service.recovery.record_key());
  out["waits_for_envelope"] = service.recovery.waits_for_envelope(number);
  return out;
}

Result<json> list_cases(const RecoveryService& service, const http::Request& request) {
  TRY(check_reader(service, request));
  json list = json::array();
  for (const Case& one : cases(service.recovery.reader())) {
    json row = to_json(one);
    row["devices"] = to_json(tally(service.recovery.reader(), one.number));
    list.push_back(std::move(row));
  }
  return json{{"cases", std::move(list)}};
}

Result<json> read_device(const RecoveryService& service, const http::Request& request) {
  TRY(check_reader(service, request));
  TRY_ASSIGN(const Eui64 device,
             Eui64::parse(std::string_view(request.path).substr(kDevices.size())));
  return json{{"device", device.text()},
              {"cells", to_json(holdings_of(service.recovery.reader(), device))}};
}

Result<json> take_step(const RecoveryService& service, const http::Request& request) {
  const std::string_view rest = std::string_view(request.path).substr(kCases.size());
  const std::size_t slash = rest.find('/');
  TRY_ASSIGN(const CaseNumber number, number_of(rest.substr(0, slash), "case"));
  if (slash == std::string_view::npos) return bad_input("the path names no step", "path");
  const Result<json> made = step(service, number, std::string(rest.substr(slash + 1)), request);
  if (made.ok()) service.wake();
  return made;
}

}  // namespace

void add_recovery_routes(http::Router& router, const RecoveryService& service) {
  const auto on = [&](const char* method, std::string path,
                      Result<json> (*handle)(const RecoveryService&, const http::Request&)) {
    router.on(method, std::move(path), [&service, handle](const http::Request& request) {
      return answer(handle(service, request), request.trace);
    });
  };
  on("GET", "/api/v1/recovery/tables",
     [](const RecoveryService&, const http::Request&) -> Result<json> { return tables_json(); });
  on("GET", "/api/v1/recovery/cases", list_cases);
  on("POST", "/api/v1/recovery/cases", report);
  on("GET", std::string(kCases) + "*", read_case);
  on("POST", std::string(kCases) + "*", take_step);
  on("GET", std::string(kDevices) + "*", read_device);
  on("POST", "/api/v1/recovery/holdings", record_holdings);
}

}  // namespace wattseal::recovery
