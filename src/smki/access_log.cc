#include "smki/access_log.h"

#include <map>
#include <mutex>
#include <thread>

#include "base/fault.h"
#include "smki/office_records.h"
#include "smki/office_service.h"
#include "smki/repository_routes.h"

namespace wattseal::smki {
namespace {

constexpr std::int64_t kPeriodSeconds = 3600;
constexpr std::string_view kLate = "late";
constexpr std::size_t kShards = 16, kFactsPerCommit = 512, kKnownMax = 4096;
const Bytes kFlush = to_bytes(as_bytes("repository_access_flush"));  // chunks journalled so far

// One counter: of a row of the routes and the name under which it counts.
struct Counted {
  std::int64_t period = 0;  // begins, unix seconds
  std::uint64_t party = 0;  // 0: nobody
  std::string_view interface, query;
  bool late = false;  // those answered after the target response time stand apart
  friend auto operator<=>(const Counted&, const Counted&) = default;
};
struct Tally {
  std::uint64_t answered = 0, refused = 0;
};
using Tallies = std::map<Counted, Tally>;

void add(Tallies& tallies, Counted counted, const Tally& more, std::size_t most) {
  if (tallies.size() >= most && !tallies.contains(counted)) counted.party = 0;
  Tally& tally = tallies[counted];
  tally.answered += more.answered;
  tally.refused += more.refused;
}

Bytes row_key(const Counted& counted) {
  Bytes key;
  put_be(key, static_cast<std::uint64_t>(counted.period));
  put_be(key, counted.party);
  append(key, as_bytes(counted.interface));
  key.push_back(0);
  append(key, as_bytes(counted.query));
  if (counted.late) {
    key.push_back(0);
    append(key, as_bytes(kLate));
  }
  return key;
}
Bytes row_of(const Tally& tally) {
  return RecordWriter().number(tally.answered).number(tally.refused).bytes();
}
Tally tally_of(const std::optional<Bytes>& row) {
  if (!row) return {};
  RecordReader fields(*row);
  Tally tally;
  tally.answered = fields.number();
  tally.refused = fields.number();
  return tally;
}
Tally sum(Tally tally, const Tally& more) {
  return {tally.answered + more.answered, tally.refused + more.refused};
}

Bytes fact_of(const Counted& counted, const Tally& tally, UtcTime now, TraceId trace) {
  FactWriter fact(FactKind::repository_accessed, now, trace);
  fact.time(FactField::effective_from, UtcTime::from_unix_seconds(counted.period));
  if (counted.party != 0) fact.eui(FactField::party, Eui64::from_number(counted.party));
  if (counted.late) fact.text(FactField::event, kLate);
  fact.text(FactField::interface, counted.interface)
      .text(FactField::query, counted.query)
      .number(FactField::count, tally.answered)
      .number(FactField::refused, tally.refused);
  return fact.bytes();
}

// Names under which a route counts: "latest/device" is the first of both that a request has.
std::vector<std::string_view> words(std::string_view counted) {
  std::vector<std::string_view> list;
  while (!counted.empty()) {
    const std::size_t end = counted.find('/');
    list.push_back(counted.substr(0, end));
    counted = end == std::string_view::npos ? std::string_view{} : counted.substr(end + 1);
  }
  return list;
}
std::string_view counted_as(const std::vector<std::string_view>& names,
                            const http::Request& request) {
  for (const std::string_view name : names) {
    if (names.size() == 1 || request.query_value(name)) return name;
  }
  return "other";
}

}  // namespace

struct AccessLog::State {
  State(const World& the_world, storage::Store& the_store, const Office& the_office)
      : world(the_world), store(the_store), office(the_office) {}
  const World& world;
  storage::Store& store;
  const Office& office;

  struct Shard {
    std::mutex mutex;
    Tallies tallies;
  };
  std::array<Shard, kShards> shards;
  const std::size_t counters_max = limit("access_counters_max");
  const std::int64_t target_microseconds =
      static_cast<std::int64_t>(limit("repository_target_seconds")) * 1'000'000;

  // Whom a claim or a certificate names, for as long as the hour lasts.
  std::mutex known_mutex;
  std::int64_t known_since = 0;
  std::map<std::string, std::uint64_t, std::less<>> known;

  std::mutex flush_mutex;  // of what follows
  Tallies pending;
  std::vector<std::pair<Counted, Tally>> chunk;  // on its way into the journal
  std::uint64_t chunk_number = 0;

  std::uint64_t ask_register(const http::Request& request) const {
    const Result<Caller> caller = identify_caller(office, request);
    if (!caller.ok() || !caller->subscriber) return 0;
    return find_party(store, *caller->subscriber) ? caller->subscriber->number() : 0;
  }
  std::uint64_t party_of(const http::Request& request, std::int64_t period) {
    const std::string* const claim = request.header("X-Subscriber");
    const std::string* const person = request.header("X-Person");
    if (request.client_certificate.empty() && !claim && !person) return 0;
    const std::string who = request.client_certificate.empty()
                                ? (claim ? *claim : "") + "/" + (person ? *person : "")
                                : std::string(as_text(crypto::sha256(request.client_certificate)));
    const std::lock_guard lock(known_mutex);
    if (known_since != period || known.size() >= kKnownMax) known.clear();
    known_since = period;
    const auto found = known.find(who);
    if (found != known.end()) return found->second;
    return known[who] = ask_register(request);
  }

  void count(const RepositoryRoute& route, std::string_view query, const http::Request& request,
             bool answered, std::int64_t microseconds) {
    const std::int64_t now = world.now().unix_seconds();
    const std::int64_t period = now - now % kPeriodSeconds;
    const Counted counted{period, party_of(request, period), route.interface, query,
                          microseconds > target_microseconds};
    Shard& shard =
        shards[std::hash<decltype(std::this_thread::get_id())>()(std::this_thread::get_id()) %
               kShards];
    const std::lock_guard lock(shard.mutex);
    add(shard.tallies, counted, answered ? Tally{1, 0} : Tally{0, 1}, counters_max / kShards);
  }

  void take() {
    for (Shard& shard : shards) {
      Tallies taken;
      {
        const std::lock_guard lock(shard.mutex);
        taken.swap(shard.tallies);
      }
      for (const auto& [counted, tally] : taken) add(pending, counted, tally, counters_max);
    }
  }

  // A commit that failed may have taken place: its number tells.
  void commit_chunk() {
    const std::optional<Bytes> before = store.get(tables::meta, kFlush);
    if ((before ? RecordReader(*before).number() : 0) >= chunk_number) return;
    const Refusal race{"access-race"_rule, "another process counts in the same store"};
    storage::Batch batch;
    if (before)
      batch.require_value(tables::meta, kFlush, *before, race);
    else
      batch.require_absent(tables::meta, kFlush, race);
    batch.put(tables::meta, kFlush, encode_count(chunk_number));
    const UtcTime now = world.now();
    const TraceId trace = world.new_trace();
    for (const auto& [counted, tally] : chunk) {
      const Bytes key = row_key(counted);
      batch.put(tables::repository_access, key,
                row_of(sum(tally_of(store.get(tables::repository_access, key)), tally)));
      batch.append(fact_of(counted, tally, now, trace));
    }
    const Result<std::uint64_t> committed = store.commit(std::move(batch));
    if (!committed.ok()) throw Fault(explain(committed.refusal()));
  }

  std::size_t flush() {
    const std::lock_guard lock(flush_mutex);
    take();
    std::size_t facts = 0;
    while (!chunk.empty() || !pending.empty()) {
      if (chunk.empty()) {
        chunk_number = read_count(store, tables::meta, kFlush) + 1;
        while (!pending.empty() && chunk.size() < kFactsPerCommit) {
          chunk.emplace_back(*pending.begin());
          pending.erase(pending.begin());
        }
      }
      commit_chunk();
      facts += chunk.size();
      chunk.clear();
    }
    return facts;
  }
};

AccessLog::AccessLog(const World& world, storage::Store& store, const Office& office)
    : state_(std::make_unique<State>(world, store, office)) {}
AccessLog::~AccessLog() = default;

void AccessLog::watch(http::Router& router) {
  router.wrap([this](const std::string& method, const std::string& pattern, http::Handler handler) {
    const RepositoryRoute* const route = find_repository_route(method, pattern);
    if (!route || route->counted == "-") return handler;
    return http::Handler([this, route, names = words(route->counted),
                          inner = std::move(handler)](const http::Request& request) {
      const Clock& clock = state_->world.clock;
      const std::int64_t start = clock.monotonic_microseconds();
      http::Response response = inner(request);
      state_->count(*route, counted_as(names, request), request, response.status < 400,
                    clock.monotonic_microseconds() - start);
      return response;
    });
  });
}

std::size_t AccessLog::flush() { return state_->flush(); }

void AccessLog::replay(storage::Changes& rows, const FactView& fact) {
  Counted counted;
  counted.period = static_cast<std::int64_t>(fact.number(FactField::effective_from));
  if (const std::optional<Eui64> party = fact.eui(FactField::party))
    counted.party = party->number();
  counted.interface = fact.text(FactField::interface);
  counted.query = fact.text(FactField::query);
  counted.late = fact.text(FactField::event) == kLate;
  const Bytes key = row_key(counted);
  const Tally more{fact.number(FactField::count), fact.number(FactField::refused)};
  rows.put(tables::repository_access, key,
           row_of(sum(tally_of(rows.get(tables::repository_access, key)), more)));
}

// ---- the report

namespace {

Result<UtcTime> read_moment(const std::string& text, const char* field) {
  const std::optional<UtcTime> time =
      UtcTime::parse_iso(text.size() == 10 ? text + "T00:00:00Z" : text);
  if (!time || time->unix_seconds() < 0)
    return Refusal{"access-query"_rule,
                   "it is not a date yyyy-mm-dd or a time yyyy-mm-ddThh:mm:ssZ", field};
  return *time;
}

}  // namespace

Result<AccessQuery> read_access_query(const std::string& party, const std::string& from,
                                      const std::string& to, UtcTime now) {
  constexpr std::int64_t kMonth = 30 * 86400;
  AccessQuery query;
  if (!party.empty()) {
    const Result<Eui64> eui = Eui64::parse(party);
    if (!eui.ok()) return Refusal{"access-query"_rule, eui.refusal().detail, "party"};
    query.party = *eui;
  }
  query.to = now.plus_seconds(1);
  if (!to.empty()) {
    TRY_ASSIGN(query.to, read_moment(to, "to"));
  }
  query.from = query.to.plus_seconds(-std::min(kMonth, query.to.unix_seconds()));
  if (!from.empty()) {
    TRY_ASSIGN(query.from, read_moment(from, "from"));
  }
  if (query.to <= query.from)
    return Refusal{"access-query"_rule, query.from.iso() + " to " + query.to.iso() + " is no time",
                   "from"};
  return query;
}

std::vector<AccessCount> repository_access(const storage::Reader& reader,
                                           const AccessQuery& query) {
  const auto period_key = [](UtcTime time) {
    Bytes key;
    put_be(key, static_cast<std::uint64_t>(time.unix_seconds()));
    return key;
  };
  std::map<std::tuple<std::uint64_t, std::string, std::string>, AccessCount> by;
  reader.scan(tables::repository_access, period_key(query.from), period_key(query.to),
              [&](BytesView key, BytesView row) {
                const std::uint64_t party = get_be(key.subspan(8, 8));
                if (query.party && query.party->number() != party) return true;
                const UtcTime hour =
                    UtcTime::from_unix_seconds(static_cast<std::int64_t>(get_be(key.first(8))));
                const std::string_view names = as_text(key.subspan(16));
                const std::size_t end = std::min(names.find('\0'), names.size() - 1);
                std::string_view rest = names.substr(end + 1);
                const bool late = rest.find('\0') != std::string_view::npos;
                rest = rest.substr(0, rest.find('\0'));
                const std::string interface(names.substr(0, end)), asked(rest);
                const auto [found, first] = by.try_emplace({party, interface, asked});
                AccessCount& count = found->second;
                if (first) {
                  if (party != 0) count.party = Eui64::from_number(party);
                  count.interface = interface;
                  count.query = asked;
                  count.first = hour;
                }
                const Tally tally = tally_of(to_bytes(row));
                count.answered += tally.answered;
                count.refused += tally.refused;
                if (late) count.late += tally.answered + tally.refused;
                count.last = hour;
                return true;
              });
  std::vector<AccessCount> counts;
  for (auto& [key, count] : by) {
    const std::optional<Party> party =
        count.party ? find_party(reader, *count.party) : std::nullopt;
    if (party) count.name = party->name;
    counts.push_back(std::move(count));
  }
  return counts;
}

nlohmann::json to_json(const std::vector<AccessCount>& counts, const AccessQuery& query) {
  nlohmann::json rows = nlohmann::json::array();
  for (const AccessCount& one : counts) {
    nlohmann::json row{{"interface", one.interface}, {"query", one.query},
                       {"answered", one.answered},   {"refused", one.refused},
                       {"late", one.late},           {"first", one.first.iso()},
                       {"last", one.last.iso()}};
    if (one.party) {
      row["party"] = one.party->text();
      row["name"] = one.name;
    }
    rows.push_back(std::move(row));
  }
  return {{"from", query.from.iso()}, {"to", query.to.iso()}, {"access", std::move(rows)}};
}

}  // namespace wattseal::smki
