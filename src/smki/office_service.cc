#include "smki/office_service.h"

#include "smki/service_json.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr std::string_view kActs = "/api/v1/ra/acts/";

json to_json(const Person& person, UtcTime now) {
  json out{{"person", person.id},
           {"name", person.name},
           {"role", person.role},
           {"state", text(person.state)},
           {"until", person.appointed_until.iso()},
           {"may_act", person.may_act(now)},
           {"credential", person.credential}};
  if (person.party) out["party"] = person.party->text();
  return out;
}

json to_json(const Party& party) {
  json ranges = json::array();
  for (const EuiRange& range : party.allotted)
    ranges.push_back({{"first", range.first.text()}, {"last", range.last.text()}});
  json roles = json::array();
  for (const UserRole role : party.user_roles) roles.push_back(code(role));
  return {{"party", party.id.text()},
          {"name", party.name},
          {"kind", party.kind},
          {"user_roles", roles},
          {"dual_control", party.dual_control},
          {"entry_tests_passed", party.entry_tests_passed},
          {"device_subscriber", party.device_subscriber},
          {"organisation_subscriber", party.organisation_subscriber},
          {"allotted", ranges}};
}

json to_json(const Act& act) {
  const auto row = std::ranges::find(act_rows(), act.kind, &ActRow::id);
  json out{{"act", act.id},
           {"kind", act.kind},
           {"state", text(act.state)},
           {"payload", json::parse(act.payload)},
           {"proposer", act.proposer},
           {"approvers", act.approvers},
           {"needs", row == act_rows().end() ? "" : row->approvals_text},
           {"proposed_at", act.proposed_at.iso()},
           {"lapses_at", act.lapses_at.iso()}};
  if (!act.reason.empty()) out["reason"] = act.reason;
  return out;
}

Result<Actor> identify_actor(const OfficeService& service, const http::Request& request) {
  TRY_ASSIGN(const Caller caller, identify_caller(service.office, request));
  if (caller.person == 0)
    return Refusal{"ra-person-missing"_rule, "nobody says who is asking", "X-Person"};
  return Actor{caller.person, caller.address};
}

// Who may read: somebody who may act now. People of the registration authority see everything,
// people of a party what concerns their party, people of the PMA themselves and each other.
Result<Person> identify_reader(const OfficeService& service, const http::Request& request) {
  TRY_ASSIGN(const Actor actor, identify_actor(service, request));
  TRY_ASSIGN(Person person, service.office.person(actor.person));
  if (!person.may_act(service.world.now()))
    return Refusal{"office-person"_rule,
                   "person " + std::to_string(person.id) + " is " +
                       std::string(text(person.state)) + ", appointed until " +
                       person.appointed_until.iso(),
                   "person"};
  return person;
}

bool sees_all(const Person& reader) { return belongs_to(reader) == "ra"; }
bool may_see(const Person& reader, std::optional<Eui64> party) {
  return sees_all(reader) || (party && reader.party == party);
}
bool may_see(const Person& reader, const Person& person) {
  return may_see(reader, person.party) ||
         (belongs_to(reader) == "pma" && belongs_to(person) == "pma");
}
// An act of people of the party, or about the party or one of them.
bool may_see(const OfficeService& service, const Person& reader, const Act& act) {
  if (sees_all(reader)) return true;
  const auto ours = [&](PersonId id) {
    const Result<Person> person = service.office.person(id);
    return person.ok() && may_see(reader, *person);
  };
  if (ours(act.proposer) || std::ranges::any_of(act.approvers, ours)) return true;
  const json payload = json::parse(act.payload);
  const Result<Eui64> party = Eui64::parse(payload.value("party", ""));
  if (party.ok() && may_see(reader, *party)) return true;
  const std::optional<std::uint64_t> person = read_number(payload.value("person", ""));
  return person && ours(*person);
}

template <typename Read>
http::Response read(const OfficeService& service, const http::Request& request, Read&& answer) {
  const Result<Person> reader = identify_reader(service, request);
  return reader.ok() ? answer(*reader) : refuse(reader.refusal(), request.trace);
}

Result<json> read_body(const http::Request& request) {
  json body = json::parse(request.body, nullptr, false);
  if (!body.is_object())
    return Refusal{"ra-service-json"_rule, "the body is no JSON object", "body"};
  return body;
}

http::Response answer(const OfficeService& service, const Result<ActId>& id, TraceId trace) {
  if (!id.ok()) return refuse(id.refusal(), trace);
  service.wake();
  const Result<Act> act = service.office.act(*id);
  if (!act.ok()) return refuse(act.refusal(), trace);
  return json_answer(200, to_json(*act));
}

Result<ActId> propose(const OfficeService& service, const http::Request& request) {
  TRY_ASSIGN(const Actor actor, identify_actor(service, request));
  TRY_ASSIGN(const json body, read_body(request));
  const auto kind = body.find("kind"), payload = body.find("payload");
  if (kind == body.end() || !kind->is_string() || payload == body.end() || body.size() != 2)
    return Refusal{"ra-service-json"_rule, "the body has exactly kind and payload", "body"};
  return service.office.propose(kind->get<std::string>(), *payload, actor, request.trace);
}

Result<ActId> decide(const OfficeService& service, const http::Request& request,
                     std::string_view rest) {
  TRY_ASSIGN(const Actor actor, identify_actor(service, request));
  const std::size_t slash = rest.find('/');
  const std::optional<std::uint64_t> id = read_number(rest.substr(0, slash));
  const std::string_view verb =
      slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  if (!id || (verb != "approve" && verb != "reject"))
    return Refusal{"office-act-unknown"_rule, "the path names no act and approve or reject",
                   "path"};
  if (verb == "approve") {
    TRY(service.office.approve(*id, actor, request.trace));
    return *id;
  }
  TRY_ASSIGN(const json body, read_body(request));
  const auto reason = body.find("reason");
  if (reason == body.end() || !reason->is_string())
    return Refusal{"ra-service-json"_rule, "the body has a reason", "reason"};
  TRY(service.office.reject(*id, reason->get<std::string>(), actor, request.trace));
  return *id;
}

http::Response list_acts(const OfficeService& service, const http::Request& request,
                         const Person& reader) {
  std::optional<ActState> state;
  if (const std::string* wanted = request.query_value("state")) {
    for (const ActState one :
         {ActState::open, ActState::done, ActState::rejected, ActState::lapsed}) {
      if (text(one) == *wanted) state = one;
    }
    if (!state)
      return refuse(
          {"ra-service-json"_rule, "the state is open, done, rejected or lapsed", "query/state"},
          request.trace);
  }
  json acts = json::array();
  for (const Act& act : service.office.acts(state)) {
    if (may_see(service, reader, act)) acts.push_back(to_json(act));
  }
  return json_answer(200, {{"acts", acts}});
}

http::Response activity(const OfficeService& service, const http::Request& request,
                        const Person& reader) {
  const std::string* given = request.query_value("days");
  const std::optional<std::uint64_t> days = read_number(given ? *given : "30");
  if (!days || *days == 0 || *days > 3660)
    return refuse({"ra-service-json"_rule, "days is a number from 1 to 3660", "query/days"},
                  request.trace);
  const UtcTime now = service.world.now();
  const UtcTime from = now.plus_seconds(-static_cast<std::int64_t>(*days) * 86400);
  json list = json::array();
  for (const Activity& one : officer_activity(service.reader, from, now.plus_seconds(1))) {
    const Result<Person> person = service.office.person(one.person);
    if (person.ok() ? !may_see(reader, *person) : !sees_all(reader)) continue;
    json row{{"person", one.person},
             {"proposed", one.proposed},
             {"approved", one.approved},
             {"rejected", one.rejected},
             {"outside_service_window", one.outside_service_window},
             {"addresses", one.addresses},
             {"unused", !one.last.has_value()}};
    if (one.last) row["last"] = one.last->iso();
    if (person.ok()) row.update({{"name", person->name}, {"role", person->role}});
    list.push_back(std::move(row));
  }
  return json_answer(200, {{"from", from.iso()}, {"to", now.iso()}, {"officers", list}});
}

}  // namespace

Result<Caller> identify_caller(const Office& office, const http::Request& request) {
  Caller caller;
  caller.address = request.peer;
  if (!request.client_certificate.empty()) {
    TRY_ASSIGN(const Person person, office.person_by_credential(request.client_certificate));
    caller.person = person.id;
    caller.subscriber = person.party;
    return caller;
  }
  if (const std::string* number = request.header("X-Person")) {
    const std::optional<std::uint64_t> id = read_number(*number);
    if (!id || *id == 0)
      return Refusal{"ra-person-missing"_rule, "X-Person is no number of a person", "X-Person"};
    caller.person = *id;
    const Result<Person> person = office.person(*id);
    if (person.ok() && person->state != PersonState::appointed)
      return Refusal{
          "office-person"_rule,
          person->role + " " + std::to_string(*id) + " is " + std::string(text(person->state)),
          "X-Person"};
    if (person.ok()) caller.subscriber = person->party;
  }
  if (const std::string* header = request.header("X-Subscriber")) {
    TRY_ASSIGN(caller.subscriber, Eui64::parse(*header));
  }
  return caller;
}

void add_office_routes(http::Router& router, const OfficeService& service) {
  router.on("GET", "/api/v1/ra/people", [&service](const http::Request& request) {
    return read(service, request, [&](const Person& reader) {
      json people = json::array();
      for (const Person& person : service.office.people()) {
        if (may_see(reader, person)) people.push_back(to_json(person, service.world.now()));
      }
      return json_answer(200, {{"people", people}});
    });
  });
  router.on("GET", "/api/v1/ra/parties", [&service](const http::Request& request) {
    return read(service, request, [&](const Person& reader) {
      json parties = json::array();
      for (const Party& party : service.authority.parties()) {
        if (may_see(reader, party.id)) parties.push_back(to_json(party));
      }
      return json_answer(200, {{"parties", parties}});
    });
  });
  router.on("GET", "/api/v1/ra/acts", [&service](const http::Request& request) {
    return read(service, request,
                [&](const Person& reader) { return list_acts(service, request, reader); });
  });
  router.on("POST", "/api/v1/ra/acts", [&service](const http::Request& request) {
    return answer(service, propose(service, request), request.trace);
  });
  router.on("GET", "/api/v1/ra/acts/*", [&service](const http::Request& request) {
    return read(service, request, [&](const Person& reader) {
      const std::optional<std::uint64_t> id =
          read_number(std::string_view(request.path).substr(kActs.size()));
      const Result<Act> act = service.office.act(id.value_or(0));
      if (!act.ok()) return refuse(act.refusal(), request.trace);
      if (!may_see(service, reader, *act))  // as if there were none
        return refuse({"office-act-unknown"_rule, "act " + std::to_string(*id), "act"},
                      request.trace);
      return json_answer(200, to_json(*act));
    });
  });
  router.on("POST", "/api/v1/ra/acts/*", [&service](const http::Request& request) {
    return answer(service,
                  decide(service, request, std::string_view(request.path).substr(kActs.size())),
                  request.trace);
  });
  router.on("GET", "/api/v1/ra/activity", [&service](const http::Request& request) {
    return read(service, request,
                [&](const Person& reader) { return activity(service, request, reader); });
  });
}

}  // namespace wattseal::smki
