// Who asked what of the repository, for every party: look-ups are counted in memory by party,
// interface, kind of query and hour, and the counts become journal facts every
// access_flush_minutes and when the service stops; a look-up waits for none of it. What a crash can
// lose is the counts since the last flush. A party is one that the register knows, told by its
// client certificate or, on a loopback development service, by X-Subscriber or X-Person; everybody
// else is counted as nobody. Kinds of query are rows of data/repository_routes.tsv. The number of
// counters is bounded by access_counters_max: beyond it parties are counted as nobody, too.
// Answers after the target response time (¶64) are counted apart: performance.h reports them.
// Sources: ¶50 (any Party may fetch), R-02, R-03. Threads: any. Rules: access-query.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "http/http.h"
#include "smki/office.h"
#include "storage/changes.h"
#include "terms/facts.h"

namespace wattseal::smki {

class AccessLog {
 public:
  AccessLog(const World& world, storage::Store& store, const Office& office);
  ~AccessLog();  // what is not flushed is lost

  // Counts every request that a route of the router answers from now on. Outlives the router.
  void watch(http::Router& router);
  // Journals what was counted; returns how many facts. Durable when it returns; after a Fault the
  // counts are kept and the next flush journals them, once.
  std::size_t flush();

  // What repository_accessed does to the tables.
  static void replay(storage::Changes& rows, const FactView& fact);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct AccessQuery {
  std::optional<Eui64> party;  // absent: all, nobody included
  UtcTime from, to;            // hours that begin in [from, to)
};
// From text: an EUI-64, dates yyyy-mm-dd or ISO times; empty: all parties, the last thirty days.
Result<AccessQuery> read_access_query(const std::string& party, const std::string& from,
                                      const std::string& to, UtcTime now);

struct AccessCount {
  std::optional<Eui64> party;  // absent: nobody that the register knows
  std::string name;            // of the party, as the register has it
  std::string interface, query;
  std::uint64_t answered = 0, refused = 0;
  std::uint64_t late = 0;  // of both, after limit repository_target_seconds
  UtcTime first, last;     // hours in which it asked begin from the one to the other
};
// By party, interface and query. What was counted and not flushed yet is not in it.
std::vector<AccessCount> repository_access(const storage::Reader& reader, const AccessQuery& query);
nlohmann::json to_json(const std::vector<AccessCount>& counts, const AccessQuery& query);

}  // namespace wattseal::smki
